//! What people do: each act is one function over one transaction. It asks `domain` and `sync` whether it may, and writes
//! the records, their journal and audit entries and the notifications that they cause, all or none.
//!
//! An act takes the actor, what they want, and where and when ([`Here`](crate::store::records::Here)); it does no I/O beyond the transaction, so it
//! runs as well on the engine in memory, where the property tests play whole histories. Actors and handlers call acts and
//! hold no rules.

pub mod access_rules;
pub mod accounts;
pub mod archives;
pub mod assets;
pub mod chain;
pub mod datasets;
pub mod decisions;
pub mod founding;
pub mod grants;
pub mod groups;
#[cfg(test)]
mod histories;
pub mod inbox;
pub mod keys;
pub mod listing;
pub mod notices;
pub mod outgoing;
pub mod peers;
pub mod projects;
pub mod publications;
pub mod releases;
pub mod requests;
pub mod roles;
pub mod runs;
#[cfg(test)]
pub(crate) mod scene;
pub mod settings;
pub mod signatures;
pub mod snapshots;
#[cfg(test)]
mod solo;
pub mod visible;
pub mod waiting;

use serde_json::Value;
use uuid::Uuid;

use crate::domain::access::Denied;
use crate::domain::job::WrongTurn;
use crate::domain::object::Kind;
use crate::domain::policy::RunsUsedUp;
use crate::domain::request::{NotAuthorised, RequestError};
use crate::domain::side::NoBundles;
use crate::domain::text::Invalid;
use crate::store::records::RecordError;
use crate::store::table::TableError;

/// Why an act was refused. Nothing was changed.
///
/// The variants are the classes of refusal that a caller can tell apart; `api::problem` maps each to a problem document.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The actor lacks a permission.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// There is no such thing, or the actor may not know of it.
    #[error("there is no {what} {id}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its id, or name.
        id: String,
    },
    /// Fields are wrong.
    #[error("{}", list(.0))]
    Invalid(Vec<Invalid>),
    /// What the actor saw is not what is there any more, or somebody else was first.
    #[error("{detail}")]
    Changed {
        /// What happened meanwhile.
        detail: String,
        /// How what is there differs from what was seen.
        difference: Value,
    },
    /// The state of things does not allow it.
    #[error("{detail}")]
    Conflict {
        /// A stable word for programs.
        word: &'static str,
        /// What stands in the way, and the mend.
        detail: String,
    },
    /// A record could not be written: its name is taken, its home is elsewhere, or the store fails.
    #[error(transparent)]
    Record(#[from] RecordError),
}

fn list(problems: &[Invalid]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

impl Refusal {
    /// There is no such object, or the actor may not know of it.
    pub fn no(kind: Kind, id: impl Into<Uuid>) -> Self {
        Self::NotFound {
            what: kind.word(),
            id: id.into().to_string(),
        }
    }

    /// The state of things does not allow it.
    pub fn conflict(word: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict {
            word,
            detail: detail.into(),
        }
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(vec![invalid])
    }
}

impl From<TableError> for Refusal {
    fn from(error: TableError) -> Self {
        Self::Record(error.into())
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        let word = match error {
            RequestError::Withdrawn => "withdrawn",
            RequestError::NoFurtherRun { .. } => "runs_used_up",
            RequestError::NotApproved { .. } => "not_approved",
            RequestError::NotARun => "not_a_run",
            RequestError::NotApprovedHere => "not_approved_here",
        };
        Self::conflict(word, error.to_string())
    }
}

impl From<NotAuthorised> for Refusal {
    fn from(error: NotAuthorised) -> Self {
        Self::conflict("not_approved", error.to_string())
    }
}

impl From<NoBundles> for Refusal {
    fn from(error: NoBundles) -> Self {
        Self::conflict("no_bundles", error.to_string())
    }
}

impl From<RunsUsedUp> for Refusal {
    fn from(error: RunsUsedUp) -> Self {
        Self::conflict("runs_used_up", error.to_string())
    }
}

impl From<WrongTurn> for Refusal {
    fn from(error: WrongTurn) -> Self {
        Self::conflict("run_state", error.to_string())
    }
}
