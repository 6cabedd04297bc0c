//! Carries bundles between nodes.

use uuid::Uuid;

use super::node::Node;
use crate::acts::Refusal;
use crate::acts::inbox::{self, Delivery, ImportRefused, Receipt, Turned};
use crate::acts::outgoing::{self, Wanted};
use crate::domain::hash::Hash;
use crate::domain::id::BundleId;
use crate::sync::ledger::Arrival;
use crate::sync::select::Filters;

/// Makes bundles and takes them in. A history does not care what a bundle is made of: these are in memory, others may be
/// files.
pub trait Courier {
    /// What is carried. A copy of it is the same bundle again.
    type Bundle: Clone + std::fmt::Debug;

    /// Has a node make a bundle for a peer.
    fn export(&self, from: &Node, peer: Uuid, filters: &Filters, full: bool)
    -> Result<Self::Bundle, Refusal>;

    /// Has a node take a bundle in. A refusal is noted as the syncer notes it: in the audit chain, and with the epoch that
    /// nobody has confirmed.
    fn import(&self, to: &Node, bundle: &Self::Bundle) -> Result<Receipt, ImportRefused>;
}

/// What stands in a bundle: its header and its records, encoded.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// All but the records.
    pub header: Delivery,
    /// The records, in the one form.
    pub records: Vec<Vec<u8>>,
}

/// Carries bundles by hand, without files.
#[derive(Debug)]
pub struct ByHand;

impl Courier for ByHand {
    type Bundle = Bundle;

    fn export(&self, from: &Node, peer: Uuid, filters: &Filters, full: bool) -> Result<Bundle, Refusal> {
        let wanted = Wanted {
            filters: filters.clone(),
            full,
            ..Wanted::default()
        };
        packed(from, peer, wanted)
    }

    fn import(&self, to: &Node, bundle: &Bundle) -> Result<Receipt, ImportRefused> {
        let taken_in = receive(to, bundle);
        if let Err(refused) = &taken_in {
            let turned = Turned {
                sender: Some(bundle.header.sender),
                bundle: Some(bundle.header.arrival.bundle),
                epoch: Some(bundle.header.arrival.epoch),
                word: refused.word(),
                why: refused.to_string(),
            };
            to.act(move |tx, here| inbox::refuse(tx, here, &turned))?;
        }
        taken_in
    }
}

/// Has a node make a bundle of what is wanted.
pub fn packed(from: &Node, peer: Uuid, wanted: Wanted) -> Result<Bundle, Refusal> {
    let (owner, id) = (from.owner(), BundleId(from.fresh_id()));
    let parcel = from.act(move |tx, here| outgoing::pack(tx, &owner, here, peer, &wanted, id))?;
    let anything_received = parcel.received.highest > 0;
    let arrival = Arrival {
        bundle: parcel.bundle,
        hash: Hash::of(parcel.bundle.0.as_bytes()),
        epoch: parcel.epoch,
        sequence: parcel.sequence,
        base: parcel.base,
        recipient_epoch: parcel.peer.epoch,
    };
    let (sequence, hash) = (parcel.sequence, arrival.hash);
    from.act(move |tx, here| outgoing::written(tx, here, peer, sequence, hash))?;
    let header = Delivery {
        sender: from.id.0,
        signed_as: None,
        arrival,
        acknowledged_epoch: anything_received.then_some(parcel.peer.epoch),
        acknowledged: parcel.received,
        audit_head: parcel.audit_head,
        audit_echo: parcel.peer.audit_head,
        size: 1,
        records: Vec::new(),
    };
    Ok(Bundle {
        header,
        records: parcel.records,
    })
}

/// Has a node take a bundle in, and notes nothing of a refusal.
pub fn receive(to: &Node, bundle: &Bundle) -> Result<Receipt, ImportRefused> {
    let mut delivery = bundle.header.clone();
    for record in &bundle.records {
        delivery.records.push(inbox::decode(to.level, record)?);
    }
    to.act(move |tx, here| inbox::receive(tx, here, &delivery))
}

/// Makes a bundle of all that is owed.
pub fn export(from: &Node, to: &Node) -> Bundle {
    ByHand.export(from, to.id.0, &Filters::default(), false).unwrap()
}

/// Makes a bundle of all that is owed, brings it over, and has all of it applied.
pub fn carry(from: &Node, to: &Node) -> Bundle {
    let bundle = export(from, to);
    ByHand.import(to, &bundle).unwrap();
    to.apply_all(from.id.0);
    bundle
}
