//! A request with all that a person wants to have before them when they look at it: what its parameters receive, what
//! ran, what was approved before, and what they can do now, or why not.

use uuid::Uuid;

use super::view::{Asked, View, decisions, view, with_homes};
use crate::acts::visible::{self, Found};
use crate::acts::{Refusal, decisions as deciding, listing, runs};
use crate::domain::access::{Actor, Viewer};
use crate::domain::code::Code;
use crate::domain::decision::Verdict;
use crate::domain::id::{CodeId, JobId, RequestId};
use crate::domain::job::{Data, Run};
use crate::domain::object::{Body, Kind};
use crate::domain::policy::Binding;
use crate::domain::project::Project;
use crate::domain::request::{Request, RequestError, Sight};
use crate::domain::user::User;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::PEERS;

/// Runs on each kind of data that are shown beside a request, the newest.
const RUNS_SHOWN: usize = 50;

/// A request and what belongs before the eyes of whoever looks at it.
#[derive(Clone, Debug)]
pub struct Review {
    /// The request itself.
    pub view: View,
    /// Whether it was made on this node.
    pub made_here: bool,
    /// The name of the peer whose request it is; none of one that was made here.
    pub by_way_of: Option<String>,
    /// Its project, if it is here.
    pub project: Option<Found<Project>>,
    /// Who asks, if they are known here.
    pub requester: Option<User>,
    /// What each parameter of the code receives; none where it asks to see something.
    pub parameters: Vec<(String, Bound)>,
    /// The runs of it that the actor may see: those on private data, then those on mocks, each newest first.
    pub runs: Vec<(JobId, Run)>,
    /// The earlier code that it is read against, if there is any.
    pub earlier: Option<(Earlier, Found<Code>)>,
    /// What the actor can do.
    pub possible: Possible,
}

/// Which code a reviewer compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// That of the request that this one takes up.
    TakenUp,
    /// The code of the same author that was approved last, of what was submitted before this.
    Approved,
}

/// What a parameter receives.
#[derive(Clone, Debug)]
pub enum Bound {
    /// An asset; by its name and that of its dataset, if it is here and the actor may know of it.
    Asset(Uuid, Option<(String, String)>),
    /// A constant, as JSON text.
    Constant(String),
}

/// What an actor can do with a request, or why they cannot.
#[derive(Clone, Debug)]
pub struct Possible {
    /// Approve it.
    pub approve: Result<(), String>,
    /// Deny it.
    pub deny: Result<(), String>,
    /// What can be done where it asks for a run.
    pub runs: Option<PossibleRuns>,
    /// Write the private data that it asks for as a result, where it asks for that.
    pub fulfil: Option<Result<(), String>>,
    /// Take it back.
    pub withdraw: Result<(), String>,
}

/// What an actor can do with a request that asks for a run.
#[derive(Clone, Debug)]
pub struct PossibleRuns {
    /// Run it on the mocks.
    pub on_mock: Result<(), String>,
    /// Run it on the private data.
    pub on_private: Result<(), String>,
    /// Ask for one more run.
    pub another: Result<(), String>,
}

impl Review {
    /// The code that it asks to run, if it does.
    pub fn code(&self) -> Option<&Found<Code>> {
        match &self.view.asked {
            Asked::Code(code, _) => Some(code),
            Asked::Sight(_) => None,
        }
    }
}

/// Shows a request with what belongs to it.
///
/// # Errors
/// There is none that the actor may see.
pub fn review(read: &impl Read, actor: &Actor, here: &Here, id: RequestId) -> Result<Review, Refusal> {
    let view = view(read, actor, here, id)?;
    let project = match view.request.body.project() {
        Some(project) => records::object(read, project.0)?,
        None => None,
    };
    let project = project.and_then(|object| match object.body.clone() {
        Body::Project(body) => Some(Found { object, body }),
        _ => None,
    });
    let requester = match records::object(read, view.request.body.requester.0)?.map(|object| object.body) {
        Some(Body::User(user)) => Some(user),
        _ => None,
    };
    let home = view.request.object.home;
    Ok(Review {
        made_here: home == here.node,
        by_way_of: read.get(&PEERS, &home.0)?.map(|peer| peer.name),
        project,
        requester,
        parameters: match &view.asked {
            Asked::Code(code, _) => parameters(read, actor, &code.body)?,
            Asked::Sight(_) => Vec::new(),
        },
        runs: shown_runs(read, actor, id)?,
        earlier: match &view.asked {
            Asked::Code(code, _) => earlier(read, actor, &view.request.body, code)?,
            Asked::Sight(_) => None,
        },
        possible: possible(read, actor, here, &view)?,
        view,
    })
}

/// Runs on mocks, of which scientists may start any number, take no place from those on private data.
fn shown_runs(read: &impl Read, actor: &Actor, id: RequestId) -> Result<Vec<(JobId, Run)>, Refusal> {
    let mut shown = runs::on_private_data(read, actor, Some(id), None, RUNS_SHOWN)?.runs;
    let all = runs::list(read, actor, Some(id), None, RUNS_SHOWN)?.runs;
    shown.extend(all.into_iter().filter(|(_, run)| run.data == Data::Mock));
    Ok(shown)
}

fn parameters(read: &impl Read, actor: &Actor, code: &Code) -> Result<Vec<(String, Bound)>, Refusal> {
    let viewer = Viewer::Person(actor.clone());
    let parameters = code.input_policy.parameters.iter();
    parameters
        .map(|(name, binding)| Ok((name.clone(), bound(read, &viewer, binding)?)))
        .collect()
}

fn bound(read: &impl Read, viewer: &Viewer, binding: &Binding) -> Result<Bound, Refusal> {
    let asset = match binding {
        Binding::Constant(json) => return Ok(Bound::Constant(json.clone())),
        Binding::Asset(asset) => asset.0,
    };
    let Some(object) = records::object(read, asset)?.filter(|object| !object.deleted) else {
        return Ok(Bound::Asset(asset, None));
    };
    if !visible::may_see(read, viewer, &object)? {
        return Ok(Bound::Asset(asset, None));
    }
    let dataset = match object.body.parent() {
        Some(dataset) => records::object(read, dataset)?.map(|dataset| dataset.body.title()),
        None => None,
    };
    Ok(Bound::Asset(
        asset,
        Some((object.body.title(), dataset.unwrap_or_default())),
    ))
}

/// The code that a request's own is read against: that of the request that it takes up, unless it is the same, or what was approved.
fn earlier(
    read: &impl Read,
    actor: &Actor,
    request: &Request,
    code: &Found<Code>,
) -> Result<Option<(Earlier, Found<Code>)>, Refusal> {
    let taken_up = request.predecessor.map(|id| visible::request(read, actor, id));
    if let Some(Ok(predecessor)) = taken_up
        && let Ok(before) = visible::code_of(read, &predecessor.body)
        && before.object.id != code.object.id
    {
        return Ok(Some((Earlier::TakenUp, before)));
    }
    let approved = approved_before(read, actor, &code.body, code.object.id)?;
    Ok(approved.map(|before| (Earlier::Approved, before)))
}

/// The newest code of the same author, older than this, of which a request has been approved. Code that is not here yet is
/// newer than all that is.
///
/// # Errors
/// The store cannot be read.
pub fn approved_before(
    read: &impl Read,
    actor: &Actor,
    code: &Code,
    id: Uuid,
) -> Result<Option<Found<Code>>, Refusal> {
    let mut older = records::object(read, id)?.is_none();
    let page = listing::page(read, Kind::Code, None, 1, |object| {
        if object.id == id {
            older = true;
            return Ok(false);
        }
        let same_author = matches!(&object.body, Body::Code(other) if other.author == code.author);
        Ok(older && same_author && was_approved(read, CodeId(object.id))?)
    })?;
    match page.objects.first() {
        Some(object) => Ok(visible::code(read, actor, CodeId(object.id)).ok()),
        None => Ok(None),
    }
}

fn was_approved(read: &impl Read, code: CodeId) -> Result<bool, Refusal> {
    for request in records::children(read, code.0, Kind::Request)? {
        let made = decisions(read, RequestId(request.id))?;
        if with_homes(&made).any(|(_, decision)| decision.verdict == Verdict::Approve) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn possible(read: &impl Read, actor: &Actor, here: &Here, view: &View) -> Result<Possible, Refusal> {
    let id = RequestId(view.request.object.id);
    let own = view.request.body.requester == actor.user;
    let theirs = || {
        Err(Refusal::conflict(
            "not_the_requester",
            "this is for who made the request",
        ))
    };
    let withdrawn = || -> Result<(), Refusal> {
        if view.request.body.withdrawn {
            return Err(RequestError::Withdrawn.into());
        }
        Ok(())
    };
    let queue = |data| runs::may_queue(read, actor, here, runs::Wanted::Request(id, data)).map(drop);
    let runs = match &view.asked {
        Asked::Code(code, _) => {
            let another = || -> Result<(), Refusal> {
                let mut request = view.request.body.clone();
                Ok(request.want_another_run(&view.status, code.body.output_policy)?)
            };
            Some(PossibleRuns {
                on_mock: or_why(queue(Data::Mock))?,
                on_private: or_why(queue(Data::Private))?,
                another: or_why(if own { another() } else { theirs() })?,
            })
        }
        Asked::Sight(_) => None,
    };
    let fulfil = match view.request.body.sight() {
        Some(Sight::PrivateData(_)) => {
            let checked = runs::check_fulfilment(read, actor, here, id).map(drop);
            Some(or_why(checked)?)
        }
        _ => None,
    };
    let approve = || {
        deciding::may_approve(actor, here.side, &view.request.body)?;
        deciding::may_ever_run(read, &view.request)
    };
    Ok(Possible {
        approve: or_why(approve())?,
        deny: or_why(deciding::may_deny(actor, &view.request.body))?,
        runs,
        fulfil,
        withdraw: or_why(if own { withdrawn() } else { theirs() })?,
    })
}

/// A refusal as what is said beside a button. What is wrong with the store stays an error.
fn or_why(may: Result<(), Refusal>) -> Result<Result<(), String>, Refusal> {
    match may {
        Err(Refusal::Record(error)) => Err(Refusal::Record(error)),
        may => Ok(may.map_err(|refusal| refusal.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acts::requests::{Draft, create};
    use crate::acts::scene::{Scene, ada, draft, officer, owner, succeeded};
    use crate::domain::policy::OutputPolicy;
    use crate::domain::side::Side;
    use crate::domain::user::Profile;

    fn seen(scene: &Scene, actor: Actor, request: RequestId) -> Review {
        scene
            .act(move |tx, here| review(tx, &actor, here, request))
            .unwrap()
    }

    #[test]
    fn what_cannot_be_done_says_why() {
        let scene = Scene::new(Side::High);
        let request = scene.request(41, scene.code(40, OutputPolicy::SingleExecution));
        let owners = seen(&scene, owner(), request);
        assert_eq!(
            (&owners.possible.approve, &owners.possible.deny),
            (&Ok(()), &Ok(()))
        );
        assert_eq!(owners.possible.runs.as_ref().unwrap().on_mock, Ok(()));
        let why = owners.possible.runs.unwrap().on_private.unwrap_err();
        assert!(why.contains("approve it on this node"), "{why}");
        assert!(owners.possible.withdraw.is_err());
        assert!(matches!(&owners.parameters[1].1, Bound::Asset(_, Some((_, dataset))) if dataset == "Pima"));
        let own = seen(&scene, ada(), request);
        assert!(own.possible.deny.unwrap_err().contains("can_triage_requests"));
        assert_eq!(own.possible.withdraw, Ok(()));
    }

    #[test]
    fn who_decides_is_told_that_nobody_is_left_to_read_a_release() {
        let scene = Scene::new(Side::High);
        let request = scene.request(41, scene.code(40, OutputPolicy::SingleExecution));
        let write = |deleted| {
            scene
                .act(move |tx, here| {
                    let profile = Profile {
                        name: "Ada".into(),
                        email: "ada@example.org".into(),
                        ..Profile::default()
                    };
                    let body = Body::User(User::new(&profile)?);
                    Ok(records::write(tx, here, ada().user.0, body, deleted)?)
                })
                .unwrap();
        };
        let told = || {
            let waiting = scene
                .act(|tx, here| crate::acts::waiting::waiting(tx, &owner(), here))
                .unwrap();
            let left = seen(&scene, owner(), request).view.requester_left;
            (waiting.entries[0].whose.clone(), left)
        };
        write(false);
        assert_eq!(told(), ("Ada".to_owned(), false));
        write(true);
        assert_eq!(told(), ("Ada (account deleted)".to_owned(), true));
    }

    #[test]
    fn what_was_approved_before_is_of_the_same_author_and_older() {
        let scene = Scene::new(Side::High);
        let first = scene.code(40, OutputPolicy::SingleExecution);
        let first_request = scene.request(41, first);
        let second = scene.request(51, scene.code(50, OutputPolicy::SingleExecution));
        let before = |request| {
            let before = seen(&scene, officer(), request).earlier;
            before.map(|(why, code)| (why, CodeId(code.object.id)))
        };
        assert_eq!(before(second), None, "nothing was approved");
        scene.decide(owner(), first_request, Verdict::Approve).unwrap();
        assert_eq!(before(second), Some((Earlier::Approved, first)));
        assert_eq!(before(first_request), None);
        let third = scene.code(60, OutputPolicy::SingleExecution);
        let taking_up = RequestId(Uuid::from_u128(61));
        let draft = Draft {
            predecessor: Some(second),
            ..draft(third)
        };
        scene
            .act(move |tx, here| create(tx, &ada(), here, taking_up, &draft))
            .unwrap();
        let of_second = CodeId(Uuid::from_u128(50));
        assert_eq!(before(taking_up), Some((Earlier::TakenUp, of_second)));
    }

    #[test]
    fn runs_on_mocks_take_no_place_from_those_on_private_data() {
        let scene = Scene::new(Side::Solo);
        scene.allow_mock_runs();
        let request = scene.request(41, scene.code(40, OutputPolicy::SingleExecution));
        scene.decide(owner(), request, Verdict::Approve).unwrap();
        let job = scene.run(60, request, succeeded(b"{}"));
        let mocks = u128::try_from(RUNS_SHOWN).unwrap();
        for id in 100..100 + mocks {
            scene.mock_run(id, &ada(), request);
        }
        let runs = seen(&scene, officer(), request).runs;
        assert_eq!((runs[0].0, runs.len()), (job, RUNS_SHOWN + 1));
        let own = seen(&scene, ada(), request).runs;
        assert!(own.len() == RUNS_SHOWN && own.iter().all(|(_, run)| run.data == Data::Mock));
    }
}
