//! REST for scientists and owners, under `/api/v1`, and its description. Thin: take out of the request, call one act,
//! answer. A thing that the caller may not see is not there (404).
//!
//! One file per resource, each with a `configure`; a handler that is routed is described, since both come from the same
//! line. Errors become problem documents in [`problem`], and nowhere else.

use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{HttpResponse, web};
use utoipa_actix_web::OpenApiFactory;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::acts::Refusal;
use crate::domain::side::{NoBundles, Side};

pub mod access_requests;
pub mod access_rules;
pub mod archive_uploads;
pub mod archives;
pub mod asset_uploads;
pub mod assets;
pub mod audit;
pub mod codes;
pub mod context;
pub mod cookies;
pub mod datasets;
pub mod deposits;
pub mod extract;
pub mod files;
pub mod gate;
pub mod groups;
pub mod keys;
pub mod node;
pub mod notifications;
mod openapi;
pub mod page;
pub mod password_changes;
pub mod passwords;
pub mod peers;
pub mod permissions;
pub mod problem;
pub mod projects;
pub mod proof;
pub mod publications;
pub mod recognised;
pub mod releases;
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
pub mod strangers;
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

/// What a node of a side answers to, each resource in a file of its own.
fn resources(side: Side) -> impl FnOnce(&mut ServiceConfig<'_>) {
    move |routes| {
        routes
            .configure(setup::configure)
            .configure(sessions::configure)
            .configure(password_changes::configure)
            .configure(second_factor::configure)
            .configure(users::configure)
            .configure(roles::configure)
            .configure(groups::configure)
            .configure(settings::configure)
            .configure(node::configure)
            .configure(snapshots::configure)
            .configure(archives::configure)
            .configure(datasets::configure)
            .configure(assets::configure)
            .configure(projects::configure)
            .configure(audit::configure)
            .configure(codes::configure)
            .configure(requests::configure)
            .configure(deposits::configure)
            .configure(access_requests::configure)
            .configure(access_rules::configure)
            .configure(keys::configure)
            .configure(runs::configure)
            .configure(releases::configure)
            .configure(notifications::configure)
            .service(openapi::document);
        match side.level() {
            Ok(_) => routes.configure(between_nodes),
            Err(NoBundles) => routes.configure(none_between_nodes),
        };
    }
}

/// What passes between two nodes: pairing, bundles, and what is published.
fn between_nodes(routes: &mut ServiceConfig<'_>) {
    routes
        .configure(peers::configure)
        .configure(sync::configure)
        .configure(publications::configure);
}

/// In the place of [`between_nodes`] on a solo node: not described, and one and the same answer at each of its addresses.
fn none_between_nodes(routes: &mut ServiceConfig<'_>) {
    let elsewhere = utoipa_actix_web::scope("").configure(between_nodes).paths();
    // One by one: the gate finds out what a route needs by its pattern, which a resource with many does not tell.
    for address in elsewhere.paths.into_keys() {
        routes.map(|routes| routes.service(web::resource(address).to(no_bundles)));
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
                .wrap(headers())
        });
    let docs = web::scope("/docs")
        .service(openapi::page)
        .service(openapi::style)
        .default_service(web::to(openapi::nothing_here))
        .wrap(from_fn(gate::until_set_up))
        .wrap(headers());
    application.service(api).service(docs);
}

/// What every answer says to browsers: show it as what it is, keep no copy, load nothing, and never in a frame.
fn headers() -> DefaultHeaders {
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
