//! Rules that decide on requests to see: made, changed, listed, removed, and applied.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use uuid::Uuid;

use super::Refusal;
use super::decisions::{self, By};
use super::visible::Found;
use crate::domain::access::{Actor, Permission};
use crate::domain::access_rule::{AccessRule, Asked, Effect, RULES_MAX, RuleDraft, Ruling, Used, rule_on};
use crate::domain::audit::{self, Action};
use crate::domain::decision::Verdict;
use crate::domain::id::{DecisionId, RuleId, UserId};
use crate::domain::request::Request;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{ACCESS_RULES, RULE_GRANTS};
use crate::store::transaction::Tx;

/// A rule with how often it has granted something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its id.
    pub id: RuleId,
    /// What it says.
    pub rule: AccessRule,
    /// How often it has granted something, to anybody.
    pub granted: u32,
}

fn no(id: RuleId) -> Refusal {
    Refusal::NotFound {
        what: "access rule",
        id: id.to_string(),
    }
}

fn all(read: &impl Read) -> Result<Vec<(RuleId, AccessRule)>, Refusal> {
    let rules = read.range_from(&ACCESS_RULES, None, usize::MAX)?;
    Ok(rules.into_iter().map(|(id, rule)| (RuleId(id), rule)).collect())
}

fn kept(read: &impl Read, id: RuleId, rule: AccessRule) -> Result<Kept, Refusal> {
    let granted = times(read, id, None)?;
    Ok(Kept { id, rule, granted })
}

fn times(read: &impl Read, rule: RuleId, person: Option<UserId>) -> Result<u32, Refusal> {
    let person = person.map_or_else(Uuid::nil, |person| person.0);
    Ok(read.get(&RULE_GRANTS, &(rule.0, person))?.unwrap_or(0))
}

/// Makes a rule. It is for the requests that are made from now on.
///
/// # Errors
/// The actor may not triage, a field is wrong, or there are too many rules.
pub fn create(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: RuleId,
    draft: &RuleDraft,
) -> Result<Kept, Refusal> {
    actor.require(Permission::TriageRequests)?;
    if all(tx)?.len() >= RULES_MAX {
        return Err(Refusal::conflict(
            "too_many_rules",
            format!("there are {RULES_MAX} rules already; remove one that is of no use any more"),
        ));
    }
    let rule = AccessRule::new(draft, actor.user, &actor.name, here.now, here.now)?;
    if !tx.insert(&ACCESS_RULES, &id.0, &rule)? {
        return Err(Refusal::conflict(
            "id_taken",
            "there is a rule with this id already",
        ));
    }
    note(tx, actor, here, Action::ACCESS_RULE_CREATED, id, &rule)?;
    kept(tx, id, rule)
}

/// Puts what a draft says in the place of what a rule said. What it has granted stands, and counts on.
///
/// # Errors
/// The actor may not triage, there is no such rule, or a field is wrong.
pub fn change(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: RuleId,
    draft: &RuleDraft,
) -> Result<Kept, Refusal> {
    let before = get(tx, actor, id)?.rule;
    let rule = AccessRule::new(draft, actor.user, &actor.name, before.made_at, here.now)?;
    tx.put(&ACCESS_RULES, &id.0, &rule)?;
    note(tx, actor, here, Action::ACCESS_RULE_CHANGED, id, &rule)?;
    kept(tx, id, rule)
}

/// Removes a rule. What it has granted stands until it is over, withdrawn, or denied by a person.
///
/// # Errors
/// The actor may not triage, or there is no such rule.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: RuleId) -> Result<(), Refusal> {
    let rule = get(tx, actor, id)?.rule;
    tx.delete(&ACCESS_RULES, &id.0)?;
    for (key, _) in tx.range_prefix(&RULE_GRANTS, &id.0, None, usize::MAX)? {
        tx.delete(&RULE_GRANTS, &key)?;
    }
    note(tx, actor, here, Action::ACCESS_RULE_REMOVED, id, &rule)
}

/// A rule.
///
/// # Errors
/// The actor may not triage, or there is none.
pub fn get(read: &impl Read, actor: &Actor, id: RuleId) -> Result<Kept, Refusal> {
    actor.require(Permission::TriageRequests)?;
    let rule = read.get(&ACCESS_RULES, &id.0)?.ok_or_else(|| no(id))?;
    kept(read, id, rule)
}

/// Where a page of rules ends.
pub type Place = (Timestamp, RuleId);

/// The rules, oldest first, at most `limit` of those after a place; and where the next page begins.
///
/// # Errors
/// The actor may not triage.
pub fn list(
    read: &impl Read,
    actor: &Actor,
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Kept>, Option<Place>), Refusal> {
    actor.require(Permission::TriageRequests)?;
    let mut rules = all(read)?;
    rules.sort_by_key(|(id, rule)| (rule.made_at, *id));
    rules.retain(|(id, rule)| after.is_none_or(|after| (rule.made_at, *id) > after));
    let more = rules.len() > limit;
    rules.truncate(limit);
    let next = rules
        .last()
        .map(|(id, rule)| (rule.made_at, *id))
        .filter(|_| more);
    let kept = rules.into_iter().map(|(id, rule)| kept(read, id, rule));
    Ok((kept.collect::<Result<_, _>>()?, next))
}

/// What the rules of this node say to a request.
///
/// # Errors
/// The store fails.
pub(super) fn ruling(read: &impl Read, here: &Here, asked: &Asked<'_>) -> Result<Option<Ruling>, Refusal> {
    let rules = all(read)?;
    let mut used = std::collections::BTreeMap::new();
    for (id, _) in &rules {
        let count = Used {
            by_requester: times(read, *id, Some(asked.requester))?,
            in_all: times(read, *id, None)?,
        };
        used.insert(*id, count);
    }
    let used = |rule| used.get(&rule).copied().unwrap_or_default();
    Ok(rule_on(&rules, asked, used, here.now))
}

/// Writes what a rule has said to a request that has just been made, and counts a grant. The audit entry names the rule.
///
/// # Errors
/// The store fails.
pub(super) fn decide(
    tx: &mut Tx<'_>,
    here: &Here,
    id: DecisionId,
    request: &Found<Request>,
    ruling: Ruling,
) -> Result<(), Refusal> {
    let (rule, verdict, until) = match ruling {
        Ruling::Grant { rule, until } => (rule, Verdict::Approve, until),
        Ruling::Deny { rule, reason } => (rule, Verdict::Deny { reason }, None),
    };
    let name = tx.get(&ACCESS_RULES, &rule.0)?.ok_or_else(|| no(rule))?.name;
    if verdict == Verdict::Approve {
        for person in [Uuid::nil(), request.body.requester.0] {
            let granted = tx.get(&RULE_GRANTS, &(rule.0, person))?.unwrap_or(0);
            tx.put(&RULE_GRANTS, &(rule.0, person), &granted.saturating_add(1))?;
        }
    }
    decisions::write(tx, By::Rule(rule, &name, until), here, id, request, verdict, &[])?;
    Ok(())
}

fn note(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    action: Action,
    id: RuleId,
    rule: &AccessRule,
) -> Result<(), Refusal> {
    let words = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let (effect, types) = match &rule.effect {
        Effect::Accept { types, .. } => ("accept", serde_json::json!(types)),
        Effect::Deny { types, .. } => ("deny", serde_json::json!(types)),
    };
    let types: Vec<String> = types.as_array().into_iter().flatten().filter_map(words).collect();
    let mut details = vec![
        ("name", rule.name.clone()),
        ("effect", effect.to_owned()),
        ("types", types.join(", ")),
        ("tags", rule.tags.join(", ")),
    ];
    if let Effect::Accept { quota, days, .. } = &rule.effect {
        let bounds = [
            ("per_person", quota.per_person),
            ("in_all", quota.in_all),
            ("days", *days),
        ];
        details.extend(
            bounds
                .into_iter()
                .filter_map(|(name, bound)| Some((name, bound?.to_string()))),
        );
    }
    details.extend(rule.until.map(|until| ("until", until.to_string())));
    let by = audit::Actor::User(actor.user.0);
    Ok(records::audit(tx, here, by, action, &[id.0], &details)?)
}
