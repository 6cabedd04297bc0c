//! What waits for somebody who looks after data: imports to review, requests for runs and for sight to decide on, runs to
//! start, and results to release or keep. Computed from what is stored whenever it is asked for, so it never disagrees with it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::requests::{self, Filter};
use super::visible::Found;
use super::{Refusal, inbox, runs};
use crate::domain::access::{Actor, Permission};
use crate::domain::id::{JobId, RequestId};
use crate::domain::job::{Data, Run, State};
use crate::domain::object::{Body, Kind};
use crate::domain::peer::Trust;
use crate::domain::release::Part;
use crate::domain::request::{Open, Request, Status, Subject};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::sync::select::Filters;

/// The most entries of one kind.
pub const EACH_MAX: usize = 200;

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
    /// Whose it is: the scientist's name, or the peer's.
    pub whose: String,
    /// The datasets that it touches, by name.
    pub datasets: Vec<String>,
    /// Since when, as far as that is known: a bundle does not say.
    pub since: Option<Timestamp>,
}

/// What waits, the oldest first within each kind; and whether there is more of some kind than is told.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Whether some kind has more than [`EACH_MAX`].
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
        pending(read, actor, here, Matter::Code, &mut waiting)?;
        pending(read, actor, here, Matter::Access, &mut waiting)?;
        if here.side.holds_private_data() {
            approved(read, actor, here, &mut waiting)?;
            results(read, actor, here, &mut waiting)?;
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

    /// Takes a new entry, unless there are enough of its kind.
    fn push(&mut self, entry: Entry) -> bool {
        if self.count(entry.matter) >= EACH_MAX {
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
                title: batch.batch.title,
                about: peer.node.0,
                whose: peer.name.clone(),
                datasets: Vec::new(),
                since: None,
            });
            if !taken {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Requests that nobody has decided on, of those that this node can approve: those for runs, or those for sight.
fn pending(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    matter: Matter,
    waiting: &mut Waiting,
) -> Result<(), Refusal> {
    let to_see = Some(matter == Matter::Access);
    for listed in in_state(read, actor, here, (&Status::Pending, to_see), waiting)? {
        let request = &listed.request.body;
        let theirs = request.requester != actor.user && request.may_be_approved_on(here.side).is_ok();
        if theirs && !push_request(read, matter, &listed, waiting)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Requests in a state, as many as are told.
fn in_state(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    (state, to_see): (&Status, Option<bool>),
    waiting: &mut Waiting,
) -> Result<Vec<requests::Listed>, Refusal> {
    let filter = Filter {
        to_see,
        state: Some(state.word().to_owned()),
        ..Filter::default()
    };
    let (listed, next) = requests::list(read, actor, here.now, &filter, None, EACH_MAX)?;
    waiting.more |= next.is_some();
    Ok(listed)
}

fn approved(read: &impl Read, actor: &Actor, here: &Here, waiting: &mut Waiting) -> Result<(), Refusal> {
    for listed in in_state(read, actor, here, (&Status::Approved, None), waiting)? {
        let id = RequestId(listed.request.object.id);
        let next = match listed.request.body.sight() {
            None => runs::may_queue(read, actor, here, runs::Wanted::Request(id, Data::Private)).map(drop),
            Some(_) => runs::check_fulfilment(read, actor, here, id).map(drop),
        };
        let possible = match next {
            Ok(()) => true,
            Err(Refusal::Record(error)) => return Err(Refusal::Record(error)),
            // Its runs are used up or under way, data is missing, which its page says, or there is none to write.
            Err(_) => false,
        };
        if possible && !push_request(read, Matter::Run, &listed, waiting)? {
            return Ok(());
        }
    }
    Ok(())
}

fn push_request(
    read: &impl Read,
    matter: Matter,
    listed: &requests::Listed,
    waiting: &mut Waiting,
) -> Result<bool, Refusal> {
    let request = &listed.request;
    Ok(waiting.push(Entry {
        matter,
        title: request.object.body.title(),
        about: request.object.id,
        whose: listed.requester_name.clone().unwrap_or_default(),
        datasets: datasets(read, &request.body)?,
        since: Some(request.object.updated_at),
    }))
}

fn results(read: &impl Read, actor: &Actor, here: &Here, waiting: &mut Waiting) -> Result<(), Refusal> {
    let listed = runs::list(read, actor, None, None, EACH_MAX)?;
    waiting.more |= listed.next.is_some();
    for (id, run) in listed.runs {
        let Some(request) = run.request.filter(|_| awaits_release(&run)) else {
            continue;
        };
        let Some(object) = records::object(read, request.0)? else {
            continue;
        };
        let Body::Request(body) = object.body.clone() else {
            continue;
        };
        let request = Found { object, body };
        let status = requests::status_of(read, here.now, &request)?;
        let closed = matches!(status, Status::Denied { .. } | Status::Withdrawn);
        if closed || is_released(read, id)? {
            continue;
        }
        let taken = waiting.push(Entry {
            matter: Matter::Result,
            title: request.object.body.title(),
            about: id.0,
            whose: name(read, request.body.requester.0)?,
            datasets: datasets(read, &request.body)?,
            since: run.ended_at,
        });
        if !taken {
            return Ok(());
        }
    }
    Ok(())
}

fn awaits_release(run: &Run) -> bool {
    run.data == Data::Private && run.state == State::Succeeded && run.result.is_some()
}

fn is_released(read: &impl Read, id: JobId) -> Result<bool, Refusal> {
    let releases = records::children(read, id.0, Kind::Release)?;
    Ok(releases.iter().any(
        |object| matches!(&object.body, Body::Release(release) if release.part == Part::Result && !object.deleted),
    ))
}

fn name(read: &impl Read, user: Uuid) -> Result<String, Refusal> {
    Ok(match records::object(read, user)?.map(|object| object.body) {
        Some(Body::User(user)) => user.name,
        _ => String::new(),
    })
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
    use crate::acts::scene::{ASSET, Scene, ada, deny, officer, owner, product, succeeded};
    use crate::domain::decision::Verdict;
    use crate::domain::id::{DecisionId, ReleaseId};
    use crate::domain::policy::OutputPolicy;
    use crate::domain::request::Sight;
    use crate::domain::side::Side;
    use crate::store::blobs::Blob;

    fn matters(scene: &Scene, actor: Actor) -> Vec<(Matter, Uuid)> {
        let waiting = scene.act(move |tx, here| waiting(tx, &actor, here)).unwrap();
        let entries = waiting.entries.into_iter();
        entries.map(|entry| (entry.matter, entry.about)).collect()
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
    fn an_entry_says_whose_it_is_and_which_data_it_touches() {
        let scene = Scene::new(Side::High);
        scene.request(50, scene.code(40, OutputPolicy::SingleExecution));
        let found = scene.act(|tx, here| waiting(tx, &owner(), here)).unwrap();
        assert_eq!(found.entries[0].datasets, ["Pima"]);
        assert_eq!(found.count(Matter::Code), 1);
        assert!(!found.more);
    }
}
