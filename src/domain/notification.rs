//! What people are told, who is told, how and when.
//!
//! An entry is written to the outbox in the same commit as its cause. Fanning it out to people, and reaching each of them
//! over their channels, comes after and may be repeated; the rules of that are here, what carries them out is in
//! `acts::notices`, `actors::notifier` and `channels`.

pub mod channel;
pub mod delivery;
pub mod digest;
pub mod event;
pub mod letter;
pub mod mail_settings;
pub mod one_line;
pub mod preferences;
pub mod reply;
pub mod retry;
pub mod route;
pub mod template;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::access::Permission;
use super::id::UserId;

pub use channel::ChannelKind;
pub use event::Event;

/// Who is told of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Everybody with a permission.
    Holders(Permission),
    /// One person. Somebody whose account is on another node is told there, and not here: what a high node does must not
    /// show in mails to the low side.
    Person(UserId),
}

/// An entry of the outbox: to be told to everybody of its audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// What happened.
    pub event: Event,
    /// Who is told.
    pub audience: Audience,
    /// What it is about, if anything: a user, request, decision, job, release or peer. Nothing of its content is in the
    /// entry.
    pub about: Option<Uuid>,
    /// When it happened.
    pub at: Timestamp,
}

/// One line of somebody's inbox. What it says is read from the object that it is about when it is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What happened.
    pub event: Event,
    /// See [`Notification::about`].
    pub about: Option<Uuid>,
    /// When it happened.
    pub at: Timestamp,
    /// Whether its owner has read it.
    pub read: bool,
}

/// What a node keeps of somebody's inbox beside its notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// Notices that have not been read.
    pub unread: u64,
    /// The number of the last notice that a digest on the command line has shown; 0 for none.
    pub shown: u64,
    /// The number of the last notice that came. Every inbox counts its own: a number of the outbox would tell its owner how
    /// much happened that they are not told of. None where nothing has come since inboxes count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
}

/// How far the outbox has been fanned out, and how many deliveries there have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Every entry up to this number has been fanned out to all of its audience.
    pub fanned_out: u64,
    /// Of the entry after it: the last person it has been fanned out to.
    pub after: Option<UserId>,
    /// The number of the last delivery. Numbers are not used again.
    pub last_delivery: u64,
}
