//! Why a bundle was not unpacked.

use std::io;

use crate::age_header::AgeHeaderError;
use crate::cbor::CborError;
use crate::digest::BlobHash;
use crate::frames::FrameError;
use crate::header::HeaderError;

/// A sink's reason to refuse; `downcast` it to get the original error back.
pub type Refusal = Box<dyn std::error::Error + Send + Sync>;

/// Why a bundle was not unpacked. Whichever it is, nothing of it may be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// Reading the quarantine failed.
    #[error("cannot read the bundle: {0}")]
    Io(#[source] io::Error),
    /// The age header is not a bundle's.
    #[error(transparent)]
    AgeHeader(#[from] AgeHeaderError),
    /// Encrypted to another key.
    #[error("the bundle is encrypted to another node's key, or to one that this node no longer has")]
    WrongRecipient,
    /// age's own checks fail.
    #[error("the encrypted part does not authenticate: it was made wrongly or damaged before it was signed")]
    Decrypt,
    /// The file ends too early.
    #[error("the bundle is cut short")]
    Truncated,
    /// The compressed stream is not a bundle's.
    #[error(transparent)]
    Frames(FrameError),
    /// The header is not one that this version reads.
    #[error("the header cannot be read: {0}. If the sender is newer, update this node")]
    Header(#[source] CborError),
    /// The header contradicts itself.
    #[error(transparent)]
    HeaderRule(#[from] HeaderError),
    /// The header names another sender than the signer.
    #[error("the header names another sender than the node that signed the bundle")]
    SenderMismatch,
    /// The header names another recipient than this node.
    #[error("the header names another recipient than this node")]
    RecipientMismatch,
    /// The header's direction is not the one between signer and this node.
    #[error("the bundle goes the wrong way between these two sides")]
    DirectionMismatch,
    /// The header declares more than this node takes.
    #[error("the bundle declares {declared} {what}, and this node takes at most {limit}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// As declared.
        declared: u64,
        /// The receiver's limit.
        limit: u64,
    },
    /// More stands in the bundle than its header declares.
    #[error("the bundle holds more than its header declares")]
    MoreThanDeclared,
    /// Less stands in the bundle than its header declares, or the trailer says otherwise.
    #[error("header, trailer and contents disagree on how much the bundle holds")]
    Counts,
    /// The trailer's hash is not that of the stream.
    #[error("the trailer's hash is not the contents'")]
    TrailerHash,
    /// The trailer is not one that this version reads.
    #[error("the trailer cannot be read: {0}")]
    Trailer(#[source] CborError),
    /// An item of a kind that this version does not know.
    #[error("the bundle holds an item of unknown kind {0}: update this node")]
    UnknownItem(u64),
    /// An item that is not in the one form, outside of records.
    #[error("an item of the bundle is malformed: {0}")]
    Item(#[source] CborError),
    /// An item where it may not stand.
    #[error("{0}")]
    Order(&'static str),
    /// A record that is not one deterministic CBOR item.
    #[error("a record is malformed: {0}")]
    Record(#[source] CborError),
    /// An item larger than allowed.
    #[error("an item is larger than {0} bytes")]
    ItemTooLarge(u64),
    /// A blob's bytes do not have its hash.
    #[error("the bytes of blob {0} do not match its name")]
    BlobHash(BlobHash),
    /// A blob's chunk has another size than its place calls for.
    #[error("a chunk of blob {0} has the wrong size")]
    ChunkSize(BlobHash),
    /// Something follows the trailer.
    #[error("something follows the trailer")]
    TrailingData,
    /// The sink refused.
    #[error("{0}")]
    Refused(#[source] Refusal),
}

impl From<FrameError> for UnpackError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Truncated => Self::Truncated,
            // age reports a chunk that does not authenticate as invalid data.
            FrameError::Read(e) if e.kind() == io::ErrorKind::InvalidData => Self::Decrypt,
            FrameError::Read(e) => Self::Io(e),
            other => Self::Frames(other),
        }
    }
}
