//! Bundles that format 1 wrote once, in `fixtures/bundles/v1`. Every later version must read them.
//!
//! A missing file is made by running these tests with `POUNDLOCK_WRITE_GOLDEN=1`. A file that is there is never
//! written again.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use poundlock_transport::volumes::{VolumeCollector, VolumeSplitter};
use poundlock_transport::{
    Acknowledgement, AuditHeads, BlobHash, BundleWriter, ChainHead, NodeIdentity, Outgoing, PublicIdentity,
    RotationStatement, Side, Unpacked, craft, receive,
};
use uuid::Uuid;

use crate::support::*;

const RECORDS: [&[u8]; 3] = [b"\x65first", b"\xa2\x62id\x01\x64name\x64mock", b"\x80"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/bundles/v1")
}

fn blobs() -> [Vec<u8>; 3] {
    // Stored, compressed, and empty.
    [noise(1, 40_000), b"age,sex,outcome\n".repeat(5000), Vec::new()]
}

/// The fixture nodes. Git keeps no 0600, so the key files are read from a private copy.
fn key(name: &str) -> NodeIdentity {
    let copy = tempfile::tempdir().unwrap();
    let path = copy.path().join("key");
    std::fs::copy(folder().join(name), &path).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    NodeIdentity::load(&path).unwrap()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

fn peer(name: &str) -> PublicIdentity {
    PublicIdentity::from_text(&text(name)).unwrap()
}

fn unpack(path: &Path) -> (Unpacked, Kept) {
    let quarantine = tempfile::tempdir().unwrap();
    let received = receive(path, &quarantine.path().join("q"), &limits()).unwrap();
    let mut kept = Kept::default();
    let verified = received.verify(&[&peer("low.public")]).unwrap();
    (
        verified.unpack(&key("high.key"), &limits(), &mut kept).unwrap(),
        kept,
    )
}

#[test]
fn the_empty_bundle() {
    let (unpacked, kept) = unpack(&folder().join("empty.plk"));
    let out = &unpacked.header().outgoing;
    assert_eq!(*out, outgoing_for("empty"));
    assert_eq!(unpacked.signer().name(), Some("golden low"));
    assert!(kept.records.is_empty() && kept.blobs.is_empty());
}

#[test]
fn records_only() {
    let (unpacked, kept) = unpack(&folder().join("records.plk"));
    assert_eq!(unpacked.header().outgoing, outgoing_for("records"));
    assert_eq!(kept.records, RECORDS);
}

#[test]
fn a_stored_a_compressed_and_an_empty_blob() {
    let (unpacked, kept) = unpack(&folder().join("blobs.plk"));
    assert_eq!(unpacked.header().outgoing, outgoing_for("blobs"));
    let blobs = blobs();
    let expected = sorted(&[&blobs[0], &blobs[1], &blobs[2]]);
    assert_eq!(
        kept.blobs
            .iter()
            .map(|(_, bytes)| bytes.as_slice())
            .collect::<Vec<_>>(),
        expected
    );
    assert_eq!(kept.records, RECORDS);
}

#[test]
fn volumes() {
    let stick = folder().join("volumes");
    let names = std::fs::read_dir(&stick)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let table = names
        .into_iter()
        .find(|path| path.to_string_lossy().ends_with("table"))
        .unwrap();
    let quarantine = tempfile::tempdir().unwrap();
    let low = peer("low.public");
    let mut collector =
        VolumeCollector::open(&table, &quarantine.path().join("q"), &[&low], &limits()).unwrap();
    assert!(collector.take_from(&stick).unwrap().bad.is_empty());
    let received = collector.finish(&limits()).unwrap();
    assert_eq!(
        std::fs::read(received.path()).unwrap(),
        std::fs::read(folder().join("blobs.plk")).unwrap()
    );
}

#[test]
fn identities_and_a_rotation() {
    for (key_file, public_file, side) in [
        ("low.key", "low.public", Side::Low),
        ("high.key", "high.public", Side::High),
    ] {
        let (secret, public) = (key(key_file), peer(public_file));
        assert_eq!(secret.side(), side);
        assert_eq!(secret.fingerprint().unwrap(), public.fingerprint());
        assert_eq!(text(public_file), public.to_text());
    }
    let statement = RotationStatement::from_text(&text("low.rotation")).unwrap();
    assert_eq!(
        statement.verify(&peer("low.public")).unwrap().node(),
        peer("low.public").node()
    );
    assert!(statement.verify(&peer("high.public")).is_err());
}

/// FORMAT.md shows the empty golden bundle byte by byte; what it shows must be what the file holds.
#[test]
fn the_format_document_shows_the_golden_bundle() {
    let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("FORMAT.md")).unwrap();
    let example = |title: &str| {
        let after = document.split_once(&format!("<!-- {title} -->")).expect(title).1;
        let block = after.split("```").nth(1).unwrap().strip_prefix("hex\n").unwrap();
        // Remarks stand behind a semicolon.
        let digits: String = block
            .lines()
            .map(|line| line.split(';').next().unwrap_or_default())
            .flat_map(str::chars)
            .filter(|c| !c.is_whitespace())
            .collect();
        HEXLOWER.decode(digits.as_bytes()).expect(title)
    };
    let file = std::fs::read(folder().join("empty.plk")).unwrap();
    let (unpacked, _) = unpack(&folder().join("empty.plk"));
    assert_eq!(example("preamble"), &file[..76]);
    assert_eq!(example("signed hash"), unpacked.hash().as_bytes());
    let plain = craft::plain_stream(unpacked.header(), &[], &[]);
    assert_eq!(example("plain stream"), plain);
    assert_eq!(unpacked.plain_bytes(), plain.len() as u64);
    let (low, high) = (peer("low.public"), peer("high.public"));
    assert_eq!(example("fingerprint of low"), low.fingerprint().as_bytes());
    assert_eq!(
        example("fingerprint of the pair"),
        poundlock_transport::Fingerprint::of_pair(&low, &high).as_bytes()
    );
    assert!(
        document.contains(&low.fingerprint().groups()),
        "{}",
        low.fingerprint().groups()
    );
}

fn outgoing_for(name: &str) -> Outgoing {
    let blobs = blobs();
    let blobs: [&[u8]; 3] = [&blobs[0], &blobs[1], &blobs[2]];
    let (number, contents, acknowledgement) = match name {
        "empty" => (1, contents(&[], &[]), Acknowledgement::default()),
        "records" => (
            2,
            contents(&RECORDS, &[]),
            Acknowledgement {
                epoch: Some(Uuid::from_u128(0xb)),
                highest: 3,
                earlier: 0b01,
            },
        ),
        _ => (
            3,
            contents(&RECORDS, &blobs),
            Acknowledgement {
                epoch: Some(Uuid::from_u128(0xb)),
                highest: 70,
                earlier: u64::MAX,
            },
        ),
    };
    Outgoing {
        bundle: Uuid::from_u128(0x100 + u128::from(number)),
        sender_epoch: Uuid::from_u128(0xa),
        recipient_epoch: Uuid::from_u128(0xb),
        sequence: std::num::NonZeroU64::new(number).unwrap(),
        base: 0,
        position: 10 * number,
        acknowledgement,
        audit: AuditHeads {
            own: ChainHead::from_bytes([0xaa; 32]),
            echo: (number > 1).then(|| ChainHead::from_bytes([0xbb; 32])),
        },
        contents,
    }
}

/// Makes what is missing, and only when asked to.
#[test]
fn golden_files_are_made_once() {
    if std::env::var_os("POUNDLOCK_WRITE_GOLDEN").is_none() {
        return;
    }
    let folder = folder();
    std::fs::create_dir_all(folder.join("volumes")).unwrap();
    for (name, side, epoch) in [("low", Side::Low, 0xa), ("high", Side::High, 0xb)] {
        let path = folder.join(format!("{name}.key"));
        if !path.try_exists().unwrap() {
            let node = NodeIdentity::generate(Uuid::new_v4(), side).unwrap();
            node.create_file(&path).unwrap();
            let public = node
                .public(Some(&format!("golden {name}")), Uuid::from_u128(epoch))
                .unwrap();
            std::fs::write(folder.join(format!("{name}.public")), public.to_text()).unwrap();
        }
    }
    let (low, high) = (key("low.key"), peer("high.public"));
    if !folder.join("low.rotation").try_exists().unwrap() {
        let new = NodeIdentity::generate(low.node(), Side::Low).unwrap();
        let announced = new
            .public(Some("golden low, rotated"), Uuid::from_u128(0xa))
            .unwrap();
        let statement = RotationStatement::sign(&low, &new, announced).unwrap();
        std::fs::write(folder.join("low.rotation"), statement.to_text()).unwrap();
    }
    let blobs = blobs();
    let blobs = sorted(&[&blobs[0], &blobs[1], &blobs[2]]);
    for (name, records, blobs) in [
        ("empty", &[][..], &[][..]),
        ("records", &RECORDS, &[]),
        ("blobs", &RECORDS, &blobs),
    ] {
        let path = folder.join(format!("{name}.plk"));
        if path.try_exists().unwrap() {
            continue;
        }
        let mut writer = BundleWriter::create(&path, &low, &high, &outgoing_for(name), workers(2)).unwrap();
        records.iter().for_each(|record| writer.record(record).unwrap());
        for blob in blobs {
            writer
                .blob(&BlobHash::of(blob), blob.len() as u64, &mut &blob[..])
                .unwrap();
        }
        writer.finish().unwrap();
    }
    if std::fs::read_dir(folder.join("volumes"))
        .unwrap()
        .next()
        .is_none()
    {
        let mut splitter = VolumeSplitter::new(&folder.join("blobs.plk"), 32 << 10, &low).unwrap();
        splitter.write_all(&folder.join("volumes")).unwrap();
    }
}
