//! The review of an inbox: the acts of applying, ignoring and unignoring.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use uuid::Uuid;

use super::contents::{batches, ignored};
use crate::acts::peers::paired;
use crate::acts::{Refusal, keys};
use crate::domain::access::{Actor, Permission};
use crate::domain::audit;
use crate::domain::decision::Verdict;
use crate::domain::id::{NodeId, UserId};
use crate::domain::job;
use crate::domain::key_pins::Carrier;
use crate::domain::notification::Event;
use crate::domain::object::{Body, Kind};
use crate::domain::peer::{Pending, ReviewAct, Reviewed};
use crate::domain::release::Part;
use crate::domain::side::Level;
use crate::failpoint::failpoint;
use crate::store::read::Read;
use crate::store::records::{self, Here, RecordError};
use crate::store::tables::{IGNORED, INBOX, JOURNAL, REVIEWED};
use crate::store::transaction::Tx;
use crate::sync::batch::Batch;
use crate::sync::intake;
use crate::sync::review::{self as rules, Plan, PlanError, Seen};

/// What an act of applying did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Everything that was applied, needs first.
    pub roots: Vec<Uuid>,
    /// Those of them that were not asked for, but needed.
    pub also: Vec<Uuid>,
}

/// Applies batches with all that they need, atomically. `seen` names every object of them as the reviewer saw it.
///
/// A batch that this reviewer has applied already is passed over; one that another reviewer has acted on is refused.
///
/// # Errors
/// The peer is not trusted (any more), a batch is ignored or waits, or what is there is not what was seen. Nothing is
/// applied then.
pub fn apply(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    peer: Uuid,
    roots: &[Uuid],
    seen: &[Seen],
) -> Result<Applied, Refusal> {
    actor.require(Permission::Sync)?;
    paired(tx, peer)?;
    let pending = batches(tx, peer)?;
    let roots = still_to_do(tx, actor, peer, roots, &pending)?;
    let ignored = ignored(tx, peer, &pending)?;
    let Plan { roots: order, also } = plan_of(tx, &roots, &pending, &ignored)?.map_err(refuse_plan)?;
    let by_root: BTreeMap<Uuid, &Batch> = pending.iter().map(|batch| (batch.root, batch)).collect();
    let planned: Vec<&Batch> = order
        .iter()
        .filter_map(|root| by_root.get(root).copied())
        .collect();
    check_seen(planned.iter().copied(), seen)?;
    for batch in planned {
        take_batch(tx, actor, here, peer, batch)?;
    }
    if !order.is_empty() {
        records::notify(tx, here, Event::BundleApplied, Some(peer), None)?;
    }
    failpoint!("apply.staged");
    Ok(Applied { roots: order, also })
}

/// What applying batches does, or why it cannot be.
pub(super) fn plan_of(
    read: &impl Read,
    roots: &[Uuid],
    pending: &[Batch],
    ignored: &BTreeSet<Uuid>,
) -> Result<Result<Plan, PlanError>, Refusal> {
    let mut missing_from_store = BTreeSet::new();
    for id in pending
        .iter()
        .flat_map(|batch| batch.needs.iter().chain([&batch.root]))
    {
        if records::object(read, *id)?.is_none() {
            missing_from_store.insert(*id);
        }
    }
    Ok(rules::plan(roots, pending, ignored, |id| {
        !missing_from_store.contains(&id)
    }))
}

fn refuse_plan(error: PlanError) -> Refusal {
    let word = match error {
        PlanError::NotPending(_) => "not_pending",
        PlanError::Waits { .. } => "waits",
        PlanError::Ignored(_) => "ignored",
    };
    Refusal::conflict(word, error.to_string())
}

fn check_seen<'a>(batches: impl Iterator<Item = &'a Batch>, seen: &[Seen]) -> Result<(), Refusal> {
    let present = batches.flat_map(|batch| &batch.members).map(|member| Seen {
        id: member.id,
        revision: member.revision,
    });
    rules::check_seen(present, seen).map_err(|changed| Refusal::Changed {
        detail: format!(
            "{} object(s) are not as they were shown; look at them again",
            changed.len()
        ),
        difference: json!(changed),
    })
}

/// Leaves out what this reviewer has applied before.
fn still_to_do(
    read: &impl Read,
    actor: &Actor,
    peer: Uuid,
    roots: &[Uuid],
    pending: &[Batch],
) -> Result<Vec<Uuid>, Refusal> {
    let in_inbox: BTreeSet<Uuid> = pending.iter().map(|batch| batch.root).collect();
    let mut to_do = Vec::with_capacity(roots.len());
    for root in roots {
        if in_inbox.contains(root) {
            to_do.push(*root);
            continue;
        }
        match read.get(&REVIEWED, &(peer, *root))? {
            Some(done) if done.act == ReviewAct::Applied && done.by == actor.user => {}
            // That it was unignored once does not say why it waits no more.
            Some(done) if done.act != ReviewAct::Unignored => {
                return Err(Refusal::Changed {
                    detail: format!("{root} was {} by {} at {}", word(done.act), done.by_name, done.at),
                    difference: json!({ "root": root, "act": done.act, "by": done.by_name, "at": done.at }),
                });
            }
            _ => return Err(refuse_plan(PlanError::NotPending(*root))),
        }
    }
    Ok(to_do)
}

fn word(act: ReviewAct) -> &'static str {
    match act {
        ReviewAct::Applied => "applied",
        ReviewAct::Ignored => "ignored",
        ReviewAct::Unignored => "unignored",
    }
}

fn take_batch(tx: &mut Tx<'_>, actor: &Actor, here: &Here, peer: Uuid, batch: &Batch) -> Result<(), Refusal> {
    for member in &batch.members {
        let key = (peer, member.id);
        let Some(pending) = tx.get(&INBOX, &key)? else {
            continue;
        };
        check_home(tx, here, member.id, &pending)?;
        let carrier = Carrier {
            peer,
            bundle: pending.sequence,
        };
        let before = records::object(tx, member.id)?.map(|object| object.body);
        let (body, deleted) = (pending.body.clone(), pending.deleted);
        let taken_in = match &body {
            Body::Code(code) => keys::taken_in(tx, here, code.author)?,
            Body::Request(request) => keys::taken_in(tx, here, request.requester)?,
            _ => *here,
        };
        let gives_back = pending.home == here.node;
        if gives_back {
            records::take_back(tx, &taken_in, member.id, pending).map_err(name_taken)?;
        } else {
            records::take(tx, &taken_in, member.id, pending)?;
        }
        records::drop_pending(tx, peer, member.id)?;
        // What is given back was told when it was written.
        if !deleted && !gives_back {
            if let Body::User(user) = &body {
                let by = audit::Actor::User(actor.user.0);
                keys::saw(tx, here, by, UserId(member.id), user, Some(carrier))?;
            }
            announce(tx, here, member.id, before.as_ref(), &body)?;
        }
    }
    owe_forgotten(tx, here, peer, batch)?;
    note(tx, actor, here, peer, batch.root, ReviewAct::Applied)
}

/// The name of what is given back may be another's by now.
fn name_taken(error: RecordError) -> Refusal {
    let RecordError::NameTaken { kind, name } = error else {
        return error.into();
    };
    let detail = match kind {
        Kind::User => format!(
            "{name} has another account by now, and this brings back the person who had the address before; delete that account, \
             apply this, and make the person an account again"
        ),
        _ => format!(
            "there is another {} named {name:?} by now; rename or delete that, and apply this",
            kind.word()
        ),
    };
    Refusal::conflict("name_taken", detail)
}

/// Owes a peer what waited here until now, and what it has forgotten meanwhile.
fn owe_forgotten(tx: &mut Tx<'_>, here: &Here, peer: Uuid, batch: &Batch) -> Result<(), Refusal> {
    let position = tx.last(&JOURNAL)?.map_or(0, |(position, _)| position);
    for member in &batch.members {
        if let Some(object) = records::object(tx, member.id)?.filter(|object| object.home.0 == peer) {
            records::owe_again(tx, here, peer, &object, position)?;
        }
    }
    Ok(())
}

/// What waits was compared with what was here when it arrived. Since then another peer may have brought an object under the
/// same id, or one that this refers to: the first that was applied stays.
fn check_home(read: &impl Read, here: &Here, id: Uuid, pending: &Pending) -> Result<(), Refusal> {
    let elsewhere = |id: Uuid| {
        let detail =
            format!("{id} has its home on another node than the one that sent this; ignore the batch");
        Err(Refusal::conflict("home_elsewhere", detail))
    };
    if let Some(known) = records::object(read, id)?
        && !intake::may_replace(
            known.home,
            known.kind(),
            pending.home,
            pending.body.kind(),
            here.node,
        )
    {
        return elsewhere(id);
    }
    match foreign_reference(read, (here.node, here.level()?), pending.home, &pending.body)? {
        Some(foreign) => elsewhere(foreign),
        None => Ok(()),
    }
}

/// What the body of a record that came up refers to and does not belong to its sender. A low node speaks of its own only:
/// what belongs to another low node is neither a ground for its requests nor its to decide on. An asset may join a dataset
/// that was adopted here.
pub(super) fn foreign_reference(
    read: &impl Read,
    (this_node, level): (NodeId, Level),
    sender: NodeId,
    body: &Body,
) -> Result<Option<Uuid>, Refusal> {
    if level == Level::Low {
        return Ok(None);
    }
    for reference in intake::references(body) {
        let adopted = |home| matches!(body, Body::Asset(_)) && home == this_node;
        if records::object(read, reference)?.is_some_and(|known| known.home != sender && !adopted(known.home))
        {
            return Ok(Some(reference));
        }
    }
    Ok(None)
}

/// A state that changed because a batch was applied notifies just like one that changed here. What was here already, in
/// the state that it has now, is no news: a bundle may be repeated, and a full one brings everything again.
fn announce(
    tx: &mut Tx<'_>,
    here: &Here,
    id: Uuid,
    before: Option<&Body>,
    body: &Body,
) -> Result<(), Refusal> {
    let Some((event, request)) = news(before, id, body) else {
        return Ok(());
    };
    let person = match records::object(tx, request)?.map(|object| object.body) {
        Some(Body::Request(request)) => Some(request.requester),
        _ => None,
    };
    Ok(records::notify(tx, here, event, Some(id), person)?)
}

/// What is new about an object, and the request that it belongs to.
fn news(before: Option<&Body>, id: Uuid, body: &Body) -> Option<(Event, Uuid)> {
    match (before, body) {
        (None, Body::Request(request)) if !request.withdrawn => Some((Event::RequestSubmitted, id)),
        (Some(Body::Request(before)), Body::Request(request)) if request.withdrawn => {
            (!before.withdrawn).then_some((Event::RequestWithdrawn, id))
        }
        // Another run is wanted: as when it is asked for here.
        (Some(Body::Request(before)), Body::Request(request)) => {
            (request.runs_wanted() > before.runs_wanted()).then_some((Event::RequestSubmitted, id))
        }
        (None, Body::Decision(decision)) => {
            let event = match decision.verdict {
                Verdict::Approve => Event::RequestApproved,
                Verdict::Deny { .. } => Event::RequestDenied,
            };
            Some((event, decision.request.0))
        }
        (before, Body::Job(job)) if job.verdict == job::Verdict::Failed => {
            let known = matches!(before, Some(Body::Job(before)) if before.verdict == job.verdict);
            (!known).then_some((Event::RunFailed, job.request.0))
        }
        (None, Body::Release(release)) if release.part == Part::Result => {
            Some((Event::ResultReady, release.request.0))
        }
        (None, Body::Release(release)) => Some((Event::ReportReady, release.request.0)),
        _ => None,
    }
}

fn note(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    peer: Uuid,
    root: Uuid,
    act: ReviewAct,
) -> Result<(), Refusal> {
    let reviewed = Reviewed {
        act,
        by: actor.user,
        by_name: actor.name.clone(),
        at: here.now,
    };
    tx.put(&REVIEWED, &(peer, root), &reviewed)?;
    let action = match act {
        ReviewAct::Applied => audit::Action::BATCH_APPLIED,
        ReviewAct::Ignored => audit::Action::BATCH_IGNORED,
        ReviewAct::Unignored => audit::Action::BATCH_UNIGNORED,
    };
    let peer = ("peer", peer.to_string());
    records::audit(
        tx,
        here,
        audit::Actor::User(actor.user.0),
        action,
        &[root],
        &[peer],
    )?;
    Ok(())
}

/// Ignores batches, and with them all in the inbox that needs them. Returns everything that is hidden now.
///
/// # Errors
/// A batch is not there, or is not what was seen.
pub fn ignore(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    peer: Uuid,
    roots: &[Uuid],
    seen: &[Seen],
) -> Result<BTreeSet<Uuid>, Refusal> {
    actor.require(Permission::Sync)?;
    paired(tx, peer)?;
    let pending = batches(tx, peer)?;
    let in_inbox: BTreeSet<Uuid> = pending.iter().map(|batch| batch.root).collect();
    if let Some(unknown) = roots.iter().find(|root| !in_inbox.contains(root)) {
        return Err(refuse_plan(PlanError::NotPending(*unknown)));
    }
    let asked: BTreeSet<&Uuid> = roots.iter().collect();
    check_seen(pending.iter().filter(|batch| asked.contains(&batch.root)), seen)?;
    let before = ignored(tx, peer, &pending)?;
    let hidden = rules::ignoring(roots, &pending)
        .intersection(&in_inbox)
        .copied()
        .collect::<BTreeSet<_>>();
    for root in hidden.difference(&before) {
        tx.put(&IGNORED, &(peer, *root), &())?;
        note(tx, actor, here, peer, *root, ReviewAct::Ignored)?;
    }
    Ok(hidden)
}

/// Brings ignored batches back, and with them what they need. Returns everything that shows again.
///
/// # Errors
/// The peer is not trusted, or the store fails.
pub fn unignore(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    peer: Uuid,
    roots: &[Uuid],
) -> Result<BTreeSet<Uuid>, Refusal> {
    actor.require(Permission::Sync)?;
    paired(tx, peer)?;
    let pending = batches(tx, peer)?;
    let before = ignored(tx, peer, &pending)?;
    let back = rules::unignoring(roots, &pending, &before);
    for root in &back {
        tx.delete(&IGNORED, &(peer, *root))?;
        note(tx, actor, here, peer, *root, ReviewAct::Unignored)?;
    }
    Ok(back)
}
