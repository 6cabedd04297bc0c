//! What somebody wants to be told of, over which channels, and when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::channel::{APP_ALWAYS_ON, NO_SMS};
use super::digest::{Frequency, Schedule};
use super::{ChannelKind, Event};
use crate::domain::sealed::Sealed;
use crate::domain::text::Invalid;

/// What somebody wants. Nothing chosen means: every event, at once, by mail; and over the webhook once there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// Channels that were switched as a whole.
    channels: BTreeMap<ChannelKind, bool>,
    /// Events that something was chosen for.
    events: BTreeMap<Event, Choice>,
    /// When digests come.
    pub schedule: Schedule,
    /// Their own incoming webhook.
    pub webhook: Option<Webhook>,
}

/// What was chosen for one event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Choice {
    channels: BTreeMap<ChannelKind, bool>,
    frequency: Frequency,
}

/// Somebody's incoming webhook. Whoever knows its address can write there, so it is kept like a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// The address.
    pub url: Sealed,
    /// Its scheme, host and port, to be shown.
    pub origin: String,
}

impl Preferences {
    /// Whether they want to be told of an event over a channel.
    pub fn wants(&self, event: Event, channel: ChannelKind) -> bool {
        match channel {
            ChannelKind::App => true,
            ChannelKind::Sms => false,
            ChannelKind::Email if !event.is_optional() => true,
            ChannelKind::Slack if !event.is_optional() || self.webhook.is_none() => false,
            ChannelKind::Email | ChannelKind::Slack => {
                let chosen = self
                    .events
                    .get(&event)
                    .and_then(|choice| choice.channels.get(&channel));
                chosen.copied().unwrap_or_else(|| self.is_on(channel))
            }
        }
    }

    fn is_on(&self, channel: ChannelKind) -> bool {
        self.channels.get(&channel).copied().unwrap_or(true)
    }

    /// Which channels they have on, as a whole.
    pub fn enabled(&self) -> BTreeMap<ChannelKind, bool> {
        let on = |channel| match channel {
            ChannelKind::App => true,
            ChannelKind::Sms => false,
            ChannelKind::Slack => self.webhook.is_some() && self.is_on(channel),
            ChannelKind::Email => self.is_on(channel),
        };
        ChannelKind::ALL
            .iter()
            .map(|channel| (*channel, on(*channel)))
            .collect()
    }

    /// How often they want to be told of an event.
    pub fn frequency(&self, event: Event) -> Frequency {
        match self.events.get(&event) {
            Some(choice) if event.may_wait() => choice.frequency,
            _ => Frequency::Instant,
        }
    }

    /// Chooses how often to be told of an event.
    ///
    /// # Errors
    /// The event cannot wait.
    pub fn set_frequency(&mut self, event: Event, frequency: Frequency) -> Result<(), Invalid> {
        if !event.may_wait() && frequency != Frequency::Instant {
            let problem = format!("{} is always told at once", event.word());
            return Err(Invalid::new("frequency", problem));
        }
        self.events.entry(event).or_default().frequency = frequency;
        Ok(())
    }

    /// Switches a channel, or all that can be switched, for one event or for all. A switch for all events takes back what
    /// was chosen for single ones.
    ///
    /// # Errors
    /// The channel cannot be switched so, or the event cannot be switched off.
    pub fn switch(
        &mut self,
        on: bool,
        channel: Option<ChannelKind>,
        event: Option<Event>,
    ) -> Result<(), Invalid> {
        match channel {
            Some(ChannelKind::Sms) if on => return Err(Invalid::new("channel", NO_SMS)),
            Some(ChannelKind::App) if !on => return Err(Invalid::new("channel", APP_ALWAYS_ON)),
            Some(ChannelKind::Slack) if on && self.webhook.is_none() => {
                return Err(Invalid::new("channel", "set your incoming webhook first"));
            }
            Some(ChannelKind::Sms | ChannelKind::App) => return Ok(()),
            _ => {}
        }
        if let Some(event) = event.filter(|event| !event.is_optional() && !on) {
            let problem = format!("{} cannot be switched off", event.word());
            return Err(Invalid::new("event", problem));
        }
        let switched = ChannelKind::OUTGOING
            .iter()
            .copied()
            .filter(|each| channel.is_none_or(|only| only == *each));
        for each in switched {
            match event {
                Some(event) => {
                    self.events.entry(event).or_default().channels.insert(each, on);
                }
                None => {
                    self.channels.insert(each, on);
                    for choice in self.events.values_mut() {
                        choice.channels.remove(&each);
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_webhook() -> Preferences {
        Preferences {
            webhook: Some(Webhook {
                url: Sealed(serde_bytes::ByteBuf::new()),
                origin: "https://hooks.example.org".into(),
            }),
            ..Preferences::default()
        }
    }

    #[test]
    fn at_first_everything_comes_by_mail_at_once() {
        let preferences = Preferences::default();
        for event in Event::ALL {
            assert!(preferences.wants(*event, ChannelKind::Email));
            assert!(preferences.wants(*event, ChannelKind::App));
            assert!(!preferences.wants(*event, ChannelKind::Slack), "no webhook");
            assert!(!preferences.wants(*event, ChannelKind::Sms));
            assert_eq!(preferences.frequency(*event), Frequency::Instant);
        }
        let shown = serde_json::json!(preferences.enabled());
        assert_eq!(
            shown,
            serde_json::json!({"EMAIL": true, "SMS": false, "SLACK": false, "APP": true})
        );
    }

    #[test]
    fn events_and_channels_are_switched_one_by_one_and_together() {
        let mut mine = with_webhook();
        let (mail, slack) = (ChannelKind::Email, ChannelKind::Slack);
        mine.switch(false, Some(mail), Some(Event::ResultReady)).unwrap();
        assert!(!mine.wants(Event::ResultReady, mail) && mine.wants(Event::ResultReady, slack));
        assert!(mine.wants(Event::RunFailed, mail));
        mine.switch(false, None, None).unwrap();
        assert!(!mine.wants(Event::RunFailed, mail) && !mine.wants(Event::RunFailed, slack));
        assert!(
            mine.wants(Event::RunFailed, ChannelKind::App),
            "the inbox stays on"
        );
        assert!(!mine.enabled()[&mail]);
        mine.switch(true, Some(mail), Some(Event::RunFailed)).unwrap();
        assert!(mine.wants(Event::RunFailed, mail) && !mine.wants(Event::ResultReady, mail));
        mine.switch(true, Some(mail), None).unwrap();
        assert!(
            mine.wants(Event::ResultReady, mail),
            "a switch for all takes single ones back"
        );
    }

    #[test]
    fn what_cannot_be_is_told() {
        let mut mine = Preferences::default();
        let said = |result: Result<(), Invalid>| result.unwrap_err().problem;
        assert_eq!(said(mine.switch(true, Some(ChannelKind::Sms), None)), NO_SMS);
        assert_eq!(
            said(mine.switch(false, Some(ChannelKind::App), None)),
            APP_ALWAYS_ON
        );
        assert!(said(mine.switch(true, Some(ChannelKind::Slack), None)).contains("webhook"));
        assert!(said(mine.switch(false, None, Some(Event::PasswordReset))).contains("password_reset"));
        assert!(mine.set_frequency(Event::Welcome, Frequency::Daily).is_err());
        mine.switch(false, None, None).unwrap();
        assert!(
            mine.wants(Event::PasswordReset, ChannelKind::Email),
            "the only way back in"
        );
        assert!(!with_webhook().wants(Event::PasswordReset, ChannelKind::Slack));
    }
}
