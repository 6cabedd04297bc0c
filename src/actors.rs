//! Who owns what while the node runs.
//!
//! Actors hold no rules: they call `acts` and `domain`. Nothing that matters lives only in one; each is started by a
//! supervisor, and one that stops begins again from the store. Slow work runs on threads that may block, never on an
//! arbiter. Reads do not queue in mailboxes: see [`store::StoreHandle::read`].

use crate::acts::Refusal;
use crate::domain::outline::CodeProblem;
use crate::runtime::NotReady;

pub mod notifier;
pub mod runner;
pub mod store;
pub mod syncer;
pub mod triage;

pub use store::StoreHandle;

/// Why something that was asked of the node was not done.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The rules do not allow it; nothing was changed.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The submitted code breaks the rule for code; nothing was changed.
    #[error("the code cannot be submitted: {}", list(.0))]
    CodeRefused(Vec<CodeProblem>),
    /// This node cannot sandbox, so it runs no code and parses none.
    #[error(transparent)]
    NotReady(NotReady),
    /// Too much waits already; nothing was changed.
    #[error("the node has too much to do at the moment; try again in a few seconds")]
    Busy,
    /// The node is stopping; nothing was changed.
    #[error("the node is stopping; try again once it runs")]
    Stopping,
    /// The answer was lost: whether the change was made can only be seen by looking.
    #[error("the answer was lost; look whether the change was made before you try again")]
    Unknown,
    /// The node failed. What is told outside says no more than this; the log has the cause.
    #[error("the node failed to do this; its log says why")]
    Internal(#[source] anyhow::Error),
}

fn list(problems: &[CodeProblem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

impl ActError {
    /// A failure of the node itself, with its cause.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self::Internal(cause.into())
    }
}

impl From<actix::MailboxError> for ActError {
    fn from(error: actix::MailboxError) -> Self {
        match error {
            actix::MailboxError::Closed | actix::MailboxError::Timeout => Self::Unknown,
        }
    }
}
