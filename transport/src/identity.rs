//! Who a node is: its id, its side, and two key pairs, one to sign with and one to read with.
//!
//! [`NodeIdentity`] is the secret half and lives in one file that only its owner may read. [`PublicIdentity`] is
//! what the peer is given when pairing. [`Fingerprint`] is what two people compare by voice, and
//! [`RotationStatement`] is how a node moves to new keys.

mod fingerprint;
mod node;
mod public;
mod rotation;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use crate::digest::Fingerprint;
pub use node::NodeIdentity;
pub use public::PublicIdentity;
pub use rotation::RotationStatement;

/// Which level a node stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Faces the internet.
    Low,
    /// Holds the private data.
    High,
    /// One node that does both; it has no peer and exchanges no bundles.
    Solo,
}

impl Side {
    fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
            Self::Solo => "solo",
        }
    }

    /// The byte that stands for the side where it is hashed.
    fn code(self) -> u8 {
        match self {
            Self::Low => 1,
            Self::High => 2,
            Self::Solo => 3,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Side {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        match text {
            "low" => Ok(Self::Low),
            "high" => Ok(Self::High),
            "solo" => Ok(Self::Solo),
            _ => Err(IdentityError::Field("side")),
        }
    }
}

/// Why an identity, or a statement about one, cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Reading or writing the file failed.
    #[error("cannot access {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file exists; keys are never overwritten.
    #[error("{0} exists already; keys are never overwritten")]
    Exists(PathBuf),
    /// Others than the owner may read the key file.
    #[error(
        "{path} may be read by others (mode {mode:03o}): run chmod 600 on it, and consider the keys exposed"
    )]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for new keys")]
    Randomness,
    /// Not a file of this kind, or one of a newer version.
    #[error("not {0}, or written by a newer version: update this node")]
    Kind(&'static str),
    /// Larger than any such file is.
    #[error("the file is larger than {0} bytes")]
    TooLarge(usize),
    /// A field is missing, out of order, or malformed.
    #[error("the field {0:?} is missing or malformed")]
    Field(&'static str),
    /// All fields are readable, but the text is not the one that this version writes.
    #[error("the text was changed since it was written")]
    NotTheOneForm,
    /// The signature over the text does not hold.
    #[error("the signature does not hold: the text was damaged or changed")]
    Signature,
    /// A key with which anybody could read or sign.
    #[error("the {0} key is a weak one")]
    WeakKey(&'static str),
    /// A name that is empty, too long, or holds characters that could mislead on a screen.
    #[error("a name has 1 to {max} bytes, no control or direction characters, and no space at its ends", max = public::MAX_NAME_BYTES)]
    Name,
    /// The statement is about another node or other keys than the ones it is checked against.
    #[error("the rotation statement is for another node, or not for the keys that are paired now")]
    OtherIdentity,
    /// Old and new keys are the same, or node or side differ.
    #[error("a rotation keeps node and side, and changes both keys")]
    NotARotation,
}

impl IdentityError {
    fn io(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
