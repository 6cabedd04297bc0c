//! To which low nodes a high node's datasets go, and how a low-born dataset becomes a high one.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Refusal, assets, datasets, peers};
use crate::domain::access::{Actor, Permission};
use crate::domain::asset::Asset;
use crate::domain::audit::{self, Action};
use crate::domain::id::{AssetId, DatasetId, NodeId};
use crate::domain::object::{Body, Kind, Object};
use crate::domain::private_data::MockOrigin;
use crate::domain::side::Level;
use crate::domain::text;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{JOURNAL, OWED, PUBLISHED};
use crate::store::transaction::Tx;

/// Publishes a dataset to a peer: its description and mocks, now and as they change, are owed to it.
///
/// # Errors
/// A permission is missing, this is no high node, there is no such dataset or peer, the dataset's home is elsewhere, or the
/// peer is not paired.
pub fn publish(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    dataset: DatasetId,
    peer: NodeId,
) -> Result<(), Refusal> {
    may_publish(actor, here)?;
    let (object, _) = datasets::find(tx, dataset)?;
    if object.home != here.node {
        return Err(Refusal::conflict(
            "not_the_home",
            "the dataset has its home on another node; adopt it first: `poundlock dataset adopt`",
        ));
    }
    peers::paired(tx, peer.0)?;
    if tx.insert(&PUBLISHED, &(dataset.0, peer.0), &())? {
        owe_all(tx, here, &object, peer)?;
        note(tx, actor, here, Action::DATASET_PUBLISHED, &object, peer)?;
    }
    Ok(())
}

/// What a peer is not owed of yet, it is owed at the journal's present position.
fn owe_all(tx: &mut Tx<'_>, here: &Here, dataset: &Object, peer: NodeId) -> Result<(), Refusal> {
    let position = tx.last(&JOURNAL)?.map_or(0, |(position, _)| position);
    records::owe(tx, here, peer.0, dataset, position)?;
    for asset in records::children(tx, dataset.id, Kind::Asset)? {
        records::owe(tx, here, peer.0, &asset, position)?;
    }
    Ok(())
}

/// Publishes a dataset to a peer no more. What the peer has, it keeps; to hide it there, delete the dataset. That it was deleted,
/// the peer is still told, unless it bears another name by then, or is shown to other groups.
///
/// # Errors
/// A permission is missing, this is no high node, or the dataset is not published to the peer.
pub fn withdraw(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    dataset: DatasetId,
    peer: NodeId,
) -> Result<(), Refusal> {
    may_publish(actor, here)?;
    let (object, _) = datasets::find(tx, dataset)?;
    if !tx.contains(&PUBLISHED, &(dataset.0, peer.0))? {
        return Err(Refusal::NotFound {
            what: "publication of the dataset to the peer",
            id: peer.to_string(),
        });
    }
    tx.delete(&PUBLISHED, &(dataset.0, peer.0))?;
    let mut all = records::children(tx, dataset.0, Kind::Asset)?;
    all.push(object.clone());
    for object in all {
        if !records::may_have(tx, here.node, here.side, peer.0, &object)? {
            tx.delete(&OWED, &(peer.0, object.id))?;
        }
    }
    note(tx, actor, here, Action::DATASET_UNPUBLISHED, &object, peer)
}

/// The peers that a dataset is published to.
///
/// # Errors
/// A permission is missing, this is no high node, or there is no such dataset.
pub fn list(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    dataset: DatasetId,
) -> Result<Vec<NodeId>, Refusal> {
    may_publish(actor, here)?;
    datasets::find(read, dataset)?;
    let mut published = Vec::new();
    read.for_each(&PUBLISHED, &dataset.0, |(_, peer): (Uuid, Uuid), ()| {
        published.push(NodeId(peer));
        Ok::<_, Refusal>(())
    })?;
    Ok(published)
}

/// Takes over a low-born dataset with its assets: their home passes to this node, their ids stay, and later revisions of
/// the low node are refused. It is published to the node that it came from, so that it travels back down.
///
/// A dataset at home is taken over again for the assets that a low node added before it knew of the first time. One whose
/// name another asset of the dataset bears by now gets a number behind it: nobody could rename or delete either.
///
/// # Errors
/// A permission is missing, this is no high node, there is no such dataset, all of it is at home already, or a dataset of
/// this node bears its name.
pub fn adopt(tx: &mut Tx<'_>, actor: &Actor, here: &Here, dataset: DatasetId) -> Result<Object, Refusal> {
    may_publish(actor, here)?;
    let (mut object, _) = datasets::find(tx, dataset)?;
    let assets = assets_elsewhere(tx, here.node, dataset)?;
    let mut origins: BTreeSet<NodeId> = assets.iter().map(|asset| asset.home).collect();
    if object.home != here.node {
        origins.insert(object.home);
    }
    if origins.is_empty() {
        return Err(Refusal::conflict(
            "at_home",
            "this node is the home of the dataset and of all its assets already",
        ));
    }
    let mut begun = Vec::new();
    for origin in &origins {
        if tx.insert(&PUBLISHED, &(dataset.0, origin.0), &())? {
            begun.push(*origin);
        }
    }
    if object.home != here.node {
        object = records::adopt(tx, here, dataset.0, object.body)?;
    }
    for asset in assets {
        let body = with_a_free_name(tx, here.node, asset.id, asset.body)?;
        if let Body::Asset(Asset { mock: Some(mock), .. }) = &body {
            assets::remember(tx, AssetId(asset.id), Some((mock.blob, MockOrigin::Adopted)))?;
        }
        records::adopt(tx, here, asset.id, body)?;
    }
    for origin in begun {
        owe_all(tx, here, &object, origin)?;
    }
    for origin in origins {
        note(tx, actor, here, Action::DATASET_ADOPTED, &object, origin)?;
    }
    Ok(object)
}

/// The assets of a dataset whose home is another node, without deleted ones.
///
/// # Errors
/// The store cannot be read.
pub fn assets_elsewhere(read: &impl Read, here: NodeId, dataset: DatasetId) -> Result<Vec<Object>, Refusal> {
    let mut assets = records::children(read, dataset.0, Kind::Asset)?;
    assets.retain(|asset| !asset.deleted && asset.home != here);
    Ok(assets)
}

fn with_a_free_name(read: &impl Read, here: NodeId, id: Uuid, body: Body) -> Result<Body, Refusal> {
    let Body::Asset(asset) = body else {
        return Ok(body);
    };
    let (mut named, mut number) = (asset.clone(), 1);
    loop {
        let name = text::folded(&named.name);
        let holder = records::named(read, here, Kind::Asset, Some(asset.dataset.0), &name)?;
        if holder.is_none_or(|holder| holder == id) {
            return Ok(Body::Asset(named));
        }
        number += 1;
        named = asset.told_apart(number);
    }
}

fn may_publish(actor: &Actor, here: &Here) -> Result<(), Refusal> {
    actor.require(Permission::Sync)?;
    actor.require(Permission::UploadData)?;
    match here.level()? {
        Level::High => Ok(()),
        Level::Low => Err(Refusal::conflict(
            "wrong_side",
            "datasets are published and adopted on the high side; what a low node has goes up by itself",
        )),
    }
}

fn note(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    action: Action,
    dataset: &Object,
    peer: NodeId,
) -> Result<(), Refusal> {
    let by = audit::Actor::User(actor.user.0);
    let details = [("name", dataset.body.title())];
    Ok(records::audit(
        tx,
        here,
        by,
        action,
        &[dataset.id, peer.0],
        &details,
    )?)
}

#[cfg(test)]
mod tests;
