//! The course of a run: begun by the runner, ended with what came of it, found again after a crash.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{admission, audit, no, revision_of, save};
use crate::acts::Refusal;
use crate::acts::visible::{self, Found};
use crate::domain::asset::DataFormat;
use crate::domain::audit::{Action, Actor};
use crate::domain::code::Code;
use crate::domain::hash::Hash;
use crate::domain::id::{AssetId, JobId, RequestId};
use crate::domain::job::{Data, Job, Product, Run, State, Used, Verdict};
use crate::domain::notification::Event;
use crate::domain::object::{Body, Kind};
use crate::domain::policy::Binding;
use crate::domain::request::{Present, Request, RequestError};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::table::TableError;
use crate::store::tables::{OWED, PRIVATE_DATA, RUNS, RUNS_OPEN};
use crate::store::transaction::Tx;

/// What a run needs to take place.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The run.
    pub run: Run,
    /// The Python source.
    pub source: String,
    /// The function that is called.
    pub entry_point: String,
    /// What each parameter receives.
    pub inputs: Vec<(String, Input)>,
}

/// What a parameter receives.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The private data of an asset.
    Private(AssetId, DataFormat),
    /// A mock.
    Mock(Hash, DataFormat),
    /// A constant.
    Constant(Value),
}

/// How a run ended, and what it left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub state: State,
    /// What it returned.
    pub result: Option<Product>,
    /// What it printed.
    pub log: Option<Product>,
    /// Where it failed.
    pub failure_report: Option<Product>,
    /// What it used.
    pub used: Option<Used>,
}

impl Ended {
    /// An end without anything left behind.
    pub fn empty(state: State) -> Self {
        Self {
            state,
            result: None,
            log: None,
            failure_report: None,
            used: None,
        }
    }
}

/// Takes up a run that waits. None if there is nothing to run any more: it was cancelled, or what allowed it no longer
/// holds (the request was withdrawn, denied or changed while it waited, or data went away); then it is cancelled here.
///
/// # Errors
/// There is no such run, or the store fails.
pub fn begin(tx: &mut Tx<'_>, here: &Here, id: JobId) -> Result<Option<Plan>, Refusal> {
    let mut run = tx.get(&RUNS, &id.0)?.ok_or_else(|| no(id))?;
    if run.state != State::Queued {
        return Ok(None);
    }
    match plan(tx, here, &run) {
        Ok((source, entry_point, inputs)) => {
            run.enter(State::Running, here.now)?;
            if let Some(request) = run.request {
                // The one that allows it; it may have changed, and been approved again, while the run waited.
                run.request_revision = revision_of(tx, request)?;
            }
            save(tx, id, &run)?;
            Ok(Some(Plan {
                run,
                source,
                entry_point,
                inputs,
            }))
        }
        Err(Refusal::Record(error)) => Err(error.into()),
        Err(refusal) => {
            tracing::info!(run = %id, reason = %refusal, "a run that waited may not begin any more");
            run.enter(State::Cancelled, here.now)?;
            save(tx, id, &run)?;
            if run.data == Data::Private {
                audit(tx, here, Actor::Node, Action::JOB_CANCELLED, id, &run)?;
            }
            Ok(None)
        }
    }
}

type Parts = (String, String, Vec<(String, Input)>);

fn plan(read: &impl Read, here: &Here, run: &Run) -> Result<Parts, Refusal> {
    let request = run.request.map(|id| request(read, id)).transpose()?;
    let code = match &request {
        Some(request) => visible::code_of(read, &request.body)?,
        None => code(read, run)?,
    };
    if run.data == Data::Private {
        let Some(request) = &request else {
            return Err(Refusal::conflict("no_request", "private data answers a request"));
        };
        admission::approved(read, here, request, Present::Code(&code.body))?;
    }
    admission::inputs_are_here(read, &code.body, run.data)?;
    if run.data == Data::Mock {
        admission::still_has_mocks(read, run.started_by, here.now, &code.body)?;
    }
    let inputs = inputs(read, &code.body, run.data)?;
    Ok((code.body.source, code.body.entry_point, inputs))
}

/// The code of a run that answers no request.
fn code(read: &impl Read, run: &Run) -> Result<Found<Code>, Refusal> {
    let id = run.code.ok_or(RequestError::NotARun)?;
    let missing = || Refusal::no(Kind::Code, id);
    let object = records::object(read, id.0)?.ok_or_else(missing)?;
    match object.body.clone() {
        Body::Code(body) => Ok(Found { object, body }),
        _ => Err(missing()),
    }
}

fn request(read: &impl Read, id: RequestId) -> Result<Found<Request>, Refusal> {
    let missing = || Refusal::no(Kind::Request, id);
    let object = records::object(read, id.0)?.ok_or_else(missing)?;
    match object.body.clone() {
        Body::Request(body) => Ok(Found { object, body }),
        _ => Err(missing()),
    }
}

fn inputs(read: &impl Read, code: &Code, data: Data) -> Result<Vec<(String, Input)>, Refusal> {
    let mut inputs = Vec::with_capacity(code.input_policy.parameters.len());
    for (name, binding) in &code.input_policy.parameters {
        let input = match (binding, data) {
            (Binding::Constant(json), _) => Input::Constant(serde_json::from_str(json).map_err(|_| {
                Refusal::conflict("code_damaged", format!("the constant {name} is not JSON"))
            })?),
            (Binding::Asset(asset), Data::Private) => {
                let private = read.get(&PRIVATE_DATA, &asset.0)?;
                let private = private.ok_or_else(|| Refusal::no(Kind::Asset, *asset))?;
                Input::Private(*asset, private.format)
            }
            (Binding::Asset(asset), Data::Mock) => match records::object(read, asset.0)?.map(|it| it.body) {
                Some(Body::Asset(crate::domain::asset::Asset { mock: Some(mock), .. })) => {
                    Input::Mock(mock.blob, mock.format)
                }
                _ => return Err(Refusal::no(Kind::Asset, *asset)),
            },
        };
        inputs.push((name.clone(), input));
    }
    Ok(inputs)
}

/// Ends a run: its last state, and, for a run on private data, the job that tells the other side whether it worked. A
/// cancelled run leaves no job, unless something of it is released.
///
/// # Errors
/// The run is not under way, or the store fails.
pub fn finish(tx: &mut Tx<'_>, here: &Here, id: JobId, ended: Ended) -> Result<Run, Refusal> {
    let mut run = tx.get(&RUNS, &id.0)?.ok_or_else(|| no(id))?;
    run.enter(ended.state, here.now)?;
    run.result = ended.result;
    run.log = ended.log;
    run.failure_report = ended.failure_report;
    run.used = ended.used;
    save(tx, id, &run)?;
    if run.data == Data::Private {
        let action = match run.state {
            State::Succeeded => Action::JOB_FINISHED,
            State::Cancelled => Action::JOB_CANCELLED,
            _ => Action::JOB_FAILED,
        };
        audit(tx, here, Actor::Node, action, id, &run)?;
        tell(tx, here, id, &run)?;
    }
    Ok(run)
}

/// Writes the job of a run on private data that is over, and tells whose turn it is.
pub(super) fn tell(tx: &mut Tx<'_>, here: &Here, id: JobId, run: &Run) -> Result<(), Refusal> {
    let (Some(request), Some(verdict)) = (run.request, run.state.verdict()) else {
        return Ok(());
    };
    let job = Job {
        request,
        code: run.code,
        verdict,
        on: here.today(),
    };
    records::write(tx, here, id.0, Body::Job(job), false)?;
    let requester = self::request(tx, request)?.body.requester;
    let event = match verdict {
        Verdict::Succeeded => Event::ResultAwaitsRelease,
        // Whoever asked for the run has no gap before them: told now, they would learn when it ended. They are told with
        // the release of its failure report.
        Verdict::Failed if here.side.takes_scientists() => return Ok(()),
        Verdict::Failed => Event::RunFailed,
    };
    records::notify(tx, here, event, Some(id.0), Some(requester))?;
    Ok(())
}

/// Writes the job of a run that was cancelled, which had none, before something of it is released: a release travels with its job.
/// Earlier versions released what interrupted runs had left, too.
///
/// # Errors
/// The store fails.
pub(in crate::acts) fn tell_of_released(tx: &mut Tx<'_>, here: &Here, id: JobId) -> Result<(), Refusal> {
    let run = tx
        .get(&RUNS, &id.0)?
        .filter(|run| run.state.is_over() && run.state.verdict().is_none());
    let Some((request, run)) = run.and_then(|run| Some((run.request?, run))) else {
        return Ok(());
    };
    if records::object(tx, id.0)?.is_none() {
        let job = Job {
            request,
            code: run.code,
            verdict: Verdict::Failed,
            on: here.today(),
        };
        records::write(tx, here, id.0, Body::Job(job), false)?;
    }
    Ok(())
}

/// As [`tell_of_released`], for what was released before that was done. To be called when a node starts.
///
/// # Errors
/// The store fails.
pub fn tell_of_all_released(tx: &mut Tx<'_>, here: &Here) -> Result<(), Refusal> {
    if !here.side.holds_private_data() {
        return Ok(());
    }
    let mut untold = BTreeSet::new();
    tx.for_each(&OWED, &(), |_, owed| {
        untold.insert(owed.root);
        Ok::<_, TableError>(())
    })?;
    for root in untold {
        tell_of_released(tx, here, JobId(root))?;
    }
    Ok(())
}

/// Marks the runs that were under way when the node died as interrupted. To be done once, when it starts, before anything
/// runs.
///
/// # Errors
/// The store fails.
pub fn interrupted(tx: &mut Tx<'_>, here: &Here) -> Result<Vec<JobId>, Refusal> {
    let found = under_way(tx)?;
    for id in &found {
        finish(tx, here, *id, Ended::empty(State::Interrupted))?;
    }
    Ok(found)
}

/// The runs that have begun and are not over.
///
/// # Errors
/// The store fails.
pub fn under_way(read: &impl Read) -> Result<Vec<JobId>, Refusal> {
    let mut found = Vec::new();
    for ((_, id), ()) in read.range_from(&RUNS_OPEN, None, usize::MAX)? {
        if read
            .get(&RUNS, &id)?
            .is_some_and(|run| run.state == State::Running)
        {
            found.push(JobId(id));
        }
    }
    Ok(found)
}

/// The runs that wait, with the data that they receive, the first in the queue first; of each kind of data at most `limit`.
///
/// # Errors
/// The store fails.
pub fn waiting(read: &impl Read, limit: usize) -> Result<Vec<(JobId, Data)>, Refusal> {
    let mut found = Vec::new();
    for ((_, id), ()) in read.range_from(&RUNS_OPEN, None, usize::MAX)? {
        let Some(run) = read.get(&RUNS, &id)?.filter(|run| run.state == State::Queued) else {
            continue;
        };
        if found.iter().filter(|(_, data)| *data == run.data).count() < limit {
            found.push((JobId(id), run.data));
        }
    }
    Ok(found)
}
