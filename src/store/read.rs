//! Reading tables: from a [`View`] of committed state, or from a [`Tx`](super::transaction::Tx) that sees its own writes.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::{Direction, EngineError, EngineView, Entry, KeyRange, Versioned};
use super::key::Key;
use super::table::{Table, TableError};

/// Entries that a stream over a table reads at a time.
const CHUNK: usize = 256;

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
}

/// Typed reads. All reads of one view, and all of one transaction, see one state.
pub trait Read: ReadBytes {
    /// The record under `key`.
    ///
    /// # Errors
    /// When the engine cannot read or the record is damaged.
    fn get<K: Key, V: Record>(&self, table: &Table<K, V>, key: &K) -> Result<Option<V>, TableError> {
        let stored = self.bytes(&table.engine_key(key)?)?;
        stored.map(|stored| table.decode_body(&stored)).transpose()
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
        let entries = self.scan(range, direction, limit)?;
        entries
            .into_iter()
            .map(|(key, stored)| Ok((table.decode_key(&key)?, table.decode_body(&stored)?)))
            .collect()
    }
}

impl<R: ReadBytes + ?Sized> Read for R {}

/// What a table can hold.
pub trait Record: Serialize + DeserializeOwned {}

impl<V: Serialize + DeserializeOwned> Record for V {}

/// One committed state. Cheap to make; keep it for one task only (see [`EngineView`]).
#[derive(Debug, Clone)]
pub struct View {
    engine: Arc<dyn EngineView>,
}

impl View {
    #[must_use]
    pub fn new(engine: Arc<dyn EngineView>) -> Self {
        Self { engine }
    }

    /// The revision of the newest commit that this view shows.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.engine.revision()
    }

    /// Reads one key with its revision.
    pub(super) fn engine_get(&self, key: &[u8]) -> Result<Option<Versioned>, EngineError> {
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
            Ok(Vec::new())
        } else {
            self.engine.range(range, direction, limit)
        }
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
        Ok(self.engine.get(key)?.map(|versioned| versioned.value))
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
}
