//! One process per folder.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

const LOCK: &str = "lock";

/// Holds a folder until it is dropped, or its process ends in whatever way.
#[derive(Debug)]
pub(super) struct FolderLock(#[expect(dead_code, reason = "held, never used")] Flock<File>);

impl FolderLock {
    /// Takes the folder, which must exist; `None` if somebody else has it, be it in this process.
    pub(super) fn take(folder: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join(LOCK))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(Self(lock))),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }
}
