//! What waits for somebody who looks after data: imports to review, requests for runs and for sight to decide on, runs to
//! start, and results to look at and release. Computed from what is stored whenever it is asked for, so it never disagrees with it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::visible::{self, Found};
use super::{Refusal, decisions, inbox, requests, runs};
use crate::domain::access::{Actor, Permission, Viewer};
use crate::domain::id::RequestId;
use crate::domain::job::{Data, State};
use crate::domain::object::Body;
use crate::domain::peer::Trust;
use crate::domain::request::{Open, Request, Status, Subject};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{REQUESTS_OPEN, RESULTS_UNRELEASED, RUNS, RUNS_APART};
use crate::sync::select::Filters;

/// The most entries of one kind, the oldest: what comes later appears as these are done.
pub const EACH_MAX: usize = 200;
/// How many lines of a list are read at a time.
const CHUNK: usize = 256;
/// The most open requests that are looked at, the oldest: each costs several reads, and scientists make as many as they like.
const EXAMINED_MAX: usize = 5_000;

/// What kind of thing waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matter {
    /// A batch that a bundle has brought.
    Import,
    /// A request to run code that nobody has decided on.
    Code,
    /// A request to see something that nobody has decided on.
    Access,
    /// An approved request whose code has not run, or whose data was not written as a result.
    Run,
    /// A result that was not released, of a request that was not denied.
    Result,
}

impl Matter {
    /// Every kind, in the order in which things go through a node.
    pub const ALL: [Self; 5] = [Self::Import, Self::Code, Self::Access, Self::Run, Self::Result];

    /// The word used in addresses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Import => "imports",
            Self::Code => "code",
            Self::Access => "access",
            Self::Run => "runs",
            Self::Result => "results",
        }
    }
}

/// Something that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What kind of thing.
    pub matter: Matter,
    /// How a person knows it.
    pub title: String,
    /// What it is about: the peer whose inbox holds it, the request, or the run.
    pub about: Uuid,
    /// Whose it is: the scientist's name; of an import the address of whose request it brings, if any, and the peer's name.
    pub whose: String,
    /// The datasets that it touches, by name.
    pub datasets: Vec<String>,
    /// Since when, as far as that is known: a bundle does not say.
    pub since: Option<Timestamp>,
    /// Of a run that waits: the last one for the request, which left no result.
    pub tried: Option<(Uuid, State)>,
}

/// What waits, the oldest first within each kind; and whether there is more of some kind than is told.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Whether some kind has more than [`EACH_MAX`], or more was open than is looked through.
    pub more: bool,
}

/// What waits for an actor, by what they may do.
///
/// # Errors
/// The store cannot be read.
pub fn waiting(read: &impl Read, actor: &Actor, here: &Here) -> Result<Waiting, Refusal> {
    let mut waiting = Waiting::default();
    if actor.may(Permission::Sync) && here.level().is_ok() {
        imports(read, actor, &mut waiting)?;
    }
    if actor.may(Permission::TriageRequests) {
        requests(read, actor, here, &mut waiting, EXAMINED_MAX)?;
        if here.side.holds_private_data() {
            results(read, here, &mut waiting)?;
        }
    }
    waiting.entries.sort_by_key(|entry| (entry.matter, entry.since));
    Ok(waiting)
}

impl Waiting {
    /// How many wait of a kind.
    pub fn count(&self, matter: Matter) -> usize {
        self.entries.iter().filter(|entry| entry.matter == matter).count()
    }

    fn is_full(&self, matter: Matter) -> bool {
        self.count(matter) >= EACH_MAX
    }

    /// Takes a new entry, unless there are enough of its kind.
    fn push(&mut self, entry: Entry) -> bool {
        if self.is_full(entry.matter) {
            self.more = true;
            return false;
        }
        self.entries.push(entry);
        true
    }
}

fn imports(read: &impl Read, actor: &Actor, waiting: &mut Waiting) -> Result<(), Refusal> {
    for (_, peer) in records::peers(read)? {
        if peer.trust != Trust::Paired {
            continue;
        }
        for batch in inbox::contents(read, actor, peer.node.0, &Filters::default())? {
            if batch.ignored || batch.batch.members.is_empty() {
                continue;
            }
            let taken = waiting.push(Entry {
                matter: Matter::Import,
                whose: match inbox::requester(read, peer.node.0, batch.batch.root)? {
                    Some(requester) => format!("{requester} ({})", peer.name),
                    None => peer.name.clone(),
                },
                title: batch.batch.title,
                about: peer.node.0,
                datasets: Vec::new(),
                since: None,
                tried: None,
            });
            if !taken {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Requests that wait for a decision, or for the run or the data that was approved: of the oldest open ones, at most `most`.
fn requests(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    waiting: &mut Waiting,
    most: usize,
) -> Result<(), Refusal> {
    let viewer = Viewer::Person(actor.clone());
    let (mut after, mut examined) = (None, 0);
    loop {
        let chunk = read.range_from(&REQUESTS_OPEN, after.as_ref(), CHUNK)?;
        let full = [Matter::Code, Matter::Access, Matter::Run]
            .iter()
            .all(|matter| waiting.is_full(*matter));
        waiting.more |= full && !chunk.is_empty();
        let Some((last, ())) = chunk.last().filter(|_| !full) else {
            return Ok(());
        };
        after = Some(*last);
        for ((_, id), ()) in chunk {
            if examined >= most {
                waiting.more = true;
                return Ok(());
            }
            examined += 1;
            let Some(request) = request(read, RequestId(id))? else {
                continue;
            };
            if visible::may_see(read, &viewer, &request.object)?
                && let Some(matter) = matter(read, actor, here, &request)?
            {
                let since = Some(request.object.updated_at);
                push(read, (matter, id), &request, since, waiting)?;
            }
        }
    }
}

fn request(read: &impl Read, id: RequestId) -> Result<Option<Found<Request>>, Refusal> {
    let object = records::object(read, id.0)?.filter(|object| !object.deleted);
    Ok(object.and_then(|object| match object.body.clone() {
        Body::Request(body) => Some(Found { object, body }),
        _ => None,
    }))
}

/// As what a request waits for an actor, if it does.
fn matter(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    request: &Found<Request>,
) -> Result<Option<Matter>, Refusal> {
    let to_see = request.body.sight().is_some();
    match requests::status_of(read, here.now, request)? {
        Status::Pending if decisions::may_approve(actor, here.side, &request.body).is_err() => Ok(None),
        Status::Pending if to_see => Ok(Some(Matter::Access)),
        Status::Pending => Ok(Some(Matter::Code)),
        Status::Approved if here.side.holds_private_data() => {
            let id = RequestId(request.object.id);
            let next = if to_see {
                runs::check_fulfilment(read, actor, here, id).map(drop)
            } else {
                runs::may_queue(read, actor, here, runs::Wanted::Request(id, Data::Private)).map(drop)
            };
            match next {
                Ok(()) => Ok(Some(Matter::Run)),
                Err(Refusal::Record(error)) => Err(Refusal::Record(error)),
                // Its runs are used up or under way, data is missing, which its page says, or there is none to write.
                Err(_) => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// Results that were not released, and of whose runs the requests were neither denied nor withdrawn.
fn results(read: &impl Read, here: &Here, waiting: &mut Waiting) -> Result<(), Refusal> {
    let mut after = None;
    loop {
        let chunk = read.range_from(&RESULTS_UNRELEASED, after.as_ref(), CHUNK)?;
        let Some((last, ())) = chunk.last() else {
            return Ok(());
        };
        after = Some(*last);
        for ((_, id), ()) in chunk {
            let Some(run) = read.get(&RUNS, &id)? else {
                continue;
            };
            let Some(answered) = run.request else { continue };
            let Some(request) = request(read, answered)? else {
                continue;
            };
            let status = requests::status_for_run(read, here.now, &request, &run)?;
            if matches!(status, Status::Denied { .. } | Status::Withdrawn) {
                continue;
            }
            if !push(read, (Matter::Result, id), &request, run.ended_at, waiting)? {
                return Ok(());
            }
        }
    }
}

/// Takes what waits of a request, unless there is enough of its kind.
fn push(
    read: &impl Read,
    (matter, about): (Matter, Uuid),
    request: &Found<Request>,
    since: Option<Timestamp>,
    waiting: &mut Waiting,
) -> Result<bool, Refusal> {
    if waiting.is_full(matter) {
        // What an entry says is read from code and datasets: not for one that is not told.
        waiting.more = true;
        return Ok(false);
    }
    Ok(waiting.push(Entry {
        matter,
        title: request.object.body.title(),
        about,
        whose: requests::whose(read, request.body.requester)?,
        datasets: datasets(read, &request.body)?,
        since,
        tried: match matter {
            Matter::Run => tried(read, about)?,
            _ => None,
        },
    }))
}

/// The newest run on private data for a request, if it left no result.
fn tried(read: &impl Read, request: Uuid) -> Result<Option<(Uuid, State)>, Refusal> {
    let mut newest = None;
    read.for_each(&RUNS_APART, &request, |(_, _, id), ()| {
        newest = Some(id);
        Ok::<_, Refusal>(())
    })?;
    let Some(id) = newest else { return Ok(None) };
    let run = read.get(&RUNS, &id)?;
    Ok(run
        .filter(|run| run.state.is_over() && run.state != State::Succeeded)
        .map(|run| (id, run.state)))
}

/// The datasets that a request touches, each once: those whose assets its code receives, or that of what it asks to see.
fn datasets(read: &impl Read, request: &Request) -> Result<Vec<String>, Refusal> {
    let assets = match request.subject {
        Subject::Run { code, .. } => match records::object(read, code.0)?.map(|object| object.body) {
            Some(Body::Code(code)) => code.input_policy.assets(),
            _ => Vec::new(),
        },
        Subject::SeeOpen(Open::Mock(asset)) | Subject::SeePrivate { asset, .. } => vec![asset],
        // A release is not of one dataset; whoever decides sees what it answers.
        Subject::SeeOpen(Open::Release(_)) => Vec::new(),
    };
    let mut names = BTreeSet::new();
    for asset in assets {
        let parent = records::object(read, asset.0)?.and_then(|object| object.body.parent());
        if let Some(dataset) = parent {
            names.extend(records::object(read, dataset)?.map(|object| object.body.title()));
        }
    }
    Ok(names.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acts::releases::{Ids, Wanted, release};
    use crate::acts::runs::Ended;
    use crate::acts::scene::{ASSET, Scene, ada, deny, officer, owner, product, succeeded};
    use crate::domain::decision::Verdict;
    use crate::domain::id::{DecisionId, ReleaseId};
    use crate::domain::policy::OutputPolicy;
    use crate::domain::release::Part;
    use crate::domain::request::Sight;
    use crate::domain::side::Side;
    use crate::store::blobs::Blob;

    fn matters(scene: &Scene, actor: Actor) -> Vec<(Matter, Uuid)> {
        let waiting = scene.act(move |tx, here| waiting(tx, &actor, here)).unwrap();
        let entries = waiting.entries.into_iter();
        entries.map(|entry| (entry.matter, entry.about)).collect()
    }

    #[test]
    fn a_run_that_left_no_result_is_told_where_another_waits() {
        let scene = Scene::new(Side::High);
        let request = scene.request(50, scene.code(40, OutputPolicy::SingleExecution));
        scene.decide(officer(), request, Verdict::Approve).unwrap();
        let tried = || {
            let waiting = scene.act(|tx, here| waiting(tx, &officer(), here)).unwrap();
            waiting.entries.first().map(|entry| (entry.matter, entry.tried))
        };
        assert_eq!(tried(), Some((Matter::Run, None)));
        let job = scene.run(60, request, Ended::empty(State::TimedOut));
        assert_eq!(tried(), Some((Matter::Run, Some((job.0, State::TimedOut)))));
    }

    #[test]
    fn a_request_goes_from_kind_to_kind_until_it_is_answered() {
        let scene = Scene::new(Side::High);
        let code = scene.code(40, OutputPolicy::SingleExecution);
        let request = scene.request(50, code);
        assert_eq!(matters(&scene, officer()), [(Matter::Code, request.0)]);
        assert_eq!(matters(&scene, ada()), [], "a scientist decides on nothing");
        scene.decide(officer(), request, Verdict::Approve).unwrap();
        assert_eq!(matters(&scene, officer()), [(Matter::Run, request.0)]);
        let job = scene.run(60, request, succeeded(b"{}"));
        assert_eq!(matters(&scene, officer()), [(Matter::Result, job.0)]);
        let ids = Ids {
            release: ReleaseId(Uuid::from_u128(70)),
            decision: DecisionId(Uuid::from_u128(71)),
        };
        let wanted = Wanted {
            job,
            part: Part::Result,
            hash: product(b"{}").hash,
        };
        let blob = Blob {
            hash: product(b"{}").hash,
            len: 2,
        };
        scene
            .act(move |tx, here| release(tx, &owner(), here, ids, &wanted, blob))
            .unwrap();
        assert_eq!(matters(&scene, officer()), []);
    }

    #[test]
    fn private_data_that_was_asked_for_waits_to_be_decided_on_and_written() {
        let scene = Scene::new(Side::High);
        let request = scene.see(50, &ada(), Sight::PrivateData(ASSET)).unwrap();
        assert_eq!(matters(&scene, officer()), [(Matter::Access, request.0)]);
        scene.decide(officer(), request, Verdict::Approve).unwrap();
        assert_eq!(matters(&scene, officer()), [(Matter::Run, request.0)]);
    }

    #[test]
    fn what_is_denied_waits_no_more() {
        let scene = Scene::new(Side::High);
        let request = scene.request(50, scene.code(40, OutputPolicy::SingleExecution));
        scene.decide(officer(), request, deny("no")).unwrap();
        assert_eq!(matters(&scene, officer()), []);
    }

    #[test]
    fn a_result_waits_to_be_released_also_where_a_further_run_is_denied() {
        let scene = Scene::new(Side::High);
        let request = scene.request(50, scene.code(40, OutputPolicy::ExecuteCount(2)));
        scene.decide(officer(), request, Verdict::Approve).unwrap();
        let job = scene.run(60, request, succeeded(b"{}"));
        scene
            .act(move |tx, here| requests::want_another_run(tx, &ada(), here, request, None))
            .unwrap();
        scene.decide(officer(), request, deny("once is enough")).unwrap();
        assert_eq!(matters(&scene, officer()), [(Matter::Result, job.0)]);
    }

    #[test]
    fn an_entry_says_whose_it_is_and_which_data_it_touches() {
        let scene = Scene::new(Side::High);
        scene.request(50, scene.code(40, OutputPolicy::SingleExecution));
        let found = scene.act(|tx, here| waiting(tx, &owner(), here)).unwrap();
        assert_eq!(found.entries[0].datasets, ["Pima"]);
        assert_eq!(found.count(Matter::Code), 1);
        assert!(!found.more);
    }

    #[test]
    fn what_is_done_with_is_never_in_the_way_of_what_waits() {
        let scene = Scene::new(Side::Solo);
        scene.allow_mock_runs();
        let code = scene.code(40, OutputPolicy::ExecuteCount(1_000));
        let waits = scene.request(50, code);
        scene.decide(officer(), waits, Verdict::Approve).unwrap();
        let ran = scene.request(51, code);
        scene.decide(officer(), ran, Verdict::Approve).unwrap();
        let job = scene.run(60, ran, succeeded(b"{}"));
        let many = u128::try_from(EACH_MAX).unwrap() + 1;
        for id in 1_000..1_000 + many {
            scene.mock_run(id, &ada(), ran);
        }
        for id in 2_000..2_000 + many {
            let request = scene.request(id, code);
            scene.decide(officer(), request, Verdict::Approve).unwrap();
            scene.run(id + 1_000, request, succeeded(b"{}"));
            scene.decide(officer(), request, deny("no more")).unwrap();
        }
        let answered = scene.request(4_000, code);
        scene.decide(officer(), answered, Verdict::Approve).unwrap();
        let last = scene.run(4_001, answered, succeeded(b"{}"));
        assert_eq!(
            matters(&scene, officer()),
            [
                (Matter::Run, waits.0),
                (Matter::Result, job.0),
                (Matter::Result, last.0)
            ]
        );
        assert!(!scene.act(|tx, here| waiting(tx, &officer(), here)).unwrap().more);
    }

    #[test]
    fn an_approved_request_waits_for_its_run_however_many_have_had_theirs() {
        let scene = Scene::new(Side::High);
        let code = scene.code(40, OutputPolicy::ExecuteCount(1_000));
        let waits = scene.request(50, code);
        scene.decide(officer(), waits, Verdict::Approve).unwrap();
        let many = u128::try_from(EACH_MAX).unwrap() + 1;
        for id in 1_000..1_000 + many {
            let request = scene.request(id, code);
            scene.decide(officer(), request, Verdict::Approve).unwrap();
            scene.run(id + 1_000, request, succeeded(b"{}"));
        }
        let found = matters(&scene, officer());
        assert_eq!(found[0], (Matter::Run, waits.0));
        assert!(found[1..].iter().all(|(matter, _)| *matter == Matter::Result));
    }

    #[test]
    fn no_more_is_looked_through_than_is_bounded_and_that_is_said() {
        let scene = Scene::new(Side::High);
        let code = scene.code(40, OutputPolicy::SingleExecution);
        for id in 50..53 {
            scene.request(id, code);
        }
        let found = |most: usize| {
            let mut waiting = Waiting::default();
            scene
                .act(move |tx, here| {
                    requests(tx, &officer(), here, &mut waiting, most)?;
                    Ok((waiting.entries.len(), waiting.more))
                })
                .unwrap()
        };
        assert_eq!((found(2), found(3)), ((2, true), (3, false)));
    }

    #[test]
    fn of_more_than_is_told_the_oldest_are_told() {
        let scene = Scene::new(Side::High);
        let code = scene.code(40, OutputPolicy::SingleExecution);
        let many = u128::try_from(EACH_MAX).unwrap() + 1;
        for id in 1_000..1_000 + many {
            scene.request(id, code);
        }
        let found = |actor: Actor| scene.act(move |tx, here| waiting(tx, &actor, here)).unwrap();
        let told = found(officer());
        assert!(told.more && told.entries.len() == EACH_MAX);
        assert_eq!(told.entries[0].about, Uuid::from_u128(1_000));
        let first = RequestId(Uuid::from_u128(1_000));
        scene.decide(officer(), first, deny("no")).unwrap();
        let told = found(officer());
        assert!(!told.more && told.entries.len() == EACH_MAX);
        assert!(
            told.entries
                .iter()
                .any(|entry| entry.about == Uuid::from_u128(1_000 + many - 1))
        );
    }
}
