//! Messages that were given up.

use actix_web::{HttpResponse, delete, get, post, web};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{ChannelWord, no_content};
use crate::acts::notices::dead_letters::{self, Listed};
use crate::api::{Answer, Context, Page, Query, SignedIn, page};

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(list)
        .service(requeue_all)
        .service(requeue)
        .service(remove);
}

/// A message that was given up.
#[derive(Debug, Serialize, ToSchema)]
struct DeadLetterView {
    /// Its number.
    id: u64,
    /// The event that it was to tell; none for a digest.
    event: Option<&'static str>,
    /// Over which channel.
    channel: ChannelWord,
    /// Whom it was for.
    user: Uuid,
    /// Their address; none if the account is gone.
    email: Option<String>,
    /// The name that its mail bears.
    message_id: String,
    /// Attempts that were made.
    attempts: u32,
    /// What the last one came to.
    error: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    made_at: Timestamp,
    /// When it was given up.
    #[schema(value_type = String, format = DateTime)]
    died_at: Timestamp,
}

/// A page of messages that were given up.
#[derive(Debug, Serialize, ToSchema)]
struct DeadLetterList {
    /// The messages.
    items: Vec<DeadLetterView>,
    /// Where the next page begins; none on the last one.
    next: Option<String>,
}

fn view(found: Listed) -> DeadLetterView {
    let Listed {
        number,
        letter,
        email,
    } = found;
    DeadLetterView {
        id: number,
        event: letter.delivery.event().map(|event| event.word()),
        channel: letter.delivery.channel.into(),
        user: letter.delivery.to.0,
        email,
        message_id: letter.delivery.message_id,
        attempts: letter.delivery.attempts,
        error: letter.delivery.last_error,
        made_at: letter.delivery.made_at,
        died_at: letter.died_at,
    }
}

/// Messages that were given up, newest first.
#[utoipa::path(tag = "notifications", security(("token" = [])), params(Page), responses(
    (status = 200, description = "A page", body = DeadLetterList), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in"), (status = 403, description = "Not allowed")))]
#[get("/dead-letters")]
async fn list(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(page): Query<Page>) -> Answer {
    let (limit, before) = (page.limit()?, page.after()?);
    let (found, next) = context
        .store
        .read(move |store| dead_letters::list(store, &actor, before, limit))
        .await?;
    Ok(HttpResponse::Ok().json(DeadLetterList {
        items: found.into_iter().map(view).collect(),
        next: next.as_ref().and_then(page::cursor),
    }))
}

/// How many are tried again.
#[derive(Debug, Serialize, ToSchema)]
struct RequeuedView {
    /// How many.
    requeued: usize,
}

/// Has every message that was given up tried again, at once.
#[utoipa::path(tag = "notifications", security(("token" = [])), responses(
    (status = 200, description = "How many", body = RequeuedView), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed")))]
#[post("/dead-letters/requeue")]
async fn requeue_all(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    let (mut requeued, mut after) = (0, None);
    loop {
        let who = actor.clone();
        let (count, last) = context
            .store
            .act(move |tx, here| dead_letters::requeue_all(tx, &who, here, after))
            .await?;
        requeued += count;
        after = last;
        if after.is_none() {
            return Ok(HttpResponse::Ok().json(RequeuedView { requeued }));
        }
    }
}

/// Has a message that was given up tried again, at once. It keeps the name that it bears.
#[utoipa::path(tag = "notifications", security(("token" = [])), responses(
    (status = 204, description = "Done"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "There is none of that number"),
    (status = 409, description = "It held a one-time code, which is gone")))]
#[post("/dead-letters/{id}/requeue")]
async fn requeue(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<u64>) -> Answer {
    let number = id.into_inner();
    context
        .store
        .act(move |tx, here| dead_letters::requeue(tx, &actor, here, number))
        .await?;
    Ok(no_content())
}

/// Removes a message that was given up.
#[utoipa::path(tag = "notifications", security(("token" = [])), responses(
    (status = 204, description = "Done"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "There is none of that number")))]
#[delete("/dead-letters/{id}")]
async fn remove(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<u64>) -> Answer {
    let number = id.into_inner();
    context
        .store
        .act(move |tx, here| dead_letters::remove(tx, &actor, here, number))
        .await?;
    Ok(no_content())
}
