//! The items of the plain stream. Each is an array whose first element says what it is:
//!
//! ```text
//! [0, {…}]             the header, once, first
//! [1, any]             a record
//! [2, h'32', length]   a blob; its chunks follow
//! [3, h'…']            1 MiB of the blob, or what is left of it
//! [4, {…}]             the trailer, once, last
//! ```
//!
//! Records stand before blobs, and blobs in ascending order of their hashes, each once.

use crate::cbor::write_head;
use crate::digest::BlobHash;
use crate::limits::CHUNK_BYTES;

pub(crate) const HEADER: u8 = 0;
pub(crate) const RECORD: u8 = 1;
pub(crate) const BLOB: u8 = 2;
pub(crate) const CHUNK: u8 = 3;
pub(crate) const TRAILER: u8 = 4;

/// Start of an array of two.
pub(crate) const PAIR: u8 = 0x82;
/// Start of an array of three.
pub(crate) const TRIPLE: u8 = 0x83;

/// Larger than any header or trailer.
pub(crate) const MAX_FRAME_ITEM_BYTES: u64 = 4096;

pub(crate) fn blob_start(hash: &BlobHash, length: u64) -> Vec<u8> {
    let mut item = vec![TRIPLE, BLOB];
    write_head(2, 32, &mut item);
    item.extend(hash.as_bytes());
    write_head(0, length, &mut item);
    item
}

pub(crate) fn chunk_start(length: usize) -> Vec<u8> {
    let mut item = vec![PAIR, CHUNK];
    write_head(2, length as u64, &mut item);
    item
}

/// The length of the next chunk of a blob of which `left` bytes remain.
pub(crate) fn chunk_length(left: u64) -> usize {
    usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES))
}
