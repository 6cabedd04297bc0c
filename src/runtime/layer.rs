//! The layers that a sandbox is made of, and how their absence is told.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A mechanism of the kernel. All of them are required: jobs are refused where one is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// No process gains privileges by executing a program.
    NoNewPrivs,
    /// Where the node is root: it can become a user that owns nothing.
    UnprivilegedUser,
    /// Own user and group ids, without any capability outside.
    UserNamespace,
    /// Own processes: others can be neither seen nor signalled, and all die together.
    PidNamespace,
    /// Own file system, of what the interpreter needs and nothing else.
    MountNamespace,
    /// Own network, without any interface up.
    NetworkNamespace,
    /// Own System V and POSIX message objects.
    IpcNamespace,
    /// Own host name.
    UtsNamespace,
    /// File access by rule, under the mounts.
    Landlock,
    /// A list of the system calls that may be made.
    Seccomp,
    /// Limits on memory, processor time, threads, files.
    ResourceLimits,
}

impl Layer {
    /// Every layer, in the order in which they are set up.
    pub const ALL: [Self; 11] = [
        Self::UserNamespace,
        Self::PidNamespace,
        Self::MountNamespace,
        Self::NetworkNamespace,
        Self::IpcNamespace,
        Self::UtsNamespace,
        Self::UnprivilegedUser,
        Self::NoNewPrivs,
        Self::ResourceLimits,
        Self::Landlock,
        Self::Seccomp,
    ];
}

impl fmt::Display for Layer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NoNewPrivs => "no_new_privs",
            Self::UnprivilegedUser => "unprivileged user",
            Self::UserNamespace => "user namespace",
            Self::PidNamespace => "pid namespace",
            Self::MountNamespace => "mount namespace",
            Self::NetworkNamespace => "network namespace",
            Self::IpcNamespace => "ipc namespace",
            Self::UtsNamespace => "uts namespace",
            Self::Landlock => "Landlock",
            Self::Seccomp => "seccomp",
            Self::ResourceLimits => "resource limits",
        })
    }
}

/// Whether this machine offers a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerStatus {
    /// The layer.
    pub layer: Layer,
    /// Whether it could be set up.
    pub present: bool,
    /// How it was set up, or why it could not be.
    pub detail: String,
}

/// What a probe must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Wanted {
    /// The attempt must fail.
    Blocked,
    /// The attempt must work.
    Allowed,
}

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Finding {
    /// The attempt failed.
    Blocked,
    /// The attempt worked.
    Allowed,
    /// The attempt could not be made; `detail` says why.
    NotRun,
}

/// One attempt made from inside the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// What was tried, e.g. `open a socket`.
    pub name: String,
    /// What must come of it.
    pub wanted: Wanted,
    /// What came of it.
    pub outcome: Finding,
    /// How it was tried, and what the kernel answered.
    pub detail: String,
}

impl Probe {
    /// Whether the sandbox did as it must.
    pub fn holds(&self) -> bool {
        matches!(
            (self.wanted, self.outcome),
            (Wanted::Blocked, Finding::Blocked) | (Wanted::Allowed, Finding::Allowed)
        )
    }
}

/// One reason why this node runs no code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The layer, the probe, or the interpreter.
    pub what: String,
    /// Why it is missing, and what would mend it.
    pub reason: String,
}

/// This node runs no code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct NotReady {
    /// Every reason.
    pub missing: Vec<Missing>,
}

impl fmt::Display for NotReady {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("this node cannot run code safely, so it runs none")?;
        for (index, missing) in self.missing.iter().enumerate() {
            write!(
                out,
                "{} {}: {}",
                if index == 0 { ":" } else { ";" },
                missing.what,
                missing.reason
            )?;
        }
        Ok(())
    }
}
