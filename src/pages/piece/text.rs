//! Text of strangers: escaped, and with what cannot be seen in it made visible.

use maud::{Markup, html};

use crate::domain::text::is_invisible;

/// Text on one line or in a cell. Characters that control a terminal, turn the direction of the text or are not seen at all
/// are shown by their code points; everything else is shown as it is, in a direction of its own.
pub fn reveal(text: &str) -> Markup {
    html! { bdi { (revealed(text)) } }
}

/// Prose: as [`reveal`], with its line breaks kept.
pub fn prose(text: &str) -> Markup {
    html! { div.prose dir="auto" { (revealed(text)) } }
}

/// The parts of a text, for whoever puts them into an element of their own.
pub fn revealed(text: &str) -> Markup {
    html! {
        @for part in parts(text) {
            @match part {
                Part::Plain(plain) => (plain),
                Part::Hidden(c) => (hidden(c)),
            }
        }
    }
}

/// A character that is not seen, as something that is.
pub fn hidden(c: char) -> Markup {
    let name = name(c);
    html! { span.hidden-character title=(name) { "U+" (format!("{:04X}", u32::from(c))) } }
}

/// Whether a character is shown by its code point.
pub fn is_hidden(c: char) -> bool {
    is_invisible(c) || (c.is_control() && !matches!(c, '\n' | '\t'))
}

enum Part<'a> {
    Plain(&'a str),
    Hidden(char),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let (mut parts, mut from) = (Vec::new(), 0);
    for (at, c) in text.char_indices().filter(|(_, c)| is_hidden(*c)) {
        // Both ends are where a character begins.
        if let Some(plain) = text.get(from..at).filter(|plain| !plain.is_empty()) {
            parts.push(Part::Plain(plain));
        }
        parts.push(Part::Hidden(c));
        from = at + c.len_utf8();
    }
    if let Some(plain) = text.get(from..).filter(|plain| !plain.is_empty()) {
        parts.push(Part::Plain(plain));
    }
    parts
}

/// What a hidden character is, for those that are used to deceive.
fn name(c: char) -> &'static str {
    match c {
        '\u{00AD}' => "soft hyphen",
        '\u{200B}' => "zero width space",
        '\u{200C}' => "zero width non-joiner",
        '\u{200D}' => "zero width joiner",
        '\u{200E}' => "left-to-right mark",
        '\u{200F}' | '\u{061C}' => "right-to-left mark",
        '\u{202A}' | '\u{202D}' => "turns the text left-to-right",
        '\u{202B}' | '\u{202E}' => "turns the text right-to-left",
        '\u{202C}' | '\u{2069}' => "ends a change of direction",
        '\u{2066}'..='\u{2068}' => "isolates a direction",
        '\u{FEFF}' => "byte order mark",
        '\r' => "carriage return",
        '\u{1B}' => "escape",
        c if c.is_control() => "control character",
        _ => "invisible character",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown() {
        let shown = reveal("a\u{202E}<b>\u{0}\u{200B}").into_string();
        assert_eq!(shown.matches("hidden-character").count(), 3, "{shown}");
        assert!(shown.contains("U+202E") && shown.contains("&lt;b&gt;") && shown.contains("U+0000"));
        assert!(!shown.contains('\u{202E}') && !shown.contains('\u{0}'));
    }

    #[test]
    fn other_scripts_and_line_breaks_are_text() {
        let text = "שלום\n\tπ ≈ 3";
        assert_eq!(revealed(text).into_string(), text);
    }
}
