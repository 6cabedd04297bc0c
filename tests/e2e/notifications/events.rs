//! Every event, from end to end: once, to exactly the right people, and nothing private in it.

use serde_json::{Value, json};

use super::{expected, sorted, until_quiet};
use crate::mail::{Mail, MailServer};
use crate::node::PASSWORD;
use crate::person::Person;
use crate::world::{World, apply_all, import, text};

const FAILS: &str = "def fails(women):\n    raise ValueError('a secret of the code')\n";

/// What a node's people were sent since the last look, once nothing is on its way.
struct Post {
    server: MailServer,
    seen: usize,
}

impl Post {
    #[track_caller]
    fn brought(&mut self, owner: &Person, told: &[(&str, &str)]) -> Vec<Mail> {
        self.server.wait_for(self.seen + told.len());
        until_quiet(owner);
        let fresh = self.server.mails().split_off(self.seen);
        self.seen += fresh.len();
        assert_eq!(sorted(&fresh), expected(told));
        fresh
    }
}

fn hire(owner: &Person, name: &str, role: &str) {
    let email = format!("{name}@example.org");
    owner.post(
        "/users",
        &json!({"name": name, "email": email, "password": PASSWORD, "role": role}),
    );
}

fn ask(world: &World, project: &str, asset: &str, source: &str, entry_point: &str) -> String {
    let code = world.scientist.post(
        "/codes",
        &json!({"name": entry_point, "source": source, "entry_point": entry_point,
            "input_policy": {"women": {"asset": asset}}, "output_policy": "single_execution"}),
    );
    world.request(project, &text(&code["id"]), "a private reason of the scientist's")
}

#[test]
fn every_event_is_told_once_to_exactly_the_right_people() {
    let (at_low, at_high) = (MailServer::open(), MailServer::open());
    let world = World::with_environments(at_low.environment(), at_high.environment());
    let mut low = Post {
        server: at_low,
        seen: 0,
    };
    let mut high = Post {
        server: at_high,
        seen: 0,
    };
    let (olga, sam, carl, hanna) = (
        "owner@example.org",
        "sam@example.org",
        "carl@example.org",
        "hanna@example.org",
    );

    hire(&world.low_owner, "carl", "compliance_officer");
    hire(&world.owner, "hanna", "compliance_officer");
    Person::nobody(world.low.address()).post(
        "/users",
        &json!({"name": "Eve", "email": "eve@example.org", "password": PASSWORD}),
    );
    let ready = "Your account is ready";
    let registered = (olga, "Somebody has registered");
    low.brought(
        &world.low_owner,
        &[
            (sam, ready),
            (carl, ready),
            ("eve@example.org", ready),
            registered,
        ],
    );
    high.brought(&world.owner, &[(hanna, ready)]);

    let (arrived, applied) = (
        (olga, "A bundle has arrived"),
        (olga, "Batches of a bundle were applied"),
    );
    let pima = world.publish_pima();
    low.brought(&world.low_owner, &[arrived, applied]);

    let project = world.project();
    let good =
        String::from_utf8(std::fs::read(crate::node::fixture("programs/mean_glucose.py")).unwrap()).unwrap();
    let requests = [
        ask(&world, &project, &pima.asset, &good, "mean_glucose"),
        ask(&world, &project, &pima.asset, FAILS, "fails"),
        ask(&world, &project, &pima.asset, &good, "mean_glucose"),
        ask(&world, &project, &pima.asset, &good, "mean_glucose"),
    ];
    let waits = "A request waits for you";
    let asked = [(olga, waits), (carl, waits)].repeat(4);
    low.brought(&world.low_owner, &asked);

    world.carry_up();
    let mut at_high = vec![arrived, applied];
    at_high.extend([(olga, waits), (hanna, waits)].repeat(4));
    high.brought(&world.owner, &at_high);

    // One is denied, one fails, one succeeds and is released. The scientist has no account here, and is told nothing here.
    world.decide(&requests[2], "deny", Some("one person is\nno <statistic>"));
    world.approve(&requests[1]);
    assert_eq!(world.run(&requests[1])["state"], "failed");
    world.approve(&requests[0]);
    let run = world.run(&requests[0]);
    assert_eq!(run["state"], "succeeded", "{run:#}");
    world.release(&run, "result");
    let awaits = "A result waits for its release";
    let told = high.brought(&world.owner, &[(olga, awaits), (hanna, awaits)]);
    assert!(
        told[0].text.contains(&format!("/runs/{}", text(&run["id"]))),
        "{}",
        told[0].text
    );

    // Down, and then everything again: it is told once.
    world.carry_down();
    let (file, _) = world.export(&world.owner, &world.low_id, &json!({"full": true}));
    import(&world.low_owner, &file);
    apply_all(&world.low_owner, &world.high_id);
    import(&world.low_owner, &file);
    let outcome = [
        (sam, "Your request was denied"),
        (sam, "Your request was approved"),
        (sam, "Your request was approved"),
        (sam, "A run of your code failed"),
        (sam, "Your result is ready"),
        arrived,
        arrived,
        applied,
    ];
    let told = low.brought(&world.low_owner, &outcome);
    let of = |subject: &str| told.iter().find(|mail| mail.subject == subject).unwrap();
    let denied = of("Your request was denied");
    assert!(
        denied.text.contains("\n> one person is\n> no <statistic>\n"),
        "{}",
        denied.text
    );
    assert!(
        denied.html.contains("one person is\nno &lt;statistic&gt;"),
        "{}",
        denied.html
    );
    for (subject, request) in [
        ("Your request was denied", &requests[2]),
        ("Your result is ready", &requests[0]),
    ] {
        let link = format!("https://lab.example/requests/{request}");
        assert!(of(subject).text.contains(&link) && of(subject).html.contains(&format!("href=\"{link}\"")));
    }

    world
        .scientist
        .post(&format!("/requests/{}/withdrawal", requests[3]), &json!({}));
    let withdrawn = "A request was withdrawn";
    low.brought(&world.low_owner, &[(olga, withdrawn), (carl, withdrawn)]);
    let garbage = world
        .low_owner
        .try_post_bytes("/imports", "application/octet-stream", b"no bundle");
    assert_eq!(garbage.0, 409);
    low.brought(&world.low_owner, &[(olga, "A bundle was refused")]);
    world.carry_up();
    high.brought(
        &world.owner,
        &[arrived, applied, (olga, withdrawn), (hanna, withdrawn)],
    );

    nothing_private(&low.server.mails());
    nothing_private(&high.server.mails());
    inbox_says_the_same(&world, &low.server.mails());
}

/// No code, no data, no result, no reason of a request, and no password.
fn nothing_private(mails: &[Mail]) {
    for mail in mails {
        let whole = mail.whole.to_string();
        for private in [
            "def ",
            "raise",
            "a secret of the code",
            "a private reason",
            "113.1",
            "ValueError",
            PASSWORD,
        ] {
            assert!(!whole.contains(private), "{private}: {whole}");
        }
    }
}

/// The scientist's inbox holds what their mails said.
fn inbox_says_the_same(world: &World, mails: &[Mail]) {
    let lines = world.scientist.get("/notifications");
    let mut subjects: Vec<Value> = lines["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["subject"].clone())
        .collect();
    let mut mailed: Vec<Value> = mails
        .iter()
        .filter(|it| it.to == "sam@example.org")
        .map(|it| json!(it.subject))
        .collect();
    subjects.sort_by_key(Value::to_string);
    mailed.sort_by_key(Value::to_string);
    assert_eq!(subjects, mailed);
    let denied = lines["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["event"] == "request_denied")
        .unwrap();
    assert_eq!(denied["reason"], "one person is\nno <statistic>");
}
