//! One pass over the medium: read, hash, write, sync.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use super::{ReceiveError, Received};
use crate::digest::BundleHash;
use crate::limits::Limits;
use crate::medium::{WriteOut, expect_sequential, free_space, open_foreign, sync_folder_of};
use crate::preamble::{Preamble, PreambleError, read_start};
use crate::signing;

/// Bytes read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Pieces that may wait to be hashed.
const PIECES: usize = 8;

/// Copies a bundle off its medium to `quarantine`, a new file that only its owner may read, hashing it on the way.
///
/// The medium is read exactly once, so it does not matter what it would give a second time. The copy and its folder
/// are synced before this returns; if it fails, no copy stays.
///
/// # Errors
/// When the file is no bundle, or too large for `limits` or for the free space, and when reading or writing fails.
pub fn receive(medium: &Path, quarantine: &Path, limits: &Limits) -> Result<Received, ReceiveError> {
    let read_error = |source| ReceiveError::Read {
        path: medium.to_owned(),
        source,
    };
    let write_error = |source| ReceiveError::Write {
        path: quarantine.to_owned(),
        source,
    };
    let mut source = open_foreign(medium).map_err(read_error)?;
    let size = source.metadata().map_err(read_error)?.len();
    let start = read_start(&mut source).map_err(read_error)?;
    let preamble = Preamble::parse(&start)?;
    check_size(size, limits)?;
    expect_sequential(&source);

    let mut options = OpenOptions::new();
    let file = match options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(quarantine)
    {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            return Err(ReceiveError::Exists(quarantine.to_owned()));
        }
        Err(e) => return Err(write_error(e)),
    };
    let copied = (|| {
        let needed = size.saturating_add(limits.free_reserve);
        let free = free_space(&file).map_err(write_error)?;
        if free < needed {
            return Err(ReceiveError::NoSpace { needed, free });
        }
        (&file).write_all(&start).map_err(write_error)?;
        let (hash, read) =
            pass_on(&mut source, start.len() as u64, size, Some(&file)).map_err(|e| match e {
                PassError::Read(e) => read_error(e),
                PassError::Write(e) => write_error(e),
            })?;
        if read != size {
            return Err(ReceiveError::Changed { size, read });
        }
        file.sync_all()
            .and_then(|()| sync_folder_of(quarantine))
            .map_err(write_error)?;
        Ok(hash)
    })();
    match copied {
        Ok(hash) => Ok(Received {
            path: quarantine.to_owned(),
            file,
            size,
            hash,
            signature: preamble.signature,
        }),
        Err(error) => {
            let _ = std::fs::remove_file(quarantine);
            Err(error)
        }
    }
}

pub(super) fn open(path: &Path, limits: &Limits) -> Result<Received, ReceiveError> {
    let read_error = |source| ReceiveError::Read {
        path: path.to_owned(),
        source,
    };
    let file = open_foreign(path).map_err(read_error)?;
    let size = file.metadata().map_err(read_error)?.len();
    check_size(size, limits)?;
    let hashed = hash_bundle(&file, size).map_err(read_error)??;
    if hashed.size != size {
        return Err(ReceiveError::Changed {
            size,
            read: hashed.size,
        });
    }
    Ok(Received {
        path: path.to_owned(),
        file,
        size,
        hash: hashed.hash,
        signature: hashed.signature,
    })
}

fn check_size(size: u64, limits: &Limits) -> Result<(), ReceiveError> {
    let limit = limits.file_bytes;
    if size > limit {
        Err(ReceiveError::TooLarge { size, limit })
    } else {
        Ok(())
    }
}

/// What one pass over a bundle gives.
pub(crate) struct Hashed {
    pub(crate) hash: BundleHash,
    pub(crate) signature: [u8; 64],
    /// Bytes read.
    pub(crate) size: u64,
}

/// Hashes a bundle from its start; `size` bounds what is read.
pub(crate) fn hash_bundle(mut file: &File, size: u64) -> io::Result<Result<Hashed, PreambleError>> {
    expect_sequential(file);
    let start = read_start(&mut file)?;
    let preamble = match Preamble::parse(&start) {
        Ok(preamble) => preamble,
        Err(error) => return Ok(Err(error)),
    };
    match pass_on(&mut file, start.len() as u64, size, None) {
        Ok((hash, size)) => Ok(Ok(Hashed {
            hash,
            signature: preamble.signature,
            size,
        })),
        Err(PassError::Read(e) | PassError::Write(e)) => Err(e),
    }
}

enum PassError {
    Read(io::Error),
    Write(io::Error),
}

/// Reads from behind the preamble to the end, never more than one byte past `size`, hashing on a thread of its own
/// while this one reads and writes.
fn pass_on(
    source: &mut impl Read,
    already: u64,
    size: u64,
    mut copy: Option<&File>,
) -> Result<(BundleHash, u64), PassError> {
    let mut source = source.take((size - already.min(size)).saturating_add(1));
    // Deep enough that on a busy machine each thread gets something done when it is its turn.
    let (full, to_hash) = sync_channel::<Vec<u8>>(PIECES);
    let (empty, to_fill) = sync_channel::<Vec<u8>>(PIECES + 1);
    let mut write_out = WriteOut::default();
    std::thread::scope(|scope| {
        let hashing = scope.spawn(move || {
            let mut hasher = signing::hasher(signing::BUNDLE);
            hasher.update(&Preamble::signed_part());
            for piece in to_hash {
                hasher.update(&piece);
                let _ = empty.try_send(piece);
            }
            BundleHash::from_bytes(*hasher.finalize().as_bytes())
        });
        let mut read = already;
        loop {
            let mut piece = to_fill.try_recv().unwrap_or_else(|_| vec![0; PIECE_BYTES]);
            piece.resize(PIECE_BYTES, 0);
            let got = match source.read(&mut piece) {
                Ok(0) => break,
                Ok(got) => got,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(PassError::Read(e)),
            };
            piece.truncate(got);
            read += got as u64;
            if let Some(copy) = &mut copy {
                copy.write_all(&piece).map_err(PassError::Write)?;
                write_out.advance(copy, read);
            }
            if full.send(piece).is_err() {
                break;
            }
        }
        drop(full);
        let hash = hashing
            .join()
            .map_err(|_| PassError::Read(io::Error::other("the hashing thread failed")))?;
        Ok((hash, read))
    })
}
