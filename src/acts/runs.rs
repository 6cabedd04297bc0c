//! Runs of code: queued, taken up, ended and looked at. On private data only within what was decided and what the output
//! policy allows.

mod admission;
mod course;
mod deposit;
mod fulfilment;
#[cfg(test)]
mod tests;

use uuid::Uuid;

use super::Refusal;
use super::listing::{EXAMINED_MAX, Place};
use super::visible::{self, Found};
use crate::domain::access::{Actor, Permission};
use crate::domain::audit::{self, Action};
use crate::domain::code::Code;
use crate::domain::id::{CodeId, JobId, RequestId};
use crate::domain::job::{Data, Origin, Product, Run, State};
use crate::domain::object::Revision;
use crate::domain::release::Part;
use crate::domain::request::Present;
use crate::store::open;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::table::Table;
use crate::store::tables::{RUNS, RUNS_APART, RUNS_OF, RUNS_OPEN};
use crate::store::transaction::Tx;

pub(super) use admission::{none_needs, others_left_a_run};
pub(super) use course::tell_of_released;
pub use course::{Ended, Input, Plan, begin, finish, interrupted, tell_of_all_released, under_way, waiting};
pub use deposit::{check_deposit, deposit};
pub use fulfilment::{Source, check_fulfilment, fulfil};

/// The word for a run in messages.
const RUN: &str = "run";

/// What shall run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The code of a request, on mocks or on private data.
    Request(RequestId, Data),
    /// Code that no request names yet, on mocks.
    Code(CodeId),
}

/// Whether a run may be queued, and with what: its request, where it has one, its code, and its data.
///
/// # Errors
/// The actor may not, or may not have a mock that the code names; on private data also: this side holds none, this node
/// has not approved exactly this revision and code, or the runs that the output policy allows or the requester asked for
/// are used up; an asset lacks the data; or too many runs wait.
pub fn may_queue(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    wanted: Wanted,
) -> Result<(Option<RequestId>, Found<Code>, Data), Refusal> {
    let (request, code, data) = match wanted {
        Wanted::Request(request, data) => {
            let request = visible::request(read, actor, request)?;
            let code = visible::code_of(read, &request.body)?;
            match data {
                Data::Mock => admission::may_run_on_mocks(read, actor, request.body.requester)?,
                Data::Private => {
                    admission::may_run_on_private_data(actor, here)?;
                    let approval = admission::approved(read, here, &request, Present::Code(&code.body))?;
                    admission::within_policy(read, approval.request(), &request.body, &code)?;
                }
            }
            (Some(RequestId(request.object.id)), code, data)
        }
        Wanted::Code(code) => {
            let code = visible::code(read, actor, code)?;
            admission::may_run_on_mocks(read, actor, code.body.author)?;
            (None, code, Data::Mock)
        }
    };
    admission::inputs_are_visible(read, actor, &code.body)?;
    admission::inputs_are_here(read, &code.body, data)?;
    if data == Data::Mock {
        admission::may_have_mocks(read, actor, here.now, &code.body)?;
    }
    admission::room_in_queue(read, actor)?;
    Ok((request, code, data))
}

/// Queues a run.
///
/// # Errors
/// See [`may_queue`].
pub fn queue(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: JobId, wanted: Wanted) -> Result<Run, Refusal> {
    let (request, code, data) = may_queue(tx, actor, here, wanted)?;
    let run = Run {
        request,
        request_revision: request.map_or(Ok(None), |request| revision_of(tx, request))?,
        code: Some(CodeId(code.object.id)),
        data,
        origin: Origin::Sandbox,
        started_by: actor.user,
        state: State::Queued,
        queued_at: here.now,
        began_at: None,
        ended_at: None,
        result: None,
        log: None,
        failure_report: None,
        used: None,
    };
    insert(tx, id, &run)?;
    tx.put(&RUNS_OPEN, &(records::milliseconds(run.queued_at), id.0), &())?;
    if data == Data::Private {
        audit(
            tx,
            here,
            audit::Actor::User(actor.user.0),
            Action::JOB_STARTED,
            id,
            &run,
        )?;
    }
    Ok(run)
}

/// The present revision of a request, which a run answers that is queued, begun or noted now.
fn revision_of(read: &impl Read, request: RequestId) -> Result<Option<Revision>, Refusal> {
    Ok(records::object(read, request.0)?.map(|object| object.revision))
}

/// Puts a new run into its tables.
fn insert(tx: &mut Tx<'_>, id: JobId, run: &Run) -> Result<(), Refusal> {
    if !tx.insert(&RUNS, &id.0, run)? {
        return Err(Refusal::conflict(
            "id_taken",
            "there is a run with this id already",
        ));
    }
    let at = records::milliseconds(run.queued_at);
    let listed = [
        Some(Uuid::nil()),
        run.code.map(|id| id.0),
        run.request.map(|id| id.0),
    ];
    for under in listed.into_iter().flatten() {
        tx.put(&RUNS_OF, &(under, at, id.0), &())?;
    }
    for under in run.listed_apart() {
        tx.put(&RUNS_APART, &(under, at, id.0), &())?;
    }
    place(tx, id, run)
}

/// What waits may have changed with a run on private data.
fn place(tx: &mut Tx<'_>, id: JobId, run: &Run) -> Result<(), Refusal> {
    if run.data == Data::Private {
        open::place_run(tx, id.0, run)?;
    }
    Ok(())
}

/// Writes a run's next state.
fn save(tx: &mut Tx<'_>, id: JobId, run: &Run) -> Result<(), Refusal> {
    tx.put(&RUNS, &id.0, run)?;
    if run.state.is_over() {
        tx.delete(&RUNS_OPEN, &(records::milliseconds(run.queued_at), id.0))?;
    }
    place(tx, id, run)
}

fn audit(
    tx: &mut Tx<'_>,
    here: &Here,
    actor: audit::Actor,
    action: Action,
    id: JobId,
    run: &Run,
) -> Result<(), Refusal> {
    let subjects: Vec<Uuid> = [Some(id.0), run.request.map(|id| id.0), run.code.map(|id| id.0)]
        .into_iter()
        .flatten()
        .collect();
    let details = [("state", run.state.word().to_owned())];
    Ok(records::audit(tx, here, actor, action, &subjects, &details)?)
}

/// What came of asking for a run to stop.
#[derive(Clone, Debug, PartialEq)]
pub enum Cancelled {
    /// It had not begun, and never will.
    BeforeItBegan(Run),
    /// It is under way: whoever runs it must stop it.
    UnderWay(Run),
}

/// Cancels a run that waits, or says that it is under way.
///
/// # Errors
/// There is none that the actor may see, or it is over.
pub fn cancel(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: JobId) -> Result<Cancelled, Refusal> {
    let mut run = get(tx, actor, id)?;
    if run.state == State::Running {
        return Ok(Cancelled::UnderWay(run));
    }
    run.enter(State::Cancelled, here.now)?;
    save(tx, id, &run)?;
    if run.data == Data::Private {
        let by = audit::Actor::User(actor.user.0);
        audit(tx, here, by, Action::JOB_CANCELLED, id, &run)?;
    }
    Ok(Cancelled::BeforeItBegan(run))
}

/// Sets the result of a run on private data aside: it was made of the wrong data, or a wrong file was deposited. It stays to be looked at,
/// can never be released, and uses up none of the runs that the code may have. The other side is told nothing.
///
/// # Errors
/// The actor may not triage, there is no such run, it left no result, it ran on mocks, or its result was released.
pub fn set_aside(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: JobId) -> Result<Run, Refusal> {
    actor.require(Permission::TriageRequests)?;
    let mut run = get(tx, actor, id)?;
    if run.data == Data::Mock {
        return Err(Refusal::conflict(
            "mock_run",
            "a run on mocks answers no request and uses nothing up; there is nothing to set aside",
        ));
    }
    if super::releases::released(tx, id, Part::Result)?.is_some() {
        return Err(Refusal::conflict(
            "released_already",
            "the result of this run was released; what has left cannot be set aside",
        ));
    }
    run.enter(State::SetAside, here.now)?;
    save(tx, id, &run)?;
    let by = audit::Actor::User(actor.user.0);
    audit(tx, here, by, Action::JOB_SET_ASIDE, id, &run)?;
    Ok(run)
}

/// A run that an actor may see: those who triage see all, others the runs on mocks that they started.
///
/// # Errors
/// There is none.
pub fn get(read: &impl Read, actor: &Actor, id: JobId) -> Result<Run, Refusal> {
    let run = read.get(&RUNS, &id.0)?.filter(|run| may_see(actor, run));
    run.ok_or_else(|| no(id))
}

/// A part of a run, for somebody to look at; none if the run left no such part. Of private data it is written to the audit chain
/// who looked.
///
/// # Errors
/// There is no such run that the actor may see.
pub fn look(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: JobId,
    part: Part,
) -> Result<Option<Product>, Refusal> {
    let run = get(tx, actor, id)?;
    let Some(product) = run.product(part).cloned() else {
        return Ok(None);
    };
    if run.data == Data::Private {
        let by = audit::Actor::User(actor.user.0);
        let subjects: Vec<Uuid> = [Some(id.0), run.request.map(|id| id.0)]
            .into_iter()
            .flatten()
            .collect();
        let details = [("part", part.word().to_owned())];
        records::audit(tx, here, by, Action::PRIVATE_DATA_VIEWED, &subjects, &details)?;
    }
    Ok(Some(product))
}

fn may_see(actor: &Actor, run: &Run) -> bool {
    actor.may(Permission::TriageRequests) || (run.data == Data::Mock && run.started_by == actor.user)
}

fn no(id: JobId) -> Refusal {
    Refusal::NotFound {
        what: RUN,
        id: id.to_string(),
    }
}

/// A page of runs.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The runs, newest first.
    pub runs: Vec<(JobId, Run)>,
    /// Where the next page begins; none on the last.
    pub next: Option<Place>,
}

/// The runs that an actor may see, newest first: of a request, or all. A page may come out short and still name a next
/// one; never because of runs that they may not see, since that would tell of these.
///
/// # Errors
/// There is no such request that the actor may see.
pub fn list(
    read: &impl Read,
    actor: &Actor,
    request: Option<RequestId>,
    before: Option<Place>,
    limit: usize,
) -> Result<Listed, Refusal> {
    if let Some(request) = request {
        visible::request(read, actor, request)?;
    }
    if actor.may(Permission::TriageRequests) {
        let under = request.map_or(Uuid::nil(), |request| request.0);
        return page(read, (&RUNS_OF, under), before, limit, |_| true);
    }
    own(read, actor, before, limit, |run| {
        request.is_none() || run.request == request
    })
}

/// The runs of some code that the actor may see, newest first, whether a request asked for them or not.
///
/// # Errors
/// There is no such code that the actor may see.
pub fn of_code(read: &impl Read, actor: &Actor, code: CodeId, limit: usize) -> Result<Listed, Refusal> {
    visible::code(read, actor, code)?;
    if actor.may(Permission::TriageRequests) {
        return page(read, (&RUNS_OF, code.0), None, limit, |_| true);
    }
    own(read, actor, None, limit, |run| run.code == Some(code))
}

/// The runs on private data alone, newest first: of a request, or all. None for those who do not triage.
///
/// # Errors
/// There is no such request that the actor may see.
pub fn on_private_data(
    read: &impl Read,
    actor: &Actor,
    request: Option<RequestId>,
    before: Option<Place>,
    limit: usize,
) -> Result<Listed, Refusal> {
    if let Some(request) = request {
        visible::request(read, actor, request)?;
    }
    if !actor.may(Permission::TriageRequests) {
        return Ok(Listed {
            runs: Vec::new(),
            next: None,
        });
    }
    let under = request.map_or(Uuid::nil(), |request| request.0);
    page(read, (&RUNS_APART, under), before, limit, |_| true)
}

/// Those of the runs on mocks that an actor started.
fn own(
    read: &impl Read,
    actor: &Actor,
    before: Option<Place>,
    limit: usize,
    keep: impl Fn(&Run) -> bool,
) -> Result<Listed, Refusal> {
    page(read, (&RUNS_APART, actor.user.0), before, limit, |run| {
        may_see(actor, run) && keep(run)
    })
}

/// A page of the runs that are listed under an id.
fn page(
    read: &impl Read,
    (table, under): (&Table<(Uuid, u64, Uuid), ()>, Uuid),
    before: Option<Place>,
    limit: usize,
    keep: impl Fn(&Run) -> bool,
) -> Result<Listed, Refusal> {
    let (mut runs, mut place) = (Vec::new(), before);
    for _ in 0..EXAMINED_MAX.div_ceil(limit.max(1)) {
        let from = place.map(|(at, id)| (under, at, id));
        let chunk = read.range_prefix_back(table, &under, from.as_ref(), limit + 1)?;
        let last = chunk.len() <= limit;
        for ((_, at, id), ()) in chunk {
            if runs.len() == limit {
                return Ok(Listed { runs, next: place });
            }
            place = Some((at, id));
            if let Some(run) = read.get(&RUNS, &id)?
                && keep(&run)
            {
                runs.push((JobId(id), run));
            }
        }
        if last {
            return Ok(Listed { runs, next: None });
        }
    }
    Ok(Listed { runs, next: place })
}
