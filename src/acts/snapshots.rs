//! Copies of a node's whole store, for backups: who may have one made, and that it stands in the audit chain. Its own entry is
//! part of the copy.

use super::Refusal;
use crate::domain::access::{Actor, Permission};
use crate::domain::audit::{self, Action};
use crate::store::records::{self, Here};
use crate::store::transaction::Tx;

/// Notes that a copy is taken of a node that runs.
///
/// # Errors
/// The permission is missing, or the store fails.
pub fn note(tx: &mut Tx<'_>, actor: &Actor, here: &Here) -> Result<(), Refusal> {
    actor.require(Permission::ManageInfrastructure)?;
    let by = audit::Actor::User(actor.user.0);
    Ok(records::audit(tx, here, by, Action::SNAPSHOT_TAKEN, &[], &[])?)
}

/// Notes that a copy is taken of a node that does not run, by whoever can read its folder.
///
/// # Errors
/// The store fails.
pub fn note_stopped(tx: &mut Tx<'_>, here: &Here) -> Result<(), Refusal> {
    let by = audit::Actor::Node;
    Ok(records::audit(tx, here, by, Action::SNAPSHOT_TAKEN, &[], &[])?)
}
