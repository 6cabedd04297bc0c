//! `poundlock init`: a new node.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Common;
use super::failure::Failure;
use super::print;
use crate::domain::side;
use crate::node::{Config, make};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Side {
    /// Faces the internet; holds mock data only
    Low,
    /// Holds the private data; connected to nothing
    High,
    /// One node that does both, for data that needs no gap
    Solo,
}

impl From<Side> for side::Side {
    fn from(side: Side) -> Self {
        match side {
            Side::Low => Self::Low,
            Side::High => Self::High,
            Side::Solo => Self::Solo,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder to make the node in; empty or absent
    folder: PathBuf,
    /// Which side of the gap it stands on, or that it needs none
    #[arg(long)]
    side: Side,
    /// How it is called
    #[arg(long)]
    name: String,
    /// The address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<std::net::SocketAddr>,
    /// The Python interpreter that runs code; the first `python3` of the search path where none is named
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
}

pub(super) fn run(common: &Common, arguments: &Arguments) -> Result<(), Failure> {
    super::make_files_private();
    let mut config = Config::new(arguments.side.into());
    if let Some(listen) = arguments.listen {
        config.server.listen = listen;
    }
    if let Some(python) = &arguments.python {
        config.runtime.python.interpreter = Some(executable(python)?);
    }
    let made =
        make::make(&arguments.folder, &arguments.name, &config).map_err(|error| Failure::chain(&error))?;
    let mut told = json!({
        "node": made.node, "side": config.side, "folder": arguments.folder, "setup_token": *made.setup_token,
    });
    if let Some(fingerprint) = &made.fingerprint {
        told["fingerprint"] = fingerprint.to_string().into();
    }
    common.out().show(&told, |told| {
        let folder = arguments.folder.display();
        format!(
            "Made a {} node in {folder}.\n\n{}\n\nThe token sets the node up once, and is kept nowhere. Next, the second \
             in another terminal:\n  poundlock serve {folder}\n  {}",
            config.side.word(),
            print::facts(&[
                ("node", print::field(told, "node")),
                ("fingerprint", print::field(told, "fingerprint")),
                ("one-time token", print::field(told, "setup_token")),
            ]),
            next(&arguments.folder)
        )
    })
}

/// The whole path of a program that is there. A link stays one: an environment's interpreter knows by its name where it belongs.
fn executable(named: &Path) -> Result<PathBuf, Failure> {
    let path = std::path::absolute(named).map_err(|error| Failure::file(named, &error))?;
    let about = std::fs::metadata(&path).map_err(|error| Failure::file(&path, &error))?;
    if about.is_file() && about.permissions().mode() & 0o111 != 0 {
        return Ok(path);
    }
    Err(Failure::usage(format!(
        "{} is no program; name the interpreter itself, such as /usr/bin/python3",
        path.display()
    )))
}

/// How to set the node up once it runs.
pub(super) fn next(folder: &Path) -> String {
    format!(
        "poundlock --node {} setup --owner \"YOUR NAME\" --email YOU@EXAMPLE.ORG",
        folder.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_is_a_program_that_is_there() {
        assert!(executable(Path::new("/bin/sh")).unwrap().is_absolute());
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path| executable(path).unwrap_err().to_string();
        assert!(refused(folder.path()).contains("no program"));
        assert!(refused(&folder.path().join("python3")).contains("python3"));
    }
}
