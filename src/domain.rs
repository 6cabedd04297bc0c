//! What things are and which rules hold: plain data and plain functions.
//!
//! Nothing here does I/O, reads a clock, draws a random number or is `async`: time, ids and randomness are arguments.

pub mod access;
pub mod access_rule;
pub mod account;
pub mod allowance;
pub mod archive;
pub mod asset;
pub mod audit;
pub mod cell;
pub mod code;
pub mod dataset;
pub mod decision;
pub mod group;
pub mod hash;
pub mod id;
pub mod job;
pub mod key_pins;
pub mod mock;
pub mod notification;
pub mod object;
pub mod outline;
pub mod password;
pub mod peer;
pub mod policy;
pub mod private_data;
pub mod project;
pub mod python;
pub mod reading;
pub mod release;
pub mod request;
pub mod role;
pub mod schema;
pub mod sealed;
pub mod second_factor;
pub mod session;
pub mod settings;
pub mod side;
pub mod signature;
pub mod text;
pub mod throttle;
pub mod user;
pub mod whole_number;
