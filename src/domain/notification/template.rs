//! The templates of messages: text with places for values, which are escaped wherever they go.
//!
//! `{{name}}` is a value. `{{#name}}…{{/name}}` is shown only if the value is not empty, and once for each item where the
//! name is `items`. There is nothing else in it: no code, no files, no way to reach anything but the values of [`Name`].

use std::fmt::Write as _;

use crate::domain::text::is_invisible;

/// The longest template, in bytes.
pub const TEMPLATE_MOST: usize = 64 * 1024;
/// Sections within sections.
const DEPTH_MOST: usize = 4;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// The values that a template can show.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Name {
            $($(#[$doc])* $name,)*
        }

        impl Name {
            /// Every name with its word.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $word)),*];
        }
    };
}

names! {
    /// How the node is called.
    Node = "node";
    /// How the recipient is called.
    Recipient = "recipient";
    /// The fixed subject of the event.
    Subject = "subject";
    /// What happened, in a sentence.
    Sentence = "sentence";
    /// Who did it.
    Who = "who";
    /// What it is about: request, run, user, peer.
    Kind = "kind";
    /// Why: the reason of a denial.
    Reason = "reason";
    /// The address of what it is about.
    Link = "link";
    /// The address of the inbox.
    Inbox = "inbox";
    /// When it happened.
    At = "at";
    /// The one-time code for a new password.
    Code = "code";
    /// Until when the code holds.
    ValidUntil = "valid_until";
    /// The things that a digest lists; a section.
    Items = "items";
    /// How many more things there are than a digest lists.
    More = "more";
}

/// The values of one message, or of one item of a digest.
#[derive(Clone, Debug, Default)]
pub struct Values {
    values: Vec<(Name, String)>,
    items: Vec<Values>,
}

impl Values {
    /// Sets a value. It is escaped when it is shown.
    pub fn set(&mut self, name: Name, value: impl Into<String>) {
        self.values.push((name, value.into()));
    }

    /// Adds an item.
    pub fn add_item(&mut self, item: Self) {
        self.items.push(item);
    }

    fn get(&self, name: Name) -> &str {
        let found = self.values.iter().rev().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// Where a value goes, and so how it is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escaping {
    /// Plain text. What spans lines is quoted with `> `, so that nothing in it can pass for the message's own words.
    Text,
    /// HTML, in text and in quoted attributes.
    Html,
}

/// A template that can be rendered. The default one is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Name),
    Section(Name, Vec<Self>),
}

/// A template is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is too long.
    #[error("the template has over {TEMPLATE_MOST} bytes")]
    TooLong,
    /// A name that is not known.
    #[error("line {line}: there is no value named {name:?}; there are: {}", known())]
    Unknown {
        /// Where.
        line: usize,
        /// The name.
        name: String,
    },
    /// A place that is not closed.
    #[error("line {line}: {{{{ without }}}}")]
    Open {
        /// Where.
        line: usize,
    },
    /// A section that is not closed, or closed without having been opened.
    #[error("line {line}: the section {name:?} is not opened and closed in pairs")]
    Section {
        /// Where.
        line: usize,
        /// The section.
        name: String,
    },
    /// Sections lie too deep in one another.
    #[error("line {line}: sections lie in one another more than {DEPTH_MOST} deep")]
    TooDeep {
        /// Where.
        line: usize,
    },
}

fn known() -> String {
    let words: Vec<_> = Name::ALL.iter().map(|(_, word)| *word).collect();
    words.join(", ")
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Says on which line what is wrong.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > TEMPLATE_MOST {
            return Err(TemplateError::TooLong);
        }
        let mut open: Vec<(Name, &str, Vec<Part>)> = Vec::new();
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let line = line_of(text, rest.len() - before.len());
            let (inside, following) = after.split_once("}}").ok_or(TemplateError::Open { line })?;
            push_text(&mut parts, before);
            let mut following = following;
            match inside.trim().split_at_checked(1) {
                Some(("#", name)) => {
                    if open.len() == DEPTH_MOST {
                        return Err(TemplateError::TooDeep { line });
                    }
                    open.push((parse_name(name, line)?, name.trim(), std::mem::take(&mut parts)));
                    following = past_line_end(before, following);
                }
                Some(("/", name)) => match open.pop() {
                    Some((opened, word, outer)) if word == name.trim() => {
                        let inner = std::mem::replace(&mut parts, outer);
                        parts.push(Part::Section(opened, inner));
                        following = past_line_end(before, following);
                    }
                    _ => return Err(section(name, line)),
                },
                _ => parts.push(Part::Value(parse_name(inside, line)?)),
            }
            rest = following;
        }
        push_text(&mut parts, rest);
        match open.pop() {
            Some((_, word, _)) => Err(section(word, line_of(text, 0))),
            None => Ok(Self(parts)),
        }
    }

    /// The message.
    pub fn render(&self, values: &Values, escaping: Escaping) -> String {
        let mut out = String::new();
        render(&self.0, values, values, escaping, &mut out);
        out
    }
}

fn section(name: &str, line: usize) -> TemplateError {
    TemplateError::Section {
        line,
        name: name.trim().to_owned(),
    }
}

/// The line on which `left` bytes before the end of the text lie.
fn line_of(text: &str, left: usize) -> usize {
    let before = text.get(..text.len().saturating_sub(left)).unwrap_or(text);
    before.matches('\n').count() + 1
}

/// A mark of a section that stands alone on its line leaves no empty line behind.
fn past_line_end<'a>(before: &str, following: &'a str) -> &'a str {
    if before.is_empty() || before.ends_with('\n') {
        following.strip_prefix('\n').unwrap_or(following)
    } else {
        following
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

fn parse_name(text: &str, line: usize) -> Result<Name, TemplateError> {
    let word = text.trim();
    let found = Name::ALL.iter().find(|(_, known)| *known == word);
    found
        .map(|(name, _)| *name)
        .ok_or_else(|| TemplateError::Unknown {
            line,
            name: word.chars().take(40).collect(),
        })
}

/// `outer` has what an item does not have itself.
fn render(parts: &[Part], values: &Values, outer: &Values, escaping: Escaping, out: &mut String) {
    let value = |name| match values.get(name) {
        "" => outer.get(name),
        found => found,
    };
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Value(name) => match escaping {
                Escaping::Text => escape_text(value(*name), out),
                Escaping::Html => escape_html(value(*name), out),
            },
            Part::Section(Name::Items, inner) => {
                for item in &values.items {
                    render(inner, item, outer, escaping, out);
                }
            }
            Part::Section(name, inner) => {
                if !value(*name).is_empty() {
                    render(inner, values, outer, escaping, out);
                }
            }
        }
    }
}

/// One line stays one; several are quoted. Characters that are not seen, or that turn text round, are written out.
fn escape_text(value: &str, out: &mut String) {
    let value = value.trim_end();
    let quote = value.contains(['\n', '\r', '\u{2028}', '\u{2029}']);
    if quote {
        out.push_str("\n> ");
    }
    let mut previous = ' ';
    for c in value.chars() {
        match c {
            '\n' if previous == '\r' => {}
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => out.push_str("\n> "),
            '\t' => out.push(' '),
            c => visible(c, out),
        }
        previous = c;
    }
    if quote {
        out.push('\n');
    }
}

fn escape_html(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\r' => {}
            c => visible(c, out),
        }
    }
}

fn visible(c: char, out: &mut String) {
    if c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}') {
        // A String takes everything that is written to it.
        let _infallible = write!(out, "\\u{{{:x}}}", u32::from(c));
    } else {
        out.push(c);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(pairs: &[(Name, &str)]) -> Values {
        let mut values = Values::default();
        for (name, value) in pairs {
            values.set(*name, *value);
        }
        values
    }

    fn rendered(template: &str, values: &Values, escaping: Escaping) -> String {
        Template::parse(template).unwrap().render(values, escaping)
    }

    #[test]
    fn sections_show_what_is_there() {
        let template = "Hello {{recipient}}\n{{#reason}}\nReason: {{ reason }}\n{{/reason}}\n{{#link}}{{link}}{{/link}}.";
        let all = values(&[
            (Name::Recipient, "Sam"),
            (Name::Reason, "too few"),
            (Name::Link, "http://x"),
        ]);
        assert_eq!(
            rendered(template, &all, Escaping::Text),
            "Hello Sam\nReason: too few\nhttp://x."
        );
        let few = values(&[(Name::Recipient, "Sam")]);
        assert_eq!(rendered(template, &few, Escaping::Text), "Hello Sam\n.");
    }

    #[test]
    fn items_repeat() {
        let mut digest = values(&[(Name::Node, "Lab")]);
        for sentence in ["one", "two"] {
            digest.add_item(values(&[(Name::Sentence, sentence)]));
        }
        let shown = rendered(
            "{{#items}}\n- {{sentence}} at {{node}}\n{{/items}}\n",
            &digest,
            Escaping::Text,
        );
        assert_eq!(shown, "- one at Lab\n- two at Lab\n");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let said = |text: &str| Template::parse(text).unwrap_err().to_string();
        assert!(said("a\n{{secret}}").starts_with("line 2: there is no value named \"secret\""));
        assert!(said("a {{node").starts_with("line 1: {{ without }}"));
        assert!(said("{{#node}} {{/who}}").contains("pairs"));
        assert!(said("{{#node}}").contains("pairs"));
        assert!(said("{{/node}}").contains("pairs"));
        assert!(said(&"{{#node}}".repeat(5)).contains("deep"));
        assert!(said(&"x".repeat(TEMPLATE_MOST + 1)).contains("bytes"));
        assert_eq!(
            Template::parse("{{node}}")
                .unwrap()
                .render(&Values::default(), Escaping::Html),
            ""
        );
    }

    #[test]
    fn a_value_cannot_leave_its_place() {
        let hostile = values(&[
            (Name::Who, "<b onclick='x'>\"&\u{202E}"),
            (Name::Reason, "first\r\nsecond\u{7}\u{2028}third"),
            (Name::Link, "{{code}}"),
        ]);
        assert_eq!(
            rendered("<p title=\"{{who}}\">", &hostile, Escaping::Html),
            "<p title=\"&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;\\u{202e}\">"
        );
        assert_eq!(
            rendered("Reason: {{reason}}", &hostile, Escaping::Text),
            "Reason: \n> first\n> second\\u{7}\n> third\n"
        );
        assert_eq!(rendered("{{link}}", &hostile, Escaping::Text), "{{code}}");
    }

    proptest! {
        #[test]
        fn no_text_upsets_the_parser(text in "[{}#/ a-z\n]{0,60}") {
            if let Ok(template) = Template::parse(&text) {
                template.render(&Values::default(), Escaping::Text);
            }
        }

        #[test]
        fn html_holds_no_markup_of_a_value(value in any::<String>()) {
            let shown = rendered("{{who}}", &values(&[(Name::Who, &value)]), Escaping::Html);
            prop_assert!(!shown.contains(['<', '>', '"', '\'']));
        }

        #[test]
        fn every_line_of_a_value_is_quoted(value in "[a-z\r\n\u{2028}]{0,40}") {
            let shown = rendered("{{reason}}", &values(&[(Name::Reason, &value)]), Escaping::Text);
            if shown.contains('\n') {
                let lines: Vec<_> = shown.lines().skip(1).collect();
                prop_assert!(lines.iter().all(|line| line.starts_with("> ")), "{:?}", shown);
            }
        }
    }
}
