//! Buffers that go round instead of going back to the system: giving back and taking megabytes costs more time in page
//! faults than most of the work on them.

use std::sync::{Mutex, PoisonError};

use crate::limits::CHUNK_BYTES;

/// Room for a frame's content, compressed or not: zstd's worst case is content / 256 more, a few bytes of heads,
/// and a margin.
pub(super) const BUFFER_BYTES: usize = CHUNK_BYTES + CHUNK_BYTES / 128;

/// Empty buffers of [`BUFFER_BYTES`]. Never holds more than were in use at once.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Vec<u8>>>);

impl Pool {
    pub(super) fn take(&self) -> Vec<u8> {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
    }

    pub(super) fn put(&self, mut buffer: Vec<u8>) {
        // A buffer that grew past its size is not one of ours any more.
        if buffer.capacity() == BUFFER_BYTES {
            buffer.clear();
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        }
    }
}
