//! Files on media that may be yanked, lie about their size, or belong to somebody else.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, RenameFlags};

/// Opens a file that somebody else may have put there: no symbolic link is followed, and a pipe or device is
/// refused without waiting on it.
pub(crate) fn open_foreign(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

/// The folder that holds `path`.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes a new name in its folder durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match File::open(folder_of(path))?.sync_all() {
        // Some file systems cannot sync a folder, and say so.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// Bytes that may still be written to the file system that holds `file`.
pub(crate) fn free_space(file: &File) -> io::Result<u64> {
    let stat = rustix::fs::fstatvfs(file)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Makes the next reads of `file` come from the device. Call it once everything is synced: dirty pages stay.
pub(crate) fn forget_cached(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, Advice::DontNeed)?)
}

/// Tells the system that `file` is read once from start to end.
pub(crate) fn expect_sequential(file: &File) {
    // Advice: nothing depends on it.
    let _ = rustix::fs::fadvise(file, 0, None, Advice::Sequential);
}

/// A file under a temporary name in the folder of its final one. Dropped before [`publish`](Self::publish), it
/// removes itself.
///
/// It is locked while in use, so that a later writer can tell what a yanked drive left behind from what another
/// process still writes, and remove it.
#[derive(Debug)]
pub(crate) struct TemporaryFile {
    file: Option<File>,
    path: PathBuf,
    target: PathBuf,
}

impl TemporaryFile {
    /// Fails with [`io::ErrorKind::AlreadyExists`] when the final name is taken.
    pub(crate) fn create(target: &Path) -> io::Result<Self> {
        if std::fs::symlink_metadata(target).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let name = target
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or(io::ErrorKind::InvalidInput)?;
        remove_abandoned(folder_of(target), name);
        let random: u32 = rand::random();
        let path = target.with_file_name(format!("{name}.{random:08x}.part"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        // A file system without locks loses only the tidying up.
        let _ = file.try_lock();
        Ok(Self {
            file: Some(file),
            path,
            target: target.to_owned(),
        })
    }

    /// The temporary name.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A second handle to write through.
    pub(crate) fn handle(&self) -> io::Result<File> {
        self.file.as_ref().ok_or(io::ErrorKind::NotFound)?.try_clone()
    }

    /// Renames to the final name, replacing nothing, and syncs the folder. The content must be synced already.
    pub(crate) fn publish(mut self) -> io::Result<()> {
        rename_to_new(&self.path, &self.target)?;
        self.file = None;
        sync_folder_of(&self.target)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    let cwd = rustix::fs::CWD;
    match rustix::fs::renameat_with(cwd, from, cwd, to, RenameFlags::NOREPLACE) {
        // File systems that know no such rename: look first. The window is small, and the name is ours.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            if std::fs::symlink_metadata(to).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(from, to)
        }
        other => Ok(other?),
    }
}

/// Removes what earlier writers of `name` left behind, unless one is still at it. Failing to is no error here.
fn remove_abandoned(folder: &Path, name: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let found = entry.file_name();
        let ours = found
            .to_str()
            .and_then(|found| found.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".part"))
            .is_some_and(|random| random.len() == 8 && random.bytes().all(|b| b.is_ascii_hexdigit()));
        if ours && open_foreign(&entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_dropped_file_leaves_nothing_and_a_published_one_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.plk");
        drop(TemporaryFile::create(&target).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

        let temporary = TemporaryFile::create(&target).unwrap();
        std::fs::write(&target, "somebody was faster").unwrap();
        assert_eq!(
            temporary.publish().unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "somebody was faster");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_yanked_drive_left_is_tidied_up_but_not_what_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.plk");
        let abandoned = folder.path().join("a.plk.0123abcd.part");
        std::fs::write(&abandoned, "half").unwrap();
        let first = TemporaryFile::create(&target).unwrap();
        assert!(!abandoned.try_exists().unwrap());
        let mut second = TemporaryFile::create(&target).unwrap().handle().unwrap();
        second.write_all(b"x").unwrap();
        assert!(first.path().try_exists().unwrap(), "a file in use stays");
    }

    #[test]
    fn links_pipes_and_folders_are_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert!(open_foreign(&file).is_ok());
        for bad in [&link, &pipe, &folder.path().to_owned()] {
            assert!(open_foreign(bad).is_err(), "{bad:?}");
        }
    }
}
