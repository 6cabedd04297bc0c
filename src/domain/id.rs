//! Ids: one newtype per thing, so that a project's id cannot be passed where a dataset's is meant.
//!
//! Ids are UUIDs: version 7 on a low node, where sorting by age is useful, and version 4 where private data is held: on a
//! high node, because the time inside a version 7 id would carry the high side's clock across the gap, and on a solo node,
//! because it would tell scientists when a run began to wait.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, out)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}

id! {
    /// Names a node for its whole life.
    NodeId;
    /// A random value that a store gets when it is made and again when it is restored. Sequences and revisions compare
    /// only within one.
    Epoch;
    /// Names a person's account.
    UserId;
    /// Names a role of this node.
    RoleId;
    /// Names a group of this node.
    GroupId;
    /// Names a session, without being its token.
    SessionId;
    /// Names a project.
    ProjectId;
    /// Names a dataset.
    DatasetId;
    /// Names an asset of a dataset.
    AssetId;
    /// Names submitted code.
    CodeId;
    /// Names a request.
    RequestId;
    /// Names a decision on a request.
    DecisionId;
    /// Names one run of code, and the job that tells the other side of it.
    JobId;
    /// Names a release of one result, log or failure report.
    ReleaseId;
    /// Names a rule that decides on requests to see.
    RuleId;
    /// Names one bundle file.
    BundleId;
}
