//! Requests to see one object: made, and listed with what the object is.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{first_line, shown, signed, state_of};
use crate::cli::client::part;
use crate::cli::failure::{Code, Failure};
use crate::cli::signing::SignWith;
use crate::cli::{Session, names, print};

/// The types of things that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SightType {
    /// The mock of an asset
    Mock,
    /// What was released for somebody else's request
    Release,
    /// The private data of an asset; it comes as a result that is reviewed and released
    #[value(alias = "private_data")]
    PrivateData,
}

impl SightType {
    /// Its name in the REST contract.
    pub(in crate::cli) fn word(self) -> &'static str {
        match self {
            Self::Mock => "mock",
            Self::Release => "release",
            Self::PrivateData => "private_data",
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Wanted {
    /// An asset, by its id or as DATASET/ASSET, or the id of a release
    object: String,
    /// What of it; if left out, an asset's mock, or the release
    #[arg(long)]
    r#type: Option<SightType>,
    /// The project to ask in, by its id or name: for private data
    #[arg(long, required_if_eq("type", "private-data"))]
    project: Option<String>,
    /// Why
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    sign: SignWith,
}

pub(super) fn ask(session: &Session, wanted: &Wanted) -> Result<(), Failure> {
    let client = &session.client;
    let (of_type, id) = match wanted.r#type {
        Some(SightType::Release) => (SightType::Release, wanted.object.clone()),
        Some(of_type) => (of_type, names::asset(client, &wanted.object)?),
        None => guessed(session, &wanted.object)?,
    };
    let project = wanted
        .project
        .as_deref()
        .map(|project| names::project(client, project));
    let asked = Asked {
        of_type: of_type.word(),
        id: &id,
        project: project.transpose()?,
        reason: &wanted.reason,
        predecessor: None,
    };
    make(session, &asked, &wanted.sign)
}

/// Asks to see the same as before.
pub(super) fn again(
    session: &Session,
    before: &Value,
    reason: Option<&str>,
    sign: &SignWith,
) -> Result<(), Failure> {
    if let Some(signer) = sign.signer(session)? {
        // What is asked for is the node's word: it must be what this key has signed.
        let _signed = signer.earlier(before)?;
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let asked = Asked {
        of_type: before["object"]["type"].as_str().unwrap_or_default(),
        id: before["object"]["id"].as_str().unwrap_or_default(),
        project: text(&before["project"]),
        reason: reason.or(before["reason"].as_str()).unwrap_or_default(),
        predecessor: before["id"].as_str(),
    };
    make(session, &asked, sign)
}

/// A request to see something, by ids.
struct Asked<'a> {
    of_type: &'a str,
    id: &'a str,
    project: Option<String>,
    reason: &'a str,
    predecessor: Option<&'a str>,
}

fn make(session: &Session, asked: &Asked<'_>, sign: &SignWith) -> Result<(), Failure> {
    let body = match sign.signer(session)? {
        Some(signer) => signer.new_request_to_see(
            asked.of_type,
            asked.id,
            asked.project.as_deref(),
            asked.reason,
            asked.predecessor,
        )?,
        None => json!({
            "object": {"type": asked.of_type, "id": asked.id}, "project": asked.project, "reason": asked.reason,
            "predecessor": asked.predecessor,
        }),
    };
    let made = session.client.post("/requests", &body)?;
    session.out.show(&made, shown::facts)
}

/// What an id is of: an asset, if the node knows one. A release made for others is none that its node shows.
fn guessed(session: &Session, object: &str) -> Result<(SightType, String), Failure> {
    let id = names::asset(&session.client, object)?;
    match session.client.get(&format!("/assets/{}", part(&id))) {
        Ok(_) => Ok((SightType::Mock, id)),
        Err(failure) if failure.code() == Code::NotFound => Ok((SightType::Release, id)),
        Err(failure) => Err(failure),
    }
}

pub(super) fn list(session: &Session, query: &str, all: bool) -> Result<(), Failure> {
    let requests = session.client.list(&format!("/access-requests{query}"), all)?;
    session.out.show(&requests, table)
}

fn table(requests: &Value) -> String {
    let items = requests["items"].as_array().into_iter().flatten();
    let rows: Vec<_> = items
        .map(|request| {
            vec![
                print::field(request, "id"),
                state_of(request),
                signed(request),
                shown::object_in_short(&request["object"]),
                print::field(&request["object"], "tags"),
                print::field(request, "requester_name"),
                first_line(request["reason"].as_str().unwrap_or_default()),
            ]
        })
        .collect();
    let mut text = print::table(
        &[
            "ID",
            "STATE",
            "SIGNED",
            "ASKS TO SEE",
            "TAGS",
            "REQUESTER",
            "REASON",
        ],
        &rows,
    );
    if !requests["next"].is_null() {
        text.push_str("\n(there is more: use --all)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn officers_see_what_is_asked_for_with_its_tags() {
        let requests = json!({"items": [{
            "id": "r", "reason": "to begin\nwith", "requester_name": "Ada", "status": {"state": "pending"},
            "signed": {"state": "valid", "suspicious": false},
            "object": {"type": "mock", "id": "a", "title": "women", "tags": ["health", "open"]},
        }], "next": null});
        let text = table(&requests);
        assert!(
            text.ends_with("r   pending  valid   mock of women (a)  health, open  Ada        to begin"),
            "{text}"
        );
    }
}
