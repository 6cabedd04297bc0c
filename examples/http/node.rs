//! The node that is measured: the program itself, as a process of its own.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Connection, get, post};

const PASSWORD: &str = "a password of the measurement";
const EMAIL: &str = "olga@example.org";

/// A low node that runs, with its owner signed in.
pub struct Node {
    folder: TempDir,
    process: Child,
    /// Its `HOST:PORT`.
    pub address: String,
    /// The owner's token.
    pub token: String,
}

/// `poundlock` of the same build as this program.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("this program's own path");
    let built = own.parent().and_then(Path::parent).expect("a target folder");
    built.join("poundlock")
}

impl Node {
    /// Makes a node, starts it and sets it up.
    pub fn start(python: Option<&str>) -> Self {
        Self::started(python, command)
    }

    /// As [`Self::start`], on a disk that takes so many milliseconds longer for each flush: `strace` holds the node back so long.
    pub fn on_slow_disk(flush: u32) -> Self {
        Self::started(None, |workplace| {
            let mut strace = Command::new("strace");
            strace
                .args([
                    "-f",
                    "--seccomp-bpf",
                    "-qq",
                    "-o",
                    "/dev/null",
                    "-e",
                    "trace=fdatasync",
                    "-e",
                ])
                .arg(format!("inject=fdatasync:delay_exit={}", flush * 1000))
                .arg(program());
            at_home(strace, workplace)
        })
    }

    fn started(python: Option<&str>, serving: impl Fn(&Path) -> Command) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = folder.path().join("node");
        let mut init = command(folder.path());
        init.args(["--json", "init", "--side", "low", "--name", "bench"]);
        if let Some(python) = python {
            init.args(["--python", python]);
        }
        let made = init.arg(&home).output().expect("it starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
        let mut process = serving(folder.path())
            .args(["--json", "serve", "--listen", "127.0.0.1:0"])
            .arg(&home)
            .env("POUNDLOCK_LOG", "warn")
            .env("POUNDLOCK_PERSON_REQUESTS_PER_MINUTE", "0")
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("a line");
        let listening: Value = serde_json::from_str(&line).expect("JSON");
        let address = text(&listening["address"]).replace("http://", "");
        let mut node = Self {
            folder,
            process,
            address,
            token: String::new(),
        };
        node.set_up(&home, &text(&made["setup_token"]));
        node
    }

    fn set_up(&mut self, home: &Path, setup_token: &str) {
        let file = |name: &str, content: &str| {
            let path = self.folder.path().join(name);
            std::fs::write(&path, content).expect("a file");
            path
        };
        let done = command(self.folder.path())
            .arg("--node")
            .arg(home)
            .args(["setup", "--owner", "Olga", "--email", EMAIL, "--token-file"])
            .arg(file("token", setup_token))
            .arg("--password-file")
            .arg(file("password", PASSWORD))
            .output()
            .expect("it starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let session = self.post("/sessions", &json!({"email": EMAIL, "password": PASSWORD}), 200);
        self.token = text(&session["token"]);
    }

    /// Posts something; the answer must have this status, or 201.
    pub fn post(&self, path: &str, body: &Value, wanted: u16) -> Value {
        let mut connection = Connection::open(&self.address);
        let (status, answer) = connection.ask(&post(&format!("/api/v1{path}"), &self.token, body));
        assert!(
            status == wanted || status == 201,
            "{path}: {status} {}",
            String::from_utf8_lossy(answer)
        );
        serde_json::from_slice(answer).expect("JSON")
    }

    /// The bytes under an address.
    pub fn read(&self, path: &str) -> Vec<u8> {
        let mut connection = Connection::open(&self.address);
        let (status, body) = connection.ask(&get(path, &self.token));
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(body));
        body.to_vec()
    }

    /// The memory that the process takes now, in MiB.
    pub fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kibibytes.expect("a number") / 1024.0
    }

    /// The number of the process, for a profiler.
    pub fn process(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It is a measurement's node: nothing of it is kept. The whole group, since what holds it back may be the process.
        let group = Pid::from_raw(self.process.id().cast_signed());
        let _gone = killpg(group, Signal::SIGKILL);
        drop(self.process.wait());
    }
}

fn command(workplace: &Path) -> Command {
    at_home(Command::new(program()), workplace)
}

fn at_home(mut command: Command, workplace: &Path) -> Command {
    command.env("POUNDLOCK_CONFIG_HOME", workplace.join("config"));
    command
}

/// A string of a document.
pub fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
