//! How long to wait before the next attempt, and when to give up.

use std::time::Duration;

use jiff::Timestamp;

/// When to try again. Each wait is twice as long as the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The wait after the first attempt.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
    /// How long after it was made a message that nobody takes becomes a dead letter.
    pub give_up: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(30),
            most: Duration::from_secs(3_600),
            give_up: Duration::from_secs(5 * 24 * 3_600),
        }
    }
}

impl Retry {
    /// How long to wait after so many attempts in a row have failed. Up to half of it is taken off by `random`, so that
    /// what failed together is not tried together.
    pub fn wait(self, attempts: u32, random: u32) -> Duration {
        let doubled = 1_u32
            .checked_shl(attempts.saturating_sub(1).min(30))
            .unwrap_or(1 << 30);
        let longest = self.first.saturating_mul(doubled).min(self.most);
        let taken_off = longest.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0);
        longest.saturating_sub(taken_off)
    }

    /// When the attempt after `attempts` failed ones is due.
    pub fn next(self, now: Timestamp, attempts: u32, random: u32) -> Timestamp {
        now.checked_add(self.wait(attempts, random))
            .unwrap_or(Timestamp::MAX)
    }

    /// Whether what was put off until a moment is due. A moment that is further ahead than any wait was told by a clock that has been
    /// put back since.
    pub fn is_due(self, at: Timestamp, now: Timestamp) -> bool {
        at <= now || at.duration_since(now).unsigned_abs() > self.most
    }

    /// Whether a message that was made then is given up now.
    pub fn gives_up(self, made_at: Timestamp, now: Timestamp) -> bool {
        now.duration_since(made_at).unsigned_abs() > self.give_up && now > made_at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_wait_is_between_half_of_it_and_all(attempts in 1_u32..100, random in any::<u32>()) {
            let retry = Retry::default();
            let longest = retry.wait(attempts, 0);
            let wait = retry.wait(attempts, random);
            prop_assert!(wait <= longest && wait >= longest / 2, "{wait:?} of {longest:?}");
            prop_assert!(longest <= retry.most && longest >= retry.first);
            prop_assert!(retry.wait(attempts + 1, 0) >= longest);
        }
    }

    #[test]
    fn waits_double_up_to_an_hour() {
        let waits = [1, 2, 3, 7, 8, 90].map(|attempts| Retry::default().wait(attempts, 0).as_secs());
        assert_eq!(waits, [30, 60, 120, 1_920, 3_600, 3_600]);
    }

    #[test]
    fn what_no_wait_reaches_is_due() {
        let at = |text: &str| text.parse().unwrap();
        let (retry, then) = (Retry::default(), at("2026-11-25T09:00:00Z"));
        assert!(retry.is_due(then, then) && retry.is_due(then, at("2026-12-01T00:00:00Z")));
        assert!(!retry.is_due(then, at("2026-11-25T08:59:59Z")));
        assert!(!retry.is_due(then, at("2026-11-25T08:00:00Z")));
        assert!(
            retry.is_due(then, at("2026-11-25T07:59:59Z")),
            "the clock was put back"
        );
    }

    #[test]
    fn after_five_days_it_is_given_up() {
        let made: Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
        let retry = Retry::default();
        assert!(!retry.gives_up(made, "2026-11-25T09:00:00Z".parse().unwrap()));
        assert!(retry.gives_up(made, "2026-11-25T09:00:01Z".parse().unwrap()));
        assert!(
            !retry.gives_up(made, "2026-11-01T09:00:00Z".parse().unwrap()),
            "a clock that was put back"
        );
    }
}
