//! What stands at the start and at the end of the plain stream.

mod acknowledgement;
mod wire;

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use acknowledgement::Acknowledgement;
pub(crate) use wire::{Trailer, decode_header, encode_header};

use crate::digest::{ChainHead, Fingerprint};
use crate::identity::Side;

/// Which way a bundle goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the low side to the high side.
    Up,
    /// From the high side to the low side.
    Down,
}

impl Direction {
    /// The direction from `sender` to `recipient`; none between nodes of one side, or with a solo node.
    pub fn between(sender: Side, recipient: Side) -> Option<Self> {
        match (sender, recipient) {
            (Side::Low, Side::High) => Some(Self::Up),
            (Side::High, Side::Low) => Some(Self::Down),
            _ => None,
        }
    }
}

/// A node as a header names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// The node's id.
    pub node: Uuid,
    /// Binds its id, side and both keys.
    pub fingerprint: Fingerprint,
}

/// The audit chains of both nodes, as the sender sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditHeads {
    /// The head of the sender's own chain.
    pub own: ChainHead,
    /// The last head that the sender received from the recipient; it must be in the recipient's chain.
    pub echo: Option<ChainHead>,
}

/// How much a bundle carries. Declared in the header, repeated in the trailer, and counted by reader and writer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// Number of records.
    pub records: u64,
    /// Sum of the records' payloads, in bytes.
    pub record_bytes: u64,
    /// Number of blobs.
    pub blobs: u64,
    /// Sum of the blobs' lengths, in bytes.
    pub blob_bytes: u64,
}

impl Contents {
    /// Counts a record of this many bytes.
    pub fn add_record(&mut self, length: u64) {
        self.records = self.records.saturating_add(1);
        self.record_bytes = self.record_bytes.saturating_add(length);
    }

    /// Counts a blob of this many bytes.
    pub fn add_blob(&mut self, length: u64) {
        self.blobs = self.blobs.saturating_add(1);
        self.blob_bytes = self.blob_bytes.saturating_add(length);
    }

    /// Whether no count passes `other`'s.
    pub(crate) fn within(&self, other: &Self) -> bool {
        self.records <= other.records
            && self.record_bytes <= other.record_bytes
            && self.blobs <= other.blobs
            && self.blob_bytes <= other.blob_bytes
    }
}

/// What a sender says about a bundle, apart from who it and the recipient are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// A new random id.
    pub bundle: Uuid,
    /// The epoch of the sender's store.
    pub sender_epoch: Uuid,
    /// The epoch of the recipient's store, as far as the sender knows.
    pub recipient_epoch: Uuid,
    /// From 1, per peer and epoch, without gaps.
    pub sequence: NonZeroU64,
    /// The position of the sender's journal that the bundle builds on; 0 for a full bundle.
    pub base: u64,
    /// The position that it reaches.
    pub position: u64,
    /// What the sender has received from the recipient.
    pub acknowledgement: Acknowledgement,
    /// Where both audit chains stand.
    pub audit: AuditHeads,
    /// What will be written; [`finish`](crate::BundleWriter::finish) refuses anything else.
    pub contents: Contents,
}

/// The first item of the plain stream. All fields are of fixed or bounded size; there is no time, no host and no
/// free text in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The format's number, the same as in the preamble.
    pub format: u16,
    /// Who made and signed the bundle.
    pub sender: Party,
    /// Who can read it.
    pub recipient: Party,
    /// Which way it goes.
    pub direction: Direction,
    /// The highest format that the sender reads.
    pub reads_format: u16,
    /// The rest.
    pub outgoing: Outgoing,
}

/// A header whose fields contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The header is of another format than the preamble.
    #[error("the header is of format {0}, and the file says otherwise")]
    Format(u16),
    /// `base` is past `position`.
    #[error("the base position is past the position that the bundle reaches")]
    BasePastPosition,
    /// Sender and recipient are the same node.
    #[error("sender and recipient are the same node")]
    SameNode,
    /// The acknowledgement names bundles before the first, or some without an epoch.
    #[error("the acknowledgement contradicts itself")]
    Acknowledgement,
}

impl Header {
    /// The rules that hold between fields, for writer and reader alike.
    pub(crate) fn check(&self) -> Result<(), HeaderError> {
        if self.format != u16::from(crate::FORMAT) {
            return Err(HeaderError::Format(self.format));
        }
        if self.outgoing.base > self.outgoing.position {
            return Err(HeaderError::BasePastPosition);
        }
        if self.sender.node == self.recipient.node {
            return Err(HeaderError::SameNode);
        }
        if !self.outgoing.acknowledgement.is_consistent() {
            return Err(HeaderError::Acknowledgement);
        }
        Ok(())
    }
}
