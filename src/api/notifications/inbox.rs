//! The caller's own inbox.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::no_content;
use crate::actors::ActError;
use crate::acts::notices::{effective, inbox};
use crate::api::{Answer, Context, Json, Page, Problem, Query, SignedIn, page};
use crate::domain::access::Actor;
use crate::domain::notification::letter::sentence;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(list)
        .service(count_unread)
        .service(mark_all)
        .service(clear_all)
        .service(news)
        .service(note_shown)
        .service(show)
        .service(mark)
        .service(clear);
}

/// What a notification is about.
#[derive(Debug, Serialize, ToSchema)]
struct AboutView {
    /// What kind of thing it is, e.g. request.
    kind: &'static str,
    /// Its id.
    id: Uuid,
    /// The first line of the reason for the request, where it is about one, or about a run for one, that you may see.
    title: Option<String>,
    /// Where it is on the node, below the pages and below `/api/v1`.
    path: String,
    /// Its whole address, where the node knows under which address people reach it.
    link: Option<String>,
}

/// One line of the inbox.
#[derive(Debug, Serialize, ToSchema)]
struct NotificationView {
    /// Its number, which grows.
    id: u64,
    /// The word of the event.
    event: &'static str,
    /// The event in a few words.
    subject: &'static str,
    /// What happened, in a sentence.
    text: String,
    /// Why: the reason of a denial.
    reason: Option<String>,
    /// What it is about.
    about: Option<AboutView>,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Whether it has been read.
    read: bool,
}

/// A page of the inbox.
#[derive(Debug, Serialize, ToSchema)]
struct NotificationList {
    /// The lines.
    items: Vec<NotificationView>,
    /// Where the next page begins; none on the last one.
    next: Option<String>,
}

fn view(line: inbox::Line, base_url: Option<&str>) -> NotificationView {
    let about = line.told.target.map(|target| AboutView {
        kind: target.kind(),
        id: target.id(),
        title: line.title,
        path: target.path(),
        link: base_url.map(|base| format!("{base}{}", target.path())),
    });
    NotificationView {
        id: line.number,
        event: line.notice.event.word(),
        subject: line.notice.event.subject(),
        text: sentence(line.notice.event, &line.told),
        reason: line.told.reason,
        about,
        at: line.notice.at,
        read: line.notice.read,
    }
}

/// Reads lines, with the address that their links begin with.
async fn lines<T: Send + 'static>(
    context: &Context,
    read: impl FnOnce(&crate::store::read::View) -> Result<T, crate::acts::Refusal> + Send + 'static,
) -> Result<(T, Option<String>), ActError> {
    let configured = context.configured.clone();
    context
        .store
        .read(move |store| Ok((read(store)?, effective(store, &configured)?.base_url)))
        .await
}

/// Which lines are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those that have not been read.
    unread: Option<bool>,
    /// Items on the page, from 1 to 200; 50 by default.
    limit: Option<u16>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Your inbox, newest first.
#[utoipa::path(tag = "notifications", security(("token" = [])), params(Which), responses(
    (status = 200, description = "A page", body = NotificationList), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in")))]
#[get("")]
async fn list(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(which): Query<Which>) -> Answer {
    let page = Page::new(which.limit, which.cursor);
    let (limit, before, unread) = (page.limit()?, page.after()?, which.unread.unwrap_or(false));
    let (found, base_url) = lines(&context, move |store| {
        inbox::list(store, &actor, unread, before, limit)
    })
    .await?;
    Ok(HttpResponse::Ok().json(shown(found, base_url.as_deref())))
}

fn shown(found: inbox::Lines, base_url: Option<&str>) -> NotificationList {
    NotificationList {
        next: found.next.as_ref().and_then(page::cursor),
        items: found.lines.into_iter().map(|line| view(line, base_url)).collect(),
    }
}

/// How many lines of your inbox you have not read.
#[derive(Debug, Serialize, ToSchema)]
struct UnreadView {
    /// How many.
    unread: u64,
}

/// How many lines of your inbox you have not read.
#[utoipa::path(tag = "notifications", security(("token" = [])), responses(
    (status = 200, description = "How many", body = UnreadView), (status = 401, description = "Not signed in")))]
#[get("/unread")]
async fn count_unread(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    let unread = context
        .store
        .read(move |store| inbox::unread(store, &actor))
        .await?;
    Ok(HttpResponse::Ok().json(UnreadView { unread }))
}

/// Whether a line has been read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MarkBody {
    /// Whether it has.
    read: bool,
}

/// All lines up to one.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpTo {
    /// The newest line that is meant; the newest that there is if left out.
    up_to: Option<u64>,
}

async fn up_to(context: &Context, actor: &Actor, named: Option<u64>) -> Result<u64, Problem> {
    let actor = actor.clone();
    Ok(match named {
        Some(number) => number,
        None => {
            context
                .store
                .read(move |store| inbox::newest(store, &actor))
                .await?
        }
    })
}

/// Marks your whole inbox as read, up to a line.
#[utoipa::path(tag = "notifications", security(("token" = [])), request_body = UpTo, responses(
    (status = 204, description = "Done"), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in")))]
#[post("/read")]
async fn mark_all(context: web::Data<Context>, SignedIn(actor): SignedIn, Json(body): Json<UpTo>) -> Answer {
    let last = up_to(&context, &actor, body.up_to).await?;
    loop {
        let who = actor.clone();
        let more = context
            .store
            .act(move |tx, _| inbox::mark_all(tx, &who, last))
            .await?;
        if !more {
            return Ok(no_content());
        }
    }
}

/// Clears your whole inbox, up to a line.
#[utoipa::path(tag = "notifications", security(("token" = [])), request_body = UpTo, responses(
    (status = 204, description = "Done"), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in")))]
#[post("/clear")]
async fn clear_all(context: web::Data<Context>, SignedIn(actor): SignedIn, Json(body): Json<UpTo>) -> Answer {
    let last = up_to(&context, &actor, body.up_to).await?;
    loop {
        let who = actor.clone();
        let more = context
            .store
            .act(move |tx, _| inbox::clear_all(tx, &who, last))
            .await?;
        if !more {
            return Ok(no_content());
        }
    }
}

/// How much is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HowMuch {
    /// Items, from 1 to 200; 50 by default.
    limit: Option<u16>,
}

/// What is new.
#[derive(Debug, Serialize, ToSchema)]
struct NewsView {
    /// The lines, oldest first.
    items: Vec<NotificationView>,
    /// What to note as shown: the number of the last line; none if nothing is new.
    up_to: Option<u64>,
    /// Whether more is new.
    more: bool,
}

/// What has come since you last noted a digest as shown, oldest first.
#[utoipa::path(tag = "notifications", security(("token" = [])), params(HowMuch), responses(
    (status = 200, description = "What is new", body = NewsView), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in")))]
#[get("/digest")]
async fn news(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(much): Query<HowMuch>) -> Answer {
    let limit = Page::new(much.limit, None).limit()?;
    let (found, base_url) = lines(&context, move |store| inbox::news(store, &actor, limit)).await?;
    Ok(HttpResponse::Ok().json(NewsView {
        up_to: found.lines.last().map(|line| line.number),
        more: found.next.is_some(),
        items: found
            .lines
            .into_iter()
            .map(|line| view(line, base_url.as_deref()))
            .collect(),
    }))
}

/// What has been shown.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ShownBody {
    /// The number of the last line that was.
    up_to: u64,
}

/// Notes that a digest was shown: the next one begins after it.
#[utoipa::path(tag = "notifications", security(("token" = [])), request_body = ShownBody, responses(
    (status = 204, description = "Done"), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in")))]
#[post("/digest")]
async fn note_shown(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<ShownBody>,
) -> Answer {
    context
        .store
        .act(move |tx, _| inbox::note_shown(tx, &actor, body.up_to))
        .await?;
    Ok(no_content())
}

/// One line of your inbox.
#[utoipa::path(tag = "notifications", security(("token" = [])), responses(
    (status = 200, description = "The line", body = NotificationView), (status = 401, description = "Not signed in"),
    (status = 404, description = "There is none of that number")))]
#[get("/{id}")]
async fn show(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<u64>) -> Answer {
    let number = id.into_inner();
    let (line, base_url) = lines(&context, move |store| inbox::get(store, &actor, number)).await?;
    Ok(HttpResponse::Ok().json(view(line, base_url.as_deref())))
}

/// Marks a line of your inbox as read, or as unread.
#[utoipa::path(tag = "notifications", security(("token" = [])), request_body = MarkBody, responses(
    (status = 200, description = "The line", body = NotificationView), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in"), (status = 404, description = "There is none of that number")))]
#[patch("/{id}")]
async fn mark(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<u64>,
    Json(body): Json<MarkBody>,
) -> Answer {
    let (number, who) = (id.into_inner(), actor.clone());
    context
        .store
        .act(move |tx, _| inbox::mark(tx, &who, number, body.read))
        .await?;
    let (line, base_url) = lines(&context, move |store| inbox::get(store, &actor, number)).await?;
    Ok(HttpResponse::Ok().json(view(line, base_url.as_deref())))
}

/// Clears a line from your inbox.
#[utoipa::path(tag = "notifications", security(("token" = [])), responses(
    (status = 204, description = "Done"), (status = 401, description = "Not signed in"),
    (status = 404, description = "There is none of that number")))]
#[delete("/{id}")]
async fn clear(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<u64>) -> Answer {
    let number = id.into_inner();
    context
        .store
        .act(move |tx, _| inbox::clear(tx, &actor, number))
        .await?;
    Ok(no_content())
}
