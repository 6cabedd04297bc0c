//! Nothing private crosses without a release.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use poundlock_transport::{BlobHash, Header, Limits, NodeIdentity, PublicIdentity, Received, Refusal, Sink};
use serde_json::json;

use crate::world::{World, text};

/// Everything that a bundle holds, in clear.
#[derive(Default)]
struct Clear(Vec<u8>);

impl Sink for Clear {
    fn header(&mut self, header: &Header) -> Result<(), Refusal> {
        self.0.extend(format!("{header:?}").into_bytes());
        Ok(())
    }
    fn record(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        self.0.extend_from_slice(payload);
        Ok(())
    }
    fn blob_start(&mut self, hash: &BlobHash, length: u64) -> Result<(), Refusal> {
        self.0.extend_from_slice(hash.as_bytes());
        self.0.extend(length.to_be_bytes());
        Ok(())
    }
    fn blob_bytes(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
    fn blob_end(&mut self, _: &BlobHash) -> Result<(), Refusal> {
        Ok(())
    }
}

pub fn opened(world: &World, file: &Path) -> Vec<u8> {
    let low = NodeIdentity::load(&world.low.folder().join("keys/node.key")).unwrap();
    let high = String::from_utf8(world.owner.download("/node/identity")).unwrap();
    let high = PublicIdentity::from_text(&high).unwrap();
    let mut clear = Clear::default();
    let limits = Limits::default();
    Received::open(file, &limits)
        .unwrap()
        .verify(&[&high])
        .unwrap()
        .unpack(&low, &limits, &mut clear)
        .unwrap();
    clear.0
}

pub fn every_byte_of(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(every_byte_of(&path));
        } else if path.is_file() {
            all.extend(std::fs::read(&path).unwrap());
        }
    }
    all
}

/// Ways in which bytes, or what is computed of them, could show: themselves, their hash, their length.
fn traces(bytes: &[u8]) -> Vec<Vec<u8>> {
    let hash = blake3::hash(bytes);
    let length = u32::try_from(bytes.len()).unwrap();
    let mut traces = vec![hash.as_bytes().to_vec(), hash.to_hex().as_bytes().to_vec()];
    if length > 0xFFFF {
        // As CBOR writes it, and as people do.
        traces.push([&[0x1a][..], &length.to_be_bytes()].concat());
        traces.push(length.to_string().into_bytes());
    }
    traces
}

fn found(haystack: &[u8], needles: &BTreeSet<Vec<u8>>) -> Vec<String> {
    let shown = |needle: &Vec<u8>| String::from_utf8_lossy(needle).into_owned();
    needles
        .iter()
        .filter(|needle| contains(haystack, needle))
        .map(shown)
        .collect()
}

pub fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let first = needle[0];
    let mut at = 0;
    while let Some(step) = haystack[at..].iter().position(|byte| *byte == first) {
        at += step;
        if haystack[at..].starts_with(needle) {
            return true;
        }
        at += 1;
    }
    false
}

/// 3,000 patients with values that occur nowhere else, over 64 KiB of them.
fn patients() -> String {
    let mut table = "patient,reading\n".to_owned();
    for n in 0..3_000_u32 {
        writeln!(
            table,
            "patient-{:08x}-of-the-vault,{}.{:04}",
            n.wrapping_mul(2_654_435_761),
            7_000 + n,
            n % 9_973
        )
        .unwrap();
    }
    table
}

const SUMMARY: &str = "
def summary(table):
    print('seen: ' + str(table['patient'][17]))
    return {'heaviest': float(max(table['reading'])), 'whose': str(table['patient'][2999])}
";

#[test]
fn nothing_private_crosses_before_its_release_and_then_exactly_that() {
    let world = World::new();
    let private = patients();
    let dataset = text(
        &world
            .owner
            .post("/datasets", &json!({"name": "Vault", "description": "Readings"}))["id"],
    );
    let asset = text(
        &world.owner.post(
            &format!("/datasets/{dataset}/assets"),
            &json!({"name": "readings", "description": ""}),
        )["id"],
    );
    world
        .owner
        .put_bytes(&format!("/assets/{asset}/private?format=csv"), private.as_bytes());
    world.owner.put_bytes(
        &format!("/assets/{asset}/mock?format=csv"),
        b"patient,reading\nsomebody,1.5\nnobody,2.5\n",
    );
    world.owner.post(
        &format!("/datasets/{dataset}/publications"),
        &json!({"peer": world.low_id}),
    );
    world.carry_down();
    let project = world.project();
    let code = world.scientist.post(
        "/codes",
        &json!({
            "name": "summary", "source": SUMMARY, "entry_point": "summary",
            "input_policy": {"table": {"asset": asset}}, "output_policy": {"execute_count": 2},
        }),
    );
    let code = text(&code["id"]);
    let request = world.request(&project, &code, "a summary");
    world.carry_up();
    world.approve(&request);
    let run = world.run(&request);
    assert_eq!(run["state"], "succeeded", "{run:#}");
    let id = text(&run["id"]);
    let result = world.owner.download(&format!("/runs/{id}/result"));
    let log = world.owner.download(&format!("/runs/{id}/log"));

    let mut secrets: BTreeSet<Vec<u8>> = private
        .lines()
        .skip(1)
        .step_by(97)
        .map(|line| line.as_bytes().to_vec())
        .collect();
    secrets.extend(
        private
            .lines()
            .skip(1)
            .step_by(97)
            .map(|line| line.split(',').next().unwrap().as_bytes().to_vec()),
    );
    secrets.extend(traces(private.as_bytes()));
    secrets.insert(b"patient-".iter().chain(b"").copied().collect());
    let whole_result: BTreeSet<Vec<u8>> = traces(&result)
        .into_iter()
        .chain([result.clone(), b"9999.2999".to_vec()])
        .collect();
    let whole_log: BTreeSet<Vec<u8>> = traces(&log)
        .into_iter()
        .chain([log.clone(), b"seen: ".to_vec()])
        .collect();
    // The search works: the high node's folder holds it all.
    let vault = every_byte_of(&world.high.folder());
    assert_eq!(
        found(&vault, &secrets).len(),
        secrets.len() - traces(private.as_bytes()).len() + 2,
        "the secrets are in the vault, and of what could be computed from them their length and the hash by which damage is found"
    );

    let bundle = world.export_down();
    let unreleased: BTreeSet<Vec<u8>> = [&secrets, &whole_result, &whole_log]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    // The scientist's own source holds the words that the log begins with, and travelled up.
    let unreleased_in_bundle = opened(&world, &bundle);
    assert_eq!(found(&unreleased_in_bundle, &unreleased), Vec::<String>::new());
    crate::world::import(&world.low_owner, &bundle);
    crate::world::apply_all(&world.low_owner, &world.high_id);
    let low = every_byte_of(&world.low.folder());
    let below: BTreeSet<Vec<u8>> = unreleased
        .iter()
        .filter(|secret| *secret != b"seen: ")
        .cloned()
        .collect();
    assert_eq!(found(&low, &below), Vec::<String>::new());

    // Released, the result crosses, to the byte, and the log and the data still do not.
    world.release(&run, "result");
    let bundle = world.export_down();
    let opened = opened(&world, &bundle);
    assert!(contains(&opened, &result));
    assert_eq!(found(&opened, &whole_log), Vec::<String>::new());
    let rows: BTreeSet<Vec<u8>> = private
        .lines()
        .skip(1)
        .take(2_999)
        .step_by(97)
        .map(|line| line.as_bytes().to_vec())
        .collect();
    assert_eq!(found(&opened, &rows), Vec::<String>::new());
    crate::world::import(&world.low_owner, &bundle);
    crate::world::apply_all(&world.low_owner, &world.high_id);
    let request = world.scientist.get(&format!("/requests/{request}"));
    let release = text(&request["releases"][0]["id"]);
    assert_eq!(
        world.scientist.download(&format!("/releases/{release}/content")),
        result
    );
}
