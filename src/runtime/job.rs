//! What goes into a run, and what comes out of it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::asset::DataFormat;
use crate::domain::hash::Hash;
use crate::domain::release::OutputFormat;

/// What one parameter of the entry point receives.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// An asset: a table arrives as a pandas `DataFrame` (or a dict of lists), a tensor as a NumPy array.
    Asset {
        /// The file. Only the node's user needs to be able to read it.
        path: PathBuf,
        /// How it is written.
        format: DataFormat,
    },
    /// A constant, as the Python value of its JSON.
    Constant(serde_json::Value),
}

/// What a run may use. Passing a limit ends the run, or fails the call that passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Seconds from start to end. Then every process of the sandbox is killed.
    pub wall_seconds: u64,
    /// Seconds of processor time.
    pub cpu_seconds: u64,
    /// Bytes of address space, the interpreter and its libraries included. Past it Python raises `MemoryError`.
    pub memory_bytes: u64,
    /// Threads. Code can start no process: it is the only one of its sandbox, so that the limits on memory and
    /// processor time bound all that it uses.
    pub threads: u64,
    /// Bytes of the result as the code hands it over, and as the node writes it.
    pub output_bytes: u64,
    /// Bytes of standard output and error kept; what follows is dropped.
    pub log_bytes: u64,
    /// Bytes of files in the scratch folder, which lies in memory.
    pub scratch_bytes: u64,
    /// Open files.
    pub open_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_seconds: 60 * 60,
            cpu_seconds: 60 * 60,
            memory_bytes: 4 << 30,
            threads: 32,
            output_bytes: 64 << 20,
            log_bytes: 1 << 20,
            scratch_bytes: 256 << 20,
            open_files: 256,
        }
    }
}

/// One run of code on data.
#[derive(Clone, Debug)]
pub struct Job {
    /// The Python source.
    pub source: String,
    /// The function of it that is called.
    pub entry_point: String,
    /// What each parameter receives. A name must not stand twice.
    pub arguments: Vec<(String, Argument)>,
    /// What the run may use.
    pub limits: Limits,
    /// An existing folder of the node for files that the run needs meanwhile. Private; the caller removes it.
    pub folder: PathBuf,
    /// Where standard output and error are written as they come, interleaved. Must not exist; mode 0600.
    pub log_path: PathBuf,
    /// Where the result is written. Must not exist; mode 0600. Exists, complete and synced, only after success.
    pub result_path: PathBuf,
}

/// A run that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// How.
    pub outcome: Outcome,
    /// What it took.
    pub used: Resources,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It returned a result in an allowed type.
    Succeeded(ResultFile),
    /// It did not.
    Failed(FailureReport),
    /// Stopped at its wall-clock limit.
    TimedOut,
    /// Stopped by [`Cancel`](super::Cancel), or because the node went away.
    Cancelled,
}

/// A result, parsed as hostile input and written again by the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultFile {
    /// Where it is.
    pub path: PathBuf,
    /// How it is written.
    pub format: OutputFormat,
    /// Its size in bytes.
    pub length: u64,
    /// The BLAKE3 hash of its bytes.
    pub hash: Hash,
}

/// What a run used. Private: durations never leave the high side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// From start to end.
    pub wall: Duration,
    /// Processor time, of user and system together.
    pub cpu: Duration,
    /// The most memory resident at one time, in bytes.
    pub peak_memory: u64,
}

/// Where a run was when it failed, as far as that may be said: never a message or a value, since the code under review
/// writes those. Even this is private until it is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureReport {
    /// What was being done.
    pub phase: Phase,
    /// The line in the scientist's own source that was running: the innermost one, from 1.
    pub line: Option<u32>,
    /// The class of the exception, where it is one of Python's own.
    pub class: ExceptionClass,
    /// What ended the run from outside, if it did not raise by itself.
    pub stopped_by: Option<Stop>,
}

/// The step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The inputs were being read.
    Inputs,
    /// The source was being imported.
    Import,
    /// The entry point was running.
    Call,
    /// What it returned was being written, checked, or was not of an allowed type.
    Result,
}

/// What ended a run from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The kernel killed it, as it does when memory runs out.
    Killed,
    /// The limit on processor time.
    CpuTime,
    /// The limit on the result's size.
    OutputSize,
    /// A system call of a foreign architecture.
    SystemCall,
    /// It crashed: a segmentation fault or the like.
    Crash,
    /// It ended without handing over a result.
    NoResult,
    /// What it handed over is malformed.
    MalformedResult,
}

/// The name of an exception's class, from a fixed list of Python's built-in ones. Every other class is `Exception`:
/// code under review can name its classes after what it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExceptionClass(&'static str);

const CLASSES: [&str; 51] = [
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BlockingIOError",
    "BrokenPipeError",
    "BufferError",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "EOFError",
    "Exception",
    "FileExistsError",
    "FileNotFoundError",
    "FloatingPointError",
    "GeneratorExit",
    "ImportError",
    "IndentationError",
    "IndexError",
    "InterruptedError",
    "IsADirectoryError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "ModuleNotFoundError",
    "NameError",
    "NotADirectoryError",
    "NotImplementedError",
    "OSError",
    "OverflowError",
    "PermissionError",
    "ProcessLookupError",
    "RecursionError",
    "ReferenceError",
    "RuntimeError",
    "StopAsyncIteration",
    "StopIteration",
    "SyntaxError",
    "SystemError",
    "SystemExit",
    "TabError",
    "TimeoutError",
    "TypeError",
    "UnboundLocalError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeError",
    "ValueError",
    "ZeroDivisionError",
];

impl ExceptionClass {
    /// The class for every exception that is not on the list.
    pub const OTHER: Self = Self("Exception");

    /// The class of that name, or [`ExceptionClass::OTHER`].
    pub fn of(name: &str) -> Self {
        CLASSES
            .iter()
            .find(|known| **known == name)
            .map_or(Self::OTHER, |known| Self(known))
    }

    /// The name.
    pub fn name(self) -> &'static str {
        self.0
    }
}

impl Serialize for ExceptionClass {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for ExceptionClass {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_is_not_on_the_list_is_told_as_exception() {
        assert_eq!(ExceptionClass::of("KeyError").name(), "KeyError");
        assert_eq!(ExceptionClass::of("PatientHasHiv"), ExceptionClass::OTHER);
        let report = r#"{"phase":"call","line":3,"class":"Secret","stopped_by":null}"#;
        assert_eq!(
            serde_json::from_str::<FailureReport>(report)
                .unwrap()
                .class
                .name(),
            "Exception"
        );
    }

    #[test]
    fn the_list_is_sorted_and_without_repeats() {
        assert!(CLASSES.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
