//! Which batches a bundle takes. Nothing that is kept back is lost: it stays owed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::batch::{Batch, Graph};
use crate::domain::object::Kind;

/// What a person asked to see or send. The default takes everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// Only requests of this person, and the jobs that answer them; with what they need.
    pub requester: Option<String>,
    /// Only batches whose root is of these kinds, with what they need; empty for all.
    pub include: BTreeSet<Kind>,
    /// No batch whose root is of these kinds, and nothing that needs one.
    pub exclude: BTreeSet<Kind>,
}

/// Why a batch is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptBack {
    /// A person holds it.
    Held,
    /// The filters leave it out.
    Filtered,
    /// It needs a batch that is kept back.
    Needs(Uuid),
}

/// What is taken, needs first, and what is kept back, with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The roots to send.
    pub taken: Vec<Uuid>,
    /// The roots that stay owed.
    pub kept_back: BTreeMap<Uuid, KeptBack>,
}

/// Selects among the batches that are owed. A hold and an exclusion also keep back all that needs the batch; a batch that is
/// left out only because it was not asked for comes along when a selected one needs it.
///
/// `requester` finds the e-mail address of the person whose request a root is or answers.
pub fn select(
    batches: &[Batch],
    filters: &Filters,
    held: &BTreeSet<Uuid>,
    requester: impl Fn(Uuid) -> Option<String>,
) -> Selection {
    let graph = Graph::of(batches);
    let mut selection = Selection::default();
    let mut wanted = Vec::new();
    for batch in batches {
        if held.contains(&batch.root) {
            selection.kept_back.insert(batch.root, KeptBack::Held);
        } else if filters.exclude.contains(&batch.kind) {
            selection.kept_back.insert(batch.root, KeptBack::Filtered);
        }
    }
    // A hold reaches what needs its batch also while nothing of the batch itself is owed.
    let mut stopped: BTreeSet<Uuid> = selection.kept_back.keys().copied().collect();
    stopped.extend(held);
    let owed: BTreeSet<Uuid> = batches.iter().map(|batch| batch.root).collect();
    for stop in stopped {
        for dependent in graph.dependents([stop]).intersection(&owed).copied() {
            selection
                .kept_back
                .entry(dependent)
                .or_insert(KeptBack::Needs(stop));
        }
    }
    for batch in batches {
        let kind_fits = filters.include.is_empty() || filters.include.contains(&batch.kind);
        let person_fits = filters.requester.as_ref().is_none_or(|email| {
            requester(batch.root).is_some_and(|found| found.to_lowercase() == email.trim().to_lowercase())
        });
        if kind_fits && person_fits && !selection.kept_back.contains_key(&batch.root) {
            wanted.push(batch.root);
        }
    }
    selection.taken = graph
        .needed_first(wanted)
        .into_iter()
        .filter(|root| owed.contains(root))
        .collect();
    let taken: BTreeSet<Uuid> = selection.taken.iter().copied().collect();
    for root in owed.difference(&taken) {
        selection.kept_back.entry(*root).or_insert(KeptBack::Filtered);
    }
    selection
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(root: u128, kind: Kind, needs: &[u128]) -> Batch {
        Batch {
            root: Uuid::from_u128(root),
            kind,
            title: String::new(),
            members: Vec::new(),
            needs: needs.iter().map(|need| Uuid::from_u128(*need)).collect(),
        }
    }

    fn world() -> Vec<Batch> {
        vec![
            batch(1, Kind::Project, &[]),
            batch(2, Kind::Request, &[1]),
            batch(3, Kind::Request, &[1]),
            batch(4, Kind::Job, &[3]),
        ]
    }

    fn ids(numbers: &[u128]) -> Vec<Uuid> {
        numbers.iter().map(|n| Uuid::from_u128(*n)).collect()
    }

    fn requester(root: Uuid) -> Option<String> {
        match root.as_u128() {
            2 => Some("ada@example.org".into()),
            3 | 4 => Some("bob@example.org".into()),
            _ => None,
        }
    }

    #[test]
    fn a_filter_brings_what_the_chosen_need() {
        let filters = Filters {
            requester: Some("Ada@Example.org".into()),
            ..Filters::default()
        };
        let selection = select(&world(), &filters, &BTreeSet::new(), requester);
        assert_eq!(selection.taken, ids(&[1, 2]));
        assert_eq!(selection.kept_back.len(), 2);
    }

    #[test]
    fn a_hold_keeps_back_all_that_needs_the_batch() {
        let held = ids(&[3]).into_iter().collect();
        let selection = select(&world(), &Filters::default(), &held, requester);
        assert_eq!(selection.taken, ids(&[1, 2]));
        assert_eq!(
            selection.kept_back[&Uuid::from_u128(4)],
            KeptBack::Needs(Uuid::from_u128(3))
        );
        let delivered = ids(&[3]).into_iter().collect();
        let owed: Vec<_> = world()
            .into_iter()
            .filter(|batch| batch.root.as_u128() != 3)
            .collect();
        let selection = select(&owed, &Filters::default(), &delivered, requester);
        assert_eq!(
            selection.taken,
            ids(&[1, 2]),
            "also when the batch itself has gone before"
        );
        let all = ids(&[1]).into_iter().collect();
        assert!(
            select(&world(), &Filters::default(), &all, requester)
                .taken
                .is_empty()
        );
    }

    #[test]
    fn kinds_are_included_and_excluded() {
        let include = Filters {
            include: [Kind::Job].into(),
            ..Filters::default()
        };
        assert_eq!(
            select(&world(), &include, &BTreeSet::new(), requester).taken,
            ids(&[1, 3, 4])
        );
        let exclude = Filters {
            exclude: [Kind::Job].into(),
            ..Filters::default()
        };
        assert_eq!(
            select(&world(), &exclude, &BTreeSet::new(), requester).taken,
            ids(&[1, 2, 3])
        );
    }
}
