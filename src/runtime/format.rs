//! The formats of results and assets: writes again what was parsed, so that nothing but the values is left of a file, and
//! tells the schema of an asset.
//!
//! A format's metadata, comments, footers, unused bytes, values under a null and the payload bits of NaN are not written
//! again. What carries meaning for the eye alone stays: pixels of an image, the order of keys and columns.

mod apart;
mod columnar;
mod csv;
mod foreign;
mod glance;
mod json;
mod npy;
mod png;
mod reader;
mod shared_rows;
mod sink;
mod task;

use std::borrow::Cow;
use std::fs::File;
use std::io::Write;
use std::path::Path;

pub use csv::Inspected;
pub use foreign::is_reading;
pub use glance::{CELL_MAX, Cell, Glance, Window, down_and_across};
pub use reader::Reader;
pub use shared_rows::DataFile;

pub(super) use apart::{FILES, Order, PIECE, Refused};

use super::job::ResultFile;
use crate::domain::asset::DataFormat;
use crate::domain::mock::Plan;
use crate::domain::release::OutputFormat;
use crate::domain::schema::Schema;
use sink::Sink;

/// Bytes are not what their format says.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// They do not follow the format, or use a part of it that is not taken.
    #[error("not {expected}: {}{problem}", at_line(*line))]
    Malformed {
        /// The format, with its article.
        expected: Cow<'static, str>,
        /// What is wrong, and where.
        problem: String,
        /// The line, from 1, in a format that has lines.
        line: Option<u64>,
    },
    /// There are more of them than allowed.
    #[error("there are more than {0} bytes")]
    TooLong(u64),
    /// Too many files of their kind are being read.
    #[error("too many files of its kind are being read at the moment; try again in a minute")]
    Busy,
    /// They could not be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system answered.
        source: std::io::Error,
    },
}

fn at_line(line: Option<u64>) -> String {
    line.map(|line| format!("line {line}: ")).unwrap_or_default()
}

impl FormatError {
    fn malformed(expected: &'static str, problem: impl std::fmt::Display) -> Self {
        Self::Malformed {
            expected: expected.into(),
            problem: problem.to_string(),
            line: None,
        }
    }

    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// Parses `bytes` and writes the values again to a new file at `target`: mode 0600, synced. Nothing is left at `target`
/// after an error. At most `max` bytes are written.
///
/// # Errors
/// The bytes are malformed, or a file of their values is too long or cannot be written.
pub(crate) fn write_again(
    format: OutputFormat,
    bytes: &[u8],
    target: &Path,
    max: u64,
) -> Result<ResultFile, FormatError> {
    let mut sink = Sink::create(target, max)?;
    match format {
        OutputFormat::Json => json::write_again(bytes, &mut sink)?,
        OutputFormat::Csv => csv::write_again(bytes, &mut sink)?,
        OutputFormat::Npy => npy::write_again(bytes, &mut sink)?,
        OutputFormat::Png => png::write_again(bytes, max, &mut sink)?,
        OutputFormat::Raw => sink.write(bytes)?,
        OutputFormat::Text => {
            let text =
                std::str::from_utf8(bytes).map_err(|error| FormatError::malformed("UTF-8 text", error))?;
            sink.write(text.as_bytes())?;
        }
        OutputFormat::Parquet | OutputFormat::Arrow => {
            return Err(FormatError::malformed(
                "a result",
                "this format is taken from a file only",
            ));
        }
    }
    sink.finish(format)
}

/// As [`Reader::inspect`], of a CSV with a header; tells beside it whether the header is evident.
///
/// # Errors
/// As [`Reader::inspect`].
pub fn inspect_csv(path: &Path) -> Result<Inspected, FormatError> {
    csv::inspect(File::open(path).map_err(FormatError::io(path.display().to_string()))?)
}

/// The cells of the first line of a CSV, if it has one.
///
/// # Errors
/// The line is malformed, or the file cannot be read.
pub fn first_line(path: &Path) -> Result<Option<Vec<String>>, FormatError> {
    let file = File::open(path).map_err(FormatError::io(path.display().to_string()))?;
    let line = csv::first_line(file)?;
    Ok(line.map(|line| line.iter().map(str::to_owned).collect()))
}

/// Writes a CSV of numbers without a header as a tensor of `float32` and two dimensions, in NPY: missing values become NaN,
/// and a number is rounded to the nearest that the type has.
///
/// # Errors
/// The CSV is malformed, a cell is no number that a `float32` holds, or something cannot be read or written.
pub fn csv_to_float32(path: &Path, out: &mut impl Write) -> Result<Schema, FormatError> {
    let file = File::open(path).map_err(FormatError::io(path.display().to_string()))?;
    csv::write_float32(file, out)
}

/// Writes a generated mock: a table as Parquet where it stands for Parquet, else as CSV; a tensor as NPY. Gives what it is
/// written as.
///
/// # Errors
/// It cannot be written.
pub fn write_mock(
    plan: &Plan,
    stands_for: DataFormat,
    seed: u64,
    out: &mut (dyn Write + Send),
) -> Result<DataFormat, FormatError> {
    match (plan, stands_for) {
        (Plan::Tensor(plan), _) => npy::write_mock(plan, seed, out).map(|()| DataFormat::Npy),
        (Plan::Table(plan), DataFormat::Parquet) => {
            columnar::write_mock(plan, seed, out).map(|()| DataFormat::Parquet)
        }
        (Plan::Table(plan), DataFormat::Csv | DataFormat::Npy) => {
            for line in plan.csv(seed) {
                out.write_all(line.as_bytes())
                    .map_err(FormatError::io("writing the mock"))?;
            }
            Ok(DataFormat::Csv)
        }
    }
}
