//! What a request asks to see, where it asks for that: what it is, and what approving it does.

use maud::{Markup, html};

use crate::acts::requests::Described;
use crate::domain::request::{Sight, SightType};
use crate::domain::side::Side;
use crate::pages::catalogue::tags;
use crate::pages::piece::facts::facts;
use crate::pages::piece::text::reveal;

/// What is asked for, in words.
pub fn words(kind: SightType) -> &'static str {
    match kind {
        SightType::Mock => "the mock of an asset",
        SightType::Release => "what was released for somebody else",
        SightType::PrivateData => "the private data of an asset",
    }
}

/// What is asked for, and what follows from approving it.
pub fn shown(seen: &Described, side: Side) -> Markup {
    let (address, name) = match seen.sight {
        Sight::Mock(asset) | Sight::PrivateData(asset) => (format!("/assets/{asset}"), "the asset"),
        Sight::Release(release) => (format!("/releases/{release}"), "the release"),
    };
    html! {
        section.card {
            h2 { "What is to be seen" }
            (facts([
                ("Asked for", html! { (words(seen.sight.kind())) }),
                ("Which", html! {
                    @match &seen.title {
                        Some(title) => a href=(address) { (reveal(title)) },
                        None => { (name) " is not on this node, or not for you to know of: " code { (seen.sight.object()) } },
                    }
                }),
                ("Tags", tags(&seen.tags)),
            ]))
            p.soft { (meaning(seen.sight.kind(), side)) }
        }
    }
}

fn meaning(kind: SightType, side: Side) -> &'static str {
    match kind {
        SightType::Mock => "Once approved, whoever asks may download the mock, and run code on it.",
        SightType::Release => "Once approved, whoever asks may download what was released.",
        SightType::PrivateData if side.holds_private_data() => {
            "To approve it opens nothing. Afterwards the data is written as a result, which is looked at and released like \
             any other."
        }
        SightType::PrivateData => {
            "It is decided where the private data is. What is released of it comes back like a result."
        }
    }
}
