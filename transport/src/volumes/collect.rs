//! From volumes on media to one bundle in quarantine.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::VolumeError;
use super::split::copy_exactly;
use super::table::VolumeTable;
use crate::identity::PublicIdentity;
use crate::limits::Limits;
use crate::medium::{free_space, open_foreign, sync_folder_of};
use crate::receive::{ReceiveError, Received};

/// Gathers the volumes of one bundle into one file in quarantine, medium by medium.
///
/// Each volume is read once, straight to its place in the file. A collector may be dropped, or its process end, and be
/// opened again: it hashes what is there and goes on from that.
#[derive(Debug)]
pub struct VolumeCollector {
    table: VolumeTable,
    quarantine: PathBuf,
    file: File,
    have: Vec<bool>,
}

/// What one folder gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Names of the volumes that were taken.
    pub taken: Vec<String>,
    /// Names of volumes with wrong bytes or length, to be copied onto the medium again.
    pub bad: Vec<String>,
    /// Names of up to 100 other files that lie there. They were not read.
    pub stray: Vec<String>,
}

impl VolumeCollector {
    /// Opens a collection: reads the table at `table`, checks that one of `peers` signed it, and makes room at
    /// `quarantine`, or takes up what an earlier collector left there.
    ///
    /// # Errors
    /// When the table is not to be believed, or the bundle is too large for `limits` or the free space.
    pub fn open(
        table: &Path,
        quarantine: &Path,
        peers: &[&PublicIdentity],
        limits: &Limits,
    ) -> Result<Self, VolumeError> {
        let table = VolumeTable::read(table, peers)?;
        let (size, limit) = (table.size(), limits.file_bytes);
        if size > limit {
            return Err(ReceiveError::TooLarge { size, limit }.into());
        }
        let io = VolumeError::io(quarantine);
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        let (file, fresh) = match options.clone().create_new(true).open(quarantine) {
            Ok(file) => (file, true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                (options.open(quarantine).map_err(&io)?, false)
            }
            Err(e) => return Err(io(e)),
        };
        let have = vec![false; table.volumes().len()];
        let mut collector = Self {
            table,
            quarantine: quarantine.to_owned(),
            file,
            have,
        };
        if fresh {
            if let Err(error) = collector.make_room(limits) {
                let _ = std::fs::remove_file(quarantine);
                return Err(error);
            }
        } else {
            collector.take_stock().map_err(&io)?;
        }
        Ok(collector)
    }

    fn make_room(&self, limits: &Limits) -> Result<(), VolumeError> {
        let io = VolumeError::io(&self.quarantine);
        let needed = self.table.size().saturating_add(limits.free_reserve);
        let free = free_space(&self.file).map_err(&io)?;
        if free < needed {
            return Err(ReceiveError::NoSpace { needed, free }.into());
        }
        self.file
            .set_len(self.table.size())
            .and_then(|()| sync_folder_of(&self.quarantine))
            .map_err(&io)
    }

    /// Hashes what is in the file already.
    fn take_stock(&mut self) -> io::Result<()> {
        self.file.set_len(self.table.size())?;
        self.file.rewind()?;
        for (volume, have) in self.table.volumes().iter().zip(&mut self.have) {
            let mut hasher = blake3::Hasher::new();
            copy_exactly(&mut self.file, volume.length, &mut hasher, &mut io::sink())?;
            *have = hasher.finalize() == *volume.hash.as_bytes();
        }
        Ok(())
    }

    /// Takes every volume that `folder` has and that is still missing.
    ///
    /// # Errors
    /// When the quarantine or the folder cannot be accessed. What is wrong with single volumes is no error: they are
    /// in [`Collected::bad`].
    pub fn take_from(&mut self, folder: &Path) -> Result<Collected, VolumeError> {
        let mut collected = Collected {
            stray: self.strays(folder)?,
            ..Collected::default()
        };
        for number in 0..self.have.len() {
            let name = self.table.volume_name(number);
            let path = folder.join(&name);
            if self.have[number] || std::fs::symlink_metadata(&path).is_err() {
                continue;
            }
            if self.take_volume(number, &path)? {
                self.have[number] = true;
                collected.taken.push(name);
            } else {
                collected.bad.push(name);
            }
        }
        self.file.sync_data().map_err(VolumeError::io(&self.quarantine))?;
        Ok(collected)
    }

    /// Copies one volume to its place; false when it is not the one that the table names.
    fn take_volume(&mut self, number: usize, path: &Path) -> Result<bool, VolumeError> {
        let volume = self.table.volumes()[number];
        let Ok(mut source) = open_foreign(path) else {
            return Ok(false);
        };
        if source.metadata().map_err(VolumeError::io(path))?.len() != volume.length {
            return Ok(false);
        }
        let start = SeekFrom::Start(self.table.offset(number));
        self.file.seek(start).map_err(VolumeError::io(&self.quarantine))?;
        let mut hasher = blake3::Hasher::new();
        let mut sink = Blaming {
            file: &self.file,
            failed: false,
        };
        match copy_exactly(&mut source, volume.length, &mut hasher, &mut sink) {
            Ok(()) => Ok(hasher.finalize() == *volume.hash.as_bytes()),
            Err(source) if sink.failed => Err(VolumeError::Io {
                path: self.quarantine.clone(),
                source,
            }),
            // The medium cannot be read at that place: this volume is to be copied again.
            Err(_) => Ok(false),
        }
    }

    fn strays(&self, folder: &Path) -> Result<Vec<String>, VolumeError> {
        let mut known: Vec<String> = (0..self.have.len())
            .map(|number| self.table.volume_name(number))
            .collect();
        known.push(self.table.table_name());
        let known: std::collections::BTreeSet<String> = known.into_iter().collect();
        let entries = std::fs::read_dir(folder).map_err(VolumeError::io(folder))?;
        let names = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        // Whoever made the medium chose these names: they are bounded, and shown escaped.
        let mut strays: Vec<String> = names
            .filter(|name| !known.contains(name))
            .take(100)
            .map(|name| name.escape_default().to_string())
            .collect();
        strays.sort();
        Ok(strays)
    }

    /// The table.
    pub fn table(&self) -> &VolumeTable {
        &self.table
    }

    /// Names of the volumes that are still missing.
    pub fn missing(&self) -> Vec<String> {
        let missing = self.have.iter().enumerate().filter(|(_, have)| !**have);
        missing
            .map(|(number, _)| self.table.volume_name(number))
            .collect()
    }

    /// Once nothing is missing: syncs the bundle, hashes it as a whole and hands it on, to be verified like one that
    /// came in a single file.
    ///
    /// # Errors
    /// When volumes are missing, or together they are not the bundle that the table names. The file stays then.
    pub fn finish(self, limits: &Limits) -> Result<Received, VolumeError> {
        let missing = self.missing();
        if !missing.is_empty() {
            return Err(VolumeError::Missing(missing));
        }
        self.file.sync_all().map_err(VolumeError::io(&self.quarantine))?;
        let received = Received::open(&self.quarantine, limits)?;
        if received.hash() == self.table.bundle() {
            Ok(received)
        } else {
            Err(VolumeError::OtherBundle)
        }
    }
}

/// Tells a full disk here from a bad medium there.
struct Blaming<'a> {
    file: &'a File,
    failed: bool,
}

impl Write for Blaming<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        self.failed |= written
            .as_ref()
            .is_err_and(|e| e.kind() != io::ErrorKind::Interrupted);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
