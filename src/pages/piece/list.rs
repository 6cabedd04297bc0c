//! Lists: tables that scroll in a region of their own, the way to the next page, and what an empty one says.

use maud::{Markup, html};

use crate::pages::fields::Fields;

/// A table under a label. On a narrow screen it scrolls by itself, not the page.
pub fn table(label: &str, heads: &[&str], rows: impl IntoIterator<Item = Vec<Markup>>) -> Markup {
    html! {
        div.scroll role="region" aria-label=(label) tabindex="0" {
            table {
                thead { tr { @for head in heads { @if head.is_empty() { td {} } @else { th scope="col" { (head) } } } } }
                tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
            }
        }
    }
}

/// The way on, with the filters of this page: back to the first page, and to the one after it.
pub fn pager(path: &str, query: &Fields, next: Option<&str>) -> Markup {
    let first = query.has("cursor").then(|| query.address(path, "cursor", None));
    html! {
        @if first.is_some() || next.is_some() {
            nav.pager aria-label="Pages" {
                @if let Some(first) = first { a.button href=(first) { "Newest" } }
                @if let Some(next) = next { a.button href=(query.address(path, "cursor", Some(next))) rel="next" { "Older" } }
            }
        }
    }
}

/// That a list is empty, and what to do about it.
pub fn empty(what: &str, to_do: Markup) -> Markup {
    html! { div.empty { p { (what) } p.to-do { (to_do) } } }
}

/// A button, or one that does nothing and says why. It stays within reach of the keyboard, so that the reason is found.
pub fn button(label: &str, class: &str, allowed: &Result<(), String>) -> Markup {
    match allowed {
        Ok(()) => html! { button class=(class) { (label) } },
        Err(why) => html! {
            div.why-not {
                button type="button" class=(class) aria-disabled="true" { (label) }
                p { (why) }
            }
        },
    }
}
