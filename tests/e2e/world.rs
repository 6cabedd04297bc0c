//! Two nodes with a gap between them, the people at them, and a folder that plays the stick.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::node::{Node, OWNER, PASSWORD};
use crate::person::{Answer, Person};

/// The interpreter that code runs with.
pub fn python() -> String {
    std::env::var("POUNDLOCK_TEST_PYTHON")
        .expect("POUNDLOCK_TEST_PYTHON must name a Python with NumPy and pandas; run scripts/test")
}

/// A low and a high node, set up and paired.
pub struct World {
    pub low: Node,
    pub high: Node,
    /// The owner of the low node.
    pub low_owner: Person,
    /// The owner of the high node: the data owner.
    pub owner: Person,
    /// A scientist on the low node.
    pub scientist: Person,
    pub low_id: String,
    pub high_id: String,
    pub stick: PathBuf,
    pub root: TempDir,
}

/// The asset that most tests study.
pub struct Pima {
    pub asset: String,
}

fn fixture(name: &str) -> Vec<u8> {
    let path = crate::node::fixture(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value:#}"))
        .to_owned()
}

impl World {
    /// Starts, sets up and pairs both nodes, and makes a scientist.
    pub fn new() -> Self {
        Self::with_environments(Vec::new(), Vec::new())
    }

    /// As [`Self::new`], with variables for the low and for the high node.
    pub fn with_environments(low: Vec<(String, String)>, high: Vec<(String, String)>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let stick = root.path().join("stick");
        std::fs::create_dir(&stick).unwrap();
        let with_python = ["--python", &python()];
        let (low, high) = std::thread::scope(|threads| {
            let low = threads.spawn(|| Node::with_environment("low", &with_python, low));
            let high = Node::with_environment("high", &with_python, high);
            (low.join().unwrap(), high)
        });
        low.set_up();
        high.set_up();
        let low_owner = Person::sign_in(low.address(), OWNER, PASSWORD);
        let owner = Person::sign_in(high.address(), OWNER, PASSWORD);
        let (low_id, high_id) = pair(&low_owner, &owner);
        low_owner.post(
            "/users",
            &json!({"name": "Sam Scientist", "email": "sam@example.org", "password": PASSWORD, "role": "user"}),
        );
        Self {
            scientist: Person::sign_in(low.address(), "sam@example.org", PASSWORD),
            low,
            high,
            low_owner,
            owner,
            low_id,
            high_id,
            stick,
            root,
        }
    }

    /// The people sign in again, after a node has been started anew.
    pub fn sign_in_again(&mut self) {
        self.low_owner = Person::sign_in(self.low.address(), OWNER, PASSWORD);
        self.owner = Person::sign_in(self.high.address(), OWNER, PASSWORD);
        self.scientist = Person::sign_in(self.low.address(), "sam@example.org", PASSWORD);
    }

    /// Makes the Pima dataset on the high node, with private data and a generated mock, and brings it to the low node.
    pub fn publish_pima(&self) -> Pima {
        let dataset = self.owner.post(
            "/datasets",
            &json!({"name": "Pima women", "description": "Diabetes", "tags": ["health"]}),
        );
        let dataset = text(&dataset["id"]);
        let asset = self.owner.post(
            &format!("/datasets/{dataset}/assets"),
            &json!({"name": "women", "description": "200 women"}),
        );
        let asset = text(&asset["id"]);
        self.owner.put_bytes(
            &format!("/assets/{asset}/private?format=csv"),
            &fixture("data/pima_train.csv"),
        );
        self.owner
            .post(&format!("/assets/{asset}/mock/generation"), &mock_of_pima());
        self.owner.post(
            &format!("/datasets/{dataset}/publications"),
            &json!({"peer": self.low_id}),
        );
        self.carry_down();
        Pima { asset }
    }

    /// A started project of the scientist's.
    pub fn project(&self) -> String {
        let project = self.scientist.post(
            "/projects",
            &json!({"name": "Glucose", "description": "Who has how much"}),
        );
        let project = text(&project["id"]);
        self.scientist
            .post(&format!("/projects/{project}/start"), &json!({}));
        project
    }

    /// Submits code over one asset.
    pub fn code(&self, file: &str, entry_point: &str, asset: &str, output_policy: &Value) -> String {
        let source = String::from_utf8(fixture(&format!("programs/{file}"))).unwrap();
        let code = self.scientist.post(
            "/codes",
            &json!({
                "name": entry_point, "source": source, "entry_point": entry_point,
                "input_policy": {"women": {"asset": asset}}, "output_policy": output_policy,
            }),
        );
        text(&code["id"])
    }

    /// Requests that code run.
    pub fn request(&self, project: &str, code: &str, reason: &str) -> String {
        let request = self.scientist.post(
            "/requests",
            &json!({"project": project, "code": code, "reason": reason}),
        );
        text(&request["id"])
    }

    /// Writes a bundle and puts it on the stick.
    pub fn export(&self, from: &Person, to: &str, filters: &Value) -> (PathBuf, Value) {
        let exported = from.post(&format!("/peers/{to}/exports"), filters);
        let file = self.stick.join(text(&exported["name"]));
        std::fs::write(
            &file,
            from.download(&format!("/exports/{}", text(&exported["name"]))),
        )
        .unwrap();
        (file, exported)
    }

    pub fn export_up(&self) -> PathBuf {
        self.export(&self.low_owner, &self.high_id, &json!({})).0
    }

    pub fn export_down(&self) -> PathBuf {
        self.export(&self.owner, &self.low_id, &json!({})).0
    }

    /// Carries all that is owed up, and applies it.
    pub fn carry_up(&self) {
        import(&self.owner, &self.export_up());
        apply_all(&self.owner, &self.low_id);
    }

    /// Carries all that is owed down, and applies it.
    pub fn carry_down(&self) {
        import(&self.low_owner, &self.export_down());
        apply_all(&self.low_owner, &self.high_id);
    }

    /// Approves a request as it is now.
    pub fn approve(&self, request: &str) -> Value {
        self.decide(request, "approve", None)
    }

    pub fn decide(&self, request: &str, verdict: &str, reason: Option<&str>) -> Value {
        let seen = seen(&self.owner.get(&format!("/requests/{request}")), &self.owner);
        let body = json!({"verdict": verdict, "reason": reason, "seen": seen});
        self.owner.post(&format!("/requests/{request}/decisions"), &body)
    }

    /// Runs an approved request on the private data, and waits for its end.
    pub fn run(&self, request: &str) -> Value {
        let run = self
            .owner
            .post(&format!("/requests/{request}/runs"), &json!({"data": "private"}));
        over(&self.owner, &text(&run["id"]))
    }

    /// Releases the result of a run as it was seen.
    pub fn release(&self, run: &Value, part: &str) -> Value {
        let id = text(&run["id"]);
        self.owner.post(
            &format!("/runs/{id}/releases"),
            &json!({"part": part, "hash": run[part]["hash"]}),
        )
    }
}

/// What a reviewer has seen of a request: what a decision names.
pub fn seen(request: &Value, who: &Person) -> Value {
    let code = who.get(&format!("/codes/{}", text(&request["code"])));
    let last = request["decisions"]
        .as_array()
        .and_then(|all| all.last())
        .map(|last| last["id"].clone());
    json!({"revision": request["revision"], "code_hash": code["hash"], "last_decision": last})
}

/// Waits until a run is over.
pub fn over(who: &Person, run: &str) -> Value {
    who.wait_for(&format!("/runs/{run}"), |run| {
        !["queued", "running"].contains(&run["state"].as_str().unwrap())
    })
}

pub fn try_import(who: &Person, file: &Path) -> Answer {
    who.try_post_bytes(
        "/imports",
        "application/octet-stream",
        &std::fs::read(file).unwrap(),
    )
}

pub fn import(who: &Person, file: &Path) -> Value {
    let (status, document) = try_import(who, file);
    assert_eq!(status, 200, "{document:#}");
    document
}

/// The batches that wait from a peer.
pub fn inbox(who: &Person, peer: &str) -> Vec<Value> {
    who.get(&format!("/peers/{peer}/inbox"))["batches"]
        .as_array()
        .unwrap()
        .clone()
}

/// Applies everything that waits, as it is shown.
pub fn apply_all(who: &Person, peer: &str) {
    let batches = inbox(who, peer);
    let batches: Vec<&Value> = batches
        .iter()
        .filter(|batch| batch["waits_for"].as_array().unwrap().is_empty())
        .collect();
    if !batches.is_empty() {
        who.post(&format!("/peers/{peer}/inbox/apply"), &review(&batches));
    }
}

/// A review of batches as they are shown: their roots, and everything that was seen of all.
pub fn review(batches: &[&Value]) -> Value {
    let roots: Vec<&Value> = batches.iter().map(|batch| &batch["root"]).collect();
    let members = batches
        .iter()
        .flat_map(|batch| batch["members"].as_array().unwrap());
    let seen: Vec<Value> = members
        .map(|member| json!({"id": member["id"], "revision": member["revision"]}))
        .collect();
    json!({"roots": roots, "seen": seen})
}

pub fn pair(low: &Person, high: &Person) -> (String, String) {
    let introduce = |from: &Person, to: &Person| {
        let identity = from.download("/node/identity");
        to.post_bytes("/peers", "text/plain", &identity)
    };
    let (low_at_high, high_at_low) = (introduce(low, high), introduce(high, low));
    assert_eq!(
        low_at_high["fingerprint"], high_at_low["fingerprint"],
        "what two people compare by voice"
    );
    let (low_id, high_id) = (text(&low_at_high["id"]), text(&high_at_low["id"]));
    let compared = json!({"fingerprint": low_at_high["fingerprint"]});
    high.post(&format!("/peers/{low_id}/confirmation"), &compared);
    low.post(&format!("/peers/{high_id}/confirmation"), &compared);
    (low_id, high_id)
}

/// Declares the columns of the Pima data, and ranges that anyone could have guessed.
pub fn mock_of_pima() -> Value {
    json!({"rows": 50, "seed": 1, "columns": [
        {"name": "npreg", "type": "int", "min": 0, "max": 10}, {"name": "glu", "type": "int", "min": 60, "max": 200},
        {"name": "bp", "type": "int", "min": 40, "max": 110}, {"name": "skin", "type": "int", "min": 10, "max": 60},
        {"name": "bmi", "type": "float", "min": 18, "max": 50}, {"name": "ped", "type": "float", "min": 0.1, "max": 2},
        {"name": "age", "type": "int", "min": 21, "max": 80}, {"name": "type", "type": "string", "choices": ["Yes", "No"]},
    ]})
}
