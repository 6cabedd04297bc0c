//! What a receiver is willing to spend on a bundle.

use std::num::NonZeroUsize;

/// The largest record that format 1 allows, in bytes of its CBOR.
pub const MAX_RECORD_BYTES: u64 = 256 * 1024;

/// The largest plain stream that format 1 allows: 256 GiB. Past it, the padding would not fit one skippable frame.
pub const MAX_PLAIN_BYTES: u64 = 1 << 38;

/// The most that one chunk of a blob, and one compressed frame, holds.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Bounds on one bundle, chosen by whoever receives it. What a header declares can only lower them. Passing one is
/// an error that names it, never a silent cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Size of the bundle file. Default 64 GiB.
    pub file_bytes: u64,
    /// Size of everything inside once decompressed. Default 128 GiB, never more than [`MAX_PLAIN_BYTES`].
    pub plain_bytes: u64,
    /// Number of records. Default 1,000,000.
    pub records: u64,
    /// Size of one record. Default and maximum [`MAX_RECORD_BYTES`].
    pub record_bytes: u64,
    /// Number of blobs. Default 100,000.
    pub blobs: u64,
    /// Size of one blob. Default 64 GiB.
    pub blob_bytes: u64,
    /// Space that stays free on the disk that takes the copy. Default 256 MiB.
    pub free_reserve: u64,
    /// Threads that decompress. Default: one per core, at most 8, so that memory stays under 64 MiB.
    pub workers: NonZeroUsize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 30,
            plain_bytes: 128 << 30,
            records: 1_000_000,
            record_bytes: MAX_RECORD_BYTES,
            blobs: 100_000,
            blob_bytes: 64 << 30,
            free_reserve: 256 << 20,
            workers: default_workers(),
        }
    }
}

/// One thread per core, at most 8.
pub fn default_workers() -> NonZeroUsize {
    let most = NonZeroUsize::MIN.saturating_add(7);
    std::thread::available_parallelism().map_or(NonZeroUsize::MIN, |cores| cores.min(most))
}
