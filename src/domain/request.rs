//! Requests: what a scientist asks of a data owner, and what has become of it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::code::Code;
use super::decision::{Decision, Verdict};
use super::id::{CodeId, NodeId, ProjectId, RequestId, UserId};
use super::object::{Object, Revision};
use super::policy::OutputPolicy;
use super::signature::Signature;
use super::text::{self, Invalid};

/// Asks the data owner to run code on private data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The project it is made in.
    pub project: ProjectId,
    /// The code to run.
    pub code: CodeId,
    /// Who asks.
    pub requester: UserId,
    /// Why.
    pub reason: String,
    /// How many successful runs are wanted so far: 1 at first; asking for another run raises it by one, which is a new
    /// revision and needs a new decision.
    pub runs_wanted: u32,
    /// Whether the requester has taken it back.
    pub withdrawn: bool,
    /// The request that this one takes up again, if any.
    pub predecessor: Option<RequestId>,
    /// Its requester's signature on this revision, if they sign; see
    /// [`Statement::of_request`](super::signature::Statement::of_request).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// A request cannot change in the way that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It was withdrawn before.
    #[error("the request was withdrawn; resubmit it as a new one that names this as its predecessor")]
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
        let reason = text::required_prose("reason", reason)?;
        Ok(Self {
            project,
            code,
            requester,
            reason,
            runs_wanted: 1,
            withdrawn: false,
            predecessor,
            signature: None,
        })
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
    /// The request was withdrawn, is not approved, or the policy allows no further run.
    pub fn want_another_run(&mut self, status: &Status, policy: OutputPolicy) -> Result<(), RequestError> {
        if self.withdrawn {
            return Err(RequestError::Withdrawn);
        }
        if !matches!(status, Status::Approved) {
            return Err(RequestError::NotApproved { state: status.word() });
        }
        let allowed = policy.runs_allowed();
        if self.runs_wanted >= allowed {
            return Err(RequestError::NoFurtherRun { allowed });
        }
        self.runs_wanted += 1;
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
    /// Approved: a run may follow, or has.
    Approved,
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
            Self::Denied { .. } => "denied",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// The decision that holds on a revision: the last one made on it. Where both sides have decided, the one of `authority`
/// (the high side) outweighs.
pub fn standing<'a>(
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
    high.or(low)
}

/// Computes the status of a request from the decision that holds on its present revision; see [`standing`].
pub fn status<'a>(
    request: &Request,
    revision: Revision,
    decisions: impl IntoIterator<Item = (NodeId, &'a Decision)>,
    authority: impl Fn(NodeId) -> bool,
) -> Status {
    if request.withdrawn {
        return Status::Withdrawn;
    }
    match standing(revision, decisions, authority).map(|decision| &decision.verdict) {
        None => Status::Pending,
        Some(Verdict::Approve) => Status::Approved,
        Some(Verdict::Deny { reason }) => Status::Denied {
            reason: reason.clone(),
        },
    }
}

/// The approval that lets code run on private data, or a result leave. Only [`authorise`] makes one.
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
    #[error("the request is {0}; approve it on this node before it runs on private data")]
    NotApproved(&'static str),
    /// The code is not the one that was decided on.
    #[error("the approval was given for other code than the request has now; decide again")]
    OtherCode,
}

/// Lets a request act on private data if this node itself has approved exactly this revision of it, with exactly this
/// code. A decision that came from elsewhere authorises nothing here.
///
/// # Errors
/// Says what is missing.
pub fn authorise<'a>(
    this_node: NodeId,
    request_object: &Object,
    request: &Request,
    revision: Revision,
    code: &Code,
    decisions: impl IntoIterator<Item = (NodeId, &'a Decision)>,
) -> Result<Approval, NotAuthorised> {
    let own: Vec<_> = decisions
        .into_iter()
        .filter(|(home, _)| *home == this_node)
        .collect();
    let state = status(request, revision, own.iter().copied(), |_| true);
    if state != Status::Approved || request_object.deleted {
        return Err(NotAuthorised::NotApproved(if request_object.deleted {
            "deleted"
        } else {
            state.word()
        }));
    }
    match standing(revision, own.iter().copied(), |_| true) {
        Some(decision) if decision.code_hash == code.hash && code.hash_is_true() => Ok(Approval {
            request: RequestId(request_object.id),
        }),
        _ => Err(NotAuthorised::OtherCode),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hash::Hash;
    use uuid::Uuid;

    fn request() -> Request {
        let id = |n| Uuid::from_u128(n);
        Request::new(ProjectId(id(1)), CodeId(id(2)), UserId(id(3)), "to learn", None).unwrap()
    }

    fn revision(number: u64) -> Revision {
        Revision {
            number,
            digest: Hash([u8::try_from(number).unwrap(); 32]),
        }
    }

    fn decision(on: u64, number: u32, verdict: Verdict) -> Decision {
        Decision {
            request: RequestId(Uuid::from_u128(9)),
            number,
            request_revision: revision(on),
            code: CodeId(Uuid::from_u128(2)),
            code_hash: Hash([0; 32]),
            assets: Vec::new(),
            verdict,
            by: UserId(Uuid::from_u128(8)),
            by_name: "Owner".into(),
            on: Date::constant(2026, 11, 22),
        }
    }

    const LOW: NodeId = NodeId(Uuid::from_u128(100));
    const HIGH: NodeId = NodeId(Uuid::from_u128(101));

    fn of(request: &Request, at: u64, decisions: &[(NodeId, Decision)]) -> Status {
        status(
            request,
            revision(at),
            decisions.iter().map(|(n, d)| (*n, d)),
            |node| node == HIGH,
        )
    }

    #[test]
    fn another_revision_needs_another_decision() {
        let made = [(HIGH, decision(1, 1, Verdict::Approve))];
        assert_eq!(of(&request(), 1, &made), Status::Approved);
        assert_eq!(of(&request(), 2, &made), Status::Pending);
    }

    #[test]
    fn the_high_side_outweighs_whatever_the_order() {
        let deny = Verdict::Deny { reason: "no".into() };
        let made = [
            (HIGH, decision(1, 1, deny.clone())),
            (LOW, decision(1, 2, Verdict::Approve)),
        ];
        assert_eq!(of(&request(), 1, &made), Status::Denied { reason: "no".into() });
        let mut changed = [
            (HIGH, decision(1, 1, deny)),
            (HIGH, decision(1, 2, Verdict::Approve)),
        ];
        assert_eq!(of(&request(), 1, &changed), Status::Approved);
        changed.reverse();
        assert_eq!(of(&request(), 1, &changed), Status::Approved);
    }

    #[test]
    fn another_run_is_asked_for_once_approved_and_within_the_policy() {
        let mut request = request();
        let policy = OutputPolicy::ExecuteCount(2);
        assert!(request.want_another_run(&Status::Pending, policy).is_err());
        request.want_another_run(&Status::Approved, policy).unwrap();
        assert_eq!(request.runs_wanted, 2);
        let over = request.want_another_run(&Status::Approved, policy);
        assert_eq!(over, Err(RequestError::NoFurtherRun { allowed: 2 }));
        request.withdraw().unwrap();
        assert_eq!(request.withdraw(), Err(RequestError::Withdrawn));
    }
}
