//! A way to stop a run from another thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// Stops a run. Clones stop the same run; once it is cancelled it stays so.
#[derive(Clone, Debug)]
pub struct Cancel {
    signal: Arc<EventFd>,
}

impl Cancel {
    /// Makes a cancellation that has not happened.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let signal = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self {
            signal: Arc::new(signal),
        })
    }

    /// Stops the run: every process of its sandbox is killed. Returns at once; the run's thread answers when all are gone.
    pub fn cancel(&self) {
        // The counter can only refuse when it is near 2^64, and then it is readable already.
        let _ = self.signal.write(1);
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        let mut fds = [PollFd::new(self.signal.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Readable from the moment of cancellation on.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_cancels_the_same_run_for_good() {
        let cancel = Cancel::new().unwrap();
        assert!(!cancel.is_cancelled());
        cancel.clone().cancel();
        assert!(cancel.is_cancelled());
        assert!(cancel.is_cancelled());
    }
}
