//! `poundlock request`: asked for by scientists, decided on by owners.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::part;
use super::failure::Failure;
use super::filters::query;
use super::signing::SignWith;
use super::{Session, code, input, names, print};
use crate::domain::request::{Request, Subject};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum State {
    /// Nobody has decided
    Pending,
    /// A run may follow, or has
    Approved,
    /// It may not
    Denied,
    /// Taken back
    Withdrawn,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Ask for your code to be run, in a project that has been started
    Submit {
        /// The project: its id or name
        #[arg(long)]
        project: String,
        /// The code
        #[arg(long)]
        code: String,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        sign: SignWith,
    },
    /// List the requests that you may see
    List {
        /// Only those in this state
        #[arg(long)]
        state: Option<State>,
        /// Only those of this project: its id or name
        #[arg(long)]
        project: Option<String>,
        /// The whole list, not its first page
        #[arg(long)]
        all: bool,
    },
    /// Show a request: its code, how far it has come, and what was decided, run and released
    Show {
        /// Its id
        request: String,
        /// Leave the source code out
        #[arg(long)]
        hide_code: bool,
    },
    /// Take a request back
    Withdraw {
        /// Its id
        request: String,
        #[command(flatten)]
        sign: SignWith,
    },
    /// Make a new request that takes up an earlier one
    Resubmit {
        /// The earlier one's id
        request: String,
        /// Other code; the same if left out
        #[arg(long)]
        code: Option<String>,
        /// Why; as before if left out
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        sign: SignWith,
    },
    /// Ask for one more run of an approved request; it is decided on again
    Rerun {
        /// Its id
        request: String,
        #[command(flatten)]
        sign: SignWith,
    },
    /// Approve a request as you saw it; its code may then run on the private data that this node holds
    Approve {
        /// Its id
        request: String,
        #[command(flatten)]
        seen: SeenFile,
    },
    /// Deny a request as you saw it
    Deny {
        /// Its id
        request: String,
        /// Why; the scientist reads it
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        seen: SeenFile,
    },
}

#[derive(Debug, Args)]
pub(super) struct SeenFile {
    /// What you saw, as `request show --json` printed it: whatever has changed since is refused. Without this, what is
    /// there when the command runs counts as seen
    #[arg(long, value_name = "FILE")]
    seen: Option<PathBuf>,
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::Submit {
            project,
            code,
            reason,
            sign,
        } => {
            let project = names::project(client, project)?;
            let body = match sign.signer(session)? {
                Some(signer) => signer.new_request(session, &project, code, reason, None)?,
                None => json!({"project": project, "code": code, "reason": reason}),
            };
            session.out.show(&client.post("/requests", &body)?, facts)
        }
        Verb::List { state, project, all } => list(session, *state, project.as_deref(), *all),
        Verb::Show { request, hide_code } => {
            let request = client.get(&path(request))?;
            session.out.show(&request, |request| whole(request, *hide_code))
        }
        Verb::Withdraw { request, sign } => act(session, request, "withdrawal", sign, |request| {
            request.withdrawn = true;
        }),
        Verb::Resubmit {
            request,
            code,
            reason,
            sign,
        } => resubmit(session, request, code.as_deref(), reason.as_deref(), sign),
        Verb::Rerun { request, sign } => act(session, request, "runs-wanted", sign, |request| {
            if let Subject::Run { runs_wanted, .. } = &mut request.subject {
                *runs_wanted = runs_wanted.saturating_add(1);
            }
        }),
        Verb::Approve { request, seen } => {
            let body = json!({"verdict": "approve", "seen": reviewed(session, request, seen)?});
            decide(session, request, &body)
        }
        Verb::Deny {
            request,
            reason,
            seen,
        } => {
            let seen = reviewed(session, request, seen)?;
            decide(
                session,
                request,
                &json!({"verdict": "deny", "reason": reason, "seen": seen}),
            )
        }
    }
}

fn path(request: &str) -> String {
    format!("/requests/{}", part(request))
}

/// Makes the next revision of a request, signed as `change` makes it if anybody signs.
fn act(
    session: &Session,
    request: &str,
    what: &str,
    sign: &SignWith,
    change: impl FnOnce(&mut Request),
) -> Result<(), Failure> {
    let client = &session.client;
    let target = format!("{}/{what}", path(request));
    let answer = match sign.signer(session)? {
        Some(signer) => {
            let earlier = signer.earlier(&client.get(&path(request))?)?;
            client.post(&target, &signer.next(earlier, change))?
        }
        None => client.act(&target)?,
    };
    session.out.show(&answer, facts)
}

fn resubmit(
    session: &Session,
    request: &str,
    code: Option<&str>,
    reason: Option<&str>,
    sign: &SignWith,
) -> Result<(), Failure> {
    let before = session.client.get(&path(request))?;
    let text = |name: &str| before[name].as_str().unwrap_or_default();
    let code = code.unwrap_or(text("code"));
    let body = match sign.signer(session)? {
        Some(signer) => {
            if reason.is_none() {
                // The reason is the node's word then: it must be what this key has signed.
                let _signed = signer.earlier(&before)?;
            }
            let reason = reason.unwrap_or(text("reason"));
            signer.new_request(session, text("project"), code, reason, Some(text("id")))?
        }
        None => json!({
            "project": text("project"), "predecessor": text("id"), "code": code,
            "reason": reason.unwrap_or(text("reason")),
        }),
    };
    session.out.show(&session.client.post("/requests", &body)?, facts)
}

fn list(session: &Session, state: Option<State>, project: Option<&str>, all: bool) -> Result<(), Failure> {
    let mut wanted = Vec::new();
    if let Some(state) = state.and_then(|state| state.to_possible_value()) {
        wanted.push(("state", state.get_name().to_owned()));
    }
    if let Some(project) = project {
        wanted.push(("project", names::project(&session.client, project)?));
    }
    let requests = session
        .client
        .list(&format!("/requests{}", query(&wanted)), all)?;
    session.out.show(&requests, |requests| {
        let items = requests["items"].as_array().into_iter().flatten();
        let rows: Vec<_> = items
            .map(|request| {
                vec![
                    print::field(request, "id"),
                    state_of(request),
                    signed(request),
                    print::field(request, "created_at"),
                    first_line(request["reason"].as_str().unwrap_or_default()),
                ]
            })
            .collect();
        let mut text = print::table(&["ID", "STATE", "SIGNED", "MADE", "REASON"], &rows);
        if !requests["next"].is_null() {
            text.push_str("\n(there is more: use --all)");
        }
        text
    })
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    print::plain(line)
}

/// How it is signed, in a word; what is suspicious stands out.
fn signed(request: &Value) -> String {
    let word = print::field(&request["signed"], "state").replace('_', " ");
    match request["signed"]["suspicious"].as_bool() {
        Some(true) => word.to_uppercase(),
        _ => word,
    }
}

fn state_of(request: &Value) -> String {
    print::field(&request["status"], "state")
}

/// What the reviewer saw: in the file that they saved, or what is there now.
fn reviewed(session: &Session, request: &str, seen: &SeenFile) -> Result<Value, Failure> {
    let shown = match &seen.seen {
        None => session.client.get(&path(request))?,
        Some(file) => {
            let saved = input::json(file)?;
            if saved["id"].as_str() != Some(request) || !saved["seen"].is_object() {
                return Err(Failure::usage(format!(
                    "{} is not this request; save it with: poundlock request show {request} --json",
                    file.display()
                )));
            }
            saved
        }
    };
    Ok(shown["seen"].clone())
}

fn decide(session: &Session, request: &str, body: &Value) -> Result<(), Failure> {
    let decision = session
        .client
        .post(&format!("{}/decisions", path(request)), body)?;
    session
        .out
        .show(&decision, |decision| sentence(&verdict(&decision["verdict"])))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// `approved`, or `denied: why`.
fn verdict(verdict: &Value) -> String {
    match verdict {
        Value::Object(denied) => {
            let reason = denied.get("deny").map(|deny| print::field(deny, "reason"));
            format!("denied: {}", reason.unwrap_or_default())
        }
        approved if approved == "approve" => "approved".to_owned(),
        other => print::of(other),
    }
}

fn facts(request: &Value) -> String {
    let mut facts = ["id", "project", "code", "requester", "predecessor"]
        .map(|name| (name, print::field(request, name)))
        .to_vec();
    facts.push(("state", state_of(request)));
    facts.push(("denied because", print::field(&request["status"], "reason")));
    facts.push(("signature", print::field(&request["signed"], "says")));
    if request["runs_wanted"].as_u64().unwrap_or_default() > 1 {
        facts.push(("runs wanted", print::field(request, "runs_wanted")));
    }
    let progress = &request["progress"];
    if progress.is_object() {
        facts.push(("submitted", print::field(progress, "submitted")));
        facts.push(("carried in bundle", print::field(progress, "carried_in")));
        facts.push(("received", print::field(progress, "received")));
        facts.push(("decided on", print::field(progress, "decided_on")));
        facts.push(("released", print::field(progress, "released")));
    }
    let reason = request["reason"].as_str().unwrap_or_default();
    format!("{}\n\n{}", print::facts(&facts), print::prose(reason))
}

/// All that there is to know before a decision.
fn whole(request: &Value, hide_code: bool) -> String {
    let mut text = facts(request);
    let submitted = &request["submitted_code"];
    if submitted.is_object() {
        text.push_str(&format!("\n\nCODE\n{}", code::facts(submitted)));
        if !hide_code {
            let source = submitted["source"].as_str().unwrap_or_default();
            text.push_str(&format!("\n\n{}", print::prose(source).trim_end()));
        }
    }
    let rows = |name: &str, row: &dyn Fn(&Value) -> Vec<String>| {
        let items = request[name].as_array().into_iter().flatten();
        items.map(row).collect::<Vec<_>>()
    };
    let sections = [
        (
            "DECISIONS",
            rows("decisions", &|decision| {
                vec![
                    print::field(decision, "on"),
                    print::field(decision, "by_name"),
                    verdict(&decision["verdict"]),
                ]
            }),
        ),
        (
            "JOBS",
            rows("jobs", &|job| {
                ["on", "id", "verdict"]
                    .map(|name| print::field(job, name))
                    .to_vec()
            }),
        ),
        (
            "RELEASES",
            rows("releases", &|release| {
                let length = release["length"].as_u64().map(print::bytes).unwrap_or_default();
                vec![
                    print::field(release, "on"),
                    print::field(release, "id"),
                    print::field(release, "part"),
                    print::field(release, "format"),
                    length,
                    print::field(release, "by_name"),
                ]
            }),
        ),
    ];
    for (heading, rows) in sections {
        if !rows.is_empty() {
            let blank = vec![""; rows.iter().map(Vec::len).max().unwrap_or_default()];
            text.push_str(&format!("\n\n{heading}{}", print::table(&blank, &rows)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_with_all_that_belongs_to_it() {
        let request = json!({
            "id": "r", "reason": "why\u{1b}[1m", "status": {"state": "denied", "reason": "too small"},
            "progress": {"submitted": "now", "carried_in": [1, 2], "received": true, "decided_on": "2026-01-01", "released": false},
            "submitted_code": {"id": "c", "source": "def f():\n\treturn 1\r\n"},
            "decisions": [{"on": "2026-01-01", "by_name": "Olga", "verdict": {"deny": {"reason": "too small"}}}],
            "jobs": [], "releases": [{"id": "x", "part": "result", "format": "json", "length": 3}],
        });
        let text = whole(&request, false);
        for expected in [
            "state              denied",
            "carried in bundle  1, 2",
            "why\\u{1b}[1m",
            "def f():\n\treturn 1\\u{d}",
            "Olga  denied: too small",
            "result  json",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        assert!(!text.contains("JOBS"), "{text}");
        assert!(!whole(&request, true).contains("def f"));
    }

    #[test]
    fn a_verdict_is_a_sentence() {
        assert_eq!(sentence(&verdict(&json!("approve"))), "Approved");
        assert_eq!(verdict(&json!({"deny": {"reason": "no"}})), "denied: no");
    }
}
