//! Rules that decide on requests to see as soon as they are made: by the tags of what is asked for, within a quota and
//! until a moment.
//!
//! A rule can grant what is open already, a mock or a release, and nothing else: there is no way to write one that grants
//! private data, and granting copies no byte. Where nothing is certain a person decides.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::dataset::TAGS_MAX;
use super::id::{RuleId, UserId};
use super::request::{OpenType, Sight, SightType};
use super::text::{self, Invalid};

/// The most rules on a node: each new request to see is held against all of them.
pub const RULES_MAX: usize = 200;
/// The most days that a rule's grant lasts.
pub const DAYS_MAX: u32 = 36_500;
/// The highest quota.
pub const QUOTA_MAX: u32 = 1_000_000;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRule {
    /// What its maker calls it; stands in the decisions that it makes.
    pub name: String,
    /// What it does.
    pub effect: Effect,
    /// What it is for: the dataset must bear all of these tags. Lower case, sorted, each once.
    pub tags: Vec<String>,
    /// When it ends, if it does.
    pub until: Option<Timestamp>,
    /// Who made it, or changed it last: nobody is granted anything by a rule of their own.
    pub by: UserId,
    /// How they were called then.
    pub by_name: String,
    /// When it was made; of two rules that fit, the older one counts.
    pub made_at: Timestamp,
}

/// What a rule does with a request that it fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Grants it.
    Accept {
        /// For what.
        types: BTreeSet<OpenType>,
        /// How often, ever.
        quota: Quota,
        /// For how many days what it grants lasts; for good if left out.
        days: Option<u32>,
    },
    /// Denies it.
    Deny {
        /// For what.
        types: BTreeSet<SightType>,
        /// What the requester is told.
        reason: String,
    },
}

/// How often a rule grants. What is used up is not given back: the request that comes then waits for a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// To each person; without bound if left out.
    pub per_person: Option<u32>,
    /// To all of them together; without bound if left out.
    pub in_all: Option<u32>,
}

/// How often a rule has granted something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// To the person who asks now.
    pub by_requester: u32,
    /// To anybody.
    pub in_all: u32,
}

impl Quota {
    /// Whether one more grant fits.
    pub fn admits(self, used: Used) -> bool {
        let below = |bound: Option<u32>, used: u32| bound.is_none_or(|bound| used < bound);
        below(self.per_person, used.by_requester) && below(self.in_all, used.in_all)
    }

    fn checked(self) -> Result<Self, Invalid> {
        for (field, quota) in [
            ("quota.per_person", self.per_person),
            ("quota.in_all", self.in_all),
        ] {
            if quota.is_some_and(|quota| !(1..=QUOTA_MAX).contains(&quota)) {
                return Err(Invalid::new(field, format!("must be from 1 to {QUOTA_MAX}")));
            }
        }
        Ok(self)
    }
}

/// A rule as somebody sends it, before it is checked.
#[derive(Clone, Debug)]
pub struct RuleDraft {
    /// See [`AccessRule::name`].
    pub name: String,
    /// See [`AccessRule::effect`].
    pub effect: Effect,
    /// See [`AccessRule::tags`].
    pub tags: Vec<String>,
    /// See [`AccessRule::until`].
    pub until: Option<Timestamp>,
}

impl AccessRule {
    /// Makes a rule of a checked draft.
    ///
    /// # Errors
    /// Names the field that is wrong. A rule that accepts needs a tag: it must not grant what nobody thought of.
    pub fn new(
        draft: &RuleDraft,
        by: UserId,
        by_name: &str,
        made_at: Timestamp,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        let rule = Self {
            name: text::name("name", &draft.name)?,
            effect: draft.effect.clone().checked()?,
            tags: tags(&draft.tags)?,
            until: draft.until,
            by,
            by_name: by_name.to_owned(),
            made_at,
        };
        if matches!(rule.effect, Effect::Accept { .. }) && rule.tags.is_empty() {
            return Err(Invalid::new(
                "tags",
                "a rule that accepts names at least one tag; one that denies may name none, and then fits everything",
            ));
        }
        if rule.until.is_some_and(|until| until <= now) {
            return Err(Invalid::new("until", "must be in the future"));
        }
        Ok(rule)
    }

    /// Whether the rule is for what is asked. One that accepts must fit every dataset that the bytes come from, one that
    /// denies a single one.
    fn fits(&self, asked: &Asked<'_>, now: Timestamp) -> bool {
        let bears = |dataset: &BTreeSet<String>| self.tags.iter().all(|tag| dataset.contains(tag));
        let kind = asked.sight.kind();
        self.until.is_none_or(|until| now < until)
            && match &self.effect {
                Effect::Accept { types, .. } => {
                    kind.open().is_some_and(|open| types.contains(&open))
                        && self.by != asked.requester
                        && !asked.tags.is_empty()
                        && asked.tags.iter().all(bears)
                }
                Effect::Deny { types, .. } => {
                    types.contains(&kind) && (self.tags.is_empty() || asked.tags.iter().any(bears))
                }
            }
    }
}

impl Effect {
    fn checked(self) -> Result<Self, Invalid> {
        let none = || {
            Invalid::new(
                "types",
                "names nothing; name at least one type of what can be asked for",
            )
        };
        match self {
            Self::Accept { types, quota, days } => {
                if types.is_empty() {
                    return Err(none());
                }
                if days.is_some_and(|days| !(1..=DAYS_MAX).contains(&days)) {
                    return Err(Invalid::new("days", format!("must be from 1 to {DAYS_MAX}")));
                }
                Ok(Self::Accept {
                    types,
                    quota: quota.checked()?,
                    days,
                })
            }
            Self::Deny { types, .. } if types.is_empty() => Err(none()),
            Self::Deny { types, reason } => Ok(Self::Deny {
                types,
                reason: text::required_prose("reason", &reason)?,
            }),
        }
    }
}

fn tags(drafts: &[String]) -> Result<Vec<String>, Invalid> {
    if drafts.len() > TAGS_MAX {
        return Err(Invalid::new(
            "tags",
            format!("a rule has at most {TAGS_MAX} tags"),
        ));
    }
    let mut tags = BTreeSet::new();
    for (at, draft) in drafts.iter().enumerate() {
        let tag = text::name(&format!("tags[{at}]"), draft.trim_start_matches('#'))?;
        tags.insert(text::folded(&tag));
    }
    Ok(tags.into_iter().collect())
}

/// A request to see, as the rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What is asked for.
    pub sight: Sight,
    /// Who asks.
    pub requester: UserId,
    /// The tags of each dataset that the bytes come from; a dataset that is not here has none.
    pub tags: &'a [BTreeSet<String>],
}

/// What a rule says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It is granted.
    Grant {
        /// By this rule.
        rule: RuleId,
        /// Until then; for good if none.
        until: Option<Timestamp>,
    },
    /// It is denied.
    Deny {
        /// By this rule.
        rule: RuleId,
        /// What the requester is told.
        reason: String,
    },
}

/// Holds a request against the rules: those that deny before those that accept, of each the oldest first. None if no rule
/// fits, or the quotas of those that do are used up: then a person decides.
pub fn rule_on(
    rules: &[(RuleId, AccessRule)],
    asked: &Asked<'_>,
    used: impl Fn(RuleId) -> Used,
    now: Timestamp,
) -> Option<Ruling> {
    let mut fitting: Vec<_> = rules.iter().filter(|(_, rule)| rule.fits(asked, now)).collect();
    fitting.sort_by_key(|(id, rule)| (matches!(rule.effect, Effect::Accept { .. }), rule.made_at, *id));
    fitting.into_iter().find_map(|(id, rule)| match &rule.effect {
        Effect::Deny { reason, .. } => Some(Ruling::Deny {
            rule: *id,
            reason: reason.clone(),
        }),
        Effect::Accept { quota, days, .. } => quota.admits(used(*id)).then(|| Ruling::Grant {
            rule: *id,
            until: days.map(|days| {
                let lasts = SignedDuration::from_hours(24 * i64::from(days));
                now.checked_add(lasts).unwrap_or(Timestamp::MAX)
            }),
        }),
    })
}
