//! Making an account for oneself, where the node's owner lets people do that.

use actix_web::HttpResponse;
use maud::html;

use super::account::password::{chosen, of_the_new_one, typed_twice};
use super::users::profile;
use super::visit::Shell;
use super::{Answer, Anyone, Field, Fields, Filled, Notice, OpenForm, Problem, Site};
use crate::acts::accounts;
use crate::api::users::{self as rest, NewAccount};

/// Where it is.
pub(super) const ADDRESS: &str = "/register";

pub(super) fn routes(site: &mut Site<'_>) {
    site.get(ADDRESS, show);
    site.post(ADDRESS, register);
}

async fn show(Anyone(shell): Anyone) -> Answer {
    shell
        .read(|view| accounts::may_create_user(view, None, None))
        .await?;
    Ok(page(&shell, &Filled::default()))
}

fn page(shell: &Shell, filled: &Filled) -> HttpResponse {
    shell
        .page("Make an account")
        .trail([("Sign in", "/sign-in")])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            div.card.narrow {
                (shell.form(ADDRESS, html! {
                    (filled.input(&Field::new("name", "Name").autocomplete("name")))
                    (filled.input(&Field::new("email", "E-mail address").kind("email").autocomplete("username").hint("You sign in with it, and mail about your requests goes there.")))
                    (filled.input(&Field::new("institution", "Institution").autocomplete("organization").optional()))
                    (filled.input(&Field::new("website", "Website").kind("url").hint("Where data owners can read who you are.").optional()))
                    (chosen(filled))
                    div.actions { button.primary { "Make the account" } a.button href="/sign-in" { "Cancel" } }
                }))
            }
        })
}

async fn register(OpenForm { shell, fields }: OpenForm) -> Answer {
    match registered(&shell, &fields).await {
        Ok(()) => Ok(shell.go_and_say(
            "/sign-in",
            &Notice::done("Your account is made. Sign in with it."),
        )),
        Err(problem) => Ok(page(&shell, &Filled::refused(&fields, problem)?)),
    }
}

async fn registered(shell: &Shell, fields: &Fields) -> Result<(), Problem> {
    let new = NewAccount {
        profile: profile(fields),
        password: typed_twice(fields)?,
        role: None,
    };
    let made = rest::make(&shell.context, None, shell.from, new).await;
    made.map(drop).map_err(of_the_new_one)
}
