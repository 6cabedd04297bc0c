//! Backups: a folder that holds one state of a node's store and every file that belongs to it, with the hash of each.
//!
//! A node that runs writes a [`dump`] of its store for it; of one that does not run, the dump is written here. Blobs never
//! change and are never removed, so those that are copied after the dump was written are all that it can name. Private data
//! can be replaced meanwhile: then the copy does not fit its dump, which the check at the end finds.
//!
//! ```text
//! BACKUP.json       what this is, and the length and hash of every file; written last, and without it a folder is no backup
//! poundlock.toml    the configuration
//! store.dump        one state of the store, as `store::dump` describes it
//! keys/ blobs/ private/    as in the node's folder
//! ```

mod copy;
mod manifest;
mod put_back;

use std::fs::{self, DirBuilder};
use std::io::{self, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::acts::snapshots;
use crate::clock;
use crate::domain::side::Side;
use crate::store::check::Findings;
use crate::store::dump::{self, Dump, DumpError};
use crate::store::engine::{Engine, EngineError};
use crate::store::migration::{MigrateError, migrate};
use crate::store::migrations::MIGRATIONS;
use crate::store::node_folder::{NodeFolder, NodeFolderError};
use crate::store::read::{Read, View};
use crate::store::sled_engine::SledEngine;
use crate::store::table::TableError;
use crate::store::tables::NODE;
use crate::store::whole_file::OpenFolderError;

use super::check::everything;
use super::stopped::{Stopped, StoppedError};
use super::{Config, private_data};

pub use manifest::{MANIFEST, Manifest};
pub use put_back::put_back;

/// The dump's name in a backup.
const DUMP: &str = "store.dump";

/// Where a dump is loaded to be looked at; removed again.
const PROOF: &str = "proof";

/// A backup cannot be made, checked or put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The node's folder cannot be used.
    #[error(transparent)]
    Folder(#[from] NodeFolderError),
    /// The store cannot be opened.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store cannot be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The store of a stopped node cannot be opened, or not noted in that a copy was taken.
    #[error(transparent)]
    Stopped(#[from] StoppedError),
    /// The store cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The files beside the store cannot be used.
    #[error(transparent)]
    Files(#[from] OpenFolderError),
    /// The dump is none, or damaged.
    #[error("{DUMP}: {0}")]
    Dump(#[from] DumpError),
    /// The destination is in use.
    #[error("{} is not empty; a backup needs a folder of its own", .0.display())]
    NotEmpty(PathBuf),
    /// There is no whole backup.
    #[error("there is no backup in {} (no {MANIFEST}): it was never finished, or is none", .0.display())]
    NoBackup(PathBuf),
    /// The manifest cannot be understood.
    #[error("{MANIFEST} cannot be understood: {0}")]
    Manifest(String),
    /// Files are not those that were backed up.
    #[error("{}", told(.0))]
    Unsound(Findings),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

impl BackupError {
    /// Whether a node that runs holds the folder.
    pub fn is_running(&self) -> bool {
        match self {
            Self::Stopped(error) => error.is_running(),
            Self::Engine(EngineError::InUse(_)) | Self::Files(OpenFolderError::InUse(_)) => true,
            _ => false,
        }
    }
}

fn told(findings: &Findings) -> String {
    let first = findings.wrong.first().map(String::as_str).unwrap_or_default();
    match findings.count {
        0 | 1 => first.to_owned(),
        more => format!("{first} (and {} more)", more - 1),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_path_buf();
    move |source| BackupError::Io { path, source }
}

/// A dump of a node's store in its spool.
#[derive(Debug)]
pub struct Snapshot {
    /// The file.
    pub file: PathBuf,
    /// Its hash.
    pub dump: Dump,
    /// Holds the store of a node that does not run, so that nobody starts it meanwhile.
    _held: Option<Stopped>,
}

impl Snapshot {
    /// The dump that a running node has written.
    pub fn of_running(file: PathBuf, dump: Dump) -> Self {
        Self {
            file,
            dump,
            _held: None,
        }
    }

    /// Writes the dump of a node that does not run, and notes in its audit chain that a copy was taken.
    ///
    /// # Errors
    /// It runs ([`BackupError::is_running`]), or its store cannot be used.
    pub fn of_stopped(root: &Path, config: &Config) -> Result<Self, BackupError> {
        let stopped = Stopped::open(root, config)?;
        stopped.act(snapshots::note_stopped)?;
        let folder = &stopped.folder;
        let file = folder.snapshots().join(uuid::Uuid::new_v4().to_string());
        let room = folder.room_left().map_err(at(folder.root()))?;
        let dump = dump::write_file(&stopped.writer.view()?, &file, room)?;
        Ok(Self {
            file,
            dump,
            _held: Some(stopped),
        })
    }
}

/// Makes a backup in `to`, which must be empty or absent: copies, reads everything back, checks it, and only then writes the
/// manifest. The snapshot stays for the caller to remove.
///
/// # Errors
/// Says what stands in the way, or what of the copy does not fit together; what was made in `to` is removed again.
pub fn make(root: &Path, config: &Config, snapshot: &Snapshot, to: &Path) -> Result<Manifest, BackupError> {
    make_folder(to)?;
    let made = fill(root, config, snapshot, to);
    if made.is_err()
        && let Err(error) = copy::empty(to)
    {
        tracing::warn!(%error, "what was made of the backup stays; it is none");
    }
    made
}

fn fill(root: &Path, config: &Config, snapshot: &Snapshot, to: &Path) -> Result<Manifest, BackupError> {
    let folder = NodeFolder::open(root, private_data(config.side))?;
    let mut files = copy::node_files(&folder, to)?;
    let dump = copy::one(&snapshot.file, &to.join(DUMP), DUMP)?;
    if dump.hash != snapshot.dump.hash {
        return Err(DumpError::Damaged("its content is not what was written").into());
    }
    files.push(dump);
    let (findings, node) = look_at(to, config.side)?;
    if !findings.is_sound() {
        return Err(BackupError::Unsound(findings));
    }
    let manifest = Manifest::new(&node, clock::now(), snapshot.dump, files, findings.looked_at);
    manifest.write(to)?;
    Ok(manifest)
}

/// Makes a folder that must be empty or absent.
fn make_folder(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(at(path))?;
    match fs::read_dir(path).map_err(at(path))?.next() {
        None => Ok(()),
        Some(_) => Err(BackupError::NotEmpty(path.to_path_buf())),
    }
}

/// Looks at a backup: every file against the manifest, then all of them against each other.
///
/// # Errors
/// It is none, or cannot be read. What is wrong with it is a finding.
pub fn check(backup: &Path) -> Result<Findings, BackupError> {
    let manifest = Manifest::read(backup)?;
    let mut findings = copy::compare(backup, &manifest)?;
    if findings.is_sound() {
        findings = look_at(backup, manifest.side)?.0;
    }
    Ok(findings)
}

/// Loads the dump into a store of its own, looks at everything, and removes that store again.
fn look_at(backup: &Path, side: Side) -> Result<(Findings, crate::domain::settings::Node), BackupError> {
    let proof = tempfile::Builder::new()
        .prefix(PROOF)
        .tempdir_in(backup)
        .map_err(at(backup))?;
    let engine: Arc<dyn Engine> = Arc::new(SledEngine::open(proof.path())?);
    let dump = backup.join(DUMP);
    let file = fs::File::open(&dump).map_err(at(&dump))?;
    dump::load(BufReader::new(file), engine.as_ref())?;
    migrate(&engine, MIGRATIONS)?;
    let view = View::new(engine.view()?);
    let findings = look_at_files(&view, backup, side)?;
    let node = view.get(&NODE, &())?;
    let node = node.ok_or_else(|| BackupError::Manifest("the store holds no node".to_owned()))?;
    Ok((findings, node))
}

fn look_at_files(view: &View, backup: &Path, side: Side) -> Result<Findings, BackupError> {
    let (blobs, private) = (backup.join("blobs"), backup.join("private"));
    let held = side.holds_private_data().then_some(private.as_path());
    let findings = everything(view, &blobs, held)?;
    // What opening them has made is no part of the backup.
    for folder in [blobs, private] {
        for made in ["lock", "incoming"] {
            copy::remove(&folder.join(made))?;
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests;
