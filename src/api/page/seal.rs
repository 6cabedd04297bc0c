//! Cursors are sealed: what is in one means nothing to its reader, and nobody else makes one. A place in a list is a
//! position of the journal or a moment, and may be that of something that the reader may not see; where scientists and
//! private data are on one node, positions would count what happens on the private data.
//!
//! The key lives as long as the process: a list that is read over a restart of the node is begun again. The seal is an
//! SIV construction over BLAKE3: a keyed hash of the content is its tag, and the keyed stream that begins with the tag
//! hides the content. The same content gives the same cursor, and nothing else shows.

use std::sync::LazyLock;

use subtle::ConstantTimeEq;

use crate::clock;

/// The bytes of a tag.
const TAG: usize = 16;
/// The longest content: far more than any place takes.
const CONTENT_MAX: usize = 256;

struct Keys {
    tag: [u8; 32],
    stream: [u8; 32],
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let drawn = clock::random_bytes();
    Keys {
        tag: blake3::derive_key("poundlock cursor tag 1", &drawn),
        stream: blake3::derive_key("poundlock cursor stream 1", &drawn),
    }
});

/// Seals what a cursor holds.
pub(super) fn seal(content: &[u8]) -> Vec<u8> {
    let tag = tag_of(content);
    let mut sealed = tag.to_vec();
    sealed.extend(hidden(tag, content));
    sealed
}

/// What a sealed cursor holds; none if this process has not sealed it.
pub(super) fn open(sealed: &[u8]) -> Option<Vec<u8>> {
    let (tag, hidden_content) = sealed.split_first_chunk::<TAG>()?;
    if hidden_content.len() > CONTENT_MAX {
        return None;
    }
    let content = hidden(*tag, hidden_content);
    bool::from(tag_of(&content).ct_eq(tag)).then_some(content)
}

fn tag_of(content: &[u8]) -> [u8; TAG] {
    let hash = blake3::keyed_hash(&KEYS.tag, content);
    let mut tag = [0; TAG];
    tag.iter_mut()
        .zip(hash.as_bytes())
        .for_each(|(to, from)| *to = *from);
    tag
}

/// Hides bytes under a tag, or shows them again.
fn hidden(tag: [u8; TAG], bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0; bytes.len()];
    let mut hasher = blake3::Hasher::new_keyed(&KEYS.stream);
    hasher.update(&tag).finalize_xof().fill(&mut stream);
    stream.iter_mut().zip(bytes).for_each(|(to, from)| *to ^= from);
    stream
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
        assert_eq!(open(&[0; TAG + CONTENT_MAX + 1]), None);
        for place in 0..sealed.len() {
            let mut other = sealed.clone();
            other[place] ^= 1;
            assert_eq!(open(&other), None, "byte {place}");
        }
        assert_eq!(open(&sealed[..sealed.len() - 1]), None);
    }
}
