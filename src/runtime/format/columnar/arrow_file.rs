//! Opening Arrow IPC files. Their reader makes room for whatever a block claims before it looks at the file, and writes zeros over
//! it: so what the footer claims is held against the file's length first.
//!
//! Source: the Arrow columnar format, "IPC File Format". A file ends with its footer, the footer's length in 4 bytes, and the
//! magic `ARROW1`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use arrow::ipc::reader::{FileReader, read_footer_length};
use arrow::ipc::root_as_footer;

use super::{ARROW, length_of};
use crate::runtime::format::FormatError;

/// What stands behind the footer, in bytes.
const TAIL: usize = 10;
/// The longest footer, in bytes: it names the columns and says where the batches are.
const FOOTER_MAX: u64 = 16 << 20;

/// Opens a file.
///
/// # Errors
/// It is none, or its blocks would hold more than the file does.
pub(super) fn open(mut file: File) -> Result<FileReader<File>, FormatError> {
    check(&mut file)?;
    FileReader::try_new(file, None).map_err(|error| FormatError::malformed(ARROW, error))
}

fn check(file: &mut File) -> Result<(), FormatError> {
    let failed = |error| FormatError::io("reading an Arrow IPC file")(error);
    let wrong = |problem: &str| FormatError::malformed(ARROW, problem);
    let length = length_of(file).map_err(failed)?;
    let end = length.checked_sub(TAIL as u64);
    let end = end.ok_or_else(|| wrong("it is too short"))?;
    let mut tail = [0; TAIL];
    file.seek(SeekFrom::Start(end)).map_err(failed)?;
    file.read_exact(&mut tail).map_err(failed)?;
    let long = read_footer_length(tail).map_err(|error| FormatError::malformed(ARROW, error))?;
    let fits = u64::try_from(long).ok().filter(|long| *long <= FOOTER_MAX);
    let begin = fits.and_then(|long| end.checked_sub(long));
    let begin = begin.ok_or_else(|| wrong("its footer is longer than it may be"))?;
    let mut footer = vec![0; long];
    file.seek(SeekFrom::Start(begin)).map_err(failed)?;
    file.read_exact(&mut footer).map_err(failed)?;
    let footer = root_as_footer(&footer).map_err(|error| FormatError::malformed(ARROW, error))?;
    let batches = footer.recordBatches().into_iter().flatten();
    let blocks = batches.chain(footer.dictionaries().into_iter().flatten());
    // Blocks stand beside each other, so that all of them together are no longer than the file; else many that name the same bytes
    // would take as long to read as their number likes.
    let claimed = blocks.into_iter().try_fold(0_u64, |sum, block| {
        let body = u64::try_from(block.bodyLength()).ok()?;
        let metadata = u64::try_from(block.metaDataLength()).ok()?;
        sum.checked_add(body)?.checked_add(metadata)
    });
    match claimed {
        Some(claimed) if claimed <= length => Ok(()),
        _ => Err(wrong("its blocks would hold more than it does")),
    }
}
