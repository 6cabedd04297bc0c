//! Text that people supply: bounded, and free of characters that make one text look like another.

use std::fmt;

/// What is wrong with one field of what somebody sent. The field's path is as the sender wrote it, e.g.
/// `contributors[1].email`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Invalid {
    /// The path of the field.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl Invalid {
    /// The same of a field inside another.
    #[must_use]
    pub fn inside(self, outer: &str) -> Self {
        Self {
            field: format!("{outer}.{}", self.field),
            ..self
        }
    }

    /// Says that `field` is wrong because of `problem`.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.field, self.problem)
    }
}

impl std::error::Error for Invalid {}

/// The longest name of anything, in characters.
pub const NAME_MAX: usize = 120;
/// The longest reason, description or citation, in characters.
pub const PROSE_MAX: usize = 10_000;
/// The longest web address, in characters.
pub const URL_MAX: usize = 2_000;

/// Checks a name: 1 to [`NAME_MAX`] characters on one line, no leading or trailing space.
///
/// # Errors
/// Says which rule the text breaks.
pub fn name(field: &str, text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Invalid::new(field, "must not be empty"));
    }
    bounded(field, text, NAME_MAX)?;
    if text.chars().any(|c| c.is_control() || is_refused(c)) {
        return Err(Invalid::new(
            field,
            "must be one line without control or invisible characters",
        ));
    }
    Ok(text.to_owned())
}

/// Checks prose: at most [`PROSE_MAX`] characters; line breaks and tabs are fine, other control characters are not.
///
/// # Errors
/// Says which rule the text breaks.
pub fn prose(field: &str, text: &str) -> Result<String, Invalid> {
    bounded(field, text, PROSE_MAX)?;
    if text
        .chars()
        .any(|c| (c.is_control() && c != '\n' && c != '\t' && c != '\r') || is_refused(c))
    {
        return Err(Invalid::new(
            field,
            "must not hold control or invisible characters",
        ));
    }
    Ok(text.trim().to_owned())
}

/// Checks prose that may not be empty, e.g. the reason of a denial.
///
/// # Errors
/// Says which rule the text breaks.
pub fn required_prose(field: &str, text: &str) -> Result<String, Invalid> {
    let text = prose(field, text)?;
    if text.is_empty() {
        return Err(Invalid::new(field, "must not be empty"));
    }
    Ok(text)
}

/// Checks an optional web address: http or https, at most [`URL_MAX`] characters, no space.
///
/// # Errors
/// Says which rule the text breaks.
pub fn url(field: &str, text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(String::new());
    }
    bounded(field, text, URL_MAX)?;
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    if rest.is_none_or(str::is_empty)
        || text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || is_refused(c))
    {
        return Err(Invalid::new(
            field,
            "must be a web address that starts with https:// or http://",
        ));
    }
    Ok(text.to_owned())
}

/// A name with a number behind it, where another bears the name alone; shortened where both would be too long.
pub fn numbered(name: &str, number: u32) -> String {
    let suffix = format!(" ({number})");
    let room = NAME_MAX.saturating_sub(suffix.chars().count());
    let kept: String = name.chars().take(room).collect();
    format!("{}{suffix}", kept.trim_end())
}

/// The form under which two names count as the same: without regard to case.
pub fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

fn bounded(field: &str, text: &str, most: usize) -> Result<(), Invalid> {
    match text.chars().count() {
        length if length > most => Err(Invalid::new(
            field,
            format!("has {length} characters; at most {most} are allowed"),
        )),
        _ => Ok(()),
    }
}

/// What no name and no prose may hold. Others that are not seen belong to words and pictures of some scripts; they are shown by
/// what they are, like these. Peers hold each other's records to this list: longer, it would stop bundles of those that know less.
fn is_refused(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// Characters that are not seen, or that turn the direction of the text around them: a reviewer must see what they decide on.
/// They are all of Unicode's `Default_Ignorable_Code_Point`, among them 256 variation selectors, each of which can stand for
/// a byte; the bidirectional controls (UAX #9), and the marks of interlinear annotation.
pub fn is_invisible(c: char) -> bool {
    is_refused(c)
        || matches!(c, '\u{034F}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0080}'..='\u{E0FFF}')
}

/// Spaces that are none of those of a keyboard, and what else is drawn as one.
pub fn is_odd_space(c: char) -> bool {
    (c.is_whitespace() && !matches!(c, ' ' | '\t' | '\n')) || c == '\u{2800}'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_visible_lines() {
        assert_eq!(name("name", "  Pima women ").unwrap(), "Pima women");
        assert!(name("name", "").is_err());
        assert!(name("name", "two\nlines").is_err());
        assert!(name("name", "turned\u{202E}round").is_err());
        assert!(
            name("name", &"x".repeat(NAME_MAX + 1))
                .unwrap_err()
                .to_string()
                .contains("121")
        );
    }

    #[test]
    fn what_can_stand_for_bytes_unseen_is_known() {
        let selectors = ('\u{FE00}'..='\u{FE0F}').chain('\u{E0100}'..='\u{E01EF}');
        assert!(selectors.clone().all(is_invisible) && selectors.count() == 256);
        assert!(
            ['\u{034F}', '\u{3164}', '\u{E0FFF}', '\u{200B}']
                .into_iter()
                .all(is_invisible)
        );
        assert!(
            !['a', ' ', 'é', '\u{0301}', '漢', '😀']
                .into_iter()
                .any(is_invisible)
        );
        assert!(
            is_odd_space('\u{A0}') && is_odd_space('\u{2800}') && !is_odd_space(' ') && !is_odd_space('\n')
        );
        // Such a name came through before, and comes through still.
        assert!(name("name", "\u{2764}\u{FE0F}").is_ok());
    }

    #[test]
    fn addresses_are_of_the_web() {
        assert_eq!(url("url", "").unwrap(), "");
        assert!(url("url", "https://example.org/data").is_ok());
        assert!(url("url", "javascript:alert(1)").is_err());
        assert!(url("url", "https://").is_err());
    }
}
