//! Cuts the compressed stream into frames and checks all that can be checked without decompressing.

use std::io::Read;

use super::pad::padding_frame_size;
use super::{BLOCK_BYTES, FRAME_MAGIC, FrameError, SKIPPABLE_MAGIC};
use crate::limits::CHUNK_BYTES;

/// A frame with its declared content size.
pub(crate) struct CutFrame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content_size: usize,
}

/// Reads frames until the padding, and demands that nothing follows it.
pub(super) struct Splitter<R> {
    source: R,
    compressed: u64,
    content: u64,
    max_content: u64,
    last_was_short: bool,
}

impl<R: Read> Splitter<R> {
    pub(super) fn new(source: R, max_content: u64) -> Self {
        Self {
            source,
            compressed: 0,
            content: 0,
            max_content,
            last_was_short: false,
        }
    }

    /// The next frame, or none once the padding has been checked.
    ///
    /// It is read into the empty buffer `bytes`.
    pub(super) fn next(&mut self, mut bytes: Vec<u8>) -> Result<Option<CutFrame>, FrameError> {
        let mut magic = [0; 4];
        self.read_exact(&mut magic)?;
        if magic == SKIPPABLE_MAGIC {
            self.check_padding()?;
            return Ok(None);
        }
        if magic != FRAME_MAGIC {
            return Err(FrameError::NotAFrame);
        }
        bytes.extend(magic);
        let content_size = self.read_header(&mut bytes)?;
        if content_size == 0 || content_size > CHUNK_BYTES as u64 || self.last_was_short {
            return Err(FrameError::Size(content_size));
        }
        self.last_was_short = content_size < CHUNK_BYTES as u64;
        self.content += content_size;
        if self.content > self.max_content {
            return Err(FrameError::TooLarge(self.max_content));
        }
        let content_size = usize::try_from(content_size).map_err(|_| FrameError::Size(content_size))?;
        self.read_blocks(content_size, &mut bytes)?;
        self.compressed += bytes.len() as u64;
        Ok(Some(CutFrame { bytes, content_size }))
    }

    /// RFC 8878 §3.1.1.1. Returns the content size.
    fn read_header(&mut self, bytes: &mut Vec<u8>) -> Result<u64, FrameError> {
        let descriptor = self.extend(bytes, 1)?[0];
        let single_segment = descriptor & 0b0010_0000 != 0;
        if descriptor & 0b0001_1000 != 0 {
            return Err(FrameError::NotAFrame);
        }
        if descriptor & 0b0000_0011 != 0 {
            return Err(FrameError::Dictionary);
        }
        if descriptor & 0b0000_0100 == 0 {
            return Err(FrameError::NoChecksum);
        }
        if !single_segment {
            let window = self.extend(bytes, 1)?[0];
            let base = 1u64 << (10 + u32::from(window >> 3));
            if base + base / 8 * u64::from(window & 7) > CHUNK_BYTES as u64 {
                return Err(FrameError::Window);
            }
        }
        let little_endian = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0, |value, byte| value << 8 | u64::from(*byte))
        };
        match descriptor >> 6 {
            0 if single_segment => Ok(little_endian(self.extend(bytes, 1)?)),
            0 => Err(FrameError::NoSize),
            // Two bytes hold sizes from 256 on.
            1 => Ok(little_endian(self.extend(bytes, 2)?) + 256),
            2 => Ok(little_endian(self.extend(bytes, 4)?)),
            _ => Ok(little_endian(self.extend(bytes, 8)?)),
        }
    }

    /// RFC 8878 §3.1.1.2, and the checksum.
    fn read_blocks(&mut self, content_size: usize, bytes: &mut Vec<u8>) -> Result<(), FrameError> {
        // A block larger than its content would be a raw one, and each costs a 3-byte head; anything beyond is filler.
        let most = content_size + 3 * (content_size / BLOCK_BYTES + 1) + content_size / 64 + 64;
        loop {
            let head = self.extend(bytes, 3)?;
            let head = u32::from_le_bytes([head[0], head[1], head[2], 0]);
            let size = usize::try_from(head >> 3).map_err(|_| FrameError::Corrupted)?;
            if size > BLOCK_BYTES {
                return Err(FrameError::Corrupted);
            }
            let stored = match (head >> 1) & 3 {
                0 | 2 => size,
                1 => 1,
                _ => return Err(FrameError::Corrupted),
            };
            if bytes.len() + stored > most {
                return Err(FrameError::Corrupted);
            }
            self.extend(bytes, stored)?;
            if head & 1 == 1 {
                self.extend(bytes, 4)?;
                return Ok(());
            }
        }
    }

    /// The one size that the content calls for, all zeros, and then the end.
    fn check_padding(&mut self) -> Result<(), FrameError> {
        let mut declared = [0; 4];
        self.read_exact(&mut declared)?;
        let declared = u64::from(u32::from_le_bytes(declared));
        if declared + 8 != padding_frame_size(self.compressed) {
            return Err(FrameError::Padding);
        }
        let mut buffer = vec![0; 64 * 1024];
        let mut left = declared;
        while left > 0 {
            let take = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            self.read_exact(&mut buffer[..take])?;
            if buffer[..take].iter().any(|byte| *byte != 0) {
                return Err(FrameError::Padding);
            }
            left -= take as u64;
        }
        match self.source.read(&mut buffer[..1]).map_err(FrameError::read)? {
            0 => Ok(()),
            _ => Err(FrameError::TrailingData),
        }
    }

    fn extend<'b>(&mut self, bytes: &'b mut Vec<u8>, by: usize) -> Result<&'b [u8], FrameError> {
        let start = bytes.len();
        bytes.resize(start + by, 0);
        self.read_exact(&mut bytes[start..])?;
        Ok(&bytes[start..])
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), FrameError> {
        self.source.read_exact(buffer).map_err(FrameError::read)
    }
}

/// Decompresses one frame into an empty buffer. It must give exactly what it declares; the buffer's capacity bounds it
/// meanwhile.
pub(super) fn decompress(
    zstd: &mut zstd::bulk::Decompressor<'static>,
    frame: &CutFrame,
    content: &mut Vec<u8>,
) -> Result<(), FrameError> {
    content.reserve_exact(frame.content_size);
    zstd.decompress_to_buffer(&frame.bytes, content)
        .map_err(|_| FrameError::Corrupted)?;
    if content.len() == frame.content_size {
        Ok(())
    } else {
        Err(FrameError::Corrupted)
    }
}

/// The content of the first frame only.
pub(crate) fn first_frame(source: impl Read) -> Result<Vec<u8>, FrameError> {
    let frame = Splitter::new(source, CHUNK_BYTES as u64)
        .next(Vec::new())?
        .ok_or(FrameError::Truncated)?;
    let mut zstd = zstd::bulk::Decompressor::new().map_err(|_| FrameError::Worker)?;
    let mut content = Vec::new();
    decompress(&mut zstd, &frame, &mut content)?;
    Ok(content)
}
