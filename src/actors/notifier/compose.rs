//! A finished letter, of a parcel and the templates.

use jiff::Timestamp;

use super::templates::Templates;
use crate::acts::notices::{Form, Parcel};
use crate::domain::notification::Event;
use crate::domain::notification::delivery::Content;
use crate::domain::notification::letter::{DIGEST_SUBJECT, Letter, TEST_SUBJECT, for_chat};
use crate::domain::notification::one_line::OneLine;
use crate::domain::notification::template::{Escaping, Name, Template, Values};
use crate::store::secrets::{Purpose, SecretError, Secrets};

/// What a chat shows of one thing, and of several.
const CHAT_ONE: &str =
    "{{node}}: {{sentence}}{{#reason}}\nReason: {{reason}}{{/reason}}{{#link}}\n{{link}}{{/link}}";
const CHAT_DIGEST: &str = "{{node}}: this is new{{#items}}\n- {{sentence}}{{#link}} {{link}}{{/link}}{{/items}}{{#more}}\n\
    - and {{more}} more{{/more}}";

/// The letter of a parcel. A code is opened here, and is nowhere but in the letter.
///
/// # Errors
/// A code cannot be opened.
pub(super) fn letter(
    parcel: &mut Parcel,
    templates: &Templates,
    secrets: &Secrets,
) -> Result<Letter, SecretError> {
    if let Content::PasswordReset { code: Some(code), .. } = &parcel.delivery.content {
        let code = secrets.unseal(Purpose::PasswordReset, code)?;
        parcel.values.set(Name::Code, code.expose());
    }
    let (text, html) = templates.of(parcel.form).render(&parcel.values);
    let (subject, chat) = match parcel.form {
        Form::One(event) => (event.subject(), chat(CHAT_ONE, &parcel.values)),
        Form::Digest => (DIGEST_SUBJECT, chat(CHAT_DIGEST, &parcel.values)),
        Form::PasswordReset => (Event::PasswordReset.subject(), String::new()),
    };
    Ok(Letter {
        message_id: parcel.delivery.message_id.clone(),
        made_at: parcel.delivery.made_at,
        from_name: OneLine::of(&parcel.node),
        to: parcel.email.clone(),
        subject,
        text,
        html,
        chat,
    })
}

fn chat(template: &str, values: &Values) -> String {
    let text = Template::parse(template).map(|template| template.render(values, Escaping::Text));
    for_chat(&text.unwrap_or_default())
}

/// A letter that says that it works.
pub(super) fn test_letter(node: OneLine, to: &str, message_id: String, now: Timestamp) -> Letter {
    let text = format!("This is a test of the notifications of {node}. If you read it, they reach you.\n");
    let mut values = Values::default();
    values.set(Name::Sentence, text.trim());
    let html =
        Template::parse("<!doctype html>\n<html lang=\"en\"><body><p>{{sentence}}</p></body></html>\n")
            .map(|template| template.render(&values, Escaping::Html))
            .unwrap_or_default();
    Letter {
        message_id,
        made_at: now,
        from_name: node,
        to: to.to_owned(),
        subject: TEST_SUBJECT,
        chat: for_chat(text.trim()),
        text,
        html,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_chat_shows_can_be_read() {
        for template in [CHAT_ONE, CHAT_DIGEST] {
            assert!(Template::parse(template).is_ok());
        }
    }

    #[test]
    fn a_test_escapes_the_nodes_name() {
        let now = "2026-11-25T09:00:00Z".parse().unwrap();
        let letter = test_letter(OneLine::of("<b>\r\nLab"), "sam@example.org", "<1@x>".into(), now);
        assert!(letter.html.contains("&lt;b&gt;") && !letter.html.contains("<b>"));
        assert_eq!(letter.text.lines().count(), 1);
    }
}
