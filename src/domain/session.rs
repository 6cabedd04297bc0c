//! Sessions: who is signed in, by a token that only its holder knows.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::id::{SessionId, UserId};
use super::second_factor::SecondFactor;
use super::text;

/// How long a session lasts.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// How long a token that resets a password holds.
pub const RESET_LIFETIME: SignedDuration = SignedDuration::from_hours(2);

/// The longest description of a browser or program that is kept with a session, in characters.
pub const AGENT_MAX: usize = 120;

/// The most sessions that one person has; one more ends the oldest.
pub const SESSIONS_MAX: usize = 50;

/// A signed-in person. Stored under the hash of the token, so that the store gives no token away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// What it is called in lists; not its token.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The browser or program that signed in, as it calls itself.
    pub agent: String,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Session {
    /// Begins a session.
    pub fn begin(id: SessionId, user: UserId, agent: &str, now: Timestamp) -> Self {
        let visible = agent
            .chars()
            .filter(|c| !c.is_control() && !text::is_invisible(*c));
        Self {
            id,
            user,
            agent: visible.take(AGENT_MAX).collect(),
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

/// The hash under which a token that resets a password is kept.
pub fn reset_token_hash(token: &str) -> Hash {
    Hash::derive("poundlock password reset token 1", token.as_bytes())
}

/// A token that lets somebody choose a new password, once. Stored under its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// Whose password.
    pub user: UserId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What proves that a person is who they say. Never travels, and is no part of any body.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// The Argon2id hash of the password, in the PHC string format.
    pub password_hash: String,
    /// The second factor, where the person has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<SecondFactor>,
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
        let (id, user) = (SessionId(Uuid::from_u128(2)), UserId(Uuid::from_u128(1)));
        let session = Session::begin(id, user, "a\nbrowser\u{202E}", now);
        assert_eq!(session.agent, "abrowser");
        assert!(session.holds(now));
        assert!(!session.holds(now.saturating_add(LIFETIME).unwrap()));
    }
}
