//! `poundlock role`: named sets of permissions.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::part;
use super::failure::Failure;
use super::{Session, names, print};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the roles
    List,
    /// Make a role
    Add {
        /// Its name
        name: String,
        /// What whoever has it may do: `can_triage_requests` and so on
        #[arg(long = "permission")]
        permissions: Vec<String>,
    },
    /// Change a role; it counts from the next call of whoever has it
    Set {
        /// Its id or name
        role: String,
        /// Its new name
        #[arg(long)]
        name: Option<String>,
        /// What whoever has it may do: name all of it
        #[arg(long = "permission")]
        permissions: Vec<String>,
    },
    /// Delete a role that nobody has
    Delete {
        /// Its id or name
        role: String,
    },
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::List => session.out.show(&client.get("/roles")?, |roles| {
            print::listing(
                roles,
                &[("ID", "id"), ("NAME", "name"), ("PERMISSIONS", "permissions")],
            )
        }),
        Verb::Add { name, permissions } => {
            let body = json!({"name": name, "permissions": permissions});
            session.out.show(&client.post("/roles", &body)?, facts)
        }
        Verb::Set {
            role,
            name,
            permissions,
        } => {
            let mut body = Map::new();
            body.extend(
                name.as_ref()
                    .map(|name| ("name".to_owned(), name.as_str().into())),
            );
            if !permissions.is_empty() {
                body.insert("permissions".to_owned(), json!(permissions));
            }
            session
                .out
                .show(&client.patch(&path(session, role)?, &Value::Object(body))?, facts)
        }
        Verb::Delete { role } => {
            client.delete(&path(session, role)?)?;
            session
                .out
                .show(&json!({"deleted": role}), |_| "Deleted.".to_owned())
        }
    }
}

fn path(session: &Session, role: &str) -> Result<String, Failure> {
    Ok(format!("/roles/{}", part(&names::role(&session.client, role)?)))
}

fn facts(role: &Value) -> String {
    let names = ["id", "name", "permissions"];
    print::facts(&names.map(|name| (name, print::field(role, name))))
}
