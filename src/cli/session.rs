//! `poundlock login`, `logout`, `whoami`.

use clap::Args;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::failure::Failure;
use super::password::PasswordSource;
use super::profile::{self, Remembered};
use super::{Common, Session, print};

#[derive(Debug, Args)]
pub(super) struct LoginArguments {
    /// The account's e-mail address
    email: String,
    /// What the authenticator shows, or a recovery code, where the account has a second factor
    #[arg(long)]
    code: Option<String>,
    #[command(flatten)]
    password: PasswordSource,
}

pub(super) fn login(common: &Common, arguments: &LoginArguments) -> Result<(), Failure> {
    let session = common.session()?;
    let password = arguments.password.read("Password", false)?;
    let mut answer = session.client.post(
        "/sessions",
        &json!({"email": arguments.email, "password": *password, "code": arguments.code}),
    )?;
    let path = profile::file(session.client.profile(), session.client.named())?;
    let token = match answer["token"].take() {
        Value::String(token) => Zeroizing::new(token),
        _ => return Err(Failure::failed("the node answered without a token")),
    };
    let remembered = Remembered {
        node: session.client.named().to_owned(),
        email: arguments.email.clone(),
        token,
        expires_at: answer["expires_at"].as_str().unwrap_or_default().to_owned(),
    };
    profile::remember(&path, &remembered)?;
    let told = json!({"user": answer["user"], "expires_at": answer["expires_at"]});
    session.out.show(&told, |told| {
        let (name, until) = (
            print::field(&told["user"], "name"),
            print::field(told, "expires_at"),
        );
        format!("Signed in as {name} until {until}.")
    })
}

pub(super) fn logout(session: &Session) -> Result<(), Failure> {
    let left = session.client.delete("/sessions/current");
    profile::forget(&profile::file(session.client.profile(), session.client.named())?)?;
    left?;
    session
        .out
        .show(&json!({"signed_out": true}), |_| "Signed out.".to_owned())
}

pub(super) fn whoami(session: &Session) -> Result<(), Failure> {
    let me = session.client.get("/users/me")?;
    session.out.show(&me, super::user::facts)
}
