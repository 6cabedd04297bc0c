//! The bundle file, layer by layer: what lies behind the signature is signed by the golden sender, so that an input gets as far as
//! the layer that it is meant for.

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use poundlock::acts::inbox;
use poundlock::domain::side::Level;
use poundlock_transport::volumes::{VolumeCollector, VolumeTable};
use poundlock_transport::{
    BlobHash, Header, Limits, NodeIdentity, PublicIdentity, Received, Refusal, RotationStatement, Sink, craft,
};
use tempfile::TempDir;

use super::{Parser, fixture, folder};

const GOLDEN: [&str; 3] = ["empty.plk", "records.plk", "blobs.plk"];

fn golden(name: &str) -> Vec<u8> {
    fs::read(fixture("bundles/v1").join(name)).unwrap()
}

fn public(name: &str) -> PublicIdentity {
    PublicIdentity::from_text(&String::from_utf8(golden(name)).unwrap()).unwrap()
}

/// What a bundle held.
#[derive(Default)]
struct Taken {
    header: Option<Header>,
    records: Vec<Vec<u8>>,
    blobs: Vec<Vec<u8>>,
}

impl Sink for Taken {
    fn header(&mut self, header: &Header) -> Result<(), Refusal> {
        self.header = Some(header.clone());
        Ok(())
    }
    fn record(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        self.records.push(payload.to_vec());
        Ok(())
    }
    fn blob_start(&mut self, _: &BlobHash, _: u64) -> Result<(), Refusal> {
        self.blobs.push(Vec::new());
        Ok(())
    }
    fn blob_bytes(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.blobs.last_mut().unwrap().extend_from_slice(bytes);
        Ok(())
    }
    fn blob_end(&mut self, hash: &BlobHash) -> Result<(), Refusal> {
        assert_eq!(
            BlobHash::of(self.blobs.last().unwrap()),
            *hash,
            "a blob that is not what its hash says was handed on"
        );
        Ok(())
    }
}

impl Taken {
    fn plain(&self) -> Vec<u8> {
        let records: Vec<&[u8]> = self.records.iter().map(Vec::as_slice).collect();
        let blobs: Vec<&[u8]> = self.blobs.iter().map(Vec::as_slice).collect();
        craft::plain_stream(self.header.as_ref().unwrap(), &records, &blobs)
    }
}

/// The golden nodes: the low one sends, the high one receives.
struct Gap {
    low: NodeIdentity,
    high: NodeIdentity,
    low_public: PublicIdentity,
    high_public: PublicIdentity,
    limits: Limits,
    file: PathBuf,
    folder: TempDir,
}

impl Gap {
    fn new() -> Self {
        let folder = folder();
        // Their key files are kept open to everybody, which a node's may not be.
        let key = |name: &str| {
            let copy = folder.path().join(name);
            fs::copy(fixture("bundles/v1").join(name), &copy).unwrap();
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
            NodeIdentity::load(&copy).unwrap()
        };
        Self {
            low: key("low.key"),
            high: key("high.key"),
            low_public: public("low.public"),
            high_public: public("high.public"),
            limits: Limits {
                workers: NonZeroUsize::MIN,
                free_reserve: 0,
                file_bytes: 1 << 20,
                plain_bytes: 8 << 20,
                ..Limits::default()
            },
            file: folder.path().join("input"),
            folder,
        }
    }

    /// Opens a bundle as its recipient would, up to the end.
    fn open(&self, bundle: &[u8]) -> Option<Taken> {
        fs::write(&self.file, bundle).unwrap();
        let received = Received::open(&self.file, &self.limits).ok()?;
        let verified = received.verify(&[&self.low_public]).ok()?;
        let mut taken = Taken::default();
        let unpacked = verified.unpack(&self.high, &self.limits, &mut taken).ok()?;
        assert_eq!(Some(unpacked.header()), taken.header.as_ref());
        Some(taken)
    }

    fn open_golden(&self, name: &str) -> Taken {
        self.open(&golden(name)).unwrap()
    }

    /// The golden bundles' plain streams.
    fn plain(&self) -> Vec<Vec<u8>> {
        GOLDEN.map(|name| self.open_golden(name).plain()).to_vec()
    }

    fn compressed(&self) -> Vec<Vec<u8>> {
        let plain = self.plain();
        plain
            .iter()
            .map(|plain| craft::compressed_stream(plain))
            .collect()
    }

    fn encrypted(&self, compressed: &[u8]) -> Vec<u8> {
        craft::age_file(compressed, &[&self.high_public])
    }
}

/// The file as it lies on a medium: preamble and age header are looked at, and a signature that holds nobody can make.
pub(super) fn bundle() -> Parser {
    let gap = Gap::new();
    Parser::new(GOLDEN.map(golden).to_vec(), move |bundle| {
        let taken = gap.open(bundle).is_some();
        let looked_at = poundlock_transport::inspect(&gap.file).is_ok();
        drop(poundlock_transport::check_signature(
            &gap.file,
            &[&gap.low_public],
        ));
        drop(poundlock_transport::inspect_header(&gap.file, &gap.high));
        assert!(looked_at || !taken, "taken, and not to be inspected");
        taken
    })
}

/// The header's item, in an honest bundle around it.
pub(super) fn header() -> Parser {
    let gap = Gap::new();
    let empty = gap.open_golden("empty.plk").plain();
    let seeds: Vec<Vec<u8>> = GOLDEN
        .iter()
        .map(|name| craft::header_item(&gap.open_golden(name).header.unwrap()))
        .collect();
    let trailer = empty[seeds[0].len()..].to_vec();
    Parser::new(seeds, move |item| {
        let plain = [item, &trailer].concat();
        let bundle = craft::bundle_of(&plain, &gap.low, &gap.high_public);
        let opened = gap.open(&bundle).is_some();
        let read = poundlock_transport::inspect_header(&gap.file, &gap.high).is_ok();
        assert!(read || !opened, "taken, and its header cannot be read");
        read
    })
}

/// The plain stream: header, records, blobs, trailer.
pub(super) fn items() -> Parser {
    let gap = Gap::new();
    Parser::new(gap.plain(), move |plain| {
        gap.open(&craft::bundle_of(plain, &gap.low, &gap.high_public))
            .is_some()
    })
}

/// The compressed stream, with its padding.
pub(super) fn frames() -> Parser {
    let gap = Gap::new();
    Parser::new(gap.compressed(), move |frames| {
        gap.open(&craft::signed_file(&gap.encrypted(frames), &gap.low))
            .is_some()
    })
}

/// The age file.
pub(super) fn age() -> Parser {
    let gap = Gap::new();
    let compressed = gap.compressed();
    let seeds = compressed.iter().map(|frames| gap.encrypted(frames)).collect();
    Parser::new(seeds, move |age| {
        gap.open(&craft::signed_file(age, &gap.low)).is_some()
    })
}

/// One record, as either side would decode it. The kept corpus is its seed: records that real nodes made.
pub(super) fn records() -> Parser {
    Parser::new(Vec::new(), |record| {
        let down = inbox::decode(Level::Low, record).is_ok();
        inbox::decode(Level::High, record).is_ok() || down
    })
}

/// What nodes are paired with, and what moves one to new keys.
pub(super) fn identity() -> Parser {
    let low = public("low.public");
    let seeds = ["low.public", "high.public", "low.rotation"].map(golden).to_vec();
    Parser::new(seeds, move |text| {
        let Ok(text) = std::str::from_utf8(text) else {
            return false;
        };
        let rotation = RotationStatement::from_text(text);
        if let Ok(rotation) = &rotation {
            assert_eq!(rotation.to_text(), text, "it has a second form");
            drop(rotation.verify(&low));
        }
        let identity = PublicIdentity::from_text(text);
        if let Ok(identity) = &identity {
            assert_eq!(identity.to_text(), text, "it has a second form");
        }
        identity.is_ok() || rotation.is_ok()
    })
}

/// What a table of volumes says, signed by the golden sender; its volumes lie beside it.
pub(super) fn volumes() -> Parser {
    let gap = Gap::new();
    let beside = gap.folder.path().join("volumes");
    fs::create_dir(&beside).unwrap();
    let (mut table, mut body) = (PathBuf::new(), Vec::new());
    for entry in fs::read_dir(fixture("bundles/v1/volumes")).unwrap() {
        let path = entry.unwrap().path();
        let copy = beside.join(path.file_name().unwrap());
        fs::copy(&path, &copy).unwrap();
        if VolumeTable::read(&path, &[&gap.low_public]).is_ok() {
            body = fs::read(&path).unwrap()[craft::TABLE_BODY_AT..].to_vec();
            table = copy;
        }
    }
    let joined = gap.folder.path().join("joined");
    Parser::new(vec![body], move |body| {
        fs::write(&table, craft::signed_table(body, &gap.low)).unwrap();
        let joined_whole = join(&gap, &table, &beside, &joined);
        drop(fs::remove_file(&joined));
        joined_whole
    })
}

fn join(gap: &Gap, table: &Path, volumes: &Path, joined: &Path) -> bool {
    let collector = VolumeCollector::open(table, joined, &[&gap.low_public], &gap.limits);
    let Ok(mut collector) = collector else {
        return false;
    };
    let read = VolumeTable::read(table, &[&gap.low_public]).unwrap();
    assert!(read.volumes().len() <= poundlock_transport::volumes::MAX_VOLUMES);
    drop(collector.take_from(volumes));
    collector.finish(&gap.limits).is_ok()
}
