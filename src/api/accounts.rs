//! Set-up, sessions, people and settings.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::passwords::Password;
use super::sign_in::Bearer;
use super::{Answer, Context, Json, MaybeSignedIn, Page, Query, SignedIn, page, view};
use crate::acts::accounts::{self, NewUser, SetUp, SettingsChange};
use crate::clock;
use crate::domain::access::Role;
use crate::domain::id::UserId;
use crate::domain::session;
use crate::domain::user::Profile;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(health)
        .service(setup_status)
        .service(set_up)
        .service(sign_in)
        .service(sign_out)
        .service(create_user)
        .service(list_users)
        .service(me)
        .service(get_user)
        .service(get_settings)
        .service(change_settings);
}

/// Whether the node answers. Needs no login.
#[utoipa::path(tag = "node", responses((status = 200, description = "It does")))]
#[get("/health")]
async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// The node's name and side, and whether it is set up. Needs no login.
#[utoipa::path(tag = "accounts", responses((status = 200, description = "name, side, set_up")))]
#[get("/setup/status")]
async fn setup_status(context: web::Data<Context>) -> Answer {
    let done = context.is_set_up().await?;
    let settings = context.store.read(accounts::settings).await?;
    Ok(HttpResponse::Ok().json(json!({"name": settings.name, "side": context.side, "set_up": done})))
}

/// Somebody with a new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Person {
    /// How they are called.
    name: String,
    /// Where mail reaches them; they sign in with it.
    email: String,
    /// At least 12 characters.
    password: Password,
    /// Where they work.
    #[serde(default)]
    institution: String,
    /// Their web page.
    #[serde(default)]
    website: String,
}

impl Person {
    fn split(self) -> (Profile, Password) {
        let profile = Profile {
            name: self.name,
            email: self.email,
            institution: self.institution,
            website: self.website,
        };
        (profile, self.password)
    }
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
    owner: Person,
    /// Whether scientists may register themselves.
    #[serde(default)]
    allow_registration: bool,
}

/// Sets the node up with the one-time token that `poundlock init` printed. Works once.
#[utoipa::path(tag = "accounts", request_body = SetUpBody, responses(
    (status = 201, description = "The owner's account"), (status = 401, description = "Wrong token"),
    (status = 409, description = "Set up already")))]
#[post("/setup")]
async fn set_up(context: web::Data<Context>, Json(body): Json<SetUpBody>) -> Answer {
    let token = session::setup_token_hash(&body.token);
    // Before the slow hash: a stranger without the token costs next to nothing.
    context
        .store
        .read(move |view| accounts::check_setup_token(view, &token))
        .await?;
    let (owner, password) = body.owner.split();
    let credentials = context.passwords().hash(password).await?;
    let id = UserId(context.new_id());
    let (name, allow_registration) = (body.name, body.allow_registration);
    let wanted = SetUp {
        id,
        token,
        name,
        owner,
        credentials,
        allow_registration,
    };
    let owner = context
        .store
        .act(move |tx, here| accounts::set_up(tx, here, &wanted))
        .await?;
    Ok(HttpResponse::Created().json(view::object(&owner)))
}

/// Who signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInBody {
    /// The account's address.
    email: String,
    /// Its password.
    password: Password,
}

/// Signs in: answers with a token, which is told this once, and when it ends.
#[utoipa::path(tag = "accounts", request_body = SignInBody, responses(
    (status = 201, description = "token, expires_at, user"),
    (status = 401, description = "No account has this address and this password")))]
#[post("/sessions")]
async fn sign_in(context: web::Data<Context>, Json(body): Json<SignInBody>) -> Answer {
    let email = body.email;
    let found = context
        .store
        .read(move |view| accounts::credentials(view, &email))
        .await?;
    let (user, credentials) = found.unzip();
    let right = context.passwords().verify(body.password, credentials).await?;
    let Some(user) = user.filter(|_| right) else {
        context
            .store
            .act(move |tx, here| accounts::note_refused_sign_in(tx, here, user))
            .await?;
        return Err(accounts::refused_sign_in().into());
    };
    let token = Zeroizing::new(BASE64URL_NOPAD.encode(&clock::random_bytes()));
    let hash = session::token_hash(&token);
    let (session, user) = context
        .store
        .act(move |tx, here| accounts::sign_in(tx, here, user, &hash))
        .await?;
    Ok(HttpResponse::Created().json(json!({
        "token": *token, "expires_at": session.expires_at, "user": view::object(&user),
    })))
}

/// Signs out: the token holds no more.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses((status = 204, description = "Done")))]
#[delete("/sessions/current")]
async fn sign_out(context: web::Data<Context>, SignedIn(actor): SignedIn, Bearer(token): Bearer) -> Answer {
    let hash = session::token_hash(&token);
    context
        .store
        .act(move |tx, here| accounts::sign_out(tx, here, &actor, &hash))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RoleWord {
    /// Everything.
    Owner,
    /// Everything but the node's keys.
    Administrator,
    /// Decides, runs and releases.
    ComplianceOfficer,
    /// A data scientist.
    User,
}

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Self {
        match word {
            RoleWord::Owner => Self::Owner,
            RoleWord::Administrator => Self::Administrator,
            RoleWord::ComplianceOfficer => Self::ComplianceOfficer,
            RoleWord::User => Self::User,
        }
    }
}

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserBody {
    /// How they are called.
    name: String,
    /// Where mail reaches them; they sign in with it.
    email: String,
    /// At least 12 characters.
    password: Password,
    /// Where they work.
    #[serde(default)]
    institution: String,
    /// Their web page.
    #[serde(default)]
    website: String,
    /// What they may do; `user` if left out. Nobody gives a role with permissions that they lack.
    role: Option<RoleWord>,
}

/// Makes an account: by somebody with the permission, or by anybody for themselves where registration is open.
#[utoipa::path(tag = "accounts", security((), ("token" = [])), request_body = UserBody, responses(
    (status = 201, description = "The account"), (status = 403, description = "Not allowed"),
    (status = 409, description = "The address has an account")))]
#[post("/users")]
async fn create_user(
    context: web::Data<Context>,
    MaybeSignedIn(actor): MaybeSignedIn,
    Json(body): Json<UserBody>,
) -> Answer {
    let (who, role) = (actor.clone(), body.role.map(Role::from));
    context
        .store
        .read(move |view| accounts::may_create_user(view, who.as_ref(), role))
        .await?;
    let credentials = context.passwords().hash(body.password).await?;
    let (name, email, institution, website) = (body.name, body.email, body.institution, body.website);
    let profile = Profile {
        name,
        email,
        institution,
        website,
    };
    let wanted = NewUser {
        id: UserId(context.new_id()),
        profile,
        credentials,
        role,
    };
    let user = context
        .store
        .act(move |tx, here| accounts::create_user(tx, here, actor.as_ref(), &wanted))
        .await?;
    Ok(HttpResponse::Created().json(view::object(&user)))
}

/// The people that the caller may see, newest first.
#[utoipa::path(tag = "accounts", security(("token" = [])), params(Page),
    responses((status = 200, description = "items, next")))]
#[get("/users")]
async fn list_users(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Query(page): Query<Page>,
) -> Answer {
    let (limit, before) = (page.limit()?, page.after()?);
    let listed = context
        .store
        .read(move |view| accounts::users(view, &actor, before, limit))
        .await?;
    Ok(page::answer(&listed))
}

/// The caller.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses((status = 200, description = "The account")))]
#[get("/users/me")]
async fn me(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    let user = context
        .store
        .read(move |view| accounts::user(view, &actor, actor.user))
        .await?;
    Ok(HttpResponse::Ok().json(view::object(&user)))
}

/// One person.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 200, description = "The account"), (status = 404, description = "None that the caller may see")))]
#[get("/users/{id}")]
async fn get_user(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = UserId(id.into_inner());
    let user = context
        .store
        .read(move |view| accounts::user(view, &actor, id))
        .await?;
    Ok(HttpResponse::Ok().json(view::object(&user)))
}

/// The owner's settings.
#[utoipa::path(tag = "settings", security(("token" = [])), responses(
    (status = 200, description = "name, allow_registration, allow_mock_runs")))]
#[get("/settings")]
async fn get_settings(context: web::Data<Context>, _actor: SignedIn) -> Answer {
    let settings = context.store.read(accounts::settings).await?;
    Ok(HttpResponse::Ok().json(settings))
}

/// What shall change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SettingsBody {
    /// How the node is called.
    name: Option<String>,
    /// Whether scientists may register themselves.
    allow_registration: Option<bool>,
    /// Whether scientists may run code on mock data here.
    allow_mock_runs: Option<bool>,
}

/// Changes the owner's settings.
#[utoipa::path(tag = "settings", security(("token" = [])), request_body = SettingsBody, responses(
    (status = 200, description = "The settings as they are now"), (status = 403, description = "Not allowed")))]
#[patch("/settings")]
async fn change_settings(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<SettingsBody>,
) -> Answer {
    let change = SettingsChange {
        name: body.name,
        allow_registration: body.allow_registration,
        allow_mock_runs: body.allow_mock_runs,
    };
    let settings = context
        .store
        .act(move |tx, here| accounts::change_settings(tx, here, &actor, &change))
        .await?;
    Ok(HttpResponse::Ok().json(settings))
}
