//! A real mail server and a real server of webhooks on loopback, and what they took.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long something that is bound to happen may take.
const MOST: Duration = Duration::from_secs(120);

fn python() -> String {
    std::env::var("POUNDLOCK_TEST_PYTHON")
        .expect("POUNDLOCK_TEST_PYTHON must name a Python with aiosmtpd; run scripts/test")
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Waits until something is there. What is awaited happens soon or never.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < MOST, "waited in vain for {what}");
        // Whoever is waited for needs the processor.
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A program that says on which port it listens.
struct Listening {
    process: Child,
    port: u16,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Listening {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(python())
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let port = u16::try_from(said["port"].as_u64().unwrap()).unwrap();
        Self { process, port, lines }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The numbered files of a folder, in order.
fn numbered(folder: &Path) -> Vec<Value> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let Some(number) = number.filter(|_| path.extension().is_some_and(|it| it == "json")) {
            let text = std::fs::read_to_string(&path).unwrap();
            found.insert(number, serde_json::from_str(&text).unwrap());
        }
    }
    found.into_values().collect()
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    None,
    Upgraded,
    Implicit,
}

/// A mail that arrived.
#[derive(Clone, Debug)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub message_id: String,
    pub text: String,
    pub html: String,
    pub whole: Value,
}

/// A mail server. What it took stays when it is stopped.
pub struct MailServer {
    folder: TempDir,
    tls: Tls,
    login: Option<(String, String)>,
    listening: Option<Listening>,
    port: u16,
    /// Whether it writes no mail down, because many come.
    pub names_only: bool,
}

impl MailServer {
    /// A server in the open, for whoever comes.
    pub fn open() -> Self {
        Self::new(Tls::None, None)
    }

    pub fn new(tls: Tls, login: Option<(&str, &str)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if tls != Tls::None {
            make_certificates(folder.path());
        }
        let mut server = Self {
            folder,
            tls,
            login: login.map(|(user, password)| (user.to_owned(), password.to_owned())),
            listening: None,
            port: 0,
            names_only: false,
        };
        server.start();
        server
    }

    /// Starts it, on the port that it had before if it had one.
    pub fn start(&mut self) {
        let script = source("scripts/mail_server.py").display().to_string();
        let (folder, port) = (self.folder.path().display().to_string(), self.port.to_string());
        let (certificate, key) = (format!("{folder}/server.pem"), format!("{folder}/server.key"));
        let tls = match self.tls {
            Tls::None => "none",
            Tls::Upgraded => "starttls",
            Tls::Implicit => "implicit",
        };
        let mut arguments = vec![script.as_str(), &folder, "--port", &port, "--tls", tls];
        arguments.extend(["--certificate", &certificate, "--key", &key]);
        if let Some((user, password)) = &self.login {
            arguments.extend(["--user", user, "--password", password]);
        }
        if self.names_only {
            arguments.push("--names-only");
        }
        let listening = Listening::start(&arguments);
        self.port = listening.port;
        self.listening = Some(listening);
    }

    pub fn stop(&mut self) {
        self.listening = None;
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that vouches for it.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// The variables that make a node send its mail here.
    pub fn environment(&self) -> Vec<(String, String)> {
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut all = vec![
            set("SMTP_HOST", "127.0.0.1"),
            set("SMTP_PORT", &self.port.to_string()),
            set("EMAIL_SENDER", "node@lab.example"),
            set("POUNDLOCK_BASE_URL", "https://lab.example"),
        ];
        all.push(match self.tls {
            Tls::None => set("SMTP_SECURITY", "none"),
            Tls::Upgraded => set("SMTP_SECURITY", "starttls"),
            Tls::Implicit => set("SMTP_SECURITY", "tls"),
        });
        if self.tls != Tls::None {
            all.push(set("SMTP_CA_FILE", &self.authority().display().to_string()));
        }
        if let Some((user, password)) = &self.login {
            let file = self.folder.path().join("password");
            std::fs::write(&file, format!("{password}\n")).unwrap();
            all.extend([
                set("SMTP_USERNAME", user),
                set("SMTP_PASSWORD_FILE", &file.display().to_string()),
            ]);
        }
        all
    }

    /// What it says to recipients.
    pub fn policy(&self, policy: &Value) {
        let beside = self.folder.path().join("policy.new");
        std::fs::write(&beside, policy.to_string()).unwrap();
        std::fs::rename(beside, self.folder.path().join("policy.json")).unwrap();
    }

    /// Whether mails that arrived are acknowledged.
    pub fn hold(&self, hold: bool) {
        let file = self.folder.path().join("hold");
        if hold {
            std::fs::write(file, "").unwrap();
        } else {
            std::fs::remove_file(file).unwrap();
        }
    }

    /// Everything that arrived, in order.
    pub fn mails(&self) -> Vec<Mail> {
        numbered(self.folder.path()).into_iter().map(Mail::of).collect()
    }

    /// Waits until so many mails have arrived.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Mail> {
        until(&format!("{count} mails"), || {
            let arrived = self.mails();
            (arrived.len() >= count).then_some(arrived)
        })
    }

    /// Waits for the next mail of a server that writes none down: its recipient and its name.
    pub fn next_name(&mut self) -> (String, String) {
        let line = self.listening.as_mut().unwrap().lines.next().unwrap().unwrap();
        let (to, name): (Vec<String>, String) = serde_json::from_str(&line).unwrap();
        assert_eq!(to.len(), 1);
        (to.into_iter().next().unwrap(), name)
    }

    /// Connections at once at most, and in all.
    pub fn connections(&self) -> (u64, u64) {
        let text = std::fs::read_to_string(self.folder.path().join("stats.json")).unwrap();
        let stats: Value = serde_json::from_str(&text).unwrap();
        (stats["most"].as_u64().unwrap(), stats["total"].as_u64().unwrap())
    }
}

impl Mail {
    fn of(whole: Value) -> Self {
        let header = |name: &str| {
            let all = whole["headers"].as_array().unwrap();
            let found: Vec<_> = all.iter().filter(|pair| pair[0] == name).collect();
            assert_eq!(found.len(), 1, "{name} once: {whole}");
            found[0][1].as_str().unwrap().to_owned()
        };
        // Mail ends its lines with CRLF (RFC 5322 §2.3).
        let text = |name: &str| whole[name].as_str().unwrap_or_default().replace("\r\n", "\n");
        assert_eq!(whole["to"].as_array().unwrap().len(), 1, "{whole}");
        Self {
            to: whole["to"][0].as_str().unwrap().to_owned(),
            subject: header("Subject"),
            message_id: header("Message-ID"),
            text: text("text"),
            html: text("html"),
            whole,
        }
    }
}

/// An authority of this test's, and a server's certificate for 127.0.0.1 that it has signed.
fn make_certificates(folder: &Path) {
    let program = "import sys, trustme\n\
        authority = trustme.CA()\n\
        server = authority.issue_cert('127.0.0.1', 'localhost')\n\
        authority.cert_pem.write_to_path(sys.argv[1] + '/authority.pem')\n\
        server.private_key_pem.write_to_path(sys.argv[1] + '/server.key')\n\
        server.cert_chain_pems[0].write_to_path(sys.argv[1] + '/server.pem')\n";
    let made = Command::new(python())
        .args(["-c", program])
        .arg(folder)
        .status()
        .unwrap();
    assert!(made.success());
}

/// A server of incoming webhooks.
pub struct Hooks {
    folder: TempDir,
    listening: Listening,
}

impl Hooks {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = source("tests/e2e/webhook_server.py").display().to_string();
        let listening = Listening::start(&[&script, &folder.path().display().to_string()]);
        Self { folder, listening }
    }

    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.listening.port)
    }

    /// What it answers with from now on.
    pub fn answer(&self, status: u16) {
        std::fs::write(self.folder.path().join("status"), status.to_string()).unwrap();
    }

    /// What was posted: paths and texts.
    pub fn posted(&self) -> Vec<(String, String)> {
        let all = numbered(self.folder.path()).into_iter();
        all.map(|it| {
            let body: Value = serde_json::from_str(it["body"].as_str().unwrap()).unwrap();
            assert_eq!(body, json!({"text": body["text"]}), "nothing else is posted");
            let path = it["path"].as_str().unwrap().to_owned();
            (path, body["text"].as_str().unwrap().to_owned())
        })
        .collect()
    }
}
