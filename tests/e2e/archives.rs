//! Dataset archives, from packing them to a result computed on what came in one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use poundlock::domain::archive::Limits;
use poundlock::runtime::archive::{UnpackError, unpack};
use serde_json::{Value, json};

use crate::node::{Node, OWNER, fixture, items};
use crate::world::{World, import, over, text};

fn pima() -> String {
    fixture("archives/pima.tar.gz").display().to_string()
}

/// Every file of a node, but those of its engine and what tells that it runs.
fn files(node: &Node) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut left: Vec<_> = ["blobs", "private", "spool", "quarantine"]
        .map(|part| node.folder().join(part))
        .into();
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                left.push(entry.path());
            } else {
                found.insert(entry.path(), metadata.len());
            }
        }
    }
    found
}

/// Packs folders with a real tar, as a person would.
fn packed(node: &Node, name: &str, arguments: &[&str]) -> String {
    let archive = node.workplace.path().join(name).display().to_string();
    let done = Command::new("tar")
        .arg("-czf")
        .arg(&archive)
        .arg("-C")
        .arg(node.workplace.path())
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    archive
}

fn folder(node: &Node, name: &str) -> PathBuf {
    let folder = node.workplace.path().join(name);
    std::fs::create_dir(&folder).unwrap();
    folder
}

#[test]
fn an_archive_of_private_data_is_studied_through_the_gap() {
    let world = World::new();
    world.high.sign_in(OWNER);
    let arguments = [
        "dataset",
        "import",
        &pima(),
        "--name",
        "Pima women",
        "--generate-mocks",
        "--mock-rows",
        "20",
    ];
    let made = world.high.run(OWNER, &arguments).json();
    let assets = made["assets"].as_array().unwrap();
    assert_eq!(assets.len(), 10, "{made:#}");
    let of = |name: &str| assets.iter().find(|asset| asset["name"] == name).unwrap();
    assert_eq!(of("women_1.csv")["private"]["shape"], json!([88, 8]));
    assert_eq!(of("women_1.csv")["mock"]["shape"], json!([20, 8]));
    let measures = of("measures_train.csv");
    assert_eq!(
        (&measures["private"]["dtype"], &measures["private"]["shape"]),
        (&json!("float32"), &json!([200, 7]))
    );
    assert_eq!(of("diagnosis_test.npy")["private"]["shape"], json!([332]));
    assert!(
        made["description"].as_str().unwrap().contains("one row a woman"),
        "{made:#}"
    );

    let dataset = text(&made["id"]);
    let publication = json!({"peer": world.low_id});
    world
        .owner
        .post(&format!("/datasets/{dataset}/publications"), &publication);
    world.carry_down();
    let listed = world.scientist.get(&format!("/datasets/{dataset}/assets"));
    let seen = items(&listed);
    assert_eq!(seen.len(), 10);
    for asset in &seen {
        let rows = &asset["shape"][0];
        assert_eq!((rows, &asset["private"]), (&json!(20), &Value::Null), "{asset:#}");
    }

    let source = "def study(women, measures, diagnosis):\n    \
                  return {'women': len(women), 'dtype': str(measures.dtype), 'glu': float(measures[:, 1].mean()),\n            \
                  'diabetic': int(diagnosis.sum())}\n";
    let code = world.scientist.post(
        "/codes",
        &json!({
            "name": "study", "source": source, "entry_point": "study", "output_policy": "single_execution",
            "input_policy": {"women": {"asset": of("women_1.csv")["id"]}, "measures": {"asset": measures["id"]},
                             "diagnosis": {"asset": of("diagnosis_train.npy")["id"]}},
        }),
    );
    let request = world.request(
        &world.project(),
        &text(&code["id"]),
        "to see what an archive becomes",
    );
    import(&world.owner, &world.export_up());
    crate::world::apply_all(&world.owner, &world.low_id);
    let rehearsal = world
        .owner
        .post(&format!("/requests/{request}/runs"), &json!({"data": "mock"}));
    let rehearsal = over(&world.owner, &text(&rehearsal["id"]));
    let log = || {
        String::from_utf8(
            world
                .owner
                .download(&format!("/runs/{}/log", text(&rehearsal["id"]))),
        )
        .unwrap()
    };
    assert_eq!(rehearsal["state"], "succeeded", "{}", log());
    world.approve(&request);
    let run = world.run(&request);
    assert_eq!(run["state"], "succeeded", "{run:#}");
    world.release(&run, "result");
    world.carry_down();
    let call = format!("/codes/{}/call", text(&code["id"]));
    let result = world.scientist.post(&call, &json!({}));
    assert_eq!(
        (&result["women"], &result["dtype"], &result["diabetic"]),
        (&json!(88), &json!("float32"), &json!(68))
    );
    let mean = result["glu"].as_f64().unwrap();
    assert!((mean - 123.97).abs() < 1e-4, "{result:#}");
}

#[test]
fn on_a_low_node_the_archive_is_the_mock_data() {
    let node = Node::ready("low");
    let imported = node.say(OWNER, &["dataset", "import", &pima()]);
    assert_eq!(imported.code, 0, "{}", imported.stderr);
    assert!(
        imported.stdout.contains("npy, float32 of 200 × 7"),
        "{}",
        imported.stdout
    );
    let again = node.run(OWNER, &["dataset", "import", &pima()]);
    assert_eq!(again.refused(1), "name_taken");
    let generate = node.run(
        OWNER,
        &["dataset", "import", &pima(), "--name", "b", "--generate-mocks"],
    );
    assert_eq!(generate.refused(1), "wrong_side");

    let sam = "sam@example.org";
    node.scientist(sam);
    let listed = node.run(sam, &["asset", "list", "pima", "--all"]).json();
    let listed = items(&listed);
    assert_eq!(listed.len(), 10);
    assert_eq!(listed[0]["tags"], json!(["diabetes", "health", "pima"]));
    let copy = node.workplace.path().join("copy.npy");
    let download = [
        "asset",
        "mock",
        "pima/diagnosis_train.npy",
        "--download",
        "--output",
        copy.to_str().unwrap(),
    ];
    node.run(sam, &download).json();
    assert_eq!(std::fs::metadata(&copy).unwrap().len(), 328);
    assert_eq!(
        node.run(sam, &["dataset", "import", &pima(), "--name", "c"])
            .refused(3),
        "forbidden"
    );
    let mocks = node.run(sam, &["dataset", "mocks", "pima", &pima()]);
    assert_eq!(mocks.refused(3), "forbidden");
}

#[test]
fn archives_of_other_programs_are_taken() {
    let node = Node::ready("low");
    let data = folder(&node, "my data");
    std::fs::write(data.join("ages.csv"), "name,age\nAda,36\n").unwrap();
    std::fs::write(data.join("Größen.csv"), "1.5,2\n").unwrap();
    std::fs::write(data.join("._ages.csv"), "Finder").unwrap();
    for (name, arguments) in [
        ("gnu.tar.gz", ["--format=gnu", "my data"]),
        ("pax.tgz", ["--format=pax", "./my data"]),
        ("ustar.tgz", ["--format=ustar", "my data"]),
    ] {
        let archive = packed(&node, name, &arguments);
        let made = node
            .run(OWNER, &["dataset", "import", &archive, "--name", name])
            .json();
        assert_eq!(made["assets"].as_array().unwrap().len(), 2, "{made:#}");
        let ignored = made["ignored"][0].as_str().unwrap();
        assert!(ignored.ends_with("my data/._ages.csv"), "{made:#}");
    }
    // Python notes times to the nanosecond, in an extension header before every file.
    let archive = node.workplace.path().join("python.tar.gz");
    let script =
        "import sys, tarfile\nwith tarfile.open(sys.argv[1], 'w:gz') as tar: tar.add(sys.argv[2], 'my data')";
    let done = Command::new("python3")
        .args(["-c", script])
        .arg(&archive)
        .arg(&data)
        .status()
        .unwrap();
    assert!(done.success());
    let made = node
        .run(OWNER, &["dataset", "import", archive.to_str().unwrap()])
        .json();
    assert_eq!(made["name"], "my data");
    assert_eq!(made["assets"].as_array().unwrap().len(), 2, "{made:#}");
}

#[test]
fn a_refused_archive_is_told_by_member_and_line_and_leaves_nothing() {
    let node = Node::ready("high");
    let data = folder(&node, "pima");
    std::fs::write(data.join("a.csv"), "age,bmi\n36,21.5\n").unwrap();
    std::fs::write(data.join("b.csv"), "age,bmi\n36,21.5\n41\n").unwrap();
    let before = files(&node);
    let archive = packed(&node, "broken.tgz", &["pima"]);
    let refused = node.run(OWNER, &["dataset", "import", &archive]);
    assert_eq!(refused.refused(1), "archive_refused");
    let problem: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(
        (&problem["member"], &problem["line"]),
        (&json!("pima/b.csv"), &json!(3))
    );
    let said = node.say(OWNER, &["dataset", "import", &archive]).stderr;
    assert!(said.contains("pima/b.csv, line 3: "), "{said}");

    std::fs::remove_file(data.join("b.csv")).unwrap();
    symlink("/etc/passwd", data.join("b.csv")).unwrap();
    let archive = packed(&node, "link.tgz", &["pima"]);
    let refused = node.say(OWNER, &["dataset", "import", &archive]).stderr;
    assert!(refused.contains("pima/b.csv: is a link"), "{refused}");

    // The first member refuses an archive that is still on its way: its sender is told all the same.
    std::fs::remove_file(data.join("b.csv")).unwrap();
    std::fs::write(data.join("0.exe"), "").unwrap();
    std::fs::write(data.join("z.npy"), noise(64 << 20)).unwrap();
    let archive = packed(&node, "large.tgz", &["--sort=name", "pima"]);
    let refused = node.say(OWNER, &["dataset", "import", &archive]).stderr;
    assert!(refused.contains("pima/0.exe: is neither data"), "{refused}");

    assert_eq!(items(&node.run(OWNER, &["dataset", "list"]).json()).len(), 0);
    assert_eq!(files(&node), before);
}

/// Bytes that gzip cannot make shorter.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut bytes)
        .unwrap();
    bytes
}

#[test]
fn a_node_that_dies_while_an_archive_comes_in_keeps_nothing_of_it() {
    let mut node = Node::ready("high");
    let data = folder(&node, "pima");
    std::fs::write(data.join("a.csv"), "age,bmi\n36,21.5\n").unwrap();
    std::fs::write(data.join("b.npy"), noise(8 << 20)).unwrap();
    let archive = std::fs::read(packed(&node, "cut.tgz", &["--sort=name", "pima"])).unwrap();
    let before = files(&node);
    let token = crate::person::Person::sign_in(node.address(), OWNER, crate::node::PASSWORD)
        .token
        .unwrap();
    let address = node.address().strip_prefix("http://").unwrap().to_owned();
    let mut connection = std::net::TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /api/v1/datasets/archive HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\n\r\n",
        archive.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(&archive[..archive.len() / 2]).unwrap();
    // Half of it is there, and on the disk, when the node dies.
    let incoming = node.folder().join("private/incoming");
    while std::fs::read_dir(&incoming).unwrap().count() < 2 {
        std::thread::yield_now();
    }
    node.kill();
    assert_ne!(files(&node), before);
    node.start();
    assert_eq!(files(&node), before);
    node.sign_in(OWNER);
    assert_eq!(items(&node.run(OWNER, &["dataset", "list"]).json()).len(), 0);
}

#[test]
fn mocks_in_a_second_archive_stand_for_the_first() {
    let node = Node::ready("high");
    let (data, mocks) = (folder(&node, "stones"), folder(&node, "mocks"));
    std::fs::write(data.join("weights.csv"), "stone,weight\nA,1.5\nB,2.5\n").unwrap();
    std::fs::write(data.join("places.csv"), "1,2\n3,4\n").unwrap();
    std::fs::write(mocks.join("weights.csv"), "stone,weight\nA,1.50\nX,9.5\nY,8.5\n").unwrap();
    std::fs::write(mocks.join("places.csv"), "7\n").unwrap();
    let (data, wrong) = (
        packed(&node, "stones.tgz", &["stones"]),
        packed(&node, "wrong.tgz", &["mocks"]),
    );
    let refused = node.run(OWNER, &["dataset", "import", &data, "--mocks", &wrong]);
    assert_eq!(refused.refused(1), "archive_refused");
    let problem: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(
        (&problem["reason"], &problem["member"]),
        (&json!("differs"), &json!("mocks/places.csv"))
    );
    let dataset = text(&problem["dataset"]);
    let listed = node.run(OWNER, &["asset", "list", &dataset]).json();
    assert!(
        items(&listed).iter().all(|asset| asset["mock"].is_null()),
        "{listed:#}"
    );

    std::fs::write(mocks.join("places.csv"), "7,8\n").unwrap();
    let right = packed(&node, "right.tgz", &["mocks"]);
    let said = node.say(OWNER, &["dataset", "mocks", "stones", &right]);
    assert!(
        said.stdout.contains("1 row(s) of the mock of weights.csv"),
        "{}{}",
        said.stdout,
        said.stderr
    );
    let both = ["dataset", "import", &data, "--name", "again", "--mocks", &right];
    let made = node.run(OWNER, &both).json();
    assert_eq!(made["mocks"]["assets"].as_array().unwrap().len(), 2, "{made:#}");
}

fn content(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut file = File::open(archive).unwrap();
    let contents = unpack(&mut file, &Limits::new(1 << 30), |member, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(UnpackError::Source)?;
        found.insert(member.path, bytes);
        Ok::<_, UnpackError>(())
    })
    .unwrap();
    found.insert(contents.folder, format!("{:?}", contents.texts).into_bytes());
    found
}

#[test]
fn the_fixture_is_what_its_script_makes() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("pima.tar.gz");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/pima-archive");
    let done = Command::new("python3").arg(script).arg(&made).status().unwrap();
    assert!(done.success());
    assert_eq!(content(&made), content(&fixture("archives/pima.tar.gz")));
}
