//! One batch of an inbox, opened: each of its objects beside what is here, and what applying or ignoring it brings along.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::contents::{InboxBatch, contents, ignored};
use super::review::plan_of;
use crate::acts::Refusal;
use crate::acts::signatures::{self, KeyNews};
use crate::domain::access::{Actor, Permission};
use crate::domain::key_pins::Standing;
use crate::domain::object::{Body, Kind};
use crate::domain::peer::Arrived;
use crate::domain::request::Sight;
use crate::store::read::Read;
use crate::store::records;
use crate::store::tables::{ARRIVED, INBOX};
use crate::sync::batch::{Batch, Member};
use crate::sync::intake;
use crate::sync::review as rules;
use crate::sync::select::Filters;

/// An object of a batch, as it is here and as it would be.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What it is to this node.
    pub member: Member,
    /// What is here, if anything.
    pub before: Option<Body>,
    /// What waits.
    pub after: Body,
    /// What it refers to, by id, kind and title, as far as that is here or waits.
    pub refers: Vec<(Uuid, Kind, String)>,
    /// How its author's signature stands, if it is code or a request.
    pub signed: Option<Standing>,
    /// What it says of the key that a person signs with, if it is their record.
    pub key_news: Option<KeyNews>,
}

/// What a decision on batches brings along, by the titles of what it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// What is applied besides, since it is needed; or why nothing can be applied.
    pub applies_also: Result<Vec<(Uuid, String)>, String>,
    /// What is hidden besides, since it needs what is ignored.
    pub hides_also: Vec<(Uuid, String)>,
    /// What shows again besides, since it is needed.
    pub brings_back_also: Vec<(Uuid, String)>,
    /// Every object that an act of applying touches, with its revision, for the reviewer to send back.
    pub seen: Vec<rules::Seen>,
}

/// The bundles that have arrived from a peer, the newest first, of the epochs that are known of it.
///
/// # Errors
/// The actor may not sync, there is no such peer, or the store cannot be read.
pub fn arrivals(
    read: &impl Read,
    actor: &Actor,
    peer: Uuid,
    most: usize,
) -> Result<Vec<(u64, Arrived)>, Refusal> {
    actor.require(Permission::Sync)?;
    let known = crate::acts::peers::peer(read, peer)?;
    let found = read.range_prefix_back(&ARRIVED, &(peer, known.epoch.0), None, most)?;
    let found = found
        .into_iter()
        .map(|((_, _, sequence), arrived)| (sequence, arrived));
    Ok(found.collect())
}

/// The objects of a batch beside what is here.
///
/// # Errors
/// The store cannot be read.
pub fn open(read: &impl Read, peer: Uuid, batch: &Batch) -> Result<Vec<Opened>, Refusal> {
    let mut opened = Vec::with_capacity(batch.members.len());
    for member in &batch.members {
        let Some(pending) = read.get(&INBOX, &(peer, member.id))? else {
            continue;
        };
        let before = records::object(read, member.id)?.map(|object| object.body);
        let mut refers = Vec::new();
        let mut references = intake::references(&pending.body);
        match &pending.body {
            Body::Code(code) => references.extend(code.input_policy.assets().iter().map(|asset| asset.0)),
            Body::Request(request) => references.extend(request.sight().map(Sight::object)),
            _ => {}
        }
        for id in references {
            let waits = read.get(&INBOX, &(peer, id))?.map(|pending| pending.body);
            let body = match waits {
                Some(body) => Some(body),
                None => records::object(read, id)?.map(|object| object.body),
            };
            refers.extend(body.map(|body| (id, body.kind(), body.title())));
        }
        opened.push(Opened {
            member: member.clone(),
            before,
            after: pending.body,
            refers,
            signed: signatures::on_pending(read, peer, member.id)?,
            key_news: signatures::key_news(read, peer, member.id)?,
        });
    }
    Ok(opened)
}

/// What deciding on some batches would bring along, before anybody decides; and all that waits, for finding one's way.
///
/// # Errors
/// The actor may not sync, there is no such peer, or the store cannot be read.
pub fn reach(
    read: &impl Read,
    actor: &Actor,
    peer: Uuid,
    roots: &[Uuid],
) -> Result<(Vec<InboxBatch>, Reach), Refusal> {
    let waiting = contents(read, actor, peer, &Filters::default())?;
    let pending: Vec<Batch> = waiting.iter().map(|shown| shown.batch.clone()).collect();
    let ignored = ignored(read, peer, &pending)?;
    let besides =
        |reached: BTreeSet<Uuid>| named(&pending, reached.into_iter().filter(|root| !roots.contains(root)));
    let planned = plan_of(read, roots, &pending, &ignored)?;
    let order: &[Uuid] = planned.as_ref().map_or(roots, |plan| &plan.roots);
    let seen = pending.iter().filter(|batch| order.contains(&batch.root));
    let seen = seen.flat_map(|batch| &batch.members).map(|member| rules::Seen {
        id: member.id,
        revision: member.revision,
    });
    let reach = Reach {
        seen: seen.collect(),
        applies_also: planned
            .as_ref()
            .map(|plan| named(&pending, plan.also.iter().copied()))
            .map_err(ToString::to_string),
        hides_also: besides(rules::ignoring(roots, &pending)),
        brings_back_also: besides(rules::unignoring(roots, &pending, &ignored)),
    };
    Ok((waiting, reach))
}

fn named(pending: &[Batch], roots: impl Iterator<Item = Uuid>) -> Vec<(Uuid, String)> {
    roots
        .filter_map(|root| {
            let batch = pending.iter().find(|batch| batch.root == root)?;
            Some((root, batch.title.clone()))
        })
        .collect()
}
