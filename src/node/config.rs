//! `poundlock.toml`: what the administrator of the machine decides. What the owner of the node decides is in the store.

mod notifications;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::side::Side;
use crate::runtime::{Limits, PythonConfig, SandboxConfig};

pub use notifications::{Notifications, Smtp};

/// The configuration of a node. A key that is not known is an error that names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The node's side; `init` wrote it, and it must agree with the store.
    pub side: Side,
    /// How the node is reached.
    #[serde(default)]
    pub server: Server,
    /// How it runs code.
    #[serde(default)]
    pub runtime: Runtime,
    /// How people are told things outside the node.
    #[serde(default)]
    pub notifications: Notifications,
    /// What new passwords are held against.
    #[serde(default, skip_serializing_if = "PasswordRules::is_empty")]
    pub passwords: PasswordRules,
}

/// What new passwords are held against, beside what the program knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordRules {
    /// A list of passwords that have leaked: lines of SHA-1 in upper-case hexadecimal digits, in order, as "Pwned Passwords"
    /// can be downloaded. Without one, new passwords are held against none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaked: Option<PathBuf>,
}

impl PasswordRules {
    fn is_empty(&self) -> bool {
        self.leaked.is_none()
    }
}

/// How the node is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address and port to listen on. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The longest upload, in bytes.
    pub upload_bytes: u64,
    /// Proxies in front of the node, which alone are believed when they say where a request comes from, for which host, and whether
    /// it came over TLS. Without its proxy here, a node behind one sends cookies that are not `Secure`.
    pub proxies: Vec<IpAddr>,
    /// Seconds that requests and running jobs get to finish when the node is told to stop.
    pub stop_seconds: u64,
    /// Connections at once; more wait until one ends.
    pub connections: u32,
    /// Seconds that a client gets to send the head of a request.
    pub head_seconds: u64,
    /// Seconds that a client may let the node wait for more of a body. In all it may be so long and a second more for each KiB.
    pub body_idle_seconds: u64,
    /// Requests without a session that holds which one network address may send in a minute; 0 sets no bound.
    pub stranger_requests_per_minute: u32,
    /// Requests that one person may send in a minute, each of those that may change something counted ten times; 0 sets no bound.
    pub person_requests_per_minute: u32,
    /// TLS on the node's own port; without it a proxy in front must provide it, or the node listens on this machine alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// Where TLS finds what it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate with those between it and the authority, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM; only the node's user may read it.
    pub key: PathBuf,
    /// The host name that the certificate is for: how commands on this machine call the node.
    pub name: String,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8460),
            upload_bytes: 1 << 40,
            proxies: Vec::new(),
            stop_seconds: 30,
            connections: 1024,
            head_seconds: 10,
            body_idle_seconds: 30,
            stranger_requests_per_minute: 600,
            person_requests_per_minute: 6000,
            tls: None,
        }
    }
}

impl Server {
    /// How long what is under way gets to finish.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.stop_seconds)
    }

    /// Where people reach the node, as far as that can be told: not where it takes a free port, nor, without TLS, where it listens on
    /// every address.
    pub fn address(&self) -> Option<String> {
        let (listen, port) = (self.listen, self.listen.port());
        match &self.tls {
            _ if port == 0 => None,
            Some(tls) => Some(format!("https://{}:{port}", tls.name)),
            None => (!listen.ip().is_unspecified()).then(|| format!("http://{listen}")),
        }
    }
}

/// How the node runs code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Runtime {
    /// Runs that may be under way at once; on a solo node so many on mocks, and as many on private data.
    pub jobs_at_once: u16,
    /// The user and group that code runs as where the node is started as root; see [`SandboxConfig::user`].
    pub sandbox_user: u32,
    /// The program that enters the sandbox; this one, where nothing else is named.
    pub launcher: Option<PathBuf>,
    /// The interpreter.
    pub python: Python,
    /// What one run may use.
    pub limits: Limits,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            jobs_at_once: 2,
            sandbox_user: SandboxConfig::new("").user,
            launcher: None,
            python: Python::default(),
            limits: Limits::default(),
        }
    }
}

/// The interpreter that runs code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Python {
    /// The CPython executable; the first `python3` of the search path where none is named.
    pub interpreter: Option<PathBuf>,
    /// Further folders that it needs; see [`PythonConfig::extra_folders`].
    pub extra_folders: Vec<PathBuf>,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A key is unknown, missing or of the wrong type.
    #[error("{origin}: {problem}")]
    Wrong {
        /// The file, or the environment.
        origin: String,
        /// Which key, and what is wrong with it.
        problem: String,
    },
    /// The value of a variable does not fit.
    #[error("the environment variable {variable} does not fit: {problem}")]
    Variable {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// The variables that override the file, each with the place of its value.
const VARIABLES: [(&str, &[&str]); 23] = [
    ("POUNDLOCK_LISTEN", &["server", "listen"]),
    ("POUNDLOCK_UPLOAD_BYTES", &["server", "upload_bytes"]),
    ("POUNDLOCK_STOP_SECONDS", &["server", "stop_seconds"]),
    ("POUNDLOCK_CONNECTIONS", &["server", "connections"]),
    ("POUNDLOCK_HEAD_SECONDS", &["server", "head_seconds"]),
    ("POUNDLOCK_BODY_IDLE_SECONDS", &["server", "body_idle_seconds"]),
    (
        "POUNDLOCK_STRANGER_REQUESTS_PER_MINUTE",
        &["server", "stranger_requests_per_minute"],
    ),
    (
        "POUNDLOCK_PERSON_REQUESTS_PER_MINUTE",
        &["server", "person_requests_per_minute"],
    ),
    ("POUNDLOCK_JOBS_AT_ONCE", &["runtime", "jobs_at_once"]),
    ("POUNDLOCK_SANDBOX_USER", &["runtime", "sandbox_user"]),
    ("POUNDLOCK_PYTHON", &["runtime", "python", "interpreter"]),
    (
        "POUNDLOCK_RUN_WALL_SECONDS",
        &["runtime", "limits", "wall_seconds"],
    ),
    (
        "POUNDLOCK_RUN_MEMORY_BYTES",
        &["runtime", "limits", "memory_bytes"],
    ),
    ("POUNDLOCK_LEAKED_PASSWORDS", &["passwords", "leaked"]),
    ("POUNDLOCK_BASE_URL", &["notifications", "base_url"]),
    ("SMTP_HOST", &["notifications", "smtp", "host"]),
    ("SMTP_PORT", &["notifications", "smtp", "port"]),
    ("SMTP_SECURITY", &["notifications", "smtp", "security"]),
    ("SMTP_USERNAME", &["notifications", "smtp", "username"]),
    ("SMTP_PASSWORD", &["notifications", "smtp", "password"]),
    ("SMTP_PASSWORD_FILE", &["notifications", "smtp", "password_file"]),
    ("SMTP_CA_FILE", &["notifications", "smtp", "ca_file"]),
    ("EMAIL_SENDER", &["notifications", "smtp", "sender"]),
];

impl Config {
    /// The configuration of a new node.
    pub fn new(side: Side) -> Self {
        Self {
            side,
            server: Server::default(),
            runtime: Runtime::default(),
            notifications: Notifications::default(),
            passwords: PasswordRules::default(),
        }
    }

    /// Reads the file, and overrides it by the variables that `variable` knows (in a program: `std::env::var`).
    ///
    /// # Errors
    /// The file cannot be read, or names the key that is wrong.
    pub fn load(path: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Io {
            path: path.to_path_buf(),
            source,
        })?;
        Self::parse(&text, &path.display().to_string(), variable)
    }

    fn parse(
        text: &str,
        origin: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let wrong = |error: toml::de::Error| ConfigError::Wrong {
            origin: origin.to_owned(),
            // Without the line that it is in, which may hold a password.
            problem: told(text, &error),
        };
        // Read as it stands first, so that an error points into the file.
        let _: Self = toml::from_str(text).map_err(wrong)?;
        let mut table: toml::Table = toml::from_str(text).map_err(wrong)?;
        for (name, place) in VARIABLES {
            if let Some(value) = variable(name) {
                // One by one, so that the error can name the variable.
                table = overridden(&table, place, &value).map_err(|error| ConfigError::Variable {
                    variable: name,
                    problem: error.message().to_owned(),
                })?;
            }
        }
        Self::deserialize(table).map_err(wrong)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// A path is not UTF-8.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }

    /// The interpreter to run code with. `search_path` is the value of `PATH`, for a configuration that names none.
    pub fn python(&self, search_path: Option<&std::ffi::OsStr>) -> PythonConfig {
        let configured = &self.runtime.python;
        let mut python = match &configured.interpreter {
            Some(interpreter) => PythonConfig::new(interpreter),
            None => search_path
                .and_then(PythonConfig::found_in)
                .unwrap_or_else(|| PythonConfig::new("/usr/bin/python3")),
        };
        python.extra_folders.clone_from(&configured.extra_folders);
        python
    }

    /// The way into the sandbox, for a node in `folder`.
    pub fn sandbox(&self, folder: &Path) -> SandboxConfig {
        let mut sandbox = SandboxConfig::new(folder);
        sandbox.user = self.runtime.sandbox_user;
        if let Some(launcher) = &self.runtime.launcher {
            sandbox.launcher.clone_from(launcher);
        }
        sandbox
    }
}

/// What is wrong with the file, and where.
fn told(text: &str, error: &toml::de::Error) -> String {
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return error.message().to_owned();
    };
    let line = before.matches('\n').count() + 1;
    format!("line {line}: {}", error.message())
}

/// The table with a variable's value at its place: as a whole number where it is one and a number fits, as text else (a
/// password may be all digits).
fn overridden(table: &toml::Table, place: &[&str], value: &str) -> Result<toml::Table, toml::de::Error> {
    let fits = |value: toml::Value| {
        let mut table = table.clone();
        set(&mut table, place, value);
        Config::deserialize(table.clone()).map(|_| table)
    };
    if let Ok(number) = value.parse::<i64>()
        && let Ok(table) = fits(toml::Value::Integer(number))
    {
        return Ok(table);
    }
    fits(value.into())
}

/// Puts a value at its place. A password takes the place of the file with another, and a file that of a password.
fn set(table: &mut toml::Table, place: &[&str], value: toml::Value) {
    let [key] = place else {
        if let [outer, inner @ ..] = place {
            let entry = table.entry(*outer).or_insert_with(|| toml::Table::new().into());
            if let Some(table) = entry.as_table_mut() {
                set(table, inner, value);
            }
        }
        return;
    };
    match *key {
        "password" => table.remove("password_file"),
        "password_file" => table.remove("password"),
        _ => None,
    };
    table.insert((*key).to_owned(), value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::parse(text, "poundlock.toml", |asked| {
            let found = variables.iter().find(|(name, _)| *name == asked);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut config = Config::new(Side::High);
        config.runtime.python.interpreter = Some("/opt/python/bin/python3".into());
        config.runtime.limits.wall_seconds = 7;
        assert_eq!(parse(&config.to_toml().unwrap(), &[]).unwrap(), config);
    }

    #[test]
    fn an_unknown_key_is_named() {
        for text in [
            "side = \"low\"\nlissen = 1",
            "side = \"low\"\n[server]\nlissen = 1",
            "side = \"low\"\n[runtime.limits]\nlissen = 1",
        ] {
            assert!(
                parse(text, &[]).unwrap_err().to_string().contains("lissen"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_without_what_stands_there() {
        for value in ["hunter2", "2222"] {
            let text = format!("side = \"low\"\n\n[notifications.smtp]\npassword = {value}\n");
            let told = parse(&text, &[]).unwrap_err().to_string();
            assert!(told.contains("line 4") && !told.contains(value), "{told}");
        }
    }

    #[test]
    fn variables_override_the_file() {
        let text = "side = \"low\"\n[server]\nlisten = \"127.0.0.1:1\"";
        let config = parse(
            text,
            &[
                ("POUNDLOCK_LISTEN", "127.0.0.1:0"),
                ("POUNDLOCK_JOBS_AT_ONCE", "5"),
                ("POUNDLOCK_PYTHON", "/p"),
            ],
        )
        .unwrap();
        assert_eq!(config.server.listen.port(), 0);
        assert_eq!(config.runtime.jobs_at_once, 5);
        assert_eq!(
            config.runtime.python.interpreter.as_deref(),
            Some(Path::new("/p"))
        );
        let wrong = parse(text, &[("POUNDLOCK_JOBS_AT_ONCE", "many")]).unwrap_err();
        assert!(wrong.to_string().contains("POUNDLOCK_JOBS_AT_ONCE"), "{wrong}");
    }

    #[test]
    fn the_conventional_variables_name_the_mail_server() {
        let text = "side = \"low\"\n[notifications.smtp]\npassword_file = \"/etc/password\"";
        let config = parse(
            text,
            &[
                ("SMTP_HOST", "mail.example.org"),
                ("SMTP_PORT", "587"),
                ("SMTP_USERNAME", "1234"),
                ("SMTP_PASSWORD", "5678"),
                ("EMAIL_SENDER", "node@example.org"),
            ],
        )
        .unwrap();
        let smtp = config.notifications.smtp;
        assert_eq!(
            (smtp.host.as_deref(), smtp.port),
            (Some("mail.example.org"), Some(587))
        );
        assert_eq!(
            smtp.username.as_deref(),
            Some("1234"),
            "digits are text where text belongs"
        );
        assert_eq!(smtp.password.unwrap().expose(), "5678");
        assert_eq!(
            smtp.password_file, None,
            "the variable takes the place of the file"
        );
        let wrong = parse(text, &[("SMTP_SECURITY", "some")]).unwrap_err();
        assert!(wrong.to_string().contains("SMTP_SECURITY"), "{wrong}");
    }

    /// The dotted names of a table's keys and of the tables in it.
    fn names(table: &toml::Table, before: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (key, value) in table {
            let name = format!("{before}{key}");
            if let Some(inner) = value.as_table() {
                found.extend(names(inner, &format!("{name}.")));
            }
            found.push(name);
        }
        found
    }

    #[test]
    fn the_page_has_every_key_and_every_variable() {
        let page = include_str!("../../docs/CONFIGURATION.md");
        for (variable, place) in VARIABLES {
            let row = page.lines().find(|line| line.contains(&format!("`{variable}`")));
            let key = format!("| `{}` |", place.last().unwrap());
            assert!(row.is_some_and(|row| row.starts_with(&key)), "{variable}");
        }
        let table: toml::Table = toml::from_str(&Config::new(Side::Low).to_toml().unwrap()).unwrap();
        for name in names(&table, "") {
            let key = name.rsplit('.').next().unwrap();
            let told = page.contains(&format!("| `{key}` |")) || page.contains(&format!("`[{name}]`"));
            assert!(told, "{name}");
        }
    }
}
