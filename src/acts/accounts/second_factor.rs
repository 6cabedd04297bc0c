//! The second factor: added in two steps, so that nobody locks themselves out with an authenticator that has not taken the
//! secret, and removed by its owner or, for a lost one, by an administrator.

use super::{Refusal, administered, sessions};
use crate::domain::access::Actor;
use crate::domain::audit::{self, Action};
use crate::domain::hash::Hash;
use crate::domain::id::UserId;
use crate::domain::object::Kind;
use crate::domain::second_factor::{Proof, SecondFactor};
use crate::domain::session::Credentials;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::CREDENTIALS;
use crate::store::transaction::Tx;

fn held(read: &impl Read, user: UserId) -> Result<Credentials, Refusal> {
    read.get(&CREDENTIALS, &user.0)?
        .ok_or_else(|| Refusal::no(Kind::User, user))
}

/// Whether somebody has a second factor.
///
/// # Errors
/// They have no account here.
pub fn has_second_factor(read: &impl Read, user: UserId) -> Result<bool, Refusal> {
    Ok(held(read, user)?.has_second_factor())
}

/// Keeps a fresh secret for the actor, who has shown their password. It is not asked for before a first code has confirmed it.
///
/// # Errors
/// They have a second factor already.
pub fn add_second_factor(tx: &mut Tx<'_>, actor: &Actor, factor: SecondFactor) -> Result<(), Refusal> {
    let mut credentials = held(tx, actor.user)?;
    if credentials.has_second_factor() {
        return Err(Refusal::conflict(
            "second_factor_exists",
            "this account has a second factor; remove it before you add another",
        ));
    }
    credentials.second_factor = Some(factor);
    Ok(tx.put(&CREDENTIALS, &actor.user.0, &credentials)?)
}

/// Confirms the actor's second factor by a first code, and keeps the hashes of their recovery codes. All their sessions end but the
/// one under `kept`: they began without it.
///
/// # Errors
/// None waits to be confirmed, or the code is wrong.
pub fn confirm_second_factor(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    code: &str,
    recovery: Vec<Hash>,
    kept: Option<&Hash>,
) -> Result<(), Refusal> {
    let mut credentials = held(tx, actor.user)?;
    let waiting = credentials.second_factor.as_mut().filter(|it| !it.is_confirmed());
    let Some(factor) = waiting else {
        return Err(Refusal::conflict(
            "no_second_factor",
            "no second factor waits to be confirmed; add one first",
        ));
    };
    if !factor.confirm(code, here.now, recovery) {
        return Err(Refusal::conflict(
            "second_factor_refused",
            "this code is wrong; check the time of the authenticator, and wait for the next code",
        ));
    }
    tx.put(&CREDENTIALS, &actor.user.0, &credentials)?;
    sessions::end_all(tx, actor.user, kept)?;
    note(tx, actor, here, Action::SECOND_FACTOR_ADDED, actor.user)
}

/// Removes a second factor: the actor's own with a code of it, having shown their password; or that of somebody who has lost
/// theirs, by an administrator who has every permission that the person has. All sessions of the person end but the one under
/// `kept`.
///
/// # Errors
/// A permission is missing, the code is wrong, or there is no second factor.
pub fn remove_second_factor(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    user: UserId,
    code: Option<&str>,
    kept: Option<&Hash>,
) -> Result<(), Refusal> {
    if actor.user != user {
        administered(tx, actor, user)?;
    }
    if held(tx, user)?.second_factor.is_none() {
        return Err(Refusal::conflict(
            "no_second_factor",
            "this account has no second factor",
        ));
    }
    if actor.user == user {
        prove(tx, here, user, code)?;
    }
    let mut credentials = held(tx, user)?;
    credentials.second_factor = None;
    tx.put(&CREDENTIALS, &user.0, &credentials)?;
    sessions::end_all(tx, user, kept)?;
    note(tx, actor, here, Action::SECOND_FACTOR_REMOVED, user)
}

/// Demands a code of somebody who has a second factor, before they change what they sign in with. Of others nothing is demanded.
///
/// # Errors
/// The code is missing or wrong.
pub fn prove_second_factor(
    tx: &mut Tx<'_>,
    here: &Here,
    user: UserId,
    code: Option<&str>,
) -> Result<(), Refusal> {
    prove(tx, here, user, code).map(drop)
}

/// Demands the second factor of those who have one: what they proved by, none where they have none.
pub(super) fn prove(
    tx: &mut Tx<'_>,
    here: &Here,
    user: UserId,
    code: Option<&str>,
) -> Result<Option<Proof>, Refusal> {
    let mut credentials = held(tx, user)?;
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

fn note(tx: &mut Tx<'_>, actor: &Actor, here: &Here, action: Action, user: UserId) -> Result<(), Refusal> {
    let by = audit::Actor::User(actor.user.0);
    Ok(records::audit(tx, here, by, action, &[user.0], &[])?)
}
