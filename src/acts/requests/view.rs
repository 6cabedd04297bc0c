//! Requests as people look at them: with their status, decisions, history, and how far they have travelled.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::described::{Described, described};
use crate::acts::visible::{self, Found};
use crate::acts::{Refusal, listing, signatures};
use crate::domain::access::{Actor, Permission, Viewer};
use crate::domain::code::Code;
use crate::domain::decision::Decision;
use crate::domain::id::{NodeId, ProjectId, RequestId, UserId};
use crate::domain::job::{Run, Verdict};
use crate::domain::key_pins::Standing;
use crate::domain::object::{Body, Kind, Object, Revision};
use crate::domain::release::Part;
use crate::domain::request::{self, Crossing, Progress, Request, SightType, Status};
use crate::domain::side::{NoBundles, Side};
use crate::store::read::Read;
use crate::store::records::{self, Here, RecordError};
use crate::store::tables::{CARRIED_IN, HISTORY, NODE, PEERS, SENT};

/// Everything that is known of a request.
#[derive(Clone, Debug)]
pub struct View {
    /// The request.
    pub request: Found<Request>,
    /// What it asks for.
    pub asked: Asked,
    /// What has become of it.
    pub status: Status,
    /// The decisions on it, in the order in which this node learnt of them.
    pub decisions: Vec<Found<Decision>>,
    /// The runs on private data that this side knows of, and that the actor is told of.
    pub jobs: Vec<Object>,
    /// What was released of them.
    pub releases: Vec<Object>,
    /// How far it has travelled.
    pub progress: Progress,
    /// Its earlier revisions, oldest first.
    pub history: Vec<Object>,
    /// How its requester's signature stands.
    pub signed: Standing,
    /// Whether the account of its requester was deleted, so that nobody is left to have what is released.
    pub requester_left: bool,
    /// What it names, by name.
    pub names: Names,
}

/// How what a request names is called, as far as it is known here.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Who asks.
    pub requester: Option<String>,
    /// The project.
    pub project: Option<String>,
    /// The code.
    pub code: Option<String>,
}

/// What a request asks for, as whoever looks at the request may know it.
#[derive(Clone, Debug)]
pub enum Asked {
    /// To run this code; and how its author's signature stands.
    Code(Box<Found<Code>>, Standing),
    /// To see this.
    Sight(Described),
}

impl View {
    /// How its author's signature on its code stands; none where it asks to see something.
    pub fn code_signed(&self) -> Option<&Standing> {
        match &self.asked {
            Asked::Code(_, standing) => Some(standing),
            Asked::Sight(_) => None,
        }
    }
}

/// A request in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The request.
    pub request: Found<Request>,
    /// What it asks to see, if it does.
    pub sight: Option<Described>,
    /// How whoever made it is called, if they are known here.
    pub requester_name: Option<String>,
    /// What has become of it.
    pub status: Status,
    /// How its requester's signature stands.
    pub signed: Standing,
}

/// Which requests are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of one project.
    pub project: Option<ProjectId>,
    /// Those that ask to see something, or those that ask for a run.
    pub to_see: Option<bool>,
    /// Those that ask to see things of one type.
    pub of_type: Option<SightType>,
    /// In one state, by its word.
    pub state: Option<String>,
}

/// The name of whoever asks, for those who decide: with word of it where their account is gone, since what is released then
/// reaches nobody. Empty if they are not known here.
///
/// # Errors
/// The store cannot be read.
pub(in crate::acts) fn whose(read: &impl Read, requester: UserId) -> Result<String, Refusal> {
    let Some(object) = records::object(read, requester.0)? else {
        return Ok(String::new());
    };
    Ok(match object.body {
        Body::User(user) if object.deleted => format!("{} (account deleted)", user.name),
        Body::User(user) => user.name,
        _ => String::new(),
    })
}

fn called(read: &impl Read, requester: UserId) -> Result<Option<String>, Refusal> {
    Ok(Some(whose(read, requester)?).filter(|name| !name.is_empty()))
}

/// The decisions on a request, in the order in which this node learnt of them; those that came at once, as they were made.
///
/// # Errors
/// The store cannot be read.
pub(in crate::acts) fn decisions(
    read: &impl Read,
    request: RequestId,
) -> Result<Vec<Found<Decision>>, Refusal> {
    let found = records::children(read, request.0, Kind::Decision)?;
    let mut decisions: Vec<_> = found
        .into_iter()
        .filter_map(|object| match object.body.clone() {
            Body::Decision(body) => Some(Found { object, body }),
            _ => None,
        })
        .collect();
    decisions.sort_by_key(|found| (found.object.created_at, found.body.number));
    Ok(decisions)
}

/// Each decision with its home, as the rules take them.
pub(in crate::acts) fn with_homes(
    decisions: &[Found<Decision>],
) -> impl Iterator<Item = (NodeId, &Decision)> {
    decisions.iter().map(|found| (found.object.home, &found.body))
}

/// What has become of a request, as this node knows it; see [`request::standing`].
///
/// # Errors
/// The store cannot be read.
pub fn status_of(read: &impl Read, now: Timestamp, request: &Found<Request>) -> Result<Status, Refusal> {
    status_on(read, now, request, request.object.revision)
}

/// Where a request stands for what one of its runs left behind; see [`request::status_for_run`].
///
/// # Errors
/// The store cannot be read.
pub(in crate::acts) fn status_for_run(
    read: &impl Read,
    now: Timestamp,
    request: &Found<Request>,
    run: &Run,
) -> Result<Status, Refusal> {
    let present = status_of(read, now, request)?;
    match run.request_revision {
        Some(revision) if revision != request.object.revision => {
            let of_run = status_on(read, now, request, revision)?;
            Ok(request::status_for_run(of_run, present))
        }
        _ => Ok(present),
    }
}

/// What has become of one revision of a request.
fn status_on(
    read: &impl Read,
    now: Timestamp,
    request: &Found<Request>,
    revision: Revision,
) -> Result<Status, Refusal> {
    let node = read.get(&NODE, &())?.ok_or(RecordError::NoNode)?;
    let decisions = decisions(read, RequestId(request.object.id))?;
    let counting = counting(read, node.id, &decisions)?;
    Ok(request::status(
        &request.body,
        revision,
        counting,
        holds_the_data(node.id, node.side),
        now,
    ))
}

/// Those decisions that their home still knows, with it. A node that was restored has lost the later ones, and all that it
/// kept comes again under its new epoch: what stays under an earlier one no longer says what it has decided.
fn counting<'a>(
    read: &impl Read,
    node: NodeId,
    decisions: &'a [Found<Decision>],
) -> Result<Vec<(NodeId, &'a Decision)>, Refusal> {
    let mut counting = Vec::with_capacity(decisions.len());
    for Found { object, body } in decisions {
        let lost = object.home != node
            && read
                .get(&PEERS, &object.home.0)?
                .is_some_and(|home| home.epoch != object.epoch);
        if !lost {
            counting.push((object.home, body));
        }
    }
    Ok(counting)
}

/// Whether a node is the one that holds the private data, seen from this one.
fn holds_the_data(node: NodeId, side: Side) -> impl Fn(NodeId) -> bool {
    move |home| (home == node) == side.holds_private_data()
}

/// Shows a request, as it is at a moment.
///
/// # Errors
/// There is none that the actor may see.
pub fn view(read: &impl Read, actor: &Actor, here: &Here, id: RequestId) -> Result<View, Refusal> {
    let request = visible::request(read, actor, id)?;
    let asked = match request.body.sight() {
        Some(sight) => Asked::Sight(described(read, actor, here.now, sight)?),
        None => {
            let code = visible::code_of(read, &request.body)?;
            let signed = signatures::on_code(read, &code.object, &code.body)?;
            Asked::Code(Box::new(code), signed)
        }
    };
    let decisions = decisions(read, id)?;
    let counting = counting(read, here.node, &decisions)?;
    let authority = holds_the_data(here.node, here.side);
    let (revision, counting) = (request.object.revision, counting.iter().copied());
    let status = request::status(&request.body, revision, counting.clone(), &authority, here.now);
    let standing = request::standing(&request.body, revision, counting, &authority);
    let releases = records::children(read, id.0, Kind::Release)?;
    let jobs = told(actor, here, records::children(read, id.0, Kind::Job)?, &releases);
    let progress = progress(read, here, &request, standing, (&decisions, &releases))?;
    let history = read
        .range_prefix(&HISTORY, &id.0, None, usize::MAX)?
        .into_iter()
        .map(|(_, before)| before)
        .collect();
    let signed = signatures::on_request(read, &request.object, &request.body)?;
    let requester = records::object(read, request.body.requester.0)?;
    let project = match request.body.project() {
        Some(project) => records::object(read, project.0)?,
        None => None,
    };
    Ok(View {
        requester_left: requester.is_some_and(|requester| requester.deleted),
        names: Names {
            requester: called(read, request.body.requester)?,
            project: project.map(|project| project.body.title()),
            code: match &asked {
                Asked::Code(code, _) => Some(code.body.name.clone()),
                Asked::Sight(_) => None,
            },
        },
        signed,
        request,
        asked,
        status,
        decisions,
        jobs,
        releases,
        progress,
        history,
    })
}

/// What an actor is told of jobs. Where no gap stands between the runs and whoever asked for them, those who do not triage
/// are told as little as a bundle would tell: see [`Job::is_told`], and of times the date alone.
fn told(actor: &Actor, here: &Here, jobs: Vec<Object>, releases: &[Object]) -> Vec<Object> {
    if here.level().is_ok() || actor.may(Permission::TriageRequests) {
        return jobs;
    }
    let released = |id| {
        let of_it = |release: &Object| matches!(&release.body, Body::Release(of) if of.job.0 == id);
        releases.iter().any(|release| !release.deleted && of_it(release))
    };
    let told = jobs.into_iter().filter_map(|mut object| {
        let Body::Job(job) = &object.body else { return None };
        if !job.is_told(here.today(), released(object.id)) {
            return None;
        }
        let midnight = job.on.to_zoned(TimeZone::UTC).ok()?.timestamp();
        (object.created_at, object.updated_at) = (midnight, midnight);
        Some(object)
    });
    told.collect()
}

/// How the last run for a request ended, as far as an actor is told: failed only if there was no other on its day that came with it, of
/// which nobody here can tell which was the last.
///
/// # Errors
/// The store cannot be read.
pub(in crate::acts) fn last_run(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    id: Uuid,
) -> Result<Option<Verdict>, Refusal> {
    let releases = records::children(read, id, Kind::Release)?;
    let jobs = told(actor, here, records::children(read, id, Kind::Job)?, &releases);
    let ended = jobs.iter().filter_map(|object| match &object.body {
        Body::Job(job) if !object.deleted => Some(((job.on, object.created_at), job.verdict)),
        _ => None,
    });
    // Where two are equally late, the one that worked counts.
    let last = ended.max_by_key(|(when, verdict)| (*when, *verdict == Verdict::Succeeded));
    Ok(last.map(|(_, verdict)| verdict))
}

fn progress(
    read: &impl Read,
    here: &Here,
    request: &Found<Request>,
    standing: Option<&Decision>,
    (decisions, releases): (&[Found<Decision>], &[Object]),
) -> Result<Progress, Refusal> {
    let decided_on = standing.map(|decision| decision.on);
    let released = releases.iter().any(
        |object| matches!(&object.body, Body::Release(release) if release.part == Part::Result && !object.deleted),
    );
    let crossing = match here.level() {
        Ok(_) => Some(crossing(read, request, decisions)?),
        Err(NoBundles) => None,
    };
    Ok(Progress {
        submitted: request.object.created_at,
        crossing,
        decided_on,
        released,
    })
}

fn crossing(
    read: &impl Read,
    request: &Found<Request>,
    decisions: &[Found<Decision>],
) -> Result<Crossing, Refusal> {
    let (mut carried_in, mut received) = (Vec::new(), false);
    read.for_each(&CARRIED_IN, &request.object.id, |(_, peer, epoch, number), ()| {
        if let Some(sent) = read.get(&SENT, &(peer, epoch, number))?
            && (sent.acknowledged || sent.file.is_some())
        {
            carried_in.push(number);
            received |= sent.acknowledged;
        }
        Ok::<_, Refusal>(())
    })?;
    // Decided on elsewhere: it was received, whatever became of the acknowledgement.
    received |= decisions
        .iter()
        .any(|found| found.object.home != request.object.home);
    Ok(Crossing { carried_in, received })
}

/// The requests that an actor may see, newest first, as they are at a moment. A page may come out short and still name a
/// next one.
///
/// # Errors
/// The store cannot be read.
pub fn list(
    read: &impl Read,
    actor: &Actor,
    now: Timestamp,
    filter: &Filter,
    before: Option<listing::Place>,
    limit: usize,
) -> Result<(Vec<Listed>, Option<listing::Place>), Refusal> {
    let viewer = Viewer::Person(actor.clone());
    let mut found = Vec::new();
    let page = listing::page(read, Kind::Request, before, limit, |object| {
        let Body::Request(body) = object.body.clone() else {
            return Ok(false);
        };
        let request = Found {
            object: object.clone(),
            body,
        };
        if !visible::may_see(read, &viewer, object)? || !filter.fits(&request.body) {
            return Ok(false);
        }
        let status = status_of(read, now, &request)?;
        let wanted = filter.state.as_deref().is_none_or(|state| state == status.word());
        if wanted {
            let sight = request.body.sight();
            let sight = sight
                .map(|sight| described(read, actor, now, sight))
                .transpose()?;
            found.push(Listed {
                signed: signatures::on_listed(read, object, &request.body)?,
                sight,
                requester_name: called(read, request.body.requester)?,
                request,
                status,
            });
        }
        Ok(wanted)
    })?;
    Ok((found, page.next))
}

impl Filter {
    fn fits(&self, request: &Request) -> bool {
        self.project
            .is_none_or(|project| request.project() == Some(project))
            && self
                .to_see
                .is_none_or(|to_see| request.sight().is_some() == to_see)
            && self
                .of_type
                .is_none_or(|of_type| request.sight().is_some_and(|sight| sight.kind() == of_type))
    }
}
