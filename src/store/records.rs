//! Objects in the store: written with their history, indexes, journal entry and what peers are owed of them, all in the
//! transaction of the caller.

mod owing;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use uuid::Uuid;

use poundlock_transport::cbor::CborError;

use super::open;
use super::read::Read;
use super::table::TableError;
use super::tables::{
    BY_KIND, CHILDREN, HISTORY, INBOX, INBOX_SUPERSEDED, JOURNAL, NAMES, NODE, OBJECTS, OUTBOX, OWED, PEERS,
    ROLES,
};
use super::transaction::Tx;
use crate::domain::audit;
use crate::domain::hash::Hash;
use crate::domain::id::{Epoch, NodeId, UserId};
use crate::domain::notification::{Event, Notification};
use crate::domain::object::{BODY_MAX, Body, Kind, Object, Revision};
use crate::domain::peer::{Peer, Pending};
use crate::domain::role::Preset;
use crate::domain::side::{Level, NoBundles, Side};
use crate::sync::record;

use owing::owe_everybody;
pub use owing::{is_nobodys, may_have, owe, owe_again};

/// Where and when a change is made.
#[derive(Clone, Copy, Debug)]
pub struct Here {
    /// This node.
    pub node: NodeId,
    /// Its side.
    pub side: Side,
    /// The epoch of its store.
    pub epoch: Epoch,
    /// The moment of the change.
    pub now: Timestamp,
    /// Random bytes for the audit entries of this change.
    pub random: [u8; 32],
}

/// A person's name is their address.
fn taken(kind: Kind, name: &str) -> String {
    match kind {
        Kind::User => format!("somebody has the e-mail address {name:?} already; use another"),
        Kind::Asset => format!("there is an asset named {name:?} already; choose another name"),
        _ => format!(
            "there is a {} named {name:?} already; choose another name",
            kind.word()
        ),
    }
}

/// A record cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The table could not be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The body holds what no bundle can carry.
    #[error(transparent)]
    Encoding(#[from] CborError),
    /// Another object bears the name.
    #[error("{}", taken(*.kind, .name))]
    NameTaken {
        /// The kind of both.
        kind: Kind,
        /// The name, folded.
        name: String,
    },
    /// This node is not the object's home.
    #[error("the {} {id} has its home on another node, which alone may change it", .kind.word())]
    NotTheHome {
        /// The object's kind.
        kind: Kind,
        /// The object.
        id: Uuid,
    },
    /// The body is too large.
    #[error("the {} takes {length} bytes; at most {BODY_MAX} are allowed", .kind.word())]
    TooLarge {
        /// The object's kind.
        kind: Kind,
        /// Its length, encoded.
        length: usize,
    },
    /// The audit chain could not be continued.
    #[error(transparent)]
    Audit(#[from] super::audit::AuditError),
    /// `init` did not finish.
    #[error("the store holds no node; run `poundlock init` in an empty folder")]
    NoNode,
}

impl Here {
    /// This node, at `now`. `random` is fresh for every change.
    ///
    /// # Errors
    /// The store cannot be read, or `init` did not finish.
    pub fn at(read: &impl Read, now: Timestamp, random: [u8; 32]) -> Result<Self, RecordError> {
        let node = read.get(&NODE, &())?.ok_or(RecordError::NoNode)?;
        Ok(Self {
            node: node.id,
            side: node.side,
            epoch: node.epoch,
            now,
            random,
        })
    }
}

impl Here {
    /// The level that this node stands on.
    ///
    /// # Errors
    /// A solo node stands on none.
    pub fn level(&self) -> Result<Level, NoBundles> {
        self.side.level()
    }

    /// This node as a peer knows it: with the epoch that bundles for it bear.
    #[must_use]
    pub fn toward(&self, peer: &Peer) -> Self {
        Self {
            epoch: peer.own_epoch.unwrap_or(self.epoch),
            ..*self
        }
    }

    /// The date of the change, in UTC: all that a bundle tells of the high side's time.
    pub fn today(&self) -> Date {
        self.now.to_zoned(TimeZone::UTC).date()
    }
}

/// The newest revision of an object.
///
/// # Errors
/// The store cannot be read.
pub fn object(read: &(impl Read + ?Sized), id: Uuid) -> Result<Option<Object>, TableError> {
    read.get(&OBJECTS, &id)
}

/// As [`object`], without a copy of one that was read lately.
///
/// # Errors
/// The store cannot be read.
pub fn shared(read: &(impl Read + ?Sized), id: Uuid) -> Result<Option<Arc<Object>>, TableError> {
    read.shared(&OBJECTS, &id)
}

/// The objects of one kind that are listed under another, in the order in which this node first saw them.
///
/// # Errors
/// The store cannot be read.
pub fn children(read: &impl Read, parent: Uuid, kind: Kind) -> Result<Vec<Object>, TableError> {
    let mut ids = Vec::new();
    read.for_each(&CHILDREN, &(parent, kind as u8), |(_, _, _, id), ()| {
        ids.push(id);
        Ok::<_, TableError>(())
    })?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.extend(object(read, id)?);
    }
    Ok(found)
}

/// The id of the object with a unique name, if there is one.
///
/// # Errors
/// The store cannot be read.
pub fn named(
    read: &impl Read,
    home: NodeId,
    kind: Kind,
    parent: Option<Uuid>,
    folded: &str,
) -> Result<Option<Uuid>, TableError> {
    read.get(
        &NAMES,
        &(home.0, kind as u8, parent.unwrap_or_default(), folded.to_owned()),
    )
}

/// Writes a new object or the next revision of one, whose home is this node. The same content again changes nothing.
///
/// # Errors
/// The home is elsewhere, the name is taken, the body is too large, or the store fails.
pub fn write(
    tx: &mut Tx<'_>,
    here: &Here,
    id: Uuid,
    body: Body,
    deleted: bool,
) -> Result<Object, RecordError> {
    write_from(tx, here, id, body, deleted, |object| object.home == here.node)
}

/// Takes over a low-born dataset or asset: its home passes to this node. What waits of it in an inbox can be applied no
/// more, and goes.
///
/// # Errors
/// As [`write()`].
pub fn adopt(tx: &mut Tx<'_>, here: &Here, id: Uuid, body: Body) -> Result<Object, RecordError> {
    for (peer, _) in peers(tx)? {
        // Nor is it given back any more.
        tx.delete(&OWED, &(peer, id))?;
        drop_pending(tx, peer, id)?;
    }
    let object = write_from(tx, here, id, body, false, |_| true)?;
    Ok(object)
}

/// Takes an object out of an inbox, with what it superseded there.
///
/// # Errors
/// The store fails.
pub fn drop_pending(tx: &mut Tx<'_>, peer: Uuid, id: Uuid) -> Result<(), TableError> {
    tx.delete(&INBOX, &(peer, id))?;
    for (superseded, _) in tx.range_prefix(&INBOX_SUPERSEDED, &(peer, id), None, usize::MAX)? {
        tx.delete(&INBOX_SUPERSEDED, &superseded)?;
    }
    Ok(())
}

fn write_from(
    tx: &mut Tx<'_>,
    here: &Here,
    id: Uuid,
    body: Body,
    deleted: bool,
    may_write: impl Fn(&Object) -> bool,
) -> Result<Object, RecordError> {
    let kind = body.kind();
    let before = object(tx, id)?;
    if before
        .as_ref()
        .is_some_and(|before| !may_write(before) || before.kind() != kind)
    {
        return Err(RecordError::NotTheHome { kind, id });
    }
    check_size(&body)?;
    let digest = record::digest(id, here.node, deleted, &body)?;
    if let Some(before) = &before
        && before.revision.digest == digest
        && before.body == body
    {
        return Ok(before.clone());
    }
    let object = Object {
        id,
        home: here.node,
        epoch: here.epoch,
        revision: Revision {
            number: before.as_ref().map_or(1, |before| before.revision.number + 1),
            digest,
        },
        deleted,
        created_at: before.as_ref().map_or(here.now, |before| before.created_at),
        updated_at: here.now,
        body,
    };
    let position = replace(tx, before.as_ref(), &object, Unique::Checked)?;
    owe_everybody(tx, here, &object, position)?;
    Ok(object)
}

/// Takes a reviewed record of a peer into the store.
///
/// # Errors
/// The store fails.
pub fn take(tx: &mut Tx<'_>, here: &Here, id: Uuid, pending: Pending) -> Result<Object, RecordError> {
    let before = object(tx, id)?;
    let object = Object {
        id,
        home: pending.home,
        epoch: pending.under,
        revision: pending.revision,
        deleted: pending.deleted,
        created_at: before.as_ref().map_or(here.now, |before| before.created_at),
        updated_at: here.now,
        body: pending.body,
    };
    replace(tx, before.as_ref(), &object, Unique::ByItsHome)?;
    if before.is_some_and(|before| before.home == here.node) {
        // Adopted: what was owed of it is no longer this node's to send.
        for (peer, _) in peers(tx)? {
            tx.delete(&OWED, &(peer, id))?;
        }
    }
    Ok(object)
}

/// Takes back what this node has written and forgotten, as a peer has kept it. What is here already stays. Projects alone may bear
/// one name: they are found by their ids, and can be neither renamed nor deleted.
///
/// # Errors
/// The name, or a person's address, is another's by now, or the store fails.
pub fn take_back(tx: &mut Tx<'_>, here: &Here, id: Uuid, pending: Pending) -> Result<(), RecordError> {
    if object(tx, id)?.is_some() {
        return Ok(());
    }
    let object = Object {
        id,
        home: here.node,
        epoch: here.epoch,
        revision: pending.revision,
        deleted: pending.deleted,
        created_at: here.now,
        updated_at: here.now,
        body: pending.body,
    };
    let unique = match object.kind() {
        Kind::Project => Unique::ByItsHome,
        _ => Unique::Checked,
    };
    let position = replace(tx, None, &object, unique)?;
    owe_everybody(tx, here, &object, position)
}

fn check_size(body: &Body) -> Result<(), RecordError> {
    // The record adds little to the body, and the stored object a little more: both must fit under the bound.
    let mut counted = Vec::new();
    let length = match ciborium::into_writer(body, &mut counted) {
        Ok(()) => counted.len(),
        Err(_) => usize::MAX,
    };
    if length + 1024 > BODY_MAX {
        return Err(RecordError::TooLarge {
            kind: body.kind(),
            length,
        });
    }
    Ok(())
}

/// Puts an object in the place of the one before it, with its history, indexes and journal entry.
fn replace(
    tx: &mut Tx<'_>,
    before: Option<&Object>,
    object: &Object,
    unique: Unique,
) -> Result<u64, RecordError> {
    let position = tx.last(&JOURNAL)?.map_or(1, |(position, _)| position + 1);
    tx.put(&JOURNAL, &position, &(object.id, object.revision))?;
    match before {
        Some(before) => {
            tx.put(&HISTORY, &(object.id, position), before)?;
            list_anew(tx, before, object)?;
        }
        None => {
            let kind = object.kind() as u8;
            tx.put(&BY_KIND, &(kind, position, object.id), &())?;
            for parent in object.body.listed_under() {
                tx.put(&CHILDREN, &(parent, kind, position, object.id), &())?;
            }
        }
    }
    move_name(tx, before, object, unique)?;
    tx.put(&OBJECTS, &object.id, object)?;
    open::place_for(tx, object)?;
    Ok(position)
}

/// An object that belongs elsewhere than before is listed there, at its old place in the order.
fn list_anew(tx: &mut Tx<'_>, before: &Object, object: &Object) -> Result<(), TableError> {
    let (old, new) = (before.body.listed_under(), object.body.listed_under());
    if old == new {
        return Ok(());
    }
    let kind = object.kind() as u8;
    let mut listed = Vec::new();
    for parent in old {
        tx.for_each(&CHILDREN, &(parent, kind), |(parent, kind, position, id), ()| {
            if id == object.id {
                listed.push((parent, kind, position, id));
            }
            Ok::<_, TableError>(())
        })?;
    }
    let Some(position) = listed.first().map(|(_, _, position, _)| *position) else {
        return Ok(());
    };
    for key in listed {
        tx.delete(&CHILDREN, &key)?;
    }
    for parent in new {
        tx.put(&CHILDREN, &(parent, kind, position, object.id), &())?;
    }
    Ok(())
}

/// Who sees to it that a name is unique.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unique {
    /// This node, on writing.
    Checked,
    /// The object's home has: two names that were swapped there must not block each other here.
    ByItsHome,
}

/// A tombstone gives its name free.
fn move_name(
    tx: &mut Tx<'_>,
    before: Option<&Object>,
    object: &Object,
    unique: Unique,
) -> Result<(), RecordError> {
    let key = |object: &Object| {
        let name = object.body.unique_name().filter(|_| !object.deleted)?;
        Some((
            object.home.0,
            object.kind() as u8,
            object.body.parent().unwrap_or_default(),
            name,
        ))
    };
    let (old, new) = (before.and_then(key), key(object));
    if let Some(old) = old.filter(|old| Some(old) != new.as_ref())
        && tx.get(&NAMES, &old)? == Some(object.id)
    {
        tx.delete(&NAMES, &old)?;
    }
    if let Some(new) = new {
        let taken = tx.get(&NAMES, &new)?.is_some_and(|holder| holder != object.id);
        if taken && unique == Unique::Checked {
            return Err(RecordError::NameTaken {
                kind: object.kind(),
                name: new.3,
            });
        }
        tx.put(&NAMES, &new, &object.id)?;
    }
    Ok(())
}

/// Writes the roles that every node begins with.
///
/// # Errors
/// The store fails.
pub fn write_preset_roles(tx: &mut Tx<'_>) -> Result<(), TableError> {
    for preset in Preset::ALL {
        tx.put(&ROLES, &preset.id().0, &preset.role())?;
    }
    Ok(())
}

/// Milliseconds since 1970, for keys that sort by age.
pub fn milliseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0)
}

/// Every peer of this node.
///
/// # Errors
/// The store cannot be read.
pub fn peers(read: &impl Read) -> Result<Vec<(Uuid, Peer)>, TableError> {
    read.range_from(&PEERS, None, usize::MAX)
}

/// Adds to the outbox, in the transaction of the cause.
///
/// # Errors
/// The store fails.
pub fn notify(
    tx: &mut Tx<'_>,
    here: &Here,
    event: Event,
    about: Option<Uuid>,
    requester: Option<UserId>,
) -> Result<(), TableError> {
    let Some(audience) = event.audience(requester) else {
        return Ok(());
    };
    let number = tx.last(&OUTBOX)?.map_or(1, |(number, _)| number + 1);
    tx.put(
        &OUTBOX,
        &number,
        &Notification {
            event,
            audience,
            about,
            at: here.now,
        },
    )
}

/// Adds to the audit chain, in the transaction of the cause. `details` are words and numbers that tell what was done;
/// never private bytes, nor anything computed from them.
///
/// # Errors
/// The store fails.
pub fn audit(
    tx: &mut Tx<'_>,
    here: &Here,
    actor: audit::Actor,
    action: audit::Action,
    subjects: &[Uuid],
    details: &[(&str, String)],
) -> Result<(), RecordError> {
    let place = super::audit::head(tx)?.sequence;
    // One act may write several entries: each gets bytes of its own.
    let nonce = Hash::derive(
        "poundlock audit nonce 1",
        &[&here.random[..], &place.to_le_bytes()].concat(),
    );
    let subjects = subjects.iter().copied().take(audit::MAX_SUBJECTS).collect();
    let detail = details
        .iter()
        .map(|(key, value)| ((*key).to_owned(), shortened(value)))
        .collect();
    let fields = audit::Fields {
        at: here.now,
        actor,
        action,
        subjects,
        detail,
    };
    super::audit::append(tx, fields, nonce.0)?;
    Ok(())
}

/// Cut to what an entry holds, at a character's edge.
fn shortened(value: &str) -> String {
    let mut end = value.len().min(audit::MAX_DETAIL_VALUE_BYTES);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    value[..end].to_owned()
}
