//! Tells how a run ended, from what the monitor saw and from what the code handed over.

use super::format::{self, FormatError};
use super::frame::{Frame, FrameError, parse};
use super::job::{ExceptionClass, FailureReport, Job, Limits, Outcome, Phase, Stop};
use super::launch::Ran;
use super::protocol::Ended;

/// How near to its limit on processor time a killed process counts as killed by it.
const CPU_SLACK_MS: u64 = 100;

// Numbers of signal(7), the same on every architecture that has a filter.
const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;
const SIGSYS: i32 = 31;

/// Judges a run, and writes its result if it has one.
///
/// # Errors
/// The result could not be written. A result that is malformed or too long is an outcome.
pub(super) fn judge(job: &Job, ran: &Ran) -> Result<Outcome, FormatError> {
    if ran.overflowed {
        return Ok(stopped(Phase::Result, Stop::OutputSize));
    }
    if ran.ended.cancelled {
        return Ok(Outcome::Cancelled);
    }
    if ran.ended.timed_out {
        return Ok(Outcome::TimedOut);
    }
    if let Some(stop) = killed_by(&ran.ended, &job.limits) {
        return Ok(stopped(Phase::Call, stop));
    }
    match parse(&ran.output) {
        Ok(Frame::Failure { phase, line, class }) => Ok(Outcome::Failed(FailureReport {
            phase,
            line: known_line(line, &job.source),
            class,
            stopped_by: None,
        })),
        Ok(Frame::Value(format, payload)) if ran.ended.code == Some(0) => {
            match format::write_again(format, payload, &job.result_path, job.limits.output_bytes) {
                Ok(file) => Ok(Outcome::Succeeded(file)),
                Err(FormatError::Malformed { .. }) => Ok(stopped(Phase::Result, Stop::MalformedResult)),
                Err(FormatError::TooLong(_)) => Ok(stopped(Phase::Result, Stop::OutputSize)),
                Err(error @ (FormatError::Io { .. } | FormatError::Busy)) => Err(error),
            }
        }
        Ok(Frame::Value(..)) | Err(FrameError::Malformed) => {
            Ok(stopped(Phase::Result, Stop::MalformedResult))
        }
        Err(FrameError::Empty) => Ok(stopped(Phase::Call, Stop::NoResult)),
    }
}

fn stopped(phase: Phase, stop: Stop) -> Outcome {
    let class = match stop {
        Stop::Killed => ExceptionClass::of("MemoryError"),
        Stop::CpuTime => ExceptionClass::of("TimeoutError"),
        _ => ExceptionClass::OTHER,
    };
    Outcome::Failed(FailureReport {
        phase,
        line: None,
        class,
        stopped_by: Some(stop),
    })
}

fn killed_by(ended: &Ended, limits: &Limits) -> Option<Stop> {
    match ended.signal? {
        SIGKILL if ended.cpu_ms + CPU_SLACK_MS >= limits.cpu_seconds.saturating_mul(1000) => {
            Some(Stop::CpuTime)
        }
        SIGKILL => Some(Stop::Killed),
        SIGXCPU => Some(Stop::CpuTime),
        SIGSYS => Some(Stop::SystemCall),
        _ => Some(Stop::Crash),
    }
}

/// The line, if the source has it: the code could have named any number.
fn known_line(line: Option<u32>, source: &str) -> Option<u32> {
    line.filter(|line| *line >= 1 && *line as usize <= source.lines().count())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn job(folder: &Path) -> Job {
        Job {
            source: "def f():\n    return 1\n".to_owned(),
            entry_point: "f".to_owned(),
            arguments: Vec::new(),
            limits: Limits::default(),
            folder: folder.to_path_buf(),
            log_path: folder.join("log"),
            result_path: folder.join("result"),
        }
    }

    fn ran(header: &str, payload: &[u8], code: Option<i32>, signal: Option<i32>) -> Ran {
        let mut output = b"PLR1".to_vec();
        output.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
        output.extend(header.as_bytes());
        output.extend((payload.len() as u64).to_le_bytes());
        output.extend(payload);
        let (timed_out, cancelled) = (false, false);
        let ended = Ended {
            code,
            signal,
            timed_out,
            cancelled,
            wall_ms: 10,
            cpu_ms: 5,
            peak_kib: 1,
        };
        Ran {
            ended,
            output,
            overflowed: false,
        }
    }

    fn report(outcome: Outcome) -> FailureReport {
        match outcome {
            Outcome::Failed(report) => report,
            other => panic!("{other:?}"),
        }
    }

    const JSON: &str = r#"{"kind":"json"}"#;

    #[test]
    fn a_result_counts_only_if_the_interpreter_ended_well() {
        let folder = tempfile::tempdir().unwrap();
        let job = job(folder.path());
        for (code, signal) in [
            (Some(1), None),
            (None, Some(11)),
            (None, Some(SIGKILL)),
            (None, Some(SIGSYS)),
        ] {
            report(judge(&job, &ran(JSON, b"1", code, signal)).unwrap());
            assert!(!job.result_path.try_exists().unwrap());
        }
        assert!(matches!(
            judge(&job, &ran(JSON, b" 1 ", Some(0), None)).unwrap(),
            Outcome::Succeeded(_)
        ));
        assert_eq!(std::fs::read(&job.result_path).unwrap(), b"1\n");
    }

    #[test]
    fn a_malformed_result_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let job = job(folder.path());
        for (header, payload) in [
            (JSON, &b"{"[..]),
            (JSON, b"1 2"),
            (r#"{"kind":"csv"}"#, b"a,b\n1\n"),
            (r#"{"kind":"npy"}"#, b"\x93NUMPY"),
            (r#"{"kind":"png"}"#, b"\x89PNG"),
        ] {
            let report = report(judge(&job, &ran(header, payload, Some(0), None)).unwrap());
            assert_eq!(report.stopped_by, Some(Stop::MalformedResult), "{header}");
            assert!(!job.result_path.try_exists().unwrap());
        }
    }

    #[test]
    fn a_line_that_the_source_does_not_have_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let job = job(folder.path());
        for (line, told) in [
            ("2", Some(2)),
            ("3", None),
            ("0", None),
            ("4000000", None),
            ("null", None),
        ] {
            let header = format!(r#"{{"kind":"failure","phase":"call","line":{line},"class":"KeyError"}}"#);
            assert_eq!(
                report(judge(&job, &ran(&header, b"", Some(1), None)).unwrap()).line,
                told,
                "{line}"
            );
        }
    }

    #[test]
    fn who_passes_a_limit_is_told_which() {
        let folder = tempfile::tempdir().unwrap();
        let mut job = job(folder.path());
        let mut flood = ran(JSON, b"1", None, Some(SIGKILL));
        (flood.overflowed, flood.ended.cancelled) = (true, true);
        assert_eq!(
            report(judge(&job, &flood).unwrap()).stopped_by,
            Some(Stop::OutputSize)
        );
        let killed = ran(JSON, b"1", None, Some(SIGKILL));
        assert_eq!(
            report(judge(&job, &killed).unwrap()).stopped_by,
            Some(Stop::Killed)
        );
        job.limits.cpu_seconds = 0;
        assert_eq!(
            report(judge(&job, &killed).unwrap()).stopped_by,
            Some(Stop::CpuTime)
        );
        job.limits.output_bytes = 3;
        let long = ran(JSON, b"12345", Some(0), None);
        assert_eq!(
            report(judge(&job, &long).unwrap()).stopped_by,
            Some(Stop::OutputSize)
        );
    }
}
