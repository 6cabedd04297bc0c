//! Where somebody is signed in, and ending that.

use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::{caller, username};
use crate::api::passwords::Password;
use crate::api::sessions as rest;
use crate::domain::id::SessionId;
use crate::domain::session::Session;
use crate::pages::piece::facts::facts;
use crate::pages::piece::icon::Icon;
use crate::pages::piece::list::table;
use crate::pages::piece::status::{Tone, badge};
use crate::pages::piece::text::reveal;
use crate::pages::piece::time::time;
use crate::pages::{Answer, Field, Filled, Form, Notice, Problem, Site, Visit};

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/account/sessions/{id}", show);
    site.post("/account/sessions/{id}", end);
}

fn address(id: SessionId) -> String {
    format!("{}/sessions/{id}", super::ADDRESS)
}

/// How a session's browser or program calls itself.
fn agent(session: &Session) -> Markup {
    html! { @if session.agent.is_empty() { span.none { "does not say" } } @else { (reveal(&session.agent)) } }
}

/// The sessions that hold, each with whether it is the one that looks.
pub(super) fn shown(sessions: &[(Session, bool)]) -> Markup {
    let row = |(session, own): &(Session, bool)| {
        vec![
            agent(session),
            time(session.began_at),
            time(session.last_used()),
            time(session.ends_at()),
            html! {
                @if *own { (badge(Tone::Good, Icon::Done, "this one")) }
                @else { a.button.small href=(address(session.id)) { "End it" span.only-heard { ": " (reveal(&session.agent)) } } }
            },
        ]
    };
    let heads = [
        "Browser or program",
        "Since",
        "Last used",
        "Ends, if not used",
        "",
    ];
    table("Where you are signed in", &heads, sessions.iter().map(row))
}

async fn show(visit: Visit, id: Path<Uuid>) -> Answer {
    page(&visit, SessionId(*id), &Filled::default()).await
}

async fn page(visit: &Visit, id: SessionId, filled: &Filled) -> Answer {
    let own = super::read(visit).await?;
    let found = own.sessions.iter().find(|(session, _)| session.id == id);
    let (session, _) = found.ok_or_else(|| Problem::not_found("you have no such session, or it is over"))?;
    let username = username(visit).await?;
    let password = Field::new("password", "Password")
        .kind("password")
        .autocomplete("current-password");
    Ok(visit
        .page("End a session")
        .trail([("Your account", super::ADDRESS)])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            div.card.narrow {
                (facts([
                    ("Browser or program", agent(session)),
                    ("Since", time(session.began_at)),
                    ("Last used", time(session.last_used())),
                ]))
                (visit.form(&address(id), html! {
                    (username)
                    (filled.input(&password))
                    div.actions { button.danger { "End it" } a.button href=(super::ADDRESS) { "Cancel" } }
                }))
                p.hint { "If it is not yours, change your password too: somebody knows it." }
            }
        }))
}

async fn end(form: Form, id: Path<Uuid>) -> Answer {
    let id = SessionId(*id);
    let password = Password::new(form.fields.get("password"));
    match rest::end_own(&form.context, caller(&form), id, password).await {
        Ok(()) => Ok(form.go_and_say(super::ADDRESS, &Notice::done("You are signed out there."))),
        Err(problem) => page(&form, id, &Filled::refused(&form.fields, problem)?).await,
    }
}
