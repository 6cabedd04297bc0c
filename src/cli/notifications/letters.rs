//! Messages that were given up.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::failure::Failure;
use crate::cli::{Session, print};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Verb {
    /// List them, newest first
    List {
        /// The whole list, not its first page
        #[arg(long)]
        all: bool,
    },
    /// Have them tried again
    Requeue(Which),
    /// Remove one for good
    Remove {
        /// Its number
        id: u64,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct Which {
    /// Its number
    id: Option<u64>,
    /// All that there are
    #[arg(long)]
    all: bool,
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::List { all } => {
            let letters = client.list("/notifications/dead-letters", *all)?;
            session.out.show(&letters, |letters| {
                let columns = [
                    ("ID", "id"),
                    ("EVENT", "event"),
                    ("CHANNEL", "channel"),
                    ("TO", "email"),
                    ("ATTEMPTS", "attempts"),
                    ("GIVEN UP AT", "died_at"),
                    ("BECAUSE", "error"),
                ];
                print::listing(letters, &columns)
            })
        }
        Verb::Requeue(Which { id: Some(id), .. }) => {
            let path = format!("/notifications/dead-letters/{id}/requeue");
            session.out.show(&client.post(&path, &json!({}))?, |_| {
                "it is tried again".to_owned()
            })
        }
        Verb::Requeue(_) => {
            let answer = client.post("/notifications/dead-letters/requeue", &json!({}))?;
            session.out.show(&answer, |answer| {
                format!("{} are tried again", print::field(answer, "requeued"))
            })
        }
        Verb::Remove { id } => {
            let path = format!("/notifications/dead-letters/{id}");
            session.out.show(&client.delete(&path)?, |_| "removed".to_owned())
        }
    }
}
