//! Releases: the explicit, audited act that lets one result, log or failure report leave.

mod call;
mod candidates;
#[cfg(test)]
mod tests;

use serde_json::json;
use uuid::Uuid;

use super::requests::{decisions, status_for_run, with_homes};
use super::visible::{self, Found};
use super::{Refusal, decisions as deciding, runs};
use crate::domain::access::{Actor, Permission};
use crate::domain::audit::{self, Action};
use crate::domain::decision::{Decision, Verdict};
use crate::domain::hash::Hash;
use crate::domain::id::{DecisionId, JobId, ReleaseId, RequestId};
use crate::domain::job::{Data, Product, Run, State};
use crate::domain::notification::Event;
use crate::domain::object::{Body, Kind, Object, Revision};
use crate::domain::release::{Part, Release};
use crate::domain::request::{Request, Status};
use crate::store::blobs::Blob;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{HISTORY, PEERS};
use crate::store::transaction::Tx;

pub use call::{Answer, NoResult, call};
pub use candidates::{Candidate, candidates};

/// What shall be released: one part of one run, by the hash of the exact bytes that were reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The run.
    pub job: JobId,
    /// The part.
    pub part: Part,
    /// What the reviewer saw.
    pub hash: Hash,
}

/// The ids of what a release writes.
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    /// Of the release.
    pub release: ReleaseId,
    /// Of the decision that a first released result makes.
    pub decision: DecisionId,
}

/// Whether a request can be answered.
///
/// # Errors
/// It was denied or withdrawn.
pub(super) fn may_answer(status: &Status) -> Result<(), Refusal> {
    match status {
        Status::Pending | Status::Approved => Ok(()),
        Status::Expired => Err(Refusal::conflict(
            "expired",
            "the approval of the request has expired; decide again before anything of it is released",
        )),
        Status::Denied { reason } => Err(Refusal::conflict(
            "denied",
            format!("the request was denied ({reason}); approve it before anything of it is released"),
        )),
        Status::Withdrawn => Err(Refusal::conflict(
            "withdrawn",
            "the request was withdrawn by its requester; nothing of it is released",
        )),
    }
}

/// Says whether what runs left behind answers requests of one peer: what another's request asks for goes to that one alone, and
/// whoever releases it for a bundle to this one has the wrong run, or the wrong peer.
///
/// # Errors
/// One of them answers another's request; or there is none that the actor may see.
pub fn answer_peer(read: &impl Read, actor: &Actor, jobs: &[JobId], peer: Uuid) -> Result<(), Refusal> {
    for job in jobs {
        let Some(request) = runs::get(read, actor, *job)?.request else {
            continue;
        };
        let home = records::object(read, request.0)?.map(|object| object.home.0);
        if let Some(home) = home.filter(|home| *home != peer) {
            let whose = match read.get(&PEERS, &home)? {
                Some(other) => other.name,
                None => "this node itself".to_owned(),
            };
            let detail = format!("run {job} answers a request of {whose}; nothing was released");
            return Err(Refusal::conflict("release_for_another", detail));
        }
    }
    Ok(())
}

/// Says whether something may be released, before a byte of it is copied.
///
/// # Errors
/// As [`release`].
pub fn check(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    wanted: &Wanted,
) -> Result<(Found<Request>, Product), Refusal> {
    actor.require(Permission::Release)?;
    if !here.side.holds_private_data() {
        return Err(Refusal::conflict(
            "wrong_side",
            "results are released on the high side",
        ));
    }
    let run = runs::get(read, actor, wanted.job)?;
    let request = match run.request.filter(|_| run.data == Data::Private) {
        Some(request) => visible::request(read, actor, request)?,
        None => {
            return Err(Refusal::conflict(
                "mock_run",
                "a run on mocks has nothing to release: it answers no request",
            ));
        }
    };
    if run.state == State::SetAside {
        return Err(Refusal::conflict(
            "set_aside",
            "the result of this run was set aside; run the code again, and release what that returns",
        ));
    }
    if run.state == State::Interrupted {
        // Its job would tell that the code has failed.
        return Err(Refusal::conflict(
            "interrupted",
            "the node broke this run off, or could not carry it out: nothing that it left tells of the code; run the code again, and \
             release what that leaves",
        ));
    }
    let product = match run.product(wanted.part) {
        Some(product) if run.state.is_over() => product.clone(),
        _ => {
            return Err(Refusal::NotFound {
                what: wanted.part.word(),
                id: format!("of run {}", wanted.job),
            });
        }
    };
    if product.hash != wanted.hash {
        return Err(changed(wanted, product.hash));
    }
    may_answer(&status_for_run(read, here.now, &request, &run)?)?;
    if let Some(earlier) = released(read, wanted.job, wanted.part)? {
        return Err(Refusal::conflict(
            "released_already",
            format!(
                "the {} of this run was released already, as {}",
                wanted.part.word(),
                earlier.id
            ),
        ));
    }
    Ok((request, product))
}

/// The bytes are not those that were reviewed.
pub fn changed(wanted: &Wanted, now: Hash) -> Refusal {
    Refusal::Changed {
        detail: format!(
            "the {} is not the one that was reviewed; look at it again before you release it",
            wanted.part.word()
        ),
        difference: json!({ "hash": { "seen": wanted.hash, "now": now } }),
    }
}

pub(super) fn released(read: &impl Read, job: JobId, part: Part) -> Result<Option<Object>, Refusal> {
    let releases = records::children(read, job.0, Kind::Release)?;
    Ok(releases.into_iter().find(
        |object| matches!(&object.body, Body::Release(release) if release.part == part && !object.deleted),
    ))
}

/// The revision of a request that a run answers, if this node has decided nothing on it. Of a run that does not say which, it is
/// the present one, unless this node has ever approved any.
fn undecided(
    read: &impl Read,
    here: &Here,
    request: &Found<Request>,
    run: &Run,
    made: &[Found<Decision>],
) -> Result<Option<Found<Request>>, Refusal> {
    let mut own = with_homes(made).filter(|(home, _)| *home == here.node);
    let asked = match run.request_revision {
        Some(revision) if revision != request.object.revision => earlier(read, request, revision)?,
        revision => revision.map(|_| request.clone()),
    };
    let Some(asked) = asked else {
        let approved_once = own.any(|(_, decision)| decision.verdict == Verdict::Approve);
        return Ok((!approved_once).then(|| request.clone()));
    };
    let decided = own.any(|(_, decision)| decision.request_revision == asked.object.revision);
    Ok((!decided).then_some(asked))
}

/// An earlier revision of a request.
fn earlier(
    read: &impl Read,
    request: &Found<Request>,
    revision: Revision,
) -> Result<Option<Found<Request>>, Refusal> {
    let history = read.range_prefix(&HISTORY, &request.object.id, None, usize::MAX)?;
    let found = history
        .into_iter()
        .find(|(_, earlier)| earlier.revision == revision);
    Ok(found.and_then(|(_, object)| match object.body.clone() {
        Body::Request(body) => Some(Found { object, body }),
        _ => None,
    }))
}

/// Releases what has been copied into `blob`. A result approves the revision of the request that it answers, if this node has decided
/// nothing on that.
/// All in one commit; a crash before it leaves a blob that nothing names.
///
/// Its caller is the triage actor, which copies the private bytes into the blob while it checks their hash: together they
/// are the only way in the program from private bytes to open ones.
///
/// # Errors
/// The actor may not release, the run has no such part, it was released before, the request was denied or withdrawn, or the
/// bytes are not those that were reviewed.
pub fn release(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    ids: Ids,
    wanted: &Wanted,
    blob: Blob,
) -> Result<Object, Refusal> {
    let (request, product) = check(tx, actor, here, wanted)?;
    if blob.hash != product.hash || blob.len != product.length {
        return Err(changed(wanted, product.hash));
    }
    let request_id = RequestId(request.object.id);
    let made = decisions(tx, request_id)?;
    if wanted.part == Part::Result
        && let Some(asked) = undecided(tx, here, &request, &runs::get(tx, actor, wanted.job)?, &made)?
    {
        let by = deciding::By::Person(actor);
        deciding::write(tx, by, here, ids.decision, &asked, Verdict::Approve, &made)?;
    }
    runs::tell_of_released(tx, here, wanted.job)?;
    let release = Release {
        job: wanted.job,
        request: request_id,
        part: wanted.part,
        blob: blob.hash,
        length: blob.len,
        format: product.format,
        by_name: actor.name.clone(),
        on: here.today(),
    };
    let object = records::write(tx, here, ids.release.0, Body::Release(release), false)?;
    let subjects: [Uuid; 3] = [ids.release.0, wanted.job.0, request_id.0];
    let details = [("part", wanted.part.word().to_owned())];
    let by = audit::Actor::User(actor.user.0);
    records::audit(tx, here, by, Action::RELEASED, &subjects, &details)?;
    let (told, about) = match wanted.part {
        Part::Result => (Event::ResultReady, ids.release.0),
        Part::FailureReport if here.side.takes_scientists() => (Event::RunFailed, wanted.job.0),
        Part::FailureReport | Part::Log => (Event::ReportReady, ids.release.0),
    };
    records::notify(tx, here, told, Some(about), Some(request.body.requester))?;
    Ok(object)
}
