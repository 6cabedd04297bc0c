#![no_main]

poundlock_fuzz::target!("frames");
