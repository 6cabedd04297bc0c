//! The sandbox from outside: the node's own program, a real interpreter, the real kernel.
//!
//! Tests that need NumPy and pandas take the interpreter that `POUNDLOCK_TEST_PYTHON` names, and fail without one. Those

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "sandbox/assets.rs"]
mod assets;
#[path = "sandbox/escapes.rs"]
mod escapes;
#[path = "sandbox/limits.rs"]
mod limits;
#[path = "sandbox/machine.rs"]
mod machine;
#[path = "sandbox/outlines.rs"]
mod outlines;
#[path = "sandbox/reader.rs"]
mod reader;
#[path = "sandbox/results.rs"]
mod results;
#[path = "sandbox/workshop.rs"]
mod workshop;
