//! Somebody's own inbox. Nobody sees another's.

use uuid::Uuid;

use crate::acts::Refusal;
use crate::acts::visible;
use crate::domain::access::Actor;
use crate::domain::id::{RequestId, UserId};
use crate::domain::notification::letter::{Target, Told};
use crate::domain::notification::{Mailbox, Notice};
use crate::store::read::Read;
use crate::store::tables::{MAILBOXES, NOTICES, RUNS, UNREAD};
use crate::store::transaction::Tx;

use super::told;

/// Notices that one transaction marks or removes.
pub const AT_ONCE: usize = 1_000;

/// One line of an inbox, with what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, which grows.
    pub number: u64,
    /// The notice.
    pub notice: Notice,
    /// What it says.
    pub told: Told,
    /// The first line of the reason for the request that it leads to, where the reader may see that. It stands here and in no
    /// message: what somebody wrote leaves the node by none.
    pub title: Option<String>,
}

/// A page of an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// The lines.
    pub lines: Vec<Line>,
    /// Where the next page begins; none on the last.
    pub next: Option<u64>,
}

fn line(read: &impl Read, actor: &Actor, number: u64, notice: Notice) -> Result<Line, Refusal> {
    let told = told(read, notice.event, notice.about)?;
    let title = match told.target {
        Some(target) => title(read, actor, target)?,
        None => None,
    };
    Ok(Line {
        number,
        notice,
        told,
        title,
    })
}

fn title(read: &impl Read, actor: &Actor, target: Target) -> Result<Option<String>, Refusal> {
    let request = match target {
        Target::Request(id) => Some(RequestId(id)),
        Target::Run(id) => read.get(&RUNS, &id)?.and_then(|run| run.request),
        Target::User(_) | Target::Peer(_) => None,
    };
    Ok(match request.map(|id| visible::request(read, actor, id)) {
        Some(Ok(request)) => Some(request.object.body.title()),
        None | Some(Err(Refusal::NotFound { .. })) => None,
        Some(Err(error)) => return Err(error),
    })
}

fn page(
    read: &impl Read,
    actor: &Actor,
    mut found: Vec<(u64, Notice)>,
    limit: usize,
) -> Result<Lines, Refusal> {
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|(number, _)| *number).filter(|_| more);
    let lines = found
        .into_iter()
        .map(|(number, notice)| line(read, actor, number, notice))
        .collect::<Result<_, _>>()?;
    Ok(Lines { lines, next })
}

/// A page of the actor's inbox, newest first: the lines before the number `before`.
///
/// # Errors
/// The store cannot be read.
pub fn list(
    read: &impl Read,
    actor: &Actor,
    unread: bool,
    before: Option<u64>,
    limit: usize,
) -> Result<Lines, Refusal> {
    let me = actor.user.0;
    let before = before.map(|number| (me, number));
    let mut found = Vec::new();
    if unread {
        let numbers = read.range_prefix_back(&UNREAD, &me, before.as_ref(), limit + 1)?;
        for ((_, number), ()) in numbers {
            found.extend(read.get(&NOTICES, &(me, number))?.map(|notice| (number, notice)));
        }
    } else {
        let notices = read.range_prefix_back(&NOTICES, &me, before.as_ref(), limit + 1)?;
        found.extend(notices.into_iter().map(|((_, number), notice)| (number, notice)));
    }
    page(read, actor, found, limit)
}

/// One line of the actor's inbox.
///
/// # Errors
/// There is none of that number.
pub fn get(read: &impl Read, actor: &Actor, number: u64) -> Result<Line, Refusal> {
    let notice = read
        .get(&NOTICES, &(actor.user.0, number))?
        .ok_or_else(|| no(number))?;
    line(read, actor, number, notice)
}

fn no(number: u64) -> Refusal {
    Refusal::NotFound {
        what: "notification",
        id: number.to_string(),
    }
}

/// How many lines the actor has not read.
///
/// # Errors
/// The store cannot be read.
pub fn unread(read: &impl Read, actor: &Actor) -> Result<u64, Refusal> {
    let mailbox = read.get(&MAILBOXES, &actor.user.0)?.unwrap_or_default();
    Ok(mailbox.unread)
}

/// What is kept of somebody's inbox. One that does not count yet begins at the highest number that is known of it, so that
/// none is used twice and what comes next counts as new.
fn mailbox(read: &impl Read, user: Uuid) -> Result<Mailbox, Refusal> {
    let mut mailbox: Mailbox = read.get(&MAILBOXES, &user)?.unwrap_or_default();
    if mailbox.last.is_none() {
        mailbox.last = Some(highest(read, user)?.max(mailbox.shown));
    }
    Ok(mailbox)
}

/// Puts a notice into somebody's inbox, unread, under the next number of that inbox.
pub(super) fn add(tx: &mut Tx<'_>, user: UserId, notice: &Notice) -> Result<(), Refusal> {
    let mut mailbox = mailbox(tx, user.0)?;
    let number = mailbox.last.unwrap_or_default() + 1;
    mailbox.last = Some(number);
    mailbox.unread += 1;
    let key = (user.0, number);
    tx.put(&NOTICES, &key, notice)?;
    tx.put(&UNREAD, &key, &())?;
    Ok(tx.put(&MAILBOXES, &user.0, &mailbox)?)
}

/// Marks a line as read or unread.
///
/// # Errors
/// There is none of that number.
pub fn mark(tx: &mut Tx<'_>, actor: &Actor, number: u64, is_read: bool) -> Result<Line, Refusal> {
    let key = (actor.user.0, number);
    let mut notice = tx.get(&NOTICES, &key)?.ok_or_else(|| no(number))?;
    if notice.read != is_read {
        notice.read = is_read;
        tx.put(&NOTICES, &key, &notice)?;
        let mut mailbox = mailbox(tx, actor.user.0)?;
        if is_read {
            tx.delete(&UNREAD, &key)?;
            mailbox.unread = mailbox.unread.saturating_sub(1);
        } else {
            tx.put(&UNREAD, &key, &())?;
            mailbox.unread += 1;
        }
        tx.put(&MAILBOXES, &actor.user.0, &mailbox)?;
    }
    line(tx, actor, number, notice)
}

/// Marks every line up to a number as read, at most [`AT_ONCE`] of them; whether some are left. A person who marks all
/// that they see must not mark what has come since.
///
/// # Errors
/// The store fails.
pub fn mark_all(tx: &mut Tx<'_>, actor: &Actor, up_to: u64) -> Result<bool, Refusal> {
    let me = actor.user.0;
    let found = tx.range_prefix(&UNREAD, &me, None, AT_ONCE + 1)?;
    let numbers: Vec<u64> = found
        .into_iter()
        .map(|((_, number), ())| number)
        .take_while(|number| *number <= up_to)
        .collect();
    for number in numbers.iter().take(AT_ONCE) {
        mark(tx, actor, *number, true)?;
    }
    Ok(numbers.len() > AT_ONCE)
}

/// Removes a line from the inbox.
///
/// # Errors
/// There is none of that number.
pub fn clear(tx: &mut Tx<'_>, actor: &Actor, number: u64) -> Result<(), Refusal> {
    let key = (actor.user.0, number);
    let notice = tx.get(&NOTICES, &key)?.ok_or_else(|| no(number))?;
    // Before the line goes: it may be the one that says where counting begins.
    let mut mailbox = mailbox(tx, actor.user.0)?;
    tx.delete(&NOTICES, &key)?;
    if !notice.read {
        tx.delete(&UNREAD, &key)?;
        mailbox.unread = mailbox.unread.saturating_sub(1);
    }
    Ok(tx.put(&MAILBOXES, &actor.user.0, &mailbox)?)
}

/// Removes every line up to a number, at most [`AT_ONCE`] of them; whether some are left.
///
/// # Errors
/// The store fails.
pub fn clear_all(tx: &mut Tx<'_>, actor: &Actor, up_to: u64) -> Result<bool, Refusal> {
    let found = tx.range_prefix(&NOTICES, &actor.user.0, None, AT_ONCE + 1)?;
    let numbers: Vec<u64> = found
        .into_iter()
        .map(|((_, number), _)| number)
        .take_while(|number| *number <= up_to)
        .collect();
    for number in numbers.iter().take(AT_ONCE) {
        clear(tx, actor, *number)?;
    }
    Ok(numbers.len() > AT_ONCE)
}

/// The number of the newest line; 0 if there is none.
///
/// # Errors
/// The store cannot be read.
pub fn newest(read: &impl Read, actor: &Actor) -> Result<u64, Refusal> {
    highest(read, actor.user.0)
}

fn highest(read: &impl Read, user: Uuid) -> Result<u64, Refusal> {
    let found = read.range_prefix_back(&NOTICES, &user, None, 1)?;
    Ok(found.first().map_or(0, |((_, number), _)| *number))
}

/// What has come since the actor was last shown a digest on the command line, oldest first.
///
/// # Errors
/// The store cannot be read.
pub fn news(read: &impl Read, actor: &Actor, limit: usize) -> Result<Lines, Refusal> {
    let me = actor.user.0;
    let after = (me, mailbox(read, me)?.shown);
    let found = read.range_prefix(&NOTICES, &me, Some(&after), limit + 1)?;
    let found = found.into_iter().map(|((_, number), notice)| (number, notice));
    page(read, actor, found.collect(), limit)
}

/// Notes that the actor has been shown everything up to a number.
///
/// # Errors
/// The store fails.
pub fn note_shown(tx: &mut Tx<'_>, actor: &Actor, up_to: u64) -> Result<(), Refusal> {
    let mut mailbox = mailbox(tx, actor.user.0)?;
    // Not past what there is: what comes next must be shown.
    let up_to = up_to.min(newest(tx, actor)?);
    if up_to > mailbox.shown {
        mailbox.shown = up_to;
        tx.put(&MAILBOXES, &actor.user.0, &mailbox)?;
    }
    Ok(())
}
