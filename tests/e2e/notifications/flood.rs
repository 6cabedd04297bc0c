//! Ten thousand mails at once.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::json;

use super::{node_with_mail, until_quiet};
use crate::mail::{MailServer, until};
use crate::node::{Node, OWNER, PASSWORD};
use crate::world::text;

const OFFICERS: usize = 19;
const REQUESTS: usize = 500;

/// What a process has in memory, in KiB.
fn resident(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.process_id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Each of twenty people is told of each of 500 requests. The server is down until all are queued; then they drain over few
/// connections and in memory that does not grow with them.
#[test]
fn ten_thousand_mails_drain_over_few_connections_in_flat_memory() {
    let mut server = MailServer::open();
    let (node, owner) = node_with_mail(&server);
    owner.try_patch("/notifications/settings", &json!({"rate_limit": 1_000_000}));
    for n in 0..OFFICERS {
        let officer = json!({"name": format!("Officer {n}"), "email": format!("officer{n}@example.org"),
            "password": PASSWORD, "role": "compliance_officer"});
        owner.post("/users", &officer);
    }
    until_quiet(&owner);
    server.stop();
    server.names_only = true;
    let project = owner.post("/projects", &json!({"name": "Flood", "description": ""}));
    let project = text(&project["id"]);
    owner.post(&format!("/projects/{project}/start"), &json!({}));
    let code = json!({"name": "one", "source": "def one(n):\n    return n\n", "entry_point": "one",
        "input_policy": {"n": {"constant": 1}}, "output_policy": {"execute_count": 1000}});
    let code = text(&owner.post("/codes", &code)["id"]);
    let body = json!({"project": project, "code": code, "reason": "to see"});
    std::thread::scope(|threads| {
        for _ in 0..4 {
            let (owner, body) = (owner.clone(), body.clone());
            threads.spawn(move || {
                for _ in 0..REQUESTS / 4 {
                    owner.post("/requests", &body);
                }
            });
        }
    });
    let queued = (OFFICERS + 1) * REQUESTS;
    let mut waiting = json!(0);
    while waiting != queued {
        waiting = until("more to be queued", || {
            let now = owner.get("/notifications/settings")["waiting"]["messages"].clone();
            (now != waiting).then_some(now)
        });
    }
    let (before, begun) = (resident(&node), Instant::now());
    server.start();
    let (mut most, mut names) = (before, BTreeSet::new());
    for count in 0..queued {
        assert!(names.insert(server.next_name()), "none comes twice");
        if count % 100 == 0 {
            most = most.max(resident(&node));
        }
    }
    until_quiet(&owner);
    println!(
        "{queued} mails in {:?}; resident {before} KiB before, {most} KiB at most",
        begun.elapsed()
    );
    assert!(
        most < before + 48 * 1024,
        "{before} KiB before, {most} KiB at most"
    );
    let (at_once, in_all) = server.connections();
    assert!(at_once <= 4, "{at_once} connections at once");
    assert!(in_all <= 40, "{in_all} connections in all");
    let mine = names.iter().filter(|(to, _)| to == OWNER).count();
    assert_eq!(mine, REQUESTS);
}
