//! `poundlock user`: people with an account.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::part;
use super::failure::Failure;
use super::password::PasswordSource;
use super::{Session, names, print};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Role {
    /// Everything
    Owner,
    /// Everything but the node's keys
    Administrator,
    /// Decides, runs and releases
    ComplianceOfficer,
    /// A data scientist
    User,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Administrator => "administrator",
            Self::ComplianceOfficer => "compliance_officer",
            Self::User => "user",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make an account; for oneself where registration is open, and no session is
    Add {
        /// Their name
        #[arg(long)]
        name: String,
        /// Their e-mail address
        #[arg(long)]
        email: String,
        /// Where they work
        #[arg(long, default_value = "")]
        institution: String,
        /// Their web page
        #[arg(long, default_value = "")]
        website: String,
        /// What they may do
        #[arg(long)]
        role: Option<Role>,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List the people that you may see
    List {
        /// The whole list, not its first page
        #[arg(long)]
        all: bool,
    },
    /// Show one person
    Show {
        /// Their id or e-mail address
        user: String,
    },
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Add {
            name,
            email,
            institution,
            website,
            role,
            password,
        } => {
            let password = password.read("The new account's password", true)?;
            let mut body = json!({"name": name, "email": email, "password": *password,
                "institution": institution, "website": website});
            if let Some(role) = role {
                body["role"] = role.word().into();
            }
            let user = session.client.post("/users", &body)?;
            session.out.show(&user, facts)
        }
        Verb::List { all } => {
            let users = session.client.list("/users", *all)?;
            session.out.show(&users, |users| {
                print::listing(
                    users,
                    &[
                        ("ID", "id"),
                        ("NAME", "name"),
                        ("E-MAIL", "email"),
                        ("ROLE", "role"),
                    ],
                )
            })
        }
        Verb::Show { user } => {
            let id = names::user(&session.client, user)?;
            let user = session.client.get(&format!("/users/{}", part(&id)))?;
            session.out.show(&user, facts)
        }
    }
}

/// A person, for people.
pub(super) fn facts(user: &Value) -> String {
    let names = [
        "id",
        "name",
        "email",
        "role",
        "institution",
        "website",
        "verify_key",
        "created_at",
    ];
    print::facts(&names.map(|name| (name, print::field(user, name))))
}
