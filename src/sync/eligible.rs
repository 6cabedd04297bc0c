//! Which objects a peer is owed, and with which root they travel.

use uuid::Uuid;

use crate::domain::dataset::Dataset;
use crate::domain::decision::About;
use crate::domain::id::NodeId;
use crate::domain::object::{Body, Kind, Object};
use crate::domain::request::{Sight, Subject};
use crate::domain::side::Level;

/// What the rule needs to know beyond the object itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// The home of the request that a decision, job or release answers.
    pub request_home: Option<NodeId>,
    /// Whether the peer is the object's home, and has forgotten it since its store was set back.
    pub forgotten: bool,
    /// Whether the dataset, or the asset's dataset, is published to the peer.
    pub published: bool,
    /// Whether the peer was told of a deleted dataset or asset before, and the word that it is deleted says nothing else; see
    /// [`says_nothing_new`].
    pub told: bool,
}

/// Whether `peer` may receive the object from `this_node`, which stands on `level`. A sender sends only what it is the home of. A low node receives
/// only answers to its own requests, and the datasets that were published to it. Of one that is published to it no more it
/// is told only that it was deleted: else it would show there for ever. And it is given back what it has forgotten of its own;
/// never does a low node give a decision back to a high one, whose own alone authorise.
pub fn eligible(object: &Object, this_node: NodeId, level: Level, peer: NodeId, facts: Facts) -> bool {
    if stays(&object.body) {
        return false;
    }
    if object.home != this_node {
        return level == Level::High && object.home == peer && facts.forgotten;
    }
    match (level, object.kind()) {
        (Level::Low, Kind::Job | Kind::Release) => false,
        (Level::Low, _) => true,
        (Level::High, Kind::Decision | Kind::Job | Kind::Release) => facts.request_home == Some(peer),
        (Level::High, Kind::Dataset | Kind::Asset) => facts.published || object.deleted && facts.told,
        (Level::High, Kind::User | Kind::Project | Kind::Code | Kind::Request) => false,
    }
}

/// Whether the tombstone of a dataset or an asset says nothing that an earlier revision did not say. One that was renamed since,
/// or shown to other groups, does. Who may have its mocks tells nothing of it.
pub fn says_nothing_new(tombstone: &Body, earlier: &Body) -> bool {
    match (tombstone, earlier) {
        (Body::Dataset(tombstone), Body::Dataset(earlier)) => {
            let left = Dataset {
                mocks: tombstone.mocks,
                ..earlier.clone().bared()
            };
            *tombstone == left
        }
        (Body::Asset(tombstone), Body::Asset(earlier)) => *tombstone == earlier.clone().bared(),
        _ => false,
    }
}

/// Whether a body is none of the other side's business: a request for bytes that are open here already, and what was
/// decided on it.
fn stays(body: &Body) -> bool {
    match body {
        Body::Request(request) => matches!(request.subject, Subject::SeeOpen(_)),
        Body::Decision(decision) => matches!(
            decision.about,
            About::Sight {
                sight: Sight::Mock(_) | Sight::Release(_),
                ..
            }
        ),
        Body::User(_)
        | Body::Project(_)
        | Body::Code(_)
        | Body::Dataset(_)
        | Body::Asset(_)
        | Body::Job(_)
        | Body::Release(_) => false,
    }
}

/// The root of the batch that a body travels in, where the body itself tells: people and code travel with the first project
/// or request that needs them, which only the writer of that project or request knows.
pub fn root(id: Uuid, body: &Body) -> Option<Uuid> {
    match body {
        Body::Project(_) | Body::Request(_) | Body::Job(_) | Body::Dataset(_) => Some(id),
        Body::Decision(decision) => Some(decision.request.0),
        Body::Asset(asset) => Some(asset.dataset.0),
        Body::Release(release) => Some(release.job.0),
        Body::User(_) | Body::Code(_) => None,
    }
}

/// The objects that must be where a root is, and so travel with it unless the peer has them: a project's members, and a
/// request's code and requester, who may have left the project since.
pub fn companions(body: &Body) -> Vec<Uuid> {
    match body {
        Body::Project(project) => project.members.iter().map(|user| user.0).collect(),
        Body::Request(request) => {
            let code = request.code().map(|code| code.0);
            code.into_iter().chain([request.requester.0]).collect()
        }
        Body::User(_)
        | Body::Code(_)
        | Body::Decision(_)
        | Body::Dataset(_)
        | Body::Asset(_)
        | Body::Job(_)
        | Body::Release(_) => Vec::new(),
    }
}
