//! `poundlock password`, `session` and `second-factor`: how one proves who one is.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::client::part;
use super::failure::Failure;
use super::password::{PasswordSource, Proof, new_password, secret_file};
use super::{Session, print};

#[derive(Debug, Subcommand)]
pub(super) enum PasswordVerb {
    /// Change your password; your other sessions end
    Change(Change),
    /// Ask for a token, by mail, to choose a new password with
    Forgotten {
        /// The account's e-mail address
        email: String,
    },
    /// Choose a new password with a token
    Choose {
        /// Read the token from this file, `-` for the standard input; else from POUNDLOCK_RESET_TOKEN or a prompt
        #[arg(long, value_name = "FILE")]
        token_file: Option<std::path::PathBuf>,
        /// Read the new password from this file (its first line)
        #[arg(long, value_name = "FILE")]
        new_password_file: Option<std::path::PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Change {
    #[command(flatten)]
    present: Proof,
    /// Read the new password from this file (its first line)
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<std::path::PathBuf>,
}

pub(super) fn password(session: &Session, verb: &PasswordVerb) -> Result<(), Failure> {
    let client = &session.client;
    let told = match verb {
        PasswordVerb::Change(change) => {
            let mut body = Map::new();
            change.present.add_to(&mut body, "Present password")?;
            let new = new_password(change.new_password_file.as_deref())?;
            body.insert("new".to_owned(), new.as_str().into());
            let body = Value::Object(body);
            put(session, "/users/me/password", &body)?;
            json!({"changed": true})
        }
        PasswordVerb::Forgotten { email } => client.post("/password-resets", &json!({ "email": email }))?,
        PasswordVerb::Choose {
            token_file,
            new_password_file,
        } => {
            let token = match (token_file, std::env::var("POUNDLOCK_RESET_TOKEN")) {
                (Some(path), _) => secret_file(path)?,
                (None, Ok(token)) => token.into(),
                (None, Err(_)) => rpassword::prompt_password("Token: ")
                    .map_err(|error| {
                        Failure::usage(format!("the token cannot be read ({error}); use --token-file"))
                    })?
                    .into(),
            };
            let new = new_password(new_password_file.as_deref())?;
            let body = json!({"token": token.trim(), "password": *new});
            client.post("/password-resets/use", &body)?;
            json!({"changed": true})
        }
    };
    session.out.show(&told, |told| match told["detail"].as_str() {
        Some(detail) => print::plain(detail),
        None => "The password is changed.".to_owned(),
    })
}

fn put(session: &Session, path: &str, body: &Value) -> Result<Value, Failure> {
    let bytes = body.to_string();
    session
        .client
        .send(Method::PUT, path, "application/json", bytes.as_bytes())
}

#[derive(Debug, Subcommand)]
pub(super) enum SessionVerb {
    /// List your sessions
    List,
    /// End one of your sessions, e.g. on a machine that was lost
    Revoke {
        /// Its id
        session: String,
        #[command(flatten)]
        password: PasswordSource,
    },
}

pub(super) fn sessions(session: &Session, verb: &SessionVerb) -> Result<(), Failure> {
    match verb {
        SessionVerb::List => session.out.show(&session.client.get("/sessions")?, |list| {
            let columns = [
                ("ID", "id"),
                ("SINCE", "began_at"),
                ("LAST USED", "used_at"),
                ("UNTIL", "expires_at"),
                ("THIS ONE", "current"),
                ("PROGRAM", "agent"),
            ];
            print::listing(list, &columns)
        }),
        SessionVerb::Revoke {
            session: id,
            password,
        } => {
            let password = password.read("Your password", false)?;
            let path = format!("/sessions/{}/end", part(id));
            session.client.post(&path, &json!({ "password": *password }))?;
            session.out.show(&json!({"revoked": id}), |_| "Ended.".to_owned())
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum SecondFactorVerb {
    /// Get a secret for your authenticator
    Add(PasswordSource),
    /// Confirm it by the first code that the authenticator shows; prints recovery codes
    Confirm {
        /// The code
        code: String,
    },
    /// Remove it
    Remove(Proof),
}

pub(super) fn second_factor(session: &Session, verb: &SecondFactorVerb) -> Result<(), Failure> {
    const PATH: &str = "/users/me/second-factor";
    match verb {
        SecondFactorVerb::Add(password) => {
            let password = password.read("Your password", false)?;
            let secret = session.client.post(PATH, &json!({ "password": *password }))?;
            session.out.show(&secret, |secret| {
                format!(
                    "Give this to your authenticator, then: poundlock second-factor confirm CODE\nsecret   {}\naddress  {}",
                    print::field(secret, "secret"),
                    print::field(secret, "address")
                )
            })
        }
        SecondFactorVerb::Confirm { code } => {
            let codes = put(session, PATH, &json!({ "code": code }))?;
            session.out.show(&codes, |codes| {
                let codes = codes["recovery_codes"].as_array().into_iter().flatten();
                let codes: Vec<_> = codes.map(print::of).collect();
                format!(
                    "It is asked for from now on. Write these recovery codes down; each works once:\n{}",
                    codes.join("\n")
                )
            })
        }
        SecondFactorVerb::Remove(proof) => {
            let body = proof.beside([], "Your password")?;
            session.client.post(&format!("{PATH}/removal"), &body)?;
            session
                .out
                .show(&json!({"removed": true}), |_| "Removed.".to_owned())
        }
    }
}
