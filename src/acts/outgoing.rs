//! What goes to a peer: the preview of what it is owed, and the parcel that a bundle is written from.

mod preview;
mod sent;

use std::collections::{BTreeMap, BTreeSet};

use poundlock_transport::cbor;
use uuid::Uuid;

use super::Refusal;
use super::peers::{self, owe_everything, paired};
use crate::domain::access::{Actor, Permission};
use crate::domain::audit;
use crate::domain::hash::Hash;
use crate::domain::id::{BundleId, Epoch, NodeId};
use crate::domain::object::{Kind, Object};
use crate::domain::peer::{CarriedObject, Peer, Received, Sent};
use crate::domain::side::Level;
use crate::store::read::Read;
use crate::store::records::{self, Here, RecordError};
use crate::store::tables::{CARRIED, CARRIED_IN, DELIVERED, HAS_BLOB, OWED, PEERS, SENT};
use crate::store::transaction::Tx;
use crate::sync::batch::{Batch, Member};
use crate::sync::record::{Carried, Direction, DoesNotTravel, Downward, Own, Upward};
use crate::sync::select::Filters;

pub(super) use preview::requester_of;
pub use preview::{Preview, delivered_body, preview};
pub use sent::{Contents, carried, sent};

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
    /// What this node acknowledges of the peer's.
    pub received: Received,
    /// The head of this node's audit chain.
    pub audit_head: Hash,
    /// The records, encoded, by kind and id.
    pub records: Vec<Vec<u8>>,
    /// The blobs that the peer does not have, with their lengths.
    pub blobs: BTreeMap<Hash, u64>,
    /// How many batches hold something that did not fit, and that no earlier bundle under way carries: another has to be made for it.
    pub left_over: u64,
}

impl Parcel {
    /// How many bytes of records and blobs it declares.
    pub fn bytes(&self) -> u64 {
        let records = self
            .records
            .iter()
            .map(|record| u64::try_from(record.len()).unwrap_or(u64::MAX));
        records
            .chain(self.blobs.values().copied())
            .fold(0, u64::saturating_add)
    }
}

/// The most bytes of records that one bundle carries, so that neither side needs memory that grows with what is owed. What does
/// not fit stays owed, and goes with the next bundle.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most bytes of blobs that one bundle carries, and so the most that one blob may have that is to travel. A receiver takes files
/// of up to 64 GiB; what is written around the blobs, and the padding, take less than the rest.
pub const BLOB_BYTES_MAX: u64 = 60 << 30;

/// What a bundle is to carry.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What of all that is owed.
    pub filters: Filters,
    /// Whether it builds on nothing, and all that the peer may have is owed again.
    pub full: bool,
    /// The most that it takes on.
    pub most: Most,
}

/// The most that one bundle takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// In bytes of records.
    pub record_bytes: usize,
    /// In bytes of blobs.
    pub blob_bytes: u64,
}

impl Default for Most {
    fn default() -> Self {
        Self {
            record_bytes: RECORD_BYTES_MAX,
            blob_bytes: BLOB_BYTES_MAX,
        }
    }
}

/// Packs what the peer is owed, under the filters and holds: reserves the bundle's number, notes what it carries, and
/// hands out the encoded records as they are at this moment. A crash before the file is written wastes the number, and
/// nothing else: what was to go stays owed until a bundle that carried it is acknowledged.
///
/// # Errors
/// The actor may not sync, the peer is not paired, or the store fails.
pub fn pack(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    peer: Uuid,
    wanted: &Wanted,
    bundle: BundleId,
) -> Result<Parcel, Refusal> {
    if wanted.full {
        actor.require(Permission::Sync)?;
        paired(tx, peer)?;
        owe_everything(tx, here, peer)?;
    }
    let preview = preview(tx, actor, peer, &wanted.filters, false)?;
    let mut known = paired(tx, peer)?;
    let here = &here.toward(&known);
    known.last_sequence += 1;
    let sequence = known.last_sequence;
    let mut load = Load {
        level: here.level()?,
        everything: wanted.full,
        most: wanted.most,
        records: BTreeMap::new(),
        blobs: BTreeMap::new(),
        bytes: 0,
        blob_bytes: 0,
    };
    let (mut left_over, mut is_full) = (0, false);
    for batch in loading_order(tx, here, peer, &preview)? {
        let taken = if is_full {
            Vec::new()
        } else {
            load.take(tx, here, peer, batch)?
        };
        if taken.len() < batch.members.len() {
            is_full = true;
            left_over += u64::from(leaves_behind(tx, here, peer, batch, &taken)?);
        }
        for member in taken {
            let carried = CarriedObject {
                revision: member.revision,
                root: batch.root,
            };
            tx.put(&CARRIED, &(peer, here.epoch.0, sequence, member.id), &carried)?;
            tx.put(&CARRIED_IN, &(member.id, peer, here.epoch.0, sequence), &())?;
        }
    }
    let (encoded, blobs) = load.unload();
    note_packed(tx, actor, here, &known, bundle, (&encoded, &blobs))?;
    Ok(Parcel {
        bundle,
        epoch: here.epoch,
        sequence,
        base: if wanted.full { 0 } else { known.acknowledged },
        received: known.to_acknowledge(),
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

/// Whether a batch of which so much is taken leaves anything behind that no bundle under way carries.
fn leaves_behind(
    read: &impl Read,
    here: &Here,
    peer: Uuid,
    batch: &Batch,
    taken: &[&Member],
) -> Result<bool, Refusal> {
    let taken: BTreeSet<Uuid> = taken.iter().map(|member| member.id).collect();
    for member in &batch.members {
        if !taken.contains(&member.id) && !is_under_way(read, here, peer, member)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a bundle that was not acknowledged carries what is owed. Where it was, the peer has lost it since, and nothing brings it.
fn is_under_way(read: &impl Read, here: &Here, peer: Uuid, member: &Member) -> Result<bool, Refusal> {
    let last = read
        .range_prefix_back(&CARRIED_IN, &(member.id, peer, here.epoch.0), None, 1)?
        .pop();
    let Some(((_, _, _, sequence), ())) = last else {
        return Ok(false);
    };
    let sent = read.get(&SENT, &(peer, here.epoch.0, sequence))?;
    if sent.is_none_or(|sent| sent.acknowledged) {
        return Ok(false);
    }
    let carried = read.get(&CARRIED, &(peer, here.epoch.0, sequence, member.id))?;
    Ok(carried.is_some_and(|carried| carried.revision == member.revision))
}

/// What a bundle takes on, up to the most that it may.
struct Load {
    level: Level,
    everything: bool,
    most: Most,
    records: BTreeMap<(u8, Uuid), Vec<u8>>,
    blobs: BTreeMap<Hash, u64>,
    bytes: usize,
    blob_bytes: u64,
}

/// One member of a batch, encoded.
struct Part {
    key: (u8, Uuid),
    record: Vec<u8>,
    /// The blobs that it names and that the peer does not have.
    blobs: Vec<(Hash, u64)>,
}

impl Load {
    /// Takes a batch on if it fits, and says which members of it. Of one that is larger than any bundle, the first takes what
    /// fits; the rest stays owed.
    fn take<'a>(
        &mut self,
        read: &impl Read,
        here: &Here,
        peer: Uuid,
        batch: &'a Batch,
    ) -> Result<Vec<&'a Member>, Refusal> {
        let mut parts = Vec::with_capacity(batch.members.len());
        for member in &batch.members {
            parts.push(self.part(read, peer, batch.root, member)?);
        }
        if self.fits(&parts) {
            parts.into_iter().for_each(|part| self.add(part));
            return Ok(batch.members.iter().collect());
        }
        if !self.records.is_empty() {
            return Ok(Vec::new());
        }
        drop(parts);
        self.take_some(read, here, peer, batch)
    }

    /// The root, and who and what must be where it is, go each time: the bundle that carried them before may be lost. Then what no
    /// bundle carries yet, as much of it as fits, and at least one of it, so that each bundle goes further than the one before.
    fn take_some<'a>(
        &mut self,
        read: &impl Read,
        here: &Here,
        peer: Uuid,
        batch: &'a Batch,
    ) -> Result<Vec<&'a Member>, Refusal> {
        let (mut first, mut fresh, mut under_way) = (Vec::new(), Vec::new(), Vec::new());
        let mut goes_further = false;
        for member in &batch.members {
            let is_fresh = !is_under_way(read, here, peer, member)?;
            if member.id == batch.root || matches!(member.kind, Kind::User | Kind::Code) {
                goes_further |= is_fresh;
                first.push(member);
            } else if is_fresh {
                fresh.push(member);
            } else {
                under_way.push(member);
            }
        }
        let mut taken = Vec::new();
        for member in first {
            let part = self.part(read, peer, batch.root, member)?;
            self.add(part);
            taken.push(member);
        }
        for member in fresh.into_iter().chain(under_way) {
            let part = self.part(read, peer, batch.root, member)?;
            if goes_further && !self.fits(std::slice::from_ref(&part)) {
                break;
            }
            self.add(part);
            taken.push(member);
            goes_further = true;
        }
        Ok(taken)
    }

    fn part(&self, read: &impl Read, peer: Uuid, root: Uuid, member: &Member) -> Result<Part, Refusal> {
        let object = records::object(read, member.id)?.ok_or_else(|| Refusal::no(member.kind, member.id))?;
        let mut blobs = Vec::new();
        for (blob, length) in object.body.blobs() {
            if self.everything || !read.contains(&HAS_BLOB, &(peer, blob.0))? {
                blobs.push((blob, length));
            }
        }
        Ok(Part {
            key: (member.kind as u8, member.id),
            record: encode(self.level, &object, root, NodeId(peer))?,
            blobs,
        })
    }

    fn fits(&self, parts: &[Part]) -> bool {
        let bytes: usize = parts.iter().map(|part| part.record.len()).sum();
        let blobs: BTreeMap<&Hash, u64> = parts
            .iter()
            .flat_map(|part| &part.blobs)
            .filter(|(blob, _)| !self.blobs.contains_key(blob))
            .map(|(blob, length)| (blob, *length))
            .collect();
        let blob_bytes = blobs.into_values().fold(self.blob_bytes, u64::saturating_add);
        self.bytes + bytes <= self.most.record_bytes && blob_bytes <= self.most.blob_bytes
    }

    fn add(&mut self, part: Part) {
        self.bytes += part.record.len();
        self.records.insert(part.key, part.record);
        for (blob, length) in part.blobs {
            if self.blobs.insert(blob, length).is_none() {
                self.blob_bytes = self.blob_bytes.saturating_add(length);
            }
        }
    }

    /// The records and blobs in an order that tells nothing: they were taken on as they came to be owed, and so as runs ended.
    /// Ids that were made where private data is held are random.
    fn unload(self) -> (Vec<Vec<u8>>, BTreeMap<Hash, u64>) {
        (self.records.into_values().collect(), self.blobs)
    }
}

/// Encodes what of an object travels from this level. A high node has no way to encode what must not go down.
fn encode(level: Level, object: &Object, root: Uuid, peer: NodeId) -> Result<Vec<u8>, Refusal> {
    match level {
        Level::Low => encode_as(object, root, Upward::of(&object.body)),
        Level::High if object.home == peer => {
            encode_as(object, root, Own::of(object, peer).map(Downward::Returned))
        }
        Level::High => encode_as(object, root, Downward::of(&object.body)),
    }
}

fn encode_as<D: Direction>(
    object: &Object,
    root: Uuid,
    body: Result<D, DoesNotTravel>,
) -> Result<Vec<u8>, Refusal> {
    let body = body.map_err(|error| Refusal::conflict("does_not_travel", error.to_string()))?;
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
    let key = (peer, here.toward(&peers::peer(tx, peer)?).epoch.0, sequence);
    let mut sent = tx.get(&SENT, &key)?.ok_or_else(|| Refusal::NotFound {
        what: "bundle",
        id: sequence.to_string(),
    })?;
    sent.file = Some(file);
    tx.put(&SENT, &key, &sent)?;
    Ok(())
}

/// The object that a bundle carries and that names a blob, and the batch that it went with.
///
/// # Errors
/// The store fails.
pub fn naming(
    read: &impl Read,
    peer: Uuid,
    epoch: Epoch,
    sequence: u64,
    blob: Hash,
) -> Result<Option<(Object, Uuid)>, Refusal> {
    for ((_, _, _, id), carried) in
        read.range_prefix(&CARRIED, &(peer, epoch.0, sequence), None, usize::MAX)?
    {
        let object = records::object(read, id)?;
        if let Some(object) =
            object.filter(|object| object.body.blobs().iter().any(|(named, _)| *named == blob))
        {
            return Ok(Some((object, carried.root)));
        }
    }
    Ok(None)
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
    let here = here.toward(peer);
    if epoch != Some(here.epoch) {
        return Ok(());
    }
    if received.highest > peer.last_sequence {
        return Err(Refusal::conflict(
            "bundle_acknowledges_unknown",
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
