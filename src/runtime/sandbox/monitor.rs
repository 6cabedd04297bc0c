//! The first process: makes the namespaces, starts the confined one in them, and kills it when its time is over, when
//! it is told to, or when the node is gone. It stays outside, holds nothing of the job, and reads nothing from it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::unshare;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeValLike;
use nix::unistd::geteuid;

use super::super::layer::Layer;
use super::super::protocol::{CONFINED, Ended, Report, SUBCOMMAND, SetupError, Spec, receive, send};
use super::{close_inherited, control, credentials, null};

/// The outermost bound on a run: a year. A longer wall-clock limit is cut to it.
const WALL_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

pub(super) fn run() -> io::Result<()> {
    let prepared = close_inherited();
    let control = control()?;
    let spec: Spec = receive(&control)?;
    let report = match prepared.and_then(|()| watch(&control, &spec)) {
        Ok(ended) => Report::Ended(ended),
        Err(error) => Report::Setup(error),
    };
    send(&control, &report)
}

fn watch(control: &File, spec: &Spec) -> Result<Ended, SetupError> {
    enter_namespaces()?;
    let layer = Layer::PidNamespace;
    let mut watched = SigSet::empty();
    watched.add(Signal::SIGCHLD);
    watched
        .thread_block()
        .map_err(SetupError::at(layer, "blocking SIGCHLD"))?;
    let deaths = SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(SetupError::at(layer, "signalfd"))?;
    let (ours, theirs) = UnixStream::pair().map_err(SetupError::at(layer, "socketpair"))?;
    let began = Instant::now();
    let mut child = Command::new("/proc/self/exe")
        .args([SUBCOMMAND, CONFINED])
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .map_err(SetupError::at(
            layer,
            "starting the first process of the namespace",
        ))?;
    let watched = release_pipes()
        .and_then(|()| send(&ours, spec))
        .map_err(SetupError::at(layer, "the confined process"));
    if let Err(error) = watched {
        // Something ended it before it had read what it was to do; its own word says more, if it left one.
        end(&mut child)?;
        return Err(receive::<SetupError>(&ours).unwrap_or(error));
    }
    let deadline = began + Duration::from_secs(spec.limits.wall_seconds).min(WALL_MAX);
    let (status, timed_out, cancelled) = wait(&mut child, control, &deaths, deadline)?;
    // Whatever the confined process had to say it said before it executed the interpreter, which closed the socket.
    if let Ok(error) = receive::<SetupError>(&ours) {
        return Err(error);
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(SetupError::at(layer, "getrusage"))?;
    let cpu = usage.user_time().num_milliseconds() + usage.system_time().num_milliseconds();
    Ok(Ended {
        code: status.code(),
        signal: status.signal(),
        timed_out,
        cancelled,
        wall_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        cpu_ms: u64::try_from(cpu).unwrap_or(0),
        peak_kib: u64::try_from(usage.max_rss()).unwrap_or(0),
    })
}

/// Gives the pipes of result and log to the confined process alone, so that they end when it does.
fn release_pipes() -> io::Result<()> {
    let null = null()?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}

/// An ordinary user needs a user namespace first, in which it may make the others. Root makes them as root, because the
/// interpreter may lie where only root can read, and the confined process gives root up after it has mounted it.
fn enter_namespaces() -> Result<(), SetupError> {
    if !geteuid().is_root() {
        credentials::enter_user_namespace(&credentials::own_proc()?, 0)?;
    }
    for (flag, layer) in credentials::NAMESPACES {
        unshare(flag).map_err(SetupError::at(layer, "unshare"))?;
    }
    // Not every kernel has control groups, and nothing of them is mounted inside.
    let _ = unshare(nix::sched::CloneFlags::CLONE_NEWCGROUP);
    Ok(())
}

/// Waits for the end of the confined process, and brings it about at the deadline or when the node asks or is gone.
/// When process 1 of a pid namespace is gone, so is every other one.
fn wait(
    child: &mut Child,
    control: &File,
    deaths: &SignalFd,
    deadline: Instant,
) -> Result<(ExitStatus, bool, bool), SetupError> {
    let at = |what: &'static str| SetupError::at::<io::Error>(Layer::PidNamespace, what);
    loop {
        if let Some(status) = child.try_wait().map_err(at("wait"))? {
            return Ok((status, false, false));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok((end(child)?, true, false));
        }
        let timeout = PollTimeout::try_from(left.min(Duration::from_secs(3600)) + Duration::from_millis(1))
            .unwrap_or(PollTimeout::MAX);
        let mut fds = [
            PollFd::new(control.as_fd(), PollFlags::POLLIN),
            PollFd::new(deaths.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => {
                end(child)?;
                return Err(at("poll")(error.into()));
            }
        }
        // The node says nothing more after the job: whatever comes, and its end above all, means stop.
        let told = fds[0].revents().is_some_and(|events| !events.is_empty());
        if fds[1].revents().is_some_and(|events| !events.is_empty()) {
            let _ = deaths.read_signal();
        }
        if told {
            return Ok((end(child)?, false, true));
        }
    }
}

/// Kills the confined process, and with it its whole namespace.
fn end(child: &mut Child) -> Result<ExitStatus, SetupError> {
    let at = |what: &'static str| SetupError::at::<io::Error>(Layer::PidNamespace, what);
    child.kill().map_err(at("kill"))?;
    child.wait().map_err(at("wait"))
}
