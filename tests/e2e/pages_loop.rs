//! The whole loop by clicking, on two nodes: paired, asked, carried, reviewed, run, released, carried back and read. One
//! request is ignored on the way: it would hand the data out.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::browser::Browser;
use crate::node::{Node, OWNER, PASSWORD, fixture};
use crate::person::Person;
use crate::world::{World, python};

fn fingerprint(browser: &Browser) -> String {
    browser.see("Compare the fingerprint");
    let shown = browser.run(
        "return document.querySelector('form .fingerprint, .narrow .fingerprint').innerText",
        &serde_json::json!([]),
    );
    shown.as_str().unwrap().replace('\n', " ")
}

/// Reads the other node's identity file in.
fn read_in(browser: &Browser, identity: &Path) {
    browser.visit("/peers");
    browser.see("This node is paired with no other.");
    browser.check();
    browser.attach("Identity file of the other node", identity);
    browser.click("Read it in");
}

/// Pairs two nodes by the hands of their owners.
fn pair(low: &Browser, high: &Browser, folder: &Path) {
    let identity = |browser: &Browser, name: &str| -> PathBuf {
        let file = folder.join(name);
        std::fs::write(&file, browser.fetch("/peers/identity")).unwrap();
        file
    };
    low.visit("/peers");
    high.visit("/peers");
    let (of_low, of_high) = (identity(low, "low.txt"), identity(high, "high.txt"));
    read_in(low, &of_high);
    read_in(high, &of_low);
    let (at_low, at_high) = (fingerprint(low), fingerprint(high));
    assert_eq!(at_low, at_high, "what two people compare by voice");
    high.fill("Fingerprint, as they read it to you", "00000 11111");
    high.click("They are the same: pair");
    high.see("The fingerprint is not that of these keys");
    high.check();
    for browser in [low, high] {
        browser.fill("Fingerprint, as they read it to you", &at_low);
        browser.click("They are the same: pair");
        browser.see("The nodes are paired.");
        browser.check();
    }
}

/// Submits a program and asks for it to be run; the address of the request.
fn ask(scientist: &Browser, project: &str, file: &str, reason: &str) -> String {
    scientist.visit(project);
    scientist.click("Submit code");
    scientist.attach("File", &fixture(&format!("programs/{file}")));
    scientist.click("Next: what it receives");
    scientist.see("women receives");
    scientist.choose("women receives", "Pima women: women");
    scientist.check();
    scientist.click("Submit the code");
    scientist.see("The code is submitted.");
    scientist.fill("Reason", reason);
    scientist.check();
    scientist.click("Submit the request");
    scientist.see("Waits for the next bundle to the high side");
    scientist.path()
}

/// Makes a bundle of all that is owed, and saves it.
fn export(owner: &Browser, file: &Path) {
    owner.visit("/export");
    owner.click("See what the other side learns");
    owner.click("Make the bundle");
    owner.see("The bundle is written, read back and verified.");
    owner.check();
    std::fs::write(file, owner.fetch(&format!("{}/file", owner.path()))).unwrap();
}

/// Takes a bundle in, and goes on to what it brought.
fn import(owner: &Browser, file: &Path) {
    owner.visit("/import");
    owner.attach("Bundle", file);
    owner.click("Verify and take in");
    owner.click("Look at what it brought");
}

fn apply(owner: &Browser, batches: usize) {
    owner.check_box("Select all");
    owner.click("Apply selected");
    owner.click(&format!("Apply {batches} batches"));
    owner.see(&format!("{batches} batches are applied."));
}

/// Two nodes that are set up, and the browsers of their owners.
fn nodes() -> Option<(Node, Node, Browser, Browser)> {
    let with_python = ["--python", &python()];
    let (low, high) = (Node::with("low", &with_python), Node::with("high", &with_python));
    low.set_up();
    high.set_up();
    let (at_low, at_high) = (Browser::at(low.address())?, Browser::at(high.address())?);
    at_low.sign_in(OWNER);
    at_high.sign_in(OWNER);
    Some((low, high, at_low, at_high))
}

/// The world as the other tests know it, of nodes that were paired by clicking.
fn world(low: Node, high: Node, root: TempDir) -> World {
    let low_owner = Person::sign_in(low.address(), OWNER, PASSWORD);
    let owner = Person::sign_in(high.address(), OWNER, PASSWORD);
    let only_peer = |person: &Person| crate::world::text(&person.get("/peers")["items"][0]["id"]);
    World {
        scientist: Person::sign_in(low.address(), "sam@example.org", PASSWORD),
        low_id: only_peer(&owner),
        high_id: only_peer(&low_owner),
        stick: root.path().to_owned(),
        low,
        high,
        low_owner,
        owner,
        root,
    }
}

#[test]
fn the_whole_loop_goes_by_clicking() {
    let Some((low, high, clerk, owner)) = nodes() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    pair(&clerk, &owner, folder.path());

    // The low node's owner makes an account for a scientist, and lets scientists try code.
    clerk.visit("/users/new");
    clerk.fill("Name", "Sam Scientist");
    clerk.fill("E-mail address", "sam@example.org");
    clerk.fill("First password", "short");
    clerk.click("Make the account");
    clerk.see("This was not accepted");
    clerk.check();
    clerk.fill("First password", PASSWORD);
    clerk.click("Make the account");
    clerk.see("The account is made.");
    clerk.check();
    clerk.visit("/settings");
    clerk.check_box("Scientists run code on mock data");
    clerk.click("Save");
    clerk.see("The settings are saved.");
    clerk.check();

    let world = world(low, high, folder);
    world.publish_pima();
    let (up, down) = (
        world.root.path().join("up.bundle"),
        world.root.path().join("down.bundle"),
    );

    // The scientist begins a project, tries code on the mock, and asks.
    let scientist = Browser::at(world.low.address()).unwrap();
    scientist.sign_in("sam@example.org");
    scientist.visit("/projects");
    scientist.see("There are no projects.");
    scientist.check();
    scientist.click("Begin a project");
    scientist.fill("Name", "Glucose");
    scientist.check();
    scientist.click("Begin");
    scientist.see("The project is begun.");
    scientist.check();
    let project = scientist.path();
    scientist.click("Start the project");
    scientist.see("The project is started.");
    let malicious = ask(&scientist, &project, "return_the_data.py", "To count the women");
    let wanted = ask(&scientist, &project, "mean_glucose.py", "Glucose by diagnosis");
    scientist.check();
    scientist.click("Run on the mock");
    scientist.see("succeeded");
    scientist.click("Glucose by diagnosis");
    scientist.see("The newest run on the mock");
    scientist.check();

    export(&clerk, &up);
    import(&owner, &up);
    owner.see("Glucose by diagnosis");
    owner.click("To count the women");
    owner.see("returns its parameter women");
    owner.click("Ignore");
    owner.see("1 batch is ignored.");
    owner.see_not("To count the women");
    apply(&owner, 2);
    owner.visit("/requests");
    owner.see_not("To count the women");
    owner.click("Glucose by diagnosis");
    owner.click("Approve");
    owner.click("Approve");
    owner.see("The request is approved.");
    owner.click("Run on the private data");
    owner.see("succeeded");
    owner.see("Most memory at one time");
    owner.check();
    owner.click("Result");
    owner.click("Release this result");
    owner.click("Release it");
    owner.see("The result is released.");

    export(&owner, &down);
    import(&clerk, &down);
    apply(&clerk, 2);
    scientist.visit("/notifications");
    scientist.check();
    scientist.click("The result of your request was released; you can fetch it.");
    assert_eq!(scientist.path(), wanted);
    scientist.see("Result released by Olga");
    scientist.check();
    scientist.click("Look and download");
    scientist.see("113.1060");
    let release = scientist.path();
    let result = String::from_utf8(scientist.fetch(&format!("{release}/bytes"))).unwrap();
    assert!(result.contains("113.106"), "{result}");
    // What was ignored was received, and nothing more is known of it.
    scientist.visit(&malicious);
    scientist.see("Waits for a decision");
    scientist.see("pending");
}
