//! What a bundle's numbers mean: its sequence, the base it builds on, its sender's epoch, and what it acknowledges.
//!
//! A sequence counts the bundles from one sender to one recipient within the sender's epoch, from 1. A number is
//! reserved before the file is written and never used again, so a gap is no harm and the same number with other bytes is
//! a fork. A base names the newest bundle that the sender knows to be received; 0 says that the bundle builds on none.
//! Positions are told in these numbers and not in those of the sender's journal, because those would count what happens on
//! the high side.

use crate::domain::hash::Hash;
use crate::domain::id::{BundleId, Epoch};
use crate::domain::peer::Received;

/// The largest step from one sequence to a later one. A stolen key that burns numbers is stopped here.
pub const STEP_MAX: u64 = 1_000_000;

/// What the header of an arriving bundle says of its place in the order.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The bundle.
    pub bundle: BundleId,
    /// Hash of the whole file.
    pub hash: Hash,
    /// The sender's epoch.
    pub epoch: Epoch,
    /// Its number.
    pub sequence: u64,
    /// What it builds on.
    pub base: u64,
    /// Our epoch, as the sender knows it.
    pub recipient_epoch: Epoch,
}

/// What this node knows of the sender's bundles.
#[derive(Clone, Debug)]
pub struct Known {
    /// The sender's epoch that a person has confirmed.
    pub epoch: Epoch,
    /// Epochs that it has left behind.
    pub retired: Vec<Epoch>,
    /// Epochs that it may be in still, as far as a bundle of it knows this node's own.
    pub former: Vec<Epoch>,
    /// Whether a fork was refused in the confirmed epoch.
    pub forked: bool,
    /// What was received in the confirmed epoch.
    pub received: Received,
    /// The bundle that was received under the arrival's epoch and number, if any.
    pub at_sequence: Option<(BundleId, Hash)>,
    /// This node's own epoch, as bundles for the sender bear it.
    pub own_epoch: Epoch,
    /// Whether the pairing was begun anew in that epoch. A bundle that does not know it was made before, and whoever revoked the
    /// pairing wants nothing of that.
    pub begun_anew: bool,
}

/// What an acceptable bundle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Newer than all before.
    New,
    /// Older than the newest, and not seen before: a newer one overtook it.
    Late,
    /// Received before: it changes nothing.
    Repeated,
}

/// Why a bundle is refused for its place in the order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The sender's store was made or restored anew, and nobody has confirmed that yet; or the pairing was begun anew by one side.
    #[error(
        "the sender writes under another epoch than is known here, {epoch}: its store was restored or made anew, it has begun the \
         pairing anew, or it goes on with one that was begun anew here. Ask its owner for the epoch that it is in now: there, `poundlock \
         pair show` of this node tells it as \"this node's epoch for it\". Only if that is this very epoch, confirm it here: `poundlock \
         pair epoch`. If it is another, the bundle is an old one, and what it is in now would be shut out"
    )]
    UnconfirmedEpoch {
        /// The epoch in the bundle.
        epoch: Epoch,
    },
    /// The bundle was made before the sender's store was restored.
    #[error(
        "the bundle is from epoch {epoch}, which its sender has left behind; ask the sender for a new bundle. If its newest bundles are \
         refused so too, an epoch was confirmed here that it is not in: on the sender's side, stop the node, run `poundlock restore \
         FOLDER`, which gives it a new one, and export again; then confirm that epoch here"
    )]
    RetiredEpoch {
        /// The epoch in the bundle.
        epoch: Epoch,
    },
    /// Two different bundles bear the same number.
    #[error(
        "FORK: number {sequence} was received as bundle {known} (file {known_hash}), and now arrives as bundle {arrived} \
         (file {arrived_hash}). Two stores write under one identity, or its store was set back. Nothing more of its epoch is taken \
         in here; {FORK_MEND}"
    )]
    Fork {
        /// The number that both bear.
        sequence: u64,
        /// The bundle received before.
        known: BundleId,
        /// Its file's hash.
        known_hash: Hash,
        /// The bundle that arrives.
        arrived: BundleId,
        /// Its file's hash.
        arrived_hash: Hash,
    },
    /// A fork was refused in the bundle's epoch: its sender's numbers stand for nothing any more, nor does what is acknowledged by
    /// them.
    #[error(
        "the bundle is from an epoch in which two bundles have borne one number (FORK): its sender's store was set back, or two write \
         under one identity. Nothing of that epoch is taken in any more; {FORK_MEND}"
    )]
    AfterFork,
    /// The bundle builds on one that never arrived here.
    #[error(
        "the bundle builds on number {base} of its sender, and this node has received {}; ask the sender to export with \
         --full, or bring the missing bundle",
        received(*.highest)
    )]
    Gap {
        /// What it builds on.
        base: u64,
        /// The highest that this node has.
        highest: u64,
    },
    /// The bundle builds on itself or on a later one.
    #[error(
        "the bundle's number is {sequence}, and it says that it builds on number {base}: its header lies"
    )]
    Base {
        /// Its number.
        sequence: u64,
        /// What it builds on.
        base: u64,
    },
    /// The bundle builds on what this node knew before it was restored.
    #[error(
        "the bundle was made for this node's epoch {theirs}, and the node is in {ours} since it was restored or paired anew; \
         carry a bundle to the sender, have the new epoch confirmed there, and ask for a new bundle"
    )]
    MadeForAnotherEpoch {
        /// The epoch that the sender knows.
        theirs: Epoch,
        /// The epoch that holds.
        ours: Epoch,
    },
    /// The number is too far ahead.
    #[error(
        "the bundle's number {sequence} is more than {STEP_MAX} beyond {highest}; its sender's key may be in other hands"
    )]
    Jump {
        /// The number.
        sequence: u64,
        /// The highest received.
        highest: u64,
    },
}

const FORK_MEND: &str = "on the sender's side, find out which store is the right one, stop it, run `poundlock restore FOLDER`, which gives \
                         it a new epoch, and export again; then confirm that epoch here: `poundlock pair epoch`";

fn received(highest: u64) -> String {
    if highest == 0 {
        "none of its bundles".to_owned()
    } else {
        format!("its bundles only up to number {highest}")
    }
}

/// Finds a bundle's place in the order of its sender's bundles.
///
/// # Errors
/// Says why it is refused; nothing may change then.
pub fn place(arrival: &Arrival, known: &Known) -> Result<Place, Refused> {
    if let Some((bundle, hash)) = known.at_sequence {
        if hash == arrival.hash && bundle == arrival.bundle {
            return Ok(Place::Repeated);
        }
        return Err(Refused::Fork {
            sequence: arrival.sequence,
            known: bundle,
            known_hash: hash,
            arrived: arrival.bundle,
            arrived_hash: arrival.hash,
        });
    }
    if known.retired.contains(&arrival.epoch) {
        return Err(Refused::RetiredEpoch { epoch: arrival.epoch });
    }
    let made_for_another = Refused::MadeForAnotherEpoch {
        theirs: arrival.recipient_epoch,
        ours: known.own_epoch,
    };
    // Nobody is asked to confirm an epoch by a bundle from before the pairing was begun anew.
    if known.former.contains(&arrival.epoch) && arrival.recipient_epoch != known.own_epoch {
        return Err(made_for_another);
    }
    if arrival.epoch != known.epoch {
        return Err(Refused::UnconfirmedEpoch { epoch: arrival.epoch });
    }
    if known.forked {
        return Err(Refused::AfterFork);
    }
    if arrival.recipient_epoch != known.own_epoch && (arrival.base != 0 || known.begun_anew) {
        return Err(made_for_another);
    }
    if arrival.base >= arrival.sequence {
        return Err(Refused::Base {
            sequence: arrival.sequence,
            base: arrival.base,
        });
    }
    let highest = known.received.highest;
    if arrival.base > highest {
        return Err(Refused::Gap {
            base: arrival.base,
            highest,
        });
    }
    if arrival.sequence > highest.saturating_add(STEP_MAX) {
        return Err(Refused::Jump {
            sequence: arrival.sequence,
            highest,
        });
    }
    Ok(if arrival.sequence > highest {
        Place::New
    } else {
        Place::Late
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn arrival(sequence: u64, base: u64) -> Arrival {
        Arrival {
            bundle: BundleId(id(u128::from(sequence))),
            hash: Hash([u8::try_from(sequence % 256).unwrap(); 32]),
            epoch: Epoch(id(1)),
            sequence,
            base,
            recipient_epoch: Epoch(id(9)),
        }
    }

    fn known(highest: u64) -> Known {
        let received = (1..=highest).fold(Received::default(), Received::with);
        Known {
            epoch: Epoch(id(1)),
            retired: vec![Epoch(id(0))],
            former: vec![Epoch(id(3))],
            forked: false,
            received,
            at_sequence: None,
            own_epoch: Epoch(id(9)),
            begun_anew: false,
        }
    }

    #[test]
    fn order_does_not_matter_but_ground_does() {
        assert_eq!(place(&arrival(5, 3), &known(3)), Ok(Place::New));
        assert_eq!(place(&arrival(4, 3), &known(5)), Ok(Place::Late));
        assert_eq!(
            place(&arrival(5, 4), &known(3)),
            Err(Refused::Gap { base: 4, highest: 3 })
        );
        assert!(matches!(
            place(&arrival(2_000_000, 0), &known(3)),
            Err(Refused::Jump { .. })
        ));
    }

    #[test]
    fn one_number_stands_for_one_file() {
        let first = arrival(2, 0);
        let seen = Known {
            at_sequence: Some((first.bundle, first.hash)),
            ..known(3)
        };
        assert_eq!(place(&first, &seen), Ok(Place::Repeated));
        let other = Arrival {
            hash: Hash([9; 32]),
            ..first
        };
        let fork = place(&other, &seen).unwrap_err().to_string();
        assert!(fork.contains(&first.hash.to_string()) && fork.contains(&other.hash.to_string()));
    }

    #[test]
    fn after_a_fork_nothing_of_its_epoch_has_a_place() {
        let first = arrival(2, 0);
        let forked = Known {
            forked: true,
            at_sequence: Some((first.bundle, first.hash)),
            ..known(3)
        };
        assert_eq!(place(&first, &forked), Ok(Place::Repeated));
        let forked = Known {
            at_sequence: None,
            ..forked
        };
        for (sequence, base) in [(4, 3), (4, 0), (1, 0)] {
            assert_eq!(place(&arrival(sequence, base), &forked), Err(Refused::AfterFork));
        }
        let restored = Arrival {
            epoch: Epoch(id(2)),
            ..arrival(1, 0)
        };
        assert!(
            matches!(place(&restored, &forked), Err(Refused::UnconfirmedEpoch { .. })),
            "a new epoch is the way out"
        );
    }

    #[test]
    fn epochs_are_confirmed_by_a_person() {
        let other = |n| Arrival {
            epoch: Epoch(id(n)),
            ..arrival(1, 0)
        };
        assert!(matches!(
            place(&other(2), &known(0)),
            Err(Refused::UnconfirmedEpoch { .. })
        ));
        assert!(matches!(
            place(&other(0), &known(0)),
            Err(Refused::RetiredEpoch { .. })
        ));
        assert!(matches!(
            place(&other(3), &known(0)),
            Err(Refused::UnconfirmedEpoch { .. })
        ));
        let from_before = Arrival {
            recipient_epoch: Epoch(id(8)),
            ..other(3)
        };
        assert!(
            matches!(
                place(&from_before, &known(0)),
                Err(Refused::MadeForAnotherEpoch { .. })
            ),
            "nobody is asked to confirm what was made before the pairing was begun anew"
        );
        let restored = Known {
            own_epoch: Epoch(id(8)),
            ..known(3)
        };
        assert!(matches!(
            place(&arrival(4, 3), &restored),
            Err(Refused::MadeForAnotherEpoch { .. })
        ));
        assert_eq!(
            place(&arrival(4, 0), &restored),
            Ok(Place::New),
            "a full bundle is always possible"
        );
        let begun_anew = Known {
            begun_anew: true,
            ..restored
        };
        assert!(
            matches!(
                place(&arrival(4, 0), &begun_anew),
                Err(Refused::MadeForAnotherEpoch { .. })
            ),
            "but one from before the pairing was revoked"
        );
    }
}
