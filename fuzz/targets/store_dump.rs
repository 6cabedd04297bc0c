#![no_main]

poundlock_fuzz::target!("store-dump");
