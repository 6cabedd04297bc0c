//! Builds bundles that no honest node writes. **For tests only**: behind the feature `craft`, off by default, and
//! not covered by any promise of stability.
//!
//! Each layer can be replaced: give items, or the plain stream, or the compressed stream, or the age file, and have
//! the layers around it made correctly. What is signed is signed with a real key, so that a reader gets past the
//! signature to the layer under test.
//!
//! All functions here panic rather than return errors.

#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "for tests only")]

use std::io::Write;

use crate::cbor::to_deterministic_vec;
use crate::digest::BlobHash;
use crate::frames;
use crate::header::{Contents, Header, Trailer, encode_header};
use crate::identity::{NodeIdentity, PublicIdentity};
use crate::item;
use crate::limits::CHUNK_BYTES;
use crate::preamble::{Preamble, SIGNATURE_AT};
use crate::signing;
use crate::volumes;
use crate::write::blank_preamble;

/// The header item.
pub fn header_item(header: &Header) -> Vec<u8> {
    [
        &[item::PAIR, item::HEADER][..],
        &encode_header(header).expect("encode the header"),
    ]
    .concat()
}

/// A record item around any bytes.
pub fn record_item(payload: &[u8]) -> Vec<u8> {
    [&[item::PAIR, item::RECORD], payload].concat()
}

/// A blob's first item, with any hash and length.
pub fn blob_item(hash: &BlobHash, length: u64) -> Vec<u8> {
    item::blob_start(hash, length)
}

/// A chunk item around any bytes.
pub fn chunk_item(bytes: &[u8]) -> Vec<u8> {
    [&item::chunk_start(bytes.len())[..], bytes].concat()
}

/// A whole, correct blob.
pub fn blob_items(bytes: &[u8]) -> Vec<u8> {
    let mut items = blob_item(&BlobHash::of(bytes), bytes.len() as u64);
    for chunk in bytes.chunks(CHUNK_BYTES) {
        items.extend(chunk_item(chunk));
    }
    items
}

/// A trailer with any counts and hash.
pub fn trailer_item(contents: Contents, hash: [u8; 32]) -> Vec<u8> {
    let trailer = to_deterministic_vec(&Trailer { contents, hash }).expect("encode the trailer");
    [&[item::PAIR, item::TRAILER][..], &trailer].concat()
}

/// The plain stream of `header`, `records` and `blobs`, in the order given, with the trailer that belongs to it.
pub fn plain_stream(header: &Header, records: &[&[u8]], blobs: &[&[u8]]) -> Vec<u8> {
    let mut plain = header_item(header);
    let mut hasher = blake3::Hasher::new();
    for record in records {
        plain.extend(record_item(record));
    }
    hasher.update(&plain);
    for blob in blobs {
        let start = blob_item(&BlobHash::of(blob), blob.len() as u64);
        hasher.update(&start);
        for chunk in blob.chunks(CHUNK_BYTES) {
            hasher.update(&item::chunk_start(chunk.len()));
        }
        plain.extend(blob_items(blob));
    }
    plain.extend(trailer_item(
        header.outgoing.contents,
        *hasher.finalize().as_bytes(),
    ));
    plain
}

/// The compressed stream of a plain one, padding and all.
pub fn compressed_stream(plain: &[u8]) -> Vec<u8> {
    let frames: Vec<u8> = plain
        .chunks(CHUNK_BYTES)
        .flat_map(|chunk| frames::compress_frame(chunk).expect("compress"))
        .collect();
    with_padding(frames)
}

/// Any frames, with the padding that their length calls for.
pub fn with_padding(mut frames: Vec<u8>) -> Vec<u8> {
    let length = frames.len() as u64;
    frames::write_padding(length, &mut frames).expect("pad");
    frames
}

/// An age file of any bytes, to any recipients.
pub fn age_file(compressed: &[u8], recipients: &[&PublicIdentity]) -> Vec<u8> {
    let recipients = recipients
        .iter()
        .map(|to| to.age_recipient() as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).expect("encrypt");
    let mut writer = encryptor.wrap_output(Vec::new()).expect("encrypt");
    writer.write_all(compressed).expect("encrypt");
    writer.finish().expect("encrypt")
}

/// A bundle file around any bytes in place of the age file, signed by `signer`.
pub fn signed_file(age_file: &[u8], signer: &NodeIdentity) -> Vec<u8> {
    let mut hasher = signing::hasher(signing::BUNDLE);
    hasher.update(&Preamble::signed_part());
    hasher.update(age_file);
    let signature = signing::sign(
        signer.signing_key(),
        signing::BUNDLE,
        hasher.finalize().as_bytes(),
    );
    let mut file = blank_preamble().to_vec();
    file[SIGNATURE_AT..].copy_from_slice(&signature);
    file.extend(age_file);
    file
}

/// Where the item of a volume table begins.
pub const TABLE_BODY_AT: usize = volumes::BODY_AT;

/// A volume table around any bytes in place of its item, signed by `signer`.
pub fn signed_table(body: &[u8], signer: &NodeIdentity) -> Vec<u8> {
    let hash = signing::hash(signing::VOLUMES, body);
    let signature = signing::sign(signer.signing_key(), signing::VOLUMES, &hash);
    [&volumes::MAGIC[..], &signature, body].concat()
}

/// A bundle file around any plain stream.
pub fn bundle_of(plain: &[u8], signer: &NodeIdentity, recipient: &PublicIdentity) -> Vec<u8> {
    signed_file(&age_file(&compressed_stream(plain), &[recipient]), signer)
}
