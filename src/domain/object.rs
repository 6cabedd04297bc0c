//! Objects: what syncs. Every object has one home node, the only one that may write it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::asset::Asset;
use super::code::Code;
use super::dataset::Dataset;
use super::decision::Decision;
use super::hash::Hash;
use super::id::{Epoch, NodeId};
use super::job::Job;
use super::project::Project;
use super::release::Release;
use super::request::{Request, Sight};
use super::user::User;

/// The most bytes of an encoded body.
pub const BODY_MAX: usize = 64 * 1024;

/// The kinds of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// [`User`]
    User,
    /// [`Project`]
    Project,
    /// [`Code`]
    Code,
    /// [`Request`]
    Request,
    /// [`Decision`]
    Decision,
    /// [`Dataset`]
    Dataset,
    /// [`Asset`]
    Asset,
    /// [`Job`]
    Job,
    /// [`Release`]
    Release,
}

impl Kind {
    /// Every kind, in the order in which a reader meets them.
    pub const ALL: [Self; 9] = [
        Self::User,
        Self::Project,
        Self::Dataset,
        Self::Asset,
        Self::Code,
        Self::Request,
        Self::Decision,
        Self::Job,
        Self::Release,
    ];

    /// The word used in addresses, files and on screens.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Code => "code",
            Self::Request => "request",
            Self::Decision => "decision",
            Self::Dataset => "dataset",
            Self::Asset => "asset",
            Self::Job => "job",
            Self::Release => "release",
        }
    }
}

/// One revision of an object: its number, from 1, and the hash of what of it travels. Two revisions with the same
/// number and different digests are a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Revision {
    /// Counts the changes of this object.
    pub number: u64,
    /// Hash of the record that carries this revision, the same on both sides.
    pub digest: Hash,
}

/// What an object holds. Never private bytes, nor a hash, a size, a preview or a statistic of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// A person.
    User(User),
    /// The frame of a collaboration.
    Project(Project),
    /// Submitted source with its policies.
    Code(Code),
    /// Asks for a run, or to see something.
    Request(Request),
    /// Approves or denies a request.
    Decision(Decision),
    /// A named set of assets.
    Dataset(Dataset),
    /// A table or tensor.
    Asset(Asset),
    /// That code ran.
    Job(Job),
    /// Lets one result, log or failure report leave.
    Release(Release),
}

impl Body {
    /// The kind of the object.
    pub fn kind(&self) -> Kind {
        match self {
            Self::User(_) => Kind::User,
            Self::Project(_) => Kind::Project,
            Self::Code(_) => Kind::Code,
            Self::Request(_) => Kind::Request,
            Self::Decision(_) => Kind::Decision,
            Self::Dataset(_) => Kind::Dataset,
            Self::Asset(_) => Kind::Asset,
            Self::Job(_) => Kind::Job,
            Self::Release(_) => Kind::Release,
        }
    }

    /// The name that a person knows the object by, for lists and messages.
    pub fn title(&self) -> String {
        match self {
            Self::User(user) => format!("{} <{}>", user.name, user.email),
            Self::Project(project) => project.name.clone(),
            Self::Code(code) => format!("{} ({})", code.name, code.entry_point),
            Self::Request(request) => request
                .reason
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(80)
                .collect(),
            Self::Decision(decision) => match &decision.verdict {
                super::decision::Verdict::Approve => format!("approved by {}", decision.by_name),
                super::decision::Verdict::Deny { .. } => format!("denied by {}", decision.by_name),
            },
            Self::Dataset(dataset) => dataset.name.clone(),
            Self::Asset(asset) => asset.name.clone(),
            Self::Job(job) => match job.verdict {
                super::job::Verdict::Succeeded => format!("ran on {}", job.on),
                super::job::Verdict::Failed => format!("failed on {}", job.on),
            },
            Self::Release(release) => format!("{} released by {}", release.part.word(), release.by_name),
        }
    }

    /// The blobs that the body names, and that must be where the body is.
    pub fn blobs(&self) -> Vec<(Hash, u64)> {
        match self {
            Self::Asset(asset) => asset.mock.iter().map(|mock| (mock.blob, mock.length)).collect(),
            Self::Release(release) => vec![(release.blob, release.length)],
            Self::User(_)
            | Self::Project(_)
            | Self::Code(_)
            | Self::Request(_)
            | Self::Decision(_)
            | Self::Dataset(_)
            | Self::Job(_) => Vec::new(),
        }
    }

    /// The object that this one belongs to and is listed under, if any.
    pub fn parent(&self) -> Option<Uuid> {
        match self {
            Self::User(_) | Self::Project(_) | Self::Code(_) | Self::Dataset(_) => None,
            // What is asked for outside a project is listed under the object itself.
            Self::Request(request) => match request.project() {
                Some(project) => Some(project.0),
                None => request.sight().map(Sight::object),
            },
            Self::Decision(decision) => Some(decision.request.0),
            Self::Asset(asset) => Some(asset.dataset.0),
            Self::Job(job) => Some(job.request.0),
            Self::Release(release) => Some(release.job.0),
        }
    }

    /// The objects that this one can be found under: its parent, and what else people look for it by.
    pub fn listed_under(&self) -> Vec<Uuid> {
        let further = match self {
            Self::Request(request) => request.code().map(|code| code.0),
            Self::Release(release) => Some(release.request.0),
            _ => None,
        };
        self.parent().into_iter().chain(further).collect()
    }

    /// The name that must be unique among the objects of this kind with the same home, and the same parent where it has
    /// one; without regard to case.
    pub fn unique_name(&self) -> Option<String> {
        match self {
            Self::User(user) => Some(user.email.folded()),
            Self::Project(project) => Some(super::text::folded(&project.name)),
            Self::Dataset(dataset) => Some(super::text::folded(&dataset.name)),
            Self::Asset(asset) => Some(super::text::folded(&asset.name)),
            Self::Code(_) | Self::Request(_) | Self::Decision(_) | Self::Job(_) | Self::Release(_) => None,
        }
    }
}

/// An object as a node keeps it: the newest revision that it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The same on both sides.
    pub id: Uuid,
    /// The only node that may write it.
    pub home: NodeId,
    /// The epoch of the home node's store in which this revision was written.
    pub epoch: Epoch,
    /// The revision.
    pub revision: Revision,
    /// A tombstone: hides the object, and is kept for ever.
    pub deleted: bool,
    /// When this node first had it.
    pub created_at: Timestamp,
    /// When this node last wrote it.
    pub updated_at: Timestamp,
    /// What it holds.
    pub body: Body,
}

impl Object {
    /// The kind of the object.
    pub fn kind(&self) -> Kind {
        self.body.kind()
    }
}
