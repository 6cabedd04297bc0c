//! Bringing an older store up to date when it is opened.
//!
//! The store carries one version, and migrations lead from each version to the next. A migration works in steps
//! that are one commit each, together with a note of how far it came: a crash between two steps costs nothing, the
//! next opening goes on where it stopped. A new store starts at the newest version.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use thiserror::Error;

use super::engine::{CommitError, Direction, Engine, KeyRange};
use super::key::Key;
use super::read::{Read, ReadBytes, Record};
use super::table::{Table, TableError, decode_body, encode_body};
use super::transaction::{Tx, commit_alone};

/// The version of a store before its first migration.
pub const FIRST_VERSION: u32 = 1;

/// Records that one step rewrites: at most 16 MiB, however long they are.
const RECORDS_PER_STEP: usize = 256;

const PROGRESS: Table<(), Progress> = Table::new(255, "store version", 1);

/// How far the store has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    version: u32,
    /// Where the migration to the next version goes on, if one is under way.
    cursor: Option<ByteBuf>,
}

/// Leads from one version of the store to the next.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The version that it leads to; the list has one migration for each from [`FIRST_VERSION`] + 1 on, in order.
    pub to: u32,
    /// What it changes, for the log.
    pub name: &'static str,
    /// Does a bounded part of the work. Gets what the step before gave as [`Step::More`], `None` at the beginning.
    pub step: fn(&mut Tx<'_>, Option<&[u8]>) -> Result<Step, TableError>,
}

/// What a step leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// More to do, from this cursor on.
    More(Vec<u8>),
    Done,
}

/// Where the store was and is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    pub from: u32,
    pub to: u32,
}

/// Why a store cannot be brought up to date.
#[derive(Debug, Error)]
pub enum MigrateError {
    #[error("the store has version {found}, this node knows versions up to {newest}; update this node")]
    Newer { found: u32, newest: u32 },
    #[error("the list of migrations has a gap before version {0}")]
    Gap(u32),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Brings the store to the version of the last migration. Call it before anything else reads or writes.
///
/// # Errors
/// [`MigrateError::Newer`] if the store was written by a newer node. After any other error the store is between two
/// steps, and calling this again goes on.
pub fn migrate(engine: &Arc<dyn Engine>, migrations: &[Migration]) -> Result<Migrated, MigrateError> {
    for (expected, migration) in (FIRST_VERSION + 1..).zip(migrations) {
        if migration.to != expected {
            return Err(MigrateError::Gap(migration.to));
        }
    }
    let newest = migrations.last().map_or(FIRST_VERSION, |migration| migration.to);
    let mut progress = commit_alone(engine, |tx| begin(tx, newest))?;
    let from = progress.version;
    if from > newest {
        return Err(MigrateError::Newer { found: from, newest });
    }
    for migration in migrations.iter().filter(|migration| migration.to > from) {
        tracing::info!(
            version = migration.to,
            change = migration.name,
            "migrating the store"
        );
        while progress.version < migration.to {
            progress = commit_alone(engine, |tx| advance(tx, migration, &progress))?;
        }
    }
    Ok(Migrated { from, to: newest })
}

/// The progress that the store notes. An empty store gets the newest version; one without a note is of the first.
fn begin(tx: &mut Tx<'_>, newest: u32) -> Result<Progress, MigrateError> {
    if let Some(progress) = tx.get(&PROGRESS, &())? {
        return Ok(progress);
    }
    let empty = tx
        .scan(&KeyRange::all(), Direction::Ascending, 1)
        .map_err(TableError::from)?
        .is_empty();
    let version = if empty { newest } else { FIRST_VERSION };
    let progress = Progress {
        version,
        cursor: None,
    };
    tx.put(&PROGRESS, &(), &progress)?;
    Ok(progress)
}

fn advance(tx: &mut Tx<'_>, migration: &Migration, before: &Progress) -> Result<Progress, MigrateError> {
    let cursor = before.cursor.as_ref().map(|cursor| cursor.as_slice());
    let progress = match (migration.step)(tx, cursor)? {
        Step::More(cursor) => Progress {
            version: before.version,
            cursor: Some(ByteBuf::from(cursor)),
        },
        Step::Done => Progress {
            version: migration.to,
            cursor: None,
        },
    };
    tx.put(&PROGRESS, &(), &progress)?;
    Ok(progress)
}

/// One step of rewriting a table's bodies from schema `from` to the table's own; for use inside a migration.
///
/// # Errors
/// When a body is not of schema `from`, or the store cannot be read.
pub fn rewrite<K: Key, Old: DeserializeOwned, New: Record>(
    tx: &mut Tx<'_>,
    table: &Table<K, New>,
    from: u16,
    cursor: Option<&[u8]>,
    change: impl Fn(Old) -> New,
) -> Result<Step, TableError> {
    let mut range = KeyRange::prefix(&[table.prefix()]);
    if let Some(cursor) = cursor {
        range = range.after(cursor.to_vec());
    }
    let entries = tx.scan(&range, Direction::Ascending, RECORDS_PER_STEP)?;
    let full = entries.len() == RECORDS_PER_STEP;
    let last = entries.last().map(|(key, _)| key.clone());
    for (key, stored) in entries {
        let body = change(decode_body(table.name(), from, &stored)?);
        tx.put_bytes(key, encode_body(table.name(), table.schema(), &body)?)?;
    }
    Ok(match last {
        Some(last) if full => Step::More(last),
        _ => Step::Done,
    })
}

#[cfg(test)]
mod tests;
