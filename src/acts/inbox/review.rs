//! The review of an inbox: its batches as a tree, and the acts of applying, ignoring and unignoring.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use uuid::Uuid;

use crate::acts::peers::paired;
use crate::acts::{Refusal, outgoing};
use crate::domain::access::{Actor, Permission};
use crate::domain::audit;
use crate::domain::decision::Verdict;
use crate::domain::id::{NodeId, UserId};
use crate::domain::job;
use crate::domain::notification::Event;
use crate::domain::object::{Body, Kind};
use crate::domain::peer::{Pending, ReviewAct, Reviewed};
use crate::domain::release::Part;
use crate::domain::side::Side;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{IGNORED, INBOX, REVIEWED};
use crate::store::transaction::Tx;
use crate::sync::batch::{self, Batch, Change, Member};
use crate::sync::review::{self as rules, Plan, PlanError, Seen};
use crate::sync::select::{self, Filters};
use crate::sync::{eligible, intake};

/// A batch in the inbox, as a reviewer sees it.
#[derive(Clone, Debug)]
pub struct InboxBatch {
    /// The batch.
    pub batch: Batch,
    /// Whether it is ignored.
    pub ignored: bool,
    /// What it needs that has not arrived.
    pub waits_for: Vec<Uuid>,
    /// The last act of review on it, if any.
    pub reviewed: Option<Reviewed>,
}

/// What an act of applying did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Everything that was applied, needs first.
    pub roots: Vec<Uuid>,
    /// Those of them that were not asked for, but needed.
    pub also: Vec<Uuid>,
}

/// Shows what waits in a peer's inbox: what the filters ask for, and what that needs.
///
/// # Errors
/// The actor may not sync, there is no such peer, or the store fails.
pub fn contents(
    read: &impl Read,
    actor: &Actor,
    peer: Uuid,
    filters: &Filters,
) -> Result<Vec<InboxBatch>, Refusal> {
    actor.require(Permission::Sync)?;
    crate::acts::peers::peer(read, peer)?;
    let batches = batches(read, peer)?;
    let ignored = ignored(read, peer, &batches)?;
    let mut people = BTreeMap::new();
    if filters.requester.is_some() {
        for batch in &batches {
            people.extend(requester(read, peer, batch.root)?.map(|email| (batch.root, email)));
        }
    }
    let asked = select::select(&batches, filters, &BTreeSet::new(), |root| {
        people.get(&root).cloned()
    });
    let pending: BTreeSet<Uuid> = batches.iter().map(|batch| batch.root).collect();
    let mut shown = Vec::with_capacity(asked.taken.len());
    for batch in batches
        .into_iter()
        .filter(|batch| asked.taken.contains(&batch.root))
    {
        let waits_for = waits_for(read, &batch, &pending)?;
        let ignored = ignored.contains(&batch.root);
        let reviewed = read.get(&REVIEWED, &(peer, batch.root))?;
        shown.push(InboxBatch {
            batch,
            ignored,
            waits_for,
            reviewed,
        });
    }
    Ok(shown)
}

/// What a batch needs that is neither in the store nor in the inbox: its own root may be such a thing.
fn waits_for(read: &impl Read, batch: &Batch, pending: &BTreeSet<Uuid>) -> Result<Vec<Uuid>, Refusal> {
    let root_comes_along = batch.members.iter().any(|member| member.id == batch.root);
    let needs = batch.needs.iter().filter(|need| !pending.contains(need));
    let mut missing = Vec::new();
    for need in needs.chain((!root_comes_along).then_some(&batch.root)) {
        if records::object(read, *need)?.is_none() {
            missing.push(*need);
        }
    }
    Ok(missing)
}

/// The address of the person whose request a root is or answers, waiting or applied.
fn requester(read: &impl Read, peer: Uuid, root: Uuid) -> Result<Option<String>, Refusal> {
    let body = |id| -> Result<Option<Body>, Refusal> {
        match pending_body(read, peer, id)? {
            Some(body) => Ok(Some(body)),
            None => Ok(records::object(read, id)?.map(|object| object.body)),
        }
    };
    outgoing::requester_of(root, body)
}

/// What waits of one object, for showing how it differs from what is here.
///
/// # Errors
/// The store fails.
pub fn pending_body(read: &impl Read, peer: Uuid, id: Uuid) -> Result<Option<Body>, Refusal> {
    Ok(read.get(&INBOX, &(peer, id))?.map(|pending| pending.body))
}

/// The batches in the inbox that are ignored.
pub(super) fn ignored(read: &impl Read, peer: Uuid, pending: &[Batch]) -> Result<BTreeSet<Uuid>, Refusal> {
    let mut ignored = BTreeSet::new();
    for batch in pending {
        if read.contains(&IGNORED, &(peer, batch.root))? {
            ignored.insert(batch.root);
        }
    }
    Ok(ignored)
}

/// The inbox as batches. The cost follows what waits, not what is stored.
pub(super) fn batches(read: &impl Read, peer: Uuid) -> Result<Vec<Batch>, Refusal> {
    let mut waiting: BTreeMap<Uuid, Pending> = BTreeMap::new();
    read.for_each(&INBOX, &peer, |(_, id), pending| {
        waiting.insert(id, pending);
        Ok::<_, Refusal>(())
    })?;
    let mut roots: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for (id, pending) in &waiting {
        roots.entry(pending.root).or_default().push(*id);
        // People and code that several roots need wait under the first, and come with whichever is applied first.
        for companion in eligible::companions(&pending.body) {
            if waiting.get(&companion).is_some_and(|shared| shared.root != *id) {
                roots.entry(*id).or_default().push(companion);
            }
        }
    }
    let mut batches = Vec::with_capacity(roots.len());
    for (root, ids) in roots {
        batches.push(batch(read, root, &ids, &waiting)?);
    }
    // Oldest bundle first; within one, as a reader expects: projects and datasets before requests before jobs.
    batches.sort_by_key(|batch| (order(batch.kind), first_sequence(batch, &waiting), batch.root));
    Ok(batches)
}

fn order(kind: Kind) -> usize {
    Kind::ALL
        .iter()
        .position(|other| *other == kind)
        .unwrap_or(Kind::ALL.len())
}

fn first_sequence(batch: &Batch, waiting: &BTreeMap<Uuid, Pending>) -> u64 {
    let sequences = batch
        .members
        .iter()
        .filter_map(|member| waiting.get(&member.id))
        .map(|pending| pending.sequence);
    sequences.min().unwrap_or(0)
}

fn batch(
    read: &impl Read,
    root: Uuid,
    ids: &[Uuid],
    waiting: &BTreeMap<Uuid, Pending>,
) -> Result<Batch, Refusal> {
    let body = |id: Uuid| match waiting.get(&id) {
        Some(pending) => Some(Cow::Borrowed(&pending.body)),
        None => records::object(read, id)
            .ok()
            .flatten()
            .map(|object| Cow::Owned(object.body)),
    };
    let mut members = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(pending) = waiting.get(id) else { continue };
        let change = match records::object(read, *id)? {
            _ if pending.forked => Change::Forked,
            None => Change::New,
            // Adopted on the other side, and changed here since.
            Some(known) if known.home != pending.home && known.revision.number >= pending.revision.number => {
                Change::Forked
            }
            Some(known) if known.revision == pending.revision => Change::Same,
            Some(_) => Change::Modified,
        };
        members.push(Member {
            id: *id,
            kind: pending.body.kind(),
            title: pending.body.title(),
            revision: pending.revision,
            change,
            deleted: pending.deleted,
        });
    }
    members.sort_by_key(|member| (member.id != root, order(member.kind), member.id));
    let root_body = body(root);
    let mut needs = root_body
        .as_deref()
        .map(|root| batch::needs(root, body))
        .unwrap_or_default();
    if let Some(pending) = waiting.get(&root) {
        for companion in eligible::companions(&pending.body) {
            // Without it nobody can judge the batch: it stands for itself, and the batch waits.
            if !waiting.contains_key(&companion) && records::object(read, companion)?.is_none() {
                needs.push(companion);
            }
        }
    }
    Ok(Batch {
        root,
        kind: root_body
            .as_deref()
            .map_or_else(|| root_kind(&members), Body::kind),
        title: root_body
            .as_deref()
            .map_or_else(|| "(not here)".to_owned(), Body::title),
        needs,
        members,
    })
}

/// The kind of a root that is not here, from what belongs to it.
fn root_kind(members: &[Member]) -> Kind {
    match members.first().map(|member| member.kind) {
        Some(Kind::Asset) => Kind::Dataset,
        Some(Kind::Release) => Kind::Job,
        Some(Kind::User) => Kind::Project,
        _ => Kind::Request,
    }
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
    let mut missing_from_store = BTreeSet::new();
    for id in pending
        .iter()
        .flat_map(|batch| batch.needs.iter().chain([&batch.root]))
    {
        if records::object(tx, *id)?.is_none() {
            missing_from_store.insert(*id);
        }
    }
    let Plan { roots: order, also } =
        rules::plan(&roots, &pending, &ignored, |id| !missing_from_store.contains(&id))
            .map_err(refuse_plan)?;
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
        records::notify(tx, here, Event::BundleApplied, None, None)?;
    }
    Ok(Applied { roots: order, also })
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
    let mut to_do = Vec::with_capacity(roots.len());
    for root in roots {
        if pending.iter().any(|batch| batch.root == *root) {
            to_do.push(*root);
            continue;
        }
        match read.get(&REVIEWED, &(peer, *root))? {
            Some(done) if done.act == ReviewAct::Applied && done.by == actor.user => {}
            Some(done) => {
                return Err(Refusal::Changed {
                    detail: format!("{root} was {} by {} at {}", word(done.act), done.by_name, done.at),
                    difference: json!({ "root": root, "act": done.act, "by": done.by_name, "at": done.at }),
                });
            }
            None => return Err(refuse_plan(PlanError::NotPending(*root))),
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
        let (body, deleted, new) = (
            pending.body.clone(),
            pending.deleted,
            member.change == Change::New,
        );
        records::take(tx, here, member.id, pending)?;
        records::drop_pending(tx, peer, member.id)?;
        if !deleted {
            announce(tx, here, member.id, &body, new)?;
        }
    }
    note(tx, actor, here, peer, batch.root, ReviewAct::Applied)
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
    match foreign_reference(read, here, pending.home, &pending.body)? {
        Some(foreign) => elsewhere(foreign),
        None => Ok(()),
    }
}

/// What the body of a record that came up refers to and does not belong to its sender. A low node speaks of its own only:
/// what belongs to another low node is neither a ground for its requests nor its to decide on. An asset may join a dataset
/// that was adopted here.
pub(super) fn foreign_reference(
    read: &impl Read,
    here: &Here,
    sender: NodeId,
    body: &Body,
) -> Result<Option<Uuid>, Refusal> {
    if here.side == Side::Low {
        return Ok(None);
    }
    for reference in intake::references(body) {
        let adopted = |home| matches!(body, Body::Asset(_)) && home == here.node;
        if records::object(read, reference)?.is_some_and(|known| known.home != sender && !adopted(known.home))
        {
            return Ok(Some(reference));
        }
    }
    Ok(None)
}

/// A state that changed because a batch was applied notifies just like one that changed here.
fn announce(tx: &mut Tx<'_>, here: &Here, id: Uuid, body: &Body, new: bool) -> Result<(), Refusal> {
    let requester = |tx: &Tx<'_>, request: Uuid| -> Result<Option<UserId>, Refusal> {
        Ok(match records::object(tx, request)?.map(|object| object.body) {
            Some(Body::Request(request)) => Some(request.requester),
            _ => None,
        })
    };
    let (event, request) = match body {
        Body::Request(_) if new => (Event::RequestSubmitted, id),
        Body::Decision(decision) => match decision.verdict {
            Verdict::Approve => (Event::RequestApproved, decision.request.0),
            Verdict::Deny { .. } => (Event::RequestDenied, decision.request.0),
        },
        Body::Job(job) if job.verdict == job::Verdict::Failed => (Event::RunFailed, job.request.0),
        Body::Release(release) if release.part == Part::Result => (Event::ResultReady, release.request.0),
        _ => return Ok(()),
    };
    let person = requester(tx, request)?;
    Ok(records::notify(tx, here, event, Some(id), person)?)
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
    if let Some(unknown) = roots
        .iter()
        .find(|root| !pending.iter().any(|batch| batch.root == **root))
    {
        return Err(refuse_plan(PlanError::NotPending(*unknown)));
    }
    check_seen(pending.iter().filter(|batch| roots.contains(&batch.root)), seen)?;
    let in_inbox: BTreeSet<Uuid> = pending.iter().map(|batch| batch.root).collect();
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
