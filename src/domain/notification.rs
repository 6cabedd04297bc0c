//! What people are told, and who is told. An entry is written to the outbox in the same commit as its cause; delivering it
//! is another matter.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::access::Permission;
use super::id::UserId;

/// Something that happened and that somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A person registered.
    UserRegistered,
    /// A request was submitted, or arrived in a bundle that was applied.
    RequestSubmitted,
    /// A request was approved.
    RequestApproved,
    /// A request was denied.
    RequestDenied,
    /// A run failed.
    RunFailed,
    /// A run left a result that awaits its release.
    ResultAwaitsRelease,
    /// A result was released to its requester.
    ResultReady,
    /// A bundle arrived.
    BundleArrived,
    /// A bundle was refused.
    BundleRefused,
    /// Batches of a bundle were applied.
    BundleApplied,
}

/// Who is told of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Everybody with a permission.
    Holders(Permission),
    /// The person whose request it is.
    Person(UserId),
}

/// An entry of the outbox: to be delivered at least once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// What happened.
    pub event: Event,
    /// Who is told.
    pub audience: Audience,
    /// The object that it is about, if any. Nothing of its content is in the entry.
    pub about: Option<Uuid>,
    /// When it happened.
    pub at: Timestamp,
}

impl Event {
    /// Who is told of the event: those whose turn it is. `requester` is the person whose request it concerns.
    pub fn audience(self, requester: Option<UserId>) -> Option<Audience> {
        match self {
            Self::UserRegistered => Some(Audience::Holders(Permission::CreateUsers)),
            Self::RequestSubmitted => Some(Audience::Holders(Permission::TriageRequests)),
            Self::RequestApproved | Self::RequestDenied | Self::RunFailed | Self::ResultReady => {
                requester.map(Audience::Person)
            }
            Self::ResultAwaitsRelease => Some(Audience::Holders(Permission::Release)),
            Self::BundleArrived | Self::BundleRefused | Self::BundleApplied => {
                Some(Audience::Holders(Permission::Sync))
            }
        }
    }
}
