//! Media and disks that fail: full, read-only, torn out at any byte. Each time there is a clear error, nothing half is left, and
//! the same command succeeds once the medium is well.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::json;

use crate::backups::sound;
use crate::node::{Node, OWNER, PASSWORD, Ran};
use crate::person::Person;
use crate::world::{World, inbox, text};

/// A file system in memory, of a size that can be changed.
struct Disk(PathBuf);

impl Disk {
    /// Mounts one; none where this user may not.
    fn new(place: &Path, kibibytes: usize) -> Option<Self> {
        std::fs::create_dir_all(place).unwrap();
        let options = format!("size={kibibytes}k,mode=0700");
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        match mount(Some("tmpfs"), place, Some("tmpfs"), flags, Some(options.as_str())) {
            Ok(()) => Some(Self(place.to_path_buf())),
            Err(nix::errno::Errno::EPERM) => {
                assert!(std::env::var_os("CI").is_none(), "disks are filled as root");
                eprintln!("NOT TESTED: only root can mount a small disk to fill it");
                None
            }
            Err(error) => panic!("{}: {error}", place.display()),
        }
    }

    fn change(&self, options: &str, read_only: bool) {
        let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        flags.set(MsFlags::MS_RDONLY, read_only);
        mount(Some("tmpfs"), &self.0, Some("tmpfs"), flags, Some(options)).unwrap();
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        for piece in [1 << 20, 4096, 1] {
            while std::io::Write::write_all(&mut file, &vec![1; piece]).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What stays mounted is a file system in memory, and nobody's.
        let _left = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

fn export(world: &World, stick: &Path) -> Ran {
    let to = stick.display().to_string();
    world
        .low
        .run(OWNER, &["bundle", "export", &world.high_id, "--to", &to])
}

/// A world where something is owed upwards, with code that takes some room.
fn owing() -> World {
    let world = World::new();
    let project = world.project();
    let source = format!("def one(n):\n    return n\n# {}\n", "a long story ".repeat(900));
    let code = world.scientist.post(
        "/codes",
        &json!({
            "name": "one", "source": source, "entry_point": "one",
            "input_policy": {"n": {"constant": 1}}, "output_policy": "single_execution",
        }),
    );
    world.request(
        &project,
        code["id"].as_str().unwrap(),
        "so that something is owed",
    );
    world
}

#[test]
fn a_stick_that_is_full_read_only_or_torn_out_costs_nothing() {
    let world = owing();
    let place = world.root.path().join("small-stick");

    // Torn out at a byte: the command dies exactly there. What is left under a bundle's name is a whole bundle or nothing.
    let torn = world.root.path().join("torn-stick");
    std::fs::create_dir(&torn).unwrap();
    let mut most = 0;
    for bytes in (0..40_000).step_by(977) {
        let died = Command::new("prlimit")
            .arg(format!("--fsize={bytes}"))
            .arg(env!("CARGO_BIN_EXE_poundlock"))
            .args(["--json", "bundle", "export", &world.high_id, "--to"])
            .arg(&torn)
            .env("POUNDLOCK_CONFIG_HOME", world.low.workplace.path().join("config"))
            .env("POUNDLOCK_PROFILE", OWNER)
            .env("POUNDLOCK_NODE", world.low.folder())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if died.status.success() {
            break;
        }
        most = bytes;
        let left = names(&torn);
        assert!(
            left.iter().all(|name| !name.ends_with(".bundle")),
            "{bytes}: {left:?}"
        );
    }
    assert!(most > 2_000, "it was torn out in the middle of it: {most}");
    for entry in std::fs::read_dir(&torn).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let written = export(&world, &torn).json();
    let bundle = torn.join(written["file"].as_str().map_or_else(
        || names(&torn).into_iter().next().unwrap(),
        |file| {
            Path::new(file)
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        },
    ));
    let whole = std::fs::read(&bundle).unwrap();

    // Torn out while it is read: a bundle that ends early is refused wherever it ends, and nothing is kept.
    let cut = world.root.path().join("cut");
    let before = inbox(&world.owner, &world.low_id);
    for end in (0..whole.len()).step_by(whole.len() / 40 + 1) {
        std::fs::write(&cut, &whole[..end]).unwrap();
        let refused = world
            .high
            .run(OWNER, &["bundle", "import", &cut.display().to_string()]);
        assert_eq!(refused.code, 7, "cut at {end}: {}", refused.stderr);
    }
    // Torn out while it is sent: the connection ends, and so does what came of it.
    for end in (0..whole.len()).step_by(whole.len() / 10 + 1) {
        let head = format!(
            "POST /api/v1/imports HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            world.owner.token.as_deref().unwrap(),
            whole.len()
        );
        let address = world.high.address().strip_prefix("http://").unwrap();
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        std::io::Write::write_all(&mut connection, &[head.as_bytes(), &whole[..end]].concat()).unwrap();
    }
    assert_eq!(inbox(&world.owner, &world.low_id), before);
    crate::mail::until("the quarantine to be empty", || {
        names(&world.high.folder().join("quarantine"))
            .is_empty()
            .then_some(())
    });
    let imported = world
        .high
        .run(OWNER, &["bundle", "import", &bundle.display().to_string()]);
    assert_eq!(imported.json()["state"], "received");

    // Full at every page, then read-only, then well again.
    let Some(stick) = Disk::new(&place, 4) else { return };
    for kibibytes in [4, 8, 12, 16, 64] {
        stick.change(&format!("size={kibibytes}k"), false);
        let full = export(&world, &place);
        if full.code == 0 {
            assert!(kibibytes > 4);
            break;
        }
        assert!(full.stderr.to_lowercase().contains("space"), "{}", full.stderr);
        assert_eq!(
            names(&place),
            BTreeSet::new(),
            "{kibibytes} KiB: nothing half is left"
        );
    }
    assert_eq!(names(&place).len(), 1);
    stick.change("size=1024k", true);
    let refused = export(&world, &place);
    assert!(
        refused.code != 0 && refused.stderr.to_lowercase().contains("read-only"),
        "{}",
        refused.stderr
    );
    // Reading from it is all that an import needs.
    let file = place.join(names(&place).into_iter().next().unwrap());
    let imported = world
        .high
        .run(OWNER, &["bundle", "import", &file.display().to_string()]);
    assert_eq!(imported.code, 0, "{}", imported.stderr);
    stick.change("size=1024k", false);
    assert_eq!(export(&world, &place).code, 0);
}

#[test]
fn a_node_whose_disk_is_full_says_so_and_loses_nothing() {
    let mut node = Node::ready("high");
    let person = Person::sign_in(node.address(), OWNER, PASSWORD);
    let dataset = person.post("/datasets", &json!({"name": "before", "description": ""}));
    let dataset = dataset["id"].as_str().unwrap().to_owned();
    let Some(disk) = moved_onto_a_small_disk(&mut node, 96 * 1024) else {
        return;
    };
    let mut person = person;
    node.address().clone_into(&mut person.address);

    let filler = disk.fill();
    let (mut acknowledged, mut refused) = (Vec::new(), None);
    for number in 0..20_000 {
        let body = json!({"name": format!("meanwhile {number}"), "description": "x".repeat(2000)});
        match person.attempt("POST", "/datasets", &body) {
            Some((201, made)) => acknowledged.push(made["id"].as_str().unwrap().to_owned()),
            other => {
                refused = Some(other);
                break;
            }
        }
    }
    // Either the node says that it failed, or it has ended: in both cases nothing was promised that is not there.
    if let Some(answer) = refused.expect("a full disk takes no more") {
        assert!(answer.0 >= 500, "{} {:#}", answer.0, answer.1);
    }
    println!(
        "{} writes were acknowledged before the disk took no more",
        acknowledged.len()
    );
    node.kill();
    std::fs::remove_file(filler).unwrap();
    disk.change(&format!("size={}k", 512 * 1024), false);
    sound(&node, &node.folder());
    node.start();
    person.address = node.address().to_owned();
    for id in acknowledged.iter().chain([&dataset]) {
        assert_eq!(
            person.try_get(&format!("/datasets/{id}")).0,
            200,
            "{id} was acknowledged"
        );
    }
    person.post("/datasets", &json!({"name": "after", "description": ""}));
    node.stop();
    sound(&node, &node.folder());
}

/// Stops a node, moves its folder onto a disk of its own, and starts it again.
fn moved_onto_a_small_disk(node: &mut Node, kibibytes: usize) -> Option<Disk> {
    node.stop();
    let (folder, moved) = (node.folder(), node.workplace.path().join("moved"));
    std::fs::rename(&folder, &moved).unwrap();
    let disk = Disk::new(&folder, kibibytes)?;
    let copied = Command::new("cp")
        .arg("-a")
        .arg(moved.join("."))
        .arg(&folder)
        .status()
        .unwrap();
    assert!(copied.success());
    node.start();
    Some(disk)
}

#[test]
fn a_bundle_larger_than_the_room_is_refused_before_it_fills_the_disk() {
    let mut world = owing();
    let Some(disk) = moved_onto_a_small_disk(&mut world.low, 400 * 1024) else {
        return;
    };
    world.sign_in_again();
    let large = world.root.path().join("large.bundle");
    std::fs::File::create(&large).unwrap().set_len(200 << 20).unwrap();
    let large = large.display().to_string();
    let refused = world.low.run(OWNER, &["bundle", "import", &large]);
    assert_eq!(refused.refused(7), "bundle_no_space");
    // Without a length it is told once the room is used up.
    let head = format!(
        "POST /api/v1/imports HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        world.low_owner.token.as_deref().unwrap(),
    );
    let mut connection =
        std::net::TcpStream::connect(world.low.address().strip_prefix("http://").unwrap()).unwrap();
    std::io::Write::write_all(&mut connection, head.as_bytes()).unwrap();
    let piece = [b"100000\r\n".as_slice(), &vec![7; 1 << 20], b"\r\n"].concat();
    for _ in 0..200 {
        std::io::Write::write_all(&mut connection, &piece).unwrap();
    }
    std::io::Write::write_all(&mut connection, b"0\r\n\r\n").unwrap();
    let mut answer = vec![0; 4096];
    let length = std::io::Read::read(&mut connection, &mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.contains("bundle_no_space"), "{answer}");
    crate::mail::until("the quarantine to be empty", || {
        names(&world.low.folder().join("quarantine"))
            .is_empty()
            .then_some(())
    });

    let stick = world.root.path().join("own-stick");
    std::fs::create_dir(&stick).unwrap();
    let filler = disk.0.join("filler");
    std::fs::write(&filler, vec![1; 150 << 20]).unwrap();
    let refused = export(&world, &stick);
    assert_eq!(refused.refused(1), "export_no_space");
    assert_eq!(names(&stick), BTreeSet::new());
    assert_eq!(world.scientist.try_get("/users/me").0, 200, "the node lives on");
    std::fs::remove_file(&filler).unwrap();
    let written = export(&world, &stick).json();
    assert_eq!(written["sequence"], 1, "a refused export costs no number");
}

#[test]
fn a_damaged_blob_is_named_with_the_ways_out() {
    let world = World::new();
    let pima = world.publish_pima();
    let asset = world.owner.get(&format!("/assets/{}", pima.asset));
    let (dataset, hash) = (text(&asset["dataset"]), text(&asset["mock"]["blob"]));
    let file = world
        .high
        .folder()
        .join("blobs")
        .join(&hash[..2])
        .join(&hash[2..4])
        .join(&hash);
    let whole = std::fs::read(&file).unwrap();
    let to = world.stick.display().to_string();
    let export = || {
        let command = ["bundle", "export", &world.low_id, "--full", "--to", &to];
        world.high.run(OWNER, &command)
    };
    let mut damaged = whole.clone();
    damaged[3] ^= 1;
    for content in [Some(&damaged[..]), Some(&whole[..5]), None] {
        match content {
            Some(content) => std::fs::write(&file, content).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let refused = export();
        assert_eq!(refused.refused(1), "export_blob_damaged");
        for told in [&hash, &pima.asset, &format!("low {dataset}")] {
            assert!(
                refused.stderr.contains(told.as_str()),
                "{told}: {}",
                refused.stderr
            );
        }
    }
    // Without it the rest goes; put back, it goes too.
    let held = world.high.run(OWNER, &["bundle", "hold", "low", &dataset]);
    assert_eq!(held.code, 0, "{}", held.stderr);
    assert_eq!(export().json()["blobs"], 0);
    world.high.run(OWNER, &["bundle", "unhold", "low", &dataset]);
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(export().json()["blobs"], 1);
}

#[test]
fn a_stick_that_is_not_in_costs_neither_a_number_nor_a_release() {
    let world = World::new();
    let pima = world.publish_pima();
    let code = world.code(
        "mean_glucose.py",
        "mean_glucose",
        &pima.asset,
        &json!("single_execution"),
    );
    let request = world.request(&world.project(), &code, "Teaching");
    world.carry_up();
    world.approve(&request);
    let run = world.run(&request);
    let (run, hash) = (text(&run["id"]), text(&run["result"]["hash"]));
    let release = format!("{run}:result={hash}");
    let to_a_stick = |to: &Path| {
        let to = to.display().to_string();
        let command = [
            "bundle",
            "export",
            &world.low_id,
            "--release",
            &release,
            "--to",
            &to,
        ];
        world.high.run(OWNER, &command)
    };
    let refused = |ran: Ran, code: i32, told: &str| {
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    };
    let peer = format!("/peers/{}", world.low_id);
    let before = world.owner.get(&peer)["last_sent"].clone();
    let root = world.root.path();
    for place in ["not-in", "not-in/", "not-in/down.bundle"] {
        refused(to_a_stick(&root.join(place)), 1, "is the stick in?");
        assert!(!root.join("not-in").try_exists().unwrap(), "{place}");
    }
    assert_eq!(world.owner.get(&format!("/runs/{run}"))["releases"], json!([]));
    assert_eq!(world.owner.get(&peer)["last_sent"], before, "no number is used");

    // A folder may be named both ways; one that holds one bundle stands for it.
    let stick = root.join("only");
    std::fs::create_dir(&stick).unwrap();
    let folder = stick.display().to_string();
    let import = ["bundle", "import", &folder];
    refused(world.low.run(OWNER, &import), 1, "name the file");
    let written = to_a_stick(&stick).json();
    assert_eq!(written["released"][0]["job"], json!(run), "{written:#}");
    refused(world.high.run(OWNER, &import), 7, "wrote this bundle itself");
    assert_eq!(world.low.run(OWNER, &import).json()["state"], "received");
    let asset = ["asset", "private", &pima.asset, &folder, "--format", "csv"];
    refused(world.high.run(OWNER, &asset), 1, "is a folder; name the file");
}
