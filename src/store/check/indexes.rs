//! Runs, bundles and notifications, with the tables that lead to them.

use std::collections::HashMap;

use uuid::Uuid;

use super::Findings;
use crate::domain::job::Run;
use crate::domain::notification::Mailbox;
use crate::domain::object::{Kind, Object};
use crate::domain::settings::Node;
use crate::store::open;
use crate::store::read::Read;
use crate::store::records::milliseconds;
use crate::store::table::TableError;
use crate::store::tables::{
    ARRIVED, CARRIED, CARRIED_IN, DELIVERIES, DELIVERIES_DUE, FANNED_OUT, MAILBOXES, NOTICES, OBJECTS,
    OUTBOX, PEERS, REQUESTS_OPEN, RESULTS_UNRELEASED, RUNS, RUNS_APART, RUNS_OF, RUNS_OPEN, SENT, UNREAD,
};

/// Every run stands in its lists, and those that are not over in the queue.
pub(super) fn runs(read: &impl Read, findings: &mut Findings) -> Result<(), TableError> {
    let (mut open, mut listed, mut listed_apart) = (0_u64, 0_u64, 0_u64);
    read.for_each(&RUNS, &(), |id, run: Run| {
        findings.count("runs");
        let queued = milliseconds(run.queued_at);
        let is_open = read.contains(&RUNS_OPEN, &(queued, id))?;
        open += u64::from(is_open);
        findings.require(is_open != run.state.is_over(), || {
            format!("run {id} is {}, and the queue says otherwise", run.state.word())
        });
        for under in [
            Some(Uuid::nil()),
            run.code.map(|id| id.0),
            run.request.map(|id| id.0),
        ] {
            let Some(under) = under else { continue };
            listed += 1;
            let there = read.contains(&RUNS_OF, &(under, queued, id))?;
            findings.require(there, || format!("run {id} is not listed under {under}"));
        }
        for under in run.listed_apart() {
            listed_apart += 1;
            let there = read.contains(&RUNS_APART, &(under, queued, id))?;
            findings.require(there, || format!("run {id} is not listed apart under {under}"));
        }
        Ok::<_, TableError>(())
    })?;
    let (queue, lists) = (count(read, &RUNS_OPEN)?, count(read, &RUNS_OF)?);
    let apart = count(read, &RUNS_APART)?;
    findings.require(queue == open && lists == listed && apart == listed_apart, || {
        "lists of runs name runs that are not there".to_owned()
    });
    Ok(())
}

/// What may wait for a person stands in its lists, and nothing else does.
pub(super) fn open(read: &impl Read, findings: &mut Findings) -> Result<(), TableError> {
    let (mut requests, mut results) = (0_u64, 0_u64);
    read.for_each(&RUNS, &(), |id, run: Run| {
        let there = read.contains(&RESULTS_UNRELEASED, &open::result_key(id, &run))?;
        results += u64::from(there);
        findings.require(there == open::is_unreleased(read, id, &run)?, || {
            format!("the list of results that were not released is wrong about run {id}")
        });
        Ok::<_, TableError>(())
    })?;
    read.for_each(&OBJECTS, &(), |id, object: Object| {
        if object.kind() == Kind::Request {
            let there = read.contains(&REQUESTS_OPEN, &open::request_key(&object))?;
            requests += u64::from(there);
            findings.require(there == open::is_open(read, &object)?, || {
                format!("the list of open requests is wrong about request {id}")
            });
        }
        Ok::<_, TableError>(())
    })?;
    let lists = (count(read, &REQUESTS_OPEN)?, count(read, &RESULTS_UNRELEASED)?);
    findings.require(lists == (requests, results), || {
        "lists of what may wait name what is not there".to_owned()
    });
    Ok(())
}

fn count<K: crate::store::key::Key>(
    read: &impl Read,
    table: &crate::store::table::Table<K, ()>,
) -> Result<u64, TableError> {
    let mut count = 0;
    read.for_each(table, &(), |_: K, ()| {
        count += 1;
        Ok::<_, TableError>(())
    })?;
    Ok(count)
}

/// Bundles are numbered without a gap up to what the peer's record says, and carry what is noted.
pub(super) fn bundles(read: &impl Read, node: &Node, findings: &mut Findings) -> Result<(), TableError> {
    let mut sent: HashMap<Uuid, u64> = HashMap::new();
    let mut own_epochs: HashMap<Uuid, Uuid> = HashMap::new();
    read.for_each(&PEERS, &(), |id, peer| {
        own_epochs.extend(peer.own_epoch.map(|epoch| (id, epoch.0)));
        Ok::<_, TableError>(())
    })?;
    read.for_each(&SENT, &(), |(peer, epoch, number), bundle| {
        findings.count("bundles_sent");
        if epoch == own_epochs.get(&peer).copied().unwrap_or(node.epoch.0) {
            let before = sent.insert(peer, number).unwrap_or(0);
            findings.require(number == before + 1, || {
                format!("bundle {number} for {peer} follows {before}")
            });
        }
        let mut carried = 0_u64;
        read.for_each(&CARRIED, &(peer, epoch, number), |(_, _, _, object), _| {
            carried += 1;
            let there = read.contains(&CARRIED_IN, &(object, peer, epoch, number))?;
            findings.require(there, || {
                format!("bundle {number} for {peer} carries {object}, which does not know it")
            });
            Ok::<_, TableError>(())
        })?;
        findings.require(carried == bundle.carried, || {
            format!(
                "bundle {number} for {peer} carries {carried} objects, not {}",
                bundle.carried
            )
        });
        Ok::<_, TableError>(())
    })?;
    read.for_each(&PEERS, &(), |id, peer| {
        let last = sent.get(&id).copied().unwrap_or(0);
        findings.require(last == peer.last_sequence, || {
            format!("the last bundle for {id} is {last}, not {}", peer.last_sequence)
        });
        let acknowledged = peer.acknowledged <= peer.last_sequence;
        findings.require(acknowledged, || {
            format!("{id} has acknowledged a bundle that was not made")
        });
        let highest = peer.received.highest;
        let arrived = highest == 0 || read.contains(&ARRIVED, &(id, peer.epoch.0, highest))?;
        findings.require(arrived, || {
            format!("bundle {highest} of {id} counts as received and is not noted")
        });
        Ok::<_, TableError>(())
    })
}

/// The outbox has no gap, inboxes count their unread lines, and every message on its way is due once.
pub(super) fn notices(read: &impl Read, findings: &mut Findings) -> Result<(), TableError> {
    let mut last = None;
    read.for_each(&OUTBOX, &(), |number, _| {
        findings.require(last.is_none_or(|last| number == last + 1), || {
            format!("outbox: {number} does not follow the one before")
        });
        last = Some(number);
        Ok::<_, TableError>(())
    })?;
    let progress = read.get(&FANNED_OUT, &())?.unwrap_or_default();
    findings.require(progress.fanned_out <= last.unwrap_or(0), || {
        "outbox: more was told than happened".to_owned()
    });
    let mut unread: HashMap<Uuid, u64> = HashMap::new();
    read.for_each(&UNREAD, &(), |(user, number), ()| {
        *unread.entry(user).or_default() += 1;
        let notice = read.get(&NOTICES, &(user, number))?;
        findings.require(notice.is_some_and(|notice| !notice.read), || {
            format!("line {number} of {user}'s inbox counts as unread and is not")
        });
        Ok::<_, TableError>(())
    })?;
    read.for_each(&MAILBOXES, &(), |user, mailbox: Mailbox| {
        let counted = unread.remove(&user).unwrap_or(0);
        findings.require(mailbox.unread == counted, || {
            format!("{user} has {counted} unread lines, not {}", mailbox.unread)
        });
        // One of an older version does not count yet.
        if let Some(last) = mailbox.last {
            let newest = read.range_prefix_back(&NOTICES, &user, None, 1)?;
            let newest = newest.first().map_or(0, |((_, number), _)| *number);
            findings.require(newest.max(mailbox.shown) <= last, || {
                format!("the inbox of {user} counts up to {last}, and goes up to {newest}")
            });
        }
        Ok::<_, TableError>(())
    })?;
    findings.require(unread.is_empty(), || {
        "unread lines are of somebody without an inbox".to_owned()
    });
    let mut on_their_way = 0;
    read.for_each(&DELIVERIES, &(), |number, delivery| {
        on_their_way += 1;
        let due = (delivery.channel.number(), milliseconds(delivery.due_at), number);
        let there = read.contains(&DELIVERIES_DUE, &due)?;
        findings.require(there, || format!("message {number} is never due"));
        Ok::<_, TableError>(())
    })?;
    let due = count(read, &DELIVERIES_DUE)?;
    findings.require(due == on_their_way, || {
        format!("{due} messages are due, and {on_their_way} are on their way")
    });
    Ok(())
}
