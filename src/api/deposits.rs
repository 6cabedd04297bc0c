//! Results of requests that no code made here: computed elsewhere, or the private data itself that was asked for.

use std::os::unix::fs::DirBuilderExt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post, web};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::blocking::off_the_arbiter;
use super::{Answer, Context, Problem, Query, SignedIn, files, runs, schema};
use crate::actors::ActError;
use crate::actors::triage::{Deposit, Fulfil};
use crate::acts::runs::check_deposit;
use crate::clock;
use crate::domain::id::{JobId, RequestId};
use crate::domain::release::OutputFormat;
use crate::store::records::Here;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(deposit).service(fulfil);
}

/// How a deposit is written.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DepositQuery {
    /// json, csv, npy, png, parquet, arrow, text or raw.
    #[param(value_type = schema::OutputFormatWord, inline)]
    format: OutputFormat,
}

/// Takes a result that was computed elsewhere, as a run of this request. It is parsed and written again without
/// metadata, and is released like any other.
#[utoipa::path(tag = "requests", security(("token" = [])), params(DepositQuery),
    request_body(content = schema::Bytes, content_type = "application/octet-stream"), responses(
    (status = 201, description = "The run", body = schema::RunShown), (status = 409, description = "Denied, withdrawn, its runs are used up, or the disk has no room"),
    (status = 422, description = "The file is not of that format")))]
#[post("/{id}/deposits")]
async fn deposit(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Query(query): Query<DepositQuery>,
    body: web::Payload,
) -> Answer {
    let request = RequestId(id.into_inner());
    let (asking, now) = (actor.clone(), context.store.now());
    context
        .store
        .read(move |view| {
            let here = Here::at(view, now, clock::random_bytes())?;
            check_deposit(view, &asking, &here, request)
        })
        .await?;
    let id = JobId(context.new_id());
    let folder = context.deposits.clone();
    let file = folder.join(format!("{id}.upload"));
    off_the_arbiter(move || {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder)
    })
    .await?
    .map_err(|error| Problem::internal(&error))?;
    let room = context
        .folder
        .room_left()
        .map_err(|error| Problem::internal(&error))?;
    let allowed = context.config.runtime.limits.output_bytes;
    files::upload_to_file(body, allowed.min(room), &file)
        .await
        .map_err(|problem| explained(problem, allowed, room))?;
    let deposit = Deposit {
        actor,
        id,
        request,
        format: query.format,
        file,
    };
    let made = context.triage.send(deposit).await.map_err(ActError::from)??;
    Ok(HttpResponse::Created().json(runs::run(id, &made, &[])))
}

/// Why a deposit was not taken in: what was too large for the disk alone can be deposited once there is room.
fn explained(problem: Problem, allowed: u64, room: u64) -> Problem {
    if problem.word() != "too_large" || allowed <= room {
        return problem;
    }
    let detail = format!(
        "the result does not fit onto this node's disk, which has room for {room} bytes and a reserve; make room, and deposit it again"
    );
    Problem::new(StatusCode::CONFLICT, "no_space", detail).with("room", room)
}

/// Writes the private data that an approved request asks for as its result. Nothing leaves by that: the result is reviewed
/// and released like any other. Only where private data is held.
#[utoipa::path(tag = "requests", security(("token" = [])), responses(
    (status = 201, description = "The run that holds the result", body = schema::RunShown), (status = 403, description = "Not allowed"),
    (status = 404, description = "There is no such request"),
    (status = 409, description = "Wrong side, not approved here, not a request for private data, no data attached, or \
    done before"), (status = 422, description = "The data is longer than a result may be")))]
#[post("/{id}/fulfilments")]
async fn fulfil(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let request = RequestId(id.into_inner());
    let id = JobId(context.new_id());
    let fulfil = Fulfil { actor, id, request };
    let made = context.triage.send(fulfil).await.map_err(ActError::from)??;
    Ok(HttpResponse::Created().json(runs::run(id, &made, &[])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_alone_has_no_room_for_is_not_called_too_large() {
        let told = |allowed: u64, room: u64| {
            let problem = explained(Problem::too_large(allowed.min(room)), allowed, room);
            problem.word().to_owned()
        };
        assert_eq!(told(10, 9), "no_space");
        assert_eq!(told(10, 10), "too_large");
        assert_eq!(told(10, 11), "too_large");
        assert_eq!(explained(Problem::busy("later"), 10, 9).word(), "busy");
    }
}
