//! Who calls: the person behind a session's token, with what they may do.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Refusal, has_second_factor};
use crate::acts::{groups, roles, settings};
use crate::domain::access::Actor;
use crate::domain::hash::Hash;
use crate::domain::object::Body;
use crate::domain::session::Session;
use crate::store::read::Read;
use crate::store::tables::{ACCOUNTS, OBJECTS, SESSIONS};

/// Somebody whose session a token is.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who they are.
    pub actor: Actor,
    /// Their session.
    pub session: Session,
    /// Whether the node demands a second factor that they have not added yet: until they have, they may do nothing else.
    pub owes_second_factor: bool,
}

/// Whose session a token is, as their account, role and groups are at this moment.
///
/// # Errors
/// The store cannot be read.
pub fn caller(read: &impl Read, token: &Hash, now: Timestamp) -> Result<Option<Caller>, Refusal> {
    let session = read.get(&SESSIONS, &token.0)?;
    let Some(session) = session.filter(|session| session.holds(now)) else {
        return Ok(None);
    };
    let user = session.user;
    let account = read.get(&ACCOUNTS, &user.0)?.filter(|account| account.active);
    let object = read.get(&OBJECTS, &user.0)?.filter(|object| !object.deleted);
    let (Some(account), Some(Body::User(known))) = (account, object.map(|object| object.body)) else {
        return Ok(None);
    };
    let role = roles::find(read, account.role)?;
    let groups: BTreeSet<String> = groups::of(read, user)?
        .iter()
        .map(|(_, group)| group.folded())
        .collect();
    let actor = Actor {
        user,
        name: known.name,
        permissions: role.permissions,
        groups,
    };
    let owes_second_factor =
        settings::current(read)?.require_second_factor && !has_second_factor(read, user)?;
    Ok(Some(Caller {
        actor,
        session,
        owes_second_factor,
    }))
}
