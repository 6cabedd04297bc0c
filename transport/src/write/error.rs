//! Why a bundle could not be written.

use std::io;
use std::path::{Path, PathBuf};

use crate::cbor::CborError;
use crate::digest::BlobHash;
use crate::header::HeaderError;
use crate::identity::{IdentityError, Side};
use crate::limits::{MAX_PLAIN_BYTES, MAX_RECORD_BYTES};

/// Why a bundle could not be written. Whichever it is, there is no file under the final name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The medium failed, or is full.
    #[error("cannot write {path}: {source}")]
    Io {
        /// The bundle's final name.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The name is taken; bundles are never overwritten.
    #[error("{0} exists already; bundles are never overwritten")]
    Exists(PathBuf),
    /// What was read back from the medium is not what was written.
    #[error(
        "{0} does not read back as it was written: the medium is damaged, full, or smaller than it claims"
    )]
    ReadBack(PathBuf),
    /// The two sides exchange no bundles.
    #[error("no bundles go from a {from} node to a {to} node")]
    Sides {
        /// The sender's side.
        from: Side,
        /// The recipient's side.
        to: Side,
    },
    /// The recipient reads older formats only.
    #[error("the recipient reads formats up to {0}, and this node writes {format}: update the recipient", format = crate::FORMAT)]
    RecipientTooOld(u16),
    /// The sender's own keys cannot be used.
    #[error("the sender's identity cannot be used: {0}")]
    Identity(#[from] IdentityError),
    /// The header contradicts itself.
    #[error("the header contradicts itself: {0}")]
    Header(#[from] HeaderError),
    /// Header or trailer cannot be encoded.
    #[error("cannot encode the header: {0}")]
    Encode(#[from] CborError),
    /// age refused the recipient.
    #[error("cannot encrypt to the recipient's key")]
    Encrypt,
    /// The record is not one deterministic CBOR item.
    #[error("the record is not in the form that bundles hold: {0}")]
    Record(#[source] CborError),
    /// The record is too large.
    #[error("a record of {0} bytes is larger than {MAX_RECORD_BYTES}; larger things are blobs")]
    RecordTooLarge(u64),
    /// Records come before blobs.
    #[error("a record follows a blob; records come first")]
    RecordAfterBlob,
    /// Blobs come in ascending order of their hashes, each once.
    #[error("the blob {0} is out of order; blobs come in ascending order of their hashes, each once")]
    BlobOrder(BlobHash),
    /// Reading the blob failed.
    #[error("cannot read the blob {0}: {1}")]
    BlobRead(BlobHash, #[source] io::Error),
    /// The blob's bytes have another length or hash than its name says.
    #[error("the blob {0} is damaged: its bytes do not match its name or length")]
    BlobChanged(BlobHash),
    /// Other contents were written than the header declares.
    #[error("what was written is not what the header declares")]
    NotAsDeclared,
    /// More than one bundle holds.
    #[error("a bundle holds at most {MAX_PLAIN_BYTES} bytes: export in several")]
    TooLarge,
    /// An earlier step failed.
    #[error("an earlier step failed, so this bundle cannot be continued")]
    Abandoned,
}

impl WriteError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
