#![no_main]

poundlock_fuzz::target!("age");
