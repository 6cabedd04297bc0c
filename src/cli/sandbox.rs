//! `poundlock sandbox check`: whether this machine can run code safely, found out by trying. Needs no node.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::failure::Failure;
use super::{Common, print};
use crate::node::{Config, ConfigError};
use crate::runtime::{PythonConfig, Runtime, SandboxConfig};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Try to break out of the sandbox from inside, in every way that must be blocked
    Check {
        /// The Python interpreter; as the node's configuration says, or the first `python3` of the search path
        #[arg(long, value_name = "FILE")]
        python: Option<PathBuf>,
    },
}

pub(super) fn run(common: &Common, verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Check { python } => check(common, python.as_deref()),
    }
}

fn check(common: &Common, python: Option<&Path>) -> Result<(), Failure> {
    // Where no node is named, an empty folder stands for the private one: the probes must find something to stay out of.
    let empty = tempfile::tempdir().map_err(|error| Failure::file(&std::env::temp_dir(), &error))?;
    let search_path = std::env::var_os("PATH");
    let (mut interpreter, sandbox) = match common.folder() {
        Some(folder) => {
            let folder = folder
                .canonicalize()
                .map_err(|error| Failure::file(&folder, &error))?;
            let config = Config::load(&folder.join("poundlock.toml"), |name| std::env::var(name).ok())
                .map_err(|error: ConfigError| Failure::chain(&error))?;
            (config.python(search_path.as_deref()), config.sandbox(&folder))
        }
        None => {
            let found = search_path.as_deref().and_then(PythonConfig::found_in);
            let found = found.unwrap_or_else(|| PythonConfig::new("/usr/bin/python3"));
            (found, SandboxConfig::new(empty.path()))
        }
    };
    if let Some(python) = python {
        interpreter.interpreter = python.to_path_buf();
    }
    let runtime = Runtime::probe(interpreter, sandbox);
    let probes = runtime.check();
    let holds = probes.iter().all(crate::runtime::Probe::holds);
    let readiness = runtime.readiness();
    let told = json!({
        "ready": readiness.is_ok() && holds, "layers": runtime.layers(), "probes": probes,
        "missing": readiness.as_ref().err().map(|not_ready| &not_ready.missing),
        "environment": runtime.environment(),
    });
    common.out().show(&told, words)?;
    match readiness {
        Ok(()) if holds => Ok(()),
        Ok(()) => Err(Failure::failed(
            "the sandbox does not hold: a node on this machine would run no code",
        )),
        Err(not_ready) => Err(Failure::failed(not_ready.to_string())),
    }
}

fn words(told: &Value) -> String {
    let each = |name: &str| told[name].as_array().cloned().unwrap_or_default();
    let layers: Vec<_> = each("layers")
        .iter()
        .map(|layer| {
            let present = if layer["present"] == true {
                "present"
            } else {
                "MISSING"
            };
            vec![
                present.to_owned(),
                print::field(layer, "layer").replace('_', " "),
                print::field(layer, "detail"),
            ]
        })
        .collect();
    let probes: Vec<_> = each("probes")
        .iter()
        .map(|probe| {
            let (wanted, outcome) = (print::field(probe, "wanted"), print::field(probe, "outcome"));
            let verdict = if wanted == outcome {
                "as it must".to_owned()
            } else {
                format!("must be {wanted}")
            };
            vec![
                outcome,
                print::field(probe, "name"),
                verdict,
                print::field(probe, "detail"),
            ]
        })
        .collect();
    format!(
        "{}\n\n{}",
        print::table(&["LAYER", "NAME", "HOW"], &layers),
        print::table(
            &["OUTCOME", "ATTEMPT", "VERDICT", "WHAT THE KERNEL SAID"],
            &probes
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_that_came_out_wrong_is_told() {
        let told = json!({"layers": [{"layer": "user_namespace", "present": false, "detail": "no"}],
            "probes": [{"name": "open a socket", "wanted": "BLOCKED", "outcome": "ALLOWED", "detail": "d"},
                {"name": "think", "wanted": "ALLOWED", "outcome": "ALLOWED", "detail": "d"}]});
        let text = words(&told);
        assert!(text.contains("MISSING  user namespace"), "{text}");
        assert!(text.contains("ALLOWED  open a socket  must be BLOCKED"), "{text}");
        assert!(text.contains("ALLOWED  think          as it must"), "{text}");
    }
}
