//! The templates of messages: the built-in ones, and those that an owner has put in their place.
//!
//! In the folder `templates` of the node's folder, `event.txt` and `event.html` take the place of the built-in ones of all
//! events, `EVENT.txt` and `EVENT.html` (e.g. `request_denied.txt`) of one event, `digest.…` and `password_reset.…` of
//! those. A file that cannot be used is told in the log and in the settings; the message is sent all the same, with the next
//! best template.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::acts::notices::Form;
use crate::domain::notification::Event;
use crate::domain::notification::letter::Pair;
use crate::domain::notification::template::{TEMPLATE_MOST, Template};

/// The folder in the node's folder.
pub(super) const FOLDER: &str = "templates";

const BUILT_IN: [(&str, &str, &str); 3] = [
    (
        "event",
        include_str!("../../domain/notification/templates/event.txt"),
        include_str!("../../domain/notification/templates/event.html"),
    ),
    (
        "digest",
        include_str!("../../domain/notification/templates/digest.txt"),
        include_str!("../../domain/notification/templates/digest.html"),
    ),
    (
        "password_reset",
        include_str!("../../domain/notification/templates/password_reset.txt"),
        include_str!("../../domain/notification/templates/password_reset.html"),
    ),
];

/// The templates in force.
#[derive(Debug)]
pub(super) struct Templates {
    event: Pair,
    digest: Pair,
    password_reset: Pair,
    single: BTreeMap<Event, Pair>,
}

impl Templates {
    /// Reads the templates of a folder, and says what is wrong with which.
    pub(super) fn read(folder: &Path) -> (Self, Vec<String>) {
        let mut wrong = Vec::new();
        let mut pair = |name: &str, below: &Pair| Pair {
            text: own(folder, &format!("{name}.txt"), &mut wrong).unwrap_or_else(|| below.text.clone()),
            html: own(folder, &format!("{name}.html"), &mut wrong).unwrap_or_else(|| below.html.clone()),
        };
        let [event, digest, password_reset] =
            BUILT_IN.map(|(name, text, html)| pair(name, &built_in(text, html)));
        let single = Event::ALL
            .iter()
            .filter(|it| **it != Event::PasswordReset)
            .map(|it| (*it, pair(it.word(), &event)))
            .collect();
        let templates = Self {
            event,
            digest,
            password_reset,
            single,
        };
        (templates, wrong)
    }

    /// Those of a form.
    pub(super) fn of(&self, form: Form) -> &Pair {
        match form {
            Form::One(event) => self.single.get(&event).unwrap_or(&self.event),
            Form::Digest => &self.digest,
            Form::PasswordReset => &self.password_reset,
        }
    }
}

/// A built-in pair. A test reads all of them, so that what stands in for an unreadable one is never seen.
fn built_in(text: &str, html: &str) -> Pair {
    let parse = |text: &str| Template::parse(text).or_else(|_| Template::parse("{{sentence}} {{link}}"));
    match (parse(text), parse(html)) {
        (Ok(text), Ok(html)) => Pair { text, html },
        _ => Pair {
            text: Template::default(),
            html: Template::default(),
        },
    }
}

/// An owner's template, if there is one that can be used.
fn own(folder: &Path, name: &str, wrong: &mut Vec<String>) -> Option<Template> {
    let read = fs::File::open(folder.join(name)).and_then(|file| {
        let mut text = String::new();
        // One byte more than allowed, so that a longer one is seen to be.
        let most = u64::try_from(TEMPLATE_MOST).unwrap_or(u64::MAX).saturating_add(1);
        file.take(most).read_to_string(&mut text)?;
        Ok(text)
    });
    let parsed = match read {
        Ok(text) => Template::parse(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => Err(error.to_string()),
    };
    parsed
        .map_err(|error| wrong.push(format!("{FOLDER}/{name}: {error}")))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notification::template::{Escaping, Name, Values};

    #[test]
    fn the_built_in_templates_can_be_used() {
        for (name, text, html) in BUILT_IN {
            assert!(
                Template::parse(text).is_ok() && Template::parse(html).is_ok(),
                "{name}"
            );
        }
    }

    #[test]
    fn an_owners_template_takes_the_place_of_the_built_in_one_and_a_broken_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("event.txt", "All: {{sentence}}");
        write("request_denied.txt", "No: {{reason}}");
        write("request_denied.html", "{{secret}}");
        let (templates, wrong) = Templates::read(folder.path());
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(
            wrong[0].starts_with("templates/request_denied.html: line 1"),
            "{wrong:?}"
        );
        let mut values = Values::default();
        values.set(Name::Sentence, "it happened");
        values.set(Name::Reason, "too few");
        let text = |event| {
            templates
                .of(Form::One(event))
                .text
                .render(&values, Escaping::Text)
        };
        assert_eq!(text(Event::ResultReady), "All: it happened");
        assert_eq!(text(Event::RequestDenied), "No: too few");
        let (_, html) = templates.of(Form::One(Event::RequestDenied)).render(&values);
        assert!(
            html.contains("too few") && html.contains("<blockquote"),
            "the built-in one: {html}"
        );
    }
}
