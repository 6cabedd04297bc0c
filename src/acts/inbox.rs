//! What comes from a peer: received into its inbox, reviewed there batch by batch, and applied or ignored.

mod contents;
mod opened;
mod receive;
mod review;
#[cfg(test)]
mod tests;

pub(in crate::acts) use contents::requester;
pub use contents::{InboxBatch, contents, pending_body};
pub use opened::{Opened, Reach, arrivals, open, reach};
pub use receive::{Delivery, ImportRefused, Receipt, Record, Turned, decode, receive, refuse};
pub use review::{Applied, apply, ignore, unignore};
