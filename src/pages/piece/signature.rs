//! How a signature stands, as it is shown beside what it covers.

use maud::{Markup, html};

use super::icon::Icon;
use super::status::{Tone, badge};
use super::text::reveal;
use crate::domain::key_pins::Standing;

/// A word with its drawing, and what it means in a sentence.
pub fn standing(standing: &Standing) -> Markup {
    let (tone, drawing, word) = match standing {
        Standing::Valid { .. } => (Tone::Good, Icon::Done, "signed"),
        Standing::ValidByFirstKey { .. } => (Tone::Good, Icon::Note, "signed, first key"),
        Standing::Unsigned => (Tone::Plain, Icon::No, "not signed"),
        Standing::Unchecked => (Tone::Waiting, Icon::Waiting, "not checked"),
        Standing::UnsignedButExpected { .. } => (Tone::Bad, Icon::Warning, "signature missing"),
        Standing::ValidByFormerKey { .. } => (Tone::Warning, Icon::Warning, "signed by a former key"),
        Standing::ValidByUnconfirmedKey { .. } => (Tone::Warning, Icon::Warning, "signed by another key"),
        Standing::Invalid { .. } => (Tone::Bad, Icon::Warning, "signature is false"),
    };
    html! {
        (badge(tone, drawing, word))
        @match standing {
            Standing::Unsigned => {},
            Standing::Valid { by } => { br; "by " (reveal(&by.name)) ", whose key is pinned since " (super::time::date(by.pinned_on)) },
            other => { br; (reveal(&super::super::fields::sentence(&other.to_string()))) },
        }
    }
}
