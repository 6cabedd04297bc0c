//! `poundlock project`: the frame of a collaboration.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::part;
use super::failure::Failure;
use super::{Session, names, print};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a project; requests can be made in it once it is started
    Create {
        /// Its name; no other project has it
        #[arg(long)]
        name: String,
        /// What it is about
        #[arg(long, default_value = "")]
        description: String,
        /// A member beside you: an id or e-mail address
        #[arg(long, value_name = "USER")]
        member: Vec<String>,
        /// Start it at once
        #[arg(long)]
        start: bool,
    },
    /// List your projects
    List {
        /// The whole list, not its first page
        #[arg(long)]
        all: bool,
    },
    /// Show a project
    Show {
        /// Its id or name
        project: String,
    },
    /// Start a project
    Start {
        /// Its id or name
        project: String,
    },
    /// Add members to a project, or remove some
    Members(Members),
    /// Hide a project; its requests, decisions and jobs stay
    Delete {
        /// Its id or name
        project: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Members {
    /// The project: its id or name
    project: String,
    /// Add this person: an id or e-mail address
    #[arg(long, value_name = "USER", required_unless_present = "remove")]
    add: Vec<String>,
    /// Remove this person: an id or e-mail address
    #[arg(long, value_name = "USER")]
    remove: Vec<String>,
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::Create {
            name,
            description,
            member,
            start,
        } => {
            let body = json!({"name": name, "description": description, "members": member});
            let mut project = client.post("/projects", &body)?;
            if *start {
                let id = project["id"].as_str().unwrap_or_default().to_owned();
                project = client.act(&format!("/projects/{}/start", part(&id)))?;
            }
            session.out.show(&project, facts)
        }
        Verb::List { all } => session.out.show(&client.list("/projects", *all)?, |projects| {
            print::listing(
                projects,
                &[
                    ("ID", "id"),
                    ("NAME", "name"),
                    ("STARTED", "started"),
                    ("DESCRIPTION", "description"),
                ],
            )
        }),
        Verb::Show { project } => session.out.show(&client.get(&path(session, project)?)?, facts),
        Verb::Start { project } => {
            let started = client.act(&format!("{}/start", path(session, project)?))?;
            session.out.show(&started, facts)
        }
        Verb::Members(change) => members(session, change),
        Verb::Delete { project } => {
            client.delete(&path(session, project)?)?;
            session
                .out
                .show(&json!({"deleted": project}), |_| "Deleted.".to_owned())
        }
    }
}

fn path(session: &Session, project: &str) -> Result<String, Failure> {
    let id = names::project(&session.client, project)?;
    Ok(format!("/projects/{}", part(&id)))
}

fn members(session: &Session, change: &Members) -> Result<(), Failure> {
    let path = path(session, &change.project)?;
    let project = session.client.get(&path)?;
    let removed: Vec<_> = change
        .remove
        .iter()
        .map(|person| names::user(&session.client, person))
        .collect::<Result<_, _>>()?;
    let present = project["members"].as_array().into_iter().flatten();
    let present = present.filter_map(Value::as_str);
    // Who is added may be somebody that you do not see: the node knows addresses.
    let wanted = changed(present, &change.add, &removed);
    let project = session.client.patch(&path, &json!({ "members": wanted }))?;
    session.out.show(&project, facts)
}

/// The members after some were added and some removed; nobody twice.
fn changed<'a>(present: impl Iterator<Item = &'a str>, add: &'a [String], remove: &[String]) -> Vec<&'a str> {
    let mut wanted: Vec<&str> = Vec::new();
    for member in present.chain(add.iter().map(String::as_str)) {
        if !wanted.contains(&member) && !remove.iter().any(|removed| removed == member) {
            wanted.push(member);
        }
    }
    wanted
}

fn facts(project: &Value) -> String {
    let names = [
        "id",
        "name",
        "description",
        "started",
        "creator",
        "members",
        "home",
        "created_at",
    ];
    let mut facts = names.map(|name| (name, print::field(project, name))).to_vec();
    if project["deleted"] == true {
        facts.push(("deleted", "yes".to_owned()));
    }
    print::facts(&facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_and_go_once() {
        let add = ["b".into(), "c".into()];
        let now = changed(["a", "b"].into_iter(), &add, &["a".into()]);
        assert_eq!(now, ["b", "c"]);
    }
}
