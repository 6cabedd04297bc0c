//! Letting somebody in again who has lost their password or their authenticator.

use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::address;
use crate::acts::accounts::{self, AccountView};
use crate::api::password_changes;
use crate::domain::id::UserId;
use crate::pages::forgotten;
use crate::pages::piece::list::button;
use crate::pages::piece::text::reveal;
use crate::pages::piece::time::time;
use crate::pages::{Answer, Confirm, Form, Notice, Site, Visit};

pub(super) fn routes(site: &mut Site<'_>) {
    site.post("/users/{id}/password-reset", hand_over);
    site.get("/users/{id}/second-factor-removal", confirm_removal);
    site.post("/users/{id}/second-factor-removal", remove);
}

/// What can be done, with why not where it cannot. Nothing of it is for oneself.
pub(super) fn shown(visit: &Visit, id: UserId, account: &AccountView, may: &Result<(), String>) -> Markup {
    if id == visit.actor.user {
        return html! {
            section.card {
                h2 { "How you sign in" }
                p { "You change your own password and second factor in " a href="/account" { "your account" } ", by those that you have." }
            }
        };
    }
    let at = address(id);
    html! {
        section.card.acts {
            h2 { "Locked out?" }
            p.hint { "With a token they choose a new password. Hand it over in person, to them alone." }
            (visit.form(&format!("{at}/password-reset"), html! { div.actions { (button("Make a token", "", may)) } }))
            @if account.second_factor {
                form method="get" action=(format!("{at}/second-factor-removal")) {
                    div.actions { (button("Remove the second factor", "danger", may)) }
                }
            }
        }
    }
}

/// The token, which is told this once.
async fn hand_over(form: Form, id: Path<Uuid>) -> Answer {
    let id = UserId(*id);
    let found = super::read(&form, id).await?;
    let (token, expires_at) = password_changes::token_for(&form.context, form.actor.clone(), id).await?;
    Ok(form
        .page("A token for a new password")
        .trail([(found.user.name.clone(), address(id))])
        .body(html! {
            div.card.narrow {
                p { "For " strong { (reveal(&found.user.name)) } " (" (found.user.email) "), until " (time(expires_at)) ". It works once, and is shown this once." }
                p { code { (token.as_str()) } }
                p { "They enter it at " code { (forgotten::CHOOSE) } " on this node, together with a password of their choice." }
                div.actions { a.button.primary href=(address(id)) { "Done" } }
            }
        }))
}

async fn confirm_removal(visit: Visit, id: Path<Uuid>) -> Answer {
    let id = UserId(*id);
    let found = super::read(&visit, id).await?;
    Ok(Confirm {
        title: "Remove their second factor?",
        explained: html! {
            p { strong { (reveal(&found.user.name)) } " " (found.user.email) }
            p { "Their password alone is enough to sign in then, until they add another. Do it only for somebody whom you know to have lost their authenticator and recovery codes." }
        },
        action: &format!("{}/second-factor-removal", address(id)),
        hidden: &[],
        button: "Remove it",
        dangerous: true,
        back: &address(id),
    }
    .page(&visit))
}

async fn remove(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), UserId(*id));
    if id == actor.user {
        return Ok(form.go("/account/second-factor"));
    }
    form.context
        .store
        .act(move |tx, here| accounts::remove_second_factor(tx, &actor, here, id, None, None))
        .await?;
    Ok(form.go_and_say(&address(id), &Notice::done("Their second factor is removed.")))
}
