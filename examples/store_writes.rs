//! Measures durable transactions per second, of one writer and of 64 at once, in a folder on the disk to measure:
//! `cargo run --release --example store_writes -- /path/on/that/disk`.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use poundlock::store::engine::Engine;
use poundlock::store::read::Read;
use poundlock::store::sled_engine::SledEngine;
use poundlock::store::table::{Table, TableError};
use poundlock::store::writer::{Writer, WriterLimits};

const COUNTS: Table<u64, u64> = Table::new(1, "counts", 1);
const TIME: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    for writers in [1, 8, 64] {
        let folder = tempfile::tempdir_in(Path::new(&parent))?;
        let engine: Arc<dyn Engine> = Arc::new(SledEngine::open(folder.path())?);
        let writer = Writer::start(Arc::clone(&engine), WriterLimits::default())?;
        let syncs = engine.syncs();
        let begun = Instant::now();
        let written: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..writers)
                .map(|key| {
                    scope.spawn({
                        let writer = &writer;
                        move || write(writer, key, begun)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
        });
        let seconds = begun.elapsed().as_secs_f64();
        let syncs = engine.syncs() - syncs;
        println!(
            "{writers:>3} writers: {:>8.0} transactions/s, {:>6.0} syncs/s",
            written as f64 / seconds,
            syncs as f64 / seconds
        );
    }
    Ok(())
}

/// Raises one counter until the time is over; how often.
fn write(writer: &Writer, key: u64, begun: Instant) -> u64 {
    let mut written = 0;
    while begun.elapsed() < TIME {
        let result = writer.transact(move |tx| {
            let next = tx.get(&COUNTS, &key)?.unwrap_or(0) + 1;
            tx.put(&COUNTS, &key, &next)?;
            Ok::<u64, TableError>(next)
        });
        match result {
            Ok(_) => written += 1,
            Err(error) => {
                eprintln!("{error}");
                return written;
            }
        }
    }
    written
}
