//! Whom a node exchanges bundles with: pairing, rotation, epochs, revocation, and what is held back.

mod owing;

use std::collections::BTreeSet;

use uuid::Uuid;

use super::Refusal;
use crate::domain::access::{Actor, Permission};
use crate::domain::audit;
use crate::domain::hash::Hash;
use crate::domain::id::{Epoch, NodeId};
use crate::domain::peer::{Peer, Received, Trust};
use crate::domain::settings::Node;
use crate::domain::side::Level;
use crate::domain::text;
use crate::store::read::Read;
use crate::store::records::{self, Here, RecordError};
use crate::store::tables::{HELD, IGNORED, INBOX, NODE, PEERS};
use crate::store::transaction::Tx;
use crate::sync::eligible;

use owing::forget_deliveries;
pub use owing::{owe_back, owe_everything};

/// A peer's public identity, as its file says it; the transport has checked the file's own signature.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// The peer.
    pub node: NodeId,
    /// The level that it stands on.
    pub level: Level,
    /// How it calls itself.
    pub name: String,
    /// The epoch of its store.
    pub epoch: Epoch,
    /// The text of the file.
    pub identity: String,
    /// The identity under which this node knows the peer, if it has the same keys: the transport has compared them.
    pub same_keys_as: Option<String>,
}

/// Says whether this node exchanges bundles at all. Every act on a peer begins with [`peer`] or [`paired`], which ask it.
///
/// # Errors
/// It is a solo node, or the store fails.
pub fn exchanges_bundles(read: &impl Read) -> Result<Level, Refusal> {
    Ok(node(read)?.side.level()?)
}

/// Finds a peer.
///
/// # Errors
/// There is none, this is a solo node, or the store fails.
pub fn peer(read: &impl Read, id: Uuid) -> Result<Peer, Refusal> {
    exchanges_bundles(read)?;
    read.get(&PEERS, &id)?.ok_or_else(|| Refusal::NotFound {
        what: "peer",
        id: id.to_string(),
    })
}

/// Finds a peer that is paired.
///
/// # Errors
/// It is unconfirmed or revoked.
pub fn paired(read: &impl Read, id: Uuid) -> Result<Peer, Refusal> {
    let peer = peer(read, id)?;
    match peer.trust {
        Trust::Paired => Ok(peer),
        Trust::Unconfirmed => Err(Refusal::conflict(
            "peer_unconfirmed",
            format!(
                "compare the fingerprint of {} by voice and confirm it first: `poundlock pair confirm`",
                peer.name
            ),
        )),
        Trust::Revoked => Err(Refusal::conflict("peer_revoked", revoked(&peer))),
    }
}

fn revoked(peer: &Peer) -> String {
    format!(
        "the pairing with {} was revoked; to begin it anew, on both nodes, read in the other's identity as it is now: `poundlock pair \
         identity`, then `pair add`",
        peer.name
    )
}

/// Reads in a peer's identity. Nothing is exchanged with it until a person has confirmed the fingerprint.
///
/// # Errors
/// The peer stands on this node's own level, is this node, or is paired under other keys; its identity is from before it was revoked;
/// or this is a solo node.
pub fn introduce(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    introduced: Introduction,
) -> Result<Peer, Refusal> {
    actor.require(Permission::ManageInfrastructure)?;
    let level = here.level()?;
    if introduced.node == here.node || introduced.level != level.opposite() {
        let detail = format!(
            "a {} node pairs with a {} node",
            level.word(),
            level.opposite().word()
        );
        return Err(Refusal::conflict("wrong_side", detail));
    }
    let id = introduced.node.0;
    let name = told_apart(tx, id, introduced.name)?;
    let introduced = Introduction { name, ..introduced };
    let known = tx.get(&PEERS, &id)?;
    if let Some(known) = &known
        && known.trust != Trust::Revoked
        && known.identity == introduced.identity
    {
        return Ok(known.clone());
    }
    let peer = match known {
        Some(known)
            if known.trust == Trust::Paired && introduced.same_keys_as.as_ref() == Some(&known.identity) =>
        {
            renewed(known, introduced)?
        }
        Some(known) => introduced_again(tx, here, known, introduced)?,
        None => Peer {
            node: introduced.node,
            name: introduced.name,
            side: introduced.level,
            identity: introduced.identity,
            trust: Trust::Unconfirmed,
            successor: None,
            epoch: introduced.epoch,
            own_epoch: node(tx)?.pairing_epoch,
            retired_epochs: Vec::new(),
            former_epochs: Vec::new(),
            unconfirmed_epoch: None,
            forked: false,
            last_sequence: 0,
            acknowledged: 0,
            received: Received::default(),
            audit_head: None,
        },
    };
    tx.put(&PEERS, &id, &peer)?;
    Ok(peer)
}

/// The name of a peer, with a number behind it where another peer bears it: whoever releases something must see to whom.
fn told_apart(read: &impl Read, id: Uuid, name: String) -> Result<String, RecordError> {
    let others = records::peers(read)?
        .into_iter()
        .filter(|(other, _)| *other != id);
    let taken: BTreeSet<String> = others.map(|(_, peer)| text::folded(&peer.name)).collect();
    let (mut apart, mut number) = (name.clone(), 1);
    while taken.contains(&text::folded(&apart)) {
        number += 1;
        apart = text::numbered(&name, number);
    }
    Ok(apart)
}

/// A paired peer whose identity was written anew, as after it was given another name. Its keys are those that were compared.
fn renewed(known: Peer, introduced: Introduction) -> Result<Peer, Refusal> {
    if introduced.epoch != known.epoch {
        let detail = format!(
            "{} is paired with these very keys, and this identity names another epoch than the pairing goes on in. Nothing needs to be \
             done now: it is an older file, or that node has ended another pairing since. Where it has ended this very one and begins it \
             anew, or its store was restored, its next bundle is refused and names the new epoch, which is then confirmed: `poundlock \
             pair epoch`",
            known.name
        );
        return Err(Refusal::conflict("peer_known", detail));
    }
    Ok(Peer {
        name: introduced.name,
        identity: introduced.identity,
        ..known
    })
}

/// A peer that is known and not trusted is compared by voice once more, whatever keys it has now. Bundles for it are numbered
/// from the start again, in an epoch that no bundle for it has borne: a number that was used stands for what it stood for.
fn introduced_again(
    tx: &mut Tx<'_>,
    here: &Here,
    known: Peer,
    introduced: Introduction,
) -> Result<Peer, Refusal> {
    if known.trust == Trust::Paired {
        let detail = format!(
            "{0} is paired with other keys. Where its keys were rotated, take its statement (`poundlock pair accept-rotation`); otherwise \
             end the pairing and begin it anew: `pair revoke {0}`, then `pair add`",
            known.name
        );
        return Err(Refusal::conflict("peer_known", detail));
    }
    if known.has_left(introduced.epoch) {
        let detail = format!(
            "{} has left the epoch of this identity behind; ask it for its identity as it is now: `poundlock pair identity`",
            known.name
        );
        return Err(Refusal::conflict("identity_outdated", detail));
    }
    // Revoked by a version that did not begin an epoch with it. One that was never confirmed has had no bundle in any.
    if known.trust == Trust::Revoked && known.own_epoch.is_none() && node(tx)?.pairing_epoch.is_none() {
        begin_pairing_epoch(tx, here)?;
    }
    let node = node(tx)?;
    let counts_anew = known.own_epoch.is_some() || node.pairing_epoch.is_some();
    Ok(Peer {
        name: introduced.name,
        identity: introduced.identity,
        trust: Trust::Unconfirmed,
        successor: None,
        own_epoch: counts_anew.then(|| node.announced_epoch()),
        unconfirmed_epoch: Some(introduced.epoch).filter(|epoch| *epoch != known.epoch),
        last_sequence: 0,
        acknowledged: 0,
        ..known
    })
}

fn node(read: &impl Read) -> Result<Node, RecordError> {
    read.get(&NODE, &())?.ok_or(RecordError::NoNode)
}

/// The epoch that this node's identity file names: the one that a pairing which begins now counts in.
///
/// # Errors
/// The store cannot be read.
pub fn announced_epoch(read: &impl Read) -> Result<Epoch, Refusal> {
    Ok(node(read)?.announced_epoch())
}

/// The epoch that this node's bundles for a peer bear.
///
/// # Errors
/// The store cannot be read.
pub fn own_epoch(read: &impl Read, peer: &Peer) -> Result<Epoch, Refusal> {
    Ok(peer.own_epoch.unwrap_or(node(read)?.epoch))
}

/// Pairings that begin from now on count in an epoch of their own; those that hold go on in theirs.
fn begin_pairing_epoch(tx: &mut Tx<'_>, here: &Here) -> Result<(), Refusal> {
    let mut node = node(tx)?;
    let fresh = Hash::derive("poundlock pairing epoch 1", &here.random);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&fresh.0[..16]);
    node.pairing_epoch = Some(Epoch(uuid::Builder::from_random_bytes(bytes).into_uuid()));
    tx.put(&NODE, &(), &node)?;
    Ok(())
}

/// What two people have compared by voice.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The fingerprint as the person typed it.
    pub given: String,
    /// The fingerprint of the keys.
    pub expected: String,
    /// The text of the identity that `expected` was computed from.
    pub identity: String,
}

impl Compared {
    fn check(&self, identity: Option<&str>) -> Result<(), Refusal> {
        if identity != Some(&self.identity) {
            return Err(Refusal::Changed {
                detail: "the peer's keys have changed meanwhile; compare their fingerprint again".to_owned(),
                difference: serde_json::Value::Null,
            });
        }
        let bare = |text: &str| {
            text.chars()
                .filter(|c| c.is_alphanumeric())
                .collect::<String>()
                .to_lowercase()
        };
        if bare(&self.given).is_empty() || bare(&self.given) != bare(&self.expected) {
            return Err(Refusal::conflict(
                "fingerprint_differs",
                "the fingerprint is not that of these keys: somebody may have exchanged the file on its way; do not pair",
            ));
        }
        Ok(())
    }
}

/// Confirms that two people have compared the fingerprint by voice. From now on the peer is owed what it may have. Of a pairing that
/// was revoked nothing is left in the inbox: what the peer still vouches for comes again.
///
/// # Errors
/// The fingerprints differ, or the keys have changed meanwhile.
pub fn confirm(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: Uuid,
    compared: &Compared,
) -> Result<Peer, Refusal> {
    actor.require(Permission::ManageInfrastructure)?;
    let mut peer = peer(tx, id)?;
    compared.check(Some(&peer.identity))?;
    if peer.trust == Trust::Revoked {
        return Err(Refusal::conflict("peer_revoked", revoked(&peer)));
    }
    if peer.trust == Trust::Unconfirmed {
        peer.begin_trust();
        tx.put(&PEERS, &id, &peer)?;
        empty_inbox(tx, id)?;
        owe_everything(tx, here, id)?;
        forget_deliveries(tx, id)?;
        let details = [
            ("peer", peer.name.clone()),
            ("fingerprint", compared.expected.clone()),
        ];
        records::audit(
            tx,
            here,
            audit::Actor::User(actor.user.0),
            audit::Action::PEER_PAIRED,
            &[id],
            &details,
        )?;
    }
    Ok(peer)
}

/// Notes that the peer's old key hands over to new keys, whose public identity is `successor`; a person confirms its
/// fingerprint with [`confirm_rotation`].
///
/// # Errors
/// The peer is not paired.
pub fn propose_rotation(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: Uuid,
    successor: String,
) -> Result<Peer, Refusal> {
    actor.require(Permission::ManageInfrastructure)?;
    let mut peer = paired(tx, id)?;
    peer.successor = Some(successor);
    tx.put(&PEERS, &id, &peer)?;
    Ok(peer)
}

/// Takes up the peer's new keys; the old ones are refused from now on.
///
/// # Errors
/// No rotation is proposed, or the fingerprints differ.
pub fn confirm_rotation(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: Uuid,
    compared: &Compared,
) -> Result<Peer, Refusal> {
    actor.require(Permission::ManageInfrastructure)?;
    let mut peer = paired(tx, id)?;
    compared.check(peer.successor.as_deref())?;
    let Some(successor) = peer.successor.take() else {
        return Err(Refusal::conflict(
            "no_rotation",
            "no rotation of this peer's keys waits to be confirmed",
        ));
    };
    peer.identity = successor;
    tx.put(&PEERS, &id, &peer)?;
    let details = [
        ("peer", peer.name.clone()),
        ("fingerprint", compared.expected.clone()),
    ];
    records::audit(
        tx,
        here,
        audit::Actor::User(actor.user.0),
        audit::Action::PEER_KEY_ROTATED,
        &[id],
        &details,
    )?;
    Ok(peer)
}

/// Ends the trust in a peer. What waits in its inbox cannot be applied any more; what was applied stays.
///
/// # Errors
/// There is no such peer.
pub fn revoke(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: Uuid) -> Result<Peer, Refusal> {
    actor.require(Permission::ManageInfrastructure)?;
    let mut peer = peer(tx, id)?;
    if peer.trust != Trust::Revoked {
        if peer.trust == Trust::Paired {
            begin_pairing_epoch(tx, here)?;
        }
        peer.trust = Trust::Revoked;
        peer.successor = None;
        tx.put(&PEERS, &id, &peer)?;
        let details = [("peer", peer.name.clone())];
        records::audit(
            tx,
            here,
            audit::Actor::User(actor.user.0),
            audit::Action::PEER_REVOKED,
            &[id],
            &details,
        )?;
    }
    Ok(peer)
}

/// Confirms that the peer's store was restored or made anew. Everything that it was sent may be lost there, and is owed
/// again.
///
/// # Errors
/// The epoch is not the one that a bundle of the peer has named.
pub fn confirm_epoch(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: Uuid,
    epoch: Epoch,
) -> Result<Peer, Refusal> {
    actor.require(Permission::ManageInfrastructure)?;
    let mut peer = paired(tx, id)?;
    if peer.epoch == epoch {
        return Ok(peer);
    }
    if peer.unconfirmed_epoch != Some(epoch) {
        return Err(Refusal::conflict(
            "epoch_unknown",
            format!(
                "no bundle of {} has named the epoch {epoch}; import its newest bundle first",
                peer.name
            ),
        ));
    }
    peer.begin_epoch(epoch);
    tx.put(&PEERS, &id, &peer)?;
    owe_everything(tx, here, id)?;
    forget_deliveries(tx, id)?;
    let details = [("peer", peer.name.clone()), ("epoch", epoch.to_string())];
    records::audit(
        tx,
        here,
        audit::Actor::User(actor.user.0),
        audit::Action::PEER_EPOCH_CONFIRMED,
        &[id],
        &details,
    )?;
    Ok(peer)
}

/// Holds a batch back from a peer, or lets it go. What is held stays owed.
///
/// # Errors
/// The peer is not paired; or what shall be held is not here, or travels with something else, which is named.
pub fn hold(tx: &mut Tx<'_>, actor: &Actor, peer: Uuid, root: Uuid, held: bool) -> Result<(), Refusal> {
    actor.require(Permission::Sync)?;
    paired(tx, peer)?;
    if held {
        is_a_root(tx, root)?;
        tx.put(&HELD, &(peer, root), &())?;
    } else {
        tx.delete(&HELD, &(peer, root))?;
    }
    Ok(())
}

/// Whoever holds back what does not travel by itself would see it leave all the same.
fn is_a_root(read: &impl Read, id: Uuid) -> Result<(), Refusal> {
    let body = records::object(read, id)?.map(|object| object.body);
    let Some(body) = body else {
        return Err(Refusal::NotFound {
            what: "object to hold back",
            id: id.to_string(),
        });
    };
    let detail = match eligible::root(id, &body) {
        Some(root) if root == id => return Ok(()),
        Some(root) => format!("the {} goes with {root}; hold that back", body.kind().word()),
        None => format!(
            "the {} goes with whatever needs it; hold back the projects and requests that do",
            body.kind().word()
        ),
    };
    Err(Refusal::conflict("not_a_root", detail))
}

/// Gives the store a new epoch, as after a restore: what peers have of it is no longer known, and all is owed again.
///
/// # Errors
/// The store fails.
pub fn begin_epoch(tx: &mut Tx<'_>, here: &Here, epoch: Epoch) -> Result<Here, Refusal> {
    let mut node = node(tx)?;
    node.epoch = epoch;
    node.pairing_epoch = None;
    tx.put(&NODE, &(), &node)?;
    let here = Here { epoch, ..*here };
    for (id, mut peer) in records::peers(tx)? {
        peer.begin_own_epoch(epoch);
        tx.put(&PEERS, &id, &peer)?;
        if peer.trust == Trust::Paired {
            owe_everything(tx, &here, id)?;
            forget_deliveries(tx, id)?;
        }
    }
    let details = [("epoch", epoch.to_string())];
    records::audit(
        tx,
        &here,
        audit::Actor::Node,
        audit::Action::STORE_RESTORED,
        &[here.node.0],
        &details,
    )?;
    Ok(here)
}

/// What waits of a peer, and what of it is ignored.
fn empty_inbox(tx: &mut Tx<'_>, peer: Uuid) -> Result<(), Refusal> {
    for ((_, id), _) in tx.range_prefix(&INBOX, &peer, None, usize::MAX)? {
        records::drop_pending(tx, peer, id)?;
    }
    for (key, ()) in tx.range_prefix(&IGNORED, &peer, None, usize::MAX)? {
        tx.delete(&IGNORED, &key)?;
    }
    Ok(())
}
