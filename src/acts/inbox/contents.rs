//! What waits in an inbox, as batches.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::acts::{Refusal, outgoing};
use crate::domain::access::{Actor, Permission};
use crate::domain::object::{Body, Kind};
use crate::domain::peer::{Pending, Reviewed};
use crate::store::read::Read;
use crate::store::records;
use crate::store::tables::{IGNORED, INBOX, REVIEWED};
use crate::sync::batch::{self, Batch, Change, Member};
use crate::sync::eligible;
use crate::sync::select::{self, Filters};

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
    let taken: BTreeSet<Uuid> = asked.taken.into_iter().collect();
    let mut shown = Vec::with_capacity(taken.len());
    for batch in batches.into_iter().filter(|batch| taken.contains(&batch.root)) {
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
pub(in crate::acts) fn requester(
    read: &impl Read,
    peer: Uuid,
    root: Uuid,
) -> Result<Option<String>, Refusal> {
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
        batches.push(batch(read, peer, root, &ids, &waiting)?);
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
    peer: Uuid,
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
            _ if pending.home.0 != peer => Change::Returned,
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
    // Decisions as they were made, so that the last that is told is the one that stands.
    let number = |id: Uuid| match waiting.get(&id).map(|pending| &pending.body) {
        Some(Body::Decision(decision)) => decision.number,
        _ => 0,
    };
    members.sort_by_key(|member| {
        (
            member.id != root,
            order(member.kind),
            number(member.id),
            member.id,
        )
    });
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
        title: root_body.as_deref().map_or_else(
            || "something that this node does not have".to_owned(),
            Body::title,
        ),
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
