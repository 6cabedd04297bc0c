use std::io::{self, Write};
use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::pad::{MIN_STREAM_BYTES, padded, write_padding};
use super::*;

fn workers(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn compressed(content: &[u8], threads: usize) -> Vec<u8> {
    let mut compressor = Compressor::new(Vec::new(), workers(threads)).unwrap();
    for piece in content.chunks(70_001) {
        compressor.write(piece).unwrap();
    }
    compressor.finish().unwrap()
}

fn expanded(stream: &[u8], max_content: u64) -> Result<Vec<u8>, FrameError> {
    expand(stream, max_content, workers(2), |mut frames| {
        let mut content = Vec::new();
        while let Some(frame) = frames.next()? {
            content.extend(frame);
        }
        Ok(content)
    })
}

fn with_padding(mut frames: Vec<u8>) -> Vec<u8> {
    let length = frames.len() as u64;
    write_padding(length, &mut frames).unwrap();
    frames
}

/// A compressible start, noise, and again: both kinds of frames.
fn sample(length: usize) -> Vec<u8> {
    use rand::{RngExt, SeedableRng};
    let mut content: Vec<u8> = (0..length / 2).map(|i| (i / 97).to_le_bytes()[0]).collect();
    content.resize(length, 0);
    rand::rngs::SmallRng::seed_from_u64(1).fill(&mut content[length / 2..]);
    content
}

#[test]
fn the_stream_is_the_same_with_any_number_of_workers() {
    let content = sample(9 * CHUNK_BYTES + 12_345);
    let one = compressed(&content, 1);
    for threads in [2, 3, 8] {
        assert!(compressed(&content, threads) == one, "{threads} workers");
    }
    assert_eq!(expanded(&one, u64::MAX).unwrap(), content);
    assert!(one.len() < content.len() * 2 / 3, "half of it compresses");
}

#[test]
fn stock_zstd_reads_the_stream() {
    for length in [0, 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 1] {
        let content = sample(length);
        let stream = compressed(&content, 2);
        assert_eq!(stream.len() as u64, padded(stream.len() as u64));
        assert!(stream.len() as u64 >= MIN_STREAM_BYTES);
        assert_eq!(zstd_decode_all(&stream), content);
    }
}

fn zstd_decode_all(stream: &[u8]) -> Vec<u8> {
    zstd::stream::decode_all(stream).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_goes_in_comes_out(length in 0usize..3 * CHUNK_BYTES, threads in 1usize..5) {
        let content = sample(length);
        let stream = compressed(&content, threads);
        prop_assert_eq!(expanded(&stream, u64::MAX).unwrap(), content);
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_noticed() {
    let content = b"records, ".repeat(20);
    let stream = compressed(&content, 1);
    for end in 0..stream.len().min(400) {
        assert!(expanded(&stream[..end], u64::MAX).is_err(), "cut at {end}");
    }
    for bit in 0..8 * 300 {
        let mut damaged = stream.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        // zstd gives some headers more than one spelling; what comes out is checked by its checksum.
        if let Ok(content_then) = expanded(&damaged, u64::MAX) {
            assert_eq!(content_then, content, "bit {bit}");
        }
    }
    assert!(matches!(
        expanded(&[&stream[..], &[0]].concat(), u64::MAX),
        Err(FrameError::TrailingData)
    ));
}

#[test]
fn foreign_frames_are_refused_by_name() {
    let error = |frame: Vec<u8>| expanded(&with_padding(frame), u64::MAX).unwrap_err();
    let small = vec![7u8; 5000];

    let mut zstd = zstd::bulk::Compressor::new(1).unwrap();
    assert!(matches!(
        error(zstd.compress(&small).unwrap()),
        FrameError::NoChecksum
    ));
    zstd.include_checksum(true).unwrap();
    assert!(expanded(&with_padding(zstd.compress(&small).unwrap()), u64::MAX).is_ok());
    zstd.include_contentsize(false).unwrap();
    assert!(matches!(
        error(zstd.compress(&small).unwrap()),
        FrameError::NoSize
    ));

    let streamed = |window: u32| {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(&small).unwrap();
        encoder.finish().unwrap()
    };
    assert!(matches!(error(streamed(27)), FrameError::Window));
    assert!(matches!(error(streamed(20)), FrameError::NoSize));

    let mut zstd = zstd::bulk::Compressor::new(1).unwrap();
    zstd.include_checksum(true).unwrap();
    let huge = zstd.compress(&vec![0; CHUNK_BYTES + 1]).unwrap();
    assert!(matches!(error(huge), FrameError::Window | FrameError::Size(_)));
    assert!(matches!(error(zstd.compress(&[]).unwrap()), FrameError::Size(0)));
    let short = zstd.compress(&small).unwrap();
    assert!(matches!(
        error([&short[..], &short].concat()),
        FrameError::Size(5000)
    ));

    let mut named = short.clone();
    named[4] |= 1;
    assert!(matches!(error(named), FrameError::Dictionary));
    assert!(matches!(error(b"PK\x03\x04".to_vec()), FrameError::NotAFrame));
    // Another skippable frame than the padding's.
    assert!(matches!(
        error([&0x184D_2A51_u32.to_le_bytes()[..], &[0; 4]].concat()),
        FrameError::NotAFrame
    ));
}

/// 32,785 bytes that zstd expands to 1 GiB, and the same once more inside.
#[test]
fn bombs_stop_at_their_declared_size() {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    let zeros = vec![0; CHUNK_BYTES];
    (0..1024).for_each(|_| encoder.write_all(&zeros).unwrap());
    let gigabyte = encoder.finish().unwrap();
    assert!(gigabyte.len() < 40_000);
    assert!(expanded(&with_padding(gigabyte.clone()), u64::MAX).is_err());
    let nested = zstd::bulk::compress(&gigabyte, 3).unwrap();
    assert!(expanded(&with_padding(nested), u64::MAX).is_err());

    // Well-formed frames are still counted.
    let stream = compressed(&vec![0; 8 * CHUNK_BYTES], 1);
    assert!(matches!(expanded(&stream, 4 << 20), Err(FrameError::TooLarge(_))));

    // A frame that declares one byte and expands to a megabyte.
    let mut zstd = zstd::bulk::Compressor::new(1).unwrap();
    zstd.include_checksum(true).unwrap();
    let mut frame = zstd.compress(&vec![0; 1000]).unwrap();
    assert_eq!(&frame[4..7], &[0x64, 0xe8, 0x02], "two-byte size, single segment");
    frame[5] = 0;
    frame[6] = 0;
    assert!(matches!(
        expanded(&with_padding(frame), u64::MAX),
        Err(FrameError::Corrupted)
    ));

    // Endless empty blocks in a frame that declares little.
    let mut filler = vec![0x28, 0xb5, 0x2f, 0xfd, 0x24, 1];
    filler.extend([0, 0, 0].repeat(1 << 20));
    assert!(matches!(expanded(&filler, u64::MAX), Err(FrameError::Corrupted)));
}

#[test]
fn padding_has_one_form() {
    let frame = compress::compress_frame(b"x").unwrap();
    let good = with_padding(frame.clone());
    assert!(expanded(&good, u64::MAX).is_ok());
    let mut marked = good.clone();
    *marked.last_mut().unwrap() = 1;
    assert!(matches!(expanded(&marked, u64::MAX), Err(FrameError::Padding)));
    let mut longer = frame.clone();
    longer.extend(SKIPPABLE_MAGIC);
    longer.extend(70_000u32.to_le_bytes());
    longer.resize(longer.len() + 70_000, 0);
    assert!(matches!(expanded(&longer, u64::MAX), Err(FrameError::Padding)));
    assert!(matches!(expanded(&frame, u64::MAX), Err(FrameError::Truncated)));
}

/// A sink that fails must neither hang the pipeline nor be taken for success.
#[test]
fn a_failing_sink_ends_everything() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(bytes.len())
                .ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let content = sample(2 * CHUNK_BYTES);
    let mut compressor = Compressor::new(Full(5 * CHUNK_BYTES), workers(3)).unwrap();
    let error = (0..50)
        .find_map(|_| compressor.write(&content).err())
        .expect("must fail");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(compressor.finish().is_err());
}

/// A consumer that stops early must not leave threads waiting for it.
#[test]
fn a_consumer_may_stop_at_any_time() {
    let stream = compressed(&sample(12 * CHUNK_BYTES), 2);
    for stop_after in 0..6 {
        expand(&stream[..], u64::MAX, workers(2), |mut frames| {
            for _ in 0..stop_after {
                frames.next().unwrap();
            }
        });
    }
}
