//! Peers, publications, and what goes to and comes from other nodes, as they are shown.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::signed::{KeyNewsView, Signed};
use crate::api::view::RevisionView;

/// Whether a peer is trusted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrustShown {
    /// Nobody has confirmed its fingerprint.
    Unconfirmed,
    /// Somebody has.
    Paired,
    /// Trusted no more.
    Revoked,
}

/// A peer.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeerShown {
    /// The node's id.
    pub id: Uuid,
    /// How it calls itself.
    pub name: String,
    /// Its side.
    pub side: String,
    /// Whether it is trusted.
    pub trust: TrustShown,
    /// What two people compare by voice.
    pub fingerprint: String,
    /// The same of the keys that it hands over to, until somebody confirms it.
    pub successor_fingerprint: Option<String>,
    /// The epoch of its store that somebody has confirmed.
    pub epoch: Uuid,
    /// The epoch that this node's bundles for it bear.
    pub own_epoch: Uuid,
    /// An epoch that a bundle, or the identity of a peer that is not paired, has named and nobody has confirmed.
    pub unconfirmed_epoch: Option<Uuid>,
    /// Whether two of its bundles have borne one number in its epoch: nothing of that epoch is taken in any more.
    pub forked: bool,
    /// The number of the last bundle made for it.
    pub last_sent: u64,
    /// The newest bundle that it has acknowledged.
    pub last_acknowledged: u64,
    /// The newest bundle of it.
    pub last_received: u64,
}

/// That a dataset is published to a peer.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublicationShown {
    /// The dataset; not in lists, which are of one.
    pub dataset: Option<Uuid>,
    /// The peer.
    pub peer: Uuid,
}

/// What a change is to the side that receives it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeShown {
    /// It does not have the object.
    New,
    /// It has another revision.
    Modified,
    /// It has this revision.
    Same,
    /// It is its own, which it has forgotten since its store was set back.
    Returned,
    /// It has a revision that this one does not follow from.
    Forked,
}

/// One attribute that differs.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttributeShown {
    /// Its name.
    pub name: String,
    /// What it was.
    pub before: Value,
    /// What it is.
    pub after: Value,
    /// For long text: a unified diff.
    pub text_diff: Option<String>,
}

/// One object of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberShown {
    /// The object.
    pub id: Uuid,
    /// Its kind.
    pub kind: String,
    /// How a person knows it.
    pub title: String,
    /// The revision that the batch brings.
    pub revision: RevisionView,
    /// What it is to the receiver.
    pub change: ChangeShown,
    /// Whether it was deleted.
    pub deleted: bool,
    /// What has changed, unless nothing has.
    pub changes: Option<Vec<AttributeShown>>,
    /// How it is signed; of code and requests that have come in.
    pub signed: Option<Signed>,
    /// What it says of its person's key; of people that have come in.
    pub verify_key: Option<KeyNewsView>,
}

/// A batch: a root object's change with its dependents'.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchShown {
    /// The root object.
    pub root: Uuid,
    /// Its kind.
    pub kind: String,
    /// How a person knows it.
    pub title: String,
    /// The roots that must be where this batch is applied.
    pub needs: Vec<Uuid>,
    /// Root first, then its dependents.
    pub members: Vec<MemberShown>,
}

/// A batch that a peer is owed.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutgoingBatch {
    /// The batch.
    #[serde(flatten)]
    pub batch: BatchShown,
    /// Why it is kept back: `held`, `filtered`, or `{"needs": root}`; null where it is not.
    pub kept_back: Value,
}

/// What a peer is owed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Outgoing {
    /// The batches, needs first.
    pub batches: Vec<OutgoingBatch>,
}

/// A batch that waits for review.
#[derive(Debug, Serialize, ToSchema)]
pub struct InboxBatchShown {
    /// The batch.
    #[serde(flatten)]
    pub batch: BatchShown,
    /// Whether it is ignored.
    pub ignored: bool,
    /// What it needs that has not arrived.
    pub waits_for: Vec<Uuid>,
    /// Every object of it and of what it needs, as a review must name it.
    pub reviewed: Value,
}

/// What waits for review from a peer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Inbox {
    /// The batches.
    pub batches: Vec<InboxBatchShown>,
}

/// What was applied.
#[derive(Debug, Serialize, ToSchema)]
pub struct Applied {
    /// The roots, in their order.
    pub applied: Vec<Uuid>,
    /// Those of them that were applied because others need them.
    pub also: Vec<Uuid>,
}

/// What is hidden now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ignored {
    /// The roots.
    pub ignored: Vec<Uuid>,
}

/// What shows again.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unignored {
    /// The roots.
    pub unignored: Vec<Uuid>,
}

/// A bundle that was written.
#[derive(Debug, Serialize, ToSchema)]
pub struct Exported {
    /// The bundle.
    pub bundle: Uuid,
    /// For whom it is.
    pub peer: Uuid,
    /// Its number.
    pub sequence: u64,
    /// What it builds on; 0 for nothing.
    pub base: u64,
    /// What was signed.
    pub hash: String,
    /// The size of the file in bytes.
    pub size: u64,
    /// What to fetch it by.
    pub name: String,
    /// How many records it carries.
    pub records: u64,
    /// How many blobs.
    pub blobs: u64,
    /// How many batches hold something that did not fit, and that no bundle under way carries: it goes with the next one.
    pub left_over: u64,
}

/// What an import did.
#[derive(Debug, Serialize, ToSchema)]
pub struct Imported {
    /// The bundle.
    pub bundle: Uuid,
    /// Who sent it.
    pub sender: Uuid,
    /// How the sender is called.
    pub sender_name: String,
    /// Its number.
    pub sequence: u64,
    /// The hash of the file, as it was signed.
    pub hash: String,
    /// `received`, `late` (a newer one came first) or `repeated` (nothing changed).
    pub state: String,
    /// How many records wait for review that did not before.
    pub brought: u64,
    /// How many were known already.
    pub known: u64,
    /// How many blobs came along.
    pub blobs: u64,
}
