//! A new password for whoever has forgotten theirs: a token is mailed, or handed over by somebody who may, and chooses it.

use actix_web::HttpResponse;
use maud::html;

use super::account::password::{chosen, of_the_new_one, typed_twice};
use super::fields::sentence;
use super::visit::Shell;
use super::{Answer, Anyone, Field, Fields, Filled, Notice, OpenForm, Problem, Site};
use crate::api::password_changes::{self as rest, ASKED};

/// Where a token is asked for.
pub(super) const ADDRESS: &str = "/forgotten-password";
/// Where it is used; mails lead there.
pub(super) const CHOOSE: &str = crate::domain::notification::letter::NEW_PASSWORD_PATH;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get(ADDRESS, show);
    site.post(ADDRESS, ask);
    site.get(CHOOSE, show_choice);
    site.post(CHOOSE, choose);
}

async fn show(Anyone(shell): Anyone) -> Answer {
    Ok(page(&shell, &Filled::default()))
}

fn page(shell: &Shell, filled: &Filled) -> HttpResponse {
    shell
        .page("Forgotten your password?")
        .trail([("Sign in", "/sign-in")])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            div.card.narrow {
                p { "A token is sent to the address of your account, if this node sends mail. Otherwise ask somebody who looks after accounts here for one." }
                (shell.form(ADDRESS, html! {
                    (filled.input(&Field::new("email", "E-mail address").kind("email").autocomplete("username")))
                    div.actions { button.primary { "Send a token" } a.button href=(CHOOSE) { "I have a token" } }
                }))
            }
        })
}

async fn ask(OpenForm { shell, fields }: OpenForm) -> Answer {
    let email = fields.get("email").trim().to_owned();
    match rest::ask_for_token(shell.context.clone(), shell.from, email) {
        Ok(()) => Ok(shell.go_and_say(CHOOSE, &Notice::done(sentence(ASKED)))),
        Err(problem) => Ok(page(&shell, &Filled::refused(&fields, problem)?)),
    }
}

async fn show_choice(Anyone(shell): Anyone) -> Answer {
    Ok(choice(&shell, &Filled::default()))
}

fn choice(shell: &Shell, filled: &Filled) -> HttpResponse {
    shell
        .page("Choose a new password")
        .trail([("Sign in", "/sign-in")])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            div.card.narrow {
                (shell.form(CHOOSE, html! {
                    (filled.input(&Field::new("token", "Token").hint("From the mail, or as it was handed to you. It works once.")))
                    (chosen(filled))
                    div.actions { button.primary { "Choose it" } a.button href="/sign-in" { "Cancel" } }
                }))
                p.hint { "Wherever you are signed in, you are signed out then." }
            }
        })
}

async fn choose(OpenForm { shell, fields }: OpenForm) -> Answer {
    match chosen_anew(&shell, &fields).await {
        Ok(()) => Ok(shell.go_and_say(
            "/sign-in",
            &Notice::done("You have a new password. Sign in with it."),
        )),
        Err(problem) => Ok(choice(&shell, &Filled::refused(&fields, problem)?)),
    }
}

async fn chosen_anew(shell: &Shell, fields: &Fields) -> Result<(), Problem> {
    let password = typed_twice(fields)?;
    let token = fields.get("token").trim();
    let done = rest::choose_by_token(&shell.context, shell.from, token, password).await;
    done.map_err(of_the_new_one)
}
