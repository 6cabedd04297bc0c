//! Finds out whether this machine can hold a sandbox: tries its layers, and tries to break out of it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::answer::{AnswerError, Question};
use super::cancel::Cancel;
use super::config::SandboxConfig;
use super::job::Limits;
use super::launch::launch;
use super::layer::{Finding, Layer, LayerStatus, Missing, Probe, Wanted};
use super::layout::Layout;
use super::protocol::{Program, SUBCOMMAND, SURVEY, receive, send};

/// What every probe may use: little, so that passing a limit takes no time.
const LIMITS: Limits = Limits {
    wall_seconds: 30,
    cpu_seconds: 20,
    memory_bytes: 512 << 20,
    threads: 8,
    output_bytes: 256 << 10,
    log_bytes: 64 << 10,
    scratch_bytes: 1 << 20,
    open_files: 64,
};
/// How long the probe that outlives its time is given, in seconds.
const SHORT: u64 = 1;

/// What the probes of one process find, with what each must.
const TRIED: [(&str, Wanted); 11] = [
    ("read its own input", Wanted::Allowed),
    ("write in its scratch folder", Wanted::Allowed),
    ("read a file outside", Wanted::Blocked),
    ("write a file outside", Wanted::Blocked),
    ("open a socket", Wanted::Blocked),
    ("read another process", Wanted::Blocked),
    ("see another asset", Wanted::Blocked),
    ("gain privileges", Wanted::Blocked),
    ("fork without end", Wanted::Blocked),
    ("exceed memory", Wanted::Blocked),
    ("fill the disk", Wanted::Blocked),
];
const OUTPUT: &str = "exceed output";
const TIME: &str = "outlive the time limit";

/// Tries each layer in a process of its own.
pub(super) fn survey(sandbox: &SandboxConfig) -> Vec<LayerStatus> {
    surveyed(sandbox).unwrap_or_else(|error| {
        let detail = format!("{} could not be asked: {error}", sandbox.launcher.display());
        Layer::ALL
            .map(|layer| LayerStatus {
                layer,
                present: false,
                detail: detail.clone(),
            })
            .to_vec()
    })
}

fn surveyed(sandbox: &SandboxConfig) -> io::Result<Vec<LayerStatus>> {
    let (control, theirs) = UnixStream::pair()?;
    control.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut command = Command::new(&sandbox.launcher);
    command.args([SUBCOMMAND, SURVEY]).env_clear();
    command
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn()?;
    // The command holds the other end of the socket, which would then never close.
    drop(command);
    let found = send(&control, &sandbox.user).and_then(|()| receive::<Vec<LayerStatus>>(&control));
    let _ = child.kill();
    child.wait()?;
    found
}

/// The layers that are missing.
pub(super) fn missing_layers(found: &[LayerStatus]) -> Vec<Missing> {
    let status = |layer: Layer| found.iter().find(|status| status.layer == layer);
    let missing = Layer::ALL.into_iter().filter_map(|layer| match status(layer) {
        Some(LayerStatus { present: true, .. }) => None,
        Some(LayerStatus { detail, .. }) => Some((layer, detail.clone())),
        None => Some((layer, "it was not tried".to_owned())),
    });
    missing
        .map(|(layer, reason)| Missing {
            what: layer.to_string(),
            reason,
        })
        .collect()
}

/// Every probe, as one that could not be made.
pub(super) fn not_run(reason: &str) -> Vec<Probe> {
    let all = TRIED
        .into_iter()
        .chain([(OUTPUT, Wanted::Blocked), (TIME, Wanted::Blocked)]);
    all.map(|(name, wanted)| probe(name, wanted, Finding::NotRun, reason))
        .collect()
}

fn probe(name: &str, wanted: Wanted, outcome: Finding, detail: impl Into<String>) -> Probe {
    Probe {
        name: name.to_owned(),
        wanted,
        outcome,
        detail: detail.into(),
    }
}

/// Makes every probe.
pub(super) fn attempt(layout: &Layout, sandbox: &SandboxConfig) -> Vec<Probe> {
    // Real files that must not be seen, in the folder whose files must not be seen.
    let bait = match Bait::lay(&sandbox.private_folder) {
        Ok(bait) => bait,
        Err(error) => return not_run(&format!("{}: {error}", sandbox.private_folder.display())),
    };
    let mut probes = inside(layout, sandbox, &bait);
    probes.push(output(layout, sandbox, &bait));
    probes.push(time(layout, sandbox, &bait));
    probes
}

struct Bait {
    folder: tempfile::TempDir,
}

impl Bait {
    fn lay(private_folder: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(".probe-")
            .tempdir_in(private_folder)?;
        for name in ["input", "asset", "outside"] {
            std::fs::write(folder.path().join(name), name)?;
        }
        Ok(Self { folder })
    }

    fn question<'a>(
        &self,
        layout: &'a Layout,
        sandbox: &'a SandboxConfig,
        attempt: &str,
        limits: Limits,
    ) -> Question<'a> {
        let path = |name: &str| self.folder.path().join(name);
        let job = json!({
            "attempt": attempt,
            "asset": path("asset"),
            "outside": path("outside"),
            "node": std::process::id(),
            "memory": limits.memory_bytes,
            "threads": limits.threads,
            "scratch": limits.scratch_bytes,
        });
        Question {
            layout,
            sandbox,
            program: Program::Probes,
            job,
            inputs: vec![path("input")],
            limits,
        }
    }
}

fn inside(layout: &Layout, sandbox: &SandboxConfig, bait: &Bait) -> Vec<Probe> {
    type Found = std::collections::BTreeMap<String, (Finding, String)>;
    let mut found = match bait.question(layout, sandbox, "all", LIMITS).ask::<Found>() {
        Ok(found) => found,
        Err(error) => {
            let reason = error.to_string();
            return TRIED
                .map(|(name, wanted)| probe(name, wanted, Finding::NotRun, reason.as_str()))
                .to_vec();
        }
    };
    let one = |(name, wanted): (&str, Wanted)| match found.remove(name) {
        Some((outcome, detail)) => probe(name, wanted, outcome, detail),
        None => probe(name, wanted, Finding::NotRun, "it gave no answer"),
    };
    TRIED.map(one).to_vec()
}

fn output(layout: &Layout, sandbox: &SandboxConfig, bait: &Bait) -> Probe {
    judge(OUTPUT, &bait.question(layout, sandbox, "output", LIMITS), |ran| {
        (ran.overflowed && ran.ended.cancelled).then(|| format!("stopped after {} bytes", ran.output.len()))
    })
}

fn time(layout: &Layout, sandbox: &SandboxConfig, bait: &Bait) -> Probe {
    let limits = Limits {
        wall_seconds: SHORT,
        ..LIMITS
    };
    judge(TIME, &bait.question(layout, sandbox, "time", limits), |ran| {
        ran.ended
            .timed_out
            .then(|| format!("killed after {} ms, with every signal ignored", ran.ended.wall_ms))
    })
}

fn judge(
    name: &str,
    question: &Question<'_>,
    blocked: impl FnOnce(&super::launch::Ran) -> Option<String>,
) -> Probe {
    let ran = question.spec().and_then(|spec| {
        let cancel = Cancel::new().map_err(|error| AnswerError::Failed(error.to_string()))?;
        Ok(launch(
            &question.sandbox.launcher,
            &spec,
            &mut io::sink(),
            &cancel,
        )?)
    });
    match ran {
        Ok(ran) => match blocked(&ran) {
            Some(detail) => probe(name, Wanted::Blocked, Finding::Blocked, detail),
            None => probe(name, Wanted::Blocked, Finding::Allowed, "nothing stopped it"),
        },
        Err(error) => probe(name, Wanted::Blocked, Finding::NotRun, error.to_string()),
    }
}

/// The probes that did not come out as they must.
pub(super) fn missing_probes(probes: &[Probe]) -> Vec<Missing> {
    let failed = probes.iter().filter(|probe| !probe.holds());
    failed
        .map(|probe| {
            let found = match probe.outcome {
                Finding::Allowed => "was allowed",
                Finding::Blocked => "was blocked",
                Finding::NotRun => "could not be tried",
            };
            Missing {
                what: format!("the probe to {}", probe.name),
                reason: format!("{found}: {}", probe.detail),
            }
        })
        .collect()
}
