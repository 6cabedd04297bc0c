//! Requests to see one object: made, and, where a rule of the node fits, decided at once.

#[cfg(test)]
mod tests;

use super::described::{present, tags};
use super::{announce, id_is_free, in_project, signed, takes_up};
use crate::acts::visible::{self, Found};
use crate::acts::{Refusal, access_rules, assets, grants, keys};
use crate::domain::access::{Actor, Permission, Viewer};
use crate::domain::access_rule::Asked;
use crate::domain::audit::{self, Action};
use crate::domain::id::{DecisionId, ProjectId, RequestId};
use crate::domain::object::{Body, Kind, Object};
use crate::domain::request::{Open, Request, Sight, Status, Subject};
use crate::domain::signature::SignatureBytes;
use crate::domain::text::Invalid;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::ASKED_TO_SEE;
use crate::store::transaction::Tx;

/// What somebody asks to see.
#[derive(Clone, Debug)]
pub struct SightDraft {
    /// What.
    pub sight: Sight,
    /// The project to ask in: for private data, since that request travels; for nothing else.
    pub project: Option<ProjectId>,
    /// Why.
    pub reason: String,
    /// The request that this one takes up again.
    pub predecessor: Option<RequestId>,
    /// The requester's signature, if they sign. It covers the request's id, which they have made.
    pub signature: Option<SignatureBytes>,
}

impl SightDraft {
    fn subject(&self) -> Result<Subject, Invalid> {
        match (self.sight, self.project) {
            (Sight::PrivateData(asset), Some(project)) => Ok(Subject::SeePrivate { project, asset }),
            (Sight::PrivateData(_), None) => Err(Invalid::new(
                "project",
                "private data is asked for in a project: name one that has been started",
            )),
            (Sight::Mock(_) | Sight::Release(_), Some(_)) => Err(Invalid::new(
                "project",
                "what is open already is asked for outside projects; leave it out",
            )),
            (Sight::Mock(asset), None) => Ok(Subject::SeeOpen(Open::Mock(asset))),
            (Sight::Release(release), None) => Ok(Subject::SeeOpen(Open::Release(release))),
        }
    }
}

/// Asks to see one object. If a rule of this node fits, it decides in the same commit; else those who triage are told.
///
/// # Errors
/// The actor may not submit; there is no such object; they may see it without asking; they have asked for it already and
/// were not refused; the signature does not hold; or, for private data, see [`super::create`].
pub fn ask_to_see(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    (id, decision): (RequestId, DecisionId),
    draft: &SightDraft,
) -> Result<Object, Refusal> {
    actor.require(Permission::SubmitRequests)?;
    let subject = draft.subject()?;
    may_ask(tx, actor, here, subject)?;
    takes_up(tx, actor, draft.predecessor, Some(draft.sight))?;
    asked_for_once(tx, actor, here, draft.sight)?;
    id_is_free(tx, id)?;
    let mut body = Request::of(subject, actor.user, &draft.reason, draft.predecessor)?;
    body.signature = signed(tx, actor, (id, 1), &body, draft.signature.as_ref())?;
    let taken_in = keys::taken_in(tx, here, actor.user)?;
    let object = records::write(tx, &taken_in, id.0, Body::Request(body.clone()), false)?;
    let (sight, kind) = (draft.sight.object(), draft.sight.kind());
    tx.put(&ASKED_TO_SEE, &(actor.user.0, sight, kind as u8, id.0), &())?;
    let found = Found { object, body };
    let tags = tags(tx, draft.sight)?;
    let asked = Asked {
        sight: draft.sight,
        requester: actor.user,
        tags: &tags,
    };
    match access_rules::ruling(tx, here, &asked)? {
        None => announce(tx, actor, here, &found.object, Action::REQUEST_SUBMITTED)?,
        Some(ruling) => {
            let by = audit::Actor::User(actor.user.0);
            records::audit(tx, here, by, Action::REQUEST_SUBMITTED, &[id.0, sight], &[])?;
            access_rules::decide(tx, here, decision, &found, ruling)?;
        }
    }
    Ok(found.object)
}

/// Whether there is something to ask for, as far as the actor may know.
fn may_ask(read: &impl Read, actor: &Actor, here: &Here, subject: Subject) -> Result<(), Refusal> {
    match subject {
        Subject::Run { .. } => Ok(()),
        Subject::SeePrivate { project, asset } => {
            in_project(read, actor, project)?;
            visible::object(read, actor, Kind::Asset, asset.0).map(drop)
        }
        Subject::SeeOpen(Open::Mock(id)) => {
            let viewer = Viewer::Person(actor.clone());
            let (asset, _) = assets::mock(read, &viewer, id)?;
            match grants::may_have_mock(read, &viewer, here.now, id, &asset) {
                Ok(()) => Err(open_already("the mock is open to you")),
                Err(Refusal::Conflict { .. }) => Ok(()),
                Err(other) => Err(other),
            }
        }
        Subject::SeeOpen(Open::Release(id)) => match grants::release(read, actor, here.now, id) {
            Ok(_) => Err(open_already("the release is open to you")),
            // Who knows the id was told it: whether there is such a release is all that they learn.
            Err(Refusal::NotFound { .. }) if present(read, Sight::Release(id))?.is_some() => Ok(()),
            Err(other) => Err(other),
        },
    }
}

fn open_already(what: &str) -> Refusal {
    Refusal::conflict("open_already", format!("{what}; download it without asking"))
}

/// One request at a time per person and thing: until it is denied, taken back, or over.
fn asked_for_once(read: &impl Read, actor: &Actor, here: &Here, sight: Sight) -> Result<(), Refusal> {
    let asked = grants::asked(read, actor.user, sight, here.now)?;
    match asked
        .iter()
        .find(|(_, status)| matches!(status, Status::Pending | Status::Approved))
    {
        None => Ok(()),
        Some((earlier, status)) => Err(Refusal::conflict(
            "asked_already",
            format!(
                "you have asked for this already, in request {earlier}, which is {}; withdraw it before you ask anew",
                status.word()
            ),
        )),
    }
}
