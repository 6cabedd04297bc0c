//! What a node and the other processes of its own program say to each other before anything untrusted is run or read.
//!
//! Messages are JSON behind a length of four bytes, little-endian, over Unix socket pairs. Untrusted code never holds one; the
//! process that reads a strange file does, and from then on what comes from it counts as hostile.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::job::Limits;
use super::layer::Layer;
use super::layout::Layout;

/// The longest message: a batch of sources to outline, or the constants of a job.
const MESSAGE_MAX: usize = 64 << 20;

/// The hidden subcommand by which a node starts its own program as another process.
pub const SUBCOMMAND: &str = "__sandbox";

/// Which process, behind [`SUBCOMMAND`].
pub(crate) const MONITOR: &str = "monitor";
pub(crate) const CONFINED: &str = "confined";
pub(crate) const SURVEY: &str = "survey";
pub(crate) const READER: &str = "reader";

/// Which of the node's own Python programs runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Program {
    /// Calls a scientist's function.
    Harness,
    /// Outlines sources.
    Outline,
    /// Tells versions.
    Versions,
    /// Tries to break out.
    Probes,
}

impl Program {
    /// Its source.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::Harness => concat!(include_str!("python/frame.py"), include_str!("python/harness.py")),
            Self::Outline => concat!(include_str!("python/frame.py"), include_str!("python/outline.py")),
            Self::Versions => concat!(
                include_str!("python/frame.py"),
                include_str!("python/versions.py")
            ),
            Self::Probes => concat!(include_str!("python/frame.py"), include_str!("python/probes.py")),
        }
    }
}

/// One sandbox to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    /// What the file system shows.
    pub layout: Layout,
    /// The user to become, where the node is root.
    pub user: u32,
    /// What the run may use.
    pub limits: Limits,
    /// The files that the program receives as read-only descriptors, without symbolic links on the way.
    pub inputs: Vec<PathBuf>,
    /// What runs.
    pub program: Program,
    /// What the program is told: JSON, readable at `/job/job.json`.
    pub job: String,
}

/// A layer could not be set up, so nothing ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{layer}: {detail}")]
pub(crate) struct SetupError {
    /// Which.
    pub layer: Layer,
    /// What was tried and what the kernel answered.
    pub detail: String,
}

impl SetupError {
    /// For `map_err`: `what` of `layer` failed.
    pub(crate) fn at<E: std::fmt::Display>(layer: Layer, what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |cause| Self {
            layer,
            detail: format!("{what}: {cause}"),
        }
    }
}

/// What the monitor tells the node, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// Nothing ran.
    Setup(SetupError),
    /// Every process of the sandbox is gone.
    Ended(Ended),
}

/// How the interpreter ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// Its exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that killed it, if one did.
    pub signal: Option<i32>,
    /// Whether the monitor killed it at its wall-clock limit.
    pub timed_out: bool,
    /// Whether the monitor killed it because the node asked, or went away.
    pub cancelled: bool,
    /// Milliseconds from start to end.
    pub wall_ms: u64,
    /// Milliseconds of processor time.
    pub cpu_ms: u64,
    /// The most memory resident at one time, in KiB.
    pub peak_kib: u64,
}

/// Writes one message.
pub(crate) fn send<T: Serialize>(mut sink: impl Write, message: &T) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    let length = u32::try_from(text.len())
        .ok()
        .filter(|_| text.len() <= MESSAGE_MAX);
    let length =
        length.ok_or_else(|| io::Error::other(format!("a message of {} bytes is too long", text.len())))?;
    sink.write_all(&length.to_le_bytes())?;
    sink.write_all(&text)?;
    sink.flush()
}

/// Reads one message.
///
/// # Errors
/// `UnexpectedEof` if the other side went away.
pub(crate) fn receive<T: DeserializeOwned>(mut source: impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    source.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MESSAGE_MAX {
        return Err(io::Error::other(format!(
            "a message of {length} bytes is too long"
        )));
    }
    let mut text = vec![0; length];
    source.read_exact(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}
