//! Releases: what has left the high side, and its bytes.

use std::fs::File;

use actix_web::{HttpResponse, get, web};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::blocking::off_the_arbiter;
use super::{Answer, Context, Problem, SignedIn, files, schema, view};
use crate::acts::grants;
use crate::acts::visible::Found;
use crate::domain::id::ReleaseId;
use crate::domain::release::Release;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(show).service(download);
}

/// Answers with the bytes of a release.
pub async fn content(context: &Context, found: Found<Release>) -> Answer {
    let (id, release) = (found.object.id, found.body);
    let file = open(context, &release).await?;
    let name = format!("{}-{id}.{}", release.part.word(), release.format.extension());
    let mut answer = HttpResponse::Ok();
    answer.insert_header(("Poundlock-Result-Hash", release.blob.to_string()));
    answer.insert_header(("Poundlock-Release", id.to_string()));
    Ok(files::download(
        answer,
        file,
        release.length,
        release.format.media_type(),
        &name,
    ))
}

/// The bytes of a release, as a file.
///
/// # Errors
/// They are not here.
pub async fn open(context: &Context, release: &Release) -> Result<File, Problem> {
    let (blobs, hash) = (context.blobs.clone(), release.blob);
    off_the_arbiter(move || blobs.open_blob(&hash).map_err(|error| Problem::internal(&error))).await?
}

/// A release: what was released, by whom and when.
#[utoipa::path(tag = "releases", security(("token" = [])), responses(
    (status = 200, description = "The release", body = schema::ReleaseShown), (status = 404, description = "There is none that you may see")))]
#[get("/{id}")]
async fn show(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let (id, now) = (ReleaseId(id.into_inner()), context.store.now());
    let found = context
        .store
        .read(move |view| grants::release(view, &actor, now, id))
        .await?;
    Ok(HttpResponse::Ok().json(view::object(&found.object)))
}

/// The bytes of a release: the very bytes that were reviewed.
#[utoipa::path(tag = "releases", security(("token" = [])), responses(
    (status = 200, description = "The bytes; `Poundlock-Result-Hash` is their BLAKE3 hash", content(
        (serde_json::Value = "application/json"), (schema::Bytes = "text/csv"), (schema::Bytes = "text/plain"),
        (schema::Bytes = "image/png"), (schema::Bytes = "application/vnd.apache.parquet"),
        (schema::Bytes = "application/vnd.apache.arrow.file"), (schema::Bytes = "application/octet-stream"))),
    (status = 404, description = "There is none that you may see")))]
#[get("/{id}/content")]
async fn download(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let (id, now) = (ReleaseId(id.into_inner()), context.store.now());
    let found = context
        .store
        .read(move |view| grants::release(view, &actor, now, id))
        .await?;
    content(&context, found).await
}
