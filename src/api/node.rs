//! The node itself: who it is, and what its sandbox is made of.

use actix_web::{HttpResponse, get, web};
use poundlock_transport::identity::NodeIdentity;
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::blocking::off_the_arbiter;
use super::{Answer, Context, Problem, SignedIn, schema};
use crate::acts::settings;
use crate::clock;
use crate::domain::access::Permission;
use crate::store::records::Here;

pub(super) fn of_sandbox(routes: &mut ServiceConfig<'_>) {
    routes.service(sandbox);
}

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(show);
}

/// Who the node is, and the Python and packages that code meets.
#[utoipa::path(tag = "node", security(("token" = [])), responses(
    (status = 200, description = "id, name, side, runtime; epoch and fingerprint of a node that is paired with others",
    body = schema::NodeShown)))]
#[get("")]
async fn show(context: web::Data<Context>, _who: SignedIn) -> Answer {
    let read = |view: &_| Ok((Here::at(view, clock::now(), [0; 32])?, settings::current(view)?));
    let (here, settings) = context.store.read(read).await?;
    let mut shown = json!({
        "id": here.node, "name": settings.name, "side": here.side, "runtime": context.runtime.environment(),
    });
    if here.level().is_ok() {
        let file = context.folder.identity();
        let fingerprint = off_the_arbiter(move || NodeIdentity::load(&file)?.fingerprint()).await?;
        let fingerprint = fingerprint.map_err(|error| Problem::internal(&error))?;
        shown["epoch"] = json!(here.epoch);
        shown["fingerprint"] = fingerprint.to_string().into();
    }
    Ok(HttpResponse::Ok().json(shown))
}

/// What the sandbox is made of: its layers as found at the start, and every probe made again. Takes a few seconds.
#[utoipa::path(tag = "node", security(("token" = [])), responses(
    (status = 200, description = "ready, missing, layers, probes", body = schema::SandboxShown), (status = 403, description = "Not allowed")))]
#[get("/sandbox")]
async fn sandbox(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    actor.require(Permission::TriageRequests)?;
    let runtime = context.runtime.clone();
    let probes = off_the_arbiter(move || runtime.check()).await?;
    let readiness = context.runtime.readiness();
    let ready = readiness.is_ok() && probes.iter().all(crate::runtime::Probe::holds);
    let missing = readiness
        .err()
        .map(|not_ready| not_ready.missing)
        .unwrap_or_default();
    let layers = context.runtime.layers();
    Ok(HttpResponse::Ok().json(json!({
        "ready": ready, "missing": missing, "layers": layers, "probes": probes,
    })))
}
