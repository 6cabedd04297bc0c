//! Signing in and out, and the sessions that somebody has.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Person, Refusal, person, second_factor};
use crate::acts::{groups, roles, settings};
use crate::domain::access::Actor;
use crate::domain::audit::{self, Action};
use crate::domain::hash::Hash;
use crate::domain::id::{SessionId, UserId};
use crate::domain::object::Body;
use crate::domain::second_factor::Proof;
use crate::domain::session::{SESSIONS_MAX, Session};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{ACCOUNTS, CREDENTIALS, OBJECTS, SESSIONS, SESSIONS_OF};
use crate::store::transaction::Tx;

/// Sessions that signing in looks at to remove those that are over.
const SWEPT: usize = 64;

/// What somebody presents whose password has been verified.
#[derive(Clone, Debug)]
pub struct Presented {
    /// Whose password it was.
    pub user: UserId,
    /// A code of the second factor, where they gave one.
    pub code: Option<String>,
    /// The id of the session.
    pub session: SessionId,
    /// Hash of its fresh token.
    pub token: Hash,
    /// How the browser or program calls itself.
    pub agent: String,
    /// Where it is.
    pub from: IpAddr,
}

/// Somebody who has signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Their session.
    pub session: Session,
    /// Who they are.
    pub person: Person,
}

/// What everybody is told whose sign-in fails, whatever the reason.
pub fn refused_sign_in() -> Refusal {
    Refusal::conflict(
        "sign_in_refused",
        "no account has this e-mail address and this password",
    )
}

/// Begins a session for somebody whose password has been verified. Sessions that are over are removed on the way: those that
/// happen to lie behind the token's hash, so that none stays for ever.
///
/// # Errors
/// The account is gone or deactivated, which is told like a wrong password; or the second factor is needed or wrong.
pub fn sign_in(tx: &mut Tx<'_>, here: &Here, presented: &Presented) -> Result<SignedIn, Refusal> {
    let user = presented.user;
    let account = tx.get(&ACCOUNTS, &user.0)?.filter(|account| account.active);
    let (Some(_), Some(person)) = (account, person(tx, user)?) else {
        return Err(refused_sign_in());
    };
    let proof = prove(tx, here, user, presented.code.as_deref())?;
    sweep(tx, here, user, &presented.token)?;
    let session = Session::begin(presented.session, user, &presented.agent, here.now);
    tx.put(&SESSIONS, &presented.token.0, &session)?;
    tx.put(&SESSIONS_OF, &(user.0, session.id.0), &presented.token.0)?;
    let by = audit::Actor::User(user.0);
    let proof = match proof {
        None => "password",
        Some(Proof::Code) => "password and code",
        Some(Proof::Recovery) => "password and recovery code",
    };
    let details = [("from", presented.from.to_string()), ("proof", proof.to_owned())];
    records::audit(tx, here, by, Action::LOGIN, &[user.0], &details)?;
    Ok(SignedIn { session, person })
}

/// Demands the second factor of those who have one: what they proved by, none where they have none.
pub(super) fn prove(
    tx: &mut Tx<'_>,
    here: &Here,
    user: UserId,
    code: Option<&str>,
) -> Result<Option<Proof>, Refusal> {
    let Some(mut credentials) = tx.get(&CREDENTIALS, &user.0)? else {
        return Err(refused_sign_in());
    };
    let Some(factor) = credentials
        .second_factor
        .as_mut()
        .filter(|factor| factor.is_confirmed())
    else {
        return Ok(None);
    };
    let Some(code) = code else {
        return Err(Refusal::conflict(
            "second_factor_needed",
            "this account has a second factor: send the code that the authenticator shows, or a recovery code, as `code`",
        ));
    };
    let Some(proof) = factor.prove(code, here.now) else {
        return Err(Refusal::conflict(
            "second_factor_refused",
            "this code is wrong, or was used before; wait for the next one",
        ));
    };
    if proof == Proof::Recovery {
        let left = factor.recovery_codes_left().to_string();
        let by = audit::Actor::User(user.0);
        records::audit(
            tx,
            here,
            by,
            Action::RECOVERY_CODE_USED,
            &[user.0],
            &[("left", left)],
        )?;
    }
    tx.put(&CREDENTIALS, &user.0, &credentials)?;
    Ok(Some(proof))
}

fn sweep(tx: &mut Tx<'_>, here: &Here, user: UserId, token: &Hash) -> Result<(), Refusal> {
    for (key, session) in tx.range_from(&SESSIONS, Some(&token.0), SWEPT)? {
        if !session.holds(here.now) {
            tx.delete(&SESSIONS, &key)?;
            tx.delete(&SESSIONS_OF, &(session.user.0, session.id.0))?;
        }
    }
    let mut theirs = stored(tx, user)?;
    theirs.sort_by_key(|(_, session)| session.began_at);
    let over = (theirs.len() + 1).saturating_sub(SESSIONS_MAX);
    for (hash, session) in theirs.into_iter().take(over) {
        end(tx, hash, &session)?;
    }
    Ok(())
}

fn stored(read: &impl Read, user: UserId) -> Result<Vec<([u8; 32], Session)>, Refusal> {
    let mut found = Vec::new();
    for (_, hash) in read.range_prefix(&SESSIONS_OF, &user.0, None, usize::MAX)? {
        found.extend(read.get(&SESSIONS, &hash)?.map(|session| (hash, session)));
    }
    Ok(found)
}

fn end(tx: &mut Tx<'_>, hash: [u8; 32], session: &Session) -> Result<(), Refusal> {
    tx.delete(&SESSIONS, &hash)?;
    Ok(tx.delete(&SESSIONS_OF, &(session.user.0, session.id.0))?)
}

/// Ends all sessions of somebody, but the one under `kept`.
pub(super) fn end_all(tx: &mut Tx<'_>, user: UserId, kept: Option<&Hash>) -> Result<(), Refusal> {
    for (hash, session) in stored(tx, user)? {
        if kept.is_none_or(|kept| kept.0 != hash) {
            end(tx, hash, &session)?;
        }
    }
    Ok(())
}

/// Writes down that a sign-in was refused, and where it came from: for an account if the address named one.
///
/// # Errors
/// The store fails.
pub fn note_refused_sign_in(
    tx: &mut Tx<'_>,
    here: &Here,
    user: Option<UserId>,
    from: IpAddr,
) -> Result<(), Refusal> {
    let subjects: Vec<Uuid> = user.into_iter().map(|user| user.0).collect();
    let by = audit::Actor::Node;
    Ok(records::audit(
        tx,
        here,
        by,
        Action::LOGIN_REFUSED,
        &subjects,
        &[("from", from.to_string())],
    )?)
}

/// Ends the session that a token names.
///
/// # Errors
/// The store fails.
pub fn sign_out(tx: &mut Tx<'_>, here: &Here, actor: &Actor, token: &Hash) -> Result<(), Refusal> {
    if let Some(session) = tx.get(&SESSIONS, &token.0)? {
        end(tx, token.0, &session)?;
    }
    let by = audit::Actor::User(actor.user.0);
    Ok(records::audit(
        tx,
        here,
        by,
        Action::LOGOUT,
        &[actor.user.0],
        &[],
    )?)
}

/// The actor's sessions that hold, newest first: at most [`SESSIONS_MAX`].
///
/// # Errors
/// The store cannot be read.
pub fn sessions(read: &impl Read, actor: &Actor, now: Timestamp) -> Result<Vec<(Hash, Session)>, Refusal> {
    let mut found = stored(read, actor.user)?;
    found.retain(|(_, session)| session.holds(now));
    found.sort_by_key(|(_, session)| std::cmp::Reverse((session.began_at, session.id)));
    Ok(found
        .into_iter()
        .map(|(hash, session)| (Hash(hash), session))
        .collect())
}

/// Ends one of the actor's sessions, from any other.
///
/// # Errors
/// They have no such session.
pub fn revoke(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: SessionId) -> Result<(), Refusal> {
    let missing = || Refusal::NotFound {
        what: "session",
        id: id.to_string(),
    };
    let hash = tx.get(&SESSIONS_OF, &(actor.user.0, id.0))?.ok_or_else(missing)?;
    let session = tx.get(&SESSIONS, &hash)?.ok_or_else(missing)?;
    end(tx, hash, &session)?;
    let by = audit::Actor::User(actor.user.0);
    Ok(records::audit(
        tx,
        here,
        by,
        Action::SESSION_REVOKED,
        &[actor.user.0],
        &[],
    )?)
}

/// Notes that a session is used, if the last note of it is old enough. Nothing is audited, and a session that does not hold is
/// left as it is.
///
/// # Errors
/// The store fails.
pub fn note_use(tx: &mut Tx<'_>, token: &Hash, now: Timestamp) -> Result<(), Refusal> {
    let held = tx.get(&SESSIONS, &token.0)?;
    if let Some(mut session) = held.filter(|session| session.holds(now) && session.note_from() <= now) {
        session.used_at = Some(now);
        tx.put(&SESSIONS, &token.0, &session)?;
    }
    Ok(())
}

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
        settings::current(read)?.require_second_factor && !second_factor::has_second_factor(read, user)?;
    Ok(Some(Caller {
        actor,
        session,
        owes_second_factor,
    }))
}
