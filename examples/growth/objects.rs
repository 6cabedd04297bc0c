//! What a fixed change costs on stores of different sizes, and how long a node takes to start on them.

use std::path::Path;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use poundlock::acts::requests::{self, Filter};
use poundlock::acts::{accounts, outgoing};
use poundlock::sync::select::Filters;
use uuid::Uuid;

use crate::figures::{median, tell, tell_memory, tell_time, timed};
use crate::stage::{Pair, apply, export, import, open_store, submit};

/// Requests that are new when something is measured: two objects each.
const CHANGED: u64 = 10;
const ROUNDS: u64 = 11;
/// Requests that a bundle carries while the stores grow.
const AT_ONCE: u64 = 500;

/// Fills both stores: `size` objects that the low node made, and that the high node has applied. Ends without closing anything,
/// as a killed process does.
pub fn build(folder: &Path, size: u64) {
    let pair = Pair::open(folder);
    let requests = size / 2;
    for start in (0..requests).step_by(usize::try_from(AT_ONCE).expect("a small number")) {
        write_requests(&pair, start..requests.min(start + AT_ONCE));
        pair.carry_up();
    }
    std::process::exit(0);
}

fn write_requests(pair: &Pair, numbers: std::ops::Range<u64>) {
    let ids: Vec<(Uuid, Uuid)> = numbers
        .clone()
        .map(|_| (pair.low.new_id(), pair.low.new_id()))
        .collect();
    pair.low.act(move |tx, here| {
        numbers
            .zip(ids)
            .try_for_each(|(n, (code, request))| submit(tx, here, code, request, n))
    });
}

/// Has the kernel forget what it holds of a store's files, as after a start of the machine.
pub fn forget(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let file = std::fs::File::open(entry.expect("an entry").path()).expect("a file");
        file.sync_all().expect("it is on the disk");
        posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).expect("the kernel takes advice");
    }
}

/// Opens a store whose files are not in memory.
pub fn start(folder: &Path, name: &str) {
    forget(folder);
    let (taken, engine) = timed(|| open_store(folder));
    tell_time(name, taken);
    tell_memory(&format!("{name}, memory"));
    drop(engine);
    let files = std::fs::read_dir(folder).expect("a folder");
    let bytes: u64 = files
        .map(|entry| {
            entry
                .and_then(|entry| entry.metadata())
                .map_or(0, |found| found.len())
        })
        .sum();
    #[allow(clippy::cast_precision_loss)]
    tell(&format!("{name}, on disk"), "MiB", bytes as f64 / 1024.0 / 1024.0);
}

/// Makes the same change again and again, and carries it.
pub fn change(folder: &Path, size: u64) {
    let pair = Pair::open(folder);
    let (low, high) = (&pair.low, &pair.high);
    let mut times: [Vec<_>; 6] = Default::default();
    for round in 0..ROUNDS {
        let first = size + round * CHANGED;
        let (submitted, ()) = timed(|| write_requests(&pair, first..first + CHANGED));
        let (previewed, preview) = timed(|| {
            outgoing::preview(&low.view(), &low.owner(), high.id.0, &Filters::default(), false)
                .expect("a preview")
        });
        assert_eq!(
            preview.selection.taken.len() as u64,
            CHANGED,
            "what is new is owed"
        );
        let (exported, bundle) = timed(|| export(low, high));
        let (imported, ()) = timed(|| import(high, &bundle));
        let (applied, ()) = timed(|| apply(high, low));
        let (acknowledged, ()) = timed(|| import(low, &export(high, low)));
        for (times, taken) in
            times
                .iter_mut()
                .zip([submitted, previewed, exported, imported, applied, acknowledged])
        {
            times.push(taken);
        }
    }
    let names = ["submit", "preview", "export", "import", "apply", "acknowledge"];
    for (name, times) in names.iter().zip(times) {
        tell_time(name, median(times));
    }
    let listed = (0..ROUNDS).map(|_| {
        let view = high.view();
        timed(|| {
            requests::list(
                &view,
                &high.owner(),
                high.here().now,
                &Filter::default(),
                None,
                50,
            )
        })
        .0
    });
    tell_time("list the first page of 50", median(listed.collect()));
    let looked_up = (0..ROUNDS).map(|_| {
        let view = low.view();
        timed(|| accounts::credentials(&view, "ada@example.org").expect("it can be read")).0
    });
    tell_time("look up who signs in", median(looked_up.collect()));
    tell_memory("changes, memory of both nodes");
}
