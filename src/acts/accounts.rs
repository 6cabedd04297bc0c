//! Accounts: who people are on this node, what they may do, and how they prove it.

mod caller;
mod passwords;
mod people;
mod recovery;
mod second_factor;
mod sessions;
mod set_up;
mod sign_in;

use std::collections::BTreeMap;

use super::Refusal;
use super::roles;
use crate::domain::access::{Actor, Permission};
use crate::domain::account::{self, Account, AccountError};
use crate::domain::id::{GroupId, NodeId, RoleId, UserId};
use crate::domain::notification::ChannelKind;
use crate::domain::object::{Kind, Object};
use crate::domain::role::Role;
use crate::domain::session::Credentials;
use crate::domain::settings::Node;
use crate::domain::text;
use crate::store::read::Read;
use crate::store::records::{self, RecordError};
use crate::store::tables::{ACCOUNTS, CREDENTIALS, NODE};

pub use caller::{Caller, caller};
pub use passwords::{
    Offer, change_password, check_reset, has_reset, offer_reset, own_words, rehash, reset_for,
    reset_password, withdraw_mailed,
};
pub use people::{
    Change, NewUser, ProfileChange, Wanted, administer, change_profile, create_user, delete_user, list,
    may_create_user, user,
};
pub use recovery::{Recovered, recover};
pub use second_factor::{
    add_second_factor, confirm_second_factor, has_second_factor, prove_second_factor, remove_second_factor,
};
pub use sessions::{note_use, renew, revoke, sessions, sign_out};
pub use set_up::{SetUp, check_setup_token, set_up};
pub use sign_in::{Presented, SignedIn, note_refused_sign_in, refused_sign_in, sign_in};

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        let word = match error {
            AccountError::Denied(denied) => return denied.into(),
            AccountError::LastOwner => "last_owner",
            AccountError::Oneself | AccountError::OwnPassword => "oneself",
            AccountError::Deactivated => "deactivated",
        };
        Self::conflict(word, error.to_string())
    }
}

fn node(read: &impl Read) -> Result<Node, Refusal> {
    Ok(read.get(&NODE, &())?.ok_or(RecordError::NoNode)?)
}

/// Somebody known here, with what they may do on this node.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who they are.
    pub object: Object,
    /// Their account; none for a person of another node.
    pub account: Option<AccountView>,
}

/// An account as those may see it who may see the person.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// Whether they may sign in.
    pub active: bool,
    /// Their role.
    pub role: (RoleId, Role),
    /// Their groups.
    pub groups: Vec<(GroupId, String)>,
    /// Whether they have a second factor.
    pub second_factor: bool,
    /// The channels over which they want to be told of things.
    pub notifications_enabled: BTreeMap<ChannelKind, bool>,
}

/// A person who is not deleted, whoever asks.
///
/// # Errors
/// The store cannot be read.
pub fn person(read: &impl Read, user: UserId) -> Result<Option<Person>, Refusal> {
    let object = records::object(read, user.0)?;
    match object.filter(|object| !object.deleted && object.kind() == Kind::User) {
        Some(object) => with_account(read, object).map(Some),
        None => Ok(None),
    }
}

fn with_account(read: &impl Read, object: Object) -> Result<Person, Refusal> {
    let user = UserId(object.id);
    let account = match read.get(&ACCOUNTS, &user.0)? {
        Some(account) => {
            let groups = super::groups::of(read, user)?;
            let credentials = read.get(&CREDENTIALS, &user.0)?;
            Some(AccountView {
                active: account.active,
                role: (account.role, roles::find(read, account.role)?),
                groups: groups.into_iter().map(|(id, group)| (id, group.name)).collect(),
                second_factor: credentials.is_some_and(|held| held.has_second_factor()),
                notifications_enabled: super::notices::choices::of(read, user)?.enabled(),
            })
        }
        None => None,
    };
    Ok(Person { object, account })
}

/// The account of somebody who has one here.
///
/// # Errors
/// There is none.
pub fn account(read: &impl Read, user: UserId) -> Result<Account, Refusal> {
    read.get(&ACCOUNTS, &user.0)?
        .ok_or_else(|| Refusal::no(Kind::User, user))
}

/// The account of somebody else, or of oneself, that the actor may act on.
fn administered(read: &impl Read, actor: &Actor, user: UserId) -> Result<Account, Refusal> {
    actor.require(Permission::CreateUsers)?;
    let theirs = account(read, user)?;
    let role = roles::find(read, theirs.role)?;
    account::may_administer(&actor.permissions, &role.permissions)?;
    Ok(theirs)
}

/// The account that an e-mail address names, with what proves its owner.
///
/// # Errors
/// The store cannot be read.
pub fn credentials(read: &impl Read, email: &str) -> Result<Option<(UserId, Credentials)>, Refusal> {
    let home = node(read)?.id;
    let Some(id) = by_address(read, home, email)? else {
        return Ok(None);
    };
    let found = read.get(&CREDENTIALS, &id.0)?;
    Ok(found.map(|credentials| (id, credentials)))
}

fn by_address(read: &impl Read, home: NodeId, email: &str) -> Result<Option<UserId>, Refusal> {
    // No address is longer, and a key would not take it.
    if email.len() > 254 {
        return Ok(None);
    }
    let found = records::named(read, home, Kind::User, None, &text::folded(email))?;
    Ok(found.map(UserId))
}

#[cfg(test)]
mod tests;
