//! Requests: what a scientist asks of a data owner, and what has become of it.

mod sight;
#[cfg(test)]
mod tests;
mod written;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::code::Code;
use super::decision::{About, Decision, Verdict};
use super::id::{AssetId, CodeId, NodeId, ProjectId, RequestId, UserId};
use super::object::{Object, Revision};
use super::policy::OutputPolicy;
use super::side::Side;
use super::signature::Signature;
use super::text::{self, Invalid};

pub use sight::{Open, OpenType, Sight, SightType};

/// Asks the data owner for something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "written::Written", into = "written::Written")]
pub struct Request {
    /// What is asked for.
    pub subject: Subject,
    /// Who asks.
    pub requester: UserId,
    /// Why.
    pub reason: String,
    /// Whether the requester has taken it back.
    pub withdrawn: bool,
    /// The request that this one takes up again, if any.
    pub predecessor: Option<RequestId>,
    /// Its requester's signature on this revision, if they sign; see
    /// [`Statement::of_request`](super::signature::Statement::of_request).
    pub signature: Option<Signature>,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// To run code on private data.
    Run {
        /// The project it is asked for in.
        project: ProjectId,
        /// The code.
        code: CodeId,
        /// How many successful runs are wanted so far: 1 at first; asking for another run raises it by one, which is a
        /// new revision and needs a new decision.
        runs_wanted: u32,
    },
    /// To see bytes that are open already. Whoever triages on this node decides; the request does not travel.
    SeeOpen(Open),
    /// To see the private data of an asset. Travels to where that data is, is decided there, and answered by a release.
    SeePrivate {
        /// The project it is asked for in.
        project: ProjectId,
        /// The asset.
        asset: AssetId,
    },
}

/// A request cannot change in the way that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It was withdrawn before.
    #[error(
        "the request was withdrawn; its requester can resubmit it as a new one that names this as its predecessor"
    )]
    Withdrawn,
    /// The output policy allows no further run.
    #[error("the output policy of the code allows {allowed} successful run(s), which were asked for already")]
    NoFurtherRun {
        /// What the policy allows.
        allowed: u32,
    },
    /// Only an approved request can be run again.
    #[error("another run can be asked for once the request has been approved; it is {state}")]
    NotApproved {
        /// The word for the state it is in.
        state: &'static str,
    },
    /// Only code runs.
    #[error("the request asks to see something, not to run code")]
    NotARun,
    /// It asks for private data, which this node does not hold.
    #[error(
        "only the node that holds the private data can approve this; here it can be denied, or left for the data owner"
    )]
    NotApprovedHere,
}

impl Request {
    /// Makes a request for a first run.
    ///
    /// # Errors
    /// The reason is empty or too long.
    pub fn new(
        project: ProjectId,
        code: CodeId,
        requester: UserId,
        reason: &str,
        predecessor: Option<RequestId>,
    ) -> Result<Self, Invalid> {
        let subject = Subject::Run {
            project,
            code,
            runs_wanted: 1,
        };
        Self::of(subject, requester, reason, predecessor)
    }

    /// Makes a request for anything.
    ///
    /// # Errors
    /// The reason is empty or too long.
    pub fn of(
        subject: Subject,
        requester: UserId,
        reason: &str,
        predecessor: Option<RequestId>,
    ) -> Result<Self, Invalid> {
        Ok(Self {
            subject,
            requester,
            reason: text::required_prose("reason", reason)?,
            withdrawn: false,
            predecessor,
            signature: None,
        })
    }

    /// The project that it is made in; none for bytes that are open already.
    pub fn project(&self) -> Option<ProjectId> {
        match self.subject {
            Subject::Run { project, .. } | Subject::SeePrivate { project, .. } => Some(project),
            Subject::SeeOpen(_) => None,
        }
    }

    /// The code that it asks to run, if it does.
    pub fn code(&self) -> Option<CodeId> {
        match self.subject {
            Subject::Run { code, .. } => Some(code),
            Subject::SeeOpen(_) | Subject::SeePrivate { .. } => None,
        }
    }

    /// How many successful runs it asks for, if it asks for any.
    pub fn runs_wanted(&self) -> Option<u32> {
        match self.subject {
            Subject::Run { runs_wanted, .. } => Some(runs_wanted),
            Subject::SeeOpen(_) | Subject::SeePrivate { .. } => None,
        }
    }

    /// What it asks to see, if it does.
    pub fn sight(&self) -> Option<Sight> {
        match self.subject {
            Subject::Run { .. } => None,
            Subject::SeeOpen(open) => Some(open.sight()),
            Subject::SeePrivate { asset, .. } => Some(Sight::PrivateData(asset)),
        }
    }

    /// Whether it asks for private data: to run code on it, or to see it.
    fn asks_for_private_data(&self) -> bool {
        !matches!(self.subject, Subject::SeeOpen(_))
    }

    /// Whether a node of a side can approve it: an approval where the data is not would let nothing happen, and look as if it had.
    ///
    /// # Errors
    /// It asks for private data, and the node holds none.
    pub fn may_be_approved_on(&self, side: Side) -> Result<(), RequestError> {
        if self.asks_for_private_data() && !side.holds_private_data() {
            return Err(RequestError::NotApprovedHere);
        }
        Ok(())
    }

    /// Takes the request back. The signature, which was for the revision before, goes.
    ///
    /// # Errors
    /// It was taken back before.
    pub fn withdraw(&mut self) -> Result<(), RequestError> {
        if self.withdrawn {
            return Err(RequestError::Withdrawn);
        }
        self.withdrawn = true;
        self.signature = None;
        Ok(())
    }

    /// Asks for one more run. The signature, which was for the revision before, goes.
    ///
    /// # Errors
    /// The request asks for no run, was withdrawn, is not approved, or the policy allows no further run.
    pub fn want_another_run(&mut self, status: &Status, policy: OutputPolicy) -> Result<(), RequestError> {
        let Subject::Run { runs_wanted, .. } = &mut self.subject else {
            return Err(RequestError::NotARun);
        };
        if self.withdrawn {
            return Err(RequestError::Withdrawn);
        }
        if !matches!(status, Status::Approved) {
            return Err(RequestError::NotApproved { state: status.word() });
        }
        let allowed = policy.runs_allowed();
        if *runs_wanted >= allowed {
            return Err(RequestError::NoFurtherRun { allowed });
        }
        *runs_wanted += 1;
        self.signature = None;
        Ok(())
    }
}

/// What has become of a request. Computed from decisions whenever it is asked for, never stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Status {
    /// Nobody has decided on this revision.
    Pending,
    /// Approved: a run may follow, or has; or what was asked for may be seen.
    Approved,
    /// Approved, for a time that is over.
    Expired,
    /// Denied, and why.
    Denied {
        /// What the data owner gave as the reason.
        reason: String,
    },
    /// Taken back by its requester.
    Withdrawn,
}

impl Status {
    /// The word shown for the state.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Expired => "expired",
            Self::Denied { .. } => "denied",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// The decision that holds on a revision of a request: the last one made on it. Where both sides have decided, the one of
/// `authority` (the high side) outweighs. An approval by anybody else counts for nothing where private data is asked for: or
/// whoever has broken into the low side could make a request look settled that nobody has decided on.
pub fn standing<'a>(
    request: &Request,
    revision: Revision,
    decisions: impl IntoIterator<Item = (NodeId, &'a Decision)>,
    authority: impl Fn(NodeId) -> bool,
) -> Option<&'a Decision> {
    let (mut low, mut high): (Option<&Decision>, Option<&Decision>) = (None, None);
    for (home, decision) in decisions {
        let standing = if authority(home) { &mut high } else { &mut low };
        if decision.request_revision == revision && standing.is_none_or(|held| held.number < decision.number)
        {
            *standing = Some(decision);
        }
    }
    high.or(low.filter(|decision| decision.verdict != Verdict::Approve || !request.asks_for_private_data()))
}

/// Computes the status of a request at a moment from the decision that holds on its present revision; see [`standing`].
pub fn status<'a>(
    request: &Request,
    revision: Revision,
    decisions: impl IntoIterator<Item = (NodeId, &'a Decision)>,
    authority: impl Fn(NodeId) -> bool,
    now: Timestamp,
) -> Status {
    if request.withdrawn {
        return Status::Withdrawn;
    }
    let Some(decision) = standing(request, revision, decisions, authority) else {
        return Status::Pending;
    };
    match &decision.verdict {
        Verdict::Approve if decision.until.is_some_and(|until| until <= now) => Status::Expired,
        Verdict::Approve => Status::Approved,
        Verdict::Deny { reason } => Status::Denied {
            reason: reason.clone(),
        },
    }
}

/// Where a request stands for what one of its runs left behind: by the status of the revision that was run for, and of the present
/// one. To deny a further run takes nothing back of one that was approved, and to approve one makes good what was denied before.
pub fn status_for_run(of_run: Status, present: Status) -> Status {
    match (of_run, present) {
        (of_run @ (Status::Approved | Status::Withdrawn), _) => of_run,
        (of_run @ (Status::Denied { .. } | Status::Expired), Status::Pending) => of_run,
        (_, present) => present,
    }
}

/// Whether nothing is left to do about a request for those who look after data on a node, until its requester, a decision or
/// a run changes it: by the node's `own` decisions on it, and how many runs of what it asks for have `succeeded` there. Time
/// and what other nodes decide play no part, so that this holds until one of those changes.
pub fn rests<'a>(
    request: &Request,
    revision: Revision,
    own: impl IntoIterator<Item = (NodeId, &'a Decision)>,
    succeeded: u32,
) -> bool {
    if request.withdrawn {
        return true;
    }
    match standing(request, revision, own, |_| true).map(|decision| &decision.verdict) {
        None => false,
        Some(Verdict::Deny { .. }) => true,
        Some(Verdict::Approve) => match request.subject {
            Subject::SeeOpen(_) => true,
            Subject::SeePrivate { .. } => succeeded > 0,
            Subject::Run { runs_wanted, .. } => succeeded >= runs_wanted,
        },
    }
}

/// The approval that lets private data be worked on: code run on it, or a result be written of it. Only [`authorise`] makes
/// one.
#[derive(Debug)]
pub struct Approval {
    request: RequestId,
}

impl Approval {
    /// The request that was approved.
    pub fn request(&self) -> RequestId {
        self.request
    }
}

/// Why a request may not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthorised {
    /// There is no standing approval by this node.
    #[error("the request is {0}; {mend}", mend = mend_of(.0))]
    NotApproved(&'static str),
    /// The code is not the one that was decided on.
    #[error("the approval was given for other code than the request has now; decide again")]
    OtherCode,
    /// The asset has changed since the decision on it.
    #[error("the approval was given for another revision of the asset than is here now; decide again")]
    OtherObject,
}

/// What can be done about a request that is not approved.
fn mend_of(state: &str) -> &'static str {
    match state {
        "withdrawn" => "its requester can resubmit it as a new one that names this as its predecessor",
        "deleted" => "no private data is touched for it any more",
        _ => "approve it on this node before private data is touched for it",
    }
}

/// What a request that is about to touch private data is about, as it is now.
#[derive(Clone, Copy, Debug)]
pub enum Present<'a> {
    /// The code that would run.
    Code(&'a Code),
    /// The asset whose private data would be written as a result, and its revision.
    Asset(AssetId, Revision),
}

/// Lets a request act on private data if this node itself has approved exactly this revision of it, with exactly this
/// code, or this revision of the asset. A decision that came from elsewhere authorises nothing here.
///
/// # Errors
/// Says what is missing.
pub fn authorise<'a>(
    this_node: NodeId,
    request_object: &Object,
    request: &Request,
    present: Present<'_>,
    decisions: impl IntoIterator<Item = (NodeId, &'a Decision)>,
    now: Timestamp,
) -> Result<Approval, NotAuthorised> {
    let own: Vec<_> = decisions
        .into_iter()
        .filter(|(home, _)| *home == this_node)
        .collect();
    let revision = request_object.revision;
    let state = status(request, revision, own.iter().copied(), |_| true, now);
    if state != Status::Approved || request_object.deleted {
        return Err(NotAuthorised::NotApproved(if request_object.deleted {
            "deleted"
        } else {
            state.word()
        }));
    }
    let about = standing(request, revision, own.iter().copied(), |_| true).map(|decision| &decision.about);
    let approval = Approval {
        request: RequestId(request_object.id),
    };
    match (present, about) {
        (Present::Code(code), Some(About::Code { hash, .. }))
            if *hash == code.hash && code.hash_is_true() =>
        {
            Ok(approval)
        }
        (Present::Asset(asset, now), Some(About::Sight { sight, revision }))
            if *sight == Sight::PrivateData(asset) && *revision == Some(now) =>
        {
            Ok(approval)
        }
        (Present::Code(_), _) => Err(NotAuthorised::OtherCode),
        (Present::Asset(..), _) => Err(NotAuthorised::OtherObject),
    }
}

/// How far a request has travelled, as its requester sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// When it was submitted.
    pub submitted: jiff::Timestamp,
    /// How far it has come to the other side; none on a solo node, which has no other side.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub crossing: Option<Crossing>,
    /// The date of the decision that holds, if any.
    pub decided_on: Option<Date>,
    /// Whether a result has been released to its requester.
    pub released: bool,
}

/// How far a request has come to the other side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crossing {
    /// The numbers of the bundles that carried it, first to last.
    pub carried_in: Vec<u64>,
    /// Whether the other side has acknowledged one of them.
    pub received: bool,
}
