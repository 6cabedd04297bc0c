//! The sessions that somebody has.

use jiff::Timestamp;

use super::Refusal;
use crate::domain::access::Actor;
use crate::domain::audit::{self, Action};
use crate::domain::hash::Hash;
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::{SESSIONS_MAX, Session};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{SESSIONS, SESSIONS_OF};
use crate::store::transaction::Tx;

/// Sessions that beginning one looks at to remove those that are over.
const SWEPT: usize = 64;

/// Keeps a session under the hash of its token. Sessions that are over are removed on the way: those that happen to lie behind the
/// hash, so that none stays for ever; and the oldest of somebody who has too many.
pub(super) fn begin(tx: &mut Tx<'_>, here: &Here, session: &Session, token: &Hash) -> Result<(), Refusal> {
    for (key, other) in tx.range_from(&SESSIONS, Some(&token.0), SWEPT)? {
        if !other.holds(here.now) {
            end(tx, key, &other)?;
        }
    }
    let mut theirs = stored(tx, session.user)?;
    theirs.sort_by_key(|(_, session)| session.began_at);
    let over = (theirs.len() + 1).saturating_sub(SESSIONS_MAX);
    for (hash, oldest) in theirs.into_iter().take(over) {
        end(tx, hash, &oldest)?;
    }
    tx.put(&SESSIONS, &token.0, session)?;
    Ok(tx.put(&SESSIONS_OF, &(session.user.0, session.id.0), &token.0)?)
}

/// All sessions of somebody, also those that are over, each under the hash of its token.
pub(super) fn stored(read: &impl Read, user: UserId) -> Result<Vec<([u8; 32], Session)>, Refusal> {
    let mut found = Vec::new();
    for (_, hash) in read.range_prefix(&SESSIONS_OF, &user.0, None, usize::MAX)? {
        found.extend(read.get(&SESSIONS, &hash)?.map(|session| (hash, session)));
    }
    Ok(found)
}

/// Ends a session.
pub(super) fn end(tx: &mut Tx<'_>, hash: [u8; 32], session: &Session) -> Result<(), Refusal> {
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

/// Keeps somebody's session under another token's hash, so that the token before holds no more. Says whether there is such a
/// session.
///
/// # Errors
/// The store fails.
pub fn renew(tx: &mut Tx<'_>, user: UserId, before: &Hash, after: &Hash) -> Result<bool, Refusal> {
    let held = tx.get(&SESSIONS, &before.0)?;
    let Some(session) = held.filter(|session| session.user == user) else {
        return Ok(false);
    };
    tx.delete(&SESSIONS, &before.0)?;
    tx.put(&SESSIONS, &after.0, &session)?;
    tx.put(&SESSIONS_OF, &(user.0, session.id.0), &after.0)?;
    Ok(true)
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
