//! Signatures and domain separation.
//!
//! Every hash that is signed or compared is BLAKE3 in its key-derivation mode under one of the context strings
//! below, and every signature is Ed25519 over `context, 0x00, hash`. A signature made for one purpose therefore
//! verifies for no other. The strings are part of the format: see FORMAT.md.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

/// Over everything in a bundle file but its signature.
pub(crate) const BUNDLE: &str = "poundlock v1 bundle";
/// Over a public identity's text.
pub(crate) const IDENTITY: &str = "poundlock v1 public identity";
/// Over a rotation statement's text, by the key that leaves.
pub(crate) const ROTATION_OLD: &str = "poundlock v1 key rotation, old key";
/// Over a rotation statement's text, by the key that comes.
pub(crate) const ROTATION_NEW: &str = "poundlock v1 key rotation, new key";
/// Over a volume table.
pub(crate) const VOLUMES: &str = "poundlock v1 volume table";
/// Not signed: node id, side, verify key, recipient key.
pub(crate) const FINGERPRINT: &str = "poundlock v1 fingerprint";
/// Not signed: the fingerprints of two nodes, the smaller first.
pub(crate) const PAIR: &str = "poundlock v1 pair fingerprint";

/// A hasher whose results mean something under `context` only.
pub(crate) fn hasher(context: &str) -> blake3::Hasher {
    blake3::Hasher::new_derive_key(context)
}

/// Hashes `bytes` under `context`.
pub(crate) fn hash(context: &str, bytes: &[u8]) -> [u8; 32] {
    *hasher(context).update(bytes).finalize().as_bytes()
}

pub(crate) fn sign(key: &SigningKey, context: &str, hash: &[u8; 32]) -> [u8; 64] {
    key.sign(&message(context, hash)).to_bytes()
}

/// RFC 8032 verification without its leeway: small-order keys and malleable signatures fail.
pub(crate) fn verify(key: &VerifyingKey, context: &str, hash: &[u8; 32], signature: &[u8; 64]) -> bool {
    key.verify_strict(&message(context, hash), &Signature::from_bytes(signature))
        .is_ok()
}

fn message(context: &str, hash: &[u8; 32]) -> Vec<u8> {
    [context.as_bytes(), &[0], hash].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_own_context_and_hash_only() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let signature = sign(&key, BUNDLE, &[1; 32]);
        assert!(verify(&key.verifying_key(), BUNDLE, &[1; 32], &signature));
        assert!(!verify(&key.verifying_key(), BUNDLE, &[2; 32], &signature));
        for other in [IDENTITY, ROTATION_OLD, ROTATION_NEW, VOLUMES] {
            assert!(
                !verify(&key.verifying_key(), other, &[1; 32], &signature),
                "{other}"
            );
        }
    }

    /// The group's order, added to S, gives a second valid-looking signature unless S is checked.
    #[test]
    fn malleated_and_small_order_signatures_fail() {
        const ORDER: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let key = SigningKey::from_bytes(&[7; 32]);
        let mut signature = sign(&key, BUNDLE, &[1; 32]);
        let mut carry = 0u16;
        for (byte, add) in signature[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert!(!verify(&key.verifying_key(), BUNDLE, &[1; 32], &signature));

        // The identity point as key and R, with S = 0, satisfies the plain equation for every message.
        let mut identity = [0u8; 32];
        identity[0] = 1;
        let weak = VerifyingKey::from_bytes(&identity).unwrap();
        let mut forged = [0u8; 64];
        forged[0] = 1;
        assert!(!verify(&weak, BUNDLE, &[1; 32], &forged));
    }
}
