//! Messages on their way: which are due, what they say, and what has become of them.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::acts::Refusal;
use crate::acts::{accounts, settings};
use crate::domain::notification::delivery::{
    Content, DeadLetter, Delivery, ERROR_MOST, Gathered, Item, Origin, message_id,
};
use crate::domain::notification::digest::DIGEST_MOST;
use crate::domain::notification::letter::{NEW_PASSWORD_PATH, Sender, shown};
use crate::domain::notification::mail_settings::Configured;
use crate::domain::notification::one_line::quoted;
use crate::domain::notification::retry::Retry;
use crate::domain::notification::template::{Name, Values};
use crate::domain::notification::{ChannelKind, Event, Progress};
use crate::domain::sealed::Sealed;
use crate::store::read::Read;
use crate::store::records::{Here, milliseconds};
use crate::store::tables::{DEAD_LETTERS, DELIVERIES, DELIVERIES_DUE, DIGESTS_DUE, FANNED_OUT, GATHERED};
use crate::store::transaction::Tx;

use super::{chosen, effective, put, queue, recipient, take, told};

/// The most entries that closing one digest counts; what is beyond is counted by the next.
const COUNTED_MOST: usize = 5_000;

/// Turns what waits for digests that are due now into one message each, for at most `most` of them. Says how many.
///
/// # Errors
/// The store fails.
pub fn close_digests(
    tx: &mut Tx<'_>,
    here: &Here,
    configured: &Configured,
    most: usize,
) -> Result<usize, Refusal> {
    let domain = effective(tx, configured)?.domain().to_owned();
    let now = milliseconds(here.now);
    let due: Vec<_> = tx
        .range_from(&DIGESTS_DUE, None, most)?
        .into_iter()
        .map(|(key, ())| key)
        .take_while(|(at, _, _)| *at <= now)
        .collect();
    let mut progress: Progress = tx.get(&FANNED_OUT, &())?.unwrap_or_default();
    for key in &due {
        let (_, user, channel) = *key;
        tx.delete(&DIGESTS_DUE, key)?;
        let mut waiting: Vec<(u64, Gathered)> = Vec::new();
        tx.for_each(
            &GATHERED,
            &(user, channel),
            |(_, _, number), gathered: Gathered| {
                if gathered.due_at <= here.now && waiting.len() < COUNTED_MOST {
                    waiting.push((number, gathered));
                }
                Ok::<_, Refusal>(())
            },
        )?;
        for (number, _) in &waiting {
            tx.delete(&GATHERED, &(user, channel, *number))?;
        }
        let (Some((last, _)), Some(kind)) = (waiting.last(), ChannelKind::of_number(channel)) else {
            continue;
        };
        if waiting.len() == COUNTED_MOST {
            tx.put(&DIGESTS_DUE, key, &())?;
        }
        let (to, origin) = (crate::domain::id::UserId(user), Origin::DigestUpTo(*last));
        let items: Vec<Item> = waiting.iter().take(DIGEST_MOST).map(|(_, it)| it.item).collect();
        let more = u64::try_from(waiting.len() - items.len()).unwrap_or(u64::MAX);
        let delivery = Delivery {
            to,
            channel: kind,
            content: Content::Digest { items, more },
            message_id: message_id(here.epoch, origin, to, kind, &domain),
            made_at: here.now,
            due_at: here.now,
            attempts: 0,
            last_error: None,
        };
        queue(tx, &mut progress, &delivery)?;
    }
    if !due.is_empty() {
        tx.put(&FANNED_OUT, &(), &progress)?;
    }
    Ok(due.len())
}

/// The messages over a channel that are due now, the first first: at most `most`, without those in `under_way`. After a clock was put
/// back, those that it had put off are due as well ([`Retry::is_due`]).
///
/// # Errors
/// The store cannot be read.
pub fn due(
    read: &impl Read,
    channel: ChannelKind,
    retry: Retry,
    now: Timestamp,
    under_way: &BTreeSet<u64>,
    most: usize,
) -> Result<Vec<u64>, Refusal> {
    let limit = most.saturating_add(under_way.len());
    let is_due = |((_, at, _), ()): &((u8, u64, u64), ())| {
        let at = i64::try_from(*at).unwrap_or(i64::MAX);
        retry.is_due(Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX), now)
    };
    let prefix = channel.number();
    let first = read.range_prefix(&DELIVERIES_DUE, &prefix, None, limit)?;
    let last = read.range_prefix_back(&DELIVERIES_DUE, &prefix, None, limit)?;
    let due = first.into_iter().take_while(is_due);
    let numbers: BTreeSet<_> = due.chain(last.into_iter().take_while(is_due)).collect();
    Ok(numbers
        .into_iter()
        .map(|((_, _, number), ())| number)
        .filter(|number| !under_way.contains(number))
        .take(most)
        .collect())
}

/// When something is due next over one of the channels, or a digest; none if nothing waits.
///
/// # Errors
/// The store cannot be read.
pub fn next_due(
    read: &impl Read,
    channels: &[ChannelKind],
    under_way: &BTreeSet<u64>,
) -> Result<Option<u64>, Refusal> {
    let mut next = read.first(&DIGESTS_DUE)?.map(|((at, _, _), ())| at);
    for channel in channels {
        let limit = under_way.len() + 1;
        let first = read
            .range_prefix(&DELIVERIES_DUE, &channel.number(), None, limit)?
            .into_iter()
            .find(|((_, _, number), ())| !under_way.contains(number))
            .map(|((_, at, _), ())| at);
        next = next.into_iter().chain(first).min();
    }
    Ok(next)
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Messages that are on their way.
    pub messages: u64,
    /// Things that wait for a digest.
    pub gathered: u64,
    /// Messages that were given up.
    pub dead: u64,
}

/// The most of a kind that [`waiting`] counts.
pub const WAITING_MOST: usize = 100_000;

/// How much waits, each counted up to [`WAITING_MOST`].
///
/// # Errors
/// The store cannot be read.
pub fn waiting(read: &impl Read) -> Result<Waiting, Refusal> {
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    let mut messages = 0;
    for channel in ChannelKind::OUTGOING {
        let found = read.range_prefix(&DELIVERIES_DUE, &channel.number(), None, WAITING_MOST)?;
        messages += count(found.len());
    }
    let (mut gathered, mut dead) = (0, 0);
    read.for_each(&GATHERED, &(), |_, _: Gathered| {
        gathered += 1;
        Ok::<_, Refusal>(())
    })?;
    read.for_each(&DEAD_LETTERS, &(), |_, _: DeadLetter| {
        dead += 1;
        Ok::<_, Refusal>(())
    })?;
    Ok(Waiting {
        messages,
        gathered,
        dead,
    })
}

/// Which templates a message is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Of one event.
    One(Event),
    /// Of a digest.
    Digest,
    /// Of a new password.
    PasswordReset,
}

/// A message with all that is needed to send it.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Its number.
    pub number: u64,
    /// The message.
    pub delivery: Delivery,
    /// The recipient's address.
    pub email: String,
    /// The recipient's webhook.
    pub webhook: Option<Sealed>,
    /// How the node is called.
    pub node: String,
    /// The templates that it is made with.
    pub form: Form,
    /// What they show, but for a code, which is sealed in the message.
    pub values: Values,
}

/// What a message says and where it goes, as things are now. None if there is nothing to send any more: it is gone, its
/// recipient has left or has switched it off, their webhook is where the node posts to no more, or its code has expired.
///
/// # Errors
/// The store cannot be read.
pub fn parcel(
    read: &impl Read,
    here: &Here,
    configured: &Configured,
    number: u64,
) -> Result<Option<Parcel>, Refusal> {
    let Some(delivery) = read.get(&DELIVERIES, &number)? else {
        return Ok(None);
    };
    let Some(person) = recipient(read, here, delivery.to)? else {
        return Ok(None);
    };
    let effective = effective(read, configured)?;
    let preferences = chosen(read, &effective, delivery.to)?;
    let sender = Sender {
        node: settings::current(read)?.name,
        base_url: effective.base_url,
    };
    let (form, mut values) = match &delivery.content {
        Content::One(item) if !preferences.wants(item.event, delivery.channel) => return Ok(None),
        Content::One(item) => {
            let told = told(read, item.event, item.about)?;
            (Form::One(item.event), sender.values(item.event, &told, item.at))
        }
        Content::Digest { .. } if !preferences.enabled().get(&delivery.channel).is_some_and(|on| *on) => {
            return Ok(None);
        }
        Content::Digest { items, more } => {
            let mut values = sender.digest_values(*more);
            for item in items {
                let told = told(read, item.event, item.about)?;
                values.add_item(sender.values(item.event, &told, item.at));
            }
            (Form::Digest, values)
        }
        Content::PasswordReset { code, expires_at } => {
            if code.is_none() || *expires_at <= here.now {
                return Ok(None);
            }
            let told = crate::domain::notification::letter::Told::default();
            let mut values = sender.values(Event::PasswordReset, &told, delivery.made_at);
            values.set(Name::ValidUntil, shown(*expires_at));
            values.set(Name::Link, sender.link(NEW_PASSWORD_PATH));
            (Form::PasswordReset, values)
        }
    };
    values.set(Name::Recipient, person.name);
    Ok(Some(Parcel {
        number,
        email: person.email.as_str().to_owned(),
        webhook: preferences.webhook.map(|webhook| webhook.url),
        node: sender.node,
        form,
        values,
        delivery,
    }))
}

/// What has become of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Delivered,
    /// There was nothing to send any more.
    Dropped,
    /// It may be taken later. `random` spreads the attempts.
    Again {
        /// Why not now.
        error: String,
        /// When to try again.
        retry: Retry,
        /// Any number.
        random: u32,
    },
    /// It will never be taken.
    Final {
        /// Why.
        error: String,
    },
}

/// Notes what has become of a message. One that is gone already is no error: it was noted before.
///
/// # Errors
/// The store fails.
pub fn settle(tx: &mut Tx<'_>, here: &Here, number: u64, outcome: Outcome) -> Result<(), Refusal> {
    let Some(mut delivery) = tx.get(&DELIVERIES, &number)? else {
        return Ok(());
    };
    take(tx, number, &delivery)?;
    let (error, retry) = match outcome {
        Outcome::Delivered | Outcome::Dropped => return Ok(()),
        Outcome::Again { error, retry, random } => (error, Some((retry, random))),
        Outcome::Final { error } => (error, None),
    };
    delivery.attempts = delivery.attempts.saturating_add(1);
    delivery.last_error = Some(quoted(&error, ERROR_MOST));
    match retry {
        Some((retry, random)) if !retry.gives_up(delivery.made_at, here.now) => {
            delivery.due_at = retry.next(here.now, delivery.attempts, random);
            put(tx, number, &delivery)
        }
        _ => {
            if let Content::PasswordReset { expires_at, .. } = &delivery.content {
                accounts::withdraw_mailed(tx, delivery.to, *expires_at)?;
            }
            let dead = DeadLetter {
                delivery: delivery.without_secret(),
                died_at: here.now,
            };
            Ok(tx.put(&DEAD_LETTERS, &number, &dead)?)
        }
    }
}

/// As [`settle`], for several.
///
/// # Errors
/// The store fails.
pub fn settle_all(tx: &mut Tx<'_>, here: &Here, all: Vec<(u64, Outcome)>) -> Result<(), Refusal> {
    for (number, outcome) in all {
        settle(tx, here, number, outcome)?;
    }
    Ok(())
}
