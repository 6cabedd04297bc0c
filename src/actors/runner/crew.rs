//! What carries out one run on a thread of its own: fetches the inputs, runs the code in the sandbox, keeps what it left.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use crate::actors::StoreHandle;
use crate::acts::runs::{self, Ended, Input, Plan};
use crate::domain::hash::Hash;
use crate::domain::id::JobId;
use crate::domain::job::{Product, State, Used};
use crate::domain::release::OutputFormat;
use crate::runtime::{Argument, Cancel, FailureReport, Job, Limits, NotReady, Outcome, RunError, Runtime};
use crate::store::attachments::{Attachments, Role};
use crate::store::blobs::Blobs;

/// Carries out runs. Shared by the threads that do.
#[derive(Debug)]
pub struct Crew {
    store: StoreHandle,
    blobs: Arc<Blobs>,
    attachments: Option<Arc<Attachments>>,
    runtime: Arc<Runtime>,
    folder: PathBuf,
    limits: Limits,
    /// The node stops: what is cancelled from now on was not a person's doing.
    interrupting: AtomicBool,
}

/// What a run leaves in its folder.
const LOG: &str = "log";
const RESULT: &str = "result";
const WORK: &str = "work";

impl Crew {
    /// Runs code with `runtime`, within `limits` each. `folder` holds what runs need while they last.
    pub fn new(
        store: StoreHandle,
        blobs: Arc<Blobs>,
        attachments: Option<Arc<Attachments>>,
        runtime: Arc<Runtime>,
        folder: PathBuf,
        limits: Limits,
    ) -> Self {
        Self {
            store,
            blobs,
            attachments,
            runtime,
            folder,
            limits,
            interrupting: AtomicBool::new(false),
        }
    }

    pub(super) fn store(&self) -> &StoreHandle {
        &self.store
    }

    pub(super) fn readiness(&self) -> Result<(), NotReady> {
        self.runtime.readiness()
    }

    pub(super) fn interrupt(&self) {
        self.interrupting.store(true, Ordering::Release);
    }

    /// Puts in order what an earlier process left: runs that were under way become interrupted, and what they had written
    /// goes; what was released of a cancelled run can travel.
    pub(super) fn tidy(&self) -> anyhow::Result<()> {
        self.store.act_blocking(runs::tell_of_all_released)?;
        // What they left goes first: once they are over, no later start would find them.
        for id in self.store.read_blocking(runs::under_way)? {
            tracing::warn!(run = %id, "a run was under way when the node stopped; it is interrupted");
            self.forget(id)?;
        }
        self.store.act_blocking(runs::interrupted)?;
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Removes what a run has left, of which no record tells.
    fn forget(&self, id: JobId) -> anyhow::Result<()> {
        for role in [Role::Result, Role::Log, Role::Failure] {
            if let Some(attachments) = &self.attachments {
                attachments.remove(id.0, role)?;
            }
        }
        Ok(())
    }

    /// Takes up a run, carries it out and writes how it ended. Does nothing if it may not begin any more.
    ///
    /// What the node itself could not do is not told as a failure of the code: the run is interrupted, and its log says why.
    ///
    /// # Errors
    /// The node was at fault, and would be so with the next run.
    pub(super) fn run(&self, id: JobId, cancel: &Cancel) -> anyhow::Result<()> {
        let Some(plan) = self
            .store
            .act_in_turn(move |tx, here| runs::begin(tx, here, id))?
        else {
            return Ok(());
        };
        let mut fault = None;
        tracing::info!(run = %id, data = ?plan.run.data, "a run begins");
        let folder = self.folder.join(id.to_string());
        let ended = self
            .carry_out(id, &plan, &folder, cancel)
            .unwrap_or_else(|error| {
                let ended = self.not_carried_out(id, &error);
                fault = Some(error);
                ended
            });
        if let Err(error) = fs::remove_dir_all(&folder) {
            tracing::warn!(%error, run = %id, "what a run needed stays until the next start");
        }
        let state = ended.state;
        self.store
            .act_in_turn(move |tx, here| runs::finish(tx, here, id, ended))?;
        tracing::info!(run = %id, state = state.word(), "a run is over");
        match fault {
            // Something about this one run, and no other.
            Some(error) if matches!(error.downcast_ref(), Some(RunError::Job(_))) => Ok(()),
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// How a run ends that the node could not carry out. Whoever started it reads in its log why.
    fn not_carried_out(&self, id: JobId, error: &anyhow::Error) -> Ended {
        tracing::error!(?error, run = %id, "a run could not be carried out");
        let mut ended = Ended::empty(State::Interrupted);
        let said = format!("The node could not carry this run out; the code is not at fault.\n{error:#}\n");
        let kept = self
            .forget(id)
            .and_then(|()| self.keep(id, Role::Log, OutputFormat::Text, said.as_bytes()));
        match kept {
            Ok(log) => ended.log = log,
            Err(error) => tracing::error!(?error, run = %id, "why a run was interrupted could not be kept"),
        }
        ended
    }

    fn carry_out(&self, id: JobId, plan: &Plan, folder: &Path, cancel: &Cancel) -> anyhow::Result<Ended> {
        let work = folder.join(WORK);
        DirBuilder::new().recursive(true).mode(0o700).create(&work)?;
        let job = Job {
            source: plan.source.clone(),
            entry_point: plan.entry_point.clone(),
            arguments: self.arguments(&plan.inputs)?,
            limits: self.limits,
            folder: work,
            log_path: folder.join(LOG),
            result_path: folder.join(RESULT),
        };
        let run = self.runtime.run(&job, cancel)?;
        let mut ended = Ended::empty(State::Failed);
        ended.used = Some(Used {
            cpu_milliseconds: u64::try_from(run.used.cpu.as_millis()).unwrap_or(u64::MAX),
            peak_memory: run.used.peak_memory,
        });
        match run.outcome {
            Outcome::Succeeded(file) => {
                let kept = self.keep(id, Role::Result, file.format, File::open(&file.path)?)?;
                anyhow::ensure!(
                    kept.as_ref().is_some_and(|kept| kept.hash == file.hash),
                    "the result changed while it was kept"
                );
                (ended.state, ended.result) = (State::Succeeded, kept);
            }
            Outcome::Failed(report) => ended.failure_report = self.keep_report(id, &report)?,
            Outcome::TimedOut => ended.state = State::TimedOut,
            Outcome::Cancelled if self.interrupting.load(Ordering::Acquire) => {
                ended.state = State::Interrupted
            }
            Outcome::Cancelled => ended.state = State::Cancelled,
        }
        ended.log = self.keep(id, Role::Log, OutputFormat::Text, File::open(&job.log_path)?)?;
        Ok(ended)
    }

    fn arguments(&self, inputs: &[(String, Input)]) -> anyhow::Result<Vec<(String, Argument)>> {
        let mut arguments = Vec::with_capacity(inputs.len());
        for (name, input) in inputs {
            let argument = match input {
                Input::Constant(value) => Argument::Constant(value.clone()),
                Input::Mock(hash, format) => {
                    anyhow::ensure!(self.blobs.contains(hash)?, "the mock for {name} is not here");
                    Argument::Asset {
                        path: self.blobs.path(hash),
                        format: *format,
                    }
                }
                Input::Private(asset, format) => {
                    let attachments = self
                        .attachments
                        .as_ref()
                        .context("this node holds no private data")?;
                    let file = attachments.open_private(asset.0, Role::Data)?;
                    Argument::Asset {
                        path: file.path().to_path_buf(),
                        format: *format,
                    }
                }
            };
            arguments.push((name.clone(), argument));
        }
        Ok(arguments)
    }

    fn keep_report(&self, id: JobId, report: &FailureReport) -> anyhow::Result<Option<Product>> {
        let bytes = serde_json::to_vec_pretty(report)?;
        self.keep(id, Role::Failure, OutputFormat::Json, bytes.as_slice())
    }

    /// Keeps what a run left behind: as an attachment where private data is held, else, since only mocks have been seen, as
    /// a blob. Nothing is kept of nothing, but for a result.
    fn keep(
        &self,
        id: JobId,
        role: Role,
        format: OutputFormat,
        bytes: impl Read,
    ) -> anyhow::Result<Option<Product>> {
        let mut reader = Hashing::new(bytes);
        match &self.attachments {
            Some(attachments) => attachments.put(id.0, role, &mut reader, u64::MAX)?,
            None => drop(self.blobs.put(&mut reader, u64::MAX)?),
        }
        let (hash, length) = reader.finish();
        if length == 0 && role != Role::Result {
            return Ok(None);
        }
        Ok(Some(Product { format, length, hash }))
    }
}

/// Hashes and counts what is read through it.
struct Hashing<R> {
    inner: R,
    hasher: blake3::Hasher,
    length: u64,
}

impl<R> Hashing<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            hasher: blake3::Hasher::new(),
            length: 0,
        }
    }

    fn finish(self) -> (Hash, u64) {
        (Hash(*self.hasher.finalize().as_bytes()), self.length)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        self.length += u64::try_from(count).unwrap_or(u64::MAX);
        Ok(count)
    }
}
