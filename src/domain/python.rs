//! Python source cut into pieces, for people who read it: where strings, comments, numbers, names and keywords are. It
//! judges nothing; what code may be is decided on the tree that CPython's own parser makes ([`outline`](super::outline)).
//!
//! Linear in the length of the source, whatever stands in it: the source comes from strangers.

/// What a piece of source is. What is none of these stands between the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Piece {
    /// A reserved word.
    Keyword,
    /// Any other name.
    Name,
    /// The name that a `def` or `class` defines, or a decorator's.
    Definition,
    /// A string, or a part of one around what it interpolates.
    String,
    /// A number.
    Number,
    /// From `#` to the end of the line.
    Comment,
}

/// A piece and its place, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub piece: Piece,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

/// Python's reserved words, as of 3.14.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// How deep interpolations are followed; CPython's own limit is 150.
const DEPTH_MAX: usize = 150;

/// A string that is being read.
#[derive(Clone, Copy)]
struct Quote {
    mark: u8,
    triple: bool,
    /// Whether it interpolates: an f-string or a t-string.
    interpolates: bool,
}

/// What the cutter stands in.
enum Mode {
    /// Code; inside an interpolation, with the number of brackets that are open in it.
    Code { brackets: usize },
    /// A string. `format` is set in the part of an interpolation behind its colon.
    Text { quote: Quote, format: bool },
}

struct Cutter<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
    modes: Vec<Mode>,
    spans: Vec<Span>,
    defines: bool,
}

/// The pieces of a source, in order; none overlaps another.
pub fn spans(source: &str) -> Vec<Span> {
    let mut cutter = Cutter {
        bytes: source.as_bytes(),
        text: source,
        at: 0,
        modes: vec![Mode::Code { brackets: 0 }],
        spans: Vec::new(),
        defines: false,
    };
    while cutter.at < cutter.bytes.len() {
        match cutter.modes.last() {
            Some(Mode::Text { quote, format }) => {
                let (quote, format) = (*quote, *format);
                cutter.text(quote, format);
            }
            _ => cutter.code(),
        }
    }
    cutter.spans
}

impl Cutter<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or_default()
    }

    fn push(&mut self, piece: Piece, start: usize) {
        let end = self.at;
        // Text that goes on after an escape or an interpolation's brace is one piece.
        match self.spans.last_mut() {
            Some(last) if piece == Piece::String && last.piece == piece && last.end == start => {
                last.end = end
            }
            _ if end > start => self.spans.push(Span { piece, start, end }),
            _ => {}
        }
    }

    fn code(&mut self) {
        let (start, byte) = (self.at, self.peek(0));
        match byte {
            b'#' => {
                self.skip_while(|byte| !is_line_end(byte));
                self.push(Piece::Comment, start);
            }
            b'"' | b'\'' => self.open_string(start, false),
            b'0'..=b'9' => self.number(start),
            b'.' if self.peek(1).is_ascii_digit() => self.number(start),
            byte if is_name(byte) => self.name(start),
            b'@' => {
                self.at += 1;
                // A decorator stands first on its line; elsewhere the sign multiplies matrices.
                let line = self.bytes.get(..start).unwrap_or_default();
                let before = line.iter().rev().take_while(|byte| !is_line_end(**byte));
                self.defines = before.copied().all(|byte| byte.is_ascii_whitespace());
            }
            b'(' | b'[' | b'{' => {
                self.at += 1;
                self.count(1);
            }
            b')' | b']' => {
                self.at += 1;
                self.count(-1);
            }
            b'}' | b':' | b'!' => self.interpolation_ends(byte),
            _ => self.at += 1,
        }
        if !matches!(byte, b'@' | b' ' | b'\t' | b'd' | b'c') {
            self.defines = false;
        }
    }

    fn count(&mut self, change: isize) {
        if let Some(Mode::Code { brackets }) = self.modes.last_mut() {
            *brackets = brackets.saturating_add_signed(change);
        }
    }

    /// At a `}`, `:` or `!` of code: where it ends an interpolation, the string goes on.
    fn interpolation_ends(&mut self, byte: u8) {
        let inside = self.modes.len() > 1;
        match self.modes.last_mut() {
            Some(Mode::Code { brackets: 0 }) if inside => {
                self.at += 1;
                if byte == b'!' && self.peek(0) == b'=' {
                    return;
                }
                match byte {
                    b'}' => {
                        self.modes.pop();
                        // The format part of the interpolation, or the string itself.
                    }
                    b':' => self.modes_into_format(),
                    _ => {}
                }
            }
            Some(Mode::Code { brackets }) => {
                if byte == b'}' {
                    *brackets = brackets.saturating_sub(1);
                }
                self.at += 1;
            }
            _ => self.at += 1,
        }
    }

    /// Turns the code of an interpolation into the text of its format.
    fn modes_into_format(&mut self) {
        let outer = self.modes.iter().rev().find_map(|mode| match mode {
            Mode::Text { quote, .. } => Some(*quote),
            Mode::Code { .. } => None,
        });
        if let (Some(quote), Some(mode)) = (outer, self.modes.last_mut()) {
            *mode = Mode::Text { quote, format: true };
        }
    }

    fn number(&mut self, start: usize) {
        while is_name(self.peek(0)) || self.peek(0) == b'.' || self.is_sign_of_exponent(start) {
            self.at += 1;
        }
        self.push(Piece::Number, start);
    }

    fn is_sign_of_exponent(&self, start: usize) -> bool {
        let hexadecimal = matches!(self.bytes.get(start + 1), Some(b'x' | b'X'));
        let before = self.at.checked_sub(1).and_then(|at| self.bytes.get(at));
        !hexadecimal
            && matches!(self.peek(0), b'+' | b'-')
            && matches!(before, Some(b'e' | b'E'))
            && self.at > start
    }

    fn name(&mut self, start: usize) {
        self.skip_while(is_name);
        let name = self.text.get(start..self.at).unwrap_or_default();
        if matches!(self.peek(0), b'"' | b'\'') && is_prefix(name) {
            let interpolates = name.contains(['f', 'F', 't', 'T']);
            self.open_string(start, interpolates);
            return;
        }
        let piece = if std::mem::take(&mut self.defines) {
            Piece::Definition
        } else if KEYWORDS.contains(&name) {
            Piece::Keyword
        } else {
            Piece::Name
        };
        self.push(piece, start);
        self.defines = piece == Piece::Keyword && matches!(name, "def" | "class");
    }

    fn skip_while(&mut self, fits: impl Fn(u8) -> bool) {
        while self.at < self.bytes.len() && fits(self.peek(0)) {
            self.at += 1;
        }
    }

    fn open_string(&mut self, start: usize, interpolates: bool) {
        let mark = self.peek(0);
        let triple = self.peek(1) == mark && self.peek(2) == mark;
        self.at += if triple { 3 } else { 1 };
        self.push(Piece::String, start);
        let interpolates = interpolates && self.modes.len() < DEPTH_MAX;
        let quote = Quote {
            mark,
            triple,
            interpolates,
        };
        self.modes.push(Mode::Text { quote, format: false });
    }

    /// Reads on in a string: to its end, or to what it interpolates.
    fn text(&mut self, quote: Quote, format: bool) {
        let start = self.at;
        while self.at < self.bytes.len() {
            let byte = self.peek(0);
            if byte == b'\\' {
                self.at = (self.at + 2).min(self.bytes.len());
                continue;
            }
            let closes =
                byte == quote.mark && (!quote.triple || (self.peek(1) == byte && self.peek(2) == byte));
            if closes || (is_line_end(byte) && !quote.triple) {
                if closes && !format {
                    self.at += if quote.triple { 3 } else { 1 };
                }
                self.push(Piece::String, start);
                // A format that its string cuts off ends with it.
                self.modes.pop();
                return;
            }
            if quote.interpolates && byte == b'{' {
                if self.peek(1) == b'{' && !format {
                    self.at += 2;
                    continue;
                }
                self.at += 1;
                self.push(Piece::String, start);
                self.modes.push(Mode::Code { brackets: 0 });
                return;
            }
            self.at += 1;
            if format && byte == b'}' {
                self.push(Piece::String, start);
                self.modes.pop();
                return;
            }
        }
        self.push(Piece::String, start);
    }
}

/// What CPython ends a line at, after it has made line feeds of carriage returns.
fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Whether a byte belongs to a name. Beyond ASCII, all do: which letters Python takes is not for this to judge.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_prefix(name: &str) -> bool {
    let letters = name.to_ascii_lowercase();
    matches!(
        letters.as_str(),
        "r" | "b" | "u" | "f" | "t" | "br" | "rb" | "fr" | "rf" | "tr" | "rt"
    )
}

/// The lines of a source as CPython counts them, without their ends, each with the place of its first byte. A carriage
/// return alone ends a line too: what an editor shows as the rest of a comment, Python may run.
pub fn lines(source: &str) -> Vec<(usize, &str)> {
    let (mut lines, mut start) = (Vec::new(), 0);
    let bytes = source.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if is_line_end(*byte) {
            lines.push((start, source.get(start..at).unwrap_or_default()));
            at += usize::from(*byte == b'\r' && bytes.get(at + 1) == Some(&b'\n'));
            start = at + 1;
        }
        at += 1;
    }
    if start < source.len() {
        lines.push((start, source.get(start..).unwrap_or_default()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(source: &str) -> Vec<(Piece, &str)> {
        spans(source)
            .into_iter()
            .map(|span| (span.piece, &source[span.start..span.end]))
            .collect()
    }

    fn of(source: &str, piece: Piece) -> Vec<&str> {
        let all = cut(source).into_iter();
        all.filter(|(one, _)| *one == piece)
            .map(|(_, text)| text)
            .collect()
    }

    #[test]
    fn each_piece_is_what_python_takes_it_for() {
        use Piece::{Comment, Definition, Keyword, Name, Number, String};
        let source = "@cache\ndef mean(x=1.5e-3): # why\n    return 'it\\'s' + x0 @ y\n";
        let expected = [
            (Definition, "cache"),
            (Keyword, "def"),
            (Definition, "mean"),
            (Name, "x"),
            (Number, "1.5e-3"),
            (Comment, "# why"),
            (Keyword, "return"),
            (String, "'it\\'s'"),
            (Name, "x0"),
            (Name, "y"),
        ];
        assert_eq!(cut(source), expected);
    }

    #[test]
    fn what_a_string_interpolates_is_code() {
        assert_eq!(
            of("f\"{d[\"k\"]:>{width}} is {{x}} {a != b}\"", Piece::Name),
            ["d", "width", "a", "b"]
        );
        assert_eq!(
            of("f'''{\n  value!r:{'<'}10}'''\nexec(x)", Piece::Name),
            ["value", "r", "exec", "x"]
        );
        assert_eq!(of("rb'\\' + eval(y)'", Piece::Name), Vec::<&str>::new());
        assert_eq!(of("f'{x:%H:%M}' + y", Piece::Name), ["x", "y"]);
    }

    #[test]
    fn a_string_that_is_not_closed_ends_with_its_line() {
        assert_eq!(of("a = 'open\nb = 1", Piece::Name), ["a", "b"]);
        assert_eq!(of("a = '''open\nb = 1", Piece::Name), ["a"]);
    }

    #[test]
    fn a_carriage_return_ends_a_line_as_it_does_for_python() {
        assert_eq!(of("# harmless\rexec(x)", Piece::Name), ["exec", "x"]);
        let lines: Vec<_> = lines("a\r\nb\rc\n\nd")
            .into_iter()
            .map(|(_, line)| line)
            .collect();
        assert_eq!(lines, ["a", "b", "c", "", "d"]);
    }

    proptest! {
        #[test]
        fn whatever_is_cut_is_in_order_and_within(source in "[a-z\"'{}f\\\\#\n\r:!@().é0-9 ]{0,80}") {
            let mut end = 0;
            for span in spans(&source) {
                prop_assert!(span.start >= end && span.end > span.start);
                prop_assert!(source.get(span.start..span.end).is_some());
                end = span.end;
            }
        }
    }
}
