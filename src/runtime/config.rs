//! What the node's configuration says about running code.

use std::io::Read;
use std::path::{Path, PathBuf};

/// The interpreter that runs code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonConfig {
    /// The CPython executable, 3.9 or newer: of a virtual environment, of a Conda environment, or of the system. Its
    /// environment's packages are what scientists can import. `runtime.python.interpreter` in the configuration.
    pub interpreter: PathBuf,
    /// Further folders that the interpreter needs, mounted read-only at their own paths; for interpreters whose
    /// libraries lie elsewhere than under `/usr` and their own prefix. Code can read all that is in them.
    pub extra_folders: Vec<PathBuf>,
}

impl PythonConfig {
    /// The given interpreter, with nothing beside it.
    pub fn new(interpreter: impl Into<PathBuf>) -> Self {
        Self {
            interpreter: interpreter.into(),
            extra_folders: Vec::new(),
        }
    }

    /// The first `python3` of a search path (the value of `PATH`) that is a program and no script: the shims of version
    /// managers choose an interpreter by files that the sandbox does not hold.
    pub fn found_in(search_path: &std::ffi::OsStr) -> Option<Self> {
        std::env::split_paths(search_path)
            .map(|folder| folder.join("python3"))
            .find(|path| is_program(path))
            .map(Self::new)
    }
}

/// Whether a file begins as an ELF program does.
pub(crate) fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    std::fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut magic))
        .is_ok()
        && magic == *b"\x7fELF"
}

/// How the sandbox is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxConfig {
    /// The node's own program, started with the argument `__sandbox`. [`SandboxConfig::new`] names the running one.
    pub launcher: PathBuf,
    /// The user and group that code runs as where the node is started as root. It must own nothing, and no other process
    /// may run as it. The default lies in the range that systemd leaves unused, and inside a container's usual 65536.
    pub user: u32,
    /// The folder that holds the node's private files. Nothing that the sandbox mounts may contain it.
    pub private_folder: PathBuf,
}

impl SandboxConfig {
    /// The usual way in, for a node that keeps its private files in `private_folder`.
    pub fn new(private_folder: impl Into<PathBuf>) -> Self {
        Self {
            launcher: PathBuf::from("/proc/self/exe"),
            user: 65_531,
            private_folder: private_folder.into(),
        }
    }
}
