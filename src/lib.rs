//! A Poundlock node.

pub mod store;
