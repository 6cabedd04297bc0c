//! Making a node's folder of a backup.

use std::fs::{self, DirBuilder};
use std::io::BufReader;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use super::manifest::{Copied, Manifest};
use super::{BackupError, DUMP, at, copy};
use crate::node::check::everything;
use crate::node::restore::{Restored, begin_epoch};
use crate::node::stopped::Stopped;
use crate::node::{Config, private_data};
use crate::store::check::Findings;
use crate::store::dump;
use crate::store::engine::Engine;
use crate::store::migration::migrate;
use crate::store::migrations::MIGRATIONS;
use crate::store::node_folder::NodeFolder;
use crate::store::read::View;
use crate::store::sled_engine::SledEngine;

/// Makes the node of a backup in `root`, which must be empty or absent: every file is compared with the manifest while it is
/// copied, the store is loaded, and all of it is checked; then it begins a new epoch. The configuration comes last, so that a
/// folder where this was interrupted is no node: nobody can start one that goes on in the epoch of the copy.
///
/// # Errors
/// Says what is wrong with the backup or the folder. What was made of `root` is removed again.
pub fn put_back(backup: &Path, config: &Config, root: &Path) -> Result<Restored, BackupError> {
    let manifest = Manifest::read(backup)?;
    let folder = NodeFolder::create(root, private_data(config.side))?;
    let made = fill(backup, &manifest, &folder);
    if made.is_err()
        && let Err(error) = fs::remove_dir_all(root)
    {
        tracing::warn!(%error, "what was made of the folder stays; it is no node");
    }
    made
}

fn fill(backup: &Path, manifest: &Manifest, folder: &NodeFolder) -> Result<Restored, BackupError> {
    let config = folder.config();
    let config_name = config.file_name().unwrap_or_default().to_string_lossy();
    let (mut findings, mut configuration) = (Findings::default(), None);
    for file in &manifest.files {
        match file.path.as_str() {
            DUMP => {}
            path if path == config_name => configuration = Some(file),
            _ => take(backup, file, &folder.root().join(&file.path), &mut findings)?,
        }
    }
    sound(findings)?;
    let dump = backup.join(DUMP);
    let opened = fs::File::open(&dump).map_err(at(&dump))?;
    {
        let engine: Arc<dyn Engine> = Arc::new(SledEngine::open(&folder.store())?);
        dump::load(BufReader::new(opened), engine.as_ref())?;
        migrate(&engine, MIGRATIONS)?;
        let view = View::new(engine.view()?);
        sound(everything(&view, &folder.blobs(), folder.private().as_deref())?)?;
    }
    let Some(configuration) = configuration else {
        return Err(BackupError::Manifest("it names no configuration".to_owned()));
    };
    let restored = begin_epoch(&Stopped::of(folder.clone())?)?;
    let root = folder.root();
    // The configuration makes a node of the folder: nothing of it may be missing after a power cut.
    copy::sync_tree(root).map_err(at(root))?;
    let mut findings = Findings::default();
    take(backup, configuration, &config, &mut findings)?;
    sound(findings)?;
    fs::File::open(root)
        .and_then(|folder| folder.sync_all())
        .map_err(at(root))?;
    Ok(restored)
}

fn take(backup: &Path, file: &Copied, to: &Path, findings: &mut Findings) -> Result<(), BackupError> {
    if let Some(parent) = to.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)
            .map_err(at(parent))?;
    }
    if copy::one(&backup.join(&file.path), to, &file.path)? != *file {
        findings.wrong(format!("{} is not what was backed up", file.path));
    }
    Ok(())
}

fn sound(findings: Findings) -> Result<(), BackupError> {
    if findings.is_sound() {
        Ok(())
    } else {
        Err(BackupError::Unsound(findings))
    }
}
