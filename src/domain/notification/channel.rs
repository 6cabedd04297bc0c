//! The ways to reach a person.

use serde::{Deserialize, Serialize};

/// A way to reach a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ChannelKind {
    /// Mail to the address of their account.
    Email,
    /// A text message. No node offers it; the word is known, so that a program that asks is told so.
    Sms,
    /// An incoming webhook of Slack's, or of Mattermost's, which takes the same.
    Slack,
    /// The inbox in the node. Always on.
    App,
}

/// What somebody is told who asks for text messages.
pub const NO_SMS: &str = "SMS is not available on this node";
/// What somebody is told who wants to switch the inbox off.
pub const APP_ALWAYS_ON: &str = "the inbox (APP) is always on";

impl ChannelKind {
    /// Every channel.
    pub const ALL: &'static [Self] = &[Self::Email, Self::Sms, Self::Slack, Self::App];
    /// Those that carry something out of the node.
    pub const OUTGOING: &'static [Self] = &[Self::Email, Self::Slack];

    /// The word for it in the API and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Sms => "SMS",
            Self::Slack => "SLACK",
            Self::App => "APP",
        }
    }

    /// Its number in the store's keys; never changes.
    pub fn number(self) -> u8 {
        match self {
            Self::Email => 1,
            Self::Sms => 2,
            Self::Slack => 3,
            Self::App => 4,
        }
    }

    /// The channel that a number in a key names.
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|channel| channel.number() == number)
    }
}
