//! Checking the audit chain of a node that does not run: its own folder, or a copy of it on another machine.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::room_for_a_copy;
use crate::store::audit::{self, Verified, VerifyError};
use crate::store::engine::{Engine, EngineError};
use crate::store::node_folder::NodeFolder;
use crate::store::read::{Read, View};
use crate::store::sled_engine::SledEngine;
use crate::store::table::TableError;
use crate::store::tables::NODE;

/// A chain cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// There is no store of a node.
    #[error(
        "there is no node in {}; of a backup, `poundlock check` checks the chain with everything else",
        .0.display()
    )]
    NoNode(PathBuf),
    /// The store cannot be opened; a node that runs holds it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// There is no room to look at the store in a copy.
    #[error("the store cannot be copied to be looked at")]
    Io(#[from] io::Error),
}

/// Walks the whole chain in a folder. The node must not run. The store is looked at in a copy, in the spool or, where
/// there is none, among the system's temporary files, since opening it could change it; and nothing is migrated, so that an older copy
/// can be checked as it is.
///
/// # Errors
/// Outer: there is no store, or it cannot be opened. Inner: where the chain is broken, and why.
pub fn verify(folder: &Path) -> Result<Result<Verified, VerifyError>, ChainError> {
    let store = NodeFolder::store_of(folder);
    if !store.try_exists()? {
        return Err(ChainError::NoNode(folder.to_path_buf()));
    }
    let copies = NodeFolder::copies_of(folder);
    let work = match copies.parent() {
        Some(spool) if spool.is_dir() => room_for_a_copy(&copies)?,
        _ => tempfile::tempdir()?,
    };
    let (engine, _held) = SledEngine::open_copy(&store, &work.path().join("store"))?;
    let engine: Arc<dyn Engine> = Arc::new(engine);
    let view = View::new(engine.view()?);
    if !view.contains(&NODE, &())? {
        return Err(ChainError::NoNode(folder.to_path_buf()));
    }
    Ok(audit::verify(&view))
}
