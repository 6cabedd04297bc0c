//! Bundles that were made for a peer, and what they carry: for whoever writes it down before the stick leaves.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::acts::Refusal;
use crate::acts::peers;
use crate::domain::access::{Actor, Permission};
use crate::domain::object::Object;
use crate::domain::peer::{Peer, Sent};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{CARRIED, SENT};

/// A bundle with what it carries.
#[derive(Clone, Debug)]
pub struct Contents {
    /// For whom it is.
    pub peer: Peer,
    /// The bundle.
    pub sent: Sent,
    /// The batches in it, each as its root with the objects that it carries, as they are now.
    pub batches: Vec<(Object, Vec<Object>)>,
}

/// The bundles made for a peer in this node's epoch, the newest first.
///
/// # Errors
/// The actor may not sync, there is no such peer, or the store cannot be read.
pub fn sent(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    peer: Uuid,
    most: usize,
) -> Result<Vec<(u64, Sent)>, Refusal> {
    actor.require(Permission::Sync)?;
    let here = here.toward(&peers::peer(read, peer)?);
    let found = read.range_prefix_back(&SENT, &(peer, here.epoch.0), None, most)?;
    Ok(found
        .into_iter()
        .map(|((_, _, sequence), sent)| (sequence, sent))
        .collect())
}

/// One bundle made for a peer in this node's epoch, with what it carries.
///
/// # Errors
/// The actor may not sync, there is no such bundle, or the store cannot be read.
pub fn carried(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    peer: Uuid,
    sequence: u64,
) -> Result<Contents, Refusal> {
    actor.require(Permission::Sync)?;
    let known = peers::peer(read, peer)?;
    let here = here.toward(&known);
    let missing = || Refusal::NotFound {
        what: "bundle",
        id: sequence.to_string(),
    };
    let sent = read
        .get(&SENT, &(peer, here.epoch.0, sequence))?
        .ok_or_else(missing)?;
    let mut members: BTreeMap<Uuid, Vec<Object>> = BTreeMap::new();
    let carried = read.range_prefix(&CARRIED, &(peer, here.epoch.0, sequence), None, usize::MAX)?;
    for ((_, _, _, id), one) in carried {
        members
            .entry(one.root)
            .or_default()
            .extend(records::object(read, id)?);
    }
    let mut batches = Vec::with_capacity(members.len());
    for (root, objects) in members {
        if let Some(object) = records::object(read, root)? {
            batches.push((object, objects));
        }
    }
    batches.sort_by_key(|(root, _)| (root.kind(), root.created_at, root.id));
    Ok(Contents {
        peer: known,
        sent,
        batches,
    })
}
