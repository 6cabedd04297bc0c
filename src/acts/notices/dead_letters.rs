//! Messages that were given up: read, tried again or removed by those who may change settings.

use crate::acts::Refusal;
use crate::domain::access::{Actor, Permission};
use crate::domain::audit::{self, Action};
use crate::domain::notification::delivery::{Content, DeadLetter};
use crate::domain::object::Body;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::DEAD_LETTERS;
use crate::store::transaction::Tx;

use super::put;

/// Letters that one transaction puts back into the queue.
pub const AT_ONCE: usize = 1_000;

/// A dead letter, with whom it was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number.
    pub number: u64,
    /// The letter.
    pub letter: DeadLetter,
    /// The address of its recipient; none if the account is gone.
    pub email: Option<String>,
}

/// A page of dead letters, newest first, and where the next page begins.
///
/// # Errors
/// The permission is missing.
pub fn list(
    read: &impl Read,
    actor: &Actor,
    before: Option<u64>,
    limit: usize,
) -> Result<(Vec<Listed>, Option<u64>), Refusal> {
    actor.require(Permission::EditSettings)?;
    let mut found = read.range_back(&DEAD_LETTERS, before.as_ref(), limit + 1)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|(number, _)| *number).filter(|_| more);
    let mut listed = Vec::with_capacity(found.len());
    for (number, letter) in found {
        let account = records::object(read, letter.delivery.to.0)?;
        let email = account.and_then(|account| match account.body {
            Body::User(user) => Some(user.email.as_str().to_owned()),
            _ => None,
        });
        listed.push(Listed {
            number,
            letter,
            email,
        });
    }
    Ok((listed, next))
}

fn no(number: u64) -> Refusal {
    Refusal::NotFound {
        what: "dead letter",
        id: number.to_string(),
    }
}

/// Has a letter tried again, at once and as if for the first time. It keeps the name that it bears.
///
/// # Errors
/// The permission is missing, there is no such letter, or it held a code that is gone.
pub fn requeue(tx: &mut Tx<'_>, actor: &Actor, here: &Here, number: u64) -> Result<(), Refusal> {
    actor.require(Permission::EditSettings)?;
    let letter = tx.get(&DEAD_LETTERS, &number)?.ok_or_else(|| no(number))?;
    if holds_nothing(&letter) {
        return Err(Refusal::conflict(
            "code_gone",
            "the one-time code of this mail is gone; its owner can ask for a new one",
        ));
    }
    again(tx, here, number, letter)?;
    audit(tx, actor, here, "requeued", 1)
}

fn holds_nothing(letter: &DeadLetter) -> bool {
    matches!(letter.delivery.content, Content::PasswordReset { code: None, .. })
}

fn again(tx: &mut Tx<'_>, here: &Here, number: u64, letter: DeadLetter) -> Result<(), Refusal> {
    let mut delivery = letter.delivery;
    delivery.attempts = 0;
    // The time to give up counts from here again; the mail keeps its name, which tells a repeat.
    delivery.made_at = here.now;
    delivery.due_at = here.now;
    tx.delete(&DEAD_LETTERS, &number)?;
    put(tx, number, &delivery)
}

/// Has every letter tried again, at most [`AT_ONCE`] of them; how many, and whether some are left.
///
/// # Errors
/// The permission is missing.
pub fn requeue_all(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    after: Option<u64>,
) -> Result<(usize, Option<u64>), Refusal> {
    actor.require(Permission::EditSettings)?;
    let found = tx.range_from(&DEAD_LETTERS, after.as_ref(), AT_ONCE)?;
    let last = found
        .last()
        .map(|(number, _)| *number)
        .filter(|_| found.len() == AT_ONCE);
    let mut count = 0;
    for (number, letter) in found {
        if !holds_nothing(&letter) {
            again(tx, here, number, letter)?;
            count += 1;
        }
    }
    if count > 0 {
        audit(tx, actor, here, "requeued", count)?;
    }
    Ok((count, last))
}

/// Removes a letter for good.
///
/// # Errors
/// The permission is missing, or there is no such letter.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, here: &Here, number: u64) -> Result<(), Refusal> {
    actor.require(Permission::EditSettings)?;
    if !tx.contains(&DEAD_LETTERS, &number)? {
        return Err(no(number));
    }
    tx.delete(&DEAD_LETTERS, &number)?;
    audit(tx, actor, here, "removed", 1)
}

fn audit(tx: &mut Tx<'_>, actor: &Actor, here: &Here, what: &str, count: usize) -> Result<(), Refusal> {
    let by = audit::Actor::User(actor.user.0);
    let details = [(what, count.to_string())];
    Ok(records::audit(
        tx,
        here,
        by,
        Action::DEAD_LETTERS_CHANGED,
        &[],
        &details,
    )?)
}
