use proptest::prelude::*;

use super::*;
use crate::domain::hash::Hash;
use crate::domain::object::Kind;
use crate::sync::batch::{Change, Member};

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn revision(number: u64) -> Revision {
    Revision {
        number,
        digest: Hash([0; 32]),
    }
}

fn batch(root: u128, needs: &[u128]) -> Batch {
    let member = Member {
        id: id(root),
        kind: Kind::Request,
        title: String::new(),
        revision: revision(1),
        change: Change::New,
        deleted: false,
    };
    Batch {
        root: id(root),
        kind: Kind::Request,
        title: String::new(),
        members: vec![member],
        needs: needs.iter().map(|need| id(*need)).collect(),
    }
}

/// A project, two requests in it, a job of the second.
fn inbox() -> Vec<Batch> {
    vec![batch(1, &[]), batch(2, &[1]), batch(3, &[1]), batch(4, &[3])]
}

fn set(numbers: &[u128]) -> BTreeSet<Uuid> {
    numbers.iter().map(|n| id(*n)).collect()
}

#[test]
fn applying_brings_what_is_needed_first_and_says_so() {
    let plan = plan(&[id(4)], &inbox(), &set(&[]), |_| false).unwrap();
    assert_eq!(plan.roots, [id(1), id(3), id(4)]);
    assert_eq!(plan.also, [id(1), id(3)]);
}

#[test]
fn a_batch_waits_for_what_has_not_arrived() {
    let inbox = vec![batch(4, &[3])];
    assert_eq!(
        plan(&[id(4)], &inbox, &set(&[]), |_| false),
        Err(PlanError::Waits {
            root: id(4),
            missing: id(3)
        })
    );
    assert!(plan(&[id(4)], &inbox, &set(&[]), |need| need == id(3)).is_ok());
    assert_eq!(
        plan(&[id(9)], &inbox, &set(&[]), |_| true),
        Err(PlanError::NotPending(id(9)))
    );
}

#[test]
fn a_decision_waits_for_its_request() {
    let mut decision = batch(3, &[]);
    decision.members[0].id = id(30);
    let inbox = [decision];
    assert!(matches!(
        plan(&[id(3)], &inbox, &set(&[]), |_| false),
        Err(PlanError::Waits { .. })
    ));
    assert!(plan(&[id(3)], &inbox, &set(&[]), |root| root == id(3)).is_ok());
}

#[test]
fn ignoring_goes_all_the_way_down_and_unignoring_all_the_way_up() {
    assert_eq!(ignoring(&[id(1)], &inbox()), set(&[1, 2, 3, 4]));
    assert_eq!(
        unignoring(&[id(4)], &inbox(), &set(&[1, 2, 3, 4])),
        set(&[1, 3, 4]),
        "its sibling stays ignored"
    );
}

#[test]
fn an_ignored_batch_shows_again_when_its_own_objects_change() {
    let ignored = set(&[1, 2]);
    assert_eq!(
        after_arrival(&set(&[1]), &inbox(), &ignored),
        set(&[2]),
        "what depended on it stays ignored"
    );
    assert_eq!(
        after_arrival(&set(&[2]), &inbox(), &ignored),
        set(&[1, 2]),
        "its project is still ignored"
    );
    assert_eq!(
        after_arrival(&set(&[3, 4]), &inbox(), &ignored),
        set(&[1, 2, 3, 4]),
        "later dependents are ignored too"
    );
}

#[test]
fn the_difference_to_what_was_seen_is_told() {
    let now = [
        Seen {
            id: id(1),
            revision: revision(2),
        },
        Seen {
            id: id(2),
            revision: revision(1),
        },
    ];
    let seen = [
        Seen {
            id: id(1),
            revision: revision(1),
        },
        Seen {
            id: id(2),
            revision: revision(1),
        },
    ];
    let changed = check_seen(now, &seen).unwrap_err();
    assert_eq!(changed.len(), 1);
    assert_eq!((changed[0].id, changed[0].seen), (id(1), Some(revision(1))));
    assert!(check_seen(now, &[]).unwrap_err().len() == 2);
    assert!(check_seen(now, &now).is_ok());
}

proptest! {
    #[test]
    fn nothing_is_applied_that_is_ignored_or_lacks_its_needs(
        edges in prop::collection::btree_map(0u128..10, prop::collection::vec(0u128..10, 0..3), 1..10),
        asked in prop::collection::vec(0u128..10, 1..4),
        ignored in prop::collection::btree_set(0u128..10, 0..3),
    ) {
        let inbox: Vec<_> = edges
            .iter()
            .map(|(root, needs)| {
                let needs: Vec<_> = needs.iter().copied().filter(|need| need < root).collect();
                batch(*root, &needs)
            })
            .collect();
        let asked: Vec<_> = asked.into_iter().map(id).collect();
        let ignored: BTreeSet<_> = ignored.into_iter().map(id).collect();
        if let Ok(plan) = plan(&asked, &inbox, &ignored, |_| false) {
            for (at, root) in plan.roots.iter().enumerate() {
                prop_assert!(!ignored.contains(root));
                let batch = inbox.iter().find(|batch| batch.root == *root).unwrap();
                for need in &batch.needs {
                    prop_assert!(plan.roots[..at].contains(need));
                }
            }
            for root in &asked {
                prop_assert!(plan.roots.contains(root));
            }
        }
    }
}
