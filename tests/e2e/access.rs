//! Requests to see one object: a mock, a colleague's result, and private data over the gap.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::node::{OWNER, PASSWORD};
use crate::person::{Person, word};
use crate::privacy::{contains, every_byte_of, opened};
use crate::world::{World, apply_all, import, inbox, mock_of_pima, text};

/// A dataset of the high node's whose mocks are handed out on request, as the low node has it; the asset.
fn restricted_pima(world: &World, tags: &Value) -> String {
    let named = json!({"name": "Pima women", "tags": tags, "mocks": "on_request"});
    let dataset = text(&world.owner.post("/datasets", &named)["id"]);
    let assets = format!("/datasets/{dataset}/assets");
    let asset = text(&world.owner.post(&assets, &json!({"name": "women"}))["id"]);
    world
        .owner
        .post(&format!("/assets/{asset}/mock/generation"), &mock_of_pima());
    let to = json!({"peer": world.low_id});
    world
        .owner
        .post(&format!("/datasets/{dataset}/publications"), &to);
    world.carry_down();
    asset
}

fn colleague(world: &World, name: &str) -> Person {
    let email = format!("{name}@example.org");
    let person = json!({"name": name, "email": email, "password": PASSWORD, "role": "user"});
    world.low_owner.post("/users", &person);
    Person::sign_in(world.low.address(), &email, PASSWORD)
}

fn see(who: &Person, of_type: &str, id: &str) -> Value {
    let object = json!({"type": of_type, "id": id});
    who.post("/requests", &json!({"object": object, "reason": "to compare"}))
}

fn state(request: &Value) -> &str {
    request["status"]["state"].as_str().unwrap()
}

/// Decides on a request as it is now.
fn decide(officer: &Person, request: &Value, verdict: &str, reason: Option<&str>) -> Value {
    let path = format!("/requests/{}", text(&request["id"]));
    let seen = officer.get(&path)["seen"].clone();
    let body = json!({"verdict": verdict, "reason": reason, "seen": seen});
    officer.post(&format!("{path}/decisions"), &body)
}

fn refused(who: &Person, path: &str, as_what: (u16, &str)) {
    let answer = who.try_get(path);
    assert_eq!((answer.0, word(&answer)), as_what, "{path}: {:#}", answer.1);
}

#[test]
fn a_mock_that_is_handed_out_on_request_is_asked_for_where_it_is() {
    let world = World::new();
    let asset = restricted_pima(&world, &json!(["health"]));
    let (low, sam) = (&world.low_owner, &world.scientist);
    let mock = format!("/assets/{asset}/mock");
    refused(sam, &mock, (403, "on_request"));
    let shown = sam.get(&format!("/assets/{asset}"));
    assert_eq!(
        shown["mock"]["schema"]["columns"].as_array().unwrap().len(),
        8,
        "the catalogue shows what it is like"
    );
    low.try_patch("/settings", &json!({"allow_mock_runs": true}));
    let source = "def f(women):\n    return len(women)\n";
    let code = json!({"name": "f", "source": source, "entry_point": "f",
        "input_policy": {"women": {"asset": asset}}, "output_policy": "single_execution"});
    let runs = format!("/codes/{}/runs", text(&sam.post("/codes", &code)["id"]));
    let on_mock = json!({"data": "mock"});
    let run = sam.try_post(&runs, &on_mock);
    assert_eq!(
        (run.0, word(&run)),
        (403, "on_request"),
        "nor does code run on it"
    );

    let request = see(sam, "mock", &asset);
    let listed = low.get("/access-requests?state=pending");
    assert_eq!(listed["items"][0]["id"], request["id"]);
    assert_eq!(listed["items"][0]["object"]["tags"], json!(["health"]));
    decide(low, &request, "approve", None);
    assert!(sam.download(&mock).starts_with(b"npreg,glu,bp,"));
    let run = sam.post(&runs, &on_mock);
    let run = crate::world::over(sam, &text(&run["id"]));
    assert_eq!(run["state"], "succeeded", "{run:#}");
    // What the run has left behind is part of a backup, and known to a check of it.
    let backup = world.root.path().join("backup");
    let (folder, backup) = (world.low.folder(), backup.to_str().unwrap());
    world
        .low
        .run(OWNER, &["backup", folder.to_str().unwrap(), backup]);
    let checked = world.low.run("nobody", &["check", backup]).json();
    assert_eq!(checked["sound"], true, "{checked:#}");

    // It is nobody's business on the other side.
    let owed = low.get(&format!("/peers/{}/outgoing?include_ignored=true", world.high_id));
    let kinds: Vec<&Value> = owed["batches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|batch| &batch["kind"])
        .collect();
    assert!(!kinds.contains(&&json!("request")), "{owed:#}");
    world.carry_up();
    assert_eq!(world.owner.get("/requests")["items"], json!([]));
    assert!(!contains(
        &every_byte_of(&world.high.folder()),
        uuid::Uuid::parse_str(&text(&request["id"])).unwrap().as_bytes()
    ));

    sam.post(
        &format!("/requests/{}/withdrawal", text(&request["id"])),
        &json!({}),
    );
    refused(sam, &mock, (403, "on_request"));
    // The owner of the data opens the mocks; the next bundle tells.
    let dataset = text(&shown["dataset"]);
    let change = json!({"mocks": "with_dataset"});
    assert_eq!(
        world.owner.try_patch(&format!("/datasets/{dataset}"), &change).0,
        200
    );
    refused(sam, &mock, (403, "on_request"));
    world.carry_down();
    assert!(sam.download(&mock).starts_with(b"npreg,"));
}

#[test]
fn private_data_is_taken_off_the_node() {
    let world = World::new();
    let pima = world.publish_pima();
    let (owner, high) = (&world.owner, &world.high);
    let private = high.folder().join("private");
    let patients = std::fs::read(crate::node::fixture("data/pima_train.csv")).unwrap();
    assert!(contains(&every_byte_of(&private), &patients));
    let removed = high.run(OWNER, &["asset", "private", &pima.asset, "--remove"]);
    removed.json();
    assert!(!contains(&every_byte_of(&private), &patients));
    let path = format!("/assets/{}/private", pima.asset);
    assert_eq!(owner.try_delete(&path).0, 404);
    assert_eq!(
        owner.get(&format!("{path}-status"))["attached"],
        Value::Bool(false)
    );
}

#[test]
fn a_colleagues_result_is_shared_by_whoever_triages_on_the_low_side() {
    let world = World::new();
    let pima = world.publish_pima();
    let eve = colleague(&world, "eve");
    let project = world.project();
    let code = world.code(
        "mean_glucose.py",
        "mean_glucose",
        &pima.asset,
        &json!("single_execution"),
    );
    let request = world.request(&project, &code, "to compare glucose");
    world.carry_up();
    let deposit = format!("/requests/{request}/deposits?format=json");
    let run = world
        .owner
        .post_bytes(&deposit, "application/octet-stream", b"{\"mean\": 121.5}");
    world.release(&run, "result");
    world.carry_down();
    let release = text(&world.scientist.get(&format!("/requests/{request}"))["releases"][0]["id"]);
    let content = format!("/releases/{release}/content");
    let result = world.scientist.download(&content);

    refused(&eve, &content, (404, "not_found"));
    let asked = see(&eve, "release", &release);
    assert_eq!(
        asked["object"]["title"],
        Value::Null,
        "asking tells nothing of it: {asked:#}"
    );
    assert_eq!(asked["object"]["tags"], json!([]));
    refused(&eve, &content, (404, "not_found"));
    let shown = world.low_owner.get("/access-requests?type=release");
    assert_eq!(
        shown["items"][0]["object"]["tags"],
        json!(["health"]),
        "{shown:#}"
    );
    assert_eq!(shown["items"][0]["requester_name"], "eve");
    decide(&world.low_owner, &asked, "approve", None);
    assert_eq!(eve.download(&content), result);
    refused(&eve, &format!("/requests/{request}"), (404, "not_found"));
    decide(&world.low_owner, &asked, "deny", Some("she has left the study"));
    refused(&eve, &content, (404, "not_found"));
    assert_eq!(world.scientist.download(&content), result);
}

/// 3,000 readings that stand nowhere else.
fn readings() -> String {
    let mut table = "patient,reading\n".to_owned();
    for n in 0..3_000_u32 {
        writeln!(
            table,
            "of-the-vault-{:08x},{}",
            n.wrapping_mul(2_654_435_761),
            70_000 + n
        )
        .unwrap();
    }
    table
}

#[test]
fn private_data_that_was_asked_for_crosses_by_its_release_alone() {
    let world = World::new();
    let (owner, sam) = (&world.owner, &world.scientist);
    let private = readings();
    let dataset = text(&owner.post("/datasets", &json!({"name": "Vault", "tags": ["health"]}))["id"]);
    let assets = format!("/datasets/{dataset}/assets");
    let asset = text(&owner.post(&assets, &json!({"name": "readings"}))["id"]);
    owner.put_bytes(&format!("/assets/{asset}/private?format=csv"), private.as_bytes());
    owner.post(
        &format!("/datasets/{dataset}/publications"),
        &json!({"peer": world.low_id}),
    );
    world.carry_down();
    let project = world.project();
    let object = json!({"type": "private_data", "id": asset});
    let asked = sam.post(
        "/requests",
        &json!({"object": object, "project": project, "reason": "for the appendix"}),
    );
    let id = text(&asked["id"]);
    let path = format!("/requests/{id}");
    let approval = json!({"verdict": "approve", "seen": world.low_owner.get(&path)["seen"]});
    let there = world.low_owner.try_post(&format!("{path}/decisions"), &approval);
    assert_eq!((there.0, word(&there)), (409, "not_approved_here"));
    let rule = json!({"name": "All", "effect": "accept", "types": ["private_data"], "tags": ["health"]});
    let refused_rule = world.low_owner.try_post("/access-rules", &rule);
    assert_eq!((refused_rule.0, word(&refused_rule)), (400, "invalid"));

    import(owner, &world.export_up());
    let batches = inbox(owner, &world.low_id);
    let of_request = batches.iter().find(|batch| batch["root"] == json!(id)).unwrap();
    assert_eq!(of_request["kind"], "request");
    assert_eq!(of_request["waits_for"], json!([]), "{of_request:#}");
    apply_all(owner, &world.low_id);
    let above = owner.get(&path);
    assert_eq!(
        above["object"],
        json!({"type": "private_data", "id": asset, "title": "readings", "tags": ["health"]})
    );
    let early = owner.try_post(&format!("{path}/fulfilments"), &json!({}));
    assert_eq!(word(&early), "not_approved", "{:#}", early.1);
    for impossible in [format!("{path}/runs"), format!("{path}/runs-wanted")] {
        let answer = owner.try_post(&impossible, &json!({"data": "private"}));
        assert!((400..500).contains(&answer.0), "{impossible}: {:#}", answer.1);
    }
    decide(owner, &asked, "approve", None);

    let marks: Vec<Vec<u8>> = private
        .lines()
        .skip(1)
        .step_by(97)
        .map(|line| line.split(',').next().unwrap().as_bytes().to_vec())
        .chain([blake3::hash(private.as_bytes()).as_bytes().to_vec()])
        .collect();
    let shows = |bytes: &[u8]| marks.iter().any(|mark| contains(bytes, mark));
    assert!(shows(&every_byte_of(&world.high.folder())), "the search works");
    let carried_without_it = |what: &str| {
        let bundle = world.export_down();
        assert!(!shows(&opened(&world, &bundle)), "{what}");
        import(&world.low_owner, &bundle);
        apply_all(&world.low_owner, &world.high_id);
        assert!(!shows(&every_byte_of(&world.low.folder())), "{what}");
    };
    carried_without_it("approved");
    assert_eq!(state(&sam.get(&path)), "approved");
    assert_eq!(sam.get(&path)["releases"], json!([]));

    let run = owner.post(&format!("{path}/fulfilments"), &json!({}));
    let again = owner.try_post(&format!("{path}/fulfilments"), &json!({}));
    assert_eq!(word(&again), "fulfilled_already");
    let reviewed = owner.download(&format!("/runs/{}/result", text(&run["id"])));
    assert_eq!(reviewed, private.as_bytes());
    carried_without_it("written as a result");
    let below = sam.get(&path);
    assert_eq!(
        (below["jobs"].as_array().unwrap().len(), &below["releases"]),
        (1, &json!([]))
    );

    let other = json!({"part": "result", "hash": "0".repeat(64)});
    let releases = format!("/runs/{}/releases", text(&run["id"]));
    assert_eq!(owner.try_post(&releases, &other).0, 412);
    world.release(&run, "result");
    world.carry_down();
    let release = text(&sam.get(&path)["releases"][0]["id"]);
    assert_eq!(sam.download(&format!("/releases/{release}/content")), reviewed);
    assert_eq!(sam.get(&path)["progress"]["released"], true);
    refused(
        &colleague(&world, "eve"),
        &format!("/releases/{release}/content"),
        (404, "not_found"),
    );
    for who in [owner, &world.low_owner] {
        assert_eq!(who.get("/audit/verification")["intact"], true);
    }
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "a rule ends by the node's clock, which is the one that is read here"
)]
fn a_rule_grants_by_tags_within_its_quota_and_until_its_end() {
    let world = World::new();
    let asset = restricted_pima(&world, &json!(["health", "open"]));
    let officer = &world.low_owner;
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| colleague(&world, name));
    let mock = format!("/assets/{asset}/mock");
    let rule = |name: &str, tags: Value, until: Option<String>| {
        let quota = json!({"per_person": 1, "in_all": 2});
        let rule = json!({"name": name, "effect": "accept", "types": ["mock"], "tags": tags, "quota": quota,
            "days": 30, "until": until});
        text(&officer.post("/access-rules", &rule)["id"])
    };
    rule("For another study", json!(["open", "lungs"]), None);
    let waiting = see(&world.scientist, "mock", &asset);
    assert_eq!(state(&waiting), "pending", "no rule fits");

    let teaching = rule("Teaching", json!(["open"]), None);
    let granted = see(&ada, "mock", &asset);
    assert_eq!(state(&granted), "approved");
    assert_eq!(granted["decisions"][0]["by_rule"], json!(teaching));
    assert!(granted["decisions"][0]["until"].is_string());
    assert!(ada.download(&mock).starts_with(b"npreg,"));
    ada.post(
        &format!("/requests/{}/withdrawal", text(&granted["id"])),
        &json!({}),
    );
    refused(&ada, &mock, (403, "on_request"));
    assert_eq!(state(&see(&ada, "mock", &asset)), "pending", "hers is used up");
    assert_eq!(state(&see(&bob, "mock", &asset)), "approved");
    let late = see(&eve, "mock", &asset);
    assert_eq!(state(&late), "pending", "all are used up");
    let entries = officer.get("/audit?limit=200");
    let by_rule = entries["items"].as_array().unwrap().iter();
    let by_rule = by_rule
        .filter(|entry| entry["detail"]["rule"] == json!(teaching))
        .count();
    assert_eq!(by_rule, 2);

    // A rule that has ended grants nothing.
    eve.post(&format!("/requests/{}/withdrawal", text(&late["id"])), &json!({}));
    let end = SystemTime::now() + Duration::from_millis(1_500);
    rule(
        "Soon over",
        json!(["open"]),
        Some(jiff::Timestamp::try_from(end).unwrap().to_string()),
    );
    while SystemTime::now() <= end {
        std::thread::yield_now();
    }
    assert_eq!(state(&see(&eve, "mock", &asset)), "pending");
    refused(&eve, &mock, (403, "on_request"));
}
