use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::store::engine::{Batch, EngineView};
use crate::store::memory_engine::MemoryEngine;
use crate::store::read::Read;
use crate::store::sled_engine::SledEngine;
use crate::store::table::{Table, TableError};

const COUNTS: Table<u64, u64> = Table::new(1, "counts", 1);

#[derive(Debug, Error, PartialEq)]
enum Refusal {
    #[error("no")]
    No,
    #[error("{0}")]
    Table(String),
}

impl From<TableError> for Refusal {
    fn from(error: TableError) -> Self {
        Self::Table(error.to_string())
    }
}

type Answer<T> = Result<T, TransactError<Refusal>>;

/// An engine whose commits can be made to fail.
#[derive(Debug)]
struct Steered {
    engine: MemoryEngine,
    failures: AtomicU64,
}

impl Steered {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            engine: MemoryEngine::new(),

            failures: AtomicU64::new(0),
        })
    }
}

impl Engine for Steered {
    fn view(&self) -> Result<Arc<dyn EngineView>, EngineError> {
        self.engine.view()
    }

    fn revision(&self) -> Result<u64, EngineError> {
        self.engine.revision()
    }

    fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.fetch_sub(1, Ordering::Relaxed);
            return Err(EngineError::Failed.into());
        }
        self.engine.commit(batch)
    }

    fn syncs(&self) -> u64 {
        self.engine.syncs()
    }
}

fn start(engine: &Arc<Steered>, limits: WriterLimits) -> Writer {
    Writer::start(Arc::clone(engine) as Arc<dyn Engine>, limits).unwrap()
}

fn add(tx: &mut Tx<'_>, key: u64) -> Result<u64, Refusal> {
    let next = tx.get(&COUNTS, &key)?.unwrap_or(0) + 1;
    tx.put(&COUNTS, &key, &next)?;
    Ok(next)
}

fn count(writer: &Writer, key: u64) -> Option<u64> {
    writer.view().unwrap().get(&COUNTS, &key).unwrap()
}

/// Starts a transaction that goes on when it is told to, so that all that is queued meanwhile is in its group.
fn hold(writer: &Writer) -> (impl Future<Output = Answer<u64>>, Sender<()>) {
    let (running, runs) = channel();
    let (go, going) = channel();
    let first = writer.transact_async(move |tx| {
        running.send(()).unwrap();
        going.recv().unwrap();
        add(tx, 0)
    });
    runs.recv().unwrap();
    (first, go)
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn a_transaction_is_visible_once_it_is_answered() {
    let writer = start(&Steered::new(), WriterLimits::default());
    assert_eq!(writer.transact(|tx| add(tx, 1)).unwrap(), 1);
    assert_eq!(count(&writer, 1), Some(1));
    assert_eq!(wait(writer.transact_async(|tx| add(tx, 1))).unwrap(), 2);
    assert_eq!(count(&writer, 1), Some(2));
}

/// 64 writers that wait together share their flushes: the engine syncs at most a tenth as often.
#[test]
fn concurrent_writers_share_flushes() {
    const WRITERS: u64 = 64;
    const ROUNDS: u64 = 20;
    let folder = tempfile::tempdir().unwrap();
    let engine: Arc<dyn Engine> = Arc::new(SledEngine::open(folder.path()).unwrap());
    let writer = Writer::start(Arc::clone(&engine), WriterLimits::default()).unwrap();

    let before = engine.syncs();
    for _ in 0..ROUNDS {
        writer.transact(|tx| add(tx, 0)).unwrap();
    }
    assert_eq!(
        engine.syncs() - before,
        ROUNDS,
        "one writer pays for each of its flushes"
    );

    let before = engine.syncs();
    std::thread::scope(|scope| {
        for key in 1..=WRITERS {
            let writer = &writer;
            scope.spawn(move || {
                for round in 1..=ROUNDS {
                    assert_eq!(writer.transact(move |tx| add(tx, key)).unwrap(), round);
                }
            });
        }
    });
    let syncs = engine.syncs() - before;
    assert!(
        syncs * 10 <= WRITERS * ROUNDS,
        "{syncs} syncs for {} transactions",
        WRITERS * ROUNDS
    );
}

#[test]
fn a_group_is_one_commit_and_later_ones_see_earlier_ones() {
    let engine = Steered::new();
    let writer = start(&engine, WriterLimits::default());
    let (first, go) = hold(&writer);
    let waiting: Vec<_> = (0..50).map(|_| writer.transact_async(|tx| add(tx, 7))).collect();
    go.send(()).unwrap();
    wait(first).unwrap();
    let counts: Vec<u64> = waiting.into_iter().map(|answer| wait(answer).unwrap()).collect();
    assert_eq!(counts, (1..=50).collect::<Vec<_>>());
    assert_eq!(engine.syncs(), 1);
}

#[test]
fn a_refusal_leaves_nothing_and_spoils_nothing() {
    let engine = Steered::new();
    let writer = start(&engine, WriterLimits::default());
    let (first, go) = hold(&writer);
    let good = writer.transact_async(|tx| add(tx, 1));
    let refused = writer.transact_async(|tx| {
        add(tx, 1)?;
        tx.delete(&COUNTS, &0)?;
        Err::<(), _>(Refusal::No)
    });
    let after = writer.transact_async(|tx| add(tx, 1));
    go.send(()).unwrap();
    wait(first).unwrap();
    assert_eq!(wait(good).unwrap(), 1);
    assert!(matches!(wait(refused), Err(TransactError::Refused(Refusal::No))));
    assert_eq!(wait(after).unwrap(), 2);
    assert_eq!(count(&writer, 0), Some(1));
}

/// A refusal that rests on an uncommitted write is no answer before that write is durable.
#[test]
fn when_the_commit_fails_all_of_the_group_hear_it_and_nothing_changed() {
    let engine = Steered::new();
    let writer = start(&engine, WriterLimits::default());
    let (first, go) = hold(&writer);
    let written = writer.transact_async(|tx| add(tx, 1));
    let refused = writer.transact_async(|tx| {
        if tx.contains(&COUNTS, &1)? {
            Err(Refusal::No)
        } else {
            Ok(())
        }
    });
    engine.failures.store(1, Ordering::Relaxed);
    go.send(()).unwrap();
    assert!(matches!(wait(first), Err(TransactError::Commit(_))));
    assert!(matches!(wait(written), Err(TransactError::Commit(_))));
    assert!(matches!(wait(refused), Err(TransactError::Commit(_))));
    assert_eq!(count(&writer, 1), None);
    assert_eq!(writer.transact(|tx| add(tx, 1)).unwrap(), 1);
}

#[test]
fn a_full_queue_is_busy() {
    let engine = Steered::new();
    let writer = start(
        &engine,
        WriterLimits {
            queue: 2,
            group: 1,
            ..WriterLimits::default()
        },
    );
    let (first, go) = hold(&writer);
    let second = writer.transact_async(|tx| add(tx, 1));
    let third = writer.transact_async(|tx| add(tx, 1));
    assert!(matches!(
        wait(writer.transact_async(|tx| add(tx, 1))),
        Err(TransactError::Busy)
    ));
    assert!(matches!(
        writer.transact(|tx| add(tx, 1)),
        Err(TransactError::Busy)
    ));
    // What must not be turned away waits for its place.
    std::thread::scope(|threads| {
        let patient = threads.spawn(|| writer.transact_in_turn(|tx| add(tx, 1)));
        go.send(()).unwrap();
        for answer in [wait(first), wait(second), wait(third), patient.join().unwrap()] {
            answer.unwrap();
        }
    });
    assert_eq!(count(&writer, 1), Some(3));
}

#[test]
fn a_group_keeps_its_limits() {
    let engine = Steered::new();
    let writer = start(
        &engine,
        WriterLimits {
            group: 10,
            ..WriterLimits::default()
        },
    );
    let (first, go) = hold(&writer);
    let waiting: Vec<_> = (0..40).map(|_| writer.transact_async(|tx| add(tx, 1))).collect();
    go.send(()).unwrap();
    wait(first).unwrap();
    for answer in waiting {
        wait(answer).unwrap();
    }
    assert!(
        engine.syncs() >= 5,
        "{} commits for 41 transactions of at most 10",
        engine.syncs()
    );
}

#[test]
fn closing_writes_what_waits_and_refuses_what_comes() {
    let engine = Steered::new();
    let writer = start(&engine, WriterLimits::default());
    let (first, go) = hold(&writer);
    let waiting: Vec<_> = (0..9).map(|_| writer.transact_async(|tx| add(tx, 1))).collect();
    go.send(()).unwrap();
    writer.close();
    assert!(matches!(
        writer.transact(|tx| add(tx, 1)),
        Err(TransactError::Closed)
    ));
    wait(first).unwrap();
    for answer in waiting {
        wait(answer).unwrap();
    }
    assert_eq!(count(&writer, 1), Some(9));
}

#[test]
fn dropping_the_last_handle_writes_what_waits() {
    let engine = Steered::new();
    let writer = start(&engine, WriterLimits::default());
    drop(writer.transact_async(|tx| add(tx, 1)));
    drop(writer);
    let view = View::new(engine.view().unwrap());
    assert_eq!(view.get(&COUNTS, &1).unwrap(), Some(1));
}

#[test]
fn a_panic_commits_nothing_of_its_group_and_ends_the_writer() {
    let engine = Steered::new();
    let writer = start(&engine, WriterLimits::default());
    let (beside, go) = hold(&writer);
    let panicking = writer.transact_async(|tx| -> Result<u64, Refusal> {
        add(tx, 2)?;
        panic!("a bug in a transaction");
    });
    go.send(()).unwrap();
    assert!(matches!(wait(panicking), Err(TransactError::Unknown)));
    assert!(matches!(wait(beside), Err(TransactError::Unknown)));
    assert_eq!((count(&writer, 0), count(&writer, 2)), (None, None));
    // Unknown as long as the thread is on its way out; never carried out.
    let later = writer.transact(|tx| add(tx, 1));
    assert!(
        matches!(later, Err(TransactError::Closed | TransactError::Unknown)),
        "{later:?}"
    );
    writer.close();
    assert_eq!(count(&writer, 1), None);
}

#[test]
fn reading_alone_costs_no_commit() {
    let engine = Steered::new();
    let writer = start(&engine, WriterLimits::default());
    assert_eq!(
        writer
            .transact(|tx| Ok::<_, Refusal>(tx.get(&COUNTS, &1)?))
            .unwrap(),
        None
    );
    assert_eq!(engine.syncs(), 0);
}

/// Somebody who writes past the writer is noticed, whichever of the two comes second.
#[test]
fn what_a_transaction_read_must_still_hold() {
    let engine = Steered::new();
    let writer = start(&engine, WriterLimits::default());
    let past = Arc::clone(&engine);
    let conflict = writer.transact(move |tx| {
        let next = add(tx, 1)?;
        let key = COUNTS.engine_key(&1u64).unwrap();
        past.engine
            .commit(Batch {
                puts: vec![(key, vec![1])],
                ..Batch::default()
            })
            .unwrap();
        Ok::<_, Refusal>(next)
    });
    match conflict {
        Err(TransactError::Commit(error)) => assert!(matches!(*error, CommitError::Conflict { .. })),
        other => panic!("{other:?}"),
    }
}
