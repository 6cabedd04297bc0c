//! Decisions on requests: approve or deny, on exactly what was seen.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use super::requests::{decisions, with_homes};
use super::visible::{self, Found};
use super::{Refusal, signatures};
use crate::domain::access::{Actor, Permission};
use crate::domain::audit::{self, Action};
use crate::domain::code::Code;
use crate::domain::decision::{Decision, Verdict};
use crate::domain::hash::Hash;
use crate::domain::id::{CodeId, DecisionId, RequestId};
use crate::domain::notification::Event;
use crate::domain::object::{Body, Object, Revision};
use crate::domain::request::{Request, RequestError};
use crate::store::records::{self, Here};
use crate::store::transaction::Tx;

/// What a reviewer had before them when they decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The request's revision.
    pub revision: Revision,
    /// The hash of its code, which covers the policies.
    pub code_hash: Hash,
    /// The last decision on it.
    pub last_decision: Option<DecisionId>,
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
    let code = visible::code_of(tx, &found.body)?;
    let made = decisions(tx, request)?;
    unchanged(&found, &code.body, made.last(), seen)?;
    if found.body.withdrawn {
        return Err(RequestError::Withdrawn.into());
    }
    write(tx, actor, here, id, &found, verdict, &made)
}

/// Writes a decision on the present revision, with its audit entry and the notification of the requester. The caller has
/// checked the permission. What bears a signature that does not hold is not approved.
pub(super) fn write(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: DecisionId,
    found: &Found<Request>,
    verdict: Verdict,
    made: &[Found<Decision>],
) -> Result<Object, Refusal> {
    if found.body.requester == actor.user {
        return Err(Refusal::conflict(
            "own_request",
            "nobody decides on their own request; ask another reviewer",
        ));
    }
    let code = visible::code_of(tx, &found.body)?;
    if !code.body.hash_is_true() {
        return Err(Refusal::conflict(
            "code_damaged",
            "the code does not have the hash that it is listed under; import it again before you decide",
        ));
    }
    if verdict == Verdict::Approve {
        signatures::refuse_false(tx, found, &code)?;
    }
    let request = RequestId(found.object.id);
    let number = with_homes(made)
        .filter(|(home, _)| *home == here.node)
        .map(|(_, decision)| decision.number)
        .max()
        .unwrap_or(0)
        .saturating_add(1);
    let (action, event) = match verdict {
        Verdict::Approve => (Action::REQUEST_APPROVED, Event::RequestApproved),
        Verdict::Deny { .. } => (Action::REQUEST_DENIED, Event::RequestDenied),
    };
    let decision = Decision {
        request,
        number,
        request_revision: found.object.revision,
        code: CodeId(code.object.id),
        code_hash: code.body.hash,
        assets: code.body.input_policy.assets(),
        verdict,
        by: actor.user,
        by_name: actor.name.clone(),
        on: here.today(),
    };
    let object = records::write(tx, here, id.0, Body::Decision(decision), false)?;
    let subjects = [id.0, request.0];
    let details = [("code_hash", code.body.hash.to_string())];
    records::audit(
        tx,
        here,
        audit::Actor::User(actor.user.0),
        action,
        &subjects,
        &details,
    )?;
    // About the decision, which says why; a later one must not speak for it.
    records::notify(tx, here, event, Some(id.0), Some(found.body.requester))?;
    Ok(object)
}

/// Refuses with the difference if the request, its code or its last decision is not what was seen.
fn unchanged(
    request: &Found<Request>,
    code: &Code,
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
    if seen.code_hash != code.hash {
        told.push("the code is not the code that you have seen".to_owned());
        differs("code_hash", json!(seen.code_hash), json!(code.hash));
    }
    if told.is_empty() {
        return Ok(());
    }
    Err(Refusal::Changed {
        detail: format!("{}; look at the request again, then decide", told.join(", and ")),
        difference: Value::Object(difference),
    })
}

fn done(decision: &Decision) -> String {
    let verb = match decision.verdict {
        Verdict::Approve => "approved",
        Verdict::Deny { .. } => "denied",
    };
    format!("{} has {verb}", decision.by_name)
}
