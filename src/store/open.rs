//! Lists of what may wait for somebody who looks after data: requests that do not rest, and results that were not released.
//! Whoever changes what they follow from puts things in their places again in the same commit; so what an inbox costs follows
//! what is in it, and nothing that is done with can be in the way of what waits.

use uuid::Uuid;

use super::read::Read;
use super::records::{self, milliseconds};
use super::table::TableError;
use super::tables::{NODE, REQUESTS_OPEN, RESULTS_UNRELEASED, RUNS, RUNS_APART};
use super::transaction::Tx;
use crate::domain::id::NodeId;
use crate::domain::job::{Run, State};
use crate::domain::object::{Body, Kind, Object};
use crate::domain::release::Part;
use crate::domain::request::{Request, rests};

/// Puts what an object bears on in its place: a request itself, or the request of a decision, or the result that a release is
/// of.
pub(super) fn place_for(tx: &mut Tx<'_>, object: &Object) -> Result<(), TableError> {
    match &object.body {
        Body::Request(_) => place_request(tx, object.id),
        Body::Decision(decision) => place_request(tx, decision.request.0),
        Body::Release(release) => match tx.get(&RUNS, &release.job.0)? {
            Some(run) => place_result(tx, release.job.0, &run),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Puts a run and its request in their places; to be done after the run was written and listed.
///
/// # Errors
/// The store fails.
pub fn place_run(tx: &mut Tx<'_>, id: Uuid, run: &Run) -> Result<(), TableError> {
    place_result(tx, id, run)?;
    match run.request {
        Some(request) => place_request(tx, request.0),
        None => Ok(()),
    }
}

/// Puts the result of a run in its place.
pub(super) fn place_result(tx: &mut Tx<'_>, id: Uuid, run: &Run) -> Result<(), TableError> {
    let key = result_key(id, run);
    if is_unreleased(tx, id, run)? {
        tx.put(&RESULTS_UNRELEASED, &key, &())
    } else {
        tx.delete(&RESULTS_UNRELEASED, &key)
    }
}

/// Puts a request in its place; one that is not here yet has none.
pub(super) fn place_request(tx: &mut Tx<'_>, id: Uuid) -> Result<(), TableError> {
    let Some(object) = records::shared(tx, id)? else {
        return Ok(());
    };
    let key = request_key(&object);
    if is_open(tx, &object)? {
        tx.put(&REQUESTS_OPEN, &key, &())
    } else {
        tx.delete(&REQUESTS_OPEN, &key)
    }
}

/// Where a result stands that was not released.
pub(super) fn result_key(id: Uuid, run: &Run) -> (u64, Uuid) {
    (milliseconds(run.ended_at.unwrap_or(run.queued_at)), id)
}

/// Where a request stands that does not rest.
pub(super) fn request_key(request: &Object) -> (u64, Uuid) {
    (milliseconds(request.created_at), request.id)
}

/// Whether a run has a result that was not released.
pub(super) fn is_unreleased(read: &impl Read, id: Uuid, run: &Run) -> Result<bool, TableError> {
    if !run.has_private_result() {
        return Ok(false);
    }
    let releases = records::children(read, id, Kind::Release)?;
    let of_the_result =
        |object: &Object| matches!(&object.body, Body::Release(release) if release.part == Part::Result);
    Ok(!releases
        .iter()
        .any(|release| !release.deleted && of_the_result(release)))
}

/// Whether an object is a request that this node can approve and that does not rest.
pub(super) fn is_open(read: &impl Read, object: &Object) -> Result<bool, TableError> {
    let Body::Request(request) = &object.body else {
        return Ok(false);
    };
    let Some(node) = read.get(&NODE, &())?.filter(|_| !object.deleted) else {
        return Ok(false);
    };
    // What another node alone can approve waits there.
    if request.may_be_approved_on(node.side).is_err() {
        return Ok(false);
    }
    let made = records::children(read, object.id, Kind::Decision)?;
    let own = made.iter().filter_map(|made| match &made.body {
        Body::Decision(decision) if made.home == node.id => Some((node.id, decision)),
        _ => None,
    });
    let own: Vec<(NodeId, _)> = own.collect();
    let succeeded = if own.is_empty() {
        0
    } else {
        succeeded(read, object.id, request)?
    };
    Ok(!rests(request, object.revision, own, succeeded))
}

/// How many runs on private data of what a request asks for have succeeded here.
fn succeeded(read: &impl Read, id: Uuid, request: &Request) -> Result<u32, TableError> {
    let mut succeeded = 0;
    read.for_each(&RUNS_APART, &id, |(_, _, run), ()| {
        let run = read.get(&RUNS, &run)?;
        let counts = |run: Run| run.state == State::Succeeded && run.code == request.code();
        succeeded += u32::from(run.is_some_and(counts));
        Ok::<_, TableError>(())
    })?;
    Ok(succeeded)
}
