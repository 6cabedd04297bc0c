//! The plain stream as it comes out of the frames, item by item.

use crate::cbor::{CborError, Head, check_item, read_head};
use crate::frames::Frames;
use crate::header::{Header, decode_header};
use crate::item;

use super::UnpackError;

/// Holds one frame's content, and what is left of the one before while an item crosses the border.
pub(super) struct PlainStream<'a> {
    frames: Frames<'a>,
    buffer: Vec<u8>,
    at: usize,
    hasher: blake3::Hasher,
    taken: u64,
}

impl<'a> PlainStream<'a> {
    pub(super) fn new(frames: Frames<'a>) -> Self {
        Self {
            frames,
            buffer: Vec::new(),
            at: 0,
            hasher: blake3::Hasher::new(),
            taken: 0,
        }
    }

    /// Bytes taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// The hash of all bytes taken so far, but for those inside of chunks.
    pub(super) fn hash(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }

    /// What has been read and not been taken.
    pub(super) fn buffered(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// The next `n` bytes, without taking them.
    pub(super) fn peek(&mut self, n: usize) -> Result<&[u8], UnpackError> {
        while self.buffered().len() < n {
            self.more()?;
        }
        Ok(&self.buffered()[..n])
    }

    /// The head that starts `offset` bytes on.
    pub(super) fn head_at(&mut self, offset: usize) -> Result<Head, UnpackError> {
        loop {
            match self
                .buffered()
                .get(offset..)
                .map_or(Err(CborError::Truncated), read_head)
            {
                Err(CborError::Truncated) => self.more()?,
                other => return other.map_err(UnpackError::Item),
            }
        }
    }

    /// The length of the whole item that starts `offset` bytes on, at most `limit`. It is buffered then.
    pub(super) fn item_at(
        &mut self,
        offset: usize,
        limit: u64,
        wrap: fn(CborError) -> UnpackError,
    ) -> Result<usize, UnpackError> {
        loop {
            let rest = self.buffered().get(offset..).unwrap_or_default();
            match check_item(rest) {
                Ok(length) if length as u64 > limit => return Err(UnpackError::ItemTooLarge(limit)),
                Ok(length) => return Ok(length),
                Err(CborError::Truncated) if rest.len() as u64 > limit => {
                    return Err(UnpackError::ItemTooLarge(limit));
                }
                Err(CborError::Truncated) => self.more()?,
                Err(error) => return Err(wrap(error)),
            }
        }
    }

    /// Takes `n` buffered bytes.
    pub(super) fn take(&mut self, n: usize) {
        self.hasher.update(&self.buffer[self.at..self.at + n]);
        self.skip(n);
    }

    /// Takes `n` buffered bytes from inside of a chunk: their blob's hash covers them.
    pub(super) fn skip(&mut self, n: usize) {
        self.at += n;
        self.taken += n as u64;
    }

    /// Whether the stream is over: nothing is buffered, and no frame follows.
    pub(super) fn at_end(&mut self) -> Result<bool, UnpackError> {
        if !self.buffered().is_empty() {
            return Ok(false);
        }
        Ok(self.frames.next()?.is_none())
    }

    fn more(&mut self) -> Result<(), UnpackError> {
        let next = self.frames.next()?.ok_or(UnpackError::Truncated)?;
        if self.buffered().is_empty() {
            self.frames.recycle(std::mem::replace(&mut self.buffer, next));
        } else {
            self.buffer.drain(..self.at);
            self.buffer.extend_from_slice(&next);
            self.frames.recycle(next);
        }
        self.at = 0;
        Ok(())
    }
}

/// The header, from the start of the plain stream.
pub(crate) fn parse_first_item(start: &[u8]) -> Result<Header, UnpackError> {
    let body = start
        .strip_prefix(&[item::PAIR, item::HEADER])
        .ok_or(UnpackError::Order("the header is missing"))?;
    let length = check_item(body).map_err(UnpackError::Header)?;
    let header = decode_header(&body[..length]).map_err(UnpackError::Header)?;
    header.check()?;
    Ok(header)
}
