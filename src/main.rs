//! The node's program: see `poundlock --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: these processes must have one thread and no open file but the standard three.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() == Some(poundlock::runtime::sandbox::SUBCOMMAND.as_ref()) {
        let stage = arguments.next();
        return poundlock::runtime::sandbox::enter(stage.as_deref().and_then(std::ffi::OsStr::to_str));
    }
    poundlock::cli::run()
}
