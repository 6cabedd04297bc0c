//! `poundlock setup`: the owner's account, with the one-time token.

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
    /// The owner's name
    #[arg(long)]
    owner: String,
    /// The owner's e-mail address
    #[arg(long)]
    email: String,
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
        "owner": {"name": arguments.owner, "email": arguments.email, "password": *password,
            "institution": arguments.institution, "website": arguments.website},
    });
    let owner = session.client.post("/setup", &body)?;
    session.out.show(&owner, |owner| {
        format!(
            "The node is set up. Its owner is {}; next: poundlock login",
            print::field(owner, "email")
        )
    })
}
