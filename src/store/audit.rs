//! Storage of the audit chain: its entries, its head, and an index from hashes to places.
//!
//! The chain itself is `domain::audit`. An entry is written in the transaction of the act that it records, so a
//! crash leaves both or neither.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use thiserror::Error;

use super::key::newtype_keys;
use super::read::Read;
use super::table::{Table, TableError};
use super::transaction::Tx;
use crate::domain::audit::{self, Entry, EntryError, Fields, GENESIS, Head};
use crate::domain::hash::Hash;

newtype_keys!(Hash);

/// The exact bytes that were hashed, by sequence.
const ENTRIES: Table<u64, ByteBuf> = Table::new(250, "audit entries", 1);
/// The sequence of the entry with a hash.
const HASHES: Table<Hash, u64> = Table::new(251, "audit hashes", 1);
const HEAD: Table<(), Head> = Table::new(252, "audit head", 1);

/// Why an entry cannot be appended or read.
#[derive(Debug, Error)]
pub enum AuditError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Entry(#[from] EntryError),
}

/// An intact chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    pub entries: u64,
    pub head: Hash,
}

/// What is wrong with a chain.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The first entry that does not fit; what comes before it is intact.
    #[error("the audit chain is broken at entry {at}: {why}")]
    Broken { at: u64, why: Break },
    #[error(transparent)]
    Table(TableError),
}

/// Why an entry does not fit.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Break {
    #[error("it is missing")]
    Missing,
    #[error("it cannot be read ({0})")]
    Unreadable(String),
    #[error("it carries the number {0}")]
    Sequence(u64),
    #[error("it does not carry the hash of the entry before")]
    Previous,
    #[error("the index of hashes does not name it, or names what is not in the chain")]
    Index,
    #[error("the stored head is another")]
    Head,
}

impl From<TableError> for VerifyError {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

/// Appends an entry to the chain. `nonce` must be 32 random bytes that nothing else uses.
///
/// # Errors
/// When the fields are over their limits, or the store cannot be read.
pub fn append(tx: &mut Tx<'_>, fields: Fields, nonce: [u8; 32]) -> Result<Entry, AuditError> {
    let (entry, bytes, head) = audit::link(&self::head(tx)?, fields, nonce)?;
    tx.put(&ENTRIES, &entry.sequence, &ByteBuf::from(bytes))?;
    tx.put(&HASHES, &head.hash, &entry.sequence)?;
    tx.put(&HEAD, &(), &head)?;
    Ok(entry)
}

/// The chain's newest place and hash.
///
/// # Errors
/// When the store cannot be read.
pub fn head(read: &(impl Read + ?Sized)) -> Result<Head, TableError> {
    Ok(read.get(&HEAD, &())?.unwrap_or(Head::EMPTY))
}

/// The place of the entry with this hash, if it is in the chain; 0 for [`GENESIS`], which every chain begins with.
///
/// # Errors
/// When the store cannot be read.
pub fn contains_head(read: &(impl Read + ?Sized), hash: &Hash) -> Result<Option<u64>, TableError> {
    if *hash == GENESIS {
        Ok(Some(0))
    } else {
        read.get(&HASHES, hash)
    }
}

/// Up to `limit` entries after the one with the number `after` (0 for the beginning), oldest first.
///
/// # Errors
/// When the store cannot be read or an entry is damaged.
pub fn entries_after(
    read: &(impl Read + ?Sized),
    after: u64,
    limit: usize,
) -> Result<Vec<Entry>, AuditError> {
    decode_all(read.range_from(&ENTRIES, Some(&after), limit)?)
}

/// Up to `limit` entries before the one with the number `before` (`None` for the end), newest first.
///
/// # Errors
/// When the store cannot be read or an entry is damaged.
pub fn entries_before(
    read: &(impl Read + ?Sized),
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Entry>, AuditError> {
    decode_all(read.range_back(&ENTRIES, before.as_ref(), limit)?)
}

fn decode_all(stored: Vec<(u64, ByteBuf)>) -> Result<Vec<Entry>, AuditError> {
    stored
        .into_iter()
        .map(|(_, bytes)| Ok(audit::decode(&bytes)?))
        .collect()
}

/// Walks the whole chain, in memory that does not grow with it: every entry follows from the one before, the stored
/// head is the last one's, and the index names each entry and nothing else.
///
/// # Errors
/// [`VerifyError::Broken`] with the first entry that does not fit.
pub fn verify(read: &(impl Read + ?Sized)) -> Result<Verified, VerifyError> {
    let mut last = Head::EMPTY;
    let walked = read.for_each(&ENTRIES, &(), |sequence, bytes: ByteBuf| {
        last = follow(read, &last, sequence, &bytes)?;
        Ok(())
    });
    let broken = |at, why| Err(VerifyError::Broken { at, why });
    match walked {
        Err(VerifyError::Table(error @ (TableError::Damaged { .. } | TableError::Schema { .. }))) => {
            return broken(last.sequence + 1, Break::Unreadable(error.to_string()));
        }
        other => other?,
    }
    let stored = match head(read) {
        Err(TableError::Damaged { .. } | TableError::Schema { .. }) => {
            return broken(last.sequence, Break::Head);
        }
        other => other?,
    };
    if stored.sequence > last.sequence {
        return broken(last.sequence + 1, Break::Missing);
    }
    if stored != last {
        return broken(last.sequence, Break::Head);
    }
    let mut indexed: u64 = 0;
    read.for_each(&HASHES, &(), |_, _: u64| {
        indexed += 1;
        Ok::<(), VerifyError>(())
    })?;
    if indexed != last.sequence {
        return broken(last.sequence, Break::Index);
    }
    Ok(Verified {
        entries: last.sequence,
        head: last.hash,
    })
}

/// The head after the entry, if it follows from the one before.
fn follow(
    read: &(impl Read + ?Sized),
    last: &Head,
    sequence: u64,
    bytes: &[u8],
) -> Result<Head, VerifyError> {
    let at = last.sequence + 1;
    let broken = |why| Err(VerifyError::Broken { at, why });
    if sequence != at {
        return broken(Break::Missing);
    }
    let entry = match audit::decode(bytes) {
        Ok(entry) => entry,
        Err(error) => return broken(Break::Unreadable(error.to_string())),
    };
    if entry.sequence != at {
        return broken(Break::Sequence(entry.sequence));
    }
    if entry.previous != last.hash {
        return broken(Break::Previous);
    }
    let head = Head {
        sequence,
        hash: audit::hash(bytes),
    };
    if read.get(&HASHES, &head.hash)? != Some(sequence) {
        return broken(Break::Index);
    }
    Ok(head)
}

#[cfg(test)]
mod tests;
