//! How a signature stands: what a data owner is told of it.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Carrier, KeyPins, Pin, date};
use crate::domain::signature::{Fingerprint, Signature, Statement, VerifyKey};

/// Whose a pinned key is, as they were called when it was pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The key.
    pub fingerprint: Fingerprint,
    /// The person's name then.
    pub name: String,
    /// Their address then.
    pub email: String,
    /// The day on which it was pinned.
    pub pinned_on: Date,
    /// What brought it.
    pub carrier: Option<Carrier>,
}

impl Signer {
    fn of(pin: &Pin, key: &VerifyKey) -> Self {
        Self {
            fingerprint: key.fingerprint(),
            name: pin.name.clone(),
            email: pin.email.clone(),
            pinned_on: pin.on(),
            carrier: pin.carrier,
        }
    }
}

/// How a signature stands, or its absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none, and none was to be expected.
    Unsigned,
    /// There is none, though the person has a key: they forgot it, or somebody took the signature off or made this up.
    UnsignedButExpected {
        /// The key that was to be expected, if it is pinned; else it waits with the person's record.
        key: Option<Signer>,
    },
    /// It cannot be checked yet, because the code that it covers is not here.
    Unchecked,
    /// It holds, under the person's pinned key.
    Valid {
        /// Whose key.
        by: Signer,
    },
    /// It holds, under the first key that this node sees of the person. The key is pinned when their record is applied.
    ValidByFirstKey {
        /// The key.
        fingerprint: Fingerprint,
    },
    /// It holds, under a key that was replaced before this was taken in: made late, or with a key that was lost.
    ValidByFormerKey {
        /// Whose key.
        by: Signer,
        /// When another was accepted in its place.
        replaced_on: Date,
    },
    /// It holds, under a key that nobody here has confirmed to be the person's.
    ValidByUnconfirmedKey {
        /// The key.
        fingerprint: Fingerprint,
        /// The key that is pinned, if one is.
        pinned: Option<Signer>,
    },
    /// It does not hold: something of what it covers is not what was signed.
    Invalid {
        /// The key that it names.
        fingerprint: Fingerprint,
    },
}

impl Standing {
    /// The word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::UnsignedButExpected { .. } => "unsigned_but_expected",
            Self::Unchecked => "unchecked",
            Self::Valid { .. } => "valid",
            Self::ValidByFirstKey { .. } => "valid_by_first_key",
            Self::ValidByFormerKey { .. } => "valid_by_former_key",
            Self::ValidByUnconfirmedKey { .. } => "valid_by_unconfirmed_key",
            Self::Invalid { .. } => "invalid",
        }
    }

    /// Whether a reviewer should stop and think: anything but a signature that holds under a known key, or none where none
    /// was to be expected.
    pub fn is_suspicious(&self) -> bool {
        !matches!(
            self,
            Self::Unsigned | Self::Valid { .. } | Self::ValidByFirstKey { .. }
        )
    }

    /// The key that made it, or was to.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match self {
            Self::Unsigned | Self::Unchecked => None,
            Self::UnsignedButExpected { key } => key.as_ref().map(|key| key.fingerprint),
            Self::Valid { by } | Self::ValidByFormerKey { by, .. } => Some(by.fingerprint),
            Self::ValidByFirstKey { fingerprint }
            | Self::ValidByUnconfirmedKey { fingerprint, .. }
            | Self::Invalid { fingerprint } => Some(*fingerprint),
        }
    }

    /// The pinned key that it is measured by.
    pub fn pinned(&self) -> Option<&Signer> {
        match self {
            Self::UnsignedButExpected { key: pinned } | Self::ValidByUnconfirmedKey { pinned, .. } => {
                pinned.as_ref()
            }
            Self::Valid { by } | Self::ValidByFormerKey { by, .. } => Some(by),
            Self::Unsigned | Self::Unchecked | Self::ValidByFirstKey { .. } | Self::Invalid { .. } => None,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => out.write_str("not signed"),
            Self::UnsignedButExpected { key: Some(key) } => write!(
                out,
                "NOT SIGNED, though the key {} of {} <{}> is pinned since {}: ask them whether this is theirs",
                key.fingerprint, key.name, key.email, key.pinned_on
            ),
            Self::UnsignedButExpected { key: None } => {
                out.write_str("NOT SIGNED, though this person has a key: ask them whether this is theirs")
            }
            Self::Unchecked => out.write_str("signed, but not checked: its code has not arrived"),
            Self::Valid { by } => write!(
                out,
                "signed by {} <{}> with the key {}, pinned since {}",
                by.name, by.email, by.fingerprint, by.pinned_on
            ),
            Self::ValidByFirstKey { fingerprint } => {
                write!(out, "signed with the first key of this person: {fingerprint}")
            }
            Self::ValidByFormerKey { by, replaced_on } => write!(
                out,
                "SIGNED WITH A FORMER KEY of {} <{}>: {}, replaced on {replaced_on}",
                by.name, by.email, by.fingerprint
            ),
            Self::ValidByUnconfirmedKey { fingerprint, pinned } => {
                write!(out, "SIGNED BY A KEY THAT NOBODY HAS CONFIRMED: {fingerprint}")?;
                match pinned {
                    Some(pinned) => write!(
                        out,
                        "; the key of {} <{}> is {}, pinned since {}",
                        pinned.name, pinned.email, pinned.fingerprint, pinned.pinned_on
                    ),
                    None => Ok(()),
                }
            }
            Self::Invalid { fingerprint } => write!(
                out,
                "THE SIGNATURE DOES NOT HOLD: with the key {fingerprint}, something else was signed than what is shown"
            ),
        }
    }
}

/// Computes how a signature stands.
///
/// `statement` is none where it cannot be made, because a part is missing here. `taken` is when what was signed was taken into
/// this node's store, none while it waits for review: what came before a key was pinned was not to be signed with it, and
/// what comes after a key was replaced should not be. `first` is the key in the person's record that waits, of whom nothing
/// is pinned.
pub fn standing(
    signature: Option<&Signature>,
    statement: Option<&Statement>,
    pins: &KeyPins,
    first: Option<&VerifyKey>,
    taken: Option<Timestamp>,
) -> Standing {
    let Some(signature) = signature else {
        return unsigned(pins, first, taken);
    };
    let Some(statement) = statement else {
        return Standing::Unchecked;
    };
    let fingerprint = signature.key.fingerprint();
    if !signature.holds(statement) {
        return Standing::Invalid { fingerprint };
    }
    match pins.find(&signature.key) {
        Some((pin, replaced)) => {
            let by = Signer::of(pin, &signature.key);
            match replaced {
                Some(replaced) if taken.is_none_or(|taken| taken >= replaced) => Standing::ValidByFormerKey {
                    by,
                    replaced_on: date(replaced),
                },
                _ => Standing::Valid { by },
            }
        }
        None if pins.pins.is_empty() && first == Some(&signature.key) => {
            Standing::ValidByFirstKey { fingerprint }
        }
        None => Standing::ValidByUnconfirmedKey {
            fingerprint,
            pinned: pins.present().and_then(signer),
        },
    }
}

fn unsigned(pins: &KeyPins, first: Option<&VerifyKey>, taken: Option<Timestamp>) -> Standing {
    let counted = match taken {
        Some(taken) => pins.at(taken),
        None => pins.present(),
    };
    match counted.and_then(signer) {
        Some(key) => Standing::UnsignedButExpected { key: Some(key) },
        None if pins.pins.is_empty() && first.is_some() => Standing::UnsignedButExpected { key: None },
        None => Standing::Unsigned,
    }
}

fn signer(pin: &Pin) -> Option<Signer> {
    pin.key.as_ref().map(|key| Signer::of(pin, key))
}
