//! An ordered key-value store, the typed records on it, and the files that stand beside it.
//!
//! From the bottom up: an [`engine`] keeps bytes under ordered keys and moves from state to state by durable,
//! atomic commits ([`sled_engine`] on disk, [`memory_engine`] for tests). [`table`] gives keys and values their
//! types. [`writer`] is the one thread that commits; everybody else reads [`View`](read::View)s, which neither wait
//! for it nor hold it up. Large bytes are files: [`blobs`] may travel, [`attachments`] never do; [`placement`] puts many of
//! them in place with one commit. What may wait for a person is listed in [`open`].

pub mod attachments;
pub mod audit;
pub mod blobs;
pub mod check;
pub mod dump;
pub mod engine;
mod folder_lock;
pub mod key;
pub mod memory_engine;
pub mod migration;
pub mod migrations;
pub mod node_folder;
pub mod open;
pub mod placement;
pub mod read;
mod recent;
pub mod records;
pub mod secrets;
pub mod sled_engine;
mod snapshots;
pub mod table;
pub mod tables;
pub mod transaction;
pub mod whole_file;
pub mod writer;
