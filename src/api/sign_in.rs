//! Who calls: looked up by the gate on every call, so that a changed role counts at once, and handed to the handlers.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use zeroize::Zeroizing;

use super::context::Context;
use super::cookies::{Cookie, Jar};
use super::problem::Problem;
use crate::acts::accounts::{self, Caller};
use crate::domain::access::{Actor, Viewer};
use crate::domain::session;

/// The person who is signed in. A handler that takes it answers 401 to anybody else.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Actor);

/// The person who is signed in, or a guest where the owner lets them in.
#[derive(Debug, Clone)]
pub struct Visitor(pub Viewer);

/// The person who is signed in, if the request bears a token, for a route that needs none; a token that does not hold is 401
/// all the same.
#[derive(Debug, Clone)]
pub struct MaybeSignedIn(pub Option<Actor>);

/// The token that a request bears.
pub struct Bearer(pub Zeroizing<String>);

impl std::fmt::Debug for Bearer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Bearer(..)")
    }
}

/// The bearer token among the headers of a request.
pub(super) fn bearer(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    let fits = scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() && token.len() <= 256;
    fits.then(|| Zeroizing::new(token.trim().to_owned()))
}

/// Who bears the token among the headers of a request, found out before the gate asks. A cookie says nothing to the API.
#[derive(Debug)]
pub(super) struct ByBearer(pub Arc<Caller>);

/// The token of the session that a request belongs to, as programs or browsers send it, with whose it is where it holds.
pub(super) fn session_of(
    request: &ServiceRequest,
    context: &Context,
) -> Option<(Zeroizing<String>, Arc<Caller>)> {
    if let Some(token) = bearer(request.headers()) {
        let caller = caller(context, &token).ok()?;
        request.extensions_mut().insert(ByBearer(Arc::clone(&caller)));
        return Some((token, caller));
    }
    let token = Jar::of(request.request()).read(request.request(), Cookie::Session)?;
    let caller = caller(context, &token).ok()?;
    Some((token, caller))
}

/// Whose a token is, in the newest state of the store. Looked up on the thread that calls: these are a few records, which every
/// call needs, and to hand them to another thread and back costs more.
///
/// # Errors
/// It does not hold.
pub fn caller(context: &Context, token: &str) -> Result<Arc<Caller>, Problem> {
    let (hash, now) = (session::token_hash(token), context.store.now());
    let newest = context.store.revision()?;
    if let Some(caller) = context.recognised().find(newest, &hash, now) {
        return Ok(caller);
    }
    let found = context.store.look(|view| {
        Ok(accounts::caller(view, &hash, now)?.map(|caller| {
            let caller = Arc::new(caller);
            context
                .recognised()
                .keep(view.revision(), hash, Arc::clone(&caller));
            caller
        }))
    })?;
    found.ok_or_else(Problem::not_signed_in)
}

/// Notes that somebody uses their session, beside the request, so that its end for want of use is put off. Where that cannot be
/// written, the session ends the earlier.
pub(super) fn note_use(context: &web::Data<Context>, caller: &Caller, token: &str) {
    let (hash, now) = (session::token_hash(token), context.store.now());
    if now < caller.session.note_from() {
        return;
    }
    let context = context.clone();
    actix_web::rt::spawn(async move {
        let noted = context
            .store
            .transact(move |tx| accounts::note_use(tx, &hash, now))
            .await;
        if let Err(error) = noted {
            tracing::debug!(%error, "the use of a session was not noted");
        }
    });
}

impl FromRequest for SignedIn {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(match request.extensions().get::<Viewer>() {
            Some(Viewer::Person(actor)) => Ok(Self(actor.clone())),
            _ => Err(Problem::not_signed_in()),
        })
    }
}

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let viewer = request.extensions().get::<Viewer>().cloned();
        ready(viewer.map(Self).ok_or_else(Problem::not_signed_in))
    }
}

impl FromRequest for MaybeSignedIn {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let context = request.app_data::<web::Data<Context>>().cloned();
        let bears_one = request.headers().contains_key(AUTHORIZATION);
        let token = bearer(request.headers());
        Box::pin(async move {
            if !bears_one {
                return Ok(Self(None));
            }
            let (Some(context), Some(token)) = (context, token) else {
                return Err(Problem::not_signed_in());
            };
            let caller = caller(&context, &token)?;
            if caller.owes_second_factor {
                return Err(Problem::second_factor_required());
            }
            Ok(Self(Some(caller.actor.clone())))
        })
    }
}

impl FromRequest for Bearer {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let token = bearer(request.headers());
        ready(token.map(Self).ok_or_else(Problem::not_signed_in))
    }
}
