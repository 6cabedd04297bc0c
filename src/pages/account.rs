//! Somebody's own account: what they say of themselves, how they prove who they are, and where they are signed in.

pub(super) mod password;
pub(super) mod second_factor;
mod sessions;

use maud::{Markup, html};

use super::piece::facts::facts;
use super::piece::icon::Icon;
use super::piece::status::{Tone, badge};
use super::piece::text::reveal;
use super::users::profile;
use super::{Answer, Field, Fields, Filled, Form, Notice, Problem, Site, Visit};
use crate::acts::accounts::{self, AccountView, ProfileChange};
use crate::acts::{Refusal, keys};
use crate::api::passwords::Password;
use crate::api::proof::{Caller, Shown};
use crate::api::users as rest;
use crate::domain::notification::letter::INBOX_PATH;
use crate::domain::object::Body;
use crate::domain::session::Session;
use crate::domain::signature::VerifyKey;
use crate::domain::user::User;

/// Where it is.
const ADDRESS: &str = "/account";

pub(super) fn routes(site: &mut Site<'_>) {
    site.get(ADDRESS, show);
    site.post(ADDRESS, change);
    password::routes(site);
    second_factor::routes(site);
    sessions::routes(site);
}

/// Whoever sends a form, with where they are.
fn caller(visit: &Visit) -> Caller {
    Caller {
        actor: visit.actor.clone(),
        from: visit.from,
        session: Some(visit.session_hash()),
        renewal: visit.renewal.clone(),
    }
}

/// The address of whoever looks, unseen in a form that asks for a password: password managers look for it.
async fn username(visit: &Visit) -> Result<Markup, Problem> {
    let actor = visit.actor.clone();
    let person = visit
        .read(move |view| accounts::user(view, &actor, actor.user))
        .await?;
    let email = match &person.object.body {
        Body::User(user) => user.email.as_str(),
        _ => "",
    };
    Ok(html! { input type="text" name="username" value=(email) autocomplete="username" hidden; })
}

/// What is known of whoever looks.
struct Own {
    user: User,
    account: AccountView,
    key: Option<VerifyKey>,
    /// Their sessions, each with whether it is the one that looks.
    sessions: Vec<(Session, bool)>,
}

async fn read(visit: &Visit) -> Result<Own, Problem> {
    let (actor, own, now) = (
        visit.actor.clone(),
        visit.session_hash(),
        visit.context.store.now(),
    );
    visit
        .read(move |view| {
            let person = accounts::user(view, &actor, actor.user)?;
            let (Body::User(user), Some(account)) = (person.object.body, person.account) else {
                return Err(Refusal::no(crate::domain::object::Kind::User, actor.user));
            };
            let sessions = accounts::sessions(view, &actor, now)?;
            Ok(Own {
                user,
                account,
                key: keys::registered(view, actor.user)?,
                sessions: sessions
                    .into_iter()
                    .map(|(hash, session)| (session, hash == own))
                    .collect(),
            })
        })
        .await
}

async fn show(visit: Visit) -> Answer {
    page(&visit, None).await
}

async fn page(visit: &Visit, refused: Option<Filled>) -> Answer {
    let own = read(visit).await?;
    let user = &own.user;
    let filled = refused.unwrap_or_else(|| {
        Filled::with([
            ("name", user.name.as_str()),
            ("email", user.email.as_str()),
            ("institution", user.institution.as_str()),
            ("website", user.website.as_str()),
        ])
    });
    let password = Field::new("password", "Password")
        .kind("password")
        .autocomplete("current-password")
        .hint("Only if you change the e-mail address.")
        .optional();
    let code = Field::new("code", "Code")
        .autocomplete("one-time-code")
        .hint("Only if you change the e-mail address: what the authenticator shows, or a recovery code.")
        .optional();
    Ok(visit
        .page("Your account")
        .status(filled.status())
        .body(html! {
            (filled.summary())
            div.columns {
                section.card {
                    h2 { "Who you are" }
                    (visit.form(ADDRESS, html! {
                        (filled.input(&Field::new("name", "Name").autocomplete("name")))
                        (filled.input(&Field::new("email", "E-mail address").kind("email").autocomplete("username").hint("You sign in with it.")))
                        (filled.input(&Field::new("institution", "Institution").autocomplete("organization").optional()))
                        (filled.input(&Field::new("website", "Website").kind("url").optional()))
                        (filled.input(&password))
                        @if own.account.second_factor { (filled.input(&code)) }
                        div.actions { button.primary { "Save" } }
                    }))
                }
                div.side-column {
                    (proving(&own.account))
                    (known_here(&own))
                }
            }
            h2 { "Where you are signed in" }
            (sessions::shown(&own.sessions))
        }))
}

/// How the account is kept to its owner.
fn proving(account: &AccountView) -> Markup {
    html! {
        section.card {
            h2 { "Signing in" }
            (facts([
                ("Password", html! { a href=(password::ADDRESS) { "Change the password" } }),
                ("Second factor", html! {
                    @if account.second_factor { (badge(Tone::Good, Icon::Done, "on")) " " a href=(second_factor::ADDRESS) { "Remove it" } }
                    @else { (badge(Tone::Plain, Icon::No, "off")) " " a href=(second_factor::ADDRESS) { "Add one" } }
                }),
            ]))
        }
    }
}

fn known_here(own: &Own) -> Markup {
    html! {
        section.card {
            h2 { "On this node" }
            (facts([
                ("Role", reveal(&own.account.role.1.name)),
                ("Groups", html! { @for (at, (_, name)) in own.account.groups.iter().enumerate() { @if at > 0 { ", " } (reveal(name)) } }),
                ("Notifications", html! { a href=(format!("{INBOX_PATH}/settings")) { "What you are told of, and how" } }),
                ("Key that you sign with", html! {
                    @match &own.key {
                        Some(key) => code { (key.fingerprint()) },
                        None => { "none; make one with " code { "poundlock key new" } " on your own machine, where it stays" },
                    }
                }),
            ]))
        }
    }
}

async fn change(form: Form) -> Answer {
    match changed(&form).await {
        Ok(()) => Ok(form.go_and_say(ADDRESS, &Notice::done("Your account is changed."))),
        Err(problem) => page(&form, Some(Filled::refused(&form.fields, problem)?)).await,
    }
}

async fn changed(form: &Form) -> Result<(), Problem> {
    let profile = profile(&form.fields);
    let own = read(form).await?;
    let change = ProfileChange {
        name: Some(profile.name),
        email: Some(profile.email).filter(|email| email != own.user.email.as_str()),
        institution: Some(profile.institution),
        website: Some(profile.website),
    };
    rest::change_own(&form.context, caller(form), change, shown(&form.fields)).await?;
    Ok(())
}

/// What a form shows to prove once more whose it is.
fn shown(fields: &Fields) -> Shown {
    Shown {
        password: fields.given("password").map(Password::new),
        code: fields.given("code").map(str::to_owned),
    }
}
