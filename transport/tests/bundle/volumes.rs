use std::path::{Path, PathBuf};

use poundlock_transport::volumes::{VolumeCollector, VolumeError, VolumeSplitter, VolumeTable};
use poundlock_transport::{Limits, ReceiveError};

use crate::support::*;

const SIZE: u64 = 100_000;

struct Split {
    pair: Pair,
    stick: PathBuf,
    table: PathBuf,
    splitter: VolumeSplitter,
    bytes: Vec<u8>,
}

fn split() -> Split {
    let pair = Pair::new();
    let written = pair.write("a.plk", &[b"\x63one"], &[&noise(1, 500_000)], 1);
    let bytes = std::fs::read(&written.path).unwrap();
    let stick = pair.path("stick");
    std::fs::create_dir(&stick).unwrap();
    let mut splitter = VolumeSplitter::new(&written.path, SIZE, &pair.low).unwrap();
    let paths = splitter.write_all(&stick).unwrap();
    assert_eq!(paths.len() as u64, 1 + (bytes.len() as u64).div_ceil(SIZE));
    Split {
        table: paths[0].clone(),
        pair,
        stick,
        splitter,
        bytes,
    }
}

impl Split {
    fn collector(&self) -> VolumeCollector {
        VolumeCollector::open(
            &self.table,
            &self.pair.path("q"),
            &[&public(&self.pair.low)],
            &limits(),
        )
        .unwrap()
    }

    fn volume(&self, number: usize) -> PathBuf {
        self.stick.join(self.splitter.table().volume_name(number))
    }
}

#[test]
fn volumes_from_one_folder_make_the_bundle() {
    let split = split();
    let mut collector = split.collector();
    assert_eq!(collector.missing().len(), split.splitter.table().volumes().len());
    let collected = collector.take_from(&split.stick).unwrap();
    assert!(
        collected.bad.is_empty() && collected.stray.is_empty(),
        "{collected:?}"
    );
    let received = collector.finish(&limits()).unwrap();
    assert_eq!(std::fs::read(received.path()).unwrap(), split.bytes);
    let verified = received.verify(&[&public(&split.pair.low)]).unwrap();
    let mut kept = Kept::default();
    verified.unpack(&split.pair.high, &limits(), &mut kept).unwrap();
    assert_eq!(kept.blobs[0].1, noise(1, 500_000));
}

#[test]
fn a_split_that_was_broken_off_goes_on() {
    let mut split = split();
    std::fs::remove_file(split.volume(2)).unwrap();
    let stick = split.stick.clone();
    let paths = split.splitter.write_all(&stick).unwrap();
    assert_eq!(paths.len(), 1 + split.splitter.table().volumes().len());
    let mut collector = split.collector();
    assert!(collector.take_from(&stick).unwrap().bad.is_empty());
    assert_eq!(
        std::fs::read(collector.finish(&limits()).unwrap().path()).unwrap(),
        split.bytes
    );
    // What bears the name and is not the volume stays as it is.
    for other in ["short".to_owned(), "x".repeat(usize::try_from(SIZE).unwrap())] {
        std::fs::write(split.volume(1), &other).unwrap();
        let refused = split.splitter.write_volume(1, &stick);
        assert!(matches!(refused, Err(VolumeError::Exists(_))), "{refused:?}");
        assert_eq!(std::fs::read(split.volume(1)).unwrap(), other.as_bytes());
    }
}

#[test]
fn names_suit_every_medium() {
    let split = split();
    for entry in std::fs::read_dir(&split.stick).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name.len() <= 12 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
            "{name}"
        );
    }
}

/// Any order, any media, a restart in between, and only what is missing or bad is wanted again.
#[test]
fn volumes_come_in_any_order_from_any_media() {
    let mut split = split();
    let count = split.splitter.table().volumes().len();
    let other = split.pair.path("other");
    std::fs::create_dir(&other).unwrap();
    // Odd ones on the other medium; one of the even ones damaged.
    for number in (1..count).step_by(2) {
        std::fs::rename(
            split.volume(number),
            other.join(split.volume(number).file_name().unwrap()),
        )
        .unwrap();
    }
    let mut damaged = std::fs::read(split.volume(2)).unwrap();
    damaged[77] ^= 1;
    std::fs::write(split.volume(2), &damaged).unwrap();
    std::fs::write(split.stick.join("notes\u{1b}[31m.txt"), "hello").unwrap();

    let mut collector = split.collector();
    assert_eq!(collector.take_from(&other).unwrap().taken.len(), count / 2);
    drop(collector);
    let mut collector = split.collector();
    let bad = split.splitter.table().volume_name(2);
    let collected = collector.take_from(&split.stick).unwrap();
    assert_eq!(collected.bad, std::slice::from_ref(&bad));
    assert_eq!(collected.stray, ["notes\\u{1b}[31m.txt"]);
    assert_eq!(collector.missing(), std::slice::from_ref(&bad));
    assert!(matches!(collector.finish(&limits()), Err(VolumeError::Missing(names)) if names == [bad]));

    std::fs::remove_file(split.volume(2)).unwrap();
    let stick = split.stick.clone();
    split.splitter.write_volume(2, &stick).unwrap();
    let mut collector = split.collector();
    assert_eq!(collector.take_from(&split.stick).unwrap().taken.len(), 1);
    let received = collector.finish(&limits()).unwrap();
    assert_eq!(std::fs::read(received.path()).unwrap(), split.bytes);
}

#[test]
fn swapped_cut_and_foreign_volumes_are_named() {
    let split = split();
    let name = |number| split.splitter.table().volume_name(number);
    let (first, second) = (
        std::fs::read(split.volume(0)).unwrap(),
        std::fs::read(split.volume(1)).unwrap(),
    );
    std::fs::write(split.volume(0), &second).unwrap();
    std::fs::write(split.volume(1), &first).unwrap();
    std::fs::write(split.volume(2), &first[..5000]).unwrap();
    std::fs::remove_file(split.volume(3)).unwrap();
    std::os::unix::fs::symlink(split.volume(4), split.volume(3)).unwrap();
    let mut collector = split.collector();
    let collected = collector.take_from(&split.stick).unwrap();
    assert_eq!(collected.bad, [name(0), name(1), name(2), name(3)]);
    assert_eq!(collector.missing(), collected.bad);
}

#[test]
fn tables_are_believed_only_from_peers_and_whole() {
    let split = split();
    let low = public(&split.pair.low);
    let read = |path: &Path| VolumeTable::read(path, &[&low]);
    assert_eq!(&read(&split.table).unwrap(), split.splitter.table());
    assert!(matches!(
        VolumeTable::read(&split.table, &[&public(&split.pair.high)]),
        Err(VolumeError::Signature(_))
    ));
    assert!(matches!(read(&split.volume(0)), Err(VolumeError::NotATable)));
    let good = std::fs::read(&split.table).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&split.table, &bad).unwrap();
        assert!(read(&split.table).is_err(), "byte {at}");
        std::fs::write(&split.table, &good[..at]).unwrap();
        assert!(read(&split.table).is_err(), "cut at {at}");
    }
}

#[test]
fn sizes_owners_and_limits_are_checked() {
    let split = split();
    let bundle = split.pair.path("a.plk");
    let new = |size, signer| VolumeSplitter::new(&bundle, size, signer).map(|_| ());
    assert!(matches!(
        new(1000, &split.pair.low),
        Err(VolumeError::VolumeSize(1000))
    ));
    assert!(matches!(
        new(u64::MAX, &split.pair.low),
        Err(VolumeError::VolumeSize(_))
    ));
    assert!(matches!(new(SIZE, &split.pair.high), Err(VolumeError::NotOurs)));
    let sparse = std::fs::OpenOptions::new().write(true).open(&bundle).unwrap();
    sparse.set_len(1 << 30).unwrap();
    assert!(matches!(
        new(16 << 10, &split.pair.low),
        Err(VolumeError::TooMany(_))
    ));

    let small = Limits {
        file_bytes: 1000,
        ..limits()
    };
    let open = VolumeCollector::open(
        &split.table,
        &split.pair.path("q"),
        &[&public(&split.pair.low)],
        &small,
    );
    assert!(matches!(
        open,
        Err(VolumeError::Receive(ReceiveError::TooLarge { .. }))
    ));
    let full = Limits {
        free_reserve: u64::MAX / 2,
        ..limits()
    };
    let open = VolumeCollector::open(
        &split.table,
        &split.pair.path("q"),
        &[&public(&split.pair.low)],
        &full,
    );
    assert!(matches!(
        open,
        Err(VolumeError::Receive(ReceiveError::NoSpace { .. }))
    ));
    assert!(!split.pair.path("q").try_exists().unwrap());
}

/// More than a thousand volumes: names sort by number only in the table, and that is what counts.
#[test]
fn a_thousand_volumes() {
    let pair = Pair::new();
    let written = pair.write("a.plk", &[], &[&noise(1, 16_500_000)], 2);
    let stick = pair.path("stick");
    std::fs::create_dir(&stick).unwrap();
    let mut splitter = VolumeSplitter::new(&written.path, 16 << 10, &pair.low).unwrap();
    assert!(splitter.table().volumes().len() > 1000);
    let table = splitter.write_all(&stick).unwrap().remove(0);
    let mut collector =
        VolumeCollector::open(&table, &pair.path("q"), &[&public(&pair.low)], &limits()).unwrap();
    collector.take_from(&stick).unwrap();
    assert_eq!(collector.finish(&limits()).unwrap().hash(), written.hash);
}
