//! A file onto a medium that somebody will pull out and carry away: never half under its final name, and read back past
//! the cache before anybody says that it is there.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, PosixFadviseAdvice, RenameFlags, posix_fadvise, renameat2};
use uuid::Uuid;

use super::failure::Failure;

const PREFIX: &str = ".poundlock-";
const SUFFIX: &str = ".part";

/// A file under a temporary name on the medium. Dropped before [`publish`](Self::publish), it removes itself.
#[derive(Debug)]
pub(super) struct Arriving {
    file: File,
    path: PathBuf,
    published: bool,
}

impl Arriving {
    /// Begins a file in a folder. It stays locked while in use, so that a later command can tell what a yanked medium left
    /// behind from what is being written.
    pub(super) fn begin(folder: &Path) -> Result<Self, Failure> {
        remove_abandoned(folder);
        let path = folder.join(format!("{PREFIX}{}{SUFFIX}", Uuid::new_v4().simple()));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| Failure::file(folder, &error))?;
        // A file system without locks loses only the tidying up.
        drop(file.try_lock());
        Ok(Self {
            file,
            path,
            published: false,
        })
    }

    /// The temporary name.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What to write to.
    pub(super) fn writer(&self) -> &File {
        &self.file
    }

    /// Puts what was written onto the medium, and lets go of it in memory, so that the next read comes from the medium.
    pub(super) fn settle(&self) -> Result<(), Failure> {
        self.file
            .sync_all()
            .and_then(|()| {
                Ok(posix_fadvise(
                    &self.file,
                    0,
                    0,
                    PosixFadviseAdvice::POSIX_FADV_DONTNEED,
                )?)
            })
            .map_err(|error| Failure::file(&self.path, &error))
    }

    /// Gives the file its final name, replacing nothing, and makes the name durable.
    pub(super) fn publish(mut self, target: &Path) -> Result<(), Failure> {
        give_name(&self.path, target)?;
        self.published = true;
        Ok(())
    }
}

/// Renames a file to its final name, replacing nothing, and makes the name durable. Its content must be synced already.
pub(super) fn give_name(from: &Path, target: &Path) -> Result<(), Failure> {
    rename_to_new(from, target).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(target),
        _ => Failure::file(target, &error),
    })?;
    match File::open(folder_of(target)).and_then(|folder| folder.sync_all()) {
        // Some file systems cannot sync a folder, and say so.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other.map_err(|error| Failure::file(target, &error)),
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if !self.published {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// The folder that holds a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Refuses a name that is taken, a dangling link included.
pub(super) fn must_be_new(target: &Path) -> Result<(), Failure> {
    match std::fs::symlink_metadata(target) {
        Ok(_) => Err(exists(target)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::file(target, &error)),
    }
}

/// Writes a small file under a new name: whole, or not at all.
pub(super) fn write_new(target: &Path, bytes: &[u8]) -> Result<(), Failure> {
    must_be_new(target)?;
    let arriving = Arriving::begin(folder_of(target))?;
    let failed = |error: io::Error| Failure::file(target, &error);
    io::Write::write_all(&mut arriving.writer(), bytes).map_err(failed)?;
    arriving.settle()?;
    let mut read = Vec::new();
    let most = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(1);
    File::open(arriving.path())
        .and_then(|file| file.take(most).read_to_end(&mut read))
        .map_err(failed)?;
    if read != bytes {
        return Err(not_as_written(target));
    }
    arriving.publish(target)
}

/// The medium gives back something else than was written.
pub(super) fn not_as_written(target: &Path) -> Failure {
    Failure::failed(format!(
        "{} does not read back as it was written: the medium is damaged, full, or smaller than it claims; nothing was left on it",
        target.display()
    ))
}

fn exists(target: &Path) -> Failure {
    Failure::failed(format!(
        "{} exists already, and is not overwritten; choose another name or remove it",
        target.display()
    ))
}

fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // File systems that know no such rename: look first. The window is small, and the name is ours.
        Err(Errno::EINVAL | Errno::ENOSYS) => {
            if std::fs::symlink_metadata(to).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(from, to)
        }
        other => Ok(other?),
    }
}

/// Removes what a yanked medium was left with, unless a command is still at it. Failing to is no error here.
fn remove_abandoned(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let ours = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX))
            .is_some_and(|id| id.parse::<Uuid>().is_ok());
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if ours && is_file && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            drop(std::fs::remove_file(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        drop(Arriving::begin(folder.path()).unwrap());
        assert!(names(folder.path()).is_empty());
        let target = folder.path().join("bundle");
        write_new(&target, b"content").unwrap();
        assert_eq!(names(folder.path()), ["bundle"]);
        assert!(write_new(&target, b"other").is_err());
        assert_eq!(std::fs::read(&target).unwrap(), b"content");
    }

    #[test]
    fn a_name_that_was_taken_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("bundle");
        let arriving = Arriving::begin(folder.path()).unwrap();
        std::fs::write(&target, "somebody was faster").unwrap();
        assert!(arriving.publish(&target).is_err());
        assert_eq!(names(folder.path()), ["bundle"]);
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "somebody was faster");
    }

    #[test]
    fn what_a_yanked_medium_was_left_with_is_tidied_up_but_not_what_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder
            .path()
            .join(format!("{PREFIX}{}{SUFFIX}", Uuid::new_v4().simple()));
        std::fs::write(&left, "half").unwrap();
        std::fs::write(folder.path().join(".poundlock-notes.part"), "mine").unwrap();
        let in_use = Arriving::begin(folder.path()).unwrap();
        assert!(!left.try_exists().unwrap());
        drop(Arriving::begin(folder.path()).unwrap());
        assert!(in_use.path().try_exists().unwrap());
        assert!(names(folder.path()).contains(&".poundlock-notes.part".to_owned()));
    }
}
