//! What the caller wants to be told of.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{ChannelWord, event};
use crate::acts::notices::choices::{self, Choice};
use crate::acts::notices::effective;
use crate::api::{Answer, Context, Json, Problem, SignedIn};
use crate::domain::notification::digest::{Frequency, Schedule, Weekday};
use crate::domain::notification::mail_settings::{Effective, origin};
use crate::domain::notification::preferences::{Preferences, Webhook};
use crate::domain::notification::{ChannelKind, Event};
use crate::domain::sealed::Secret;
use crate::domain::text::Invalid;
use crate::store::secrets::Purpose;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(show)
        .service(change)
        .service(activate)
        .service(deactivate);
}

/// How often to be told.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FrequencyWord {
    /// At once, each event by itself.
    Instant,
    /// Every six hours, counted from the chosen time.
    SixHourly,
    /// Every twelve hours, counted from the chosen time.
    TwelveHourly,
    /// Once a day at the chosen time.
    Daily,
    /// Once a week on the chosen day at the chosen time.
    Weekly,
}

impl From<FrequencyWord> for Frequency {
    fn from(word: FrequencyWord) -> Self {
        match word {
            FrequencyWord::Instant => Self::Instant,
            FrequencyWord::SixHourly => Self::SixHourly,
            FrequencyWord::TwelveHourly => Self::TwelveHourly,
            FrequencyWord::Daily => Self::Daily,
            FrequencyWord::Weekly => Self::Weekly,
        }
    }
}

impl From<Frequency> for FrequencyWord {
    fn from(frequency: Frequency) -> Self {
        match frequency {
            Frequency::Instant => Self::Instant,
            Frequency::SixHourly => Self::SixHourly,
            Frequency::TwelveHourly => Self::TwelveHourly,
            Frequency::Daily => Self::Daily,
            Frequency::Weekly => Self::Weekly,
        }
    }
}

macro_rules! weekdays {
    ($($day:ident),+) => {
        /// A day of the week.
        #[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        enum WeekdayWord { $($day),+ }

        impl From<WeekdayWord> for Weekday {
            fn from(word: WeekdayWord) -> Self {
                match word { $(WeekdayWord::$day => Self::$day),+ }
            }
        }

        impl From<Weekday> for WeekdayWord {
            fn from(day: Weekday) -> Self {
                match day { $(Weekday::$day => Self::$day),+ }
            }
        }
    };
}

weekdays!(Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday);

/// What you want of one event.
#[derive(Debug, Serialize, ToSchema)]
struct EventView {
    /// The word of the event.
    event: &'static str,
    /// Over which channels you want to be told of it.
    channels: BTreeMap<&'static str, bool>,
    /// How often.
    frequency: FrequencyWord,
}

/// What you want to be told of.
#[derive(Debug, Serialize, ToSchema)]
struct PreferencesView {
    /// Which channels you have on: EMAIL, SMS, SLACK, APP.
    notifications_enabled: BTreeMap<&'static str, bool>,
    /// Which of them this node offers at the moment.
    available: BTreeMap<&'static str, bool>,
    /// Every event.
    events: Vec<EventView>,
    /// When digests come, e.g. `07:30`.
    digest_time: String,
    /// On which day weekly ones come.
    digest_weekday: WeekdayWord,
    /// How far your time is ahead of UTC, e.g. `+01:00`.
    utc_offset: String,
    /// The server of your incoming webhook. Its address is shown to nobody.
    webhook: Option<String>,
    /// The servers that incoming webhooks may be on.
    webhook_origins: Vec<String>,
}

fn channels(on: impl Fn(ChannelKind) -> bool) -> BTreeMap<&'static str, bool> {
    ChannelKind::ALL
        .iter()
        .map(|kind| (kind.word(), on(*kind)))
        .collect()
}

fn view(preferences: &Preferences, effective: &Effective) -> PreferencesView {
    let events = Event::ALL.iter().map(|event| EventView {
        event: event.word(),
        channels: channels(|kind| preferences.wants(*event, kind)),
        frequency: preferences.frequency(*event).into(),
    });
    let enabled = preferences.enabled();
    PreferencesView {
        notifications_enabled: enabled.into_iter().map(|(kind, on)| (kind.word(), on)).collect(),
        available: channels(|kind| effective.carries(kind)),
        events: events.collect(),
        digest_time: preferences.schedule.time(),
        digest_weekday: preferences.schedule.weekday.into(),
        utc_offset: preferences.schedule.offset(),
        webhook: preferences.webhook.as_ref().map(|webhook| webhook.origin.clone()),
        webhook_origins: effective.webhook_origins.clone(),
    }
}

/// What you want to be told of, over which channels, and when.
#[utoipa::path(tag = "notifications", security(("token" = [])), responses(
    (status = 200, description = "What you want", body = PreferencesView), (status = 401, description = "Not signed in")))]
#[get("/preferences")]
async fn show(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    let configured = context.configured.clone();
    let (mine, effective) = context
        .store
        .read(move |store| Ok((choices::of(store, actor.user)?, effective(store, &configured)?)))
        .await?;
    Ok(HttpResponse::Ok().json(view(&mine, &effective)))
}

/// What you want of one event. What is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EventBody {
    /// Channels, by EMAIL, SMS, SLACK, APP.
    #[serde(default)]
    channels: BTreeMap<String, bool>,
    /// How often.
    frequency: Option<FrequencyWord>,
}

/// What shall change. What is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PreferencesBody {
    /// Channels as a whole, by EMAIL, SMS, SLACK, APP. This takes back what was chosen for single events.
    #[serde(default)]
    notifications_enabled: BTreeMap<String, bool>,
    /// How often, for all events that can wait.
    frequency: Option<FrequencyWord>,
    /// Single events, by their words.
    #[serde(default)]
    events: BTreeMap<String, EventBody>,
    /// When digests come, e.g. `07:30`.
    digest_time: Option<String>,
    /// On which day weekly ones come.
    digest_weekday: Option<WeekdayWord>,
    /// How far your time is ahead of UTC, e.g. `+01:00`.
    utc_offset: Option<String>,
    /// The address of your incoming webhook; empty to take it away.
    #[schema(value_type = Option<String>)]
    webhook: Option<Secret>,
}

fn channel(field: &str, word: &str) -> Result<ChannelKind, Problem> {
    let found = ChannelKind::ALL.iter().find(|kind| kind.word() == word);
    found
        .copied()
        .ok_or_else(|| Invalid::new(field, "must be EMAIL, SMS, SLACK or APP").into())
}

impl PreferencesBody {
    fn choices(self, context: &Context, schedule: Schedule) -> Result<Vec<Choice>, Problem> {
        let mut choices = Vec::new();
        // The webhook first: a switch of its channel needs it.
        if let Some(url) = self.webhook {
            choices.push(Choice::Webhook(webhook(context, &url)?));
        }
        for (word, on) in self.notifications_enabled {
            let channel = Some(channel("notifications_enabled", &word)?);
            choices.push(Choice::Switch {
                on,
                channel,
                event: None,
            });
        }
        if let Some(frequency) = self.frequency {
            let frequency = frequency.into();
            choices.push(Choice::Frequency {
                frequency,
                event: None,
            });
        }
        for (word, body) in self.events {
            let event = Some(event("events", &word)?);
            for (word, on) in body.channels {
                let channel = Some(channel("events.channels", &word)?);
                choices.push(Choice::Switch { on, channel, event });
            }
            if let Some(frequency) = body.frequency {
                let frequency = frequency.into();
                choices.push(Choice::Frequency { frequency, event });
            }
        }
        let mut changed = schedule;
        if let Some(time) = &self.digest_time {
            changed.minute = Schedule::minute_of(time)?;
        }
        if let Some(offset) = &self.utc_offset {
            changed.ahead_of_utc = Schedule::offset_of(offset)?;
        }
        if let Some(day) = self.digest_weekday {
            changed.weekday = day.into();
        }
        if changed != schedule {
            choices.push(Choice::Schedule(changed));
        }
        Ok(choices)
    }
}

fn webhook(context: &Context, url: &Secret) -> Result<Option<Webhook>, Problem> {
    if url.expose().trim().is_empty() {
        return Ok(None);
    }
    let origin = origin("webhook", url.expose())?;
    let url = Secret::new(url.expose().trim());
    let url = context.secrets.seal(Purpose::Webhook, &url);
    let url = url.map_err(|error| Problem::internal(&error))?;
    Ok(Some(Webhook { url, origin }))
}

/// Changes what you want to be told of: all of it or, if something cannot be, nothing.
#[utoipa::path(tag = "notifications", security(("token" = [])), request_body = PreferencesBody, responses(
    (status = 200, description = "What you want now", body = PreferencesView),
    (status = 400, description = "A field is wrong, or the node does not offer this"),
    (status = 401, description = "Not signed in")))]
#[patch("/preferences")]
async fn change(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<PreferencesBody>,
) -> Answer {
    let user = actor.user;
    let before = context.store.read(move |store| choices::of(store, user)).await?;
    let choices = body.choices(&context, before.schedule)?;
    chosen(&context, actor, choices).await
}

async fn chosen(context: &Context, actor: crate::domain::access::Actor, choices: Vec<Choice>) -> Answer {
    let configured = context.configured.clone();
    let (mine, effective) = context
        .store
        .act(move |tx, _| {
            let mine = choices::choose(tx, &actor, &configured, choices)?;
            Ok((mine, effective(tx, &configured)?))
        })
        .await?;
    Ok(HttpResponse::Ok().json(view(&mine, &effective)))
}

/// What to switch.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SwitchBody {
    /// Which channel; all that can be switched if left out.
    channel: Option<ChannelWord>,
    /// For which event; all if left out.
    event: Option<String>,
}

async fn switch(
    context: &Context,
    actor: crate::domain::access::Actor,
    on: bool,
    body: SwitchBody,
) -> Answer {
    let event = body
        .event
        .as_deref()
        .map(|word| event("event", word))
        .transpose()?;
    let channel = match body.channel.map(ChannelKind::from) {
        // All that can be switched on: mail, and the webhook if there is one.
        None if on => {
            let user = actor.user;
            let mine = context.store.read(move |store| choices::of(store, user)).await?;
            mine.webhook.is_none().then_some(ChannelKind::Email)
        }
        channel => channel,
    };
    chosen(context, actor, vec![Choice::Switch { on, channel, event }]).await
}

/// Switches a channel on for an event or for all, or all channels.
#[utoipa::path(tag = "notifications", security(("token" = [])), request_body = SwitchBody, responses(
    (status = 200, description = "What you want now", body = PreferencesView),
    (status = 400, description = "A field is wrong, or the node does not offer this"),
    (status = 401, description = "Not signed in")))]
#[post("/preferences/activate")]
async fn activate(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<SwitchBody>,
) -> Answer {
    switch(&context, actor, true, body).await
}

/// Switches a channel off for an event or for all, or all channels but the inbox, which is always on.
#[utoipa::path(tag = "notifications", security(("token" = [])), request_body = SwitchBody, responses(
    (status = 200, description = "What you want now", body = PreferencesView),
    (status = 400, description = "A field is wrong, or this cannot be switched off"),
    (status = 401, description = "Not signed in")))]
#[post("/preferences/deactivate")]
async fn deactivate(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<SwitchBody>,
) -> Answer {
    switch(&context, actor, false, body).await
}
