//! Cursors are sealed: what is in one means nothing to its reader, and nobody else makes one. A place in a list is a
//! position of the journal or a moment, and may be that of something that the reader may not see; where scientists and
//! private data are on one node, positions would count what happens on the private data.
//!
//! The key lives as long as the process: a list that is read over a restart of the node is begun again. The seal is
//! ChaCha20-Poly1305 (RFC 8439) under a random nonce, which stands before the sealed bytes.

use std::sync::LazyLock;

use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};

use crate::clock;

/// The bytes of a nonce.
const NONCE: usize = 12;
/// The longest seal that is looked at: far longer than any place takes.
const SEALED_MAX: usize = 256;

static CIPHER: LazyLock<ChaCha20Poly1305> =
    LazyLock::new(|| ChaCha20Poly1305::new(&clock::random_bytes().into()));

/// Seals what a cursor holds.
pub(super) fn seal(content: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    nonce.copy_from_slice(&clock::random_bytes()[..NONCE]);
    // It fails for contents of hundreds of gigabytes alone; an empty cursor is refused when it comes back.
    let hidden = CIPHER
        .encrypt(Nonce::from_slice(&nonce), content)
        .unwrap_or_default();
    [&nonce[..], &hidden].concat()
}

/// What a sealed cursor holds; none if this process has not sealed it.
pub(super) fn open(sealed: &[u8]) -> Option<Vec<u8>> {
    if sealed.len() > SEALED_MAX {
        return None;
    }
    let (nonce, hidden) = sealed.split_first_chunk::<NONCE>()?;
    CIPHER.decrypt(Nonce::from_slice(nonce), hidden).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_and_nothing_else_does() {
        let content = b"position 7 of the journal";
        let sealed = seal(content);
        assert_eq!(open(&sealed).as_deref(), Some(&content[..]));
        assert!(
            !sealed
                .windows(4)
                .any(|four| content.windows(4).any(|other| other == four))
        );
        assert_eq!(open(content), None);
        assert_eq!(open(&[]), None);
        assert_eq!(open(&[0; SEALED_MAX + 1]), None);
        for place in 0..sealed.len() {
            let mut other = sealed.clone();
            other[place] ^= 1;
            assert_eq!(open(&other), None, "byte {place}");
        }
        assert_eq!(open(&sealed[..sealed.len() - 1]), None);
    }
}
