//! Whether a run may take place.

use jiff::Timestamp;

use crate::acts::requests::{decisions, with_homes};
use crate::acts::visible::{self, Found};
use crate::acts::{Refusal, accounts, grants, releases};
use crate::domain::access::{Actor, Permission, Viewer};
use crate::domain::asset::Asset;
use crate::domain::code::Code;
use crate::domain::id::{AssetId, JobId, RequestId, UserId};
use crate::domain::job::{Data, Run, State};
use crate::domain::object::{Body, Kind};
use crate::domain::release::Part;
use crate::domain::request::{Approval, Present, Request, authorise};
use crate::store::read::Read;
use crate::store::records::{self, Here, RecordError};
use crate::store::tables::{PRIVATE_DATA, RUNS, RUNS_OF, RUNS_OPEN, SETTINGS};

/// The most runs that wait or are under way on a node.
pub const OPEN_MAX: usize = 1_000;
/// The most of them that one scientist has.
pub const OPEN_PER_SCIENTIST: usize = 5;

/// Those who triage may; a scientist may run what is theirs, where the owner allows it.
pub(super) fn may_run_on_mocks(read: &impl Read, actor: &Actor, theirs: UserId) -> Result<(), Refusal> {
    if actor.may(Permission::TriageRequests) {
        return Ok(());
    }
    let settings = read.get(&SETTINGS, &())?.ok_or(RecordError::NoNode)?;
    if actor.user == theirs && settings.allow_mock_runs {
        return Ok(());
    }
    Err(Refusal::conflict(
        "mock_runs_not_allowed",
        "the owner of this node does not let scientists run code on mock data; ask them to switch it on",
    ))
}

/// Whether somebody who does not triage may see every asset that the code names: they could when they submitted it, and a
/// dataset may have been restricted since.
pub(super) fn inputs_are_visible(read: &impl Read, actor: &Actor, code: &Code) -> Result<(), Refusal> {
    if actor.may(Permission::TriageRequests) {
        return Ok(());
    }
    for asset in code.input_policy.assets() {
        visible::object(read, actor, Kind::Asset, asset.0)?;
    }
    Ok(())
}

pub(super) fn may_run_on_private_data(actor: &Actor, here: &Here) -> Result<(), Refusal> {
    actor.require(Permission::TriageRequests)?;
    if here.side.holds_private_data() {
        Ok(())
    } else {
        Err(wrong_side())
    }
}

pub(super) fn wrong_side() -> Refusal {
    Refusal::conflict(
        "wrong_side",
        "this is done on the high side: only that holds private data",
    )
}

/// The approval by this very node of this revision, with the code or the asset as it is now.
pub(super) fn approved(
    read: &impl Read,
    here: &Here,
    request: &Found<Request>,
    present: Present<'_>,
) -> Result<Approval, Refusal> {
    let made = decisions(read, RequestId(request.object.id))?;
    Ok(authorise(
        here.node,
        &request.object,
        &request.body,
        present,
        with_homes(&made),
        here.now,
    )?)
}

/// Whether whoever starts a run on mocks may have every mock that the code names.
pub(super) fn may_have_mocks(
    read: &impl Read,
    actor: &Actor,
    now: Timestamp,
    code: &Code,
) -> Result<(), Refusal> {
    let viewer = Viewer::Person(actor.clone());
    each_asset(read, code, |id, asset| {
        grants::may_have_mock(read, &viewer, now, id, asset)
    })
}

/// Whether whoever has started a run that is about to begin may still have every mock that the code names.
pub(super) fn still_has_mocks(
    read: &impl Read,
    user: UserId,
    now: Timestamp,
    code: &Code,
) -> Result<(), Refusal> {
    if uploads_or_triages(read, user)? {
        return Ok(());
    }
    each_asset(read, code, |id, asset| {
        grants::was_given_mock(read, Some(user), now, id, asset)
    })
}

fn each_asset(
    read: &impl Read,
    code: &Code,
    check: impl Fn(AssetId, &Asset) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    for id in code.input_policy.assets() {
        if let Some(Body::Asset(asset)) = records::object(read, id.0)?.map(|object| object.body) {
            check(id, &asset)?;
        }
    }
    Ok(())
}

/// Whether a person may have mocks whoever's they are, as their account is now.
fn uploads_or_triages(read: &impl Read, user: UserId) -> Result<bool, Refusal> {
    let account = accounts::person(read, user)?.and_then(|person| person.account);
    Ok(account.is_some_and(|account| {
        let permissions = &account.role.1.permissions;
        account.active
            && (permissions.contains(&Permission::UploadData)
                || permissions.contains(&Permission::TriageRequests))
    }))
}

/// Whether one more run fits: the output policy bounds the runs of the code, the requester those of the request. Runs
/// that wait or are under way count, and transactions are serialised: two at once cannot pass the limit together.
pub(super) fn within_policy(
    read: &impl Read,
    id: RequestId,
    request: &Request,
    code: &Found<Code>,
) -> Result<(), Refusal> {
    let [theirs, others] = used_up(read, id, code)?;
    let (succeeded, under_way) = (
        theirs.succeeded + others.succeeded,
        theirs.under_way + others.under_way,
    );
    code.body.output_policy.admit(succeeded, under_way)?;
    let runs_wanted = request.runs_wanted().unwrap_or(0);
    let for_request = theirs.succeeded + theirs.under_way;
    if for_request >= runs_wanted {
        return Err(Refusal::conflict(
            "runs_used_up",
            format!(
                "the requester has asked for {runs_wanted} successful run(s), and {for_request} took place or are under \
                 way; a further run is theirs to ask for"
            ),
        ));
    }
    Ok(())
}

/// Whether other requests have left a run for this one.
///
/// # Errors
/// All that the output policy allows took place for others: this request can never run.
pub(in crate::acts) fn others_left_a_run(
    read: &impl Read,
    id: RequestId,
    code: &Found<Code>,
) -> Result<(), Refusal> {
    let [_, others] = used_up(read, id, code)?;
    Ok(code.body.output_policy.admit(others.succeeded, 0)?)
}

/// How many runs of a code count against its policy.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    succeeded: u32,
    under_way: u32,
}

/// What a request has used up of its code's runs, and what others have.
fn used_up(read: &impl Read, id: RequestId, code: &Found<Code>) -> Result<[Used; 2], Refusal> {
    let [mut theirs, mut others] = [Used::default(); 2];
    read.for_each(&RUNS_OF, &code.object.id, |(_, _, run), ()| {
        let job = JobId(run);
        if let Some(run) = read.get(&RUNS, &job.0)?
            && counts(&run)
            && !is_for_nobody(read, job, &run)?
        {
            let used = if run.request == Some(id) {
                &mut theirs
            } else {
                &mut others
            };
            *if run.state.is_over() {
                &mut used.succeeded
            } else {
                &mut used.under_way
            } += 1;
        }
        Ok::<_, Refusal>(())
    })?;
    Ok([theirs, others])
}

/// Whether a run uses up one of those that a policy allows.
fn counts(run: &Run) -> bool {
    run.data == Data::Private && (run.state == State::Succeeded || !run.state.is_over())
}

/// Whether the result of a run that is over went to nobody, and never will: its request was withdrawn before it was released.
fn is_for_nobody(read: &impl Read, id: JobId, run: &Run) -> Result<bool, Refusal> {
    let Some(request) = run.request.filter(|_| run.state.is_over()) else {
        return Ok(false);
    };
    let withdrawn = records::object(read, request.0)?
        .is_some_and(|object| matches!(&object.body, Body::Request(request) if request.withdrawn));
    Ok(withdrawn && releases::released(read, id, Part::Result)?.is_none())
}

/// Whether every asset that the code names has the data that the run needs.
pub(super) fn inputs_are_here(read: &impl Read, code: &Code, data: Data) -> Result<(), Refusal> {
    for asset in code.input_policy.assets() {
        let object = records::object(read, asset.0)?.filter(|object| !object.deleted);
        let Some(Body::Asset(body)) = object.map(|object| object.body) else {
            return Err(Refusal::conflict(
                "no_asset",
                format!("the asset {asset} that the code names is not here, or was deleted"),
            ));
        };
        match data {
            Data::Mock if body.mock.is_none() => {
                return Err(Refusal::conflict(
                    "no_mock",
                    format!("the asset {} ({asset}) has no mock", body.name),
                ));
            }
            Data::Private if !read.contains(&PRIVATE_DATA, &asset.0)? => {
                return Err(Refusal::conflict(
                    "no_private_data",
                    format!("the asset {} ({asset}) has no private data attached", body.name),
                ));
            }
            Data::Mock | Data::Private => {}
        }
    }
    Ok(())
}

/// Refuses where a run on an asset's private data waits or goes on.
///
/// # Errors
/// There is one.
pub(in crate::acts) fn none_needs(read: &impl Read, asset: AssetId) -> Result<(), Refusal> {
    for ((_, id), ()) in read.range_from(&RUNS_OPEN, None, OPEN_MAX)? {
        let run = read.get(&RUNS, &id)?.filter(|run| run.data == Data::Private);
        let Some(code) = run.and_then(|run| run.code) else {
            continue;
        };
        if let Some(Body::Code(code)) = records::object(read, code.0)?.map(|object| object.body)
            && code.input_policy.assets().contains(&asset)
        {
            let detail = format!("run {id} waits for this data or goes on with it; cancel it, or let it end");
            return Err(Refusal::conflict("data_in_use", detail));
        }
    }
    Ok(())
}

/// Whether the queue has room for one more.
pub(super) fn room_in_queue(read: &impl Read, actor: &Actor) -> Result<(), Refusal> {
    let open = read.range_from(&RUNS_OPEN, None, OPEN_MAX)?;
    if open.len() >= OPEN_MAX {
        return Err(busy("the queue of runs is full; try again when some have ended"));
    }
    if actor.may(Permission::TriageRequests) {
        return Ok(());
    }
    let mut theirs = 0;
    for ((_, id), ()) in open {
        theirs += usize::from(
            read.get(&RUNS, &id)?
                .is_some_and(|run| run.started_by == actor.user),
        );
    }
    if theirs < OPEN_PER_SCIENTIST {
        return Ok(());
    }
    Err(busy(&format!(
        "{OPEN_PER_SCIENTIST} of your runs wait or are under way; try again when one has ended"
    )))
}

fn busy(detail: &str) -> Refusal {
    Refusal::conflict("busy", detail)
}
