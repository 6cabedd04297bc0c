//! Files on media that may be yanked, lie about their size, or belong to somebody else.

use std::fs::{File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
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
pub fn folder_of(path: &Path) -> &Path {
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

/// Reads a synced file from its device rather than from memory: directly where the file system can, else after asking the
/// system to forget what it has cached of it.
#[derive(Debug)]
pub(crate) struct DeviceReader {
    path: PathBuf,
    file: File,
    direct: bool,
    at: u64,
    size: u64,
    buffer: Vec<u8>,
    /// Where in `buffer` the aligned part starts.
    aligned: usize,
}

impl DeviceReader {
    const PIECE_BYTES: usize = 2 << 20;
    /// No device needs more.
    const ALIGNMENT: usize = 4096;

    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flag = rustix::fs::OFlags::DIRECT.bits().cast_signed();
        let (file, direct) = match OpenOptions::new().read(true).custom_flags(flag).open(path) {
            Ok(file) => (file, true),
            Err(_) => (open_uncached(path)?, false),
        };
        let size = file.metadata()?.len();
        let buffer = vec![0; Self::PIECE_BYTES + Self::ALIGNMENT];
        let aligned = buffer.as_ptr().align_offset(Self::ALIGNMENT).min(Self::ALIGNMENT);
        Ok(Self {
            path: path.to_owned(),
            file,
            direct,
            at: 0,
            size,
            buffer,
            aligned,
        })
    }

    /// The next piece; none at the end of the file.
    pub(crate) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        // Asking for more at the end, which is seldom aligned, would be an error where reads are direct.
        if self.at >= self.size {
            return Ok(None);
        }
        let piece = self.aligned..self.aligned + Self::PIECE_BYTES;
        let got = loop {
            match self.file.read_at(&mut self.buffer[piece.clone()], self.at) {
                Ok(got) => break got,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Some file systems take the flag and refuse the read.
                Err(_) if self.direct => {
                    self.file = open_uncached(&self.path)?;
                    self.direct = false;
                }
                Err(e) => return Err(e),
            }
        };
        self.at += got as u64;
        Ok((got > 0).then(|| &self.buffer[self.aligned..self.aligned + got]))
    }
}

/// Only clean pages go, so the file must be synced.
fn open_uncached(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
    expect_sequential(&file);
    Ok(file)
}

/// How much is written before it is sent on its way to the device.
const WRITE_OUT_BYTES: u64 = 8 << 20;

/// Keeps a device busy while a file is still being written. Left alone, Linux holds back up to a tenth of the memory, and
/// then a sync waits for all of it.
#[derive(Debug, Default)]
pub(crate) struct WriteOut {
    started: u64,
}

impl WriteOut {
    /// `written` bytes from the start of `file` have been written so far.
    pub(crate) fn advance(&mut self, file: &File, written: u64) {
        if let Some(length) = NonZeroU64::new(written - self.started)
            && length.get() >= WRITE_OUT_BYTES
        {
            // Advice, and a wanted side effect: dirty pages of the range start their way out. They are not dropped, since
            // only clean ones are.
            let _ = rustix::fs::fadvise(file, self.started, Some(length), Advice::DontNeed);
            self.started = written;
        }
    }
}

/// Tells the system that `file` is read once from start to end.
pub(crate) fn expect_sequential(file: &File) {
    // Advice: nothing depends on it.
    let _ = rustix::fs::fadvise(file, 0, None, Advice::Sequential);
}

/// How temporary names begin and end. Between them stand 32 hexadecimal digits.
const PREFIX: &str = ".poundlock-";
const SUFFIX: &str = ".part";

/// A file that is under way to a medium, under a temporary name in the folder of its final one. Dropped before
/// [`publish`](Self::publish), it removes itself.
///
/// It is locked while in use, so that whoever writes there next can tell what a yanked medium was left with from what is still being
/// written, and remove it.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: PathBuf,
    published: bool,
}

impl NewFile {
    /// Begins a file in a folder, which only its owner can read, and removes what a crash or a yanked medium left there.
    ///
    /// # Errors
    /// The folder takes no file.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        remove_abandoned(folder);
        let path = folder.join(format!("{PREFIX}{:032x}{SUFFIX}", rand::random::<u128>()));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        // A file system without locks loses only the tidying up.
        let _ = file.try_lock();
        Ok(Self {
            file,
            path,
            published: false,
        })
    }

    /// The temporary name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What to write to.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Puts what was written onto the medium, and lets go of it in memory, so that it is read from the medium next.
    ///
    /// # Errors
    /// The medium has not taken all of it.
    pub fn settle(&self) -> io::Result<()> {
        self.file.sync_all()?;
        Ok(rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed)?)
    }

    /// Gives the file its final name, as [`give_name`] does. Its content must be synced already.
    ///
    /// # Errors
    /// As [`give_name`].
    pub fn publish(mut self, target: &Path) -> io::Result<()> {
        rename_to_new(&self.path, target)?;
        self.published = true;
        sync_folder_of(target)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.published {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Refuses a name that is taken, by a dangling link too.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or the folder cannot be read.
pub fn must_be_new(target: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(target) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Renames a synced file within its file system, replacing nothing, and makes the new name durable.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if the name is taken, or the medium fails.
pub fn give_name(from: &Path, target: &Path) -> io::Result<()> {
    rename_to_new(from, target)?;
    sync_folder_of(target)
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

/// Removes what earlier writers left behind, unless one is still at it. Failing to is no error here.
fn remove_abandoned(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let ours = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX))
            .is_some_and(|random| random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if ours && open_foreign(&entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

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
    fn a_dropped_file_leaves_nothing_and_a_published_one_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.plk");
        drop(NewFile::begin(folder.path()).unwrap());
        assert!(names(folder.path()).is_empty());

        let arriving = NewFile::begin(folder.path()).unwrap();
        std::fs::write(&target, "somebody was faster").unwrap();
        assert_eq!(
            arriving.publish(&target).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "somebody was faster");
        assert_eq!(names(folder.path()), ["a.plk"]);
    }

    #[test]
    fn what_a_yanked_medium_was_left_with_is_tidied_up_but_not_what_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(format!("{PREFIX}{:032x}{SUFFIX}", 7));
        std::fs::write(&left, "half").unwrap();
        std::fs::write(folder.path().join(".poundlock-notes.part"), "mine").unwrap();
        let in_use = NewFile::begin(folder.path()).unwrap();
        assert!(!left.try_exists().unwrap());
        drop(NewFile::begin(folder.path()).unwrap());
        in_use.file().write_all(b"x").unwrap();
        assert!(in_use.path().try_exists().unwrap(), "a file in use stays");
        assert!(names(folder.path()).contains(&".poundlock-notes.part".to_owned()));
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
