//! The node's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: these processes must have one thread and no open file but the standard three.
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(poundlock::runtime::sandbox::SUBCOMMAND) {
        return poundlock::runtime::sandbox::enter(arguments.next().as_deref());
    }
    ExitCode::SUCCESS
}
