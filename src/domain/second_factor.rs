//! The second factor: one-time codes of an authenticator (TOTP, RFC 6238: SHA-1, six digits, 30 seconds, one step of skew), and
//! recovery codes for whoever has lost theirs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use totp_rs::{Builder, Totp, TotpError};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::hash::Hash;

/// Bytes of a secret: 160 bits, as RFC 4226 §4 recommends.
pub const SECRET_BYTES: usize = 20;
/// Recovery codes that somebody gets.
pub const RECOVERY_CODES: usize = 10;

/// What proves that somebody has their authenticator. Stored beside the password's hash, in the node's folder, which only
/// the node's user can read.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct SecondFactor {
    secret: [u8; SECRET_BYTES],
    /// Whether a first code has shown that the authenticator has the secret. Before that it is not asked for.
    confirmed: bool,
    /// The step of the newest code that was accepted: a code counts once (RFC 6238 §5.2).
    last_step: u64,
    /// Hashes of the recovery codes that are left.
    #[zeroize(skip)]
    recovery: Vec<Hash>,
}

impl std::fmt::Debug for SecondFactor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("SecondFactor(..)")
    }
}

/// What a code was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A code of the authenticator.
    Code,
    /// A recovery code, which is used up now.
    Recovery,
}

impl SecondFactor {
    /// Begins with a fresh random secret.
    pub fn new(secret: [u8; SECRET_BYTES]) -> Self {
        Self {
            secret,
            confirmed: false,
            last_step: 0,
            recovery: Vec::new(),
        }
    }

    /// Whether it is asked for on signing in.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// Recovery codes that are left.
    pub fn recovery_codes_left(&self) -> usize {
        self.recovery.len()
    }

    fn totp(&self) -> Result<Totp, TotpError> {
        Builder::new().with_secret(self.secret.to_vec()).build()
    }

    /// The `otpauth:` address that an authenticator takes, also as a picture.
    pub fn address(&self, node: &str, email: &str) -> Option<String> {
        // A colon would end the node's name.
        let named = Builder::new()
            .with_secret(self.secret.to_vec())
            .with_issuer(Some(node.replace(':', " ")))
            .with_account_name(email.replace(':', " "));
        named.build().and_then(|totp| totp.to_url()).ok()
    }

    /// The secret for typing in: base32 without padding, as authenticators take it.
    pub fn typed(&self) -> String {
        data_encoding::BASE32_NOPAD.encode(&self.secret)
    }

    /// Takes a first code, from which on the factor is asked for, and keeps the hashes of fresh recovery codes.
    pub fn confirm(&mut self, code: &str, now: Timestamp, recovery: Vec<Hash>) -> bool {
        let Some(step) = self.step_of(code, now) else {
            return false;
        };
        self.last_step = step;
        self.confirmed = true;
        self.recovery = recovery;
        true
    }

    /// Takes a code of the authenticator, or a recovery code; each counts once.
    pub fn prove(&mut self, code: &str, now: Timestamp) -> Option<Proof> {
        if let Some(step) = self.step_of(code, now) {
            self.last_step = step;
            return Some(Proof::Code);
        }
        let hash = recovery_hash(code);
        let place = self
            .recovery
            .iter()
            .position(|kept| bool::from(kept.0.ct_eq(&hash.0)))?;
        self.recovery.swap_remove(place);
        Some(Proof::Recovery)
    }

    /// The step of a code that has not been used; none if it is wrong.
    fn step_of(&self, code: &str, now: Timestamp) -> Option<u64> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let seconds = u64::try_from(now.as_second()).ok()?;
        let step = self.totp().ok()?.check(&code, seconds)?;
        (step > self.last_step).then_some(step)
    }
}

/// The hash under which a recovery code is kept. Spaces, hyphens and case do not count.
pub fn recovery_hash(code: &str) -> Hash {
    let plain: String = code
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .flat_map(char::to_lowercase)
        .collect();
    Hash::derive("poundlock recovery code 1", plain.as_bytes())
}

/// The random bytes of a recovery code: 120 bits, so many that a plain hash of it cannot be reversed by trying.
pub const RECOVERY_BYTES: usize = 15;

/// A recovery code, to be written down: three groups of eight letters and digits.
pub fn recovery_code(random: &[u8; RECOVERY_BYTES]) -> String {
    let text = data_encoding::BASE32_NOPAD.encode(random).to_lowercase();
    let (front, rest) = text.split_at(8);
    let (middle, back) = rest.split_at(8);
    format!("{front}-{middle}-{back}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the secret of its SHA-1 table, whose codes have eight digits there and six here.
    const SECRET: [u8; SECRET_BYTES] = *b"12345678901234567890";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn confirmed() -> SecondFactor {
        let mut factor = SecondFactor::new(SECRET);
        assert!(factor.confirm(
            "287082",
            at(59),
            vec![recovery_hash("abcd-efgh"), recovery_hash("2345-6789")]
        ));
        factor
    }

    #[test]
    fn the_codes_are_those_of_the_standard() {
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert!(
                SecondFactor::new(SECRET).confirm(code, at(second), Vec::new()),
                "{second}"
            );
            assert!(!SecondFactor::new(SECRET).confirm(code, at(second + 90), Vec::new()));
        }
    }

    #[test]
    fn a_code_counts_once() {
        let mut factor = confirmed();
        assert_eq!(factor.prove("287082", at(59)), None);
        assert_eq!(factor.prove("050 471", at(1_111_111_111)), Some(Proof::Code));
        assert_eq!(factor.prove("050471", at(1_111_111_111)), None);
        // The step before the newest one that was accepted is no longer good either.
        assert_eq!(factor.prove("081804", at(1_111_111_111)), None);
    }

    #[test]
    fn a_recovery_code_counts_once() {
        let mut factor = confirmed();
        assert_eq!(factor.prove("wrong-code", at(100)), None);
        assert_eq!(factor.prove(" ABCDEFGH ", at(100)), Some(Proof::Recovery));
        assert_eq!(factor.prove("abcd-efgh", at(100)), None);
        assert_eq!(factor.recovery_codes_left(), 1);
    }

    #[test]
    fn an_authenticator_can_read_the_address() {
        let address = SecondFactor::new(SECRET)
            .address("Low: node", "ada@example.org")
            .unwrap();
        assert!(address.starts_with("otpauth://totp/"), "{address}");
        assert!(
            address.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
            "{address}"
        );
    }
}
