//! The records of what is asked of the other side, and of what was decided on it.
//!
//! Of requests to see, only those for private data have a record: what is open already is asked for and decided on one
//! node, and neither the request nor the decision leaves it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::DoesNotTravel;
use crate::domain::decision::{About, Decision, Maker, Verdict};
use crate::domain::hash::Hash;
use crate::domain::id::{AssetId, CodeId, ProjectId, RequestId, RuleId, UserId};
use crate::domain::object::Revision;
use crate::domain::request::{Request, Sight, Subject};
use crate::domain::signature::Signature;

/// A record asks for or decides on no one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it names neither just code nor just one asset")]
struct NoSubject;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RequestFields", into = "RequestFields")]
pub struct RequestRecord {
    project: ProjectId,
    asks: Asks,
    requester: UserId,
    reason: String,
    withdrawn: bool,
    predecessor: Option<RequestId>,
    signature: Option<Signature>,
}

/// What a request that travels asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asks {
    Run { code: CodeId, runs_wanted: u32 },
    SeePrivate { asset: AssetId },
}

/// A request on its way: `code` and `runs_wanted`, or `asset`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestFields {
    project: ProjectId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<CodeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asset: Option<AssetId>,
    requester: UserId,
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    runs_wanted: Option<u32>,
    withdrawn: bool,
    predecessor: Option<RequestId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<Signature>,
}

impl RequestRecord {
    /// Takes the fields that travel.
    ///
    /// # Errors
    /// It asks for bytes that are open already: it stays where it was made.
    pub(super) fn of(request: &Request) -> Result<Self, DoesNotTravel> {
        let (project, asks) = match request.subject {
            Subject::Run {
                project,
                code,
                runs_wanted,
            } => (project, Asks::Run { code, runs_wanted }),
            Subject::SeePrivate { project, asset } => (project, Asks::SeePrivate { asset }),
            Subject::SeeOpen(_) => return Err(DoesNotTravel("request for open bytes")),
        };
        Ok(Self {
            project,
            asks,
            requester: request.requester,
            reason: request.reason.clone(),
            withdrawn: request.withdrawn,
            predecessor: request.predecessor,
            signature: request.signature,
        })
    }
}

impl From<RequestRecord> for Request {
    fn from(record: RequestRecord) -> Self {
        let project = record.project;
        Self {
            subject: match record.asks {
                Asks::Run { code, runs_wanted } => Subject::Run {
                    project,
                    code,
                    runs_wanted,
                },
                Asks::SeePrivate { asset } => Subject::SeePrivate { project, asset },
            },
            requester: record.requester,
            reason: record.reason,
            withdrawn: record.withdrawn,
            predecessor: record.predecessor,
            signature: record.signature,
        }
    }
}

impl TryFrom<RequestFields> for RequestRecord {
    type Error = NoSubject;

    fn try_from(fields: RequestFields) -> Result<Self, NoSubject> {
        let asks = match (fields.code, fields.runs_wanted, fields.asset) {
            (Some(code), Some(runs_wanted), None) => Asks::Run { code, runs_wanted },
            (None, None, Some(asset)) => Asks::SeePrivate { asset },
            _ => return Err(NoSubject),
        };
        Ok(Self {
            project: fields.project,
            asks,
            requester: fields.requester,
            reason: fields.reason,
            withdrawn: fields.withdrawn,
            predecessor: fields.predecessor,
            signature: fields.signature,
        })
    }
}

impl From<RequestRecord> for RequestFields {
    fn from(record: RequestRecord) -> Self {
        let (code, runs_wanted, asset) = match record.asks {
            Asks::Run { code, runs_wanted } => (Some(code), Some(runs_wanted), None),
            Asks::SeePrivate { asset } => (None, None, Some(asset)),
        };
        Self {
            project: record.project,
            code,
            asset,
            requester: record.requester,
            reason: record.reason,
            runs_wanted,
            withdrawn: record.withdrawn,
            predecessor: record.predecessor,
            signature: record.signature,
        }
    }
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "DecisionFields", into = "DecisionFields")]
pub struct DecisionRecord {
    request: RequestId,
    number: u32,
    request_revision: Revision,
    about: Decided,
    verdict: Verdict,
    by: Maker,
    by_name: String,
    on: Date,
}

/// What a decision that travels is on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Decided {
    Code {
        code: CodeId,
        hash: Hash,
        assets: Vec<AssetId>,
    },
    /// The revision of the asset is not told: the other side may not have been given it.
    Asset(AssetId),
}

/// A decision on its way: `code`, `code_hash` and `assets`, or `asset`; `by` or `by_rule`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionFields {
    request: RequestId,
    number: u32,
    request_revision: Revision,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<CodeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code_hash: Option<Hash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assets: Option<Vec<AssetId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asset: Option<AssetId>,
    verdict: Verdict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by_rule: Option<RuleId>,
    by_name: String,
    on: Date,
}

impl DecisionRecord {
    /// Takes the fields that travel.
    ///
    /// # Errors
    /// It is on bytes that are open already: it stays where it was made.
    pub(super) fn of(decision: &Decision) -> Result<Self, DoesNotTravel> {
        let about = match &decision.about {
            About::Code { code, hash, assets } => Decided::Code {
                code: *code,
                hash: *hash,
                assets: assets.clone(),
            },
            About::Sight {
                sight: Sight::PrivateData(asset),
                ..
            } => Decided::Asset(*asset),
            About::Sight {
                sight: Sight::Mock(_) | Sight::Release(_),
                ..
            } => return Err(DoesNotTravel("decision on open bytes")),
        };
        Ok(Self {
            request: decision.request,
            number: decision.number,
            request_revision: decision.request_revision,
            about,
            verdict: decision.verdict.clone(),
            by: decision.by,
            by_name: decision.by_name.clone(),
            on: decision.on,
        })
    }
}

impl From<DecisionRecord> for Decision {
    fn from(record: DecisionRecord) -> Self {
        Self {
            request: record.request,
            number: record.number,
            request_revision: record.request_revision,
            about: match record.about {
                Decided::Code { code, hash, assets } => About::Code { code, hash, assets },
                Decided::Asset(asset) => About::Sight {
                    sight: Sight::PrivateData(asset),
                    revision: None,
                },
            },
            verdict: record.verdict,
            by: record.by,
            by_name: record.by_name,
            on: record.on,
            until: None,
        }
    }
}

impl TryFrom<DecisionFields> for DecisionRecord {
    type Error = NoSubject;

    fn try_from(fields: DecisionFields) -> Result<Self, NoSubject> {
        let about = match (fields.code, fields.code_hash, fields.assets, fields.asset) {
            (Some(code), Some(hash), Some(assets), None) => Decided::Code { code, hash, assets },
            (None, None, None, Some(asset)) => Decided::Asset(asset),
            _ => return Err(NoSubject),
        };
        let by = match (fields.by, fields.by_rule) {
            (Some(person), None) => Maker::Person(person),
            (None, Some(rule)) => Maker::Rule(rule),
            _ => return Err(NoSubject),
        };
        Ok(Self {
            request: fields.request,
            number: fields.number,
            request_revision: fields.request_revision,
            about,
            verdict: fields.verdict,
            by,
            by_name: fields.by_name,
            on: fields.on,
        })
    }
}

impl From<DecisionRecord> for DecisionFields {
    fn from(record: DecisionRecord) -> Self {
        let (code, code_hash, assets, asset) = match record.about {
            Decided::Code { code, hash, assets } => (Some(code), Some(hash), Some(assets), None),
            Decided::Asset(asset) => (None, None, None, Some(asset)),
        };
        let (by, by_rule) = match record.by {
            Maker::Person(person) => (Some(person), None),
            Maker::Rule(rule) => (None, Some(rule)),
        };
        Self {
            request: record.request,
            number: record.number,
            request_revision: record.request_revision,
            code,
            code_hash,
            assets,
            asset,
            verdict: record.verdict,
            by,
            by_rule,
            by_name: record.by_name,
            on: record.on,
        }
    }
}
