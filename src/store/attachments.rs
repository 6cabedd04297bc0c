//! Private bytes: the data behind assets, and results, logs and failure reports before their release.
//!
//! They exist only where private data may be, in a folder of their own that a low node does not have. An attachment
//! is named by the object that it belongs to and its role, never by its content, and nothing here turns one into a
//! blob: `release` in the triage code does, through [`Attachments::open_for_release`], after it has checked who
//! asks and written the audit entry. Neither `Debug` nor an error shows a size, a hash or a byte of the content.

use std::fmt::{self, Debug};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;
use uuid::Uuid;

use super::check::measured;
use super::whole_file::{Complete, OpenFolderError, Unfinished, WholeFiles};
use crate::domain::hash::Hash;
use crate::domain::release::Part;

/// What the bytes are to their object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The private half of an asset.
    Data,
    /// What a job returned, encoded again by the node.
    Result,
    /// What a job printed.
    Log,
    /// Why a job failed.
    Failure,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Data, Self::Result, Self::Log, Self::Failure];

    /// The role of a part of a run.
    #[must_use]
    pub const fn of(part: Part) -> Self {
        match part {
            Part::Result => Self::Result,
            Part::Log => Self::Log,
            Part::FailureReport => Self::Failure,
        }
    }

    /// The file's name within its object's folder.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Result => "result",
            Self::Log => "log",
            Self::Failure => "failure",
        }
    }
}

/// The folder of private bytes. Held against other processes until it is dropped; share it in an `Arc`.
pub struct Attachments {
    files: WholeFiles,
}

impl Debug for Attachments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachments").finish_non_exhaustive()
    }
}

/// Why private bytes cannot be stored or read.
#[derive(Debug, Error)]
pub enum AttachmentError {
    #[error("object {object} has no {} here", role.name())]
    Missing { object: Uuid, role: Role },
    #[error("the {} is longer than is allowed", role.name())]
    TooLong { role: Role },
    #[error("private bytes cannot be read or written")]
    Io(#[from] io::Error),
}

impl Attachments {
    /// Opens the folder, makes it (0700) if it is missing, and removes what a crash left unfinished. Call it only on
    /// a node that may hold private data.
    ///
    /// # Errors
    /// When another process has it open, or it cannot be used.
    pub fn open(folder: &Path) -> Result<Self, OpenFolderError> {
        Ok(Self {
            files: WholeFiles::open(folder)?,
        })
    }

    /// Stores all that `reader` yields, at most `limit` bytes, in place of what the object has in this role.
    ///
    /// # Errors
    /// [`AttachmentError::TooLong`] over the limit, or of the reader or the disk; then what was there stays.
    pub fn put(
        &self,
        object: Uuid,
        role: Role,
        mut reader: impl Read,
        limit: u64,
    ) -> Result<(), AttachmentError> {
        let mut writer = self.writer(object, role, limit)?;
        io::copy(&mut reader, &mut writer).map_err(|error| writer.explain(error))?;
        writer.finish()
    }

    /// Begins private bytes that are written piece by piece, at most `limit` of them.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn writer(
        &self,
        object: Uuid,
        role: Role,
        limit: u64,
    ) -> Result<AttachmentWriter<'_>, AttachmentError> {
        let unfinished = self.files.begin()?;
        Ok(AttachmentWriter {
            attachments: self,
            object,
            role,
            unfinished,
            hasher: blake3::Hasher::new(),
            left: limit,
            over: false,
        })
    }

    /// Gives staged bytes to their object, in place of what it has in their role. Once this returns they are on the disk.
    ///
    /// # Errors
    /// When the file cannot be moved; then what was there stays.
    pub fn publish(&self, staged: StagedAttachment) -> Result<(), AttachmentError> {
        let name = name(staged.object, staged.role);
        Ok(self.files.publish(staged.complete, &name)?)
    }

    /// Opens private bytes for use inside the node: for a run, or to show them to a data owner.
    ///
    /// # Errors
    /// [`AttachmentError::Missing`], or when the file cannot be opened.
    pub fn open_private(&self, object: Uuid, role: Role) -> Result<PrivateFile, AttachmentError> {
        let path = self.path(object, role);
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => AttachmentError::Missing { object, role },
            _ => error.into(),
        })?;
        Ok(PrivateFile { file, path })
    }

    /// Opens private bytes for the one function that makes open ones of them. Nothing else may call this.
    ///
    /// # Errors
    /// As [`Self::open_private`].
    pub fn open_for_release(&self, object: Uuid, role: Role) -> Result<File, AttachmentError> {
        Ok(self.open_private(object, role)?.file)
    }

    /// The length and hash of private bytes as they are on the disk: for finding damage. Must not reach a log or an answer.
    ///
    /// # Errors
    /// As [`Self::open_private`], and when the file cannot be read.
    pub fn measure(&self, object: Uuid, role: Role) -> Result<(u64, Hash), AttachmentError> {
        Ok(measured(self.open_private(object, role)?)?)
    }

    /// Whether the object has bytes in this role.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn contains(&self, object: Uuid, role: Role) -> Result<bool, AttachmentError> {
        Ok(self.path(object, role).try_exists()?)
    }

    /// Removes the object's bytes in this role; whether there were any.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn remove(&self, object: Uuid, role: Role) -> Result<bool, AttachmentError> {
        Ok(self.files.remove(&name(object, role))?)
    }

    fn path(&self, object: Uuid, role: Role) -> PathBuf {
        self.files.path(&name(object, role))
    }
}

/// Private bytes open for reading.
pub struct PrivateFile {
    file: File,
    path: PathBuf,
}

impl PrivateFile {
    /// Where the bytes are, for the sandbox to bind. Must not reach a log or an answer.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes there are: for data owners only.
    ///
    /// # Errors
    /// When the file cannot be looked at.
    pub fn private_len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

impl Read for PrivateFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl io::Seek for PrivateFile {
    fn seek(&mut self, position: io::SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

impl Debug for PrivateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateFile").finish_non_exhaustive()
    }
}

/// Private bytes on their way. Dropped unfinished, they leave nothing behind.
#[must_use = "nothing is stored before finish()"]
pub struct AttachmentWriter<'attachments> {
    attachments: &'attachments Attachments,
    object: Uuid,
    role: Role,
    unfinished: Unfinished,
    hasher: blake3::Hasher,
    left: u64,
    over: bool,
}

impl AttachmentWriter<'_> {
    /// Stores the bytes in place of what the object has in this role. Once this returns they are on the disk.
    ///
    /// # Errors
    /// When the disk fails; then what was there stays.
    pub fn finish(self) -> Result<(), AttachmentError> {
        let attachments = self.attachments;
        attachments.publish(self.stage()?)
    }

    /// Puts the bytes on the disk and leaves them staged: what the object has stays until [`Attachments::publish`].
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn stage(self) -> Result<StagedAttachment, AttachmentError> {
        if self.over {
            return Err(AttachmentError::TooLong { role: self.role });
        }
        Ok(StagedAttachment {
            object: self.object,
            role: self.role,
            hash: Hash(*self.hasher.finalize().as_bytes()),
            complete: self.unfinished.complete()?,
        })
    }

    fn explain(&self, error: io::Error) -> AttachmentError {
        if self.over {
            AttachmentError::TooLong { role: self.role }
        } else {
            error.into()
        }
    }
}

impl Write for AttachmentWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match u64::try_from(bytes.len()) {
            Ok(len) if len <= self.left && !self.over => {
                let written = self.unfinished.write(bytes)?;
                self.hasher.update(bytes.get(..written).unwrap_or_default());
                self.left -= u64::try_from(written).unwrap_or(len);
                Ok(written)
            }
            _ => {
                self.over = true;
                Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    "longer than is allowed",
                ))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unfinished.flush()
    }
}

impl Debug for AttachmentWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachmentWriter")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Private bytes that are on the disk, and that no object has yet. Dropped, they are gone.
#[must_use = "nothing is stored before Attachments::publish()"]
pub struct StagedAttachment {
    object: Uuid,
    role: Role,
    hash: Hash,
    complete: Complete,
}

impl StagedAttachment {
    /// The object that they will belong to, and what they will be to it.
    pub(super) fn place(&self) -> (Uuid, Role) {
        (self.object, self.role)
    }

    /// The hash of the bytes: for the record beside them. Must not reach a log or an answer.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Where the bytes are for now: for looking into them inside the node. Must not reach a log or an answer.
    pub fn path(&self) -> &Path {
        self.complete.path()
    }
}

impl Debug for StagedAttachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StagedAttachment")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// `ab/abcd…/role`. The last two digits choose the folder: the first ones of a UUIDv7 are the time.
fn name(object: Uuid, role: Role) -> PathBuf {
    let digits = object.simple().to_string();
    [&digits[digits.len() - 2..], &digits, role.name()]
        .iter()
        .collect()
}

#[cfg(test)]
mod tests;
