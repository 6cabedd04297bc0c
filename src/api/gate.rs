//! Until an owner has set the node up, it answers to nothing but its set-up and its health.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};

use super::context::Context;
use super::problem::Problem;

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
        // An answer, not an error: the headers that every answer bears are still to be added.
        if let Some(problem) = set_up.map_or_else(Some, |set_up| (!set_up).then(not_set_up)) {
            return Ok(request
                .into_response(problem.error_response())
                .map_into_right_body());
        }
    }
    next.call(request).await.map(ServiceResponse::map_into_left_body)
}

fn not_set_up() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_set_up",
        "this node is not set up yet; its owner does it with `poundlock setup` and the one-time token that \
         `poundlock init` printed",
    )
}
