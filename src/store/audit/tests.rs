use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::domain::audit::{Action, Actor};
use crate::store::engine::{CommitError, Engine};
use crate::store::memory_engine::MemoryEngine;
use crate::store::read::View;
use crate::store::transaction::commit_alone;

#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Table(#[from] TableError),
}

fn fields(number: u8) -> Fields {
    Fields {
        at: "2026-11-22T08:00:00Z".parse().unwrap(),
        actor: Actor::Peer(Uuid::from_bytes([number; 16])),
        action: Action::BUNDLE_IMPORTED,
        subjects: vec![Uuid::from_bytes([7; 16])],
        detail: [("sequence".to_owned(), number.to_string())].into(),
    }
}

/// A chain of five entries.
fn chain() -> Arc<dyn Engine> {
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    for number in 1..=5 {
        commit_alone::<_, Failure>(&engine, |tx| Ok(append(tx, fields(number), [number; 32])?)).unwrap();
    }
    engine
}

fn view(engine: &Arc<dyn Engine>) -> View {
    View::new(engine.view().unwrap())
}

fn tamper(engine: &Arc<dyn Engine>, change: impl FnOnce(&mut Tx<'_>) -> Result<(), TableError>) {
    commit_alone::<_, Failure>(engine, |tx| Ok(change(tx)?)).unwrap();
}

fn broken(engine: &Arc<dyn Engine>) -> (u64, Break) {
    match verify(&view(engine)) {
        Err(VerifyError::Broken { at, why }) => (at, why),
        other => panic!("not found to be broken: {other:?}"),
    }
}

#[test]
fn an_untouched_chain_verifies_and_knows_its_heads() {
    let engine = chain();
    let view = view(&engine);
    let head = head(&view).unwrap();
    assert_eq!(
        verify(&view).unwrap(),
        Verified {
            entries: 5,
            head: head.hash
        }
    );
    assert_eq!(contains_head(&view, &head.hash).unwrap(), Some(5));
    let fifth = entries_before(&view, None, 1).unwrap().remove(0);
    assert_eq!(contains_head(&view, &fifth.previous).unwrap(), Some(4));
    assert_eq!(contains_head(&view, &GENESIS).unwrap(), Some(0));
    assert_eq!(contains_head(&view, &Hash([1; 32])).unwrap(), None);
}

#[test]
fn an_empty_chain_verifies() {
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    assert_eq!(
        verify(&view(&engine)).unwrap(),
        Verified {
            entries: 0,
            head: GENESIS
        }
    );
}

#[test]
fn pages_run_both_ways() {
    let view = view(&chain());
    let numbers = |entries: Vec<Entry>| entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>();
    assert_eq!(numbers(entries_after(&view, 0, 2).unwrap()), [1, 2]);
    assert_eq!(numbers(entries_after(&view, 4, 9).unwrap()), [5]);
    assert_eq!(numbers(entries_before(&view, Some(3), 9).unwrap()), [2, 1]);
}

#[test]
fn the_same_fields_twice_give_unrelated_hashes() {
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    let other: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    for (engine, nonce) in [(&engine, [1; 32]), (&other, [2; 32])] {
        commit_alone::<_, Failure>(engine, |tx| Ok(append(tx, fields(1), nonce)?)).unwrap();
    }
    assert_ne!(head(&view(&engine)).unwrap(), head(&view(&other)).unwrap());
}

/// Every flipped bit of a stored entry is found, at the entry or at the one after it.
#[test]
fn every_flipped_byte_is_found() {
    let stored = view(&chain()).get(&ENTRIES, &3).unwrap().unwrap();
    for at in 0..stored.len() {
        let engine = chain();
        let mut changed = stored.clone();
        changed[at] ^= 1;
        tamper(&engine, |tx| tx.put(&ENTRIES, &3, &changed));
        assert_eq!(broken(&engine).0, 3, "byte {at}");
    }
}

/// Somebody who rewrites an entry properly, index included, still breaks the entry after it.
#[test]
fn a_rewritten_entry_breaks_the_next() {
    let engine = chain();
    let second = entries_after(&view(&engine), 1, 1).unwrap().remove(0);
    let before = Head {
        sequence: 2,
        hash: entries_after(&view(&engine), 2, 1).unwrap()[0].previous,
    };
    assert_eq!(second.sequence, before.sequence);
    let (_, bytes, head) = audit::link(&before, fields(99), [9; 32]).unwrap();
    tamper(&engine, |tx| {
        tx.put(&ENTRIES, &3, &ByteBuf::from(bytes))?;
        tx.put(&HASHES, &head.hash, &3)
    });
    assert_eq!(broken(&engine), (4, Break::Previous));
}

#[test]
fn removed_and_swapped_entries_are_found() {
    let engine = chain();
    tamper(&engine, |tx| tx.delete(&ENTRIES, &2));
    assert_eq!(broken(&engine), (2, Break::Missing));

    let engine = chain();
    tamper(&engine, |tx| tx.delete(&ENTRIES, &5));
    assert_eq!(broken(&engine), (5, Break::Missing));

    let engine = chain();
    let (second, third) = (
        view(&engine).get(&ENTRIES, &2).unwrap().unwrap(),
        view(&engine).get(&ENTRIES, &3).unwrap().unwrap(),
    );
    tamper(&engine, |tx| {
        tx.put(&ENTRIES, &2, &third)?;
        tx.put(&ENTRIES, &3, &second)
    });
    assert_eq!(broken(&engine), (2, Break::Sequence(3)));
}

#[test]
fn a_changed_head_or_index_is_found() {
    let engine = chain();
    tamper(&engine, |tx| {
        tx.put(
            &HEAD,
            &(),
            &Head {
                sequence: 5,
                hash: Hash([1; 32]),
            },
        )
    });
    assert_eq!(broken(&engine), (5, Break::Head));

    let engine = chain();
    tamper(&engine, |tx| tx.put(&HASHES, &Hash([1; 32]), &3));
    assert_eq!(broken(&engine), (5, Break::Index));

    let engine = chain();
    let hash = head(&view(&engine)).unwrap().hash;
    tamper(&engine, |tx| tx.delete(&HASHES, &hash));
    assert_eq!(broken(&engine), (5, Break::Index));
}

#[test]
fn a_refused_transaction_leaves_no_entry() {
    let engine = chain();
    let refused = commit_alone::<(), Failure>(&engine, |tx| {
        append(tx, fields(6), [6; 32])?;
        Err(TableError::TransactionTooLarge.into())
    });
    assert!(refused.is_err());
    assert_eq!(verify(&view(&engine)).unwrap().entries, 5);
}
