//! Copies of nodes that run, what puts them back, and damage that is found.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::node::{Node, OWNER, Ran, items};
use crate::person::word;
use crate::world::{World, apply_all, import, text, try_import};

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What `poundlock check` says of a folder.
pub fn check(node: &Node, folder: &Path) -> Ran {
    node.run(OWNER, &["check", &path(folder)])
}

#[track_caller]
pub fn sound(node: &Node, folder: &Path) -> Value {
    let looked = check(node, folder);
    assert_eq!(looked.code, 0, "{}{}", looked.stdout, looked.stderr);
    looked.json()["looked_at"].clone()
}

/// What is wrong with a folder, in words.
#[track_caller]
fn wrong(node: &Node, folder: &Path) -> String {
    let looked = check(node, folder);
    assert_eq!(looked.code, 1, "{}{}", looked.stdout, looked.stderr);
    let told: Value = serde_json::from_str(&looked.stderr).unwrap_or(Value::Null);
    assert_ne!(told["sound"], true);
    looked.stderr
}

fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= 0x10;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_running_node_is_copied_and_put_back_and_its_peer_is_told() {
    let mut world = World::new();
    let pima = world.publish_pima();
    let project = world.project();
    let code = world.code(
        "mean_glucose.py",
        "mean_glucose",
        &pima.asset,
        &json!("single_execution"),
    );
    let request = world.request(&project, &code, "before the copy");
    world.carry_up();

    // A writer goes on while the copy is taken.
    let backup = world.root.path().join("backup");
    let taken = std::thread::scope(|threads| {
        let taking = threads.spawn(|| {
            let folder = path(&world.high.folder());
            world.high.run(OWNER, &["backup", &folder, &path(&backup)])
        });
        let mut written = 0;
        while !taking.is_finished() || written == 0 {
            world.owner.post(
                "/datasets",
                &json!({"name": format!("meanwhile {written}"), "description": ""}),
            );
            written += 1;
        }
        taking.join().unwrap()
    });
    let taken = taken.json();
    assert_eq!(taken["side"], "high");
    assert_eq!(
        std::fs::read_dir(world.high.folder().join("spool/snapshots"))
            .unwrap()
            .count(),
        0,
        "the snapshot was removed"
    );
    let noted = items(&world.owner.get("/audit?limit=200"));
    assert!(
        noted.iter().any(|entry| entry["action"] == "snapshot.taken"),
        "{noted:#?}"
    );
    let looked_at = sound(&world.high, &backup);
    assert!(
        looked_at["blobs"].as_u64() >= Some(1) && looked_at["attachments"].as_u64() >= Some(1),
        "{looked_at}"
    );

    // What happens after it is lost with the disk.
    world.decide(&request, "deny", Some("after the copy"));
    world.carry_down();
    world.high.stop();
    std::fs::remove_dir_all(world.high.folder()).unwrap();
    let folder = path(&world.high.folder());
    let restored = world
        .high
        .run(OWNER, &["restore", &folder, "--from", &path(&backup)])
        .json();
    assert_eq!(restored["peers"], json!(["low"]));
    sound(&world.high, &world.high.folder());
    world.high.start();
    world.sign_in_again();
    assert_eq!(
        world.owner.get(&format!("/requests/{request}"))["status"]["state"],
        "pending"
    );
    assert_eq!(
        world.owner.get(&format!("/assets/{}/private-status", pima.asset))["attached"],
        true
    );

    // The peer is told that it is an older state, and takes nothing of it before a person says so.
    let down = world.export_down();
    let waits = try_import(&world.low_owner, &down);
    assert_eq!(
        (waits.0, word(&waits)),
        (409, "bundle_epoch_unconfirmed"),
        "{:#}",
        waits.1
    );
    let detail = text(&waits.1["detail"]);
    assert!(
        detail.contains("epoch") && detail.contains("pair epoch"),
        "{detail}"
    );
    world.low_owner.post(
        &format!("/peers/{}/epoch", world.high_id),
        &json!({"epoch": restored["epoch"]}),
    );
    import(&world.low_owner, &down);
    apply_all(&world.low_owner, &world.high_id);
    world.carry_up();
    world.decide(&request, "deny", Some("decided anew"));
    world.carry_down();
    assert_eq!(
        world.scientist.get(&format!("/requests/{request}"))["status"]["state"],
        "denied"
    );
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let mut world = World::new();
    let pima = world.publish_pima();
    let project = world.project();
    let code = world.code(
        "mean_glucose.py",
        "mean_glucose",
        &pima.asset,
        &json!("single_execution"),
    );
    let request = world.request(&project, &code, "look at the data");
    world.carry_up();
    let result = world.high.file("result.json", b"17");
    let deposited = world
        .high
        .run(OWNER, &["run", "deposit", &request, &path(&result)]);
    assert_eq!(deposited.code, 0, "{}", deposited.stderr);
    let refused = check(&world.high, &world.high.folder());
    assert!(
        refused.code == 1 && refused.stderr.contains("runs"),
        "{}",
        refused.stderr
    );
    world.high.stop();
    let node = world.high.folder();
    let looked_at = sound(&world.high, &node);
    assert!(looked_at["attachments"].as_u64() >= Some(2), "{looked_at}");

    // In a blob, in private data, in a result: found by the first bit, and by the last.
    let blobs = files(&node.join("blobs"))
        .into_iter()
        .filter(|file| !file.ends_with("lock"));
    let private = files(&node.join("private"))
        .into_iter()
        .filter(|file| !file.ends_with("lock"));
    for file in blobs.chain(private) {
        for at in [0, std::fs::read(&file).unwrap().len() - 1] {
            flip(&file, at);
            let told = wrong(&world.high, &node);
            assert!(
                told.contains("blob") || told.contains("is not what was stored"),
                "{told}"
            );
            flip(&file, at);
        }
    }
    // In the store: whatever a flipped bit does, what is read is what was written, or it is found.
    let db = node.join("store/db");
    let used = std::fs::read(&db)
        .unwrap()
        .iter()
        .rposition(|byte| *byte != 0)
        .unwrap()
        + 1;
    let before = sound(&world.high, &node);
    let (mut found, rounds) = (0, 40);
    for round in 0..rounds {
        let at = used * (2 * round + 1) / (2 * rounds);
        flip(&db, at);
        let looked = check(&world.high, &node);
        match looked.code {
            0 => assert_eq!(looked.json()["looked_at"], before, "bit at {at} of {used}"),
            1 => found += 1,
            other => panic!("{other}: {}", looked.stderr),
        }
        flip(&db, at);
    }
    println!("{found} of {rounds} flipped bits mattered to the store and were found");
    assert!(found > 0);
    assert_eq!(sound(&world.high, &node), before, "looking changed nothing");
    world.high.start();
}
