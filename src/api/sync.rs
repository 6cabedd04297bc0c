//! What goes out and what comes in: previews, exports, imports, and the review of the inbox.

use std::collections::BTreeSet;
use std::fs::File;

use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::files;
use super::signed::{KeyNewsView, Signed};
use super::{Answer, Context, Json, Problem, Query, SignedIn, quarantine, schema};
use crate::actors::ActError;
use crate::actors::syncer::{Export, Import, spooled};
use crate::acts::inbox::{self, InboxBatch};
use crate::acts::outgoing::{self, Preview};
use crate::acts::{Refusal, peers, signatures};
use crate::domain::access::Permission;
use crate::domain::id::NodeId;
use crate::domain::object::{Body, Kind};
use crate::domain::text::Invalid;
use crate::store::read::Read;
use crate::store::records;
use crate::sync::batch::{Batch, Change};
use crate::sync::difference::difference;
use crate::sync::review::Seen;
use crate::sync::select::Filters;

/// The longest list of seen objects, in bytes of JSON.
const SEEN_MAX: usize = 16 * 1024 * 1024;

pub(super) fn of_exports(routes: &mut ServiceConfig<'_>) {
    routes.service(fetch);
}

pub(super) fn of_imports(routes: &mut ServiceConfig<'_>) {
    routes.service(import);
}

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(show_outgoing)
        .service(hold)
        .service(let_go)
        .service(export)
        .service(contents)
        .service(apply)
        .service(ignore)
        .service(unignore);
}

/// Which batches to show or send.
#[derive(Debug, Default, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only requests of the person with this e-mail address, the jobs that answer them, and what they need.
    requester: Option<String>,
    /// Only batches of these kinds, with what they need: project, dataset, request, job; separated by commas.
    include: Option<String>,
    /// No batches of these kinds, and nothing that needs them.
    exclude: Option<String>,
    /// Also show batches that are held, filtered out or ignored.
    #[serde(default)]
    include_ignored: bool,
    /// Also show the objects that the receiver has already.
    #[serde(default)]
    include_same: bool,
    /// Leave the source code out of the differences.
    #[serde(default)]
    hide_code: bool,
}

impl Wanted {
    fn filters(&self) -> Result<Filters, Problem> {
        Ok(Filters {
            requester: self.requester.clone(),
            include: kinds("include", self.include.as_deref())?,
            exclude: kinds("exclude", self.exclude.as_deref())?,
        })
    }
}

fn kinds(field: &str, words: Option<&str>) -> Result<BTreeSet<Kind>, Problem> {
    let words = words
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    let kind = |word: &str| {
        outgoing::ROOT_KINDS
            .into_iter()
            .find(|kind| kind.word() == word)
            .ok_or_else(|| {
                Problem::from(Invalid::new(
                    field,
                    format!("{word:?} is none of project, dataset, request, job"),
                ))
            })
    };
    words.map(kind).collect()
}

/// A batch as JSON; `bodies` finds what to compare, and `vouched` adds what is known of signatures and keys.
fn shown(
    batch: &Batch,
    hide_code: bool,
    bodies: impl Fn(Uuid) -> Result<(Option<Body>, Option<Body>), Refusal>,
    vouched: impl Fn(Uuid, &mut Value) -> Result<(), Refusal>,
) -> Result<Value, Refusal> {
    let mut members = Vec::with_capacity(batch.members.len());
    for member in &batch.members {
        let mut shown = json!(member);
        if member.change != Change::Same
            && let (before, Some(after)) = bodies(member.id)?
        {
            shown["changes"] = json!(difference(before.as_ref(), &after, hide_code));
        }
        vouched(member.id, &mut shown)?;
        members.push(shown);
    }
    Ok(json!({
        "root": batch.root, "kind": batch.kind, "title": batch.title, "needs": batch.needs, "members": members,
    }))
}

/// What a peer is owed, as batches: each object new, modified or the same, with what has changed.
#[utoipa::path(tag = "sync", params(Wanted), responses((status = 200, description = "The batches, needs first", body = schema::Outgoing)))]
#[get("/{id}/outgoing")]
async fn show_outgoing(
    context: web::Data<Context>,
    who: SignedIn,
    id: web::Path<Uuid>,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let (id, filters) = (id.into_inner(), wanted.filters()?);
    let batches = context
        .store
        .read(move |view| {
            let preview = outgoing::preview(view, &who.0, id, &filters, wanted.include_same)?;
            outgoing_tree(view, id, &preview, &wanted)
        })
        .await?;
    Ok(HttpResponse::Ok().json(json!({ "batches": batches })))
}

fn outgoing_tree(
    read: &impl Read,
    peer: Uuid,
    preview: &Preview,
    wanted: &Wanted,
) -> Result<Vec<Value>, Refusal> {
    let mut batches = Vec::with_capacity(preview.batches.len());
    for batch in &preview.batches {
        let kept_back = preview.selection.kept_back.get(&batch.root);
        if kept_back.is_some() && !wanted.include_ignored {
            continue;
        }
        let bodies = |id| {
            let Some(object) = records::object(read, id)? else {
                return Ok((None, None));
            };
            Ok((outgoing::delivered_body(read, peer, &object)?, Some(object.body)))
        };
        let mut tree = shown(batch, wanted.hide_code, bodies, |_, _| Ok(()))?;
        tree["kept_back"] = json!(kept_back);
        batches.push(tree);
    }
    Ok(batches)
}

/// A batch, by its root.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Root {
    /// The root object.
    root: Uuid,
}

/// Holds a batch back from a peer. It stays owed.
#[utoipa::path(tag = "sync", request_body = Root, responses((status = 204, description = "Held")))]
#[post("/{id}/holds")]
async fn hold(
    context: web::Data<Context>,
    who: SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<Root>,
) -> Answer {
    let id = id.into_inner();
    context
        .store
        .act(move |tx, _| peers::hold(tx, &who.0, id, body.root, true))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lets a held batch go.
#[utoipa::path(tag = "sync", responses((status = 204, description = "Not held")))]
#[delete("/{id}/holds/{root}")]
async fn let_go(context: web::Data<Context>, who: SignedIn, path: web::Path<(Uuid, Uuid)>) -> Answer {
    let (id, root) = path.into_inner();
    context
        .store
        .act(move |tx, _| peers::hold(tx, &who.0, id, root, false))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What to export.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ExportBody {
    /// Only requests of the person with this e-mail address, the jobs that answer them, and what they need.
    requester: Option<String>,
    /// Only batches of these kinds, separated by commas, with what they need.
    include: Option<String>,
    /// No batches of these kinds, and nothing that needs them.
    exclude: Option<String>,
    /// Build on no earlier bundle, and carry all that the peer may have.
    #[serde(default)]
    full: bool,
}

/// Writes a bundle for a peer, reads it back and verifies it. Fetch it with `GET /exports/{name}`.
#[utoipa::path(tag = "sync", request_body = ExportBody, responses((status = 201, description = "The bundle's number, hash and name", body = schema::Exported)))]
#[post("/{id}/exports")]
async fn export(
    context: web::Data<Context>,
    who: SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<ExportBody>,
) -> Answer {
    let ExportBody {
        requester,
        include,
        exclude,
        full,
    } = body;
    let wanted = Wanted {
        requester,
        include,
        exclude,
        ..Wanted::default()
    };
    let ask = Export {
        actor: who.0,
        peer: NodeId(id.into_inner()),
        filters: wanted.filters()?,
        full,
    };
    let exported = context.syncer()?.send(ask).await.map_err(ActError::from)??;
    Ok(HttpResponse::Created().json(exported))
}

/// The bytes of an exported bundle.
#[utoipa::path(tag = "sync", responses((status = 200, description = "The file", body = schema::Bytes, content_type = "application/octet-stream")))]
#[get("/{name}")]
async fn fetch(context: web::Data<Context>, who: SignedIn, name: web::Path<String>) -> Answer {
    who.0.require(Permission::Sync).map_err(Refusal::from)?;
    let path = spooled(&context.folder.spool(), &name)?;
    let file = File::open(path).map_err(|error| Problem::internal(&error))?;
    let length = file.metadata().map_err(|error| Problem::internal(&error))?.len();
    Ok(files::download(
        HttpResponse::Ok(),
        file,
        length,
        "application/octet-stream",
        &name,
    ))
}

/// Takes a bundle in: the body is the file, copied once into quarantine, verified there, and taken into its sender's inbox.
#[utoipa::path(tag = "sync", request_body(content = schema::Bytes, content_type = "application/octet-stream"),
    responses((status = 200, description = "What it brought; `repeated` when it was known and nothing changed", body = schema::Imported)))]
#[post("")]
async fn import(
    context: web::Data<Context>,
    who: SignedIn,
    request: HttpRequest,
    body: web::Payload,
) -> Answer {
    who.0.require(Permission::Sync).map_err(Refusal::from)?;
    let quarantined = quarantine::take(&context, body, quarantine::declared(&request)).await?;
    let ask = Import {
        actor: who.0,
        quarantined,
    };
    let imported = context.syncer()?.send(ask).await.map_err(ActError::from)??;
    Ok(HttpResponse::Ok().json(imported))
}

/// What waits for review from a peer, as batches, with how each object differs from what is here, and how it is signed.
#[utoipa::path(tag = "sync", params(Wanted), responses((status = 200, description = "The batches", body = schema::Inbox)))]
#[get("/{id}/inbox")]
async fn contents(
    context: web::Data<Context>,
    who: SignedIn,
    id: web::Path<Uuid>,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let (id, filters) = (id.into_inner(), wanted.filters()?);
    let batches = context
        .store
        .read(move |view| {
            let waiting = inbox::contents(view, &who.0, id, &filters)?;
            let waiting = waiting
                .iter()
                .filter(|shown| wanted.include_ignored || !shown.ignored);
            waiting
                .map(|shown| inbox_tree(view, id, shown, &wanted))
                .collect::<Result<Vec<_>, _>>()
        })
        .await?;
    Ok(HttpResponse::Ok().json(json!({ "batches": batches })))
}

fn inbox_tree(read: &impl Read, peer: Uuid, waiting: &InboxBatch, wanted: &Wanted) -> Result<Value, Refusal> {
    let bodies = |id| {
        let before = records::object(read, id)?.map(|object| object.body);
        Ok((before, inbox::pending_body(read, peer, id)?))
    };
    let mut tree = shown(&waiting.batch, wanted.hide_code, bodies, |id, member| {
        if let Some(standing) = signatures::on_pending(read, peer, id)? {
            member["signed"] = json!(Signed::from(&standing));
        }
        if let Some(news) = signatures::key_news(read, peer, id)? {
            member["verify_key"] = json!(KeyNewsView::from(&news));
        }
        Ok(())
    })?;
    tree["ignored"] = json!(waiting.ignored);
    tree["waits_for"] = json!(waiting.waits_for);
    tree["reviewed"] = json!(waiting.reviewed);
    Ok(tree)
}

/// Batches, and the objects of them as the reviewer saw them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Review {
    /// The roots of the batches.
    roots: Vec<Uuid>,
    /// Every object of them, and of what they need, with the revision that was shown.
    #[schema(value_type = Vec<schema::SeenObject>)]
    seen: Vec<Seen>,
}

/// Applies batches with all that they need, or nothing. 412 if something is not as it was seen, or another reviewer was first.
#[utoipa::path(tag = "sync", request_body = Review, responses((status = 200, description = "What was applied, and what of it because it was needed", body = schema::Applied),
    (status = 412, description = "Changed meanwhile, with the difference")))]
#[post("/{id}/inbox/apply")]
async fn apply(
    context: web::Data<Context>,
    who: SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<Review, SEEN_MAX>,
) -> Answer {
    let id = id.into_inner();
    let applied = context
        .store
        .act(move |tx, here| inbox::apply(tx, &who.0, here, id, &body.roots, &body.seen))
        .await?;
    Ok(HttpResponse::Ok().json(json!({ "applied": applied.roots, "also": applied.also })))
}

/// Ignores batches, and with them all that needs them, however deep.
#[utoipa::path(tag = "sync", request_body = Review, responses((status = 200, description = "All that is hidden now", body = schema::Ignored)))]
#[post("/{id}/inbox/ignore")]
async fn ignore(
    context: web::Data<Context>,
    who: SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<Review, SEEN_MAX>,
) -> Answer {
    let id = id.into_inner();
    let hidden = context
        .store
        .act(move |tx, here| inbox::ignore(tx, &who.0, here, id, &body.roots, &body.seen))
        .await?;
    Ok(HttpResponse::Ok().json(json!({ "ignored": hidden })))
}

/// Batches, by their roots.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Roots {
    /// The roots.
    roots: Vec<Uuid>,
}

/// Brings ignored batches back, and what they need.
#[utoipa::path(tag = "sync", request_body = Roots, responses((status = 200, description = "All that shows again", body = schema::Unignored)))]
#[post("/{id}/inbox/unignore")]
async fn unignore(
    context: web::Data<Context>,
    who: SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<Roots>,
) -> Answer {
    let id = id.into_inner();
    let back = context
        .store
        .act(move |tx, here| inbox::unignore(tx, &who.0, here, id, &body.roots))
        .await?;
    Ok(HttpResponse::Ok().json(json!({ "unignored": back })))
}
