//! A node as a process of its own, in a folder of its own, stopped when it is dropped.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The password of everybody in these tests.
pub const PASSWORD: &str = "correct horse battery staple";
/// The owner of every node.
pub const OWNER: &str = "owner@example.org";

/// A node that runs.
pub struct Node {
    /// Holds the node's folder, the people's sessions, and what a test likes to put there.
    pub workplace: TempDir,
    /// What `init` said.
    pub made: Value,
    /// Variables that the process is started with.
    pub environment: Vec<(String, String)>,
    process: Option<Child>,
    address: String,
}

/// What a command printed, and how it ended.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The JSON that it printed; it must have succeeded.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {}", self.stdout))
    }

    /// The problem's word; it must have failed with this exit code.
    #[track_caller]
    pub fn refused(&self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        let problem: Value = serde_json::from_str(&self.stderr).unwrap_or_else(|_| panic!("{}", self.stderr));
        problem["type"]
            .as_str()
            .unwrap_or_default()
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}

impl Node {
    /// Makes a node of a side and starts it; nobody has set it up.
    pub fn new(side: &str) -> Self {
        Self::with(side, &[])
    }

    /// As [`Self::new`], with further arguments to `init`.
    pub fn with(side: &str, arguments: &[&str]) -> Self {
        Self::with_environment(side, arguments, Vec::new())
    }

    /// As [`Self::with`], with variables for the process.
    pub fn with_environment(side: &str, arguments: &[&str], environment: Vec<(String, String)>) -> Self {
        let workplace = tempfile::tempdir().unwrap();
        let mut node = Self {
            workplace,
            made: Value::Null,
            environment,
            process: None,
            address: String::new(),
        };
        let folder = node.folder().display().to_string();
        let init = [
            "init",
            "--side",
            side,
            "--name",
            side,
            "--listen",
            "127.0.0.1:0",
            &folder,
        ];
        node.made = node.run(OWNER, &[&init, arguments].concat()).json();
        node.start();
        node
    }

    /// Makes a node, starts it, sets it up and signs its owner in.
    pub fn ready(side: &str) -> Self {
        let node = Self::new(side);
        node.set_up();
        node
    }

    /// Makes the owner's account, with registration open, and signs them in.
    pub fn set_up(&self) {
        let token = self.made["setup_token"].as_str().unwrap().to_owned();
        let token = self.file("token", token.as_bytes()).display().to_string();
        let arguments = [
            "setup",
            "--owner",
            "Olga",
            "--email",
            OWNER,
            "--allow-registration",
            "--token-file",
            &token,
        ];
        self.run(OWNER, &arguments).json();
        self.sign_in(OWNER);
    }

    /// Makes a scientist's account and signs them in.
    pub fn scientist(&self, email: &str) -> Value {
        let made = self
            .run("nobody", &["user", "add", "--name", "Sam", "--email", email])
            .json();
        self.sign_in(email);
        made
    }

    /// Signs somebody in, under a profile named by their address.
    pub fn sign_in(&self, email: &str) {
        self.run(email, &["login", email]).json();
    }

    /// The node's folder.
    pub fn folder(&self) -> PathBuf {
        self.workplace.path().join("node")
    }

    /// The address that it listens on.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A file beside the node's folder.
    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.workplace.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A command with `--json`, as somebody; the node is named by its folder.
    pub fn run(&self, who: &str, arguments: &[&str]) -> Ran {
        let mut command = self.command(who);
        command.arg("--json").args(arguments);
        Ran::of(command.output().unwrap())
    }

    /// As [`Self::run`], for people's eyes: without `--json`.
    pub fn say(&self, who: &str, arguments: &[&str]) -> Ran {
        Ran::of(self.command(who).args(arguments).output().unwrap())
    }

    fn command(&self, who: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poundlock"));
        command
            .env("POUNDLOCK_CONFIG_HOME", self.workplace.path().join("config"))
            .env("POUNDLOCK_PROFILE", who)
            .env("POUNDLOCK_NODE", self.folder())
            .env("POUNDLOCK_PASSWORD", PASSWORD)
            .env_remove("POUNDLOCK_TOKEN")
            .stdin(Stdio::null());
        command
    }

    /// Starts the process, and waits until it says where it listens.
    pub fn start(&mut self) {
        let log = std::fs::File::create(self.log()).unwrap();
        let mut process = self
            .command(OWNER)
            // Tests ask more in a minute than people may, but for the one that asks about just that.
            .env("POUNDLOCK_PERSON_REQUESTS_PER_MINUTE", "0")
            .envs(self.environment.clone())
            .arg("--json")
            .arg("serve")
            .arg(self.folder())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        self.process = Some(process);
        let Some(Ok(line)) = lines.next() else {
            panic!(
                "the node did not start: {}",
                std::fs::read_to_string(self.log()).unwrap()
            )
        };
        let said: Value = serde_json::from_str(&line).unwrap();
        self.address = said["address"].as_str().unwrap().to_owned();
    }

    /// Stops the process, changes its configuration and starts it again.
    pub fn reconfigure(&mut self, change: impl FnOnce(String) -> String) {
        self.stop();
        let file = self.folder().join("poundlock.toml");
        let changed = change(std::fs::read_to_string(&file).unwrap());
        std::fs::write(&file, changed).unwrap();
        self.start();
    }

    /// The process's id.
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Where the process logs to.
    pub fn log(&self) -> PathBuf {
        self.workplace.path().join("log")
    }

    /// Tells the process to stop, and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        let id = nix::unistd::Pid::from_raw(i32::try_from(process.id()).unwrap());
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
        process.wait().unwrap()
    }

    /// Kills the process, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Waits until the process has ended by itself; none if it lives on for a minute.
    pub fn died(&mut self) -> Option<ExitStatus> {
        let given_up = Instant::now() + Duration::from_secs(60);
        let process = self.process.as_mut().unwrap();
        while Instant::now() < given_up {
            if let Some(status) = process.try_wait().unwrap() {
                self.process = None;
                return Some(status);
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        None
    }

    /// Sends a request as it stands, and reads what comes back until the node closes the connection.
    pub fn raw(&self, request: &[u8]) -> String {
        let address = self.address.strip_prefix("http://").unwrap();
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        connection.write_all(request).unwrap();
        let mut answer = Vec::new();
        // A node that closes early may reset the connection; what it said before counts.
        drop(std::io::Read::read_to_end(&mut connection, &mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "the node's log:\n{}",
                std::fs::read_to_string(self.log()).unwrap_or_default()
            );
        }
        self.kill();
    }
}

/// A file of `fixtures/`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The items of a list.
pub fn items(list: &Value) -> Vec<Value> {
    list["items"]
        .as_array()
        .cloned()
        .unwrap_or_else(|| panic!("no list: {}", json!(list)))
}
