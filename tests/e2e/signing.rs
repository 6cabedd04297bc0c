//! Scientists sign with a key that never leaves their machine; the high side checks it, also against a low side that was
//! broken into and lies under its own true key.

use ciborium::Value as Cbor;
use poundlock::domain::code::Code;
use poundlock::domain::id::{CodeId, ProjectId, RequestId, UserId};
use poundlock::domain::policy::{InputPolicy, OutputPolicy};
use poundlock::domain::request::Request;
use poundlock::domain::signature::Statement;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::forge::{Parts, at, changed, id_of, keys, with};
use crate::node::{OWNER, PASSWORD, Ran};
use crate::person::word;
use crate::stage::identity;
use crate::world::{World, apply_all, import, inbox, seen, text};

const SAM: &str = "sam@example.org";
const SOURCE: &str = "def one():\n    return 1\n";

/// Two nodes, and a scientist with a registered key, a project, signed code and a signed request for it.
struct Lab {
    world: World,
    key: String,
    project: String,
    code: String,
    request: String,
}

impl Lab {
    fn new() -> Self {
        let world = World::new();
        world.low.sign_in(SAM);
        let key = world.low.workplace.path().join("sam.key").display().to_string();
        let sam = |arguments: &[&str]| world.low.run(SAM, arguments);
        let made = sam(&["key", "new", &key]).json();
        let registered = sam(&["key", "register", &key]).json();
        assert_eq!(made["fingerprint"], registered["fingerprint"]);
        assert_eq!(sam(&["key", "show"]).json(), sam(&["key", "show", &key]).json());
        let project = world.project();
        let code = submit_code(&world, SOURCE, &["--sign-with", &key]);
        let request = submit_request(&world, &project, &code, "to count", &["--sign-with", &key]).json();
        let request = text(&request["id"]);
        Self {
            world,
            key,
            project,
            code,
            request,
        }
    }

    fn sam(&self, arguments: &[&str]) -> Ran {
        self.world.low.run(SAM, arguments)
    }

    fn owner(&self, arguments: &[&str]) -> Ran {
        self.world.high.run(OWNER, arguments)
    }

    /// How a request and its code are signed, as the high side shows it.
    fn shown(&self, request: &str) -> (String, String) {
        let shown = self.world.owner.get(&format!("/requests/{request}"));
        (state(&shown), state(&shown["submitted_code"]))
    }

    /// What the low side owes, in clear.
    fn parts(&self) -> Parts {
        let file = self.world.export_up();
        Parts::open(&file, &identity(&self.world.low_owner), &keys(&self.world.high))
    }

    /// Brings a bundle up that the low side has signed, whatever it says, and tells how its objects wait.
    fn bring(&self, parts: &Parts) {
        let lie = parts.file(&keys(&self.world.low), &identity(&self.world.owner));
        let file = self.world.stick.join("lie.bundle");
        std::fs::write(&file, lie).unwrap();
        import(&self.world.owner, &file);
    }

    /// What the review says of one object that waits.
    fn waits(&self, object: &str) -> Value {
        let batches = inbox(&self.world.owner, &self.world.low_id);
        let mut members = batches
            .iter()
            .flat_map(|batch| batch["members"].as_array().unwrap());
        let found = members.find(|member| member["id"] == object);
        found
            .unwrap_or_else(|| panic!("{object} does not wait: {batches:#?}"))
            .clone()
    }

    fn apply(&self) {
        apply_all(&self.world.owner, &self.world.low_id);
    }

    fn approve(&self, request: &str) -> (u16, Value) {
        let owner = &self.world.owner;
        let seen = seen(&owner.get(&format!("/requests/{request}")), owner);
        let body = json!({"verdict": "approve", "seen": seen});
        owner.try_post(&format!("/requests/{request}/decisions"), &body)
    }
}

fn state(shown: &Value) -> String {
    text(&shown["signed"]["state"])
}

fn submit_code(world: &World, source: &str, more: &[&str]) -> String {
    let file = world.low.file("one.py", source.as_bytes()).display().to_string();
    let submit = [
        "code",
        "submit",
        &file,
        "--entry-point",
        "one",
        "--single-execution",
    ];
    let code = world.low.run(SAM, &[&submit, more].concat()).json();
    text(&code["id"])
}

fn submit_request(world: &World, project: &str, code: &str, reason: &str, more: &[&str]) -> Ran {
    let submit = [
        "request",
        "submit",
        "--project",
        project,
        "--code",
        code,
        "--reason",
        reason,
    ];
    world.low.run(SAM, &[&submit, more].concat())
}

#[test]
fn what_a_scientist_signs_is_shown_as_theirs() {
    let lab = Lab::new();
    let world = &lab.world;
    // Only what this key has signed is signed on top of.
    let unsigned = submit_code(world, "def one():\n    return 2\n", &[]);
    let refused = submit_request(world, &lab.project, &unsigned, "why", &["--sign-with", &lab.key]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("not signed with this key"),
        "{}",
        refused.stderr
    );
    // The low side tells at once when a signature does not hold, and what it expected.
    let wrong = json!({"project": lab.project, "code": lab.code, "reason": "why", "id": Uuid::new_v4(),
        "signature": "00".repeat(64)});
    let refused = world.scientist.try_post("/requests", &wrong);
    assert_eq!((refused.0, word(&refused)), (422, "signature_refused"));
    assert!(text(&refused.1["detail"]).contains("SHA-256"));
    let no_id =
        json!({"project": lab.project, "code": lab.code, "reason": "why", "signature": "00".repeat(64)});
    assert_eq!(world.scientist.try_post("/requests", &no_id).0, 400);
    // A stolen session is not enough to change the key.
    let body = json!({"key": "00".repeat(32), "signature": "00".repeat(64), "password": PASSWORD});
    assert_eq!(put(world, &body).0, 400, "a weak key");
    let mine = lab.sam(&["key", "show"]).json();
    let body = json!({"key": mine["key"], "signature": "00".repeat(64), "password": "wrong wrong wrong"});
    assert_eq!(put(world, &body).0, 401);

    import(&world.owner, &world.export_up());
    assert_eq!(state(&lab.waits(&lab.request)), "valid_by_first_key");
    let user = text(&world.scientist.get("/users/me")["id"]);
    assert_eq!(lab.waits(&user)["verify_key"]["state"], "first");
    let review = lab.world.high.say(OWNER, &["review", &world.low_id, "show"]);
    assert!(
        review.stdout.contains("signed with the first key"),
        "{}",
        review.stdout
    );
    lab.apply();
    assert_eq!(lab.shown(&lab.request), ("valid".into(), "valid".into()));
    let fingerprint = text(&mine["fingerprint"]);
    let said = lab
        .world
        .high
        .say(OWNER, &["request", "show", &lab.request])
        .stdout;
    let expected = format!("signed by Sam Scientist <{SAM}> with the key {fingerprint}");
    assert_eq!(said.matches(&expected).count(), 2, "request and code: {said}");
    let code = lab.world.high.say(OWNER, &["code", "show", &lab.code]).stdout;
    assert!(code.contains(&expected), "{code}");
    let pins = lab.owner(&["key", "pin", "list"]).json();
    assert_eq!(
        pins["items"][0]["pins"][0]["key"]["fingerprint"],
        fingerprint.as_str()
    );
    assert_eq!(pins["items"][0]["pins"][0]["key"]["arrived"]["number"], 1);

    // Approved, answered, asked for again and taken back: each revision with a signature of its own.
    assert_eq!(lab.approve(&lab.request).0, 201);
    world.carry_down();
    let withdrawn = lab
        .sam(&["request", "withdraw", &lab.request, "--sign-with", &lab.key])
        .json();
    assert_eq!(withdrawn["revision"]["number"], 2);
    let again = lab
        .sam(&["request", "resubmit", &lab.request, "--sign-with", &lab.key])
        .json();
    let again = text(&again["id"]);
    world.carry_up();
    assert_eq!(lab.shown(&lab.request), ("valid".into(), "valid".into()));
    assert_eq!(lab.shown(&again), ("valid".into(), "valid".into()));
    assert_eq!(
        world.owner.get(&format!("/requests/{again}"))["predecessor"],
        lab.request.as_str()
    );
}

fn put(world: &World, body: &Value) -> (u16, Value) {
    world.scientist.try_put_bytes_as(
        "/users/me/verify-key",
        "application/json",
        body.to_string().as_bytes(),
    )
}

#[test]
fn a_key_that_changes_is_shown_until_somebody_accepts_it() {
    let lab = Lab::new();
    let world = &lab.world;
    world.carry_up();
    let second = world
        .low
        .workplace
        .path()
        .join("second.key")
        .display()
        .to_string();
    lab.sam(&["key", "new", &second]).json();
    let fingerprint = text(&lab.sam(&["key", "register", &second]).json()["fingerprint"]);
    let code = submit_code(world, "def one():\n    return 3\n", &["--sign-with", &second]);
    let request = submit_request(world, &lab.project, &code, "again", &["--sign-with", &second]).json();
    let request = text(&request["id"]);
    import(&world.owner, &world.export_up());
    let user = text(&world.scientist.get("/users/me")["id"]);
    let news = &lab.waits(&user)["verify_key"];
    assert_eq!(
        (&news["state"], &news["fingerprint"]),
        (&json!("changed"), &json!(fingerprint))
    );
    lab.apply();
    let unconfirmed = (
        "valid_by_unconfirmed_key".to_owned(),
        "valid_by_unconfirmed_key".to_owned(),
    );
    assert_eq!(lab.shown(&request), unconfirmed);
    assert_eq!(lab.shown(&lab.request), ("valid".into(), "valid".into()));

    assert_eq!(
        lab.owner(&["key", "pin", "list", "--changed"]).json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let said = lab.world.high.say(OWNER, &["key", "pin", "show", SAM]).stdout;
    assert!(said.contains("CHANGED on"), "{said}");
    let wrong = ["00000"; 8].join(" ");
    assert_eq!(
        lab.owner(&["key", "pin", "accept", SAM, &wrong]).refused(1),
        "fingerprint_differs"
    );
    assert_eq!(
        lab.owner(&["key", "pin", "accept", SAM, "--removed"]).refused(1),
        "fingerprint_differs"
    );
    lab.owner(&["key", "pin", "accept", SAM, &fingerprint]).json();
    assert_eq!(lab.shown(&request), ("valid".into(), "valid".into()));
    assert_eq!(
        lab.shown(&lab.request),
        ("valid".into(), "valid".into()),
        "signed before the change"
    );

    lab.sam(&["key", "remove"]).json();
    assert_eq!(lab.sam(&["key", "show"]).refused(4), "not_found");
    world.carry_up();
    lab.owner(&["key", "pin", "accept", SAM, "--removed"]).json();
    let actions: Vec<String> = audited(&world.owner);
    for expected in [
        "verify_key.pinned",
        "verify_key.change_seen",
        "verify_key.accepted",
    ] {
        assert!(
            actions.iter().any(|action| action == expected),
            "{expected}: {actions:?}"
        );
    }
    let actions = audited(&world.low_owner);
    for expected in [
        "verify_key.registered",
        "verify_key.changed",
        "verify_key.removed",
    ] {
        assert!(
            actions.iter().any(|action| action == expected),
            "{expected}: {actions:?}"
        );
    }
}

fn audited(who: &crate::person::Person) -> Vec<String> {
    let entries = who.get("/audit?limit=200");
    let entries = entries["items"].as_array().unwrap();
    entries.iter().map(|entry| text(&entry["action"])).collect()
}

#[test]
fn a_broken_into_low_side_cannot_put_words_into_a_scientists_mouth() {
    let lab = Lab::new();
    lab.world.carry_up();
    changed_reason(&lab);
    stripped_signature(&lab);
    swapped_key(&lab);
}

/// The reason of a request that the scientist has signed.
fn changed_reason(lab: &Lab) {
    let parts = lab.parts();
    let (place, record) = parts.record("request");
    assert_eq!(id_of(&record).to_string(), lab.request);
    let forged = with(
        &with(&record, &["number"], 2),
        &["body", "request", "reason"],
        "to sell it",
    );
    lab.bring(&parts.next(|next| next.records[place] = forged));
    assert_eq!(state(&lab.waits(&lab.request)), "invalid");
    let review = lab
        .world
        .high
        .say(OWNER, &["review", &lab.world.low_id, "show"])
        .stdout;
    assert!(review.contains("THE SIGNATURE DOES NOT HOLD"), "{review}");
    lab.apply();
    assert_eq!(lab.shown(&lab.request), ("invalid".into(), "valid".into()));
    let refused = lab.approve(&lab.request);
    assert_eq!(
        (refused.0, word(&refused)),
        (409, "signature_invalid"),
        "{:#}",
        refused.1
    );
}

/// The same without the signature: the low side hopes that nobody misses it.
fn stripped_signature(lab: &Lab) {
    let parts = lab.parts();
    let (place, record) = parts.record("request");
    let forged = changed(&record, |value| {
        *at(value, &["number"]) = 3.into();
        *at(value, &["body", "request", "reason"]) = "to sell it".into();
        let body = at(value, &["body", "request"]).as_map_mut().unwrap();
        body.retain(|(name, _)| *name != Cbor::from("signature"));
    });
    lab.bring(&parts.next(|next| {
        next.header.outgoing.sequence = next.header.outgoing.sequence.checked_add(1).unwrap();
        next.header.outgoing.position += 1;
        next.records[place] = forged;
    }));
    assert_eq!(state(&lab.waits(&lab.request)), "unsigned_but_expected");
    lab.apply();
    assert_eq!(
        lab.shown(&lab.request),
        ("unsigned_but_expected".into(), "valid".into())
    );
    let listed = lab.world.high.say(OWNER, &["request", "list"]).stdout;
    assert!(listed.contains("UNSIGNED BUT EXPECTED"), "{listed}");
    let listed = lab.owner(&["request", "list"]).json();
    assert_eq!(state(&listed["items"][0]), "unsigned_but_expected");
}

/// A key of the intruder's in the person's record, and a request that is signed with it.
fn swapped_key(lab: &Lab) {
    let intruder = ed25519_dalek::SigningKey::from_bytes(&[66; 32]);
    let verify_key = intruder.verifying_key().to_bytes().to_vec();
    let parts = lab.parts();
    let (user_at, user) = parts.record("user");
    let user_id = id_of(&user);
    let forged_user = changed(&user, |value| {
        *at(value, &["number"]) = 9.into();
        *at(value, &["body", "user", "verify_key"]) = Cbor::Bytes(verify_key.clone());
    });
    let (request_at, request) = parts.record("request");
    let request_id = id_of(&request);
    let said = Request {
        reason: "to sell it".to_owned(),
        ..Request::new(
            ProjectId(lab.project.parse().unwrap()),
            CodeId(lab.code.parse().unwrap()),
            UserId(user_id),
            "-",
            None,
        )
        .unwrap()
    };
    let input = InputPolicy::exact_match([].into()).unwrap();
    let code = Code::new(
        "one",
        UserId(user_id),
        SOURCE,
        "one",
        input,
        OutputPolicy::SingleExecution,
    )
    .unwrap();
    let statement = Statement::of_request(RequestId(request_id), 9, &said, &code);
    let signature = Cbor::Map(vec![
        (Cbor::from("key"), Cbor::Bytes(verify_key.clone())),
        (
            Cbor::from("bytes"),
            Cbor::Bytes(statement.sign(&intruder).0.to_vec()),
        ),
    ]);
    let forged_request = changed(&request, |value| {
        *at(value, &["number"]) = 9.into();
        *at(value, &["body", "request", "reason"]) = "to sell it".into();
        *at(value, &["body", "request", "signature"]) = signature;
    });
    lab.bring(&parts.next(|next| {
        next.header.outgoing.sequence = next.header.outgoing.sequence.checked_add(2).unwrap();
        next.header.outgoing.position += 2;
        next.records[user_at] = forged_user;
        next.records[request_at] = forged_request;
    }));
    assert_eq!(state(&lab.waits(&lab.request)), "valid_by_unconfirmed_key");
    assert_eq!(lab.waits(&user_id.to_string())["verify_key"]["state"], "changed");
    lab.apply();
    assert_eq!(
        lab.shown(&lab.request),
        ("valid_by_unconfirmed_key".into(), "valid".into())
    );
    let said = lab
        .world
        .high
        .say(OWNER, &["request", "show", &lab.request])
        .stdout;
    assert!(
        said.contains("SIGNED BY A KEY THAT NOBODY HAS CONFIRMED"),
        "{said}"
    );
    assert!(said.contains("pinned since"), "{said}");
}
