//! Looking at a node that does not run: whether all that it keeps is whole and fits together.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::backup::BackupError;
use super::{Config, private_data};
use crate::actors::syncer::KEYS_MISSING;
use crate::store::attachments::Attachments;
use crate::store::blobs::Blobs;
use crate::store::check::{self, Files, Findings};
use crate::store::engine::{Engine, EngineError};
use crate::store::migration::migrate;
use crate::store::migrations::MIGRATIONS;
use crate::store::node_folder::NodeFolder;
use crate::store::read::View;
use crate::store::sled_engine::SledEngine;
use crate::store::whole_file::OpenFolderError;

/// Looks at everything in a node's folder. The store is looked at in a copy, in the spool, since opening a damaged one can change
/// it; of the rest only unfinished files are swept away, as the node's start would.
///
/// # Errors
/// The node runs, or its folder cannot be used. What is wrong in it is a finding.
pub fn check(root: &Path, config: &Config) -> Result<Findings, BackupError> {
    let folder = NodeFolder::open(root, private_data(config.side))?;
    let work = room_for_a_copy(&folder.copies()).map_err(|source| BackupError::Io {
        path: folder.copies(),
        source,
    })?;
    let looked = || -> Result<Findings, BackupError> {
        let (engine, _held) = SledEngine::open_copy(&folder.store(), &work.path().join("store"))?;
        let engine: Arc<dyn Engine> = Arc::new(engine);
        migrate(&engine, MIGRATIONS)?;
        let view = View::new(engine.view()?);
        let mut findings = everything(&view, &folder.blobs(), folder.private().as_deref())?;
        if config.side.level().is_ok() && matches!(folder.identity().try_exists(), Ok(false)) {
            findings.wrong(KEYS_MISSING);
        }
        Ok(findings)
    };
    match looked() {
        // The store itself cannot be opened or brought up to date.
        Err(
            damaged @ (BackupError::Engine(EngineError::Damaged { .. } | EngineError::DamagedValue { .. })
            | BackupError::Migrate(_)),
        ) => {
            let mut findings = Findings::default();
            findings.wrong(damaged);
            Ok(findings)
        }
        looked => looked,
    }
}

/// Where a copy of the store can be looked at, in a folder that is made if need be.
pub(super) fn room_for_a_copy(folder: &Path) -> io::Result<TempDir> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    tempfile::tempdir_in(folder)
}

/// Looks at a store and at the files beside it.
///
/// # Errors
/// The folders of the files cannot be used; those of a node that runs are held by it.
pub(super) fn everything(
    view: &View,
    blobs: &Path,
    private: Option<&Path>,
) -> Result<Findings, OpenFolderError> {
    let blobs = Blobs::open(blobs)?;
    let attachments = private.map(Attachments::open).transpose()?;
    let files = Files {
        blobs: &blobs,
        attachments: attachments.as_ref(),
    };
    Ok(check::check(view, Some(files)))
}
