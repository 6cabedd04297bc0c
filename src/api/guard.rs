//! What stands around everything that the node answers to.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};

use super::context::Context;
use super::patience::patient;
use super::standing::standing;
use super::{origin, refusals, renewal, sign_in};

/// What a page sends along that looks by itself for what it waits for: nobody uses the session then.
pub(super) const WAITING: &str = "Poundlock-Waiting";

/// Middleware around everything: counts requests, notes that sessions are used and what is refused, and hands bodies on with
/// patience that ends, and no further than whoever sends them may.
///
/// # Errors
/// Those of the handlers.
pub async fn guarded(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, Error> {
    let Some(context) = request.app_data::<web::Data<Context>>().cloned() else {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    };
    // Where the store does not answer, everybody is a stranger.
    let session = sign_in::session_of(&request, &context);
    let patience = Duration::from_secs(context.config.server.body_idle_seconds);
    let payload = request.take_payload();
    let mut payload = patient(payload, patience);
    if let Some((token, caller)) = &session {
        payload = standing(payload, context.clone(), token.clone(), Arc::clone(caller));
    }
    request.set_payload(payload);
    let user = session.as_ref().map(|(_, caller)| caller.actor.user);
    let now = context.store.now();
    let admitted = match user {
        Some(user) => context.people().admit(user, request.method(), now),
        None => context
            .strangers()
            .admit(origin::address(&context, request.request()), now),
    };
    let waits = request.headers().contains_key(WAITING);
    let used = session.as_ref().filter(|_| !waits);
    let in_chunks = request.headers().contains_key(TRANSFER_ENCODING);
    let mut answered = match admitted {
        Err(problem) => request
            .into_response(problem.error_response())
            .map_into_right_body(),
        Ok(()) => {
            if let Some((token, caller)) = used {
                sign_in::note_use(&context, caller, token);
            }
            let answered = next.call(request).await?.map_into_left_body();
            // Again, for a request that took long.
            if let Some((token, caller)) = used {
                sign_in::note_use(&context, caller, token);
            }
            answered
        }
    };
    renewal::tell(&mut answered);
    refusals::note(&context, &answered, user);
    if in_chunks {
        // Where a body in chunks ends is what proxies and servers have disagreed on before: nothing that follows it on the same
        // connection is taken for a request.
        answered
            .response_mut()
            .head_mut()
            .set_connection_type(ConnectionType::Close);
    }
    Ok(answered)
}
