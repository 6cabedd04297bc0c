//! A message on its way to one person over one channel.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ChannelKind, Event};
use crate::domain::hash::Hash;
use crate::domain::id::{Epoch, UserId};
use crate::domain::sealed::Sealed;

/// The longest text of an error that is kept, in characters.
pub const ERROR_MOST: usize = 300;

/// A message that is to be delivered at least once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// To whom. The address is looked up when it is sent.
    pub to: UserId,
    /// Over which channel.
    pub channel: ChannelKind,
    /// What it says.
    pub content: Content,
    /// Its name in the mail, the same at every attempt, so that a repeat is recognisable.
    pub message_id: String,
    /// When it was made; also the date of the mail.
    pub made_at: Timestamp,
    /// When the next attempt is due.
    pub due_at: Timestamp,
    /// Attempts that have failed.
    pub attempts: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// That one thing happened.
    One(Item),
    /// What has been gathered.
    Digest {
        /// The first [`super::digest::DIGEST_MOST`], in the order in which they happened.
        items: Vec<Item>,
        /// How many more there are in the inbox.
        more: u64,
    },
    /// A one-time code for a new password.
    PasswordReset {
        /// The code; gone once the message is a dead letter.
        code: Option<Sealed>,
        /// After this the code is worth nothing and is not sent any more.
        expires_at: Timestamp,
    },
}

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What.
    pub event: Event,
    /// See [`super::Notification::about`].
    pub about: Option<Uuid>,
    /// When.
    pub at: Timestamp,
}

/// One thing that waits for a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathered {
    /// What happened.
    pub item: Item,
    /// When it is to be told.
    pub due_at: Timestamp,
}

/// How many messages of an event somebody got on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The day, see [`super::digest::day_of`].
    pub day: i64,
    /// How many.
    pub count: u32,
}

impl Used {
    /// How many on this day.
    pub fn on(self, day: i64) -> u32 {
        if self.day == day { self.count } else { 0 }
    }

    /// One more on this day.
    #[must_use]
    pub fn and_one(self, day: i64) -> Self {
        Self {
            day,
            count: self.on(day).saturating_add(1),
        }
    }
}

/// A message that was given up. An administrator can have it tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The message; its last error says why.
    pub delivery: Delivery,
    /// When it was given up.
    pub died_at: Timestamp,
}

impl Delivery {
    /// The event that it is of, for lists; none for a digest.
    pub fn event(&self) -> Option<Event> {
        match &self.content {
            Content::One(item) => Some(item.event),
            Content::Digest { .. } => None,
            Content::PasswordReset { .. } => Some(Event::PasswordReset),
        }
    }

    /// The message as it is kept once it is given up: a code that opens an account does not stay behind.
    #[must_use]
    pub fn without_secret(mut self) -> Self {
        if let Content::PasswordReset { code, .. } = &mut self.content {
            *code = None;
        }
        self
    }
}

/// What a message is made of, for the name that it bears for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An entry of the outbox.
    Entry(u64),
    /// A digest that ends with this entry of the outbox.
    DigestUpTo(u64),
    /// Something that happened once, known by random bytes.
    Once([u8; 32]),
}

/// The name of a message: a hash of where it comes from and to whom it goes, at the sender's domain. The epoch is in it,
/// because a store that was put back from a copy counts its entries again; and because a solo node shows it to nobody, so
/// that there whoever gets the message cannot try out which number of the outbox it is of.
pub fn message_id(epoch: Epoch, origin: Origin, to: UserId, channel: ChannelKind, domain: &str) -> String {
    let mut input = Vec::with_capacity(80);
    input.extend_from_slice(epoch.0.as_bytes());
    input.extend_from_slice(to.0.as_bytes());
    input.push(channel.number());
    match origin {
        Origin::Entry(number) => {
            input.push(1);
            input.extend_from_slice(&number.to_be_bytes());
        }
        Origin::DigestUpTo(number) => {
            input.push(2);
            input.extend_from_slice(&number.to_be_bytes());
        }
        Origin::Once(random) => {
            input.push(3);
            input.extend_from_slice(&random);
        }
    }
    let hash = Hash::derive("poundlock 2026 message id 1", &input).to_string();
    let name = hash.get(..32).unwrap_or(&hash);
    format!("<{name}@{domain}>")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_message_is_known_by_where_it_comes_from_and_to_whom_it_goes() {
        let (one, other) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let (before, after) = (Epoch(Uuid::from_u128(8)), Epoch(Uuid::from_u128(9)));
        let id = |epoch, origin, to, channel| message_id(epoch, origin, to, channel, "example.org");
        let (mail, slack) = (ChannelKind::Email, ChannelKind::Slack);
        let all = [
            id(before, Origin::Entry(1), one, mail),
            id(after, Origin::Entry(1), one, mail),
            id(before, Origin::Entry(2), one, mail),
            id(before, Origin::DigestUpTo(1), one, mail),
            id(before, Origin::Once([0; 32]), one, mail),
            id(before, Origin::Entry(1), other, mail),
            id(before, Origin::Entry(1), one, slack),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(all[0], id(before, Origin::Entry(1), one, mail));
        assert!(all[0].starts_with('<') && all[0].ends_with("@example.org>"));
    }

    #[test]
    fn a_new_day_begins_at_none() {
        let used = Used::default().and_one(5).and_one(5);
        assert_eq!((used.on(5), used.on(6)), (2, 0));
        assert_eq!(used.and_one(6), Used { day: 6, count: 1 });
    }
}
