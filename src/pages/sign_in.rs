//! Signing in and out.

use data_encoding::BASE64URL_NOPAD;
use maud::html;
use zeroize::Zeroizing;

use super::visit::Shell;
use super::{Answer, Anyone, Field, Fields, Filled, Form, OpenForm, Problem, Site};
use crate::acts::accounts;
use crate::api::passwords::Password;
use crate::clock;
use crate::domain::session;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/sign-in", show);
    site.post("/sign-in", sign_in);
    site.post("/sign-out", sign_out);
}

async fn show(Anyone(shell): Anyone, query: Fields) -> Answer {
    if shell.actor.is_some() {
        return Ok(shell.go(next(&query)));
    }
    let filled = Filled::with([("next", query.get("next"))]);
    page(&shell, &filled, query.has("signed-out"))
}

fn page(shell: &Shell, filled: &Filled, signed_out: bool) -> Answer {
    let email = Field::new("email", "E-mail address")
        .kind("email")
        .autocomplete("username");
    let password = Field::new("password", "Password")
        .kind("password")
        .autocomplete("current-password");
    Ok(shell.page("Sign in").status(filled.status()).body(html! {
        @if signed_out { div.notice.done role="status" { p { "You are signed out." } } }
        (filled.summary())
        div.card.narrow {
            (shell.form("/sign-in", html! {
                input type="hidden" name="next" value=(filled.fields().get("next"));
                (filled.input(&email))
                (filled.input(&password))
                div.actions { button.primary { "Sign in" } }
            }))
        }
    }))
}

async fn sign_in(OpenForm { shell, fields }: OpenForm) -> Answer {
    match begin_session(&shell, &fields).await {
        Ok(token) => Ok(shell.go_as(next(&fields), Some(&token))),
        Err(problem) => page(&shell, &Filled::refused(&fields, problem)?, false),
    }
}

async fn begin_session(shell: &Shell, fields: &Fields) -> Result<Zeroizing<String>, Problem> {
    let context = &shell.context;
    let email = fields.get("email").to_owned();
    let found = shell
        .read(move |view| accounts::credentials(view, &email))
        .await?;
    let (user, credentials) = found.unzip();
    let right = context
        .passwords()
        .verify(Password::new(fields.get("password")), credentials)
        .await?;
    let Some(user) = user.filter(|_| right) else {
        context
            .store
            .act(move |tx, here| accounts::note_refused_sign_in(tx, here, user))
            .await?;
        return Err(accounts::refused_sign_in().into());
    };
    let token = Zeroizing::new(BASE64URL_NOPAD.encode(&clock::random_bytes()));
    let hash = session::token_hash(&token);
    context
        .store
        .act(move |tx, here| accounts::sign_in(tx, here, user, &hash))
        .await?;
    Ok(token)
}

async fn sign_out(form: Form) -> Answer {
    let (actor, hash) = (form.actor.clone(), form.session_hash());
    form.context
        .store
        .act(move |tx, here| accounts::sign_out(tx, here, &actor, &hash))
        .await?;
    Ok(form.go_as("/sign-in?signed-out", None))
}

/// Where to go after signing in: a page of this node, whatever the address says.
fn next(fields: &Fields) -> &str {
    let wanted = fields.get("next");
    // Browsers read a backslash as a slash, and leave tabs and line breaks out: `/\example.org` leads elsewhere.
    let stays = wanted.starts_with('/')
        && !wanted.starts_with("//")
        && wanted.len() <= 2_000
        && !wanted.contains('\\')
        && wanted.bytes().all(|byte| byte.is_ascii_graphic())
        && !wanted.starts_with("/sign-");
    if stays { wanted } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for (wanted, led_to) in [
            ("/datasets?search=a%20b", "/datasets?search=a%20b"),
            ("", "/"),
            ("//example.org", "/"),
            ("/\\example.org", "/"),
            ("/\t/example.org", "/"),
            ("https://example.org", "/"),
            ("/sign-out", "/"),
        ] {
            assert_eq!(next(&Fields::of([("next", wanted)])), led_to, "{wanted:?}");
        }
    }
}
