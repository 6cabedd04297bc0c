//! The caller's second factor.

use actix_web::{HttpRequest, HttpResponse, delete, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::passwords::Password;
use super::proof::Caller;
use super::throttles::Trier;
use super::{Answer, Context, Json, Problem, SignedIn, proof};
use crate::acts::{accounts, settings};
use crate::clock;
use crate::domain::id::UserId;
use crate::domain::object::Body;
use crate::domain::second_factor::{
    RECOVERY_BYTES, RECOVERY_CODES, SECRET_BYTES, SecondFactor, recovery_code, recovery_hash,
};

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(add)
        .service(confirm)
        .service(remove)
        .service(remove_for);
}

/// The caller's password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddBody {
    /// The caller's password.
    password: Password,
}

/// A secret for an authenticator.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewSecret {
    /// In base32, for typing in. It is told this once.
    pub secret: String,
    /// The same as an `otpauth:` address, for a picture.
    pub address: String,
}

/// Begins to add a second factor (TOTP, RFC 6238): answers with a secret for the authenticator. It is asked for once a first code
/// has confirmed it.
#[utoipa::path(tag = "accounts", security(("token" = [])), request_body = AddBody, responses(
    (status = 201, description = "The secret", body = NewSecret), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in, or a wrong password"),
    (status = 409, description = "There is a second factor already"), (status = 429, description = "Too many tries")))]
#[post("/me/second-factor")]
async fn add(
    request: HttpRequest,
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<AddBody>,
) -> Answer {
    let caller = Caller::of(&context, &request, actor);
    let secret = begin(&context, caller, body.password).await?;
    Ok(HttpResponse::Created().json(secret))
}

/// Makes a secret for somebody who shows their password.
///
/// # Errors
/// The password is wrong, they have a second factor, or too many tries have failed.
pub async fn begin(context: &Context, caller: Caller, password: Password) -> Result<NewSecret, Problem> {
    proof::of_password(context, &caller, Some(password)).await?;
    let mut secret = [0; SECRET_BYTES];
    let random = clock::random_bytes();
    secret.copy_from_slice(&random[..SECRET_BYTES]);
    let (factor, actor) = (SecondFactor::new(secret), caller.actor.clone());
    let by = actor.clone();
    let (node, email) = context
        .store
        .read(move |view| {
            let email = match accounts::user(view, &by, by.user)?.object.body {
                Body::User(user) => user.email.to_string(),
                _ => String::new(),
            };
            Ok((settings::current(view)?.name, email))
        })
        .await?;
    let shown = NewSecret {
        secret: factor.typed(),
        address: factor.address(&node, &email).unwrap_or_default(),
    };
    context
        .store
        .act(move |tx, _| accounts::add_second_factor(tx, &actor, factor))
        .await?;
    proof::renew(context, &caller).await;
    Ok(shown)
}

/// A first code.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ConfirmBody {
    /// What the authenticator shows now.
    code: String,
}

/// Recovery codes, each of which counts once in place of an authenticator's code.
#[derive(Debug, Serialize, ToSchema)]
struct RecoveryCodes {
    /// They are told this once: to be written down.
    recovery_codes: Vec<String>,
}

/// Confirms the second factor by a first code: from now on it is asked for. All other sessions end. Answers with recovery codes.
#[utoipa::path(tag = "accounts", security(("token" = [])), request_body = ConfirmBody, responses(
    (status = 200, description = "The recovery codes", body = RecoveryCodes),
    (status = 400, description = "A field is wrong"), (status = 401, description = "Not signed in, or a wrong code"),
    (status = 409, description = "None waits to be confirmed"), (status = 429, description = "Too many tries")))]
#[put("/me/second-factor")]
async fn confirm(
    request: HttpRequest,
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<ConfirmBody>,
) -> Answer {
    let caller = Caller::of(&context, &request, actor);
    let recovery_codes = confirm_by(&context, caller, body.code).await?;
    Ok(HttpResponse::Ok().json(RecoveryCodes { recovery_codes }))
}

/// Confirms the second factor that waits for it: the recovery codes, which nothing else ever tells.
///
/// # Errors
/// The code is wrong, none waits, or too many tries have failed.
pub async fn confirm_by(context: &Context, caller: Caller, code: String) -> Result<Vec<String>, Problem> {
    let trier = Trier::at(caller.from);
    let counted = context.throttles().admit(trier, context.store.now())?;
    let codes: Vec<String> = (0..RECOVERY_CODES)
        .map(|_| {
            let mut random = [0; RECOVERY_BYTES];
            random.copy_from_slice(&clock::random_bytes()[..RECOVERY_BYTES]);
            recovery_code(&random)
        })
        .collect();
    let hashes = codes.iter().map(|code| recovery_hash(code)).collect();
    let (actor, kept) = (caller.actor.clone(), caller.session);
    let done = context
        .store
        .act(move |tx, here| accounts::confirm_second_factor(tx, &actor, here, &code, hashes, kept.as_ref()))
        .await;
    context.throttles().settle(counted, done.map_err(Problem::from))?;
    proof::renew(context, &caller).await;
    Ok(codes)
}

/// What shows that it is the caller who removes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecondFactorRemoval)]
struct RemoveBody {
    /// The caller's password.
    password: Password,
    /// A code, or a recovery code; none where it was never confirmed.
    code: Option<String>,
}

/// Removes the caller's second factor. All other sessions end.
#[utoipa::path(tag = "accounts", security(("token" = [])), request_body = RemoveBody, responses(
    (status = 204, description = "Done"), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in, or a wrong password or code"),
    (status = 409, description = "There is none"), (status = 429, description = "Too many tries")))]
#[post("/me/second-factor/removal")]
async fn remove(
    request: HttpRequest,
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<RemoveBody>,
) -> Answer {
    let caller = Caller::of(&context, &request, actor);
    remove_own(&context, caller, body.password, body.code).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Removes the second factor of somebody who shows their password and a code.
///
/// # Errors
/// Either is wrong, there is none, or too many tries have failed.
pub async fn remove_own(
    context: &Context,
    caller: Caller,
    password: Password,
    code: Option<String>,
) -> Result<(), Problem> {
    let trier = proof::of_password(context, &caller, Some(password)).await?;
    let counted = context.throttles().admit(trier, context.store.now())?;
    let (actor, kept) = (caller.actor.clone(), caller.session);
    let done = context
        .store
        .act(move |tx, here| {
            accounts::remove_second_factor(tx, &actor, here, actor.user, code.as_deref(), kept.as_ref())
        })
        .await
        .map_err(Problem::from);
    context.throttles().settle(counted, done)?;
    proof::renew(context, &caller).await;
    Ok(())
}

/// Removes the second factor of somebody who has lost theirs, and ends their sessions. Whoever does it must have every permission that they have.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 204, description = "Done"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "No such account"),
    (status = 409, description = "There is none")))]
#[delete("/{id}/second-factor")]
async fn remove_for(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = UserId(*id);
    if id == actor.user {
        return Err(Problem::not_found(
            "your own second factor is removed with your password and a code: `poundlock second-factor remove`, or POST \
             /api/v1/users/me/second-factor/removal",
        ));
    }
    context
        .store
        .act(move |tx, here| accounts::remove_second_factor(tx, &actor, here, id, None, None))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
