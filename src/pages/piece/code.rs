//! Source code, as it is read: with line numbers, highlighted, every character in its place and visible; and compared with
//! what was before.

use maud::{Markup, html};
use similar::{Algorithm, DiffOp, capture_diff_slices, group_diff_ops};

use super::text::{hidden, is_hidden};
use crate::domain::python::{self, Piece, Span};
use crate::domain::text::is_odd_space;

/// Lines around a change.
const CONTEXT: usize = 4;

/// Source with its line numbers, each line a target for links: `#line-3`, if the anchor is `line`. `marked` lines stand out.
pub fn source(label: &str, anchor: &str, source: &str, marked: &[u32]) -> Markup {
    let lines = Highlighted::new(source);
    html! {
        div.source role="region" aria-label=(label) tabindex="0" {
            table {
                tbody {
                    @for (at, line) in lines.lines().enumerate() {
                        @let number = at + 1;
                        @let mark = marked.iter().any(|marked| *marked as usize == number);
                        tr id=(format!("{anchor}-{number}")) class=[mark.then_some("marked")] {
                            td.number { (number) }
                            td.line { (line) }
                        }
                    }
                }
            }
        }
    }
}

/// What was added and removed between two versions, with some lines around. Says so if nothing was.
pub fn difference(label: &str, before: &str, after: &str) -> Markup {
    let (old, new) = (Highlighted::new(before), Highlighted::new(after));
    let (old_lines, new_lines) = (old.plain(), new.plain());
    let changes = capture_diff_slices(Algorithm::Patience, &old_lines, &new_lines);
    let groups = group_diff_ops(changes, CONTEXT);
    if groups.is_empty() {
        return html! { p.soft { "Nothing differs." } };
    }
    html! {
        div.source role="region" aria-label=(label) tabindex="0" {
            table {
                thead.only-heard { tr { th scope="col" { "Before" } th scope="col" { "Now" } th scope="col" { "Change" } th scope="col" { "Line" } } }
                tbody {
                    @for (at, group) in groups.iter().enumerate() {
                        @if at > 0 || group.first().is_some_and(|op| op.new_range().start > 0) {
                            tr.gap { td colspan="4" { "⋯" } }
                        }
                        @for op in group { (changed(op, &old, &new)) }
                    }
                }
            }
        }
    }
}

fn changed(op: &DiffOp, old: &Highlighted<'_>, new: &Highlighted<'_>) -> Markup {
    let (before, after) = (op.old_range(), op.new_range());
    html! {
        @if let DiffOp::Equal { .. } = op {
            @for (was, is) in before.zip(after) {
                tr { td.number { (was + 1) } td.number { (is + 1) } td.sign { } td.line { (new.line(is)) } }
            }
        } @else {
            @for was in before {
                tr.removed { td.number { (was + 1) } td.number { } td.sign { span.only-heard { "removed" } span aria-hidden="true" { "−" } } td.line { (old.line(was)) } }
            }
            @for is in after {
                tr.added { td.number { } td.number { (is + 1) } td.sign { span.only-heard { "added" } span aria-hidden="true" { "+" } } td.line { (new.line(is)) } }
            }
        }
    }
}

/// Lines of source, ready to be shown.
struct Highlighted<'a> {
    source: &'a str,
    lines: Vec<(usize, &'a str)>,
    spans: Vec<Span>,
}

impl<'a> Highlighted<'a> {
    fn new(source: &'a str) -> Self {
        Self {
            source,
            lines: python::lines(source),
            spans: python::spans(source),
        }
    }

    fn plain(&self) -> Vec<&'a str> {
        self.lines.iter().map(|(_, line)| *line).collect()
    }

    fn lines(&self) -> impl Iterator<Item = Markup> {
        (0..self.lines.len()).map(|at| self.line(at))
    }

    fn line(&self, at: usize) -> Markup {
        let Some((start, line)) = self.lines.get(at).copied() else {
            return html! {};
        };
        html! {
            @for (class, text) in self.parts(start, start + line.len()) {
                @match class {
                    Some(class) => span class=(class) { (visible(text)) },
                    None => (visible(text)),
                }
            }
        }
    }

    /// The text between two places, in parts with their classes.
    fn parts(&self, start: usize, end: usize) -> Vec<(Option<&'static str>, &'a str)> {
        let first = self.spans.partition_point(|span| span.end <= start);
        let within = self.spans.iter().skip(first).take_while(|span| span.start < end);
        let (mut parts, mut at) = (Vec::new(), start);
        for span in within {
            let (from, to) = (span.start.max(start), span.end.min(end));
            parts.push((None, self.source.get(at..from).unwrap_or_default()));
            parts.push((class(span.piece), self.source.get(from..to).unwrap_or_default()));
            at = to;
        }
        parts.push((None, self.source.get(at..end).unwrap_or_default()));
        parts
    }
}

fn class(piece: Piece) -> Option<&'static str> {
    match piece {
        Piece::Keyword => Some("k"),
        Piece::Definition => Some("d"),
        Piece::String => Some("s"),
        Piece::Number => Some("n"),
        Piece::Comment => Some("c"),
        Piece::Name => None,
    }
}

/// Text of code: what cannot be seen, or looks like a space and is none, is shown by its code point.
fn visible(text: &str) -> Markup {
    let odd = |c: char| is_hidden(c) || is_odd_space(c);
    if !text.contains(odd) {
        return html! { (text) };
    }
    html! {
        @for part in text.split_inclusive(odd) {
            @let last = part.chars().next_back().filter(|c| odd(*c));
            @let shown = last.and_then(|last| part.strip_suffix(last)).unwrap_or(part);
            (shown)
            @if let Some(last) = last { (hidden(last)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_highlighted_and_escaped() {
        let shown = source("Code", "line", "def f(x):\n    return '<b>' # \u{202E}x\n", &[2]).into_string();
        assert!(
            shown.contains("<span class=\"k\">def</span> <span class=\"d\">f</span>(x):"),
            "{shown}"
        );
        assert!(shown.contains("<span class=\"s\">'&lt;b&gt;'</span>"), "{shown}");
        assert!(shown.contains("U+202E") && !shown.contains('\u{202E}'), "{shown}");
        assert!(shown.contains("<tr id=\"line-2\" class=\"marked\">"), "{shown}");
    }

    #[test]
    fn a_string_over_lines_is_a_string_on_each() {
        let shown = source("Code", "line", "x = '''a\nb''' + y\n", &[]).into_string();
        assert_eq!(shown.matches("class=\"s\"").count(), 2, "{shown}");
    }

    #[test]
    fn a_difference_shows_both_versions_and_not_all_between() {
        let before: String = (0..40).map(|n| format!("line{n} = 1\n")).collect();
        let after = before.replace("line20 = 1", "line20 = 2");
        let shown = difference("Changes", &before, &after).into_string();
        assert_eq!(shown.matches("<tr class=\"removed\">").count(), 1);
        assert_eq!(shown.matches("<tr class=\"added\">").count(), 1);
        assert!(!shown.contains("line3 ") && shown.contains("line17"), "{shown}");
        assert!(
            difference("Changes", &after, &after)
                .into_string()
                .contains("Nothing differs")
        );
    }
}
