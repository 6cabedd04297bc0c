//! Everything that parses what comes from outside, fed with golden files of which a few bytes were changed: whatever comes of it is
//! an answer or a refusal, and never a panic, a hang or more than a few seconds.
//!
//! `POUNDLOCK_TEST_FUZZ_SECONDS` says how long each parser is fed (2 where it says nothing), `POUNDLOCK_TEST_SEED` from which seed.
//! An input that makes one panic is kept, and its place is printed: it becomes a test beside the parser.

use std::io::{Cursor, Read, Write};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use poundlock::acts::inbox;
use poundlock::domain::archive;
use poundlock::domain::asset::DataFormat;
use poundlock::domain::side::Level;
use poundlock::runtime::archive::{UnpackError, unpack};
use poundlock::runtime::format::{Window, glance_at_asset, inspect, inspect_csv};
use poundlock::store::dump::{self, DumpError};
use poundlock_transport::volumes::{VolumeCollector, VolumeTable};
use poundlock_transport::{
    BlobHash, Header, Limits, NodeIdentity, PublicIdentity, Received, Refusal, Side, Sink, craft,
};

use crate::forge::{Outsider, Parts};
use crate::histories::Random;
use crate::node::fixture;
use crate::stage::stranger_project;

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

/// What is looked at of a table.
const WINDOW: Window = Window {
    from: 0,
    rows: 20,
    from_column: 0,
    columns: 20,
};

/// Feeds a parser for a while.
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

    /// `parse` says whether it took the input; the seeds themselves must be taken.
    fn feed(&mut self, name: &str, seeds: &[Vec<u8>], mut parse: impl FnMut(&[u8]) -> bool) {
        for seed in seeds {
            assert!(parse(seed), "{name}: a seed is refused");
        }
        let (begun, mut inputs, mut taken) = (Instant::now(), 0_u64, 0_u64);
        while begun.elapsed() < self.time {
            let seed = &seeds[self.random.below(seeds.len())];
            let input = mutate(seed, &mut self.random);
            let started = Instant::now();
            let parsed = catch_unwind(AssertUnwindSafe(|| parse(&input)));
            let took = started.elapsed();
            if parsed.is_err() || took > Duration::from_secs(10) {
                let path = self.kept.join(format!("poundlock-{name}-{inputs}"));
                std::fs::write(&path, &input).unwrap();
                panic!(
                    "{name}: a panic, or too long ({took:?}); the input is in {}",
                    path.display()
                );
            }
            inputs += 1;
            taken += u64::from(parsed.is_ok_and(|taken| taken));
        }
        println!(
            "{name}: {inputs} inputs in {:?}, {taken} of them taken",
            begun.elapsed()
        );
    }
}

struct Nothing;

impl Sink for Nothing {
    fn header(&mut self, _: &Header) -> Result<(), Refusal> {
        Ok(())
    }
    fn record(&mut self, _: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }
    fn blob_start(&mut self, _: &BlobHash, _: u64) -> Result<(), Refusal> {
        Ok(())
    }
    fn blob_bytes(&mut self, _: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }
    fn blob_end(&mut self, _: &BlobHash) -> Result<(), Refusal> {
        Ok(())
    }
}

/// The golden nodes. Their key files are kept open to everybody, which a node's may not be.
fn key(name: &str, folder: &Path) -> NodeIdentity {
    let copy = folder.join(name);
    std::fs::copy(fixture("bundles/v1").join(name), &copy).unwrap();
    std::fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    NodeIdentity::load(&copy).unwrap()
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(fixture("bundles/v1").join(name)).unwrap()
}

fn public(name: &str) -> PublicIdentity {
    PublicIdentity::from_text(&String::from_utf8(golden(name)).unwrap()).unwrap()
}

#[test]
fn bundles_and_what_is_in_them_are_parsed_without_panic() {
    let folder = tempfile::tempdir().unwrap();
    let (low, high) = (key("low.key", folder.path()), key("high.key", folder.path()));
    let (low_public, high_public) = (public("low.public"), public("high.public"));
    let file = folder.path().join("input");
    let limits = Limits {
        workers: NonZeroUsize::MIN,
        free_reserve: 0,
        plain_bytes: 64 << 20,
        ..Limits::default()
    };
    let open = |bundle: &[u8]| {
        std::fs::write(&file, bundle).unwrap();
        drop(poundlock_transport::inspect(&file));
        let Ok(received) = Received::open(&file, &limits) else {
            return false;
        };
        let Ok(verified) = received.verify(&[&low_public]) else {
            return false;
        };
        verified.unpack(&high, &limits, &mut Nothing).is_ok()
    };
    let mut feeder = Feeder::new();
    let bundles = ["empty.plk", "records.plk", "blobs.plk"].map(golden);
    feeder.feed("bundle-file", &bundles, open);

    // Behind the signature: age, frames, items, each signed by the golden sender.
    let parts: Vec<Parts> = ["empty.plk", "records.plk", "blobs.plk"]
        .iter()
        .map(|name| Parts::open(&fixture("bundles/v1").join(name), &low_public, &high))
        .collect();
    let plain: Vec<Vec<u8>> = parts.iter().map(Parts::plain).collect();
    feeder.feed("items", &plain, |plain| {
        open(&craft::bundle_of(plain, &low, &high_public))
    });
    let compressed: Vec<Vec<u8>> = plain
        .iter()
        .map(|plain| craft::compressed_stream(plain))
        .collect();
    let encrypted = |compressed: &[u8]| craft::age_file(compressed, &[&high_public]);
    feeder.feed("frames", &compressed, |frames| {
        open(&craft::signed_file(&encrypted(frames), &low))
    });
    let age: Vec<Vec<u8>> = compressed.iter().map(|frames| encrypted(frames)).collect();
    feeder.feed("age", &age, |age| open(&craft::signed_file(age, &low)));

    let stranger = Outsider::new(Side::Low);
    let records = stranger_project(&stranger, "Mine");
    feeder.feed("records", &records, |record| {
        drop(inbox::decode(Level::Low, record));
        inbox::decode(Level::High, record).is_ok()
    });
    let identities = [golden("low.public"), golden("high.public")];
    feeder.feed("identity", &identities, |text| {
        std::str::from_utf8(text).is_ok_and(|text| PublicIdentity::from_text(text).is_ok())
    });
    let volumes = folder.path().join("volumes");
    std::fs::create_dir(&volumes).unwrap();
    let (mut table, mut others) = (None, Vec::new());
    for entry in std::fs::read_dir(fixture("bundles/v1/volumes")).unwrap() {
        let path = entry.unwrap().path();
        match VolumeTable::read(&path, &[&low_public]) {
            Ok(_) => {
                table = Some((
                    path.file_name().unwrap().to_owned(),
                    std::fs::read(&path).unwrap(),
                ))
            }
            Err(_) => others.push(path),
        }
    }
    let (name, table) = table.expect("one of the golden volumes is the table");
    for path in &others {
        std::fs::copy(path, volumes.join(path.file_name().unwrap())).unwrap();
    }
    let joined = folder.path().join("joined");
    feeder.feed("volumes", &[table], |table| {
        std::fs::write(volumes.join(&name), table).unwrap();
        let read = VolumeTable::read(&volumes.join(&name), &[&low_public]);
        drop(std::fs::remove_file(&joined));
        let collected = VolumeCollector::open(&volumes.join(&name), &joined, &[&low_public], &limits);
        if let Ok(mut collector) = collected {
            drop(collector.take_from(&volumes));
        }
        read.is_ok()
    });
}

#[test]
fn data_and_archives_are_parsed_without_panic() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("input");
    let mut feeder = Feeder::new();
    let look = |format: DataFormat, bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        drop(inspect_csv(&file));
        drop(glance_at_asset(
            std::fs::File::open(&file).unwrap(),
            format,
            WINDOW,
        ));
        inspect(&file, format).is_ok()
    };
    let csv = ["data/pima_train.csv", "data/lung_cancer.csv"].map(|name| {
        let whole = std::fs::read(fixture(name)).unwrap();
        let end = whole
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .nth(20)
            .unwrap()
            .0;
        whole[..=end].to_vec()
    });
    feeder.feed("csv", &csv, |bytes| look(DataFormat::Csv, bytes));
    let npy = [("<f8", "(3, 2)", 48), ("|u1", "(7,)", 7), ("<i4", "()", 4)].map(|(kind, shape, length)| {
        let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        let padded = format!("{text:<117}\n");
        [
            &b"\x93NUMPY\x01\x00"[..],
            &118_u16.to_le_bytes(),
            padded.as_bytes(),
            &vec![1; length],
        ]
        .concat()
    });
    feeder.feed("npy", &npy, |bytes| look(DataFormat::Npy, bytes));

    let limits = archive::Limits::new(4 << 20);
    let take = |packed: &[u8]| {
        let mut packed = Cursor::new(packed);
        unpack(&mut packed, &limits, |_, content| {
            let mut read = Vec::new();
            content
                .read_to_end(&mut read)
                .map(drop)
                .or(Ok::<_, UnpackError>(()))
        })
        .is_ok()
    };
    let packed = std::fs::read(fixture("archives/pima.tar.gz")).unwrap();
    feeder.feed("archive-gzip", std::slice::from_ref(&packed), take);
    let mut tar = Vec::new();
    flate2::read::MultiGzDecoder::new(packed.as_slice())
        .read_to_end(&mut tar)
        .unwrap();
    feeder.feed("archive-tar", &[tar], |tar| {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(tar).unwrap();
        take(&writer.finish().unwrap())
    });

    let entries = b"PNDLDUMP\x01\0\0\0\x02\0\x03\0\0\0\x07\x01abc\0\0\x01\0\0\0\0\0\0\0";
    let dumped = [&entries[..], blake3::hash(entries).as_bytes()].concat();
    feeder.feed("store-dump", &[dumped], |bytes| {
        dump::read(bytes, |_, _| Ok::<_, DumpError>(())).is_ok()
    });
}
