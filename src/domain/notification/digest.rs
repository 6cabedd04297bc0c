//! When somebody is told of what happened: at once, or gathered into one message at times of their choice.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::text::Invalid;

/// The most entries that one digest lists; it says how many more there are.
pub const DIGEST_MOST: usize = 200;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// 1 January 1970 was a Thursday: the first Monday began this much later.
const FIRST_MONDAY: i64 = 4 * DAY;

/// How often somebody is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frequency {
    /// At once, each event by itself.
    #[default]
    Instant,
    /// Every six hours, counted from the chosen time.
    SixHourly,
    /// Every twelve hours, counted from the chosen time.
    TwelveHourly,
    /// Once a day at the chosen time.
    Daily,
    /// Once a week on the chosen day at the chosen time.
    Weekly,
}

impl Frequency {
    /// Every frequency with its word.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::Instant, "instant"),
        (Self::SixHourly, "six_hourly"),
        (Self::TwelveHourly, "twelve_hourly"),
        (Self::Daily, "daily"),
        (Self::Weekly, "weekly"),
    ];

    fn seconds(self) -> Option<i64> {
        match self {
            Self::Instant => None,
            Self::SixHourly => Some(6 * HOUR),
            Self::TwelveHourly => Some(12 * HOUR),
            Self::Daily => Some(DAY),
            Self::Weekly => Some(WEEK),
        }
    }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of the days say it")]
pub enum Weekday {
    #[default]
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// When digests come: a time of day and a day of the week, at a fixed distance from UTC. There are no summer and winter
/// times in it: a node without the internet has no current table of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Minutes since midnight, below 1,440.
    pub minute: u16,
    /// The day of weekly digests.
    pub weekday: Weekday,
    /// Minutes that the local time is ahead of UTC, from -840 to 840.
    pub ahead_of_utc: i16,
}

impl Default for Schedule {
    /// Seven in the morning, on Monday, by UTC.
    fn default() -> Self {
        Self {
            minute: 7 * 60,
            weekday: Weekday::Monday,
            ahead_of_utc: 0,
        }
    }
}

impl Schedule {
    /// Reads a time of day such as `07:30`.
    ///
    /// # Errors
    /// It is none.
    pub fn minute_of(text: &str) -> Result<u16, Invalid> {
        let wrong = || Invalid::new("digest_time", "must be a time of day such as 07:30");
        let (hours, minutes) = two_numbers(text).ok_or_else(wrong)?;
        if hours > 23 || minutes > 59 {
            return Err(wrong());
        }
        Ok(hours * 60 + minutes)
    }

    /// Reads a distance from UTC such as `+01:00` or `-05:30`; `Z` is none.
    ///
    /// # Errors
    /// It is none, or over 14 hours.
    pub fn offset_of(text: &str) -> Result<i16, Invalid> {
        let wrong = || {
            Invalid::new(
                "utc_offset",
                "must be a distance from UTC such as +01:00, at most 14:00",
            )
        };
        if text == "Z" {
            return Ok(0);
        }
        let (sign, rest) = match text.split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            _ => return Err(wrong()),
        };
        let (hours, minutes) = two_numbers(rest).ok_or_else(wrong)?;
        let total = hours * 60 + minutes;
        if minutes > 59 || total > 14 * 60 {
            return Err(wrong());
        }
        i16::try_from(total)
            .map(|total| sign * total)
            .map_err(|_| wrong())
    }

    /// The time of day, as [`Self::minute_of`] reads it.
    pub fn time(self) -> String {
        format!("{:02}:{:02}", self.minute / 60, self.minute % 60)
    }

    /// The distance from UTC, as [`Self::offset_of`] reads it.
    pub fn offset(self) -> String {
        let sign = if self.ahead_of_utc < 0 { '-' } else { '+' };
        let minutes = self.ahead_of_utc.unsigned_abs();
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// When what happens at `now` is told: the end of the window that it falls into. None if at once.
    pub fn window_end(self, frequency: Frequency, now: Timestamp) -> Option<Timestamp> {
        let period = frequency.seconds()?;
        let day = if frequency == Frequency::Weekly {
            FIRST_MONDAY + self.weekday as i64 * DAY
        } else {
            0
        };
        let anchor = day + i64::from(self.minute) * 60 - i64::from(self.ahead_of_utc) * 60;
        let passed = (now.as_second() - anchor).div_euclid(period);
        Timestamp::from_second(anchor + (passed + 1) * period).ok()
    }
}

/// Two numbers of two digits with a colon between them.
fn two_numbers(text: &str) -> Option<(u16, u16)> {
    let (first, second) = text.split_once(':')?;
    let number = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    Some((number(first)?, number(second)?))
}

/// The number of the day that a moment falls on, by UTC: what a rate limit counts by.
pub fn day_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(DAY)
}

/// The moment at which the next day begins, by UTC.
pub fn next_day(at: Timestamp) -> Timestamp {
    Timestamp::from_second((day_of(at) + 1) * DAY).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn schedule(time: &str, weekday: Weekday, offset: &str) -> Schedule {
        Schedule {
            minute: Schedule::minute_of(time).unwrap(),
            weekday,
            ahead_of_utc: Schedule::offset_of(offset).unwrap(),
        }
    }

    #[test]
    fn windows_end_at_the_chosen_times() {
        // 25 November 2026 is a Wednesday.
        let now = at("2026-11-25T09:00:00Z");
        let morning = schedule("07:30", Weekday::Friday, "Z");
        let ends =
            |schedule: Schedule, frequency| schedule.window_end(frequency, now).map(|end| end.to_string());
        assert_eq!(ends(morning, Frequency::Instant), None);
        for (frequency, end) in [
            (Frequency::SixHourly, "2026-11-25T13:30:00Z"),
            (Frequency::TwelveHourly, "2026-11-25T19:30:00Z"),
            (Frequency::Daily, "2026-11-26T07:30:00Z"),
            (Frequency::Weekly, "2026-11-27T07:30:00Z"),
        ] {
            assert_eq!(ends(morning, frequency).unwrap(), end);
        }
        let in_berlin = schedule("10:30", Weekday::Wednesday, "+01:00");
        assert_eq!(ends(in_berlin, Frequency::Daily).unwrap(), "2026-11-25T09:30:00Z");
        let in_new_york = schedule("04:00", Weekday::Wednesday, "-05:00");
        // Exactly at its end a window is over.
        assert_eq!(
            ends(in_new_york, Frequency::Weekly).unwrap(),
            "2026-12-02T09:00:00Z"
        );
    }

    proptest! {
        #[test]
        fn a_window_ends_later_and_within_its_period(
            second in -3_000_000_000_i64..3_000_000_000,
            minute in 0_u16..1_440,
            ahead_of_utc in -840_i16..=840,
            frequency in proptest::sample::select(&Frequency::ALL[1..]),
        ) {
            let schedule = Schedule { minute, weekday: Weekday::Sunday, ahead_of_utc };
            let now = Timestamp::from_second(second).unwrap();
            let end = schedule.window_end(frequency.0, now).unwrap().as_second();
            let period = frequency.0.seconds().unwrap();
            prop_assert!(end > second && end <= second + period);
            // Everything in one window is told at one time.
            let last = Timestamp::from_second(end - 1).unwrap();
            prop_assert_eq!(schedule.window_end(frequency.0, last).unwrap().as_second(), end);
        }
    }

    #[test]
    fn times_are_read_as_they_are_shown() {
        let schedule = schedule("23:05", Weekday::Monday, "-05:30");
        assert_eq!(
            (schedule.time(), schedule.offset()),
            ("23:05".to_owned(), "-05:30".to_owned())
        );
        for wrong in ["24:00", "7:30", "07:60", "0730", "", "+7:30"] {
            assert!(Schedule::minute_of(wrong).is_err(), "{wrong}");
        }
        for wrong in ["01:00", "+15:00", "+1:00", "é1:00", ""] {
            assert!(Schedule::offset_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_day_ends_at_midnight() {
        let late = at("2026-11-25T23:59:59Z");
        assert_eq!(next_day(late), at("2026-11-26T00:00:00Z"));
        assert_eq!(day_of(late) + 1, day_of(next_day(late)));
    }
}
