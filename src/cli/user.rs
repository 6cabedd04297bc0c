//! `poundlock user`: people with an account.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::client::part;
use super::failure::Failure;
use super::filters::query;
use super::password::{PasswordSource, Proof};
use super::{Session, names, print};

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
        /// What they may do: the name or id of a role; User if left out
        #[arg(long)]
        role: Option<String>,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List the people that you may see
    List(List),
    /// Show one person
    Show {
        /// Their id or e-mail address
        user: String,
    },
    /// Change what you say of yourself
    Edit(Profile),
    /// Change what somebody may do: their role, their groups, whether they may sign in
    Set(Account),
    /// Delete somebody's account; what they submitted stays
    Delete {
        /// Their id or e-mail address
        user: String,
    },
    /// Make a token with which somebody chooses a new password, to hand it over to them
    ResetPassword {
        /// Their id or e-mail address
        user: String,
    },
    /// Remove the second factor of somebody who has lost theirs
    RemoveSecondFactor {
        /// Their id or e-mail address
        user: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Words that all stand in the name, the address or the institution
    #[arg(long)]
    search: Option<String>,
    /// The whole name
    #[arg(long)]
    name: Option<String>,
    /// The whole address
    #[arg(long)]
    email: Option<String>,
    /// The name or id of a role
    #[arg(long)]
    role: Option<String>,
    /// The name or id of a group
    #[arg(long)]
    group: Option<String>,
    /// The whole list, not its first page
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(super) struct Profile {
    /// How you want to be called
    #[arg(long)]
    name: Option<String>,
    /// Your e-mail address; asks for your password
    #[arg(long)]
    email: Option<String>,
    /// Where you work
    #[arg(long)]
    institution: Option<String>,
    /// Your web page
    #[arg(long)]
    website: Option<String>,
    #[command(flatten)]
    proof: Proof,
}

#[derive(Debug, Args)]
pub(super) struct Account {
    /// Their id or e-mail address
    user: String,
    /// The name or id of a role
    #[arg(long)]
    role: Option<String>,
    /// Whether they may sign in
    #[arg(long, value_name = "true|false")]
    active: Option<bool>,
    /// A group that they are in: name all of them
    #[arg(long)]
    group: Vec<String>,
    /// They are in no group
    #[arg(long, conflicts_with = "group")]
    no_group: bool,
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let client = &session.client;
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
                body["role"] = role.as_str().into();
            }
            session.out.show(&client.post("/users", &body)?, facts)
        }
        Verb::List(list) => {
            let users = client.list(&format!("/users{}", list.query()), list.all)?;
            session.out.show(&users, table)
        }
        Verb::Show { user } => session.out.show(&client.get(&path(session, user)?)?, facts),
        Verb::Edit(profile) => {
            let body = profile.body()?;
            session.out.show(&client.patch("/users/me", &body)?, facts)
        }
        Verb::Set(account) => {
            let body = account.body();
            session
                .out
                .show(&client.patch(&path(session, &account.user)?, &body)?, facts)
        }
        Verb::Delete { user } => {
            client.delete(&path(session, user)?)?;
            session
                .out
                .show(&json!({"deleted": user}), |_| "Deleted.".to_owned())
        }
        Verb::ResetPassword { user } => {
            let offered = client.act(&format!("{}/password-reset", path(session, user)?))?;
            session.out.show(&offered, |offered| {
                format!(
                    "Hand this token over; it works once, until {}:\n{}\nThey use it with: poundlock password choose",
                    print::field(offered, "expires_at"),
                    print::field(offered, "token")
                )
            })
        }
        Verb::RemoveSecondFactor { user } => {
            client.delete(&format!("{}/second-factor", path(session, user)?))?;
            session
                .out
                .show(&json!({"removed": user}), |_| "Removed.".to_owned())
        }
    }
}

fn path(session: &Session, user: &str) -> Result<String, Failure> {
    let id = names::user(&session.client, user)?;
    Ok(format!("/users/{}", part(&id)))
}

impl List {
    fn query(&self) -> String {
        let wanted = [
            ("search", &self.search),
            ("name", &self.name),
            ("email", &self.email),
            ("role", &self.role),
            ("group", &self.group),
        ];
        let wanted: Vec<_> = wanted
            .into_iter()
            .filter_map(|(name, value)| value.clone().map(|value| (name, value)))
            .collect();
        query(&wanted)
    }
}

impl Profile {
    fn body(&self) -> Result<Value, Failure> {
        let mut body = Map::new();
        for (name, value) in [
            ("name", &self.name),
            ("email", &self.email),
            ("institution", &self.institution),
            ("website", &self.website),
        ] {
            body.extend(
                value
                    .as_ref()
                    .map(|value| (name.to_owned(), value.as_str().into())),
            );
        }
        if self.email.is_some() {
            self.proof.add_to(&mut body, "Your password")?;
        }
        Ok(Value::Object(body))
    }
}

impl Account {
    fn body(&self) -> Value {
        let mut body = Map::new();
        body.extend(
            self.role
                .as_ref()
                .map(|role| ("role".to_owned(), role.as_str().into())),
        );
        body.extend(self.active.map(|active| ("active".to_owned(), active.into())));
        if self.no_group || !self.group.is_empty() {
            body.insert("groups".to_owned(), json!(self.group));
        }
        Value::Object(body)
    }
}

/// People as a table.
pub(super) fn table(users: &Value) -> String {
    let mut shown = users.clone();
    for item in shown["items"].as_array_mut().into_iter().flatten() {
        item["role"] = item["role"]["name"].take();
        if item["active"] == false {
            item["role"] = "(may not sign in)".into();
        }
    }
    print::listing(
        &shown,
        &[
            ("ID", "id"),
            ("NAME", "name"),
            ("E-MAIL", "email"),
            ("ROLE", "role"),
        ],
    )
}

/// A person, for people.
pub(super) fn facts(user: &Value) -> String {
    let groups = user["groups"].as_array().into_iter().flatten();
    let groups: Vec<_> = groups.map(|group| print::field(group, "name")).collect();
    let mut facts = vec![("id", print::field(user, "id"))];
    for name in ["name", "email"] {
        facts.push((name, print::field(user, name)));
    }
    facts.push(("role", print::field(&user["role"], "name")));
    for name in [
        "active",
        "second_factor",
        "institution",
        "website",
        "verify_key",
        "created_at",
    ] {
        facts.push((name, print::field(user, name)));
    }
    facts.push(("groups", groups.join(", ")));
    print::facts(&facts)
}
