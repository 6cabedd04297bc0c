//! The verify keys of people as a node has come to know them, and how a signature stands against them.
//!
//! Whoever breaks into a low node can write any key into a person's record. So a node pins the first key of a person that a
//! reviewer applies, and shows another one as a change until somebody has asked the person and accepts it. What the pins say
//! is computed from nothing but what this node has seen itself, and when.

mod standing;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::UserId;
use super::signature::VerifyKey;

pub use standing::{Signer, Standing, standing};

/// The most pins that are kept of one person; the oldest go first.
pub const PINS_MAX: usize = 64;

/// The bundle that brought something: its sender, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carrier {
    /// The peer.
    pub peer: Uuid,
    /// The bundle's number.
    pub bundle: u64,
}

/// A person's key from one moment on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The key; none where somebody has accepted that the person has none any more.
    pub key: Option<VerifyKey>,
    /// Since when it counts here.
    pub at: Timestamp,
    /// What brought it; nothing where the person registered it on this node.
    pub carrier: Option<Carrier>,
    /// How the person was called then: a name that is changed later must not take the key's good name with it.
    pub name: String,
    /// Their address then.
    pub email: String,
    /// Who accepted the change; nobody for the first key.
    pub accepted_by: Option<Acceptor>,
}

impl Pin {
    /// Since which day it counts here, in UTC.
    pub fn on(&self) -> Date {
        date(self.at)
    }
}

/// Who accepted a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptor {
    /// Their account.
    pub user: UserId,
    /// How they were called.
    pub name: String,
}

/// What the person's record says now, where that is not what is pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The key; none if it was removed.
    pub key: Option<VerifyKey>,
    /// When this node learnt of it.
    pub at: Timestamp,
    /// What brought it.
    pub carrier: Option<Carrier>,
}

impl Change {
    /// The day on which this node learnt of it, in UTC.
    pub fn on(&self) -> Date {
        date(self.at)
    }
}

pub(super) fn date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// All that a node knows of one person's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPins {
    /// What counted, oldest first; the last one counts now. It grows only by acts of people here, however often a record
    /// changes.
    pub pins: Vec<Pin>,
    /// A change that nobody has accepted yet.
    pub change: Option<Change>,
    /// Another person of the same home who bears the same address and of whom something is pinned, where nothing is of this one.
    /// Until somebody has vouched for this person, they are measured by what is pinned of the other: whoever can write people
    /// into a low node can write one twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namesake: Option<UserId>,
}

/// Another person who bears a person's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namesake {
    /// The other person.
    pub user: UserId,
    /// What counts as their key; none where it was accepted that they have none.
    pub key: Option<VerifyKey>,
}

/// What a person's record meant for their pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing new.
    Known,
    /// Their first key, which is pinned now.
    Pinned,
    /// Another key than the pinned one, or none any more: a change.
    Changed,
    /// The pinned key again, after a change that nobody had accepted.
    Returned,
}

/// A change cannot be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// There is none.
    #[error("the verify key of this person has not changed; there is nothing to accept")]
    NoChange,
    /// It is not the one that was named.
    #[error(
        "this is not what the person's record says now; look at it again, and compare the fingerprint by voice"
    )]
    OtherChange,
}

impl KeyPins {
    /// What counts now.
    pub fn present(&self) -> Option<&Pin> {
        self.pins.last()
    }

    /// The namesake that this person keeps whatever address they bear now: as long as nobody has vouched for them, they are not rid of
    /// it by another address.
    pub fn kept_namesake(&self) -> Option<UserId> {
        self.namesake
            .filter(|_| self.pins.is_empty() && self.change.is_some())
    }

    /// What a person's record is held against.
    pub fn counts(&self, namesake: Option<Namesake>) -> Option<Option<VerifyKey>> {
        match self.present() {
            Some(pin) => Some(pin.key),
            None => namesake.map(|other| other.key),
        }
    }

    /// Takes note of what a person's record says. Their first key is pinned, unless they have a namesake.
    pub fn saw(
        &mut self,
        key: Option<VerifyKey>,
        namesake: Option<Namesake>,
        at: Timestamp,
        carrier: Option<Carrier>,
        name: &str,
        email: &str,
    ) -> Seen {
        let present = self.counts(namesake);
        self.namesake = namesake.filter(|_| self.pins.is_empty()).map(|other| other.user);
        if present.unwrap_or(None) == key {
            return match self.change.take() {
                Some(_) => Seen::Returned,
                None => Seen::Known,
            };
        }
        if present.is_none() {
            self.pins.push(Pin {
                key,
                at,
                carrier,
                name: name.to_owned(),
                email: email.to_owned(),
                accepted_by: None,
            });
            return Seen::Pinned;
        }
        if self.change.as_ref().is_some_and(|change| change.key == key) {
            return Seen::Known;
        }
        self.change = Some(Change { key, at, carrier });
        Seen::Changed
    }

    /// Makes a change count that a person has vouched for: from now on, and in any case from after the pin before, also where the clock
    /// was set back since. `is_meant` tells whether it is the one that they have named.
    ///
    /// # Errors
    /// There is no change, or it is another one.
    pub fn accept(
        &mut self,
        is_meant: impl FnOnce(Option<&VerifyKey>) -> bool,
        at: Timestamp,
        name: &str,
        email: &str,
        by: Acceptor,
    ) -> Result<&Pin, NotAccepted> {
        let change = self.change.take().ok_or(NotAccepted::NoChange)?;
        if !is_meant(change.key.as_ref()) {
            self.change = Some(change);
            return Err(NotAccepted::OtherChange);
        }
        let after = self
            .present()
            .and_then(|pin| pin.at.checked_add(SignedDuration::from_micros(1)).ok());
        let at = after.map_or(at, |after| after.max(at));
        if self.pins.len() >= PINS_MAX {
            self.pins.remove(0);
        }
        self.pins.push(Pin {
            key: change.key,
            at,
            carrier: change.carrier,
            name: name.to_owned(),
            email: email.to_owned(),
            accepted_by: Some(by),
        });
        self.namesake = None;
        self.present().ok_or(NotAccepted::NoChange)
    }

    /// The pin that counted at a moment.
    fn at(&self, moment: Timestamp) -> Option<&Pin> {
        self.pins.iter().rev().find(|pin| pin.at <= moment)
    }

    /// The last time that a key was pinned, and since when another counts in its place.
    fn find(&self, key: &VerifyKey) -> Option<(&Pin, Option<Timestamp>)> {
        let place = self.pins.iter().rposition(|pin| pin.key.as_ref() == Some(key))?;
        let replaced = self.pins.get(place + 1).map(|next| next.at);
        Some((self.pins.get(place)?, replaced))
    }
}

#[cfg(test)]
mod tests;
