//! Histories of three nodes, played in memory: what people do, in any order, with bundles lost, repeated and overtaken, and
//! stores set back. Whatever happens, some rules hold at every step, and in the end carrying bundles back and forth brings
//! all sides level.

pub mod courier;
mod invariants;
pub mod node;
pub mod people;
mod random;
