//! Transactions: closures that read one state and stage what the next one changes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::engine::{Batch, CommitError, Direction, Engine, EngineError, KeyRange};
use super::key::Key;
use super::read::{BytesEntry, Read, ReadBytes, Record, View};
use super::table::{Table, TableError};

/// Most bytes that one transaction may stage, keys included.
pub const MAX_TRANSACTION_BYTES: usize = 64 * 1024 * 1024;

/// What is staged: a value, or `None` for a deletion.
type Staged = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Transactions that will be committed as one, each seeing the writes of those before it.
#[derive(Debug)]
pub(super) struct Group {
    view: View,
    staged: Staged,
    /// What was read of the view: key and revision. The engine checks that it still holds.
    reads: BTreeMap<Vec<u8>, Option<u64>>,
    bytes: usize,
}

impl Group {
    pub(super) fn on(engine: &dyn Engine) -> Result<Self, EngineError> {
        let view = View::new(engine.view()?);
        Ok(Self {
            view,
            staged: Staged::new(),
            reads: BTreeMap::new(),
            bytes: 0,
        })
    }

    /// Runs one transaction. If it fails, nothing of it stays staged; its reads count in either case, because its
    /// answer rests on them.
    pub(super) fn run<T, E>(
        &mut self,
        transaction: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut tx = Tx {
            group: self,
            staged: Staged::new(),
            reads: RefCell::default(),
            bytes: 0,
        };
        let result = transaction(&mut tx);
        let Tx {
            staged, reads, bytes, ..
        } = tx;
        self.reads.extend(reads.into_inner());
        if result.is_ok() {
            self.staged.extend(staged);
            self.bytes += bytes;
        }
        result
    }

    /// Bytes staged so far, not counting what was staged twice.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Commits what is staged; nothing staged needs no commit.
    pub(super) fn commit(self, engine: &dyn Engine) -> Result<(), CommitError> {
        let mut batch = Batch {
            preconditions: self.reads.into_iter().collect(),
            ..Batch::default()
        };
        for (key, value) in self.staged {
            match value {
                Some(value) => batch.puts.push((key, value)),
                None => batch.deletes.push(key),
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        engine.commit(batch).map(|_revision| ())
    }
}

/// Runs one transaction as a group of its own, on an engine that has no writer yet.
pub(super) fn commit_alone<T, E: From<CommitError>>(
    engine: &Arc<dyn Engine>,
    transaction: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let mut group = Group::on(engine.as_ref()).map_err(CommitError::from)?;
    let value = group.run(transaction)?;
    group.commit(engine.as_ref())?;
    Ok(value)
}

/// One transaction under way: reads see its own writes, nobody else sees them before they are durable.
pub struct Tx<'group> {
    group: &'group Group,
    staged: Staged,
    reads: RefCell<BTreeMap<Vec<u8>, Option<u64>>>,
    bytes: usize,
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx")
            .field("writes", &self.staged.len())
            .field("bytes", &self.bytes)
            .finish()
    }
}

impl Tx<'_> {
    /// Stages a record under `key`, in place of any that is there.
    ///
    /// # Errors
    /// [`TableError::TooLarge`] for a body over 64 KiB, [`TableError::TransactionTooLarge`] once all of the
    /// transaction is over [`MAX_TRANSACTION_BYTES`]. Then nothing was staged by this call.
    pub fn put<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        key: &K,
        body: &V,
    ) -> Result<(), TableError> {
        self.put_bytes(table.engine_key(key)?, table.encode_body(body)?)
    }

    /// Stages a record under a key that must be free; whether it was.
    ///
    /// # Errors
    /// As [`Self::put`], and when the engine cannot read.
    pub fn insert<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        key: &K,
        body: &V,
    ) -> Result<bool, TableError> {
        let free = !self.contains(table, key)?;
        if free {
            self.put(table, key, body)?;
        }
        Ok(free)
    }

    /// Stages the deletion of the record under `key`; an absent one is no error.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn delete<K: Key, V>(&mut self, table: &Table<K, V>, key: &K) -> Result<(), TableError> {
        self.delete_bytes(table.engine_key(key)?)
    }

    pub(super) fn put_bytes(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), TableError> {
        self.stage(key, Some(value))
    }

    pub(super) fn delete_bytes(&mut self, key: Vec<u8>) -> Result<(), TableError> {
        self.stage(key, None)
    }

    fn stage(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), TableError> {
        let bytes = self.bytes + key.len() + value.as_ref().map_or(0, Vec::len);
        if bytes > MAX_TRANSACTION_BYTES {
            return Err(TableError::TransactionTooLarge);
        }
        self.bytes = bytes;
        self.staged.insert(key, value);
        Ok(())
    }

    /// What this transaction or one before it in the group staged under `key`.
    fn staged(&self, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.staged.get(key).or_else(|| self.group.staged.get(key))
    }
}

impl ReadBytes for Tx<'_> {
    fn bytes(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        if let Some(staged) = self.staged(key) {
            return Ok(staged.clone());
        }
        let found = self.group.view.engine_get(key)?;
        let revision = found.as_ref().map(|versioned| versioned.revision);
        self.reads.borrow_mut().insert(key.to_vec(), revision);
        Ok(found.map(|versioned| versioned.value))
    }

    fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<BytesEntry>, EngineError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        // Every staged deletion may hide one entry of the view, so that many more are read.
        let bounds = || (range.start.clone(), range.end.clone());
        let layers = [&self.group.staged, &self.staged];
        let hidden: usize = layers
            .iter()
            .map(|layer| layer.range(bounds()).filter(|(_, value)| value.is_none()).count())
            .sum();
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut reads = self.reads.borrow_mut();
        for (key, versioned) in
            self.group
                .view
                .engine_entries(range, direction, limit.saturating_add(hidden))?
        {
            reads.insert(key.clone(), Some(versioned.revision));
            merged.insert(key, versioned.value);
        }
        for (key, value) in layers.iter().flat_map(|layer| layer.range(bounds())) {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        Ok(match direction {
            Direction::Ascending => merged.into_iter().take(limit).collect(),
            Direction::Descending => merged.into_iter().rev().take(limit).collect(),
        })
    }
}

#[cfg(test)]
mod tests;
