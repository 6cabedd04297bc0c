//! Transactions: closures that read one state and stage what the next one changes.

use std::cell::RefCell;
use std::cmp::Ordering;
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
    /// On a committed state, which nobody else may change before the group is committed.
    pub(super) fn on(view: View) -> Self {
        Self {
            view,
            staged: Staged::new(),
            reads: BTreeMap::new(),
            bytes: 0,
        }
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
            read_at: Some(self.view.revision()),
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
    let mut group = Group::on(View::new(engine.view().map_err(CommitError::from)?));
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

    /// The same for a range that is not empty: each key once, a deletion as none.
    fn staged_in(&self, range: &KeyRange, direction: Direction) -> impl Iterator<Item = StagedEntry<'_>> {
        let mut before = layer(&self.group.staged, range, direction).peekable();
        let mut own = layer(&self.staged, range, direction).peekable();
        std::iter::from_fn(move || {
            let order = match (before.peek(), own.peek()) {
                (None, _) => Ordering::Greater,
                (_, None) => Ordering::Less,
                (Some((before, _)), Some((own, _))) => in_order(direction, before, own),
            };
            match order {
                Ordering::Less => before.next(),
                Ordering::Greater => own.next(),
                Ordering::Equal => {
                    before.next();
                    own.next()
                }
            }
        })
    }
}

/// A key with what is staged under it.
type StagedEntry<'a> = (&'a Vec<u8>, &'a Option<Vec<u8>>);

fn layer<'a>(
    staged: &'a Staged,
    range: &KeyRange,
    direction: Direction,
) -> Box<dyn Iterator<Item = StagedEntry<'a>> + 'a> {
    let within = staged.range((range.start.clone(), range.end.clone()));
    match direction {
        Direction::Ascending => Box::new(within),
        Direction::Descending => Box::new(within.rev()),
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
        // The view is read piece by piece, and what is staged only as far as the pieces reach: the newest entry of a table that
        // thousands of writes are staged to costs no more than any other.
        let mut found = Vec::new();
        let mut staged = self.staged_in(range, direction).peekable();
        let mut rest = range.clone();
        let mut reads = self.reads.borrow_mut();
        while found.len() < limit && !rest.is_empty() {
            let wanted = limit - found.len();
            let piece = self.group.view.engine_entries(&rest, direction, wanted)?;
            let last = piece.last().map(|(key, _)| key.clone());
            let full = piece.len() == wanted;
            for (key, versioned) in piece {
                reads.insert(key.clone(), Some(versioned.revision));
                while found.len() < limit
                    && let Some((key, value)) =
                        staged.next_if(|(staged, _)| in_order(direction, staged, &key) == Ordering::Less)
                {
                    found.extend(value.clone().map(|value| (key.clone(), value)));
                }
                if found.len() == limit {
                    break;
                }
                match staged.next_if(|(staged, _)| **staged == key) {
                    Some((_, replaced)) => found.extend(replaced.clone().map(|value| (key, value))),
                    None => found.push((key, versioned.value)),
                }
            }
            rest = match (last, direction) {
                (Some(last), Direction::Ascending) if full => rest.after(last),
                (Some(last), Direction::Descending) if full => rest.before(last),
                _ => break,
            };
        }
        while found.len() < limit
            && let Some((key, value)) = staged.next()
        {
            found.extend(value.clone().map(|value| (key.clone(), value)));
        }
        Ok(found)
    }

    fn committed(&self, key: &[u8]) -> Option<&View> {
        match self.staged(key) {
            None => Some(&self.group.view),
            Some(_) => None,
        }
    }

    fn as_view(&self) -> Option<&View> {
        None
    }

    fn note_read(&self, key: &[u8], revision: Option<u64>) {
        self.reads.borrow_mut().insert(key.to_vec(), revision);
    }
}

/// How two keys follow each other in a direction.
fn in_order(direction: Direction, one: &[u8], other: &[u8]) -> Ordering {
    match direction {
        Direction::Ascending => one.cmp(other),
        Direction::Descending => other.cmp(one),
    }
}

#[cfg(test)]
mod tests;
