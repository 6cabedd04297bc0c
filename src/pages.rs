//! The pages that people look at: rendered here, on the server, as plain HTML whose forms work without script.
//!
//! They hold no rules: like [`api`](crate::api) they take out of a request, call one act or ask one actor, and show what
//! came of it. From the API they take what is the same for both: the running node with its password hashing
//! ([`Context`]), the [`Problem`] that a refusal is told as, cursors of lists, and how bytes stream.
//!
//! A page is a file: a `routes` that names its addresses to the [`Site`], handlers that take a [`Visit`] (or a [`Form`])
//! and answer with `visit.page("Title").body(html! { … })`. Its line stands in [`every_page`], and in
//! [`layout::navigation`] if the navigation leads there.
//!
//! What keeps a browser from being turned against its user: nothing on a page comes from elsewhere or stands inline
//! ([`headers`]); whatever changes something is a POST whose handler takes a [`Form`], and a form is only read once its
//! token and its origin have been checked ([`form`]); text of strangers is escaped by the template language, and what
//! cannot be seen in it is made visible ([`piece::text`]).

use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{HttpResponse, web};

mod account;
mod asset;
mod audit;
mod body;
mod catalogue;
mod code;
mod confirm;
mod dataset;
mod exact;
mod export;
mod failure;
mod fields;
mod forgotten;
mod form;
mod groups;
mod home;
mod import;
mod inbox;
mod layout;
mod notifications;
mod peers;
mod piece;
mod projects;
mod reading;
mod register;
mod release;
mod request;
mod requests;
mod roles;
mod run;
mod settings;
mod setup;
mod sign_in;
mod site;
mod statics;
mod submitting;
mod upload;
mod user;
mod users;
mod visit;
mod was;

use crate::api::extract::path_config;
use crate::api::{Context, Problem};
use confirm::Confirm;
use fields::{Field, Fields, Filled};
use form::{Form, OpenForm};
use layout::Notice;
use site::Site;
use visit::{Anyone, Visit};

/// What a handler returns. A problem becomes a page.
type Answer = Result<HttpResponse, Problem>;

/// Every page, each in a file of its own.
fn every_page(site: &mut Site<'_>) {
    home::routes(site);
    inbox::routes(site);
    import::routes(site);
    export::routes(site);
    setup::routes(site);
    sign_in::routes(site);
    register::routes(site);
    forgotten::routes(site);
    account::routes(site);
    catalogue::routes(site);
    dataset::routes(site);
    asset::routes(site);
    requests::routes(site);
    request::routes(site);
    run::routes(site);
    release::routes(site);
    notifications::routes(site);
    projects::routes(site);
    submitting::routes(site);
    code::routes(site);
    users::routes(site);
    user::routes(site);
    roles::routes(site);
    groups::routes(site);
    peers::routes(site);
    settings::routes(site);
    audit::routes(site);
    statics::routes(site);
}

/// Adds the pages to an application, behind everything else: what nobody else has answered is a page that is not there.
/// The application must hold a `web::Data<Context>`.
pub fn routes(application: &mut web::ServiceConfig) {
    let pages = web::scope("")
        .configure(|configuration| every_page(&mut Site::new(configuration)))
        .app_data(path_config())
        .app_data(web::Data::new(reading::Readings::default()))
        .default_service(web::to(nothing_here))
        .wrap(from_fn(failure::as_pages))
        .wrap(headers());
    application.service(pages);
}

async fn nothing_here() -> Answer {
    Err(Problem::not_found(
        "there is no page at this address; look for it from the start page",
    ))
}

/// What every page says to browsers: load nothing from elsewhere, run nothing that stands inline, never in a frame, keep
/// no copy, and tell no other site where the reader comes from. Not `no-referrer`: under that a browser sends
/// `Origin: null` with forms, and the origin is one of the things by which a form is known to be ours.
fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("Cache-Control", "no-store"))
        .add((
            "Content-Security-Policy",
            "default-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; base-uri 'none'; \
             form-action 'self'; frame-ancestors 'none'",
        ))
        .add(("Referrer-Policy", "same-origin"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Cross-Origin-Resource-Policy", "same-origin"))
        .add(("Permissions-Policy", "camera=(), geolocation=(), microphone=()"))
}

#[cfg(test)]
mod tests;
