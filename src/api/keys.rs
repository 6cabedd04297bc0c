//! Verify keys: the caller's own, and those that are pinned here of the people who sign.

use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::passwords::Password;
use super::proof::{Caller, Shown};
use super::signed::{Arrival, PinnedKey};
use super::{Answer, Context, Json, Page, Problem, Query, SignedIn, page, proof};
use crate::acts::keys::{self, Known};
use crate::domain::id::UserId;
use crate::domain::key_pins::{Change, Pin};
use crate::domain::signature::{SignatureBytes, VerifyKey};

pub(super) fn of_oneself(routes: &mut ServiceConfig<'_>) {
    routes.service(register).service(show_own).service(remove);
}

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(list).service(show).service(accept);
}

/// A verify key.
#[derive(Debug, Serialize, ToSchema)]
struct KeyView {
    /// The Ed25519 public key, as 64 hexadecimal digits.
    key: String,
    /// What people compare by voice.
    fingerprint: String,
}

impl From<VerifyKey> for KeyView {
    fn from(key: VerifyKey) -> Self {
        Self {
            key: key.to_string(),
            fingerprint: key.fingerprint().to_string(),
        }
    }
}

/// A key of the caller's, with the proof that they have its secret half.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RegisterBody {
    /// The Ed25519 public key: 64 hexadecimal digits, or 43 characters of base64url.
    #[schema(value_type = String)]
    key: VerifyKey,
    /// Its signature on the claim that docs/SIGNATURES.md describes: 128 hexadecimal digits, or 86 characters of base64url.
    #[schema(value_type = String)]
    signature: SignatureBytes,
    /// The caller's password: a stolen session must not be enough.
    password: Password,
    /// A code of the caller's second factor, or a recovery code, where they have one.
    code: Option<String>,
}

/// Registers the public key that the caller signs with from now on, in place of an earlier one. The first is pinned where
/// requests are decided on; another is shown as a change.
#[utoipa::path(tag = "keys", security(("token" = [])), request_body = RegisterBody, responses(
    (status = 200, description = "The key", body = KeyView), (status = 400, description = "The key is a weak one, or none"),
    (status = 401, description = "Not signed in, or a wrong password or code"),
    (status = 422, description = "The signature does not show that the caller has the key"),
    (status = 429, description = "Too many tries")))]
#[put("/me/verify-key")]
async fn register(
    request: HttpRequest,
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<RegisterBody>,
) -> Answer {
    let caller = Caller::of(&context, &request, actor.clone());
    proof::of_caller(&context, &caller, Shown::new(body.password, body.code)).await?;
    let key = context
        .store
        .act(move |tx, here| keys::register(tx, &actor, here, body.key, &body.signature))
        .await?;
    proof::renew(&context, &caller).await;
    Ok(HttpResponse::Ok().json(KeyView::from(key)))
}

/// The caller's verify key.
#[utoipa::path(tag = "keys", security(("token" = [])), responses(
    (status = 200, description = "The key", body = KeyView), (status = 401, description = "Not signed in"),
    (status = 404, description = "None is registered")))]
#[get("/me/verify-key")]
async fn show_own(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    let user = actor.user;
    let key = context
        .store
        .read(move |view| keys::registered(view, user))
        .await?;
    match key {
        Some(key) => Ok(HttpResponse::Ok().json(KeyView::from(key))),
        None => Err(Problem::not_found(
            "you have no verify key here; register one: `poundlock key register`",
        )),
    }
}

/// What shows that it is the caller who removes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RemoveBody {
    /// The caller's password: a stolen session must not be enough.
    password: Password,
    /// A code of the caller's second factor, or a recovery code, where they have one.
    code: Option<String>,
}

/// Removes the caller's verify key. What they have signed stays signed; that the key is gone is shown as a change.
#[utoipa::path(tag = "keys", security(("token" = [])), request_body = RemoveBody, responses(
    (status = 204, description = "Removed"), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in, or a wrong password or code"), (status = 409, description = "None is registered"),
    (status = 429, description = "Too many tries")))]
#[delete("/me/verify-key")]
async fn remove(
    request: HttpRequest,
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<RemoveBody>,
) -> Answer {
    let caller = Caller::of(&context, &request, actor.clone());
    proof::of_caller(&context, &caller, Shown::new(body.password, body.code)).await?;
    context
        .store
        .act(move |tx, here| keys::remove(tx, &actor, here))
        .await?;
    proof::renew(&context, &caller).await;
    Ok(HttpResponse::NoContent().finish())
}

/// A change of somebody's key that nobody has accepted yet.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeView {
    /// The key in their record now; none if it was removed.
    fingerprint: Option<String>,
    /// The day on which this node learnt of it.
    #[schema(format = Date)]
    on: String,
    /// How it came here; none where the person changed it on this node.
    arrived: Option<Arrival>,
}

impl From<&Change> for ChangeView {
    fn from(change: &Change) -> Self {
        Self {
            fingerprint: change.key.as_ref().map(|key| key.fingerprint().to_string()),
            on: change.on().to_string(),
            arrived: change.carrier.map(Into::into),
        }
    }
}

/// What counts, or counted, as somebody's key.
#[derive(Debug, Serialize, ToSchema)]
struct PinView {
    /// The key; none where it was accepted that they have none any more.
    key: Option<PinnedKey>,
    /// Since which day.
    #[schema(format = Date)]
    since: String,
    /// Who accepted it; none for the first key.
    accepted_by: Option<String>,
}

impl From<&Pin> for PinView {
    fn from(pin: &Pin) -> Self {
        Self {
            key: PinnedKey::of(pin),
            since: pin.on().to_string(),
            accepted_by: pin.accepted_by.as_ref().map(|by| by.name.clone()),
        }
    }
}

/// What this node knows of somebody's keys.
#[derive(Debug, Serialize, ToSchema)]
struct PinsView {
    /// The person.
    user: Uuid,
    /// How they are called now; none if their record is gone.
    name: Option<String>,
    /// Their address now.
    email: Option<String>,
    /// What counted and counts, oldest first: the last one counts.
    pins: Vec<PinView>,
    /// What their record says instead, until somebody accepts it.
    change: Option<ChangeView>,
}

impl From<&Known> for PinsView {
    fn from(known: &Known) -> Self {
        let record = known.record.as_ref();
        Self {
            user: known.user.0,
            name: record.map(|user| user.name.clone()),
            email: record.map(|user| user.email.to_string()),
            pins: known.pins.pins.iter().map(Into::into).collect(),
            change: known.pins.change.as_ref().map(Into::into),
        }
    }
}

/// People whose keys are pinned.
#[derive(Debug, Serialize, ToSchema)]
struct PinsList {
    /// The people.
    items: Vec<PinsView>,
    /// Where the next page begins; none on the last one.
    next: Option<String>,
}

/// Which keys are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those that have changed, until somebody accepts it.
    #[serde(default)]
    changed: bool,
    /// Items on the page, from 1 to 200; 50 by default.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// The people whose keys are pinned here, in the order of their ids. Needs the permission can_triage_requests.
#[utoipa::path(tag = "keys", security(("token" = [])), params(Which), responses(
    (status = 200, description = "A page; it may be short and still name a next one", body = PinsList),
    (status = 400, description = "A parameter is wrong"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed")))]
#[get("")]
async fn list(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(which): Query<Which>) -> Answer {
    let page = Page::new(which.limit, which.cursor);
    let (limit, after) = (page.limit()?, page.after()?);
    let (found, next) = context
        .store
        .read_page(move |view| keys::list(view, &actor, which.changed, after, limit))
        .await?;
    Ok(HttpResponse::Ok().json(PinsList {
        items: found.iter().map(Into::into).collect(),
        next: next.as_ref().and_then(page::cursor),
    }))
}

/// What this node knows of somebody's keys. Needs the permission can_triage_requests.
#[utoipa::path(tag = "keys", security(("token" = [])), responses(
    (status = 200, description = "Their keys", body = PinsView), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "They never had one here")))]
#[get("/{user}")]
async fn show(context: web::Data<Context>, SignedIn(actor): SignedIn, user: web::Path<Uuid>) -> Answer {
    let user = UserId(user.into_inner());
    let known = context
        .store
        .read(move |view| keys::known(view, &actor, user))
        .await?;
    Ok(HttpResponse::Ok().json(PinsView::from(&known)))
}

/// What somebody has asked the person, and was told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AcceptBody {
    /// The fingerprint that the person read out; null where they have no key any more.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    fingerprint: Option<String>,
}

/// Accepts that somebody's key has changed: the caller has asked them by voice. What they sign with it counts from now on.
/// Needs the permission can_triage_requests; nobody accepts their own.
#[utoipa::path(tag = "keys", security(("token" = [])), request_body = AcceptBody, responses(
    (status = 200, description = "Their keys", body = PinsView), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in"), (status = 403, description = "Not allowed"),
    (status = 404, description = "They never had one here"),
    (status = 409, description = "There is no change, it is another one, or it is the caller's own key")))]
#[post("/{user}/acceptance")]
async fn accept(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    user: web::Path<Uuid>,
    Json(body): Json<AcceptBody>,
) -> Answer {
    let user = UserId(user.into_inner());
    let known = context
        .store
        .act(move |tx, here| keys::accept(tx, &actor, here, user, body.fingerprint.as_deref()))
        .await?;
    Ok(HttpResponse::Ok().json(PinsView::from(&known)))
}
