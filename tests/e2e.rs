//! Poundlock from outside: the real binary, as real processes, over real files.
//!
//! One test binary with a module for each subject. [`node::Node`] starts a node in a folder of its own.

#[path = "e2e/accounts.rs"]
mod accounts;
#[path = "e2e/node.rs"]
mod node;
