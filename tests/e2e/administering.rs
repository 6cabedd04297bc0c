//! Roles, groups, second factors, forgotten passwords and the audit chain, by the commands that administrators use.

use serde_json::json;

use crate::authenticator;
use crate::backups::sound;
use crate::node::{Node, OWNER, PASSWORD, items};
use crate::person::{Person, word};

const SAM: &str = "sam@example.org";

#[test]
fn a_role_decides_what_somebody_may_do_from_the_next_call_on() {
    let node = Node::ready("low");
    node.scientist(SAM);
    assert_eq!(node.run(SAM, &["audit", "list"]).refused(3), "forbidden");
    let auditor = ["role", "add", "Auditor", "--permission", "can_read_audit"];
    node.run(OWNER, &auditor).json();
    let given = node.run(OWNER, &["user", "set", SAM, "--role", "auditor"]).json();
    assert_eq!(given["role"]["name"], "Auditor");
    assert_eq!(node.run(SAM, &["audit", "list"]).code, 0);
    assert_eq!(
        node.run(OWNER, &["role", "delete", "Auditor"]).refused(1),
        "role_in_use"
    );
    node.run(
        OWNER,
        &["role", "set", "Auditor", "--permission", "can_submit_requests"],
    )
    .json();
    assert_eq!(node.run(SAM, &["audit", "list"]).refused(3), "forbidden");
    node.run(OWNER, &["user", "set", SAM, "--active", "false"]).json();
    assert_eq!(node.run(SAM, &["whoami"]).refused(3), "not_signed_in");
    assert_eq!(node.run(SAM, &["login", SAM]).refused(3), "sign_in_refused");
    assert_eq!(
        node.run(OWNER, &["user", "set", OWNER, "--role", "User"])
            .refused(1),
        "last_owner"
    );
}

#[test]
fn what_somebody_signs_in_with_changes_with_their_second_factor_alone() {
    let node = Node::ready("low");
    node.scientist("sam@example.org");
    let sam = Person::sign_in(node.address(), "sam@example.org", PASSWORD);
    let mut recovery = authenticator::add(&sam);
    // The code that comes with a password which is too weak is not used up: the loop below shows it again.
    let weak = json!({"password": PASSWORD, "new": "short", "code": recovery.last()});
    assert_eq!(sam.attempt("PUT", "/users/me/password", &weak).unwrap().0, 400);
    for (method, path, members, done) in [
        (
            "PUT",
            "/users/me/password",
            json!({"new": "sixteen new and unlikely words"}),
            204,
        ),
        ("PATCH", "/users/me", json!({"email": "samuel@example.org"}), 200),
        ("DELETE", "/users/me/verify-key", json!({}), 409),
    ] {
        let password = if done == 204 {
            PASSWORD
        } else {
            "sixteen new and unlikely words"
        };
        let mut body = members;
        body["password"] = json!(password);
        let refused = sam.attempt(method, path, &body).unwrap();
        assert_eq!(
            (refused.0, word(&refused)),
            (401, "second_factor_needed"),
            "{path}"
        );
        body["code"] = json!("000000");
        let refused = sam.attempt(method, path, &body).unwrap();
        assert_eq!(
            (refused.0, word(&refused)),
            (401, "second_factor_refused"),
            "{path}"
        );
        body["code"] = json!(recovery.pop());
        let answered = sam.attempt(method, path, &body).unwrap();
        assert_eq!(answered.0, done, "{path}: {:#}", answered.1);
    }
    assert_eq!(sam.get("/users/me")["email"], "samuel@example.org");

    // Codes are guessed as slowly as passwords: tries count against the account.
    let guess =
        json!({"email": "sam@example.org", "password": "sixteen new and unlikely words", "code": "000000"});
    let mut guesses = (0..20).map(|_| sam.attempt("PATCH", "/users/me", &guess).unwrap());
    let stopped = guesses.find(|answer| answer.0 != 401).unwrap();
    assert_eq!((stopped.0, word(&stopped)), (429, "too_many_tries"));
}

#[test]
fn a_second_factor_that_the_owner_demands_is_added_before_anything_else() {
    let node = Node::ready("low");
    node.scientist(SAM);
    let demand = ["settings", "set", "--require-second-factor", "true"];
    assert_eq!(node.run(OWNER, &demand).refused(1), "second_factor_first");
    let sam = Person::sign_in(node.address(), SAM, PASSWORD);
    let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
    authenticator::add(&owner);
    assert_eq!(
        node.run(OWNER, &demand).refused(3),
        "not_signed_in",
        "sessions that began without it have ended"
    );
    let demanded = owner.try_patch("/settings", &json!({"require_second_factor": true}));
    assert_eq!(demanded.0, 200, "{demanded:?}");

    let newcomer = json!({"name": "Nia", "email": "nia@example.org", "password": "a long enough password"});
    for refused in [
        sam.try_get("/datasets"),
        sam.try_get("/node"),
        sam.try_post("/users", &newcomer),
        sam.try_post("/projects", &json!({"name": "Study"})),
    ] {
        assert_eq!((refused.0, word(&refused)), (403, "second_factor_required"));
    }
    assert_eq!(
        node.run(SAM, &["dataset", "list"]).refused(3),
        "second_factor_required"
    );
    assert_eq!(sam.get("/users/me")["second_factor"], false);
    assert_eq!(items(&sam.get("/sessions")).len(), 2);
    authenticator::add(&sam);
    assert_eq!(items(&sam.get("/sessions")).len(), 1);
    assert_eq!(items(&sam.get("/datasets")).len(), 0);
    assert_eq!(owner.get("/settings")["require_second_factor"], true);
}

#[test]
fn a_dataset_is_seen_by_its_groups_and_by_guests() {
    let node = Node::ready("low");
    node.scientist(SAM);
    let seen = |who: &str| items(&node.run(who, &["dataset", "list"]).json()).len();
    node.run(OWNER, &["dataset", "create", "--name", "Pima"]).json();
    assert_eq!((seen(OWNER), seen(SAM)), (1, 1));
    node.run(OWNER, &["dataset", "visible", "Pima", "--group", "Oncology"])
        .json();
    assert_eq!(
        (seen(OWNER), seen(SAM)),
        (1, 0),
        "a group that does not exist lets nobody in"
    );
    node.run(OWNER, &["group", "add", "oncology"]).json();
    node.run(OWNER, &["group", "members", "Oncology", "--add", SAM])
        .json();
    assert_eq!(seen(SAM), 1);
    node.run(OWNER, &["group", "members", "Oncology", "--remove", SAM])
        .json();
    assert_eq!(seen(SAM), 0);
    assert_eq!(
        node.run("guest", &["dataset", "list"]).refused(3),
        "not_signed_in"
    );
    node.run(OWNER, &["settings", "set", "--allow-guests", "true"])
        .json();
    assert_eq!(seen("guest"), 0);
    node.run(OWNER, &["dataset", "visible", "Pima", "--everybody"])
        .json();
    assert_eq!((seen("guest"), seen(SAM)), (1, 1));
    assert_eq!(
        node.run("guest", &["project", "list"]).refused(3),
        "not_signed_in"
    );
}

#[test]
fn a_forgotten_password_is_chosen_anew_with_a_token() {
    let node = Node::ready("low");
    node.scientist(SAM);
    let asked = |email: &str| node.run("nobody", &["password", "forgotten", email]).json();
    assert_eq!(
        asked(SAM),
        asked("nobody@example.org"),
        "the answer gives no account away"
    );
    let offered = node.run(OWNER, &["user", "reset-password", SAM]).json();
    let token = node.file("reset", offered["token"].as_str().unwrap().as_bytes());
    let new = node.file("new", b"kiln otter ledge moss");
    let choose = [
        "password",
        "choose",
        "--token-file",
        token.to_str().unwrap(),
        "--new-password-file",
        new.to_str().unwrap(),
    ];
    node.run("nobody", &choose).json();
    assert_eq!(node.run(SAM, &["whoami"]).refused(3), "not_signed_in");
    assert_eq!(
        node.run(SAM, &["login", SAM]).refused(3),
        "sign_in_refused",
        "the old password"
    );
    node.run(SAM, &["login", SAM, "--password-file", new.to_str().unwrap()])
        .json();
    assert_eq!(node.run("nobody", &choose).refused(3), "reset_token_refused");
    let weak = node.file("weak", b"passwordpassword");
    let change = [
        "password",
        "change",
        "--password-file",
        new.to_str().unwrap(),
        "--new-password-file",
        weak.to_str().unwrap(),
    ];
    assert_eq!(node.run(SAM, &change).refused(1), "invalid");
}

#[test]
fn guessing_has_to_wait() {
    let node = Node::ready("low");
    let stranger = Person::nobody(node.address());
    let guess = json!({"email": OWNER, "password": "not the right password"});
    for _ in 0..11 {
        assert_eq!(stranger.try_post("/sessions", &guess).0, 401);
    }
    let refused = stranger.try_post("/sessions", &guess);
    assert_eq!((refused.0, word(&refused)), (429, "too_many_tries"));
    // A session that is open goes on.
    assert_eq!(node.run(OWNER, &["whoami"]).code, 0);
}

#[test]
fn sessions_are_listed_and_revoked() {
    let node = Node::ready("low");
    let other = Person::sign_in(node.address(), OWNER, crate::node::PASSWORD);
    let listed = items(&node.run(OWNER, &["session", "list"]).json());
    assert_eq!(listed.len(), 2);
    let lost = listed.iter().find(|it| it["current"] == false).unwrap();
    let id = lost["id"].as_str().unwrap();
    let with = |password: &[u8]| {
        let file = node.file("password", password);
        node.run(
            OWNER,
            &["session", "revoke", id, "--password-file", file.to_str().unwrap()],
        )
    };
    let told = with(b"not the password of anybody").refused(3);
    assert!(told.contains("password_refused"), "{told}");
    assert_eq!(
        other.try_get("/users/me").0,
        200,
        "whoever has a session alone ends no other"
    );
    with(crate::node::PASSWORD.as_bytes()).json();
    assert_eq!(other.try_get("/users/me").0, 401);
    assert_eq!(node.run(OWNER, &["whoami"]).code, 0);
}

#[test]
fn the_chain_is_exported_and_a_copy_of_it_is_checked() {
    let mut node = Node::ready("low");
    node.scientist(SAM);
    let file = node.file("nothing", b"").with_file_name("audit.jsonl");
    node.run(OWNER, &["audit", "export", "--output", file.to_str().unwrap()])
        .json();
    let lines = std::fs::read_to_string(&file).unwrap();
    let entries: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(entries[0]["action"], "node.created");
    assert!(
        entries
            .iter()
            .zip(1..)
            .all(|(entry, number)| entry["sequence"] == number)
    );
    let logins = items(&node.run(OWNER, &["audit", "list", "--action", "login"]).json());
    assert!(logins.iter().all(|it| it["action"] == "login") && logins.len() == 2);
    node.stop();
    let copy = file.with_file_name("copy");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(node.folder())
        .arg(&copy)
        .status();
    assert!(copied.unwrap().success());
    let verified = node
        .run("nobody", &["audit", "verify", copy.to_str().unwrap()])
        .json();
    assert_eq!(verified["intact"], true);
    let number = u64::try_from(entries.len()).unwrap();
    assert!(verified["entries"].as_u64().unwrap() >= number);
    // Where no node is, there is no chain that could be whole, and none is made.
    let elsewhere = file.with_file_name("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let refused = node.run("nobody", &["audit", "verify", elsewhere.to_str().unwrap()]);
    assert_eq!(refused.code, 1);
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
}

/// A node with a store that an older version has kept.
fn kept(version: &str) -> Node {
    let mut node = Node::new("low");
    node.kill();
    std::fs::remove_dir_all(node.folder()).unwrap();
    let archive = crate::node::fixture(&format!("stores/{version}.tar.gz"));
    let unpacked = std::process::Command::new("tar")
        .args(["-xpzf", archive.to_str().unwrap(), "--no-same-owner"])
        .arg(format!("--transform=s/^{version}/node/"))
        .current_dir(node.folder().parent().unwrap())
        .status();
    assert!(unpacked.unwrap().success());
    node.start();
    node
}

#[test]
fn a_store_of_version_1_is_brought_up_to_date() {
    let node = kept("v1");
    const OLGA: &str = "olga@example.org";
    node.sign_in(OLGA);
    let roles: Vec<_> = items(&node.run(OLGA, &["user", "list"]).json())
        .iter()
        .map(|user| user["role"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(roles, ["User", "Compliance Officer", "Administrator", "Owner"]);
    assert_eq!(items(&node.run(OLGA, &["dataset", "list"]).json()).len(), 1);
    node.sign_in("alma@example.org");
    let refused = node.run("alma@example.org", &["role", "add", "Mine"]);
    assert_eq!(refused.refused(3), "forbidden");
}

#[test]
fn a_store_of_version_2_is_brought_up_to_date() {
    let mut node = kept("v2");
    node.sign_in(SAM);
    // Two runs on private data were before the one on mocks, and are not Sam's to know of.
    let sam = Person::sign_in(node.address(), SAM, PASSWORD);
    let listed = sam.get("/runs?limit=1");
    assert_eq!(
        (&listed["items"][0]["data"], &listed["next"]),
        (&json!("mock"), &json!(null))
    );
    let told = items(&node.run(SAM, &["notifications", "list"]).json());
    assert_eq!(told[0]["id"], 14, "what was told keeps its number");
    node.stop();
    sound(&node, &node.folder());
}

#[test]
fn the_only_owner_who_has_lost_everything_is_let_in_by_the_machine() {
    let mut node = Node::ready("low");
    let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
    authenticator::add(&owner);
    let folder = node.folder().display().to_string();
    let recover = ["recover", folder.as_str(), "--email", OWNER];
    let running = node.run(OWNER, &recover);
    assert_eq!(running.code, 1);
    assert!(running.stderr.contains("stop it first"), "{}", running.stderr);
    node.stop();
    let unknown = node.run(OWNER, &["recover", &folder, "--email", "nobody@example.org"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("nobody@example.org"),
        "{}",
        unknown.stderr
    );
    let first = node.say(OWNER, &recover);
    assert!(
        first.stdout.contains("second factor is removed"),
        "{}",
        first.stdout
    );
    let recovered = node.run(OWNER, &recover).json();
    assert_eq!(recovered["second_factor_removed"], false, "it is gone already");
    node.start();

    let token = node.file("reset", recovered["token"].as_str().unwrap().as_bytes());
    let new = node.file("new", b"sixteen new and unlikely words");
    let [token, new] = [&token, &new].map(|path| path.display().to_string());
    let choose = [
        "password",
        "choose",
        "--token-file",
        &token,
        "--new-password-file",
        &new,
    ];
    node.run(OWNER, &choose).json();
    assert_eq!(node.run(OWNER, &choose).refused(3), "reset_token_refused");
    let owner = Person::sign_in(node.address(), OWNER, "sixteen new and unlikely words");
    let chain = owner.get("/audit?action=account.recovered");
    let entries = items(&chain);
    assert_eq!(entries.len(), 2, "{chain:#}");
    assert_eq!(entries[1]["detail"]["second_factor_removed"], "yes", "{chain:#}");
    assert_eq!(entries[1]["actor"], "node", "{chain:#}");
}
