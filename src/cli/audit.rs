//! `poundlock audit`: the chain of what was done.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::deliver::Destination;
use super::failure::{Code, Failure};
use super::filters::query;
use super::{Common, Session, print};
use crate::node::chain;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List what was done
    List(List),
    /// Write the whole chain as JSON lines, one entry a line
    Export(Destination),
    /// Check that no entry of the chain was changed or taken out
    Verify {
        /// The folder of a stopped node, or a copy of one; the running node if left out
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// What was done: a word, or the part of one before a dot
    #[arg(long)]
    action: Option<String>,
    /// Who did it: the id of a person or a peer
    #[arg(long, value_name = "ID")]
    by: Option<String>,
    /// The id of what it was done to
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Not before this moment, as in 2026-11-25T08:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this moment
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The whole list, not its first page
    #[arg(long)]
    all: bool,
}

pub(super) fn run(common: &Common, verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::List(list) => {
            let session = common.session()?;
            let found = session
                .client
                .list(&format!("/audit{}", list.query()), list.all)?;
            session.out.show(&found, entries)
        }
        Verb::Export(destination) => export(&common.session()?, destination),
        Verb::Verify { folder: None } => verify(&common.session()?),
        Verb::Verify { folder: Some(folder) } => verify_folder(common, folder),
    }
}

impl List {
    fn query(&self) -> String {
        let wanted = [
            ("action", &self.action),
            ("by", &self.by),
            ("subject", &self.subject),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let wanted: Vec<_> = wanted
            .into_iter()
            .filter_map(|(name, value)| value.clone().map(|value| (name, value)))
            .collect();
        query(&wanted)
    }
}

fn export(session: &Session, destination: &Destination) -> Result<(), Failure> {
    destination.check(session.out)?;
    destination.take(session.out, session.client.bytes("/audit/export")?)
}

fn verify_folder(common: &Common, folder: &Path) -> Result<(), Failure> {
    let found = chain::verify(folder).map_err(|error| Failure::chain(&error))?;
    match found {
        Ok(verified) => {
            let told = json!({"intact": true, "entries": verified.entries, "head": verified.head});
            common.out().show(&told, intact)
        }
        Err(broken) => {
            let told = json!({"intact": false, "why": broken.to_string()});
            Err(Failure::answered(Code::Failed, broken.to_string(), told))
        }
    }
}

fn entries(list: &Value) -> String {
    let rows: Vec<_> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| {
            vec![
                print::field(entry, "sequence"),
                print::field(entry, "at"),
                who(&entry["actor"]),
                print::field(entry, "action"),
                print::field(entry, "subjects"),
                details(&entry["detail"]),
            ]
        })
        .collect();
    let mut text = print::table(&["NUMBER", "AT", "BY", "WHAT", "ON", "DETAILS"], &rows);
    if !list["next"].is_null() {
        text.push_str("\n(there is more: use --all)");
    }
    text
}

/// `{"user": id}`, `"node"`, or an object that names the person.
fn who(actor: &Value) -> String {
    match actor {
        Value::Object(named) => named.values().map(print::of).collect::<Vec<_>>().join(" "),
        other => print::of(other),
    }
}

fn details(detail: &Value) -> String {
    let pairs = detail.as_object().into_iter().flatten();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{}={}", print::plain(name), print::of(value)))
        .collect();
    pairs.join(" ")
}

fn verify(session: &Session) -> Result<(), Failure> {
    let found = session.client.get("/audit/verification")?;
    if found["intact"] != true {
        let at = print::field(&found, "at");
        let detail = format!(
            "the audit chain is broken at entry {at}: {}",
            print::field(&found, "why")
        );
        return Err(Failure::answered(Code::Failed, detail, found));
    }
    session.out.show(&found, intact)
}

fn intact(found: &Value) -> String {
    format!(
        "The chain of {} entries is intact.\nhead  {}",
        print::field(found, "entries"),
        head(&found["head"])
    )
}

/// The hash of the last entry, by itself or beside its number.
fn head(head: &Value) -> String {
    match head {
        Value::Object(head) => head.get("hash").map(print::of).unwrap_or_default(),
        hash => print::of(hash),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_are_one_line_each_whatever_they_hold() {
        let list = json!({"items": [{"sequence": 1, "at": "now", "actor": {"user": "u"}, "action": "signed_in",
            "subjects": ["a", "b"], "detail": {"from": "x\ny"}}], "next": null});
        let text = entries(&list);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("a, b") && text.contains("from=x\\u{a}y"), "{text}");
    }
}
