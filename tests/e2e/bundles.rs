//! Bundles that must be refused, each with its own word, and those that must not.
