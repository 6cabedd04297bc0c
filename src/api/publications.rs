//! Where a high node's datasets are published, and how a low-born one is adopted.

use actix_web::{HttpResponse, delete, get, post, web};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Answer, Context, Json, SignedIn, schema, view};
use crate::acts::publications;
use crate::clock;
use crate::domain::id::{DatasetId, NodeId};
use crate::store::records::Here;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(publish)
        .service(published_to)
        .service(withdraw)
        .service(adopt);
}

/// Where a dataset shall go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Publication {
    /// The paired low node.
    peer: Uuid,
}

/// Publishes a dataset to a paired low node: descriptions and mocks, now and as they change. High side only.
#[utoipa::path(tag = "datasets", security(("token" = [])), request_body = Publication, responses(
    (status = 201, description = "Done", body = schema::PublicationShown), (status = 409, description = "Wrong side, or not paired")))]
#[post("/{id}/publications")]
async fn publish(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<Publication>,
) -> Answer {
    let (id, peer) = (DatasetId(*id), NodeId(body.peer));
    context
        .store
        .act(move |tx, here| publications::publish(tx, &actor, here, id, peer))
        .await?;
    Ok(HttpResponse::Created().json(json!({"dataset": id, "peer": peer})))
}

/// The peers that a dataset is published to.
#[utoipa::path(tag = "datasets", security(("token" = [])), responses((status = 200, description = "items: peer", body = schema::PageOf<schema::PublicationShown>)))]
#[get("/{id}/publications")]
async fn published_to(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = DatasetId(*id);
    let peers = context
        .store
        .read(move |view| publications::list(view, &actor, &Here::at(view, clock::now(), [0; 32])?, id))
        .await?;
    let items: Vec<_> = peers.into_iter().map(|peer| json!({"peer": peer})).collect();
    Ok(HttpResponse::Ok().json(json!({"items": items, "next": null})))
}

/// Publishes a dataset to a peer no more. What the peer has, it keeps.
#[utoipa::path(tag = "datasets", security(("token" = [])), responses(
    (status = 204, description = "Done"), (status = 404, description = "It was not published there")))]
#[delete("/{id}/publications/{peer}")]
async fn withdraw(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    path: web::Path<(Uuid, Uuid)>,
) -> Answer {
    let (id, peer) = (DatasetId(path.0), NodeId(path.1));
    context
        .store
        .act(move |tx, here| publications::withdraw(tx, &actor, here, id, peer))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes over a low-born dataset with its assets, or the assets that a low node has added since: their home passes to this high node, and the dataset is published to where they came from.
#[utoipa::path(tag = "datasets", security(("token" = [])), responses(
    (status = 200, description = "The dataset as it is now", body = schema::DatasetShown), (status = 409, description = "Wrong side, or all of it is at home already")))]
#[post("/{id}/adoption")]
async fn adopt(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = DatasetId(*id);
    let dataset = context
        .store
        .act(move |tx, here| publications::adopt(tx, &actor, here, id))
        .await?;
    Ok(HttpResponse::Ok().json(view::object(&dataset)))
}
