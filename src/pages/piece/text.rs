//! Text of strangers: escaped, and with what cannot be seen in it made visible.

use maud::{Markup, html};

use crate::domain::text::{is_invisible, is_odd_space};

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

/// The parts of what may leave: as [`revealed`], and with every space told apart. Odd ones are shown by their code points, tabs get a
/// sign, and of those that stand at the end of a line, where nobody sees them, it is said how many they are.
pub fn exact(text: &str) -> Markup {
    html! {
        @for line in text.split_inclusive('\n') {
            @let seen = line.trim_end_matches([' ', '\t', '\n']);
            @let rest = line.get(seen.len()..).unwrap_or_default();
            @let (unseen, end) = rest.strip_suffix('\n').map_or((rest, ""), |unseen| (unseen, "\n"));
            @for part in seen.split_inclusive(stands_out) {
                @let last = part.chars().next_back().filter(|c| stands_out(*c));
                (last.and_then(|last| part.strip_suffix(last)).unwrap_or(part))
                @match last {
                    Some('\t') => { span.tab title="tab" { "\t" } },
                    Some(c) => (hidden(c)),
                    None => {},
                }
            }
            @if !unseen.is_empty() { (spaces(unseen)) }
            (end)
        }
    }
}

fn stands_out(c: char) -> bool {
    c == '\t' || is_hidden(c) || is_odd_space(c)
}

/// Spaces that nothing follows on their line.
fn spaces(unseen: &str) -> Markup {
    let tabs = unseen.matches('\t').count();
    let spaces = unseen.len() - tabs;
    let counted = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        count => Some(format!("{count} {what}s")),
    };
    let said: Vec<_> = [counted(spaces, "space"), counted(tabs, "tab")]
        .into_iter()
        .flatten()
        .collect();
    html! { span.hidden-character title="at the end of the line" { (said.join(", ")) } }
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
        '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' => "variation selector",
        '\u{A0}' => "no-break space",
        c if is_odd_space(c) && !c.is_control() => "another space",
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
    fn what_may_leave_is_shown_to_the_last_space() {
        let shown = exact("mg/dL\u{FE03}\u{E0155}\ta\u{A0}b  \t\n\n c ").into_string();
        for mark in [
            "U+FE03",
            "U+E0155",
            "U+00A0",
            "2 spaces, 1 tab",
            "1 space",
            "class=\"tab\"",
        ] {
            assert!(shown.contains(mark), "{mark}: {shown}");
        }
        assert!(!shown.contains(['\u{FE03}', '\u{E0155}', '\u{A0}']), "{shown}");
        let plain = "one\n  two\n";
        assert_eq!(exact(plain).into_string(), plain);
    }

    #[test]
    fn other_scripts_and_line_breaks_are_text() {
        let text = "שלום\n\tπ ≈ 3";
        assert_eq!(revealed(text).into_string(), text);
    }
}
