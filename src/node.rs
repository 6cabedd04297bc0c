//! A node while it runs: what handlers and actors share, how it starts and how it stops.

pub mod backup;
pub mod chain;
pub mod check;
mod config;
pub mod make;
pub mod recover;
pub mod restore;
mod stopped;

use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix::{Addr, Supervisor};

use crate::actors::StoreHandle;
use crate::actors::notifier::{self, Means, Notifier};
use crate::actors::runner::{self, Crew, Places, Runner};
use crate::actors::store::Clock;
use crate::actors::syncer::{KEYS_MISSING, Syncer};
use crate::actors::triage::Triage;
use crate::clock;
use crate::domain::notification::mail_settings::Configured;
use crate::domain::settings;
use crate::domain::side::{NoBundles, Side};
use crate::runtime::Runtime;
use crate::store::attachments::Attachments;
use crate::store::blobs::Blobs;
use crate::store::engine::{Engine, EngineError};
use crate::store::migration::{MigrateError, migrate};
use crate::store::migrations::MIGRATIONS;
use crate::store::node_folder::{NodeFolder, NodeFolderError, PrivateData};
use crate::store::placement::{PlacementError, Placements};
use crate::store::read::{Read, View};
use crate::store::records::RecordError;
use crate::store::secrets::{SecretError, Secrets};
use crate::store::sled_engine::SledEngine;
use crate::store::tables::NODE;
use crate::store::whole_file::OpenFolderError;
use crate::store::writer::{Writer, WriterLimits};

pub use config::{Config, ConfigError, Notifications, Python, Runtime as RuntimeSettings, Server, Smtp, Tls};

/// The folders in the spool: of runs under way, and of deposits that are being checked.
const RUNS: &str = "runs";
const DEPOSITS: &str = "deposits";
/// Notes of files that are put in place with one commit.
const PLACEMENTS: &str = "placements";

/// What everything in a running node shares. Clones are one: they hold the same addresses, so that mailboxes stay
/// bounded.
#[derive(Clone, Debug)]
pub struct Node {
    parts: Arc<Parts>,
}

/// What a [`Node`] gives access to.
#[derive(Debug)]
pub struct Parts {
    /// Reads and writes the store.
    pub store: StoreHandle,
    /// Owns a request's life.
    pub triage: Addr<Triage>,
    /// Owns the queue of runs.
    pub runner: Addr<Runner>,
    /// Owns the outbox.
    pub notifier: Addr<Notifier>,
    /// Seals the secrets that the store keeps.
    pub secrets: Arc<Secrets>,
    /// What the environment and the configuration file say about mail.
    pub configured: Arc<Configured>,
    /// Open bytes.
    pub blobs: Arc<Blobs>,
    /// Private bytes; none on a low node.
    pub attachments: Option<Arc<Attachments>>,
    /// Puts many files in place with one commit.
    pub placements: Arc<Placements>,
    /// Runs code.
    pub runtime: Arc<Runtime>,
    /// The node's folder.
    pub folder: NodeFolder,
    /// Where deposits lie while they are checked; emptied when the node starts.
    pub deposits: PathBuf,
    /// What the administrator of the machine has configured.
    pub config: Config,
    /// Writes bundles and takes them in; none on a solo node.
    pub syncer: Option<Addr<Syncer>>,
    /// The node's side, as the store has it.
    pub side: Side,
}

impl Deref for Node {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// A node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder is not a node's, or others can get at it.
    #[error(transparent)]
    Folder(#[from] NodeFolderError),
    /// The store cannot be opened.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store cannot be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The files beside the store cannot be used.
    #[error(transparent)]
    Files(#[from] OpenFolderError),
    /// What a crash left in place cannot be taken back.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// The store holds no node, or cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The configuration of mail cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key that seals secrets cannot be used.
    #[error(transparent)]
    Secrets(#[from] SecretError),
    /// The configuration and the store do not agree.
    #[error("poundlock.toml says that this is a {} node, and its store that it is a {} one", configured.word(), stored.word())]
    OtherSide {
        /// What the configuration says.
        configured: Side,
        /// What the store says.
        stored: Side,
    },
    /// The system gives no thread, or a file cannot be read.
    #[error("the node cannot start")]
    Io(#[from] io::Error),
}

/// A node whose files are open and checked, and that does nothing yet.
#[derive(Debug)]
pub struct Opened {
    folder: NodeFolder,
    config: Config,
    engine: Arc<dyn Engine>,
    blobs: Arc<Blobs>,
    attachments: Option<Arc<Attachments>>,
    placements: Arc<Placements>,
    runtime: Arc<Runtime>,
    secrets: Arc<Secrets>,
    configured: Arc<Configured>,
    node: settings::Node,
}

/// Opens a node's folder, brings its store up to date, and probes the sandbox. Blocks for a few seconds.
///
/// # Errors
/// Says what is wrong with the folder, and the mend.
pub fn open(root: &Path, config: Config) -> Result<Opened, StartError> {
    let folder = NodeFolder::open(root, private_data(config.side))?;
    let engine: Arc<dyn Engine> = Arc::new(SledEngine::open(&folder.store())?);
    migrate(&engine, MIGRATIONS)?;
    if config.side.level().is_ok() && !folder.identity().try_exists()? {
        tracing::error!("{KEYS_MISSING}");
    }
    let view = View::new(engine.view()?);
    let node = view
        .get(&NODE, &())
        .map_err(RecordError::from)?
        .ok_or(RecordError::NoNode)?;
    if node.side != config.side {
        return Err(StartError::OtherSide {
            configured: config.side,
            stored: node.side,
        });
    }
    let blobs = Arc::new(Blobs::open(&folder.blobs())?);
    let attachments = folder
        .private()
        .map(|private| Attachments::open(&private).map(Arc::new))
        .transpose()?;
    let notes = folder.spool().join(PLACEMENTS);
    let placements = Arc::new(Placements::open(&notes, &blobs, attachments.as_deref(), &view)?);
    let secrets = Arc::new(Secrets::open(&folder)?);
    let configured = config.notifications.configured(&secrets, &config.server)?;
    let python = config.python(std::env::var_os("PATH").as_deref());
    let runtime = Arc::new(Runtime::probe(python, config.sandbox(folder.root())));
    Ok(Opened {
        folder,
        config,
        engine,
        blobs,
        attachments,
        placements,
        runtime,
        secrets,
        configured: Arc::new(configured),
        node,
    })
}

/// Whether a node of a side has the folder for private data.
pub fn private_data(side: Side) -> PrivateData {
    if side.holds_private_data() {
        PrivateData::Held
    } else {
        PrivateData::NotHeld
    }
}

impl Opened {
    /// Starts the actors, on the arbiter of the caller.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(self) -> Result<Running, StartError> {
        self.start_with(clock::now)
    }

    /// As [`Self::start`], by another clock.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(self, clock: Clock) -> Result<Running, StartError> {
        let writer = Writer::start(self.engine, WriterLimits::default())?;
        let store = StoreHandle::start(writer, clock);
        let syncer = match self.node.side.level() {
            Ok(level) => {
                let (blobs, folder) = (self.blobs.clone(), self.folder.clone());
                Some(Syncer::new(store.clone(), blobs, folder, level)?)
            }
            Err(NoBundles) => None,
        };
        let deposits = self.folder.spool().join(DEPOSITS);
        for left in [&deposits, &self.folder.snapshots(), &self.folder.copies()] {
            match std::fs::remove_dir_all(left) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        let notifier = Notifier::start(Means {
            store: store.clone(),
            secrets: Arc::clone(&self.secrets),
            configured: Arc::clone(&self.configured),
            folder: self.folder.clone(),
            retry: self.config.notifications.retry(),
            connections: usize::from(self.config.notifications.connections),
        })?;
        let notifier = Supervisor::start(move |_| notifier);
        let triage = Triage::new(
            store.clone(),
            Arc::clone(&self.runtime),
            Arc::clone(&self.blobs),
            self.attachments.clone(),
            deposits.clone(),
            self.config.runtime.limits.output_bytes,
        );
        let crew = Crew::new(
            store.clone(),
            Arc::clone(&self.blobs),
            self.attachments.clone(),
            Arc::clone(&self.runtime),
            self.folder.spool().join(RUNS),
            self.config.runtime.limits,
        );
        let at_once = self.config.runtime.jobs_at_once;
        let places = if self.node.side.holds_private_data() && self.node.side.takes_scientists() {
            Places::Apart(at_once)
        } else {
            Places::Shared(at_once)
        };
        let runner = Runner::new(crew, places);
        let parts = Parts {
            syncer: syncer.map(|syncer| Supervisor::start(move |_| syncer)),
            store,
            triage: Supervisor::start(move |_| triage),
            runner: Supervisor::start(move |_| runner),
            notifier,
            secrets: self.secrets,
            configured: self.configured,
            deposits,
            blobs: self.blobs,
            attachments: self.attachments,
            placements: self.placements,
            runtime: self.runtime,
            folder: self.folder,
            config: self.config,
            side: self.node.side,
        };
        Ok(Running {
            node: Node {
                parts: Arc::new(parts),
            },
        })
    }
}

/// A node whose actors run.
#[derive(Debug)]
pub struct Running {
    node: Node,
}

impl Running {
    /// What handlers share.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Finishes what is under way and stops the actors. What still runs after the configured grace is stopped and marked as
    /// interrupted.
    pub async fn stop(self) {
        let grace = self.node.config.server.grace();
        if let Err(error) = self.node.runner.send(runner::Stop { grace }).await {
            tracing::error!(%error, "the runner did not stop");
        }
        if let Err(error) = self.node.notifier.send(notifier::Stop).await {
            tracing::error!(%error, "the notifier did not stop");
        }
        let store = self.node.store.clone();
        let closed = actix_web::rt::task::spawn_blocking(move || store.close_blocking()).await;
        if let Err(error) = closed {
            tracing::error!(%error, "the store did not close");
        }
    }
}

/// Opens and starts a node: [`open`], then [`Opened::start`].
///
/// # Errors
/// As both.
pub async fn start(root: &Path, config: Config) -> Result<Running, StartError> {
    let root = root.to_path_buf();
    let opened = actix_web::rt::task::spawn_blocking(move || open(&root, config))
        .await
        .map_err(io::Error::other)??;
    opened.start()
}
