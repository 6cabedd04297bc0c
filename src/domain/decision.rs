//! Decisions: approve or deny, with who, when and why, and on exactly what.

mod written;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::id::{AssetId, CodeId, RequestId, RuleId, UserId};
use super::object::Revision;
use super::request::Sight;
use super::text::{self, Invalid};

/// The longest reason of a denial, in characters.
pub use super::text::PROSE_MAX as REASON_MAX;

/// Approve or deny.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The code may run on the private data; or what was asked for may be seen.
    Approve,
    /// It may not.
    Deny {
        /// Why; the scientist reads it.
        reason: String,
    },
}

impl Verdict {
    /// A denial; its reason may not be empty.
    ///
    /// # Errors
    /// The reason is empty or too long.
    pub fn deny(reason: &str) -> Result<Self, Invalid> {
        Ok(Self::Deny {
            reason: text::required_prose("reason", reason)?,
        })
    }
}

/// What was decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Code, on certain assets.
    Code {
        /// The code.
        code: CodeId,
        /// The hash of the code that was seen; covers the policies.
        hash: Hash,
        /// The assets that the input policy named.
        assets: Vec<AssetId>,
    },
    /// One thing to see.
    Sight {
        /// The thing.
        sight: Sight,
        /// The revision of its object that was seen; none if the object is not where the decision was made.
        revision: Option<Revision>,
    },
}

/// Who decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// A person.
    Person(UserId),
    /// A rule that the node keeps.
    Rule(RuleId),
}

/// A decision on one revision of a request. Another revision needs another decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "written::Written", into = "written::Written")]
pub struct Decision {
    /// The request.
    pub request: RequestId,
    /// Counts the decisions of this node on the request, from 1: the highest on a revision is the one that holds. Dates are
    /// too coarse to tell, and objects arrive on the other side in no order.
    pub number: u32,
    /// The revision of it that was seen.
    pub request_revision: Revision,
    /// What was decided on.
    pub about: About,
    /// Approve or deny.
    pub verdict: Verdict,
    /// Who decided.
    pub by: Maker,
    /// How they, or the rule, were called then.
    pub by_name: String,
    /// The date. Not the time: times of the high side do not travel.
    pub on: Date,
    /// When an approval to see open bytes ends, if it does. Stays here, as such a decision does.
    pub until: Option<Timestamp>,
}
