//! Takes one bundle from the quarantine into the inbox: signature, then everything inside, then its place among its sender's
//! bundles, then every record; only then one commit.

use std::collections::BTreeMap;
use std::path::Path;

use poundlock_transport::{
    BlobHash, Header, Limits, PublicIdentity, ReceiveError, Received as Copied, Refusal as SinkRefusal, Sink,
    UnpackError, VerifyError, default_workers,
};
use serde::Serialize;

use super::{Syncer, public_identity};
use crate::actors::ActError;
use crate::acts::Refusal;
use crate::acts::inbox::{self, Delivery, Receipt, Record};
use crate::acts::outgoing::RECORD_BYTES_MAX;
use crate::domain::access::{Actor, Permission};
use crate::domain::hash::Hash;
use crate::domain::id::{BundleId, Epoch, NodeId};
use crate::domain::object::BODY_MAX;
use crate::domain::peer::{Received, Trust};
use crate::domain::side::Side;
use crate::store::blobs::{BlobWriter, Blobs, StagedBlob};
use crate::store::records;
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

/// What this node takes in at once: as many bytes of records as it would send, and one batch that did not fit.
fn limits() -> Limits {
    let record_bytes = u64::try_from(BODY_MAX * 2).unwrap_or(u64::MAX);
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
        let mut seen = Seen::default();
        let result = self.take_in(quarantined, &mut seen);
        if let Err(ActError::Refusal(refusal)) = &result {
            let why = refusal.to_string();
            let unconfirmed = match refusal {
                Refusal::Conflict {
                    word: "bundle_epoch_unconfirmed",
                    ..
                } => seen.epoch,
                _ => None,
            };
            self.store.act_blocking(move |tx, here| {
                inbox::refuse(tx, here, seen.sender, seen.bundle, unconfirmed, &why)
            })?;
        }
        result
    }

    fn take_in(&self, quarantined: &Path, seen: &mut Seen) -> Result<Imported, ActError> {
        let limits = limits();
        let copied = Copied::open(quarantined, &limits).map_err(not_received)?;
        let peers = self.store.read_blocking(|view| Ok(records::peers(view)?))?;
        let mut identities = Vec::new();
        for (_, peer) in peers.iter().filter(|(_, peer)| peer.trust == Trust::Paired) {
            identities.push(public_identity(peer).map_err(ActError::internal)?);
        }
        let verified = copied
            .verify(&identities.iter().collect::<Vec<&PublicIdentity>>())
            .map_err(not_verified)?;
        let sender = verified.signer().node();
        seen.sender = Some(sender);
        let side = self
            .store
            .read_blocking(|view| Ok(records::Here::at(view, self.store.now(), [0; 32])?.side))?;
        let mut staging = Staging::new(side, &self.blobs);
        let mut unpacked = verified.unpack(&self.identity()?, &limits, &mut staging);
        if let (Err(UnpackError::WrongRecipient), Some(previous)) = (&unpacked, self.previous_identity()?) {
            unpacked = verified.unpack(&previous, &limits, &mut staging);
        }
        if let Some(header) = &staging.header {
            seen.bundle = Some(BundleId(header.outgoing.bundle));
            seen.epoch = Some(Epoch(header.outgoing.sender_epoch));
        }
        let unpacked = unpacked.map_err(not_unpacked)?;
        self.check_blobs(&staging)?;
        let delivery = delivery(
            sender,
            unpacked.header(),
            Hash(*unpacked.hash().as_bytes()),
            staging.records,
        );
        let receipt = self.commit(delivery.clone(), staging.blobs.complete)?;
        let name = peers
            .iter()
            .find(|(id, _)| *id == sender)
            .map(|(_, peer)| peer.name.clone());
        Ok(Imported {
            bundle: delivery.arrival.bundle,
            sender: NodeId(sender),
            sender_name: name.unwrap_or_default(),
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

    /// Every blob that a record names must be in the bundle or here already, and every blob in the bundle must be named by a
    /// record: nothing travels that nobody reviews.
    fn check_blobs(&self, staging: &Staging<'_>) -> Result<(), ActError> {
        let named: BTreeMap<Hash, u64> = staging
            .records
            .iter()
            .flat_map(|record| record.body.blobs())
            .collect();
        let brought: BTreeMap<Hash, u64> = staging
            .blobs
            .complete
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
        for hash in named.keys().filter(|hash| !brought.contains_key(hash)) {
            if !self.blobs.contains(hash).map_err(ActError::internal)? {
                let detail = format!(
                    "the bundle names blob {hash}, which is neither in it nor here; ask its sender to export with --full"
                );
                return Err(Refusal::conflict("bundle_blob_missing", detail).into());
            }
        }
        Ok(())
    }

    /// Tries the whole receipt without keeping it, so that a bundle that is refused leaves no blob behind; then publishes
    /// the blobs, and only then commits what names them.
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
        if receipt.place == Place::Repeated {
            return Ok(receipt);
        }
        for blob in blobs {
            self.blobs.publish(blob).map_err(ActError::internal)?;
        }
        self.store
            .act_blocking(move |tx, here| Ok(inbox::receive(tx, here, &delivery)?))
    }
}

const REHEARSAL: &str = "rehearsal";

/// What is known of a bundle by the time that it is refused.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    sender: Option<uuid::Uuid>,
    bundle: Option<BundleId>,
    epoch: Option<Epoch>,
}

fn delivery(sender: uuid::Uuid, header: &Header, hash: Hash, records: Vec<Record>) -> Delivery {
    let outgoing = &header.outgoing;
    let acknowledged = outgoing.acknowledgement;
    Delivery {
        sender,
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
        records,
    }
}

/// Holds what a bundle brings until all of it has been verified: records in memory, within a bound, and blobs on the disk
/// without a name.
struct Staging<'a> {
    side: Side,
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
    fn new(side: Side, store: &'a Blobs) -> Self {
        let blobs = StagedBlobs {
            store,
            open: None,
            complete: Vec::new(),
        };
        Self {
            side,
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

const RECORDS_MAX: u64 = 2 * RECORD_BYTES_MAX as u64;

impl Sink for Staging<'_> {
    fn header(&mut self, header: &Header) -> Result<(), SinkRefusal> {
        self.header = Some(header.clone());
        match header.outgoing.contents.record_bytes {
            bytes if bytes > RECORDS_MAX => Err(Box::new(TooManyRecords(bytes))),
            _ => Ok(()),
        }
    }

    fn record(&mut self, payload: &[u8]) -> Result<(), SinkRefusal> {
        self.records
            .push(inbox::decode(self.side, payload).map_err(inbox::ImportRefused::from)?);
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
        _ => "bundle_not_one",
    };
    Refusal::conflict(word, error.to_string()).into()
}

fn not_verified(error: VerifyError) -> ActError {
    Refusal::conflict("bundle_signature", error.to_string()).into()
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
        UnpackError::Limit { .. } => "bundle_limit",
        UnpackError::Frames(_) => "bundle_frames",
        UnpackError::AgeHeader(_) | UnpackError::Decrypt => "bundle_encryption",
        UnpackError::Header(_) | UnpackError::HeaderRule(_) => "bundle_header",
        _ => "bundle_contents",
    };
    Refusal::conflict(word, error.to_string()).into()
}

fn sink_refused(reason: SinkRefusal) -> ActError {
    let reason = match reason.downcast::<inbox::ImportRefused>() {
        Ok(refused) => return Refusal::from(*refused).into(),
        Err(other) => other,
    };
    match reason.downcast::<TooManyRecords>() {
        Ok(too_many) => Refusal::conflict("bundle_limit", too_many.to_string()).into(),
        Err(other) => ActError::internal(anyhow::anyhow!(other)),
    }
}
