//! What leaves a node: mails and posts that real servers took.

#[path = "notifications/events.rs"]
mod events;
#[path = "notifications/flood.rs"]
mod flood;
#[path = "notifications/outages.rs"]
mod outages;
#[path = "notifications/setup.rs"]
mod setup;
#[path = "notifications/shape.rs"]
mod shape;

use serde_json::{Value, json};

use crate::mail::{Mail, MailServer, until};
use crate::node::{Node, OWNER, PASSWORD};
use crate::person::Person;

/// A low node that sends its mail to a server, tries again soon, and has its owner signed in.
fn node_with_mail(server: &MailServer) -> (Node, Person) {
    let mut node = Node::with_environment("low", &[], server.environment());
    node.reconfigure(|text| {
        let soon = text
            .replace("retry_milliseconds = 30000", "retry_milliseconds = 100")
            .replace("retry_most_seconds = 3600", "retry_most_seconds = 1");
        assert_ne!(soon, text);
        soon
    });
    node.set_up();
    let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
    (node, owner)
}

/// Somebody registers themselves: this tells them and the owner.
fn register(node: &Node, name: &str) -> String {
    let email = format!("{name}@example.org");
    Person::nobody(node.address()).post(
        "/users",
        &json!({"name": name, "email": email, "password": PASSWORD}),
    );
    email
}

/// Waits until nothing is on its way any more.
fn until_quiet(owner: &Person) -> Value {
    until("an empty queue", || {
        let settings = owner.get("/notifications/settings");
        (settings["waiting"]["messages"] == 0).then_some(settings)
    })
}

/// To whom what was sent, in the order of addresses and subjects.
fn sorted(mails: &[Mail]) -> Vec<(String, String)> {
    let mut found: Vec<_> = mails
        .iter()
        .map(|mail| (mail.to.clone(), mail.subject.clone()))
        .collect();
    found.sort();
    found
}

fn expected(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all: Vec<_> = pairs
        .iter()
        .map(|(to, subject)| ((*to).to_owned(), (*subject).to_owned()))
        .collect();
    all.sort();
    all
}
