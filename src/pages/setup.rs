//! Setting the node up: its name and its owner's account, with the one-time token that `poundlock init` printed.

use maud::html;

use super::visit::Shell;
use super::{Answer, Anyone, Field, Fields, Filled, Notice, OpenForm, Problem, Site};
use crate::acts::accounts::{self, SetUp};
use crate::api::passwords::Password;
use crate::domain::id::UserId;
use crate::domain::password;
use crate::domain::session;
use crate::domain::settings::{Key, Value};
use crate::domain::user::Profile;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/setup", show);
    site.post("/setup", set_up);
}

async fn show(Anyone(shell): Anyone) -> Answer {
    if shell.context.is_set_up().await? {
        return Ok(shell.go("/"));
    }
    let filled = Filled::with([("name", shell.node_name.as_str())]);
    page(&shell, &filled)
}

fn page(shell: &Shell, filled: &Filled) -> Answer {
    let length = format!(
        "At least {} characters. A few words that nobody would guess make a good one.",
        password::MIN
    );
    Ok(shell.page("Set this node up").status(filled.status()).body(html! {
        p.lead { "This is done once. Afterwards the token is used up, and people can sign in." }
        (filled.summary())
        div.card.narrow {
            (shell.form("/setup", html! {
                (filled.input(&Field::new("token", "One-time token")
                    .hint("What `poundlock init` printed when it made this node. If it is lost: make the node anew.")))
                (filled.input(&Field::new("name", "Name of the node").hint(if shell.exchanges_bundles() { "Shown on every page, and to the other side." } else { "Shown on every page." })))
                fieldset {
                    legend { "The owner's account" }
                    (filled.input(&Field::new("owner_name", "Your name").autocomplete("name")))
                    (filled.input(&Field::new("email", "E-mail address").kind("email").autocomplete("username")
                        .hint("You sign in with it.")))
                    (filled.input(&Field::new("password", "Password").kind("password").autocomplete("new-password").hint(&length)))
                    (filled.input(&Field::new("password_again", "Password, once more").kind("password").autocomplete("new-password")))
                }
                (filled.check("allow_registration", "Scientists may register themselves",
                    "Otherwise you make their accounts. It can be changed later."))
                div.actions { button.primary { "Set up" } }
            }))
        }
    }))
}

async fn set_up(OpenForm { shell, fields }: OpenForm) -> Answer {
    if shell.context.is_set_up().await? {
        return Ok(shell.go("/"));
    }
    match make_owner(&shell, &fields).await {
        Ok(()) => Ok(shell.go_and_say(
            "/sign-in",
            &Notice::done("The node is set up. Sign in with the account that you have just made."),
        )),
        Err(problem) => {
            let named = problem.renamed("owner.name", "owner_name");
            let named = named.renamed("owner.email", "email");
            page(&shell, &Filled::refused(&fields, named)?)
        }
    }
}

async fn make_owner(shell: &Shell, fields: &Fields) -> Result<(), Problem> {
    use crate::domain::text::Invalid;
    let token = session::setup_token_hash(fields.get("token").trim());
    // Before the slow hash: a stranger without the token costs next to nothing.
    shell
        .read(move |view| accounts::check_setup_token(view, &token))
        .await?;
    if fields.get("password") != fields.get("password_again") {
        return Err(Invalid::new("password_again", "is not the same password; type it once more").into());
    }
    let words = ["name", "owner_name", "email"].map(|field| fields.get(field).to_owned());
    let words = words.to_vec();
    let credentials = shell
        .context
        .passwords()
        .hash(Password::new(fields.get("password")), words)
        .await?;
    let wanted = SetUp {
        id: UserId(shell.context.new_id()),
        token,
        owner: Profile {
            name: fields.get("owner_name").to_owned(),
            email: fields.get("email").to_owned(),
            ..Profile::default()
        },
        credentials,
        settings: vec![
            (Key::Name, Value::Text(fields.get("name").to_owned())),
            (
                Key::AllowRegistration,
                Value::Switch(fields.has("allow_registration")),
            ),
        ],
    };
    shell
        .context
        .store
        .act(move |tx, here| accounts::set_up(tx, here, &wanted))
        .await?;
    Ok(())
}
