//! What is refused is written down: which request of whom, from where, and why. Its address and what it said are not, since they may
//! hold names or secrets.

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;

use super::context::Context;
use super::origin;
use super::problem::Reason;
use crate::domain::id::UserId;

/// Writes down an answer that refuses something: as a warning where it may be an attempt at what the caller must not have, else for
/// the record.
pub(super) fn note(context: &Context, answered: &ServiceResponse<impl MessageBody>, user: Option<UserId>) {
    let status = answered.status();
    let reason = answered
        .response()
        .extensions()
        .get::<Reason>()
        .map(|reason| reason.0);
    // Pages lead whoever is not signed in to where they do it. What the node itself failed at stands in the log already.
    let refuses = status.is_client_error() || (status.is_redirection() && reason.is_some());
    if !refuses {
        return;
    }
    let request = answered.request();
    let (reason, route) = (
        reason.or(status.canonical_reason()).unwrap_or_default(),
        request.match_pattern().unwrap_or_default(),
    );
    let (from, method) = (origin::address(context, request), request.method());
    let user = user.map(|user| user.0.to_string()).unwrap_or_default();
    let status_number = status.as_u16();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
            tracing::warn!(%user, %from, %method, %route, status = status_number, reason, "refused");
        }
        _ => tracing::info!(%user, %from, %method, %route, status = status_number, reason, "refused"),
    }
}
