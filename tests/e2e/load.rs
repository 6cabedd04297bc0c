//! Two hundred connections at once that read and submit: nothing fails, and after a while memory grows no more.
//!
//! `POUNDLOCK_TEST_LOAD_SECONDS` says how long (4 where it says nothing). The figures are of this build: those of a release build
//! are what counts (`cargo test --release`), and they stand in `docs/RELIABILITY.md`.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::node::{Node, OWNER, PASSWORD};
use crate::person::Person;
use crate::world::{python, text};

const CONNECTIONS: usize = 200;

/// The memory that a process takes now, in KiB.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How long each answer took.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn print(mut self, what: &str, during: Duration) {
        self.0.sort_unstable();
        let at = |part: f64| {
            let last = self.0.len().saturating_sub(1);
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss
            )]
            let place = (last as f64 * part) as usize;
            self.0.get(place).copied().unwrap_or_default()
        };
        let rate = f64::from(u32::try_from(self.0.len()).unwrap()) / during.as_secs_f64();
        println!(
            "{what}: {} answers, {rate:.0} a second; 50 % within {:?}, 90 % {:?}, 99 % {:?}, all {:?}",
            self.0.len(),
            at(0.5),
            at(0.9),
            at(0.99),
            at(1.0)
        );
    }
}

#[test]
fn two_hundred_connections_read_and_submit_without_an_error() {
    let seconds = std::env::var("POUNDLOCK_TEST_LOAD_SECONDS").map_or(4, |seconds| seconds.parse().unwrap());
    let time = Duration::from_secs(seconds);
    let node = Node::with("low", &["--python", &python()]);
    node.set_up();
    let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
    owner.post(
        "/users",
        &json!({"name": "Sam", "email": "sam@example.org", "password": PASSWORD, "role": "user"}),
    );
    let scientist = Person::sign_in(node.address(), "sam@example.org", PASSWORD);
    let project = text(&scientist.post("/projects", &json!({"name": "p", "description": ""}))["id"]);
    scientist.post(&format!("/projects/{project}/start"), &json!({}));
    let code = scientist.post(
        "/codes",
        &json!({
            "name": "one", "source": "def one(n):\n    return n\n", "entry_point": "one",
            "input_policy": {"n": {"constant": 1}}, "output_policy": "single_execution",
        }),
    );
    let code = text(&code["id"]);

    let (reads, submissions) = (Mutex::new(Times::default()), Mutex::new(Times::default()));
    let begun = Instant::now();
    let grown = std::thread::scope(|threads| {
        for connection in 0..CONNECTIONS {
            let mut person = Person::nobody(node.address());
            person.token.clone_from(&scientist.token);
            let (reads, submissions, project, code) = (&reads, &submissions, &project, &code);
            threads.spawn(move || {
                let (mut read, mut submitted) = (Times::default(), Times::default());
                for round in connection.. {
                    if begun.elapsed() >= time {
                        break;
                    }
                    let asked = Instant::now();
                    if round % 5 == 0 {
                        let body = json!({"project": project, "code": code, "reason": format!("{connection} {round}")});
                        let (status, answer) = person.try_post("/requests", &body);
                        assert_eq!(status, 201, "{answer:#}");
                        submitted.0.push(asked.elapsed());
                    } else {
                        let path = ["/users/me", "/requests?limit=10", "/datasets", "/projects"][round % 4];
                        let (status, answer) = person.try_get(path);
                        assert_eq!(status, 200, "{answer:#}");
                        read.0.push(asked.elapsed());
                    }
                }
                reads.lock().unwrap().0.append(&mut read.0);
                submissions.lock().unwrap().0.append(&mut submitted.0);
            });
        }
        std::thread::sleep(time / 2);
        let warm = resident(node.process_id());
        std::thread::sleep(time / 2);
        let after = resident(node.process_id());
        println!("memory: {warm} KiB half way, {after} KiB in the end");
        after.saturating_sub(warm)
    });
    reads.into_inner().unwrap().print("reads", time);
    submissions.into_inner().unwrap().print("submissions", time);
    // The engine's cache may fill meanwhile; see `store/sled_engine.rs` for its bound.
    assert!(grown < 96 * 1024, "memory grew by {grown} KiB after warming up");
    assert_eq!(owner.get("/audit/verification")["intact"], true);
}
