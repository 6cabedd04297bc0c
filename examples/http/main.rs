//! How many answers a second a node gives over HTTP.
//!
//! ```text
//! http reads [SECONDS]              authenticated reads beside a bare handler that returns the same bytes
//! http submissions [SECONDS [FLUSH]]
//!                                   durable submissions of one client, and of 64 at once; where each flush of the disk takes so
//!                                   many milliseconds longer, if that is given: `strace` must be there for it
//! http mix PYTHON [SECONDS]         200 connections that read and submit: errors, latencies, memory
//! ```
//!
//! Starts the `poundlock` of the same build in a temporary folder (`TMPDIR`), which must be on the disk to be measured, and asks
//! it from this machine: the client takes its share of the processor in each of the figures, so that the ratios say more than the
//! rates. Judges nothing.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program for developers: the first thing that fails ends it"
)]

mod bare;
mod client;
mod node;

use std::time::Duration;

use serde_json::json;

use bare::Bare;
use client::{Connection, Times, get, load, post};
use node::{Node, text};

const READERS: usize = 32;
const SUBMITTERS: usize = 64;
const MIXED: usize = 200;
const ROUNDS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let seconds = |given: Option<&&str>, otherwise: u64| {
        Duration::from_secs(given.map_or(otherwise, |given| given.parse().expect("seconds")))
    };
    match words.as_slice() {
        ["bare"] => bare::serve(),
        ["reads", rest @ ..] => reads(seconds(rest.first(), 5)),
        ["submissions", rest @ ..] => {
            let flush = rest.get(1).map(|given| given.parse().expect("milliseconds"));
            submissions(seconds(rest.first(), 10), flush);
        }
        ["mix", python, rest @ ..] => mix(python, seconds(rest.first(), 60)),
        _ => panic!("http reads|submissions|mix"),
    }
}

/// Reads of a node and of the bare handler, by turns, so that what else the machine does meets both.
fn reads(time: Duration) {
    let node = Node::start(None);
    let project = node.post("/projects", &json!({"name": "Study", "description": ""}), 201);
    let paths = [
        "/api/v1/users/me".to_owned(),
        format!("/api/v1/projects/{}", text(&project["id"])),
        "/api/v1/projects?limit=10".to_owned(),
    ];
    for _ in 1..10 {
        let name = format!("Study {}", uuid::Uuid::new_v4());
        node.post("/projects", &json!({"name": name, "description": ""}), 201);
    }
    println!(
        "  reads, {READERS} connections, node {}, the median of {ROUNDS} rounds",
        node.process()
    );
    for path in paths {
        let body = node.read(&path);
        let length = body.len();
        let bare = Bare::start(&[(path.clone(), body)]);
        let request = get(&path, &node.token);
        let rate = |address: &str| {
            let [times] = load::<1>(address, READERS, time, |_, _| (0, request.clone(), 200));
            times.rate()
        };
        let mut rounds: Vec<(f64, f64)> = (0..ROUNDS)
            .map(|_| (rate(&bare.address), rate(&node.address)))
            .collect();
        rounds.sort_by(|one, other| (one.1 / one.0).total_cmp(&(other.1 / other.0)));
        let (bare, node) = rounds[ROUNDS / 2];
        println!(
            "  {:<32} {length:>6} bytes: bare {bare:>8.0} a second, node {node:>8.0}: {:.2} of it",
            path.split_inclusive('/').take(4).collect::<String>(),
            node / bare
        );
    }
}

/// New projects, each on the disk before it is answered.
fn submissions(time: Duration, flush: Option<u32>) {
    let node = flush.map_or_else(|| Node::start(None), Node::on_slow_disk);
    if let Some(flush) = flush {
        println!("  on a disk whose flush takes {flush} ms longer");
    }
    let mut first = None;
    for clients in [1, 8, SUBMITTERS] {
        let [times] = load::<1>(&node.address, clients, time, |_, _| {
            let name = format!("Study {}", uuid::Uuid::new_v4());
            let body = json!({"name": name, "description": "durable"});
            (0, post("/api/v1/projects", &node.token, &body), 201)
        });
        let beside = *first.get_or_insert(times.rate());
        println!(
            "  {clients:>3} clients: {:>7.0} submissions a second, {:.1} of one client's; 50 % within {:.1} ms, 99 % {:.1} ms",
            times.rate(),
            times.rate() / beside,
            times.within(0.5),
            times.within(0.99)
        );
    }
}

/// Four reads for each submission, as somebody works who looks at lists and asks for runs.
fn mix(python: &str, time: Duration) {
    let node = Node::start(Some(python));
    let project = text(&node.post("/projects", &json!({"name": "Study", "description": ""}), 201)["id"]);
    let mut starting = Connection::open(&node.address);
    let (status, _) = starting.ask(&post(
        &format!("/api/v1/projects/{project}/start"),
        &node.token,
        &json!({}),
    ));
    assert_eq!(status, 200, "the project starts");
    let code = json!({
        "name": "one", "source": "def one(n):\n    return n\n", "entry_point": "one",
        "input_policy": {"n": {"constant": 1}}, "output_policy": "single_execution",
    });
    let code = text(&node.post("/codes", &code, 201)["id"]);
    let [reads, submitted] = std::thread::scope(|threads| {
        threads.spawn(|| {
            for part in 1..=4 {
                std::thread::sleep(time / 4);
                println!(
                    "  memory after {part} of 4 parts of the time: {:.1} MiB",
                    node.memory()
                );
            }
        });
        load::<2>(&node.address, MIXED, time, |connection, round| {
            let turn = connection + round;
            if turn % 5 == 0 {
                let body =
                    json!({"project": project, "code": code, "reason": format!("{connection} {round}")});
                (1, post("/api/v1/requests", &node.token, &body), 201)
            } else {
                let path = ["/users/me", "/requests?limit=10", "/datasets", "/projects"][turn % 4];
                (0, get(&format!("/api/v1{path}"), &node.token), 200)
            }
        })
    });
    println!("  {MIXED} connections, {} seconds, no error", time.as_secs());
    let print = |what: &str, times: &Times| {
        println!(
            "  {what:<12} {:>7} answers, {:>6.0} a second; 50 % within {:.1} ms, 90 % {:.1}, 99 % {:.1}, all {:.1}",
            times.count(),
            times.rate(),
            times.within(0.5),
            times.within(0.9),
            times.within(0.99),
            times.within(1.0)
        );
    };
    print("reads", &reads);
    print("submissions", &submitted);
}
