//! `poundlock release` and `download`: what its requester shall have, and what came of it.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::client::part;
use super::deliver::Destination;
use super::failure::Failure;
use super::{Session, print};
use crate::domain::hash::Hash;

/// A part of a run that is released by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Part {
    /// What it returned
    Result,
    /// What it printed
    Log,
    /// Where it failed
    #[value(alias = "failure-report")]
    FailureReport,
}

impl Part {
    /// Its name in the REST contract.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Log => "log",
            Self::FailureReport => "failure_report",
        }
    }
}

impl std::str::FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        <Self as ValueEnum>::from_str(text, false)
    }
}

#[derive(Debug, Args)]
pub(super) struct ReleaseArguments {
    /// The run
    run: String,
    /// Which part of it
    part: Part,
    /// The hash of the very bytes that you reviewed, as `run show` tells it
    #[arg(long)]
    hash: Hash,
}

#[derive(Debug, Args)]
pub(super) struct DownloadArguments {
    /// The release, as `request show` lists it
    release: String,
    #[command(flatten)]
    to: Destination,
}

pub(super) fn release(session: &Session, arguments: &ReleaseArguments) -> Result<(), Failure> {
    let path = format!("/runs/{}/releases", part(&arguments.run));
    let body = json!({"part": arguments.part.word(), "hash": arguments.hash});
    let released = session.client.post(&path, &body)?;
    let status = session.client.get("/setup/status")?;
    let reaches = match status["side"].as_str() {
        Some("solo") => "its requester can fetch it now",
        _ => "the next bundle carries it, unless it is held",
    };
    session.out.show(&released, |released| {
        format!(
            "Released the {}; {reaches}.\n{}",
            print::field(released, "part").replace('_', " "),
            print::facts(
                &["id", "job", "request", "blob", "length", "format"]
                    .map(|name| (name, print::field(released, name)))
            )
        )
    })
}

pub(super) fn download(session: &Session, arguments: &DownloadArguments) -> Result<(), Failure> {
    arguments.to.check(session.out)?;
    let path = format!("/releases/{}/content", part(&arguments.release));
    arguments.to.take(session.out, session.client.bytes(&path)?)
}
