//! Reading tables: from a [`View`] of committed state, or from a [`Tx`](super::transaction::Tx) that sees its own writes.

use std::any::Any;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::{Direction, EngineError, EngineView, Entry, KeyRange, RESERVED_PREFIX, Versioned};
use super::key::Key;
use super::recent::{Held, Recent};
use super::table::{Table, TableError};

/// Entries that a stream over a table reads at a time.
const CHUNK: usize = 256;

/// Bytes of a range, as it is stored, up to which it is remembered: a page, not a table.
const KEPT_RANGE_BYTES: usize = 64 * 1024;

/// About how long the name of a range is.
const RANGE_NAME_BYTES: usize = 128;

/// What is left to a reader that wanted more than it could afford.
const SPENT: usize = usize::MAX;

/// A key with its value.
pub type BytesEntry = (Vec<u8>, Vec<u8>);

/// Bytes under keys, as of one state. What [`Read`] is built on.
pub trait ReadBytes {
    /// Reads one key.
    ///
    /// # Errors
    /// When the engine cannot read.
    fn bytes(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// Reads up to `limit` entries of the range, from the end that `direction` names.
    ///
    /// # Errors
    /// When the engine cannot read.
    fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<BytesEntry>, EngineError>;

    /// The committed state in which a key is read, unless this reader has changed it.
    fn committed(&self, key: &[u8]) -> Option<&View>;

    /// This reader as a view, if what it sees is a committed state whatever the key.
    fn as_view(&self) -> Option<&View>;

    /// Told which revision of a key was read in the committed state, where that was not by [`Self::bytes`].
    fn note_read(&self, key: &[u8], revision: Option<u64>);
}

/// Typed reads. All reads of one view, and all of one transaction, see one state.
pub trait Read: ReadBytes {
    /// The record under `key`.
    ///
    /// # Errors
    /// When the engine cannot read or the record is damaged.
    fn get<K: Key, V: Record>(&self, table: &Table<K, V>, key: &K) -> Result<Option<V>, TableError> {
        Ok(self.shared(table, key)?.map(Arc::unwrap_or_clone))
    }

    /// As [`Self::get`], without a copy of what is remembered.
    ///
    /// # Errors
    /// As [`Self::get`].
    fn shared<K: Key, V: Record>(&self, table: &Table<K, V>, key: &K) -> Result<Option<Arc<V>>, TableError> {
        let key = table.engine_key(key)?;
        if table.is_remembered()
            && let Some(view) = self.committed(&key)
        {
            let found = view.recall(table, &key)?;
            self.note_read(&key, found.as_ref().map(|(revision, _)| *revision));
            return Ok(found.map(|(_, body)| body));
        }
        let stored = self.bytes(&key)?;
        let body = stored.map(|stored| table.decode_body(&stored)).transpose()?;
        Ok(body.map(Arc::new))
    }

    /// Whether there is a record under `key`.
    ///
    /// # Errors
    /// When the engine cannot read.
    fn contains<K: Key, V>(&self, table: &Table<K, V>, key: &K) -> Result<bool, TableError> {
        Ok(self.bytes(&table.engine_key(key)?)?.is_some())
    }

    /// Up to `limit` records after the key `after`, in the order of their keys. Pass the last key to go on.
    ///
    /// # Errors
    /// When the engine cannot read or a record is damaged.
    fn range_from<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, TableError> {
        self.range_prefix(table, &(), after, limit)
    }

    /// As [`Self::range_from`], backwards: up to `limit` records before the key `before`, the greatest first.
    ///
    /// # Errors
    /// When the engine cannot read or a record is damaged.
    fn range_back<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        before: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, TableError> {
        self.range_prefix_back(table, &(), before, limit)
    }

    /// As [`Self::range_from`], of the records whose key begins with `prefix`: the first part or parts of a tuple.
    ///
    /// # Errors
    /// When the engine cannot read or a record is damaged.
    fn range_prefix<P: Key, K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        prefix: &P,
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, TableError> {
        let mut range = KeyRange::prefix(&table.engine_key(prefix)?);
        if let Some(after) = after {
            range = range.after(table.engine_key(after)?);
        }
        self.decoded(table, &range, Direction::Ascending, limit)
    }

    /// As [`Self::range_prefix`], backwards.
    ///
    /// # Errors
    /// When the engine cannot read or a record is damaged.
    fn range_prefix_back<P: Key, K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        prefix: &P,
        before: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, TableError> {
        let mut range = KeyRange::prefix(&table.engine_key(prefix)?);
        if let Some(before) = before {
            range = range.before(table.engine_key(before)?);
        }
        self.decoded(table, &range, Direction::Descending, limit)
    }

    /// The record with the least key.
    ///
    /// # Errors
    /// When the engine cannot read or the record is damaged.
    fn first<K: Key, V: Record>(&self, table: &Table<K, V>) -> Result<Option<(K, V)>, TableError> {
        Ok(self.range_from(table, None, 1)?.pop())
    }

    /// The record with the greatest key.
    ///
    /// # Errors
    /// When the engine cannot read or the record is damaged.
    fn last<K: Key, V: Record>(&self, table: &Table<K, V>) -> Result<Option<(K, V)>, TableError> {
        Ok(self.range_back(table, None, 1)?.pop())
    }

    /// Hands every record whose key begins with `prefix` to `each`, in the order of their keys and without holding
    /// them all in memory. Stops at the first error.
    ///
    /// # Errors
    /// Those of `each`, and when the engine cannot read or a record is damaged.
    fn for_each<P, K, V, E>(
        &self,
        table: &Table<K, V>,
        prefix: &P,
        mut each: impl FnMut(K, V) -> Result<(), E>,
    ) -> Result<(), E>
    where
        P: Key,
        K: Key,
        V: Record,
        E: From<TableError>,
    {
        let mut range = KeyRange::prefix(&table.engine_key(prefix)?);
        loop {
            let entries = self
                .scan(&range, Direction::Ascending, CHUNK)
                .map_err(TableError::from)?;
            let last = entries.last().map(|(key, _)| key.clone());
            let full = entries.len() == CHUNK;
            for (key, stored) in entries {
                each(table.decode_key(&key)?, table.decode_body(&stored)?)?;
            }
            match last {
                Some(last) if full => range = range.after(last),
                _ => return Ok(()),
            }
        }
    }

    /// Shared by the ranges above.
    #[doc(hidden)]
    fn decoded<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(K, V)>, TableError> {
        if table.is_remembered()
            && let Some(view) = self.as_view()
        {
            return Ok(view.recall_range(table, range, direction, limit)?.to_vec());
        }
        decode_entries(table, self.scan(range, direction, limit)?)
    }
}

fn decode_entries<K: Key, V: Record>(
    table: &Table<K, V>,
    entries: Vec<BytesEntry>,
) -> Result<Vec<(K, V)>, TableError> {
    let mut found = Vec::with_capacity(entries.len());
    // An index holds the same under each of its keys: nothing.
    let is_index = size_of::<V>() == 0;
    let mut nothing: Option<(Vec<u8>, V)> = None;
    for (key, stored) in entries {
        let body = match &nothing {
            Some((same, body)) if *same == stored => body.clone(),
            _ => table.decode_body(&stored)?,
        };
        if is_index && nothing.is_none() {
            nothing = Some((stored, body.clone()));
        }
        found.push((table.decode_key(&key)?, body));
    }
    Ok(found)
}

/// What a range is remembered under: nothing that is a key of a table.
fn range_name(range: &KeyRange, direction: Direction, limit: usize) -> Vec<u8> {
    let mut name = Vec::with_capacity(RANGE_NAME_BYTES);
    name.extend_from_slice(&[RESERVED_PREFIX, u8::from(direction == Direction::Descending)]);
    name.extend_from_slice(&limit.to_be_bytes());
    for bound in [&range.start, &range.end] {
        let (mark, key) = match bound {
            Bound::Unbounded => (0, &[][..]),
            Bound::Included(key) => (1, key.as_slice()),
            Bound::Excluded(key) => (2, key.as_slice()),
        };
        name.push(mark);
        name.extend_from_slice(&key.len().to_be_bytes());
        name.extend_from_slice(key);
    }
    name
}

impl<R: ReadBytes + ?Sized> Read for R {}

/// What a table can hold.
pub trait Record: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}

impl<V: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Record for V {}

/// Remembered where there is no record.
struct Absent;

/// One committed state. Cheap to make; keep it for one task only (see [`EngineView`]).
#[derive(Debug, Clone)]
pub struct View {
    engine: Arc<dyn EngineView>,
    /// What was decoded lately, in whichever state.
    recent: Option<Arc<Recent>>,
    /// How many entries may still be read of the engine, where that is bounded.
    left: Option<Arc<AtomicUsize>>,
}

impl View {
    #[must_use]
    pub fn new(engine: Arc<dyn EngineView>) -> Self {
        Self {
            engine,
            recent: None,
            left: None,
        }
    }

    /// A view that remembers what it decodes for others of the same store.
    pub(super) fn remembering(engine: Arc<dyn EngineView>, recent: Arc<Recent>) -> Self {
        Self {
            engine,
            recent: Some(recent),
            left: None,
        }
    }

    /// The same view for a reader that must be quick: it ends in [`EngineError::Unsparing`] once it has read so many entries of the
    /// engine and wants more.
    #[must_use]
    pub fn sparing(self, entries: usize) -> Self {
        Self {
            left: Some(Arc::new(AtomicUsize::new(entries))),
            ..self
        }
    }

    /// Whether a reader wanted more than it could afford.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.left
            .as_ref()
            .is_some_and(|left| left.load(Ordering::Relaxed) == SPENT)
    }

    /// Counts entries that are read.
    fn spend(&self, entries: usize) -> Result<(), EngineError> {
        let Some(left) = &self.left else { return Ok(()) };
        let before = left.load(Ordering::Relaxed);
        let enough = before != SPENT && before >= entries;
        // A view is for one task: nobody else counts at the same time.
        left.store(if enough { before - entries } else { SPENT }, Ordering::Relaxed);
        if enough {
            Ok(())
        } else {
            Err(EngineError::Unsparing)
        }
    }

    /// As many entries as a reader asks for, or one more than are left to it.
    fn affordable(&self, limit: usize) -> usize {
        let left = self.left.as_ref().map(|left| left.load(Ordering::Relaxed));
        left.map_or(limit, |left| limit.min(left.saturating_add(1)))
    }

    /// Whether what was seen at a revision under keys with this first byte is so in this state too.
    fn still_shows(&self, seen_at: u64, first_byte: u8) -> bool {
        let here = self.revision();
        seen_at == here || self.engine.unchanged_since(first_byte) <= seen_at.min(here)
    }

    /// Reads a record with its revision, without decoding it once more where that was done for the same revision.
    fn recall<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        key: &[u8],
    ) -> Result<Option<(u64, Arc<V>)>, TableError> {
        let known = self.recent.as_ref().and_then(|recent| recent.find(key));
        if let Some(held) = &known
            && self.still_shows(held.seen_at, table.prefix())
        {
            if held.body.is::<Absent>() {
                return Ok(None);
            }
            if let Ok(body) = Arc::clone(&held.body).downcast() {
                return Ok(Some((held.revision, body)));
            }
        }
        let keep = |revision, body: Arc<dyn Any + Send + Sync>, bytes| {
            if let Some(recent) = &self.recent {
                recent.keep(key.to_vec(), Held::new(revision, self.revision(), body, bytes));
            }
        };
        let Some(stored) = self.engine_get(key)? else {
            keep(self.revision(), Arc::new(Absent), 0);
            return Ok(None);
        };
        let same = known.filter(|held| held.revision == stored.revision);
        let body = match same.and_then(|held| held.body.downcast().ok()) {
            Some(body) => body,
            None => Arc::new(table.decode_body(&stored.value)?),
        };
        keep(stored.revision, body.clone(), stored.value.len());
        Ok(Some((stored.revision, body)))
    }

    /// Reads a range, without asking the engine where the table has not changed since that was done.
    fn recall_range<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Arc<Vec<(K, V)>>, TableError> {
        let name = range_name(range, direction, limit);
        if let Some(held) = self.recent.as_ref().and_then(|recent| recent.find(&name))
            && self.still_shows(held.seen_at, table.prefix())
            && let Ok(found) = held.body.downcast()
        {
            return Ok(found);
        }
        let entries = self.scan(range, direction, limit)?;
        let bytes = entries.iter().map(|(key, stored)| key.len() + stored.len()).sum();
        let found = Arc::new(decode_entries(table, entries)?);
        if let Some(recent) = &self.recent
            && bytes <= KEPT_RANGE_BYTES
        {
            let at = self.revision();
            recent.keep(name, Held::new(at, at, found.clone(), bytes));
        }
        Ok(found)
    }

    /// The revision of the newest commit that this view shows.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.engine.revision()
    }

    /// Reads one key with its revision.
    pub(super) fn engine_get(&self, key: &[u8]) -> Result<Option<Versioned>, EngineError> {
        self.spend(1)?;
        self.engine.get(key)
    }

    /// Reads a range with revisions; an empty range is answered here, so that engines never see one.
    pub(super) fn engine_entries(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Entry>, EngineError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        self.spend(0)?;
        let found = self.engine.range(range, direction, self.affordable(limit))?;
        self.spend(found.len().max(1))?;
        Ok(found)
    }

    /// Hands every entry of the store, in order, to `each`: a consistent copy while the node goes on writing.
    ///
    /// # Errors
    /// Those of `each`, and when the engine cannot read.
    pub fn export<E: From<EngineError>>(
        &self,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut range = KeyRange::all();
        loop {
            let entries = self.scan(&range, Direction::Ascending, CHUNK)?;
            for (key, stored) in &entries {
                each(key, stored)?;
            }
            match entries.into_iter().next_back() {
                Some((last, _)) => range = range.after(last),
                None => return Ok(()),
            }
        }
    }
}

impl ReadBytes for View {
    fn bytes(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.engine_get(key)?.map(|versioned| versioned.value))
    }

    fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<BytesEntry>, EngineError> {
        let entries = self.engine_entries(range, direction, limit)?;
        Ok(entries
            .into_iter()
            .map(|(key, versioned)| (key, versioned.value))
            .collect())
    }

    fn committed(&self, _key: &[u8]) -> Option<&View> {
        Some(self)
    }

    fn as_view(&self) -> Option<&View> {
        Some(self)
    }

    fn note_read(&self, _key: &[u8], _revision: Option<u64>) {}
}

#[cfg(test)]
mod tests;
