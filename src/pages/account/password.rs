//! A new password, by showing the present one.

use maud::html;

use super::{caller, second_factor, shown, username};
use crate::api::password_changes;
use crate::api::passwords::Password;
use crate::domain::password;
use crate::domain::text::Invalid;
use crate::pages::{Answer, Field, Filled, Form, Notice, Problem, Site, Visit};

pub(super) const ADDRESS: &str = "/account/password";

pub(super) fn routes(site: &mut Site<'_>) {
    site.get(ADDRESS, show);
    site.post(ADDRESS, change);
}

async fn show(visit: Visit) -> Answer {
    page(&visit, &Filled::default()).await
}

async fn page(visit: &Visit, filled: &Filled) -> Answer {
    let username = username(visit).await?;
    let code = second_factor::asked_for(visit, filled).await?;
    let present = Field::new("password", "Present password")
        .kind("password")
        .autocomplete("current-password");
    Ok(visit
        .page("Change your password")
        .trail([("Your account", super::ADDRESS)])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            div.card.narrow {
                (visit.form(ADDRESS, html! {
                    (username)
                    (filled.input(&present))
                    (chosen(filled))
                    (code)
                    div.actions { button.primary { "Change the password" } a.button href=(super::ADDRESS) { "Cancel" } }
                }))
                p.hint { "You stay signed in here, and are signed out everywhere else." }
            }
        }))
}

/// The fields of a password that is chosen.
pub(in crate::pages) fn chosen(filled: &Filled) -> maud::Markup {
    let length = format!(
        "At least {} characters. A few words that nobody would guess make a good one.",
        password::MIN
    );
    let new = Field::new("new", "New password")
        .kind("password")
        .autocomplete("new-password")
        .hint(&length);
    let again = Field::new("new_again", "New password, once more")
        .kind("password")
        .autocomplete("new-password");
    html! { (filled.input(&new)) (filled.input(&again)) }
}

/// What is wrong with the password that was chosen, by the name of its field.
pub(in crate::pages) fn of_the_new_one(problem: Problem) -> Problem {
    problem.renamed("password", "new")
}

/// The password that was chosen, if it was typed twice the same.
pub(in crate::pages) fn typed_twice(fields: &crate::pages::Fields) -> Result<Password, Problem> {
    if fields.get("new") == fields.get("new_again") {
        Ok(Password::new(fields.get("new")))
    } else {
        Err(Invalid::new("new_again", "is not the same password; type it once more").into())
    }
}

async fn change(form: Form) -> Answer {
    match changed(&form).await {
        Ok(()) => Ok(form.go_and_say(
            super::ADDRESS,
            &Notice::done("You have a new password. You are signed out everywhere else."),
        )),
        Err(problem) => page(&form, &Filled::refused(&form.fields, problem)?).await,
    }
}

async fn changed(form: &Form) -> Result<(), Problem> {
    let new = typed_twice(&form.fields)?;
    let present = shown(&form.fields);
    password_changes::change_own(&form.context, caller(form), present, new).await
}
