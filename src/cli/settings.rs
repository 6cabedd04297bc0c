//! `poundlock settings`: what the owner has set.

use clap::Args;
use serde_json::{Map, Value};

use super::failure::Failure;
use super::{Session, print};

#[derive(Debug, Args)]
pub(super) struct Arguments {
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

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let mut change = Map::new();
    if let Some(name) = &arguments.name {
        change.insert("name".to_owned(), name.as_str().into());
    }
    for (name, value) in [
        ("allow_registration", arguments.allow_registration),
        ("allow_mock_runs", arguments.allow_mock_runs),
    ] {
        if let Some(value) = value {
            change.insert(name.to_owned(), value.into());
        }
    }
    let settings = if change.is_empty() {
        session.client.get("/settings")?
    } else {
        session.client.patch("/settings", &Value::Object(change))?
    };
    session.out.show(&settings, |settings| {
        let names = ["name", "allow_registration", "allow_mock_runs"];
        print::facts(&names.map(|name| (name, print::field(settings, name))))
    })
}
