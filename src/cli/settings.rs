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
    /// Who runs the node
    #[arg(long)]
    organization: Option<String>,
    /// What the node is for
    #[arg(long)]
    description: Option<String>,
    /// Whether guests may browse what is visible to everybody
    #[arg(long, value_name = "true|false")]
    allow_guests: Option<bool>,
    /// Whether scientists may register themselves
    #[arg(long, value_name = "true|false")]
    allow_registration: Option<bool>,
    /// Whether scientists may run code on mock data here
    #[arg(long, value_name = "true|false")]
    allow_mock_runs: Option<bool>,
    /// Whether everybody must have a second factor; add your own first
    #[arg(long, value_name = "true|false")]
    require_second_factor: Option<bool>,
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let settings = match verb {
        Verb::Show => session.client.get("/settings")?,
        Verb::Set(change) => session.client.patch("/settings", &Value::Object(change.body()))?,
    };
    session.out.show(&settings, |settings| {
        let details = settings["details"].as_array().into_iter().flatten();
        let rows: Vec<_> = details
            .map(|detail| {
                let key = print::field(detail, "key");
                let changed = &detail["changed"];
                let value = print::of(&settings[key.as_str()]);
                let (by, at) = (print::field(changed, "by_name"), print::field(changed, "at"));
                vec![key, value, by, at]
            })
            .collect();
        print::table(&["SETTING", "VALUE", "CHANGED BY", "AT"], &rows)
    })
}

impl Change {
    fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        for (name, value) in [
            ("name", &self.name),
            ("organization", &self.organization),
            ("description", &self.description),
        ] {
            body.extend(
                value
                    .as_ref()
                    .map(|value| (name.to_owned(), value.as_str().into())),
            );
        }
        for (name, value) in [
            ("allow_registration", self.allow_registration),
            ("allow_guests", self.allow_guests),
            ("allow_mock_runs", self.allow_mock_runs),
            ("require_second_factor", self.require_second_factor),
        ] {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.into());
            }
        }
        body
    }
}
