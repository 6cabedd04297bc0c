//! Runs and jobs. A [`Run`] is everything this node knows of one run of code, and stays here; a [`Job`] is the little
//! of it that the other side may know.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::hash::Hash;
use super::id::{CodeId, RequestId, UserId};
use super::object::Revision;
use super::release::{OutputFormat, Part};

/// Whether a run worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It returned a result.
    Succeeded,
    /// It did not, for whatever reason.
    Failed,
}

/// That private data was worked on for a request, and whether it failed. No time, no duration, no size, no reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The request that asked for it.
    pub request: RequestId,
    /// The code that ran; none where the data itself was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeId>,
    /// Whether it worked.
    pub verdict: Verdict,
    /// The date of the run.
    pub on: Date,
}

impl Job {
    /// Whether whoever asked for the run is told of it on `today`, on a node where no gap stands between the two: as soon as
    /// something of it was `released`, else once its date is over. Told when it ends, it would tell the time at which it
    /// ended to whoever keeps asking, and with the time of the approval how long it took.
    pub fn is_told(&self, today: Date, released: bool) -> bool {
        released || self.on < today
    }
}

/// Which data a run receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// The mocks of the assets.
    Mock,
    /// The private data. On a high node only.
    Private,
}

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for its turn.
    Queued,
    /// Under way.
    Running,
    /// Returned a result.
    Succeeded,
    /// Raised, crashed, or passed a limit.
    Failed,
    /// Stopped at its time limit.
    TimedOut,
    /// Stopped by a person.
    Cancelled,
    /// The node stopped while it was under way, or could not carry it through: nobody's code is at fault.
    Interrupted,
    /// It returned a result that a person has set aside, as one that nobody shall have: made of the wrong data, or the wrong file.
    SetAside,
}

impl State {
    /// Whether the run is over.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// What the other side may know of a run that is over: one that was cancelled or interrupted never happened, and whatever else did
    /// not succeed has failed. One that is set aside was told when it succeeded, and is told no more.
    pub fn verdict(self) -> Option<Verdict> {
        match self {
            Self::Queued | Self::Running | Self::Cancelled | Self::Interrupted | Self::SetAside => None,
            Self::Succeeded => Some(Verdict::Succeeded),
            Self::Failed | Self::TimedOut => Some(Verdict::Failed),
        }
    }

    /// The word shown for the state.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::SetAside => "set_aside",
        }
    }
}

/// A result, log or failure report that a run left behind: private until it is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// How it is written.
    pub format: OutputFormat,
    /// Its size in bytes.
    pub length: u64,
    /// The hash of its exact bytes: what a reviewer sees is what they release.
    pub hash: Hash,
}

/// Where a run's result came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// This node ran the code.
    Sandbox,
    /// An owner computed the result elsewhere and deposited it.
    Deposit,
    /// An officer had the private data that was asked for written as a result.
    Fulfilment,
}

/// One run of code on this node, or what stands in its place. Never travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The request, where the run answers one.
    pub request: Option<RequestId>,
    /// The revision of the request that it answers: what was decided on that one holds for what it left behind. Runs of earlier
    /// versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_revision: Option<Revision>,
    /// The code; none where private data was written as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeId>,
    /// Mock or private data.
    pub data: Data,
    /// Run here, deposited, or written of private data.
    pub origin: Origin,
    /// Who started it.
    pub started_by: UserId,
    /// Where it stands.
    pub state: State,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When it began.
    pub began_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// What it returned.
    pub result: Option<Product>,
    /// What it printed.
    pub log: Option<Product>,
    /// Where it failed, as far as a failure report may say it.
    pub failure_report: Option<Product>,
    /// What it used, where this node ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
}

/// What a run used of the machine. Tells of private data, as its duration does: for those who may see the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Processor time, of user and system together, in milliseconds.
    pub cpu_milliseconds: u64,
    /// The most memory resident at one time, in bytes.
    pub peak_memory: u64,
}

/// A run cannot go from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run is {}, and cannot become {}", .from.word(), .to.word())]
pub struct WrongTurn {
    /// The state it is in.
    pub from: State,
    /// The state it was to enter.
    pub to: State,
}

impl Run {
    /// What the run left behind of a kind.
    pub fn product(&self, part: Part) -> Option<&Product> {
        match part {
            Part::Result => self.result.as_ref(),
            Part::Log => self.log.as_ref(),
            Part::FailureReport => self.failure_report.as_ref(),
        }
    }

    /// Whether the run left a result that is private as long as nobody releases it.
    pub fn has_private_result(&self) -> bool {
        self.data == Data::Private && self.state == State::Succeeded && self.result.is_some()
    }

    /// The ids under which the run is listed beside others on the same kind of data alone: a run on mocks under who started
    /// it, who sees no others; a run on private data under its request, and with all of them under the nil id.
    pub fn listed_apart(&self) -> Vec<Uuid> {
        match self.data {
            Data::Mock => vec![self.started_by.0],
            Data::Private => {
                let all = Some(Uuid::nil());
                all.into_iter().chain(self.request.map(|id| id.0)).collect()
            }
        }
    }

    /// Moves the run on. States only go forward, and the last one stands.
    ///
    /// # Errors
    /// The run cannot enter that state from the one it is in.
    pub fn enter(&mut self, to: State, at: Timestamp) -> Result<(), WrongTurn> {
        let allowed = match (self.state, to) {
            (State::Queued, State::Running | State::Cancelled | State::Interrupted) => true,
            (State::Running, next) => next.is_over() && next != State::SetAside,
            (State::Succeeded, State::SetAside) => true,
            _ => false,
        };
        if !allowed {
            return Err(WrongTurn { from: self.state, to });
        }
        if to == State::Running {
            self.began_at = Some(at);
        } else if to != State::SetAside {
            self.ended_at = Some(at);
        }
        self.state = to;
        Ok(())
    }
}
