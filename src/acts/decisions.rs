//! Decisions on requests: approve or deny, on exactly what was seen.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::requests::{decisions, with_homes};
use super::visible::{self, Found};
use super::{Refusal, runs, signatures};
use crate::domain::access::{Actor, Permission};
use crate::domain::audit::{self, Action};
use crate::domain::decision::{About, Decision, Maker, Verdict};
use crate::domain::hash::Hash;
use crate::domain::id::{CodeId, DecisionId, RequestId, RuleId};
use crate::domain::notification::Event;
use crate::domain::object::{Body, Object, Revision};
use crate::domain::request::{Request, RequestError};
use crate::domain::side::Side;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::transaction::Tx;

/// What a reviewer had before them when they decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The request's revision.
    pub revision: Revision,
    /// What it asks for, as it was shown.
    pub shown: Shown,
    /// The last decision on it.
    pub last_decision: Option<DecisionId>,
}

/// What a request asks for, as a reviewer saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The hash of its code, which covers the policies.
    Code(Hash),
    /// The revision of the object to see; none if it is not here.
    Object(Option<Revision>),
}

/// Decides on a request, and tells its requester.
///
/// # Errors
/// The actor may not triage or made the request themselves, it was withdrawn, or something has changed since it was
/// seen: then the difference is told, above all what another reviewer has decided.
pub fn decide(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: DecisionId,
    request: RequestId,
    verdict: Verdict,
    seen: &Seen,
) -> Result<Object, Refusal> {
    actor.require(Permission::TriageRequests)?;
    let found = visible::request(tx, actor, request)?;
    let about = about(tx, &found.body)?;
    let made = decisions(tx, request)?;
    unchanged(&found, &about, made.last(), seen)?;
    if found.body.withdrawn {
        return Err(RequestError::Withdrawn.into());
    }
    if verdict == Verdict::Approve {
        may_ever_run(tx, &found)?;
    }
    write(tx, By::Person(actor), here, id, &found, verdict, &made)
}

/// Whether the code of a request, where it names any, can run at all: otherwise it would be approved, and never run.
///
/// # Errors
/// Data that it receives was deleted, or all runs that its output policy allows took place for other requests.
pub fn may_ever_run(read: &impl Read, request: &Found<Request>) -> Result<(), Refusal> {
    if request.body.sight().is_some() {
        return Ok(());
    }
    let code = visible::code_of(read, &request.body)?;
    for asset in code.body.input_policy.assets() {
        if records::object(read, asset.0)?.is_some_and(|object| object.deleted) {
            let detail = format!(
                "the asset {asset} that the code receives was deleted, so it can never run; deny the request, and say so"
            );
            return Err(Refusal::conflict("no_asset", detail));
        }
    }
    runs::others_left_a_run(read, RequestId(request.object.id), &code)
}

/// Whether an actor may deny a request as it is now.
///
/// # Errors
/// They may not triage or made the request themselves, or it was withdrawn.
pub fn may_deny(actor: &Actor, request: &Request) -> Result<(), Refusal> {
    actor.require(Permission::TriageRequests)?;
    if request.withdrawn {
        return Err(RequestError::Withdrawn.into());
    }
    if request.requester == actor.user {
        return Err(own_request());
    }
    Ok(())
}

/// Whether an actor may approve a request on a node of this side as it is now.
///
/// # Errors
/// As [`may_deny`], and where the node does not hold the private data that is asked for.
pub fn may_approve(actor: &Actor, side: Side, request: &Request) -> Result<(), Refusal> {
    may_deny(actor, request)?;
    Ok(request.may_be_approved_on(side)?)
}

fn own_request() -> Refusal {
    Refusal::conflict(
        "own_request",
        "nobody decides on their own request; ask another reviewer",
    )
}

/// What a decision on a request would be on now.
fn about(read: &impl Read, request: &Request) -> Result<About, Refusal> {
    if let Some(sight) = request.sight() {
        let object = records::object(read, sight.object())?.filter(|object| !object.deleted);
        return Ok(About::Sight {
            sight,
            revision: object.map(|object| object.revision),
        });
    }
    let code = visible::code_of(read, request)?;
    if !code.body.hash_is_true() {
        return Err(Refusal::conflict(
            "code_damaged",
            "the code does not have the hash that it is listed under; import it again before you decide",
        ));
    }
    Ok(About::Code {
        code: CodeId(code.object.id),
        hash: code.body.hash,
        assets: code.body.input_policy.assets(),
    })
}

/// Who decides.
#[derive(Clone, Copy, Debug)]
pub(super) enum By<'a> {
    /// A person. That they may was checked.
    Person(&'a Actor),
    /// A rule of this node's, which may bound what it grants.
    Rule(RuleId, &'a str, Option<Timestamp>),
}

impl By<'_> {
    fn maker(&self) -> (Maker, String, Option<Timestamp>) {
        match self {
            Self::Person(actor) => (Maker::Person(actor.user), actor.name.clone(), None),
            Self::Rule(id, name, until) => (Maker::Rule(*id), (*name).to_owned(), *until),
        }
    }
}

/// Writes a decision on the present revision, with its audit entry and the notification of the requester. What bears a
/// signature that does not hold is not approved.
///
/// # Errors
/// A person decides on their own request, or approves what is not here, is not this node's to approve, or was not signed as it is.
pub(super) fn write(
    tx: &mut Tx<'_>,
    by: By<'_>,
    here: &Here,
    id: DecisionId,
    found: &Found<Request>,
    verdict: Verdict,
    made: &[Found<Decision>],
) -> Result<Object, Refusal> {
    let (maker, by_name, until) = by.maker();
    if maker == Maker::Person(found.body.requester) {
        return Err(own_request());
    }
    let about = about(tx, &found.body)?;
    if let About::Sight {
        sight,
        revision: None,
    } = &about
        && verdict == Verdict::Approve
    {
        let what = sight.kind().word().replace('_', " ");
        let detail = format!(
            "the object whose {what} is asked for, {}, is not here; the request can only be denied",
            sight.object()
        );
        return Err(Refusal::conflict("not_here", detail));
    }
    if verdict == Verdict::Approve {
        found.body.may_be_approved_on(here.side)?;
        signatures::refuse_false(tx, found)?;
    }
    let request = RequestId(found.object.id);
    let number = with_homes(made)
        .filter(|(home, _)| *home == here.node)
        .map(|(_, decision)| decision.number)
        .max()
        .unwrap_or(0)
        .saturating_add(1);
    let event = match verdict {
        Verdict::Approve => Event::RequestApproved,
        Verdict::Deny { .. } => Event::RequestDenied,
    };
    let decision = Decision {
        request,
        number,
        request_revision: found.object.revision,
        about,
        until: until.filter(|_| verdict == Verdict::Approve),
        verdict,
        by: maker,
        by_name,
        on: here.today(),
    };
    let object = records::write(tx, here, id.0, Body::Decision(decision.clone()), false)?;
    audit(tx, here, id, &decision)?;
    // About the decision, which says why; a later one must not speak for it.
    records::notify(tx, here, event, Some(id.0), Some(found.body.requester))?;
    Ok(object)
}

fn audit(tx: &mut Tx<'_>, here: &Here, id: DecisionId, decision: &Decision) -> Result<(), Refusal> {
    let action = match decision.verdict {
        Verdict::Approve => Action::REQUEST_APPROVED,
        Verdict::Deny { .. } => Action::REQUEST_DENIED,
    };
    let mut subjects: Vec<Uuid> = vec![id.0, decision.request.0];
    let mut details = Vec::new();
    match &decision.about {
        About::Code { hash, .. } => details.push(("code_hash", hash.to_string())),
        About::Sight { sight, .. } => {
            subjects.push(sight.object());
            details.push(("see", sight.kind().word().to_owned()));
        }
    }
    let actor = match decision.by {
        Maker::Person(person) => audit::Actor::User(person.0),
        Maker::Rule(rule) => {
            subjects.push(rule.0);
            details.push(("rule", rule.to_string()));
            details.push(("rule_name", decision.by_name.clone()));
            audit::Actor::Node
        }
    };
    if let Some(until) = decision.until {
        details.push(("until", until.to_string()));
    }
    Ok(records::audit(tx, here, actor, action, &subjects, &details)?)
}

/// Refuses with the difference if the request, what it asks for or its last decision is not what was seen.
fn unchanged(
    request: &Found<Request>,
    about: &About,
    last: Option<&Found<Decision>>,
    seen: &Seen,
) -> Result<(), Refusal> {
    let (mut told, mut difference) = (Vec::new(), Map::new());
    let mut differs = |what: &str, seen: Value, now: Value| {
        difference.insert(what.to_owned(), json!({ "seen": seen, "now": now }));
    };
    if seen.last_decision.map(|id| id.0) != last.map(|found| found.object.id) {
        let now = match last {
            Some(found) => {
                told.push(format!("{} the request on {}", done(&found.body), found.body.on));
                json!({
                    "id": found.object.id,
                    "verdict": found.body.verdict,
                    "by": found.body.by_name,
                    "on": found.body.on,
                })
            }
            None => {
                told.push("the decision that you have seen is not here".to_owned());
                Value::Null
            }
        };
        differs("last_decision", json!(seen.last_decision), now);
    }
    if seen.revision != request.object.revision {
        told.push(format!(
            "the request is at revision {} now",
            request.object.revision.number
        ));
        differs("revision", json!(seen.revision), json!(request.object.revision));
    }
    match (about, seen.shown) {
        (About::Code { hash, .. }, Shown::Code(seen)) if *hash == seen => {}
        (About::Code { hash, .. }, shown) => {
            told.push("the code is not the code that you have seen".to_owned());
            differs("code_hash", shown.as_seen(), json!(hash));
        }
        (About::Sight { revision, .. }, Shown::Object(seen)) if *revision == seen => {}
        (About::Sight { revision, .. }, shown) => {
            told.push("the object is not as you have seen it".to_owned());
            differs("object_revision", shown.as_seen(), json!(revision));
        }
    }
    if told.is_empty() {
        return Ok(());
    }
    Err(Refusal::Changed {
        detail: format!("{}; look at the request again, then decide", told.join(", and ")),
        difference: Value::Object(difference),
    })
}

impl Shown {
    fn as_seen(self) -> Value {
        match self {
            Self::Code(hash) => json!(hash),
            Self::Object(revision) => json!(revision),
        }
    }
}

fn done(decision: &Decision) -> String {
    let verb = match decision.verdict {
        Verdict::Approve => "approved",
        Verdict::Deny { .. } => "denied",
    };
    format!("{} has {verb}", decision.by_name)
}
