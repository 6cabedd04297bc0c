use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use super::*;
use crate::store::engine::contract::{engine_contract, put};

/// An engine in a folder that goes with it.
#[derive(Debug)]
struct Temporary {
    engine: SledEngine,
    _folder: tempfile::TempDir,
}

impl Temporary {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            engine: SledEngine::open(&folder.path().join("store")).unwrap(),
            _folder: folder,
        }
    }
}

impl Engine for Temporary {
    fn view(&self) -> Result<Arc<dyn EngineView>, EngineError> {
        self.engine.view()
    }

    fn revision(&self) -> Result<u64, EngineError> {
        self.engine.revision()
    }

    fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
        self.engine.commit(batch)
    }

    fn syncs(&self) -> u64 {
        self.engine.syncs()
    }
}

engine_contract!(Temporary::new());

/// A disk that can be told to fail.
#[derive(Debug, Default, Clone)]
struct Disk {
    syncs: Arc<AtomicU64>,
    failing: Arc<AtomicBool>,
}

impl Barrier for Disk {
    fn sync(&self, file: &File) -> io::Result<()> {
        if self.failing.load(Ordering::Relaxed) {
            return Err(io::Error::other("the disk is gone"));
        }
        self.syncs.fetch_add(1, Ordering::Relaxed);
        SyncData.sync(file)
    }
}

fn value(engine: &SledEngine, key: &[u8]) -> Option<Vec<u8>> {
    engine
        .view()
        .unwrap()
        .get(key)
        .unwrap()
        .map(|versioned| versioned.value)
}

#[test]
fn what_was_committed_is_there_when_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let engine = SledEngine::open(folder.path()).unwrap();
    let revision = put(&engine, b"a", b"1");
    drop(engine);
    let engine = SledEngine::open(folder.path()).unwrap();
    assert_eq!(value(&engine, b"a"), Some(b"1".to_vec()));
    assert_eq!(engine.view().unwrap().revision(), revision);
    assert_eq!(put(&engine, b"a", b"2"), revision + 1);
}

#[test]
fn every_commit_reaches_the_disk_before_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let engine = SledEngine::open_with(folder.path(), Box::new(disk.clone())).unwrap();
    for round in 1..=3 {
        let before = disk.syncs.load(Ordering::Relaxed);
        put(&engine, b"a", &[round]);
        assert_eq!(disk.syncs.load(Ordering::Relaxed), before + 1);
    }
}

#[test]
fn after_a_failed_sync_nothing_is_served_that_may_not_be_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let engine = SledEngine::open_with(folder.path(), Box::new(disk.clone())).unwrap();
    put(&engine, b"a", b"1");
    let view = engine.view().unwrap();
    disk.failing.store(true, Ordering::Relaxed);
    let lost = Batch {
        puts: vec![(b"a".to_vec(), b"2".to_vec())],
        ..Batch::default()
    };
    assert!(matches!(
        engine.commit(lost.clone()),
        Err(CommitError::Engine(EngineError::Io(_)))
    ));
    assert_eq!(view.get(b"a").unwrap().unwrap().value, b"1");
    // The disk seems well again, but what it dropped is not known.
    disk.failing.store(false, Ordering::Relaxed);
    assert!(matches!(
        engine.commit(lost),
        Err(CommitError::Engine(EngineError::Failed))
    ));
    assert!(matches!(engine.view(), Err(EngineError::Failed)));
}

#[test]
fn a_second_opening_is_told_who_holds_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _engine = SledEngine::open(folder.path()).unwrap();
    let error = SledEngine::open(folder.path()).unwrap_err();
    assert!(matches!(error, EngineError::InUse(_)));
    assert!(
        error.to_string().contains("another poundlock is using"),
        "{error}"
    );
}

#[test]
fn a_store_that_lost_its_end_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let engine = SledEngine::open(folder.path()).unwrap();
    put(&engine, b"a", b"1");
    drop(engine);
    let early = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), early.path());
    let engine = SledEngine::open(folder.path()).unwrap();
    put(&engine, b"a", b"2");
    drop(engine);
    std::fs::copy(
        folder.path().join(WATERMARK_FILE),
        early.path().join(WATERMARK_FILE),
    )
    .unwrap();
    let error = SledEngine::open(early.path()).unwrap_err();
    assert!(matches!(error, EngineError::Damaged { .. }), "{error}");
    // A torn watermark says nothing, and must not keep a good store shut.
    std::fs::write(early.path().join(WATERMARK_FILE), [0xff; 16]).unwrap();
    assert_eq!(
        value(&SledEngine::open(early.path()).unwrap(), b"a"),
        Some(b"1".to_vec())
    );
}

#[test]
fn a_store_of_another_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(SledEngine::open(folder.path()).unwrap());
    let db = open_sled(folder.path()).unwrap();
    db.insert(STATE_KEY, &[FORMAT + 1, 0, 0, 0, 0, 0, 0, 0, 9])
        .unwrap();
    drop(db);
    assert!(matches!(
        SledEngine::open(folder.path()),
        Err(EngineError::Format { .. })
    ));

    let foreign = tempfile::tempdir().unwrap();
    let db = open_sled(foreign.path()).unwrap();
    db.insert(b"somebody's", b"data").unwrap();
    drop(db);
    assert!(matches!(
        SledEngine::open(foreign.path()),
        Err(EngineError::Format { .. })
    ));
}

/// Wherever its file is damaged, opening the store and reading all of it ends in an error or in the state that was
/// acknowledged: never in a panic, and never in an older state.
#[test]
fn damage_is_an_error_and_never_an_older_state() {
    let folder = tempfile::tempdir().unwrap();
    let engine = SledEngine::open(folder.path()).unwrap();
    for round in 0..40u8 {
        put(&engine, &[1 + round % 7], &[round; 300]);
    }
    let expected = engine
        .view()
        .unwrap()
        .range(&KeyRange::all(), Direction::Ascending, 100)
        .unwrap();
    drop(engine);
    let written = std::fs::read(folder.path().join(DATA_FILE)).unwrap();
    let used = written.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let undamaged = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), undamaged.path());
    assert_eq!(
        value(&SledEngine::open(undamaged.path()).unwrap(), &[1]),
        Some(vec![35; 300])
    );
    let (mut refused, mut intact) = (0, 0);
    for at in (0..used).step_by(used / 60 + 1) {
        let damaged = tempfile::tempdir().unwrap();
        copy_folder(folder.path(), damaged.path());
        let mut bytes = written.clone();
        for byte in bytes.iter_mut().skip(at).take(24) {
            *byte ^= 0x5a;
        }
        std::fs::write(damaged.path().join(DATA_FILE), bytes).unwrap();
        let read = SledEngine::open(damaged.path())
            .and_then(|engine| engine.view()?.range(&KeyRange::all(), Direction::Ascending, 100));
        match read {
            Ok(found) => {
                assert_eq!(found, expected, "damage at {at} went unseen");
                intact += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0, "no damage mattered ({intact} intact)");
}

/// sled never syncs what it moves out of its file, so nothing may be moved: not the longest values, and not the
/// pages that they are gathered in.
#[test]
fn the_longest_values_stay_in_the_synced_file() {
    let folder = tempfile::tempdir().unwrap();
    let engine = SledEngine::open(folder.path()).unwrap();
    for round in 0..3u8 {
        for chunk in 0..8u8 {
            let puts = (0..25u8)
                .map(|key| {
                    let mut name = vec![1 + chunk, key];
                    name.resize(super::super::engine::MAX_KEY_BYTES, key ^ 0xa5);
                    (name, vec![round ^ key; super::super::engine::MAX_VALUE_BYTES])
                })
                .collect();
            engine
                .commit(Batch {
                    puts,
                    ..Batch::default()
                })
                .unwrap();
        }
    }
    drop(engine);
    let moved = std::fs::read_dir(folder.path().join("blobs")).map_or(0, Iterator::count);
    assert_eq!(moved, 0);
    let engine = SledEngine::open(folder.path()).unwrap();
    let entries = engine
        .view()
        .unwrap()
        .range(&KeyRange::all(), Direction::Ascending, 1000)
        .unwrap();
    assert_eq!(entries.len(), 200);
}

/// The child of the test below: commits batches and says so, until it is killed.
const CHILD: &str = "POUNDLOCK_TEST_STORE_TO_FILL";
const BATCH_KEYS: u64 = 10;

#[test]
fn acknowledged_commits_survive_sigkill() {
    if let Some(folder) = std::env::var_os(CHILD) {
        fill_until_killed(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for kill in 1..=5u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "store::sled_engine::tests::acknowledged_commits_survive_sigkill",
                "--nocapture",
            ])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        for line in lines.by_ref() {
            if let Some(number) = line.unwrap().strip_prefix("committed ") {
                acknowledged = number.parse().unwrap();
                seen += 1;
            }
            if seen == 17 * kill {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(seen, 17 * kill, "the child stopped by itself");
        // What it said between the last line read and its end counts too.
        for line in lines {
            if let Some(number) = line
                .unwrap()
                .strip_prefix("committed ")
                .and_then(|text| text.parse().ok())
            {
                acknowledged = number;
            }
        }
        let found = check_filled(folder.path());
        assert!(
            found >= acknowledged,
            "acknowledged {acknowledged}, found {found}"
        );
    }
}

/// Each batch replaces ten values, long enough for several segments, by its number.
fn fill_until_killed(folder: &Path) -> ! {
    let engine = SledEngine::open(folder).unwrap();
    let mut number = engine.view().unwrap().revision();
    loop {
        number += 1;
        let puts = (0..BATCH_KEYS)
            .map(|key| {
                let mut value = number.to_be_bytes().to_vec();
                value.resize(if key == 0 { 60_000 } else { 500 }, 7);
                (vec![1, u8::try_from(key).unwrap()], value)
            })
            .collect();
        assert_eq!(
            engine
                .commit(Batch {
                    puts,
                    ..Batch::default()
                })
                .unwrap(),
            number
        );
        let mut out = std::io::stdout().lock();
        writeln!(out, "committed {number}").unwrap();
        out.flush().unwrap();
    }
}

/// The number of the last batch; all of it must be there.
fn check_filled(folder: &Path) -> u64 {
    let engine = SledEngine::open(folder).unwrap();
    let view = engine.view().unwrap();
    let entries = view.range(&KeyRange::all(), Direction::Ascending, 100).unwrap();
    assert_eq!(entries.len(), usize::try_from(BATCH_KEYS).unwrap());
    for (_, versioned) in &entries {
        assert_eq!(versioned.revision, view.revision());
        assert_eq!(versioned.value[..8], view.revision().to_be_bytes());
    }
    view.revision()
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
