//! Typed tables: which keys and values live under which prefix.
//!
//! A body is CBOR inside an envelope that names its schema version. A table reads only its current version: older
//! bodies are rewritten by a [`migration`](super::migration) when the store is opened, newer ones are refused.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::engine::EngineError;
use super::key::{Key, KeyError, decode_whole};

/// Longest body of a record, in bytes of CBOR without its envelope. Larger things are blobs or attachments.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Most keys are no longer: one or two ids, a number and a byte or two.
const KEY_BYTES: usize = 48;

/// A table with keys `K` and bodies `V`. Make it a constant; the prefix must be the table's own for ever.
///
/// ```
/// use poundlock::store::table::Table;
/// const NAMES: Table<(String, u64), uuid::Uuid> = Table::new(17, "names", 1);
/// assert_eq!(NAMES.name(), "names");
/// ```
pub struct Table<K, V> {
    prefix: u8,
    name: &'static str,
    schema: u16,
    remembered: bool,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> std::fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({}, {}, v{})", self.prefix, self.name, self.schema)
    }
}

impl<K, V> Table<K, V> {
    /// Names a table. `schema` is the version of its bodies; raise it together with a migration.
    ///
    /// # Panics
    /// For prefix 0, which is the engine's, when the constant is evaluated: at compile time.
    #[must_use]
    pub const fn new(prefix: u8, name: &'static str, schema: u16) -> Self {
        assert!(
            prefix != super::engine::RESERVED_PREFIX,
            "prefix 0 is the engine's own"
        );
        Self {
            prefix,
            name,
            schema,
            remembered: false,
            types: PhantomData,
        }
    }

    /// The same table, whose records stay in memory for a while, decoded: for what is read often. Not for secrets.
    #[must_use]
    pub const fn remembered(self) -> Self {
        Self {
            remembered: true,
            ..self
        }
    }

    /// Whether its records stay in memory for a while.
    pub(super) const fn is_remembered(&self) -> bool {
        self.remembered
    }

    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    #[must_use]
    pub const fn schema(&self) -> u16 {
        self.schema
    }
}

impl<K: Key, V> Table<K, V> {
    /// The engine's key of a record, or of all records whose key begins with `part`.
    pub(super) fn engine_key<P: Key>(&self, part: &P) -> Result<Vec<u8>, TableError> {
        let mut key = Vec::with_capacity(KEY_BYTES);
        key.push(self.prefix);
        part.encode(&mut key).map_err(|error| TableError::Key {
            table: self.name,
            error,
        })?;
        Ok(key)
    }

    pub(super) fn decode_key(&self, key: &[u8]) -> Result<K, TableError> {
        let rest = key.get(1..).unwrap_or_default();
        decode_whole(rest).map_err(|error| TableError::Key {
            table: self.name,
            error,
        })
    }
}

/// A body with the version of its schema: `{"v": 1, "body": …}`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<B> {
    v: u16,
    body: B,
}

/// Reads the version alone, whatever the body is.
#[derive(Deserialize)]
struct EnvelopeVersion {
    v: u16,
}

impl<K, V: Serialize + DeserializeOwned> Table<K, V> {
    pub(super) fn encode_body(&self, body: &V) -> Result<Vec<u8>, TableError> {
        encode_body(self.name, self.schema, body)
    }

    pub(super) fn decode_body(&self, stored: &[u8]) -> Result<V, TableError> {
        decode_body(self.name, self.schema, stored)
    }
}

/// Wraps a body of any version; migrations write with it too.
pub(super) fn encode_body<B: Serialize>(
    table: &'static str,
    schema: u16,
    body: &B,
) -> Result<Vec<u8>, TableError> {
    let mut stored = Vec::with_capacity(256);
    ciborium::into_writer(&Envelope { v: schema, body }, &mut stored).map_err(|error| {
        TableError::Encode {
            table,
            reason: error.to_string(),
        }
    })?;
    if stored.len() > MAX_BODY_BYTES + envelope_bytes(schema) {
        return Err(TableError::TooLarge {
            table,
            bytes: stored.len(),
        });
    }
    Ok(stored)
}

/// What the envelope adds to a body: a map's head, `v` and `body` with a head each, and the version.
const fn envelope_bytes(schema: u16) -> usize {
    let version = match schema {
        0..24 => 1,
        24..256 => 2,
        256.. => 3,
    };
    1 + 2 + 5 + version
}

/// Unwraps a body that must be of version `schema`; migrations read with it too.
pub(super) fn decode_body<B: DeserializeOwned>(
    table: &'static str,
    schema: u16,
    stored: &[u8],
) -> Result<B, TableError> {
    let mut rest = stored;
    let error = match ciborium::from_reader::<Envelope<B>, _>(&mut rest) {
        Ok(envelope) if envelope.v == schema && rest.is_empty() => return Ok(envelope.body),
        Ok(envelope) if envelope.v == schema => "bytes follow the body".to_owned(),
        Ok(envelope) => {
            return Err(TableError::Schema {
                table,
                found: envelope.v,
                known: schema,
            });
        }
        Err(error) => error.to_string(),
    };
    // A body of another version need not fit `B`; then the version is the better explanation.
    match ciborium::from_reader::<EnvelopeVersion, _>(stored) {
        Ok(EnvelopeVersion { v }) if v != schema => Err(TableError::Schema {
            table,
            found: v,
            known: schema,
        }),
        _ => Err(TableError::Damaged { table, reason: error }),
    }
}

/// Why a table could not be read or written.
#[derive(Debug, Error)]
pub enum TableError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("a key of table {table} is not valid: {error}")]
    Key { table: &'static str, error: KeyError },
    #[error("a body for table {table} has {bytes} bytes; at most {MAX_BODY_BYTES} can be stored")]
    TooLarge { table: &'static str, bytes: usize },
    #[error("one change is over 64 MiB; make it in smaller steps")]
    TransactionTooLarge,
    #[error("a body for table {table} cannot be encoded: {reason}")]
    Encode { table: &'static str, reason: String },
    #[error("a body in table {table} is damaged ({reason}); restore the store from a backup")]
    Damaged { table: &'static str, reason: String },
    #[error("a body in table {table} has schema {found}, this node knows {known}; update this node")]
    Schema {
        table: &'static str,
        found: u16,
        known: u16,
    },
}
