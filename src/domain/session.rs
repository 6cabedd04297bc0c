//! Sessions: who is signed in, by a token that only its holder knows.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::id::UserId;

/// How long a session lasts.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// A signed-in person. Stored under the hash of the token, so that the store gives no token away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose it is.
    pub user: UserId,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Session {
    /// Begins a session.
    pub fn begin(user: UserId, now: Timestamp) -> Self {
        Self {
            user,
            began_at: now,
            expires_at: now.saturating_add(LIFETIME).unwrap_or(now),
        }
    }

    /// Whether it still holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

/// The hash under which a token's session is stored.
pub fn token_hash(token: &str) -> Hash {
    Hash::derive("poundlock session token 1", token.as_bytes())
}

/// The hash under which the one-time set-up token is kept.
pub fn setup_token_hash(token: &str) -> Hash {
    Hash::derive("poundlock set-up token 1", token.as_bytes())
}

/// What proves that a person is who they say. Never travels, and is no part of any body.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// The Argon2id hash of the password, in the PHC string format.
    pub password_hash: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Credentials(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_session_ends() {
        let now: Timestamp = "2026-11-22T07:00:00Z".parse().unwrap();
        let session = Session::begin(UserId(Uuid::from_u128(1)), now);
        assert!(session.holds(now));
        assert!(!session.holds(now.saturating_add(LIFETIME).unwrap()));
    }
}
