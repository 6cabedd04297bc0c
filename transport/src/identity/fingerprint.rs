//! Fingerprints and how people read them to each other.

use crate::digest::Fingerprint;
use crate::signing;

use super::PublicIdentity;

impl Fingerprint {
    /// Binds node id (16 bytes), side (1 byte), Ed25519 key (32 bytes) and X25519 key (32 bytes).
    pub(super) fn of_parts(node: &[u8; 16], side: u8, verify: &[u8; 32], recipient: &[u8; 32]) -> Self {
        let parts = [&node[..], &[side], verify, recipient].concat();
        Self::from_bytes(signing::hash(signing::FINGERPRINT, &parts))
    }

    /// One fingerprint for two nodes, the same whichever side computes it. Comparing it once confirms both
    /// nodes' keys.
    pub fn of_pair(one: &PublicIdentity, other: &PublicIdentity) -> Self {
        let (one, other) = (one.fingerprint(), other.fingerprint());
        let (first, second) = if one <= other { (one, other) } else { (other, one) };
        let both = [&first.as_bytes()[..], second.as_bytes()].concat();
        Self::from_bytes(signing::hash(signing::PAIR, &both))
    }

    /// Eight groups of five digits for reading aloud, such as `04821 77310 …`: 132 bits, each group being four bytes
    /// of the hash, as a big-endian number, modulo 100,000.
    pub fn groups(&self) -> String {
        let groups: Vec<String> = self
            .as_bytes()
            .chunks_exact(4)
            .map(|four| {
                let number = four
                    .iter()
                    .fold(0u32, |value, byte| value << 8 | u32::from(*byte));
                format!("{:05}", number % 100_000)
            })
            .collect();
        groups.join(" ")
    }
}
