//! Nodes that die at every place where something is half done, as a power cut would end them. After each death the folder is
//! sound, nothing that was acknowledged is missing, and the same command succeeds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use poundlock::failpoint::{PLACES, VARIABLE};
use serde_json::{Value, json};

use crate::backups::sound;
use crate::node::{Node, OWNER, Ran, items};
use crate::world::{World, text};

/// A world whose nodes die where a file says so.
struct Mortal {
    world: World,
    armed: PathBuf,
    reached: BTreeSet<&'static str>,
}

/// Which node dies.
#[derive(Clone, Copy)]
enum Side {
    Low,
    High,
}

impl Mortal {
    fn new() -> Self {
        let place = tempfile::Builder::new().prefix("armed").tempdir().unwrap().keep();
        let armed = place.join("place");
        let variables = vec![(VARIABLE.to_owned(), armed.display().to_string())];
        Self {
            world: World::with_environments(variables.clone(), variables),
            armed,
            reached: BTreeSet::new(),
        }
    }

    fn node(&mut self, side: Side) -> &mut Node {
        match side {
            Side::Low => &mut self.world.low,
            Side::High => &mut self.world.high,
        }
    }

    /// Gives a command on whose way the node dies at `place`, looks at what is left, starts it again and gives the command once
    /// more. It must succeed, or be refused with one of `done`: then the first time counted.
    fn dies(&mut self, side: Side, place: &'static str, command: &[&str], done: &[&str]) -> Ran {
        self.dies_over(side, place, |node| node.run(OWNER, command), done)
    }

    fn dies_over(
        &mut self,
        side: Side,
        place: &'static str,
        act: impl Fn(&Node) -> Ran,
        done: &[&str],
    ) -> Ran {
        assert!(PLACES.iter().any(|(known, _)| *known == place), "{place}");
        std::fs::write(&self.armed, place).unwrap();
        let lost = act(self.node(side));
        assert_ne!(lost.code, 0, "{place}: {}", lost.stdout);
        let status = self
            .node(side)
            .died()
            .unwrap_or_else(|| panic!("{place}: the node lives on, and refused: {}", lost.stderr));
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(
            signal,
            Some(9),
            "{place}: {}",
            std::fs::read_to_string(self.node(side).log()).unwrap()
        );
        std::fs::remove_file(&self.armed).unwrap();
        self.reached.insert(place);
        let node = self.node(side);
        sound(node, &node.folder());
        node.start();
        let folder = node.folder();
        for unfinished in [
            "blobs/incoming",
            "private/incoming",
            "quarantine",
            "spool/snapshots",
        ] {
            let left = std::fs::read_dir(folder.join(unfinished)).map_or(0, Iterator::count);
            assert_eq!(left, 0, "{place}: something is left in {unfinished}");
        }
        let again = act(node);
        let well = again.code == 0 || done.contains(&again.refused(again.code).as_str());
        assert!(well, "{place}: {}{}", again.stdout, again.stderr);
        println!(
            "{place}: {}",
            if again.code == 0 { "done again" } else { "was done" }
        );
        again
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if let Some(folder) = self.armed.parent() {
            drop(std::fs::remove_dir_all(folder));
        }
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// The newest bundle on the stick that is for a node.
fn newest(stick: &Path, node: &str) -> String {
    let begins = format!("to-{}-", &node[..8]);
    let found = std::fs::read_dir(stick)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.file_name().unwrap().to_str().unwrap().starts_with(&begins));
    path(&found.max().unwrap())
}

fn dataset(name: &str) -> Vec<String> {
    ["dataset", "create", "--name", name, "--description", ""]
        .map(str::to_owned)
        .to_vec()
}

#[test]
fn nothing_is_lost_or_half_done_wherever_a_node_dies() {
    let mut mortal = Mortal::new();
    let (low_id, high_id) = (mortal.world.low_id.clone(), mortal.world.high_id.clone());
    let pima = mortal.world.publish_pima();
    let project = mortal.world.project();
    let code = mortal.world.code(
        "mean_glucose.py",
        "mean_glucose",
        &pima.asset,
        &json!({"execute_count": 9}),
    );
    let stick = mortal.world.stick.clone();
    let stick_name = path(&stick);

    commits(&mut mortal);
    private_data(&mut mortal, &pima.asset);

    // Exports: a number may be wasted, and nothing is owed less than before.
    for place in ["export.reserved", "export.written", "export.noted"] {
        let request = mortal.world.request(&project, &code, place);
        let export = ["bundle", "export", high_id.as_str(), "--to", stick_name.as_str()];
        mortal.dies(Side::Low, place, &export, &[]);
        mortal.world.sign_in_again();
        assert_eq!(
            mortal.world.scientist.get(&format!("/requests/{request}"))["reason"],
            place
        );
    }
    // Imports without blobs, on the high node.
    for place in [
        "import.quarantined",
        "import.unpacked",
        "import.rehearsed",
        "import.committed",
    ] {
        mortal.world.request(&project, &code, place);
        let bundle = path(&mortal.world.export_up());
        let answer = mortal
            .dies(Side::High, place, &["bundle", "import", &bundle], &[])
            .json();
        let committed = place == "import.committed";
        assert_eq!(
            answer["state"],
            if committed { "repeated" } else { "received" },
            "{place}"
        );
    }
    let apply = ["review", low_id.as_str(), "apply", "--all"];
    mortal.dies(Side::High, "apply.staged", &apply, &[]);
    mortal.world.sign_in_again();
    let waiting = items(&mortal.world.owner.get("/requests?state=pending&limit=200"));
    let reasons: BTreeSet<_> = waiting.iter().map(|request| text(&request["reason"])).collect();
    assert_eq!(reasons.len(), 7, "{reasons:?}");
    let waiting = &waiting[..3];

    releases(&mut mortal, waiting);

    // A bundle with blobs, on the low node: the blobs have their names before a record names them.
    mortal.world.sign_in_again();
    let export = ["bundle", "export", low_id.as_str(), "--to", stick_name.as_str()];
    let written = mortal.world.high.run(OWNER, &export);
    assert_eq!(written.code, 0, "{}", written.stderr);
    let down = newest(&stick, &low_id);
    let taken = mortal
        .dies(Side::Low, "import.published", &["bundle", "import", &down], &[])
        .json();
    assert_eq!(taken["state"], "received");
    mortal.world.sign_in_again();
    crate::world::apply_all(&mortal.world.low_owner, &high_id);
    for request in waiting {
        let shown = mortal
            .world
            .scientist
            .get(&format!("/requests/{}", text(&request["id"])));
        assert_eq!(shown["status"]["state"], "approved", "{shown:#}");
    }

    let backup = mortal.world.root.path().join("backup");
    let folder = path(&mortal.world.high.folder());
    mortal.dies(
        Side::High,
        "snapshot.written",
        &["backup", &folder, &path(&backup)],
        &[],
    );
    sound(&mortal.world.high, &backup);

    mortal.world.sign_in_again();
    for who in [&mortal.world.owner, &mortal.world.low_owner] {
        assert_eq!(who.get("/audit/verification")["intact"], true);
    }
    let all: BTreeSet<_> = PLACES.iter().map(|(place, _)| *place).collect();
    assert_eq!(mortal.reached, all, "every place was reached");
}

/// A commit that did not reach the disk, and one that did: what was not answered may be there or not.
fn commits(mortal: &mut Mortal) {
    for place in ["store.applied", "store.durable"] {
        let create = dataset(place);
        let create: Vec<&str> = create.iter().map(String::as_str).collect();
        let again = mortal.dies(Side::High, place, &create, &["name_taken"]);
        if place == "store.durable" {
            assert_eq!(again.refused(1), "name_taken", "it was on the disk");
        }
    }
}

/// Private data in the place of other private data, and many files at once.
fn private_data(mortal: &mut Mortal, asset: &str) {
    let data = path(&crate::node::fixture("data/pima_train.csv"));
    let private = ["asset", "private", asset, data.as_str()];
    for place in [
        "file.begun",
        "file.complete",
        "file.named",
        "attach.detached",
        "attach.published",
    ] {
        mortal.dies(Side::High, place, &private, &[]);
        mortal.world.sign_in_again();
        let status = mortal.world.owner.get(&format!("/assets/{asset}/private-status"));
        assert_eq!(status["attached"], true, "{place}: {status:#}");
    }
    let archive = path(&crate::node::fixture("archives/pima.tar.gz"));
    for place in ["placement.noted", "placement.placed"] {
        let import = [
            "dataset",
            "import",
            archive.as_str(),
            "--name",
            place,
            "--generate-mocks",
        ];
        mortal.dies(Side::High, place, &import, &[]);
    }
}

/// One result each, released at one death each.
fn releases(mortal: &mut Mortal, waiting: &[Value]) {
    let places = ["release.copied", "release.published", "release.committed"];
    for (request, place) in waiting.iter().zip(places) {
        let result = mortal
            .world
            .high
            .file("result.json", place.len().to_string().as_bytes());
        let deposit = ["run", "deposit", &text(&request["id"]), &path(&result)];
        let run = mortal.world.high.run(OWNER, &deposit).json();
        let (id, hash) = (text(&run["id"]), text(&run["result"]["hash"]));
        let release = ["release", id.as_str(), "result", "--hash", hash.as_str()];
        let again = mortal.dies(Side::High, place, &release, &["released_already"]);
        if place == "release.committed" {
            assert_eq!(again.refused(1), "released_already");
        }
    }
}
