//! From a journal of changes to batches, to what a bundle carries, to what an import may change. Pure, like `domain`: no
//! I/O, no clock; what a rule needs to look up is handed in.
//!
//! | file | answers |
//! | --- | --- |
//! | `record` | what of an object travels, and in which direction |
//! | `eligible` | which objects a peer is owed |
//! | `batch` | which root an object travels with, and what a root needs |
//! | `select` | which batches a bundle takes, under filters and holds |
//! | `ledger` | what a bundle's number, base, epoch and acknowledgement mean |
//! | `intake` | what a received record is, against what is known |
//! | `review` | what applying, ignoring and unignoring a batch brings along |
//! | `difference` | what changed between two revisions, for a person to read |

pub mod batch;
pub mod difference;
pub mod eligible;
pub mod intake;
pub mod ledger;
pub mod record;
pub mod review;
pub mod select;
