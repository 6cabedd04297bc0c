//! Writing a bundle onto a medium.

mod error;
mod sink;

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::cbor::{check_item, to_deterministic_vec};
use crate::digest::{BlobHash, BundleHash};
use crate::frames::Compressor;
use crate::header::{Contents, Direction, Header, Outgoing, Party, Trailer, encode_header};
use crate::identity::{NodeIdentity, PublicIdentity};
use crate::item;
use crate::limits::{MAX_PLAIN_BYTES, MAX_RECORD_BYTES};
use crate::medium::{self, NewFile};
use crate::preamble::{Preamble, SIGNATURE_AT};
use crate::signing;

pub use error::WriteError;
use sink::HashingFile;

/// Bytes read from a blob at a time.
const READ_BYTES: usize = 256 * 1024;

/// A bundle that is on its medium, synced, read back and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// The file's size in bytes.
    pub size: u64,
    /// What was signed.
    pub hash: BundleHash,
    /// The header that was written.
    pub header: Header,
}

/// Writes one bundle: records first, then blobs in ascending order of their hashes, then [`finish`](Self::finish).
///
/// The file stands under a temporary name (`.poundlock-<random>.part`, in the same folder) until `finish` has verified it;
/// dropping the writer removes it. A crash or a yanked drive leaves at most that temporary file, which no
/// reader takes for a bundle and which the next writer to the same folder removes.
///
/// Compression runs on `workers` threads, encryption, hashing and writing on one more. The plain stream and the
/// compressed one are pure functions of what is written, whatever the number of workers.
#[must_use = "a bundle exists only once finish() has returned"]
pub struct BundleWriter<'a> {
    from: &'a NodeIdentity,
    header: Header,
    temporary: NewFile,
    target: PathBuf,
    compressor: Compressor<age::stream::StreamWriter<HashingFile>>,
    plain: blake3::Hasher,
    plain_bytes: u64,
    written: Contents,
    last_blob: Option<BlobHash>,
    /// Set while something is written, so that an error in the middle cannot be followed by more.
    broken: bool,
}

impl<'a> BundleWriter<'a> {
    /// Starts a bundle at `target`, which must not exist.
    ///
    /// # Errors
    /// When sender and recipient cannot exchange bundles, `outgoing` contradicts itself, or the file cannot be made.
    pub fn create(
        target: &Path,
        from: &'a NodeIdentity,
        to: &PublicIdentity,
        outgoing: &Outgoing,
        workers: NonZeroUsize,
    ) -> Result<Self, WriteError> {
        let header = make_header(from, to, outgoing)?;
        let first = encode_header(&header)?;
        let io = WriteError::io(target);
        let begun = medium::must_be_new(target).and_then(|()| NewFile::begin(medium::folder_of(target)));
        let temporary = begun.map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => WriteError::Exists(target.to_owned()),
            _ => io(e),
        })?;
        let io = WriteError::io(target);
        let sink = temporary
            .file()
            .try_clone()
            .and_then(HashingFile::start)
            .map_err(io)?;
        let recipient: &dyn age::Recipient = to.age_recipient();
        let age =
            age::Encryptor::with_recipients(std::iter::once(recipient)).map_err(|_| WriteError::Encrypt)?;
        let age = age.wrap_output(sink).map_err(WriteError::io(target))?;
        let compressor = Compressor::new(age, workers).map_err(WriteError::io(target))?;
        let mut writer = Self {
            from,
            header,
            temporary,
            target: target.to_owned(),
            compressor,
            plain: blake3::Hasher::new(),
            plain_bytes: 0,
            written: Contents::default(),
            last_blob: None,
            broken: false,
        };
        writer.put(&[item::PAIR, item::HEADER])?;
        writer.put(&first)?;
        Ok(writer)
    }

    /// The header that stands at the start of this bundle.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Writes a record: one CBOR item in deterministic form, of at most [`MAX_RECORD_BYTES`].
    ///
    /// # Errors
    /// When the payload is not such an item, a blob was written before, more is written than `outgoing` declared, or
    /// the medium fails. After an error the bundle cannot be finished.
    pub fn record(&mut self, payload: &[u8]) -> Result<(), WriteError> {
        self.begin()?;
        if self.last_blob.is_some() {
            return Err(WriteError::RecordAfterBlob);
        }
        if payload.len() as u64 > MAX_RECORD_BYTES {
            return Err(WriteError::RecordTooLarge(payload.len() as u64));
        }
        if check_item(payload).map_err(WriteError::Record)? != payload.len() {
            return Err(WriteError::Record(crate::cbor::CborError::TrailingBytes));
        }
        self.written.add_record(payload.len() as u64);
        self.check_declared()?;
        self.put(&[item::PAIR, item::RECORD])?;
        self.put(payload)?;
        self.broken = false;
        Ok(())
    }

    /// Writes a blob of exactly `length` bytes from `source`, which must hash to `hash`.
    ///
    /// # Errors
    /// When blobs are not in ascending order, `source` holds something else, more is written than `outgoing`
    /// declared, or the medium fails. After an error the bundle cannot be finished.
    pub fn blob(&mut self, hash: &BlobHash, length: u64, source: &mut dyn Read) -> Result<(), WriteError> {
        self.begin()?;
        if self.last_blob.is_some_and(|last| last >= *hash) {
            return Err(WriteError::BlobOrder(*hash));
        }
        self.last_blob = Some(*hash);
        self.written.add_blob(length);
        self.check_declared()?;
        self.put(&item::blob_start(hash, length))?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; READ_BYTES];
        let mut left = length;
        while left > 0 {
            let chunk = item::chunk_length(left);
            self.put(&item::chunk_start(chunk))?;
            let mut missing = chunk;
            while missing > 0 {
                let want = missing.min(buffer.len());
                let got =
                    read_some(source, &mut buffer[..want]).map_err(|e| WriteError::BlobRead(*hash, e))?;
                if got == 0 {
                    return Err(WriteError::BlobChanged(*hash));
                }
                hasher.update(&buffer[..got]);
                self.put_unhashed(&buffer[..got])?;
                missing -= got;
            }
            left -= chunk as u64;
        }
        let more = read_some(source, &mut buffer[..1]).map_err(|e| WriteError::BlobRead(*hash, e))?;
        if more != 0 || BlobHash::from_bytes(*hasher.finalize().as_bytes()) != *hash {
            return Err(WriteError::BlobChanged(*hash));
        }
        self.broken = false;
        Ok(())
    }

    /// Ends the bundle: trailer, padding, signature, sync, read-back past the page cache, verification, and only then
    /// the final name.
    ///
    /// # Errors
    /// When less was written than declared, the medium fails, or what it gives back is not what was written. There
    /// is no file under the final name then.
    pub fn finish(mut self) -> Result<Written, WriteError> {
        self.begin()?;
        let declared = self.header.outgoing.contents;
        if self.written != declared {
            return Err(WriteError::NotAsDeclared);
        }
        let trailer = Trailer {
            contents: declared,
            hash: *self.plain.finalize().as_bytes(),
        };
        let trailer = to_deterministic_vec(&trailer)?;
        self.put(&[item::PAIR, item::TRAILER])?;
        self.put(&trailer)?;

        let Self {
            from,
            header,
            temporary,
            target,
            compressor,
            ..
        } = self;
        let io = WriteError::io(&target);
        let sealed = compressor
            .finish()
            .and_then(age::stream::StreamWriter::finish)
            .and_then(HashingFile::end);
        let (mut file, hash, size) = sealed.map_err(io)?;
        let signature = signing::sign(from.signing_key(), signing::BUNDLE, hash.as_bytes());
        file.seek(SeekFrom::Start(SIGNATURE_AT as u64))
            .and_then(|_| file.write_all(&signature))
            .and_then(|()| file.sync_all())
            .map_err(WriteError::io(&target))?;
        drop(file);
        let key = from.signing_key().verifying_key();
        let intact = sink::read_back(&temporary, &hash, size, |signature| {
            signing::verify(&key, signing::BUNDLE, hash.as_bytes(), signature)
        });
        if !intact.map_err(WriteError::io(&target))? {
            return Err(WriteError::ReadBack(target));
        }
        temporary.publish(&target).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => WriteError::Exists(target.clone()),
            _ => WriteError::Io {
                path: target.clone(),
                source: e,
            },
        })?;
        Ok(Written {
            path: target,
            size,
            hash,
            header,
        })
    }

    /// Refuses to go on after an error, and marks the bundle until the step is through.
    fn begin(&mut self) -> Result<(), WriteError> {
        if std::mem::replace(&mut self.broken, true) {
            Err(WriteError::Abandoned)
        } else {
            Ok(())
        }
    }

    fn check_declared(&self) -> Result<(), WriteError> {
        if self.written.within(&self.header.outgoing.contents) {
            Ok(())
        } else {
            Err(WriteError::NotAsDeclared)
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.plain.update(bytes);
        self.put_unhashed(bytes)
    }

    /// For what is inside of chunks: their blob's hash covers it.
    fn put_unhashed(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.plain_bytes += bytes.len() as u64;
        if self.plain_bytes > MAX_PLAIN_BYTES {
            return Err(WriteError::TooLarge);
        }
        self.compressor.write(bytes).map_err(WriteError::io(&self.target))
    }
}

impl std::fmt::Debug for BundleWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BundleWriter")
            .field("target", &self.target)
            .field("header", &self.header)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

fn make_header(from: &NodeIdentity, to: &PublicIdentity, outgoing: &Outgoing) -> Result<Header, WriteError> {
    let direction = Direction::between(from.side(), to.side()).ok_or(WriteError::Sides {
        from: from.side(),
        to: to.side(),
    })?;
    if to.reads_format() < u16::from(crate::FORMAT) {
        return Err(WriteError::RecipientTooOld(to.reads_format()));
    }
    let header = Header {
        format: u16::from(crate::FORMAT),
        sender: Party {
            node: from.node(),
            fingerprint: from.fingerprint()?,
        },
        recipient: Party {
            node: to.node(),
            fingerprint: to.fingerprint(),
        },
        direction,
        reads_format: u16::from(crate::FORMAT),
        outgoing: outgoing.clone(),
    };
    header.check()?;
    Ok(header)
}

fn read_some(source: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// The start of every bundle, with room for the signature.
pub(crate) fn blank_preamble() -> [u8; crate::preamble::PREAMBLE_BYTES] {
    let mut preamble = [0; crate::preamble::PREAMBLE_BYTES];
    preamble[..SIGNATURE_AT].copy_from_slice(&Preamble::signed_part());
    preamble
}
