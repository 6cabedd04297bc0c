//! A request as it is stored: flat, so that what was stored before there were requests to see reads as it did.

use serde::{Deserialize, Serialize};

use super::{Open, Request, Sight, Subject};
use crate::domain::id::{CodeId, ProjectId, RequestId, UserId};
use crate::domain::signature::Signature;

/// Either `project`, `code` and `runs_wanted`, or `object`, with `project` where the object is private data.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<ProjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<CodeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<Sight>,
    requester: UserId,
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    runs_wanted: Option<u32>,
    withdrawn: bool,
    predecessor: Option<RequestId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<Signature>,
}

/// A stored request asks for no one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a request names code to run in a project, or one object to see; for private data it also names the project"
)]
pub(super) struct NoSubject;

impl TryFrom<Written> for Request {
    type Error = NoSubject;

    fn try_from(written: Written) -> Result<Self, NoSubject> {
        let subject = match (written.project, written.code, written.runs_wanted, written.object) {
            (Some(project), Some(code), Some(runs_wanted), None) => Subject::Run {
                project,
                code,
                runs_wanted,
            },
            (None, None, None, Some(Sight::Mock(asset))) => Subject::SeeOpen(Open::Mock(asset)),
            (None, None, None, Some(Sight::Release(release))) => Subject::SeeOpen(Open::Release(release)),
            (Some(project), None, None, Some(Sight::PrivateData(asset))) => {
                Subject::SeePrivate { project, asset }
            }
            _ => return Err(NoSubject),
        };
        Ok(Self {
            subject,
            requester: written.requester,
            reason: written.reason,
            withdrawn: written.withdrawn,
            predecessor: written.predecessor,
            signature: written.signature,
        })
    }
}

impl From<Request> for Written {
    fn from(request: Request) -> Self {
        Self {
            project: request.project(),
            code: request.code(),
            object: request.sight(),
            runs_wanted: request.runs_wanted(),
            requester: request.requester,
            reason: request.reason,
            withdrawn: request.withdrawn,
            predecessor: request.predecessor,
            signature: request.signature,
        }
    }
}
