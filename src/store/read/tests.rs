use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::store::engine::CommitError;
use crate::store::memory_engine::MemoryEngine;
use crate::store::transaction::Tx;
use crate::store::writer::{Writer, WriterLimits};

const WORDS: Table<u64, String> = Table::new(9, "words", 1).remembered();
/// Remembered beside it, so that a change of one of the two leaves the other as it was.
const INDEX: Table<(u8, u64), ()> = Table::new(8, "index", 1).remembered();

#[derive(Debug, thiserror::Error)]
enum Never {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

fn writer() -> Writer {
    Writer::start(Arc::new(MemoryEngine::new()), WriterLimits::default()).unwrap()
}

fn change<T: Send + 'static>(
    writer: &Writer,
    act: impl FnOnce(&mut Tx<'_>) -> Result<T, TableError> + Send + 'static,
) -> T {
    writer.transact(|tx| act(tx).map_err(Never::from)).unwrap()
}

fn word(read: &impl Read, key: u64) -> Option<String> {
    read.get(&WORDS, &key).unwrap()
}

#[test]
fn each_view_sees_its_own_state_whatever_is_remembered() {
    let writer = writer();
    change(&writer, |tx| tx.put(&WORDS, &1, &"first".to_owned()));
    let first = writer.view().unwrap();
    assert_eq!(word(&first, 1).as_deref(), Some("first"));
    let within = change(&writer, |tx| {
        let before = word(tx, 1);
        tx.put(&WORDS, &1, &"second".to_owned())?;
        tx.put(&WORDS, &2, &"other".to_owned())?;
        Ok((before, word(tx, 1), word(tx, 2)))
    });
    let told = ["first", "second", "other"].map(|word| Some(word.to_owned()));
    assert_eq!(within, told.into());
    let second = writer.view().unwrap();
    for _ in 0..2 {
        assert_eq!(word(&second, 1).as_deref(), Some("second"));
        assert_eq!(word(&first, 1).as_deref(), Some("first"));
        assert_eq!(word(&first, 2), None);
        assert_eq!(word(&second, 2).as_deref(), Some("other"));
    }
    change(&writer, |tx| tx.delete(&WORDS, &1));
    assert_eq!(word(&writer.view().unwrap(), 1), None);
    assert_eq!(word(&second, 1).as_deref(), Some("second"));
}

#[test]
fn a_sparing_reader_ends_where_there_is_too_much() {
    let writer = writer();
    change(&writer, |tx| {
        (0..10).try_for_each(|key| tx.put(&WORDS, &key, &key.to_string()))
    });
    let view = writer.view().unwrap().sparing(5);
    assert_eq!(view.range_from(&WORDS, None, 4).unwrap().len(), 4);
    assert!(!view.is_spent());
    assert!(view.range_from(&WORDS, None, usize::MAX).is_err());
    assert!(view.is_spent());
    assert!(view.get(&WORDS, &1).is_err(), "it stays so");
    let ample = writer.view().unwrap().sparing(11);
    assert_eq!(ample.range_from(&WORDS, None, usize::MAX).unwrap().len(), 10);
    assert_eq!(word(&ample, 1).as_deref(), Some("1"));
    assert!(!ample.is_spent());
}

/// A change, and a look at a state that was kept or at the newest one.
#[derive(Debug, Clone)]
enum Step {
    Put(u64, u8),
    Delete(u64),
    List(u64),
    Unlist(u64),
    Keep,
    Look { state: usize, key: u64, limit: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..6u64, any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
        1 => (0..6u64).prop_map(Step::Delete),
        2 => (0..6u64).prop_map(Step::List),
        1 => (0..6u64).prop_map(Step::Unlist),
        2 => Just(Step::Keep),
        6 => (0..9usize, 0..6u64, 1..8usize).prop_map(|(state, key, limit)| Step::Look { state, key, limit }),
    ]
}

/// What both tables hold in one state.
type Held = (BTreeMap<u64, String>, BTreeMap<(u8, u64), ()>);

fn first<K: Clone, V: Clone>(map: impl Iterator<Item = (K, V)>, limit: usize) -> Vec<(K, V)> {
    map.take(limit).collect()
}

fn same_as_held(view: &View, held: &Held, key: u64, limit: usize) -> Result<(), TestCaseError> {
    let (words, index) = held;
    let owned = |(key, word): (&u64, &String)| (*key, word.clone());
    let listed = |(key, ()): (&(u8, u64), &())| (*key, ());
    prop_assert_eq!(word(view, key), words.get(&key).cloned());
    let after = view.range_from(&WORDS, Some(&key), limit).unwrap();
    prop_assert_eq!(after, first(words.range(key + 1..).map(owned), limit));
    let before = view.range_back(&WORDS, Some(&key), limit).unwrap();
    prop_assert_eq!(before, first(words.range(..key).rev().map(owned), limit));
    let under = view.range_prefix(&INDEX, &1u8, None, limit).unwrap();
    prop_assert_eq!(under, first(index.iter().map(listed), limit));
    let newest = view
        .range_prefix_back(&INDEX, &1u8, Some(&(1, key)), limit)
        .unwrap();
    prop_assert_eq!(newest, first(index.range(..(1, key)).rev().map(listed), limit));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was read before, in whichever state: each view goes on showing its own.
    #[test]
    fn what_is_remembered_is_what_the_engine_would_say(steps in proptest::collection::vec(step(), 1..60)) {
        let writer = writer();
        let mut now = Held::default();
        let mut kept: Vec<(View, Held)> = Vec::new();
        for step in steps {
            match step {
                Step::Put(key, value) => {
                    let value = value.to_string();
                    now.0.insert(key, value.clone());
                    change(&writer, move |tx| tx.put(&WORDS, &key, &value));
                }
                Step::Delete(key) => {
                    now.0.remove(&key);
                    change(&writer, move |tx| tx.delete(&WORDS, &key));
                }
                Step::List(key) => {
                    now.1.insert((1, key), ());
                    change(&writer, move |tx| tx.put(&INDEX, &(1, key), &()));
                }
                Step::Unlist(key) => {
                    now.1.remove(&(1, key));
                    change(&writer, move |tx| tx.delete(&INDEX, &(1, key)));
                }
                Step::Keep => kept.push((writer.view().unwrap(), now.clone())),
                Step::Look { state, key, limit } => match kept.get(state) {
                    Some((view, held)) => same_as_held(view, held, key, limit)?,
                    None => same_as_held(&writer.view().unwrap(), &now, key, limit)?,
                },
            }
        }
        for (view, held) in &kept {
            same_as_held(view, held, 3, 4)?;
        }
    }
}
