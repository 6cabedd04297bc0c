//! The processes of the node's own program that are not the node: started by it as `poundlock __sandbox`.
//!
//! Two make a sandbox. Both are single-threaded when they change namespaces, and neither ever runs untrusted code: the monitor
//! stays outside and waits, the confined process gives up everything and then becomes the interpreter. Setting up fails closed:
//! a step that fails ends the process before the interpreter starts. The reader reads one strange file, and can do nothing else.

mod confined;
mod credentials;
mod file_system;
mod monitor;
mod reader;
mod restrictions;
mod survey;
mod system_calls;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

pub use super::protocol::SUBCOMMAND;

use super::layer::Layer;
use super::protocol::{CONFINED, MONITOR, READER, SURVEY, SetupError};

/// Runs one of them: what `poundlock __sandbox <stage>` does. `main` must call it before it starts a thread
/// or opens a file. Standard input is the socket to the process that started this one; by hand it does nothing useful.
pub fn enter(stage: Option<&str>) -> ExitCode {
    // The node makes its files for itself alone; the folders of a sandbox must be open to the user that the code runs as.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let outcome = match stage {
        Some(MONITOR) => monitor::run(),
        Some(CONFINED) => confined::run(),
        Some(SURVEY) => survey::run(),
        Some(READER) => reader::run(),
        _ => Err(std::io::Error::other(
            "this command is started by the node itself, to run code or read a file where that can do no harm",
        )),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is the job's log or the terminal of somebody who tried the command by hand.
            #[expect(clippy::print_stderr, reason = "the only way left to say it")]
            {
                eprintln!("poundlock {SUBCOMMAND}: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

/// The socket to the process that started this one. As a file it is written by `write`, which the list of system calls
/// allows, and not by `send`.
fn control() -> std::io::Result<File> {
    Ok(File::from(std::io::stdin().as_fd().try_clone_to_owned()?))
}

/// Closes every descriptor but the three standard ones: the node may itself have inherited some from whoever started it,
/// and those are not marked to close on execution.
fn close_inherited() -> Result<(), SetupError> {
    let at = || SetupError::at::<std::io::Error>(Layer::MountNamespace, "listing the open descriptors");
    let listed: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .map_err(at())?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for descriptor in listed.into_iter().filter(|descriptor| *descriptor > 2) {
        // The descriptor of the listing itself is closed already.
        let _ = nix::unistd::close(descriptor);
    }
    Ok(())
}

/// Opens `/dev/null`.
fn null() -> std::io::Result<OwnedFd> {
    Ok(File::options().read(true).write(true).open("/dev/null")?.into())
}
