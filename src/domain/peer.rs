//! What a node knows of a peer: who it is, and how far bundles have gone between the two.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::hash::Hash;
use super::id::{BundleId, Epoch, NodeId};
use super::object::Revision;
use super::side::Level;

/// Whether a peer is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Its identity file was read; nobody has confirmed its fingerprint by voice.
    Unconfirmed,
    /// A person has confirmed the fingerprint.
    Paired,
    /// Trusted no more. Nothing of it is imported, and what waits in its inbox cannot be applied.
    Revoked,
}

/// Which bundles of one sender have been received: the highest, and a bit for each of the 64 before it (bit 0 stands for
/// `highest - 1`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// The highest sequence, 0 for none.
    pub highest: u64,
    /// The 64 before it.
    pub earlier: u64,
}

impl Received {
    /// Notes one more. One that is more than 64 behind the highest is not noted: its content will come again.
    #[must_use]
    pub fn with(self, sequence: u64) -> Self {
        if sequence > self.highest {
            let step = sequence - self.highest;
            let shifted = if step >= 64 { 0 } else { self.earlier << step };
            let old_highest = if self.highest > 0 && step <= 64 {
                1 << (step - 1)
            } else {
                0
            };
            return Self {
                highest: sequence,
                earlier: shifted | old_highest,
            };
        }
        match self.highest - sequence {
            back @ 1..=64 => Self {
                earlier: self.earlier | 1 << (back - 1),
                ..self
            },
            _ => self,
        }
    }

    /// Whether the sequence is among them. One that is more than 64 behind the highest is not known to be.
    pub fn contains(self, sequence: u64) -> bool {
        match self.highest.checked_sub(sequence) {
            Some(0) => sequence > 0,
            Some(back @ 1..=64) => sequence > 0 && self.earlier & 1 << (back - 1) != 0,
            _ => false,
        }
    }

    /// The sequences that are known to be received, highest first: at most 65.
    pub fn sequences(self) -> impl Iterator<Item = u64> {
        (self.highest.saturating_sub(64)..=self.highest)
            .rev()
            .filter(move |sequence| self.contains(*sequence))
    }
}

/// A paired node, as this one keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The peer.
    pub node: NodeId,
    /// How it calls itself.
    pub name: String,
    /// Its level: always the opposite of this node's.
    pub side: Level,
    /// Its public identity, as the text of its file.
    pub identity: String,
    /// Whether it is trusted.
    pub trust: Trust,
    /// An identity that its old key has handed over to, until a person confirms it.
    pub successor: Option<String>,
    /// The epoch of its store that a person has confirmed.
    pub epoch: Epoch,
    /// The epoch that this node's bundles for it bear, where it is not the store's: a pairing that was revoked and begun anew counts
    /// anew, and so does one that was begun after another was revoked. The peer's bundles must know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_epoch: Option<Epoch>,
    /// Epochs that it has left behind.
    pub retired_epochs: Vec<Epoch>,
    /// Epochs that its bundles may bear still, although its identity named another when the pairing was begun anew: if it has not
    /// begun it anew itself, it goes on in the one before. A bundle must know this node's own epoch then, else it is from before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_epochs: Vec<Epoch>,
    /// An epoch that a bundle, or the identity of a peer that is not paired, has named and nobody has confirmed yet.
    pub unconfirmed_epoch: Option<Epoch>,
    /// Whether two of its bundles have borne one number in its epoch. Nothing of that epoch is taken in then, and nothing
    /// acknowledged: the peer would take it for what it has written since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forked: bool,
    /// The number of the last bundle made for it in this node's epoch.
    pub last_sequence: u64,
    /// The newest bundle of this node's epoch that it has acknowledged; 0 for none.
    pub acknowledged: u64,
    /// Its bundles that were received in its epoch.
    pub received: Received,
    /// The head of its audit chain as its newest bundle had it; echoed in the next bundle to it.
    pub audit_head: Option<Hash>,
}

impl Peer {
    /// What this node must forget of the order of bundles when its own store gets a new epoch.
    pub fn begin_own_epoch(&mut self, epoch: Epoch) {
        self.own_epoch = self.own_epoch.map(|_| epoch);
        self.last_sequence = 0;
        self.acknowledged = 0;
    }

    /// What of its bundles is acknowledged to it.
    pub fn to_acknowledge(&self) -> Received {
        if self.forked {
            Received::default()
        } else {
            self.received
        }
    }

    /// Takes up the peer's new epoch, which a person has confirmed. Nothing has been received in it yet, and what was
    /// acknowledged in the one before may be lost there.
    ///
    /// One that it was in before its identity named another is no new one: it never left it, and may still begin the named one.
    pub fn begin_epoch(&mut self, epoch: Epoch) {
        if self.former_epochs.contains(&epoch) {
            self.former_epochs.retain(|former| *former != epoch);
        } else {
            self.retired_epochs.push(self.epoch);
            self.retired_epochs.append(&mut self.former_epochs);
        }
        self.count_in(epoch);
    }

    fn count_in(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.forked = false;
        self.unconfirmed_epoch = None;
        self.received = Received::default();
        self.acknowledged = 0;
        self.audit_head = None;
    }

    /// Whether an identity that names the epoch was written before one that has been read.
    pub fn has_left(&self, epoch: Epoch) -> bool {
        self.retired_epochs.contains(&epoch) || self.former_epochs.contains(&epoch)
    }

    /// Begins to trust it, for the first time or anew. Nothing that went between the two before counts as received, on either
    /// side: what was revoked came from nobody who is vouched for now.
    pub fn begin_trust(&mut self) {
        self.trust = Trust::Paired;
        match self.unconfirmed_epoch.filter(|epoch| *epoch != self.epoch) {
            Some(epoch) => {
                self.former_epochs.push(self.epoch);
                self.count_in(epoch);
            }
            None => {
                self.unconfirmed_epoch = None;
                self.forked = false;
                self.received = Received::default();
                self.acknowledged = 0;
            }
        }
    }
}

/// A bundle made for a peer. Kept for ever: it proves what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The bundle.
    pub bundle: BundleId,
    /// Hash of the file; none until it has been written and read back.
    pub file: Option<Hash>,
    /// When its number was reserved.
    pub at: Timestamp,
    /// Whether the peer has acknowledged it.
    pub acknowledged: bool,
    /// How many objects it carries.
    pub carried: u64,
}

/// One object that a bundle carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedObject {
    /// The revision.
    pub revision: Revision,
    /// The batch it went with.
    pub root: Uuid,
}

/// A bundle received from a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrived {
    /// The bundle.
    pub bundle: BundleId,
    /// Hash of the file.
    pub file: Hash,
    /// When it was imported.
    pub at: Timestamp,
    /// How many records it held.
    pub records: u64,
    /// What its header said, for whoever reviews it. Bundles that arrived before this was kept have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<ArrivedHeader>,
}

/// What the header of a bundle said, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrivedHeader {
    /// The size of the file, in bytes.
    pub size: u64,
    /// The number of the bundle that it builds on; 0 for none.
    pub base: u64,
    /// The newest bundle of this node that its sender had received; 0 for none.
    pub acknowledges: u64,
    /// The head of its sender's audit chain.
    pub audit_head: Hash,
    /// How many of its records wait for review that did not before.
    pub brought: u64,
    /// How many were known already.
    pub known: u64,
}

/// An object that a peer is owed: its present revision has not been carried in an acknowledged bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The journal's position of the change.
    pub position: u64,
    /// The batch it belongs to.
    pub root: Uuid,
}

/// A record that waits in the inbox of a peer until somebody applies or ignores its batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The object's home: the peer.
    pub home: NodeId,
    /// The revision.
    pub revision: Revision,
    /// The epoch of the peer's store under which it came.
    pub under: Epoch,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// Whether it does not follow from what is known here.
    pub forked: bool,
    /// The batch it belongs to.
    pub root: Uuid,
    /// The number of the bundle that brought it.
    pub sequence: u64,
    /// What it holds.
    pub body: super::object::Body,
}

/// What the last review of a batch did, so that a second reviewer can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewed {
    /// Applied, or ignored.
    pub act: ReviewAct,
    /// Who did it.
    pub by: super::id::UserId,
    /// How they are called.
    pub by_name: String,
    /// When.
    pub at: Timestamp,
}

/// An act of review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewAct {
    /// The batch was taken into the store.
    Applied,
    /// The batch was hidden, with all that depends on it.
    Ignored,
    /// The batch was brought back.
    Unignored,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_last_65_bundles_are_known(arrivals in prop::collection::vec(1u64..300, 0..80), asked in 0u64..310) {
            let (mut received, mut all, mut late) = (Received::default(), BTreeSet::new(), BTreeSet::new());
            for sequence in arrivals {
                if received.highest > sequence + 64 {
                    late.insert(sequence);
                }
                received = received.with(sequence);
                all.insert(sequence);
            }
            let highest = all.last().copied().unwrap_or(0);
            prop_assert_eq!(received.highest, highest);
            let in_window = asked > 0 && asked + 64 >= highest;
            if !in_window {
                prop_assert!(!received.contains(asked));
            } else if !late.contains(&asked) {
                prop_assert_eq!(received.contains(asked), all.contains(&asked));
            }
            let listed: BTreeSet<_> = received.sequences().collect();
            prop_assert!(listed.iter().all(|sequence| all.contains(sequence)));
        }
    }
}
