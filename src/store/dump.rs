//! One state of a store as one file, whatever the engine: what a backup holds of it.
//!
//! An engine's own files cannot be copied while it writes them; a view can be read out at any time, and shows one state
//! however long that takes. The file:
//!
//! ```text
//! magic    "PNDLDUMP" and a format number of 4 bytes, little-endian
//! entries  2 bytes: length of the key, never 0 · 4 bytes: length of the value · key · value, in the order of the keys
//! end      2 bytes of zero · 8 bytes: number of entries · 32 bytes: BLAKE3 of all bytes before
//! ```
//!
//! Lengths are little-endian. A file that was cut, has grown or was changed anywhere is refused.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use thiserror::Error;

use super::engine::{
    Batch, CommitError, Direction, Engine, EngineError, KeyRange, MAX_KEY_BYTES, MAX_VALUE_BYTES,
};
use super::read::{ReadBytes, View};
use crate::domain::hash::Hash;
use crate::failpoint::failpoint;

const MAGIC: &[u8; 8] = b"PNDLDUMP";
const FORMAT: u32 = 1;

/// Entries that are read of a view at a time.
const CHUNK: usize = 256;

/// Bytes that are written to the disk at a time.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Bytes of one commit while a dump is loaded.
const COMMIT_BYTES: usize = 4 * 1024 * 1024;

/// A dump that was written or read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dump {
    /// How many keys it holds.
    pub entries: u64,
    /// The length of the file.
    pub bytes: u64,
    /// The hash of the whole file.
    pub hash: Hash,
}

/// Why a dump cannot be written or read.
#[derive(Debug, Error)]
pub enum DumpError {
    #[error("it is no dump of a store")]
    NotOne,
    #[error("it has format {0}, and this program reads format {FORMAT}; update this program")]
    Format(u32),
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error("the store that it is loaded into is not empty")]
    NotEmpty,
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error("it cannot be read or written")]
    Io(#[from] io::Error),
}

/// Hashes and counts what passes.
struct Counted<T> {
    inner: T,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl<T> Counted<T> {
    fn new(inner: T) -> Self {
        Self {
            inner,
            hasher: blake3::Hasher::new(),
            bytes: 0,
        }
    }

    fn hash(&self) -> Hash {
        Hash(*self.hasher.finalize().as_bytes())
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }
}

impl<W: Write> Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.count(bytes);
        self.inner.write_all(bytes)
    }
}

impl<R: Read> Counted<R> {
    fn read<const N: usize>(&mut self) -> Result<[u8; N], DumpError> {
        let mut bytes = [0; N];
        self.read_into(&mut bytes)?;
        Ok(bytes)
    }

    fn read_into(&mut self, bytes: &mut [u8]) -> Result<(), DumpError> {
        self.inner.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => DumpError::Damaged("it ends too early"),
            _ => error.into(),
        })?;
        self.count(bytes);
        Ok(())
    }
}

/// Writes all that a view shows. Hand it a buffered writer; flushing and syncing are the caller's.
///
/// # Errors
/// The view cannot be read, or has expired because very much was written meanwhile; or `to` fails.
pub fn write(view: &View, to: impl Write) -> Result<Dump, DumpError> {
    let mut to = Counted::new(to);
    to.write(MAGIC)?;
    to.write(&FORMAT.to_le_bytes())?;
    let (mut range, mut entries) = (KeyRange::all(), 0_u64);
    loop {
        let chunk = view.scan(&range, Direction::Ascending, CHUNK)?;
        let full = chunk.len() == CHUNK;
        let last = chunk.last().map(|(key, _)| key.clone());
        for (key, value) in chunk {
            let too_long = || DumpError::Damaged("an entry is longer than any can be");
            let key_length = u16::try_from(key.len()).map_err(|_| too_long())?;
            let value_length = u32::try_from(value.len()).map_err(|_| too_long())?;
            to.write(&key_length.to_le_bytes())?;
            to.write(&value_length.to_le_bytes())?;
            to.write(&key)?;
            to.write(&value)?;
            entries += 1;
        }
        match last {
            Some(last) if full => range = range.after(last),
            _ => break,
        }
    }
    to.write(&0_u16.to_le_bytes())?;
    to.write(&entries.to_le_bytes())?;
    let hash = to.hash();
    to.write(&hash.0)?;
    Ok(Dump {
        entries,
        bytes: to.bytes,
        hash: to.hash(),
    })
}

/// Writes all that a view shows into a new file (0600) and puts it on the disk. A failure leaves no file.
///
/// # Errors
/// As [`write()`]; and it would be longer than `most` bytes.
pub fn write_file(view: &View, path: &Path, most: u64) -> Result<Dump, DumpError> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = fill(view, &file, most);
    if written.is_err() {
        drop(fs::remove_file(path));
    }
    written
}

fn fill(view: &View, file: &File, most: u64) -> Result<Dump, DumpError> {
    let mut to = BufWriter::with_capacity(BUFFER_BYTES, Bounded { file, left: most });
    let dump = write(view, &mut to)?;
    to.flush()?;
    file.sync_all()?;
    failpoint!("snapshot.written");
    Ok(dump)
}

/// A file that may take so many bytes more.
struct Bounded<'a> {
    file: &'a File,
    left: u64,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wanted = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if wanted > self.left {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "the disk has no room for a copy of the store",
            ));
        }
        let written = self.file.write(bytes)?;
        self.left -= u64::try_from(written).unwrap_or(wanted);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Hands every key with its value to `each`, in order. What `each` was given counts only once this has returned: the
/// hash stands at the end.
///
/// # Errors
/// Those of `each`; and the file is no dump, or is damaged.
pub fn read<E: From<DumpError>>(
    from: impl Read,
    mut each: impl FnMut(Vec<u8>, Vec<u8>) -> Result<(), E>,
) -> Result<Dump, E> {
    let mut from = Counted::new(from);
    if from.read::<8>()? != *MAGIC {
        return Err(DumpError::NotOne.into());
    }
    match u32::from_le_bytes(from.read()?) {
        FORMAT => {}
        other => return Err(DumpError::Format(other).into()),
    }
    let (mut entries, mut last) = (0_u64, Vec::new());
    loop {
        let key_length = usize::from(u16::from_le_bytes(from.read()?));
        if key_length == 0 {
            break;
        }
        let value_length = usize::try_from(u32::from_le_bytes(from.read()?)).unwrap_or(usize::MAX);
        if key_length > MAX_KEY_BYTES || value_length > MAX_VALUE_BYTES {
            return Err(DumpError::Damaged("an entry is longer than any can be").into());
        }
        let (mut key, mut value) = (vec![0; key_length], vec![0; value_length]);
        from.read_into(&mut key)?;
        from.read_into(&mut value)?;
        if key <= last {
            return Err(DumpError::Damaged("its keys are out of order").into());
        }
        last.clone_from(&key);
        each(key, value)?;
        entries += 1;
    }
    if u64::from_le_bytes(from.read()?) != entries {
        return Err(DumpError::Damaged("entries are missing").into());
    }
    let hash = from.hash();
    if from.read::<32>()? != hash.0 {
        return Err(DumpError::Damaged("its content is not what was written").into());
    }
    let dump = Dump {
        entries,
        bytes: from.bytes,
        hash: from.hash(),
    };
    match from.inner.read(&mut [0]) {
        Ok(0) => Ok(dump),
        Ok(_) => Err(DumpError::Damaged("bytes follow its end").into()),
        Err(error) => Err(DumpError::from(error).into()),
    }
}

/// Loads a dump into an engine that holds nothing. A failure leaves the engine with a part of it: throw it away then.
///
/// # Errors
/// The engine is not empty or fails; and as [`read`].
pub fn load(from: impl Read, engine: &dyn Engine) -> Result<Dump, DumpError> {
    let view = View::new(engine.view()?);
    if !view.scan(&KeyRange::all(), Direction::Ascending, 1)?.is_empty() {
        return Err(DumpError::NotEmpty);
    }
    drop(view);
    let (mut batch, mut bytes) = (Batch::default(), 0);
    let dump = read(from, |key, value| -> Result<(), DumpError> {
        bytes += key.len() + value.len();
        batch.puts.push((key, value));
        if bytes >= COMMIT_BYTES {
            engine.commit(std::mem::take(&mut batch))?;
            bytes = 0;
        }
        Ok(())
    })?;
    if !batch.is_empty() {
        engine.commit(batch)?;
    }
    Ok(dump)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory_engine::MemoryEngine;

    fn filled() -> MemoryEngine {
        let engine = MemoryEngine::default();
        for number in 0..600_u16 {
            let value = vec![u8::try_from(number % 251).unwrap(); usize::from(number)];
            let mut key = vec![7];
            key.extend_from_slice(&number.to_be_bytes());
            let puts = vec![(key, value)];
            engine
                .commit(Batch {
                    puts,
                    ..Batch::default()
                })
                .unwrap();
        }
        engine
    }

    fn dumped(engine: &MemoryEngine) -> (Vec<u8>, Dump) {
        let mut file = Vec::new();
        let dump = write(&View::new(engine.view().unwrap()), &mut file).unwrap();
        assert_eq!(dump.hash.0, *blake3::hash(&file).as_bytes());
        assert_eq!(dump.bytes, u64::try_from(file.len()).unwrap());
        (file, dump)
    }

    #[test]
    fn what_was_written_is_loaded() {
        let (file, dump) = dumped(&filled());
        assert_eq!(dump.entries, 600);
        let loaded = MemoryEngine::default();
        assert_eq!(load(file.as_slice(), &loaded).unwrap(), dump);
        assert_eq!(dumped(&loaded).0, file);
        assert!(matches!(load(file.as_slice(), &loaded), Err(DumpError::NotEmpty)));
    }

    #[test]
    fn a_store_that_changes_meanwhile_is_written_as_it_was() {
        let engine = filled();
        let view = View::new(engine.view().unwrap());
        let before = dumped(&engine);
        let puts = vec![(vec![7, 0, 0], b"changed".to_vec()), (vec![9], Vec::new())];
        engine
            .commit(Batch {
                puts,
                ..Batch::default()
            })
            .unwrap();
        let mut file = Vec::new();
        write(&view, &mut file).unwrap();
        assert_eq!(file, before.0);
    }

    #[test]
    fn any_changed_bit_any_cut_and_any_more_is_refused() {
        let (file, _) = dumped(&filled());
        let ignore = |_, _| Ok::<_, DumpError>(());
        for at in (0..file.len()).step_by(97).chain(file.len() - 60..file.len()) {
            let mut flipped = file.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(read(flipped.as_slice(), ignore).is_err(), "bit at {at}");
            assert!(read(&file[..at], ignore).is_err(), "cut at {at}");
        }
        let grown = [file.as_slice(), &[0]].concat();
        assert!(matches!(
            read(grown.as_slice(), ignore),
            Err(DumpError::Damaged("bytes follow its end"))
        ));
    }
}
