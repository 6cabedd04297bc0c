//! A decision as it is stored: flat, so that what was stored before there were requests to see reads as it did.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{About, Decision, Maker, Verdict};
use crate::domain::hash::Hash;
use crate::domain::id::{AssetId, CodeId, RequestId, RuleId, UserId};
use crate::domain::object::Revision;
use crate::domain::request::Sight;

/// Either `code`, `code_hash` and `assets`, or `object` and the revision of it; and either `by` or `by_rule`.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
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
    object: Option<Sight>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object_revision: Option<Revision>,
    verdict: Verdict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by_rule: Option<RuleId>,
    by_name: String,
    on: Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

/// A stored decision is on no one thing, or by nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a decision is on code or on one object, and was made by a person or by a rule")]
pub(super) struct Incomplete;

impl TryFrom<Written> for Decision {
    type Error = Incomplete;

    fn try_from(written: Written) -> Result<Self, Incomplete> {
        let about = match (written.code, written.code_hash, written.assets, written.object) {
            (Some(code), Some(hash), Some(assets), None) if written.object_revision.is_none() => {
                About::Code { code, hash, assets }
            }
            (None, None, None, Some(sight)) => About::Sight {
                sight,
                revision: written.object_revision,
            },
            _ => return Err(Incomplete),
        };
        let by = match (written.by, written.by_rule) {
            (Some(person), None) => Maker::Person(person),
            (None, Some(rule)) => Maker::Rule(rule),
            _ => return Err(Incomplete),
        };
        Ok(Self {
            request: written.request,
            number: written.number,
            request_revision: written.request_revision,
            about,
            verdict: written.verdict,
            by,
            by_name: written.by_name,
            on: written.on,
            until: written.until,
        })
    }
}

impl From<Decision> for Written {
    fn from(decision: Decision) -> Self {
        let (code, code_hash, assets, object, object_revision) = match decision.about {
            About::Code { code, hash, assets } => (Some(code), Some(hash), Some(assets), None, None),
            About::Sight { sight, revision } => (None, None, None, Some(sight), revision),
        };
        let (by, by_rule) = match decision.by {
            Maker::Person(person) => (Some(person), None),
            Maker::Rule(rule) => (None, Some(rule)),
        };
        Self {
            request: decision.request,
            number: decision.number,
            request_revision: decision.request_revision,
            code,
            code_hash,
            assets,
            object,
            object_revision,
            verdict: decision.verdict,
            by,
            by_rule,
            by_name: decision.by_name,
            on: decision.on,
            until: decision.until,
        }
    }
}
