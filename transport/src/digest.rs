//! The 32-byte hashes that the format speaks of, each a type of its own so that none can stand in for another.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that is not a hash: exactly 64 lower-case hexadecimal digits are expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is written as 64 lower-case hexadecimal digits")]
pub struct NotAHash;

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes 32 bytes for what they are; nothing is computed or checked.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = NotAHash;

            fn from_str(text: &str) -> Result<Self, NotAHash> {
                let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NotAHash)?;
                Ok(Self(bytes.try_into().map_err(|_| NotAHash)?))
            }
        }

        // A byte string in CBOR, hexadecimal in JSON.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    let bytes = serde_bytes::ByteArray::<32>::deserialize(deserializer)?;
                    Ok(Self(bytes.into_array()))
                }
            }
        }
    };
}

digest! {
    /// The plain BLAKE3 hash of a blob's bytes: its name everywhere.
    BlobHash
}

digest! {
    /// What a bundle's signature covers: a domain-separated BLAKE3 hash of everything in the file but the
    /// signature. Two files with one sequence number and different hashes are a fork.
    BundleHash
}

digest! {
    /// Binds a node's id, side and both public keys. People compare it as [`groups`](Fingerprint::groups) of digits.
    Fingerprint
}

digest! {
    /// The head of a node's audit chain.
    ChainHead
}

impl BlobHash {
    /// Hashes bytes that are in memory already. A file is hashed as it streams by.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_as_written_and_nothing_else_is_one() {
        let hash = BlobHash::of(b"mock");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.to_string().to_uppercase().parse::<BlobHash>(), Err(NotAHash));
        assert_eq!("00".parse::<BlobHash>(), Err(NotAHash));
    }
}
