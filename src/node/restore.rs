//! Telling a store that it was put back from a copy: it gets a new epoch, so that nobody takes what it writes from now on
//! for what it wrote before and has forgotten.

use std::io;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::{Config, private_data};
use crate::acts::{Refusal, peers};
use crate::clock;
use crate::domain::id::{Epoch, NodeId};
use crate::domain::peer::Trust;
use crate::store::engine::{Engine, EngineError};
use crate::store::migration::{MigrateError, migrate};
use crate::store::migrations::MIGRATIONS;
use crate::store::node_folder::{NodeFolder, NodeFolderError};
use crate::store::records::{self, Here};
use crate::store::sled_engine::SledEngine;
use crate::store::writer::{TransactError, Writer, WriterLimits};

/// A store in its new epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The node.
    pub node: NodeId,
    /// Its new epoch.
    pub epoch: Epoch,
    /// The names of its paired peers, each of which must be told.
    pub peers: Vec<String>,
}

/// A store cannot be given a new epoch.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The folder is not a node's, or others can get at it.
    #[error(transparent)]
    Folder(#[from] NodeFolderError),
    /// The store cannot be opened; a node that runs holds it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store cannot be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] TransactError<Refusal>),
    /// The system gives no thread.
    #[error("the store cannot be written")]
    Io(#[from] io::Error),
}

/// Gives the store of a stopped node a new epoch, in one commit: all that its peers may have is owed to them again, and they
/// refuse its bundles until a person there has confirmed the epoch. Doing it twice only costs them another confirmation.
///
/// # Errors
/// The node runs, or its folder or store cannot be used. Nothing is changed then.
pub fn restore(root: &Path, config: &Config) -> Result<Restored, RestoreError> {
    let folder = NodeFolder::open(root, private_data(config.side))?;
    let engine: Arc<dyn Engine> = Arc::new(SledEngine::open(&folder.store())?);
    migrate(&engine, MIGRATIONS)?;
    let writer = Writer::start(engine, WriterLimits::default())?;
    let (now, random, epoch) = (clock::now(), clock::random_bytes(), Epoch(Uuid::new_v4()));
    let restored = writer.transact(move |tx| -> Result<Restored, Refusal> {
        let here = peers::begin_epoch(tx, &Here::at(tx, now, random)?, epoch)?;
        let known = records::peers(tx)?;
        let paired = known.into_iter().filter(|(_, peer)| peer.trust == Trust::Paired);
        Ok(Restored {
            node: here.node,
            epoch: here.epoch,
            peers: paired.map(|(_, peer)| peer.name).collect(),
        })
    });
    writer.close();
    Ok(restored?)
}
