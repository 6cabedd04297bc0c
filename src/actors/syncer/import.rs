//! Takes one bundle from the quarantine into the inbox: signature, then everything inside, then its place among its sender's
//! bundles, then every record, then the blobs that they name; only then one commit.

use std::collections::BTreeMap;
use std::path::Path;

use poundlock_transport::{
    BlobHash, Header, Limits, PublicIdentity, ReceiveError, Received as Copied, Refusal as SinkRefusal, Sink,
    UnpackError, VerifyError, check_signature, default_workers,
};
use serde::Serialize;
use uuid::Uuid;

use super::{Syncer, public_identity};
use crate::actors::ActError;
use crate::acts::Refusal;
use crate::acts::inbox::{self, Delivery, Receipt, Record, Turned};
use crate::acts::outgoing::RECORD_BYTES_MAX;
use crate::domain::access::{Actor, Permission};
use crate::domain::hash::Hash;
use crate::domain::id::{BundleId, Epoch, NodeId};
use crate::domain::object::BODY_MAX;
use crate::domain::peer::{Peer, Received, Trust};
use crate::domain::side::Level;
use crate::failpoint::failpoint;
use crate::store::blobs::{BlobWriter, Blobs, StagedBlob};
use crate::store::read::Read;
use crate::store::records;
use crate::store::tables::HAS_BLOB;
use crate::sync::ledger::{Arrival, Place};

/// What an import did.
#[derive(Clone, Debug, Serialize)]
pub struct Imported {
    /// The bundle.
    pub bundle: BundleId,
    /// Who sent it.
    pub sender: NodeId,
    /// How the sender is called.
    pub sender_name: String,
    /// Its number.
    pub sequence: u64,
    /// The hash of the file, as it was signed.
    pub hash: Hash,
    /// `received`, `late` (a newer one came first) or `repeated` (nothing changed).
    pub state: &'static str,
    /// How many records wait for review that did not before.
    pub brought: u64,
    /// How many were known already.
    pub known: u64,
    /// How many blobs came along.
    pub blobs: usize,
}

/// What this node takes in at once. No body is larger than [`BODY_MAX`], so no record is.
fn limits() -> Limits {
    let record_bytes = u64::try_from(BODY_MAX).unwrap_or(u64::MAX);
    Limits {
        record_bytes,
        workers: default_workers(),
        ..Limits::default()
    }
}

impl Syncer {
    /// Takes in the file at `quarantined`. Refusals are noted in the audit chain; nothing else changes then.
    pub(super) fn import(&self, actor: &Actor, quarantined: &Path) -> Result<Imported, ActError> {
        actor.require(Permission::Sync).map_err(Refusal::from)?;
        let mut seen = Turned::default();
        let result = self.take_in(quarantined, &mut seen);
        if let Err(ActError::Refusal(refusal)) = &result {
            let turned = Turned {
                word: match refusal {
                    Refusal::Conflict { word, .. } => word,
                    _ => "",
                },
                why: refusal.to_string(),
                ..seen
            };
            self.store
                .act_blocking(move |tx, here| inbox::refuse(tx, here, &turned))?;
        }
        result
    }

    fn take_in(&self, quarantined: &Path, seen: &mut Turned) -> Result<Imported, ActError> {
        let limits = limits();
        failpoint!("import.quarantined");
        let copied = Copied::open(quarantined, &limits).map_err(not_received)?;
        let peers = self.store.read_blocking(|view| Ok(records::peers(view)?))?;
        let mut identities = Vec::new();
        // Of those who are not paired only so that the refusal can say who it was.
        for (_, peer) in &peers {
            identities.push(public_identity(peer).map_err(ActError::internal)?);
        }
        let verified = match copied.verify(&identities.iter().collect::<Vec<&PublicIdentity>>()) {
            Ok(verified) => verified,
            Err(_) if self.has_signed(quarantined)? => return Err(own_bundle()),
            Err(error) => return Err(not_verified(error)),
        };
        let sender = verified.signer().node();
        seen.sender = Some(sender);
        check_trust(&peers, sender)?;
        let mut staging = Staging::new(self.level, &self.blobs, self.free_space()?);
        let mut unpacked = verified.unpack(&self.identity()?, &limits, &mut staging);
        if let (Err(UnpackError::WrongRecipient), Some(previous)) = (&unpacked, self.previous_identity()?) {
            unpacked = verified.unpack(&previous, &limits, &mut staging);
        }
        if let Some(header) = &staging.header {
            seen.bundle = Some(BundleId(header.outgoing.bundle));
            seen.epoch = Some(Epoch(header.outgoing.sender_epoch));
        }
        let unpacked = unpacked.map_err(not_unpacked)?;
        failpoint!("import.unpacked");
        let size = std::fs::metadata(quarantined).map_err(ActError::internal)?.len();
        let file = (Hash(*unpacked.hash().as_bytes()), size);
        let signer = peers.iter().find(|(id, _)| *id == sender).map(|(_, peer)| peer);
        let delivery = Delivery {
            signed_as: signer.map(|peer| peer.identity.clone()),
            ..delivery(sender, unpacked.header(), file, staging.records)
        };
        let receipt = self.commit(delivery.clone(), staging.blobs.complete)?;
        Ok(Imported {
            bundle: delivery.arrival.bundle,
            sender: NodeId(sender),
            sender_name: signer.map(|peer| peer.name.clone()).unwrap_or_default(),
            sequence: delivery.arrival.sequence,
            hash: delivery.arrival.hash,
            state: match receipt.place {
                Place::New => "received",
                Place::Late => "late",
                Place::Repeated => "repeated",
            },
            brought: receipt.brought,
            known: receipt.known,
            blobs: usize::try_from(unpacked.header().outgoing.contents.blobs).unwrap_or(usize::MAX),
        })
    }

    /// Whether this node wrote the file itself: on a stick that goes to and fro its own bundles lie beside its peer's.
    fn has_signed(&self, file: &Path) -> Result<bool, ActError> {
        let mut own = Vec::new();
        for keys in [Some(self.identity()?), self.previous_identity()?]
            .into_iter()
            .flatten()
        {
            own.push(keys.public(None, Uuid::nil()).map_err(ActError::internal)?);
        }
        Ok(check_signature(file, &own.iter().collect::<Vec<_>>()).is_ok())
    }

    /// What the records and blobs of a bundle may take of the disk.
    fn free_space(&self) -> Result<u64, ActError> {
        let stat = nix::sys::statvfs::statvfs(&self.folder.blobs()).map_err(ActError::internal)?;
        let free = stat.blocks_available().saturating_mul(stat.fragment_size());
        Ok(free.saturating_sub(limits().free_reserve))
    }

    /// Every blob that a record names must be in the bundle or here already, and every blob in the bundle must be named by a
    /// record: nothing travels that nobody reviews.
    ///
    /// On a high node, here already means that the same sender brought it: else a low node could learn from what is
    /// acknowledged which results another low node has been given.
    fn check_blobs(&self, delivery: &Delivery, blobs: &[StagedBlob]) -> Result<(), ActError> {
        let named: BTreeMap<Hash, u64> = delivery
            .records
            .iter()
            .flat_map(|record| record.body.blobs())
            .collect();
        let brought: BTreeMap<Hash, u64> = blobs
            .iter()
            .map(|staged| (staged.blob().hash, staged.blob().len))
            .collect();
        if let Some((hash, _)) = brought
            .iter()
            .find(|(hash, length)| named.get(hash) != Some(length))
        {
            let detail = format!("the bundle holds blob {hash}, which none of its records names");
            return Err(Refusal::conflict("bundle_blob_unnamed", detail).into());
        }
        for (hash, length) in named.iter().filter(|(hash, _)| !brought.contains_key(hash)) {
            let here = self.blobs.find(hash).map_err(ActError::internal)?;
            let blob = (delivery.sender, hash.0);
            let known = self.level == Level::Low
                || self
                    .store
                    .read_blocking(|view| Ok(view.contains(&HAS_BLOB, &blob)?))?;
            if !known || here.is_none_or(|here| here.len != *length) {
                let detail = format!(
                    "the bundle names blob {hash}, which is neither in it nor here; ask its sender to export with --full"
                );
                return Err(Refusal::conflict("bundle_blob_missing", detail).into());
            }
        }
        Ok(())
    }

    /// Tries the whole receipt without keeping it, so that a bundle that is refused leaves no blob behind; then publishes
    /// the blobs, and only then commits what names them. Blobs are asked for only of a bundle that has a place: one that was
    /// received before, or belongs to another epoch, may build on blobs that are no longer counted as here.
    fn commit(&self, delivery: Delivery, blobs: Vec<StagedBlob>) -> Result<Receipt, ActError> {
        let attempt = delivery.clone();
        let (sent, tried) = std::sync::mpsc::sync_channel(1);
        let rehearsal = self.store.act_blocking(move |tx, here| -> Result<(), Refusal> {
            let receipt = inbox::receive(tx, here, &attempt)?;
            // The channel holds one, and this is the one.
            let _ = sent.try_send(receipt);
            Err(Refusal::conflict(REHEARSAL, "nothing of a rehearsal is kept"))
        });
        let receipt = match (rehearsal, tried.try_recv()) {
            (Err(ActError::Refusal(Refusal::Conflict { word: REHEARSAL, .. })), Ok(receipt)) => receipt,
            (Err(error), _) => return Err(error),
            (Ok(()), _) => return Err(ActError::internal(anyhow::anyhow!("a rehearsal was kept"))),
        };
        failpoint!("import.rehearsed");
        if receipt.place == Place::Repeated {
            return Ok(receipt);
        }
        self.check_blobs(&delivery, &blobs)?;
        let (mut brought, level) = (Vec::with_capacity(blobs.len()), self.level);
        for blob in blobs {
            brought.push(self.blobs.publish(blob).map_err(ActError::internal)?.hash);
        }
        failpoint!("import.published");
        let received = self.store.act_blocking(move |tx, here| {
            let receipt = inbox::receive(tx, here, &delivery)?;
            if level == Level::High {
                for hash in brought {
                    tx.put(&HAS_BLOB, &(delivery.sender, hash.0), &())?;
                }
            }
            Ok(receipt)
        })?;
        failpoint!("import.committed");
        Ok(received)
    }
}

/// Nothing of a bundle is decrypted unless a person has confirmed its signer, and has not revoked that since.
fn check_trust(peers: &[(uuid::Uuid, Peer)], signer: uuid::Uuid) -> Result<(), Refusal> {
    let signed = peers.iter().find(|(id, _)| *id == signer).map(|(_, peer)| peer);
    match signed {
        Some(peer) if peer.trust == Trust::Paired => Ok(()),
        Some(peer) if peer.trust == Trust::Revoked => {
            let detail = format!("the bundle is signed by {}, whose pairing was revoked", peer.name);
            Err(Refusal::conflict("bundle_sender_revoked", detail))
        }
        _ => Err(Refusal::conflict(
            "bundle_sender_unconfirmed",
            "the bundle's signer is known here and was never confirmed: compare the fingerprint by voice, then `poundlock pair confirm`",
        )),
    }
}

const REHEARSAL: &str = "rehearsal";

/// What a verified bundle brings, in the words of the acts; of the file its hash and size.
pub fn delivery(
    sender: uuid::Uuid,
    header: &Header,
    (hash, size): (Hash, u64),
    records: Vec<Record>,
) -> Delivery {
    let outgoing = &header.outgoing;
    let acknowledged = outgoing.acknowledgement;
    Delivery {
        sender,
        signed_as: None,
        arrival: Arrival {
            bundle: BundleId(outgoing.bundle),
            hash,
            epoch: Epoch(outgoing.sender_epoch),
            sequence: outgoing.sequence.get(),
            base: outgoing.base,
            recipient_epoch: Epoch(outgoing.recipient_epoch),
        },
        acknowledged_epoch: acknowledged.epoch.map(Epoch),
        acknowledged: Received {
            highest: acknowledged.highest,
            earlier: acknowledged.earlier,
        },
        audit_head: Hash(*outgoing.audit.own.as_bytes()),
        audit_echo: outgoing.audit.echo.map(|head| Hash(*head.as_bytes())),
        size,
        records,
    }
}

/// Holds what a bundle brings until all of it has been verified: records in memory, within a bound, and blobs on the disk
/// without a name.
struct Staging<'a> {
    level: Level,
    free: u64,
    header: Option<Header>,
    records: Vec<Record>,
    blobs: StagedBlobs<'a>,
}

struct StagedBlobs<'a> {
    store: &'a Blobs,
    open: Option<BlobWriter<'a>>,
    complete: Vec<StagedBlob>,
}

impl<'a> Staging<'a> {
    fn new(level: Level, store: &'a Blobs, free: u64) -> Self {
        let blobs = StagedBlobs {
            store,
            open: None,
            complete: Vec::new(),
        };
        Self {
            level,
            free,
            header: None,
            records: Vec::new(),
            blobs,
        }
    }
}

/// More records than this node keeps in memory at once.
#[derive(Debug, thiserror::Error)]
#[error("the bundle declares {0} bytes of records, and this node takes at most {most} at once", most = RECORDS_MAX)]
struct TooManyRecords(u64);

/// More than this node's disk can take.
#[derive(Debug, thiserror::Error)]
#[error("the bundle declares {declared} bytes, and this node's disk has room for {free}")]
struct NoRoom {
    declared: u64,
    free: u64,
}

const RECORDS_MAX: u64 = 2 * RECORD_BYTES_MAX as u64;

impl Sink for Staging<'_> {
    fn header(&mut self, header: &Header) -> Result<(), SinkRefusal> {
        self.header = Some(header.clone());
        match header.outgoing.contents.record_bytes {
            bytes if bytes > RECORDS_MAX => return Err(Box::new(TooManyRecords(bytes))),
            _ => {}
        }
        match header.outgoing.contents.blob_bytes {
            declared if declared > self.free => Err(Box::new(NoRoom {
                declared,
                free: self.free,
            })),
            _ => Ok(()),
        }
    }

    fn record(&mut self, payload: &[u8]) -> Result<(), SinkRefusal> {
        self.records
            .push(inbox::decode(self.level, payload).map_err(inbox::ImportRefused::from)?);
        Ok(())
    }

    fn blob_start(&mut self, _: &BlobHash, length: u64) -> Result<(), SinkRefusal> {
        self.blobs.open = Some(self.blobs.store.writer(length)?);
        Ok(())
    }

    fn blob_bytes(&mut self, bytes: &[u8]) -> Result<(), SinkRefusal> {
        if let Some(open) = &mut self.blobs.open {
            open.push(bytes)?;
        }
        Ok(())
    }

    fn blob_end(&mut self, hash: &BlobHash) -> Result<(), SinkRefusal> {
        if let Some(open) = self.blobs.open.take() {
            self.blobs
                .complete
                .push(open.stage(Some(&Hash(*hash.as_bytes())))?);
        }
        Ok(())
    }
}

fn not_received(error: ReceiveError) -> ActError {
    let word = match &error {
        ReceiveError::Read { .. } | ReceiveError::Write { .. } => return ActError::internal(error),
        ReceiveError::NoSpace { .. } => "bundle_no_space",
        ReceiveError::TooLarge { .. } => "bundle_too_large",
        ReceiveError::Preamble(poundlock_transport::PreambleError::UnknownFormat(_)) => {
            "bundle_format_unknown"
        }
        ReceiveError::Preamble(poundlock_transport::PreambleError::Truncated) => "bundle_truncated",
        _ => "bundle_not_one",
    };
    Refusal::conflict(word, error.to_string()).into()
}

fn own_bundle() -> ActError {
    Refusal::conflict(
        "bundle_own",
        "this node wrote this bundle itself; import it on the node that it was written for",
    )
    .into()
}

fn not_verified(error: VerifyError) -> ActError {
    let word = match error {
        VerifyError::NoPeers => "bundle_no_peers",
        _ => "bundle_signature",
    };
    Refusal::conflict(word, error.to_string()).into()
}

fn not_unpacked(error: UnpackError) -> ActError {
    let word = match error {
        UnpackError::Io(_) => return ActError::internal(error),
        UnpackError::Refused(reason) => return sink_refused(reason),
        UnpackError::WrongRecipient => "bundle_wrong_recipient",
        UnpackError::RecipientMismatch => "bundle_recipient_mismatch",
        UnpackError::SenderMismatch => "bundle_sender_mismatch",
        UnpackError::DirectionMismatch => "bundle_direction",
        UnpackError::Truncated => "bundle_truncated",
        UnpackError::Limit { .. } | UnpackError::ItemTooLarge(_) => "bundle_limit",
        UnpackError::Frames(_) => "bundle_frames",
        UnpackError::AgeHeader(_) => "bundle_age_header",
        UnpackError::Decrypt => "bundle_encryption",
        UnpackError::Header(_) => "bundle_header",
        UnpackError::HeaderRule(_) => "bundle_header_contradicts",
        UnpackError::MoreThanDeclared | UnpackError::Counts => "bundle_counts",
        UnpackError::TrailerHash | UnpackError::Trailer(_) => "bundle_trailer",
        UnpackError::UnknownItem(_) => "bundle_item_unknown",
        UnpackError::Record(_) => "bundle_record_malformed",
        UnpackError::BlobHash(_) | UnpackError::ChunkSize(_) => "bundle_blob_differs",
        UnpackError::TrailingData => "bundle_trailing_data",
        _ => "bundle_contents",
    };
    Refusal::conflict(word, error.to_string()).into()
}

fn sink_refused(reason: SinkRefusal) -> ActError {
    let reason = match reason.downcast::<inbox::ImportRefused>() {
        Ok(refused) => return Refusal::from(*refused).into(),
        Err(other) => other,
    };
    let reason = match reason.downcast::<NoRoom>() {
        Ok(no_room) => return Refusal::conflict("bundle_no_space", no_room.to_string()).into(),
        Err(other) => other,
    };
    match reason.downcast::<TooManyRecords>() {
        Ok(too_many) => Refusal::conflict("bundle_limit", too_many.to_string()).into(),
        Err(other) => ActError::internal(anyhow::anyhow!(other)),
    }
}
