//! What comes from a peer: received into its inbox, reviewed there batch by batch, and applied or ignored.

mod receive;
mod review;
#[cfg(test)]
mod tests;

pub use receive::{Delivery, ImportRefused, Receipt, Record, decode, receive, refuse};
pub use review::{Applied, InboxBatch, apply, contents, ignore, pending_body, unignore};
