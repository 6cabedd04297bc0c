//! Reads all items, checks each and hands it to the sink.

use super::plain::PlainStream;
use super::{Sink, UnpackError};
use crate::cbor::from_deterministic_slice;
use crate::digest::BlobHash;
use crate::header::{Contents, Header, Trailer, decode_header};
use crate::item;
use crate::limits::Limits;

/// Reads header, records, blobs and trailer, and makes sure that nothing follows. Gives the header and the stream's
/// length.
pub(super) fn read_all(
    plain: &mut PlainStream<'_>,
    limits: &Limits,
    sink: &mut dyn Sink,
    check_parties: impl FnOnce(&Header) -> Result<(), UnpackError>,
) -> Result<(Header, u64), UnpackError> {
    let header = read_header(plain)?;
    check_parties(&header)?;
    let declared = header.outgoing.contents;
    check_limits(&declared, limits)?;
    sink.header(&header).map_err(UnpackError::Refused)?;
    let mut body = Body {
        plain,
        limits,
        sink,
        declared,
        found: Contents::default(),
        last_blob: None,
    };
    while body.read_item()? {}
    if body.found != declared {
        return Err(UnpackError::Counts);
    }
    read_trailer(plain, &declared)?;
    if !plain.at_end()? {
        return Err(UnpackError::TrailingData);
    }
    Ok((header, plain.taken()))
}

fn read_header(plain: &mut PlainStream<'_>) -> Result<Header, UnpackError> {
    if plain.peek(2)? != [item::PAIR, item::HEADER] {
        return Err(UnpackError::Order("the header is missing"));
    }
    let length = plain.item_at(2, item::MAX_FRAME_ITEM_BYTES, UnpackError::Header)?;
    let header = decode_header(&plain.buffered()[2..2 + length]).map_err(UnpackError::Header)?;
    header.check()?;
    plain.take(2 + length);
    Ok(header)
}

fn check_limits(declared: &Contents, limits: &Limits) -> Result<(), UnpackError> {
    let within = |what, declared, limit| {
        if declared > limit {
            Err(UnpackError::Limit {
                what,
                declared,
                limit,
            })
        } else {
            Ok(())
        }
    };
    within("records", declared.records, limits.records)?;
    within("blobs", declared.blobs, limits.blobs)?;
    let bytes = declared.record_bytes.saturating_add(declared.blob_bytes);
    within("bytes", bytes, limits.plain_bytes)
}

fn read_trailer(plain: &mut PlainStream<'_>, declared: &Contents) -> Result<(), UnpackError> {
    let length = plain.item_at(2, item::MAX_FRAME_ITEM_BYTES, UnpackError::Trailer)?;
    let trailer: Trailer =
        from_deterministic_slice(&plain.buffered()[2..2 + length]).map_err(UnpackError::Trailer)?;
    if trailer.contents != *declared {
        return Err(UnpackError::Counts);
    }
    if trailer.hash != plain.hash() {
        return Err(UnpackError::TrailerHash);
    }
    plain.take(2 + length);
    Ok(())
}

struct Body<'a, 'f> {
    plain: &'a mut PlainStream<'f>,
    limits: &'a Limits,
    sink: &'a mut dyn Sink,
    declared: Contents,
    found: Contents,
    last_blob: Option<BlobHash>,
}

impl Body<'_, '_> {
    /// Reads a record or a blob; false when the trailer is next.
    fn read_item(&mut self) -> Result<bool, UnpackError> {
        let array = self.plain.head_at(0)?;
        let kind = self.plain.head_at(array.size)?;
        if array.major != 4 || array.argument == 0 || kind.major != 0 {
            return Err(UnpackError::Order(
                "something other than an item stands in the stream",
            ));
        }
        match (u8::try_from(kind.argument), array.argument) {
            (Ok(item::RECORD), 2) => self.read_record()?,
            (Ok(item::BLOB), 3) => self.read_blob()?,
            (Ok(item::TRAILER), 2) => return Ok(false),
            (Ok(item::CHUNK), 2) => return Err(UnpackError::Order("a chunk stands outside of a blob")),
            (Ok(item::HEADER), 2) => return Err(UnpackError::Order("a second header stands in the stream")),
            _ => return Err(UnpackError::UnknownItem(kind.argument)),
        }
        Ok(true)
    }

    fn read_record(&mut self) -> Result<(), UnpackError> {
        if self.last_blob.is_some() {
            return Err(UnpackError::Order("a record follows a blob"));
        }
        let limit = self.limits.record_bytes.min(crate::limits::MAX_RECORD_BYTES);
        let length = self.plain.item_at(2, limit, UnpackError::Record)?;
        self.found.add_record(length as u64);
        self.check_declared()?;
        self.sink
            .record(&self.plain.buffered()[2..2 + length])
            .map_err(UnpackError::Refused)?;
        self.plain.take(2 + length);
        Ok(())
    }

    fn read_blob(&mut self) -> Result<(), UnpackError> {
        let (hash, length) = self.read_blob_start()?;
        if self.last_blob.is_some_and(|last| last >= hash) {
            return Err(UnpackError::Order("blobs are not in ascending order"));
        }
        self.last_blob = Some(hash);
        if length > self.limits.blob_bytes {
            let limit = self.limits.blob_bytes;
            return Err(UnpackError::Limit {
                what: "bytes in one blob",
                declared: length,
                limit,
            });
        }
        self.found.add_blob(length);
        self.check_declared()?;
        self.sink
            .blob_start(&hash, length)
            .map_err(UnpackError::Refused)?;
        let mut hasher = blake3::Hasher::new();
        let mut left = length;
        while left > 0 {
            let chunk = item::chunk_length(left);
            self.read_chunk(&hash, chunk, &mut hasher)?;
            left -= chunk as u64;
        }
        if hasher.finalize() != *hash.as_bytes() {
            return Err(UnpackError::BlobHash(hash));
        }
        self.sink.blob_end(&hash).map_err(UnpackError::Refused)
    }

    fn read_blob_start(&mut self) -> Result<(BlobHash, u64), UnpackError> {
        // Array and kind, then a byte string of 32.
        let start = self.plain.peek(2 + 2 + 32)?;
        let (head, hash) = (&start[2..4], &start[4..]);
        if head != [0x58, 32] {
            return Err(UnpackError::Order("a blob's hash is malformed"));
        }
        let mut name = [0; 32];
        name.copy_from_slice(hash);
        let length = self.plain.head_at(2 + 2 + 32)?;
        if length.major != 0 {
            return Err(UnpackError::Order("a blob's length is malformed"));
        }
        self.plain.take(2 + 2 + 32 + length.size);
        Ok((BlobHash::from_bytes(name), length.argument))
    }

    /// Passes a chunk's bytes on as they come, without gathering them first.
    fn read_chunk(
        &mut self,
        hash: &BlobHash,
        size: usize,
        hasher: &mut blake3::Hasher,
    ) -> Result<(), UnpackError> {
        if self.plain.peek(2)? != [item::PAIR, item::CHUNK] {
            return Err(UnpackError::ChunkSize(*hash));
        }
        let head = self.plain.head_at(2)?;
        if head.major != 2 || head.argument != size as u64 {
            return Err(UnpackError::ChunkSize(*hash));
        }
        self.plain.take(2 + head.size);
        let mut left = size;
        while left > 0 {
            self.plain.peek(1)?;
            let bytes = self.plain.buffered();
            let bytes = &bytes[..bytes.len().min(left)];
            hasher.update(bytes);
            self.sink.blob_bytes(bytes).map_err(UnpackError::Refused)?;
            let taken = bytes.len();
            self.plain.skip(taken);
            left -= taken;
        }
        Ok(())
    }

    fn check_declared(&self) -> Result<(), UnpackError> {
        if self.found.within(&self.declared) {
            Ok(())
        } else {
            Err(UnpackError::MoreThanDeclared)
        }
    }
}
