//! The embedded engine: sled 0.34, with the promises that sled itself does not make.
//!
//! - sled's `flush` ends in `sync_file_range`, which does not reach the disk's own cache nor the file's length. A
//!   commit is acknowledged only after an `fdatasync` of sled's file.
//! - sled moves what is longer than a quarter of its segment into files that it never syncs, and it joins up to
//!   twenty neighbouring keys into one such item. The segments are chosen so large that no item can get there.
//! - sled takes damage in the middle of its file for the end of it and opens an older state without a word. Beside
//!   it, a small file names a revision that was durable once; a store that is behind it is damaged.
//! - sled may panic on damaged files, so it is opened under `catch_unwind`.
//!
//! A crash at any point leaves the state after some commit, and that commit is the last acknowledged one or a later
//! one that was under way.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::engine::{
    Batch, CommitError, Direction, Engine, EngineError, EngineView, Entry, KeyRange, Versioned, check_batch,
    hex,
};
use super::folder_lock::FolderLock;
use super::snapshots::{Before, Snapshot, Snapshots};
use crate::failpoint::failpoint;

/// sled's data file within its folder.
const DATA_FILE: &str = "db";

/// Names a revision that was durable once; see the module's head.
const WATERMARK_FILE: &str = "revision";

/// Where the engine keeps its format and its newest revision.
const STATE_KEY: &[u8] = &[super::engine::RESERVED_PREFIX];

/// The layout of [`STATE_KEY`] and of the values.
const FORMAT: u8 = 1;

/// A quarter of this must hold twenty of the longest values with their keys.
const SEGMENT_BYTES: usize = 8 * 1024 * 1024;

/// How long the threads of an earlier engine in this process may take to leave.
const LEAVING_TIME: Duration = Duration::from_secs(5);

const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes of replaced values that open views may hold.
const SNAPSHOT_BYTES: usize = 256 * 1024 * 1024;

/// The step that puts what was written beyond a power cut. A parameter, so that tests can count it and let it fail.
pub trait Barrier: Send + Sync + std::fmt::Debug {
    /// Returns once the file's content and length are on the disk.
    ///
    /// # Errors
    /// When the disk reports that they are not.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// Holds a store against other processes while a copy of it is looked at.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held, never used")] FolderLock);

/// `fdatasync`.
#[derive(Debug, Clone, Copy)]
pub struct SyncData;

impl Barrier for SyncData {
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

/// The embedded engine over one folder, which it holds against other processes until it is dropped.
#[derive(Debug)]
pub struct SledEngine {
    db: sled::Db,
    folder: Arc<Path>,
    data: File,
    watermark: File,
    barrier: Box<dyn Barrier>,
    snapshots: Arc<Snapshots>,
    /// The revision of the newest commit; held while one is under way.
    last: Mutex<u64>,
    syncs: AtomicU64,
    _lock: FolderLock,
}

impl SledEngine {
    /// Opens the store in `folder`, or makes one if the folder is missing or empty.
    ///
    /// # Errors
    /// [`EngineError::InUse`] if another process has it open, [`EngineError::Damaged`] if it is not what was
    /// acknowledged once, [`EngineError::Format`] if another version made it.
    pub fn open(folder: &Path) -> Result<Self, EngineError> {
        Self::open_with(folder, Box::new(SyncData))
    }

    /// As [`Self::open`], with another way to reach the disk.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(folder: &Path, barrier: Box<dyn Barrier>) -> Result<Self, EngineError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = FolderLock::take(folder)?.ok_or_else(|| EngineError::InUse(folder.to_path_buf()))?;
        let db = open_sled(folder)?;
        let data = File::open(folder.join(DATA_FILE))?;
        let watermark = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join(WATERMARK_FILE))?;
        let durable_once = read_watermark(&watermark)?;
        let last = read_state(&db, folder)?;
        if last < durable_once {
            let reason = format!("it ends at revision {last}, and revision {durable_once} was on disk once");
            return Err(EngineError::Damaged {
                folder: folder.to_path_buf(),
                reason,
            });
        }
        let engine = Self {
            snapshots: Snapshots::new(last, SNAPSHOT_BYTES),
            last: Mutex::new(last),
            syncs: AtomicU64::new(0),
            folder: folder.into(),
            db,
            data,
            watermark,
            barrier,
            _lock: lock,
        };
        engine.settle_files(last)?;
        Ok(engine)
    }

    /// Opens a copy of the store in `folder`, made in `copy`, so that looking changes nothing; opening a damaged store can.
    /// The original is held as long as the second thing that this gives.
    ///
    /// # Errors
    /// As [`Self::open`], but that no store is made where there is none.
    pub fn open_copy(folder: &Path, copy: &Path) -> Result<(Self, Held), EngineError> {
        let lock = FolderLock::take(folder)?.ok_or_else(|| EngineError::InUse(folder.to_path_buf()))?;
        DirBuilder::new().mode(0o700).create(copy)?;
        if !folder.join(DATA_FILE).try_exists()? {
            return Err(EngineError::Damaged {
                folder: folder.to_path_buf(),
                reason: "its data file is missing".to_owned(),
            });
        }
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                std::fs::copy(entry.path(), copy.join(entry.file_name()))?;
            }
        }
        Ok((Self::open(copy)?, Held(lock)))
    }

    /// The bytes that the engine takes on disk.
    ///
    /// # Errors
    /// When its files cannot be looked at.
    pub fn size_on_disk(&self) -> Result<u64, EngineError> {
        self.db
            .size_on_disk()
            .map_err(|error| from_sled(&self.folder, error))
    }

    /// Puts new files and their names on disk before the first commit relies on them.
    fn settle_files(&self, last: u64) -> Result<(), EngineError> {
        if last == 0 {
            let state = encode_state(0);
            self.db
                .insert(STATE_KEY, state.as_slice())
                .map_err(|error| from_sled(&self.folder, error))?;
        }
        self.make_durable(last)?;
        File::open(&self.folder)?.sync_all()?;
        if let Some(parent) = self
            .folder
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    }

    /// Returns once everything applied so far is beyond a power cut.
    fn make_durable(&self, revision: u64) -> Result<(), EngineError> {
        self.db.flush().map_err(|error| from_sled(&self.folder, error))?;
        self.barrier.sync(&self.data)?;
        self.syncs.fetch_add(1, Ordering::Relaxed);
        // Not synced: whatever part of it survives a power cut names a revision that was durable before.
        self.watermark.write_all_at(&encode_watermark(revision), 0)?;
        Ok(())
    }

    fn check_preconditions(&self, batch: &Batch) -> Result<(), CommitError> {
        for (key, expected) in &batch.preconditions {
            let found = read(&self.db, &self.folder, key)?.map(|versioned| versioned.revision);
            if found != *expected {
                return Err(CommitError::Conflict { key: key.clone() });
            }
        }
        Ok(())
    }

    /// What is under the keys that a batch changes, whose preconditions hold.
    fn replaced_by(&self, batch: &Batch) -> Result<Vec<Before>, EngineError> {
        let read_before = batch.preconditions.iter();
        let absent: HashSet<&[u8]> = read_before
            .filter(|(_, revision)| revision.is_none())
            .map(|(key, _)| key.as_slice())
            .collect();
        let changed = batch.puts.iter().map(|(key, _)| key).chain(&batch.deletes);
        let before = |key: &Vec<u8>| {
            let value = if absent.contains(key.as_slice()) {
                None
            } else {
                read(&self.db, &self.folder, key)?
            };
            Ok((key.clone(), value))
        };
        changed.map(before).collect()
    }

    fn apply(&self, batch: Batch, revision: u64) -> Result<(), EngineError> {
        let mut writes = sled::Batch::default();
        for key in batch.deletes {
            writes.remove(key);
        }
        for (key, value) in batch.puts {
            let mut stored = Vec::with_capacity(size_of::<u64>() + value.len());
            stored.extend_from_slice(&revision.to_be_bytes());
            stored.extend_from_slice(&value);
            writes.insert(key, stored);
        }
        writes.insert(STATE_KEY, encode_state(revision).as_slice());
        self.db
            .apply_batch(writes)
            .map_err(|error| from_sled(&self.folder, error))?;
        failpoint!("store.applied");
        self.make_durable(revision)?;
        failpoint!("store.durable");
        Ok(())
    }
}

impl Engine for SledEngine {
    fn view(&self) -> Result<Arc<dyn EngineView>, EngineError> {
        let snapshot = self.snapshots.open()?;
        Ok(Arc::new(SledView {
            db: self.db.clone(),
            folder: Arc::clone(&self.folder),
            snapshot,
        }))
    }

    fn revision(&self) -> Result<u64, EngineError> {
        self.snapshots.visible()
    }

    fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
        check_batch(&batch)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.snapshots.check_alive()?;
        if batch.rests_on_an_older_state(*last) {
            self.check_preconditions(&batch)?;
        }
        let revision = *last + 1;
        let previous = self.replaced_by(&batch)?;
        // From here on sled's memory may be ahead of the disk, and a failed sync cannot be tried again: the kernel
        // may have dropped the pages. A panic counts as a failure.
        let failure = FailUnlessDone {
            snapshots: &self.snapshots,
            done: false,
        };
        self.snapshots.replace(revision, previous);
        self.apply(batch, revision)?;
        failure.done();
        *last = revision;
        self.snapshots.publish(revision);
        Ok(revision)
    }

    fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

/// Ends the engine's service if a commit neither finished nor was refused before it began.
struct FailUnlessDone<'a> {
    snapshots: &'a Snapshots,
    done: bool,
}

impl FailUnlessDone<'_> {
    fn done(mut self) {
        self.done = true;
    }
}

impl Drop for FailUnlessDone<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.snapshots.fail();
        }
    }
}

#[derive(Debug)]
struct SledView {
    db: sled::Db,
    folder: Arc<Path>,
    snapshot: Snapshot,
}

impl EngineView for SledView {
    fn revision(&self) -> u64 {
        self.snapshot.revision()
    }

    fn unchanged_since(&self, first_byte: u8) -> u64 {
        self.snapshot.unchanged_since(first_byte)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Versioned>, EngineError> {
        let current = read(&self.db, &self.folder, key)?;
        self.snapshot.get(key, current)
    }

    fn range(&self, range: &KeyRange, direction: Direction, limit: usize) -> Result<Vec<Entry>, EngineError> {
        self.snapshot.range(range, direction, limit, |span, wanted| {
            let entries = self
                .db
                .range::<Vec<u8>, _>((span.start.clone(), span.end.clone()));
            let owned = |entry: sled::Result<(sled::IVec, sled::IVec)>| {
                let (key, stored) = entry.map_err(|error| from_sled(&self.folder, error))?;
                Ok((key.to_vec(), decode_value(&key, &stored)?))
            };
            match direction {
                Direction::Ascending => entries.take(wanted).map(owned).collect(),
                Direction::Descending => entries.rev().take(wanted).map(owned).collect(),
            }
        })
    }
}

thread_local! {
    static OPENING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is opening sled's files, where a panic means damage and is caught. Anywhere else a panic ends the
/// process.
pub fn is_opening() -> bool {
    OPENING.get()
}

/// Opens sled in a folder whose lock is held.
fn open_sled(folder: &Path) -> Result<sled::Db, EngineError> {
    let config = sled::Config::new()
        .path(folder)
        .segment_size(SEGMENT_BYTES)
        .cache_capacity(CACHE_BYTES);
    let given_up = Instant::now() + LEAVING_TIME;
    loop {
        OPENING.set(true);
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        OPENING.set(false);
        let opened = opened.map_err(|_panic| EngineError::Damaged {
            folder: folder.to_path_buf(),
            reason: "its files cannot be understood".to_owned(),
        })?;
        match opened.map_err(|error| from_sled(folder, error)) {
            // The folder is this engine's, so what holds sled's file are the threads of an earlier one in this
            // process: sled does not wait for them when it is dropped.
            Err(EngineError::InUse(_)) if Instant::now() < given_up => {
                std::thread::sleep(Duration::from_millis(2))
            }
            opened => return opened,
        }
    }
}

fn from_sled(folder: &Path, error: sled::Error) -> EngineError {
    match error {
        // sled gives the refused lock no kind of its own.
        sled::Error::Io(error) if error.to_string().starts_with("could not acquire lock") => {
            EngineError::InUse(folder.to_path_buf())
        }
        sled::Error::Io(error) => EngineError::Io(error),
        other => EngineError::Damaged {
            folder: folder.to_path_buf(),
            reason: other.to_string(),
        },
    }
}

fn read(db: &sled::Db, folder: &Path, key: &[u8]) -> Result<Option<Versioned>, EngineError> {
    let stored = db.get(key).map_err(|error| from_sled(folder, error))?;
    stored.map(|stored| decode_value(key, &stored)).transpose()
}

fn decode_value(key: &[u8], stored: &[u8]) -> Result<Versioned, EngineError> {
    let Some((revision, value)) = stored.split_first_chunk() else {
        return Err(EngineError::DamagedValue { key: hex(key) });
    };
    Ok(Versioned {
        revision: u64::from_be_bytes(*revision),
        value: value.to_vec(),
    })
}

fn encode_state(revision: u64) -> Vec<u8> {
    let mut state = vec![FORMAT];
    state.extend_from_slice(&revision.to_be_bytes());
    state
}

/// The newest revision, or 0 in an empty store.
fn read_state(db: &sled::Db, folder: &Path) -> Result<u64, EngineError> {
    let unknown = |found: String| EngineError::Format {
        folder: folder.to_path_buf(),
        found,
        known: format!("format {FORMAT}"),
    };
    match db.get(STATE_KEY).map_err(|error| from_sled(folder, error))? {
        Some(state) => match state.split_first() {
            Some((&FORMAT, revision)) => revision
                .try_into()
                .map(u64::from_be_bytes)
                .map_err(|_length| EngineError::DamagedValue { key: hex(STATE_KEY) }),
            Some((other, _)) => Err(unknown(format!("format {other}"))),
            None => Err(EngineError::DamagedValue { key: hex(STATE_KEY) }),
        },
        None if db.is_empty() => Ok(0),
        None => Err(unknown("no format".to_owned())),
    }
}

fn encode_watermark(revision: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    let (number, check) = bytes.split_at_mut(8);
    number.copy_from_slice(&revision.to_be_bytes());
    check.copy_from_slice(&blake3::hash(number).as_bytes()[..8]);
    bytes
}

/// The revision that the file names, or 0 if it is new or was torn by a power cut.
fn read_watermark(mut file: &File) -> io::Result<u64> {
    let mut bytes = Vec::with_capacity(16);
    file.by_ref().take(16).read_to_end(&mut bytes)?;
    let Some((number, _)) = bytes.split_first_chunk::<8>() else {
        return Ok(0);
    };
    let revision = u64::from_be_bytes(*number);
    Ok(if bytes == encode_watermark(revision) {
        revision
    } else {
        0
    })
}

#[cfg(test)]
mod tests;
