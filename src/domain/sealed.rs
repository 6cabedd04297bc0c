//! Secrets that are stored: encrypted under a key of the node's, which is kept apart from the store.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_bytes::ByteBuf;
use zeroize::Zeroizing;

/// A secret as it is stored. `store::secrets` makes and opens it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub ByteBuf);

impl fmt::Debug for Sealed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Sealed(..)")
    }
}

/// A secret in the open: wiped when it is dropped, and never printed.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Secret(Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What stands there instead may be a secret all the same, such as one of digits alone.
        String::deserialize(deserializer)
            .map(Self::new)
            .map_err(|_told| serde::de::Error::custom("a secret is a text, in quotation marks"))
    }
}

impl Secret {
    /// Takes a secret over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret, to be used at once and kept nowhere.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(..)")
    }
}
