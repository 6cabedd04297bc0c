//! `poundlock request`: asked for by scientists, decided on by owners.

mod see;
mod shown;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::part;
use super::failure::Failure;
use super::filters::query;
use super::signing::SignWith;
use super::{Session, input, names, print};
use crate::domain::request::{self, Request};
pub(super) use see::SightType;
use shown::{facts, sentence, verdict, whole};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum State {
    /// Nobody has decided
    Pending,
    /// A run may follow, or has; or what was asked for may be seen
    Approved,
    /// Approved, for a time that is over
    Expired,
    /// It may not
    Denied,
    /// Taken back
    Withdrawn,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Subject {
    /// That code be run
    Run,
    /// To see one object
    See,
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
    /// Ask to see one object: a mock that is handed out on request, a release made for somebody else, or private data
    See(see::Wanted),
    /// List the requests that you may see
    List(List),
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
    /// Write the private data that an approved request asks for as its result, to be reviewed and released; on the high side
    Fulfil {
        /// Its id
        request: String,
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
pub(super) struct List {
    /// Only those in this state
    #[arg(long)]
    state: Option<State>,
    /// Only those of this project: its id or name
    #[arg(long, conflicts_with = "type")]
    project: Option<String>,
    /// Only those for runs, or those to see something
    #[arg(long)]
    subject: Option<Subject>,
    /// Only those to see this type of thing, with its tags
    #[arg(long)]
    r#type: Option<SightType>,
    /// The whole list, not its first page
    #[arg(long)]
    all: bool,
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
        Verb::See(wanted) => see::ask(session, wanted),
        Verb::List(wanted) => list(session, wanted),
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
            if let request::Subject::Run { runs_wanted, .. } = &mut request.subject {
                *runs_wanted = runs_wanted.saturating_add(1);
            }
        }),
        Verb::Fulfil { request } => {
            let run = client.act(&format!("{}/fulfilments", path(request)))?;
            session.out.show(&run, super::run::facts)
        }
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
    if before["object"].is_object() {
        if code.is_some() {
            return Err(Failure::usage(
                "the request asks to see something; it has no code",
            ));
        }
        return see::again(session, &before, reason, sign);
    }
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

fn list(session: &Session, wanted: &List) -> Result<(), Failure> {
    let mut pairs = Vec::new();
    if let Some(state) = wanted.state.and_then(|state| state.to_possible_value()) {
        pairs.push(("state", state.get_name().to_owned()));
    }
    let to_see =
        wanted.r#type.is_some() || (wanted.subject == Some(Subject::See) && wanted.project.is_none());
    if to_see {
        pairs.extend(wanted.r#type.map(|of_type| ("type", of_type.word().to_owned())));
        return see::list(session, &query(&pairs), wanted.all);
    }
    if let Some(subject) = wanted.subject.and_then(|subject| subject.to_possible_value()) {
        pairs.push(("subject", subject.get_name().to_owned()));
    }
    if let Some(project) = &wanted.project {
        pairs.push(("project", names::project(&session.client, project)?));
    }
    let requests = session
        .client
        .list(&format!("/requests{}", query(&pairs)), wanted.all)?;
    session.out.show(&requests, |requests| {
        let items = requests["items"].as_array().into_iter().flatten();
        let rows: Vec<_> = items
            .map(|request| {
                vec![
                    print::field(request, "id"),
                    state_of(request),
                    signed(request),
                    asks_for(request),
                    print::field(&request["names"], "requester"),
                    print::field(request, "created_at"),
                    first_line(request["reason"].as_str().unwrap_or_default()),
                ]
            })
            .collect();
        let headings = ["ID", "STATE", "SIGNED", "ASKS FOR", "WHOSE", "SINCE", "REASON"];
        let mut text = print::table(&headings, &rows);
        if !requests["next"].is_null() {
            text.push_str("\n(there is more: use --all)");
        }
        text
    })
}

fn asks_for(request: &Value) -> String {
    match request["object"]["type"].as_str() {
        Some(of_type) => print::plain(&of_type.replace('_', " ")),
        None => "run".to_owned(),
    }
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
