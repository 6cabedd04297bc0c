//! The zstd stream: independent frames of exactly [`CHUNK_BYTES`] of content each (the last may be shorter), then
//! one skippable frame that pads the whole. Format: RFC 8878.

mod compress;
mod expand;
mod pad;
mod pool;
mod split;
mod store;
#[cfg(test)]
mod tests;

use std::io;

pub(crate) use compress::Compressor;
#[cfg(feature = "craft")]
pub(crate) use compress::compress_frame;
pub(crate) use expand::{Frames, expand};
#[cfg(feature = "craft")]
pub(crate) use pad::write_padding;
pub(crate) use split::first_frame;

use crate::limits::CHUNK_BYTES;

/// First bytes of a frame.
const FRAME_MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// First bytes of the one kind of skippable frame in use.
const SKIPPABLE_MAGIC: [u8; 4] = 0x184D_2A50_u32.to_le_bytes();
/// No block of a frame holds more.
const BLOCK_BYTES: usize = 128 * 1024;

/// Frames that are being worked on or wait for their turn, whatever the number of workers. Each takes a megabyte or
/// two; fewer would make threads of a busy machine wait for each other.
const FRAMES_IN_FLIGHT: usize = 16;

/// Why a zstd stream is not one of a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Reading, or age's authentication of what is read, failed.
    #[error("the encrypted stream cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The stream ends inside a frame or before the padding.
    #[error("the compressed stream is cut short")]
    Truncated,
    /// Neither a frame nor the padding.
    #[error("something other than a zstd frame stands in the stream")]
    NotAFrame,
    /// A frame with a window beyond 1 MiB.
    #[error("a zstd frame asks for a window larger than {CHUNK_BYTES} bytes")]
    Window,
    /// A frame without declared content size.
    #[error("a zstd frame does not declare its content size")]
    NoSize,
    /// A frame that declares no content, or more than 1 MiB, or less although others follow.
    #[error("a zstd frame declares {0} bytes; all but the last hold {CHUNK_BYTES}, and none is empty")]
    Size(u64),
    /// A frame without checksum.
    #[error("a zstd frame has no checksum")]
    NoChecksum,
    /// A frame that needs a dictionary.
    #[error("a zstd frame needs a dictionary")]
    Dictionary,
    /// A frame whose blocks are malformed, larger than their content, or do not give the declared content.
    #[error("a zstd frame is corrupted")]
    Corrupted,
    /// Padding of another size than the content calls for, or with content of its own.
    #[error("the padding is not the one that the content calls for")]
    Padding,
    /// Bytes after the padding.
    #[error("bytes follow the padding")]
    TrailingData,
    /// More than the receiver takes.
    #[error("the bundle expands to more than {0} bytes")]
    TooLarge(u64),
    /// A worker thread ended early.
    #[error("a worker thread ended early")]
    Worker,
}

impl FrameError {
    fn read(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Read(error),
        }
    }
}
