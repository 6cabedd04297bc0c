//! `poundlock group`: groups, which datasets name, and who is in them.

use clap::Subcommand;
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::client::part;
use super::failure::Failure;
use super::{Session, names, print, user};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the groups: all for those who make them, their own for others
    List {
        /// The whole list, not its first page
        #[arg(long)]
        all: bool,
    },
    /// Make a group
    Add {
        /// Its name
        name: String,
        /// Whom it is for
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Change a group; datasets name it, so a new name opens and closes them
    Set {
        /// Its id or name
        group: String,
        /// Its new name
        #[arg(long)]
        name: Option<String>,
        /// Whom it is for
        #[arg(long)]
        description: Option<String>,
    },
    /// Delete a group; datasets that name it are visible to one group less
    Delete {
        /// Its id or name
        group: String,
    },
    /// Show who is in a group, or put people in and take them out
    Members {
        /// Its id or name
        group: String,
        /// Put this person in: id or e-mail address
        #[arg(long)]
        add: Vec<String>,
        /// Take this person out: id or e-mail address
        #[arg(long)]
        remove: Vec<String>,
    },
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::List { all } => session.out.show(&client.list("/groups", *all)?, |groups| {
            print::listing(
                groups,
                &[("ID", "id"), ("NAME", "name"), ("DESCRIPTION", "description")],
            )
        }),
        Verb::Add { name, description } => {
            let body = json!({"name": name, "description": description});
            session.out.show(&client.post("/groups", &body)?, facts)
        }
        Verb::Set {
            group,
            name,
            description,
        } => {
            let mut body = Map::new();
            for (field, value) in [("name", name), ("description", description)] {
                body.extend(
                    value
                        .as_ref()
                        .map(|value| (field.to_owned(), value.as_str().into())),
                );
            }
            session.out.show(
                &client.patch(&path(session, group)?, &Value::Object(body))?,
                facts,
            )
        }
        Verb::Delete { group } => {
            client.delete(&path(session, group)?)?;
            session
                .out
                .show(&json!({"deleted": group}), |_| "Deleted.".to_owned())
        }
        Verb::Members { group, add, remove } => {
            let path = format!("{}/members", path(session, group)?);
            for person in add {
                let id = names::user(client, person)?;
                client.send(Method::PUT, &format!("{path}/{}", part(&id)), "", b"")?;
            }
            for person in remove {
                let id = names::user(client, person)?;
                client.delete(&format!("{path}/{}", part(&id)))?;
            }
            session.out.show(&client.list(&path, true)?, user::table)
        }
    }
}

fn path(session: &Session, group: &str) -> Result<String, Failure> {
    Ok(format!(
        "/groups/{}",
        part(&names::group(&session.client, group)?)
    ))
}

fn facts(group: &Value) -> String {
    let names = ["id", "name", "description"];
    print::facts(&names.map(|name| (name, print::field(group, name))))
}
