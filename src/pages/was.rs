//! What stood in a form when its page was made. A form that sends a whole state, however old, would otherwise put back in
//! silence what somebody else has set since: the node compares in the same commit that saves, and refuses with what has changed.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::{Fields, Filled};
use crate::acts::Refusal;
use crate::domain::hash::Hash;

/// The field that says it.
pub const FIELD: &str = "was";
/// The most characters of a value that a refusal shows.
const SHOWN_MAX: usize = 300;

/// What a form is about to change: each part under the name that its page gives it, as a person reads it.
pub type State = Vec<(&'static str, String)>;

/// The state on which a form was filled in, as the form says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Was(String);

/// The hidden field, for the state that is there. A form that was refused for something else says what it said before.
pub fn was(filled: &Filled, state: &[(&'static str, String)]) -> Markup {
    let sent = Some(filled.fields().get(FIELD)).filter(|sent| !sent.is_empty());
    let value = sent.map_or_else(|| digests(state).join(" "), str::to_owned);
    html! { input type="hidden" name=(FIELD) value=(value); }
}

/// A digest of each part. Nothing is told by it that the page does not show beside it.
fn digests(state: &[(&'static str, String)]) -> Vec<String> {
    let digest =
        |(_, text): &(&str, String)| Hash::derive("poundlock form state 1", text.as_bytes()).to_string();
    state.iter().map(digest).collect()
}

impl Was {
    /// What a form that was sent says.
    pub fn of(fields: &Fields) -> Self {
        Self(fields.get(FIELD).to_owned())
    }

    /// Demands that the state is still the one on which the form was filled in. To be asked in the transaction that saves it.
    ///
    /// # Errors
    /// Says what of it has become something else, and what that is.
    pub fn still_is(&self, state: &[(&'static str, String)]) -> Result<(), Refusal> {
        let said: Vec<_> = self.0.split_whitespace().collect();
        let now = digests(state);
        let changed: Vec<_> = state
            .iter()
            .zip(&now)
            .enumerate()
            .filter(|(at, (_, digest))| said.get(*at) != Some(&digest.as_str()))
            .map(|(_, (part, _))| part)
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let told: Vec<_> = changed
            .iter()
            .map(|(name, text)| format!("{name}: now {}", shown(text)))
            .collect();
        let difference = changed
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Value::from(text.as_str())));
        Err(Refusal::Changed {
            detail: format!(
                "somebody has changed this since you opened the page, and nothing was saved. {}. What you filled in stands \
                 below; look at it again, then save it",
                told.join("; ")
            ),
            difference: Value::Object(difference.collect::<Map<_, _>>()),
        })
    }
}

/// A value as a refusal shows it.
fn shown(text: &str) -> String {
    if text.is_empty() {
        return "nothing".to_owned();
    }
    let beginning: String = text.chars().take(SHOWN_MAX).collect();
    let rest = if beginning.len() < text.len() { " …" } else { "" };
    format!("“{beginning}{rest}”")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Problem;

    fn state(registration: &str, about: &str) -> State {
        vec![
            ("Registration", registration.to_owned()),
            ("Description", about.to_owned()),
        ]
    }

    /// What the hidden field of a page says.
    fn made(filled: &Filled, state: &State) -> String {
        let field = was(filled, state).into_string();
        field.split('"').nth(5).unwrap().to_owned()
    }

    #[test]
    fn an_old_form_is_refused_with_what_has_changed_since() {
        let on = state("on", "a");
        let sent = Fields::of([(FIELD, made(&Filled::default(), &on)), ("about", "b".to_owned())]);
        assert!(Was::of(&sent).still_is(&on).is_ok());
        let off = state("off", "a");
        let Err(refusal) = Was::of(&sent).still_is(&off) else {
            panic!("registration was switched on again")
        };
        let said = refusal.to_string();
        assert!(said.contains("Registration: now “off”"), "{said}");
        assert!(!said.contains("Description"), "{said}");
        // The form comes back with what was typed, on the state that is there now.
        let again = Filled::refused(&sent, Problem::from(refusal)).unwrap();
        assert_eq!(again.fields().get("about"), "b");
        let sent = Fields::of([(FIELD, made(&again, &off))]);
        assert!(Was::of(&sent).still_is(&off).is_ok());
    }

    #[test]
    fn a_form_that_is_refused_for_something_else_stays_as_old_as_it_was() {
        let sent = Fields::of([(FIELD, made(&Filled::default(), &state("on", "a")))]);
        let wrong = Problem::from(crate::domain::text::Invalid::new("name", "must not be empty"));
        let again = Filled::refused(&sent, wrong).unwrap();
        let sent = Fields::of([(FIELD, made(&again, &state("off", "a")))]);
        assert!(Was::of(&sent).still_is(&state("off", "a")).is_err());
    }

    #[test]
    fn a_form_that_does_not_say_what_it_was_filled_in_on_is_refused() {
        assert!(Was::of(&Fields::default()).still_is(&state("on", "")).is_err());
        assert_eq!(shown(""), "nothing");
        assert!(shown(&"ü".repeat(SHOWN_MAX + 1)).ends_with(" …”"));
    }
}
