//! What every request passes before a handler is called: until an owner has set the node up, it answers to nothing but its
//! set-up and its health; after that, to whoever is what the route needs.

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};

use super::context::Context;
use super::permissions::{self, Needs};
use super::problem::Problem;
use super::sign_in::{self, ByBearer};
use crate::acts::settings;
use crate::domain::access::Viewer;

const OPEN: [&str; 3] = ["/api/v1/health", "/api/v1/setup", "/api/v1/setup/status"];

/// Middleware: 503 until the node is set up.
pub(super) async fn until_set_up(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if !OPEN.contains(&request.path()) {
        let context = request.app_data::<web::Data<Context>>().cloned();
        let set_up = match context {
            Some(context) => context.is_set_up().await,
            None => Ok(false),
        };
        if let Some(problem) = set_up.map_or_else(Some, |set_up| (!set_up).then(not_set_up)) {
            return Ok(refused(request, &problem));
        }
    }
    next.call(request).await.map(ServiceResponse::map_into_left_body)
}

/// An answer, not an error: the headers that every answer bears are still to be added.
fn refused<B: MessageBody>(
    request: ServiceRequest,
    problem: &Problem,
) -> ServiceResponse<actix_web::body::EitherBody<B>> {
    request
        .into_response(problem.error_response())
        .map_into_right_body()
}

fn not_set_up() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_set_up",
        "this node is not set up yet; its owner does it with `poundlock setup` and the one-time token that \
         `poundlock init` printed",
    )
}

/// Middleware: the caller must be what the table of permissions says that the route needs. Who they are is looked up here,
/// once, and handed to the handler's extractors.
pub(super) async fn permitted(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if let Err(problem) = admit(&request).await {
        return Ok(refused(request, &problem));
    }
    next.call(request).await.map(ServiceResponse::map_into_left_body)
}

async fn admit(request: &ServiceRequest) -> Result<(), Problem> {
    let Some(pattern) = request.match_pattern() else {
        // No route: answered with 404 or 405 by whoever looks for one.
        return Ok(());
    };
    let path = pattern.strip_prefix(super::PREFIX).unwrap_or(&pattern);
    let Some(needs) = permissions::needs(request.method().as_str(), path) else {
        let mut known: Vec<_> = permissions::methods(path).iter().map(|row| row.method).collect();
        known.sort_unstable();
        // Answered here: further on another pattern may fit the address, whose handler asks who an unknown caller is.
        return Err(if known.is_empty() {
            Problem::internal(&Unlisted(path.to_owned()))
        } else {
            Problem::method_not_allowed(known.join(", "))
        });
    };
    if needs == Needs::Nothing {
        return Ok(());
    }
    let viewer = viewer(request, needs).await?;
    if let Viewer::Person(actor) = &viewer {
        needs.check(actor)?;
    }
    request.extensions_mut().insert(viewer);
    Ok(())
}

async fn viewer(request: &ServiceRequest, needs: Needs) -> Result<Viewer, Problem> {
    let context = request.app_data::<web::Data<Context>>().cloned();
    let context = context.ok_or_else(Problem::not_signed_in)?;
    if needs == Needs::Catalogue && !request.headers().contains_key(AUTHORIZATION) {
        return if context.store.read(settings::current).await?.allow_guests {
            Ok(Viewer::Guest)
        } else {
            Err(Problem::not_signed_in())
        };
    }
    let known = request
        .extensions()
        .get::<ByBearer>()
        .map(|found| Arc::clone(&found.0));
    let caller = match known {
        Some(caller) => caller,
        None => {
            let token = sign_in::bearer(request.headers()).ok_or_else(Problem::not_signed_in)?;
            sign_in::caller(&context, &token)?
        }
    };
    if caller.owes_second_factor && needs != Needs::Account {
        return Err(Problem::second_factor_required());
    }
    Ok(Viewer::Person(caller.actor.clone()))
}

/// A handler is routed that the table of permissions does not know.
#[derive(Debug, thiserror::Error)]
#[error("the route {0} has no row in the table of permissions, and so answers nobody")]
struct Unlisted(String);
