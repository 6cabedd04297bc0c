//! What is known of a thing: names and values.

use maud::{Markup, html};

/// A list of names with their values. What is empty says so.
pub fn facts<'a>(pairs: impl IntoIterator<Item = (&'a str, Markup)>) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in pairs {
                div {
                    dt { (name) }
                    dd { @if is_empty(&value) { span.none { "–" } } @else { (value) } }
                }
            }
        }
    }
}

fn is_empty(value: &Markup) -> bool {
    matches!(
        value.0.as_str(),
        "" | "<bdi></bdi>" | "<div class=\"prose\" dir=\"auto\"></div>"
    )
}
