//! Signing in and out.

use actix_web::http::header::{CLEAR_SITE_DATA, HeaderValue};
use maud::html;
use zeroize::Zeroizing;

use super::piece::text::{prose, reveal};
use super::visit::Shell;
use super::{Answer, Anyone, Field, Fields, Filled, Form, OpenForm, Problem, Site};
use super::{forgotten, register};
use crate::acts::accounts;
use crate::api::passwords::Password;
use crate::api::sessions::{self, Attempt};

/// Where a session is ended.
pub(super) const SIGN_OUT: &str = "/sign-out";

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/sign-in", show);
    site.post("/sign-in", sign_in);
    site.post(SIGN_OUT, sign_out);
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
    let code = Field::new("code", "Code")
        .autocomplete("one-time-code")
        .hint("Only if your account has a second factor: what the authenticator shows, or a recovery code.")
        .optional();
    Ok(shell.page("Sign in").status(filled.status()).body(html! {
        @if signed_out { div.notice.done role="status" { p { "You are signed out." } } }
        (filled.summary())
        @if !shell.organization.is_empty() { p.lead { (reveal(&shell.node_name)) ", of " (reveal(&shell.organization)) } }
        @if !shell.description.is_empty() { div.card.narrow { (prose(&shell.description)) } }
        div.card.narrow {
            (shell.form("/sign-in", html! {
                input type="hidden" name="next" value=(filled.fields().get("next"));
                (filled.input(&email))
                (filled.input(&password))
                (filled.input(&code))
                div.actions { button.primary { "Sign in" } a href=(forgotten::ADDRESS) { "Forgotten your password?" } }
            }))
        }
        @if shell.registration { p { "You have no account? " a href=(register::ADDRESS) { "Make one" } "." } }
        @if shell.guests { p { "Without an account you can " a href="/datasets" { "browse the datasets" } " that are open to everybody." } }
    }))
}

async fn sign_in(OpenForm { shell, fields }: OpenForm) -> Answer {
    match begin_session(&shell, &fields).await {
        Ok(token) => Ok(shell.go_as(next(&fields), Some(&token))),
        Err(problem) => page(&shell, &Filled::refused(&fields, problem)?, false),
    }
}

async fn begin_session(shell: &Shell, fields: &Fields) -> Result<Zeroizing<String>, Problem> {
    let email = fields.get("email").to_owned();
    let attempt = Attempt {
        from: shell.from,
        email,
        password: Password::new(fields.get("password")),
        code: fields.given("code").map(str::to_owned),
        agent: shell.agent.clone(),
    };
    let (token, _) = sessions::attempt(&shell.context, attempt).await?;
    // Whoever signs in anew on a page that was open does not leave a session behind.
    end_session(shell).await?;
    Ok(token)
}

async fn sign_out(form: Form) -> Answer {
    end_session(&form).await?;
    let mut answer = form.go_as("/sign-in?signed-out", None);
    // Not the cookies: those of another node on this machine would go with them.
    let kept = HeaderValue::from_static("\"cache\", \"storage\"");
    answer.headers_mut().insert(CLEAR_SITE_DATA, kept);
    Ok(answer)
}

/// Ends the session of whoever looks, if there is one.
async fn end_session(shell: &Shell) -> Result<(), Problem> {
    let hash = shell.session_hash();
    if let Some(actor) = shell.actor.clone() {
        shell
            .context
            .store
            .act(move |tx, here| accounts::sign_out(tx, here, &actor, &hash))
            .await?;
    }
    Ok(())
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
