//! The end of the writing pipeline: a file that is hashed as it is written, and read back.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::digest::BundleHash;
use crate::medium::{DeviceReader, NewFile, WriteOut};
use crate::preamble::{PREAMBLE_BYTES, Preamble};
use crate::signing;

/// Bytes handed to the file's thread at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Pieces that may wait for the file.
const PIECES: usize = 4;

/// Writes to a file on a thread of its own, hashing what a signature covers, while the caller encrypts on.
pub(crate) struct HashingFile {
    piece: Vec<u8>,
    full: Option<SyncSender<Vec<u8>>>,
    empty: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<io::Result<(File, BundleHash, u64)>>>,
}

impl HashingFile {
    /// Writes the preamble with a blank signature.
    pub(super) fn start(mut file: File) -> io::Result<Self> {
        file.write_all(&super::blank_preamble())?;
        let (full, pieces) = sync_channel(PIECES);
        let (done, empty) = sync_channel(PIECES + 1);
        let thread = std::thread::Builder::new().name("bundle-file".into());
        let thread = thread.spawn(move || write_and_hash(file, &pieces, &done))?;
        Ok(Self {
            piece: Vec::with_capacity(PIECE_BYTES),
            full: Some(full),
            empty,
            thread: Some(thread),
        })
    }

    /// Waits until all is written. Gives the file, the hash, and the size.
    pub(super) fn end(mut self) -> io::Result<(File, BundleHash, u64)> {
        let last = std::mem::take(&mut self.piece);
        self.hand_over(last)?;
        self.stop()
    }

    fn hand_over(&mut self, piece: Vec<u8>) -> io::Result<()> {
        match &self.full {
            Some(full) if full.send(piece).is_ok() => Ok(()),
            // The thread is gone: its error is the reason.
            _ => Err(self.stop().err().unwrap_or_else(ended_early)),
        }
    }

    fn stop(&mut self) -> io::Result<(File, BundleHash, u64)> {
        self.full = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(written)) => written,
            _ => Err(ended_early()),
        }
    }
}

fn ended_early() -> io::Error {
    io::Error::other("the thread that writes the file ended early")
}

fn write_and_hash(
    mut file: File,
    pieces: &Receiver<Vec<u8>>,
    done: &SyncSender<Vec<u8>>,
) -> io::Result<(File, BundleHash, u64)> {
    let mut hasher = signing::hasher(signing::BUNDLE);
    hasher.update(&Preamble::signed_part());
    let mut size = PREAMBLE_BYTES as u64;
    let mut write_out = WriteOut::default();
    for piece in pieces {
        file.write_all(&piece)?;
        hasher.update(&piece);
        size += piece.len() as u64;
        write_out.advance(&file, size);
        let _ = done.try_send(piece);
    }
    Ok((file, BundleHash::from_bytes(*hasher.finalize().as_bytes()), size))
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() == PIECE_BYTES {
            let mut next = self
                .empty
                .try_recv()
                .unwrap_or_else(|_| Vec::with_capacity(PIECE_BYTES));
            next.clear();
            let piece = std::mem::replace(&mut self.piece, next);
            self.hand_over(piece)?;
        }
        let taken = bytes.len().min(PIECE_BYTES - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Nothing: only [`end`](Self::end) says that all is written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for HashingFile {
    /// The file must not be written to any more once the bundle is given up.
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// Reads a synced file again, from the device where the system lets it, and says whether it is the one expected.
pub(super) fn read_back(
    temporary: &NewFile,
    hash: &BundleHash,
    size: u64,
    signature_holds: impl FnOnce(&[u8; 64]) -> bool,
) -> io::Result<bool> {
    let mut device = DeviceReader::open(temporary.path())?;
    let mut start = Vec::new();
    let mut hasher = signing::hasher(signing::BUNDLE);
    hasher.update(&Preamble::signed_part());
    let mut read = 0;
    while let Some(mut piece) = device.next()? {
        read += piece.len() as u64;
        if start.len() < PREAMBLE_BYTES {
            let (preamble, rest) = piece.split_at(piece.len().min(PREAMBLE_BYTES - start.len()));
            start.extend(preamble);
            piece = rest;
        }
        hasher.update(piece);
    }
    let Ok(preamble) = Preamble::parse(&start) else {
        return Ok(false);
    };
    Ok(read == size && hasher.finalize() == *hash.as_bytes() && signature_holds(&preamble.signature))
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};

    use super::*;
    use crate::preamble::SIGNATURE_AT;

    /// A finished file under its temporary name, and what is expected of it.
    fn written(folder: &std::path::Path) -> (NewFile, BundleHash, u64) {
        let temporary = NewFile::begin(folder).unwrap();
        let mut sink = HashingFile::start(temporary.file().try_clone().unwrap()).unwrap();
        sink.write_all(&[9; 200_000]).unwrap();
        let (mut file, hash, size) = sink.end().unwrap();
        file.seek(SeekFrom::Start(SIGNATURE_AT as u64)).unwrap();
        file.write_all(&[5; 64]).unwrap();
        file.sync_all().unwrap();
        (temporary, hash, size)
    }

    fn intact(file: &(NewFile, BundleHash, u64)) -> bool {
        read_back(&file.0, &file.1, file.2, |signature| *signature == [5; 64]).unwrap()
    }

    #[test]
    fn reading_back_notices_every_kind_of_bad_medium() {
        let folder = tempfile::tempdir().unwrap();
        let file = written(folder.path());
        assert!(intact(&file));
        let handle = file.0.file();
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
