//! Open bytes that may travel: mocks, models, released results. Files named by their BLAKE3 hash.
//!
//! Nothing private may be put here: the hash of a small private file already gives it away, and a bundle can carry
//! every blob. Private bytes are [`attachments`](super::attachments), a type of their own.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use super::whole_file::{Complete, OpenFolderError, Unfinished, WholeFiles};
use crate::domain::hash::Hash;

const COPY_BYTES: usize = 256 * 1024;

/// A stored blob: its name and its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blob {
    pub hash: Hash,
    pub len: u64,
}

/// The folder of blobs. Held against other processes until it is dropped; share it in an `Arc`.
#[derive(Debug)]
pub struct Blobs {
    files: WholeFiles,
    /// Blobs that are new and go again unless a commit names them, each with whom it is placed for. Whoever publishes the same
    /// bytes meanwhile takes it out: then it stays.
    tentative: Mutex<HashMap<Hash, Ticket>>,
}

/// Tells those apart that place blobs tentatively.
pub(super) type Ticket = uuid::Uuid;

/// Why a blob cannot be stored or read.
#[derive(Debug, Error)]
pub enum BlobError {
    #[error("blob {0} is not here")]
    Missing(Hash),
    #[error("blob {hash} is damaged: its content has the hash {found}; restore it from a backup or the peer")]
    Damaged { hash: Hash, found: Hash },
    #[error("the content has the hash {found}, not {expected}")]
    Unexpected { expected: Hash, found: Hash },
    #[error("the content is longer than the {limit} bytes that are allowed")]
    TooLong { limit: u64 },
    #[error("a blob cannot be read or written")]
    Io(#[from] io::Error),
}

impl Blobs {
    /// Opens the folder, makes it (0700) if it is missing, and removes what a crash left unfinished.
    ///
    /// # Errors
    /// When another process has it open, or it cannot be used.
    pub fn open(folder: &Path) -> Result<Self, OpenFolderError> {
        Ok(Self {
            files: WholeFiles::open(folder)?,
            tentative: Mutex::default(),
        })
    }

    fn tentative(&self) -> MutexGuard<'_, HashMap<Hash, Ticket>> {
        self.tentative.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores all that `reader` yields, at most `limit` bytes. Storing what is here already replaces it by the same
    /// bytes, and so mends a damaged file.
    ///
    /// # Errors
    /// [`BlobError::TooLong`] over the limit, [`BlobError::Io`] of the reader or the disk; then nothing is stored.
    pub fn put(&self, mut reader: impl Read, limit: u64) -> Result<Blob, BlobError> {
        let mut writer = self.writer(limit)?;
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return writer.finish(None),
                Ok(count) => writer.push(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Begins a blob whose bytes, at most `limit`, are pushed piece by piece.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn writer(&self, limit: u64) -> Result<BlobWriter<'_>, BlobError> {
        let unfinished = self.files.begin()?;
        Ok(BlobWriter {
            blobs: self,
            unfinished,
            hasher: blake3::Hasher::new(),
            len: 0,
            limit,
        })
    }

    /// Takes a staged blob into the store. Once this returns it is on the disk under its name.
    ///
    /// # Errors
    /// When the file cannot be moved.
    pub fn publish(&self, staged: StagedBlob) -> Result<Blob, BlobError> {
        let mut tentative = self.tentative();
        tentative.remove(&staged.blob.hash);
        self.files.publish(staged.complete, &name(&staged.blob.hash))?;
        Ok(staged.blob)
    }

    /// As [`Self::publish`]; but if the blob was not here before, [`Self::take_back`] removes it again.
    pub(super) fn publish_tentatively(&self, staged: StagedBlob, ticket: Ticket) -> Result<(), BlobError> {
        let hash = staged.blob.hash;
        // Held until the file has its name: whoever comes second must see that it is here.
        let mut tentative = self.tentative();
        if self.contains(&hash)? {
            if tentative.get(&hash) != Some(&ticket) {
                tentative.remove(&hash);
            }
        } else {
            tentative.insert(hash, ticket);
        }
        Ok(self.files.publish(staged.complete, &name(&hash))?)
    }

    /// Leaves what was published tentatively where it is.
    pub(super) fn keep(&self, ticket: Ticket) {
        self.tentative().retain(|_, of| *of != ticket);
    }

    /// Removes what was published tentatively and by nobody else since.
    pub(super) fn take_back(&self, ticket: Ticket) -> Result<(), BlobError> {
        let mut tentative = self.tentative();
        let hashes: Vec<_> = tentative
            .iter()
            .filter(|(_, of)| **of == ticket)
            .map(|(hash, _)| *hash)
            .collect();
        for hash in hashes {
            tentative.remove(&hash);
            self.remove(&hash)?;
        }
        Ok(())
    }

    /// Removes a blob that nothing names.
    pub(super) fn remove(&self, hash: &Hash) -> Result<bool, BlobError> {
        Ok(self.files.remove(&name(hash))?)
    }

    /// Opens a blob for reading. The content is not checked: see [`Self::verify`].
    ///
    /// # Errors
    /// [`BlobError::Missing`], or when the file cannot be opened.
    pub fn open_blob(&self, hash: &Hash) -> Result<File, BlobError> {
        File::open(self.path(hash)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => BlobError::Missing(*hash),
            _ => error.into(),
        })
    }

    /// The blob's length, if it is here.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn find(&self, hash: &Hash) -> Result<Option<Blob>, BlobError> {
        match std::fs::metadata(self.path(hash)) {
            Ok(metadata) => Ok(Some(Blob {
                hash: *hash,
                len: metadata.len(),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the blob is here.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn contains(&self, hash: &Hash) -> Result<bool, BlobError> {
        Ok(self.find(hash)?.is_some())
    }

    /// Reads the whole blob and compares its hash with its name.
    ///
    /// # Errors
    /// [`BlobError::Damaged`] if they differ, [`BlobError::Missing`] if it is not here.
    pub fn verify(&self, hash: &Hash) -> Result<Blob, BlobError> {
        let mut file = self.open_blob(hash)?;
        let mut hasher = blake3::Hasher::new();
        let len = io::copy(&mut file, &mut hasher)?;
        let found = Hash(*hasher.finalize().as_bytes());
        if found == *hash {
            Ok(Blob { hash: found, len })
        } else {
            Err(BlobError::Damaged { hash: *hash, found })
        }
    }

    /// Hands the hash of every stored blob to `each`, in no order.
    ///
    /// # Errors
    /// Those of `each`, and when the folder cannot be read.
    pub fn for_each<E: From<BlobError>>(&self, mut each: impl FnMut(Hash) -> Result<(), E>) -> Result<(), E> {
        for outer in folders(&self.files.path(Path::new("")))? {
            for inner in folders(&outer)? {
                for entry in std::fs::read_dir(inner).map_err(BlobError::from)? {
                    let name = entry.map_err(BlobError::from)?.file_name();
                    if let Some(hash) = name.to_str().and_then(|name| name.parse().ok()) {
                        each(hash)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Where the blob is, or would be: for the sandbox to bind.
    #[must_use]
    pub fn path(&self, hash: &Hash) -> PathBuf {
        self.files.path(&name(hash))
    }
}

/// A blob on its way. Dropped unfinished, it leaves nothing behind.
#[must_use = "nothing is stored before finish()"]
#[derive(Debug)]
pub struct BlobWriter<'blobs> {
    blobs: &'blobs Blobs,
    unfinished: Unfinished,
    hasher: blake3::Hasher,
    len: u64,
    limit: u64,
}

impl BlobWriter<'_> {
    /// Appends bytes.
    ///
    /// # Errors
    /// [`BlobError::TooLong`] over the limit, [`BlobError::Io`] of the disk.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let len = u64::try_from(bytes.len())
            .ok()
            .and_then(|more| self.len.checked_add(more));
        self.len = len
            .filter(|len| *len <= self.limit)
            .ok_or(BlobError::TooLong { limit: self.limit })?;
        self.hasher.update(bytes);
        self.unfinished.write_all(bytes)?;
        Ok(())
    }

    /// Stores the blob under its hash. Once this returns it is on the disk.
    ///
    /// # Errors
    /// [`BlobError::Unexpected`] if the hash is not the expected one; then nothing is stored.
    pub fn finish(self, expected: Option<&Hash>) -> Result<Blob, BlobError> {
        let blobs = self.blobs;
        blobs.publish(self.stage(expected)?)
    }

    /// Puts the bytes on the disk and leaves the blob staged: nobody can open it until [`Blobs::publish`].
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn stage(self, expected: Option<&Hash>) -> Result<StagedBlob, BlobError> {
        let found = Hash(*self.hasher.finalize().as_bytes());
        if let Some(expected) = expected.filter(|expected| **expected != found) {
            return Err(BlobError::Unexpected {
                expected: *expected,
                found,
            });
        }
        let blob = Blob {
            hash: found,
            len: self.len,
        };
        let complete = self.unfinished.complete()?;
        Ok(StagedBlob { blob, complete })
    }
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes).map_err(|error| match error {
            BlobError::Io(error) => error,
            other => io::Error::new(io::ErrorKind::FileTooLarge, other),
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unfinished.flush()
    }
}

/// A blob whose bytes are on the disk, and that is not in the store yet. Dropped, it leaves nothing behind.
#[must_use = "the blob is not stored before Blobs::publish()"]
#[derive(Debug)]
pub struct StagedBlob {
    blob: Blob,
    complete: Complete,
}

impl StagedBlob {
    /// Its hash and length.
    pub fn blob(&self) -> Blob {
        self.blob
    }

    /// Where its bytes are for now: for looking into them before they are taken in.
    pub fn path(&self) -> &Path {
        self.complete.path()
    }
}

/// `ab/cd/abcd…`: no folder grows beyond what file systems and people can list.
fn name(hash: &Hash) -> PathBuf {
    let digits = hash.to_string();
    [&digits[..2], &digits[2..4], &digits].iter().collect()
}

/// The folders of two digits inside a folder: not `incoming`, not the lock.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, BlobError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().len() == 2 && entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
