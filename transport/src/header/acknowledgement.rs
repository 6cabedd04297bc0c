//! Which bundles a node has received.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which bundles of a peer a node has verified and made durable, in a fixed size: the highest sequence number, and
/// a bit for each of the 64 before it. Anything older counts as not received, and is owed again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The epoch that the numbers count in; none when nothing was received yet.
    pub epoch: Option<Uuid>,
    /// The highest sequence number received; 0 for none.
    pub highest: u64,
    /// Bit 0 stands for `highest - 1`, bit 63 for `highest - 64`.
    pub earlier: u64,
}

impl Acknowledgement {
    /// Notes that the bundle `sequence` of `epoch` has been received. Another epoch starts anew.
    ///
    /// Returns whether that was news: false for 0, for a repeat, and for one too old for the window.
    pub fn note(&mut self, epoch: Uuid, sequence: u64) -> bool {
        if sequence == 0 {
            return false;
        }
        if self.epoch != Some(epoch) {
            *self = Self {
                epoch: Some(epoch),
                highest: sequence,
                earlier: 0,
            };
            return true;
        }
        if sequence > self.highest {
            let step = sequence - self.highest;
            let moved = u32::try_from(step)
                .ok()
                .and_then(|by| self.earlier.checked_shl(by))
                .unwrap_or(0);
            // The old highest becomes a bit of its own.
            let old_highest = if step <= 64 { 1 << (step - 1) } else { 0 };
            self.earlier = moved | old_highest;
            self.highest = sequence;
            return true;
        }
        let bit = self.bit(sequence);
        let news = bit != 0 && self.earlier & bit == 0;
        self.earlier |= bit;
        news
    }

    /// Whether the bundle `sequence` of `epoch` is known to have arrived.
    pub fn covers(&self, epoch: Uuid, sequence: u64) -> bool {
        self.epoch == Some(epoch)
            && sequence != 0
            && (sequence == self.highest || self.earlier & self.bit(sequence) != 0)
    }

    /// The bit of an earlier sequence number, or 0 outside the window.
    fn bit(&self, sequence: u64) -> u64 {
        match self.highest.checked_sub(sequence) {
            Some(back @ 1..=64) => 1 << (back - 1),
            _ => 0,
        }
    }

    /// Nothing is acknowledged before sequence 1, nor without an epoch.
    pub(super) fn is_consistent(&self) -> bool {
        let possible = match self.highest {
            0 => 0,
            highest @ 1..=64 => (1u64 << (highest - 1)) - 1,
            _ => u64::MAX,
        };
        self.epoch.is_some() == (self.highest > 0) && self.earlier & !possible == 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a plain set: what is covered was received, and all received within the window are covered.
        #[test]
        fn the_window_agrees_with_a_set(arrivals in proptest::collection::vec(1u64..200, 0..120)) {
            let epoch = Uuid::from_u128(1);
            let mut acknowledgement = Acknowledgement::default();
            let mut set = BTreeSet::new();
            for sequence in arrivals {
                let in_window = set.last().is_none_or(|highest| sequence + 64 >= *highest);
                let news = !set.contains(&sequence) && in_window;
                prop_assert_eq!(acknowledgement.note(epoch, sequence), news);
                set.insert(sequence);
                prop_assert!(acknowledgement.is_consistent());
            }
            let highest = set.last().copied().unwrap_or(0);
            prop_assert_eq!(acknowledgement.highest, highest);
            for sequence in 0..210 {
                let known = acknowledgement.covers(epoch, sequence);
                prop_assert!(!known || set.contains(&sequence));
                // What fell behind the window and came late is owed again; what is inside is never forgotten.
                prop_assert!(known || !set.contains(&sequence) || sequence + 64 < highest);
            }
        }
    }

    #[test]
    fn another_epoch_starts_anew_and_huge_steps_are_safe() {
        let mut acknowledgement = Acknowledgement::default();
        assert!(acknowledgement.note(Uuid::from_u128(1), 5));
        assert!(acknowledgement.note(Uuid::from_u128(1), u64::MAX));
        assert!(!acknowledgement.covers(Uuid::from_u128(1), 5));
        assert!(acknowledgement.note(Uuid::from_u128(2), 1));
        assert!(!acknowledgement.covers(Uuid::from_u128(1), 1));
    }

    #[test]
    fn contradictions_are_seen() {
        let epoch = Some(Uuid::from_u128(1));
        for bad in [
            Acknowledgement {
                epoch: None,
                highest: 1,
                earlier: 0,
            },
            Acknowledgement {
                epoch,
                highest: 0,
                earlier: 0,
            },
            Acknowledgement {
                epoch,
                highest: 1,
                earlier: 1,
            },
            Acknowledgement {
                epoch,
                highest: 64,
                earlier: 1 << 63,
            },
        ] {
            assert!(!bad.is_consistent(), "{bad:?}");
        }
        assert!(
            Acknowledgement {
                epoch,
                highest: 65,
                earlier: 1 << 63
            }
            .is_consistent()
        );
    }
}
