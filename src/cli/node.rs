//! `poundlock node`: the node itself.

use clap::Subcommand;

use super::failure::Failure;
use super::{Session, print};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show the node's id, side, fingerprint, and what its code runs on
    Show,
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Show => {
            let node = session.client.get("/node")?;
            session.out.show(&node, |node| {
                let names = ["id", "name", "side", "epoch", "fingerprint"];
                let mut facts = names.map(|name| (name, print::field(node, name))).to_vec();
                facts.push(("python", print::field(&node["runtime"], "python")));
                let packages = node["runtime"]["packages"].as_object().into_iter().flatten();
                let packages: Vec<_> = packages
                    .map(|(name, version)| format!("{} {}", print::plain(name), print::of(version)))
                    .collect();
                facts.push(("packages", packages.join(", ")));
                print::facts(&facts)
            })
        }
    }
}
