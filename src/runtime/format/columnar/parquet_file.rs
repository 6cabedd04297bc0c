//! Opening Parquet files. Their reader makes room for whatever length a header claims, and passes over values behind the end of the
//! file, one by one, as many as a header claims: so here whoever wants what the file does not have is refused.
//!
//! It also counts through a list of booleans that its headers claim without asking for a byte: that ends with the time that the
//! process has in which it reads (`runtime/format/apart.rs`).

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::{PARQUET, length_of};
use crate::runtime::format::FormatError;

/// A file that its reader asks for pieces of.
pub(in crate::runtime::format) struct ParquetFile {
    file: Arc<File>,
    length: u64,
}

/// Reads the footer of a file, from which its rows can be read.
///
/// # Errors
/// It is none, or cannot be read.
pub(in crate::runtime::format) fn open(
    mut file: File,
) -> std::result::Result<ParquetRecordBatchReaderBuilder<ParquetFile>, FormatError> {
    let length = length_of(&mut file).map_err(FormatError::io("reading a Parquet file"))?;
    let whole = ParquetFile {
        file: Arc::new(file),
        length,
    };
    ParquetRecordBatchReaderBuilder::try_new(whole).map_err(|error| FormatError::malformed(PARQUET, error))
}

impl Length for ParquetFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for ParquetFile {
    type T = BufReader<Following>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(Following {
            file: Arc::clone(&self.file),
            at: start,
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.length) {
            let problem = format!("{length} bytes at {start} are beyond its end at {}", self.length);
            return Err(ParquetError::EOF(problem));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// What follows a place in the file. To read at the end is an error: what the reader expects there is not there.
pub(in crate::runtime::format) struct Following {
    file: Arc<File>,
    at: u64,
}

impl Read for Following {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        if read == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn nobody_gets_what_the_file_does_not_have() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let whole = ParquetFile {
            file: Arc::new(file),
            length: 10,
        };
        assert_eq!(whole.get_bytes(2, 8).unwrap(), "23456789");
        for (start, length) in [(3, 8), (11, 0), (0, usize::MAX), (u64::MAX, 1)] {
            assert!(whole.get_bytes(start, length).is_err(), "{length} at {start}");
        }
        let mut rest = [0; 4];
        let mut reader = whole.get_read(6).unwrap();
        reader.read_exact(&mut rest).unwrap();
        assert_eq!(&rest, b"6789");
        assert!(reader.read(&mut rest).is_err(), "the end is not as good as zeros");
        assert!(io::copy(&mut whole.get_read(8).unwrap().take(8), &mut io::sink()).is_err());
        assert_eq!(
            io::copy(&mut whole.get_read(2).unwrap().take(8), &mut io::sink()).unwrap(),
            8
        );
    }
}
