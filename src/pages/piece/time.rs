//! Times: in UTC as they are stored; the script shows them in the reader's own zone and leaves UTC to hover over.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// A moment.
pub fn time(at: Timestamp) -> Markup {
    let shown = at
        .to_zoned(TimeZone::UTC)
        .strftime("%-d %b %Y, %H:%M UTC")
        .to_string();
    html! { time datetime=(at) title=(shown) { (shown) } }
}

/// A day. The other side tells no more than days, so it is shown as it is, in no zone.
pub fn date(on: Date) -> Markup {
    html! { time datetime=(on) { (on.strftime("%-d %b %Y").to_string()) } }
}

/// How long ago something was, in the one unit that says it best.
pub fn age(at: Timestamp, now: Timestamp) -> Markup {
    let minutes = now.duration_since(at).as_mins().max(0);
    let said = match minutes {
        0 => "just now".to_owned(),
        1..60 => count(minutes, "minute"),
        60..1_440 => count(minutes / 60, "hour"),
        _ => count(minutes / 1_440, "day"),
    };
    let ago = if minutes == 0 { "" } else { " ago" };
    let exact = at
        .to_zoned(TimeZone::UTC)
        .strftime("%-d %b %Y, %H:%M UTC")
        .to_string();
    html! { time.age datetime=(at) title=(exact) { (said) (ago) } }
}

fn count(number: i64, unit: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_utc_and_for_programs() {
        let at: Timestamp = "2026-11-02T07:05:00Z".parse().unwrap();
        let shown = time(at).into_string();
        assert!(shown.contains("datetime=\"2026-11-02T07:05:00Z\""), "{shown}");
        assert!(shown.contains(">2 Nov 2026, 07:05 UTC<"), "{shown}");
        let later: Timestamp = "2026-11-04T08:05:00Z".parse().unwrap();
        assert!(age(at, later).into_string().contains(">2 days ago<"));
    }
}
