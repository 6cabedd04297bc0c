//! A Poundlock node.
