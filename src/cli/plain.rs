//! What strangers write, made safe for a terminal: names and reasons could hold control sequences or turn the direction of
//! the text.

use crate::domain::text::is_invisible;

/// One line of text from a stranger, with whatever is not plainly visible written as `\u{…}`.
pub fn plain(text: &str) -> String {
    escaped(text, |_| false)
}

/// Text of several lines from a stranger; line breaks and tabs stay.
pub fn prose(text: &str) -> String {
    escaped(text, |c| c == '\n' || c == '\t')
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if stays(c) || !(c.is_control() || is_invisible(c)) {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_write_cannot_steer_the_terminal() {
        assert_eq!(
            plain("a\u{1b}[2Jb\u{202e}c\nd\u{9b}1m"),
            "a\\u{1b}[2Jb\\u{202e}c\\u{a}d\\u{9b}1m"
        );
        assert_eq!(prose("one\ntwo\r\u{7}"), "one\ntwo\\u{d}\\u{7}");
    }
}
