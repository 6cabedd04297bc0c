//! The second factor: a secret for an authenticator, confirmed by a first code, with codes to recover by.

use actix_web::HttpResponse;
use maud::html;

use super::{caller, username};
use crate::acts::accounts;
use crate::api::passwords::Password;
use crate::api::second_factor::{self as rest, NewSecret};
use crate::pages::piece::qr::qr;
use crate::pages::{Answer, Field, Filled, Form, Notice, Problem, Site, Visit};

/// Where it is.
pub const ADDRESS: &str = "/account/second-factor";

pub(super) fn routes(site: &mut Site<'_>) {
    site.get(ADDRESS, show);
    site.post(ADDRESS, begin);
    site.post("/account/second-factor/confirmation", confirm);
    site.post("/account/second-factor/removal", remove);
}

fn password() -> Field<'static> {
    Field::new("password", "Password")
        .kind("password")
        .autocomplete("current-password")
}

fn code(hint: &str) -> Field<'_> {
    Field::new("code", "Code")
        .autocomplete("one-time-code")
        .hint(hint)
}

/// The field for a code, where whoever looks has a second factor and is about to change what they sign in with.
pub(super) async fn asked_for(visit: &Visit, filled: &Filled) -> Result<maud::Markup, Problem> {
    let user = visit.actor.user;
    let on = visit
        .read(move |view| accounts::has_second_factor(view, user))
        .await?;
    Ok(html! { @if on { (filled.input(&code("What the authenticator shows, or a recovery code."))) } })
}

async fn show(visit: Visit) -> Answer {
    page(&visit, &Filled::default()).await
}

async fn page(visit: &Visit, filled: &Filled) -> Answer {
    let actor = visit.actor.clone();
    let person = visit
        .read(move |view| accounts::user(view, &actor, actor.user))
        .await?;
    let username = username(visit).await?;
    let on = person.account.is_some_and(|account| account.second_factor);
    let title = if on {
        "Remove the second factor"
    } else {
        "Add a second factor"
    };
    Ok(visit
        .page(title)
        .trail([("Your account", super::ADDRESS)])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            @if visit.owes_second_factor {
                div.notice.warning role="status" { p { "This node demands a second factor of everybody. Add yours, and everything else is open to you." } }
            }
            div.card.narrow {
                @if on {
                    p { "Afterwards your password alone is enough to sign in." }
                    (visit.form("/account/second-factor/removal", html! {
                        (username)
                        (filled.input(&password()))
                        (filled.input(&code("What the authenticator shows, or a recovery code.")))
                        div.actions { button.danger { "Remove it" } a.button href=(super::ADDRESS) { "Cancel" } }
                    }))
                } @else {
                    p { "Whoever signs in then needs your password and a code that an authenticator on your telephone or computer shows. The authenticator needs no network." }
                    (visit.form(ADDRESS, html! {
                        (username)
                        (filled.input(&password()))
                        div.actions { button.primary { "Show the secret" } a.button href=(super::ADDRESS) { "Cancel" } }
                    }))
                }
            }
        }))
}

async fn begin(form: Form) -> Answer {
    let password = Password::new(form.fields.get("password"));
    match rest::begin(&form.context, caller(&form), password).await {
        Ok(secret) => Ok(told(&form, &secret)),
        Err(problem) => page(&form, &Filled::refused(&form.fields, problem)?).await,
    }
}

/// The secret, which is told this once.
fn told(visit: &Visit, secret: &NewSecret) -> HttpResponse {
    let spaced: Vec<_> = secret.secret.as_bytes().chunks(4).collect();
    let spaced: Vec<_> = spaced.into_iter().map(String::from_utf8_lossy).collect();
    visit
        .page("Add a second factor")
        .trail([("Your account", super::ADDRESS)])
        .body(html! {
            div.card.narrow {
                p { "Take the secret into your authenticator: by the picture, or by typing it in. It is shown this once." }
                @if let Some(picture) = qr("The secret, for an authenticator to read", &secret.address) { (picture) }
                p { code { (spaced.join(" ")) } }
                (confirmation(visit, &Filled::default()))
            }
        })
}

fn confirmation(visit: &Visit, filled: &Filled) -> maud::Markup {
    visit.form(
        "/account/second-factor/confirmation",
        html! {
            (filled.input(&code("What the authenticator shows now.")))
            div.actions { button.primary { "Turn it on" } a.button href=(super::ADDRESS) { "Cancel" } }
        },
    )
}

async fn confirm(form: Form) -> Answer {
    let code = form.fields.get("code").trim().to_owned();
    match rest::confirm_by(&form.context, caller(&form), code).await {
        Ok(recovery) => Ok(turned_on(&form, &recovery)),
        Err(problem) => Ok(once_more(&form, &Filled::refused(&form.fields, problem)?)),
    }
}

fn once_more(visit: &Visit, filled: &Filled) -> HttpResponse {
    visit
        .page("Add a second factor")
        .trail([("Your account", super::ADDRESS)])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            div.card.narrow {
                (confirmation(visit, filled))
                p.hint { "The secret is not shown again. If the authenticator does not have it, " a href=(ADDRESS) { "begin anew" } "." }
            }
        })
}

/// The recovery codes, which are told this once.
fn turned_on(visit: &Visit, recovery: &[String]) -> HttpResponse {
    visit
        .page("The second factor is on")
        .trail([("Your account", super::ADDRESS)])
        .body(html! {
            div.card.narrow {
                p { "Write these recovery codes down, or print them, and keep them where you keep keys. Each counts once, in place of a code, if the authenticator is lost. They are shown this once." }
                ul.plain { @for code in recovery { li { code { (code) } } } }
                div.actions { a.button.primary href=(super::ADDRESS) { "I have written them down" } }
            }
        })
}

async fn remove(form: Form) -> Answer {
    match removed(&form).await {
        Ok(()) => Ok(form.go_and_say(super::ADDRESS, &Notice::done("The second factor is removed."))),
        Err(problem) => page(&form, &Filled::refused(&form.fields, problem)?).await,
    }
}

async fn removed(form: &Form) -> Result<(), Problem> {
    let code = form.fields.given("code").map(str::to_owned);
    let password = Password::new(form.fields.get("password"));
    rest::remove_own(&form.context, caller(form), password, code).await
}
