//! Random histories of one high node and two low ones, as processes and files: whatever is edited, filtered, held, ignored, lost,
//! repeated or overtaken, all ends level once everything owed has been carried, and neither low node holds what is the
//! other's.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::node::{Node, OWNER, PASSWORD, items};
use crate::person::{Answer, Person, word};
use crate::privacy::{contains, every_byte_of};
use crate::world::{World, pair, review, text};

/// Numbers from a seed: SplitMix64 (Steele et al., 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        (!among.is_empty()).then(|| &among[self.below(among.len())])
    }
}

/// A low node, seen from this history.
struct Low {
    owner: Person,
    scientist: Person,
    email: String,
    /// Its id, as the high node knows it.
    id: String,
    /// The high node's id, as it knows it.
    high: String,
    /// Stands in every text that is written there.
    tag: &'static str,
    project: String,
    code: String,
    /// The dataset that is published to it alone.
    dataset: String,
}

struct History {
    world: World,
    other: Node,
    lows: Vec<Low>,
    /// What has been written and not lost: which low node's, whether it goes up, and the bytes.
    under_way: Vec<(usize, bool, Vec<u8>)>,
    random: Random,
    written: usize,
}

impl History {
    fn new() -> Self {
        let world = World::new();
        let other = Node::ready("low");
        let second = Person::sign_in(other.address(), OWNER, PASSWORD);
        let (other_id, high_id) = pair(&second, &world.owner);
        let first = (
            world.low_owner.clone(),
            world.low_id.clone(),
            world.high_id.clone(),
        );
        let lows = [("quartz", first), ("basalt", (second, other_id, high_id))]
            .map(|(tag, (owner, id, high))| Low::new(&world.owner, tag, owner, id, high));
        Self {
            world,
            other,
            lows: lows.into(),
            under_way: Vec::new(),
            random: Random(0),
            written: 0,
        }
    }

    fn step(&mut self) {
        let low = self.random.below(2);
        match self.random.below(16) {
            0..=2 => self.change_low(low),
            3 | 4 => self.change_high(low),
            5..=7 => self.export(low),
            8..=10 => self.deliver(),
            11 | 12 => self.review(low),
            13 => self.hold(low),
            _ => self.lose(),
        }
    }

    /// A text that nobody else writes.
    fn text(&mut self, low: usize) -> String {
        self.written += 1;
        format!("{}-text-{}", self.lows[low].tag, self.written)
    }

    fn change_low(&mut self, at: usize) {
        let written = self.text(at);
        let what = self.random.below(4);
        let low = &self.lows[at];
        match what {
            0 => {
                let path = format!("/projects/{}", low.project);
                fine(
                    low.scientist.try_patch(&path, &json!({ "description": written })),
                    &[],
                );
            }
            1 => {
                let mine = items(&low.scientist.get("/requests?limit=200"));
                if let Some(request) = self.random.pick(&mine) {
                    let path = format!("/requests/{}/withdrawal", text(&request["id"]));
                    fine(low.scientist.try_post(&path, &json!({})), &["withdrawn"]);
                }
            }
            _ => {
                let asked = json!({"project": low.project, "code": low.code, "reason": written});
                low.scientist.post("/requests", &asked);
            }
        }
    }

    fn change_high(&mut self, at: usize) {
        let written = self.text(at);
        let owner = self.world.owner.clone();
        if self.random.below(3) == 0 {
            let path = format!("/datasets/{}", self.lows[at].dataset);
            fine(owner.try_patch(&path, &json!({ "description": written })), &[]);
            return;
        }
        let waiting = items(&owner.get("/requests?state=pending&limit=200"));
        let of_low = |request: &&Value| request["home"] == json!(self.lows[at].id);
        let waiting: Vec<Value> = waiting.iter().filter(of_low).cloned().collect();
        if let Some(request) = self.random.pick(&waiting).cloned() {
            let id = text(&request["id"]);
            let seen = owner.get(&format!("/requests/{id}"))["seen"].clone();
            let verdict = if self.random.below(2) == 0 {
                json!({"verdict": "approve", "seen": seen})
            } else {
                json!({"verdict": "deny", "reason": written, "seen": seen})
            };
            owner.post(&format!("/requests/{id}/decisions"), &verdict);
        }
    }

    /// The two ends of one way between a low node and the high one: who writes, and what they call the reader.
    fn writer(&self, at: usize, up: bool) -> (&Person, &str) {
        let low = &self.lows[at];
        if up {
            (&low.owner, &low.high)
        } else {
            (&self.world.owner, &low.id)
        }
    }

    /// Who reads, and what they call the writer.
    fn reader(&self, at: usize, up: bool) -> (&Person, &str) {
        self.writer(at, !up)
    }

    fn export(&mut self, at: usize) {
        let up = self.random.below(2) == 0;
        let filters = match self.random.below(8) {
            0 => json!({"include": "request"}),
            1 => json!({"exclude": "request"}),
            2 => json!({"exclude": "project,dataset"}),
            3 => json!({"requester": self.lows[at].email}),
            4 => json!({"full": true}),
            _ => json!({}),
        };
        let (who, peer) = self.writer(at, up);
        let written = who.post(&format!("/peers/{peer}/exports"), &filters);
        let file = who.download(&format!("/exports/{}", text(&written["name"])));
        self.under_way.push((at, up, file));
    }

    /// Brings any of what is under way, and keeps it: it may be brought again.
    fn deliver(&mut self) {
        if let Some((at, up, file)) = self.random.pick(&self.under_way).cloned() {
            let (who, _) = self.reader(at, up);
            let answer = who.try_post_bytes("/imports", "application/octet-stream", &file);
            fine(answer, &["bundle_gap"]);
        }
    }

    fn lose(&mut self) {
        if !self.under_way.is_empty() {
            let lost = self.random.below(self.under_way.len());
            self.under_way.swap_remove(lost);
        }
    }

    fn review(&mut self, at: usize) {
        let up = self.random.below(2) == 0;
        let act = ["apply", "apply", "apply", "ignore", "unignore"][self.random.below(5)];
        let (who, peer) = self.reader(at, up);
        let (who, peer) = (who.clone(), peer.to_owned());
        let shown = who.get(&format!("/peers/{peer}/inbox?include_ignored=true"))["batches"].clone();
        let shown = shown.as_array().unwrap();
        let Some(batch) = self.random.pick(shown) else {
            return;
        };
        // What it needs is applied with it, and so must have been seen: all that is shown.
        let mut body = review(&shown.iter().collect::<Vec<_>>());
        body["roots"] = json!([batch["root"]]);
        if act == "unignore" {
            body.as_object_mut().unwrap().remove("seen");
        }
        let answer = who.try_post(&format!("/peers/{peer}/inbox/{act}"), &body);
        fine(answer, &["waits", "ignored"]);
    }

    fn hold(&mut self, at: usize) {
        let up = self.random.below(2) == 0;
        let (who, peer) = self.writer(at, up);
        let (who, peer) = (who.clone(), peer.to_owned());
        let owed = who.get(&format!("/peers/{peer}/outgoing?include_ignored=true"))["batches"].clone();
        if let Some(batch) = self.random.pick(owed.as_array().unwrap()) {
            fine(
                who.try_post(&format!("/peers/{peer}/holds"), &json!({"root": batch["root"]})),
                &[],
            );
        }
    }

    /// Lets all holds go, brings everything back that was ignored, and carries until nothing is owed.
    fn settle(&mut self) {
        self.under_way.clear();
        for _round in 0..6 {
            for at in 0..2 {
                for up in [true, false] {
                    self.carry_all(at, up);
                }
            }
            if (0..2).all(|at| self.owed(at, true).is_empty() && self.owed(at, false).is_empty()) {
                return;
            }
        }
        panic!("still owed: {:#?} {:#?}", self.owed(0, true), self.owed(0, false));
    }

    fn owed(&self, at: usize, up: bool) -> Vec<Value> {
        let (who, peer) = self.writer(at, up);
        let owed = who.get(&format!("/peers/{peer}/outgoing?include_ignored=true"));
        owed["batches"].as_array().unwrap().clone()
    }

    fn carry_all(&self, at: usize, up: bool) {
        let (who, peer) = self.writer(at, up);
        for batch in self.owed(at, up) {
            who.delete(&format!("/peers/{peer}/holds/{}", text(&batch["root"])));
        }
        let written = who.post(&format!("/peers/{peer}/exports"), &json!({}));
        let file = who.download(&format!("/exports/{}", text(&written["name"])));
        let (who, peer) = self.reader(at, up);
        who.post_bytes("/imports", "application/octet-stream", &file);
        let inbox = format!("/peers/{peer}/inbox");
        let all = who.get(&format!("{inbox}?include_ignored=true"))["batches"].clone();
        let roots: Vec<&Value> = all
            .as_array()
            .unwrap()
            .iter()
            .map(|batch| &batch["root"])
            .collect();
        who.post(&format!("{inbox}/unignore"), &json!({ "roots": roots }));
        let all = who.get(&inbox)["batches"].clone();
        let all: Vec<&Value> = all.as_array().unwrap().iter().collect();
        assert!(
            all.iter().all(|batch| batch["waits_for"] == json!([])),
            "{all:#?}"
        );
        if !all.is_empty() {
            who.post(&format!("{inbox}/apply"), &review(&all));
        }
        assert_eq!(who.get(&inbox)["batches"], json!([]));
    }

    /// Both sides hold the same of everything that both may hold.
    fn check_level(&self) {
        for low in &self.lows {
            for (list, home) in [
                ("requests", &low.id),
                ("projects", &low.id),
                ("datasets", &low.high),
            ] {
                let below = revisions(&low.owner, list, home);
                let above = revisions(&self.world.owner, list, home);
                if list == "datasets" {
                    let published: Vec<_> = below.keys().collect();
                    assert_eq!(
                        published,
                        [&low.dataset],
                        "what was published to it, and nothing else"
                    );
                    assert_eq!(above[&low.dataset], below[&low.dataset]);
                } else {
                    assert!(!below.is_empty());
                    assert_eq!(above, below, "{list} of {}", low.tag);
                }
            }
            assert_eq!(low.owner.get("/audit/verification")["intact"], true);
        }
        assert_eq!(self.world.owner.get("/audit/verification")["intact"], true);
    }

    /// Neither low node's folder holds an id or a text of the other's, and the high node's holds all.
    fn check_apart(&self) {
        let folders =
            [&self.world.low, &self.other, &self.world.high].map(|node| every_byte_of(&node.folder()));
        for (at, low) in self.lows.iter().enumerate() {
            let mut marks = vec![
                low.tag.as_bytes().to_vec(),
                format!("{}-text-", low.tag).into_bytes(),
            ];
            let ids = revisions(&low.owner, "requests", &low.id).into_keys();
            for id in ids
                .take(12)
                .chain([low.project.clone(), low.code.clone(), low.dataset.clone()])
            {
                marks.push(Uuid::parse_str(&id).unwrap().as_bytes().to_vec());
                assert!(!contains(&folders[1 - at], id.as_bytes()), "{id} of {}", low.tag);
            }
            for mark in marks {
                assert!(
                    contains(&folders[at], &mark) && contains(&folders[2], &mark),
                    "{mark:x?}"
                );
                assert!(!contains(&folders[1 - at], &mark), "{mark:x?} of {}", low.tag);
            }
        }
    }
}

impl Low {
    fn new(high_owner: &Person, tag: &'static str, owner: Person, id: String, high: String) -> Self {
        let email = format!("{tag}@example.org");
        let person = json!({"name": tag, "email": email, "password": PASSWORD, "role": "user"});
        owner.post("/users", &person);
        let scientist = Person::sign_in(&owner.address, &email, PASSWORD);
        let project = scientist.post("/projects", &json!({"name": tag, "description": ""}));
        let project = text(&project["id"]);
        scientist.post(&format!("/projects/{project}/start"), &json!({}));
        let code = scientist.post(
            "/codes",
            &json!({
                "name": tag, "source": format!("def one(n):\n    return '{tag}'\n"), "entry_point": "one",
                "input_policy": {"n": {"constant": 1}}, "output_policy": "single_execution",
            }),
        );
        let asked = json!({"project": project, "code": code["id"], "reason": format!("{tag}-text-0")});
        scientist.post("/requests", &asked);
        let named = json!({"name": format!("for {tag}"), "description": ""});
        let dataset = text(&high_owner.post("/datasets", &named)["id"]);
        let asset = json!({"name": format!("of {tag}"), "description": ""});
        high_owner.post(&format!("/datasets/{dataset}/assets"), &asset);
        high_owner.post(
            &format!("/datasets/{dataset}/publications"),
            &json!({ "peer": id }),
        );
        Self {
            owner,
            scientist,
            email,
            id,
            high,
            tag,
            project,
            code: text(&code["id"]),
            dataset,
        }
    }
}

/// An answer that is well, or a conflict of a kind that belongs to life.
#[track_caller]
fn fine(answer: Answer, expected: &[&str]) {
    let well = (200..300).contains(&answer.0) || (answer.0 == 409 && expected.contains(&word(&answer)));
    assert!(well, "{} {:#}", answer.0, answer.1);
}

/// The revision and the state of every object of a list whose home is `home`.
fn revisions(who: &Person, list: &str, home: &str) -> BTreeMap<String, (Value, Value)> {
    let all = items(&who.get(&format!("/{list}?limit=200")));
    let of_home = all.iter().filter(|object| object["home"] == json!(home));
    of_home
        .map(|object| {
            let state = object["status"]["state"].clone();
            (text(&object["id"]), (object["revision"].clone(), state))
        })
        .collect()
}

#[test]
fn random_histories_end_level_and_keep_low_nodes_apart() {
    let mut history = History::new();
    for seed in [1, 20, 300] {
        println!("history {seed}");
        history.random = Random(seed);
        for _ in 0..60 {
            history.step();
        }
        history.settle();
        history.check_level();
    }
    history.check_apart();
}
