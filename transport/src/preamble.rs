//! The first 76 bytes of a bundle file, the only ones in the clear.

use std::io::{self, Read};

/// Seven letters; the eighth byte of the file is the format's number.
const MAGIC: &[u8; 7] = b"PNDLOCK";

/// Bytes before the age file.
pub(crate) const PREAMBLE_BYTES: usize = 76;

/// Where the signature starts; what stands before it is signed.
pub(crate) const SIGNATURE_AT: usize = 12;

/// The parsed preamble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preamble {
    pub(crate) signature: [u8; 64],
}

/// Why a file is not a bundle that this version reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PreambleError {
    /// The file does not start as bundles do.
    #[error("this is not a bundle")]
    NotABundle,
    /// A bundle, but of another format.
    #[error("the bundle is of format {0}, and this node reads up to {max}: update this node", max = crate::FORMAT)]
    UnknownFormat(u8),
    /// The reserved bytes are not zero: written by something newer, or damaged.
    #[error("the bundle uses bytes that format 1 reserves: it is damaged, or this node needs an update")]
    Reserved,
    /// Shorter than any bundle.
    #[error("the bundle is cut short")]
    Truncated,
}

impl Preamble {
    /// The bytes before the signature.
    pub(crate) fn signed_part() -> [u8; SIGNATURE_AT] {
        let mut start = [0; SIGNATURE_AT];
        start[..MAGIC.len()].copy_from_slice(MAGIC);
        start[MAGIC.len()] = crate::FORMAT;
        start
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, PreambleError> {
        let start = &bytes[..bytes.len().min(MAGIC.len())];
        if start != &MAGIC[..start.len()] || start.is_empty() {
            return Err(PreambleError::NotABundle);
        }
        let format = *bytes.get(MAGIC.len()).ok_or(PreambleError::Truncated)?;
        if format != crate::FORMAT {
            return Err(PreambleError::UnknownFormat(format));
        }
        let bytes: &[u8; PREAMBLE_BYTES] = bytes
            .get(..PREAMBLE_BYTES)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(PreambleError::Truncated)?;
        if bytes[MAGIC.len() + 1..SIGNATURE_AT] != [0; 4] {
            return Err(PreambleError::Reserved);
        }
        let mut signature = [0; 64];
        signature.copy_from_slice(&bytes[SIGNATURE_AT..]);
        Ok(Self { signature })
    }
}

/// Reads as much of the preamble as there is.
pub(crate) fn read_start(mut source: impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(PREAMBLE_BYTES);
    source
        .by_ref()
        .take(PREAMBLE_BYTES as u64)
        .read_to_end(&mut start)?;
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_other_formats_and_cut_ones_are_told_apart() {
        let mut good = Preamble::signed_part().to_vec();
        good.resize(PREAMBLE_BYTES, 7);
        assert_eq!(Preamble::parse(&good), Ok(Preamble { signature: [7; 64] }));
        assert_eq!(Preamble::parse(b""), Err(PreambleError::NotABundle));
        assert_eq!(Preamble::parse(b"PK\x03\x04"), Err(PreambleError::NotABundle));
        for end in 1..PREAMBLE_BYTES {
            assert_eq!(
                Preamble::parse(&good[..end]),
                Err(PreambleError::Truncated),
                "{end}"
            );
        }
        for at in 0..SIGNATURE_AT {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            let expected = match at {
                0..7 => PreambleError::NotABundle,
                7 => PreambleError::UnknownFormat(0x11),
                _ => PreambleError::Reserved,
            };
            assert_eq!(Preamble::parse(&bad), Err(expected), "{at}");
        }
    }
}
