//! Signatures that people make with a key of their own, and the public key that checks them. The secret key stays with the
//! person; a node never sees it.
//!
//! What is signed is in [`statement`]; `docs/SIGNATURES.md` is the same for people who sign with another program.

pub mod statement;

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

pub use statement::Statement;

/// The public half of a person's Ed25519 key (RFC 8032). Only [`VerifyKey::from_bytes`] makes one, so a key that is here can
/// be trusted to tell signatures apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifyKey([u8; 32]);

/// Why bytes or text are no verify key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAVerifyKey {
    /// Neither of the two forms.
    #[error(
        "a verify key is written as 64 hexadecimal digits, or as 43 characters of base64url without padding"
    )]
    Text,
    /// No point of the curve, or not in its one encoding.
    #[error("these 32 bytes are no Ed25519 public key in its one encoding")]
    NotAPoint,
    /// A key under which signatures hold that its owner has not made.
    #[error("this Ed25519 key is a weak one: signatures that nobody made would hold under it; make another")]
    Weak,
}

impl VerifyKey {
    /// Takes a key. One of small order is refused, for signatures that nobody made would hold under it; and so is a second
    /// encoding of a point, for two texts must never be the same key.
    ///
    /// # Errors
    /// The bytes are no such key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, NotAVerifyKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| NotAVerifyKey::NotAPoint)?;
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(NotAVerifyKey::NotAPoint);
        }
        if key.is_weak() {
            return Err(NotAVerifyKey::Weak);
        }
        Ok(Self(*bytes))
    }

    /// The key, as RFC 8032 encodes it.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What people read to each other to compare keys.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        hash.update(b"poundlock v1 verify key fingerprint\0");
        hash.update(self.as_bytes());
        Fingerprint(hash.finalize().into())
    }

    /// Whether a signature over a statement was made with this key: RFC 8032 without its leeway, so that nobody can turn one
    /// signature into another.
    pub fn verifies(&self, statement: &Statement, signature: &SignatureBytes) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(statement.as_bytes(), &signature).is_ok())
    }
}

impl From<&ed25519_dalek::SigningKey> for VerifyKey {
    fn from(key: &ed25519_dalek::SigningKey) -> Self {
        // The library multiplies the base point by a clamped scalar: the result is neither weak nor oddly encoded.
        Self(key.verifying_key().to_bytes())
    }
}

impl fmt::Display for VerifyKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&HEXLOWER.encode(self.as_bytes()))
    }
}

impl fmt::Debug for VerifyKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "VerifyKey({self})")
    }
}

impl FromStr for VerifyKey {
    type Err = NotAVerifyKey;

    fn from_str(text: &str) -> Result<Self, NotAVerifyKey> {
        Self::from_bytes(&either_form(text).ok_or(NotAVerifyKey::Text)?)
    }
}

/// Bytes from hexadecimal digits of either case, or from base64url without padding; nothing else, and no spaces.
fn either_form<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = if text.len() == 2 * N {
        HEXLOWER_PERMISSIVE.decode(text.as_bytes())
    } else {
        BASE64URL_NOPAD.decode(text.as_bytes())
    };
    bytes.ok()?.try_into().ok()
}

impl Serialize for VerifyKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serde_bytes::serialize(&self.as_bytes()[..], serializer)
        }
    }
}

impl<'de> Deserialize<'de> for VerifyKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?
                .parse()
                .map_err(D::Error::custom)
        } else {
            let bytes: serde_bytes::ByteArray<32> = Deserialize::deserialize(deserializer)?;
            Self::from_bytes(&bytes).map_err(D::Error::custom)
        }
    }
}

/// Names a verify key for people: SHA-256, so that any program can compute it, over a context, a NUL and the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Whether this is what somebody typed. Spaces, and whatever else separates the digits, do not count.
    pub fn is(&self, typed: &str) -> bool {
        let bare = |text: &str| {
            text.chars()
                .filter(char::is_ascii_alphanumeric)
                .collect::<String>()
        };
        bare(typed) == bare(&self.to_string())
    }
}

/// Eight groups of five digits for reading aloud, as those of nodes: 132 bits, each group being four bytes of the hash, as
/// a big-endian number, modulo 100,000.
impl fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, four) in self.0.chunks_exact(4).enumerate() {
            let number = four
                .iter()
                .fold(0u32, |value, byte| value << 8 | u32::from(*byte));
            let space = if index == 0 { "" } else { " " };
            write!(out, "{space}{:05}", number % 100_000)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Fingerprint({self})")
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The 64 bytes of an Ed25519 signature. Whether it holds is asked of a [`VerifyKey`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SignatureBytes(pub [u8; 64]);

/// The text is no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signature is written as 128 hexadecimal digits, or as 86 characters of base64url without padding")]
pub struct NotASignature;

impl fmt::Display for SignatureBytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for SignatureBytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SignatureBytes({self})")
    }
}

impl FromStr for SignatureBytes {
    type Err = NotASignature;

    fn from_str(text: &str) -> Result<Self, NotASignature> {
        either_form(text).map(Self).ok_or(NotASignature)
    }
}

impl Serialize for SignatureBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serde_bytes::serialize(&self.0[..], serializer)
        }
    }
}

impl<'de> Deserialize<'de> for SignatureBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?
                .parse()
                .map_err(D::Error::custom)
        } else {
            let bytes: serde_bytes::ByteArray<64> = Deserialize::deserialize(deserializer)?;
            Ok(Self(bytes.into_array()))
        }
    }
}

/// A signature as it travels: with the key that it was made with, so that whoever holds it can check it and tell a signature
/// that does not hold from one by a key that they do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The public half of the key that it was made with, as whoever sent it says.
    pub key: VerifyKey,
    /// The signature.
    pub bytes: SignatureBytes,
}

impl Signature {
    /// Whether it holds over a statement. Says nothing of whose key it is.
    pub fn holds(&self, statement: &Statement) -> bool {
        self.key.verifies(statement, &self.bytes)
    }
}

#[cfg(test)]
mod tests;
