//! What goes to a peer: the preview of what it is owed, and the parcel that a bundle is written from.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use poundlock_transport::cbor;
use uuid::Uuid;

use super::Refusal;
use super::peers::{owe_everything, paired};
use crate::domain::access::{Actor, Permission};
use crate::domain::audit;
use crate::domain::hash::Hash;
use crate::domain::id::{BundleId, Epoch};
use crate::domain::object::{Body, Kind, Object};
use crate::domain::peer::{CarriedObject, Peer, Received, Sent};
use crate::domain::settings::Node;
use crate::domain::side::Side;
use crate::store::read::Read;
use crate::store::records::{self, Here, RecordError};
use crate::store::tables::{
    CARRIED, CARRIED_IN, CHILDREN, DELIVERED, HAS_BLOB, HELD, HISTORY, NODE, OWED, PEERS, SENT,
};
use crate::store::transaction::Tx;
use crate::sync::batch::{self, Batch, Change, Member};
use crate::sync::eligible;
use crate::sync::record::{Carried, Direction, Downward, Upward};
use crate::sync::select::{self, Filters, Selection};

/// What a peer is owed, and what of it the filters and holds let go.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// The batches, in the order in which they came to be owed.
    pub batches: Vec<Batch>,
    /// Which of them a bundle would take now.
    pub selection: Selection,
}

/// Everything that a bundle to a peer holds, but for the bytes of its blobs.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The peer.
    pub peer: Peer,
    /// The bundle's id.
    pub bundle: BundleId,
    /// This node's epoch.
    pub epoch: Epoch,
    /// The bundle's number.
    pub sequence: u64,
    /// The newest bundle that the peer is known to have; 0 for a full bundle.
    pub base: u64,
    /// What this node has received of the peer's.
    pub received: Received,
    /// The head of this node's audit chain.
    pub audit_head: Hash,
    /// The records, encoded.
    pub records: Vec<Vec<u8>>,
    /// The blobs that the peer does not have, with their lengths.
    pub blobs: BTreeMap<Hash, u64>,
    /// How many batches did not fit and stay owed: another bundle carries them.
    pub left_over: u64,
}

/// The most bytes of records that one bundle carries, so that neither side needs memory that grows with what is owed. What does
/// not fit stays owed, and goes with the next bundle.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Shows what a peer is owed as batches. The cost follows what is owed, not what is stored.
///
/// `include_same` also lists the objects of those batches that the peer has already.
///
/// # Errors
/// The actor may not sync, or the store fails.
pub fn preview(
    read: &impl Read,
    actor: &Actor,
    peer: Uuid,
    filters: &Filters,
    include_same: bool,
) -> Result<Preview, Refusal> {
    actor.require(Permission::Sync)?;
    paired(read, peer)?;
    let mut batches = owed_batches(read, peer, include_same)?;
    let held: BTreeSet<Uuid> = read
        .range_prefix(&HELD, &peer, None, usize::MAX)?
        .into_iter()
        .map(|((_, root), ())| root)
        .collect();
    let mut people = BTreeMap::new();
    if filters.requester.is_some() {
        for batch in &batches {
            if let Some(email) = requester(read, batch.root)? {
                people.insert(batch.root, email);
            }
        }
    }
    let mut selection = select::select(&batches, filters, &held, |root| people.get(&root).cloned());
    move_shared(read, &mut batches, &mut selection)?;
    Ok(Preview { batches, selection })
}

/// People and code that several roots need come with the first of them that goes: those that are owed with a batch that is
/// kept back move to the first taken one that needs them, else it would arrive without.
fn move_shared(read: &impl Read, batches: &mut Vec<Batch>, selection: &mut Selection) -> Result<(), Refusal> {
    let mut kept_back = BTreeMap::new();
    for (at, batch) in batches.iter().enumerate() {
        if selection.kept_back.contains_key(&batch.root) {
            let shared = batch.members.iter().filter(|member| {
                matches!(member.kind, Kind::User | Kind::Code) && member.change != Change::Same
            });
            kept_back.extend(shared.map(|member| (member.id, at)));
        }
    }
    let places: BTreeMap<Uuid, usize> = (0..)
        .zip(batches.iter())
        .map(|(at, batch)| (batch.root, at))
        .collect();
    for root in &selection.taken {
        if kept_back.is_empty() {
            break;
        }
        let (Some(body), Some(to)) = (records::object(read, *root)?, places.get(root)) else {
            continue;
        };
        for companion in eligible::companions(&body.body) {
            if let Some(from) = kept_back.remove(&companion)
                && let Some(place) = batches[from]
                    .members
                    .iter()
                    .position(|member| member.id == companion)
            {
                let member = batches[from].members.remove(place);
                batches[*to].members.retain(|shown| shown.id != companion);
                batches[*to].members.push(member);
            }
        }
    }
    batches.retain(|batch| !batch.members.is_empty());
    selection
        .kept_back
        .retain(|root, _| batches.iter().any(|batch| batch.root == *root));
    Ok(())
}

fn owed_batches(read: &impl Read, peer: Uuid, include_same: bool) -> Result<Vec<Batch>, Refusal> {
    let mut roots: BTreeMap<Uuid, (u64, BTreeSet<Uuid>)> = BTreeMap::new();
    read.for_each(&OWED, &peer, |(_, id), owed| {
        let (position, members) = roots.entry(owed.root).or_insert((owed.position, BTreeSet::new()));
        *position = (*position).min(owed.position);
        members.insert(id);
        Ok::<_, Refusal>(())
    })?;
    let mut ordered: Vec<_> = roots
        .into_iter()
        .map(|(root, (position, members))| (position, root, members))
        .collect();
    ordered.sort_by_key(|(position, root, _)| (*position, *root));
    let node = read.get(&NODE, &())?.ok_or(RecordError::NoNode)?;
    let mut batches = Vec::with_capacity(ordered.len());
    for (_, root, mut members) in ordered {
        let Some(root_object) = records::object(read, root)? else {
            continue;
        };
        if include_same {
            members.insert(root);
            members.extend(eligible::companions(&root_object.body));
            read.for_each(&CHILDREN, &root, |(_, _, _, id), ()| {
                members.insert(id);
                Ok::<_, Refusal>(())
            })?;
        }
        let batch = batch(read, &node, peer, &root_object, members)?;
        if !batch.members.is_empty() {
            batches.push(batch);
        }
    }
    Ok(batches)
}

fn batch(
    read: &impl Read,
    node: &Node,
    peer: Uuid,
    root: &Object,
    members: BTreeSet<Uuid>,
) -> Result<Batch, Refusal> {
    let mut found = Vec::with_capacity(members.len());
    for id in members {
        let Some(object) = records::object(read, id)? else {
            continue;
        };
        let own_batch = eligible::root(id, &object.body).is_none_or(|own| own == root.id);
        let (owed, delivered) = (
            read.contains(&OWED, &(peer, id))?,
            read.get(&DELIVERED, &(peer, id))?,
        );
        // What came to be owed may have been forbidden since, as when a dataset is no longer published to the peer.
        if owed && !records::may_have(read, node.id, node.side, peer, &object)? {
            continue;
        }
        let change = match delivered {
            None if owed => Change::New,
            Some(delivered) if delivered.revision != object.revision => Change::Modified,
            _ => Change::Same,
        };
        if own_batch {
            found.push((object.created_at, member(&object, change)));
        }
    }
    found.sort_by_key(|(at, member)| (member.id != root.id, *at, member.kind, member.id));
    let needs = batch::needs(&root.body, |id| {
        records::object(read, id)
            .ok()
            .flatten()
            .map(|object| Cow::Owned(object.body))
    });
    Ok(Batch {
        root: root.id,
        kind: root.kind(),
        title: root.body.title(),
        members: found.into_iter().map(|(_, member)| member).collect(),
        needs,
    })
}

fn member(object: &Object, change: Change) -> Member {
    Member {
        id: object.id,
        kind: object.kind(),
        title: object.body.title(),
        revision: object.revision,
        change,
        deleted: object.deleted,
    }
}

fn requester(read: &impl Read, root: Uuid) -> Result<Option<String>, Refusal> {
    requester_of(
        root,
        |id| Ok(records::object(read, id)?.map(|object| object.body)),
    )
}

/// The address of the person whose request a root is or answers; `body` finds the objects.
pub(super) fn requester_of(
    root: Uuid,
    body: impl Fn(Uuid) -> Result<Option<Body>, Refusal>,
) -> Result<Option<String>, Refusal> {
    let request = match body(root)? {
        Some(Body::Job(job)) => body(job.request.0)?,
        other => other,
    };
    let Some(Body::Request(request)) = request else {
        return Ok(None);
    };
    Ok(match body(request.requester.0)? {
        Some(Body::User(user)) => Some(user.email.as_str().to_owned()),
        _ => None,
    })
}

/// The revision of an object that the peer is known to have, for showing what changed.
///
/// # Errors
/// The store fails.
pub fn delivered_body(read: &impl Read, peer: Uuid, object: &Object) -> Result<Option<Body>, Refusal> {
    let Some(delivered) = read.get(&DELIVERED, &(peer, object.id))? else {
        return Ok(None);
    };
    if delivered.revision == object.revision {
        return Ok(Some(object.body.clone()));
    }
    let history = read.range_prefix(&HISTORY, &object.id, None, usize::MAX)?;
    Ok(history
        .into_iter()
        .map(|(_, old)| old)
        .find(|old| old.revision == delivered.revision)
        .map(|old| old.body))
}

/// Packs what the peer is owed, under the filters and holds: reserves the bundle's number, notes what it carries, and
/// hands out the encoded records as they are at this moment. A crash before the file is written wastes the number, and
/// nothing else: what was to go stays owed until a bundle that carried it is acknowledged.
///
/// `full` builds on nothing and carries all that the peer may have.
///
/// # Errors
/// The actor may not sync, the peer is not paired, or the store fails.
pub fn pack(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    peer: Uuid,
    filters: &Filters,
    full: bool,
    bundle: BundleId,
) -> Result<Parcel, Refusal> {
    if full {
        actor.require(Permission::Sync)?;
        paired(tx, peer)?;
        owe_everything(tx, here, peer)?;
    }
    let preview = preview(tx, actor, peer, filters, false)?;
    let mut known = paired(tx, peer)?;
    known.last_sequence += 1;
    let sequence = known.last_sequence;
    let mut load = Load {
        side: here.side,
        everything: full,
        records: Vec::new(),
        blobs: BTreeMap::new(),
        bytes: 0,
    };
    let mut left_over = 0;
    for batch in loading_order(tx, here, peer, &preview)? {
        if left_over > 0 || !load.take(tx, peer, batch)? {
            left_over += 1;
            continue;
        }
        for member in &batch.members {
            let carried = CarriedObject {
                revision: member.revision,
                root: batch.root,
            };
            tx.put(&CARRIED, &(peer, here.epoch.0, sequence, member.id), &carried)?;
            tx.put(&CARRIED_IN, &(member.id, peer, here.epoch.0, sequence), &())?;
        }
    }
    let Load {
        records: encoded,
        blobs,
        ..
    } = load;
    note_packed(tx, actor, here, &known, bundle, (&encoded, &blobs))?;
    Ok(Parcel {
        bundle,
        epoch: here.epoch,
        sequence,
        base: if full { 0 } else { known.acknowledged },
        received: known.received,
        audit_head: crate::store::audit::head(tx)?.hash,
        records: encoded,
        blobs,
        left_over,
        peer: known,
    })
}

/// Notes a packed bundle among those sent to the peer, and in the audit chain.
fn note_packed(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    known: &Peer,
    bundle: BundleId,
    (encoded, blobs): (&[Vec<u8>], &BTreeMap<Hash, u64>),
) -> Result<(), Refusal> {
    let (peer, sequence) = (known.node.0, known.last_sequence);
    let carried = u64::try_from(encoded.len()).unwrap_or(u64::MAX);
    let sent = Sent {
        bundle,
        file: None,
        at: here.now,
        acknowledged: false,
        carried,
    };
    tx.put(&SENT, &(peer, here.epoch.0, sequence), &sent)?;
    tx.put(&PEERS, &peer, known)?;
    let details = [
        ("peer", known.name.clone()),
        ("bundle", bundle.to_string()),
        ("sequence", sequence.to_string()),
        ("objects", encoded.len().to_string()),
        ("blobs", blobs.len().to_string()),
    ];
    let who = audit::Actor::User(actor.user.0);
    records::audit(
        tx,
        here,
        who,
        audit::Action::BUNDLE_EXPORTED,
        &[peer, bundle.0],
        &details,
    )?;
    Ok(())
}

/// The selected batches, needs first; those that no bundle has carried yet before those that one under way carries, so that
/// what did not fit into one bundle goes with the next, acknowledged or not.
fn loading_order<'a>(
    read: &impl Read,
    here: &Here,
    peer: Uuid,
    preview: &'a Preview,
) -> Result<Vec<&'a Batch>, Refusal> {
    let by_root: BTreeMap<Uuid, &Batch> = preview.batches.iter().map(|batch| (batch.root, batch)).collect();
    let (mut fresh, mut under_way) = (Vec::new(), Vec::new());
    for batch in preview
        .selection
        .taken
        .iter()
        .filter_map(|root| by_root.get(root))
    {
        let mut carried = true;
        for member in &batch.members {
            carried = carried && is_under_way(read, here, peer, member)?;
        }
        if carried {
            under_way.push(*batch)
        } else {
            fresh.push(*batch)
        }
    }
    fresh.append(&mut under_way);
    Ok(fresh)
}

fn is_under_way(read: &impl Read, here: &Here, peer: Uuid, member: &Member) -> Result<bool, Refusal> {
    let last = read
        .range_prefix_back(&CARRIED_IN, &(member.id, peer, here.epoch.0), None, 1)?
        .pop();
    let Some(((_, _, _, sequence), ())) = last else {
        return Ok(false);
    };
    let carried = read.get(&CARRIED, &(peer, here.epoch.0, sequence, member.id))?;
    Ok(carried.is_some_and(|carried| carried.revision == member.revision))
}

/// What a bundle takes on, up to [`RECORD_BYTES_MAX`].
struct Load {
    side: Side,
    everything: bool,
    records: Vec<Vec<u8>>,
    blobs: BTreeMap<Hash, u64>,
    bytes: usize,
}

impl Load {
    /// Takes a batch on, if it fits; the first always does.
    fn take(&mut self, read: &impl Read, peer: Uuid, batch: &Batch) -> Result<bool, Refusal> {
        let (mut records, mut blobs) = (Vec::new(), Vec::new());
        for member in &batch.members {
            let object =
                records::object(read, member.id)?.ok_or_else(|| Refusal::no(member.kind, member.id))?;
            records.push(encode(self.side, &object, batch.root)?);
            for (blob, length) in object.body.blobs() {
                if self.everything || !read.contains(&HAS_BLOB, &(peer, blob.0))? {
                    blobs.push((blob, length));
                }
            }
        }
        let bytes: usize = records.iter().map(Vec::len).sum();
        if !self.records.is_empty() && self.bytes + bytes > RECORD_BYTES_MAX {
            return Ok(false);
        }
        self.bytes += bytes;
        self.records.append(&mut records);
        self.blobs.extend(blobs);
        Ok(true)
    }
}

/// Encodes what of an object travels from this side. A high node has no way to encode what must not go down.
fn encode(side: Side, object: &Object, root: Uuid) -> Result<Vec<u8>, Refusal> {
    match side {
        Side::Low => encode_as::<Upward>(object, root),
        Side::High => encode_as::<Downward>(object, root),
    }
}

fn encode_as<D: Direction>(object: &Object, root: Uuid) -> Result<Vec<u8>, Refusal> {
    let body =
        D::of(&object.body).map_err(|error| Refusal::conflict("does_not_travel", error.to_string()))?;
    let carried = Carried {
        id: object.id,
        home: object.home,
        number: object.revision.number,
        deleted: object.deleted,
        root,
        body,
    };
    Ok(cbor::to_deterministic_vec(&carried).map_err(RecordError::from)?)
}

/// Notes that a bundle has been written, read back and found whole.
///
/// # Errors
/// The number was never reserved, or the store fails.
pub fn written(tx: &mut Tx<'_>, here: &Here, peer: Uuid, sequence: u64, file: Hash) -> Result<(), Refusal> {
    let key = (peer, here.epoch.0, sequence);
    let mut sent = tx.get(&SENT, &key)?.ok_or_else(|| Refusal::NotFound {
        what: "bundle",
        id: sequence.to_string(),
    })?;
    sent.file = Some(file);
    tx.put(&SENT, &key, &sent)?;
    Ok(())
}

/// Takes in what a peer acknowledges. What a newly acknowledged bundle carried, and has not changed since, is owed no
/// more.
///
/// # Errors
/// The peer acknowledges a bundle that was never made, or the store fails.
pub fn acknowledge(
    tx: &mut Tx<'_>,
    here: &Here,
    peer: &mut Peer,
    epoch: Option<Epoch>,
    received: Received,
) -> Result<(), Refusal> {
    if epoch != Some(here.epoch) {
        return Ok(());
    }
    if received.highest > peer.last_sequence {
        return Err(Refusal::conflict(
            "acknowledges_unknown",
            format!(
                "{} acknowledges bundle {} of this node, which has made only {}: this node's store was set back without \
                 a new epoch; run `poundlock restore`",
                peer.name, received.highest, peer.last_sequence
            ),
        ));
    }
    for sequence in received.sequences().collect::<Vec<_>>() {
        let key = (peer.node.0, here.epoch.0, sequence);
        let Some(mut sent) = tx.get(&SENT, &key)?.filter(|sent| !sent.acknowledged) else {
            continue;
        };
        sent.acknowledged = true;
        tx.put(&SENT, &key, &sent)?;
        for ((_, _, _, id), carried) in tx.range_prefix(&CARRIED, &key, None, usize::MAX)? {
            settle(tx, peer.node.0, id, carried)?;
        }
        peer.acknowledged = peer.acknowledged.max(sequence);
    }
    Ok(())
}

fn settle(tx: &mut Tx<'_>, peer: Uuid, id: Uuid, carried: CarriedObject) -> Result<(), Refusal> {
    let Some(object) = records::object(tx, id)? else {
        return Ok(());
    };
    if object.revision == carried.revision {
        tx.delete(&OWED, &(peer, id))?;
        for (blob, _) in object.body.blobs() {
            tx.put(&HAS_BLOB, &(peer, blob.0), &())?;
        }
    }
    let newer = tx
        .get(&DELIVERED, &(peer, id))?
        .is_none_or(|before| before.revision.number < carried.revision.number);
    if newer {
        tx.put(&DELIVERED, &(peer, id), &carried)?;
    }
    Ok(())
}

/// The kinds of root that a person may name in a filter.
pub const ROOT_KINDS: [Kind; 4] = [Kind::Project, Kind::Dataset, Kind::Request, Kind::Job];
