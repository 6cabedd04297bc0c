//! Everything that parses what comes from outside, fed with golden files of which a few bytes were changed, and with the inputs
//! that the coverage-guided fuzzer has kept (`fixtures/corpus`, made by `scripts/fuzz`): whatever comes of it is an answer or a
//! refusal, and never a panic, a hang or more than a few seconds. What a node reads in another process is read there.
//!
//! `POUNDLOCK_TEST_FUZZ_SECONDS` says how long each parser is fed (2 where it says nothing), `POUNDLOCK_TEST_SEED` from which seed.
//! An input that makes one panic is kept, and its place is printed: it becomes a test beside the parser.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::histories::Random;
use crate::node::fixture;
use parsers::{BODIES, BUNDLES, DATA, Parser};

#[path = "../../fuzz/src/parsers.rs"]
mod parsers;

/// Changes a few bytes: flips, replacements, insertions, pieces that are cut out, repeated or moved, and numbers that parsers
/// stumble over.
fn mutate(seed: &[u8], random: &mut Random) -> Vec<u8> {
    const STUMBLES: [&[u8]; 14] = [
        &[0],
        &[0xff],
        &[0x7f],
        &[0x80],
        &[0xff; 2],
        &[0xff; 4],
        &[0xff; 8],
        &[0; 8],
        b"\"",
        b"\r\n",
        b",",
        b"\xe2\x80\xae",
        &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        b"{'descr': '|O', ",
    ];
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        let length = bytes.len();
        let at = random.below(length + 1);
        let end = (at + 1 + random.below(32)).min(length);
        match random.below(8) {
            0 | 1 if at < length => bytes[at] ^= 1 << random.below(8),
            2 if at < length => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            3 => {
                let stumble = STUMBLES[random.below(STUMBLES.len())];
                bytes.splice(at..at, stumble.iter().copied());
            }
            4 if at < end => drop(bytes.drain(at..end)),
            5 if at < end => {
                let piece = bytes[at..end].to_vec();
                let to = random.below(length + 1);
                bytes.splice(to..to, piece);
            }
            6 => bytes.truncate(at),
            _ => {
                let stumble = STUMBLES[random.below(STUMBLES.len())];
                let end = (at + stumble.len()).min(length);
                bytes.splice(at..end, stumble.iter().copied());
            }
        }
    }
    bytes
}

/// What one input may take: most are parsed within a millisecond. A table may take five processes a second of processor time each.
const PATIENCE: Duration = Duration::from_secs(30);

/// Feeds parsers for a while.
struct Feeder {
    random: Random,
    time: Duration,
    kept: PathBuf,
}

impl Feeder {
    fn new() -> Self {
        let number = |variable: &str, usual: u64| {
            std::env::var(variable).map_or(usual, |number| number.parse().unwrap())
        };
        Self {
            random: Random(number("POUNDLOCK_TEST_SEED", 1)),
            time: Duration::from_secs(number("POUNDLOCK_TEST_FUZZ_SECONDS", 2)),
            kept: std::env::temp_dir(),
        }
    }

    /// The parser must take its own seeds; what the fuzzer kept it may refuse.
    fn feed(&mut self, name: &str) {
        let mut parser = Parser::named(name);
        let mut seeds = std::mem::take(&mut parser.seeds);
        for seed in &seeds {
            assert!(parser.feed(seed), "{name}: a seed is refused");
        }
        let corpus = corpus(name);
        let kept_taken = corpus
            .iter()
            .filter(|input| self.one(name, &mut parser, input))
            .count();
        println!(
            "{name}: {} seeds; {} kept inputs, {kept_taken} of them taken",
            seeds.len(),
            corpus.len()
        );
        seeds.extend(corpus);
        let (begun, mut inputs, mut taken) = (Instant::now(), 0_u64, 0_u64);
        while begun.elapsed() < self.time {
            let seed = &seeds[self.random.below(seeds.len())];
            let input = mutate(seed, &mut self.random);
            taken += u64::from(self.one(name, &mut parser, &input));
            inputs += 1;
        }
        println!(
            "{name}: {inputs} inputs in {:?}, {taken} of them taken",
            begun.elapsed()
        );
    }

    /// Whether one input is taken.
    fn one(&self, name: &str, parser: &mut Parser, input: &[u8]) -> bool {
        let started = Instant::now();
        let parsed = catch_unwind(AssertUnwindSafe(|| parser.feed(input)));
        let took = started.elapsed();
        match parsed {
            Ok(taken) if took < PATIENCE => taken,
            _ => {
                let hash = blake3::hash(input).to_hex();
                let path = self.kept.join(format!("poundlock-{name}-{}", &hash[..16]));
                std::fs::write(&path, input).unwrap();
                panic!(
                    "{name}: a panic, or too long ({took:?}); the input is in {}",
                    path.display()
                );
            }
        }
    }
}

/// What the fuzzer has kept for a parser.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let mut files = names(&fixture("corpus").join(name));
    files.retain(|file| !file.starts_with('.'));
    assert!(!files.is_empty(), "{name}: no input was kept");
    let read = |file| std::fs::read(fixture("corpus").join(name).join(file)).unwrap();
    files.into_iter().map(read).collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn bundles_and_what_is_in_them_are_parsed_without_panic() {
    let mut feeder = Feeder::new();
    BUNDLES.iter().for_each(|name| feeder.feed(name));
}

#[test]
fn data_and_archives_are_parsed_without_panic() {
    let mut feeder = Feeder::new();
    DATA.iter().for_each(|name| feeder.feed(name));
}

#[test]
fn bodies_of_the_api_are_parsed_without_panic() {
    let mut feeder = Feeder::new();
    BODIES.iter().for_each(|name| feeder.feed(name));
}

#[test]
fn every_target_of_the_fuzzer_is_fed_here_too() {
    let fed = [&BUNDLES[..], &DATA, &BODIES].concat();
    let fed: BTreeSet<String> = fed.iter().map(|name| (*name).to_owned()).collect();
    let targets = names(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/targets")));
    let targets = targets
        .iter()
        .map(|file| file.trim_end_matches(".rs").replace('_', "-"));
    assert_eq!(targets.collect::<BTreeSet<_>>(), fed);
    assert_eq!(names(&fixture("corpus")), fed);
}
