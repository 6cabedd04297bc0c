//! Runs code on data inside a sandbox of the kernel's, and hands back a result in a safe format.
//!
//! A run is a tree of two processes of the node's own program and one interpreter. The node starts the program again
//! with the argument `__sandbox` ([`sandbox::enter`]); that process, the monitor, makes the namespaces and watches over
//! the run; it starts the program a third time, which becomes process 1 of the new namespaces, builds the file system,
//! gives up every privilege and executes Python. What the code prints and returns arrives over two pipes and is parsed
//! as hostile input. See `docs/SANDBOX.md`.
//!
//! Everything here blocks; call it on a thread that may. Nothing here knows requests, policies or the store.

mod answer;
pub mod archive;
mod cancel;
mod config;
pub mod format;
mod frame;
mod job;
mod kept_log;
mod launch;
mod layer;
mod layout;
mod outcome;
mod outlines;
mod prepare;
mod protocol;
mod readiness;
pub mod sandbox;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;

use serde::{Deserialize, Serialize};

pub use cancel::Cancel;
pub use config::{PythonConfig, SandboxConfig};
pub use job::{
    Argument, ExceptionClass, FailureReport, Job, Limits, Outcome, Phase, Resources, ResultFile, Run, Stop,
};
pub use layer::{Finding, Layer, LayerStatus, Missing, NotReady, Probe, Wanted};

use crate::domain::outline::{Outline, SyntaxProblem};
use layout::Layout;

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
    /// The result could not be kept.
    #[error("the result could not be written: {0}")]
    Result(#[source] Box<format::FormatError>),
    /// The sandbox's own processes did not keep to their protocol.
    #[error("the sandbox's monitor ended without a report ({0}); look at the system's log, and try again")]
    Monitor(String),
}

impl Environment {
    /// Whether a package is installed. Names of packages are compared without regard to case.
    fn has(&self, package: &str) -> bool {
        self.packages
            .keys()
            .any(|name| name.eq_ignore_ascii_case(package))
    }
}

/// Runs code. Made once, when the node starts; shared by threads.
#[derive(Debug)]
pub struct Runtime {
    sandbox: SandboxConfig,
    reader: format::Reader,
    layers: Vec<LayerStatus>,
    /// The interpreter's folders, and what it told of itself; or why it cannot be used.
    python: Result<(Layout, Environment), String>,
    readiness: Result<(), NotReady>,
}

impl Runtime {
    /// Tries every layer, asks the interpreter inside the sandbox for its versions, and makes all probes. Takes a few
    /// seconds. Never fails: what is missing is told by [`Runtime::readiness`], and a runtime that is not ready refuses
    /// every job.
    pub fn probe(python: PythonConfig, sandbox: SandboxConfig) -> Self {
        let layers = readiness::survey(&sandbox);
        let mut missing = readiness::missing_layers(&layers);
        let python = if missing.is_empty() {
            meet(&python, &sandbox)
        } else {
            Err("it was not started, because layers of the sandbox are missing".to_owned())
        };
        match &python {
            Ok((layout, _)) => {
                missing.extend(readiness::missing_probes(&readiness::attempt(layout, &sandbox)))
            }
            Err(reason) => missing.push(Missing {
                what: "the interpreter".to_owned(),
                reason: reason.clone(),
            }),
        }
        let readiness = if missing.is_empty() {
            Ok(())
        } else {
            Err(NotReady { missing })
        };
        Self {
            reader: format::Reader::apart(&sandbox.launcher),
            sandbox,
            layers,
            python,
            readiness,
        }
    }

    /// Reads files of data, also where the node cannot run code.
    pub fn reader(&self) -> &format::Reader {
        &self.reader
    }

    /// What code meets, if the interpreter answered.
    pub fn environment(&self) -> Option<&Environment> {
        self.python.as_ref().ok().map(|(_, environment)| environment)
    }

    /// The layers, as they were found when the node started.
    pub fn layers(&self) -> &[LayerStatus] {
        &self.layers
    }

    /// Makes every probe again: real attempts from inside. Takes a few seconds.
    pub fn check(&self) -> Vec<Probe> {
        match &self.python {
            Ok((layout, _)) => readiness::attempt(layout, &self.sandbox),
            Err(reason) => readiness::not_run(reason),
        }
    }

    /// Whether this node runs code.
    ///
    /// # Errors
    /// Every layer that is missing, every probe that did not come out as it must, and what is wrong with the interpreter.
    pub fn readiness(&self) -> Result<(), NotReady> {
        self.readiness.clone()
    }

    fn ready(&self) -> Result<(&Layout, &Environment), RunError> {
        self.readiness()?;
        match &self.python {
            Ok((layout, environment)) => Ok((layout, environment)),
            // A runtime without an interpreter is not ready, and was refused above.
            Err(reason) => Err(RunError::Job(reason.clone())),
        }
    }

    /// Runs a job and waits for its end. The caller's thread blocks for as long as the job's wall-clock limit.
    ///
    /// # Errors
    /// The job did not run, or the node failed around it. A job that ran and failed is an [`Outcome`].
    pub fn run(&self, job: &Job, cancel: &Cancel) -> Result<Run, RunError> {
        let (layout, environment) = self.ready()?;
        let spec = prepare::spec(job, layout, environment, (&self.sandbox, &self.reader))?;
        let mut log = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&job.log_path)
            .map_err(|source| RunError::Io {
                what: format!("creating {}", job.log_path.display()),
                source,
            })?;
        let ran = launch::launch(&self.sandbox.launcher, &spec, &mut log, cancel)?;
        let outcome = outcome::judge(job, &ran).map_err(|error| RunError::Result(Box::new(error)))?;
        Ok(Run {
            outcome,
            used: ran.used(),
        })
    }

    /// Parses sources with CPython's own parser, in one sandboxed process, without running anything of them.
    ///
    /// # Errors
    /// The sandbox failed. Source that does not parse, or that crashes the parser, is an answer of its own.
    pub fn outline(&self, sources: &[String]) -> Result<Vec<Result<Outline, SyntaxProblem>>, RunError> {
        let (layout, _) = self.ready()?;
        outlines::outline(layout, &self.sandbox, sources)
    }
}

/// Lays out the interpreter's sandbox and asks it for its versions.
fn meet(python: &PythonConfig, sandbox: &SandboxConfig) -> Result<(Layout, Environment), String> {
    #[derive(Deserialize)]
    struct Versions {
        python: String,
        implementation: String,
        packages: BTreeMap<String, String>,
    }
    let layout = layout::layout(python, &sandbox.private_folder).map_err(|error| error.to_string())?;
    let question = answer::Question {
        layout: &layout,
        sandbox,
        program: protocol::Program::Versions,
        job: serde_json::Value::Null,
        inputs: Vec::new(),
        limits: Limits {
            wall_seconds: 60,
            memory_bytes: 1 << 30,
            ..Limits::default()
        },
    };
    let versions: Versions = question.ask().map_err(|error| error.to_string())?;
    if versions.implementation != "CPython" {
        return Err(format!(
            "{} is {}; only CPython is supported",
            python.interpreter.display(),
            versions.implementation
        ));
    }
    Ok((
        layout,
        Environment {
            python: versions.python,
            packages: versions.packages,
        },
    ))
}
