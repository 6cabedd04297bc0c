//! How often somebody whom the node does not know may ask: so many times at once, and then as fast as the allowance grows back.

use jiff::Timestamp;

/// How much is allowed, and how fast it grows back: all of it within a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests in a minute.
    pub per_minute: u32,
}

/// What is left to one network address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    left: f64,
    counted_at: Timestamp,
}

impl Allowance {
    /// All that a rate allows.
    pub fn whole(rate: Rate, now: Timestamp) -> Self {
        Self {
            left: f64::from(rate.per_minute),
            counted_at: now,
        }
    }

    /// What is left after one more request.
    ///
    /// # Errors
    /// Nothing is left; the seconds after which there is, at least one.
    pub fn spent(self, rate: Rate, now: Timestamp) -> Result<Self, u32> {
        let per_second = f64::from(rate.per_minute) / 60.0;
        let grown = now.duration_since(self.counted_at).as_secs_f64().max(0.0) * per_second;
        let left = (self.left + grown).min(f64::from(rate.per_minute));
        if left >= 1.0 {
            return Ok(Self {
                left: left - 1.0,
                counted_at: self.counted_at.max(now),
            });
        }
        Err(if rate.per_minute >= 60 {
            1
        } else {
            60_u32.div_ceil(rate.per_minute.max(1))
        })
    }

    /// Whether nothing is missing any more: then it need not be kept.
    pub fn is_whole(self, rate: Rate, now: Timestamp) -> bool {
        let missing = f64::from(rate.per_minute) - self.left;
        now.duration_since(self.counted_at).as_secs_f64() * f64::from(rate.per_minute) / 60.0 >= missing
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { per_minute: 120 };

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(1_795_000_000_000 + millisecond).unwrap()
    }

    #[test]
    fn as_many_as_allowed_and_then_as_they_grow_back() {
        let mut allowance = Allowance::whole(RATE, at(0));
        for _ in 0..120 {
            allowance = allowance.spent(RATE, at(0)).unwrap();
        }
        assert_eq!(allowance.spent(RATE, at(0)), Err(1));
        allowance = allowance.spent(RATE, at(600)).unwrap();
        assert!(allowance.spent(RATE, at(600)).is_err());
        assert!(!allowance.is_whole(RATE, at(30_000)));
        assert!(allowance.is_whole(RATE, at(61_000)));
        assert_eq!(
            Allowance::whole(Rate { per_minute: 1 }, at(0))
                .spent(Rate { per_minute: 1 }, at(0))
                .unwrap()
                .spent(Rate { per_minute: 1 }, at(0)),
            Err(60)
        );
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_in_any_time(waits in prop::collection::vec(0i64..900, 0..600)) {
            let (mut allowance, mut now, mut admitted) = (Allowance::whole(RATE, at(0)), 0, 0_u32);
            for wait in waits {
                now += wait;
                if let Ok(left) = allowance.spent(RATE, at(now)) {
                    allowance = left;
                    admitted += 1;
                }
            }
            let most = 120.0 + 2.0 * f64::from(u32::try_from(now).unwrap()) / 1000.0;
            prop_assert!(f64::from(admitted) <= most + 1e-6);
        }
    }
}
