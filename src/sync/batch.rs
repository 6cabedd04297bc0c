//! Batches: a root object's change with its dependents' changes, reviewed as one. Batches need each other; what a person
//! sees as a tree is this graph drawn from projects and datasets down.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::object::{Body, Kind, Revision};
use crate::domain::request::Subject;

/// What a change is to the side that receives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It does not have the object.
    New,
    /// It has another revision.
    Modified,
    /// It has this revision.
    Same,
    /// It is its own, which it has forgotten since its store was set back.
    Returned,
    /// It has a revision of another epoch that this one does not follow from. Shown, and never overwritten in silence.
    Forked,
}

/// One object of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The object.
    pub id: Uuid,
    /// Its kind.
    pub kind: Kind,
    /// How a person knows it.
    pub title: String,
    /// The revision that the batch brings.
    pub revision: Revision,
    /// What it is to the receiver.
    pub change: Change,
    /// Whether the change is a tombstone.
    pub deleted: bool,
}

/// A root with its dependents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The root object. It may be no member: a decision's root is its request, which is the receiver's own.
    pub root: Uuid,
    /// The root's kind.
    pub kind: Kind,
    /// How a person knows the root.
    pub title: String,
    /// Root first, then its dependents in the order in which they were made.
    pub members: Vec<Member>,
    /// The roots that must be where this batch is applied.
    pub needs: Vec<Uuid>,
}

/// The roots that a root needs: a request its project and the datasets of the assets that it or its code names, a job its
/// request.
/// Looks bodies up through `body`. An asset that cannot be found stands for itself: the batch waits for it.
pub fn needs<'a>(root: &Body, body: impl Fn(Uuid) -> Option<std::borrow::Cow<'a, Body>>) -> Vec<Uuid> {
    let mut needs = BTreeSet::new();
    match root {
        Body::Request(request) => {
            needs.extend(request.project().map(|project| project.0));
            let assets = match request.subject {
                Subject::Run { code, .. } => match body(code.0).as_deref() {
                    Some(Body::Code(code)) => code.input_policy.assets(),
                    _ => Vec::new(),
                },
                Subject::SeePrivate { asset, .. } => vec![asset],
                Subject::SeeOpen(_) => Vec::new(),
            };
            for asset in assets {
                needs.insert(match body(asset.0).as_deref() {
                    Some(Body::Asset(found)) => found.dataset.0,
                    _ => asset.0,
                });
            }
            if let Some(predecessor) = request.predecessor {
                needs.insert(predecessor.0);
            }
        }
        Body::Job(job) => {
            needs.insert(job.request.0);
        }
        Body::User(_)
        | Body::Project(_)
        | Body::Code(_)
        | Body::Decision(_)
        | Body::Dataset(_)
        | Body::Asset(_)
        | Body::Release(_) => {}
    }
    needs.into_iter().collect()
}

/// What needs what, between roots.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    needs: BTreeMap<Uuid, Vec<Uuid>>,
    needed_by: BTreeMap<Uuid, Vec<Uuid>>,
}

impl Graph {
    /// Draws the graph of some batches.
    pub fn of<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> Self {
        Self::from_edges(batches.into_iter().map(|batch| (batch.root, batch.needs.clone())))
    }

    /// Draws the graph from each root's needs.
    pub fn from_edges(edges: impl IntoIterator<Item = (Uuid, Vec<Uuid>)>) -> Self {
        let mut graph = Self::default();
        for (root, needs) in edges {
            for need in &needs {
                graph.needed_by.entry(*need).or_default().push(root);
            }
            graph.needs.insert(root, needs);
        }
        graph
    }

    /// What a root needs directly.
    pub fn needs(&self, root: Uuid) -> &[Uuid] {
        self.needs.get(&root).map_or(&[], Vec::as_slice)
    }

    /// Everything that `roots` need, however deep, themselves included, each once and before what needs it.
    pub fn needed_first(&self, roots: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        // An explicit stack: the depth of the graph is the sender's choice.
        let mut stack: Vec<(Uuid, bool)> = roots.into_iter().map(|root| (root, false)).collect();
        stack.reverse();
        while let Some((root, needs_done)) = stack.pop() {
            if needs_done {
                order.push(root);
            } else if seen.insert(root) {
                stack.push((root, true));
                stack.extend(self.needs(root).iter().rev().map(|need| (*need, false)));
            }
        }
        order
    }

    /// Everything that needs one of `roots`, however deep, themselves included.
    pub fn dependents(&self, roots: impl IntoIterator<Item = Uuid>) -> BTreeSet<Uuid> {
        let mut found = BTreeSet::new();
        let mut stack: Vec<Uuid> = roots.into_iter().collect();
        while let Some(root) = stack.pop() {
            if found.insert(root) {
                stack.extend(self.needed_by.get(&root).into_iter().flatten());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(edges: &[(u128, Vec<u128>)]) -> Graph {
        Graph::from_edges(edges.iter().map(|(root, needs)| {
            (
                Uuid::from_u128(*root),
                needs.iter().map(|need| Uuid::from_u128(*need)).collect(),
            )
        }))
    }

    proptest! {
        #[test]
        fn needs_come_first_and_dependents_mirror_them(
            edges in prop::collection::vec((0u128..12, prop::collection::vec(0u128..12, 0..3)), 0..12),
            start in 0u128..12,
        ) {
            // Only edges to smaller ids: no cycles, as between real batches.
            let edges: BTreeMap<u128, Vec<u128>> = edges
                .into_iter()
                .map(|(root, needs)| (root, needs.into_iter().filter(|need| *need < root).collect()))
                .collect();
            let edges: Vec<_> = edges.into_iter().collect();
            let graph = graph(&edges);
            let order = graph.needed_first([Uuid::from_u128(start)]);
            for (at, root) in order.iter().enumerate() {
                for need in graph.needs(*root) {
                    prop_assert!(order[..at].contains(need));
                }
                prop_assert!(graph.dependents([*root]).contains(&Uuid::from_u128(start)));
            }
        }
    }

    #[test]
    fn a_cycle_ends() {
        let graph = graph(&[(1, vec![2]), (2, vec![1])]);
        assert_eq!(graph.needed_first([Uuid::from_u128(1)]).len(), 2);
        assert_eq!(graph.dependents([Uuid::from_u128(1)]).len(), 2);
    }
}
