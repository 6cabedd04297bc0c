//! What answers look like, for the description of the API: [`view`](super::view) makes objects of what is stored, and these
//! say what comes out. A fuzzing client holds the one against the other.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::RevisionView;

mod asking;
mod catalogue;
mod crossing;
mod node;

pub use asking::{
    CodeShown, DecisionShown, OutputFormatWord, ProjectShown, ReleaseShown, RequestListed, RequestShown,
    RunShown, UnderWay,
};
pub use catalogue::{
    AssetShown, DatasetShown, DatasetWithAssets, GeneratedMock, PrivateStatus, UploadedMock,
};
pub use crossing::{
    Applied, Exported, Ignored, Imported, Inbox, Outgoing, PeerShown, PublicationShown, Unignored,
};
pub use node::{NodeShown, SandboxShown, SnapshotShown, Told};

/// What every object bears, beside the fields of its kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct Envelope {
    /// The same on every node.
    pub id: Uuid,
    /// What kind of object it is.
    pub kind: String,
    /// The only node that may change it.
    pub home: Uuid,
    /// Its revision.
    pub revision: RevisionView,
    /// Whether it was deleted.
    pub deleted: bool,
    /// When this node first had it.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When this node last wrote it.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// Bytes, as they are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Bytes(pub Vec<u8>);

/// A revision, as it was shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeenRevision {
    /// Its number.
    pub number: u64,
    /// Its digest.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub digest: String,
}

/// An object, as it was shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenObject {
    /// The object.
    pub id: Uuid,
    /// The revision of it that was shown.
    pub revision: SeenRevision,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct PageOf<T: ToSchema> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins: pass it as `cursor`. None on the last one.
    pub next: Option<String>,
}

/// A problem document (RFC 9457): what is answered wherever something is wrong. A kind of problem may add members.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemShown {
    /// `urn:poundlock:problem:` and a stable word.
    #[serde(rename = "type")]
    #[schema(pattern = "^urn:poundlock:problem:[a-z_]+$")]
    pub kind: String,
    /// The same for every problem of the kind.
    pub title: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is wrong, and what to do, for people.
    pub detail: String,
    /// What is wrong, one by one: fields with `field` and `problem`, or lines of code.
    #[schema(value_type = Option<Vec<Object>>)]
    pub errors: Option<Vec<serde_json::Value>>,
}
