//! `poundlock setup`: the owner's account, with the one-time token.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Common;
use super::failure::Failure;
use super::password::{PasswordSource, secret_file};
use super::print;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How the node shall be called; as `init` called it if left out
    #[arg(long)]
    name: Option<String>,
    /// The owner's name; asked for on a terminal if left out
    #[arg(long)]
    owner: Option<String>,
    /// The owner's e-mail address; asked for on a terminal if left out
    #[arg(long)]
    email: Option<String>,
    /// The owner's institution
    #[arg(long, default_value = "")]
    institution: String,
    /// The owner's web page
    #[arg(long, default_value = "")]
    website: String,
    /// Who runs the node
    #[arg(long, default_value = "")]
    organization: String,
    /// What the node is for
    #[arg(long, default_value = "")]
    description: String,
    /// Let guests browse the datasets that are visible to everybody
    #[arg(long)]
    allow_guests: bool,
    /// Let scientists register themselves
    #[arg(long)]
    allow_registration: bool,
    /// Read the one-time token from this file, `-` for the standard input; else from POUNDLOCK_SETUP_TOKEN or a prompt
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    password: PasswordSource,
}

pub(super) fn run(common: &Common, arguments: &Arguments) -> Result<(), Failure> {
    let session = common.session()?;
    let status = session.client.get("/setup/status")?;
    let name_of_owner = given_or_asked(arguments.owner.as_deref(), "--owner NAME", "The owner's name")?;
    let email = given_or_asked(
        arguments.email.as_deref(),
        "--email EMAIL",
        "The owner's e-mail address",
    )?;
    let token = match (&arguments.token_file, std::env::var("POUNDLOCK_SETUP_TOKEN")) {
        (Some(path), _) => secret_file(path)?,
        (None, Ok(token)) => token.into(),
        (None, Err(_)) => rpassword::prompt_password("One-time token that `poundlock init` printed: ")
            .map_err(|error| Failure::usage(format!("the token cannot be read ({error}); use --token-file")))?
            .into(),
    };
    let password = arguments.password.read("The owner's new password", true)?;
    let name = arguments.name.as_deref().or(status["name"].as_str());
    let body = json!({
        "token": token.trim(), "name": name, "allow_registration": arguments.allow_registration,
        "allow_guests": arguments.allow_guests, "organization": arguments.organization,
        "description": arguments.description,
        "owner": {"name": name_of_owner, "email": email, "password": *password,
            "institution": arguments.institution, "website": arguments.website},
    });
    let owner = session.client.post("/setup", &body)?;
    session.out.show(&owner, |owner| {
        let email = print::field(owner, "email");
        format!(
            "The node is set up. Its owner is {email}. Next:\n  {}",
            next(common.node.as_deref(), &email)
        )
    })
}

/// How the owner signs in.
pub(super) fn next(node: Option<&str>, email: &str) -> String {
    let node = node.map(|node| format!(" --node {node}")).unwrap_or_default();
    format!("poundlock{node} login {email}")
}

/// What was given with `option`, or what a person answers.
fn given_or_asked(given: Option<&str>, option: &str, prompt: &str) -> Result<String, Failure> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "there is no terminal to ask on; give {option}"
        )));
    }
    let failed = |error: io::Error| Failure::failed(format!("the answer cannot be read: {error}"));
    eprint!("{prompt}: ");
    io::stderr().flush().map_err(failed)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(failed)?;
    match answer.trim() {
        "" => Err(Failure::usage(format!("give {option}"))),
        answer => Ok(answer.to_owned()),
    }
}
