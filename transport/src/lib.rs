//! The bundle file.
