//! `poundlock audit`: the chain of what was done.

use clap::Subcommand;
use serde_json::Value;

use super::failure::{Code, Failure};
use super::{Session, print};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List what was done
    List {
        /// The whole list, not its first page
        #[arg(long)]
        all: bool,
    },
    /// Check that no entry of the chain was changed or taken out
    Verify,
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::List { all } => session.out.show(&session.client.list("/audit", *all)?, entries),
        Verb::Verify => verify(session),
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
    session.out.show(&found, |found| {
        format!(
            "The chain of {} entries is intact.\nhead  {}",
            print::field(found, "entries"),
            head(&found["head"])
        )
    })
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
