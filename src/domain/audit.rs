//! The audit chain: what happened, in an order that cannot be changed afterwards.
//!
//! Each entry carries the hash of the one before it, so a head vouches for all that led to it. Each also holds 32
//! random bytes, so that a head, which travels to the peer, gives nothing of its entry away.
//!
//! An entry's bytes are deterministic CBOR (RFC 8949 §4.2): a map with text keys in the order of their encoded
//! bytes, shortest integers, definite lengths. Its hash is BLAKE3 in key derivation mode over exactly these bytes,
//! under [`CONTEXT`]. Here is no storage: see `store::audit`.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::hash::Hash;

/// What the hash of an entry is derived under; no other hash in the program uses it.
pub const CONTEXT: &str = "poundlock 2026 audit entry format 1";

/// The hash that the first entry carries in place of an earlier one's.
pub const GENESIS: Hash = Hash([0; 32]);

/// Most subjects of one entry.
pub const MAX_SUBJECTS: usize = 256;
/// Most details of one entry.
pub const MAX_DETAILS: usize = 32;
/// Longest key of a detail, in bytes.
pub const MAX_DETAIL_KEY_BYTES: usize = 64;
/// Longest value of a detail, in bytes.
pub const MAX_DETAIL_VALUE_BYTES: usize = 1024;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    /// A person with an account here.
    User(Uuid),
    /// The node itself.
    Node,
    /// The paired node with this id.
    Peer(Uuid),
}

impl fmt::Display for Actor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(out, "user {id}"),
            Self::Node => out.write_str("this node"),
            Self::Peer(id) => write!(out, "peer {id}"),
        }
    }
}

/// What was done: one of the words below. A chain may hold words of other versions, so reading takes any word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Action(std::borrow::Cow<'static, str>);

/// Longest word of an action, in bytes.
pub const MAX_ACTION_BYTES: usize = 48;

impl Action {
    /// Names an action; the constants of this type are made with it.
    ///
    /// # Panics
    /// For anything but lower-case letters, digits, dots and underscores, when the constant is evaluated: at
    /// compile time.
    #[must_use]
    pub const fn new(word: &'static str) -> Self {
        assert!(
            is_word(word.as_bytes()),
            "an action is lower-case words, dots and underscores"
        );
        Self(std::borrow::Cow::Borrowed(word))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Action {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

const fn is_word(word: &[u8]) -> bool {
    let mut at = 0;
    while at < word.len() {
        if !matches!(word[at], b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.') {
            return false;
        }
        at += 1;
    }
    !word.is_empty() && word.len() <= MAX_ACTION_BYTES
}

impl TryFrom<String> for Action {
    type Error = EntryError;

    fn try_from(word: String) -> Result<Self, EntryError> {
        if is_word(word.as_bytes()) {
            Ok(Self(word.into()))
        } else {
            Err(EntryError::Action)
        }
    }
}

impl From<Action> for String {
    fn from(action: Action) -> Self {
        action.0.into_owned()
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        impl Action {
            $($(#[$doc])* pub const $name: Self = Self::new($word);)*
            /// Every action that this version writes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

actions! {
    NODE_CREATED = "node.created";
    NODE_STARTED = "node.started";
    NODE_STOPPED = "node.stopped";
    STORE_RESTORED = "store.restored";
    STORE_MIGRATED = "store.migrated";
    SNAPSHOT_TAKEN = "snapshot.taken";
    SETTING_CHANGED = "setting.changed";
    DEAD_LETTERS_CHANGED = "dead_letters.changed";
    LOGIN = "login";
    LOGIN_REFUSED = "login.refused";
    LOGOUT = "logout";
    USER_CREATED = "user.created";
    USER_CHANGED = "user.changed";
    USER_DISABLED = "user.disabled";
    VERIFY_KEY_REGISTERED = "verify_key.registered";
    VERIFY_KEY_CHANGED = "verify_key.changed";
    VERIFY_KEY_REMOVED = "verify_key.removed";
    VERIFY_KEY_PINNED = "verify_key.pinned";
    VERIFY_KEY_CHANGE_SEEN = "verify_key.change_seen";
    VERIFY_KEY_ACCEPTED = "verify_key.accepted";
    USER_ENABLED = "user.enabled";
    USER_DELETED = "user.deleted";
    ROLE_GIVEN = "role.given";
    ROLE_CREATED = "role.created";
    ROLE_CHANGED = "role.changed";
    ROLE_DELETED = "role.deleted";
    GROUP_CREATED = "group.created";
    GROUP_CHANGED = "group.changed";
    GROUP_DELETED = "group.deleted";
    GROUP_JOINED = "group.joined";
    GROUP_LEFT = "group.left";
    PASSWORD_CHANGED = "password.changed";
    PASSWORD_RESET_OFFERED = "password_reset.offered";
    PASSWORD_RESET = "password.reset";
    ACCOUNT_RECOVERED = "account.recovered";
    SECOND_FACTOR_ADDED = "second_factor.added";
    SECOND_FACTOR_REMOVED = "second_factor.removed";
    RECOVERY_CODE_USED = "recovery_code.used";
    SESSION_REVOKED = "session.revoked";
    DATASET_CREATED = "dataset.created";
    DATASET_CHANGED = "dataset.changed";
    DATASET_ADOPTED = "dataset.adopted";
    DATASET_DELETED = "dataset.deleted";
    DATASET_PUBLISHED = "dataset.published";
    DATASET_UNPUBLISHED = "dataset.unpublished";
    ASSET_CREATED = "asset.created";
    MOCK_CHANGED = "mock.changed";
    PRIVATE_DATA_ATTACHED = "private_data.attached";
    PRIVATE_DATA_VIEWED = "private_data.viewed";
    PRIVATE_DATA_REMOVED = "private_data.removed";
    PROJECT_CREATED = "project.created";
    PROJECT_CHANGED = "project.changed";
    PROJECT_STARTED = "project.started";
    PROJECT_DELETED = "project.deleted";
    REQUEST_SUBMITTED = "request.submitted";
    REQUEST_WITHDRAWN = "request.withdrawn";
    REQUEST_RENEWED = "request.renewed";
    REQUEST_APPROVED = "request.approved";
    REQUEST_DENIED = "request.denied";
    ACCESS_RULE_CREATED = "access_rule.created";
    ACCESS_RULE_CHANGED = "access_rule.changed";
    ACCESS_RULE_REMOVED = "access_rule.removed";
    JOB_STARTED = "job.started";
    JOB_FINISHED = "job.finished";
    JOB_FAILED = "job.failed";
    JOB_CANCELLED = "job.cancelled";
    JOB_SET_ASIDE = "job.set_aside";
    RESULT_DEPOSITED = "result.deposited";
    PRIVATE_DATA_COPIED = "private_data.copied";
    RELEASED = "released";
    BUNDLE_EXPORTED = "bundle.exported";
    BUNDLE_IMPORTED = "bundle.imported";
    BUNDLE_REFUSED = "bundle.refused";
    BATCH_APPLIED = "batch.applied";
    BATCH_IGNORED = "batch.ignored";
    BATCH_UNIGNORED = "batch.unignored";
    PEER_PAIRED = "peer.paired";
    PEER_KEY_ROTATED = "peer.key_rotated";
    PEER_REVOKED = "peer.revoked";
    PEER_EPOCH_CONFIRMED = "peer.epoch_confirmed";
    BACKUP_MADE = "backup.made";
}

/// What an entry says, without its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    pub at: Timestamp,
    pub actor: Actor,
    pub action: Action,
    /// The objects that it was done to.
    pub subjects: Vec<Uuid>,
    /// What else is worth knowing, in words. Never private bytes, nor a hash, size or preview of them.
    pub detail: BTreeMap<String, String>,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// 1 for the first.
    pub sequence: u64,
    /// The hash of the entry before, or [`GENESIS`].
    pub previous: Hash,
    pub nonce: [u8; 32],
    pub fields: Fields,
}

/// The newest entry's place and hash; of an empty chain, 0 and [`GENESIS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub sequence: u64,
    pub hash: Hash,
}

impl Head {
    /// The head of a chain without entries.
    pub const EMPTY: Self = Self {
        sequence: 0,
        hash: GENESIS,
    };
}

/// Why bytes are not an entry, or fields cannot become one.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum EntryError {
    #[error("an audit action is lower-case words of at most {MAX_ACTION_BYTES} bytes")]
    Action,
    #[error("an audit entry has at most {MAX_SUBJECTS} subjects")]
    Subjects,
    #[error(
        "an audit entry has at most {MAX_DETAILS} details, with keys of at most {MAX_DETAIL_KEY_BYTES} and values \
         of at most {MAX_DETAIL_VALUE_BYTES} bytes"
    )]
    Details,
    #[error("the audit chain has no room for another entry")]
    Full,
    #[error("the bytes are not an audit entry: {0}")]
    Encoding(String),
    #[error("the bytes are not the one encoding of this audit entry")]
    NotDeterministic,
}

/// The entry's encoding. The fields stand in the order of their encoded keys: shorter first, then by byte.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    at: Timestamp,
    actor: Actor,
    nonce: serde_bytes::ByteArray<32>,
    action: Action,
    detail: Vec<(String, String)>,
    previous: Hash,
    sequence: u64,
    subjects: Vec<Uuid>,
}

/// Puts fields into the chain behind `head`: the entry, its bytes to store, and the head that it makes.
///
/// # Errors
/// When the fields are over their limits.
pub fn link(head: &Head, fields: Fields, nonce: [u8; 32]) -> Result<(Entry, Vec<u8>, Head), EntryError> {
    check(&fields)?;
    let sequence = head.sequence.checked_add(1).ok_or(EntryError::Full)?;
    let entry = Entry {
        sequence,
        previous: head.hash,
        nonce,
        fields,
    };
    let bytes = encode(&entry)?;
    let head = Head {
        sequence,
        hash: hash(&bytes),
    };
    Ok((entry, bytes, head))
}

/// The hash of an entry's bytes.
#[must_use]
pub fn hash(bytes: &[u8]) -> Hash {
    Hash::derive(CONTEXT, bytes)
}

/// Reads an entry back; accepts only the bytes that [`link`] makes.
///
/// # Errors
/// When the bytes are anything else.
pub fn decode(bytes: &[u8]) -> Result<Entry, EntryError> {
    let mut rest = bytes;
    let wire: Wire =
        ciborium::from_reader(&mut rest).map_err(|error| EntryError::Encoding(error.to_string()))?;
    let details = wire.detail.len();
    let fields = Fields {
        at: wire.at,
        actor: wire.actor,
        action: wire.action,
        subjects: wire.subjects,
        detail: wire.detail.into_iter().collect(),
    };
    check(&fields)?;
    let entry = Entry {
        sequence: wire.sequence,
        previous: wire.previous,
        nonce: wire.nonce.into_array(),
        fields,
    };
    if !rest.is_empty() || details != entry.fields.detail.len() || encode(&entry)? != bytes {
        return Err(EntryError::NotDeterministic);
    }
    Ok(entry)
}

fn encode(entry: &Entry) -> Result<Vec<u8>, EntryError> {
    let fields = entry.fields.clone();
    let wire = Wire {
        at: fields.at,
        actor: fields.actor,
        nonce: serde_bytes::ByteArray::new(entry.nonce),
        action: fields.action,
        // Pairs in the order of the keys: a CBOR map would need another order than the tree's.
        detail: fields.detail.into_iter().collect(),
        previous: entry.previous,
        sequence: entry.sequence,
        subjects: fields.subjects,
    };
    let mut bytes = Vec::with_capacity(256);
    ciborium::into_writer(&wire, &mut bytes).map_err(|error| EntryError::Encoding(error.to_string()))?;
    Ok(bytes)
}

fn check(fields: &Fields) -> Result<(), EntryError> {
    if fields.subjects.len() > MAX_SUBJECTS {
        return Err(EntryError::Subjects);
    }
    let fits = |(key, value): (&String, &String)| {
        key.len() <= MAX_DETAIL_KEY_BYTES && value.len() <= MAX_DETAIL_VALUE_BYTES
    };
    if fields.detail.len() > MAX_DETAILS || !fields.detail.iter().all(fits) {
        return Err(EntryError::Details);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
