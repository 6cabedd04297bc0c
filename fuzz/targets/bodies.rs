#![no_main]

poundlock_fuzz::target!("bodies");
