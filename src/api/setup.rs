//! Health and set-up: all that a node answers to before it has an owner.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use zeroize::Zeroizing;

use super::passwords::Password;
use super::throttles::Trier;
use super::users::UserView;
use super::{Answer, Context, Json, Problem, origin};
use crate::acts::accounts::{self, SetUp};
use crate::acts::settings;
use crate::domain::id::UserId;
use crate::domain::session;
use crate::domain::settings::{Key, Value};
use crate::domain::side::Side;
use crate::domain::user::Profile;

pub(super) fn of_health(routes: &mut ServiceConfig<'_>) {
    routes.service(health);
}

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(status).service(set_up);
}

/// Whether the node answers.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// Whether the node answers. Needs no login.
#[utoipa::path(tag = "node", responses((status = 200, description = "It does", body = Health)))]
#[get("/health")]
async fn health() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// What everybody may know of a node.
#[derive(Debug, Serialize, ToSchema)]
struct SetUpStatus {
    /// How it is called.
    name: String,
    /// Its side.
    #[schema(value_type = String)]
    side: Side,
    /// Whether it has an owner.
    set_up: bool,
}

/// The node's name and side, and whether it is set up. Needs no login.
#[utoipa::path(tag = "accounts", responses((status = 200, description = "What everybody may know", body = SetUpStatus)))]
#[get("/status")]
async fn status(context: web::Data<Context>) -> Answer {
    let done = context.is_set_up().await?;
    let settings = context.store.read(settings::current).await?;
    Ok(HttpResponse::Ok().json(SetUpStatus {
        name: settings.name,
        side: context.side,
        set_up: done,
    }))
}

/// Somebody with a new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Owner {
    /// How they are called.
    name: String,
    /// Where mail reaches them; they sign in with it.
    email: String,
    /// At least 15 characters, and not easily guessed.
    password: Password,
    /// Where they work.
    #[serde(default)]
    institution: String,
    /// Their web page.
    #[serde(default)]
    website: String,
}

/// What the first owner decides.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetUpBody {
    /// The one-time token that `poundlock init` printed.
    #[schema(value_type = String)]
    token: Zeroizing<String>,
    /// How the node shall be called.
    name: String,
    /// The owner.
    owner: Owner,
    /// Who runs the node.
    #[serde(default)]
    organization: String,
    /// What the node is for.
    #[serde(default)]
    description: String,
    /// Whether scientists may register themselves.
    #[serde(default)]
    allow_registration: bool,
    /// Whether guests may browse what is visible to everybody.
    #[serde(default)]
    allow_guests: bool,
}

/// Sets the node up with the one-time token that `poundlock init` printed. Works once.
#[utoipa::path(tag = "accounts", request_body = SetUpBody, responses(
    (status = 201, description = "The owner's account", body = UserView), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Wrong token"), (status = 409, description = "Set up already"),
    (status = 429, description = "Too many tries")))]
#[post("")]
async fn set_up(request: HttpRequest, context: web::Data<Context>, Json(body): Json<SetUpBody>) -> Answer {
    let token = session::setup_token_hash(&body.token);
    let (trier, now) = (
        Trier::at(origin::address(&context, &request)),
        context.store.now(),
    );
    let counted = context.throttles().admit(trier, now)?;
    // Before the slow hash: a stranger without the token costs next to nothing.
    let right = context
        .store
        .read(move |view| accounts::check_setup_token(view, &token))
        .await;
    context
        .throttles()
        .settle(counted, right.map_err(Problem::from))?;
    let owner = body.owner;
    let words = vec![body.name.clone(), owner.name.clone(), owner.email.clone()];
    let credentials = context.passwords().hash(owner.password, words).await;
    let credentials = credentials.map_err(|problem| problem.renamed("password", "owner.password"))?;
    let wanted = SetUp {
        id: UserId(context.new_id()),
        token,
        owner: Profile {
            name: owner.name,
            email: owner.email,
            institution: owner.institution,
            website: owner.website,
        },
        credentials,
        settings: vec![
            (Key::Name, Value::Text(body.name)),
            (Key::Organization, Value::Text(body.organization)),
            (Key::Description, Value::Text(body.description)),
            (Key::AllowRegistration, Value::Switch(body.allow_registration)),
            (Key::AllowGuests, Value::Switch(body.allow_guests)),
        ],
    };
    let id = wanted.id;
    context
        .store
        .act(move |tx, here| accounts::set_up(tx, here, &wanted))
        .await?;
    let owner = context.store.read(move |view| accounts::person(view, id)).await?;
    let owner = owner.ok_or_else(|| Problem::not_found("the owner's account was deleted again"))?;
    Ok(HttpResponse::Created().json(UserView::of(&owner)))
}
