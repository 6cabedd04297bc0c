//! Runs: looked at, cancelled, set aside, and released part by part.

use std::fs::File;

use actix_web::{HttpResponse, get, post, web};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::blocking::off_the_arbiter;
use super::{Answer, Context, Json, List, Page, Problem, Query, SignedIn, files, page, schema, view};
use crate::actors::ActError;
use crate::actors::runner::{CancelRun, Enqueue};
use crate::actors::triage::Release;
use crate::acts::releases::{Ids, Wanted as Released};
use crate::acts::runs::{self, Wanted};
use crate::domain::access::Actor;
use crate::domain::hash::Hash;
use crate::domain::id::{DecisionId, JobId, ReleaseId, RequestId};
use crate::domain::job::{Product, Run};
use crate::domain::object::{Kind, Object};
use crate::domain::release::Part;
use crate::store::attachments::Role;
use crate::store::records;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(list)
        .service(show)
        .service(cancel)
        .service(set_aside)
        .service(result)
        .service(log)
        .service(failure_report)
        .service(release);
}

/// A run as JSON, with what was released of it.
pub(super) fn run(id: JobId, run: &Run, released: &[Object]) -> Value {
    let mut shown = json!({ "id": id });
    if let (Some(members), Ok(Value::Object(fields))) = (shown.as_object_mut(), serde_json::to_value(run)) {
        members.extend(fields);
        members.insert("releases".to_owned(), json!(view::objects(released)));
    }
    if let Some(returned) = &run.result {
        shown["result"]["reviewable"] = json!(returned.format.reviewable());
    }
    shown
}

/// Queues a run and answers with it.
pub(super) async fn enqueue(context: &Context, actor: Actor, wanted: Wanted) -> Answer {
    let id = JobId(context.new_id());
    let queued = context.runner.send(Enqueue { actor, id, wanted }).await;
    let queued = queued.map_err(ActError::from)??;
    Ok(HttpResponse::Accepted().json(run(id, &queued, &[])))
}

/// Which runs are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Of this request.
    request: Option<Uuid>,
    /// Items on the page, from 1 to 200; 50 by default.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// The runs that you may see, newest first: all of them for those who triage, else the runs on mocks that you started.
#[utoipa::path(tag = "runs", security(("token" = [])), params(Which), responses(
    (status = 200, description = "A page; it may be short and still name a next one", body = schema::PageOf<schema::RunShown>)))]
#[get("")]
async fn list(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(which): Query<Which>) -> Answer {
    let page = Page::new(which.limit, which.cursor);
    let (limit, before) = (page.limit()?, page.after()?);
    let request = which.request.map(RequestId);
    let (items, next) = context
        .store
        .read(move |view| {
            let listed = runs::list(view, &actor, request, before, limit)?;
            let mut items = Vec::with_capacity(listed.runs.len());
            for (id, found) in &listed.runs {
                let released = records::children(view, id.0, Kind::Release)?;
                items.push(run(*id, found, &released));
            }
            Ok((items, listed.next))
        })
        .await?;
    Ok(HttpResponse::Ok().json(List {
        items,
        next: next.as_ref().and_then(page::cursor),
    }))
}

/// A run: its state, and what it left behind, each part with the hash of its exact bytes.
#[utoipa::path(tag = "runs", security(("token" = [])), responses(
    (status = 200, description = "The run", body = schema::RunShown), (status = 404, description = "There is none that you may see")))]
#[get("/{id}")]
async fn show(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = JobId(id.into_inner());
    let shown = context
        .store
        .read(move |view| {
            let found = runs::get(view, &actor, id)?;
            Ok(run(id, &found, &records::children(view, id.0, Kind::Release)?))
        })
        .await?;
    Ok(HttpResponse::Ok().json(shown))
}

/// Stops a run. One that is under way ends a moment later: look at its state.
#[utoipa::path(tag = "runs", security(("token" = [])), responses(
    (status = 202, description = "The run", body = schema::RunShown), (status = 409, description = "It is over")))]
#[post("/{id}/cancellation")]
async fn cancel(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = JobId(id.into_inner());
    let cancelled = context.runner.send(CancelRun { actor, id }).await;
    let cancelled = cancelled.map_err(ActError::from)??;
    Ok(HttpResponse::Accepted().json(run(id, &cancelled, &[])))
}

/// Sets the result of a run on private data aside, which nobody has released: it can never be, and does not count as one of the
/// runs that its code may have.
#[utoipa::path(tag = "runs", security(("token" = [])), responses(
    (status = 200, description = "The run", body = schema::RunShown),
    (status = 409, description = "It left no result, ran on mocks, or its result was released")))]
#[post("/{id}/set-aside")]
async fn set_aside(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = JobId(id.into_inner());
    let aside = context
        .store
        .act(move |tx, here| runs::set_aside(tx, &actor, here, id))
        .await?;
    Ok(HttpResponse::Ok().json(run(id, &aside, &[])))
}

/// Answers with the bytes of a part of a run that the actor may see.
pub async fn part(context: &Context, actor: Actor, id: JobId, part: Part) -> Answer {
    let (product, file) = open_part(context, actor, id, part).await?;
    let name = format!("{}-{id}.{}", part.word(), product.format.extension());
    let mut answer = HttpResponse::Ok();
    answer.insert_header(("Poundlock-Result-Hash", product.hash.to_string()));
    Ok(files::download(
        answer,
        file,
        product.length,
        product.format.media_type(),
        &name,
    ))
}

/// A part of a run that the actor may see, with its bytes. That somebody looks at private data is on the record before they see a
/// byte of it.
///
/// # Errors
/// There is no such run that the actor may see, or it left no such part.
pub async fn open_part(
    context: &Context,
    actor: Actor,
    id: JobId,
    part: Part,
) -> Result<(Product, File), Problem> {
    let product = context
        .store
        .act(move |tx, here| runs::look(tx, &actor, here, id, part))
        .await?;
    let missing = || Problem::not_found(format!("the run {id} has no {}", part.word()));
    let product = product.ok_or_else(missing)?;
    let file = open(context, id, part, &product).await?;
    Ok((product, file))
}

/// Where private data is held, a run's parts are attachments; elsewhere they come from mocks, and are blobs.
async fn open(context: &Context, id: JobId, part: Part, product: &Product) -> Result<File, Problem> {
    let hash = product.hash;
    match context.attachments.clone() {
        Some(attachments) => {
            off_the_arbiter(move || {
                let private = attachments.open_private(id.0, Role::of(part));
                let private = private.map_err(|error| Problem::internal(&error))?;
                File::open(private.path()).map_err(|error| Problem::internal(&error))
            })
            .await?
        }
        None => {
            let blobs = context.blobs.clone();
            off_the_arbiter(move || blobs.open_blob(&hash).map_err(|error| Problem::internal(&error))).await?
        }
    }
}

/// What a run returned. For those who triage, and for who started a run on mocks.
#[utoipa::path(tag = "runs", security(("token" = [])), responses(
    (status = 200, description = "The bytes; `Poundlock-Result-Hash` is their BLAKE3 hash", content(
        (serde_json::Value = "application/json"), (schema::Bytes = "text/csv"), (schema::Bytes = "text/plain"),
        (schema::Bytes = "image/png"), (schema::Bytes = "application/vnd.apache.parquet"),
        (schema::Bytes = "application/vnd.apache.arrow.file"), (schema::Bytes = "application/octet-stream"))),
    (status = 404, description = "There is none, or none that you may see")))]
#[get("/{id}/result")]
async fn result(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    part(&context, actor, JobId(id.into_inner()), Part::Result).await
}

/// What a run printed.
#[utoipa::path(tag = "runs", security(("token" = [])), responses(
    (status = 200, description = "The bytes; `Poundlock-Result-Hash` is their BLAKE3 hash", content(
        (serde_json::Value = "application/json"), (schema::Bytes = "text/csv"), (schema::Bytes = "text/plain"),
        (schema::Bytes = "image/png"), (schema::Bytes = "application/vnd.apache.parquet"),
        (schema::Bytes = "application/vnd.apache.arrow.file"), (schema::Bytes = "application/octet-stream"))),
    (status = 404, description = "It printed nothing, or there is no run that you may see")))]
#[get("/{id}/log")]
async fn log(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    part(&context, actor, JobId(id.into_inner()), Part::Log).await
}

/// Where a run failed, as far as that may be said: phase, line, and the exception's class where it is Python's own.
#[utoipa::path(tag = "runs", security(("token" = [])), responses(
    (status = 200, description = "The bytes; `Poundlock-Result-Hash` is their BLAKE3 hash", content(
        (serde_json::Value = "application/json"), (schema::Bytes = "text/csv"), (schema::Bytes = "text/plain"),
        (schema::Bytes = "image/png"), (schema::Bytes = "application/vnd.apache.parquet"),
        (schema::Bytes = "application/vnd.apache.arrow.file"), (schema::Bytes = "application/octet-stream"))),
    (status = 404, description = "There is none, or no run that you may see")))]
#[get("/{id}/failure_report")]
async fn failure_report(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
) -> Answer {
    part(&context, actor, JobId(id.into_inner()), Part::FailureReport).await
}

/// A part of a run.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PartWord {
    /// What the code returned.
    Result,
    /// What it printed.
    Log,
    /// Where it failed.
    FailureReport,
}

impl From<PartWord> for Part {
    fn from(word: PartWord) -> Self {
        match word {
            PartWord::Result => Self::Result,
            PartWord::Log => Self::Log,
            PartWord::FailureReport => Self::FailureReport,
        }
    }
}

/// What shall leave.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    /// Which part.
    part: PartWord,
    /// The hash of the exact bytes that you have reviewed.
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    hash: Hash,
}

/// Lets one part of a run out to its requester. Releasing the first result of a request approves it.
#[utoipa::path(tag = "runs", security(("token" = [])), request_body = ReleaseBody, responses(
    (status = 201, description = "The release", body = schema::ReleaseShown), (status = 403, description = "Not allowed"),
    (status = 409, description = "Released before, or the request was denied or withdrawn"),
    (status = 412, description = "The bytes are not those that you have reviewed")))]
#[post("/{id}/releases")]
async fn release(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<ReleaseBody>,
) -> Answer {
    let release = Release {
        actor,
        ids: Ids {
            release: ReleaseId(context.new_id()),
            decision: DecisionId(context.new_id()),
        },
        wanted: Released {
            job: JobId(id.into_inner()),
            part: body.part.into(),
            hash: body.hash,
        },
    };
    let made = context.triage.send(release).await.map_err(ActError::from)??;
    Ok(HttpResponse::Created().json(view::object(&made)))
}
