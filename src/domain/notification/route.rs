//! How an event goes to a person over a channel: not at all, at once, or gathered with others.

use jiff::Timestamp;

use super::digest::next_day;
use super::preferences::Preferences;
use super::{ChannelKind, Event};

/// The messages that one person gets of one event over one channel on one day, where the node says no other number.
/// What is beyond that is not lost: it comes gathered on the next day.
pub const RATE_LIMIT_DEFAULT: u32 = 50;
/// The mails with a token for a new password that one account gets on one day: one for each time that a token holds, so that a
/// stranger who keeps asking uses nothing up that its owner needs.
pub const RESETS_PER_DAY: u32 = 12;

/// How an event goes to a person over a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Not over this channel.
    Off,
    /// At once, in a message of its own.
    Now,
    /// In a digest, at this time.
    Gather(Timestamp),
}

/// The way of an event that the node and its owner have left open.
///
/// `used_today` is how many messages of this event the person has got over this channel on the day of `now`; `limit` is
/// how many they may get.
pub fn route(
    event: Event,
    channel: ChannelKind,
    preferences: &Preferences,
    used_today: u32,
    limit: u32,
    now: Timestamp,
) -> Route {
    if !preferences.wants(event, channel) {
        return Route::Off;
    }
    match preferences.schedule.window_end(preferences.frequency(event), now) {
        Some(end) => Route::Gather(end),
        None if used_today >= limit && event.may_wait() => Route::Gather(next_day(now)),
        None => Route::Now,
    }
}

#[cfg(test)]
mod tests {
    use super::super::digest::Frequency;
    use super::*;

    #[test]
    fn what_is_beyond_the_limit_waits_for_the_next_day() {
        let now = "2026-11-25T09:00:00Z".parse().unwrap();
        let mut mine = Preferences::default();
        let go = |mine: &Preferences, event, used| route(event, ChannelKind::Email, mine, used, 2, now);
        assert_eq!(go(&mine, Event::RequestSubmitted, 1), Route::Now);
        let midnight = "2026-11-26T00:00:00Z".parse().unwrap();
        assert_eq!(go(&mine, Event::RequestSubmitted, 2), Route::Gather(midnight));
        assert_eq!(
            go(&mine, Event::Welcome, 9),
            Route::Now,
            "a welcome does not wait"
        );
        mine.set_frequency(Event::RequestSubmitted, Frequency::Daily)
            .unwrap();
        let seven = "2026-11-26T07:00:00Z".parse().unwrap();
        assert_eq!(go(&mine, Event::RequestSubmitted, 0), Route::Gather(seven));
        mine.switch(false, None, None).unwrap();
        assert_eq!(go(&mine, Event::RequestSubmitted, 0), Route::Off);
    }
}
