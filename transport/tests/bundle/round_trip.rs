use std::io::Cursor;

use poundlock_transport::{
    BlobHash, BundleWriter, Contents, Direction, Limits, NodeIdentity, Received, Side, WriteError,
    check_signature, inspect, inspect_header, receive,
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::*;

/// A CBOR byte string: the simplest record of any size.
fn record(bytes: &[u8]) -> Vec<u8> {
    poundlock_transport::cbor::to_deterministic_vec(&ciborium::Value::Bytes(bytes.to_vec())).unwrap()
}

#[test]
fn everything_arrives_as_it_was_sent() {
    let pair = Pair::new();
    let (text, random) = (b"age,sex\n".repeat(300_000), noise(1, 2_500_000));
    let records = [record(b"one"), record(&noise(2, 200_000)), record(b"")];
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let written = pair.write("a.plk", &records, &[&text, &random, b""], 2);
    let (unpacked, kept) = pair.take(&written.path, &limits()).unwrap();

    assert_eq!(kept.records, records);
    let blobs: Vec<&[u8]> = kept.blobs.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    assert_eq!(blobs, sorted(&[&text, &random, b""]));
    assert!(
        kept.blobs
            .iter()
            .all(|(hash, bytes)| BlobHash::of(bytes) == *hash)
    );
    assert_eq!(kept.ended, 3);
    assert_eq!(kept.header.as_ref(), Some(&written.header));
    assert_eq!(unpacked.header(), &written.header);
    assert_eq!(unpacked.hash(), written.hash);
    assert_eq!(unpacked.signer(), &public(&pair.low));
    assert_eq!(written.header.direction, Direction::Up);
    assert_eq!(std::fs::metadata(&written.path).unwrap().len(), written.size);
}

#[test]
fn answers_go_down() {
    let pair = Pair::new();
    let outgoing = outgoing(Contents::default());
    let target = pair.path("down.plk");
    let to = public(&pair.low);
    let writer = BundleWriter::create(&target, &pair.high, &to, &outgoing, workers(1)).unwrap();
    assert_eq!(writer.header().direction, Direction::Down);
    writer.finish().unwrap();
    let received = receive(&target, &pair.path("q"), &limits()).unwrap();
    let verified = received
        .verify(&[&public(&node(Side::High)), &public(&pair.high)])
        .unwrap();
    assert_eq!(verified.signer(), &public(&pair.high));
    verified
        .unpack(&pair.low, &limits(), &mut Kept::default())
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// Any records and blobs, any number of workers: what arrives is the same, and so is the compressed stream.
    #[test]
    fn any_contents_any_workers(
        record_sizes in proptest::collection::vec(0usize..30_000, 0..8),
        blob_sizes in proptest::collection::vec(prop_oneof![0usize..5000, 1_000_000usize..2_300_000], 0..3),
        threads in 1usize..5,
    ) {
        let pair = Pair::new();
        let records: Vec<Vec<u8>> =
            record_sizes.iter().enumerate().map(|(i, size)| record(&noise(i as u64, *size))).collect();
        let blobs: Vec<Vec<u8>> = blob_sizes
            .iter()
            .enumerate()
            .map(|(i, size)| if i % 2 == 0 { noise(i as u64, *size) } else { vec![i.to_le_bytes()[0]; *size] })
            .collect();
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let mut blobs: Vec<&[u8]> = sorted(&blobs.iter().map(Vec::as_slice).collect::<Vec<_>>());
        blobs.dedup();
        let written = pair.write("any.plk", &records, &blobs, threads);
        let (_, kept) = pair.take(&written.path, &limits()).unwrap();
        prop_assert_eq!(kept.records, records);
        prop_assert_eq!(kept.blobs.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>(), blobs);
    }
}

/// Nothing in the clear but magic, signature and what age shows: no key, id or name, and no two alike.
#[test]
fn nothing_telling_stands_in_the_clear_and_small_bundles_look_alike() {
    let pair = Pair::new();
    let empty = std::fs::read(pair.write("1.plk", &[], &[], 1).path).unwrap();
    let more = std::fs::read(pair.write("2.plk", &[b"\x63one"], &[&noise(3, 20_000)], 1).path).unwrap();
    // Age's random stanza makes sizes jitter by some 150 bytes, whatever is inside.
    assert!(
        empty.len().abs_diff(more.len()) < 300,
        "{} and {}",
        empty.len(),
        more.len()
    );
    for secret in [pair.low.node(), pair.high.node(), Uuid::from_u128(2)] {
        assert!(!more.windows(16).any(|window| window == secret.as_bytes()));
    }
    let common =
        |range: std::ops::Range<usize>| empty[range.clone()].iter().zip(&more[range]).all(|(a, b)| a == b);
    assert!(common(0..12));
    // Past the preamble only age's own words are shared; none of the bodies.
    assert_ne!(empty[12..76], more[12..76]);
    assert_ne!(empty[empty.len() - 1000..], more[more.len() - 1000..]);
}

#[test]
fn a_writer_that_is_not_finished_or_fails_leaves_nothing() {
    let pair = Pair::new();
    let target = pair.path("a.plk");
    let one = outgoing(contents(&[b"\x63one"], &[]));
    let create = || BundleWriter::create(&target, &pair.low, &public(&pair.high), &one, workers(1)).unwrap();
    let left = || std::fs::read_dir(pair.folder.path()).unwrap().count();

    let mut writer = create();
    writer.record(b"\x63one").unwrap();
    assert_eq!(left(), 1, "a temporary file while it is written");
    drop(writer);
    assert_eq!(left(), 0);

    assert!(
        matches!(create().finish(), Err(WriteError::NotAsDeclared)),
        "less than declared"
    );
    let mut writer = create();
    assert!(matches!(
        writer.record(b"\x63longer"),
        Err(WriteError::Record(_)) | Err(WriteError::NotAsDeclared)
    ));
    assert!(
        matches!(writer.record(b"\x63one"), Err(WriteError::Abandoned)),
        "no way on after an error"
    );
    assert!(matches!(writer.finish(), Err(WriteError::Abandoned)));
    assert!(matches!(create().record(b"\x18\x01"), Err(WriteError::Record(_))));
    assert!(matches!(create().record(b"\x01\x01"), Err(WriteError::Record(_))));
    assert!(matches!(
        create().record(&vec![0x40; 256 * 1024 + 1]),
        Err(WriteError::RecordTooLarge(_))
    ));
    assert_eq!(left(), 0);

    std::fs::write(&target, "something else").unwrap();
    let taken = BundleWriter::create(&target, &pair.low, &public(&pair.high), &one, workers(1));
    assert!(matches!(taken, Err(WriteError::Exists(_))));
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "something else");
}

#[test]
fn blobs_must_be_what_they_are_called() {
    let pair = Pair::new();
    let (first, second) = (sorted(&[b"aa", b"bb"])[0], sorted(&[b"aa", b"bb"])[1]);
    let declared = outgoing(contents(&[], &[first, second]));
    let create = || {
        BundleWriter::create(
            &pair.path("b.plk"),
            &pair.low,
            &public(&pair.high),
            &declared,
            workers(1),
        )
        .unwrap()
    };
    let put = |writer: &mut BundleWriter<'_>, name: &[u8], length, bytes: &[u8]| {
        writer.blob(&BlobHash::of(name), length, &mut Cursor::new(bytes))
    };
    assert!(matches!(
        put(&mut create(), first, 2, second),
        Err(WriteError::BlobChanged(_))
    ));
    assert!(matches!(
        put(&mut create(), first, 2, b"a"),
        Err(WriteError::BlobChanged(_))
    ));
    assert!(matches!(
        put(&mut create(), first, 1, first),
        Err(WriteError::BlobChanged(_))
    ));
    let mut writer = create();
    put(&mut writer, second, 2, second).unwrap();
    assert!(matches!(
        put(&mut writer, first, 2, first),
        Err(WriteError::BlobOrder(_))
    ));
    let mut writer = create();
    put(&mut writer, first, 2, first).unwrap();
    assert!(matches!(writer.record(b"\x60"), Err(WriteError::RecordAfterBlob)));
}

#[test]
fn only_the_two_sides_exchange_bundles() {
    let empty = outgoing(Contents::default());
    let folder = tempfile::tempdir().unwrap();
    let create = |from: &NodeIdentity, to: &NodeIdentity| {
        BundleWriter::create(
            &folder.path().join("x.plk"),
            from,
            &public(to),
            &empty,
            workers(1),
        )
        .map(|_| ())
    };
    for (from, to) in [
        (Side::Low, Side::Low),
        (Side::High, Side::High),
        (Side::Solo, Side::High),
        (Side::Low, Side::Solo),
    ] {
        assert!(
            matches!(create(&node(from), &node(to)), Err(WriteError::Sides { .. })),
            "{from} {to}"
        );
    }
}

#[test]
fn looking_needs_no_more_than_it_should() {
    let pair = Pair::new();
    let written = pair.write("a.plk", &[b"\x63one"], &[&noise(1, 3_000_000)], 2);
    assert_eq!(inspect(&written.path).unwrap().size, written.size);
    let signed = check_signature(&written.path, &[&public(&pair.low)]).unwrap();
    assert_eq!((signed.hash, signed.signer), (written.hash, public(&pair.low)));
    assert!(check_signature(&written.path, &[&public(&pair.high)]).is_err());
    assert_eq!(inspect_header(&written.path, &pair.high).unwrap(), written.header);
    assert!(
        inspect_header(&written.path, &pair.low).is_err(),
        "sealed to the other side"
    );

    // The header is readable from a file whose later part is damaged, and only that.
    let mut bytes = std::fs::read(&written.path).unwrap();
    let end = bytes.len();
    bytes[end - 1] ^= 1;
    std::fs::write(&written.path, bytes).unwrap();
    assert_eq!(inspect_header(&written.path, &pair.high).unwrap(), written.header);
    assert!(check_signature(&written.path, &[&public(&pair.low)]).is_err());
}

#[test]
fn a_copy_in_quarantine_can_be_taken_up_again() {
    let pair = Pair::new();
    let written = pair.write("a.plk", &[b"\x63one"], &[], 1);
    let quarantine = pair.path("q");
    drop(receive(&written.path, &quarantine, &limits()).unwrap());
    let received = Received::open(&quarantine, &limits()).unwrap();
    assert_eq!(received.hash(), written.hash);
    let verified = received.verify(&[&public(&pair.low)]).unwrap();
    verified
        .unpack(&pair.high, &limits(), &mut Kept::default())
        .unwrap();
    verified
        .unpack(
            &pair.high,
            &Limits {
                workers: workers(1),
                ..limits()
            },
            &mut Kept::default(),
        )
        .unwrap();
}
