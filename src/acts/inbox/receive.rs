//! Takes a verified bundle into the inbox of its sender, all of it or nothing.

use std::collections::BTreeSet;

use poundlock_transport::cbor::{self, CborError};
use uuid::Uuid;

use super::{contents, review};
use crate::acts::outgoing;
use crate::acts::peers::paired;
use crate::acts::{Refusal, peers};
use crate::domain::audit;
use crate::domain::hash::Hash;
use crate::domain::id::{BundleId, Epoch, NodeId};
use crate::domain::notification::Event;
use crate::domain::object::{Body, Kind, Revision};
use crate::domain::peer::{Arrived, ArrivedHeader, Peer, Pending, Received};
use crate::domain::side::Level;
use crate::store::read::Read;
use crate::store::records::{self, Here, RecordError};
use crate::store::tables::{ARRIVED, IGNORED, INBOX, INBOX_SUPERSEDED, OBJECTS, OWED, PEERS};
use crate::store::transaction::Tx;
use crate::sync::intake::{self, ArrivedRevision, Dishonest, KnownRevision, News};
use crate::sync::ledger::{self, Arrival, Known, Place, Refused};
use crate::sync::record::{self, Carried, Direction, Downward, Upward};
use crate::sync::review as rules;

/// One record of a bundle, decoded.
#[derive(Clone, Debug)]
pub struct Record {
    /// The object.
    pub id: Uuid,
    /// Its home, as the record says.
    pub home: NodeId,
    /// The revision.
    pub revision: Revision,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// The batch that it belongs to.
    pub root: Uuid,
    /// What it holds.
    pub body: Body,
    /// Whether it gives back what is this node's own.
    pub returned: bool,
}

/// A bundle whose every byte has been verified.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The paired node that signed it.
    pub sender: Uuid,
    /// The identity of it whose key the signature was found to be; none where nothing was signed, as between stores in memory.
    pub signed_as: Option<String>,
    /// Its place in the order, as its header says.
    pub arrival: Arrival,
    /// The epoch that the acknowledgement counts in.
    pub acknowledged_epoch: Option<Epoch>,
    /// What the sender has received of this node's bundles.
    pub acknowledged: Received,
    /// The head of the sender's audit chain.
    pub audit_head: Hash,
    /// The last head of this node's chain that the sender has received.
    pub audit_echo: Option<Hash>,
    /// The size of the file, in bytes.
    pub size: u64,
    /// The records, in order.
    pub records: Vec<Record>,
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Where the bundle stands among its sender's.
    pub place: Place,
    /// How many records wait for review that did not before.
    pub brought: u64,
    /// How many were known already, or older than what is known.
    pub known: u64,
}

/// Why a verified bundle is refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ImportRefused {
    /// Its place in the order.
    #[error(transparent)]
    Order(#[from] Refused),
    /// A record that an honest node does not send.
    #[error("the bundle is not honest: {0}")]
    Dishonest(#[from] Dishonest),
    /// A record that this version cannot read.
    #[error(
        "the bundle holds a record that this node cannot read ({0}); update this node, or the sender's is broken"
    )]
    Unreadable(#[from] CborError),
    /// The sender has seen an audit chain of this node that is not the one here.
    #[error(
        "the sender has received the head {0} of this node's audit chain, and the chain does not hold it: its history was \
         rewritten, or the store was set back without a new epoch"
    )]
    AuditRewritten(Hash),
    /// Anything else.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

/// Refusals of which more is noted than that they were: see [`refuse`].
const UNCONFIRMED: &str = "bundle_epoch_unconfirmed";
const FORK: &str = "bundle_fork";

impl ImportRefused {
    /// The stable word; empty where the refusal is another's.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Order(Refused::UnconfirmedEpoch { .. }) => UNCONFIRMED,
            Self::Order(Refused::RetiredEpoch { .. }) => "bundle_epoch_retired",
            Self::Order(Refused::Fork { .. }) => FORK,
            Self::Order(Refused::AfterFork) => "bundle_after_fork",
            Self::Order(Refused::Gap { .. }) => "bundle_gap",
            Self::Order(Refused::MadeForAnotherEpoch { .. }) => "bundle_for_another_epoch",
            Self::Order(Refused::Jump { .. }) => "bundle_jump",
            Self::Order(Refused::Base { .. }) => "bundle_base",
            Self::Dishonest(Dishonest::NotTheHome(_)) => "bundle_home_elsewhere",
            Self::Dishonest(Dishonest::OtherKind(_)) => "bundle_other_kind",
            Self::Dishonest(Dishonest::Fork { .. }) => "bundle_object_fork",
            Self::Dishonest(Dishonest::CodeHash(_)) => "bundle_code_hash",
            Self::Dishonest(Dishonest::Foreign { .. }) => "bundle_foreign_reference",
            Self::Dishonest(Dishonest::OtherBatch(_)) => "bundle_other_batch",
            Self::Dishonest(Dishonest::Invalid { .. }) => "bundle_object_invalid",
            Self::Unreadable(_) => "bundle_record_unreadable",
            Self::AuditRewritten(_) => "bundle_audit_rewritten",
            Self::Refusal(_) => "",
        }
    }
}

impl From<ImportRefused> for Refusal {
    fn from(error: ImportRefused) -> Self {
        let word = error.word();
        match error {
            ImportRefused::Refusal(refusal) => refusal,
            refused => Self::conflict(word, refused.to_string()),
        }
    }
}

impl From<RecordError> for ImportRefused {
    fn from(error: RecordError) -> Self {
        Self::Refusal(error.into())
    }
}

impl From<crate::store::table::TableError> for ImportRefused {
    fn from(error: crate::store::table::TableError) -> Self {
        Self::Refusal(error.into())
    }
}

/// Decodes a record that came to `level` from the one opposite, and computes its digest.
///
/// # Errors
/// The record is not in the one form, or of a kind that does not travel in that direction.
pub fn decode(level: Level, bytes: &[u8]) -> Result<Record, CborError> {
    match level {
        Level::High => decode_as::<Upward>(bytes),
        Level::Low => decode_as::<Downward>(bytes),
    }
}

fn decode_as<D: Direction>(bytes: &[u8]) -> Result<Record, CborError> {
    let Carried {
        id,
        home,
        number,
        deleted,
        root,
        body,
    } = cbor::from_deterministic_slice::<Carried<D>>(bytes)?;
    let returned = body.is_returned();
    let body = body.into_body();
    let digest = record::digest(id, home, deleted, &body)?;
    Ok(Record {
        id,
        home,
        revision: Revision { number, digest },
        deleted,
        root,
        body,
        returned,
    })
}

/// Takes a bundle into the inbox: its place in the order is checked, every record is compared with what is known, what the
/// sender acknowledges is owed no more, and the bundle itself will be acknowledged from now on. A repeated one changes
/// nothing. Its blobs must be durable before this is called.
///
/// # Errors
/// The bundle is refused as a whole, and nothing is changed.
pub fn receive(tx: &mut Tx<'_>, here: &Here, delivery: &Delivery) -> Result<Receipt, ImportRefused> {
    let mut sender = paired(tx, delivery.sender)?;
    // Keys may be refused while a bundle that they signed is read.
    if delivery
        .signed_as
        .as_ref()
        .is_some_and(|signed| *signed != sender.identity)
    {
        let detail = format!(
            "the keys of {} were exchanged while the bundle was read; import it again, to have its signature held against the new ones",
            sender.name
        );
        return Err(Refusal::conflict("bundle_signature", detail).into());
    }
    let here = &here.toward(&sender);
    let arrival = &delivery.arrival;
    let key = (delivery.sender, arrival.epoch.0, arrival.sequence);
    let known = Known {
        epoch: sender.epoch,
        retired: sender.retired_epochs.clone(),
        former: sender.former_epochs.clone(),
        forked: sender.forked,
        received: sender.received,
        at_sequence: tx
            .get(&ARRIVED, &key)?
            .map(|arrived| (arrived.bundle, arrived.file)),
        own_epoch: here.epoch,
        begun_anew: sender.own_epoch.is_some(),
    };
    let set_back = sender.received.highest == 0
        && !(sender.retired_epochs.is_empty() && sender.former_epochs.is_empty());
    let place = ledger::place(arrival, &known)?;
    if place == Place::Repeated {
        let known = u64::try_from(delivery.records.len()).unwrap_or(u64::MAX);
        return Ok(Receipt {
            place,
            brought: 0,
            known,
        });
    }
    check_audit_echo(tx, here, delivery)?;
    let (mut touched, mut receipt) = (
        BTreeSet::new(),
        Receipt {
            place,
            brought: 0,
            known: 0,
        },
    );
    for record in &delivery.records {
        if take_in(tx, here, delivery, record)? {
            touched.insert(record.root);
            receipt.brought += 1;
        } else {
            receipt.known += 1;
        }
    }
    settle_ignored(tx, delivery.sender, &touched)?;
    outgoing::acknowledge(
        tx,
        here,
        &mut sender,
        delivery.acknowledged_epoch,
        delivery.acknowledged,
    )?;
    note_arrival(tx, here, &mut sender, delivery, receipt)?;
    if set_back && here.level().map_err(Refusal::from)? == Level::High {
        peers::owe_back(tx, here, delivery.sender)?;
    }
    Ok(receipt)
}

fn check_audit_echo(read: &impl Read, here: &Here, delivery: &Delivery) -> Result<(), ImportRefused> {
    // Until the sender has confirmed this node's new epoch it echoes the chain from before the restore.
    let same_epoch = delivery.arrival.recipient_epoch == here.epoch;
    match delivery.audit_echo {
        Some(head) if same_epoch && crate::store::audit::contains_head(read, &head)?.is_none() => {
            Err(ImportRefused::AuditRewritten(head))
        }
        _ => Ok(()),
    }
}

fn note_arrival(
    tx: &mut Tx<'_>,
    here: &Here,
    sender: &mut Peer,
    delivery: &Delivery,
    receipt: Receipt,
) -> Result<(), ImportRefused> {
    let arrival = &delivery.arrival;
    let arrived = Arrived {
        bundle: arrival.bundle,
        file: arrival.hash,
        at: here.now,
        records: u64::try_from(delivery.records.len()).unwrap_or(u64::MAX),
        header: Some(ArrivedHeader {
            size: delivery.size,
            base: arrival.base,
            acknowledges: delivery.acknowledged.highest,
            audit_head: delivery.audit_head,
            brought: receipt.brought,
            known: receipt.known,
        }),
    };
    tx.put(
        &ARRIVED,
        &(delivery.sender, arrival.epoch.0, arrival.sequence),
        &arrived,
    )?;
    sender.received = sender.received.with(arrival.sequence);
    if receipt.place == Place::New {
        sender.audit_head = Some(delivery.audit_head);
    }
    tx.put(&PEERS, &delivery.sender, sender)?;
    let details = [
        ("bundle", arrival.bundle.to_string()),
        ("file", arrival.hash.to_string()),
        ("sequence", arrival.sequence.to_string()),
        ("new", receipt.brought.to_string()),
        ("known", receipt.known.to_string()),
        ("audit_head", delivery.audit_head.to_string()),
    ];
    let who = audit::Actor::Peer(delivery.sender);
    records::audit(
        tx,
        here,
        who,
        audit::Action::BUNDLE_IMPORTED,
        &[arrival.bundle.0],
        &details,
    )?;
    records::notify(tx, here, Event::BundleArrived, Some(delivery.sender), None)?;
    Ok(())
}

/// Puts one record into the inbox if it is news.
fn take_in(
    tx: &mut Tx<'_>,
    here: &Here,
    delivery: &Delivery,
    record: &Record,
) -> Result<bool, ImportRefused> {
    let (peer, under) = (delivery.sender, delivery.arrival.epoch);
    let arrived = ArrivedRevision {
        id: record.id,
        home: record.home,
        kind: record.body.kind(),
        under,
        number: record.revision.number,
        digest: record.revision.digest,
        returned: record.returned,
    };
    let pending = tx.get(&INBOX, &(peer, record.id))?;
    let known = match &pending {
        Some(pending) => Some(known_pending(pending)),
        None => known_object(tx, here, record.id)?,
    };
    let level = here.level().map_err(Refusal::from)?;
    let news = intake::compare(&arrived, NodeId(peer), here.node, level, known.as_ref())?;
    intake::check_body(record.id, &record.body)?;
    check_place(tx, here.node, level, record)?;
    if level == Level::High && known.is_some_and(|known| known.home.0 == peer) {
        // Its home has it: it need not be given back.
        tx.delete(&OWED, &(peer, record.id))?;
    }
    if let Some(other) = review::foreign_reference(tx, (here.node, level), NodeId(peer), &record.body)? {
        return Err(Dishonest::Foreign { id: record.id, other }.into());
    }
    match news {
        News::New | News::Newer | News::Forked => {
            if let Some(superseded) = &pending {
                let last = tx
                    .range_prefix_back(&INBOX_SUPERSEDED, &(peer, record.id), None, 1)?
                    .pop();
                let count = last.map_or(1, |((_, _, count), _)| count + 1);
                tx.put(&INBOX_SUPERSEDED, &(peer, record.id, count), superseded)?;
            }
            let waiting = Pending {
                home: record.home,
                revision: record.revision,
                under,
                deleted: record.deleted,
                forked: news == News::Forked || pending.is_some_and(|before| before.forked),
                root: record.root,
                sequence: delivery.arrival.sequence,
                body: record.body.clone(),
            };
            tx.put(&INBOX, &(peer, record.id), &waiting)?;
            Ok(true)
        }
        News::Same => {
            renumber(tx, peer, record, under, pending)?;
            Ok(false)
        }
        News::Older | News::AdoptedHere => Ok(false),
    }
}

/// The same content under a new epoch: later revisions will count from its number.
fn renumber(
    tx: &mut Tx<'_>,
    peer: Uuid,
    record: &Record,
    under: Epoch,
    pending: Option<Pending>,
) -> Result<(), ImportRefused> {
    if let Some(mut pending) = pending {
        if pending.under != under {
            (pending.under, pending.revision) = (under, record.revision);
            tx.put(&INBOX, &(peer, record.id), &pending)?;
        }
    } else if let Some(mut object) = records::object(tx, record.id)?
        && object.epoch != under
        && object.home == record.home
    {
        (object.epoch, object.revision) = (under, record.revision);
        tx.put(&OBJECTS, &record.id, &object)?;
    }
    Ok(())
}

fn known_pending(pending: &Pending) -> KnownRevision {
    KnownRevision {
        home: pending.home,
        kind: pending.body.kind(),
        under: pending.under,
        number: pending.revision.number,
        digest: pending.revision.digest,
        waits: true,
    }
}

fn known_object(read: &impl Read, here: &Here, id: Uuid) -> Result<Option<KnownRevision>, ImportRefused> {
    Ok(records::object(read, id)?.map(|object| KnownRevision {
        home: object.home,
        kind: object.kind(),
        under: if object.home == here.node {
            here.epoch
        } else {
            object.epoch
        },
        number: object.revision.number,
        digest: object.revision.digest,
        waits: false,
    }))
}

/// An answer must answer a request of this node, and the batch that a record names must be the one that it belongs to.
fn check_place(read: &impl Read, node: NodeId, level: Level, record: &Record) -> Result<(), ImportRefused> {
    let root = crate::sync::eligible::root(record.id, &record.body);
    if root.is_some_and(|root| root != record.root) {
        return Err(Dishonest::OtherBatch(record.id).into());
    }
    let request = match &record.body {
        Body::Decision(decision) if level == Level::Low => Some(decision.request),
        Body::Job(job) => Some(job.request),
        Body::Release(release) => Some(release.request),
        _ => None,
    };
    let Some(request) = request else { return Ok(()) };
    match records::object(read, request.0)? {
        Some(known) if known.kind() != Kind::Request || known.home != node => {
            let (id, other) = (record.id, request.0);
            Err(Dishonest::Foreign { id, other }.into())
        }
        _ => Ok(()),
    }
}

fn settle_ignored(tx: &mut Tx<'_>, peer: Uuid, touched: &BTreeSet<Uuid>) -> Result<(), ImportRefused> {
    let before: BTreeSet<Uuid> = tx
        .range_prefix(&IGNORED, &peer, None, usize::MAX)?
        .into_iter()
        .map(|((_, root), ())| root)
        .collect();
    if before.is_empty() {
        return Ok(());
    }
    // What was ignored and is no longer in the inbox, because its objects went another way, hides nothing any more.
    let pending = contents::batches(tx, peer)?;
    let still = contents::ignored(tx, peer, &pending)?;
    let after = rules::after_arrival(touched, &pending, &still);
    for root in before.difference(&after) {
        tx.delete(&IGNORED, &(peer, *root))?;
    }
    for root in after.difference(&before) {
        tx.put(&IGNORED, &(peer, *root), &())?;
    }
    Ok(())
}

/// What is known of a bundle that was refused, by the time that it was.
#[derive(Clone, Debug, Default)]
pub struct Turned {
    /// Who signed it.
    pub sender: Option<Uuid>,
    /// The bundle.
    pub bundle: Option<BundleId>,
    /// The epoch of its sender that it bears.
    pub epoch: Option<Epoch>,
    /// The stable word of the refusal.
    pub word: &'static str,
    /// The refusal.
    pub why: String,
}

/// Notes in the audit chain that a bundle was refused, and tells those who sync. An epoch that nobody has confirmed is
/// remembered, so that a person can confirm it; and that a fork was found, so that nothing more of its epoch comes in.
///
/// # Errors
/// The store fails.
pub fn refuse(tx: &mut Tx<'_>, here: &Here, refused: &Turned) -> Result<(), Refusal> {
    if let (Some(sender), Some(epoch)) = (refused.sender, refused.epoch) {
        let mut peer = peers::peer(tx, sender)?;
        match refused.word {
            UNCONFIRMED if epoch != peer.epoch && !peer.retired_epochs.contains(&epoch) => {
                peer.unconfirmed_epoch = Some(epoch);
                tx.put(&PEERS, &sender, &peer)?;
            }
            FORK if epoch == peer.epoch && !peer.forked => {
                peer.forked = true;
                tx.put(&PEERS, &sender, &peer)?;
            }
            _ => {}
        }
    }
    let who = refused.sender.map_or(audit::Actor::Node, audit::Actor::Peer);
    let subjects: Vec<Uuid> = refused.bundle.iter().map(|bundle| bundle.0).collect();
    records::audit(
        tx,
        here,
        who,
        audit::Action::BUNDLE_REFUSED,
        &subjects,
        &[("why", refused.why.clone())],
    )?;
    records::notify(tx, here, Event::BundleRefused, refused.sender, None)?;
    Ok(())
}
