//! What a backup says of itself.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BackupError, at};
use crate::domain::hash::Hash;
use crate::domain::id::{Epoch, NodeId};
use crate::domain::settings::Node;
use crate::domain::side::Side;
use crate::store::dump::Dump;

/// The file's name.
pub const MANIFEST: &str = "BACKUP.json";

/// The layout of a backup that this program writes and reads.
const FORMAT: u32 = 1;

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copied {
    /// Its place in the backup, and in the node's folder.
    pub path: String,
    /// Its length in bytes.
    pub length: u64,
    /// The BLAKE3 hash of its content.
    pub hash: Hash,
}

/// What stands in `BACKUP.json`. It lies beside the private data itself, so it may name lengths and hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The layout of the backup.
    pub format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// Whose backup it is.
    pub node: NodeId,
    /// The node's side.
    pub side: Side,
    /// The epoch of its store.
    pub epoch: Epoch,
    /// When it was made.
    pub made_at: Timestamp,
    /// How many entries the store has.
    pub store_entries: u64,
    /// What was counted when the backup was checked after it was written.
    pub counts: BTreeMap<String, u64>,
    /// Every file but this one.
    pub files: Vec<Copied>,
}

impl Manifest {
    pub(super) fn new(
        node: &Node,
        made_at: Timestamp,
        dump: Dump,
        files: Vec<Copied>,
        counts: BTreeMap<&'static str, u64>,
    ) -> Self {
        let counts = counts.into_iter().map(|(what, count)| (what.to_owned(), count));
        Self {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            node: node.id,
            side: node.side,
            epoch: node.epoch,
            made_at,
            store_entries: dump.entries,
            counts: counts.collect(),
            files,
        }
    }

    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// There is none, it is of another format, or names a place outside the backup.
    pub fn read(backup: &Path) -> Result<Self, BackupError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let path = backup.join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BackupError::NoBackup(backup.to_path_buf()));
            }
            Err(error) => return Err(at(&path)(error)),
        };
        let wrong = |error: serde_json::Error| BackupError::Manifest(error.to_string());
        let Format { format } = serde_json::from_slice(&text).map_err(wrong)?;
        if format != FORMAT {
            let why = format!("it has format {format}, and this program reads format {FORMAT}");
            return Err(BackupError::Manifest(why));
        }
        let manifest: Self = serde_json::from_slice(&text).map_err(wrong)?;
        match manifest.files.iter().find(|file| !is_inside(&file.path)) {
            Some(file) => Err(BackupError::Manifest(format!(
                "{:?} is no place in a backup",
                file.path
            ))),
            None => Ok(manifest),
        }
    }

    /// Writes the manifest, and puts it and the names around it on the disk.
    pub(super) fn write(&self, backup: &Path) -> Result<(), BackupError> {
        let path = backup.join(MANIFEST);
        let temporary = backup.join("BACKUP.new");
        let text =
            serde_json::to_vec_pretty(self).map_err(|error| BackupError::Manifest(error.to_string()))?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(at(&temporary))?;
        file.write_all(&text)
            .and_then(|()| file.sync_all())
            .map_err(at(&temporary))?;
        fs::rename(&temporary, &path).map_err(at(&path))?;
        File::open(backup)
            .and_then(|folder| folder.sync_all())
            .map_err(at(backup))
    }
}

/// Whether a path names something below the folder that it is joined to.
fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}
