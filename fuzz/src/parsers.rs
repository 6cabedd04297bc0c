//! Gives bytes to each parser of what comes from outside, in the place of the medium, the person or the program that they would
//! come from. One place for two users: the targets of the coverage-guided fuzzer beside this file, and the blind harness of the
//! tests (`tests/e2e/fuzzing.rs`), which needs no compiler of its own and plays what the fuzzer has kept again.

mod bodies;
mod bundles;
mod data;

use std::fmt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The layers of a bundle, and what nodes are paired with.
pub const BUNDLES: [&str; 8] = [
    "bundle", "header", "items", "frames", "age", "records", "identity", "volumes",
];

/// What people upload, and what a store is kept in.
pub const DATA: [&str; 8] = [
    "csv",
    "npy",
    "parquet",
    "arrow",
    "png",
    "archive-gzip",
    "archive-tar",
    "store-dump",
];

/// What programs send.
pub const BODIES: [&str; 1] = ["bodies"];

/// A parser, with all that it stands on: keys, a folder, a node.
pub struct Parser {
    /// Golden files and such made by hand: what it takes.
    pub seeds: Vec<Vec<u8>>,
    feed: Feed,
}

type Feed = Box<dyn FnMut(&[u8]) -> bool>;

impl fmt::Debug for Parser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parser")
            .field("seeds", &self.seeds.len())
            .finish()
    }
}

impl Parser {
    /// The parser that goes by a name of the lists above.
    pub fn named(name: &str) -> Self {
        match name {
            "bundle" => bundles::bundle(),
            "header" => bundles::header(),
            "items" => bundles::items(),
            "frames" => bundles::frames(),
            "age" => bundles::age(),
            "records" => bundles::records(),
            "identity" => bundles::identity(),
            "volumes" => bundles::volumes(),
            "csv" => data::csv(),
            "npy" => data::npy(),
            "parquet" => data::parquet(),
            "arrow" => data::arrow(),
            "png" => data::png(),
            "archive-gzip" => data::archive_gzip(),
            "archive-tar" => data::archive_tar(),
            "bodies" => bodies::bodies(),
            "store-dump" => data::store_dump(),
            other => panic!("there is no parser {other}"),
        }
    }

    /// Whether it takes the input. Anything but an answer – a panic, an answer that must not be – is a finding.
    pub fn feed(&mut self, input: &[u8]) -> bool {
        (self.feed)(input)
    }

    fn new(seeds: Vec<Vec<u8>>, feed: impl FnMut(&[u8]) -> bool + 'static) -> Self {
        Self {
            seeds,
            feed: Box::new(feed),
        }
    }
}

/// A file of the project's own.
fn fixture(name: &str) -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Of the fuzzer's crate, which lies in the project's folder, or of the project itself.
    let root = match own.join("fixtures").is_dir() {
        true => own.to_owned(),
        false => own.join(".."),
    };
    root.join("fixtures").join(name)
}

/// A folder for what parsers read from files: in memory where the system has such a place, since inputs come by the thousand.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}
