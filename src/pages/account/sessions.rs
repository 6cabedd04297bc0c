//! Where somebody is signed in, and ending that.

use maud::{Markup, html};

use crate::acts::accounts;
use crate::domain::id::SessionId;
use crate::domain::session::Session;
use crate::pages::piece::icon::Icon;
use crate::pages::piece::list::table;
use crate::pages::piece::status::{Tone, badge};
use crate::pages::piece::text::reveal;
use crate::pages::piece::time::time;
use crate::pages::{Answer, Form, Notice, Site, Visit};

pub(super) fn routes(site: &mut Site<'_>) {
    site.post("/account/sessions", end);
}

/// The sessions that hold, each with whether it is the one that looks.
pub(super) fn shown(visit: &Visit, sessions: &[(Session, bool)]) -> Markup {
    let row = |(session, own): &(Session, bool)| {
        vec![
            html! { @if session.agent.is_empty() { span.none { "does not say" } } @else { (reveal(&session.agent)) } },
            time(session.began_at),
            time(session.last_used()),
            time(session.ends_at()),
            html! {
                @if *own { (badge(Tone::Good, Icon::Done, "this one")) }
                @else { button.small name="session" value=(session.id) { "End it" span.only-heard { ": " (reveal(&session.agent)) } } }
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
    visit.form(
        "/account/sessions",
        table("Where you are signed in", &heads, sessions.iter().map(row)),
    )
}

async fn end(form: Form) -> Answer {
    let (actor, id) = (
        form.actor.clone(),
        SessionId(form.fields.parsed("session", "the id of a session")?),
    );
    form.context
        .store
        .act(move |tx, here| accounts::revoke(tx, &actor, here, id))
        .await?;
    Ok(form.go_and_say(super::ADDRESS, &Notice::done("You are signed out there.")))
}
