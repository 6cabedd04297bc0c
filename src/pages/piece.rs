//! The pieces that pages are made of. Each is a function from values to markup, and escapes what it is given.

pub mod code;
pub mod content;
pub mod facts;
pub mod hash;
pub mod icon;
pub mod list;
pub mod number;
pub mod qr;
pub mod schema;
pub mod signature;
pub mod status;
pub mod text;
pub mod time;
