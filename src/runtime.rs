//! Runs code on data inside a sandbox of the kernel's, and hands back a result in a safe format.
//!
//! A run is a tree of two processes of the node's own program and one interpreter. The node starts the program again
//! with the argument `__sandbox` ([`sandbox::enter`]); that process, the monitor, makes the namespaces and watches over
//! the run; it starts the program a third time, which becomes process 1 of the new namespaces, builds the file system,
//! gives up every privilege and executes Python. What the code prints and returns arrives over two pipes and is parsed
//! as hostile input. See `docs/SANDBOX.md`.
//!
//! Everything here blocks; call it on a thread that may. Nothing here knows requests, policies or the store.

mod cancel;
mod config;
mod job;
mod layer;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use cancel::Cancel;
pub use config::{PythonConfig, SandboxConfig};
pub use job::{
    Argument, AssetFormat, ExceptionClass, FailureReport, Job, Limits, Outcome, Phase, Resources, ResultFile,
    ResultFormat, Run, Stop,
};
pub use layer::{Finding, Layer, LayerStatus, Missing, NotReady, Probe, Wanted};

use crate::domain::outline::{Outline, SyntaxProblem};

/// The Python and the packages that code meets, as the high side publishes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Python's version, e.g. `3.11.7`.
    pub python: String,
    /// The version of each installed package, by its name.
    pub packages: BTreeMap<String, String>,
}

/// Why a run did not take place or its outcome cannot be told. None of these is the code's doing.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The node is not able to sandbox.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// A layer could not be set up for this run.
    #[error("the sandbox could not set up its {layer}: {detail}")]
    Setup {
        /// The layer.
        layer: Layer,
        /// What the kernel answered.
        detail: String,
    },
    /// The job itself is wrong.
    #[error("the job cannot be run: {0}")]
    Job(String),
    /// The node's own side failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The sandbox's own processes did not keep to their protocol.
    #[error("the sandbox's monitor ended without a report ({0}); look at the system's log, and try again")]
    Monitor(String),
}

/// Runs code. Made once, when the node starts; shared by threads.
#[derive(Debug)]
pub struct Runtime {
    layers: Vec<LayerStatus>,
    probes: Vec<Probe>,
    environment: Result<Environment, String>,
}

impl Runtime {
    /// Tries every layer, asks the interpreter inside the sandbox for its versions, and makes all probes. Takes a few
    /// seconds. Never fails: what is missing is told by [`Runtime::readiness`], and a runtime that is not ready refuses
    /// every job.
    pub fn probe(_python: PythonConfig, _sandbox: SandboxConfig) -> Self {
        Self {
            layers: Vec::new(),
            probes: Vec::new(),
            environment: Err("not asked".to_owned()),
        }
    }

    /// What code meets, if the interpreter answered.
    pub fn environment(&self) -> Option<&Environment> {
        self.environment.as_ref().ok()
    }

    /// The layers, as they were found when the node started.
    pub fn layers(&self) -> &[LayerStatus] {
        &self.layers
    }

    /// Makes every probe again: real attempts from inside. Takes a few seconds.
    pub fn check(&self) -> Vec<Probe> {
        self.probes.clone()
    }

    /// Whether this node runs code.
    ///
    /// # Errors
    /// Every layer that is missing, every probe that did not come out as it must, and what is wrong with the interpreter.
    pub fn readiness(&self) -> Result<(), NotReady> {
        Err(NotReady { missing: Vec::new() })
    }

    /// Runs a job and waits for its end. The caller's thread blocks for as long as the job's wall-clock limit.
    ///
    /// # Errors
    /// The job did not run, or the node failed around it. A job that ran and failed is an [`Outcome`].
    pub fn run(&self, _job: &Job, _cancel: &Cancel) -> Result<Run, RunError> {
        self.readiness()?;
        Err(RunError::Job("nothing runs".to_owned()))
    }

    /// Parses sources with CPython's own parser, in one sandboxed process, without running anything of them.
    ///
    /// # Errors
    /// The sandbox failed. Source that does not parse, or that crashes the parser, is an answer of its own.
    pub fn outline(&self, _sources: &[String]) -> Result<Vec<Result<Outline, SyntaxProblem>>, RunError> {
        self.readiness()?;
        Ok(Vec::new())
    }
}
