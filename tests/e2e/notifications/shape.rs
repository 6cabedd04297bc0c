//! What stands in a message: templates of the owner's, escaped values, webhooks, digests, limits.

use serde_json::json;

use super::{node_with_mail, register, until_quiet};
use crate::mail::{Hooks, MailServer, until};
use crate::node::{Node, OWNER, PASSWORD, items};
use crate::person::{Person, word};

#[test]
fn an_owners_templates_are_used_and_a_broken_one_is_not() {
    let server = MailServer::open();
    let (node, owner) = node_with_mail(&server);
    let folder = node.folder().join("templates");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(
        folder.join("user_registered.txt"),
        "{{who}} is here, says {{node}}\n",
    )
    .unwrap();
    std::fs::write(
        folder.join("user_registered.html"),
        "<b title=\"{{who}}\">{{password}}</b>",
    )
    .unwrap();
    let hostile = "<img src=x onerror=alert(1)> \"Sam\" & {{link}}";
    Person::nobody(node.address()).post(
        "/users",
        &json!({"name": hostile, "email": "sam@example.org", "password": PASSWORD}),
    );
    server.wait_for(2);
    let mails = server.mails();
    let mail = mails.iter().find(|mail| mail.to == OWNER).unwrap();
    assert_eq!(mail.text.trim(), format!("{hostile} is here, says low"));
    assert!(
        mail.html.contains("&lt;img src=x onerror=alert(1)&gt;") && !mail.html.contains("<img"),
        "{}",
        mail.html
    );
    assert!(
        mail.html.contains("https://lab.example/users/"),
        "the built-in one stands in: {}",
        mail.html
    );
    let problems = owner.get("/notifications/settings")["template_problems"].to_string();
    assert!(
        problems.contains("user_registered.html") && problems.contains("password"),
        "{problems}"
    );
    assert!(
        std::fs::read_to_string(node.log())
            .unwrap()
            .contains("user_registered.html")
    );
    let welcome = mails.iter().find(|mail| mail.to == "sam@example.org").unwrap();
    assert!(
        welcome.text.starts_with("Hello <img"),
        "plain text is not HTML: {}",
        welcome.text
    );
    for mail in &mails {
        let names: Vec<_> = mail.whole["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| pair[0].clone())
            .collect();
        assert!(
            names.contains(&json!("Auto-Submitted")) && !names.contains(&json!("Bcc")),
            "{names:?}"
        );
        assert!(mail.message_id.ends_with("@lab.example>"));
    }
}

#[test]
fn a_webhook_gets_what_its_owner_wants() {
    let server = MailServer::open();
    let hooks = Hooks::new();
    let (node, owner) = node_with_mail(&server);
    let url = node.file(
        "webhook",
        format!("{}/hooks/secret-part\n", hooks.origin()).as_bytes(),
    );
    let url = url.display().to_string();
    let set = ["notifications", "webhook", "--url-file", &url];
    assert_eq!(
        node.run(OWNER, &set).refused(1),
        "invalid",
        "the administrator has not allowed it"
    );
    node.run(
        OWNER,
        &["notifications", "set", "--webhook-origin", &hooks.origin()],
    )
    .json();
    let mine = node.run(OWNER, &set).json();
    assert_eq!(mine["notifications_enabled"]["SLACK"], true);
    assert!(!mine.to_string().contains("secret-part"));
    node.run(OWNER, &["notifications", "deactivate", "--channel", "EMAIL"])
        .json();
    Person::nobody(node.address()).post(
        "/users",
        &json!({"name": "Sam <!channel> @all", "email": "sam@example.org", "password": PASSWORD}),
    );
    let posted = until("a post", || Some(hooks.posted()).filter(|all| !all.is_empty()));
    let (path, text) = &posted[0];
    assert_eq!(path, "/hooks/secret-part");
    assert!(
        text.starts_with("low: Sam &lt;!channel&gt; @\u{200b}all has registered an account."),
        "{text}"
    );
    assert!(text.contains("https://lab.example/users/"), "{text}");
    until_quiet(&owner);
    assert_eq!(
        (hooks.posted().len(), server.mails().len()),
        (1, 1),
        "the mail is Sam's welcome"
    );

    // A redirect is not followed, and is final; a server that is not ready is asked again.
    hooks.answer(302);
    let moved = owner.try_post("/notifications/preferences/test", &json!({}));
    assert_eq!((moved.0, word(&moved)), (422, "not_taken"));
    let said = moved.1["detail"].to_string();
    assert!(
        said.contains("302") && said.contains("\\\\u{1b}") && !said.contains("secret-part"),
        "{said}"
    );
    hooks.answer(503);
    register(&node, "eve");
    until("two attempts", || (hooks.posted().len() >= 4).then_some(()));
    hooks.answer(200);
    until_quiet(&owner);
    hooks.answer(404);
    register(&node, "ida");
    let letter = until("a dead letter", || {
        items(&owner.get("/notifications/dead-letters")).pop()
    });
    assert_eq!(
        (&letter["channel"], &letter["event"]),
        (&json!("SLACK"), &json!("user_registered"))
    );
    assert!(
        posted_paths(&hooks)
            .iter()
            .all(|path| path == "/hooks/secret-part")
    );
}

fn posted_paths(hooks: &Hooks) -> Vec<String> {
    hooks.posted().into_iter().map(|(path, _)| path).collect()
}

#[test]
fn beyond_the_rate_limit_people_are_told_in_one_mail_later() {
    let server = MailServer::open();
    let (node, owner) = node_with_mail(&server);
    let limit = ["notifications", "set", "--rate-limit-of", "user_registered=2"];
    assert_eq!(
        node.run(OWNER, &limit).json()["rate_limits"]["user_registered"],
        2
    );
    for name in ["a", "b", "c", "d", "e"] {
        register(&node, name);
    }
    until("five notices", || {
        (owner.get("/notifications/unread")["unread"] == 5).then_some(())
    });
    let settings = until_quiet(&owner);
    assert_eq!(settings["waiting"]["gathered"], 3, "the rest comes tomorrow");
    let mine = server.mails().into_iter().filter(|mail| mail.to == OWNER).count();
    assert_eq!((mine, server.mails().len()), (2, 7));
}

#[test]
fn a_node_without_mail_tells_by_digest_on_the_command_line() {
    let node = Node::ready("high");
    let digest = || node.say(OWNER, &["notifications", "digest"]).stdout;
    register(&node, "sam");
    register(&node, "eve");
    let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
    until("two notices", || {
        (owner.get("/notifications/unread")["unread"] == 2).then_some(())
    });
    let said = digest();
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(
        said.contains("sam has registered an account.") && said.contains("eve has"),
        "{said}"
    );
    assert_eq!(digest(), "nothing is new\n");
    register(&node, "ida");
    until("a third", || {
        (owner.get("/notifications/unread")["unread"] == 3).then_some(())
    });
    let news = node.run(OWNER, &["notifications", "digest"]).json();
    assert_eq!(items(&news).len(), 1);
    let listed = node.say(OWNER, &["notifications", "list", "--unread"]).stdout;
    assert_eq!(listed.lines().count(), 4, "{listed}");
    node.run(OWNER, &["notifications", "read", "--all"]).json();
    assert_eq!(node.run(OWNER, &["notifications", "unread"]).json()["unread"], 0);
    node.run(OWNER, &["notifications", "clear", "--all"]).json();
    assert!(items(&node.run(OWNER, &["notifications", "list"]).json()).is_empty());
}

#[test]
fn a_digest_gathers_what_happened_into_one_mail() {
    let server = MailServer::open();
    let (node, owner) = node_with_mail(&server);
    // The next full minute that leaves time for what is to be gathered.
    let soon = poundlock::clock::now() + jiff::SignedDuration::from_secs(75);
    let time = soon.to_string()[11..16].to_owned();
    let wanted = json!({ "events": { "user_registered": { "frequency": "daily" } }, "digest_time": time });
    owner.try_patch("/notifications/preferences", &wanted);
    for name in ["sam", "eve", "ida"] {
        register(&node, name);
    }
    until("three notices", || {
        (owner.get("/notifications/unread")["unread"] == 3).then_some(())
    });
    let gathered = owner.get("/notifications/settings");
    assert_eq!(gathered["waiting"]["gathered"], 3);
    let to_owner = || {
        let mails = server.mails().into_iter();
        mails.filter(|mail| mail.to == OWNER).collect::<Vec<_>>()
    };
    assert!(to_owner().is_empty(), "nothing comes before its time");
    let mail = until("the digest", || to_owner().pop());
    assert_eq!(mail.subject, "What is new");
    for name in ["sam", "eve", "ida"] {
        let line = format!("{name} has registered an account.");
        assert!(mail.text.contains(&line) && mail.html.contains(&line), "{mail:?}");
    }
    let settings = until_quiet(&owner);
    assert_eq!(
        (to_owner().len(), &settings["waiting"]["gathered"]),
        (1, &json!(0))
    );
}
