//! Nodes that are killed (SIGKILL) at random moments while people write, export, import, decide and release. After every death
//! the folder is sound, and all that was acknowledged is there; in the end both sides are level, and everybody was told
//! everything: in the inbox once, by mail at least once.
//!
//! `POUNDLOCK_TEST_KILLS` says how often (50 where it says nothing), `POUNDLOCK_TEST_SEED` from which seed.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::backups::sound;
use crate::histories::Random;
use crate::mail::{MailServer, until};
use crate::node::{Node, items};
use crate::person::{Answer, Person, word};
use crate::world::{World, apply_all, import, review, text};

/// What was acknowledged, or asked for without an answer.
#[derive(Default)]
struct Known {
    /// Requests on the low node, with their reasons.
    requests: BTreeMap<String, String>,
    /// Datasets on the high node, with their names.
    datasets: BTreeMap<String, String>,
    /// What the high node has decided or released of a request, in the order of the answers.
    decided: BTreeMap<String, &'static str>,
    /// Releases, with the hash of their bytes.
    releases: BTreeMap<String, String>,
    /// The project's texts that were sent, and how many of them up to the last one that was acknowledged.
    texts: Vec<String>,
    acknowledged_texts: usize,
    /// The highest number of a bundle, upwards and downwards.
    sequences: [u64; 2],
    /// The newest bundle that was taken in, upwards and downwards.
    taken: [Option<Vec<u8>>; 2],
    /// Roots that were applied on the high node.
    applied: Vec<String>,
    /// Answers, by what was asked.
    answers: BTreeMap<&'static str, u64>,
    /// Things that were asked for when the node died.
    unanswered: u64,
}

/// The two ways of a bundle.
#[derive(Clone, Copy)]
enum Way {
    Up = 0,
    Down = 1,
}

struct Campaign {
    world: World,
    project: String,
    code: String,
    known: Mutex<Known>,
    /// Set when the node that is to die has died: everybody stops.
    over: AtomicBool,
}

impl Campaign {
    fn new(mail: &MailServer) -> Self {
        let mut world = World::with_environments(mail.environment(), Vec::new());
        let limit = json!({"rate_limit": 1_000_000});
        let set = world.low_owner.try_patch("/notifications/settings", &limit);
        assert_eq!(set.0, 200, "{:#}", set.1);
        let project = world.project();
        let code = world.scientist.post(
            "/codes",
            &json!({
                "name": "one", "source": "def one(n):\n    return n\n", "entry_point": "one",
                "input_policy": {"n": {"constant": 1}}, "output_policy": {"execute_count": 1000},
            }),
        );
        // From here on no code runs, and a start without an interpreter is quick.
        for node in [&mut world.low, &mut world.high] {
            node.environment
                .push(("POUNDLOCK_PYTHON".to_owned(), "/nonexistent/python3".to_owned()));
        }
        Self {
            world,
            project,
            code: text(&code["id"]),
            known: Mutex::default(),
            over: AtomicBool::new(false),
        }
    }

    /// Notes an answer; none means that the node has died.
    fn answered(&self, what: &'static str, answer: Option<Answer>, conflicts: &[&str]) -> Option<Value> {
        let mut known = self.known.lock().unwrap();
        let Some(answer) = answer else {
            known.unanswered += 1;
            self.over.store(true, Ordering::SeqCst);
            return None;
        };
        *known.answers.entry(what).or_default() += 1;
        let well = (200..300).contains(&answer.0);
        assert!(
            well || conflicts.contains(&word(&answer)),
            "{what}: {} {:#}",
            answer.0,
            answer.1
        );
        well.then_some(answer.1)
    }

    /// Scientists and owners write, until a node dies.
    fn write(&self, mut random: Random) {
        while !self.over.load(Ordering::SeqCst) {
            match random.below(7) {
                0..=2 => self.submit(random.next()),
                3 => self.describe(random.next()),
                4 => self.create(random.next()),
                5 => self.decide(&mut random),
                _ => self.release(&mut random),
            };
        }
    }

    fn submit(&self, number: u64) -> Option<()> {
        let reason = format!("reason {number:x}");
        let body = json!({"project": self.project, "code": self.code, "reason": reason});
        let answer = self.world.scientist.attempt("POST", "/requests", &body);
        let request = self.answered("submit", answer, &[])?;
        self.known
            .lock()
            .unwrap()
            .requests
            .insert(text(&request["id"]), reason);
        Some(())
    }

    fn describe(&self, number: u64) -> Option<()> {
        let written = format!("text {number:x}");
        let sent = {
            let mut known = self.known.lock().unwrap();
            known.texts.push(written.clone());
            known.texts.len()
        };
        let path = format!("/projects/{}", self.project);
        let answer = self
            .world
            .scientist
            .attempt("PATCH", &path, &json!({"description": written}));
        self.answered("describe", answer, &[])?;
        self.known.lock().unwrap().acknowledged_texts = sent;
        Some(())
    }

    fn create(&self, number: u64) -> Option<()> {
        let name = format!("dataset {number:x}");
        let body = json!({"name": name, "description": ""});
        let answer = self.world.owner.attempt("POST", "/datasets", &body);
        let dataset = self.answered("create", answer, &[])?;
        self.known
            .lock()
            .unwrap()
            .datasets
            .insert(text(&dataset["id"]), name);
        Some(())
    }

    /// A request that waits on the high node, as it is shown.
    fn waiting(&self, random: &mut Random) -> Option<Value> {
        let answer = self
            .world
            .owner
            .attempt("GET", "/requests?state=pending&limit=50", &Value::Null);
        let waiting = items(&self.answered("look", answer, &[])?);
        let id = text(&random.pick(&waiting)?["id"]);
        let answer = self
            .world
            .owner
            .attempt("GET", &format!("/requests/{id}"), &Value::Null);
        self.answered("look", answer, &[])
    }

    fn decide(&self, random: &mut Random) -> Option<()> {
        let request = self.waiting(random)?;
        let id = text(&request["id"]);
        let body = json!({"verdict": "deny", "reason": "for a test", "seen": request["seen"]});
        let path = format!("/requests/{id}/decisions");
        let answer = self.world.owner.attempt("POST", &path, &body);
        self.answered("decide", answer, &["changed"])?;
        self.known.lock().unwrap().decided.insert(id, "denied");
        Some(())
    }

    /// Deposits a result and releases it, which approves the request.
    fn release(&self, random: &mut Random) -> Option<()> {
        let id = text(&self.waiting(random)?["id"]);
        let result = random.next().to_string();
        let path = format!("/requests/{id}/deposits?format=json");
        let octets = "application/octet-stream";
        let answer = self
            .world
            .owner
            .attempt_bytes("POST", &path, octets, result.as_bytes());
        let run = self.answered("deposit", answer, &["denied", "runs_used_up"])?;
        let hash = text(&run["result"]["hash"]);
        let body = json!({"part": "result", "hash": hash});
        let path = format!("/runs/{}/releases", text(&run["id"]));
        let answer = self.world.owner.attempt("POST", &path, &body);
        let release = self.answered("release", answer, &["denied"])?;
        let mut known = self.known.lock().unwrap();
        known.releases.insert(text(&release["id"]), hash);
        known.decided.insert(id, "approved");
        Some(())
    }

    /// The courier goes to and fro, until a node dies.
    fn carry(&self, mut random: Random) {
        while !self.over.load(Ordering::SeqCst) {
            let way = if random.below(3) == 0 { Way::Down } else { Way::Up };
            if self.carry_once(way).is_none() && self.over.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    /// Who writes and who reads, and what each calls the other.
    fn ends(&self, way: Way) -> [(&Person, &str); 2] {
        let low = (&self.world.low_owner, self.world.high_id.as_str());
        let high = (&self.world.owner, self.world.low_id.as_str());
        match way {
            Way::Up => [low, high],
            Way::Down => [high, low],
        }
    }

    fn carry_once(&self, way: Way) -> Option<()> {
        let [(writer, reader_id), (reader, writer_id)] = self.ends(way);
        let answer = writer.attempt("POST", &format!("/peers/{reader_id}/exports"), &json!({}));
        let exported = self.answered("export", answer, &[])?;
        let sequence = exported["sequence"].as_u64().unwrap();
        {
            let mut known = self.known.lock().unwrap();
            let before = std::mem::replace(&mut known.sequences[way as usize], sequence);
            assert!(sequence > before, "bundle {sequence} was made after {before}");
        }
        let Some(file) = writer.attempt_download(&format!("/exports/{}", text(&exported["name"]))) else {
            self.over.store(true, Ordering::SeqCst);
            return None;
        };
        let answer = reader.attempt_bytes("POST", "/imports", "application/octet-stream", &file);
        let imported = self.answered("import", answer, &[])?;
        assert_eq!(imported["state"], "received");
        self.known.lock().unwrap().taken[way as usize] = Some(file);
        let inbox = format!("/peers/{writer_id}/inbox");
        let answer = reader.attempt("GET", &inbox, &Value::Null);
        let shown = self.answered("look", answer, &[])?;
        let shown: Vec<&Value> = shown["batches"].as_array().unwrap().iter().collect();
        if shown.is_empty() {
            return Some(());
        }
        let answer = reader.attempt("POST", &format!("{inbox}/apply"), &review(&shown));
        self.answered("apply", answer, &[])?;
        if let Way::Up = way {
            let roots = shown.iter().map(|batch| text(&batch["root"]));
            self.known.lock().unwrap().applied.extend(roots);
        }
        Some(())
    }

    /// Lets one node die after a while, looks at what is left and starts it again.
    fn die(&mut self, random: &mut Random) {
        self.over.store(false, Ordering::SeqCst);
        let low_dies = random.below(2) == 0;
        let delay = Duration::from_millis(u64::try_from(20 + random.below(400)).unwrap());
        let seeds = [random.next(), random.next(), random.next()];
        let process = if low_dies {
            &self.world.low
        } else {
            &self.world.high
        }
        .process_id();
        let process = nix::unistd::Pid::from_raw(i32::try_from(process).unwrap());
        std::thread::scope(|threads| {
            let campaign = &*self;
            let [first, second, courier] = seeds.map(Random);
            threads.spawn(|| campaign.write(first));
            threads.spawn(|| campaign.write(second));
            threads.spawn(|| campaign.carry(courier));
            // The random moment is what this test is about.
            std::thread::sleep(delay);
            nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).unwrap();
        });
        let node = if low_dies {
            &mut self.world.low
        } else {
            &mut self.world.high
        };
        node.died().expect("it was killed");
        sound(node, &node.folder());
        node.start();
        let address = node.address().to_owned();
        if low_dies {
            self.world.low_owner.address.clone_from(&address);
            self.world.scientist.address = address;
            self.check_low();
        } else {
            self.world.owner.address = address;
            self.check_high();
        }
    }

    /// Everything acknowledged is on the low node. What was looked at before is looked at again in the end.
    fn check_low(&self) {
        let known = self.known.lock().unwrap();
        for (id, reason) in known.requests.iter().rev().take(20) {
            let request = self.world.scientist.get(&format!("/requests/{id}"));
            assert_eq!(request["reason"], json!(reason));
        }
        if known.acknowledged_texts > 0 {
            let shown = self.world.scientist.get(&format!("/projects/{}", self.project));
            let possible = &known.texts[known.acknowledged_texts.saturating_sub(3)..];
            assert!(
                possible.iter().any(|text| shown["description"] == json!(text)),
                "{shown:#}"
            );
        }
        repeated(&self.world.low_owner, known.taken[Way::Down as usize].as_deref());
    }

    fn check_high(&self) {
        let known = self.known.lock().unwrap();
        for (id, name) in known.datasets.iter().rev().take(20) {
            assert_eq!(
                self.world.owner.get(&format!("/datasets/{id}"))["name"],
                json!(name)
            );
        }
        for (id, state) in known.decided.iter().rev().take(20) {
            let shown = self.world.owner.get(&format!("/requests/{id}"));
            assert_eq!(shown["status"]["state"], json!(state), "{id}");
        }
        for root in known.applied.iter().rev().take(5) {
            let found = ["requests", "projects"]
                .map(|kind| self.world.owner.try_get(&format!("/{kind}/{root}")).0)
                .contains(&200);
            assert!(found, "{root} was applied");
        }
        repeated(&self.world.owner, known.taken[Way::Up as usize].as_deref());
    }

    /// Carries all there is, and holds both sides against each other and against all that was acknowledged.
    fn settle(&self, mail: &MailServer) {
        for _ in 0..3 {
            for way in [Way::Up, Way::Down] {
                let [(writer, reader_id), (reader, writer_id)] = self.ends(way);
                let exported = writer.post(&format!("/peers/{reader_id}/exports"), &json!({}));
                let file = writer.download(&format!("/exports/{}", text(&exported["name"])));
                let path = self.world.root.path().join("bundle");
                std::fs::write(&path, file).unwrap();
                import(reader, &path);
                apply_all(reader, writer_id);
            }
        }
        for way in [Way::Up, Way::Down] {
            let [(writer, reader_id), _] = self.ends(way);
            let owed = writer.get(&format!("/peers/{reader_id}/outgoing?include_ignored=true"));
            assert_eq!(owed["batches"], json!([]), "all is carried");
        }
        let known = self.known.lock().unwrap();
        for (id, reason) in &known.requests {
            for who in [&self.world.scientist, &self.world.owner] {
                assert_eq!(who.get(&format!("/requests/{id}"))["reason"], json!(reason));
            }
        }
        for (id, name) in &known.datasets {
            assert_eq!(
                self.world.owner.get(&format!("/datasets/{id}"))["name"],
                json!(name)
            );
        }
        for (id, state) in &known.decided {
            for who in [&self.world.scientist, &self.world.owner] {
                let shown = who.get(&format!("/requests/{id}"));
                assert_eq!(shown["status"]["state"], json!(state), "{id}");
            }
        }
        for (id, hash) in &known.releases {
            let bytes = self.world.scientist.download(&format!("/releases/{id}/content"));
            assert_eq!(blake3::hash(&bytes).to_hex().to_string(), *hash, "{id}");
        }
        for who in [&self.world.owner, &self.world.low_owner] {
            assert_eq!(who.get("/audit/verification")["intact"], true);
        }
        self.check_told(mail);
    }

    /// The low owner was told of every request that is there: one line in the inbox, and at least one mail under one name.
    fn check_told(&self, mail: &MailServer) {
        let requests = all(&self.world.low_owner, "/requests?limit=200");
        let told = || {
            let lines = all(&self.world.low_owner, "/notifications?limit=200");
            let lines = lines
                .into_iter()
                .filter(|line| line["event"] == "request_submitted");
            let mut told: BTreeMap<String, u64> = BTreeMap::new();
            for line in lines {
                *told.entry(line["about"].to_string()).or_default() += 1;
            }
            told
        };
        let told = until("every request to be told of", || {
            Some(told()).filter(|told| told.len() >= requests.len())
        });
        assert_eq!(told.len(), requests.len());
        assert!(told.values().all(|count| *count == 1), "somebody was told twice");
        let mails = until("every mail", || {
            let mut mails: BTreeMap<String, u64> = BTreeMap::new();
            for mail in mail
                .mails()
                .iter()
                .filter(|mail| mail.subject.contains("request"))
            {
                *mails.entry(mail.message_id.clone()).or_default() += 1;
            }
            Some(mails).filter(|mails| mails.len() >= requests.len())
        });
        let repeated: u64 = mails.values().map(|count| count - 1).sum();
        println!(
            "{} mails under {} names",
            mails.values().sum::<u64>(),
            mails.len()
        );
        assert!(
            repeated <= u64::try_from(mails.len()).unwrap(),
            "mails are repeated for other reasons than deaths"
        );
    }
}

/// A bundle that was taken in is known.
fn repeated(who: &Person, bundle: Option<&[u8]>) {
    if let Some(bundle) = bundle {
        let again = who.post_bytes("/imports", "application/octet-stream", bundle);
        assert_eq!(again["state"], "repeated", "{again:#}");
    }
}

/// A whole list.
fn all(who: &Person, path: &str) -> Vec<Value> {
    let (mut found, mut page) = (Vec::new(), who.get(path));
    loop {
        found.extend(items(&page));
        let Some(cursor) = page["next"].as_str() else {
            return found;
        };
        page = who.get(&format!("{path}&cursor={cursor}"));
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |number| number.parse().unwrap())
}

#[test]
fn killed_at_random_moments_nothing_acknowledged_is_lost() {
    let (kills, seed) = (
        number("POUNDLOCK_TEST_KILLS", 50),
        number("POUNDLOCK_TEST_SEED", 1),
    );
    let mail = MailServer::open();
    let mut campaign = Campaign::new(&mail);
    let mut random = Random(seed);
    let begun = Instant::now();
    for kill in 1..=kills {
        campaign.die(&mut random);
        if kill % 50 == 0 {
            println!("{kill} kills in {:?}", begun.elapsed());
        }
    }
    campaign.settle(&mail);
    let mut looked_at = Vec::new();
    for node in [&mut campaign.world.low, &mut campaign.world.high] {
        node.stop();
        let node: &Node = node;
        looked_at.push(sound(node, &node.folder()));
    }
    let known = campaign.known.lock().unwrap();
    println!(
        "{kills} kills from seed {seed} in {:?}: {:?} answered, {} unanswered; {looked_at:?}",
        begun.elapsed(),
        known.answers,
        known.unanswered
    );
}
