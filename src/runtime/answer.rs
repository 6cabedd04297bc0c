//! Asks one of the node's own Python programs a question, inside the sandbox.

use std::fs;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use super::RunError;
use super::cancel::Cancel;
use super::config::SandboxConfig;
use super::frame::{Frame, parse};
use super::job::Limits;
use super::launch::launch;
use super::layout::Layout;
use super::protocol::{Program, Spec};
use crate::domain::release::OutputFormat;

/// How much of what the program printed is repeated when it fails.
const SAID_MAX: usize = 2_000;

/// One question.
pub(crate) struct Question<'a> {
    pub layout: &'a Layout,
    pub sandbox: &'a SandboxConfig,
    pub program: Program,
    pub job: serde_json::Value,
    pub inputs: Vec<PathBuf>,
    pub limits: Limits,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    /// The sandbox could not be made.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The program failed, or was stopped.
    #[error("the interpreter failed: {0}")]
    Failed(String),
}

impl Question<'_> {
    /// The sandbox to ask it in.
    pub(crate) fn spec(&self) -> Result<Spec, AnswerError> {
        let canonical = |path: &PathBuf| {
            fs::canonicalize(path).map_err(|source| RunError::Io {
                what: path.display().to_string(),
                source,
            })
        };
        Ok(Spec {
            layout: self.layout.clone(),
            user: self.sandbox.user,
            limits: self.limits,
            inputs: self.inputs.iter().map(canonical).collect::<Result<_, _>>()?,
            program: self.program,
            job: self.job.to_string(),
        })
    }

    /// Asks it.
    pub(crate) fn ask<T: DeserializeOwned>(&self) -> Result<T, AnswerError> {
        let cancel = Cancel::new().map_err(|source| RunError::Io {
            what: "eventfd".to_owned(),
            source,
        })?;
        let mut said = Vec::new();
        let ran = launch(&self.sandbox.launcher, &self.spec()?, &mut said, &cancel)?;
        let answer = match parse(&ran.output) {
            Ok(Frame::Value(OutputFormat::Json, payload)) if ran.ended.code == Some(0) => {
                serde_json::from_slice(payload).map_err(|error| error.to_string())
            }
            _ => Err(match (ran.ended.timed_out, ran.ended.signal, ran.ended.code) {
                (true, ..) => "it took too long".to_owned(),
                (_, Some(signal), _) => format!("it was killed by signal {signal}"),
                (.., code) => format!("it gave no answer (exit code {})", code.unwrap_or_default()),
            }),
        };
        answer.map_err(|why| {
            let said = String::from_utf8_lossy(&said);
            let from = said
                .char_indices()
                .rev()
                .nth(SAID_MAX)
                .map_or(0, |(index, _)| index);
            AnswerError::Failed(format!("{why}; {}", said[from..].trim()))
        })
    }
}
