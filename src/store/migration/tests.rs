use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::store::engine::{Batch, EngineError, EngineView};
use crate::store::memory_engine::MemoryEngine;
use crate::store::read::View;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Old {
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct New {
    first: String,
    length: usize,
}

const OLD: Table<u64, Old> = Table::new(9, "people", 1);
const NEW: Table<u64, New> = Table::new(9, "people", 2);
const OTHER: Table<u64, u64> = Table::new(10, "numbers", 1);

const PEOPLE: Migration = Migration {
    to: 2,
    name: "people by first name",
    step: rewrite_people,
};
const CLEAR: Migration = Migration {
    to: 3,
    name: "drop number one",
    step: drop_one,
};

fn rewrite_people(tx: &mut Tx<'_>, cursor: Option<&[u8]>) -> Result<Step, TableError> {
    rewrite(tx, &NEW, 1, cursor, |old: Old| New {
        length: old.name.len(),
        first: old.name,
    })
}

fn drop_one(tx: &mut Tx<'_>, _cursor: Option<&[u8]>) -> Result<Step, TableError> {
    tx.delete(&OTHER, &1)?;
    Ok(Step::Done)
}

/// An engine that loses power before the n-th commit.
#[derive(Debug)]
struct Failing {
    engine: Arc<dyn Engine>,
    left: AtomicU64,
}

impl Engine for Failing {
    fn view(&self) -> Result<Arc<dyn EngineView>, EngineError> {
        self.engine.view()
    }

    fn revision(&self) -> Result<u64, EngineError> {
        self.engine.revision()
    }

    fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(EngineError::Failed.into());
        }
        self.left.store(left - 1, Ordering::Relaxed);
        self.engine.commit(batch)
    }

    fn syncs(&self) -> u64 {
        self.engine.syncs()
    }
}

/// A store of version 1 with `count` people.
fn old_store(count: u64) -> Arc<dyn Engine> {
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    migrate(&engine, &[]).unwrap();
    commit_alone::<_, MigrateError>(&engine, |tx| {
        for id in 0..count {
            tx.put(
                &OLD,
                &id,
                &Old {
                    name: format!("person {id}"),
                },
            )?;
        }
        Ok(tx.put(&OTHER, &1, &1)?)
    })
    .unwrap();
    engine
}

fn view(engine: &Arc<dyn Engine>) -> View {
    View::new(engine.view().unwrap())
}

fn check_migrated(engine: &Arc<dyn Engine>, count: u64) {
    let mut found = 0;
    view(engine)
        .for_each(&NEW, &(), |id, person| {
            assert_eq!(
                person,
                New {
                    first: format!("person {id}"),
                    length: format!("person {id}").len()
                }
            );
            found += 1;
            Ok::<(), TableError>(())
        })
        .unwrap();
    assert_eq!(found, count);
    assert_eq!(view(engine).get(&OTHER, &1).unwrap(), None);
}

#[test]
fn an_old_store_is_rewritten_in_order() {
    let engine = old_store(1000);
    assert_eq!(
        migrate(&engine, &[PEOPLE, CLEAR]).unwrap(),
        Migrated { from: 1, to: 3 }
    );
    check_migrated(&engine, 1000);
    assert_eq!(
        migrate(&engine, &[PEOPLE, CLEAR]).unwrap(),
        Migrated { from: 3, to: 3 }
    );
}

#[test]
fn a_crash_between_any_two_steps_costs_nothing() {
    for survived in 0..6 {
        let engine = old_store(1000);
        let failing: Arc<dyn Engine> = Arc::new(Failing {
            engine: Arc::clone(&engine),
            left: AtomicU64::new(survived),
        });
        let first = migrate(&failing, &[PEOPLE, CLEAR]);
        assert_eq!(first.is_err(), survived < 5, "{survived}: {first:?}");
        assert_eq!(migrate(&engine, &[PEOPLE, CLEAR]).unwrap().to, 3);
        check_migrated(&engine, 1000);
    }
}

#[test]
fn a_new_store_has_the_newest_version() {
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    assert_eq!(
        migrate(&engine, &[PEOPLE, CLEAR]).unwrap(),
        Migrated { from: 3, to: 3 }
    );
}

#[test]
fn a_newer_store_is_refused() {
    let engine = old_store(1);
    migrate(&engine, &[PEOPLE, CLEAR]).unwrap();
    let error = migrate(&engine, &[PEOPLE]).unwrap_err();
    assert!(
        matches!(error, MigrateError::Newer { found: 3, newest: 2 }),
        "{error}"
    );
}

#[test]
fn a_gap_in_the_list_is_refused() {
    let engine = old_store(1);
    assert!(matches!(migrate(&engine, &[CLEAR]), Err(MigrateError::Gap(3))));
}

#[test]
fn unmigrated_bodies_are_not_read() {
    let engine = old_store(1);
    let error = view(&engine).get(&NEW, &0).unwrap_err();
    assert!(
        matches!(
            error,
            TableError::Schema {
                found: 1,
                known: 2,
                ..
            }
        ),
        "{error}"
    );
}
