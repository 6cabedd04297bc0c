//! Frames of content that does not compress: raw blocks, written without asking zstd.

use twox_hash::XxHash64;

use super::{BLOCK_BYTES, FRAME_MAGIC};
use crate::limits::CHUNK_BYTES;

/// Bytes looked at to judge a frame's content.
const SAMPLE_BYTES: usize = 32 * 1024;

/// Single segment, content size in four bytes, checksum.
const DESCRIPTOR: u8 = 0b1010_0100;

/// Whether compressing is not worth trying: a sample spread over the content has the byte frequencies of noise.
///
/// Depends on the content only, so that a bundle's bytes do not depend on the machine. Encrypted and
/// already compressed data has this property; what repeats itself at a distance while looking like noise (two copies
/// of one archive) is stored too, which costs space and nothing else.
pub(super) fn looks_incompressible(content: &[u8]) -> bool {
    if content.len() < SAMPLE_BYTES {
        return false;
    }
    // 32 stretches of 1 KiB, evenly spread.
    let stretches = SAMPLE_BYTES / 1024;
    let step = content.len() / stretches;
    let mut counts = [0u32; 256];
    for stretch in 0..stretches {
        for byte in &content[stretch * step..stretch * step + 1024] {
            counts[usize::from(*byte)] += 1;
        }
    }
    // Chi-squared against the uniform distribution, scaled by the expected count of 128. Noise gives 255 ± 23; text,
    // tables and machine code give tens of thousands. The bound is 11 deviations out: noise never misses it.
    let expected = i64::try_from(SAMPLE_BYTES / 256).unwrap_or(i64::MAX);
    let squares: i64 = counts
        .iter()
        .map(|count| (i64::from(*count) - expected).pow(2))
        .sum();
    squares / expected < 512
}

/// Appends a frame that holds `content` (1 byte to [`CHUNK_BYTES`]) as it is.
pub(super) fn store(content: &[u8], frame: &mut Vec<u8>) {
    debug_assert!(!content.is_empty() && content.len() <= CHUNK_BYTES);
    frame.extend(FRAME_MAGIC);
    frame.push(DESCRIPTOR);
    let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
    frame.extend(size.to_le_bytes());
    let mut blocks = content.chunks(BLOCK_BYTES).peekable();
    while let Some(block) = blocks.next() {
        let last = u32::from(blocks.peek().is_none());
        // Bits 1 and 2 are the type: 0, raw.
        let head = (u32::try_from(block.len()).unwrap_or(u32::MAX) << 3 | last).to_le_bytes();
        frame.extend(&head[..3]);
        frame.extend(block);
    }
    // The checksum is the low half of XXH64 with seed 0.
    let checksum = XxHash64::oneshot(0, content).to_le_bytes();
    frame.extend(&checksum[..4]);
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn zstd_reads_stored_frames() {
        for length in [
            1,
            255,
            256,
            BLOCK_BYTES,
            BLOCK_BYTES + 1,
            CHUNK_BYTES - 1,
            CHUNK_BYTES,
        ] {
            let content: Vec<u8> = (0..length).map(|i| (i % 251).to_le_bytes()[0]).collect();
            let mut frame = Vec::new();
            store(&content, &mut frame);
            assert_eq!(zstd::bulk::decompress(&frame, CHUNK_BYTES).unwrap(), content);
            let mut damaged = frame.clone();
            damaged[12] ^= 1;
            assert!(
                zstd::bulk::decompress(&damaged, CHUNK_BYTES).is_err(),
                "the checksum counts"
            );
        }
    }

    #[test]
    fn noise_is_told_from_data() {
        let mut noise = vec![0u8; CHUNK_BYTES];
        rand::rng().fill(&mut noise[..]);
        assert!(looks_incompressible(&noise));
        let text: Vec<u8> = (0..CHUNK_BYTES / 8)
            .flat_map(|i| format!("{i:07},").into_bytes())
            .collect();
        assert!(!looks_incompressible(&text));
        let packed = zstd::bulk::compress(&text, 1).unwrap();
        assert!(packed.len() > SAMPLE_BYTES && !looks_incompressible(&[0; CHUNK_BYTES]));
        assert!(
            !looks_incompressible(&noise[..100]),
            "too little to judge: zstd decides"
        );
    }
}
