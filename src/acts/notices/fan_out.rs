//! From the outbox to people: each of an entry's audience gets a notice in their inbox, and a message over every channel
//! that they and the node have on.

use std::collections::BTreeSet;

use crate::acts::{Refusal, roles};
use crate::domain::id::UserId;
use crate::domain::notification::delivery::{Content, Delivery, Gathered, Item, Origin, Used, message_id};
use crate::domain::notification::digest::day_of;
use crate::domain::notification::mail_settings::{Configured, Effective};
use crate::domain::notification::route::{Route, route};
use crate::domain::notification::{Audience, ChannelKind, Notice, Notification, Progress};
use crate::store::read::Read;
use crate::store::records::{Here, milliseconds};
use crate::store::tables::{DIGESTS_DUE, FANNED_OUT, GATHERED, OUTBOX, RATES_USED};
use crate::store::transaction::Tx;

use super::{chosen, effective, inbox, queue, recipient};

/// Entries of the outbox that stay after they have been fanned out, for the list that administrators read.
const KEPT: u64 = 10_000;

/// How far fanning out came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fanned {
    /// How many people were told.
    pub people: usize,
    /// Whether something is left.
    pub more: bool,
}

/// Fans the outbox out to at most `most` people. Who holds a permission is decided now, and not when it happened.
///
/// # Errors
/// The store fails.
pub fn fan_out(
    tx: &mut Tx<'_>,
    here: &Here,
    configured: &Configured,
    most: usize,
) -> Result<Fanned, Refusal> {
    let mut progress: Progress = tx.get(&FANNED_OUT, &())?.unwrap_or_default();
    let before = progress;
    let effective = effective(tx, configured)?;
    let (mut people, mut more) = (0, false);
    'entries: while let Some((number, entry)) = tx.range_from(&OUTBOX, Some(&progress.fanned_out), 1)?.pop() {
        for user in audience(tx, &entry)? {
            if progress.after.is_some_and(|after| user <= after) {
                continue;
            }
            if people == most {
                more = true;
                break 'entries;
            }
            tell(tx, here, &effective, &mut progress, number, &entry, user)?;
            progress.after = Some(user);
            people += 1;
        }
        progress.fanned_out = number;
        progress.after = None;
        if let Some(old) = number.checked_sub(KEPT) {
            tx.delete(&OUTBOX, &old)?;
        }
    }
    if progress != before {
        tx.put(&FANNED_OUT, &(), &progress)?;
    }
    Ok(Fanned { people, more })
}

/// Everybody of an entry's audience, in the order of their ids.
fn audience(read: &impl Read, entry: &Notification) -> Result<Vec<UserId>, Refusal> {
    let mut people = match entry.audience {
        Audience::Person(user) => vec![user],
        Audience::Holders(permission) => {
            let mut holders = roles::holders(read, permission)?;
            if let Some(besides) = entry.event.needs_besides() {
                let able: BTreeSet<_> = roles::holders(read, besides)?.into_iter().collect();
                holders.retain(|user| able.contains(user));
            }
            holders
        }
    };
    people.sort_unstable();
    people.dedup();
    Ok(people)
}

fn tell(
    tx: &mut Tx<'_>,
    here: &Here,
    effective: &Effective,
    progress: &mut Progress,
    number: u64,
    entry: &Notification,
    user: UserId,
) -> Result<(), Refusal> {
    if recipient(tx, here, user)?.is_none() {
        return Ok(());
    }
    let notice = Notice {
        event: entry.event,
        about: entry.about,
        at: entry.at,
        read: false,
    };
    inbox::add(tx, user, &notice)?;
    let preferences = chosen(tx, effective, user)?;
    for channel in ChannelKind::OUTGOING
        .iter()
        .copied()
        .filter(|channel| effective.carries(*channel))
    {
        let today = day_of(here.now);
        let key = (user.0, channel.number(), entry.event.number());
        let used: Used = tx.get(&RATES_USED, &key)?.unwrap_or_default();
        let limit = effective.limit(entry.event);
        let item = Item {
            event: entry.event,
            about: entry.about,
            at: entry.at,
        };
        match route(
            entry.event,
            channel,
            &preferences,
            used.on(today),
            limit,
            here.now,
        ) {
            Route::Off => {}
            Route::Now => {
                tx.put(&RATES_USED, &key, &used.and_one(today))?;
                let origin = Origin::Entry(number);
                let delivery = Delivery {
                    to: user,
                    channel,
                    content: Content::One(item),
                    message_id: message_id(here.epoch, origin, user, channel, effective.domain()),
                    made_at: here.now,
                    due_at: here.now,
                    attempts: 0,
                    last_error: None,
                };
                queue(tx, progress, &delivery)?;
            }
            Route::Gather(due_at) => {
                let gathered = Gathered { item, due_at };
                tx.put(&GATHERED, &(user.0, channel.number(), number), &gathered)?;
                let due = (milliseconds(due_at), user.0, channel.number());
                tx.put(&DIGESTS_DUE, &due, &())?;
            }
        }
    }
    Ok(())
}
