//! What every engine must do, whatever it keeps its bytes in. Run on each engine by [`engine_contract`].

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

pub(crate) fn put(engine: &dyn Engine, key: &[u8], value: &[u8]) -> u64 {
    engine
        .commit(Batch {
            puts: vec![(key.to_vec(), value.to_vec())],
            ..Batch::default()
        })
        .unwrap()
}

fn delete(engine: &dyn Engine, key: &[u8]) -> u64 {
    engine
        .commit(Batch {
            deletes: vec![key.to_vec()],
            ..Batch::default()
        })
        .unwrap()
}

fn get(engine: &dyn Engine, key: &[u8]) -> Option<Versioned> {
    engine.view().unwrap().get(key).unwrap()
}

fn keys(view: &dyn EngineView, range: &KeyRange, direction: Direction, limit: usize) -> Vec<Vec<u8>> {
    view.range(range, direction, limit)
        .unwrap()
        .into_iter()
        .map(|(key, _)| key)
        .collect()
}

pub(crate) fn values_carry_the_revision_of_their_commit(engine: &dyn Engine) {
    let first = put(engine, b"a", b"1");
    let second = put(engine, b"b", b"2");
    assert!(second > first);
    assert_eq!(
        get(engine, b"a"),
        Some(Versioned {
            revision: first,
            value: b"1".to_vec()
        })
    );
    assert_eq!(engine.view().unwrap().revision(), second);
}

pub(crate) fn a_revision_is_never_used_twice(engine: &dyn Engine) {
    let first = put(engine, b"a", b"1");
    let deleted = delete(engine, b"a");
    assert_eq!(get(engine, b"a"), None);
    let again = put(engine, b"a", b"1");
    assert!(first < deleted && deleted < again);
}

pub(crate) fn an_unmet_precondition_changes_nothing(engine: &dyn Engine) {
    let revision = put(engine, b"a", b"1");
    let attempts = [
        (b"a".to_vec(), None),
        (b"a".to_vec(), Some(revision + 1)),
        (b"absent".to_vec(), Some(revision)),
    ];
    for precondition in attempts {
        let batch = Batch {
            preconditions: vec![(b"other".to_vec(), None), precondition.clone()],
            puts: vec![(b"b".to_vec(), b"2".to_vec())],
            deletes: vec![b"a".to_vec()],
            ..Batch::default()
        };
        match engine.commit(batch) {
            Err(CommitError::Conflict { key }) => assert_eq!(key, precondition.0),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(get(engine, b"b"), None);
    assert_eq!(get(engine, b"a").unwrap().revision, revision);
    let met = Batch {
        preconditions: vec![(b"a".to_vec(), Some(revision)), (b"absent".to_vec(), None)],
        deletes: vec![b"a".to_vec()],
        ..Batch::default()
    };
    engine.commit(met).unwrap();
    assert_eq!(get(engine, b"a"), None);
}

pub(crate) fn preconditions_of_the_newest_state_hold_and_of_an_older_one_are_looked_at(engine: &dyn Engine) {
    let read_at = put(engine, b"a", b"1");
    let resting_on = |revision| Batch {
        preconditions: vec![(b"a".to_vec(), Some(read_at))],
        read_at: Some(revision),
        puts: vec![(b"b".to_vec(), b"2".to_vec())],
        ..Batch::default()
    };
    let newest = engine.commit(resting_on(read_at)).unwrap();
    assert_eq!(
        engine.commit(resting_on(read_at)).unwrap(),
        newest + 1,
        "it still holds"
    );
    put(engine, b"a", b"3");
    let refused = engine.commit(resting_on(read_at));
    assert!(
        matches!(refused, Err(CommitError::Conflict { .. })),
        "{refused:?}"
    );
}

pub(crate) fn a_view_knows_since_when_keys_are_unchanged(engine: &dyn Engine) {
    let start = engine.view().unwrap().unchanged_since(b'a');
    assert!(start <= engine.revision().unwrap());
    let before = engine.view().unwrap();
    let first = put(engine, b"a1", b"1");
    let other = put(engine, b"b1", b"1");
    for view in [before, engine.view().unwrap()] {
        assert_eq!(
            (view.unchanged_since(b'a'), view.unchanged_since(b'b')),
            (first, other)
        );
    }
    let deleted = delete(engine, b"a1");
    assert_eq!(engine.view().unwrap().unchanged_since(b'a'), deleted);
    assert_eq!(engine.view().unwrap().unchanged_since(b'b'), other);
}

pub(crate) fn what_cannot_be_stored_is_refused_whole(engine: &dyn Engine) {
    let wrong: [(Vec<u8>, Vec<u8>); 4] = [
        (Vec::new(), Vec::new()),
        (vec![RESERVED_PREFIX, 1], Vec::new()),
        (vec![1; MAX_KEY_BYTES + 1], Vec::new()),
        (vec![1], vec![0; MAX_VALUE_BYTES + 1]),
    ];
    for entry in wrong {
        let batch = Batch {
            puts: vec![(b"good".to_vec(), Vec::new()), entry],
            ..Batch::default()
        };
        assert!(matches!(engine.commit(batch), Err(CommitError::Refused { .. })));
    }
    assert_eq!(get(engine, b"good"), None);
    let largest = vec![7; MAX_VALUE_BYTES];
    put(engine, &[1; MAX_KEY_BYTES], &largest);
    assert_eq!(get(engine, &[1; MAX_KEY_BYTES]).unwrap().value, largest);
}

pub(crate) fn an_old_view_shows_its_own_state(engine: &dyn Engine) {
    put(engine, b"changed", b"old");
    put(engine, b"deleted", b"old");
    let before = engine.view().unwrap();
    engine
        .commit(Batch {
            puts: vec![
                (b"changed".to_vec(), b"new".to_vec()),
                (b"made".to_vec(), b"new".to_vec()),
            ],
            deletes: vec![b"deleted".to_vec()],
            ..Batch::default()
        })
        .unwrap();
    let between = engine.view().unwrap();
    put(engine, b"changed", b"newest");
    delete(engine, b"made");

    let read = |view: &dyn EngineView| -> Vec<(String, String)> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let entries = view.range(&KeyRange::all(), Direction::Ascending, 9).unwrap();
        for (key, versioned) in &entries {
            assert_eq!(view.get(key).unwrap().as_ref(), Some(versioned));
        }
        entries
            .into_iter()
            .map(|(key, versioned)| (text(key), text(versioned.value)))
            .collect()
    };
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    assert_eq!(
        read(before.as_ref()),
        owned(&[("changed", "old"), ("deleted", "old")])
    );
    assert_eq!(
        read(between.as_ref()),
        owned(&[("changed", "new"), ("made", "new")])
    );
    assert_eq!(
        read(engine.view().unwrap().as_ref()),
        owned(&[("changed", "newest")])
    );
    assert_eq!(before.get(b"made").unwrap(), None);
}

#[derive(Debug, Clone)]
enum Act {
    Put(u8, u8),
    Delete(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1..12u8, any::<u8>()).prop_map(|(key, value)| Act::Put(key, value)),
        2 => (1..12u8).prop_map(Act::Delete),
    ]
}

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// A batch of these acts, the first one of each key, and the same on the map.
fn batch_of(acts: Vec<Act>, map: &mut Map) -> Batch {
    let mut batch = Batch::default();
    let mut touched = std::collections::BTreeSet::new();
    for act in acts {
        match act {
            Act::Put(key, value) if touched.insert(key) => {
                batch.puts.push((vec![key], vec![value]));
                map.insert(vec![key], vec![value]);
            }
            Act::Delete(key) if touched.insert(key) => {
                batch.deletes.push(vec![key]);
                map.remove(&vec![key]);
            }
            _ => {}
        }
    }
    batch
}

fn expected(map: &Map, range: &KeyRange, direction: Direction, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut entries: Vec<_> = map
        .clone()
        .into_iter()
        .filter(|(key, _)| range.contains(key))
        .collect();
    if direction == Direction::Descending {
        entries.reverse();
    }
    entries.truncate(limit);
    entries
}

fn key_range() -> impl Strategy<Value = KeyRange> {
    let bound = prop_oneof![
        Just(Bound::Unbounded),
        (1..12u8).prop_map(|key| Bound::Included(vec![key])),
        (1..12u8).prop_map(|key| Bound::Excluded(vec![key])),
    ];
    (bound.clone(), bound).prop_map(|(start, end)| match start {
        Bound::Unbounded => KeyRange {
            end,
            ..KeyRange::all()
        },
        start => KeyRange { start, end },
    })
}

/// Against a plain map: every view that was kept goes on showing the map as it was, in ranges of any kind.
pub(crate) fn ranges_and_views_agree_with_a_map(make: impl Fn() -> Box<dyn Engine>) {
    let commits = proptest::collection::vec(proptest::collection::vec(act(), 1..4), 1..12);
    let direction = prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)];
    let strategy = (commits, key_range(), direction, 1..6usize);
    let config = ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..Default::default()
    };
    TestRunner::new(config)
        .run(&strategy, |(commits, range, direction, limit)| {
            let engine = make();
            let mut map = Map::new();
            let mut kept = Vec::new();
            for acts in commits {
                engine.commit(batch_of(acts, &mut map)).unwrap();
                kept.push((engine.view().unwrap(), map.clone()));
            }
            for (view, map) in kept {
                let entries = view.range(&range, direction, limit).unwrap();
                let found: Vec<_> = entries
                    .into_iter()
                    .map(|(key, versioned)| (key, versioned.value))
                    .collect();
                prop_assert_eq!(found, expected(&map, &range, direction, limit));
            }
            Ok(())
        })
        .unwrap();
}

/// Readers beside a writer see all or nothing of every commit, and one state for as long as they keep a view.
pub(crate) fn views_never_see_half_a_commit(engine: &dyn Engine) {
    const KEYS: u8 = 40;
    let holds = |key: u8, round: u64| !(u64::from(key) + round).is_multiple_of(3);
    let write = |round: u64| {
        let puts = (1..=KEYS)
            .filter(|key| holds(*key, round))
            .map(|key| (vec![key], round.to_be_bytes().to_vec()))
            .collect();
        let deletes = (1..=KEYS)
            .filter(|key| !holds(*key, round))
            .map(|key| vec![key])
            .collect();
        engine
            .commit(Batch {
                puts,
                deletes,
                ..Batch::default()
            })
            .unwrap();
    };
    let read = |direction| {
        let view = engine.view().unwrap();
        let entries = view.range(&KeyRange::all(), direction, 100).unwrap();
        let rounds: std::collections::BTreeSet<_> = entries
            .iter()
            .map(|(_, versioned)| versioned.value.clone())
            .collect();
        assert_eq!(rounds.len(), 1, "one view shows several commits");
        let round = u64::from_be_bytes(entries[0].1.value.as_slice().try_into().unwrap());
        let expected = (1..=KEYS).filter(|key| holds(*key, round)).count();
        assert_eq!(entries.len(), expected, "a view misses keys or has too many");
        for key in 1..=KEYS {
            let found = view.get(&[key]).unwrap().is_some();
            assert_eq!(found, holds(key, round), "get and range differ");
        }
    };
    write(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for direction in [Direction::Ascending, Direction::Descending] {
            let (done, read) = (&done, &read);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    read(direction);
                }
            });
        }
        (1..200).for_each(write);
        done.store(true, Ordering::Relaxed);
    });
}

pub(crate) fn ranges_stop_at_their_prefix(engine: &dyn Engine) {
    for key in [&b"a"[..], b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\xff"] {
        put(engine, key, b"");
    }
    let view = engine.view().unwrap();
    let all = |prefix: &[u8]| keys(view.as_ref(), &KeyRange::prefix(prefix), Direction::Ascending, 9);
    assert_eq!(all(b"a"), [&b"a"[..], b"a\xff", b"a\xff\xff"]);
    assert_eq!(all(b"a\xff"), [&b"a\xff"[..], b"a\xff\xff"]);
    assert_eq!(all(b"\xff"), [&b"\xff"[..], b"\xff\xff"]);
    assert_eq!(
        keys(view.as_ref(), &KeyRange::prefix(b"a"), Direction::Descending, 1),
        [b"a\xff\xff"]
    );
}

pub(crate) fn every_commit_is_synced_once(engine: &dyn Engine) {
    let before = engine.syncs();
    put(engine, b"a", b"1");
    let many = (1..=200u8).map(|key| (vec![key], vec![key])).collect();
    engine
        .commit(Batch {
            puts: many,
            ..Batch::default()
        })
        .unwrap();
    assert_eq!(engine.syncs(), before + 2);
    let refused = Batch {
        preconditions: vec![(b"a".to_vec(), None)],
        ..Batch::default()
    };
    assert!(engine.commit(refused).is_err());
    assert_eq!(engine.syncs(), before + 2);
}

/// Runs every test of the contract on the engine that the expression makes.
macro_rules! engine_contract {
    ($make:expr) => {
        $crate::store::engine::contract::engine_contract!(@each $make;
            values_carry_the_revision_of_their_commit
            a_revision_is_never_used_twice
            an_unmet_precondition_changes_nothing
            preconditions_of_the_newest_state_hold_and_of_an_older_one_are_looked_at
            a_view_knows_since_when_keys_are_unchanged
            what_cannot_be_stored_is_refused_whole
            an_old_view_shows_its_own_state
            views_never_see_half_a_commit
            ranges_stop_at_their_prefix
            every_commit_is_synced_once
        );

        #[test]
        fn ranges_and_views_agree_with_a_map() {
            $crate::store::engine::contract::ranges_and_views_agree_with_a_map(|| Box::new($make));
        }
    };
    (@each $make:expr; $($name:ident)+) => {$(
        #[test]
        fn $name() {
            $crate::store::engine::contract::$name(&$make);
        }
    )+};
}
pub(crate) use engine_contract;
