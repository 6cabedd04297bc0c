//! Until an owner has set the node up, it answers to nothing but its set-up and its health.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::context::Context;
use super::problem::Problem;

const OPEN: [&str; 3] = ["/api/v1/health", "/api/v1/setup", "/api/v1/setup/status"];

/// Middleware: 503 until the node is set up.
pub(super) async fn until_set_up(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if !OPEN.contains(&request.path()) {
        let context = request.app_data::<web::Data<Context>>().cloned();
        let set_up = match context {
            Some(context) => context.is_set_up().await?,
            None => false,
        };
        if !set_up {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "not_set_up",
                "this node is not set up yet; its owner does it with `poundlock setup` and the one-time token that \
                 `poundlock init` printed",
            )
            .into());
        }
    }
    next.call(request).await
}
