//! The audit chain, and the outbox.

use actix_web::{HttpResponse, get, web};
use serde_json::{Value, json};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Answer, Context, List, Page, Problem, Query, SignedIn, page};
use crate::acts::Refusal;
use crate::domain::access::Permission;
use crate::domain::audit::Entry;
use crate::store::audit::{self, AuditError, VerifyError};
use crate::store::read::Read;
use crate::store::records::RecordError;
use crate::store::tables::OUTBOX;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(entries).service(verification).service(outbox);
}

fn shown(entry: &Entry) -> Value {
    let fields = &entry.fields;
    json!({
        "sequence": entry.sequence, "at": fields.at, "actor": fields.actor, "action": fields.action.as_str(),
        "subjects": fields.subjects, "detail": fields.detail, "previous": entry.previous,
    })
}

fn unreadable(error: AuditError) -> Refusal {
    RecordError::from(error).into()
}

/// What happened, newest first.
#[utoipa::path(tag = "audit", security(("token" = [])), params(Page),
    responses((status = 200, description = "items, next"), (status = 403, description = "Not allowed")))]
#[get("/audit")]
async fn entries(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(page): Query<Page>) -> Answer {
    actor.require(Permission::ReadAudit)?;
    let (limit, before) = (page.limit()?, page.after::<u64>()?);
    let read = move |view: &_| audit::entries_before(view, before, limit).map_err(unreadable);
    let entries = context.store.read(read).await?;
    let more = entries.len() == limit;
    let last = entries.last().map(|entry| entry.sequence);
    let next = last
        .filter(|last| more && *last > 1)
        .as_ref()
        .and_then(page::cursor);
    let items: Vec<_> = entries.iter().map(shown).collect();
    Ok(HttpResponse::Ok().json(List { items, next }))
}

/// Walks the whole chain, and says whether it is intact or where it is broken.
#[utoipa::path(tag = "audit", security(("token" = [])), responses(
    (status = 200, description = "intact, entries, head; or broken at and why")))]
#[get("/audit/verification")]
async fn verification(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    actor.require(Permission::ReadAudit)?;
    let outcome = context.store.read(|view| Ok(audit::verify(view))).await?;
    match outcome {
        Ok(verified) => Ok(HttpResponse::Ok().json(json!({
            "intact": true, "entries": verified.entries, "head": verified.head,
        }))),
        Err(VerifyError::Broken { at, why }) => {
            let why = why.to_string();
            Ok(HttpResponse::Ok().json(json!({"intact": false, "at": at, "why": why})))
        }
        Err(error @ VerifyError::Table(_)) => Err(Problem::internal(&error)),
    }
}

/// What people are to be told, newest first.
#[utoipa::path(tag = "audit", security(("token" = [])), params(Page),
    responses((status = 200, description = "items, next"), (status = 403, description = "Not allowed")))]
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
