//! Servers that are down, slow, or do not want a mail; and a node that is killed in between.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{node_with_mail, register, until_quiet};
use crate::mail::{MailServer, until};
use crate::node::{OWNER, PASSWORD, items};
use crate::person::Person;

#[test]
fn nothing_is_lost_while_the_server_is_down_and_the_node_is_killed() {
    let mut server = MailServer::open();
    let (mut node, owner) = node_with_mail(&server);
    server.stop();
    let mut people: BTreeSet<String> = (0..4).map(|n| register(&node, &format!("before{n}"))).collect();
    until("a failed attempt", || {
        let settings = owner.get("/notifications/settings");
        settings["channels"]
            .as_array()?
            .iter()
            .find(|it| it["last_error"].is_string())
            .cloned()
    });
    node.kill();
    node.start();
    people.extend((0..4).map(|n| register(&node, &format!("between{n}"))));
    node.kill();
    node.start();
    server.start();
    let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
    until_quiet(&owner);
    let mails = server.mails();
    let welcomed: BTreeSet<_> = mails
        .iter()
        .filter(|mail| mail.subject == "Your account is ready")
        .map(|mail| mail.to.clone())
        .collect();
    assert_eq!(welcomed, people);
    let names: BTreeSet<_> = mails.iter().map(|mail| &mail.message_id).collect();
    assert_eq!(
        (mails.len(), names.len()),
        (16, 16),
        "eight people, and the owner for each"
    );
}

#[test]
fn a_mail_that_was_sent_and_not_noted_comes_again_under_its_name() {
    let server = MailServer::open();
    let (mut node, owner) = node_with_mail(&server);
    let off = ["notifications", "deactivate", "--event", "user_registered"];
    node.run(OWNER, &off).json();
    server.hold(true);
    register(&node, "sam");
    server.wait_for(1);
    node.kill();
    server.hold(false);
    node.start();
    let again = server.wait_for(2);
    drop(owner);
    until_quiet(&Person::sign_in(node.address(), OWNER, PASSWORD));
    assert_eq!(server.mails().len(), 2, "once more, and not again");
    assert_eq!(again[0].message_id, again[1].message_id);
    assert_eq!((&again[0].text, &again[0].html), (&again[1].text, &again[1].html));
}

#[test]
fn what_the_server_will_not_take_is_a_dead_letter_until_it_is_queued_again() {
    let server = MailServer::open();
    let (node, owner) = node_with_mail(&server);
    server.policy(&json!({"sam@example.org": "550 5.1.1 no such user", "eve@example.org": "451 later"}));
    register(&node, "sam");
    register(&node, "eve");
    let letters = until("a dead letter", || {
        let letters = items(&node.run(OWNER, &["notifications", "dead-letters", "list"]).json());
        (!letters.is_empty()).then_some(letters)
    });
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(
        (&letter["email"], &letter["event"], &letter["attempts"]),
        (&json!("sam@example.org"), &json!("welcome"), &json!(1))
    );
    assert!(letter["error"].as_str().unwrap().contains("550"), "{letter}");
    // What is to be tried later is tried again and again.
    until("a busy server", || {
        let settings = owner.get("/notifications/settings");
        (settings["waiting"]["messages"] == 1).then_some(())
    });
    server.policy(&json!({"sam@example.org": "550 5.1.1 no such user"}));
    until_quiet(&owner);
    assert_eq!(
        server
            .mails()
            .iter()
            .filter(|mail| mail.to == "eve@example.org")
            .count(),
        1
    );

    let id = letter["id"].to_string();
    node.run(OWNER, &["notifications", "dead-letters", "requeue", &id])
        .json();
    until("a second death", || {
        (owner.get("/notifications/settings")["waiting"]["dead"] == 1).then_some(())
    });
    server.policy(&json!({}));
    let again = node
        .run(OWNER, &["notifications", "dead-letters", "requeue", "--all"])
        .json();
    assert_eq!(again["requeued"], 1);
    until_quiet(&owner);
    let mails = server.mails();
    let sams: Vec<_> = mails.iter().filter(|mail| mail.to == "sam@example.org").collect();
    assert_eq!(sams.len(), 1);
    assert_eq!(
        json!(sams[0].message_id),
        letter["message_id"],
        "it keeps its name"
    );
    assert_eq!(
        node.run(OWNER, &["notifications", "dead-letters", "remove", &id])
            .code,
        4
    );
}

#[test]
fn a_server_that_never_answers_slows_no_request() {
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = MailServer::open();
    let (mut node, _) = node_with_mail(&server);
    let port = silent.local_addr().unwrap().port();
    for (name, value) in &mut node.environment {
        if name == "SMTP_PORT" {
            *value = port.to_string();
        }
    }
    node.stop();
    node.start();
    let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
    register(&node, "sam");
    let (_connection, _) = silent.accept().unwrap();
    // Now the node waits for the server's greeting.
    let begun = Instant::now();
    for _ in 0..200 {
        owner.get("/notifications");
    }
    owner.post("/projects", &json!({"name": "Quick", "description": ""}));
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?} for 201 requests",
        begun.elapsed()
    );
    assert_eq!(owner.get("/notifications/settings")["waiting"]["messages"], 2);
}
