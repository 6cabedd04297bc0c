//! What peers are owed of the objects here.

use uuid::Uuid;

use super::{Here, RecordError, peers};
use crate::domain::id::NodeId;
use crate::domain::object::{Body, Object, Revision};
use crate::domain::peer::{Owed, Trust};
use crate::domain::side::Side;
use crate::store::read::Read;
use crate::store::table::TableError;
use crate::store::tables::{CARRIED, CARRIED_IN, DELIVERED, HISTORY, INBOX, OWED, PEERS, PUBLISHED};
use crate::store::transaction::Tx;
use crate::sync::eligible::{self, Facts};

/// Notes what of a change each paired peer is owed.
pub(super) fn owe_everybody(
    tx: &mut Tx<'_>,
    here: &Here,
    object: &Object,
    position: u64,
) -> Result<(), RecordError> {
    for (peer, known) in peers(tx)? {
        if known.trust == Trust::Paired {
            owe(tx, here, peer, object, position)?;
        }
    }
    Ok(())
}

/// Whether a peer may have an object from this node. A solo node has no peers: nobody may have anything from it.
///
/// # Errors
/// The store cannot be read.
pub fn may_have(
    read: &impl Read,
    node: NodeId,
    side: Side,
    peer: Uuid,
    object: &Object,
) -> Result<bool, TableError> {
    let Ok(level) = side.level() else { return Ok(false) };
    let facts = facts(read, peer, object)?;
    Ok(eligible::eligible(object, node, level, NodeId(peer), facts))
}

/// Notes that a peer is owed an object, if it may have it. People and code are owed once a project or a request needs
/// them; that root also brings them when they have changed.
///
/// # Errors
/// The store fails.
pub fn owe(
    tx: &mut Tx<'_>,
    here: &Here,
    peer: Uuid,
    object: &Object,
    position: u64,
) -> Result<(), RecordError> {
    owe_with(tx, here, peer, object, position, Companions::Changed)
}

/// As [`owe`], and what the object needs is owed even if the peer has acknowledged it: it may have lost it.
///
/// # Errors
/// The store fails.
pub fn owe_again(
    tx: &mut Tx<'_>,
    here: &Here,
    peer: Uuid,
    object: &Object,
    position: u64,
) -> Result<(), RecordError> {
    owe_with(tx, here, peer, object, position, Companions::All)
}

/// Which of the people and code that a root needs are owed with it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Companions {
    /// Those that the peer does not have as they are.
    Changed,
    /// All of them.
    All,
}

fn owe_with(
    tx: &mut Tx<'_>,
    here: &Here,
    peer: Uuid,
    object: &Object,
    position: u64,
    companions: Companions,
) -> Result<(), RecordError> {
    if !may_have(tx, here.node, here.side, peer, object)? {
        return Ok(());
    }
    let root = match eligible::root(object.id, &object.body) {
        Some(root) => Some(root),
        None => known_root(tx, peer, object.id)?,
    };
    let Some(root) = root else { return Ok(()) };
    if is_nobodys(tx, here.side, peer, object)? {
        tx.delete(&OWED, &(peer, object.id))?;
        return Ok(());
    }
    tx.put(&OWED, &(peer, object.id), &Owed { position, root })?;
    for companion in eligible::companions(&object.body) {
        let Some(needed) = super::object(tx, companion)? else {
            continue;
        };
        if !may_have(tx, here.node, here.side, peer, &needed)? {
            continue;
        }
        let delivered = tx.get(&DELIVERED, &(peer, companion))?;
        let up_to_date = companions == Companions::Changed
            && delivered.is_some_and(|delivered| delivered.revision == needed.revision);
        if !up_to_date && tx.get(&OWED, &(peer, companion))?.is_none() {
            tx.put(&OWED, &(peer, companion), &Owed { position, root })?;
        }
    }
    Ok(())
}

/// Whether an object was deleted where private data is held before the peer was sent anything of it. Then the peer is not told
/// that it was ever there. Where the store was set back since the object was made or adopted here, it may have forgotten what was
/// sent. A peer that had an adopted object first knows of it.
///
/// # Errors
/// The store cannot be read.
pub fn is_nobodys(read: &impl Read, side: Side, peer: Uuid, object: &Object) -> Result<bool, TableError> {
    if !object.deleted || !side.holds_private_data() || read.contains(&DELIVERED, &(peer, object.id))? {
        return Ok(false);
    }
    let carried = read.range_prefix_back(&CARRIED_IN, &(object.id, peer), None, 1)?;
    if !carried.is_empty() {
        return Ok(false);
    }
    let history = read.range_prefix(&HISTORY, &object.id, None, usize::MAX)?;
    let mut revisions = history.iter().map(|(_, earlier)| earlier).chain([object]);
    if revisions.clone().any(|revision| revision.home.0 == peer) {
        return Ok(false);
    }
    let first = revisions.find(|revision| revision.home == object.home);
    Ok(first.is_some_and(|first| first.epoch == object.epoch))
}

fn known_root(read: &impl Read, peer: Uuid, id: Uuid) -> Result<Option<Uuid>, TableError> {
    if let Some(owed) = read.get(&OWED, &(peer, id))? {
        return Ok(Some(owed.root));
    }
    Ok(read.get(&DELIVERED, &(peer, id))?.map(|delivered| delivered.root))
}

fn facts(read: &impl Read, peer: Uuid, object: &Object) -> Result<Facts, TableError> {
    let request = match &object.body {
        Body::Decision(decision) => Some(decision.request),
        Body::Job(job) => Some(job.request),
        Body::Release(release) => Some(release.request),
        _ => None,
    };
    let dataset = match &object.body {
        Body::Dataset(_) => Some(object.id),
        Body::Asset(asset) => Some(asset.dataset.0),
        _ => None,
    };
    let request_home = match request {
        Some(request) => super::object(read, request.0)?.map(|request| request.home),
        None => None,
    };
    let published = match dataset {
        Some(dataset) => read.contains(&PUBLISHED, &(dataset, peer))?,
        None => false,
    };
    let told = dataset.is_some() && !published && object.deleted && was_told(read, peer, object)?;
    let forgotten = object.home.0 == peer && has_forgotten(read, peer, object)?;
    Ok(Facts {
        forgotten,
        request_home,
        published,
        told,
    })
}

/// Whether a peer's store was set back to before it made an object: bundles of its new epoch are here, which bring all that it has
/// under that epoch, and this is still here under an earlier one, with nothing newer that waits.
fn has_forgotten(read: &impl Read, peer: Uuid, object: &Object) -> Result<bool, TableError> {
    let Some(home) = read.get(&PEERS, &peer)? else {
        return Ok(false);
    };
    if home.epoch == object.epoch || home.received.highest == 0 {
        return Ok(false);
    }
    let waits = read.get(&INBOX, &(peer, object.id))?;
    Ok(waits.is_none_or(|pending| pending.under != home.epoch))
}

/// Whether a peer was sent, or had first, a revision of which a tombstone says nothing new.
fn was_told(read: &impl Read, peer: Uuid, tombstone: &Object) -> Result<bool, TableError> {
    let id = tombstone.id;
    let delivered = read.get(&DELIVERED, &(peer, id))?;
    let mut sent: Vec<Revision> = delivered
        .map(|delivered| delivered.revision)
        .into_iter()
        .collect();
    for ((_, _, epoch, sequence), ()) in read.range_prefix(&CARRIED_IN, &(id, peer), None, usize::MAX)? {
        let carried = read.get(&CARRIED, &(peer, epoch, sequence, id))?;
        sent.extend(carried.map(|carried| carried.revision));
    }
    let history = read.range_prefix(&HISTORY, &id, None, usize::MAX)?;
    Ok(history.iter().any(|(_, earlier)| {
        (earlier.home.0 == peer || sent.contains(&earlier.revision))
            && eligible::says_nothing_new(&tombstone.body, &earlier.body)
    }))
}
