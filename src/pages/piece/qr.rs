//! Text as a picture for a camera to read.

use std::fmt::Write as _;

use maud::{Markup, html};
use qrcodegen::{QrCode, QrCodeEcc};

/// A QR code (ISO/IEC 18004), dark on light whatever the reader's palette is; none where the text is too long for one.
pub fn qr(label: &str, text: &str) -> Option<Markup> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            write!(path, "M{x} {y}h1v1h-1z").ok()?;
        }
    }
    // Four modules of margin, as the standard asks for.
    let side = code.size() + 8;
    let frame = format!("-4 -4 {side} {side}");
    Some(html! {
        svg.qr viewBox=(frame) role="img" aria-label=(label) shape-rendering="crispEdges" {
            rect x="-4" y="-4" width=(side) height=(side) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_drawn_of_what_fits() {
        let shown = qr("A picture", "otpauth://totp/x?secret=ABC")
            .unwrap()
            .into_string();
        // The corner of the pattern by which a reader finds the code.
        assert!(
            shown.contains("M0 0h1v1h-1z") && shown.contains("viewBox=\"-4 -4 "),
            "{shown}"
        );
        assert!(qr("Too long", &"x".repeat(10_000)).is_none());
    }
}
