//! REST for scientists and owners, under `/api/v1`, and its description. Thin: take out of the request, call one act,
//! answer. A thing that the caller may not see is not there (404).
//!
//! One file per resource, each with a `configure`; a handler that is routed is described, since both come from the same
//! line. Errors become problem documents in [`problem`], and nowhere else.

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{HttpResponse, web};
use utoipa_actix_web::OpenApiFactory;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::acts::Refusal;
use crate::domain::side::{NoBundles, Side};

pub mod access_requests;
pub mod access_rules;
pub mod allowances;
pub mod archive_uploads;
pub mod archives;
pub mod asset_uploads;
pub mod assets;
pub mod audit;
pub mod blocking;
pub mod codes;
pub mod context;
pub mod cookies;
pub mod datasets;
pub mod deposits;
pub mod extract;
pub mod files;
pub mod gate;
pub mod groups;
pub mod guard;
pub mod keys;
pub mod leaked_passwords;
pub mod node;
pub mod notifications;
mod openapi;
pub mod origin;
pub mod page;
pub mod password_changes;
pub mod passwords;
mod patience;
pub mod peers;
pub mod permissions;
pub mod problem;
pub mod projects;
pub mod proof;
pub mod publications;
pub mod quarantine;
pub mod recognised;
pub mod refusals;
pub mod releases;
pub mod rendered;
pub mod renewal;
pub mod requests;
pub mod roles;
pub mod runs;
pub mod schema;
pub mod second_factor;
pub mod sessions;
pub mod settings;
pub mod setup;
pub mod sign_in;
pub mod signed;
mod snapshots;
pub mod standing;
pub mod sync;
pub mod throttles;
pub mod users;
pub mod view;

pub use context::Context;
pub use extract::{Json, MaybeJson, Query};
pub use page::{List, Page};
pub use problem::Problem;
pub use sign_in::{MaybeSignedIn, SignedIn, Visitor};

/// What a handler returns.
pub type Answer = Result<HttpResponse, Problem>;

/// Where all addresses begin.
pub const PREFIX: &str = "/api/v1";

/// What a node of a side answers to: each resource under the first part of its addresses, which its file leaves out. A request is
/// compared with these parts, and then with the patterns of one of them; comparing it with every pattern there is would cost more
/// than many an answer.
fn resources(side: Side) -> impl FnOnce(&mut ServiceConfig<'_>) {
    move |routes| {
        routes
            .service(openapi::document)
            .configure(setup::of_health)
            .configure(node::of_sandbox)
            .configure(audit::of_mail)
            .service(under("/setup", setup::configure))
            .service(under("/node", move |routes| {
                routes
                    .configure(node::configure)
                    .configure(between_nodes(side, peers::of_node));
            }))
            .service(under("/sessions", sessions::configure))
            .service(under("/password-resets", password_changes::configure))
            .service(under("/users", |routes| {
                routes
                    .configure(password_changes::of_users)
                    .configure(second_factor::configure)
                    .configure(keys::of_oneself)
                    .configure(users::configure);
            }))
            .service(under("/verify-keys", keys::configure))
            .service(under("/roles", roles::configure))
            .service(under("/groups", groups::configure))
            .service(under("/settings", settings::configure))
            .service(under("/notifications", notifications::configure))
            .service(under("/datasets", move |routes| {
                routes
                    .configure(archives::configure)
                    .configure(assets::of_dataset)
                    .configure(between_nodes(side, publications::configure))
                    .configure(datasets::configure);
            }))
            .service(under("/assets", assets::configure))
            .service(under("/projects", projects::configure))
            .service(under("/codes", codes::configure))
            .service(under("/requests", |routes| {
                routes
                    .configure(requests::configure)
                    .configure(deposits::configure);
            }))
            .service(under("/runs", runs::configure))
            .service(under("/releases", releases::configure))
            .service(under("/access-requests", access_requests::configure))
            .service(under("/access-rules", access_rules::configure))
            .service(under("/peers", move |routes| {
                routes
                    .configure(between_nodes(side, peers::configure))
                    .configure(between_nodes(side, sync::configure));
            }))
            .service(under("/exports", between_nodes(side, sync::of_exports)))
            .service(under("/imports", between_nodes(side, sync::of_imports)))
            .service(under("/audit", audit::configure))
            .service(under("/snapshots", snapshots::configure));
    }
}

/// Addresses that begin with a part of their own.
fn under(
    first: &'static str,
    configure: impl FnOnce(&mut ServiceConfig<'_>),
) -> impl HttpServiceFactory + OpenApiFactory {
    utoipa_actix_web::scope(first)
        .configure(configure)
        .default_service(web::to(openapi::nothing_here))
}

/// What passes between two nodes: pairing, bundles, and what is published. On a solo node it is not described, and one and the same
/// answer is at each of its addresses.
fn between_nodes(side: Side, configure: fn(&mut ServiceConfig<'_>)) -> impl FnOnce(&mut ServiceConfig<'_>) {
    move |routes| match side.level() {
        Ok(_) => configure(routes),
        Err(NoBundles) => {
            let elsewhere = utoipa_actix_web::scope("").configure(configure).paths();
            // One by one: the gate finds out what a route needs by its pattern, which a resource with many does not tell.
            for address in elsewhere.paths.into_keys() {
                routes.map(|routes| routes.service(web::resource(address).to(no_bundles)));
            }
        }
    }
}

async fn no_bundles(_who: SignedIn) -> Answer {
    Err(Refusal::from(NoBundles).into())
}

/// Adds the API of a node of a side, and its docs, to an application. The application must hold a `web::Data<Context>` and
/// what else the resources ask for.
pub fn routes(side: Side) -> impl FnOnce(&mut web::ServiceConfig) {
    move |application| add_routes(application, side)
}

fn add_routes(application: &mut web::ServiceConfig, side: Side) {
    let api = utoipa_actix_web::scope(PREFIX)
        .configure(resources(side))
        .map(|scope| {
            scope
                .app_data(extract::path_config())
                .default_service(web::to(openapi::nothing_here))
                .wrap(from_fn(gate::permitted))
                .wrap(from_fn(gate::until_set_up))
        });
    let docs = web::scope("/docs")
        .service(openapi::page)
        .service(openapi::style)
        .default_service(web::to(openapi::nothing_here))
        .wrap(from_fn(gate::until_set_up));
    application.service(api).service(docs);
}

/// What every answer says to browsers that says nothing else: show it as what it is, keep no copy, load nothing, and never in a
/// frame. Around everything: what refuses a request before it reaches its resource says so too.
pub fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("Cache-Control", "no-store"))
        .add((
            "Content-Security-Policy",
            "default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
        ))
        .add(("Referrer-Policy", "no-referrer"))
        .add(("Cross-Origin-Resource-Policy", "same-origin"))
}

#[cfg(test)]
mod tests;
