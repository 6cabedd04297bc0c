//! The process that reads Parquet and Arrow, through the very functions that a node calls: it answers as reading in place does, and
//! a file that would keep or end a node ends it alone.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use poundlock::domain::asset::DataFormat;
use poundlock::domain::release::OutputFormat;
use poundlock::runtime::format::{DataFile, FormatError, Reader, Window};
use tempfile::TempDir;

const WINDOW: Window = Window {
    from: 0,
    rows: 20,
    from_column: 0,
    columns: 20,
};

fn apart() -> Reader {
    Reader::apart(env!("CARGO_BIN_EXE_poundlock"))
}

fn corpus(format: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/corpus")
        .join(format)
}

fn put(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("input");
    fs::write(&path, bytes).unwrap();
    path
}

/// A Parquet file whose footer is nothing but lists of 2^31 booleans each, which take no byte.
fn endless() -> Vec<u8> {
    // Thrift's compact protocol: fields from 15 on, of type list; each list of booleans, with its length behind it.
    let mut footer = Vec::new();
    for field in 0..20 {
        footer.push(if field == 0 { 0xf9 } else { 0x19 });
        footer.extend([0xf1, 0xff, 0xff, 0xff, 0xff, 0x07]);
    }
    footer.push(0);
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [&b"PAR1"[..], &footer, &length, b"PAR1"].concat()
}

fn detail(error: &FormatError) -> String {
    error.to_string()
}

/// What a file is to one who reads: its schema, its first rows, its values again, what it shares with itself. Errors by their text.
fn all_of(reader: &Reader, path: &Path, format: OutputFormat) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let mut told = Vec::new();
    if format == OutputFormat::Parquet {
        let file = DataFile {
            path,
            format: DataFormat::Parquet,
        };
        told.push(format!(
            "{:?}",
            reader.inspect(path, file.format).map_err(|e| detail(&e))
        ));
        told.push(format!(
            "{:?}",
            reader.shared_rows(file, file, &[7; 32]).map_err(|e| detail(&e))
        ));
    }
    let seen = reader.glance(File::open(path).unwrap(), format, WINDOW);
    told.push(format!("{:?}", seen.map_err(|e| detail(&e))));
    let written = reader.deposit(format, path, &made, 1 << 20);
    told.push(format!(
        "{:?}",
        written
            .map(|file| (file.hash, file.length, fs::read(&made).unwrap()))
            .map_err(|e| detail(&e))
    ));
    told
}

#[test]
fn a_process_of_its_own_says_what_reading_in_place_says() {
    let (there, here) = (apart(), Reader::in_this_process());
    for (name, format) in [("parquet", OutputFormat::Parquet), ("arrow", OutputFormat::Arrow)] {
        let mut files: Vec<_> = fs::read_dir(corpus(name))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let mut answered = 0;
        // Every seventh: some are tables, most are none.
        for path in files.iter().step_by(7) {
            let (apart, in_place) = (all_of(&there, path, format), all_of(&here, path, format));
            assert_eq!(apart, in_place, "{}", path.display());
            answered += apart.iter().filter(|told| told.starts_with("Ok")).count();
        }
        assert!(answered > 0, "{name}: none of them is a table");
    }
}

#[test]
fn a_file_that_makes_its_reader_panic_is_refused() {
    for (name, format) in [
        ("parquet/regression-short-bitmap", OutputFormat::Parquet),
        ("arrow/regression-short-buffer", OutputFormat::Arrow),
    ] {
        let window = Window { from: 1, ..WINDOW };
        let file = File::open(corpus(name)).unwrap();
        let told = apart().glance(file, format, window).unwrap_err();
        assert!(matches!(told, FormatError::Malformed { .. }), "{name}: {told}");
    }
}

#[test]
fn a_file_that_would_keep_its_reader_is_refused_when_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(&folder, &endless());
    let told = apart().within(1).inspect(&path, DataFormat::Parquet).unwrap_err();
    assert!(matches!(told, FormatError::Malformed { .. }), "{told:?}");
    assert!(
        told.to_string().contains("more than 1 s of processor time"),
        "{told}"
    );
}

/// The processes that this one has started to read with, as the kernel knows them.
fn readers() -> Vec<PathBuf> {
    let own = std::process::id().to_string();
    let is_reader = |process: &PathBuf| {
        let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1));
        let command = fs::read(process.join("cmdline")).unwrap_or_default();
        parent == Some(own.as_str()) && command.ends_with(b"__sandbox\0reader\0")
    };
    let processes = fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(is_reader)
        .collect()
}

fn status(process: &Path, field: &str) -> Option<String> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim().to_owned())
}

/// What a process has open.
fn open(process: &Path) -> BTreeSet<PathBuf> {
    let open = fs::read_dir(process.join("fd")).into_iter().flatten();
    open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .collect()
}

#[test]
fn while_it_reads_it_can_do_nothing_else() {
    // A node may be started with descriptors that do not close on execution; none may be open where a strange file is read.
    let inherited = nix::unistd::dup(File::open("/etc/passwd").unwrap()).unwrap();
    std::mem::forget(inherited);
    let folder = tempfile::tempdir().unwrap();
    let path = put(&folder, &endless());
    let (done, over) = mpsc::channel();
    std::thread::scope(|scope| {
        let asked = &path;
        scope.spawn(move || done.send(apart().within(9).inspect(asked, DataFormat::Parquet).is_err()));
        // Found once it has set its limits, which is the last thing before it reads.
        let process = loop {
            let found = readers().into_iter().find(|process| {
                open(process).contains(&path) && status(process, "Seccomp:").as_deref() == Some("2")
            });
            if let Some(process) = found {
                break process;
            }
            assert!(over.try_recv().is_err(), "it ended before it was seen");
            std::thread::yield_now();
        };
        assert_eq!(status(&process, "NoNewPrivs:").unwrap(), "1");
        assert_eq!(status(&process, "Threads:").unwrap(), "1");
        let limits = fs::read_to_string(process.join("limits")).unwrap();
        let limit = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(limit("Max cpu time"), "9");
        assert_eq!(limit("Max address space"), (2_u64 << 30).to_string());
        // With 0 a program that takes dumps would get the whole memory.
        assert_eq!(limit("Max core file size"), "1");
        let mut open = open(&process);
        assert!(
            open.remove(Path::new("/dev/null")) && open.remove(&path),
            "{open:?}"
        );
        open.retain(|target| !target.to_string_lossy().starts_with("socket:"));
        assert!(open.is_empty(), "it also holds {open:?}");
        let pid = nix::unistd::Pid::from_raw(process.file_name().unwrap().to_str().unwrap().parse().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        assert!(
            over.recv().unwrap(),
            "the file counts as refused when its reader is gone"
        );
    });
}

#[test]
fn a_program_that_is_no_reader_is_not_taken_for_the_files_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(&folder, &endless());
    for program in ["/bin/true", "/nonexistent"] {
        let told = Reader::apart(program)
            .inspect(&path, DataFormat::Parquet)
            .unwrap_err();
        assert!(matches!(told, FormatError::Io { .. }), "{program}: {told:?}");
    }
}

#[test]
fn a_result_that_is_too_long_is_told_as_such_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = fs::read_dir(corpus("parquet")).unwrap();
    let made = folder.path().join("made");
    let reader = apart();
    let (path, length) = files
        .find_map(|entry| {
            let path = entry.unwrap().path();
            let written = reader
                .deposit(OutputFormat::Parquet, &path, &made, 1 << 20)
                .ok()?;
            fs::remove_file(&made).unwrap();
            Some((path, written.length))
        })
        .unwrap();
    let read = fs::metadata(&path).unwrap().len();
    assert!(read < length, "the test needs a file that grows");
    let told = reader
        .deposit(OutputFormat::Parquet, &path, &made, length - 1)
        .unwrap_err();
    assert!(
        matches!(told, FormatError::TooLong(most) if most == length - 1),
        "{told:?}"
    );
    assert!(!made.try_exists().unwrap());
}
