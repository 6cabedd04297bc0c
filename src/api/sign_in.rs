//! Who calls: the bearer token of a request, looked up again on every call, so that a changed role counts at once.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use zeroize::Zeroizing;

use super::context::Context;
use super::problem::Problem;
use crate::acts::accounts;
use crate::domain::access::Actor;
use crate::domain::session;

/// The person who is signed in. A handler that takes it answers 401 to anybody else.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Actor);

/// The person who is signed in, if the request bears a token; a token that does not hold is 401 all the same.
#[derive(Debug, Clone)]
pub struct MaybeSignedIn(pub Option<Actor>);

/// The token that a request bears.
pub struct Bearer(pub Zeroizing<String>);

impl std::fmt::Debug for Bearer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Bearer(..)")
    }
}

fn bearer(request: &HttpRequest) -> Option<Zeroizing<String>> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    let fits = scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() && token.len() <= 256;
    fits.then(|| Zeroizing::new(token.trim().to_owned()))
}

async fn actor(context: Option<web::Data<Context>>, token: &str) -> Result<Actor, Problem> {
    let context = context.ok_or_else(Problem::not_signed_in)?;
    let (hash, now) = (session::token_hash(token), context.store.now());
    let found = context
        .store
        .read(move |view| accounts::signed_in(view, &hash, now))
        .await?;
    found.ok_or_else(Problem::not_signed_in)
}

impl FromRequest for SignedIn {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let context = request.app_data::<web::Data<Context>>().cloned();
        let token = bearer(request);
        Box::pin(async move {
            let token = token.ok_or_else(Problem::not_signed_in)?;
            actor(context, &token).await.map(Self)
        })
    }
}

impl FromRequest for MaybeSignedIn {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let context = request.app_data::<web::Data<Context>>().cloned();
        let bears_one = request.headers().contains_key(AUTHORIZATION);
        let token = bearer(request);
        Box::pin(async move {
            if !bears_one {
                return Ok(Self(None));
            }
            let token = token.ok_or_else(Problem::not_signed_in)?;
            Ok(Self(Some(actor(context, &token).await?)))
        })
    }
}

impl FromRequest for Bearer {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        std::future::ready(bearer(request).map(Self).ok_or_else(Problem::not_signed_in))
    }
}
