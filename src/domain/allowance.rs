//! How often somebody may ask: so many times at once, and then as fast as the allowance grows back.

use jiff::Timestamp;

/// What a request that only reads takes of an allowance.
pub const READING: u32 = 1;
/// What a request that may change something takes: it is synced to the disk, and what it makes stays there.
pub const CHANGING: u32 = 10;

/// How much is allowed, and how fast it grows back: all of it within a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests in a minute that only read.
    pub per_minute: u32,
}

/// What is left to one network address, or to one person.
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

    /// The same where the clock was put back since: it grows from now on, and does not wait until the clock is past what it was.
    #[must_use]
    pub fn as_of(self, now: Timestamp) -> Self {
        Self {
            counted_at: self.counted_at.min(now),
            ..self
        }
    }

    /// What is left after one more request, which takes `cost`. One that takes more than all that is ever allowed takes all of it.
    ///
    /// # Errors
    /// Too little is left; the seconds after which there is enough for a request of this cost, at least one.
    pub fn spent(self, rate: Rate, cost: u32, now: Timestamp) -> Result<Self, u32> {
        let cost = cost.min(rate.per_minute);
        let whole = f64::from(rate.per_minute);
        let grown = now.duration_since(self.counted_at).as_secs_f64().max(0.0) * whole / 60.0;
        let left = (self.left + grown).min(whole);
        if left >= f64::from(cost) {
            return Ok(Self {
                left: left - f64::from(cost),
                counted_at: now,
            });
        }
        Err((60 * cost).div_ceil(rate.per_minute.max(1)).max(1))
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
            allowance = allowance.spent(RATE, READING, at(0)).unwrap();
        }
        assert_eq!(allowance.spent(RATE, READING, at(0)), Err(1));
        allowance = allowance.spent(RATE, READING, at(600)).unwrap();
        assert!(allowance.spent(RATE, READING, at(600)).is_err());
        assert!(!allowance.is_whole(RATE, at(30_000)));
        assert!(allowance.is_whole(RATE, at(61_000)));
        assert_eq!(
            Allowance::whole(Rate { per_minute: 1 }, at(0))
                .spent(Rate { per_minute: 1 }, READING, at(0))
                .unwrap()
                .spent(Rate { per_minute: 1 }, CHANGING, at(0)),
            Err(60)
        );
    }

    #[test]
    fn a_clock_that_is_put_back_holds_nobody_up() {
        let spent = Allowance::whole(RATE, at(3_600_000)).spent(RATE, 120, at(3_600_000));
        let spent = spent.unwrap().as_of(at(0));
        assert_eq!(
            spent.spent(RATE, READING, at(0)),
            Err(1),
            "nor does it give anything away"
        );
        assert!(spent.spent(RATE, READING, at(600)).is_ok());
        assert_eq!(spent.as_of(at(600)), spent);
    }

    #[test]
    fn what_changes_something_costs_more() {
        let mut allowance = Allowance::whole(RATE, at(0));
        for _ in 0..12 {
            allowance = allowance.spent(RATE, CHANGING, at(0)).unwrap();
        }
        assert_eq!(allowance.spent(RATE, CHANGING, at(4_000)), Err(5));
        assert!(allowance.spent(RATE, READING, at(4_000)).is_ok());
        assert!(allowance.spent(RATE, CHANGING, at(5_000)).is_ok());
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_in_any_time(asked in prop::collection::vec((0i64..900, any::<bool>()), 0..600)) {
            let (mut allowance, mut now, mut admitted) = (Allowance::whole(RATE, at(0)), 0, 0_u32);
            for (wait, changes) in asked {
                now += wait;
                let cost = if changes { CHANGING } else { READING };
                match allowance.spent(RATE, cost, at(now)) {
                    Ok(left) => {
                        allowance = left;
                        admitted += cost;
                    }
                    Err(seconds) => prop_assert!(
                        allowance.spent(RATE, cost, at(now + 1000 * i64::from(seconds))).is_ok(),
                        "whoever waits as long as they are told is admitted"
                    ),
                }
            }
            let most = 120.0 + 2.0 * f64::from(u32::try_from(now).unwrap()) / 1000.0;
            prop_assert!(f64::from(admitted) <= most + 1e-6);
        }
    }
}
