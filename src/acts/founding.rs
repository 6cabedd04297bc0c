//! A new node's first records.

use jiff::Timestamp;

use super::Refusal;
use crate::domain::audit::{self, Action};
use crate::domain::hash::Hash;
use crate::domain::id::{Epoch, NodeId};
use crate::domain::settings::{Node, Settings};
use crate::domain::side::Side;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{NODE, SETTINGS};
use crate::store::transaction::Tx;

/// What a new node is.
#[derive(Clone, Debug)]
pub struct Founding {
    /// Its id.
    pub node: NodeId,
    /// Its side.
    pub side: Side,
    /// The epoch of its store.
    pub epoch: Epoch,
    /// How it is called until its owner says otherwise.
    pub name: String,
    /// Hash of the one-time token that set-up will ask for.
    pub setup_token: Hash,
}

/// Writes the node's own record, its settings, and the first entry of its audit chain.
///
/// # Errors
/// The store holds a node already, or the name is no name.
pub fn found(tx: &mut Tx<'_>, now: Timestamp, random: [u8; 32], founding: &Founding) -> Result<(), Refusal> {
    if tx.get(&NODE, &())?.is_some() {
        return Err(Refusal::conflict("node_exists", "the store holds a node already"));
    }
    let node = Node {
        id: founding.node,
        side: founding.side,
        epoch: founding.epoch,
        pairing_epoch: None,
        setup_token: Some(founding.setup_token),
        made_at: now,
    };
    tx.put(&NODE, &(), &node)?;
    tx.put(&SETTINGS, &(), &Settings::new(&founding.name)?)?;
    records::write_preset_roles(tx)?;
    let here = Here::at(tx, now, random)?;
    let details = [("side", founding.side.word().to_owned())];
    records::audit(tx, &here, audit::Actor::Node, Action::NODE_CREATED, &[], &details)?;
    Ok(())
}
