//! Sessions: who is signed in, by a token that only its holder knows.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::id::{SessionId, UserId};
use super::second_factor::SecondFactor;
use super::text;

/// How long a session lasts at most.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// How long a session lasts that nobody uses, as NIST SP 800-63B-4 (2.2.3) has it for its second level.
pub const IDLE: SignedDuration = SignedDuration::from_hours(1);

/// How old the noted time of a session's last use must be before a new one is noted, so that calls are not all writes. By so much
/// earlier than after [`IDLE`] a session may end.
pub const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(5);

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
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
    /// When it was last used, to within [`NOTED_EVERY`]; none where it was used only as it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
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
            used_at: None,
        }
    }

    /// When it was last used, as far as was noted.
    pub fn last_used(&self) -> Timestamp {
        self.used_at.unwrap_or(self.began_at)
    }

    /// When it ends if it is not used any more.
    pub fn ends_at(&self) -> Timestamp {
        let idle = self.last_used().saturating_add(IDLE).unwrap_or(self.expires_at);
        idle.min(self.expires_at)
    }

    /// Whether it still holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.ends_at()
    }

    /// From when on another use of it is to be noted.
    pub fn note_from(&self) -> Timestamp {
        self.last_used()
            .saturating_add(NOTED_EVERY)
            .unwrap_or(self.expires_at)
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
    /// Who has made it and handed it over; none where it was mailed to the account's own address, or made at the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
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

impl Credentials {
    /// Whether signing in takes a second factor, which a first code has confirmed.
    pub fn has_second_factor(&self) -> bool {
        self.second_factor
            .as_ref()
            .is_some_and(SecondFactor::is_confirmed)
    }
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
        let after = |span: SignedDuration| now.saturating_add(span).unwrap();
        assert!(session.holds(after(IDLE - SignedDuration::from_secs(1))));
        assert!(!session.holds(after(IDLE)), "nobody used it");
        assert_eq!(session.note_from(), after(NOTED_EVERY));
        let used = Session {
            used_at: Some(after(LIFETIME - SignedDuration::from_secs(1))),
            ..session
        };
        assert!(used.holds(after(LIFETIME - SignedDuration::from_secs(1))));
        assert!(!used.holds(after(LIFETIME)), "however much it is used");
    }
}
