//! From one bundle file to volumes on media.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::table::{Volume, VolumeTable};
use super::{MAX_VOLUME_BYTES, MAX_VOLUMES, MIN_VOLUME_BYTES, VolumeError};
use crate::digest::BlobHash;
use crate::identity::NodeIdentity;
use crate::medium::{DeviceReader, NewFile, folder_of, must_be_new, open_foreign};
use crate::receive::hash_bundle;
use crate::signing;

/// Writes the volumes of one finished bundle onto media, each with a copy of the table.
#[derive(Debug)]
pub struct VolumeSplitter {
    path: PathBuf,
    file: File,
    table: VolumeTable,
}

impl VolumeSplitter {
    /// Reads the bundle, checks that `signer` made it, and signs the table.
    ///
    /// # Errors
    /// When the file is no bundle of `signer`, or `volume_size` does not suit it.
    pub fn new(bundle: &Path, volume_size: u64, signer: &NodeIdentity) -> Result<Self, VolumeError> {
        if !(MIN_VOLUME_BYTES..=MAX_VOLUME_BYTES).contains(&volume_size) {
            return Err(VolumeError::VolumeSize(volume_size));
        }
        let io = VolumeError::io(bundle);
        let mut file = open_foreign(bundle).map_err(&io)?;
        let size = file.metadata().map_err(&io)?.len();
        let count = size.div_ceil(volume_size);
        if count > MAX_VOLUMES as u64 {
            return Err(VolumeError::TooMany(count));
        }
        let hashed = hash_bundle(&file, size).map_err(&io)??;
        let key = signer.signing_key().verifying_key();
        if !signing::verify(&key, signing::BUNDLE, hashed.hash.as_bytes(), &hashed.signature) {
            return Err(VolumeError::NotOurs);
        }
        file.rewind().map_err(&io)?;
        let mut volumes = Vec::new();
        for number in 0..count {
            let length = (size - number * volume_size).min(volume_size);
            let mut hasher = blake3::Hasher::new();
            copy_exactly(&mut file, length, &mut hasher, &mut io::sink()).map_err(&io)?;
            volumes.push(Volume {
                length,
                hash: BlobHash::from_bytes(*hasher.finalize().as_bytes()),
            });
        }
        let table = VolumeTable::sign(hashed.hash, size, volume_size, volumes, signer)?;
        Ok(Self {
            path: bundle.to_owned(),
            file,
            table,
        })
    }

    /// The table, for names and lengths.
    pub fn table(&self) -> &VolumeTable {
        &self.table
    }

    /// Writes the table into `folder`; a copy of the same that lies there already will do.
    ///
    /// # Errors
    /// When the medium fails, or another file has the name.
    pub fn write_table(&self, folder: &Path) -> Result<PathBuf, VolumeError> {
        let path = folder.join(self.table.table_name());
        let bytes = self.table.to_bytes()?;
        if path.try_exists().map_err(VolumeError::io(&path))? {
            let there = std::fs::read(&path).map_err(VolumeError::io(&path))?;
            return if there == bytes {
                Ok(path)
            } else {
                Err(VolumeError::Exists(path))
            };
        }
        write_verified(&path, bytes.len() as u64, &mut &bytes[..], &BlobHash::of(&bytes))?;
        Ok(path)
    }

    /// Writes volume `number`, counted from 0, into `folder`: under a temporary name, synced, read back, verified,
    /// renamed. The same volume that lies there already will do, once it has been read back: a split that was broken off can go on.
    ///
    /// # Errors
    /// When the medium fails, another file has the name, or the bundle changed meanwhile.
    pub fn write_volume(&mut self, number: usize, folder: &Path) -> Result<PathBuf, VolumeError> {
        let volume = *self
            .table
            .volumes()
            .get(number)
            .ok_or(VolumeError::NoSuchVolume(number))?;
        let path = folder.join(self.table.volume_name(number));
        if path.try_exists().map_err(VolumeError::io(&path))? {
            return if lies_there(&path, &volume).map_err(VolumeError::io(&path))? {
                Ok(path)
            } else {
                Err(VolumeError::Exists(path))
            };
        }
        let start = SeekFrom::Start(self.table.offset(number));
        self.file.seek(start).map_err(VolumeError::io(&self.path))?;
        write_verified(&path, volume.length, &mut self.file, &volume.hash)?;
        Ok(path)
    }

    /// Writes the table and all volumes into one folder.
    ///
    /// # Errors
    /// As [`write_volume`](Self::write_volume). What was written stays; each file is whole.
    pub fn write_all(&mut self, folder: &Path) -> Result<Vec<PathBuf>, VolumeError> {
        let mut paths = vec![self.write_table(folder)?];
        for number in 0..self.table.volumes().len() {
            paths.push(self.write_volume(number, folder)?);
        }
        Ok(paths)
    }
}

fn write_verified(
    path: &Path,
    length: u64,
    source: &mut dyn Read,
    hash: &BlobHash,
) -> Result<(), VolumeError> {
    let io = VolumeError::io(path);
    let exists_or = |e: io::Error| match e.kind() {
        io::ErrorKind::AlreadyExists => VolumeError::Exists(path.to_owned()),
        _ => io(e),
    };
    must_be_new(path).map_err(exists_or)?;
    let temporary = NewFile::begin(folder_of(path)).map_err(&io)?;
    let mut hasher = blake3::Hasher::new();
    copy_exactly(source, length, &mut hasher, &mut temporary.file()).map_err(&io)?;
    if hasher.finalize() != *hash.as_bytes() {
        return Err(VolumeError::Changed);
    }
    temporary.file().sync_all().map_err(&io)?;
    if !holds(temporary.path(), hash).map_err(&io)? {
        return Err(VolumeError::ReadBack(path.to_owned()));
    }
    temporary.publish(path).map_err(exists_or)
}

/// Whether a file is a volume, whole.
fn lies_there(path: &Path, volume: &Volume) -> io::Result<bool> {
    let there = std::fs::symlink_metadata(path)?;
    if !there.is_file() || there.len() != volume.length {
        return Ok(false);
    }
    holds(path, &volume.hash)
}

/// Reads a file past the page cache, where the system lets it, and compares its hash.
fn holds(path: &Path, hash: &BlobHash) -> io::Result<bool> {
    let mut device = DeviceReader::open(path)?;
    let mut hasher = blake3::Hasher::new();
    while let Some(piece) = device.next()? {
        hasher.update(piece);
    }
    Ok(hasher.finalize() == *hash.as_bytes())
}

/// Passes on exactly `length` bytes, hashing them.
pub(super) fn copy_exactly(
    source: &mut dyn Read,
    length: u64,
    hasher: &mut blake3::Hasher,
    sink: &mut dyn Write,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let mut left = length;
    while left > 0 {
        let want = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let got = match source.read(&mut buffer[..want]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(got) => got,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        hasher.update(&buffer[..got]);
        sink.write_all(&buffer[..got])?;
        left -= got as u64;
    }
    Ok(())
}
