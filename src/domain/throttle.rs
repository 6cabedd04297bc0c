//! How fast somebody may guess. A few tries are free; after that each failure makes the next try wait longer, up to a bound,
//! so that a person who has forgotten a password is slowed down and never locked out for good.

use jiff::{SignedDuration, Timestamp};

/// How fast failures may follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Failures that cost nothing.
    pub free: u32,
    /// The longest wait.
    pub longest: SignedDuration,
    /// After this long without a failure all is forgotten.
    pub forgotten_after: SignedDuration,
}

/// For one account, or for one address that no account has.
pub const PER_ACCOUNT: Pace = Pace {
    free: 10,
    longest: SignedDuration::from_mins(5),
    forgotten_after: SignedDuration::from_hours(24),
};

/// For one network address, behind which many people may be.
pub const PER_ADDRESS: Pace = Pace {
    free: 50,
    longest: SignedDuration::from_mins(1),
    forgotten_after: SignedDuration::from_hours(1),
};

/// The failures of one account or address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    count: u32,
    last: Timestamp,
}

impl Failures {
    /// No failure yet.
    pub fn none(now: Timestamp) -> Self {
        Self { count: 0, last: now }
    }

    /// The first failure.
    pub fn first(now: Timestamp) -> Self {
        Self { count: 1, last: now }
    }

    /// One more.
    #[must_use]
    pub fn and_another(self, pace: Pace, now: Timestamp) -> Self {
        if self.is_forgotten(pace, now) {
            return Self::first(now);
        }
        Self {
            count: self.count.saturating_add(1),
            last: now,
        }
    }

    /// What is left where one that was counted, and made them `counted` of what was `before`, is none. If no other has followed,
    /// all is as before, the time of the newest too.
    #[must_use]
    pub fn without(self, counted: Self, before: Option<Self>) -> Option<Self> {
        if self == counted {
            return before;
        }
        Some(Self {
            count: self.count.saturating_sub(1),
            ..self
        })
    }

    /// When the newest was.
    pub fn last(self) -> Timestamp {
        self.last
    }

    /// The same where the clock was put back since: the wait is over its length from now on, and not once the clock is past what it was.
    #[must_use]
    pub fn as_of(self, now: Timestamp) -> Self {
        Self {
            last: self.last.min(now),
            ..self
        }
    }

    /// Whether they are so long ago that they count no more.
    pub fn is_forgotten(self, pace: Pace, now: Timestamp) -> bool {
        now.duration_since(self.last) >= pace.forgotten_after
    }

    /// How long the next try has to wait; none if it may be made now. The wait is 1 s after the last free failure, and doubles
    /// with each that follows.
    pub fn wait(self, pace: Pace, now: Timestamp) -> Option<SignedDuration> {
        if self.count <= pace.free || self.is_forgotten(pace, now) {
            return None;
        }
        let doublings = (self.count - pace.free - 1).min(30);
        let whole = SignedDuration::from_secs(1 << doublings).min(pace.longest);
        let left = whole - now.duration_since(self.last);
        left.is_positive().then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    #[test]
    fn the_wait_doubles_and_is_bounded() {
        let mut failures = Failures::first(at(0));
        for _ in 1..PER_ACCOUNT.free {
            failures = failures.and_another(PER_ACCOUNT, at(0));
        }
        assert_eq!(failures.wait(PER_ACCOUNT, at(0)), None);
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] {
            failures = failures.and_another(PER_ACCOUNT, at(0));
            assert_eq!(
                failures.wait(PER_ACCOUNT, at(0)),
                Some(SignedDuration::from_secs(seconds))
            );
            assert_eq!(failures.wait(PER_ACCOUNT, at(seconds)), None);
        }
    }

    #[test]
    fn what_was_counted_and_is_none_leaves_what_others_counted() {
        let first = Failures::first(at(0));
        let second = first.and_another(PER_ACCOUNT, at(1));
        assert_eq!(second.without(second, Some(first)), Some(first));
        assert_eq!(first.without(first, None), None);
        let of_the_second = Failures::first(at(1));
        assert_eq!(second.without(first, None), Some(of_the_second));
    }

    #[test]
    fn a_clock_that_is_put_back_makes_no_wait_longer() {
        let mut failures = Failures::first(at(3_600));
        for _ in 0..PER_ACCOUNT.free {
            failures = failures.and_another(PER_ACCOUNT, at(3_600));
        }
        let failures = failures.as_of(at(0));
        assert_eq!(
            failures.wait(PER_ACCOUNT, at(0)),
            Some(SignedDuration::from_secs(1))
        );
        assert_eq!(failures.as_of(at(1)).wait(PER_ACCOUNT, at(1)), None);
    }

    #[test]
    fn after_a_day_all_is_forgotten() {
        let mut failures = Failures::first(at(0));
        for _ in 0..100 {
            failures = failures.and_another(PER_ACCOUNT, at(0));
        }
        assert!(failures.wait(PER_ACCOUNT, at(299)).is_some());
        assert_eq!(failures.wait(PER_ACCOUNT, at(86_400)), None);
        assert_eq!(
            failures.and_another(PER_ACCOUNT, at(86_400)),
            Failures::first(at(86_400))
        );
    }
}
