#![no_main]

poundlock_fuzz::target!("archive-tar");
