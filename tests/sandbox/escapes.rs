//! Walks `fixtures/escapes`: programs of which each tries to get out in one way. The first comment lines of a program say
//! what it tries and what must come of it:
//!
//! ```text
//! # tries: what it is after
//! # expect: returns "blocked" | returns png | fails <stop or exception class> | times out
//! # needs: numpy                 (runs with the interpreter that has packages)
//! # arch: x86_64                 (its system-call numbers or machine code are of that architecture)
//! # wall: 1   or   # cpu: 1      (its limit, in seconds)
//! ```
//!
//! `@OUTSIDE@`, `@ASSET@` and `@NODE@` in a program stand for a file that everybody may read, for an asset that is not
//! bound, and for the node's process. Whatever a program is expected to do, nothing outside may have changed after it, and
//! the words `escaped` and `SMUGGLED` may stand neither in its result nor in its failure report.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use poundlock::domain::asset::DataFormat;
use poundlock::domain::release::OutputFormat;
use poundlock::runtime::{Argument, FailureReport, Outcome};

use crate::workshop::{Workshop, log};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/escapes");
/// Fewer programs than this mean that the folder was not found whole.
const PROGRAMS_MIN: usize = 50;

struct Program {
    name: String,
    source: String,
    says: BTreeMap<String, String>,
}

impl Program {
    fn read(path: &Path) -> Self {
        let source = std::fs::read_to_string(path).unwrap();
        let head = source
            .lines()
            .map_while(|line| line.strip_prefix("# ")?.split_once(": "));
        let says = head
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            source,
            says,
        }
    }

    fn says(&self, key: &str) -> Option<&str> {
        self.says.get(key).map(String::as_str)
    }

    fn fits_machine(&self) -> bool {
        self.says("arch")
            .is_none_or(|arch| arch == std::env::consts::ARCH)
    }
}

fn programs() -> Vec<Program> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
    paths.sort();
    assert!(
        paths.len() >= PROGRAMS_MIN,
        "only {} programs in {FOLDER}",
        paths.len()
    );
    paths.iter().map(|path| Program::read(path)).collect()
}

/// What lies outside, and what must still be the same afterwards.
struct Outside {
    folder: tempfile::TempDir,
}

impl Outside {
    fn lay() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["outside.txt", "unbound-asset.csv", "input.csv"] {
            std::fs::write(folder.path().join(name), "a,b\n1,2\n").unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn state(&self) -> Vec<(PathBuf, Vec<u8>, u32, i64, i64)> {
        let mut state: Vec<_> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let found = std::fs::symlink_metadata(&path).unwrap();
                let content = std::fs::read(&path).unwrap();
                (
                    path,
                    content,
                    found.mode(),
                    found.mtime_nsec(),
                    found.ctime_nsec(),
                )
            })
            .collect();
        state.sort();
        state
    }
}

fn run(workshop: &Workshop, program: &Program) -> Result<(), String> {
    let outside = Outside::lay();
    let before = outside.state();
    let source = program
        .source
        .replace("@OUTSIDE@", &outside.path("outside.txt").to_string_lossy())
        .replace("@ASSET@", &outside.path("unbound-asset.csv").to_string_lossy())
        .replace("@NODE@", &std::process::id().to_string());
    let mut job = workshop.job(&source);
    let input = Argument::Asset {
        path: outside.path("input.csv"),
        format: DataFormat::Csv,
    };
    job.arguments = vec![("x".to_owned(), input)];
    let seconds = |key: &str| program.says(key).map(|seconds| seconds.parse::<u64>().unwrap());
    job.limits.wall_seconds = seconds("wall").unwrap_or(job.limits.wall_seconds);
    job.limits.cpu_seconds = seconds("cpu").unwrap_or(job.limits.cpu_seconds);
    job.limits.memory_bytes = 1 << 30;
    let outcome = workshop
        .run(&job)
        .map_err(|error| format!("did not run: {error}"))?
        .outcome;
    let log = log(&job);
    if outside.state() != before {
        return Err("something outside has changed".to_owned());
    }
    if log.len() as u64 > job.limits.log_bytes + 100 {
        return Err(format!("its log has {} bytes", log.len()));
    }
    let files: Vec<_> = std::fs::read_dir(&job.folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    let expected_files = if matches!(outcome, Outcome::Succeeded(_)) {
        2
    } else {
        1
    };
    if files.len() != expected_files {
        return Err(format!("it left {files:?}"));
    }
    judge(program.says("expect").unwrap_or_default(), &outcome).map_err(|problem| format!("{problem}\n{log}"))
}

fn judge(expected: &str, outcome: &Outcome) -> Result<(), String> {
    let told = match outcome {
        Outcome::Succeeded(file) => std::fs::read(&file.path).unwrap(),
        other => serde_json::to_vec(&format!("{other:?}")).unwrap(),
    };
    let text = String::from_utf8_lossy(&told);
    if text.contains("escaped") || text.contains("SMUGGLED") {
        return Err(text.into_owned());
    }
    let met = match (expected, outcome) {
        ("returns \"blocked\"", Outcome::Succeeded(_)) => text == "\"blocked\"\n",
        ("returns png", Outcome::Succeeded(file)) => file.format == OutputFormat::Png,
        ("times out", Outcome::TimedOut) => true,
        (expected, Outcome::Failed(report)) => expected
            .strip_prefix("fails ")
            .is_some_and(|how| how == stop_or_class(report)),
        _ => false,
    };
    if met {
        Ok(())
    } else {
        Err(format!("expected {expected}, found {outcome:?} {text}"))
    }
}

fn stop_or_class(report: &FailureReport) -> String {
    match report.stopped_by {
        Some(stop) => serde_json::to_value(stop).unwrap().as_str().unwrap().to_owned(),
        None => report.class.name().to_owned(),
    }
}

fn run_all(workshop: &Arc<Workshop>, wanted: impl Fn(&Program) -> bool) {
    let mut escaped = Vec::new();
    let mut ran = 0;
    for program in programs()
        .iter()
        .filter(|program| wanted(program) && program.fits_machine())
    {
        assert!(
            program.says("tries").is_some() && program.says("expect").is_some(),
            "{}",
            program.name
        );
        ran += 1;
        if let Err(problem) = run(workshop, program) {
            escaped.push(format!("{}: {problem}", program.name));
        }
    }
    assert!(ran > 0, "no program ran");
    assert!(
        escaped.is_empty(),
        "{} of {ran} programs:\n{}",
        escaped.len(),
        escaped.join("\n")
    );
}

#[test]
fn no_program_escapes_the_bare_interpreter() {
    run_all(&Workshop::bare(), |program| program.says("needs").is_none());
}

#[test]
fn no_program_escapes_the_interpreter_with_packages() {
    run_all(&Workshop::scientific(), |_| true);
}
