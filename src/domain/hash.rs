//! BLAKE3 hashes, shown as 64 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A BLAKE3 hash of 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// The text is not 64 hexadecimal digits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a hash is written as 64 hexadecimal digits")]
pub struct NotAHash;

impl Hash {
    /// Hashes `bytes` under a `context`, a string that no other use in the program shares
    /// (BLAKE3's key derivation mode, so hashes of different uses never collide).
    pub fn derive(context: &str, bytes: &[u8]) -> Self {
        Self(blake3::derive_key(context, bytes))
    }

    /// The plain BLAKE3 hash of `bytes`: the name of a blob.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE
            .decode(text.as_bytes())
            .map_err(|_| NotAHash)?;
        Ok(Self(bytes.try_into().map_err(|_| NotAHash)?))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            let mut digits = [0; 64];
            data_encoding::HEXLOWER.encode_mut(&self.0, &mut digits);
            // Digits are ASCII.
            serializer.serialize_str(std::str::from_utf8(&digits).unwrap_or_default())
        } else {
            serde_bytes::serialize(&self.0[..], serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?
                .parse()
                .map_err(D::Error::custom)
        } else {
            let bytes: serde_bytes::ByteBuf = serde_bytes::deserialize(deserializer)?;
            Ok(Self(
                bytes
                    .into_vec()
                    .try_into()
                    .map_err(|_| D::Error::custom("a hash has 32 bytes"))?,
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let hash = Hash::of(b"lock");
        assert_eq!(hash.to_string().parse::<Hash>().unwrap(), hash);
        assert_eq!("abc".parse::<Hash>(), Err(NotAHash));
        assert_ne!(Hash::derive("one use", b"x"), Hash::derive("another use", b"x"));
    }

    #[test]
    fn cbor_is_a_byte_string() {
        let mut bytes = Vec::new();
        ciborium::into_writer(&Hash([7; 32]), &mut bytes).unwrap();
        assert_eq!(bytes.len(), 34);
        assert_eq!(
            ciborium::from_reader::<Hash, _>(&bytes[..]).unwrap(),
            Hash([7; 32])
        );
    }
}
