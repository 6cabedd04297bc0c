//! The bundle file from outside: written, read, damaged, forged, split, and opened with stock tools.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod damage;
mod forged;
mod golden;
mod hostile;
mod medium;
mod round_trip;
mod stock_tools;
mod support;
mod volumes;
