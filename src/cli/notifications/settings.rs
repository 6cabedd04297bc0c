//! What administrators set about mail.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::password::secret_file;
use crate::cli::{Session, print};

/// The variable that the mail server's password may stand in.
const VARIABLE: &str = "SMTP_PASSWORD";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Security {
    /// By STARTTLS, or not used at all
    Starttls,
    /// From the first byte
    Tls,
    /// Not at all: for a relay on this machine
    None,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Enable {
    /// The mail server's name or address; needed the first time
    #[arg(long)]
    server: Option<String>,
    /// Its port; needed the first time
    #[arg(long)]
    port: Option<u16>,
    /// How the connection is secured; by the port if not named: tls for 465, else starttls
    #[arg(long)]
    security: Option<Security>,
    /// The name to sign in with; the password is asked for, or in SMTP_PASSWORD
    #[arg(long)]
    username: Option<String>,
    /// Read the password from this file (its first line), `-` for the standard input
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
    /// Who the mail is from; needed the first time
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// The certificate of the authority that vouches for the server, as PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl Enable {
    pub(super) fn run(&self, session: &Session) -> Result<(), Failure> {
        let mut body = Map::new();
        for (name, value) in [
            ("server", &self.server),
            ("username", &self.username),
            ("sender", &self.sender),
        ] {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.as_str().into());
            }
        }
        if let Some(port) = self.port {
            body.insert("port".to_owned(), port.into());
        }
        if let Some(security) = self.security {
            let word = match security {
                Security::Starttls => "starttls",
                Security::Tls => "tls",
                Security::None => "none",
            };
            body.insert("security".to_owned(), word.into());
        }
        if self.username.is_some() {
            body.insert("password".to_owned(), self.password()?.as_str().into());
        }
        if let Some(file) = &self.ca_file {
            let pem = std::fs::read_to_string(file).map_err(|error| Failure::file(file, &error))?;
            body.insert("authority".to_owned(), pem.into());
        }
        let path = "/notifications/settings/enable";
        show(session, &session.client.post(path, &Value::Object(body))?)
    }

    fn password(&self) -> Result<Zeroizing<String>, Failure> {
        if let Some(file) = &self.password_file {
            return secret_file(file);
        }
        if let Ok(password) = std::env::var(VARIABLE) {
            return Ok(Zeroizing::new(password));
        }
        if !std::io::stdin().is_terminal() {
            let detail =
                format!("there is no terminal to ask for the password on; use --password-file or {VARIABLE}");
            return Err(Failure::usage(detail));
        }
        rpassword::prompt_password("The mail server's password: ")
            .map(Zeroizing::new)
            .map_err(|error| Failure::failed(format!("the password cannot be read: {error}")))
    }
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(in crate::cli) struct Change {
    /// Where people reach the node, for the links in messages; empty for none; needs every permission
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// A server that incoming webhooks may be on, e.g. https://hooks.slack.com; repeat for several, empty for none
    #[arg(long, value_name = "URL")]
    webhook_origin: Option<Vec<String>>,
    /// How many messages of an event somebody gets on a day; what is beyond comes gathered on the next
    #[arg(long, value_name = "NUMBER")]
    rate_limit: Option<u32>,
    /// The same for one event, e.g. request_submitted=10; without a number: as others
    #[arg(long, value_name = "EVENT=NUMBER")]
    rate_limit_of: Vec<String>,
}

impl Change {
    pub(super) fn run(&self, session: &Session) -> Result<(), Failure> {
        let mut body = Map::new();
        if let Some(url) = &self.base_url {
            body.insert("base_url".to_owned(), url.as_str().into());
        }
        if let Some(origins) = &self.webhook_origin {
            let named: Vec<_> = origins.iter().filter(|origin| !origin.is_empty()).collect();
            body.insert("webhook_origins".to_owned(), json!(named));
        }
        if let Some(limit) = self.rate_limit {
            body.insert("rate_limit".to_owned(), limit.into());
        }
        let mut limits = Map::new();
        for named in &self.rate_limit_of {
            let (event, number) = named.split_once('=').unwrap_or((named, ""));
            let limit = match number {
                "" => Value::Null,
                number => number
                    .parse::<u32>()
                    .map_err(|_| Failure::usage(format!("{named} is not EVENT=NUMBER")))?
                    .into(),
            };
            limits.insert(event.to_owned(), limit);
        }
        if !limits.is_empty() {
            body.insert("rate_limits".to_owned(), limits.into());
        }
        let path = "/notifications/settings";
        show(session, &session.client.patch(path, &Value::Object(body))?)
    }
}

pub(super) fn show(session: &Session, settings: &Value) -> Result<(), Failure> {
    session.out.show(settings, |settings| {
        let names = [
            "active",
            "email_enabled",
            "slack_enabled",
            "server",
            "port",
            "security",
            "username",
            "password_set",
            "server_source",
            "sender",
            "base_url",
            "webhook_origins",
            "rate_limit",
        ];
        let mut facts: Vec<_> = names
            .iter()
            .map(|name| (*name, print::field(settings, name)))
            .collect();
        let waiting = &settings["waiting"];
        for (name, key) in [
            ("waiting", "messages"),
            ("gathered", "gathered"),
            ("dead letters", "dead"),
        ] {
            facts.push((name, print::field(waiting, key)));
        }
        let mut text = print::facts(&facts);
        for channel in settings["channels"].as_array().into_iter().flatten() {
            if channel["last_error"].is_string() {
                let (name, error) = (
                    print::field(channel, "channel"),
                    print::field(channel, "last_error"),
                );
                text.push_str(&format!("\n{name}: {error}"));
            }
        }
        for problem in settings["template_problems"].as_array().into_iter().flatten() {
            text.push_str(&format!("\ntemplate: {}", print::of(problem)));
        }
        text
    })
}
