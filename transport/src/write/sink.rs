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

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};

    use super::*;
    use crate::preamble::SIGNATURE_AT;

    /// A finished file under its temporary name, and what is expected of it.
    fn written(folder: &std::path::Path) -> (TemporaryFile, BundleHash, u64) {
        let temporary = TemporaryFile::create(&folder.join("a.plk")).unwrap();
        let mut sink = HashingFile::start(temporary.handle().unwrap()).unwrap();
        sink.write_all(&[9; 200_000]).unwrap();
        let (mut file, hash, size) = sink.end().unwrap();
        file.seek(SeekFrom::Start(SIGNATURE_AT as u64)).unwrap();
        file.write_all(&[5; 64]).unwrap();
        file.sync_all().unwrap();
        (temporary, hash, size)
    }

    fn intact(file: &(TemporaryFile, BundleHash, u64)) -> bool {
        read_back(&file.0, &file.1, file.2, |signature| *signature == [5; 64]).unwrap()
    }

    #[test]
    fn reading_back_notices_every_kind_of_bad_medium() {
        let folder = tempfile::tempdir().unwrap();
        let file = written(folder.path());
        assert!(intact(&file));
        let handle = file.0.handle().unwrap();
        let flip = |at: u64| {
            use std::os::unix::fs::FileExt;
            let mut byte = [0];
            handle.read_exact_at(&mut byte, at).unwrap();
            handle.write_all_at(&[byte[0] ^ 1], at).unwrap();
        };
        for at in [0, 7, 9, 12, 75, 76, 100_000, file.2 - 1] {
            flip(at);
            assert!(!intact(&file), "flipped at {at}");
            flip(at);
        }
        assert!(intact(&file));
        // A medium that claims more than it has gives less back, or zeros.
        handle.set_len(file.2 - 1).unwrap();
        assert!(!intact(&file));
        handle.set_len(file.2).unwrap();
        assert!(!intact(&file));
        handle.set_len(0).unwrap();
        assert!(!intact(&file));
    }
}
