//! Bundles that a sender's own key has signed and that lie in one place: valid ones with one thing changed, by the ten thousand.
//! Each is refused, nothing panics, and memory stays where it was.
//!
//! What is changed is content that the receiver has already: the same revision of the same object says something else, the
//! header claims something else than is true, or the bytes of a layer are not those that the layer made. Most mutants are
//! played in this process, through the functions that an import runs and on a copy of the node's own store; a part of them is
//! handed to the node itself. `POUNDLOCK_TEST_MUTANTS` says how many (10,000 where it says nothing), `POUNDLOCK_TEST_SEED`
//! from which seed.

use std::collections::BTreeMap;
use std::fs::File;
use std::num::NonZeroU64;
use std::sync::Arc;

use ciborium::Value as Cbor;
use poundlock::actors::syncer::delivery;
use poundlock::acts::inbox::{self, Record};
use poundlock::domain::hash::Hash;
use poundlock::domain::object::{BODY_MAX, Kind};
use poundlock::domain::side::Level;
use poundlock::store::dump;
use poundlock::store::memory_engine::MemoryEngine;
use poundlock::store::records::Here;
use poundlock::store::writer::{TransactError, Writer, WriterLimits};
use poundlock_transport::cbor::to_deterministic_vec;
use poundlock_transport::{
    BlobHash, ChainHead, Direction, Header, Limits, NodeIdentity, Received, Refusal, Sink, craft,
};
use serde_json::json;
use uuid::Uuid;

use crate::forge::{Parts, keys};
use crate::histories::Random;
use crate::person::word;
use crate::stage::Stage;
use crate::world::{apply_all, import, text};

/// The receiver, in this process: keys, and a copy of a node's store.
struct Receiver {
    keys: NodeIdentity,
    writer: Writer,
    file: std::path::PathBuf,
}

/// Why a transaction is not kept: it was only tried.
#[derive(Debug, thiserror::Error)]
enum Tried {
    #[error("accepted, with {0} new records")]
    Accepted(u64),
    #[error(transparent)]
    Refused(#[from] inbox::ImportRefused),
    #[error(transparent)]
    Record(#[from] poundlock::store::records::RecordError),
}

#[derive(Default)]
struct Collected(Vec<Record>);

impl Sink for Collected {
    fn header(&mut self, _: &Header) -> Result<(), Refusal> {
        Ok(())
    }
    fn record(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        self.0.push(inbox::decode(Level::High, payload)?);
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

impl Receiver {
    /// Why a bundle is refused, or how many records it brings.
    fn receive(&self, stage: &Stage, bundle: &[u8]) -> Result<u64, String> {
        std::fs::write(&self.file, bundle).unwrap();
        let limits = Limits {
            record_bytes: BODY_MAX as u64,
            workers: std::num::NonZeroUsize::MIN,
            free_reserve: 0,
            ..Limits::default()
        };
        let layer = |name: &str, error: String| format!("{name}: {error}");
        let received =
            Received::open(&self.file, &limits).map_err(|error| layer("file", error.to_string()))?;
        let verified = received
            .verify(&[&stage.low_public])
            .map_err(|error| layer("signature", error.to_string()))?;
        let mut collected = Collected::default();
        let unpacked = verified
            .unpack(&self.keys, &limits, &mut collected)
            .map_err(|error| layer("content", error.to_string()))?;
        let hash = Hash(*unpacked.hash().as_bytes());
        let size = u64::try_from(bundle.len()).unwrap();
        let delivery = delivery(
            verified.signer().node(),
            unpacked.header(),
            (hash, size),
            collected.0,
        );
        let tried = self.writer.transact(move |tx| -> Result<(), Tried> {
            let here = Here::at(tx, "2026-11-25T12:00:00Z".parse().unwrap(), [7; 32])?;
            let receipt = inbox::receive(tx, &here, &delivery)?;
            Err(Tried::Accepted(receipt.brought))
        });
        match tried {
            Err(TransactError::Refused(Tried::Accepted(brought))) => Ok(brought),
            Err(error) => Err(layer("rule", error.to_string())),
            Ok(()) => panic!("a try was kept"),
        }
    }
}

/// A way to a value inside another.
type Way = Vec<usize>;

/// The ways to every value, the value itself first.
fn ways(value: &Cbor, at: &Way, found: &mut Vec<Way>) {
    found.push(at.clone());
    let mut step = |inner: &Cbor, place: usize| {
        let mut way = at.clone();
        way.push(place);
        ways(inner, &way, found);
    };
    match value {
        Cbor::Map(entries) => entries
            .iter()
            .enumerate()
            .for_each(|(place, (_, inner))| step(inner, place)),
        Cbor::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(place, inner)| step(inner, place)),
        _ => {}
    }
}

fn at<'a>(value: &'a mut Cbor, way: &[usize]) -> &'a mut Cbor {
    let Some((place, rest)) = way.split_first() else {
        return value;
    };
    match value {
        Cbor::Map(entries) => at(&mut entries[*place].1, rest),
        Cbor::Array(items) => at(&mut items[*place], rest),
        _ => unreachable!("a way leads through maps and arrays"),
    }
}

/// Changes one value in one of many ways.
fn change(value: &mut Cbor, random: &mut Random) {
    let foreign = [
        Cbor::Null,
        Cbor::Bool(true),
        Cbor::from(0),
        Cbor::from(-1),
        Cbor::from(u64::MAX),
        Cbor::Float(0.5),
        Cbor::from(""),
        Cbor::from("\u{202e}\u{0}"),
        Cbor::from("x".repeat(70_000)),
        Cbor::Bytes(vec![0; 16]),
        Cbor::Bytes(vec![0; 32]),
        Cbor::Array(vec![]),
        Cbor::Map(vec![]),
        Cbor::Tag(0, Box::new(Cbor::from("2026-11-25"))),
    ];
    if random.below(4) == 0 {
        *value = foreign[random.below(foreign.len())].clone();
        return;
    }
    match value {
        Cbor::Integer(number) => {
            let number = i128::from(*number);
            let other = [number + 1, number - 1, number + 1000, -number, 1 << 40][random.below(5)];
            *value = Cbor::from(i64::try_from(other).unwrap_or(i64::MAX));
        }
        Cbor::Bytes(bytes) => match random.below(3) {
            0 if !bytes.is_empty() => {
                let place = random.below(bytes.len());
                bytes[place] ^= 1 << random.below(8);
            }
            1 => drop(bytes.pop()),
            _ => bytes.push(0),
        },
        Cbor::Text(text) => match random.below(4) {
            0 => text.push('x'),
            1 => drop(text.pop()),
            2 => text.insert(0, ' '),
            _ => text.push('\u{200b}'),
        },
        Cbor::Bool(yes) => *yes = !*yes,
        Cbor::Null => *value = Cbor::from(1),
        Cbor::Array(items) => match random.below(3) {
            0 if !items.is_empty() => {
                let twice = items[random.below(items.len())].clone();
                items.push(twice);
            }
            1 if !items.is_empty() => drop(items.remove(random.below(items.len()))),
            _ => items.push(Cbor::from("x")),
        },
        Cbor::Map(entries) => match random.below(4) {
            0 if !entries.is_empty() => drop(entries.remove(random.below(entries.len()))),
            1 if !entries.is_empty() => {
                let place = random.below(entries.len());
                entries[place].0 = Cbor::from("colour");
            }
            2 if !entries.is_empty() => {
                let other = entries[random.below(entries.len())].1.clone();
                let place = random.below(entries.len());
                entries[place].1 = other;
            }
            _ => entries.push((Cbor::from("colour"), Cbor::from("green"))),
        },
        _ => *value = Cbor::Null,
    }
}

/// One record that says something else under the same id and number; nothing where the change does not lie.
fn false_record(parts: &Parts, random: &mut Random) -> Option<(String, Parts)> {
    let place = random.below(parts.records.len());
    let honest = inbox::decode(Level::High, &parts.records[place]).unwrap();
    let mut value: Cbor = ciborium::from_reader(parts.records[place].as_slice()).unwrap();
    let mut found = Vec::new();
    ways(&value, &Vec::new(), &mut found);
    let way = random.pick(&found).unwrap().clone();
    change(at(&mut value, &way), random);
    let record = to_deterministic_vec(&value).ok()?;
    if let Ok(decoded) = inbox::decode(Level::High, &record) {
        // A new object, or a newer revision, is no lie of a home node's; nor is the same content in other bytes.
        let other_thing = decoded.id != honest.id || decoded.revision.number > honest.revision.number;
        let same = decoded.revision == honest.revision
            && (decoded.home, decoded.root, decoded.deleted) == (honest.home, honest.root, honest.deleted);
        // An older number is no news, whatever stands under it.
        let old = decoded.revision.number < honest.revision.number;
        // People and code come with whichever batch needs them: under another one, what is known already is no news.
        let elsewhere = matches!(honest.body.kind(), Kind::User | Kind::Code)
            && decoded.revision == honest.revision
            && (decoded.home, decoded.deleted) == (honest.home, honest.deleted);
        if other_thing || same || old || elsewhere {
            return None;
        }
    }
    let kind = honest.body.kind().word();
    Some((
        format!("a {kind} changed at {way:?}"),
        parts.next(|next| next.records[place] = record),
    ))
}

/// A header that is not true.
fn false_header(parts: &Parts, random: &mut Random) -> (String, Parts) {
    let number = random.next();
    let id = Uuid::from_u64_pair(random.next(), number);
    let head = ChainHead::from_bytes(
        *Uuid::from_u128(u128::from(number))
            .as_bytes()
            .repeat(2)
            .first_chunk()
            .unwrap(),
    );
    let which = random.below(14);
    let lying = parts.lying(|header| {
        let outgoing = &mut header.outgoing;
        let more = 1 + number % 1_000_000;
        match which {
            0 => header.sender.node = id,
            1 => std::mem::swap(&mut header.sender.fingerprint, &mut header.recipient.fingerprint),
            2 => header.recipient.node = id,
            3 => header.direction = Direction::Down,
            4 => outgoing.sender_epoch = id,
            // A full bundle builds on nothing, and so on no epoch.
            5 => (outgoing.recipient_epoch, outgoing.base) = (id, 1),
            6 => outgoing.sequence = NonZeroU64::MIN,
            7 => outgoing.sequence = outgoing.sequence.saturating_add(1_000_001 + more),
            8 => outgoing.base = outgoing.sequence.get() + more,
            9 => outgoing.audit.echo = Some(head),
            10 => outgoing.contents.records = outgoing.contents.records.wrapping_add(more),
            11 => outgoing.contents.record_bytes = outgoing.contents.record_bytes.wrapping_sub(more),
            12 => outgoing.contents.blobs = outgoing.contents.blobs.wrapping_add(more),
            _ => outgoing.contents.blob_bytes = outgoing.contents.blob_bytes.wrapping_add(more),
        }
    });
    (format!("a header's claim {which}"), lying)
}

/// Bytes of a layer, one place of them changed; nothing where they stayed the same.
fn damaged(mut bytes: Vec<u8>, random: &mut Random) -> Option<Vec<u8>> {
    let before = bytes.clone();
    let place = random.below(bytes.len());
    match random.below(5) {
        0 => bytes[place] ^= 1 << random.below(8),
        1 => bytes[place] = bytes[place].wrapping_add(1),
        2 => drop(bytes.remove(place)),
        3 => bytes.insert(place, bytes[place]),
        _ => bytes.truncate(place),
    }
    (bytes != before).then_some(bytes)
}

/// One mutant, and what it is.
fn mutant(stage: &Stage, parts: &Parts, random: &mut Random) -> (String, Vec<u8>) {
    loop {
        let made = match random.below(10) {
            0..=5 => false_record(parts, random).map(|(what, lie)| (what, stage.signed(&lie))),
            6..=7 => {
                let (what, lie) = false_header(parts, random);
                Some((what, stage.signed(&lie)))
            }
            8 => damaged(parts.next(|_| {}).plain(), random).map(|plain| {
                (
                    "the plain stream".to_owned(),
                    craft::bundle_of(&plain, &stage.low, &stage.high),
                )
            }),
            _ => {
                let compressed = craft::compressed_stream(&parts.next(|_| {}).plain());
                damaged(compressed, random).map(|compressed| {
                    let age = craft::age_file(&compressed, &[&stage.high]);
                    (
                        "the compressed stream".to_owned(),
                        craft::signed_file(&age, &stage.low),
                    )
                })
            }
        };
        if let Some(made) = made {
            return made;
        }
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |number| number.parse().unwrap())
}

/// The most memory that a process has used, in KiB.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn no_lie_under_a_true_key_is_accepted() {
    let (mutants, seed) = (
        number("POUNDLOCK_TEST_MUTANTS", 10_000),
        number("POUNDLOCK_TEST_SEED", 1),
    );
    let stage = Stage::new();
    import(&stage.world.owner, &stage.second);
    apply_all(&stage.world.owner, &stage.world.low_id);
    let full = json!({"full": true});
    let (third, _) = stage
        .world
        .export(&stage.world.low_owner, &stage.world.high_id, &full);
    let parts = Parts::open(&third, &stage.low_public, &keys(&stage.world.high));
    assert!(
        parts.records.len() >= 5,
        "everything is known to the receiver: {}",
        parts.records.len()
    );

    let taken = stage.world.owner.post("/snapshots", &json!({}));
    let snapshot = stage
        .world
        .high
        .folder()
        .join("spool/snapshots")
        .join(text(&taken["id"]));
    let engine = MemoryEngine::new();
    dump::load(File::open(&snapshot).unwrap(), &engine).unwrap();
    let receiver = Receiver {
        keys: keys(&stage.world.high),
        writer: Writer::start(Arc::new(engine), WriterLimits::default()).unwrap(),
        file: stage.world.root.path().join("mutant"),
    };
    let honest = stage.signed(&parts.next(|_| {}));
    assert_eq!(
        receiver.receive(&stage, &honest),
        Ok(0),
        "what is true is taken, and nothing in it is new"
    );

    let mut random = Random(seed);
    let (mut refused, mut layers): (u64, BTreeMap<String, u64>) = (0, BTreeMap::new());
    let (mut spoken_to, mut accepted) = (Vec::new(), Vec::new());
    while refused < mutants {
        let (what, bundle) = mutant(&stage, &parts, &mut random);
        let mut forks = false;
        match receiver.receive(&stage, &bundle) {
            Ok(brought) => accepted.push(format!("{what}, {brought} records new, after {refused} others")),
            Err(why) => {
                forks |= why.contains("FORK");
                *layers
                    .entry(why.split(':').next().unwrap().to_owned())
                    .or_default() += 1
            }
        }
        refused += 1;
        // An epoch that nobody has confirmed is noted, for people to compare, and so is a fork: that is no change of anything else.
        if refused % (mutants / 200).max(1) == 0 && what != "a header's claim 4" && !forks {
            spoken_to.push((what, bundle));
        }
    }
    assert!(accepted.is_empty(), "accepted from seed {seed}: {accepted:#?}");
    println!("{refused} mutants from seed {seed}, none accepted; refused by: {layers:?}");

    let watch = stage.watch();
    let process = stage.world.high.process_id();
    let (before, memory) = (watch.state(), peak(process));
    for (what, bundle) in &spoken_to {
        let answer = watch
            .who
            .try_post_bytes("/imports", "application/octet-stream", bundle);
        assert!(
            answer.0 == 409 && word(&answer).starts_with("bundle_"),
            "{what}: {} {:#}",
            answer.0,
            answer.1
        );
    }
    assert_eq!(watch.state(), before, "a refused bundle changed something");
    let grown = peak(process) - memory;
    println!(
        "{} of them handed to the node, whose memory grew by {grown} KiB",
        spoken_to.len()
    );
    assert!(grown < 64 * 1024, "memory grew by {grown} KiB");
    watch.accepts("the honest one", &honest, "received");
}
