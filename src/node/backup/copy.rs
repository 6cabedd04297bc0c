//! Copying files into a backup and out of it, with their hashes taken from the bytes that pass.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::manifest::{Copied, Manifest};
use super::{BackupError, at};
use crate::domain::hash::Hash;
use crate::store::check::Findings;
use crate::store::node_folder::NodeFolder;

const COPY_BYTES: usize = 256 * 1024;

/// What stands in a folder of whole files beside the files.
const NO_FILES: [&str; 2] = ["incoming", "lock"];

/// Copies all that belongs to a node, but for its store.
pub(super) fn node_files(folder: &NodeFolder, to: &Path) -> Result<Vec<Copied>, BackupError> {
    let mut copied = Vec::new();
    let config = folder.config();
    let name = config
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    copied.push(one(&config, &to.join(&name), &name)?);
    let templates = Some(folder.templates()).filter(|templates| templates.is_dir());
    let folders = [folder.keys(), folder.blobs()];
    for from in folders.into_iter().chain(folder.private()).chain(templates) {
        let name = from
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        tree(&from, &to.join(&name), &name, &mut copied)?;
    }
    Ok(copied)
}

/// Copies a folder. What vanishes meanwhile was never named by anything, or is named no more.
fn tree(from: &Path, to: &Path, name: &str, copied: &mut Vec<Copied>) -> Result<(), BackupError> {
    DirBuilder::new().mode(0o700).create(to).map_err(at(to))?;
    let mut entries: Vec<_> = fs::read_dir(from)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(at(from))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let file_name = entry.file_name();
        let Some(part) = file_name.to_str() else { continue };
        // Only at the top: below, an object could bear such a name in another version.
        if !name.contains('/') && NO_FILES.contains(&part) {
            continue;
        }
        let (path, target) = (entry.path(), to.join(part));
        let kind = entry.file_type().map_err(at(&path))?;
        let name = format!("{name}/{part}");
        if kind.is_dir() {
            tree(&path, &target, &name, copied)?;
        } else if kind.is_file() {
            match one(&path, &target, &name) {
                Err(BackupError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                done => copied.push(done?),
            }
        }
    }
    File::open(to)
        .and_then(|folder| folder.sync_all())
        .map_err(at(to))
}

/// Copies one file and puts it on the disk.
pub(super) fn one(from: &Path, to: &Path, name: &str) -> Result<Copied, BackupError> {
    let mut source = File::open(from).map_err(at(from))?;
    let mut target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(at(to))?;
    let (mut hasher, mut length) = (blake3::Hasher::new(), 0_u64);
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(at(from)(error)),
        };
        let piece = buffer.get(..count).unwrap_or_default();
        hasher.update(piece);
        length += u64::try_from(count).unwrap_or(u64::MAX);
        target.write_all(piece).map_err(at(to))?;
    }
    target.sync_all().map_err(at(to))?;
    Ok(Copied {
        path: name.to_owned(),
        length,
        hash: Hash(*hasher.finalize().as_bytes()),
    })
}

/// Reads every file of a backup, and finds those that are not what the manifest says.
pub(super) fn compare(backup: &Path, manifest: &Manifest) -> Result<Findings, BackupError> {
    let mut findings = Findings::default();
    for expected in &manifest.files {
        findings.count("files");
        let path = backup.join(&expected.path);
        let found = File::open(&path).and_then(measured);
        match found {
            Ok((length, hash)) if length == expected.length && hash == expected.hash => {}
            Ok(_) => findings.wrong(format!("{} is not what was backed up", expected.path)),
            Err(error) => findings.wrong(format!("{}: {error}", expected.path)),
        }
    }
    Ok(findings)
}

fn measured(mut file: File) -> io::Result<(u64, Hash)> {
    let mut hasher = blake3::Hasher::new();
    let length = io::copy(&mut file, &mut hasher)?;
    Ok((length, Hash(*hasher.finalize().as_bytes())))
}

/// Removes all that is in a folder.
pub(super) fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Puts the names in a folder and in all folders below it on the disk, those below first.
pub(super) fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}

/// Removes a file or an empty folder, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), BackupError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(at(path))
}
