//! Signing in and out, and the sessions that somebody has.

use std::net::IpAddr;

use actix_web::http::header::USER_AGENT;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::passwords::Password;
use super::proof::{self, Caller};
use super::sign_in::Bearer;
use super::throttles::Trier;
use super::users::UserView;
use super::{Answer, Context, Json, Problem, SignedIn, origin};
use crate::actors::ActError;
use crate::acts::Refusal;
use crate::acts::accounts::{self, Presented};
use crate::clock;
use crate::domain::id::{SessionId, UserId};
use crate::domain::session;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(sign_in)
        .service(list)
        .service(sign_out)
        .service(end);
}

/// Who signs in, and from where.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The account's address.
    pub email: String,
    /// Its password.
    pub password: Password,
    /// A code of the second factor.
    pub code: Option<String>,
    /// How the browser or program calls itself.
    pub agent: String,
    /// Where it is.
    pub from: IpAddr,
}

/// How the browser or program that sends a request calls itself.
pub fn agent(request: &HttpRequest) -> String {
    let agent = request.headers().get(USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    agent.unwrap_or_default().to_owned()
}

impl Attempt {
    /// Somebody who signs in by a request.
    pub fn new(
        context: &Context,
        request: &HttpRequest,
        email: String,
        password: Password,
        code: Option<String>,
    ) -> Self {
        Self {
            agent: agent(request),
            from: origin::address(context, request),
            email,
            password,
            code,
        }
    }
}

/// Signs somebody in: the fresh token, which nothing else ever tells, and the session. Tries that fail are counted by account and
/// by address, whether the account exists or not.
///
/// # Errors
/// The address or password is wrong, the second factor is missing or wrong, or too many tries have failed.
pub async fn attempt(
    context: &Context,
    attempt: Attempt,
) -> Result<(Zeroizing<String>, accounts::SignedIn), Problem> {
    let (trier, now) = (
        Trier::of_account(&attempt.email, attempt.from),
        context.store.now(),
    );
    let counted = context.throttles().admit(trier, now)?;
    match verified(context, attempt).await {
        Ok(signed_in) => {
            context.throttles().succeeded(counted, now);
            Ok(signed_in)
        }
        Err(problem) => context.throttles().settle(counted, Err(problem)),
    }
}

/// What comes of a try that is counted.
async fn verified(
    context: &Context,
    attempt: Attempt,
) -> Result<(Zeroizing<String>, accounts::SignedIn), Problem> {
    // Another sign-in of the same person may have hashed the password anew meanwhile, by today's parameters. That happens once.
    if let Some(signed_in) = verified_once(context, attempt.clone()).await? {
        return Ok(signed_in);
    }
    let from = attempt.from;
    match verified_once(context, attempt).await? {
        Some(signed_in) => Ok(signed_in),
        None => Err(refuse(context, None, from).await?),
    }
}

/// What comes of verifying a password by the hash that is stored at the moment; none if another is by the time that it is verified.
async fn verified_once(
    context: &Context,
    attempt: Attempt,
) -> Result<Option<(Zeroizing<String>, accounts::SignedIn)>, Problem> {
    let (email, from) = (attempt.email, attempt.from);
    let found = context
        .store
        .read(move |view| accounts::credentials(view, &email))
        .await?;
    let (user, credentials) = found.unzip();
    let verified = context
        .passwords()
        .verify(attempt.password, credentials.clone())
        .await?;
    let (Some(user), Some(credentials), true) = (user, credentials, verified.fits) else {
        return Err(refuse(context, user, from).await?);
    };
    let token = Zeroizing::new(BASE64URL_NOPAD.encode(&clock::random_bytes()));
    let presented = Presented {
        user,
        verified: credentials,
        code: attempt.code,
        session: SessionId(Uuid::new_v4()),
        token: session::token_hash(&token),
        agent: attempt.agent,
        from: attempt.from,
    };
    let done = context
        .store
        .act(move |tx, here| {
            let signed_in = accounts::sign_in(tx, here, &presented)?;
            if let Some((before, after)) = verified.anew {
                accounts::rehash(tx, user, &before, after)?;
            }
            Ok(signed_in)
        })
        .await;
    match done {
        Ok(signed_in) => Ok(Some((token, signed_in))),
        Err(ActError::Refusal(Refusal::Changed { .. })) => Ok(None),
        // That a code is asked for is no failure; a wrong one is.
        Err(
            error @ ActError::Refusal(Refusal::Conflict {
                word: "second_factor_needed",
                ..
            }),
        ) => Err(error.into()),
        Err(ActError::Refusal(refusal)) => {
            let _told_below = refuse(context, Some(user), from).await?;
            Err(refusal.into())
        }
        Err(error) => Err(error.into()),
    }
}

async fn refuse(context: &Context, user: Option<UserId>, from: IpAddr) -> Result<Problem, Problem> {
    context
        .store
        .act(move |tx, here| accounts::note_refused_sign_in(tx, here, user, from))
        .await?;
    Ok(accounts::refused_sign_in().into())
}

/// Who signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInBody {
    /// The account's address.
    email: String,
    /// Its password.
    password: Password,
    /// What the authenticator shows, or a recovery code, where the account has a second factor.
    code: Option<String>,
}

/// A new session.
#[derive(Debug, Serialize, ToSchema)]
struct NewSession {
    /// Send it as `Authorization: Bearer TOKEN`. It is told this once. A program that sends `Poundlock-Renews: yes` along takes
    /// another up, from the header `Poundlock-Token` of the answer, wherever it has shown the password or a first code again.
    token: String,
    /// The session's id.
    id: Uuid,
    /// When it ends at the latest. It ends after an hour in which it is not used, too.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Whose it is.
    user: UserView,
}

/// Signs in: answers with a token, which is told this once, and when it ends.
#[utoipa::path(tag = "accounts", request_body = SignInBody, responses(
    (status = 201, description = "The session", body = NewSession), (status = 400, description = "A field is wrong"),
    (status = 401, description = "No account has this address and this password, or the second factor is missing or wrong"),
    (status = 429, description = "Too many tries have failed")))]
#[post("")]
async fn sign_in(request: HttpRequest, context: web::Data<Context>, Json(body): Json<SignInBody>) -> Answer {
    let who = Attempt::new(&context, &request, body.email, body.password, body.code);
    let (token, signed_in) = attempt(&context, who).await?;
    Ok(HttpResponse::Created().json(NewSession {
        token: token.to_string(),
        id: signed_in.session.id.0,
        expires_at: signed_in.session.expires_at,
        user: UserView::of(&signed_in.person),
    }))
}

/// A session, without its token.
#[derive(Debug, Serialize, ToSchema)]
struct SessionView {
    /// Its id.
    id: Uuid,
    /// The browser or program that signed in, as it calls itself.
    agent: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    began_at: Timestamp,
    /// When it was last used, to within five minutes.
    #[schema(value_type = String, format = DateTime)]
    used_at: Timestamp,
    /// When it ends at the latest. It ends after an hour in which it is not used, too.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Whether it is the one that asks.
    current: bool,
}

/// The caller's sessions.
#[derive(Debug, Serialize, ToSchema)]
struct Sessions {
    /// All that hold, newest first: at most 50.
    items: Vec<SessionView>,
    /// Always none: there is one page.
    next: Option<String>,
}

/// The caller's sessions that hold, newest first.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 200, description = "The sessions", body = Sessions), (status = 401, description = "Not signed in")))]
#[get("")]
async fn list(context: web::Data<Context>, SignedIn(actor): SignedIn, Bearer(token): Bearer) -> Answer {
    let (own, now) = (session::token_hash(&token), context.store.now());
    let found = context
        .store
        .read(move |view| accounts::sessions(view, &actor, now))
        .await?;
    let items = found.into_iter().map(|(hash, session)| SessionView {
        used_at: session.last_used(),
        id: session.id.0,
        agent: session.agent,
        began_at: session.began_at,
        expires_at: session.expires_at,
        current: hash == own,
    });
    Ok(HttpResponse::Ok().json(Sessions {
        items: items.collect(),
        next: None,
    }))
}

/// Signs out: the token holds no more.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 204, description = "Done"), (status = 401, description = "Not signed in")))]
#[delete("/current")]
async fn sign_out(context: web::Data<Context>, SignedIn(actor): SignedIn, Bearer(token): Bearer) -> Answer {
    let hash = session::token_hash(&token);
    context
        .store
        .act(move |tx, here| accounts::sign_out(tx, here, &actor, &hash))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What shows that it is the caller who ends it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionEnd)]
struct EndBody {
    /// The caller's password.
    password: Password,
}

/// Ends one of the caller's sessions, e.g. on a machine that was lost.
#[utoipa::path(tag = "accounts", security(("token" = [])), request_body = EndBody, responses(
    (status = 204, description = "Done"), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in, or a wrong password"),
    (status = 404, description = "The caller has no such session"), (status = 429, description = "Too many tries")))]
#[post("/{id}/end")]
async fn end(
    request: HttpRequest,
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<EndBody>,
) -> Answer {
    let caller = Caller::of(&context, &request, actor);
    end_own(&context, caller, SessionId(*id), body.password).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends a session of somebody who shows their password: whoever has a stolen one must not be able to keep its owner out.
///
/// # Errors
/// The password is wrong, there is no such session, or too many tries have failed.
pub async fn end_own(
    context: &Context,
    caller: Caller,
    id: SessionId,
    password: Password,
) -> Result<(), Problem> {
    proof::of_password(context, &caller, Some(password)).await?;
    let actor = caller.actor.clone();
    context
        .store
        .act(move |tx, here| accounts::revoke(tx, &actor, here, id))
        .await?;
    proof::renew(context, &caller).await;
    Ok(())
}
