//! The end of the writing pipeline: a file that is hashed as it is written, and read back.

use std::fs::File;
use std::io::{self, Read, Write};

use crate::digest::BundleHash;
use crate::medium::{TemporaryFile, expect_sequential, forget_cached};
use crate::preamble::{PREAMBLE_BYTES, Preamble, read_start};
use crate::signing;

/// Writes on, hashing what a signature covers.
pub(crate) struct HashingFile {
    file: File,
    hasher: blake3::Hasher,
    size: u64,
}

impl HashingFile {
    /// Writes the preamble with a blank signature.
    pub(super) fn start(mut file: File) -> io::Result<Self> {
        file.write_all(&super::blank_preamble())?;
        let mut hasher = signing::hasher(signing::BUNDLE);
        hasher.update(&Preamble::signed_part());
        Ok(Self {
            file,
            hasher,
            size: PREAMBLE_BYTES as u64,
        })
    }

    pub(super) fn end(self) -> io::Result<(File, BundleHash, u64)> {
        Ok((
            self.file,
            BundleHash::from_bytes(*self.hasher.finalize().as_bytes()),
            self.size,
        ))
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Reads a synced file again, from the device where the system lets it, and says whether it is the one expected.
pub(super) fn read_back(
    temporary: &TemporaryFile,
    hash: &BundleHash,
    size: u64,
    signature_holds: impl FnOnce(&[u8; 64]) -> bool,
) -> io::Result<bool> {
    let mut file = File::open(temporary.path())?;
    forget_cached(&file)?;
    expect_sequential(&file);
    let Ok(preamble) = Preamble::parse(&read_start(&mut file)?) else {
        return Ok(false);
    };
    let mut hasher = signing::hasher(signing::BUNDLE);
    hasher.update(&Preamble::signed_part());
    let mut buffer = vec![0; 1 << 20];
    let mut read = PREAMBLE_BYTES as u64;
    loop {
        let got = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(got) => got,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        hasher.update(&buffer[..got]);
        read += got as u64;
    }
    Ok(read == size && hasher.finalize() == *hash.as_bytes() && signature_holds(&preamble.signature))
}
