//! What applying, ignoring and unignoring a batch brings along, and whether the reviewer saw what is there now.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::batch::{Batch, Graph};
use crate::domain::object::Revision;

/// What one act of applying does: the batches in the order in which they are applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Everything that is applied, needs first.
    pub roots: Vec<Uuid>,
    /// Those of them that were not asked for, but are needed.
    pub also: Vec<Uuid>,
}

/// Why a batch cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There is no such batch in the inbox.
    #[error("there is nothing of {0} in the inbox; it may have been applied already")]
    NotPending(Uuid),
    /// It needs something that has not arrived.
    #[error("{root} needs {missing}, which has not arrived; it waits until a bundle brings it")]
    Waits {
        /// The batch that waits.
        root: Uuid,
        /// What it waits for.
        missing: Uuid,
    },
    /// It is ignored, or needs something that is.
    #[error("{0} is ignored; unignore it first")]
    Ignored(Uuid),
}

/// Plans to apply `roots` and all that they need and do not have yet.
///
/// `present` says whether an object is in the store already.
///
/// # Errors
/// Names what stands in the way; nothing is applied then.
pub fn plan(
    roots: &[Uuid],
    pending: &[Batch],
    ignored: &BTreeSet<Uuid>,
    present: impl Fn(Uuid) -> bool,
) -> Result<Plan, PlanError> {
    let in_inbox: BTreeSet<Uuid> = pending.iter().map(|batch| batch.root).collect();
    if let Some(unknown) = roots.iter().find(|root| !in_inbox.contains(root)) {
        return Err(PlanError::NotPending(*unknown));
    }
    let graph = Graph::of(pending);
    let mut order = Vec::with_capacity(roots.len());
    for root in graph.needed_first(roots.iter().copied()) {
        if ignored.contains(&root) {
            return Err(PlanError::Ignored(root));
        }
        if in_inbox.contains(&root) {
            if let Some(missing) = graph
                .needs(root)
                .iter()
                .find(|need| !in_inbox.contains(need) && !present(**need))
            {
                return Err(PlanError::Waits {
                    root,
                    missing: *missing,
                });
            }
            order.push(root);
        }
    }
    // A batch whose root is not in it and not in the store waits too: a decision for a request that is not there.
    let applied: BTreeSet<Uuid> = order.iter().copied().collect();
    for batch in pending.iter().filter(|batch| applied.contains(&batch.root)) {
        if !batch.members.iter().any(|member| member.id == batch.root) && !present(batch.root) {
            return Err(PlanError::Waits {
                root: batch.root,
                missing: batch.root,
            });
        }
    }
    let asked: BTreeSet<&Uuid> = roots.iter().collect();
    let also = order
        .iter()
        .copied()
        .filter(|root| !asked.contains(root))
        .collect();
    Ok(Plan { roots: order, also })
}

/// Everything in the inbox that is hidden when `roots` are ignored: they, and all that needs them, however deep.
pub fn ignoring(roots: &[Uuid], pending: &[Batch]) -> BTreeSet<Uuid> {
    Graph::of(pending).dependents(roots.iter().copied())
}

/// Everything ignored that comes back when `roots` are unignored: they, and what they need.
pub fn unignoring(roots: &[Uuid], pending: &[Batch], ignored: &BTreeSet<Uuid>) -> BTreeSet<Uuid> {
    let needed = Graph::of(pending).needed_first(roots.iter().copied());
    needed.into_iter().filter(|root| ignored.contains(root)).collect()
}

/// The ignored set after a bundle has brought changes to the batches `touched`: an ignored batch shows again when its own
/// objects change, unless something that it needs is still ignored; and what needs an ignored batch is ignored with it.
pub fn after_arrival(
    touched: &BTreeSet<Uuid>,
    pending: &[Batch],
    ignored: &BTreeSet<Uuid>,
) -> BTreeSet<Uuid> {
    let graph = Graph::of(pending);
    let mut after: BTreeSet<Uuid> = ignored.difference(touched).copied().collect();
    // Needs first, so that one pass carries the state all the way down.
    for root in graph.needed_first(touched.iter().copied()) {
        if touched.contains(&root) && graph.needs(root).iter().any(|need| after.contains(need)) {
            after.insert(root);
        }
    }
    after
}

/// One object as a reviewer saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The object.
    pub id: Uuid,
    /// The revision that was shown.
    pub revision: Revision,
}

/// How what is there differs from what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The object.
    pub id: Uuid,
    /// The revision that the reviewer saw, if they saw any.
    pub seen: Option<Revision>,
    /// The revision that is there now.
    pub present: Revision,
}

/// Compares what is about to be acted on with what the reviewer saw.
///
/// # Errors
/// Lists every object that the reviewer did not see as it is.
pub fn check_seen(present: impl IntoIterator<Item = Seen>, seen: &[Seen]) -> Result<(), Vec<Changed>> {
    // Where the reviewer names an object twice, what they name first counts.
    let by_id: BTreeMap<Uuid, Revision> = seen.iter().rev().map(|seen| (seen.id, seen.revision)).collect();
    let changed: Vec<_> = present
        .into_iter()
        .filter_map(|now| {
            let then = by_id.get(&now.id).copied();
            (then != Some(now.revision)).then_some(Changed {
                id: now.id,
                seen: then,
                present: now.revision,
            })
        })
        .collect();
    if changed.is_empty() { Ok(()) } else { Err(changed) }
}

#[cfg(test)]
mod tests;
