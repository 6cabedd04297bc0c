//! `poundlock settings`: what the owner has set.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::failure::Failure;
use super::{Session, print};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show the settings
    Show,
    /// Change settings; what is not named stays
    Set(Change),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct Change {
    /// Call the node so
    #[arg(long)]
    name: Option<String>,
    /// Whether scientists may register themselves
    #[arg(long, value_name = "true|false")]
    allow_registration: Option<bool>,
    /// Whether scientists may run code on mock data here
    #[arg(long, value_name = "true|false")]
    allow_mock_runs: Option<bool>,
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let settings = match verb {
        Verb::Show => session.client.get("/settings")?,
        Verb::Set(change) => session.client.patch("/settings", &Value::Object(change.body()))?,
    };
    session.out.show(&settings, |settings| {
        let names = ["name", "allow_registration", "allow_mock_runs"];
        print::facts(&names.map(|name| (name, print::field(settings, name))))
    })
}

impl Change {
    fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        if let Some(name) = &self.name {
            body.insert("name".to_owned(), name.as_str().into());
        }
        for (name, value) in [
            ("allow_registration", self.allow_registration),
            ("allow_mock_runs", self.allow_mock_runs),
        ] {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.into());
            }
        }
        body
    }
}
