//! The command line as it is offered to somebody who works with one node: for a solo node, help says nothing of bundles.
//! What is left out of help is still understood, and the node says why it refuses it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};

use super::Cli;
use crate::node::Config;

/// The commands for what passes between two nodes.
const BETWEEN_NODES: [&str; 3] = ["pair", "bundle", "review"];
/// Those among the verbs of `dataset`.
const BETWEEN_NODES_OF_DATASETS: [&str; 3] = ["publish", "unpublish", "adopt"];

/// The command line for whoever gave these arguments. `variable` is the value of `POUNDLOCK_NODE`.
pub(super) fn command(arguments: impl Iterator<Item = OsString>, variable: Option<OsString>) -> Command {
    let command = Cli::command();
    let named = named(arguments).or(variable).map(PathBuf::from);
    if named.is_some_and(|folder| is_solo(&folder)) {
        for_a_solo_node(command)
    } else {
        command
    }
}

fn for_a_solo_node(command: Command) -> Command {
    let hidden = |command: Command, names: [&'static str; 3]| {
        let mut command = command;
        for name in names {
            command = command.mut_subcommand(name, |verb| verb.hide(true));
        }
        command
    };
    hidden(command, BETWEEN_NODES)
        .about("Study data that may not leave its vault")
        .mut_subcommand("dataset", |dataset| hidden(dataset, BETWEEN_NODES_OF_DATASETS))
}

/// What `--node` names, before anything is parsed: help is printed while parsing.
fn named(arguments: impl Iterator<Item = OsString>) -> Option<OsString> {
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        if argument == "--node" {
            return arguments.next();
        }
        let text = argument.to_str().unwrap_or_default();
        if let Some(value) = text.strip_prefix("--node=") {
            return Some(OsStr::new(value).to_owned());
        }
    }
    None
}

/// Whether a solo node lives in the folder. What cannot be read is told by the command itself.
fn is_solo(folder: &Path) -> bool {
    let config = Config::load(&folder.join("poundlock.toml"), |_| None);
    config.is_ok_and(|config| config.side.level().is_err())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::side::Side;

    fn help(side: Side, by_variable: bool) -> String {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::new(side).to_toml().unwrap();
        std::fs::write(folder.path().join("poundlock.toml"), config).unwrap();
        let path = folder.path().as_os_str().to_owned();
        let arguments = [OsString::from("poundlock"), "--node".into(), path.clone()];
        let mut command = if by_variable {
            command(std::iter::empty(), Some(path))
        } else {
            command(arguments.into_iter(), None)
        };
        let whole = command.render_help().to_string();
        let datasets = command.find_subcommand_mut("dataset").unwrap().render_help();
        format!("{whole}{datasets}").to_lowercase()
    }

    #[test]
    fn the_help_of_a_solo_node_says_nothing_of_bundles() {
        for by_variable in [true, false] {
            let solo = help(Side::Solo, by_variable);
            for word in ["bundle", "pair", "peer", "gap", "high side", "low", "stick"] {
                assert!(!solo.contains(word), "{word}: {solo}");
            }
            assert!(help(Side::Low, by_variable).contains("bundle"));
        }
    }
}
