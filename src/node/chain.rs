//! Checking the audit chain of a node that does not run: its own folder, or a copy of it on another machine.

use std::path::Path;
use std::sync::Arc;

use crate::store::audit::{self, Verified, VerifyError};
use crate::store::engine::{Engine, EngineError};
use crate::store::node_folder::NodeFolder;
use crate::store::read::View;
use crate::store::sled_engine::SledEngine;

/// Walks the whole chain in a folder. The node must not run. Nothing is changed or migrated, so that an older copy can be checked as
/// it is.
///
/// # Errors
/// Outer: the store cannot be opened. Inner: where the chain is broken, and why.
pub fn verify(folder: &Path) -> Result<Result<Verified, VerifyError>, EngineError> {
    let engine: Arc<dyn Engine> = Arc::new(SledEngine::open(&NodeFolder::store_of(folder))?);
    let view = View::new(engine.view()?);
    Ok(audit::verify(&view))
}
