//! `[notifications]` of `poundlock.toml`, and the conventional variables of mail: what counts until the API says otherwise.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, Server};
use crate::domain::notification::mail_settings::{
    Configured, Credentials, MailServer, Security, base_url, origin,
};
use crate::domain::notification::retry::Retry;
use crate::domain::sealed::Secret;
use crate::domain::text::Invalid;
use crate::domain::user::Email;
use crate::store::secrets::{Purpose, Secrets};

/// How people are told things outside the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notifications {
    /// Where people reach the node, for the links in messages; where it listens if nothing is said.
    pub base_url: Option<String>,
    /// The scheme, host and port of the servers that incoming webhooks may be on, e.g. `https://hooks.slack.com`.
    pub webhook_origins: Vec<String>,
    /// Connections to the mail server at once.
    pub connections: u8,
    /// Milliseconds until a failed attempt is repeated for the first time; each wait is twice as long as the one before.
    pub retry_milliseconds: u64,
    /// The longest wait between two attempts, in seconds.
    pub retry_most_seconds: u64,
    /// After so many seconds a message that nobody takes is given up.
    pub give_up_seconds: u64,
    /// The mail server.
    pub smtp: Smtp,
}

impl Default for Notifications {
    fn default() -> Self {
        let retry = Retry::default();
        Self {
            base_url: None,
            webhook_origins: Vec::new(),
            connections: 4,
            retry_milliseconds: retry.first.as_secs() * 1_000,
            retry_most_seconds: retry.most.as_secs(),
            give_up_seconds: retry.give_up.as_secs(),
            smtp: Smtp::default(),
        }
    }
}

/// The mail server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Smtp {
    /// Its name or address.
    pub host: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// `starttls`, `tls` or `none`; what the port stands for if nothing is said.
    pub security: Option<Security>,
    /// The name to sign in with.
    pub username: Option<String>,
    /// The password. A file is better: see `password_file`.
    pub password: Option<Secret>,
    /// A file that holds the password on its first line.
    pub password_file: Option<PathBuf>,
    /// Who the mail is from.
    pub sender: Option<String>,
    /// The certificate of the authority that vouches for the server, as PEM; those of the web if there is none.
    pub ca_file: Option<PathBuf>,
}

impl Notifications {
    /// When to try again.
    pub fn retry(&self) -> Retry {
        Retry {
            first: Duration::from_millis(self.retry_milliseconds.max(1)),
            most: Duration::from_secs(self.retry_most_seconds.max(1)),
            give_up: Duration::from_secs(self.give_up_seconds),
        }
    }

    /// Checks what is configured, reads the files that it names, and seals the password. Where the node answers stands in for a base
    /// URL.
    ///
    /// # Errors
    /// Names the key that is wrong, or the file that cannot be read.
    pub fn configured(&self, secrets: &Secrets, server: &Server) -> Result<Configured, ConfigError> {
        let base = match &self.base_url {
            Some(url) => base_url("base_url", url).map_err(wrong)?,
            None => server.address(),
        };
        let origins = self
            .webhook_origins
            .iter()
            .map(|url| origin("webhook_origins", url));
        Ok(Configured {
            server: self.smtp.server(secrets)?,
            sender: self
                .smtp
                .sender
                .as_deref()
                .map(|sender| Email::parse("sender", sender))
                .transpose()
                .map_err(wrong)?,
            base_url: base,
            webhook_origins: origins.collect::<Result<_, _>>().map_err(wrong)?,
        })
    }
}

impl Smtp {
    fn server(&self, secrets: &Secrets) -> Result<Option<MailServer>, ConfigError> {
        let Some(host) = &self.host else {
            return Ok(None);
        };
        let port = self
            .port
            .ok_or_else(|| wrong(Invalid::new("smtp.port", "is missing (SMTP_PORT)")))?;
        let credentials = match (&self.username, self.password()?) {
            (None, None) => None,
            (Some(username), Some(password)) => Some(Credentials {
                username: username.clone(),
                password: secrets
                    .seal(Purpose::MailServer, &password)
                    .map_err(|error| wrong(Invalid::new("smtp.password", error.to_string())))?,
            }),
            _ => {
                let problem =
                    "a username goes with a password (SMTP_USERNAME, SMTP_PASSWORD or SMTP_PASSWORD_FILE)";
                return Err(wrong(Invalid::new("smtp.username", problem)));
            }
        };
        let authority = self.ca_file.as_deref().map(read).transpose()?;
        MailServer::new(host, port, self.security, credentials, authority)
            .map(Some)
            .map_err(|invalid| wrong(Invalid::new(format!("smtp.{}", invalid.field), invalid.problem)))
    }

    fn password(&self) -> Result<Option<Secret>, ConfigError> {
        match (&self.password, &self.password_file) {
            (Some(_), Some(_)) => {
                let problem = "name a password or a file with it, not both";
                Err(wrong(Invalid::new("smtp.password", problem)))
            }
            (Some(password), None) => Ok(Some(password.clone())),
            (None, Some(file)) => {
                let text = zeroize::Zeroizing::new(read(file)?);
                Ok(Some(Secret::new(text.lines().next().unwrap_or_default())))
            }
            (None, None) => Ok(None),
        }
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Io {
        path: path.to_path_buf(),
        source,
    })
}

fn wrong(invalid: Invalid) -> ConfigError {
    ConfigError::Wrong {
        origin: "[notifications]".to_owned(),
        problem: invalid.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::config::Tls;
    use crate::store::node_folder::{NodeFolder, PrivateData};

    fn with_secrets<T>(test: impl FnOnce(&Secrets, &Path) -> T) -> T {
        let outer = tempfile::tempdir().unwrap();
        let folder = NodeFolder::create(&outer.path().join("node"), PrivateData::NotHeld).unwrap();
        test(&Secrets::open(&folder).unwrap(), outer.path())
    }

    fn smtp(host: &str, port: u16) -> Notifications {
        Notifications {
            smtp: Smtp {
                host: Some(host.into()),
                port: Some(port),
                ..Smtp::default()
            },
            ..Notifications::default()
        }
    }

    #[test]
    fn nothing_said_is_no_mail_and_links_to_where_the_node_listens() {
        with_secrets(|secrets, _| {
            let at = |listen: &str| Server {
                listen: listen.parse().unwrap(),
                ..Server::default()
            };
            let configured = |listen: &str| {
                let server = at(listen);
                Notifications::default().configured(secrets, &server).unwrap()
            };
            let here = configured("127.0.0.1:8460");
            assert_eq!(
                (here.server, here.base_url),
                (None, Some("http://127.0.0.1:8460".into()))
            );
            assert_eq!(configured("127.0.0.1:0").base_url, None);
            assert_eq!(configured("0.0.0.0:8460").base_url, None);
            let encrypted = Server {
                tls: Some(Tls {
                    certificate: "chain.pem".into(),
                    key: "key.pem".into(),
                    name: "low.example.org".into(),
                }),
                ..at("0.0.0.0:8443")
            };
            let configured = Notifications::default().configured(secrets, &encrypted).unwrap();
            assert_eq!(
                configured.base_url.as_deref(),
                Some("https://low.example.org:8443")
            );
        });
    }

    #[test]
    fn a_password_comes_from_a_file_and_is_sealed() {
        with_secrets(|secrets, folder| {
            let file = folder.join("password");
            std::fs::write(&file, "hunter2\n").unwrap();
            let mut notifications = smtp("mail.example.org", 587);
            notifications.smtp.username = Some("node".into());
            let configure = |it: &Notifications| it.configured(secrets, &Server::default());
            assert!(
                configure(&notifications)
                    .unwrap_err()
                    .to_string()
                    .contains("SMTP_PASSWORD")
            );
            notifications.smtp.password_file = Some(file);
            let server = configure(&notifications).unwrap().server.unwrap();
            let sealed = server.credentials.unwrap().password;
            assert_eq!(
                secrets.unseal(Purpose::MailServer, &sealed).unwrap().expose(),
                "hunter2"
            );
            notifications.smtp.password = Some(Secret::new("other"));
            assert!(
                configure(&notifications)
                    .unwrap_err()
                    .to_string()
                    .contains("not both")
            );
            assert!(!format!("{notifications:?}").contains("other"));
        });
    }

    #[test]
    fn what_is_wrong_is_named() {
        with_secrets(|secrets, _| {
            let said = |it: &Notifications| {
                it.configured(secrets, &Server::default())
                    .unwrap_err()
                    .to_string()
            };
            assert!(said(&smtp("a b", 25)).contains("smtp.server"));
            let mut notifications = smtp("m", 25);
            notifications.smtp.port = None;
            assert!(said(&notifications).contains("SMTP_PORT"));
            notifications = smtp("m", 25);
            notifications.smtp.sender = Some("nobody".into());
            assert!(said(&notifications).contains("sender"));
            notifications = smtp("m", 25);
            notifications.smtp.ca_file = Some("/nonexistent/ca.pem".into());
            assert!(said(&notifications).contains("/nonexistent/ca.pem"));
        });
    }
}
