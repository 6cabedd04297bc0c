//! What a peer is owed, as batches, and which of them a bundle would take.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::acts::Refusal;
use crate::acts::peers::paired;
use crate::domain::access::{Actor, Permission};
use crate::domain::object::{Body, Kind, Object};
use crate::domain::settings::Node;
use crate::store::read::Read;
use crate::store::records::{self, RecordError};
use crate::store::tables::{CHILDREN, DELIVERED, HELD, HISTORY, NODE, OWED};
use crate::sync::batch::{self, Batch, Change, Member};
use crate::sync::eligible;
use crate::sync::select::{self, Filters, Selection};

/// What a peer is owed, and what of it the filters and holds let go.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// The batches, in the order in which they came to be owed.
    pub batches: Vec<Batch>,
    /// Which of them a bundle would take now.
    pub selection: Selection,
}

/// Shows what a peer is owed as batches. The cost follows what is owed, not what is stored.
///
/// `include_same` also lists the objects of those batches that the peer has already.
///
/// # Errors
/// The actor may not sync, or the store fails.
pub fn preview(
    read: &impl Read,
    actor: &Actor,
    peer: Uuid,
    filters: &Filters,
    include_same: bool,
) -> Result<Preview, Refusal> {
    actor.require(Permission::Sync)?;
    paired(read, peer)?;
    let mut batches = owed_batches(read, peer, include_same)?;
    let held: BTreeSet<Uuid> = read
        .range_prefix(&HELD, &peer, None, usize::MAX)?
        .into_iter()
        .map(|((_, root), ())| root)
        .collect();
    let mut people = BTreeMap::new();
    if filters.requester.is_some() {
        for batch in &batches {
            if let Some(email) = requester(read, batch.root)? {
                people.insert(batch.root, email);
            }
        }
    }
    let mut selection = select::select(&batches, filters, &held, |root| people.get(&root).cloned());
    move_shared(read, &mut batches, &mut selection)?;
    Ok(Preview { batches, selection })
}

/// People and code that several roots need come with the first of them that goes: those that are owed with a batch that is
/// kept back move to the first taken one that needs them, else it would arrive without.
fn move_shared(read: &impl Read, batches: &mut Vec<Batch>, selection: &mut Selection) -> Result<(), Refusal> {
    let mut kept_back = BTreeMap::new();
    for (at, batch) in batches.iter().enumerate() {
        if selection.kept_back.contains_key(&batch.root) {
            let shared = batch.members.iter().filter(|member| {
                matches!(member.kind, Kind::User | Kind::Code) && member.change != Change::Same
            });
            kept_back.extend(shared.map(|member| (member.id, at)));
        }
    }
    let places: BTreeMap<Uuid, usize> = (0..)
        .zip(batches.iter())
        .map(|(at, batch)| (batch.root, at))
        .collect();
    for root in &selection.taken {
        if kept_back.is_empty() {
            break;
        }
        let (Some(body), Some(to)) = (records::object(read, *root)?, places.get(root)) else {
            continue;
        };
        for companion in eligible::companions(&body.body) {
            if let Some(from) = kept_back.remove(&companion)
                && let Some(place) = batches[from]
                    .members
                    .iter()
                    .position(|member| member.id == companion)
            {
                let member = batches[from].members.remove(place);
                batches[*to].members.retain(|shown| shown.id != companion);
                batches[*to].members.push(member);
            }
        }
    }
    batches.retain(|batch| !batch.members.is_empty());
    let left: BTreeSet<Uuid> = batches.iter().map(|batch| batch.root).collect();
    selection.kept_back.retain(|root, _| left.contains(root));
    Ok(())
}

fn owed_batches(read: &impl Read, peer: Uuid, include_same: bool) -> Result<Vec<Batch>, Refusal> {
    let mut roots: BTreeMap<Uuid, (u64, BTreeSet<Uuid>)> = BTreeMap::new();
    read.for_each(&OWED, &peer, |(_, id), owed| {
        let (position, members) = roots.entry(owed.root).or_insert((owed.position, BTreeSet::new()));
        *position = (*position).min(owed.position);
        members.insert(id);
        Ok::<_, Refusal>(())
    })?;
    let mut ordered: Vec<_> = roots
        .into_iter()
        .map(|(root, (position, members))| (position, root, members))
        .collect();
    ordered.sort_by_key(|(position, root, _)| (*position, *root));
    let node = read.get(&NODE, &())?.ok_or(RecordError::NoNode)?;
    let mut batches = Vec::with_capacity(ordered.len());
    for (_, root, mut members) in ordered {
        let Some(root_object) = records::object(read, root)? else {
            continue;
        };
        if include_same {
            members.insert(root);
            members.extend(eligible::companions(&root_object.body));
            read.for_each(&CHILDREN, &root, |(_, _, _, id), ()| {
                members.insert(id);
                Ok::<_, Refusal>(())
            })?;
        }
        let batch = batch(read, &node, peer, &root_object, members)?;
        if !batch.members.is_empty() {
            batches.push(batch);
        }
    }
    Ok(batches)
}

fn batch(
    read: &impl Read,
    node: &Node,
    peer: Uuid,
    root: &Object,
    members: BTreeSet<Uuid>,
) -> Result<Batch, Refusal> {
    let mut found = Vec::with_capacity(members.len());
    for id in members {
        let Some(object) = records::object(read, id)? else {
            continue;
        };
        let own_batch = eligible::root(id, &object.body).is_none_or(|own| own == root.id);
        let (owed, delivered) = (
            read.contains(&OWED, &(peer, id))?,
            read.get(&DELIVERED, &(peer, id))?,
        );
        // What came to be owed may have been forbidden since, as when a dataset is no longer published to the peer.
        if owed && !records::may_have(read, node.id, node.side, peer, &object)?
            || records::is_nobodys(read, node.side, peer, &object)?
        {
            continue;
        }
        let change = match delivered {
            _ if owed && object.home != node.id => Change::Returned,
            None if owed => Change::New,
            Some(delivered) if delivered.revision != object.revision => Change::Modified,
            _ => Change::Same,
        };
        if own_batch {
            found.push((object.created_at, member(&object, change)));
        }
    }
    found.sort_by_key(|(at, member)| (member.id != root.id, *at, member.kind, member.id));
    let needs = batch::needs(&root.body, |id| {
        records::object(read, id)
            .ok()
            .flatten()
            .map(|object| Cow::Owned(object.body))
    });
    Ok(Batch {
        root: root.id,
        kind: root.kind(),
        title: root.body.title(),
        members: found.into_iter().map(|(_, member)| member).collect(),
        needs,
    })
}

fn member(object: &Object, change: Change) -> Member {
    Member {
        id: object.id,
        kind: object.kind(),
        title: object.body.title(),
        revision: object.revision,
        change,
        deleted: object.deleted,
    }
}

fn requester(read: &impl Read, root: Uuid) -> Result<Option<String>, Refusal> {
    requester_of(
        root,
        |id| Ok(records::object(read, id)?.map(|object| object.body)),
    )
}

/// The address of the person whose request a root is or answers; `body` finds the objects.
pub(in crate::acts) fn requester_of(
    root: Uuid,
    body: impl Fn(Uuid) -> Result<Option<Body>, Refusal>,
) -> Result<Option<String>, Refusal> {
    let request = match body(root)? {
        Some(Body::Job(job)) => body(job.request.0)?,
        other => other,
    };
    let Some(Body::Request(request)) = request else {
        return Ok(None);
    };
    Ok(match body(request.requester.0)? {
        Some(Body::User(user)) => Some(user.email.as_str().to_owned()),
        _ => None,
    })
}

/// The revision of an object that the peer is known to have, for showing what changed.
///
/// # Errors
/// The store fails.
pub fn delivered_body(read: &impl Read, peer: Uuid, object: &Object) -> Result<Option<Body>, Refusal> {
    let Some(delivered) = read.get(&DELIVERED, &(peer, object.id))? else {
        return Ok(None);
    };
    if delivered.revision == object.revision {
        return Ok(Some(object.body.clone()));
    }
    let history = read.range_prefix(&HISTORY, &object.id, None, usize::MAX)?;
    Ok(history
        .into_iter()
        .map(|(_, old)| old)
        .find(|old| old.revision == delivered.revision)
        .map(|old| old.body))
}
