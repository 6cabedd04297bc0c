//! A new file that knows its hash and its limit.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::FormatError;
use crate::domain::hash::Hash;
use crate::domain::release::OutputFormat;
use crate::runtime::job::ResultFile;

/// A file being written. Dropped before [`Sink::finish`], it is removed.
pub(super) struct Sink {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    hasher: blake3::Hasher,
    length: u64,
    max: u64,
    full: bool,
}

impl Sink {
    pub(super) fn create(path: &Path, max: u64) -> Result<Self, FormatError> {
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(FormatError::io(format!("creating {}", path.display())))?;
        let file = Some(BufWriter::with_capacity(256 << 10, file));
        Ok(Self {
            path: path.to_path_buf(),
            file,
            hasher: blake3::Hasher::new(),
            length: 0,
            max,
            full: false,
        })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        self.write_all(bytes).map_err(|error| self.failed(error))
    }

    /// Says what a failed write means: whoever writes through [`Write`] cannot see it.
    pub(super) fn failed(&self, error: io::Error) -> FormatError {
        if self.full {
            return FormatError::TooLong(self.max);
        }
        FormatError::Io {
            what: format!("writing {}", self.path.display()),
            source: error,
        }
    }

    /// Whether somebody tried to write more than may be written.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// The most bytes that may be written.
    pub(super) fn max(&self) -> u64 {
        self.max
    }

    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    pub(super) fn finish(mut self, format: OutputFormat) -> Result<ResultFile, FormatError> {
        let written = self.flush().and_then(|()| match &self.file {
            Some(file) => file.get_ref().sync_all(),
            None => Ok(()),
        });
        written.map_err(|error| self.failed(error))?;
        self.file = None;
        let path = std::mem::take(&mut self.path);
        Ok(ResultFile {
            path,
            format,
            length: self.length,
            hash: Hash(*self.hasher.finalize().as_bytes()),
        })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = self.length.saturating_add(bytes.len() as u64);
        if length > self.max {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let file = self.file.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.length = length;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // What could not be completed is of no use; if it cannot be removed either, its folder goes with the job.
            let _ = fs::remove_file(&self.path);
        }
    }
}
