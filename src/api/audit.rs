//! The audit chain, and the outbox.

use std::collections::BTreeMap;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpResponse, get, web};
use futures_util::stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Answer, Context, List, Page, Problem, Query, SignedIn, page, schema};
use crate::acts::chain::{self, Filter};
use crate::domain::access::Permission;
use crate::domain::audit::{self, Entry};
use crate::store::audit::{self as store, VerifyError};
use crate::store::read::Read;
use crate::store::tables::OUTBOX;

pub(super) fn of_mail(routes: &mut ServiceConfig<'_>) {
    routes.service(outbox);
}

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(entries).service(export).service(verification);
}

/// An entry of the chain.
#[derive(Debug, Serialize, ToSchema)]
struct EntryView {
    /// Its number, from 1.
    sequence: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who did it: `{"user": id}`, `{"peer": id}` or `"node"`.
    #[schema(value_type = serde_json::Value)]
    actor: audit::Actor,
    /// What was done, e.g. `request.approved`.
    action: String,
    /// What it was done to.
    subjects: Vec<Uuid>,
    /// What else is worth knowing.
    detail: BTreeMap<String, String>,
    /// The hash of the entry before.
    previous: String,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let fields = entry.fields;
        Self {
            sequence: entry.sequence,
            at: fields.at,
            actor: fields.actor,
            action: fields.action.as_str().to_owned(),
            subjects: fields.subjects,
            detail: fields.detail,
            previous: entry.previous.to_string(),
        }
    }
}

/// A page of entries.
#[derive(Debug, Serialize, ToSchema)]
struct Entries {
    /// The entries.
    items: Vec<EntryView>,
    /// Where the next page begins; none on the last one.
    next: Option<String>,
}

/// Which entries are wanted; all of it must fit.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Sought {
    /// What was done: a word, or the part of one before a dot (`request` finds `request.approved`).
    action: Option<String>,
    /// Who did it: the id of a person or a node.
    by: Option<Uuid>,
    /// The id of what it was done to.
    subject: Option<Uuid>,
    /// Not before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Items on the page, from 1 to 200; 50 by default.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// What happened, newest first. A page may come out short and still name a next one.
#[utoipa::path(tag = "audit", security(("token" = [])), params(Sought), responses(
    (status = 200, description = "A page of entries", body = Entries), (status = 400, description = "A parameter is wrong"),
    (status = 401, description = "Not signed in"), (status = 403, description = "Not allowed")))]
#[get("")]
async fn entries(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Query(sought): Query<Sought>,
) -> Answer {
    let page = Page::new(sought.limit, sought.cursor);
    let (limit, before) = (page.limit()?, page.after::<u64>()?);
    let filter = Filter {
        action: sought.action,
        by: sought.by,
        subject: sought.subject,
        since: sought.since,
        until: sought.until,
    };
    let (found, next) = context
        .store
        .read(move |view| chain::entries(view, &actor, &filter, before, limit))
        .await?;
    Ok(HttpResponse::Ok().json(Entries {
        items: found.into_iter().map(Into::into).collect(),
        next: next.as_ref().and_then(page::cursor),
    }))
}

/// The whole chain, oldest first, as JSON lines: one entry a line, streamed.
#[utoipa::path(tag = "audit", security(("token" = [])), responses(
    (status = 200, description = "One entry a line", content_type = "application/jsonl", body = String),
    (status = 401, description = "Not signed in"), (status = 403, description = "Not allowed")))]
#[get("/export")]
async fn export(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    let lines = stream::try_unfold(0_u64, move |after| {
        let (context, actor) = (context.clone(), actor.clone());
        async move {
            let read = context
                .store
                .read(move |view| chain::following(view, &actor, after));
            let found = read.await.map_err(Problem::from)?;
            let Some(last) = found.last().map(|entry| entry.sequence) else {
                return Ok::<_, actix_web::Error>(None);
            };
            let mut text = Vec::new();
            for entry in found {
                serde_json::to_writer(&mut text, &EntryView::from(entry))?;
                text.push(b'\n');
            }
            Ok(Some((web::Bytes::from(text), last)))
        }
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/jsonl"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"audit.jsonl\""))
        .streaming(Box::pin(lines)))
}

/// Whether the chain is intact.
#[derive(Debug, Serialize, ToSchema)]
struct Verification {
    /// Whether it is.
    intact: bool,
    /// How many entries it has, where it is.
    entries: Option<u64>,
    /// The hash of the last one, where it is.
    head: Option<String>,
    /// The first entry that does not fit, where it is not.
    at: Option<u64>,
    /// Why it does not fit.
    why: Option<String>,
}

/// Walks the whole chain, and says whether it is intact or where it is broken.
#[utoipa::path(tag = "audit", security(("token" = [])), responses(
    (status = 200, description = "Whether it is", body = Verification), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed")))]
#[get("/verification")]
async fn verification(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    actor.require(Permission::ReadAudit)?;
    let outcome = context.store.read(|view| Ok(store::verify(view))).await?;
    let found = match outcome {
        Ok(verified) => Verification {
            intact: true,
            entries: Some(verified.entries),
            head: Some(verified.head.to_string()),
            at: None,
            why: None,
        },
        Err(VerifyError::Broken { at, why }) => Verification {
            intact: false,
            entries: None,
            head: None,
            at: Some(at),
            why: Some(why.to_string()),
        },
        Err(error @ VerifyError::Table(_)) => return Err(Problem::internal(&error)),
    };
    Ok(HttpResponse::Ok().json(found))
}

/// What people are to be told, newest first.
#[utoipa::path(tag = "audit", security(("token" = [])), params(Page),
    responses((status = 200, description = "items, next", body = schema::PageOf<schema::Told>), (status = 403, description = "Not allowed")))]
#[get("/outbox")]
async fn outbox(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(page): Query<Page>) -> Answer {
    actor.require(Permission::EditSettings)?;
    let (limit, before) = (page.limit()?, page.after::<u64>()?);
    let read = move |view: &crate::store::read::View| Ok(view.range_back(&OUTBOX, before.as_ref(), limit)?);
    let waiting = context.store.read(read).await?;
    let last = waiting.last().map(|(number, _)| *number);
    let next = last
        .filter(|last| waiting.len() == limit && *last > 1)
        .as_ref()
        .and_then(page::cursor);
    let items: Vec<_> = waiting
        .into_iter()
        .map(|(number, told)| {
            json!({"number": number, "event": told.event, "audience": told.audience, "about": told.about, "at": told.at})
        })
        .collect();
    Ok(HttpResponse::Ok().json(List { items, next }))
}
