//! `poundlock pair`: identities, fingerprints, rotation, epochs, revocation.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};
use ureq::http::Method;

use super::client::part;
use super::failure::Failure;
use super::{Session, input, medium, names, print};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Print this node's public identity, to be carried to a peer
    Identity {
        /// Write it to this new file
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Read in a peer's identity; then compare the fingerprint by voice, and confirm it
    Add {
        /// The peer's identity, as `pair identity` wrote it there
        file: PathBuf,
    },
    /// List the peers
    List,
    /// Show one peer
    Show {
        /// The peer: its id or name
        peer: String,
    },
    /// Confirm that the fingerprint was compared by voice; bundles pass from then on
    Confirm {
        /// The peer: its id or name
        peer: String,
        /// The eight groups of five digits, as the other side read them out
        #[arg(required = true)]
        fingerprint: Vec<String>,
    },
    /// Move this node to new keys; prints the statement to carry to every peer
    Rotate {
        /// Write the statement to this new file
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Change no keys, and print the statement of the last rotation once more, for a peer that has not taken it
        #[arg(long)]
        again: bool,
    },
    /// Read in a peer's rotation statement; then compare the new fingerprint by voice, and confirm it
    AcceptRotation {
        /// The peer: its id or name
        peer: String,
        /// The statement, as `pair rotate` wrote it there
        file: PathBuf,
    },
    /// Confirm a peer's new fingerprint; its old keys are refused from then on
    ConfirmRotation {
        /// The peer: its id or name
        peer: String,
        /// The eight groups of five digits, as the other side read them out
        #[arg(required = true)]
        fingerprint: Vec<String>,
    },
    /// Confirm that a peer's store was restored or made anew
    Epoch {
        /// The peer: its id or name
        peer: String,
        /// The epoch that the refused bundle named
        epoch: String,
    },
    /// End the trust in a peer: nothing of it is imported or applied any more
    Revoke {
        /// The peer: its id or name
        peer: String,
    },
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::Identity { output } => {
            let text = client.text("/node/identity")?;
            statement(session, "identity", &text, output.as_deref())
        }
        Verb::Add { file } => {
            let peer = client.send(
                Method::POST,
                "/peers",
                "text/plain",
                input::text(file)?.as_bytes(),
            )?;
            session.out.show(&peer, added)
        }
        Verb::List => session.out.show(&client.list("/peers", true)?, |peers| {
            let columns = [
                ("ID", "id"),
                ("NAME", "name"),
                ("SIDE", "side"),
                ("TRUST", "trust"),
                ("SENT", "last_sent"),
                ("ACKNOWLEDGED", "last_acknowledged"),
                ("RECEIVED", "last_received"),
            ];
            print::listing(peers, &columns)
        }),
        Verb::Show { peer } => session.out.show(&client.get(&path(session, peer, "")?)?, facts),
        Verb::Confirm { peer, fingerprint } => {
            let body = json!({"fingerprint": fingerprint.join(" ")});
            let peer = client.post(&path(session, peer, "/confirmation")?, &body)?;
            session.out.show(&peer, facts)
        }
        Verb::Rotate { output, again } => rotate(session, output.as_deref(), *again),
        Verb::AcceptRotation { peer, file } => {
            let path = path(session, peer, "/rotation")?;
            let peer = client.send(Method::POST, &path, "text/plain", input::text(file)?.as_bytes())?;
            session.out.show(&peer, |peer| {
                let next = format!("pair confirm-rotation {}", print::field(peer, "id"));
                compare(peer, "successor_fingerprint", &next)
            })
        }
        Verb::ConfirmRotation { peer, fingerprint } => {
            let body = json!({"fingerprint": fingerprint.join(" ")});
            let peer = client.post(&path(session, peer, "/rotation/confirmation")?, &body)?;
            session.out.show(&peer, facts)
        }
        Verb::Epoch { peer, epoch } => {
            let peer = client.post(&path(session, peer, "/epoch")?, &json!({ "epoch": epoch }))?;
            session.out.show(&peer, facts)
        }
        Verb::Revoke { peer } => {
            let peer = client.delete(&path(session, peer, "")?)?;
            session.out.show(&peer, |peer| {
                format!(
                    "{}\n\nTo begin the pairing anew, revoke this node there, too. Then, on both: write the identity as it is now (pair \
                     identity), and read in the other's (pair add).",
                    facts(peer)
                )
            })
        }
    }
}

fn path(session: &Session, peer: &str, rest: &str) -> Result<String, Failure> {
    let peer = names::peer(&session.client, peer)?;
    Ok(format!("/peers/{}{rest}", part(&peer)))
}

/// The file is tried before the keys change: the statement is what the peers are to be told by.
fn rotate(session: &Session, output: Option<&Path>, again: bool) -> Result<(), Failure> {
    if again {
        let text = session.client.text("/node/rotation")?;
        return rotation(session, &text, output);
    }
    if let Some(path) = output {
        medium::must_be_new(path)?;
        drop(medium::begin(medium::folder_of(path))?);
    }
    let answer = session.client.act("/node/rotation")?;
    let Some(text) = answer.as_str() else {
        return Err(Failure::failed("the node answered without a statement"));
    };
    let told = rotation(session, text, output);
    if told.is_err() {
        // It can be printed again, but not after another rotation.
        session.out.line(text.trim_end())?;
    }
    told
}

/// A rotation's statement, with what is to be done with it.
fn rotation(session: &Session, text: &str, output: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = output else {
        return statement(session, "statement", text, None);
    };
    medium::write_new(path, text.as_bytes())?;
    session.out.show(&json!({"file": path}), |_| {
        let file = path.display();
        format!(
            "Wrote {file}. Carry it to every peer, whose people read it in and compare the fingerprint with you:\n  poundlock pair \
             accept-rotation PEER {file}\nUntil they have, they refuse this node's bundles. Where it is lost: poundlock pair rotate --again"
        )
    })
}

/// A text of the node's own, to a file or as it is.
fn statement(session: &Session, name: &str, text: &str, output: Option<&Path>) -> Result<(), Failure> {
    match output {
        Some(path) => {
            medium::write_new(path, text.as_bytes())?;
            session
                .out
                .show(&json!({"file": path}), |_| format!("Wrote {}.", path.display()))
        }
        None => session.out.show(&json!({ name: text }), |_| print::prose(text)),
    }
}

fn added(peer: &Value) -> String {
    if peer["trust"] == "paired" {
        return format!(
            "{}\n\nIt is paired already, with these very keys. Nothing needs to be compared.",
            facts(peer)
        );
    }
    let next = format!("pair confirm {}", print::field(peer, "id"));
    compare(peer, "fingerprint", &next)
}

fn compare(peer: &Value, fingerprint: &str, next: &str) -> String {
    format!(
        "{}\n\nCall {} and compare the fingerprint. If both of you read the same digits:\n  poundlock {next} {}",
        facts(peer),
        print::field(peer, "name"),
        print::field(peer, fingerprint)
    )
}

fn facts(peer: &Value) -> String {
    let names = [
        ("id", "id"),
        ("name", "name"),
        ("side", "side"),
        ("trust", "trust"),
        ("fingerprint", "fingerprint"),
        ("new fingerprint", "successor_fingerprint"),
        ("epoch", "epoch"),
        ("this node's epoch for it", "own_epoch"),
        ("unconfirmed epoch", "unconfirmed_epoch"),
        ("forked", "forked"),
        ("last sent", "last_sent"),
        ("last acknowledged", "last_acknowledged"),
        ("last received", "last_received"),
    ];
    print::facts(&names.map(|(shown, name)| (shown, print::field(peer, name))))
}
