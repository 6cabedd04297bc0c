//! The notifier owns the outbox: what acts have left in it in their own commits is told to everybody whom it concerns, however
//! often the node starts in between.
//!
//! The work is done on a thread of its own ([`post`]), so that a mail server that is slow or dead slows nothing else. It wakes
//! after every commit and looks what there is to do; it is told nothing, since all that matters is stored. The actor is its
//! door: it answers what the API asks, and stops it.

mod compose;
mod post;
mod standing;
mod templates;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::{ActError, StoreHandle};
use crate::channels::{Channel, Email, Login, Slack, To};
use crate::domain::notification::mail_settings::{Configured, MailServer};
use crate::domain::notification::one_line::OneLine;
use crate::domain::notification::reply::{Fault, Verdict};
use crate::domain::notification::retry::Retry;
use crate::domain::sealed::{Sealed, Secret};
use crate::store::node_folder::NodeFolder;
use crate::store::secrets::{Purpose, SecretError, Secrets};

use compose::test_letter;
use post::Post;
use standing::Shared;
pub use standing::{ChannelStanding, Standing};

/// How long a stopping node waits for messages that are being sent. What is cut off is sent again by the next start.
const STOP_MOST: Duration = Duration::from_secs(5);

/// What the notifier works with.
#[derive(Clone, Debug)]
pub struct Means {
    /// The store.
    pub store: StoreHandle,
    /// Opens the mail server's password and people's webhooks.
    pub secrets: Arc<Secrets>,
    /// What the environment and the configuration file say.
    pub configured: Arc<Configured>,
    /// Where an owner's templates lie.
    pub folder: NodeFolder,
    /// When to try again.
    pub retry: Retry,
    /// Mails that are sent at once: there are never more connections.
    pub connections: usize,
}

/// Owns the outbox.
#[derive(Debug)]
pub struct Notifier {
    secrets: Arc<Secrets>,
    runtime: Handle,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Notifier {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(means: Means) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (handle, secrets) = (runtime.handle().clone(), Arc::clone(&means.secrets));
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = watch::channel(false);
        let post = Post::new(means, Arc::clone(&shared), stopped);
        let thread = std::thread::Builder::new()
            .name("notifier".to_owned())
            .spawn(move || {
                runtime.block_on(post.run());
                runtime.shutdown_timeout(STOP_MOST);
            })?;
        Ok(Self {
            secrets,
            runtime: handle,
            shared,
            stop,
            thread: Some(thread),
        })
    }

    /// Runs something on the notifier's own thread.
    fn there<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, ActError>> + 'static {
        let running = self.runtime.spawn(work);
        async move { running.await.map_err(|_stopped| ActError::Stopping) }
    }
}

impl Actor for Notifier {
    type Context = Context<Self>;
}

impl Supervised for Notifier {}

/// Does this server take mail from this node, with these credentials?
#[derive(Clone, Debug)]
pub struct TryOut {
    /// The server.
    pub server: MailServer,
    /// Who the mail would be from.
    pub sender: String,
}

impl Message for TryOut {
    type Result = Result<Result<(), Fault>, ActError>;
}

impl Handler<TryOut> for Notifier {
    type Result = ResponseFuture<Result<Result<(), Fault>, ActError>>;

    fn handle(&mut self, ask: TryOut, _: &mut Context<Self>) -> Self::Result {
        let secrets = Arc::clone(&self.secrets);
        Box::pin(self.there(async move { email(&secrets, ask.server, &ask.sender)?.try_out().await }))
    }
}

/// Send a test message now, and say what came of it.
#[derive(Clone, Debug)]
pub struct Test {
    /// Through which server, and from whom; over the webhook if there is none.
    pub mail: Option<(MailServer, String)>,
    /// The address of the recipient's account.
    pub email: String,
    /// The address of their incoming webhook, sealed.
    pub webhook: Option<Sealed>,
    /// How the node is called.
    pub node: String,
    /// The name that the mail bears.
    pub message_id: String,
    /// When.
    pub now: jiff::Timestamp,
}

impl Message for Test {
    type Result = Result<Result<(), Fault>, ActError>;
}

impl Handler<Test> for Notifier {
    type Result = ResponseFuture<Result<Result<(), Fault>, ActError>>;

    fn handle(&mut self, test: Test, _: &mut Context<Self>) -> Self::Result {
        let secrets = Arc::clone(&self.secrets);
        Box::pin(self.there(async move {
            let channel: Box<dyn Channel> = match test.mail {
                Some((server, sender)) => Box::new(email(&secrets, server, &sender)?),
                None => Box::new(Slack),
            };
            let webhook = webhook(&secrets, test.webhook.as_ref()).map_err(|error| Fault {
                verdict: Verdict::Final,
                said: error.to_string(),
            })?;
            let to = To {
                email: test.email,
                webhook,
            };
            let letter = test_letter(OneLine::of(&test.node), &to.email, test.message_id, test.now);
            let sent = channel.deliver(&letter, &to).await;
            channel.rest().await;
            sent
        }))
    }
}

/// How do things stand?
#[derive(Clone, Copy, Debug)]
pub struct Look;

impl Message for Look {
    type Result = Standing;
}

impl actix::dev::MessageResponse<Notifier, Look> for Standing {
    fn handle(self, _: &mut Context<Notifier>, answer: Option<actix::dev::OneshotSender<Self>>) {
        if let Some(answer) = answer {
            drop(answer.send(self));
        }
    }
}

impl Handler<Look> for Notifier {
    type Result = Standing;

    fn handle(&mut self, _: Look, _: &mut Context<Self>) -> Self::Result {
        self.shared.standing()
    }
}

/// Send nothing more, and answer when nothing is being sent.
#[derive(Clone, Copy, Debug)]
pub struct Stop;

impl Message for Stop {
    type Result = ();
}

impl Handler<Stop> for Notifier {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Stop, _: &mut Context<Self>) -> Self::Result {
        self.stop.send_replace(true);
        let thread = self.thread.take();
        Box::pin(async move {
            let joined =
                actix_web::rt::task::spawn_blocking(move || thread.map(std::thread::JoinHandle::join));
            if joined.await.is_err() {
                tracing::warn!("the notifier did not stop");
            }
        })
    }
}

/// The channel through a server, with its password opened.
fn email(secrets: &Secrets, server: MailServer, sender: &str) -> Result<Email, Fault> {
    let login = server
        .credentials
        .as_ref()
        .map(|credentials| {
            let password = secrets.unseal(Purpose::MailServer, &credentials.password)?;
            Ok(Login {
                username: credentials.username.clone(),
                password,
            })
        })
        .transpose()
        .map_err(|error: SecretError| Fault {
            verdict: Verdict::ServerUnusable,
            said: format!("the password of the mail server cannot be read: {error}"),
        })?;
    Email::new(server, login, sender)
}

/// Opens the address of somebody's webhook.
fn webhook(secrets: &Secrets, sealed: Option<&Sealed>) -> Result<Option<Secret>, SecretError> {
    sealed
        .map(|sealed| secrets.unseal(Purpose::Webhook, sealed))
        .transpose()
}
