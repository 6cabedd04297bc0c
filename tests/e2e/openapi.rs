//! The API against its own description: a client reads the description, asks for everything in it with arguments that fit it
//! and arguments that do not, and holds every answer against it. No answer is a failure of the node's.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::node::{Node, OWNER, PASSWORD};
use crate::person::Person;
use crate::world::{World, import, python, text};

/// What must hold of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

/// What is not asked for, since the rest could not be asked for after it.
const LEFT_OUT: [&str; 3] = [
    // Ends the session that the client asks with.
    "delete_sessions_current",
    // Changes the address, and with it the account, of whoever the client asks as.
    "patch_users_me",
    // Gives the node new keys, which its peer does not know.
    "post_node_rotation",
];

/// Arguments that the client makes up, per operation and kind of argument.
const EXAMPLES: &str = "4";

/// The ids by which the client finds what there is.
struct Furniture {
    named: Vec<(&'static str, String)>,
}

impl Furniture {
    /// A dataset with an asset, a project, code, a request that was decided on, run and released, and a bundle on either
    /// side that nobody has applied.
    fn of(world: &World) -> Self {
        let pima = world.publish_pima();
        let project = world.project();
        let code = world.code(
            "mean_glucose.py",
            "mean_glucose",
            &pima.asset,
            &json!("single_execution"),
        );
        let request = world.request(&project, &code, "to learn");
        world.carry_up();
        world.approve(&request);
        let run = world.run(&request);
        assert_eq!(run["state"], "succeeded", "{run:#}");
        let release = world.release(&run, "result");
        // Before the result is here: then the code may not run again, and is asked for no more.
        world.request(&project, &code, "to learn more");
        world.carry_down();
        import(&world.owner, &world.export_up());
        let spare = |who: &Person| text(&who.post("/datasets", &json!({"name": "Spare"}))["id"]);
        spare(&world.low_owner);
        let dataset = text(&world.owner.get(&format!("/assets/{}", pima.asset))["dataset"]);
        let user = text(&world.low_owner.get(&format!("/requests/{request}"))["requester"]);
        let named = vec![
            ("datasets", dataset),
            ("assets", pima.asset),
            ("projects", project),
            ("codes", code),
            ("requests", request),
            ("runs", text(&run["id"])),
            ("releases", text(&release["id"])),
            ("users", user),
        ];
        Self { named }
    }

    /// What a node that exchanges no bundles has of it.
    fn of_solo(owner: &Person) -> Self {
        let made = |path: &str, body: &Value| text(&owner.post(path, body)["id"]);
        let dataset = made("/datasets", &json!({"name": "Stones"}));
        let asset = made(&format!("/datasets/{dataset}/assets"), &json!({"name": "sizes"}));
        let project = made("/projects", &json!({"name": "Weights"}));
        let named = vec![("datasets", dataset), ("assets", asset), ("projects", project)];
        Self { named }
    }

    /// The client's configuration: what to put for the id in an address. Nothing of it is deleted, so that it can be found.
    fn configuration(&self, owner: &Person, peer: Option<&str>) -> String {
        let rule =
            json!({"name": "Closed", "effect": "deny", "types": ["private_data"], "reason": "not yet"});
        let mut local = vec![
            (
                "groups",
                text(&owner.post("/groups", &json!({"name": "Readers"}))["id"]),
            ),
            ("access-rules", text(&owner.post("/access-rules", &rule)["id"])),
        ];
        local.extend(peer.map(|peer| ("peers", peer.to_owned())));
        let named = self.named.iter().chain(&local);
        // That an address answers 405 to methods that it does not know is tested elsewhere, without a request for each.
        let mut toml = String::from("[phases.coverage]\nunexpected-methods = []\n");
        for (kind, id) in named {
            let _infallible = write!(
                toml,
                "[[operations]]\n\
                 include-path-regex = \"^/api/v1/{kind}/\"\n\
                 exclude-method = \"DELETE\"\n\
                 parameters = {{ \"path.id\" = {{ dictionary = \"{kind}\", probability = 0.8 }} }}\n\
                 [dictionaries.{kind}]\n\
                 values = [\"{id}\"]\n"
            );
        }
        toml
    }
}

/// The client, beside the interpreter that it is installed for.
fn client() -> PathBuf {
    let client = Path::new(&python()).with_file_name("schemathesis");
    assert!(
        client.is_file(),
        "there is no {}; run scripts/test",
        client.display()
    );
    client
}

/// Asks a node for everything, as somebody; answers with what the client says.
fn ask_for_everything(who: &Person, configuration: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schemathesis.toml");
    std::fs::write(&file, configuration).unwrap();
    let mut command = Command::new(client());
    command
        .current_dir(&folder)
        .arg("--config-file")
        .arg(&file)
        .arg("run")
        .arg(format!("{}/api/v1/openapi.json", who.address))
        .arg("--header")
        .arg(format!("Authorization: Bearer {}", who.token.as_deref().unwrap()))
        .args(["--checks", CHECKS, "--max-examples", EXAMPLES, "--seed", "1"])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--continue-on-failure",
            "--no-shrink",
        ])
        .args(["--generation-database", "none", "--warnings", "off", "--no-color"])
        .args(["--request-timeout", "60"]);
    for operation in LEFT_OUT {
        command.args(["--exclude-operation-id", operation]);
    }
    let ran = command.output().unwrap();
    if ran.status.success() {
        return Ok(());
    }
    Err(format!(
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    ))
}

#[test]
fn every_answer_is_as_the_description_says() {
    let world = World::new();
    let furniture = Furniture::of(&world);
    let at_low = furniture.configuration(&world.low_owner, Some(&world.high_id));
    let at_high = furniture.configuration(&world.owner, Some(&world.low_id));
    let node = Node::ready("solo");
    let solo_owner = Person::sign_in(node.address(), OWNER, PASSWORD);
    let at_solo = Furniture::of_solo(&solo_owner).configuration(&solo_owner, None);
    let (low, high, solo) = std::thread::scope(|threads| {
        let low = threads.spawn(|| ask_for_everything(&world.low_owner, &at_low));
        let high = threads.spawn(|| ask_for_everything(&world.owner, &at_high));
        let solo = ask_for_everything(&solo_owner, &at_solo);
        (low.join().unwrap(), high.join().unwrap(), solo)
    });
    let all = [
        (&world.low_owner, low, "low"),
        (&world.owner, high, "high"),
        (&solo_owner, solo, "solo"),
    ];
    for (who, found, node) in all {
        if let Err(said) = found {
            panic!("the {node} node does not answer as it describes:\n{said}");
        }
        // The client asked with a session that still stands: it was not refused everything.
        assert_eq!(who.try_get("/users/me").0, 200, "{node}");
        let described: Value = who.get("/openapi.json");
        for operation in LEFT_OUT {
            let of_peers = operation == "post_node_rotation" && node == "solo";
            assert_eq!(
                described.to_string().contains(operation),
                !of_peers,
                "{operation}"
            );
        }
    }
}
