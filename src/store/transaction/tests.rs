use proptest::prelude::*;
use serde_bytes::ByteBuf;

use super::*;
use crate::store::memory_engine::MemoryEngine;
use crate::store::table::MAX_BODY_BYTES;

const PAIRS: Table<(String, u64), u64> = Table::new(1, "pairs", 1);
const NEXT: Table<u64, u64> = Table::new(2, "next", 1);
const BODIES: Table<u64, ByteBuf> = Table::new(3, "bodies", 1);

fn engine() -> Arc<dyn Engine> {
    Arc::new(MemoryEngine::new())
}

fn pair(name: &str, number: u64) -> (String, u64) {
    (name.to_owned(), number)
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Table(#[from] TableError),
}

fn commit(engine: &Arc<dyn Engine>, change: impl FnOnce(&mut Tx<'_>) -> Result<(), TableError>) {
    commit_alone::<_, Failure>(engine, |tx| Ok(change(tx)?)).unwrap();
}

fn numbers<K>(entries: Vec<(K, u64)>) -> Vec<u64> {
    entries.into_iter().map(|(_, number)| number).collect()
}

/// Rows of a table, with neighbours on both sides.
fn filled() -> Arc<dyn Engine> {
    let engine = engine();
    commit(&engine, |tx| {
        for (index, (name, number)) in [("a", 1), ("ab", 1), ("ab", 2), ("ab", 9), ("b", 1)]
            .into_iter()
            .enumerate()
        {
            tx.put(&PAIRS, &pair(name, number), &u64::try_from(index).unwrap())?;
        }
        tx.put(&NEXT, &0, &99)
    });
    engine
}

#[test]
fn ranges_keep_to_their_table_and_prefix() {
    let view = View::new(filled().view().unwrap());
    assert_eq!(
        numbers(view.range_from(&PAIRS, None, 9).unwrap()),
        [0, 1, 2, 3, 4]
    );
    assert_eq!(
        numbers(view.range_from(&PAIRS, Some(&pair("ab", 1)), 2).unwrap()),
        [2, 3]
    );
    assert_eq!(numbers(view.range_back(&PAIRS, None, 2).unwrap()), [4, 3]);
    assert_eq!(
        numbers(view.range_prefix(&PAIRS, &"ab".to_owned(), None, 9).unwrap()),
        [1, 2, 3]
    );
    let after = view.range_prefix(&PAIRS, &"ab".to_owned(), Some(&pair("ab", 2)), 9);
    assert_eq!(numbers(after.unwrap()), [3]);
    let back = view.range_prefix_back(&PAIRS, &"ab".to_owned(), Some(&pair("ab", 9)), 9);
    assert_eq!(numbers(back.unwrap()), [2, 1]);
    assert_eq!(view.first(&PAIRS).unwrap().unwrap().0, pair("a", 1));
    assert_eq!(view.last(&PAIRS).unwrap().unwrap().0, pair("b", 1));
    assert_eq!(view.last(&BODIES).unwrap(), None);
}

#[test]
fn a_cursor_outside_the_prefix_does_not_widen_it() {
    let view = View::new(filled().view().unwrap());
    let prefix = "ab".to_owned();
    let forward =
        |cursor: (String, u64)| numbers(view.range_prefix(&PAIRS, &prefix, Some(&cursor), 9).unwrap());
    let back =
        |cursor: (String, u64)| numbers(view.range_prefix_back(&PAIRS, &prefix, Some(&cursor), 9).unwrap());
    assert_eq!(forward(pair("a", 1)), [1, 2, 3]);
    assert_eq!(forward(pair("b", 1)), [0u64; 0]);
    assert_eq!(back(pair("b", 1)), [3, 2, 1]);
    assert_eq!(back(pair("a", 1)), [0u64; 0]);
}

#[test]
fn a_stream_yields_every_record_once() {
    let engine = engine();
    commit(&engine, |tx| {
        (0..600u64).try_for_each(|number| tx.put(&NEXT, &number, &number))
    });
    let mut seen = Vec::new();
    let view = View::new(engine.view().unwrap());
    view.for_each(&NEXT, &(), |key, value| {
        assert_eq!(key, value);
        seen.push(key);
        Ok::<(), TableError>(())
    })
    .unwrap();
    assert_eq!(seen, (0..600).collect::<Vec<_>>());
    let mut exported = 0;
    view.export(|_, _| {
        exported += 1;
        Ok::<(), EngineError>(())
    })
    .unwrap();
    assert_eq!(exported, 600);
}

#[test]
fn insert_takes_only_a_free_key() {
    let engine = engine();
    commit(&engine, |tx| {
        assert!(tx.insert(&NEXT, &1, &1)?);
        assert!(!tx.insert(&NEXT, &1, &2)?);
        assert_eq!(tx.get(&NEXT, &1)?, Some(1));
        tx.delete(&NEXT, &1)?;
        assert!(tx.insert(&NEXT, &1, &3)?);
        Ok(())
    });
    assert_eq!(View::new(engine.view().unwrap()).get(&NEXT, &1).unwrap(), Some(3));
}

#[test]
fn a_body_over_its_limit_is_refused_and_the_longest_is_not() {
    let engine = engine();
    // A byte string of this length has a head of three bytes.
    let longest = ByteBuf::from(vec![7; MAX_BODY_BYTES - 3]);
    let longer = ByteBuf::from(vec![7; MAX_BODY_BYTES - 2]);
    commit(&engine, |tx| {
        tx.put(&BODIES, &1, &longest)?;
        let error = tx.put(&BODIES, &2, &longer).unwrap_err();
        assert!(matches!(error, TableError::TooLarge { .. }), "{error}");
        Ok(())
    });
    let view = View::new(engine.view().unwrap());
    assert_eq!(view.get(&BODIES, &1).unwrap(), Some(longest));
    assert_eq!(view.get(&BODIES, &2).unwrap(), None);
}

#[test]
fn a_transaction_is_bounded() {
    let engine = engine();
    let body = ByteBuf::from(vec![7; MAX_BODY_BYTES - 3]);
    let result = commit_alone::<_, Failure>(&engine, |tx| {
        for key in 0.. {
            tx.put(&BODIES, &key, &body)?;
        }
        Ok(())
    });
    assert!(matches!(
        result,
        Err(Failure::Table(TableError::TransactionTooLarge))
    ));
    assert_eq!(View::new(engine.view().unwrap()).first(&BODIES).unwrap(), None);
}

#[derive(Debug, Clone)]
enum Act {
    Put(u64, u64),
    Delete(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (0..10u64, any::<u64>()).prop_map(|(key, value)| Act::Put(key, value)),
        2 => (0..10u64).prop_map(Act::Delete),
    ];
    proptest::collection::vec(act, 0..12)
}

fn carry_out(tx: &mut Tx<'_>, map: &mut BTreeMap<u64, u64>, acts: &[Act]) -> Result<(), TableError> {
    for act in acts {
        match *act {
            Act::Put(key, value) => {
                tx.put(&NEXT, &key, &value)?;
                map.insert(key, value);
            }
            Act::Delete(key) => {
                tx.delete(&NEXT, &key)?;
                map.remove(&key);
            }
        }
    }
    Ok(())
}

proptest! {
    /// A transaction reads the committed state with the group's and its own writes on top, exactly as if each had
    /// been carried out on a map; a refused one leaves no trace.
    #[test]
    fn a_transaction_reads_what_it_would_find_after_a_commit(
        committed in acts(), earlier in acts(), refused in acts(), own in acts(),
        cursor in proptest::option::of(0..10u64), limit in 1..8usize,
    ) {
        let engine = engine();
        let mut map = BTreeMap::new();
        commit(&engine, |tx| carry_out(tx, &mut map, &committed));
        let mut group = Group::on(View::new(engine.view().unwrap()));
        group.run(|tx| carry_out(tx, &mut map, &earlier)).unwrap();
        let mut dropped = map.clone();
        group
            .run(|tx| {
                carry_out(tx, &mut dropped, &refused)?;
                Err::<(), _>(TableError::TransactionTooLarge)
            })
            .unwrap_err();
        group
            .run(|tx| {
                carry_out(tx, &mut map, &own)?;
                for key in 0..10 {
                    assert_eq!(tx.get(&NEXT, &key)?, map.get(&key).copied());
                }
                let after: Vec<_> = map
                    .iter()
                    .filter(|(key, _)| cursor.is_none_or(|cursor| **key > cursor))
                    .map(|(key, value)| (*key, *value))
                    .take(limit)
                    .collect();
                assert_eq!(tx.range_from(&NEXT, cursor.as_ref(), limit)?, after);
                let before: Vec<_> = map
                    .iter()
                    .rev()
                    .filter(|(key, _)| cursor.is_none_or(|cursor| **key < cursor))
                    .map(|(key, value)| (*key, *value))
                    .take(limit)
                    .collect();
                assert_eq!(tx.range_back(&NEXT, cursor.as_ref(), limit)?, before);
                Ok::<(), TableError>(())
            })
            .unwrap();
        group.commit(engine.as_ref()).unwrap();
        let view = View::new(engine.view().unwrap());
        let found: BTreeMap<_, _> = view.range_from(&NEXT, None, 99).unwrap().into_iter().collect();
        prop_assert_eq!(found, map);
    }
}
