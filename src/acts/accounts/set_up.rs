//! Setting a node up: the first owner, with the one-time token.

use subtle::ConstantTimeEq;

use super::people::write_user;
use super::{Refusal, node};
use crate::acts::settings;
use crate::domain::access::Actor;
use crate::domain::account::Account;
use crate::domain::audit::{self, Action};
use crate::domain::hash::Hash;
use crate::domain::id::UserId;
use crate::domain::object::Object;
use crate::domain::role::Preset;
use crate::domain::session::Credentials;
use crate::domain::settings::{Key, Value};
use crate::domain::user::{Profile, User};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::NODE;
use crate::store::transaction::Tx;

/// What the first owner decides.
#[derive(Debug)]
pub struct SetUp {
    /// The id of the owner's account.
    pub id: UserId,
    /// Hash of the one-time token that `init` printed.
    pub token: Hash,
    /// Who the owner is.
    pub owner: Profile,
    /// Argon2id hash of the owner's password.
    pub credentials: Credentials,
    /// How the node shall be called, and what else is decided at once.
    pub settings: Vec<(Key, Value)>,
}

/// Whether a one-time token is the one that `init` printed. Compared in constant time, and by hashes.
///
/// # Errors
/// It is not, or the node is set up already.
pub fn check_setup_token(read: &impl Read, token: &Hash) -> Result<(), Refusal> {
    let Some(expected) = node(read)?.setup_token else {
        return Err(Refusal::conflict(
            "set_up_already",
            "this node is set up already; sign in as its owner",
        ));
    };
    if bool::from(expected.0.ct_eq(&token.0)) {
        Ok(())
    } else {
        Err(Refusal::conflict(
            "setup_token_refused",
            "this is not the one-time token that `poundlock init` printed for this node",
        ))
    }
}

/// Sets the node up: makes the owner's account and uses the token up.
///
/// # Errors
/// The token is wrong or used, or a field is wrong.
pub fn set_up(tx: &mut Tx<'_>, here: &Here, wanted: &SetUp) -> Result<Object, Refusal> {
    check_setup_token(tx, &wanted.token)?;
    let mut node = node(tx)?;
    node.setup_token = None;
    tx.put(&NODE, &(), &node)?;
    let account = Account {
        role: Preset::Owner.id(),
        active: true,
    };
    let user = User::new(&wanted.owner).map_err(|wrong| wrong.inside("owner"))?;
    let name = user.name.clone();
    let owner = write_user(tx, here, wanted.id, user, &account, &wanted.credentials)?;
    let by = audit::Actor::User(owner.id);
    let role = Preset::Owner.role();
    let details = [("role", role.name.clone())];
    records::audit(tx, here, by, Action::USER_CREATED, &[owner.id], &details)?;
    let actor = Actor {
        user: wanted.id,
        name,
        permissions: role.permissions,
        groups: std::collections::BTreeSet::new(),
    };
    settings::change(tx, &actor, here, &wanted.settings)?;
    Ok(owner)
}
