//! What somebody who is signed in shows once more before they do what a stolen token must not be enough for.

use std::net::IpAddr;

use actix_web::HttpRequest;
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::passwords::Password;
use super::renewal::Renewal;
use super::throttles::Trier;
use super::{Context, Problem, origin, sign_in};
use crate::acts::Refusal;
use crate::acts::accounts;
use crate::clock;
use crate::domain::access::Actor;
use crate::domain::hash::Hash;
use crate::domain::id::UserId;
use crate::domain::object::Body;
use crate::domain::session;

/// Somebody who is signed in, and where they are: their tries are counted.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub actor: Actor,
    /// Where.
    pub from: IpAddr,
    /// The hash of their session's token. It goes on where all others end.
    pub session: Option<Hash>,
    /// Where the token goes that it gets once they have shown who they are.
    pub renewal: Renewal,
}

impl Caller {
    /// Whoever has sent a request.
    pub(super) fn of(context: &Context, request: &HttpRequest, actor: Actor) -> Self {
        Self {
            actor,
            from: origin::address(context, request),
            session: sign_in::bearer(request.headers()).map(|token| session::token_hash(&token)),
            renewal: Renewal::of(request),
        }
    }
}

/// What somebody shows to prove once more who they are.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Their password.
    pub password: Option<Password>,
    /// A code of their second factor, or a recovery code, where they have one. It counts once.
    pub code: Option<String>,
}

impl Shown {
    /// A password with the code beside it.
    pub fn new(password: Password, code: Option<String>) -> Self {
        Self {
            password: Some(password),
            code,
        }
    }
}

/// All that the caller signs in with: their password, and a code where they have a second factor. Wrong ones count like failed
/// sign-ins.
///
/// # Errors
/// Either is missing or wrong, or too many tries have failed.
pub(super) async fn of_caller(context: &Context, caller: &Caller, shown: Shown) -> Result<(), Problem> {
    let trier = of_password(context, caller, shown.password).await?;
    of_code(context, caller, trier, shown.code).await
}

/// A code of the caller's second factor, where they have one. It counts once, so it is shown last, when all else is right. Wrong
/// ones count like failed sign-ins.
///
/// # Errors
/// It is missing or wrong, or too many tries have failed.
pub(super) async fn of_code(
    context: &Context,
    caller: &Caller,
    trier: Trier,
    code: Option<String>,
) -> Result<(), Problem> {
    let user = caller.actor.user;
    let counted = context.throttles().admit(trier, context.store.now())?;
    let proved = context
        .store
        .act(move |tx, here| accounts::prove_second_factor(tx, here, user, code.as_deref()))
        .await;
    context.throttles().settle(counted, proved.map_err(Problem::from))
}

/// The caller's password: what further tries of theirs count against. Wrong ones count like failed sign-ins.
///
/// # Errors
/// It is missing or wrong, or too many tries have failed.
pub(super) async fn of_password(
    context: &Context,
    caller: &Caller,
    password: Option<Password>,
) -> Result<Trier, Problem> {
    let (user, by) = (caller.actor.user, caller.actor.clone());
    let email = context
        .store
        .read(move |view| match accounts::user(view, &by, user)?.object.body {
            Body::User(known) => Ok(known.email.to_string()),
            _ => Ok(String::new()),
        })
        .await?;
    let trier = Trier::of_account(&email, caller.from);
    let counted = context.throttles().admit(trier, context.store.now())?;
    let done = password_fits(context, user, email, password).await;
    context.throttles().settle(counted, done).map(|()| trier)
}

async fn password_fits(
    context: &Context,
    user: UserId,
    email: String,
    password: Option<Password>,
) -> Result<(), Problem> {
    let held = context
        .store
        .read(move |view| accounts::credentials(view, &email))
        .await?;
    let credentials = held.filter(|(found, _)| *found == user).map(|(_, held)| held);
    let fits = match password {
        Some(password) => context.passwords().verify(password, credentials).await?.fits,
        None => false,
    };
    if fits {
        return Ok(());
    }
    let refusal = Refusal::conflict(
        "password_refused",
        "this needs your present password, which is missing or wrong: it is done by nobody but you",
    );
    Err(refusal.into())
}

/// Gives the caller's session another token: last, when all that they have shown who they are for is done. Where that fails the
/// session keeps its token, since what was done is done.
pub(super) async fn renew(context: &Context, caller: &Caller) {
    let Some(before) = caller.session.filter(|_| caller.renewal.is_wanted()) else {
        return;
    };
    let token = Zeroizing::new(BASE64URL_NOPAD.encode(&clock::random_bytes()));
    let (user, after) = (caller.actor.user, session::token_hash(&token));
    let renewed = context
        .store
        .act(move |tx, _| accounts::renew(tx, user, &before, &after))
        .await;
    match renewed {
        Ok(true) => caller.renewal.put(token),
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "a session keeps its token"),
    }
}
