//! What somebody has chosen to be told of.

use crate::acts::Refusal;
use crate::domain::access::Actor;
use crate::domain::id::UserId;
use crate::domain::notification::digest::{Frequency, Schedule};
use crate::domain::notification::mail_settings::Configured;
use crate::domain::notification::preferences::{Preferences, Webhook};
use crate::domain::notification::{ChannelKind, Event};
use crate::domain::text::Invalid;
use crate::store::read::Read;
use crate::store::tables::PREFERENCES;
use crate::store::transaction::Tx;

use super::effective;

/// What somebody has chosen.
///
/// # Errors
/// The store cannot be read.
pub fn of(read: &impl Read, user: UserId) -> Result<Preferences, Refusal> {
    Ok(read.get(&PREFERENCES, &user.0)?.unwrap_or_default())
}

/// A choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Switches a channel for an event; none is all.
    Switch {
        /// On or off.
        on: bool,
        /// Which channel.
        channel: Option<ChannelKind>,
        /// For which event.
        event: Option<Event>,
    },
    /// Chooses how often to be told of an event; none is all that may wait.
    Frequency {
        /// How often.
        frequency: Frequency,
        /// Of which event.
        event: Option<Event>,
    },
    /// Chooses when digests come.
    Schedule(Schedule),
    /// Sets the incoming webhook, or takes it away.
    Webhook(Option<Webhook>),
}

/// Makes choices, all or none.
///
/// # Errors
/// A choice cannot be made, and says why.
pub fn choose(
    tx: &mut Tx<'_>,
    actor: &Actor,
    configured: &Configured,
    choices: Vec<Choice>,
) -> Result<Preferences, Refusal> {
    let mut preferences = of(tx, actor.user)?;
    for choice in choices {
        match choice {
            Choice::Switch { on, channel, event } => preferences.switch(on, channel, event)?,
            Choice::Frequency {
                frequency,
                event: Some(event),
            } => preferences.set_frequency(event, frequency)?,
            Choice::Frequency {
                frequency,
                event: None,
            } => {
                for event in Event::ALL.iter().filter(|event| event.may_wait()) {
                    preferences.set_frequency(*event, frequency)?;
                }
            }
            Choice::Schedule(schedule) => preferences.schedule = schedule,
            Choice::Webhook(webhook) => {
                if let Some(webhook) = &webhook {
                    allowed(tx, configured, webhook)?;
                }
                preferences.webhook = webhook;
            }
        }
    }
    tx.put(&PREFERENCES, &actor.user.0, &preferences)?;
    Ok(preferences)
}

/// The node posts only to servers that its administrator has named: else anybody with an account could have it speak to
/// whatever it can reach.
fn allowed(read: &impl Read, configured: &Configured, webhook: &Webhook) -> Result<(), Refusal> {
    let effective = effective(read, configured)?;
    if effective.posts_to(&webhook.origin) {
        return Ok(());
    }
    let allowed = effective.webhook_origins;
    let problem = if allowed.is_empty() {
        "incoming webhooks are not available on this node; its administrator can allow them".to_owned()
    } else {
        format!("this node posts only to {}", allowed.join(", "))
    };
    Err(Invalid::new("webhook", problem).into())
}
