//! Notifications: the caller's inbox, what they want to be told of, and what administrators set about mail.

mod inbox;
mod letters;
mod preferences;
mod settings;

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Problem;
use crate::domain::notification::channel::ChannelKind;
use crate::domain::notification::event::Event;
use crate::domain::text::Invalid;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    // The fixed addresses first: a number in the address would take them else.
    routes
        .configure(preferences::configure)
        .configure(settings::configure)
        .configure(letters::configure)
        .configure(inbox::configure);
}

/// A way to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum ChannelWord {
    /// By mail.
    Email,
    /// By text message; no node offers it.
    Sms,
    /// Over an incoming webhook of Slack's or Mattermost's.
    Slack,
    /// In the inbox.
    App,
}

impl From<ChannelWord> for ChannelKind {
    fn from(word: ChannelWord) -> Self {
        match word {
            ChannelWord::Email => Self::Email,
            ChannelWord::Sms => Self::Sms,
            ChannelWord::Slack => Self::Slack,
            ChannelWord::App => Self::App,
        }
    }
}

impl From<ChannelKind> for ChannelWord {
    fn from(kind: ChannelKind) -> Self {
        match kind {
            ChannelKind::Email => Self::Email,
            ChannelKind::Sms => Self::Sms,
            ChannelKind::Slack => Self::Slack,
            ChannelKind::App => Self::App,
        }
    }
}

/// The event that a word names.
fn event(field: &str, word: &str) -> Result<Event, Problem> {
    Event::parse(word).ok_or_else(|| {
        let words: Vec<_> = Event::ALL.iter().map(|event| event.word()).collect();
        Invalid::new(field, format!("must be one of {}", words.join(", "))).into()
    })
}

fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}
