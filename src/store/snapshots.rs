//! What open views would miss: the values that newer commits replaced.
//!
//! An engine that changes its keys in place tells this table the old values before it changes them. A view reads
//! the engine first and this table second: whichever of the two saw a commit first, the view ends up with the
//! value as of its own revision. The order matters on both sides and is what makes the reads lock-free.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::engine::{Direction, EngineError, Entry, KeyRange, Versioned};

/// A key, and its value before a commit changes it.
pub(super) type Before = (Vec<u8>, Option<Versioned>);

/// A value before the commit with this revision; `None` where there was none.
#[derive(Debug, Clone)]
struct Replaced {
    by: u64,
    value: Option<Versioned>,
}

#[derive(Debug, Default)]
struct State {
    /// The newest revision that new views show.
    visible: u64,
    /// Open views by revision.
    views: BTreeMap<u64, usize>,
    /// Per key, oldest first.
    replaced: BTreeMap<Vec<u8>, Vec<Replaced>>,
    /// Which keys a commit replaced, so that forgetting a commit costs what it changed.
    commits: BTreeMap<u64, Vec<Vec<u8>>>,
    /// Bytes held in `replaced`, keys included.
    held: usize,
    /// Views below this have expired.
    floor: u64,
    failed: bool,
}

/// Shared by an engine and its views.
#[derive(Debug)]
pub(super) struct Snapshots {
    state: Mutex<State>,
    /// By the first byte of keys, the newest commit that changes one of them. Raised before the commit becomes visible.
    changed: [AtomicU64; 256],
    /// Bytes of replaced values that may be held before the oldest views expire.
    limit: usize,
}

impl Snapshots {
    pub(super) fn new(visible: u64, limit: usize) -> Arc<Self> {
        let state = State {
            visible,
            ..State::default()
        };
        Arc::new(Self {
            state: Mutex::new(state),
            changed: std::array::from_fn(|_| AtomicU64::new(visible)),
            limit,
        })
    }

    /// Registers a view of the newest state.
    pub(super) fn open(self: &Arc<Self>) -> Result<Snapshot, EngineError> {
        let mut state = self.lock();
        if state.failed {
            return Err(EngineError::Failed);
        }
        let revision = state.visible;
        *state.views.entry(revision).or_default() += 1;
        drop(state);
        Ok(Snapshot {
            revision,
            snapshots: Arc::clone(self),
        })
    }

    /// The revision that a view opened now would show.
    pub(super) fn visible(&self) -> Result<u64, EngineError> {
        let state = self.lock();
        if state.failed {
            return Err(EngineError::Failed);
        }
        Ok(state.visible)
    }

    /// Notes what a commit is about to replace. Must be called before the engine changes the first of these keys.
    pub(super) fn replace(&self, revision: u64, previous: Vec<Before>) {
        let mut state = self.lock();
        let mut keys = Vec::with_capacity(previous.len());
        for (key, value) in previous {
            if let Some(first) = key.first() {
                self.changed[usize::from(*first)].store(revision, Ordering::Release);
            }
            state.held += weight(&key, value.as_ref());
            keys.push(key.clone());
            state
                .replaced
                .entry(key)
                .or_default()
                .push(Replaced { by: revision, value });
        }
        state.commits.insert(revision, keys);
    }

    /// Makes a commit visible to new views. Must be called after it is durable.
    pub(super) fn publish(&self, revision: u64) {
        let mut state = self.lock();
        state.visible = revision;
        state.forget_unseen();
        while state.held > self.limit {
            let Some((&oldest, _)) = state.commits.first_key_value() else {
                break;
            };
            state.floor = oldest;
            state.forget_commit(oldest);
        }
    }

    /// Ends service: the engine no longer knows what is on disk.
    pub(super) fn fail(&self) {
        self.lock().failed = true;
    }

    pub(super) fn check_alive(&self) -> Result<(), EngineError> {
        if self.lock().failed {
            Err(EngineError::Failed)
        } else {
            Ok(())
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let state = self.lock();
        assert_eq!(
            state.held == 0,
            state.replaced.is_empty() && state.commits.is_empty()
        );
        state.held
    }

    /// A panic while the table was locked can only be an allocation failure or a bug in this file; the state is
    /// then still whole, because each method changes it in steps that readers tolerate.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets the commits that every open view and every later one shows anyway.
    fn forget_unseen(&mut self) {
        let oldest_view = self
            .views
            .first_key_value()
            .map_or(self.visible, |(revision, _)| *revision);
        while let Some((&oldest, _)) = self.commits.first_key_value() {
            if oldest > oldest_view {
                break;
            }
            self.forget_commit(oldest);
        }
    }

    fn forget_commit(&mut self, revision: u64) {
        for key in self.commits.remove(&revision).unwrap_or_default() {
            let Some(values) = self.replaced.get_mut(&key) else {
                continue;
            };
            let mut freed = 0;
            values.retain(|replaced| {
                let keep = replaced.by > revision;
                if !keep {
                    freed += weight(&key, replaced.value.as_ref());
                }
                keep
            });
            if values.is_empty() {
                self.replaced.remove(&key);
            }
            self.held -= freed;
        }
    }

    /// The value of `key` at `revision`, if a newer commit replaced it.
    fn replaced_at(values: &[Replaced], revision: u64) -> Option<&Option<Versioned>> {
        values
            .iter()
            .find(|replaced| replaced.by > revision)
            .map(|replaced| &replaced.value)
    }

    fn check(&self, revision: u64) -> Result<(), EngineError> {
        if revision < self.floor {
            Err(EngineError::ViewExpired)
        } else {
            Ok(())
        }
    }
}

fn weight(key: &[u8], value: Option<&Versioned>) -> usize {
    key.len() + value.map_or(0, |versioned| versioned.value.len())
}

/// One view's place in the table; forgets itself when dropped.
#[derive(Debug)]
pub(super) struct Snapshot {
    revision: u64,
    snapshots: Arc<Snapshots>,
}

impl Snapshot {
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// See [`EngineView::unchanged_since`](super::engine::EngineView::unchanged_since).
    pub(super) fn unchanged_since(&self, first_byte: u8) -> u64 {
        self.snapshots.changed[usize::from(first_byte)].load(Ordering::Acquire)
    }

    /// Corrects what the engine has now to what it had at this view's revision.
    pub(super) fn get(
        &self,
        key: &[u8],
        current: Option<Versioned>,
    ) -> Result<Option<Versioned>, EngineError> {
        let state = self.snapshots.lock();
        state.check(self.revision)?;
        let replaced = state
            .replaced
            .get(key)
            .and_then(|values| State::replaced_at(values, self.revision));
        Ok(replaced.map_or(current, Clone::clone))
    }

    /// Reads a range as of this view's revision. `read` reads the engine as it is now.
    pub(super) fn range(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
        read: impl Fn(&KeyRange, usize) -> Result<Vec<Entry>, EngineError>,
    ) -> Result<Vec<Entry>, EngineError> {
        let mut found: Vec<Entry> = Vec::new();
        let mut rest = range.clone();
        while found.len() < limit && !rest.is_empty() {
            let wanted = limit - found.len();
            let current = read(&rest, wanted)?;
            // A full answer says nothing about the keys beyond its last one.
            let last = if current.len() < wanted {
                None
            } else {
                current.last().map(|(key, _)| key.clone())
            };
            let covered = match (&last, direction) {
                (None, _) => rest.clone(),
                (Some(key), Direction::Ascending) => KeyRange {
                    end: std::ops::Bound::Included(key.clone()),
                    ..rest.clone()
                },
                (Some(key), Direction::Descending) => KeyRange {
                    start: std::ops::Bound::Included(key.clone()),
                    ..rest.clone()
                },
            };
            found.extend(self.corrected(current, &covered, direction)?);
            let Some(key) = last else { break };
            rest = match direction {
                Direction::Ascending => rest.after(key),
                Direction::Descending => rest.before(key),
            };
        }
        found.truncate(limit);
        Ok(found)
    }

    fn corrected(
        &self,
        current: Vec<Entry>,
        covered: &KeyRange,
        direction: Direction,
    ) -> Result<Vec<Entry>, EngineError> {
        let state = self.snapshots.lock();
        state.check(self.revision)?;
        if state.replaced.is_empty() {
            return Ok(current);
        }
        let mut merged: BTreeMap<Vec<u8>, Versioned> = current.into_iter().collect();
        for (key, values) in state.replaced.range((covered.start.clone(), covered.end.clone())) {
            match State::replaced_at(values, self.revision) {
                Some(Some(value)) => {
                    merged.insert(key.clone(), value.clone());
                }
                Some(None) => {
                    merged.remove(key);
                }
                None => {}
            }
        }
        Ok(match direction {
            Direction::Ascending => merged.into_iter().collect(),
            Direction::Descending => merged.into_iter().rev().collect(),
        })
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let mut state = self.snapshots.lock();
        if let Some(count) = state.views.get_mut(&self.revision) {
            *count -= 1;
            if *count == 0 {
                state.views.remove(&self.revision);
            }
        }
        state.forget_unseen();
    }
}
