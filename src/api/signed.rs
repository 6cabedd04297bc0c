//! How signatures look from outside.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::acts::signatures::KeyNews;
use crate::domain::key_pins::{Carrier, Pin, Signer, Standing};
use crate::domain::signature::VerifyKey;

/// How a signature stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignedState {
    /// There is none, and none was to be expected.
    Unsigned,
    /// There is none, though the person has a key.
    UnsignedButExpected,
    /// Not checked yet: the code that it covers is not here.
    Unchecked,
    /// It holds, under the person's pinned key.
    Valid,
    /// It holds, under the first key of the person, which is pinned once their record is applied.
    ValidByFirstKey,
    /// It holds, under a key that was replaced before this came.
    ValidByFormerKey,
    /// It holds, under a key that nobody here has confirmed to be the person's.
    ValidByUnconfirmedKey,
    /// It does not hold: what is shown is not what was signed.
    Invalid,
}

/// A key that is pinned, with the person as they were called then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PinnedKey {
    /// What people compare by voice.
    pub fingerprint: String,
    /// The person's name when the key was pinned.
    pub name: String,
    /// Their address then.
    pub email: String,
    /// The day on which it was pinned.
    #[schema(format = Date)]
    pub on: String,
    /// How it came here; none where the person registered it on this node.
    pub arrived: Option<Arrival>,
}

// Its words are those of no gap, because a solo node describes it too.
/// How something came here from another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Arrival {
    /// The node that sent it.
    pub from: Uuid,
    /// The number of the file that it came in.
    pub number: u64,
}

impl From<Carrier> for Arrival {
    fn from(carrier: Carrier) -> Self {
        Self {
            from: carrier.peer,
            number: carrier.bundle,
        }
    }
}

/// What is known of the signature on code or a request. This node has checked it itself, against the keys that it has pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Signed {
    /// How it stands.
    pub state: SignedState,
    /// The same in words, for people.
    pub says: String,
    /// Whether a reviewer should stop and think.
    pub suspicious: bool,
    /// The key that it was made with.
    pub fingerprint: Option<String>,
    /// The pinned key that it is measured by.
    pub pinned: Option<PinnedKey>,
}

impl From<&Signer> for PinnedKey {
    fn from(signer: &Signer) -> Self {
        Self {
            fingerprint: signer.fingerprint.to_string(),
            name: signer.name.clone(),
            email: signer.email.clone(),
            on: signer.pinned_on.to_string(),
            arrived: signer.carrier.map(Into::into),
        }
    }
}

impl PinnedKey {
    /// A pin with a key; none for the pin that says that the person has no key any more.
    pub fn of(pin: &Pin) -> Option<Self> {
        let key = pin.key.as_ref()?;
        Some(Self {
            fingerprint: key.fingerprint().to_string(),
            name: pin.name.clone(),
            email: pin.email.clone(),
            on: pin.on().to_string(),
            arrived: pin.carrier.map(Into::into),
        })
    }
}

impl From<&Standing> for Signed {
    fn from(standing: &Standing) -> Self {
        let state = match standing {
            Standing::Unsigned => SignedState::Unsigned,
            Standing::UnsignedButExpected { .. } => SignedState::UnsignedButExpected,
            Standing::Unchecked => SignedState::Unchecked,
            Standing::Valid { .. } => SignedState::Valid,
            Standing::ValidByFirstKey { .. } => SignedState::ValidByFirstKey,
            Standing::ValidByFormerKey { .. } => SignedState::ValidByFormerKey,
            Standing::ValidByUnconfirmedKey { .. } => SignedState::ValidByUnconfirmedKey,
            Standing::Invalid { .. } => SignedState::Invalid,
        };
        let made_with = match standing {
            Standing::UnsignedButExpected { .. } => None,
            made => made.fingerprint(),
        };
        Self {
            state,
            says: standing.to_string(),
            suspicious: standing.is_suspicious(),
            fingerprint: made_with.map(|fingerprint| fingerprint.to_string()),
            pinned: standing.pinned().map(PinnedKey::from),
        }
    }
}

/// What somebody's record that waits says of their key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyNewsWord {
    /// Their first key: it is pinned when the record is applied.
    First,
    /// The key that is pinned.
    Same,
    /// Another key than the pinned one, or none any more.
    Changed,
}

/// What somebody's record that waits means for their verify key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyNewsView {
    /// In a word.
    pub state: KeyNewsWord,
    /// The same in words, for people.
    pub says: String,
    /// Whether a reviewer should stop and think.
    pub suspicious: bool,
    /// The key in the record.
    pub fingerprint: Option<String>,
    /// The key that is pinned.
    pub pinned: Option<String>,
}

impl From<&KeyNews> for KeyNewsView {
    fn from(news: &KeyNews) -> Self {
        let told = |key: &VerifyKey| key.fingerprint().to_string();
        let (state, now, pinned) = match news {
            KeyNews::First(key) => (KeyNewsWord::First, Some(told(key)), None),
            KeyNews::Same(key) => (KeyNewsWord::Same, Some(told(key)), Some(told(key))),
            KeyNews::Changed { now, pinned } => (
                KeyNewsWord::Changed,
                now.as_ref().map(told),
                pinned.as_ref().map(told),
            ),
        };
        let none = || "none".to_owned();
        let says = match state {
            KeyNewsWord::First => format!("first verify key: {}", now.clone().unwrap_or_default()),
            KeyNewsWord::Same => format!("verify key as pinned: {}", now.clone().unwrap_or_default()),
            KeyNewsWord::Changed => format!(
                "THE VERIFY KEY HAS CHANGED to {}; pinned is {}: ask the person, then accept it",
                now.clone().unwrap_or_else(none),
                pinned.clone().unwrap_or_else(none)
            ),
        };
        Self {
            state,
            says,
            suspicious: state == KeyNewsWord::Changed,
            fingerprint: now,
            pinned,
        }
    }
}
