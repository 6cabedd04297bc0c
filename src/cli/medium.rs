//! Files that commands put onto a medium, and what they say when it does not take them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use poundlock_transport::medium::{self, NewFile};

use super::failure::Failure;

pub(super) use medium::folder_of;

/// Begins a file in a folder: never half under its final name.
pub(super) fn begin(folder: &Path) -> Result<NewFile, Failure> {
    NewFile::begin(folder).map_err(|error| Failure::file(folder, &error))
}

/// Puts what was written onto the medium, so that it is read from there next.
pub(super) fn settle(arriving: &NewFile) -> Result<(), Failure> {
    arriving
        .settle()
        .map_err(|error| Failure::file(arriving.path(), &error))
}

/// Gives a file its final name, replacing nothing, and makes the name durable.
pub(super) fn publish(arriving: NewFile, target: &Path) -> Result<(), Failure> {
    arriving.publish(target).map_err(|error| refused(target, &error))
}

/// As [`publish`], for a synced file that something else has written.
pub(super) fn give_name(from: &Path, target: &Path) -> Result<(), Failure> {
    medium::give_name(from, target).map_err(|error| refused(target, &error))
}

/// Refuses a name that is taken.
pub(super) fn must_be_new(target: &Path) -> Result<(), Failure> {
    medium::must_be_new(target).map_err(|error| refused(target, &error))
}

/// Writes a small file under a new name: whole, or not at all.
pub(super) fn write_new(target: &Path, bytes: &[u8]) -> Result<(), Failure> {
    must_be_new(target)?;
    let arriving = begin(folder_of(target))?;
    let failed = |error: io::Error| Failure::file(target, &error);
    arriving.file().write_all(bytes).map_err(failed)?;
    settle(&arriving)?;
    let mut read = Vec::new();
    let most = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(1);
    File::open(arriving.path())
        .and_then(|file| file.take(most).read_to_end(&mut read))
        .map_err(failed)?;
    if read != bytes {
        return Err(not_as_written(target));
    }
    publish(arriving, target)
}

/// The medium gives back something else than was written.
pub(super) fn not_as_written(target: &Path) -> Failure {
    Failure::failed(format!(
        "{} does not read back as it was written: the medium is damaged, full, or smaller than it claims; nothing was left on it",
        target.display()
    ))
}

fn refused(target: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::AlreadyExists {
        Failure::failed(format!(
            "{} exists already, and is not overwritten; choose another name or remove it",
            target.display()
        ))
    } else {
        Failure::file(target, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_is_written_whole_and_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("identity");
        write_new(&target, b"content").unwrap();
        let refused = write_new(&target, b"other").unwrap_err();
        assert!(refused.to_string().contains("exists already"), "{refused}");
        assert_eq!(std::fs::read(&target).unwrap(), b"content");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
