//! `poundlock review`: what waits in a peer's inbox.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::part;
use super::failure::{Code, Failure};
use super::filters::Shown;
use super::{Session, input, names, print, tree};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The peer: its id or name
    peer: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show what waits, as a tree; save it with --json for `--seen`
    Show {
        /// Only this batch, what it needs and what needs it
        root: Option<String>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Apply batches with all that they need; all of it or nothing
    Apply {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        seen: SeenFile,
    },
    /// Ignore batches, and all that needs them
    Ignore {
        /// The batches, by their roots
        #[arg(required = true)]
        root: Vec<String>,
        #[command(flatten)]
        seen: SeenFile,
    },
    /// Bring ignored batches back, and what they need
    Unignore {
        /// The batches, by their roots
        #[arg(required = true)]
        root: Vec<String>,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The batches, by their roots
    root: Vec<String>,
    /// Everything that is neither ignored nor waits for something
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
struct SeenFile {
    /// What you saw, as `review PEER show --json` printed it: whatever has changed since is refused. Without this, what is
    /// there when the command runs counts as seen
    #[arg(long, value_name = "FILE")]
    seen: Option<PathBuf>,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let peer = names::peer(&session.client, &arguments.peer)?;
    match &arguments.verb {
        Verb::Show { root, shown } => show(session, &peer, root.as_deref(), shown),
        Verb::Apply { which, seen } => apply(session, &peer, which, seen),
        Verb::Ignore { root, seen } => {
            let batches = reviewed(session, &peer, seen)?;
            let concerned = dependents(&batches, root);
            let body = json!({"roots": root, "seen": revisions(&batches, &concerned)});
            let path = format!("/peers/{}/inbox/ignore", part(&peer));
            let answer = session.client.post(&path, &body)?;
            session.out.show(&answer, |answer| {
                listed("Ignored, with all that needs them:", &answer["ignored"])
            })
        }
        Verb::Unignore { root } => {
            let path = format!("/peers/{}/inbox/unignore", part(&peer));
            let answer = session.client.post(&path, &json!({ "roots": root }))?;
            session.out.show(&answer, |answer| {
                listed("Shown again, with what they need:", &answer["unignored"])
            })
        }
    }
}

fn show(session: &Session, peer: &str, root: Option<&str>, shown: &Shown) -> Result<(), Failure> {
    let mut waiting = session
        .client
        .get(&format!("/peers/{}/inbox{}", part(peer), shown.query()))?;
    if let Some(root) = root {
        let roots = [root.to_owned()];
        let mut concerned = needed(&waiting, &roots);
        concerned.append(&mut dependents(&waiting, &roots));
        let Some(batches) = waiting["batches"].as_array_mut() else {
            return Err(Failure::failed("the node answered without batches"));
        };
        batches.retain(|batch| concerned.contains(text(&batch["root"])));
        if batches.is_empty() {
            let detail =
                format!("nothing of {root} waits here; it may be applied, or ignored (--include-ignored)");
            return Err(Failure::new(Code::NotFound, detail));
        }
    }
    session.out.show(&waiting, tree::batches)
}

fn apply(session: &Session, peer: &str, which: &Which, seen: &SeenFile) -> Result<(), Failure> {
    let batches = reviewed(session, peer, seen)?;
    let roots = if which.all {
        ready(&batches)
    } else {
        which.root.clone()
    };
    if roots.is_empty() {
        let nothing = json!({"applied": [], "also": []});
        return session
            .out
            .show(&nothing, |_| "There is nothing to apply.".to_owned());
    }
    let body = json!({"roots": roots, "seen": revisions(&batches, &needed(&batches, &roots))});
    let path = format!("/peers/{}/inbox/apply", part(peer));
    let answer = session.client.post(&path, &body)?;
    session.out.show(&answer, |answer| {
        let mut said = listed("Applied:", &answer["applied"]);
        if answer["also"].as_array().is_some_and(|also| !also.is_empty()) {
            said.push_str(&format!(
                "\n{}",
                listed("Of these, because others needed them:", &answer["also"])
            ));
        }
        said
    })
}

/// What the reviewer saw: the file that they saved, or all that is there now.
fn reviewed(session: &Session, peer: &str, seen: &SeenFile) -> Result<Value, Failure> {
    let Some(path) = &seen.seen else {
        let path = format!("/peers/{}/inbox?include_ignored=true&hide_code=true", part(peer));
        return session.client.get(&path);
    };
    let saved: Value = input::json(path)?;
    if !saved["batches"].is_array() {
        return Err(Failure::usage(format!(
            "{} holds no review; save one with: poundlock review PEER show --json",
            path.display()
        )));
    }
    Ok(saved)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn each(batches: &Value) -> impl Iterator<Item = &Value> {
    batches["batches"].as_array().into_iter().flatten()
}

fn needs(batch: &Value) -> impl Iterator<Item = &str> {
    batch["needs"].as_array().into_iter().flatten().map(text)
}

/// The batches that can be applied as they are.
fn ready(batches: &Value) -> Vec<String> {
    let mut stopped: BTreeSet<&str> = each(batches)
        .filter(|batch| {
            batch["ignored"] == true
                || batch["waits_for"]
                    .as_array()
                    .is_some_and(|waits| !waits.is_empty())
        })
        .map(|batch| text(&batch["root"]))
        .collect();
    loop {
        let found: Vec<_> = each(batches)
            .filter(|batch| needs(batch).any(|need| stopped.contains(need)))
            .map(|batch| text(&batch["root"]))
            .filter(|root| !stopped.contains(root))
            .collect();
        if found.is_empty() {
            break;
        }
        stopped.extend(found);
    }
    each(batches)
        .map(|batch| text(&batch["root"]))
        .filter(|root| !stopped.contains(root))
        .map(str::to_owned)
        .collect()
}

/// Batches and all that they need.
fn needed(batches: &Value, roots: &[String]) -> BTreeSet<String> {
    closure(roots, |found| {
        let batch = each(batches).find(|batch| text(&batch["root"]) == found);
        batch.into_iter().flat_map(needs).map(str::to_owned).collect()
    })
}

/// Batches and all that needs them.
fn dependents(batches: &Value, roots: &[String]) -> BTreeSet<String> {
    closure(roots, |found| {
        let above = each(batches).filter(|batch| needs(batch).any(|need| need == found));
        above.map(|batch| text(&batch["root"]).to_owned()).collect()
    })
}

fn closure(roots: &[String], next: impl Fn(&str) -> Vec<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left = roots.to_vec();
    while let Some(root) = left.pop() {
        if !found.contains(&root) {
            left.extend(next(&root));
            found.insert(root);
        }
    }
    found
}

/// The objects of some batches, each with the revision that was shown.
fn revisions(batches: &Value, roots: &BTreeSet<String>) -> Vec<Value> {
    each(batches)
        .filter(|batch| roots.contains(text(&batch["root"])))
        .flat_map(|batch| batch["members"].as_array().into_iter().flatten())
        .map(|member| json!({"id": member["id"], "revision": member["revision"]}))
        .collect()
}

fn listed(said: &str, roots: &Value) -> String {
    let roots: Vec<_> = roots.as_array().into_iter().flatten().map(print::of).collect();
    if roots.is_empty() {
        return format!("{said} nothing; it was done before.");
    }
    format!("{said}\n  {}", roots.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Value {
        let member = |id: &str| json!([{"id": id, "revision": {"number": 1, "digest": "d"}}]);
        json!({"batches": [
            {"root": "p", "needs": [], "members": member("p1"), "ignored": false, "waits_for": []},
            {"root": "r", "needs": ["p", "elsewhere"], "members": member("r1"), "waits_for": []},
            {"root": "w", "needs": ["p"], "members": member("w1"), "waits_for": ["absent"]},
            {"root": "j", "needs": ["w"], "members": member("j1"), "waits_for": []},
            {"root": "i", "needs": [], "members": member("i1"), "ignored": true, "waits_for": []},
        ]})
    }

    #[test]
    fn all_means_what_can_be_applied() {
        assert_eq!(ready(&waiting()), ["p", "r"]);
    }

    #[test]
    fn applying_names_what_it_needs_and_ignoring_what_hangs_on_it() {
        let batches = waiting();
        let seen = revisions(&batches, &needed(&batches, &["r".into()]));
        let ids: Vec<_> = seen.iter().map(|seen| text(&seen["id"])).collect();
        assert_eq!(ids, ["p1", "r1"]);
        assert_eq!(seen[0]["revision"]["number"], 1);
        let hidden = dependents(&batches, &["p".into()]);
        assert_eq!(hidden.into_iter().collect::<Vec<_>>(), ["j", "p", "r", "w"]);
    }
}
