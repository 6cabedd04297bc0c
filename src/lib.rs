//! A Poundlock node: what it is made of, from the rules outwards. `ARCHITECTURE.md` draws the whole.

pub mod actors;
pub mod acts;
pub mod api;
pub mod channels;
pub mod cli;
pub mod clock;
pub mod domain;
pub mod failpoint;
pub mod node;
pub mod pages;
pub mod runtime;
pub mod store;
pub mod sync;
