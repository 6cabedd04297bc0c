//! Mail that is set up by variables and by REST, tried before it is accepted, and switched off.

use serde_json::json;

use super::{expected, node_with_mail, register, sorted, until_quiet};
use crate::mail::{MailServer, Tls, until};
use crate::node::{Node, OWNER, PASSWORD};
use crate::person::{Person, word};
use crate::world::text;

const SECRET: &str = "a password that nobody may see";

/// Whether some file of a node, or its log, holds a text.
fn is_anywhere(node: &Node, needle: &str) -> bool {
    let mut left = vec![node.folder(), node.log()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            let bytes = std::fs::read(&path).unwrap();
            if bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes())
            {
                return true;
            }
        }
    }
    false
}

#[test]
fn a_server_is_tried_before_it_is_accepted() {
    for tls in [Tls::Upgraded, Tls::Implicit] {
        let server = MailServer::new(tls, Some(("node", SECRET)));
        let mut node = Node::ready("low");
        let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
        let authority = std::fs::read_to_string(server.authority()).unwrap();
        let security = if tls == Tls::Upgraded { "starttls" } else { "tls" };
        let given = json!({
            "server": "127.0.0.1", "port": server.port(), "security": security, "username": "node",
            "password": SECRET, "sender": "node@lab.example", "authority": authority,
        });
        let refused = |change: (&str, serde_json::Value)| {
            let mut body = given.clone();
            body[change.0] = change.1;
            let answer = owner.try_post("/notifications/settings/enable", &body);
            assert!(answer.0 >= 400, "{:#}", answer.1);
            (word(&answer).to_owned(), text(&answer.1["detail"]))
        };
        let (kind, said) = refused(("password", json!("wrong")));
        assert!(kind == "not_taken" && said.contains("535"), "{tls:?}: {said}");
        let (kind, said) = refused(("authority", json!("")));
        assert!(
            kind == "not_taken" && said.contains("certificate"),
            "{tls:?}: {said}"
        );
        let (kind, _) = refused((
            "security",
            json!(if tls == Tls::Upgraded { "tls" } else { "starttls" }),
        ));
        assert_eq!(kind, "not_taken");
        let (kind, said) = refused(("password", json!(null)));
        assert_eq!(
            (kind.as_str(), said.as_str()),
            (
                "mail_settings_incomplete",
                "You must provide both username and password."
            )
        );
        assert_eq!(owner.get("/notifications/settings")["email_enabled"], false);

        let settings = owner.post("/notifications/settings/enable", &given);
        assert_eq!(
            (&settings["active"], &settings["email_enabled"]),
            (&json!(true), &json!(true))
        );
        assert!(!settings.to_string().contains(SECRET) && settings["password_set"] == true);
        owner.post("/notifications/settings/test", &json!({}));
        let sent = server.wait_for(1).remove(0);
        assert_eq!((sent.to.as_str(), sent.subject.as_str()), (OWNER, "A test"));
        assert_eq!(
            (&sent.whole["encrypted"], &sent.whole["signed_in"]),
            (&json!(true), &json!(true))
        );

        // Later what is known is used again, also after a start.
        owner.post("/notifications/settings/disable", &json!({}));
        let off = owner.try_post("/notifications/settings/test", &json!({}));
        assert_eq!(off.0, 400);
        node.stop();
        node.start();
        let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
        let settings = owner.post("/notifications/settings/enable", &json!({}));
        assert_eq!(settings["username"], "node");
        register(&node, "sam");
        server.wait_for(3);
        assert!(!is_anywhere(&node, SECRET), "the password is nowhere in the open");
    }
}

#[test]
fn variables_set_mail_up_and_the_command_line_does_too() {
    let server = MailServer::new(Tls::Upgraded, Some(("node", SECRET)));
    let (node, owner) = node_with_mail(&server);
    let settings = owner.get("/notifications/settings");
    assert_eq!(
        (&settings["active"], &settings["server_source"]),
        (&json!(true), &json!("configuration"))
    );
    register(&node, "sam");
    let told = [
        ("sam@example.org", "Your account is ready"),
        (OWNER, "Somebody has registered"),
    ];
    assert_eq!(sorted(&server.wait_for(2)), expected(&told));

    let other = MailServer::new(Tls::Upgraded, Some(("node", SECRET)));
    let (port, authority) = (other.port().to_string(), other.authority().display().to_string());
    let wrong = node.file("wrong", b"wrong\n").display().to_string();
    let right = node
        .file("right", format!("{SECRET}\n").as_bytes())
        .display()
        .to_string();
    let enable = |password: &str| {
        node.run(
            OWNER,
            &[
                "notifications",
                "enable",
                "--server",
                "127.0.0.1",
                "--port",
                &port,
                "--username",
                "node",
                "--password-file",
                password,
                "--sender",
                "node@other.example",
                "--ca-file",
                &authority,
            ],
        )
    };
    assert_eq!(enable(&wrong).refused(1), "not_taken");
    assert_eq!(enable(&right).json()["server_source"], "api");
    node.run(OWNER, &["notifications", "test"]).json();
    assert_eq!(other.wait_for(1)[0].whole["from"], "node@other.example");
    let shown = node.say(OWNER, &["notifications", "settings"]).stdout;
    assert!(
        shown.contains("node@other.example") && !shown.contains(SECRET),
        "{shown}"
    );
    node.run(OWNER, &["notifications", "forget"]).json();
    node.run(OWNER, &["notifications", "test", "--channel", "EMAIL"])
        .json();
    server.wait_for(3);
}

#[test]
fn what_is_off_at_the_node_or_at_a_person_stays_in_the_inbox() {
    let server = MailServer::open();
    let (node, owner) = node_with_mail(&server);
    let off = [
        "notifications",
        "deactivate",
        "--event",
        "user_registered",
        "--channel",
        "EMAIL",
    ];
    node.run(OWNER, &off).json();
    register(&node, "sam");
    server.wait_for(1);
    node.run(OWNER, &["notifications", "disable"]).json();
    register(&node, "eve");
    until("two notices", || {
        (owner.get("/notifications/unread")["unread"] == 2).then_some(())
    });
    node.run(OWNER, &["notifications", "enable"]).json();
    node.run(OWNER, &["notifications", "activate"]).json();
    register(&node, "ida");
    let told = [
        ("sam@example.org", "Your account is ready"),
        ("ida@example.org", "Your account is ready"),
        (OWNER, "Somebody has registered"),
    ];
    server.wait_for(3);
    until_quiet(&owner);
    assert_eq!(
        sorted(&server.mails()),
        expected(&told),
        "nobody was told by mail of what was off then"
    );
    let sms = node.say(OWNER, &["notifications", "activate", "--channel", "SMS"]);
    assert!(
        sms.stderr.contains("SMS is not available on this node"),
        "{}",
        sms.stderr
    );
}

#[test]
fn a_forgotten_password_is_mended_by_mail() {
    let server = MailServer::open();
    let (node, _owner) = node_with_mail(&server);
    let sam = register(&node, "sam");
    let before = Person::sign_in(node.address(), &sam, PASSWORD);
    let nobody = Person::nobody(node.address());
    let ask = |email: &str| nobody.post("/password-resets", &json!({ "email": email }));
    assert_eq!(
        ask("nobody@example.org"),
        ask(&sam),
        "the answer must not tell who has an account"
    );
    let mail = until("a mail with a token", || {
        server
            .mails()
            .into_iter()
            .find(|mail| mail.subject == "A new password for your account")
    });
    assert_eq!(mail.to, sam, "{mail:?}");
    let token = mail
        .text
        .split_whitespace()
        .max_by_key(|word| word.len())
        .unwrap_or_default();
    assert!(mail.html.contains(token), "both parts say the same");
    assert!(
        !is_anywhere(&node, token),
        "nothing of the token stays on the node"
    );

    let chosen = "sixteen new and unlikely words";
    let choose = json!({ "token": token, "password": chosen });
    nobody.post("/password-resets/use", &choose);
    assert_eq!(before.try_get("/users/me").0, 401, "earlier sessions have ended");
    let old = nobody.try_post("/sessions", &json!({ "email": sam, "password": PASSWORD }));
    assert_eq!(old.0, 401);
    Person::sign_in(node.address(), &sam, chosen).get("/users/me");
    assert_eq!(
        nobody.try_post("/password-resets/use", &choose).0,
        401,
        "it works once"
    );
}
