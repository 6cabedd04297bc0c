//! One node that holds the data and takes the scientists.

use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::node::{Node, OWNER, PASSWORD, fixture};
use crate::person::{Person, word};
use crate::privacy::contains;
use crate::world::{mock_of_pima, over, python, seen, text};

const SAM: &str = "sam@example.org";

/// Prints something about the data, so that there is a log to keep as well.
const SOURCE: &str = "
import pandas

def mean_glucose(women):
    print('the first has ' + str(women['glu'][0]))
    groups = women.groupby('type')['glu']
    return {'mean': groups.mean().to_dict(), 'whole': float(women['glu'].mean())}
";

struct Solo {
    node: Node,
    owner: Person,
    scientist: Person,
    dataset: String,
    asset: String,
    project: String,
}

impl Solo {
    /// A solo node with the Pima data, private and as a mock, and a scientist who has begun a project.
    fn new() -> Self {
        Self::on(Node::with("solo", &["--python", &python()]))
    }

    fn on(node: Node) -> Self {
        node.set_up();
        node.scientist(SAM);
        let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
        let scientist = Person::sign_in(node.address(), SAM, PASSWORD);
        let dataset =
            text(&owner.post("/datasets", &json!({"name": "Pima", "description": "Diabetes"}))["id"]);
        let named = json!({"name": "women", "description": "200 women"});
        let asset = text(&owner.post(&format!("/datasets/{dataset}/assets"), &named)["id"]);
        let private = std::fs::read(fixture("data/pima_train.csv")).unwrap();
        owner.put_bytes(&format!("/assets/{asset}/private?format=csv"), &private);
        owner.post(&format!("/assets/{asset}/mock/generation"), &mock_of_pima());
        let project =
            text(&scientist.post("/projects", &json!({"name": "Glucose", "description": ""}))["id"]);
        scientist.post(&format!("/projects/{project}/start"), &json!({}));
        Self {
            node,
            owner,
            scientist,
            dataset,
            asset,
            project,
        }
    }

    fn code(&self, source: &str) -> String {
        let code = self.scientist.post(
            "/codes",
            &json!({
                "name": "mean", "source": source, "entry_point": "mean_glucose",
                "input_policy": {"women": {"asset": self.asset}}, "output_policy": "single_execution",
            }),
        );
        text(&code["id"])
    }

    fn request(&self, code: &str) -> String {
        let body = json!({"project": self.project, "code": code, "reason": "to learn"});
        text(&self.scientist.post("/requests", &body)["id"])
    }

    fn decide(&self, request: &str, verdict: &str, reason: Option<&str>) {
        let seen = seen(&self.owner.get(&format!("/requests/{request}")), &self.owner);
        let body = json!({"verdict": verdict, "reason": reason, "seen": seen});
        self.owner.post(&format!("/requests/{request}/decisions"), &body);
    }

    fn run(&self, request: &str) -> Value {
        let path = format!("/requests/{request}/runs");
        let run = self.owner.post(&path, &json!({"data": "private"}));
        over(&self.owner, &text(&run["id"]))
    }

    /// Everything that somebody gets by asking every address that the node describes, with each of the ids.
    fn all_that_is_answered(&self, who: &Person, ids: &[&str]) -> Vec<u8> {
        let document = self.owner.get("/openapi.json");
        let mut all = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            if item.get("get").is_none() {
                continue;
            }
            let path = path.strip_prefix("/api/v1").unwrap();
            let Some((before, rest)) = path.split_once('{') else {
                all.extend(who.try_download(path).1);
                continue;
            };
            let (_, after) = rest.split_once('}').unwrap();
            for id in ids {
                all.extend(who.try_download(&format!("{before}{id}{after}")).1);
            }
        }
        for request in ids {
            all.extend(who.try_download(&format!("/runs?request={request}")).1);
        }
        all
    }
}

#[test]
fn a_solo_node_does_the_whole_loop_and_a_release_answers_at_once() {
    let solo = Solo::new();
    let (owner, sam) = (&solo.owner, &solo.scientist);

    // The mock is for everybody, and code runs on it where the owner lets it.
    let mock = sam.download(&format!("/assets/{}/mock", solo.asset));
    assert!(mock.starts_with(b"npreg,glu,"));
    let code = solo.code(SOURCE);
    let rehearse = || sam.try_post(&format!("/codes/{code}/runs"), &json!({"data": "mock"}));
    assert_eq!(word(&rehearse()), "mock_runs_not_allowed");
    assert_eq!(
        owner.try_patch("/settings", &json!({"allow_mock_runs": true})).0,
        200
    );
    let rehearsal = over(sam, &text(&rehearse().1["id"]));
    assert_eq!(rehearsal["state"], "succeeded", "{rehearsal:#}");
    let on_mock: Value = sam.get(&format!("/runs/{}/result", text(&rehearsal["id"])));
    assert!(on_mock["whole"].is_number(), "{on_mock:#}");

    // Asked, approved, run.
    let request = solo.request(&code);
    let early = owner.try_post(&format!("/requests/{request}/runs"), &json!({"data": "private"}));
    assert_eq!((early.0, word(&early)), (409, "not_approved"));
    let alone = sam.try_post(&format!("/requests/{request}/runs"), &json!({"data": "private"}));
    assert_eq!((alone.0, word(&alone)), (403, "forbidden"));
    solo.decide(&request, "approve", None);
    let run = solo.run(&request);
    assert_eq!(run["state"], "succeeded", "{run:#}");

    let version = uuid::Uuid::parse_str(&text(&run["id"]))
        .unwrap()
        .get_version_num();
    assert_eq!(version, 4, "an id tells no time");

    // It ran, and its scientist has nothing yet.
    let (status, waiting) = sam.try_post(&format!("/codes/{code}/call"), &json!({}));
    assert_eq!(
        (status, &waiting["status"]["state"]),
        (202, &json!("approved")),
        "{waiting:#}"
    );
    let id = text(&run["id"]);
    for part in ["", "/result", "/log", "/failure_report"] {
        assert_eq!(sam.try_get(&format!("/runs/{id}{part}")).0, 404, "{part}");
    }
    let result = owner.download(&format!("/runs/{id}/result"));
    let log = owner.download(&format!("/runs/{id}/log"));
    assert!(log.starts_with(b"the first has "));
    assert_ne!(serde_json::from_slice::<Value>(&result).unwrap(), on_mock);
    let ids = [&*solo.dataset, &solo.asset, &solo.project, &code, &request, &id];
    let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string().into_bytes();
    let mut secrets = vec![result.clone(), log.clone(), hash(&result), hash(&log)];
    for time in ["queued_at", "began_at", "ended_at"] {
        secrets.push(text(&run[time]).into_bytes());
    }
    let told = |who: &Person, ids: &[&str]| {
        let answered = solo.all_that_is_answered(who, ids);
        let told = secrets.iter().map(|secret| contains(&answered, secret));
        told.collect::<Vec<_>>()
    };
    assert_eq!(
        told(owner, &ids),
        vec![true; secrets.len()],
        "whoever reviews is told all of it"
    );
    assert_eq!(
        told(sam, &ids),
        vec![false; secrets.len()],
        "the scientist is told none of it"
    );

    // Released by the hash of what was seen, it is there.
    let release = |hash: &Value| {
        let body = json!({"part": "result", "hash": hash});
        owner.try_post(&format!("/runs/{id}/releases"), &body)
    };
    assert_eq!(release(&json!("0".repeat(64))).0, 412);
    let (status, released) = release(&run["result"]["hash"]);
    assert_eq!(status, 201, "{released:#}");
    assert_eq!(
        sam.post_json_for_bytes(&format!("/codes/{code}/call"), &json!({})),
        result
    );
    let answer: Value = serde_json::from_slice(&result).unwrap();
    let near = |found: &Value, known: f64| (found.as_f64().unwrap() - known).abs() < 1e-9;
    assert!(near(&answer["whole"], 123.97), "{answer:#}");
    assert!(near(&answer["mean"]["No"], 113.106_060_606_060_6), "{answer:#}");
    assert!(near(&answer["mean"]["Yes"], 145.058_823_529_411_76), "{answer:#}");

    // The log was not released, nor when the code ran.
    let released = text(&released["id"]);
    let with_release = [&ids[..], &[&released]].concat();
    let told = told(sam, &with_release);
    assert_eq!(told, [true, false, true, false, false, false, false]);
    let shown = sam.get(&format!("/requests/{request}"));
    assert_eq!(shown["progress"]["released"], true, "{shown:#}");
    assert!(shown["progress"].get("carried_in").is_none(), "{shown:#}");
    let job = &shown["jobs"][0];
    assert_eq!((&job["id"], &job["verdict"]), (&json!(id), &json!("succeeded")));
    let midnight = format!("{}T00:00:00Z", text(&job["on"]));
    assert_eq!(
        (text(&job["created_at"]), text(&job["updated_at"])),
        (midnight.clone(), midnight)
    );
    assert_eq!(owner.get("/audit/verification")["intact"], true);
}

#[test]
fn how_long_a_run_on_mocks_waits_does_not_tell_of_runs_on_private_data() {
    let mut node = Node::with("solo", &["--python", &python()]);
    node.kill();
    let file = node.folder().join("poundlock.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace("jobs_at_once = 2", "jobs_at_once = 1")).unwrap();
    node.start();
    let solo = Solo::on(node);
    let (owner, sam) = (&solo.owner, &solo.scientist);
    assert_eq!(
        owner.try_patch("/settings", &json!({"allow_mock_runs": true})).0,
        200
    );
    // The first woman's value tells the private data from the mock: on that it never ends.
    let endless =
        "def mean_glucose(women):\n    while str(women['glu'][0]) == '86':\n        pass\n    return 1\n";
    let code = solo.code(endless);
    let request = solo.request(&code);
    solo.decide(&request, "approve", None);
    let path = format!("/requests/{request}/runs");
    let run = text(&owner.post(&path, &json!({"data": "private"}))["id"]);
    let private = format!("/runs/{run}");
    owner.wait_for(&private, |run| run["state"] == "running");
    let rehearsal = sam.post(&format!("/codes/{code}/runs"), &json!({"data": "mock"}));
    assert_eq!(over(sam, &text(&rehearsal["id"]))["state"], "succeeded");
    assert_eq!(
        owner.get(&private)["state"],
        "running",
        "there is no other place, and it is taken"
    );
    owner.post(&format!("{private}/cancellation"), &json!({}));
    assert_eq!(over(owner, &run)["state"], "cancelled");
}

#[test]
fn a_denied_request_tells_why_and_a_failed_run_only_what_is_released() {
    let solo = Solo::new();
    let (owner, sam) = (&solo.owner, &solo.scientist);
    let denied = solo.code(SOURCE);
    let request = solo.request(&denied);
    solo.decide(&request, "deny", Some("one person is not a statistic"));
    let refused = sam.try_post(&format!("/codes/{denied}/call"), &json!({}));
    assert_eq!((refused.0, word(&refused)), (409, "denied"));
    assert_eq!(refused.1["reason"], "one person is not a statistic");

    let failing = solo.code("def mean_glucose(women):\n    raise ValueError(str(women['glu'][0]))\n");
    let request = solo.request(&failing);
    solo.decide(&request, "approve", None);
    let run = solo.run(&request);
    assert_eq!(run["state"], "failed", "{run:#}");
    assert_eq!(sam.get(&format!("/requests/{request}"))["jobs"], json!([]));
    let id = text(&run["id"]);
    let body = json!({"part": "failure_report", "hash": run["failure_report"]["hash"]});
    owner.post(&format!("/runs/{id}/releases"), &body);
    let shown = sam.get(&format!("/requests/{request}"));
    assert_eq!(shown["jobs"][0]["verdict"], "failed", "{shown:#}");
    let release = text(&shown["releases"][0]["id"]);
    let report: Value = sam.get(&format!("/releases/{release}/content"));
    assert_eq!(report["class"], "ValueError", "{report:#}");
}

#[test]
fn nothing_of_bundles_is_on_a_solo_node() {
    let mut node = Node::ready("solo");
    let sam = node.scientist(SAM);
    assert!(node.made.get("fingerprint").is_none(), "{}", node.made);
    let mode = |name: &str| std::fs::metadata(node.folder().join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("private"), mode("keys")), (0o700, 0o700));
    let keys = std::fs::read_dir(node.folder().join("keys")).unwrap();
    assert_eq!(
        keys.count(),
        0,
        "there is nothing to sign a bundle with, or to read one"
    );

    let file = node.file("some.bundle", b"PNDLOCK\x01");
    let file = file.display().to_string();
    let identity = node.workplace.path().join("identity").display().to_string();
    let folder = node.folder().display().to_string();
    let id = text(&sam["id"]);
    let commands: [&[&str]; 12] = [
        &["pair", "identity", "--output", &identity],
        &["pair", "add", &file],
        &["pair", "list"],
        &["pair", "show", &id],
        &["pair", "rotate", "--output", &identity],
        &["pair", "revoke", &id],
        &["bundle", "preview", &id],
        &["bundle", "hold", &id, &id],
        &["bundle", "export", &id, "--to", &folder],
        &["bundle", "import", &file],
        &["review", &id, "show"],
        &["dataset", "adopt", &id],
    ];
    for command in commands {
        assert_eq!(node.run(OWNER, command).refused(1), "no_bundles", "{command:?}");
    }
    assert!(!std::path::Path::new(&identity).try_exists().unwrap());

    for (command, word) in [(&["node", "show"], "solo"), (&["help", "run"], "cancel")] {
        let said = node.say(OWNER, command);
        assert_eq!(said.code, 0, "{}", said.stderr);
        let said = said.stdout.to_lowercase();
        assert!(said.contains(word), "{said}");
        for gone in ["bundle", "peer", "fingerprint", "epoch", "high side"] {
            assert!(!said.contains(gone), "{gone}: {said}");
        }
    }
    assert!(node.stop().success());
    let restored = node.say(OWNER, &["restore", &folder]);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    assert!(
        !restored.stdout.contains("peer") && !restored.stdout.contains("epoch"),
        "{}",
        restored.stdout
    );
    node.start();
    assert_eq!(node.run(OWNER, &["audit", "verify"]).json()["intact"], true);
}

/// Looks at a page, which speaks of nothing that is between two nodes.
fn alone(browser: &Browser, path: &str) {
    browser.visit(path);
    browser.check();
    let text = browser.text().to_lowercase();
    for gone in [
        "bundle",
        "stick",
        "peer",
        "the gap",
        "other side",
        "high side",
        "low side",
        "low node",
        "another node",
    ] {
        assert!(!text.contains(gone), "{gone:?} is on {path}:\n{text}");
    }
}

#[test]
fn the_pages_of_a_solo_node_speak_of_no_other_node() {
    let solo = Solo::new();
    let Some(owner) = Browser::at(solo.node.address()) else {
        return;
    };
    let request = solo.request(&solo.code(SOURCE));
    owner.sign_in(OWNER);
    for path in ["/inbox", &format!("/requests/{request}")] {
        alone(&owner, path);
    }
    owner.click("Deny");
    owner.see("Deny this request?");
    assert!(!owner.text().contains("gap"));
    owner.click("Cancel");
    owner.click("Approve");
    owner.click("Approve");
    owner.see("The request is approved.");
    owner.click("Run on the private data");
    owner.see("succeeded");
    let run = owner.path();
    owner.click("Result");
    owner.click("Release this result");
    owner.see("it reaches the scientist at once");
    owner.click("Release it");
    owner.see("It reaches the scientist at once.");
    for path in [
        "/inbox",
        "/requests",
        &run,
        &format!("{run}/parts/result"),
        &format!("/requests/{request}"),
        "/datasets",
        "/datasets/new",
        "/datasets/archive",
        &format!("/datasets/{}", solo.dataset),
        &format!("/assets/{}", solo.asset),
        &format!("/assets/{}/private", solo.asset),
        &format!("/assets/{}/mock/change", solo.asset),
        "/projects",
        &format!("/projects/{}", solo.project),
        "/codes",
        "/users",
        "/roles",
        "/roles/new",
        "/groups",
        "/settings",
        "/notifications",
        "/notifications/settings",
        "/account",
    ] {
        alone(&owner, path);
    }
    owner.visit("/audit?action=private_data.viewed");
    owner.see("part: result");
    owner.visit("/import");
    owner.see("solo node");
    drop(owner);
    let scientist = Browser::at(solo.node.address()).unwrap();
    scientist.sign_in(SAM);
    alone(&scientist, &format!("/requests/{request}"));
    alone(&scientist, &format!("/codes/new?asset={}", solo.asset));
    scientist.visit(&format!("/requests/{request}"));
    scientist.click("Look and download");
    scientist.see("113.1060");
    scientist.check();
}
