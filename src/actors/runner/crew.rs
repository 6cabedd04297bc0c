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
use crate::domain::job::{Data, Product, State, Used};
use crate::domain::release::OutputFormat;
use crate::runtime::{Argument, Cancel, FailureReport, Job, Limits, NotReady, Outcome, RunError, Runtime};
use crate::store::attachments::{AttachmentError, Attachments, Role};
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

/// What came of taking up a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TakenUp {
    /// It was carried out, whatever the code did.
    CarriedOut,
    /// There was nothing to run any more, or something about this very run stood in the way: the next may go better or worse.
    NothingLearnt,
    /// The store could not note that it begins, so it waits as before.
    NotBegun,
    /// It had begun, and the node was at fault: so it would be with the next one.
    Fault,
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
    /// What the node itself could not do is not told as a failure of the code: the run is interrupted, and its log says so.
    pub(super) fn run(&self, id: JobId, cancel: &Cancel) -> TakenUp {
        let plan = match self.store.act_in_turn(move |tx, here| runs::begin(tx, here, id)) {
            Ok(Some(plan)) => plan,
            Ok(None) => return TakenUp::NothingLearnt,
            Err(error) => {
                tracing::error!(?error, run = %id, "a run cannot begin yet");
                return TakenUp::NotBegun;
            }
        };
        tracing::info!(run = %id, data = ?plan.run.data, "a run begins");
        let folder = self.folder.join(id.to_string());
        let (ended, came_of_it) = match self.carry_out(id, &plan, &folder, cancel) {
            Ok(ended) => (ended, TakenUp::CarriedOut),
            Err(error) => {
                // Something about this one run says nothing of any other.
                let came_of_it = match error.downcast_ref() {
                    Some(RunError::Job(_)) => TakenUp::NothingLearnt,
                    _ => TakenUp::Fault,
                };
                (self.not_carried_out(id, plan.run.data, &error), came_of_it)
            }
        };
        if let Err(error) = fs::remove_dir_all(&folder) {
            tracing::warn!(%error, run = %id, "what a run needed stays until the next start");
        }
        let state = ended.state;
        let finished = self
            .store
            .act_in_turn(move |tx, here| runs::finish(tx, here, id, ended));
        if let Err(error) = finished {
            tracing::error!(?error, run = %id, "how a run ended could not be written; the next start marks it as interrupted");
            return TakenUp::Fault;
        }
        tracing::info!(run = %id, state = state.word(), "a run is over");
        came_of_it
    }

    /// How a run ends that the node could not carry out. Who started it reads in its log why; scientists start runs on mocks, and
    /// what the system answered about which file is not for them.
    fn not_carried_out(&self, id: JobId, data: Data, error: &anyhow::Error) -> Ended {
        tracing::error!(?error, run = %id, "a run could not be carried out");
        let mut ended = Ended::empty(State::Interrupted);
        let why = match data {
            Data::Mock => format!(
                "Run it again; if that ends the same way, ask those who run the node: its own log says why, under {id}."
            ),
            Data::Private => format!("{error:#}"),
        };
        let said = format!("The node could not carry this run out; the code is not at fault.\n{why}\n");
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
                    if !self.blobs.contains(hash)? {
                        return Err(missing(name, "mock").into());
                    }
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
                    let file = match attachments.open_private(asset.0, Role::Data) {
                        Err(AttachmentError::Missing { .. }) => {
                            return Err(missing(name, "private data").into());
                        }
                        opened => opened?,
                    };
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

/// An input of this one run is not here, whatever becomes of others.
fn missing(parameter: &str, what: &str) -> RunError {
    RunError::Job(format!("the {what} for {parameter} is not here"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acts::scene::{ASSET, Scene, owner};
    use crate::clock;
    use crate::domain::decision::Verdict;
    use crate::domain::id::RequestId;
    use crate::domain::policy::OutputPolicy;
    use crate::domain::side::Side;
    use crate::runtime::{PythonConfig, SandboxConfig};
    use uuid::Uuid;

    const LAUNCHER: &str = "/nowhere/launcher";

    /// The crew of a high node that cannot sandbox, with an approved request.
    fn crew(scene: &Scene, folder: &Path) -> (Crew, RequestId) {
        let request = scene.request(50, scene.code(40, OutputPolicy::ExecuteCount(9)));
        scene.decide(owner(), request, Verdict::Approve).unwrap();
        let sandbox = SandboxConfig {
            launcher: LAUNCHER.into(),
            ..SandboxConfig::new(folder)
        };
        let crew = Crew::new(
            StoreHandle::start(scene.writer.clone(), clock::now),
            Arc::new(Blobs::open(&folder.join("blobs")).unwrap()),
            Some(Arc::new(Attachments::open(&folder.join("private")).unwrap())),
            Arc::new(Runtime::probe(PythonConfig::new("/nowhere/python3"), sandbox)),
            folder.join("runs"),
            Limits::default(),
        );
        (crew, request)
    }

    fn queued(scene: &Scene, id: u128, request: RequestId, data: Data) -> JobId {
        let job = JobId(Uuid::from_u128(id));
        let wanted = runs::Wanted::Request(request, data);
        scene
            .act(move |tx, here| runs::queue(tx, &owner(), here, job, wanted))
            .unwrap();
        job
    }

    #[actix_web::test]
    async fn what_stands_in_the_way_of_one_run_is_told_from_what_is_wrong_with_the_node() {
        let (scene, folder) = (Scene::new(Side::High), tempfile::tempdir().unwrap());
        let (crew, request) = crew(&scene, folder.path());
        let come_of = |job| crew.run(job, &Cancel::new().unwrap());
        for (id, data) in [(80, Data::Private), (81, Data::Mock)] {
            let inputs_are_missing = queued(&scene, id, request, data);
            assert_eq!(come_of(inputs_are_missing), TakenUp::NothingLearnt);
            assert_eq!(scene.stored_run(inputs_are_missing).state, State::Interrupted);
            assert_eq!(come_of(inputs_are_missing), TakenUp::NothingLearnt, "it is over");
        }
        let private = crew.attachments.as_ref().unwrap();
        private.put(ASSET.0, Role::Data, &b"n\n1\n"[..], 9).unwrap();
        let cannot_sandbox = queued(&scene, 82, request, Data::Private);
        assert_eq!(come_of(cannot_sandbox), TakenUp::Fault);
        assert_eq!(scene.stored_run(cannot_sandbox).state, State::Interrupted);
        let waits = queued(&scene, 83, request, Data::Private);
        crew.store.close_blocking();
        assert_eq!(come_of(waits), TakenUp::NotBegun);
        assert_eq!(scene.stored_run(waits).state, State::Queued);
    }

    #[actix_web::test]
    async fn who_ran_code_on_mocks_reads_nothing_of_the_nodes_own_files() {
        let (scene, folder) = (Scene::new(Side::High), tempfile::tempdir().unwrap());
        let (crew, request) = crew(&scene, folder.path());
        let error = anyhow::Error::from(RunError::Io {
            what: "creating /var/lib/poundlock/runs/log".to_owned(),
            source: io::ErrorKind::StorageFull.into(),
        });
        let said = |id, data| {
            let job = queued(&scene, id, request, data);
            crew.not_carried_out(job, data, &error);
            let private = crew.attachments.as_ref().unwrap();
            let mut log = private.open_private(job.0, Role::Log).unwrap();
            let mut text = String::new();
            log.read_to_string(&mut text).unwrap();
            text
        };
        assert!(said(80, Data::Private).contains("/var/lib/poundlock"));
        let to_scientists = said(81, Data::Mock);
        assert!(to_scientists.contains("the code is not at fault"));
        assert!(!to_scientists.contains('/') && !to_scientists.contains("storage"));
    }
}
