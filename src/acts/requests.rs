//! Code is submitted, and requests are made, withdrawn, taken up again and looked at.

mod described;
mod review;
mod see;
mod submitted;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeSet;

use super::visible::{self, Found};
use super::{Refusal, keys, listing, signatures};
use crate::domain::access::{Actor, Permission, Viewer};
use crate::domain::audit::{self, Action};
use crate::domain::code::Code;
use crate::domain::id::{AssetId, CodeId, ProjectId, RequestId};
use crate::domain::notification::Event;
use crate::domain::object::{Body, Kind, Object};
use crate::domain::policy::Binding;
use crate::domain::release::Part;
use crate::domain::request::{Request, Sight};
use crate::domain::signature::{Signature, SignatureBytes, Statement};
use crate::domain::text::Invalid;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::transaction::Tx;

pub use described::{Described, described};
pub use review::{Bound, Earlier, Possible, PossibleRuns, Review, approved_before, review};
pub use see::{SightDraft, ask_to_see};
pub use submitted::{Submission, SubmittedCode};
pub use view::{Asked, Filter, Listed, Names, View, list, status_of, view};
pub(super) use view::{decisions, status_for_run, with_homes};
pub(in crate::acts) use view::{last_run, whose};

/// Stores code that has passed the rule for code. It never changes afterwards.
///
/// # Errors
/// The actor may not submit, an asset that the code names is not there for them, the source is too long, or the signature
/// does not hold.
pub fn submit_code(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: CodeId,
    code: SubmittedCode,
) -> Result<Object, Refusal> {
    actor.require(Permission::SubmitRequests)?;
    let (mut code, signature) = code.into_parts();
    check_assets(tx, actor, &code)?;
    code.signature = signatures::supplied(tx, actor, &Statement::of_code(&code), signature.as_ref())?;
    if records::object(tx, id.0)?.is_some() {
        return Err(Refusal::conflict(
            "id_taken",
            "code with this id exists; code never changes",
        ));
    }
    let taken_in = keys::taken_in(tx, here, actor.user)?;
    Ok(records::write(tx, &taken_in, id.0, Body::Code(code), false)?)
}

fn check_assets(read: &impl Read, actor: &Actor, code: &Code) -> Result<(), Refusal> {
    let mut problems = Vec::new();
    for (name, binding) in &code.input_policy.parameters {
        let Binding::Asset(AssetId(asset)) = binding else {
            continue;
        };
        match visible::object(read, actor, Kind::Asset, *asset) {
            Ok(_) => {}
            Err(Refusal::NotFound { .. }) => problems.push(Invalid::new(
                format!("input_policy.{name}"),
                format!("there is no asset {asset}"),
            )),
            Err(other) => return Err(other),
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Refusal::Invalid(problems))
    }
}

/// The code that an actor may see, newest first.
///
/// # Errors
/// The store cannot be read.
pub fn list_code(
    read: &impl Read,
    actor: &Actor,
    before: Option<listing::Place>,
    limit: usize,
) -> Result<listing::Listed, Refusal> {
    let viewer = Viewer::Person(actor.clone());
    listing::page(read, Kind::Code, before, limit, |object| {
        Ok(visible::may_see(read, &viewer, object)?)
    })
}

/// What a scientist asks for.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The project to make the request in.
    pub project: ProjectId,
    /// The code to run.
    pub code: CodeId,
    /// Why.
    pub reason: String,
    /// The request that this one takes up again.
    pub predecessor: Option<RequestId>,
    /// The requester's signature, if they sign. It covers the request's id, which they have made.
    pub signature: Option<SignatureBytes>,
}

/// Makes a request, and tells those who triage.
///
/// # Errors
/// The actor may not submit, is no member of the project, or does not own the code or the predecessor; the project has
/// not been started; the reason is missing; the id is taken; or the signature does not hold.
pub fn create(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: RequestId,
    draft: &Draft,
) -> Result<Object, Refusal> {
    actor.require(Permission::SubmitRequests)?;
    in_project(tx, actor, draft.project)?;
    let code = visible::code(tx, actor, draft.code)?;
    if code.body.author != actor.user {
        return Err(Refusal::conflict(
            "not_the_author",
            "a request names code of your own; submit the code yourself",
        ));
    }
    not_all_given(tx, &code)?;
    takes_up(tx, actor, draft.predecessor, None)?;
    id_is_free(tx, id)?;
    let mut request = Request::new(
        draft.project,
        draft.code,
        actor.user,
        &draft.reason,
        draft.predecessor,
    )?;
    request.signature = signed(tx, actor, (id, 1), &request, draft.signature.as_ref())?;
    let taken_in = keys::taken_in(tx, here, actor.user)?;
    let object = records::write(tx, &taken_in, id.0, Body::Request(request), false)?;
    announce(tx, actor, here, &object, Action::REQUEST_SUBMITTED)?;
    Ok(object)
}

/// Whether the actor can make requests in a project.
fn in_project(read: &impl Read, actor: &Actor, project: ProjectId) -> Result<(), Refusal> {
    let project = visible::project(read, actor, project)?;
    if !project.body.members.contains(&actor.user) {
        return Err(Refusal::conflict(
            "not_a_member",
            "requests are made by members of the project; ask its creator to add you",
        ));
    }
    if !project.body.started {
        return Err(Refusal::conflict(
            "project_not_started",
            "the project has not been started; requests can be made once it has",
        ));
    }
    Ok(())
}

/// Whether the output policy of code leaves a result to ask for: one that was released for any request counts.
fn not_all_given(read: &impl Read, code: &Found<Code>) -> Result<(), Refusal> {
    let (mut runs, mut answered) = (BTreeSet::new(), None);
    for request in records::children(read, code.object.id, Kind::Request)? {
        for release in records::children(read, request.id, Kind::Release)? {
            if let Body::Release(release) = &release.body
                && release.part == Part::Result
                && runs.insert(release.job)
            {
                answered = Some(request.id);
            }
        }
    }
    let given = u32::try_from(runs.len()).unwrap_or(u32::MAX);
    let Some((request, allowed)) = answered.zip(code.body.output_policy.admit(given, 0).err()) else {
        return Ok(());
    };
    Err(Refusal::conflict(
        "runs_used_up",
        format!(
            "the code may run {} time(s), and the last result of it was released for request {request}: read that, or submit \
             the code anew",
            allowed.allowed
        ),
    ))
}

/// Whether a request can take up an earlier one: the requester's own, for a run as it is, or to see the very same. One that
/// travels would wait for ever for one that does not.
fn takes_up(
    read: &impl Read,
    actor: &Actor,
    predecessor: Option<RequestId>,
    sight: Option<Sight>,
) -> Result<(), Refusal> {
    let Some(predecessor) = predecessor else {
        return Ok(());
    };
    let earlier = visible::request(read, actor, predecessor)?;
    if earlier.body.requester != actor.user {
        return Err(not_the_requester("take up"));
    }
    if earlier.body.sight() != sight {
        return Err(Refusal::conflict(
            "asks_for_something_else",
            "the request to take up asks for something else; leave it out",
        ));
    }
    Ok(())
}

/// Whether a request can be made under an id, which a requester who signs has made.
fn id_is_free(read: &impl Read, id: RequestId) -> Result<(), Refusal> {
    if records::object(read, id.0)?.is_some() {
        return Err(Refusal::conflict(
            "id_taken",
            "something with this id exists already; make another id, and sign the request with it",
        ));
    }
    Ok(())
}

/// What the requester supplies as their signature on one revision of a request, once it has been checked.
fn signed(
    read: &impl Read,
    actor: &Actor,
    (id, revision): (RequestId, u64),
    request: &Request,
    signature: Option<&SignatureBytes>,
) -> Result<Option<Signature>, Refusal> {
    let statement = signatures::statement(read, id, revision, request)?;
    signatures::supplied(read, actor, &statement, signature)
}

/// Takes a request back. What has run or was released stays.
///
/// # Errors
/// It is not the actor's, or was taken back before; or the signature does not hold.
pub fn withdraw(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: RequestId,
    signature: Option<&SignatureBytes>,
) -> Result<Object, Refusal> {
    let Found {
        object,
        body: mut request,
    } = own(tx, actor, id, "withdraw")?;
    request.withdraw()?;
    let next = object.revision.number + 1;
    request.signature = signed(tx, actor, (id, next), &request, signature)?;
    let taken_in = keys::taken_in(tx, here, actor.user)?;
    let object = records::write(tx, &taken_in, id.0, Body::Request(request), false)?;
    records::audit(
        tx,
        here,
        audit::Actor::User(actor.user.0),
        Action::REQUEST_WITHDRAWN,
        &[id.0],
        &[],
    )?;
    records::notify(tx, here, Event::RequestWithdrawn, Some(id.0), Some(actor.user))?;
    Ok(object)
}

/// Asks for one more run of an approved request. This is a new revision: it needs a new decision.
///
/// # Errors
/// The request is not the actor's or not approved, or its output policy allows no further run; or the signature does not
/// hold.
pub fn want_another_run(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: RequestId,
    signature: Option<&SignatureBytes>,
) -> Result<Object, Refusal> {
    let found = own(tx, actor, id, "ask for another run of")?;
    let status = status_of(tx, here.now, &found)?;
    let code = visible::code_of(tx, &found.body)?;
    let mut request = found.body;
    request.want_another_run(&status, code.body.output_policy)?;
    let next = found.object.revision.number + 1;
    request.signature = signed(tx, actor, (id, next), &request, signature)?;
    let taken_in = keys::taken_in(tx, here, actor.user)?;
    let object = records::write(tx, &taken_in, id.0, Body::Request(request), false)?;
    announce(tx, actor, here, &object, Action::REQUEST_RENEWED)?;
    Ok(object)
}

fn own(read: &impl Read, actor: &Actor, id: RequestId, act: &str) -> Result<Found<Request>, Refusal> {
    let found = visible::request(read, actor, id)?;
    if found.body.requester == actor.user {
        Ok(found)
    } else {
        Err(not_the_requester(act))
    }
}

fn not_the_requester(act: &str) -> Refusal {
    Refusal::conflict(
        "not_the_requester",
        format!("only the person who made a request can {act} it"),
    )
}

/// Tells those who triage that a request waits for them.
fn announce(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    request: &Object,
    action: Action,
) -> Result<(), Refusal> {
    let by = audit::Actor::User(actor.user.0);
    records::audit(tx, here, by, action, &[request.id], &[])?;
    records::notify(
        tx,
        here,
        Event::RequestSubmitted,
        Some(request.id),
        Some(actor.user),
    )?;
    Ok(())
}
