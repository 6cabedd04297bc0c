//! From a verified file to its contents, in one streaming pass.

mod error;
mod items;
mod plain;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use crate::age_header::{self, ScanError};
use crate::digest::{BlobHash, BundleHash};
use crate::frames;
use crate::header::{Direction, Header};
use crate::identity::{NodeIdentity, PublicIdentity};
use crate::limits::{Limits, MAX_PLAIN_BYTES};
use crate::preamble::PREAMBLE_BYTES;
use crate::receive::Verified;

pub use error::{Refusal, UnpackError};
pub(crate) use plain::parse_first_item;

/// Takes what is in a bundle, in the order in which it stands there.
///
/// What a sink gets is authentic byte for byte, but the end of the stream is still out: a sink **stages**. Nothing that
/// it staged may be used before [`Verified::unpack`] has returned [`Unpacked`], and all of it must go when that
/// fails. An error from a sink ends the pass at once.
pub trait Sink {
    /// The header, before anything else. Signer, recipient and direction are checked already; epochs, sequence and
    /// base are the sink's to check.
    ///
    /// # Errors
    /// To refuse the bundle.
    fn header(&mut self, header: &Header) -> Result<(), Refusal>;

    /// A record's payload: one CBOR item in deterministic form.
    ///
    /// # Errors
    /// To refuse the bundle.
    fn record(&mut self, payload: &[u8]) -> Result<(), Refusal>;

    /// A blob begins. Blobs come after all records, in ascending order of their hashes.
    ///
    /// # Errors
    /// To refuse the bundle.
    fn blob_start(&mut self, hash: &BlobHash, length: u64) -> Result<(), Refusal>;

    /// The blob's next bytes, at most 1 MiB. Where they are cut means nothing.
    ///
    /// # Errors
    /// To refuse the bundle.
    fn blob_bytes(&mut self, bytes: &[u8]) -> Result<(), Refusal>;

    /// The blob is complete, and its bytes have the hash that names it.
    ///
    /// # Errors
    /// To refuse the bundle.
    fn blob_end(&mut self, hash: &BlobHash) -> Result<(), Refusal>;
}

/// Proof that a bundle was read to its end and everything in it holds: signature, encryption, encoding, counts and
/// hashes. Only [`Verified::unpack`] makes it, so asking for it is how a caller makes sure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    header: Header,
    hash: BundleHash,
    signer: PublicIdentity,
    plain_bytes: u64,
}

impl Unpacked {
    /// The bundle's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What was signed. The same sequence number with another hash is a fork.
    pub fn hash(&self) -> BundleHash {
        self.hash
    }

    /// The paired node that made the bundle.
    pub fn signer(&self) -> &PublicIdentity {
        &self.signer
    }

    /// Size of the plain stream in bytes.
    pub fn plain_bytes(&self) -> u64 {
        self.plain_bytes
    }
}

impl Verified {
    /// Decrypts, decompresses and checks the whole bundle, handing its contents to `sink` as they come.
    ///
    /// Takes memory for a few frames per worker, whatever the bundle's size, and time linear in it.
    ///
    /// # Errors
    /// At the first thing that does not hold; see [`UnpackError`]. What `sink` staged must be dropped then.
    pub fn unpack(
        &self,
        node: &NodeIdentity,
        limits: &Limits,
        sink: &mut dyn Sink,
    ) -> Result<Unpacked, UnpackError> {
        let age = decrypt(self.file(), node)?;
        let max_content = limits.plain_bytes.min(MAX_PLAIN_BYTES);
        let (header, plain_bytes) = frames::expand(age, max_content, limits.workers, |frames| {
            let mut plain = plain::PlainStream::new(frames);
            items::read_all(&mut plain, limits, sink, |header| {
                check_parties(header, &self.signer, node)
            })
        })?;
        Ok(Unpacked {
            header,
            hash: self.hash(),
            signer: self.signer.clone(),
            plain_bytes,
        })
    }
}

/// The header must name the signer as sender and this node as recipient, going the way between their sides. Without
/// this, one paired node could pass on another's bundle as its own, or one meant for somebody else.
fn check_parties(header: &Header, signer: &PublicIdentity, node: &NodeIdentity) -> Result<(), UnpackError> {
    if header.sender.fingerprint != signer.fingerprint() || header.sender.node != signer.node() {
        return Err(UnpackError::SenderMismatch);
    }
    let own = node.fingerprint().map_err(|_| UnpackError::RecipientMismatch)?;
    if header.recipient.fingerprint != own || header.recipient.node != node.node() {
        return Err(UnpackError::RecipientMismatch);
    }
    if Direction::between(signer.side(), node.side()) != Some(header.direction) {
        return Err(UnpackError::DirectionMismatch);
    }
    Ok(())
}

/// Checks the age header's shape, and opens the stream behind it.
pub(crate) fn decrypt(
    file: &File,
    node: &NodeIdentity,
) -> Result<age::stream::StreamReader<impl BufRead + Send + use<>>, UnpackError> {
    let mut file = file.try_clone().map_err(UnpackError::Io)?;
    let start = SeekFrom::Start(PREAMBLE_BYTES as u64);
    file.seek(start).map_err(UnpackError::Io)?;
    age_header::scan(&mut BufReader::new(&file)).map_err(|e| match e {
        ScanError::Io(e) => UnpackError::Io(e),
        ScanError::Header(e) => UnpackError::AgeHeader(e),
    })?;
    file.seek(start).map_err(UnpackError::Io)?;
    let age = age::Decryptor::new_buffered(BufReader::with_capacity(256 * 1024, file)).map_err(age_error)?;
    age.decrypt(std::iter::once(node.reading_key() as &dyn age::Identity))
        .map_err(age_error)
}

fn age_error(error: age::DecryptError) -> UnpackError {
    match error {
        age::DecryptError::NoMatchingKeys => UnpackError::WrongRecipient,
        age::DecryptError::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => UnpackError::Truncated,
        age::DecryptError::Io(e) => UnpackError::Io(e),
        _ => UnpackError::Decrypt,
    }
}

/// Reads at most this much of a file when only its header is wanted.
pub(crate) const HEADER_READ_BYTES: u64 = 2 << 20;

/// The header alone, from the first frame. Nothing vouches for it unless the signature was checked.
pub(crate) fn read_header(file: &File, node: &NodeIdentity) -> Result<Header, UnpackError> {
    let age = decrypt(file, node)?;
    let first = frames::first_frame(age.take(HEADER_READ_BYTES / 2 + 4096))?;
    parse_first_item(&first)
}
