//! Rules that decide on requests to see as soon as they are made.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, delete, get, post, put, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::access_requests::ObjectType;
use super::{Answer, Context, Json, Page, Query, SignedIn, page, schema};
use crate::acts::access_rules::{self, Kept};
use crate::domain::access_rule::{Effect, Quota, RuleDraft};
use crate::domain::id::RuleId;
use crate::domain::request::{OpenType, SightType};
use crate::domain::text::Invalid;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(create)
        .service(list)
        .service(show)
        .service(change)
        .service(remove);
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum EffectWord {
    /// Grants what is open already: mocks and releases.
    Accept,
    /// Denies.
    Deny,
}

/// How often a rule grants, ever.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QuotaBody {
    /// To each person; without bound if left out.
    per_person: Option<u32>,
    /// To all of them together; without bound if left out.
    in_all: Option<u32>,
}

/// A rule.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RuleBody {
    /// What it is called; stands in the decisions that it makes.
    name: String,
    /// What it does.
    effect: EffectWord,
    /// For what. A rule that accepts is for mocks and releases only.
    types: Vec<ObjectType>,
    /// The tags that the dataset bears, all of them. A rule that accepts needs one at least; one that denies fits everything
    /// without.
    #[serde(default)]
    tags: Vec<String>,
    /// What the requester is told; for a rule that denies.
    reason: Option<String>,
    /// How often it grants; for a rule that accepts.
    quota: Option<QuotaBody>,
    /// For how many days what it grants lasts, for good if left out; for a rule that accepts.
    days: Option<u32>,
    /// When the rule ends; never if left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

impl RuleBody {
    fn draft(self) -> Result<RuleDraft, Invalid> {
        let misplaced = |field: &str, of: &str| Invalid::new(field, format!("belongs to a rule that {of}"));
        let types = self.types.into_iter().map(SightType::from);
        let effect = match self.effect {
            EffectWord::Accept if self.reason.is_some() => return Err(misplaced("reason", "denies")),
            EffectWord::Accept => {
                let quota = self.quota.unwrap_or_default();
                Effect::Accept {
                    types: types.map(open).collect::<Result<BTreeSet<_>, _>>()?,
                    quota: Quota {
                        per_person: quota.per_person,
                        in_all: quota.in_all,
                    },
                    days: self.days,
                }
            }
            EffectWord::Deny if self.quota.is_some() => return Err(misplaced("quota", "accepts")),
            EffectWord::Deny if self.days.is_some() => return Err(misplaced("days", "accepts")),
            EffectWord::Deny => Effect::Deny {
                types: types.collect(),
                reason: self.reason.unwrap_or_default(),
            },
        };
        Ok(RuleDraft {
            name: self.name,
            effect,
            tags: self.tags,
            until: self.until,
        })
    }
}

fn open(of: SightType) -> Result<OpenType, Invalid> {
    of.open().ok_or_else(|| {
        Invalid::new(
            "types",
            "private data leaves by a release alone: a rule can deny it, and never accept it",
        )
    })
}

/// A rule, as it is kept.
#[derive(Debug, Serialize, ToSchema)]
struct AccessRuleShown {
    /// Its id.
    id: Uuid,
    /// What it is called.
    name: String,
    /// What it does.
    effect: EffectWord,
    /// For what.
    types: Vec<ObjectType>,
    /// The tags that the dataset bears.
    tags: Vec<String>,
    /// What the requester is told, if it denies.
    reason: Option<String>,
    /// How often it grants, if it accepts.
    quota: Option<QuotaBody>,
    /// For how many days what it grants lasts.
    days: Option<u32>,
    /// When it ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// How often it has granted something.
    granted: u32,
    /// Who made it, or changed it last.
    by: Uuid,
    /// How they were called then.
    by_name: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    made_at: Timestamp,
}

impl From<Kept> for AccessRuleShown {
    fn from(kept: Kept) -> Self {
        let rule = kept.rule;
        let (effect, types, reason, quota, days) = match rule.effect {
            Effect::Accept { types, quota, days } => {
                let types = types.into_iter().map(|open| match open {
                    OpenType::Mock => ObjectType::Mock,
                    OpenType::Release => ObjectType::Release,
                });
                let quota = QuotaBody {
                    per_person: quota.per_person,
                    in_all: quota.in_all,
                };
                (EffectWord::Accept, types.collect(), None, Some(quota), days)
            }
            Effect::Deny { types, reason } => {
                let types = types.into_iter().map(Into::into);
                (EffectWord::Deny, types.collect(), Some(reason), None, None)
            }
        };
        Self {
            id: kept.id.0,
            name: rule.name,
            effect,
            types,
            tags: rule.tags,
            reason,
            quota,
            days,
            until: rule.until,
            granted: kept.granted,
            by: rule.by.0,
            by_name: rule.by_name,
            made_at: rule.made_at,
        }
    }
}

/// Makes a rule, for the requests that are made from now on. Rules that deny come before those that accept, of each the
/// older first; what no rule fits waits for a person.
#[utoipa::path(tag = "access", security(("token" = [])), request_body = RuleBody, responses(
    (status = 201, description = "The rule", body = AccessRuleShown), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in"), (status = 403, description = "Not allowed"),
    (status = 409, description = "There are too many rules")))]
#[post("")]
async fn create(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<RuleBody>,
) -> Answer {
    let (id, draft) = (RuleId(context.new_id()), body.draft()?);
    let made = context
        .store
        .act(move |tx, here| access_rules::create(tx, &actor, here, id, &draft))
        .await?;
    Ok(HttpResponse::Created().json(AccessRuleShown::from(made)))
}

/// The rules of this node, oldest first, with how often each has granted something.
#[utoipa::path(tag = "access", security(("token" = [])), params(Page), responses(
    (status = 200, description = "A page", body = schema::PageOf<AccessRuleShown>), (status = 400, description = "A parameter is wrong"),
    (status = 401, description = "Not signed in"), (status = 403, description = "Not allowed")))]
#[get("")]
async fn list(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(page): Query<Page>) -> Answer {
    let (limit, after) = (page.limit()?, page.after()?);
    let (rules, next) = context
        .store
        .read_page(move |view| access_rules::list(view, &actor, after, limit))
        .await?;
    Ok(HttpResponse::Ok().json(schema::PageOf {
        items: rules.into_iter().map(AccessRuleShown::from).collect(),
        next: next.as_ref().and_then(page::cursor),
    }))
}

/// A rule.
#[utoipa::path(tag = "access", security(("token" = [])), responses(
    (status = 200, description = "The rule", body = AccessRuleShown), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "There is none")))]
#[get("/{id}")]
async fn show(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = RuleId(id.into_inner());
    let found = context
        .store
        .read(move |view| access_rules::get(view, &actor, id))
        .await?;
    Ok(HttpResponse::Ok().json(AccessRuleShown::from(found)))
}

/// Replaces what a rule says. What it has granted stands, and counts on.
#[utoipa::path(tag = "access", security(("token" = [])), request_body = RuleBody, responses(
    (status = 200, description = "The rule as it is now", body = AccessRuleShown),
    (status = 400, description = "A field is wrong"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "There is none")))]
#[put("/{id}")]
async fn change(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<RuleBody>,
) -> Answer {
    let (id, draft) = (RuleId(id.into_inner()), body.draft()?);
    let changed = context
        .store
        .act(move |tx, here| access_rules::change(tx, &actor, here, id, &draft))
        .await?;
    Ok(HttpResponse::Ok().json(AccessRuleShown::from(changed)))
}

/// Removes a rule. What it has granted stands until it is over, taken back, or denied by a person.
#[utoipa::path(tag = "access", security(("token" = [])), responses(
    (status = 204, description = "Done"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "There is none")))]
#[delete("/{id}")]
async fn remove(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = RuleId(id.into_inner());
    context
        .store
        .act(move |tx, here| access_rules::remove(tx, &actor, here, id))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
