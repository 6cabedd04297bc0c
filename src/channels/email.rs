//! Mail by SMTP: connections that are used one after the other, each secured as it was configured or not used at all.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};

use super::{Channel, To};
use crate::domain::notification::delivery::ERROR_MOST;
use crate::domain::notification::letter::Letter;
use crate::domain::notification::mail_settings::{MailServer, Security};
use crate::domain::notification::one_line::quoted;
use crate::domain::notification::reply::{Fault, Phase, Reply, judge};
use crate::domain::sealed::Secret;

/// The longest time of one step: a connection, a command's answer.
const STEP_MOST: Duration = Duration::from_secs(10);
/// The longest time until a connection can take mail.
const GREETING_MOST: Duration = Duration::from_secs(20);
/// The longest time for one mail.
const MESSAGE_MOST: Duration = Duration::from_secs(60);

/// What signs in, in the open: it lives as long as the channel.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// Sends mail through one server.
pub struct Email {
    server: MailServer,
    login: Option<Login>,
    sender: Address,
    /// Connections that can take the next mail. There are never more than mails are sent at once.
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl fmt::Debug for Email {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Email")
            .field("host", &self.server.host)
            .field("port", &self.server.port)
            .finish_non_exhaustive()
    }
}

impl Email {
    /// A channel through a server; nothing is connected yet.
    ///
    /// # Errors
    /// The sender is no address.
    pub fn new(server: MailServer, login: Option<Login>, sender: &str) -> Result<Self, Fault> {
        let sender = sender
            .parse()
            .map_err(|_| unfit(Phase::Greeting, "the sender is no e-mail address"))?;
        Ok(Self {
            server,
            login,
            sender,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Connects, secures the connection, signs in, and leaves again: whether the server takes mail of this node's.
    ///
    /// # Errors
    /// What the server said, or what went wrong.
    pub async fn try_out(&self) -> Result<(), Fault> {
        let mut connection = self.connect().await?;
        let mailed = tokio::time::timeout(STEP_MOST, connection.quit()).await;
        drop(mailed);
        Ok(())
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Fault> {
        let opened = tokio::time::timeout(GREETING_MOST, self.open()).await;
        opened.unwrap_or_else(|_late| Err(broken(Phase::Greeting, "the mail server does not answer in time")))
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, Fault> {
        let failed = |error| fault(Phase::Greeting, &error);
        let (host, hello) = (self.server.host.clone(), hello_name());
        let tls = match self.server.security {
            Security::None => None,
            _ => Some(self.tls()?),
        };
        let implicit = tls.clone().filter(|_| self.server.security == Security::Tls);
        let address = (host.as_str(), self.server.port);
        let connecting =
            AsyncSmtpConnection::connect_tokio1(address, Some(STEP_MOST), &hello, implicit, None);
        let mut connection = connecting.await.map_err(failed)?;
        if let Some(tls) = tls.filter(|_| self.server.security == Security::StartTls) {
            if !connection.can_starttls() {
                connection.abort().await;
                return Err(unfit(Phase::Greeting, "the mail server does not offer STARTTLS"));
            }
            connection.starttls(tls, &hello).await.map_err(failed)?;
        }
        if let Some(login) = &self.login {
            let credentials = Credentials::new(login.username.clone(), login.password.expose().to_owned());
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            connection.auth(&mechanisms, &credentials).await.map_err(failed)?;
        }
        Ok(connection)
    }

    fn tls(&self) -> Result<TlsParameters, Fault> {
        let failed = |error: lettre::transport::smtp::Error| unfit(Phase::Greeting, &error.to_string());
        let mut tls = TlsParameters::builder(self.server.host.clone());
        tls = match &self.server.authority {
            Some(pem) => tls
                .certificate_store(CertificateStore::None)
                .add_root_certificate(Certificate::from_pem(pem.as_bytes()).map_err(failed)?),
            None => tls.certificate_store(CertificateStore::WebpkiRoots),
        };
        tls.build_rustls().map_err(failed)
    }

    async fn send(&self, letter: &Letter, to: &To) -> Result<(), Fault> {
        let message = mail(letter, &self.sender, &to.email)?;
        let (envelope, bytes) = (message.envelope().clone(), message.formatted());
        let waiting = self.lock().pop();
        let mut connection = match waiting {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let sent = tokio::time::timeout(MESSAGE_MOST, connection.send(&envelope, &bytes)).await;
        match sent {
            Ok(Ok(_accepted)) => {
                if !connection.has_broken() {
                    self.lock().push(connection);
                }
                Ok(())
            }
            Ok(Err(error)) => Err(fault(Phase::Message, &error)),
            Err(_late) => Err(broken(
                Phase::Message,
                "the mail server did not take the mail in time",
            )),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<AsyncSmtpConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel for Email {
    fn deliver<'a>(&'a self, letter: &'a Letter, to: &'a To) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.send(letter, to))
    }

    fn rest(&self) -> BoxFuture<'_, ()> {
        let open = std::mem::take(&mut *self.lock());
        Box::pin(async move {
            for mut connection in open {
                drop(tokio::time::timeout(STEP_MOST, connection.quit()).await);
            }
        })
    }
}

/// How the node introduces itself: by the machine's name where it can be one, by its address else (RFC 5321 §4.1.3).
fn hello_name() -> ClientId {
    let name = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    let is_name = |name: &String| {
        name.contains('.')
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
    };
    name.filter(is_name)
        .map_or(ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST), ClientId::Domain)
}

fn fault(phase: Phase, error: &lettre::transport::smtp::Error) -> Fault {
    let reply = match error.status() {
        Some(code) => Reply::Code(u16::from(code)),
        None if error.is_client() => Reply::Unfit,
        None => Reply::Broken,
    };
    Fault {
        verdict: judge(phase, reply),
        said: quoted(&error.to_string(), ERROR_MOST),
    }
}

fn broken(phase: Phase, said: &str) -> Fault {
    Fault {
        verdict: judge(phase, Reply::Broken),
        said: said.to_owned(),
    }
}

fn unfit(phase: Phase, said: &str) -> Fault {
    Fault {
        verdict: judge(phase, Reply::Unfit),
        said: quoted(said, ERROR_MOST),
    }
}

/// Says that no person wrote this, so that no program answers it (RFC 3834 §5).
#[derive(Clone, Copy, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The mail. Every header is of a type that holds one line: addresses that were parsed, a fixed subject, a name of one line.
fn mail(letter: &Letter, sender: &Address, to: &str) -> Result<Message, Fault> {
    let to: Address = to
        .parse()
        .map_err(|_| unfit(Phase::Message, "the recipient's address is no e-mail address"))?;
    let name = letter.from_name.as_str();
    let from_name = (!name.is_empty()).then(|| name.to_owned());
    Message::builder()
        .message_id(Some(letter.message_id.clone()))
        .date(SystemTime::from(letter.made_at))
        .from(Mailbox::new(from_name, sender.clone()))
        .to(Mailbox::new(None, to))
        .subject(letter.subject)
        .header(AutoSubmitted)
        .multipart(
            MultiPart::alternative()
                .singlepart(part(ContentType::TEXT_PLAIN, &letter.text))
                .singlepart(part(ContentType::TEXT_HTML, &letter.html)),
        )
        .map_err(|error| unfit(Phase::Message, &error.to_string()))
}

/// Text with line feeds alone, which become the line ends of mail. A carriage return by itself would stay one, and servers do not
/// agree on whether a line ends there: what follows it could be taken for a command.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn part(kind: ContentType, text: &str) -> SinglePart {
    SinglePart::builder().header(kind).body(lines(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notification::one_line::OneLine;

    fn letter(from_name: &str) -> Letter {
        Letter {
            message_id: "<1@example.org>".into(),
            made_at: "2026-11-25T09:00:00Z".parse().unwrap(),
            from_name: OneLine::of(from_name),
            to: "sam@example.org".into(),
            subject: "Your result is ready",
            text: "Grüße,\n.\nBcc: x@y.z\n".into(),
            html: "<p>Grüße</p>".into(),
            chat: String::new(),
        }
    }

    #[test]
    fn a_mail_has_the_headers_that_it_was_given_and_no_others() {
        let sender: Address = "node@example.org".parse().unwrap();
        let mail = mail(
            &letter("The \"Lab\"\r\nBcc: evil@example.com"),
            &sender,
            "sam@example.org",
        )
        .unwrap();
        let text = String::from_utf8(mail.formatted()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let names: Vec<_> = head
            .lines()
            .filter(|line| !line.starts_with(' ') && !line.starts_with('\t'))
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name)
            .collect();
        let expected = [
            "Message-ID",
            "Date",
            "From",
            "To",
            "Subject",
            "Auto-Submitted",
            "MIME-Version",
            "Content-Type",
        ];
        assert_eq!(names, expected, "{head}");
        assert!(head.contains("Message-ID: <1@example.org>"));
        assert!(body.is_ascii(), "every server takes it");
        assert_eq!(mail.envelope().to().len(), 1);
        assert!(super::mail(&letter("Lab"), &sender, "sam@example.org\r\nRCPT TO:<x@y.z>").is_err());
    }

    #[test]
    fn no_line_ends_where_servers_disagree() {
        let sender: Address = "node@example.org".parse().unwrap();
        let told = Letter {
            text: "one\r.\rMAIL FROM:<x@y.z>\r\ntwo\n.\r".into(),
            ..letter("Lab")
        };
        let sent = mail(&told, &sender, "sam@example.org").unwrap().formatted();
        let sent = String::from_utf8(sent).unwrap();
        assert!(sent.contains("MAIL FROM"));
        assert!(!sent.replace("\r\n", "").contains(['\r', '\n']), "{sent:?}");
    }
}
