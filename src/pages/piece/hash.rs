//! Hashes and fingerprints, for people to compare.

use maud::{Markup, html};

use crate::domain::hash::Hash;

/// The beginning of a hash, where it only tells things apart; the whole on hover.
pub fn short(hash: &Hash) -> Markup {
    let whole = hash.to_string();
    html! { code.hash title=(whole) { (whole.get(..12).unwrap_or_default()) "…" } }
}

/// A whole hash, in groups, where it is compared.
pub fn whole(hash: &Hash) -> Markup {
    grouped(&hash.to_string(), 8)
}

/// Text in groups of so many characters. The groups are set apart by style, so that it is copied in one piece.
pub fn grouped(text: &str, size: usize) -> Markup {
    let letters: Vec<char> = text.chars().collect();
    html! {
        code.hash.whole { @for group in letters.chunks(size.max(1)) { span { (group.iter().collect::<String>()) } } }
    }
}

/// A fingerprint in words, to be read out.
pub fn fingerprint(words: &str) -> Markup {
    html! { ol.fingerprint { @for word in words.split_whitespace() { li { (word) } } } }
}
