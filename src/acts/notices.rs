//! Notifications: fanned out to people, kept in their inboxes, sent, given up, and what everybody has chosen.
//!
//! What an act of another kind leaves in the outbox is told here, in transactions of its own: each moves a part of it
//! on and notes how far it came, so that a crash anywhere loses nothing and repeats at most what was being sent.

pub mod choices;
pub mod dead_letters;
mod fan_out;
pub mod inbox;
mod sending;
pub mod settings;
mod told;

pub use fan_out::{Fanned, fan_out};
pub use sending::{
    Form, Outcome, Parcel, Waiting, close_digests, due, next_due, parcel, settle, settle_all, waiting,
};
pub use told::told;

use super::{Refusal, accounts};
use crate::domain::hash::Hash;
use crate::domain::id::UserId;
use crate::domain::notification::delivery::{Content, Delivery, Origin, Used, message_id};
use crate::domain::notification::digest::day_of;
use crate::domain::notification::mail_settings::{Configured, Effective};
use crate::domain::notification::preferences::Preferences;
use crate::domain::notification::{ChannelKind, Event, Progress};
use crate::domain::object::{Body, Kind};
use crate::domain::sealed::Sealed;
use crate::domain::user::User;
use crate::store::read::Read;
use crate::store::records::{self, Here, milliseconds};
use crate::store::tables::{
    ACCOUNTS, DELIVERIES, DELIVERIES_DUE, FANNED_OUT, MAIL_SETTINGS, PREFERENCES, RATES_USED,
};
use crate::store::transaction::Tx;

/// What counts about notifications now.
///
/// # Errors
/// The store cannot be read.
pub fn effective(read: &impl Read, configured: &Configured) -> Result<Effective, Refusal> {
    let set = read.get(&MAIL_SETTINGS, &())?;
    Ok(Effective::of(set.as_ref(), configured))
}

/// A person who is told things here: somebody whose account is on this node and holds.
///
/// # Errors
/// The store cannot be read.
fn recipient(read: &impl Read, here: &Here, user: UserId) -> Result<Option<User>, Refusal> {
    let object = records::object(read, user.0)?;
    let person =
        object.filter(|object| object.kind() == Kind::User && !object.deleted && object.home == here.node);
    let active = read
        .get(&ACCOUNTS, &user.0)?
        .is_some_and(|account| account.active);
    Ok(person.filter(|_| active).and_then(|person| match person.body {
        Body::User(user) => Some(user),
        _ => None,
    }))
}

/// What somebody has chosen, without a webhook on a server that the node posts to no more: it may have been taken off the list
/// since they have set it.
fn chosen(read: &impl Read, effective: &Effective, user: UserId) -> Result<Preferences, Refusal> {
    let mut chosen: Preferences = read.get(&PREFERENCES, &user.0)?.unwrap_or_default();
    chosen.webhook = chosen
        .webhook
        .filter(|webhook| effective.posts_to(&webhook.origin));
    Ok(chosen)
}

/// Queues a message. Its number is its own for ever.
fn queue(tx: &mut Tx<'_>, progress: &mut Progress, delivery: &Delivery) -> Result<(), Refusal> {
    progress.last_delivery += 1;
    put(tx, progress.last_delivery, delivery)
}

fn put(tx: &mut Tx<'_>, number: u64, delivery: &Delivery) -> Result<(), Refusal> {
    tx.put(&DELIVERIES, &number, delivery)?;
    Ok(tx.put(&DELIVERIES_DUE, &due_key(number, delivery), &())?)
}

fn take(tx: &mut Tx<'_>, number: u64, delivery: &Delivery) -> Result<(), Refusal> {
    tx.delete(&DELIVERIES, &number)?;
    Ok(tx.delete(&DELIVERIES_DUE, &due_key(number, delivery))?)
}

fn due_key(number: u64, delivery: &Delivery) -> (u8, u64, u64) {
    (delivery.channel.number(), milliseconds(delivery.due_at), number)
}

/// Offers a token for a new password to the account under an address, and queues the mail that brings it. The token, sealed,
/// is nowhere but in this message, and goes with it: once it is sent, given up or over, nothing of it is left. Says whether
/// there will be a mail; whoever asked may be a stranger and is told nothing of that.
///
/// Nothing is offered, and no earlier offer ends, where there is no such account or it is deactivated, where the node sends no
/// mail, where a token that still holds was mailed or handed over before, or where the account has had as many today as it may:
/// nobody can flood another's mailbox, nor undo what an administrator has handed over.
///
/// # Errors
/// The store fails.
pub fn mail_reset(
    tx: &mut Tx<'_>,
    here: &Here,
    configured: &Configured,
    email: &str,
    token: &Hash,
    sealed: Sealed,
) -> Result<bool, Refusal> {
    let effective = effective(tx, configured)?;
    let (event, channel, today) = (Event::PasswordReset, ChannelKind::Email, day_of(here.now));
    let found = accounts::credentials(tx, email)?.filter(|_| effective.carries(channel));
    let Some((user, _)) = found else {
        return Ok(false);
    };
    let key = (user.0, channel.number(), event.number());
    let used: Used = tx.get(&RATES_USED, &key)?.unwrap_or_default();
    if used.on(today) >= effective.limit(event) || accounts::has_reset(tx, user, here.now)? {
        return Ok(false);
    }
    let Some(offer) = accounts::offer_reset(tx, here, email, token)? else {
        return Ok(false);
    };
    tx.put(&RATES_USED, &key, &used.and_one(today))?;
    let random = Hash::derive("poundlock 2026 password reset mail 1", &here.random).0;
    let origin = Origin::Once(random);
    let delivery = Delivery {
        to: user,
        channel,
        content: Content::PasswordReset {
            code: Some(sealed),
            expires_at: offer.expires_at,
        },
        message_id: message_id(here.epoch, origin, user, channel, effective.domain()),
        made_at: here.now,
        due_at: here.now,
        attempts: 0,
        last_error: None,
    };
    let mut progress: Progress = tx.get(&FANNED_OUT, &())?.unwrap_or_default();
    queue(tx, &mut progress, &delivery)?;
    tx.put(&FANNED_OUT, &(), &progress)?;
    Ok(true)
}

#[cfg(test)]
mod tests;
