//! The node's side of one sandbox: starts the monitor, takes in what comes out, and stops it.

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::cancel::Cancel;
use super::kept_log::KeptLog;
use super::protocol::{Ended, MONITOR, Report, SUBCOMMAND, Spec, receive, send};
use super::{Resources, RunError};

/// How long the monitor may take beyond a job's own time before it counts as lost.
const GRACE: Duration = Duration::from_secs(30);
/// What is added to a result's size for its frame: the longest header.
const FRAME_MAX: u64 = 64 << 10;

/// A sandbox that ran to its end.
#[derive(Debug)]
pub(crate) struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// What it handed over: hostile input, of at most the output limit and a frame.
    pub output: Vec<u8>,
    /// Whether it handed over more than that, and was stopped for it.
    pub overflowed: bool,
}

impl Ran {
    /// What it took.
    pub(crate) fn used(&self) -> Resources {
        Resources {
            wall: Duration::from_millis(self.ended.wall_ms),
            cpu: Duration::from_millis(self.ended.cpu_ms),
            peak_memory: self.ended.peak_kib.saturating_mul(1024),
        }
    }
}

fn at(what: &str) -> impl FnOnce(io::Error) -> RunError {
    let what = what.to_owned();
    move |source| RunError::Io { what, source }
}

/// Makes one sandbox and waits for its end. The log goes to `log` as it comes, up to its limit.
pub(crate) fn launch(
    launcher: &Path,
    spec: &Spec,
    log: &mut dyn Write,
    cancel: &Cancel,
) -> Result<Ran, RunError> {
    let (control, theirs) = UnixStream::pair().map_err(at("making a socket pair"))?;
    let (output, output_end) = io::pipe().map_err(at("making a pipe"))?;
    let (log_pipe, log_end) = io::pipe().map_err(at("making a pipe"))?;
    let mut command = Command::new(launcher);
    command.args([SUBCOMMAND, MONITOR]).env_clear().process_group(0);
    command
        .stdin(OwnedFd::from(theirs))
        .stdout(output_end)
        .stderr(Stdio::from(log_end));
    let monitor = command
        .spawn()
        .map_err(at(&format!("starting {}", launcher.display())))?;
    // The command holds the other ends of the pipes, which would then never end.
    drop(command);
    let mut watch = Watch {
        monitor,
        control: Some(control),
        output: Some(output),
        log_pipe: Some(log_pipe),
        report: Vec::new(),
        ran_output: Vec::new(),
        overflowed: false,
        output_max: spec.limits.output_bytes.saturating_add(FRAME_MAX),
        log: KeptLog::new(log, spec.limits.log_bytes),
    };
    let outcome = watch.run(spec, cancel);
    if outcome.is_err() {
        // Its end takes the sandbox along.
        let _ = watch.monitor.kill();
    }
    let status = watch.monitor.wait().map_err(at("waiting for the monitor"))?;
    outcome?;
    match receive::<Report>(watch.report.as_slice()) {
        Ok(Report::Ended(ended)) => Ok(Ran {
            ended,
            output: watch.ran_output,
            overflowed: watch.overflowed,
        }),
        Ok(Report::Setup(error)) => Err(RunError::Setup {
            layer: error.layer,
            detail: error.detail,
        }),
        Err(_) => Err(RunError::Monitor(status.to_string())),
    }
}

struct Watch<'a> {
    monitor: Child,
    control: Option<UnixStream>,
    output: Option<PipeReader>,
    log_pipe: Option<PipeReader>,
    report: Vec<u8>,
    ran_output: Vec<u8>,
    overflowed: bool,
    output_max: u64,
    log: KeptLog<'a>,
}

impl Watch<'_> {
    fn run(&mut self, spec: &Spec, cancel: &Cancel) -> Result<(), RunError> {
        if let Some(control) = &self.control {
            control
                .set_write_timeout(Some(GRACE))
                .map_err(at("setting a time limit"))?;
            send(control, spec).map_err(at("telling the monitor what to run"))?;
        }
        let deadline =
            Instant::now() + Duration::from_secs(spec.limits.wall_seconds.min(366 * 24 * 3600)) + GRACE;
        let mut stopped = false;
        while self.control.is_some() || self.output.is_some() || self.log_pipe.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RunError::Monitor("it did not keep to the time limit".to_owned()));
            }
            let ready = self.wait(left, (!stopped).then_some(cancel))?;
            self.take_in(ready)?;
            if !stopped && (ready.cancelled || self.overflowed) {
                stopped = true;
                self.stop()?;
            }
        }
        Ok(())
    }

    /// Tells the monitor to end the sandbox.
    fn stop(&self) -> Result<(), RunError> {
        match &self.control {
            Some(control) => match control.shutdown(std::net::Shutdown::Write) {
                Err(error) if error.kind() != io::ErrorKind::NotConnected => {
                    Err(at("stopping the sandbox")(error))
                }
                _ => Ok(()),
            },
            None => Ok(()),
        }
    }

    fn wait(&self, left: Duration, cancel: Option<&Cancel>) -> Result<Ready, RunError> {
        let sources: [Option<BorrowedFd<'_>>; 4] = [
            self.control.as_ref().map(AsFd::as_fd),
            self.output.as_ref().map(AsFd::as_fd),
            self.log_pipe.as_ref().map(AsFd::as_fd),
            cancel.map(Cancel::descriptor),
        ];
        let mut fds: Vec<_> = sources
            .iter()
            .flatten()
            .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
            .collect();
        let timeout = PollTimeout::try_from(left.min(Duration::from_secs(3600))).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(at("waiting for the sandbox")(error.into())),
        }
        let mut events = fds
            .iter()
            .map(|fd| fd.revents().is_some_and(|events| !events.is_empty()));
        let mut ready = sources
            .iter()
            .map(|source| source.is_some() && events.next().unwrap_or(false));
        let mut next = || ready.next().unwrap_or(false);
        Ok(Ready {
            control: next(),
            output: next(),
            log: next(),
            cancelled: next(),
        })
    }

    fn take_in(&mut self, ready: Ready) -> Result<(), RunError> {
        let mut buffer = vec![0; 64 << 10];
        if ready.control {
            let count =
                read(self.control.as_mut(), &mut buffer).map_err(at("reading the monitor's report"))?;
            self.report.extend_from_slice(&buffer[..count]);
            if count == 0 {
                self.control = None;
            }
        }
        if ready.output {
            let count = read(self.output.as_mut(), &mut buffer).map_err(at("reading the result"))?;
            let room = self.output_max.saturating_sub(self.ran_output.len() as u64);
            let kept = count.min(usize::try_from(room).unwrap_or(usize::MAX));
            self.ran_output.extend_from_slice(&buffer[..kept]);
            self.overflowed |= kept < count;
            if count == 0 {
                self.output = None;
            }
        }
        if ready.log {
            let count = read(self.log_pipe.as_mut(), &mut buffer).map_err(at("reading the log"))?;
            let kept = match count {
                0 => self.log.end(),
                _ => self.log.keep(&buffer[..count]),
            };
            kept.map_err(at("writing the log"))?;
            if count == 0 {
                self.log_pipe = None;
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Ready {
    control: bool,
    output: bool,
    log: bool,
    cancelled: bool,
}

fn read(source: Option<&mut impl Read>, buffer: &mut [u8]) -> io::Result<usize> {
    let Some(source) = source else { return Ok(0) };
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A peer that closed its socket with unread bytes in it is gone, nothing more.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(0),
            outcome => return outcome,
        }
    }
}
