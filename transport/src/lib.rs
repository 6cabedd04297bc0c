//! The bundle file: signed, encrypted, compressed, and checked before a byte of it is believed.
//!
//! This crate knows bytes, keys and limits. It knows no requests, users or store: a record is one opaque CBOR item, a
//! blob is bytes with a hash. `FORMAT.md` beside it describes the file to the byte.
//!
//! All code here is synchronous and may take as long as a medium takes: run it on a thread that may block.
//!
//! # Pairing
//! Each node has a [`NodeIdentity`] and gives its peer a [`PublicIdentity`]; people compare
//! [`Fingerprint::of_pair`]. [`RotationStatement`] moves a node to new keys.
//!
//! # Writing
//! [`BundleWriter::create`], then [`record`](BundleWriter::record), then [`blob`](BundleWriter::blob), then
//! [`finish`](BundleWriter::finish). Until that has verified what is on the medium there is no file under the final
//! name.
//!
//! # Reading
//! The steps are types, so that none can be left out: [`receive()`] copies the file off its medium and hashes it;
//! [`Received::verify`] checks the signature, before anything is parsed or decrypted; [`Verified::unpack`] hands
//! everything to a [`Sink`] that stages it, and gives [`Unpacked`], the proof that the whole bundle holds. [`Limits`]
//! are the receiver's.
//!
//! [`volumes`] splits a bundle for media that it does not fit on, and puts it together again. [`medium`] has what any other file on
//! its way to a medium needs.
//!
//! [`inspect`](inspect()), [`check_signature`] and [`inspect_header`] look at a bundle where it lies.

mod age_header;
pub mod cbor;
#[cfg(feature = "craft")]
pub mod craft;
mod digest;
mod frames;
mod header;
pub mod identity;
mod inspect;
mod item;
mod limits;
pub mod medium;
mod preamble;
mod receive;
mod signing;
mod unpack;
pub mod volumes;
mod write;

pub use age_header::AgeHeaderError;
pub use digest::{BlobHash, BundleHash, ChainHead, Fingerprint, NotAHash};
pub use frames::FrameError;
pub use header::{Acknowledgement, AuditHeads, Contents, Direction, Header, HeaderError, Outgoing, Party};
pub use identity::{IdentityError, NodeIdentity, PublicIdentity, RotationStatement, Side};
pub use inspect::{InspectError, Inspection, Signed, check_signature, inspect, inspect_header};
pub use limits::{CHUNK_BYTES, Limits, MAX_PLAIN_BYTES, MAX_RECORD_BYTES, default_workers};
pub use preamble::PreambleError;
pub use receive::{ReceiveError, Received, Verified, VerifyError, receive};
pub use unpack::{Refusal, Sink, UnpackError, Unpacked};
pub use write::{BundleWriter, WriteError, Written};

/// The bundle format that this version reads and writes.
pub const FORMAT: u8 = 1;
