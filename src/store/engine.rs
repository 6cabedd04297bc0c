//! The contract of the key-value engine below the store.
//!
//! Everything above this file is typed; everything below it is bytes. An engine keeps ordered keys, gives every
//! value the revision of the commit that wrote it, and offers two acts: a [`View`](EngineView), which reads one
//! state, and a [`commit`](Engine::commit), which moves from one state to the next. Nothing here knows of files,
//! so that a networked engine can stand in for the embedded one.

use std::fmt::Debug;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

/// Keys whose first byte is this are the engine's own; a batch that names one is refused.
pub const RESERVED_PREFIX: u8 = 0;

/// Longest key that an engine takes, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;

/// Longest value that an engine takes, in bytes: a body of 64 KiB and its envelope.
pub const MAX_VALUE_BYTES: usize = 64 * 1024 + 256;

/// A value with the revision of the commit that wrote it.
///
/// Revisions grow with every commit of an engine and are never used twice, also not after a key was deleted.
/// They compare only within one epoch of a store.
#[derive(Clone, PartialEq, Eq)]
pub struct Versioned {
    pub revision: u64,
    pub value: Vec<u8>,
}

impl Debug for Versioned {
    /// Shows the length only: values hold what logs must not.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Versioned")
            .field("revision", &self.revision)
            .field("bytes", &self.value.len())
            .finish()
    }
}

/// A key with its value, as a range yields them.
pub type Entry = (Vec<u8>, Versioned);

/// A span of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    pub start: Bound<Vec<u8>>,
    pub end: Bound<Vec<u8>>,
}

impl KeyRange {
    /// Every key that callers may use.
    #[must_use]
    pub fn all() -> Self {
        Self {
            start: Bound::Included(vec![RESERVED_PREFIX + 1]),
            end: Bound::Unbounded,
        }
    }

    /// Every key that begins with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        let end = prefix_end(prefix).map_or(Bound::Unbounded, Bound::Excluded);
        Self {
            start: Bound::Included(prefix.to_vec()),
            end,
        }
    }

    /// The part of this range that lies after `key`: all of it, or nothing, if `key` lies outside.
    #[must_use]
    pub fn after(self, key: Vec<u8>) -> Self {
        match &self.start {
            Bound::Included(start) | Bound::Excluded(start) if *start > key => self,
            _ => Self {
                start: Bound::Excluded(key),
                ..self
            },
        }
    }

    /// The part of this range that lies before `key`: all of it, or nothing, if `key` lies outside.
    #[must_use]
    pub fn before(self, key: Vec<u8>) -> Self {
        match &self.end {
            Bound::Included(end) | Bound::Excluded(end) if *end < key => self,
            _ => Self {
                end: Bound::Excluded(key),
                ..self
            },
        }
    }

    /// Whether `key` lies inside.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        let from = match &self.start {
            Bound::Included(start) => key >= start.as_slice(),
            Bound::Excluded(start) => key > start.as_slice(),
            Bound::Unbounded => true,
        };
        let to = match &self.end {
            Bound::Included(end) => key <= end.as_slice(),
            Bound::Excluded(end) => key < end.as_slice(),
            Bound::Unbounded => true,
        };
        from && to
    }

    /// Whether no key can lie inside. Ordered maps panic when they are asked for such a span, so engines ask first.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (
                Bound::Included(start) | Bound::Excluded(start),
                Bound::Included(end) | Bound::Excluded(end),
            ) => start >= end,
        }
    }
}

/// The smallest key that is greater than every key with this prefix.
fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=keep].to_vec();
    end[keep] += 1;
    Some(end)
}

/// Which end of a range comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// What one commit changes, and what must hold for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Keys with the revision that each must have; `None` means that the key must be absent.
    pub preconditions: Vec<(Vec<u8>, Option<u64>)>,
    /// The revision of the state in which they were read, if it was one. While that is the newest, they hold.
    pub read_at: Option<u64>,
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Deleting an absent key is no error. A key that is also put is put.
    pub deletes: Vec<Vec<u8>>,
}

impl Batch {
    /// Whether the batch changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.deletes.is_empty()
    }

    /// Whether the preconditions have to be looked at, where the newest commit has this revision.
    #[must_use]
    pub(crate) fn rests_on_an_older_state(&self, newest: u64) -> bool {
        self.read_at != Some(newest)
    }
}

/// An ordered key-value store with atomic, durable commits.
pub trait Engine: Send + Sync + Debug + 'static {
    /// Opens a view of the newest committed state.
    ///
    /// # Errors
    /// When the engine has failed before and must be opened again.
    fn view(&self) -> Result<Arc<dyn EngineView>, EngineError>;

    /// The revision of the newest committed state: that of a view that is opened now.
    ///
    /// # Errors
    /// As [`Self::view`].
    fn revision(&self) -> Result<u64, EngineError>;

    /// Carries out the batch: all of it or nothing, and once this returns, a power cut cannot undo it. Gives the
    /// revision of the commit. No view shows any of it before it is durable.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] and [`CommitError::Refused`] leave the state as it was. After
    /// [`CommitError::Engine`] the engine serves no further commits: whether the batch reached the disk is known
    /// only once it is opened again.
    fn commit(&self, batch: Batch) -> Result<u64, CommitError>;

    /// How often the engine has made commits durable since it was opened: the flushes that callers shared.
    fn syncs(&self) -> u64;
}

/// One state of the engine. Reads inside one view see all or nothing of every commit, however long it is kept.
///
/// A view neither waits for commits nor holds them up. The engine keeps what the view would miss in memory, so a
/// view is for one task: one that is kept while very much is written ends in [`EngineError::ViewExpired`].
pub trait EngineView: Send + Sync + Debug {
    /// The revision of the newest commit that this view shows.
    fn revision(&self) -> u64;

    /// A revision from which on no key with this first byte has changed: all states from that one to the newest hold the same under
    /// such keys. It may name a commit that is not visible yet, and be higher than need be.
    fn unchanged_since(&self, first_byte: u8) -> u64;

    /// Reads one key.
    ///
    /// # Errors
    /// When the engine cannot read, or the view has expired.
    fn get(&self, key: &[u8]) -> Result<Option<Versioned>, EngineError>;

    /// Reads up to `limit` entries of the range, from the end that `direction` names. To go on, ask again with
    /// [`KeyRange::after`] (or [`KeyRange::before`]) the last key.
    ///
    /// # Errors
    /// When the engine cannot read, or the view has expired.
    fn range(&self, range: &KeyRange, direction: Direction, limit: usize) -> Result<Vec<Entry>, EngineError>;
}

/// Why an engine cannot serve.
#[derive(Debug, Error)]
pub enum EngineError {
    #[error("another poundlock is using the store in {}; stop it first", .0.display())]
    InUse(PathBuf),
    #[error("the store in {} is damaged ({reason}); restore it from a backup", folder.display())]
    Damaged { folder: PathBuf, reason: String },
    #[error("the store in {} was made by another version of its engine ({found}); this one reads {known}", folder.display())]
    Format {
        folder: PathBuf,
        found: String,
        known: String,
    },
    #[error("the store cannot be read or written")]
    Io(#[from] std::io::Error),
    #[error("a value under {key} is damaged; restore the store from a backup")]
    DamagedValue { key: String },
    #[error("the view was kept for too long while much was written; read again from a new one")]
    ViewExpired,
    #[error("there is more to read than this reader takes upon itself")]
    Unsparing,
    #[error("an earlier write could not be made durable; restart the node once the disk is well")]
    Failed,
}

/// Why a batch was not committed.
#[derive(Debug, Error)]
pub enum CommitError {
    /// A precondition does not hold.
    #[error("key {} has another revision than the transaction read", hex(key))]
    Conflict { key: Vec<u8> },
    /// The batch itself is not acceptable; trying it again is of no use.
    #[error("key {} {reason}", hex(key))]
    Refused { key: Vec<u8>, reason: &'static str },
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Keys as error messages name them.
pub(crate) fn hex(key: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(key)
}

/// Refuses what no engine stores, before anything is changed.
pub(crate) fn check_batch(batch: &Batch) -> Result<(), CommitError> {
    let refused = |key: &[u8], reason| {
        Err(CommitError::Refused {
            key: key.to_vec(),
            reason,
        })
    };
    for key in batch.puts.iter().map(|(key, _)| key).chain(&batch.deletes) {
        match key.first() {
            None => return refused(key, "is empty"),
            Some(&RESERVED_PREFIX) => return refused(key, "is reserved for the engine"),
            Some(_) if key.len() > MAX_KEY_BYTES => return refused(key, "is longer than 1024 bytes"),
            Some(_) => {}
        }
    }
    for (key, value) in &batch.puts {
        if value.len() > MAX_VALUE_BYTES {
            return refused(key, "has a value over 64 KiB");
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod contract;
