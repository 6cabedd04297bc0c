//! Passwords: changed by their owners, and chosen anew by whoever has forgotten theirs.

use std::net::IpAddr;

use actix_web::{HttpRequest, HttpResponse, post, put, web};
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::passwords::Password;
use super::proof::{Caller, Shown};
use super::throttles::Trier;
use super::{Answer, Context, Json, Problem, SignedIn, origin, proof};
use crate::acts::{accounts, notices};
use crate::clock;
use crate::domain::access::Actor;
use crate::domain::id::UserId;
use crate::domain::sealed::Secret;
use crate::domain::session;
use crate::store::secrets::Purpose;

pub(super) fn of_users(routes: &mut ServiceConfig<'_>) {
    routes.service(change).service(hand_over);
}

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(forgotten).service(choose);
}

/// The old password and the new one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    /// The present one.
    password: Password,
    /// A code of the caller's second factor, or a recovery code, where they have one.
    code: Option<String>,
    /// At least 15 characters, and not easily guessed.
    new: Password,
}

/// Gives the caller a new password. All their other sessions end.
#[utoipa::path(tag = "accounts", security(("token" = [])), request_body = ChangeBody, responses(
    (status = 204, description = "Done"), (status = 400, description = "The new password is too weak"),
    (status = 401, description = "Not signed in, or a wrong password or code"), (status = 429, description = "Too many tries")))]
#[put("/me/password")]
async fn change(
    request: HttpRequest,
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<ChangeBody>,
) -> Answer {
    let caller = Caller::of(&context, &request, actor);
    let shown = Shown::new(body.password, body.code);
    change_own(&context, caller, shown, body.new).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Gives somebody who shows what they sign in with a new password. All their sessions end but the one that asks.
///
/// # Errors
/// The present password or the code is wrong, the new one is too weak, or too many tries have failed.
pub async fn change_own(
    context: &Context,
    caller: Caller,
    present: Shown,
    new: Password,
) -> Result<(), Problem> {
    let trier = proof::of_password(context, &caller, present.password).await?;
    let user = caller.actor.user;
    let words = context
        .store
        .read(move |view| accounts::own_words(view, Some(user)))
        .await?;
    let hashed = context.passwords().hash(new, words).await;
    let hash = hashed
        .map_err(|problem| problem.renamed("password", "new"))?
        .password_hash;
    proof::of_code(context, &caller, trier, present.code).await?;
    let (actor, kept) = (caller.actor.clone(), caller.session);
    context
        .store
        .act(move |tx, here| accounts::change_password(tx, &actor, here, hash, kept.as_ref()))
        .await?;
    proof::renew(context, &caller).await;
    Ok(())
}

/// Who has forgotten their password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ForgottenBody {
    /// The account's address.
    email: String,
}

/// What whoever asks is told, whether the account exists or not.
#[derive(Debug, Serialize, ToSchema)]
struct Asked {
    /// What happens next.
    detail: &'static str,
}

/// Asks for a token to choose a new password with, which is mailed to the account's address where the node has mail. The answer
/// is the same whether there is such an account or not.
#[utoipa::path(tag = "accounts", request_body = ForgottenBody, responses(
    (status = 202, description = "What happens next", body = Asked), (status = 400, description = "A field is wrong"),
    (status = 429, description = "Too many tries")))]
#[post("")]
async fn forgotten(
    request: HttpRequest,
    context: web::Data<Context>,
    Json(body): Json<ForgottenBody>,
) -> Answer {
    let from = origin::address(&context, &request);
    ask_for_token(context, from, body.email)?;
    Ok(HttpResponse::Accepted().json(Asked { detail: ASKED }))
}

/// What whoever asks for a token is told, whether there is such an account or not.
pub const ASKED: &str = "if there is such an account and this node has mail, a token is on its way; otherwise ask somebody who may \
                         create users here for one, or, if nobody else may, whoever runs the machine (`poundlock recover`)";

/// Has a token mailed to the account under an address, if there is one and the node sends mail. Whoever asks is not told.
///
/// # Errors
/// Too many have been asked for.
pub fn ask_for_token(context: web::Data<Context>, from: IpAddr, email: String) -> Result<(), Problem> {
    let (trier, now) = (Trier::of_account(&email, from), context.store.now());
    context.throttles().admit(trier, now)?.stays();
    // Beside the answer: how long it takes must not tell whether there is such an account.
    actix_web::rt::spawn(mail_token(context, email));
    Ok(())
}

/// Has a token mailed to the account under an address, if there is one and the node sends mail.
async fn mail_token(context: web::Data<Context>, email: String) {
    let token = Secret::new(BASE64URL_NOPAD.encode(&clock::random_bytes()));
    let hash = session::reset_token_hash(token.expose());
    let sealed = match context.secrets.seal(Purpose::PasswordReset, &token) {
        Ok(sealed) => sealed,
        Err(error) => return tracing::error!(%error, "no token can be mailed"),
    };
    let configured = context.configured.clone();
    let mailed = context
        .store
        .act(move |tx, here| notices::mail_reset(tx, here, &configured, &email, &hash, sealed));
    if let Err(error) = mailed.await {
        tracing::error!(%error, "a token could not be mailed");
    }
}

/// A token and the password that is chosen with it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChooseBody {
    /// The token, which works once.
    #[schema(value_type = String)]
    token: Zeroizing<String>,
    /// At least 15 characters, and not easily guessed.
    password: Password,
}

/// Chooses a new password with a token. All sessions end.
#[utoipa::path(tag = "accounts", request_body = ChooseBody, responses(
    (status = 204, description = "Done"), (status = 400, description = "The password is too weak"),
    (status = 401, description = "The token is wrong, used or over"), (status = 429, description = "Too many tries")))]
#[post("/use")]
async fn choose(request: HttpRequest, context: web::Data<Context>, Json(body): Json<ChooseBody>) -> Answer {
    choose_by_token(
        &context,
        origin::address(&context, &request),
        &body.token,
        body.password,
    )
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Chooses a new password with a token, which works once. All sessions of its owner end.
///
/// # Errors
/// The token is wrong, used or over, the password is too weak, or too many tries have failed.
pub async fn choose_by_token(
    context: &Context,
    from: IpAddr,
    token: &str,
    password: Password,
) -> Result<(), Problem> {
    let (trier, now) = (Trier::at(from), context.store.now());
    let counted = context.throttles().admit(trier, now)?;
    let token = session::reset_token_hash(token);
    // Before the slow hash: a stranger without a token costs next to nothing.
    let found = context
        .store
        .read(move |view| {
            let user = accounts::check_reset(view, &token, now)?;
            accounts::own_words(view, Some(user))
        })
        .await;
    let words = context
        .throttles()
        .settle(counted, found.map_err(Problem::from))?;
    let hash = context.passwords().hash(password, words).await?.password_hash;
    context
        .store
        .act(move |tx, here| accounts::reset_password(tx, here, &token, hash))
        .await?;
    Ok(())
}

/// A token to hand over.
#[derive(Debug, Serialize, ToSchema)]
struct Offered {
    /// Works once. It is told this once.
    token: String,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Makes a token with which somebody chooses a new password, to be handed over where there is no mail. Whoever makes it must have
/// every permission that the person has.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 201, description = "The token", body = Offered), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "No such account")))]
#[post("/{id}/password-reset")]
async fn hand_over(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let (token, expires_at) = token_for(&context, actor, UserId(*id)).await?;
    Ok(HttpResponse::Created().json(Offered {
        token: token.to_string(),
        expires_at,
    }))
}

/// Makes a token for somebody, and tells it this once, with when it ends.
///
/// # Errors
/// There is no such account, or the actor may not act on it.
pub async fn token_for(
    context: &Context,
    actor: Actor,
    id: UserId,
) -> Result<(Zeroizing<String>, Timestamp), Problem> {
    let token = Zeroizing::new(BASE64URL_NOPAD.encode(&clock::random_bytes()));
    let hash = session::reset_token_hash(&token);
    let offer = context
        .store
        .act(move |tx, here| accounts::reset_for(tx, &actor, here, id, &hash))
        .await?;
    Ok((token, offer.expires_at))
}
