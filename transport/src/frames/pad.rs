//! Padding to Padmé sizes (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with
//! PURBs", PETS 2019, §4.2.2): a size keeps only as many significant bits as its exponent has, so that 810 sizes
//! cover everything up to 16 GiB, at a cost of at most 12% for tiny and 3% for large streams.

use std::io::{self, Write};

use super::SKIPPABLE_MAGIC;

/// Every smaller compressed stream is padded to this size, so that bundles with little in them look alike.
pub(crate) const MIN_STREAM_BYTES: u64 = 32 * 1024;

/// Magic and length.
const SKIPPABLE_HEAD_BYTES: u64 = 8;

/// The Padmé size of a stream of `length` bytes, at least [`MIN_STREAM_BYTES`].
pub(crate) fn padded(length: u64) -> u64 {
    let length = length.max(MIN_STREAM_BYTES);
    let exponent = length.ilog2();
    let significant = exponent.ilog2() + 1;
    let mask = (1u64 << (exponent - significant)) - 1;
    length.saturating_add(mask) & !mask
}

/// The size of the skippable frame, with its head, that follows `compressed` bytes of frames.
pub(crate) fn padding_frame_size(compressed: u64) -> u64 {
    padded(compressed.saturating_add(SKIPPABLE_HEAD_BYTES)) - compressed
}

/// Writes the skippable frame that follows `compressed` bytes of frames.
pub(crate) fn write_padding(compressed: u64, sink: &mut impl Write) -> io::Result<()> {
    let content = padding_frame_size(compressed) - SKIPPABLE_HEAD_BYTES;
    // Holds for every stream within MAX_PLAIN_BYTES.
    let declared = u32::try_from(content).map_err(|_| io::ErrorKind::FileTooLarge)?;
    sink.write_all(&SKIPPABLE_MAGIC)?;
    sink.write_all(&declared.to_le_bytes())?;
    io::copy(&mut io::Read::take(io::repeat(0), content), sink)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::MAX_PLAIN_BYTES;

    #[test]
    fn known_sizes() {
        assert_eq!(padded(0), MIN_STREAM_BYTES);
        assert_eq!(padded(MIN_STREAM_BYTES), MIN_STREAM_BYTES);
        // Exponent 15 has 4 bits, so 11 bits are rounded away.
        assert_eq!(padded(MIN_STREAM_BYTES + 1), MIN_STREAM_BYTES + 2048);
        assert_eq!(padded(1 << 30), 1 << 30);
        // Incompressible content at the format's maximum still fits one skippable frame.
        let worst = MAX_PLAIN_BYTES + MAX_PLAIN_BYTES / 1024 + 1;
        assert!(padding_frame_size(worst) < u64::from(u32::MAX));
    }

    proptest! {
        #[test]
        fn padding_is_small_and_idempotent(length in 0u64..1 << 39) {
            let size = padded(length);
            prop_assert!(size >= length && padded(size) == size);
            prop_assert!(length < MIN_STREAM_BYTES || size - length <= length / 16);
        }
    }
}
