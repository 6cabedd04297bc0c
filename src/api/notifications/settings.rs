//! What administrators set about mail and webhooks.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, delete, get, patch, post, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{ChannelWord, event, no_content};
use crate::actors::ActError;
use crate::actors::notifier::{Look, Standing, Test, TryOut};
use crate::acts::Refusal;
use crate::acts::notices::settings::{self, Change};
use crate::acts::notices::{Waiting, choices, waiting};
use crate::api::{Answer, Context, Json, Problem, SignedIn};
use crate::clock;
use crate::domain::access::{Actor, Permission};
use crate::domain::notification::ChannelKind;
use crate::domain::notification::delivery::{Origin, message_id};
use crate::domain::notification::mail_settings::{
    Configured, Effective, Enabling, MailSettings, Security, base_url, origin,
};
use crate::domain::object::Body;
use crate::domain::sealed::Secret;
use crate::domain::text::Invalid;
use crate::store::records::{self, Here};
use crate::store::secrets::Purpose;

/// The most servers that incoming webhooks may be on.
const ORIGINS_MOST: usize = 20;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(show)
        .service(change)
        .service(forget)
        .service(enable)
        .service(disable)
        .service(send_test)
        .service(post_test);
}

/// How the connection to the mail server is secured.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum SecurityWord {
    /// By STARTTLS, or not used at all.
    StartTls,
    /// From the first byte.
    Tls,
    /// Not at all.
    None,
}

impl From<SecurityWord> for Security {
    fn from(word: SecurityWord) -> Self {
        match word {
            SecurityWord::StartTls => Self::StartTls,
            SecurityWord::Tls => Self::Tls,
            SecurityWord::None => Self::None,
        }
    }
}

impl From<Security> for SecurityWord {
    fn from(security: Security) -> Self {
        match security {
            Security::StartTls => Self::StartTls,
            Security::Tls => Self::Tls,
            Security::None => Self::None,
        }
    }
}

/// Where a setting comes from.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Source {
    /// It was set here.
    Api,
    /// From the environment, or from poundlock.toml.
    Configuration,
}

/// What waits.
#[derive(Debug, Serialize, ToSchema)]
struct WaitingView {
    /// Messages on their way.
    messages: u64,
    /// Things that wait for a digest.
    gathered: u64,
    /// Messages that were given up.
    dead: u64,
}

/// How things stand with a channel since the node started.
#[derive(Debug, Serialize, ToSchema)]
struct ChannelView {
    /// Which.
    channel: ChannelWord,
    /// Messages that were handed over.
    delivered: u64,
    /// What went wrong last, since something was last handed over.
    last_error: Option<String>,
    /// Until when nothing is tried, because the server takes nothing.
    #[schema(value_type = Option<String>, format = DateTime)]
    paused_until: Option<Timestamp>,
}

/// The settings, without any password.
#[derive(Debug, Serialize, ToSchema)]
struct SettingsView {
    /// The node whose settings these are.
    id: Uuid,
    /// Whether anything leaves the node.
    active: bool,
    /// Whether mail does.
    email_enabled: bool,
    /// Never: no node sends text messages.
    sms_enabled: bool,
    /// Whether incoming webhooks are posted to.
    slack_enabled: bool,
    /// Always: the inbox.
    app_enabled: bool,
    /// The mail server.
    server: Option<String>,
    /// Its port.
    port: Option<u16>,
    /// How the connection is secured.
    security: Option<SecurityWord>,
    /// The name to sign in with.
    username: Option<String>,
    /// Whether there is a password. It is shown to nobody.
    password_set: bool,
    /// Whether an authority of your own vouches for the server.
    authority_set: bool,
    /// Where the server comes from.
    server_source: Option<Source>,
    /// Who the mail is from.
    sender: Option<String>,
    /// Where people reach the node.
    base_url: Option<String>,
    /// The servers that incoming webhooks may be on.
    webhook_origins: Vec<String>,
    /// How many messages of an event somebody gets on a day.
    rate_limit: u32,
    /// Events with a limit of their own.
    rate_limits: BTreeMap<&'static str, u32>,
    /// What waits.
    waiting: WaitingView,
    /// How things stand.
    channels: Vec<ChannelView>,
    /// What is wrong with templates of yours; the built-in ones are used in their place.
    template_problems: Vec<String>,
}

struct Found {
    id: Uuid,
    set: Option<MailSettings>,
    effective: Effective,
    waiting: Waiting,
}

fn view(found: Found, standing: Standing) -> SettingsView {
    let Found {
        id,
        set,
        effective,
        waiting,
    } = found;
    let carries = |kind| effective.carries(kind);
    let set_here = set.as_ref().is_some_and(|set| set.server.is_some());
    let server = effective.server.as_ref();
    let channels = standing.channels.into_iter().map(|(kind, it)| ChannelView {
        channel: kind.into(),
        delivered: it.delivered,
        last_error: it.last_error,
        paused_until: it.paused_until,
    });
    SettingsView {
        id,
        active: effective.active,
        email_enabled: carries(ChannelKind::Email),
        sms_enabled: carries(ChannelKind::Sms),
        slack_enabled: carries(ChannelKind::Slack),
        app_enabled: carries(ChannelKind::App),
        server: server.map(|server| server.host.clone()),
        port: server.map(|server| server.port),
        security: server.map(|server| server.security.into()),
        username: server
            .and_then(|server| server.credentials.as_ref())
            .map(|credentials| credentials.username.clone()),
        password_set: server.is_some_and(|server| server.credentials.is_some()),
        authority_set: server.is_some_and(|server| server.authority.is_some()),
        server_source: server.map(|_| {
            if set_here {
                Source::Api
            } else {
                Source::Configuration
            }
        }),
        sender: effective.sender.as_ref().map(ToString::to_string),
        base_url: effective.base_url.clone(),
        webhook_origins: effective.webhook_origins.clone(),
        rate_limit: effective.rate_limit(),
        rate_limits: effective
            .rate_limits()
            .iter()
            .map(|(event, limit)| (event.word(), *limit))
            .collect(),
        waiting: WaitingView {
            messages: waiting.messages,
            gathered: waiting.gathered,
            dead: waiting.dead,
        },
        channels: channels.collect(),
        template_problems: standing.templates,
    }
}

async fn shown(context: &Context, actor: Actor) -> Answer {
    let (configured, now) = (context.configured.clone(), context.store.now());
    let found = context
        .store
        .read(move |store| {
            let (set, effective) = settings::show(store, &actor, &configured)?;
            let id = Here::at(store, now, [0; 32])?.node.0;
            Ok(Found {
                id,
                set,
                effective,
                waiting: waiting(store)?,
            })
        })
        .await?;
    let standing = context.notifier.send(Look).await.map_err(ActError::from)?;
    Ok(HttpResponse::Ok().json(view(found, standing)))
}

/// What is set about mail and webhooks, what waits, and how things stand. Never a password.
#[utoipa::path(tag = "notifications", security(("token" = [])), responses(
    (status = 200, description = "The settings", body = SettingsView), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed")))]
#[get("/settings")]
async fn show(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    shown(&context, actor).await
}

/// A mail server. What is left out stays as it is known.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EnableBody {
    /// Its name or address.
    server: Option<String>,
    /// Its port.
    port: Option<u16>,
    /// How the connection is secured; by the port if left out: `tls` for 465, else `starttls`.
    security: Option<SecurityWord>,
    /// The name to sign in with.
    username: Option<String>,
    /// The password to sign in with.
    #[schema(value_type = Option<String>)]
    password: Option<Secret>,
    /// Who the mail is from.
    sender: Option<String>,
    /// The certificate of the authority that vouches for the server, as PEM; empty for those of the web.
    authority: Option<String>,
}

impl EnableBody {
    fn enabling(self, context: &Context) -> Result<Enabling, Problem> {
        let sealed = self
            .password
            .map(|password| context.secrets.seal(Purpose::MailServer, &password))
            .transpose();
        Ok(Enabling {
            server: self.server,
            port: self.port,
            security: self.security.map(Security::from),
            username: self.username,
            password: sealed.map_err(|error| Problem::internal(&error))?,
            sender: self.sender,
            authority: self.authority,
        })
    }
}

async fn known(context: &Context, actor: &Actor) -> Result<Effective, Problem> {
    let (who, configured) = (actor.clone(), context.configured.clone());
    let read = move |store: &_| Ok(settings::show(store, &who, &configured)?.1);
    Ok(context.store.read(read).await?)
}

/// Switches mail on. The server is tried, with the credentials, before it is accepted; the first time needs server, port and
/// sender, later what is known is used again. It reads everybody's tokens for new passwords, so that this needs every permission.
#[utoipa::path(tag = "notifications", security(("token" = [])), request_body = EnableBody, responses(
    (status = 200, description = "The settings", body = SettingsView),
    (status = 400, description = "Something is missing or wrong"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 422, description = "What the mail server said")))]
#[post("/settings/enable")]
async fn enable(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<EnableBody>,
) -> Answer {
    let known = known(&context, &actor).await?;
    let enabling = body.enabling(&context)?;
    let (server, sender) = enabling.complete(known.server.as_ref(), known.sender.as_ref())?;
    let attempt = TryOut {
        server: server.clone(),
        sender: sender.to_string(),
    };
    context.notifier.send(attempt).await.map_err(ActError::from)???;
    let (who, configured) = (actor.clone(), context.configured.clone());
    context
        .store
        .act(move |tx, here| settings::enable(tx, &who, here, &configured, server, sender))
        .await?;
    shown(&context, actor).await
}

/// Switches off everything that leaves the node. What waits goes on waiting.
#[utoipa::path(tag = "notifications", security(("token" = [])), responses(
    (status = 200, description = "The settings", body = SettingsView), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed")))]
#[post("/settings/disable")]
async fn disable(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    let who = actor.clone();
    context
        .store
        .act(move |tx, here| settings::disable(tx, &who, here))
        .await?;
    shown(&context, actor).await
}

/// Forgets what was set here: the environment and poundlock.toml count again. As it chooses the mail server, this needs every
/// permission.
#[utoipa::path(tag = "notifications", security(("token" = [])), responses(
    (status = 200, description = "The settings", body = SettingsView), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed")))]
#[delete("/settings")]
async fn forget(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    let who = actor.clone();
    context
        .store
        .act(move |tx, here| settings::forget(tx, &who, here))
        .await?;
    shown(&context, actor).await
}

/// What shall change. What is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    /// Where people reach the node, for the links in messages; empty for none. To say it needs every permission.
    base_url: Option<String>,
    /// The servers that incoming webhooks may be on, each by scheme, host and port; an empty list for none.
    webhook_origins: Option<Vec<String>>,
    /// How many messages of an event somebody gets on a day, over each channel. What is beyond comes gathered on the next.
    rate_limit: Option<u32>,
    /// The same for single events, by their words; null for as others.
    #[serde(default)]
    rate_limits: BTreeMap<String, Option<u32>>,
}

impl ChangeBody {
    fn change(self) -> Result<Change, Problem> {
        let base_url = self.base_url.map(|url| base_url("base_url", &url)).transpose()?;
        let origins = self.webhook_origins.map(|origins| {
            if origins.len() > ORIGINS_MOST {
                return Err(Invalid::new("webhook_origins", format!("at most {ORIGINS_MOST}")));
            }
            origins.iter().map(|url| origin("webhook_origins", url)).collect()
        });
        let mut rate_limits = BTreeMap::new();
        for (word, limit) in self.rate_limits {
            rate_limits.insert(event("rate_limits", &word)?, limit);
        }
        Ok(Change {
            base_url,
            webhook_origins: origins.transpose()?,
            rate_limit: self.rate_limit,
            rate_limits,
        })
    }
}

/// Changes settings beside the mail server.
#[utoipa::path(tag = "notifications", security(("token" = [])), request_body = ChangeBody, responses(
    (status = 200, description = "The settings", body = SettingsView), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in"), (status = 403, description = "Not allowed")))]
#[patch("/settings")]
async fn change(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<ChangeBody>,
) -> Answer {
    let (who, wanted) = (actor.clone(), body.change()?);
    context
        .store
        .act(move |tx, here| settings::adjust(tx, &who, here, wanted))
        .await?;
    shown(&context, actor).await
}

/// Sends a test mail to the address of your account now, and says what came of it.
#[utoipa::path(tag = "notifications", security(("token" = [])), responses(
    (status = 204, description = "It was taken"), (status = 400, description = "Mail is not enabled"),
    (status = 401, description = "Not signed in"), (status = 403, description = "Not allowed"),
    (status = 422, description = "What the mail server said")))]
#[post("/settings/test")]
async fn send_test(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    actor.require(Permission::EditSettings)?;
    tested(&context, actor, ChannelKind::Email).await
}

/// Posts a test to your incoming webhook now, and says what came of it.
#[utoipa::path(tag = "notifications", security(("token" = [])), responses(
    (status = 204, description = "It was taken"),
    (status = 400, description = "You have no webhook, or this node posts to none"),
    (status = 401, description = "Not signed in"), (status = 422, description = "What the other server said")))]
#[post("/preferences/test")]
async fn post_test(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    tested(&context, actor, ChannelKind::Slack).await
}

async fn tested(context: &Context, actor: Actor, channel: ChannelKind) -> Answer {
    let (configured, now, random) = (
        context.configured.clone(),
        context.store.now(),
        clock::random_bytes(),
    );
    let test = context
        .store
        .read(move |store| prepare(store, &actor, &configured, channel, now, random))
        .await?;
    context.notifier.send(test).await.map_err(ActError::from)???;
    Ok(no_content())
}

fn prepare(
    store: &crate::store::read::View,
    actor: &Actor,
    configured: &Configured,
    channel: ChannelKind,
    now: Timestamp,
    random: [u8; 32],
) -> Result<Test, Refusal> {
    let here = Here::at(store, now, [0; 32])?;
    let effective = crate::acts::notices::effective(store, configured)?;
    if !effective.carries(channel) {
        let problem = format!("{} is not enabled on this node", channel.word());
        return Err(Invalid::new("channel", problem).into());
    }
    let email = match records::object(store, actor.user.0)?.map(|object| object.body) {
        Some(Body::User(user)) => user.email.as_str().to_owned(),
        _ => String::new(),
    };
    let webhook = choices::of(store, actor.user)?.webhook;
    let webhook = webhook.filter(|webhook| effective.posts_to(&webhook.origin));
    if channel == ChannelKind::Slack && webhook.is_none() {
        let problem = "set your incoming webhook first, on a server that this node posts to";
        return Err(Invalid::new("webhook", problem).into());
    }
    let mail = effective
        .mail()
        .filter(|_| channel == ChannelKind::Email)
        .map(|(server, sender)| (server.clone(), sender.to_string()));
    Ok(Test {
        mail,
        email,
        webhook: webhook
            .filter(|_| channel == ChannelKind::Slack)
            .map(|webhook| webhook.url),
        node: crate::acts::settings::current(store)?.name,
        message_id: message_id(
            here.epoch,
            Origin::Once(random),
            actor.user,
            channel,
            effective.domain(),
        ),
        now,
    })
}
