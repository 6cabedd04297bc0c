//! The store of a node that does not run, opened to act on the node as a whole.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{Config, private_data};
use crate::acts::Refusal;
use crate::clock;
use crate::store::engine::{Engine, EngineError};
use crate::store::migration::{MigrateError, migrate};
use crate::store::migrations::MIGRATIONS;
use crate::store::node_folder::{NodeFolder, NodeFolderError};
use crate::store::records::Here;
use crate::store::sled_engine::SledEngine;
use crate::store::transaction::Tx;
use crate::store::writer::{TransactError, Writer, WriterLimits};

/// A stopped node's store cannot be opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoppedError {
    /// The folder is not a node's, or others can get at it.
    #[error(transparent)]
    Folder(#[from] NodeFolderError),
    /// The store cannot be opened; a node that runs holds it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store cannot be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// What was asked for is refused, or the store cannot be written.
    #[error(transparent)]
    Store(#[from] TransactError<Refusal>),
    /// The system gives no thread.
    #[error("the store cannot be written")]
    Io(#[from] io::Error),
}

impl StoppedError {
    /// Whether a node that runs holds the store.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Engine(EngineError::InUse(_)))
    }
}

/// A stopped node's folder and store, up to date. Nobody can start the node while this lives.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) folder: NodeFolder,
    pub(super) writer: Writer,
}

impl Stopped {
    /// Opens the folder and the store of a node.
    ///
    /// # Errors
    /// The node runs, or its folder or store cannot be used.
    pub(super) fn open(root: &Path, config: &Config) -> Result<Self, StoppedError> {
        Self::of(NodeFolder::open(root, private_data(config.side))?)
    }

    /// As [`Self::open`], of a folder that is open; makes its store where there is none.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn of(folder: NodeFolder) -> Result<Self, StoppedError> {
        let engine: Arc<dyn Engine> = Arc::new(SledEngine::open(&folder.store())?);
        migrate(&engine, MIGRATIONS)?;
        let writer = Writer::start(engine, WriterLimits::default())?;
        Ok(Self { folder, writer })
    }

    /// Acts on the node's store, in one commit.
    ///
    /// # Errors
    /// What the act refuses, and the store cannot be written. Nothing is changed then.
    pub(super) fn act<T, F>(&self, act: F) -> Result<T, StoppedError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>, &Here) -> Result<T, Refusal> + Send + 'static,
    {
        let (now, random) = (clock::now(), clock::random_bytes());
        Ok(self
            .writer
            .transact(move |tx| act(tx, &Here::at(tx, now, random)?))?)
    }
}
