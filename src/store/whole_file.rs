//! Files that are there whole or not at all.
//!
//! Bytes go to a file in an `incoming` folder. Only when all are written, and on the disk, does the file get its
//! name, by a rename within the file system; then every folder on the way is synced. A crash before the rename
//! leaves a file in `incoming`, which the next opening removes; after it, the file is there whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;
use uuid::Uuid;

use super::folder_lock::FolderLock;
use crate::failpoint::failpoint;

const INCOMING: &str = "incoming";

/// Why a folder of whole files cannot be opened.
#[derive(Debug, Error)]
pub enum OpenFolderError {
    #[error("another poundlock is using the folder {}; stop it first", .0.display())]
    InUse(PathBuf),
    #[error("the folder {} cannot be used", folder.display())]
    Io { folder: PathBuf, source: io::Error },
}

/// A folder of whole files, held against other processes until it is dropped: nobody else may sweep its `incoming`.
#[derive(Debug)]
pub(super) struct WholeFiles {
    root: PathBuf,
    incoming: PathBuf,
    _lock: FolderLock,
}

impl WholeFiles {
    /// Opens the folder, makes it (0700) if it is missing, and removes what a crash left unfinished.
    pub(super) fn open(root: &Path) -> Result<Self, OpenFolderError> {
        let failed = |source| OpenFolderError::Io {
            folder: root.to_path_buf(),
            source,
        };
        let incoming = root.join(INCOMING);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&incoming)
            .map_err(failed)?;
        let lock = FolderLock::take(root).map_err(failed)?;
        let lock = lock.ok_or_else(|| OpenFolderError::InUse(root.to_path_buf()))?;
        sweep(&incoming).map_err(failed)?;
        sync_folder(root).map_err(failed)?;
        if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_folder(parent).map_err(failed)?;
        }
        Ok(Self {
            root: root.to_path_buf(),
            incoming,
            _lock: lock,
        })
    }

    /// Begins a file. It vanishes if it is dropped unfinished.
    pub(super) fn begin(&self) -> io::Result<Unfinished> {
        let path = self.incoming.join(Uuid::new_v4().simple().to_string());
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        failpoint!("file.begun");
        Ok(Unfinished {
            file,
            path: Some(path),
        })
    }

    /// Where the file with this relative name is, or would be.
    pub(super) fn path(&self, name: &Path) -> PathBuf {
        self.root.join(name)
    }

    /// Gives a complete file its name, in place of any that has it. Once this returns, the name is on the disk too.
    pub(super) fn publish(&self, mut complete: Complete, name: &Path) -> io::Result<()> {
        let target = self.root.join(name);
        let folder = target.parent().unwrap_or(&self.root);
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        if let Some(path) = complete.path.take()
            && let Err(error) = fs::rename(&path, &target)
        {
            complete.path = Some(path);
            return Err(error);
        }
        failpoint!("file.named");
        self.sync_up(folder)
    }

    /// Removes the file with this relative name; whether there was one. Once this returns, it is gone from the disk.
    pub(super) fn remove(&self, name: &Path) -> io::Result<bool> {
        let target = self.root.join(name);
        match fs::remove_file(&target) {
            Ok(()) => {
                self.sync_up(target.parent().unwrap_or(&self.root))?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Syncs a folder and those above it up to the root. All of them each time: one that an earlier process made
    /// and did not live to sync looks like any other.
    fn sync_up(&self, folder: &Path) -> io::Result<()> {
        for folder in folder
            .ancestors()
            .take_while(|folder| folder.starts_with(&self.root))
        {
            sync_folder(folder)?;
        }
        Ok(())
    }
}

/// A file on its way.
#[derive(Debug)]
pub(super) struct Unfinished {
    file: File,
    path: Option<PathBuf>,
}

impl Unfinished {
    /// Puts all bytes on the disk and closes the file, which has no name yet.
    pub(super) fn complete(mut self) -> io::Result<Complete> {
        self.file.flush()?;
        self.file.sync_all()?;
        failpoint!("file.complete");
        Ok(Complete {
            path: self.path.take(),
        })
    }
}

/// A file whose bytes are on the disk, and that has no name yet. Dropped, it vanishes.
#[derive(Debug)]
pub(super) struct Complete {
    path: Option<PathBuf>,
}

impl Complete {
    /// Where the bytes are for now.
    pub(super) fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(""))
    }
}

impl Drop for Complete {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What cannot be removed now is swept at the next opening.
            let _left = fs::remove_file(path);
        }
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What cannot be removed now is swept at the next opening.
            let _left = fs::remove_file(path);
        }
    }
}

/// Puts a folder's list of names on the disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn sweep(incoming: &Path) -> io::Result<()> {
    for entry in fs::read_dir(incoming)? {
        let entry = entry?;
        tracing::info!(file = ?entry.file_name(), "removing a file that a crash left unfinished");
        fs::remove_file(entry.path())?;
    }
    Ok(())
}
