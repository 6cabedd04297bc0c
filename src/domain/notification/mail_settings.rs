//! Which server takes the node's mail, and what else its owner sets about notifications.
//!
//! Settings come from the environment and from `poundlock.toml` ([`Configured`]), and by the API after deployment
//! ([`MailSettings`], in the store). What was set by the API counts, until it is taken back. A password is sealed wherever
//! it is kept; only the channel that signs in with it opens it.

use core::net::IpAddr;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::route::{RATE_LIMIT_DEFAULT, RESETS_PER_DAY};
use super::{ChannelKind, Event};
use crate::domain::sealed::Sealed;
use crate::domain::text::{self, Invalid, is_invisible};
use crate::domain::user::Email;

/// What somebody is told who enables mail without a server.
pub const SERVER_AND_PORT: &str = "You must provide both server and port to enable notifications.";
/// What somebody is told who gives only one of the two.
pub const USERNAME_AND_PASSWORD: &str = "You must provide both username and password.";
/// What somebody is told who enables mail without a sender.
pub const SENDER: &str = "You must provide a sender email address to enable notifications.";
/// What somebody is told whose sender is no address.
pub const INVALID_SENDER: &str = "Invalid sender email address. Please check your email address.";
/// What somebody is told whose password would cross a network in the open.
pub const OPEN_CREDENTIALS: &str = "With security none, a username and a password are sent only to a server on this \
    machine; choose starttls or tls.";

/// The longest certificate, in bytes of PEM.
const CERTIFICATE_MOST: usize = 32 * 1024;

/// How the connection to a mail server is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// In the open at first, then encrypted by STARTTLS, or not at all: a server that does not offer it gets nothing.
    StartTls,
    /// Encrypted from the first byte.
    Tls,
    /// Not at all: for a relay on the same machine or in a network that is trusted.
    None,
}

impl Security {
    /// What a port stands for, where nothing else is said (RFC 8314 §3.3: 465 is for implicit TLS).
    pub fn of_port(port: u16) -> Self {
        if port == 465 { Self::Tls } else { Self::StartTls }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }
}

/// What signs in to a mail server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Sealed,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is secured.
    pub security: Security,
    /// What to sign in with, if anything.
    pub credentials: Option<Credentials>,
    /// The certificate of the authority that vouches for it, as PEM; the web's authorities where there is none.
    pub authority: Option<String>,
}

impl MailServer {
    /// A server, checked in form. Nothing has spoken to it.
    ///
    /// # Errors
    /// Names the field that is wrong, or says that a password would go in the open.
    pub fn new(
        host: &str,
        port: u16,
        security: Option<Security>,
        credentials: Option<Credentials>,
        authority: Option<String>,
    ) -> Result<Self, Invalid> {
        let host = host.trim();
        let fits = host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'));
        if host.is_empty() || host.len() > 253 || !fits {
            return Err(Invalid::new("server", "must be a host name or an IP address"));
        }
        if port == 0 {
            return Err(Invalid::new("port", "must be from 1 to 65535"));
        }
        let server = Self {
            host: host.to_owned(),
            port,
            security: security.unwrap_or_else(|| Security::of_port(port)),
            credentials,
            authority: authority.filter(|pem| !pem.trim().is_empty()),
        };
        if server
            .authority
            .as_ref()
            .is_some_and(|pem| pem.len() > CERTIFICATE_MOST)
        {
            let problem = format!("must be PEM of at most {CERTIFICATE_MOST} bytes");
            return Err(Invalid::new("authority", problem));
        }
        if let Some(credentials) = &server.credentials {
            check_username(&credentials.username)?;
            if server.security == Security::None && !server.is_on_this_machine() {
                return Err(Invalid::new("security", OPEN_CREDENTIALS));
            }
        }
        Ok(server)
    }

    fn is_on_this_machine(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether a password that was meant for `other` may go to this one: only if it is the very same, as well secured.
    fn is_the_same_as(&self, other: &Self) -> bool {
        (&self.host, self.port, self.security, &self.authority)
            == (&other.host, other.port, other.security, &other.authority)
    }
}

fn check_username(username: &str) -> Result<(), Invalid> {
    let fits = !username.is_empty()
        && username.len() <= 320
        && !username.chars().any(|c| c.is_control() || is_invisible(c));
    if fits {
        Ok(())
    } else {
        Err(Invalid::new("username", "must be one line of at most 320 bytes"))
    }
}

/// What was set by the API. What is none is as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailSettings {
    /// Whether anything leaves the node.
    pub active: Option<bool>,
    /// The mail server.
    pub server: Option<MailServer>,
    /// Who the mail is from.
    pub sender: Option<Email>,
    /// Where people reach the node.
    pub base_url: Option<String>,
    /// The scheme, host and port of every server that incoming webhooks may be on.
    pub webhook_origins: Option<Vec<String>>,
    /// How many messages of an event somebody gets on a day, where nothing else is said for the event.
    pub rate_limit: Option<u32>,
    /// The same for single events.
    pub rate_limits: BTreeMap<Event, u32>,
}

/// What the environment and the configuration file say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// The mail server.
    pub server: Option<MailServer>,
    /// Who the mail is from.
    pub sender: Option<Email>,
    /// Where people reach the node.
    pub base_url: Option<String>,
    /// Where webhooks may be.
    pub webhook_origins: Vec<String>,
}

/// What counts: what was set, and where nothing was, what is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Whether anything leaves the node.
    pub active: bool,
    /// The mail server; mail is off where there is none.
    pub server: Option<MailServer>,
    /// Who the mail is from; mail is off where nobody is.
    pub sender: Option<Email>,
    /// Where people reach the node.
    pub base_url: Option<String>,
    /// Where webhooks may be.
    pub webhook_origins: Vec<String>,
    rate_limit: u32,
    rate_limits: BTreeMap<Event, u32>,
}

impl Effective {
    /// What counts of the two.
    pub fn of(set: Option<&MailSettings>, configured: &Configured) -> Self {
        let server = set
            .and_then(|set| set.server.as_ref())
            .or(configured.server.as_ref());
        let sender = set
            .and_then(|set| set.sender.as_ref())
            .or(configured.sender.as_ref());
        let base_url = set
            .and_then(|set| set.base_url.as_ref())
            .or(configured.base_url.as_ref());
        let origins = set.and_then(|set| set.webhook_origins.as_ref());
        let webhook_origins = origins.unwrap_or(&configured.webhook_origins).clone();
        let mail = server.is_some() && sender.is_some();
        let configured_at_all = mail || !webhook_origins.is_empty();
        Self {
            active: set.and_then(|set| set.active).unwrap_or(configured_at_all),
            server: server.cloned(),
            sender: sender.cloned(),
            base_url: base_url.cloned(),
            webhook_origins,
            rate_limit: set.and_then(|set| set.rate_limit).unwrap_or(RATE_LIMIT_DEFAULT),
            rate_limits: set.map(|set| set.rate_limits.clone()).unwrap_or_default(),
        }
    }

    /// The mail server and the sender, if there are both.
    pub fn mail(&self) -> Option<(&MailServer, &Email)> {
        self.server.as_ref().zip(self.sender.as_ref())
    }

    /// Whether something may leave the node over a channel.
    pub fn carries(&self, channel: ChannelKind) -> bool {
        match channel {
            ChannelKind::Email => self.active && self.mail().is_some(),
            ChannelKind::Slack => self.active && !self.webhook_origins.is_empty(),
            ChannelKind::Sms => false,
            ChannelKind::App => true,
        }
    }

    /// Whether the node posts to incoming webhooks of this scheme, host and port.
    pub fn posts_to(&self, origin: &str) -> bool {
        self.webhook_origins.iter().any(|allowed| allowed == origin)
    }

    /// How many messages of an event somebody gets on a day.
    pub fn limit(&self, event: Event) -> u32 {
        let usual = if event == Event::PasswordReset {
            RESETS_PER_DAY
        } else {
            self.rate_limit
        };
        self.rate_limits.get(&event).copied().unwrap_or(usual)
    }

    /// How many messages of an event somebody gets on a day, where nothing else is said for the event.
    pub fn rate_limit(&self) -> u32 {
        self.rate_limit
    }

    /// Events with a limit of their own.
    pub fn rate_limits(&self) -> &BTreeMap<Event, u32> {
        &self.rate_limits
    }

    /// The domain that names of mails end in: the sender's.
    pub fn domain(&self) -> &str {
        let sender = self.sender.as_ref().map(Email::as_str);
        sender
            .and_then(|sender| sender.rsplit_once('@'))
            .map_or("poundlock.invalid", |(_, domain)| domain)
    }
}

/// What somebody gives to enable mail. What is none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enabling {
    /// The server's name or address.
    pub server: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// How the connection is secured.
    pub security: Option<Security>,
    /// The name to sign in with.
    pub username: Option<String>,
    /// The password to sign in with.
    pub password: Option<Sealed>,
    /// Who the mail is from.
    pub sender: Option<String>,
    /// The authority that vouches for the server; empty for those of the web.
    pub authority: Option<String>,
}

/// Mail cannot be enabled so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnablingError {
    /// Something is missing.
    #[error("{0}")]
    Incomplete(&'static str),
    /// A field is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Enabling {
    /// The server and sender that this comes to, on top of what counts so far. To be tried before it is accepted.
    ///
    /// Credentials are taken over only for the very same server: whoever may change settings must not be able to have a
    /// password, which is never shown, sent to a server of their own.
    ///
    /// # Errors
    /// Something is missing or wrong.
    pub fn complete(
        self,
        known_server: Option<&MailServer>,
        known_sender: Option<&Email>,
    ) -> Result<(MailServer, Email), EnablingError> {
        let credentials = match (self.username, self.password) {
            (Some(username), Some(password)) => Some(Credentials { username, password }),
            (None, None) => None,
            _ => return Err(EnablingError::Incomplete(USERNAME_AND_PASSWORD)),
        };
        let host = self
            .server
            .or_else(|| known_server.map(|known| known.host.clone()));
        let port = self.port.or_else(|| known_server.map(|known| known.port));
        let (Some(host), Some(port)) = (host, port) else {
            return Err(EnablingError::Incomplete(SERVER_AND_PORT));
        };
        let same_port = known_server.filter(|known| known.port == port);
        let security = self.security.or_else(|| same_port.map(|known| known.security));
        let authority = self
            .authority
            .or_else(|| known_server.and_then(|known| known.authority.clone()));
        let mut server = MailServer::new(&host, port, security, credentials, authority)?;
        if server.credentials.is_none()
            && let Some(known) = known_server.filter(|known| server.is_the_same_as(known))
        {
            server.credentials.clone_from(&known.credentials);
        }
        let sender = match self.sender {
            Some(sender) => Email::parse("sender", &sender)
                .map_err(|_| EnablingError::Invalid(Invalid::new("sender", INVALID_SENDER)))?,
            None => known_sender.cloned().ok_or(EnablingError::Incomplete(SENDER))?,
        };
        Ok((server, sender))
    }
}

/// Checks the address under which people reach the node; empty for none.
///
/// # Errors
/// It is no web address, or has a query or a fragment.
pub fn base_url(field: &str, text: &str) -> Result<Option<String>, Invalid> {
    let url = text::url(field, text)?;
    if url.contains(['?', '#', '"', '<', '>', '\\', '@']) {
        let problem = "must be a web address without a query, e.g. https://poundlock.example.org";
        return Err(Invalid::new(field, problem));
    }
    let trimmed = url.trim_end_matches('/');
    Ok((!trimmed.is_empty()).then(|| trimmed.to_owned()))
}

/// The scheme, host and port of a web address that messages may be posted to: https, or http on this machine.
///
/// # Errors
/// It is none of the two, or hides where it leads.
pub fn origin(field: &str, text: &str) -> Result<String, Invalid> {
    let wrong = || {
        let problem = "must be an https:// address, or an http:// address of this machine (127.0.0.1, [::1] or localhost)";
        Invalid::new(field, problem)
    };
    let url = text::url(field, text)?;
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A name before an @ can pass for the host, and so can a backslash.
    if authority.is_empty() || authority.contains(['@', '\\']) || !authority.is_ascii() {
        return Err(wrong());
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            port.parse::<u16>().map_err(|_| wrong())?;
            host
        }
        _ => authority,
    };
    let local = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
    if scheme == "https" || (scheme == "http" && local) {
        Ok(format!("{scheme}://{}", authority.to_ascii_lowercase()))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests;
