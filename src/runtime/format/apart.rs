//! The node's side of the process that reads Parquet and Arrow: starts one for each task, hands it the open files, and takes in
//! what it says, which counts as hostile. The other side is `runtime/sandbox/reader.rs`.
//!
//! After the files, the order and its acknowledgement, the process sends pieces of what it writes, each behind its length in four
//! bytes, little-endian; a length of zero stands before the answer.

use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::{Deserialize, Serialize};

use super::foreign::CONTRADICTS;
use super::task::{Answer, Task};
use super::{FormatError, columnar};
use crate::runtime::protocol::{READER, SUBCOMMAND, SetupError, receive, send};

/// How many of these processes there are at a time.
const AT_ONCE: usize = 4;
/// The most memory that one takes, with its program.
const MEMORY: u64 = 2 << 30;
/// What one may write between, for each byte that it reads, and beside that.
const BETWEEN: (u64, u64) = (16, 64 << 20);
/// The most bytes of one piece.
pub(crate) const PIECE: usize = 256 << 10;
/// The most files of a task.
pub(crate) const FILES: usize = 2;
/// The most characters that are repeated of what a reader says is wrong with a file.
const SAID: usize = 500;

/// What the process is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// What to do.
    pub task: Task,
    /// How much processor time that may take, in seconds.
    pub seconds: u64,
    /// How much memory, in bytes.
    pub memory: u64,
    /// The longest file, in bytes.
    pub file: u64,
}

/// Why there is no answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refused {
    /// The file is none of its format.
    Malformed {
        /// The format, with its article.
        expected: String,
        /// What is wrong.
        problem: String,
        /// The line, from 1, in a format that has lines.
        line: Option<u64>,
    },
    /// The system answered with an error, of this number if it has one.
    Io(Option<i32>),
}

impl From<FormatError> for Refused {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::Malformed {
                expected,
                problem,
                line,
            } => Self::Malformed {
                expected: expected.into_owned(),
                problem,
                line,
            },
            FormatError::Io { source, .. } => Self::Io(source.raw_os_error()),
            FormatError::TooLong(_) | FormatError::Busy => Self::Io(None),
        }
    }
}

impl From<Refused> for FormatError {
    fn from(refused: Refused) -> Self {
        let shortened = |text: String| text.chars().take(SAID).collect::<String>();
        match refused {
            Refused::Malformed {
                expected,
                problem,
                line,
            } => Self::Malformed {
                expected: shortened(expected).into(),
                problem: shortened(problem),
                line,
            },
            Refused::Io(number) => failed(number.map_or_else(
                || io::Error::other("its reader failed"),
                io::Error::from_raw_os_error,
            )),
        }
    }
}

fn failed(source: io::Error) -> FormatError {
    FormatError::io("reading a file in columns, in a process of its own")(source)
}

/// Starts the processes.
#[derive(Debug)]
pub(super) struct Apart {
    launcher: PathBuf,
    /// The most processor time of any task, in seconds.
    most: u64,
    turns: Turns,
}

impl Apart {
    pub(super) fn new(launcher: PathBuf) -> Self {
        Self {
            launcher,
            most: u64::MAX,
            turns: Turns::new(AT_ONCE),
        }
    }

    pub(super) fn within(self, most: u64) -> Self {
        Self { most, ..self }
    }

    /// Has a task done. What it writes goes to `out`.
    ///
    /// # Errors
    /// As [`Task::perform`]; the file takes more time or memory than it may; too many others are being read; or there is no such
    /// process to be had.
    pub(super) fn ask(
        &self,
        task: Task,
        files: Vec<File>,
        out: &mut (dyn Write + Send),
    ) -> Result<Answer, FormatError> {
        let lengths = files.iter().map(|file| file.metadata().map(|file| file.len()));
        let bytes = lengths.sum::<io::Result<u64>>().map_err(failed)?;
        let order = Order {
            task,
            seconds: task.seconds(bytes).min(self.most),
            memory: MEMORY,
            file: bytes.saturating_mul(BETWEEN.0).saturating_add(BETWEEN.1),
        };
        let _turn = self.turns.take(task.patience())?;
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let mut child = Command::new(&self.launcher)
            .args([SUBCOMMAND, READER])
            .env_clear()
            .process_group(0)
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let told = converse(ours, &order, &files, out);
        // It has nothing more to say, and would go on if it did not keep to its time. It may be gone already.
        let _ = child.kill();
        let status = child.wait().map_err(failed)?;
        told.map_err(|broken| match broken {
            Broken::File(error) => error,
            Broken::Process(error) => failed(error),
            Broken::Silence => gave_up(status, &order),
        })
    }
}

/// Why a conversation ended without an answer that is worth something.
enum Broken {
    /// The file is refused, or what is made of it cannot be written.
    File(FormatError),
    /// The process is not what it should be.
    Process(io::Error),
    /// The process began to read and said no more: that is the file's doing.
    Silence,
}

fn converse(
    stream: UnixStream,
    order: &Order,
    files: &[File],
    out: &mut (dyn Write + Send),
) -> Result<Answer, Broken> {
    // Time that passes while others have the processor, or a disk is slow, is not the file's.
    let patience = Duration::from_secs(order.seconds.saturating_mul(4).saturating_add(30));
    let mut process = Until {
        stream,
        deadline: Instant::now().checked_add(patience),
    };
    hand_over(&process.stream, files).map_err(Broken::Process)?;
    send(&process.stream, order).map_err(Broken::Process)?;
    let begins: Result<(), SetupError> = receive(&mut process).map_err(Broken::Process)?;
    begins.map_err(|error| Broken::Process(io::Error::other(error)))?;
    let mut piece = vec![0; PIECE];
    loop {
        let mut length = [0; 4];
        process.read_exact(&mut length).map_err(|_| Broken::Silence)?;
        let length = u32::from_le_bytes(length) as usize;
        if length == 0 {
            break;
        }
        let too_long = || Broken::Process(io::Error::other("a piece is longer than it may be"));
        let piece = piece.get_mut(..length).ok_or_else(too_long)?;
        process.read_exact(piece).map_err(|_| Broken::Silence)?;
        out.write_all(piece)
            .map_err(|error| Broken::File(FormatError::io("writing what was read")(error)))?;
    }
    let answer: Result<Answer, Refused> = receive(&mut process).map_err(Broken::Process)?;
    answer.map_err(|refused| Broken::File(refused.into()))
}

/// Sends the open files along with one byte.
fn hand_over(stream: &UnixStream, files: &[File]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    if !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("too many files go along"));
    }
    sendmsg(stream, &[IoSlice::new(b"f")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// What reads from a stream up to a moment. Without one there is no end.
struct Until {
    stream: UnixStream,
    deadline: Option<Instant>,
}

impl Read for Until {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
        }
        self.stream.read(buffer)
    }
}

/// What the end of a process says of the file that it read.
fn gave_up(status: ExitStatus, order: &Order) -> FormatError {
    let format = match order.task {
        Task::Glance { format, .. } | Task::WriteAgain { format, .. } => columnar::name_of(format),
        Task::Inspect | Task::WriteCsv | Task::SharedRows { .. } => columnar::PARQUET,
    };
    let problem = match status.signal().and_then(|signal| Signal::try_from(signal).ok()) {
        Some(Signal::SIGKILL | Signal::SIGXCPU) => format!(
            "to read it takes more than {} s of processor time, which a file of its size does not take unless it \
             contradicts itself",
            order.seconds
        ),
        Some(Signal::SIGABRT) => format!("to read it takes more than {} MiB of memory", order.memory >> 20),
        Some(Signal::SIGXFSZ) => "it becomes far longer than it is when it is read".to_owned(),
        _ => CONTRADICTS.to_owned(),
    };
    FormatError::malformed(format, problem)
}

/// Lets so many at a time go on.
#[derive(Debug)]
struct Turns {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A turn, given back when it is dropped.
struct Turn<'a>(&'a Turns);

impl Turns {
    fn new(at_once: usize) -> Self {
        Self {
            free: Mutex::new(at_once),
            freed: Condvar::new(),
        }
    }

    /// Waits for a turn.
    fn take(&self, patience: Duration) -> Result<Turn<'_>, FormatError> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_timeout_while(free, patience, |free| *free == 0);
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1).ok_or(FormatError::Busy)?;
        Ok(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_than_may_be_and_the_next_one_waits() {
        let turns = Turns::new(1);
        let first = turns.take(Duration::ZERO).unwrap();
        assert!(matches!(turns.take(Duration::ZERO), Err(FormatError::Busy)));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| turns.take(Duration::from_secs(600)).is_ok());
            drop(first);
            assert!(second.join().unwrap());
        });
        assert!(turns.take(Duration::ZERO).is_ok());
    }

    #[test]
    fn what_a_process_says_of_a_file_is_shortened() {
        let refused = Refused::Malformed {
            expected: "a".repeat(1 << 20),
            problem: "b".repeat(1 << 20),
            line: None,
        };
        assert!(FormatError::from(refused).to_string().len() < 2 * SAID + 20);
    }
}
