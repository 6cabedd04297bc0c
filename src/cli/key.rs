//! `poundlock key`: keys that people sign with, and the pins of those who rely on them.

pub(super) mod file;

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};
use ureq::http::Method;

use super::client::part;
use super::failure::Failure;
use super::password::Proof;
use super::{Common, Session, names, print};
use crate::domain::id::UserId;
use crate::domain::signature::Statement;
use file::KeyFile;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a key in a file that only you can read; it never leaves this machine
    New {
        /// The file
        file: PathBuf,
    },
    /// Register your key on a node: what you sign with it from now on is shown as yours
    Register {
        /// The key's file
        file: PathBuf,
        #[command(flatten)]
        proof: Proof,
    },
    /// Show the key that you have registered, or the public half of a key's file
    Show {
        /// The key's file; no node is asked then
        file: Option<PathBuf>,
    },
    /// Remove your key from a node; what you have signed stays signed
    Remove {
        #[command(flatten)]
        proof: Proof,
    },
    /// The keys of the people who sign, as this node knows them
    #[command(subcommand)]
    Pin(Pin),
}

#[derive(Debug, Subcommand)]
pub(super) enum Pin {
    /// List the people whose keys are pinned
    List {
        /// Only those whose key has changed, until somebody accepts it
        #[arg(long)]
        changed: bool,
        /// The whole list, not its first page
        #[arg(long)]
        all: bool,
    },
    /// Show what is known of somebody's keys
    Show {
        /// Their id or e-mail address
        user: String,
    },
    /// Accept that somebody's key has changed: you have called them, and they read you the fingerprint
    Accept {
        /// Their id or e-mail address
        user: String,
        /// What they read you
        #[arg(required_unless_present = "removed")]
        fingerprint: Vec<String>,
        /// They say that they have no key any more
        #[arg(long, conflicts_with = "fingerprint")]
        removed: bool,
    },
}

pub(super) fn run(common: &Common, verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::New { file } => {
            let key = KeyFile::create(file)?;
            let made = json!({"file": file, "key": key.public(), "fingerprint": key.public().fingerprint()});
            common.out().show(&made, |made| {
                format!(
                    "Wrote {}. Whoever has it can sign as you: keep it, and a copy in a safe place.\n{}",
                    file.display(),
                    facts(made)
                )
            })
        }
        Verb::Show { file: Some(file) } => {
            let key = KeyFile::load(file)?.public();
            let shown = json!({"key": key, "fingerprint": key.fingerprint()});
            common.out().show(&shown, facts)
        }
        Verb::Show { file: None } => {
            let session = common.session()?;
            session
                .out
                .show(&session.client.get("/users/me/verify-key")?, facts)
        }
        Verb::Register { file, proof } => register(&common.session()?, &KeyFile::load(file)?, proof),
        Verb::Remove { proof } => {
            let session = common.session()?;
            let body = proof.beside([], "Your password")?;
            send(&session, Method::DELETE, &body)?;
            session.out.show(&json!({"removed": true}), |_| {
                "Removed. From now on you submit without signatures.".to_owned()
            })
        }
        Verb::Pin(pin) => pins(&common.session()?, pin),
    }
}

fn register(session: &Session, key: &KeyFile, proof: &Proof) -> Result<(), Failure> {
    let me = me(session)?;
    let public = key.public();
    let claim = key.sign(&Statement::of_key(me, &public));
    let members = [("key", json!(public)), ("signature", json!(claim))];
    let body = proof.beside(members, "Your password")?;
    send(session, Method::PUT, &body)?;
    // The fingerprint is computed here: what a node says of one's key is worth nothing.
    let made = json!({"key": public, "fingerprint": public.fingerprint()});
    session.out.show(&made, |made| {
        format!(
            "Registered. Read the fingerprint to the data owner, who sees it once your record has crossed.\n{}",
            facts(made)
        )
    })
}

fn send(session: &Session, method: Method, body: &Value) -> Result<Value, Failure> {
    let text = zeroize::Zeroizing::new(body.to_string());
    session.client.send(
        method,
        "/users/me/verify-key",
        "application/json",
        text.as_bytes(),
    )
}

/// The id of whoever is signed in.
pub(super) fn me(session: &Session) -> Result<UserId, Failure> {
    let me = session.client.get("/users/me")?;
    let id = me["id"].as_str().and_then(|id| id.parse().ok());
    id.ok_or_else(|| Failure::failed("the node answered without your id"))
}

fn facts(key: &Value) -> String {
    let names = [("key", "key"), ("fingerprint", "fingerprint")];
    print::facts(&names.map(|(shown, name)| (shown, print::field(key, name))))
}

fn pins(session: &Session, verb: &Pin) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Pin::List { changed, all } => {
            let list = client.list(&format!("/verify-keys?changed={changed}"), *all)?;
            session.out.show(&list, |list| {
                let items = list["items"].as_array().into_iter().flatten();
                let rows: Vec<_> = items.map(row).collect();
                let mut text = print::table(&["USER", "NAME", "E-MAIL", "KEY", "SINCE", "CHANGE"], &rows);
                if !list["next"].is_null() {
                    text.push_str("\n(there is more: use --all)");
                }
                text
            })
        }
        Pin::Show { user } => {
            let id = person(session, user)?;
            let pins = client.get(&format!("/verify-keys/{}", part(&id)))?;
            session.out.show(&pins, history)
        }
        Pin::Accept {
            user,
            fingerprint,
            removed,
        } => {
            let id = person(session, user)?;
            let typed = (!removed).then(|| fingerprint.join(" "));
            let body = json!({ "fingerprint": typed });
            let pins = client.post(&format!("/verify-keys/{}/acceptance", part(&id)), &body)?;
            session.out.show(&pins, history)
        }
    }
}

/// The id of somebody whose keys are known, by their id or e-mail address: whoever triages need not see all accounts.
fn person(session: &Session, named: &str) -> Result<String, Failure> {
    names::one_of("person with a key", named, "user", "email", || {
        session.client.list("/verify-keys?limit=200", true)
    })
}

/// What counts now.
fn present(pins: &Value) -> &Value {
    pins["pins"]
        .as_array()
        .and_then(|pins| pins.last())
        .unwrap_or(&Value::Null)
}

fn row(pins: &Value) -> Vec<String> {
    let pin = present(pins);
    vec![
        print::field(pins, "user"),
        print::field(pins, "name"),
        print::field(pins, "email"),
        fingerprint(&pin["key"]),
        print::field(pin, "since"),
        change(&pins["change"]),
    ]
}

/// The fingerprint of a key, or that there is none.
fn fingerprint(key: &Value) -> String {
    match &key["fingerprint"] {
        Value::Null => "(none)".to_owned(),
        fingerprint => print::of(fingerprint),
    }
}

fn change(change: &Value) -> String {
    if change.is_null() {
        return String::new();
    }
    format!(
        "CHANGED on {} to {}",
        print::field(change, "on"),
        fingerprint(change)
    )
}

/// All that is known of one person's keys.
fn history(pins: &Value) -> String {
    let mut facts = ["user", "name", "email"]
        .map(|name| (name, print::field(pins, name)))
        .to_vec();
    facts.push(("change", change(&pins["change"])));
    let items = pins["pins"].as_array().into_iter().flatten();
    let rows: Vec<_> = items
        .map(|pin| {
            vec![
                print::field(pin, "since"),
                fingerprint(&pin["key"]),
                print::field(&pin["key"], "name"),
                print::field(&pin["key"], "email"),
                print::field(&pin["key"]["arrived"], "number"),
                print::field(pin, "accepted_by"),
            ]
        })
        .collect();
    let headings = ["SINCE", "KEY", "NAME", "E-MAIL", "BUNDLE", "ACCEPTED BY"];
    let mut text = format!("{}\n\n{}", print::facts(&facts), print::table(&headings, &rows));
    if !pins["change"].is_null() {
        text.push_str(
            "\n\nCall the person. If they read you the digits of the change, and it was they who changed it:\n",
        );
        let digits = match &pins["change"]["fingerprint"] {
            Value::Null => "--removed".to_owned(),
            digits => print::of(digits),
        };
        let user = print::field(pins, "user");
        text.push_str(&format!("  poundlock key pin accept {user} {digits}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_with_what_to_do() {
        let pins = json!({
            "user": "u", "name": "Sam\u{1b}", "email": "sam@example.org",
            "pins": [{"since": "2026-11-22", "accepted_by": null,
                "key": {"fingerprint": "11111", "name": "Sam", "email": "sam@example.org", "arrived": {"number": 1}}}],
            "change": {"fingerprint": "22222", "on": "2026-11-23"},
        });
        let text = history(&pins);
        for expected in [
            "CHANGED on 2026-11-23 to 22222",
            "11111",
            "Sam\\u{1b}",
            "poundlock key pin accept u 22222",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        let removed = json!({"user": "u", "pins": [], "change": {"fingerprint": null, "on": "2026-11-23"}});
        assert!(history(&removed).contains("pin accept u --removed"));
        assert_eq!(row(&removed)[5], "CHANGED on 2026-11-23 to (none)");
    }
}
