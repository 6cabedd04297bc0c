//! A node whose folder is put back from a copy.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use serde_json::{Value, json};

use crate::node::{Node, OWNER, PASSWORD, items};
use crate::person::{Person, word};
use crate::world::{World, apply_all, import, inbox, text, try_import};

/// Copies a stopped node's folder, as a backup would.
fn copy(from: &Path, to: &Path) {
    std::fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            std::fs::set_permissions(&target, PermissionsExt::from_mode(mode)).unwrap();
        }
    }
}

fn put_back(node: &mut Node, backup: &Path) {
    node.stop();
    std::fs::remove_dir_all(node.folder()).unwrap();
    copy(backup, &node.folder());
}

fn back_up(node: &mut Node, backup: &Path) {
    node.stop();
    copy(&node.folder(), backup);
    node.start();
}

fn owed(who: &Person, peer: &str) -> Value {
    who.get(&format!("/peers/{peer}/outgoing?include_ignored=true"))["batches"].clone()
}

fn describe(who: &Person, project: &str, text: &str) {
    let answer = who.try_patch(&format!("/projects/{project}"), &json!({ "description": text }));
    assert_eq!(answer.0, 200, "{:#}", answer.1);
}

fn constant_code(world: &World) -> String {
    let code = world.scientist.post(
        "/codes",
        &json!({
            "name": "one", "source": "def one(n):\n    return n\n", "entry_point": "one",
            "input_policy": {"n": {"constant": 1}}, "output_policy": "single_execution",
        }),
    );
    text(&code["id"])
}

fn change_of(batches: &[Value], id: &str) -> Value {
    let members = batches
        .iter()
        .flat_map(|batch| batch["members"].as_array().unwrap());
    let mut found = members.filter(|member| member["id"] == json!(id));
    found.next().unwrap_or_else(|| panic!("{batches:#?}"))["change"].clone()
}

#[test]
fn a_restored_low_node_is_found_out_confirmed_and_brought_level() {
    let mut world = World::new();
    let project = world.project();
    let code = constant_code(&world);
    let first = world.request(&project, &code, "a first");
    world.carry_up();
    let backup = world.root.path().join("backup");
    back_up(&mut world.low, &backup);
    world.sign_in_again();

    // What the copy does not know: an edit that went up, a request that went up, and an answer that came down.
    describe(&world.scientist, &project, "as it was before the disk died");
    let second = world.request(&project, &code, "a second");
    world.carry_up();
    world.decide(&first, "deny", Some("not this one"));
    world.carry_down();
    import(&world.owner, &world.export_up());

    // Started as if nothing had happened, it is found out on either side.
    put_back(&mut world.low, &backup);
    world.low.start();
    world.sign_in_again();
    assert_eq!(world.scientist.try_get(&format!("/requests/{second}")).0, 404);
    describe(&world.scientist, &project, "another history");
    let fork = try_import(&world.owner, &world.export_up());
    assert_eq!((fork.0, word(&fork)), (409, "bundle_fork"), "{:#}", fork.1);
    let down = world.export_down();
    let found_out = try_import(&world.low_owner, &down);
    assert_eq!(found_out.0, 409, "{:#}", found_out.1);

    // The command refuses a node that runs, and gives a stopped one a new epoch.
    put_back(&mut world.low, &backup);
    world.low.start();
    let folder = world.low.folder().display().to_string();
    assert_ne!(world.low.run(OWNER, &["restore", &folder]).code, 0, "it runs");
    world.low.stop();
    let before = world.owner.get(&format!("/peers/{}", world.low_id))["epoch"].clone();
    let restored = world.low.run(OWNER, &["restore", &folder]).json();
    assert_ne!(restored["epoch"], before);
    assert_eq!(restored["peers"], json!(["high"]));
    world.low.start();
    world.sign_in_again();
    let noted = items(&world.low_owner.get("/audit?limit=200"));
    assert!(
        noted.iter().any(|entry| entry["action"] == "store.restored"),
        "{noted:#?}"
    );
    describe(&world.scientist, &project, "what was decided after the disk died");

    // Its bundles wait for a person; what was made for the lost store is refused; then all comes level.
    let stale = try_import(&world.low_owner, &world.export_down());
    assert_eq!(
        (stale.0, word(&stale)),
        (409, "bundle_for_another_epoch"),
        "{:#}",
        stale.1
    );
    assert_eq!(
        confirm(&world.owner, &world.low_id, &world.export_up()),
        restored["epoch"],
        "what the two owners compare"
    );
    let batches = inbox(&world.owner, &world.low_id);
    assert_eq!(
        change_of(&batches, &project),
        "forked",
        "shown, and not overwritten in silence"
    );
    assert_eq!(
        world.owner.get(&format!("/projects/{project}"))["description"],
        "as it was before the disk died"
    );
    apply_all(&world.owner, &world.low_id);
    assert_eq!(
        world.owner.get(&format!("/projects/{project}"))["description"],
        "what was decided after the disk died"
    );
    assert_eq!(
        world.owner.get(&format!("/requests/{second}"))["reason"],
        "a second",
        "what only the high node has kept stays"
    );
    world.carry_down();
    assert_eq!(
        world.scientist.get(&format!("/requests/{second}"))["reason"],
        "a second",
        "and goes back"
    );
    assert_eq!(
        world.scientist.get(&format!("/requests/{first}"))["status"]["state"],
        "denied"
    );
    level(&world);
}

/// Has the owner on the other side confirm the epoch that a restored node's bundle bears, and takes that in.
fn confirm(who: &Person, restored: &str, bundle: &Path) -> Value {
    let waits = try_import(who, bundle);
    assert_eq!(
        (waits.0, word(&waits)),
        (409, "bundle_epoch_unconfirmed"),
        "{:#}",
        waits.1
    );
    let peer = format!("/peers/{restored}");
    let named = who.get(&peer)["unconfirmed_epoch"].clone();
    who.post(&format!("{peer}/epoch"), &json!({ "epoch": named }));
    assert_eq!(import(who, bundle)["state"], "received");
    named
}

#[test]
fn what_a_restored_low_node_has_forgotten_comes_back_with_its_answers() {
    let mut world = World::new();
    let backup = world.root.path().join("backup");
    back_up(&mut world.low, &backup);
    world.sign_in_again();

    // A person, their project and a request that is answered, none of which the copy knows.
    let account = json!({"name": "Tess", "email": "tess@example.org", "password": PASSWORD, "role": "user"});
    let tess = world.low_owner.post("/users", &account)["id"].clone();
    world.scientist = Person::sign_in(world.low.address(), "tess@example.org", PASSWORD);
    let request = world.request(&world.project(), &constant_code(&world), "to know it");
    world.carry_up();
    world.approve(&request);
    let release = world.release(&world.run(&request), "result");
    let result = format!("/releases/{}/content", text(&release["id"]));
    world.carry_down();
    assert_eq!(world.scientist.download(&result), b"1\n");
    import(&world.owner, &world.export_up());

    put_back(&mut world.low, &backup);
    let folder = world.low.folder().display().to_string();
    assert_eq!(world.low.run(OWNER, &["restore", &folder]).code, 0);
    world.low.start();
    world.sign_in_again();
    confirm(&world.owner, &world.low_id, &world.export_up());
    import(&world.low_owner, &world.export_down());
    let batches = inbox(&world.low_owner, &world.high_id);
    assert_eq!(change_of(&batches, &request), "returned");
    assert_eq!(change_of(&batches, &text(&tess)), "returned");
    assert!(
        batches.iter().all(|batch| batch["waits_for"] == json!([])),
        "{batches:#?}"
    );
    apply_all(&world.low_owner, &world.high_id);

    // The person has no account any more: one is made for them, and is theirs again.
    assert_eq!(world.low_owner.post("/users", &account)["id"], tess);
    let tess = Person::sign_in(world.low.address(), "tess@example.org", PASSWORD);
    assert_eq!(
        tess.get(&format!("/requests/{request}"))["status"]["state"],
        "approved"
    );
    assert_eq!(tess.download(&result), b"1\n");
    level(&world);
    world.low.stop();
    let checked = world.low.run(OWNER, &["check", &folder]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
}

#[test]
fn a_restored_high_node_is_brought_level_and_remembers_what_it_decided() {
    let mut world = World::new();
    let project = world.project();
    let code = constant_code(&world);
    let first = world.request(&project, &code, "a first");
    world.carry_up();
    let backup = world.root.path().join("backup");
    back_up(&mut world.high, &backup);
    world.sign_in_again();
    let second = world.request(&project, &code, "a second");
    world.carry_up();
    world.decide(&first, "approve", None);
    world.carry_down();
    import(&world.owner, &world.export_up());

    put_back(&mut world.high, &backup);
    let folder = world.high.folder().display().to_string();
    let said = world.high.say(OWNER, &["restore", &folder]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stdout.contains("poundlock pair epoch") && said.stdout.contains("low"),
        "{}",
        said.stdout
    );
    world.high.start();
    world.sign_in_again();
    assert_eq!(world.owner.try_get(&format!("/requests/{second}")).0, 404);
    confirm(&world.low_owner, &world.high_id, &world.export_down());
    apply_all(&world.low_owner, &world.high_id);
    world.carry_up();
    assert_eq!(
        world.owner.get(&format!("/requests/{second}"))["reason"],
        "a second"
    );
    // The approval is lost where it counted: the high node decides anew, and nothing runs until it has.
    let early = world
        .owner
        .try_post(&format!("/requests/{first}/runs"), &json!({"data": "private"}));
    assert_eq!((early.0, word(&early)), (409, "not_approved"), "{:#}", early.1);
    world.decide(&first, "deny", Some("on second thought"));
    world.carry_down();
    let shown = world.scientist.get(&format!("/requests/{first}"));
    assert_eq!(shown["status"]["state"], "denied", "{shown:#}");
    level(&world);
}

/// Everything has been carried, and both sides know it.
fn level(world: &World) {
    world.carry_up();
    world.carry_down();
    world.carry_up();
    assert_eq!(owed(&world.low_owner, &world.high_id), json!([]));
    assert_eq!(owed(&world.owner, &world.low_id), json!([]));
    for who in [&world.owner, &world.low_owner] {
        assert_eq!(who.get("/audit/verification")["intact"], true);
    }
}
