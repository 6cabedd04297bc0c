//! Text that can stand in a header: one line, by its type.

use std::fmt;

use crate::domain::text::is_invisible;

/// The longest line, in characters. More is cut off.
const MOST: usize = 200;

/// One line of visible text. Whatever it is made of, there is no line break, control or invisible character in it, so it
/// cannot begin a header of its own or hide one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneLine(String);

impl OneLine {
    /// Makes one line of any text: characters that do not belong on one become spaces.
    pub fn of(text: &str) -> Self {
        let seen = text
            .chars()
            .map(|c| if unfit(c) { ' ' } else { c })
            .take(MOST)
            .collect::<String>();
        Self(seen.trim().to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn unfit(c: char) -> bool {
    c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

impl fmt::Display for OneLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What somebody else's server or file said, fit to be shown and stored: at most `most` characters, on one line, control
/// and invisible characters written as `\u{…}`.
pub fn quoted(said: &str, most: usize) -> String {
    let mut shown = String::new();
    for (count, c) in said.trim().chars().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        match c {
            '\n' | '\r' => shown.push(' '),
            c if unfit(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_comes_in_one_line_comes_out(text in any::<String>()) {
            let line = OneLine::of(&text);
            prop_assert!(!line.as_str().chars().any(unfit), "{line:?}");
            prop_assert!(line.as_str().chars().count() <= MOST);
            prop_assert!(!quoted(&text, 50).chars().any(unfit));
            prop_assert!(quoted(&text, 50).chars().count() <= 50 * 10 + 1);
        }
    }

    #[test]
    fn a_header_cannot_begin_inside_one() {
        assert_eq!(OneLine::of("Sam\r\nBcc: x@y.z").as_str(), "Sam  Bcc: x@y.z");
        assert_eq!(quoted("535 no\u{7}\nway", 100), "535 no\\u{7} way");
        assert_eq!(quoted("abcdef", 3), "abc…");
    }
}
