//! Records and short ranges that were read lately, decoded: most reads ask for the same few again and again, and decoding one costs
//! several times as much as finding its bytes.
//!
//! What a key holds under a revision never changes, so a decoded record is right wherever the engine names the same revision.
//! While its table does not change at all, not even that is asked; a range, and that there is no record, are right only so long.
//! Only tables that say so are remembered: none that holds secrets.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of records, as they are stored, after which those that were not asked for lately go. Decoded they take two to three times
/// as much, and twice as many are kept at most.
const KEPT_BYTES: usize = 4 * 1024 * 1024;
/// What an entry takes beside its bytes, about.
const ENTRY_BYTES: usize = 256;

/// A decoded record, or the decoded entries of a range.
#[derive(Clone)]
pub(super) struct Held {
    /// The commit that wrote it; of a range, and where there is no record, that at which it was read.
    pub revision: u64,
    /// The newest revision of the store at which it was seen to be what its name says.
    pub seen_at: u64,
    /// The table's own type, or a list of its keys and bodies.
    pub body: Arc<dyn Any + Send + Sync>,
    weight: usize,
}

impl Held {
    /// What was decoded from so many bytes.
    pub(super) fn new(revision: u64, seen_at: u64, body: Arc<dyn Any + Send + Sync>, bytes: usize) -> Self {
        Self {
            revision,
            seen_at,
            body,
            weight: bytes + ENTRY_BYTES,
        }
    }
}

/// What is remembered of one store.
pub(super) struct Recent {
    halves: Mutex<Halves>,
    /// What one half holds at most, in bytes.
    limit: usize,
}

/// Two halves instead of an order of use: once the younger is full it becomes the older, and what was older is forgotten. What is
/// asked for moves to the younger.
#[derive(Default)]
struct Halves {
    young: HashMap<Vec<u8>, Held>,
    old: HashMap<Vec<u8>, Held>,
    bytes: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self::with_limit(KEPT_BYTES)
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Recent(..)")
    }
}

impl Recent {
    fn with_limit(limit: usize) -> Self {
        Self {
            halves: Mutex::default(),
            limit,
        }
    }

    /// What is remembered under a name: an engine's key, or that of a range.
    pub(super) fn find(&self, key: &[u8]) -> Option<Held> {
        let mut halves = self.lock();
        if let Some(held) = halves.young.get(key) {
            return Some(held.clone());
        }
        let (key, held) = halves.old.remove_entry(key)?;
        self.put(&mut halves, key, held.clone());
        Some(held)
    }

    /// Remembers something under its name. What is known of a later state stays.
    pub(super) fn keep(&self, key: Vec<u8>, held: Held) {
        let mut halves = self.lock();
        let known = halves.young.get(&key).or_else(|| halves.old.get(&key));
        if known.is_none_or(|known| known.seen_at <= held.seen_at) {
            self.put(&mut halves, key, held);
        }
    }

    fn put(&self, halves: &mut Halves, key: Vec<u8>, held: Held) {
        halves.bytes += key.len() + held.weight;
        let length = key.len();
        if let Some(before) = halves.young.insert(key, held) {
            halves.bytes -= length + before.weight;
        }
        if halves.bytes > self.limit {
            halves.old = std::mem::take(&mut halves.young);
            halves.bytes = 0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Halves> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(revision: u64, seen_at: u64) -> Held {
        Held::new(revision, seen_at, Arc::new(revision), 100)
    }

    #[test]
    fn what_is_asked_for_stays_and_memory_is_bounded() {
        let recent = Recent::with_limit(10_000);
        recent.keep(vec![0], held(1, 1));
        for key in 1..=255_u8 {
            recent.keep(vec![key], held(u64::from(key), 255));
            assert!(recent.find(&[0]).is_some(), "asked for at each turn: {key}");
        }
        assert!(recent.find(&[1]).is_none());
        let halves = recent.lock();
        assert!((halves.young.len() + halves.old.len()) * (100 + ENTRY_BYTES) <= 21_000);
    }

    #[test]
    fn an_older_state_does_not_take_the_place_of_a_newer_one() {
        let recent = Recent::default();
        recent.keep(vec![1], held(5, 9));
        recent.keep(vec![1], held(3, 4));
        assert_eq!(recent.find(&[1]).unwrap().revision, 5);
        recent.keep(vec![1], held(10, 10));
        assert_eq!(recent.find(&[1]).unwrap().revision, 10);
    }
}
