//! Passwords changed, and forgotten ones chosen anew with a token that works once.

use jiff::Timestamp;

use super::{Refusal, account, administered, credentials, node, person, sessions};
use crate::acts::{roles, settings};
use crate::domain::access::Actor;
use crate::domain::account::{may_administer, may_offer_reset};
use crate::domain::audit::{self, Action};
use crate::domain::hash::Hash;
use crate::domain::id::UserId;
use crate::domain::object::{Body, Kind};
use crate::domain::session::{RESET_LIFETIME, Reset};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{ACCOUNTS, CREDENTIALS, RESET_OF, RESETS};
use crate::store::transaction::Tx;

/// The words that everybody knows of somebody, and that their password must not consist of.
///
/// # Errors
/// The store cannot be read.
pub fn own_words(read: &impl Read, user: Option<UserId>) -> Result<Vec<String>, Refusal> {
    let mut words = vec![settings::current(read)?.name];
    let known = user.map(|user| person(read, user)).transpose()?.flatten();
    if let Some(Body::User(known)) = known.map(|person| person.object.body) {
        words.extend([known.name, known.email.as_str().to_owned(), known.institution]);
    }
    Ok(words)
}

/// Stores a new password's hash, and keeps the second factor.
fn put(tx: &mut Tx<'_>, user: UserId, password_hash: String) -> Result<(), Refusal> {
    let mut held = tx
        .get(&CREDENTIALS, &user.0)?
        .ok_or_else(|| Refusal::no(Kind::User, user))?;
    held.password_hash = password_hash;
    Ok(tx.put(&CREDENTIALS, &user.0, &held)?)
}

/// Stores the same password hashed by today's parameters, which have risen since it was chosen. Changes nothing if another
/// password was chosen meanwhile.
///
/// # Errors
/// The store fails.
pub fn rehash(tx: &mut Tx<'_>, user: UserId, before: &str, after: String) -> Result<(), Refusal> {
    match tx.get(&CREDENTIALS, &user.0)? {
        Some(held) if held.password_hash == before => put(tx, user, after),
        _ => Ok(()),
    }
}

/// Gives the actor the password that they have chosen, having shown the one before. All their sessions end but the one under `kept`.
///
/// # Errors
/// The account is gone.
pub fn change_password(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    password_hash: String,
    kept: Option<&Hash>,
) -> Result<(), Refusal> {
    put(tx, actor.user, password_hash)?;
    withdraw_offer(tx, actor.user)?;
    sessions::end_all(tx, actor.user, kept)?;
    note(
        tx,
        here,
        audit::Actor::User(actor.user.0),
        Action::PASSWORD_CHANGED,
        actor.user,
    )
}

/// A token that lets somebody choose a new password.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Whose.
    pub user: UserId,
    /// Until when.
    pub expires_at: Timestamp,
}

pub(super) fn offer(
    tx: &mut Tx<'_>,
    here: &Here,
    user: UserId,
    token: &Hash,
    by: Option<UserId>,
) -> Result<Offer, Refusal> {
    withdraw_offer(tx, user)?;
    let expires_at = here.now.saturating_add(RESET_LIFETIME).unwrap_or(here.now);
    let reset = Reset { user, expires_at, by };
    tx.put(&RESETS, &token.0, &reset)?;
    tx.put(&RESET_OF, &user.0, &token.0)?;
    Ok(Offer { user, expires_at })
}

/// Makes a token for the account under an address, in place of any before, for somebody who says that they have forgotten
/// their password. None where there is no such account or it is deactivated; whoever asked is not told which.
///
/// # Errors
/// The store fails.
pub fn offer_reset(
    tx: &mut Tx<'_>,
    here: &Here,
    email: &str,
    token: &Hash,
) -> Result<Option<Offer>, Refusal> {
    let Some((user, _)) = credentials(tx, email)? else {
        return Ok(None);
    };
    if !account(tx, user)?.active {
        return Ok(None);
    }
    let made = offer(tx, here, user, token, None)?;
    note(tx, here, audit::Actor::Node, Action::PASSWORD_RESET_OFFERED, user)?;
    Ok(Some(made))
}

/// Makes a token that an administrator hands over, where there is no mail. What they may do with it is bounded by what the
/// person may do: they must have all of it themselves.
///
/// # Errors
/// A permission is missing, also one that the person has; there is no such account; or it is the actor's own, whose password
/// they change by the one before.
pub fn reset_for(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    user: UserId,
    token: &Hash,
) -> Result<Offer, Refusal> {
    administered(tx, actor, user)?;
    may_offer_reset(actor, user)?;
    let made = offer(tx, here, user, token, Some(actor.user))?;
    let by = audit::Actor::User(actor.user.0);
    note(tx, here, by, Action::PASSWORD_RESET_OFFERED, user)?;
    Ok(made)
}

/// Whose password a token resets. One that was handed over holds as long as whoever made it might still make it: what either
/// of the two may do can change before it is used.
///
/// # Errors
/// It is wrong, used, replaced or over: all the same to whoever tries.
pub fn check_reset(read: &impl Read, token: &Hash, now: Timestamp) -> Result<UserId, Refusal> {
    node(read)?;
    let found = read
        .get(&RESETS, &token.0)?
        .filter(|reset| now < reset.expires_at);
    let holds = match &found {
        Some(Reset {
            user, by: Some(by), ..
        }) => still_administers(read, *by, *user)?,
        Some(_) => true,
        None => false,
    };
    found.filter(|_| holds).map(|reset| reset.user).ok_or_else(|| {
        Refusal::conflict(
            "reset_token_refused",
            "this token is wrong, was used, or is over; ask for a new one",
        )
    })
}

/// Whether somebody's account is active and may act on another's, as both are now.
fn still_administers(read: &impl Read, one: UserId, other: UserId) -> Result<bool, Refusal> {
    let accounts = (read.get(&ACCOUNTS, &one.0)?, read.get(&ACCOUNTS, &other.0)?);
    let (Some(one), Some(other)) = accounts else {
        return Ok(false);
    };
    let (has, theirs) = (
        roles::find(read, one.role)?.permissions,
        roles::find(read, other.role)?.permissions,
    );
    Ok(one.active && may_administer(&has, &theirs).is_ok())
}

/// Whether a token lies with somebody that still holds.
///
/// # Errors
/// The store cannot be read.
pub fn has_reset(read: &impl Read, user: UserId, now: Timestamp) -> Result<bool, Refusal> {
    let Some(token) = read.get(&RESET_OF, &user.0)? else {
        return Ok(false);
    };
    match check_reset(read, &Hash(token), now) {
        Ok(_) => Ok(true),
        Err(Refusal::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ends the token that was mailed to somebody, known by when it ends, once its mail will never arrive: nothing that they cannot
/// have stands in the way of another.
///
/// # Errors
/// The store fails.
pub fn withdraw_mailed(tx: &mut Tx<'_>, user: UserId, expires_at: Timestamp) -> Result<(), Refusal> {
    let Some(token) = tx.get(&RESET_OF, &user.0)? else {
        return Ok(());
    };
    match tx.get(&RESETS, &token)? {
        Some(reset) if reset.by.is_none() && reset.expires_at == expires_at => withdraw_offer(tx, user),
        _ => Ok(()),
    }
}

/// Gives an account the password that was chosen with a token, and uses the token up. All sessions end; the second factor
/// stays, and is asked for when they sign in.
///
/// # Errors
/// See [`check_reset`].
pub fn reset_password(
    tx: &mut Tx<'_>,
    here: &Here,
    token: &Hash,
    password_hash: String,
) -> Result<(), Refusal> {
    let user = check_reset(tx, token, here.now)?;
    put(tx, user, password_hash)?;
    withdraw_offer(tx, user)?;
    sessions::end_all(tx, user, None)?;
    note(tx, here, audit::Actor::User(user.0), Action::PASSWORD_RESET, user)
}

/// Ends the token that somebody was offered, if there is one.
pub(super) fn withdraw_offer(tx: &mut Tx<'_>, user: UserId) -> Result<(), Refusal> {
    if let Some(token) = tx.get(&RESET_OF, &user.0)? {
        tx.delete(&RESETS, &token)?;
        tx.delete(&RESET_OF, &user.0)?;
    }
    Ok(())
}

fn note(tx: &mut Tx<'_>, here: &Here, by: audit::Actor, action: Action, user: UserId) -> Result<(), Refusal> {
    Ok(records::audit(tx, here, by, action, &[user.0], &[])?)
}
