//! The engine in memory: the same contract as the embedded one, without a disk. For tests of everything above.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::engine::{
    Batch, CommitError, Direction, Engine, EngineError, EngineView, Entry, KeyRange, Versioned, check_batch,
};
use super::snapshots::{Snapshot, Snapshots};

type Values = Arc<RwLock<BTreeMap<Vec<u8>, Versioned>>>;

/// Bytes of replaced values that open views may hold.
const SNAPSHOT_BYTES: usize = 64 * 1024 * 1024;

/// An engine that forgets everything when it is dropped.
#[derive(Debug)]
pub struct MemoryEngine {
    values: Values,
    snapshots: Arc<Snapshots>,
    /// The revision of the newest commit; held while one is under way.
    last: Mutex<u64>,
    syncs: AtomicU64,
}

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::with_snapshot_bytes(SNAPSHOT_BYTES)
    }
}

impl MemoryEngine {
    /// An empty engine.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty engine whose views expire once `limit` bytes of replaced values are held for them.
    #[must_use]
    pub fn with_snapshot_bytes(limit: usize) -> Self {
        Self {
            values: Values::default(),
            snapshots: Snapshots::new(0, limit),
            last: Mutex::new(0),
            syncs: AtomicU64::new(0),
        }
    }
}

impl Engine for MemoryEngine {
    fn view(&self) -> Result<Arc<dyn EngineView>, EngineError> {
        Ok(Arc::new(MemoryView {
            values: Arc::clone(&self.values),
            snapshot: self.snapshots.open()?,
        }))
    }

    fn revision(&self) -> Result<u64, EngineError> {
        self.snapshots.visible()
    }

    fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
        check_batch(&batch)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        let unmet = |(key, expected): &&(Vec<u8>, Option<u64>)| {
            values.get(key).map(|versioned| versioned.revision) != *expected
        };
        if batch.rests_on_an_older_state(*last)
            && let Some((key, _)) = batch.preconditions.iter().find(unmet)
        {
            return Err(CommitError::Conflict { key: key.clone() });
        }
        let revision = *last + 1;
        let changed = batch.puts.iter().map(|(key, _)| key).chain(&batch.deletes);
        let previous = changed
            .map(|key| (key.clone(), values.get(key).cloned()))
            .collect();
        self.snapshots.replace(revision, previous);
        for key in &batch.deletes {
            values.remove(key);
        }
        for (key, value) in batch.puts {
            values.insert(key, Versioned { revision, value });
        }
        *last = revision;
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.snapshots.publish(revision);
        Ok(revision)
    }

    fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct MemoryView {
    values: Values,
    snapshot: Snapshot,
}

impl EngineView for MemoryView {
    fn revision(&self) -> u64 {
        self.snapshot.revision()
    }

    fn unchanged_since(&self, first_byte: u8) -> u64 {
        self.snapshot.unchanged_since(first_byte)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Versioned>, EngineError> {
        let current = self
            .values
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned();
        self.snapshot.get(key, current)
    }

    fn range(&self, range: &KeyRange, direction: Direction, limit: usize) -> Result<Vec<Entry>, EngineError> {
        self.snapshot.range(range, direction, limit, |span, wanted| {
            let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
            let entries = values.range((span.start.clone(), span.end.clone()));
            let owned = |(key, value): (&Vec<u8>, &Versioned)| (key.clone(), value.clone());
            Ok(match direction {
                Direction::Ascending => entries.take(wanted).map(owned).collect(),
                Direction::Descending => entries.rev().take(wanted).map(owned).collect(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::contract::{engine_contract, put};

    engine_contract!(MemoryEngine::new());

    #[test]
    fn a_view_that_holds_up_too_much_expires() {
        let engine = MemoryEngine::with_snapshot_bytes(1000);
        put(&engine, b"a", &[0; 400]);
        let old = engine.view().unwrap();
        put(&engine, b"a", &[1; 400]);
        let newer = engine.view().unwrap();
        put(&engine, b"a", &[2; 400]);
        assert_eq!(old.get(b"a").unwrap().unwrap().value, [0; 400]);
        put(&engine, b"a", &[3; 400]);
        assert!(matches!(old.get(b"a"), Err(EngineError::ViewExpired)));
        assert!(matches!(
            old.range(&KeyRange::all(), Direction::Ascending, 1),
            Err(EngineError::ViewExpired)
        ));
        assert_eq!(newer.get(b"a").unwrap().unwrap().value, [1; 400]);
    }

    #[test]
    fn nothing_is_held_once_views_are_gone() {
        let engine = MemoryEngine::new();
        put(&engine, b"a", &[0; 400]);
        let view = engine.view().unwrap();
        put(&engine, b"a", &[1; 400]);
        assert_ne!(engine.snapshots.held(), 0);
        drop(view);
        assert_eq!(engine.snapshots.held(), 0);
        put(&engine, b"a", &[2; 400]);
        assert_eq!(engine.snapshots.held(), 0);
    }
}
