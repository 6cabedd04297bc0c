//! CSV, RFC 4180, in UTF-8: tables, which have a header, and plain numbers, which have none.

use std::collections::HashSet;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

use ::csv::{ByteRecord, ErrorKind, Position, Reader, ReaderBuilder, StringRecord};

use super::glance::{Cell, Glance, Window};
use super::sink::Sink;
use super::{FormatError, npy};
use crate::domain::cell;
use crate::domain::schema::{Column, ColumnType, Schema};

const CSV: &str = "CSV";
/// The longest record of an asset, in bytes: an open quotation mark must not draw a whole file into memory.
const RECORD_MAX: u64 = 16 << 20;
/// The most columns of a table: their description must fit into one record of the store.
const COLUMNS_MAX: usize = 10_000;
const BUFFER: usize = 64 << 10;
/// The byte order mark that some spreadsheets put before UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

fn malformed(problem: impl std::fmt::Display) -> FormatError {
    FormatError::malformed(CSV, problem)
}

fn malformed_at(line: u64, problem: impl Into<String>) -> FormatError {
    FormatError::Malformed {
        expected: CSV.into(),
        problem: problem.into(),
        line: Some(line),
    }
}

/// A source that ends in an error where one record takes too many bytes.
struct Bounded<R> {
    source: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.source.read(&mut buffer[..most])?;
        self.left -= count as u64;
        Ok(count)
    }
}

/// The records of an asset, all with as many fields as the first; the header is one of them.
pub(super) struct Records<R> {
    reader: Reader<Bounded<R>>,
    record: StringRecord,
    /// Where the record begins that was read last, if one was.
    begins: Option<Position>,
    /// The length of the byte order mark.
    mark: u64,
}

impl<R: Read + Seek> Records<R> {
    pub(super) fn of(mut source: R) -> Result<Self, FormatError> {
        let failed = || FormatError::io("reading the file");
        let mut start = Vec::new();
        source
            .by_ref()
            .take(MARK.len() as u64)
            .read_to_end(&mut start)
            .map_err(failed())?;
        let mark = if start == MARK { MARK.len() as u64 } else { 0 };
        source.seek(SeekFrom::Start(mark)).map_err(failed())?;
        let bounded = Bounded {
            source,
            left: RECORD_MAX,
        };
        Ok(Self {
            reader: ReaderBuilder::new()
                .has_headers(false)
                .buffer_capacity(BUFFER)
                .from_reader(bounded),
            record: StringRecord::new(),
            begins: None,
            mark,
        })
    }

    /// The next record, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<&StringRecord>, FormatError> {
        self.reader.get_mut().left = RECORD_MAX;
        match self.reader.read_record(&mut self.record) {
            Ok(true) => {
                self.begins = self.record.position().cloned();
                Ok(Some(&self.record))
            }
            Ok(false) => Ok(None),
            Err(error) => Err(self.explain(error)),
        }
    }

    /// Refuses a file that ends inside quotes: its last record has swallowed all lines after the mark that opens them, and
    /// other readers do not read it. To be asked after the last record.
    pub(super) fn end(&mut self) -> Result<(), FormatError> {
        let Some(begins) = self.begins.clone() else {
            return Ok(());
        };
        let open = self.is_left_open(&begins);
        if open.map_err(FormatError::io("reading the file"))? {
            return Err(self.left_open(&begins));
        }
        Ok(())
    }

    fn left_open(&mut self, begins: &Position) -> FormatError {
        let problem = "a quotation mark opens in this record, and the file ends before one closes it; close it, or write a \
                       quotation mark that is part of a value twice, in a value in quotes";
        malformed_at(self.line(Some(begins)), problem)
    }

    /// Whether the record that begins there reaches the end of the file inside quotes. It is read again with a line more behind
    /// the file: quotes that are open swallow that line too.
    fn is_left_open(&mut self, begins: &Position) -> io::Result<bool> {
        const MORE: &[u8] = b"\nx";
        let source = &mut self.reader.get_mut().source;
        let length = source.seek(SeekFrom::End(0))?;
        let start = self.mark + begins.byte();
        source.seek(SeekFrom::Start(start))?;
        let rest = length.saturating_sub(start);
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .buffer_capacity(BUFFER)
            .from_reader(source.take(rest).chain(MORE));
        reader.read_byte_record(&mut ByteRecord::new())?;
        Ok(reader.position().byte() == rest + MORE.len() as u64)
    }

    /// What is wrong with the record that was read last.
    fn wrong(&mut self, problem: impl Into<String>) -> FormatError {
        let position = self.record.position().cloned();
        malformed_at(self.line(position.as_ref()), problem)
    }

    fn explain(&mut self, error: ::csv::Error) -> FormatError {
        let line = self.line(error.position());
        match error.into_kind() {
            ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let position = self.reader.position().clone();
                let problem = format!(
                    "the record that ends here has more than {RECORD_MAX} bytes; is a quotation mark left open?"
                );
                malformed_at(position.line(), problem)
            }
            ErrorKind::Io(error) => FormatError::io("reading the file")(error),
            ErrorKind::UnequalLengths {
                expected_len,
                len,
                pos,
            } => match pos {
                Some(begins) if self.is_left_open(&begins).unwrap_or(false) => self.left_open(&begins),
                _ => malformed_at(
                    line,
                    format!("it has {len} fields, and the first line has {expected_len}"),
                ),
            },
            ErrorKind::Utf8 { err, .. } => {
                malformed_at(line, format!("field {} is not UTF-8 text", err.field() + 1))
            }
            other => malformed_at(line, format!("{other:?}")),
        }
    }

    /// The line of a position, beyond the empty lines that the reader counts to the record after them.
    fn line(&mut self, position: Option<&Position>) -> u64 {
        let Some(position) = position else {
            return 1;
        };
        let source = &mut self.reader.get_mut().source;
        let rest = match source.seek(SeekFrom::Start(self.mark + position.byte())) {
            Ok(_) => cell::line_ends(io::BufReader::new(source).bytes().map_while(Result::ok)),
            Err(_) => 0,
        };
        position.line() + rest
    }
}

/// Writes every record again, quoting where it must be. All records have as many fields as the first. What is written begins with
/// no byte order mark: readers take one for no part of the first value, so that it would be lost in the next hands.
pub(super) fn write_again(bytes: &[u8], sink: &mut Sink) -> Result<(), FormatError> {
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(bytes);
    let mut record = StringRecord::new();
    let mut records: u64 = 0;
    {
        let mut writer = ::csv::Writer::from_writer(&mut *sink);
        let mut failed = None;
        while failed.is_none() && reader.read_record(&mut record).map_err(malformed)? {
            if records == 0 {
                record = unmarked(&record);
            }
            records += 1;
            failed = writer.write_record(&record).err();
        }
        let flushed = writer.flush();
        // Taking the writer apart keeps it from flushing once more.
        drop(writer.into_inner());
        let error = failed.map(std::io::Error::from).or(flushed.err());
        if let Some(error) = error {
            return Err(sink.failed(error));
        }
    }
    if records == 0 {
        return Err(malformed("it has no header"));
    }
    Ok(())
}

fn unmarked(record: &StringRecord) -> StringRecord {
    let fields = record.iter().enumerate();
    let unmarked = fields.map(|(at, field)| match at {
        0 => field.trim_start_matches('\u{feff}'),
        _ => field,
    });
    unmarked.collect()
}

/// What the values of a column may still be.
#[derive(Clone, Copy)]
struct Guess {
    any: bool,
    boolean: bool,
    integer: bool,
    float: bool,
}

impl Guess {
    const START: Self = Self {
        any: false,
        boolean: true,
        integer: true,
        float: true,
    };

    fn see(&mut self, text: &str) {
        if cell::is_missing(text) {
            return;
        }
        self.any = true;
        self.boolean &= matches!(text, "True" | "TRUE" | "true" | "False" | "FALSE" | "false");
        let number = text.trim();
        self.integer &= number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
        self.float &= self.integer || cell::number(number).is_some();
    }

    fn dtype(self) -> ColumnType {
        match self {
            Self { any: false, .. } => ColumnType::Float,
            Self { boolean: true, .. } => ColumnType::Boolean,
            Self { integer: true, .. } => ColumnType::Integer,
            Self { float: true, .. } => ColumnType::Float,
            _ => ColumnType::Text,
        }
    }
}

/// What a CSV with a header looks like.
#[derive(Debug)]
pub struct Inspected {
    /// Columns and rows.
    pub schema: Schema,
    /// Whether at least one column holds values that its name could not be one of: then the first line is a header for sure.
    pub header_is_evident: bool,
}

/// Reads a CSV through. A column is `boolean`, `integer` or `float` if all its values that are not missing are, else `text`.
pub(super) fn inspect(source: impl Read + Seek) -> Result<Inspected, FormatError> {
    let mut records = Records::of(source)?;
    let names = match records.next()? {
        Some(header) => header.iter().map(str::to_owned).collect::<Vec<_>>(),
        None => return Err(malformed("it has no header")),
    };
    check_names(&names).map_err(|problem| records.wrong(problem))?;
    check_separator(names.iter().map(String::as_str)).map_err(|problem| records.wrong(problem))?;
    let mut guesses = vec![Guess::START; names.len()];
    let mut rows = 0;
    while let Some(record) = records.next()? {
        rows += 1;
        for (guess, text) in guesses.iter_mut().zip(record) {
            guess.see(text);
        }
    }
    records.end()?;
    let header_is_evident = guesses
        .iter()
        .any(|guess| guess.any && guess.dtype() != ColumnType::Text);
    let columns = names
        .into_iter()
        .zip(guesses)
        .map(|(name, guess)| Column {
            name,
            dtype: guess.dtype(),
        })
        .collect();
    Ok(Inspected {
        schema: Schema::Table { columns, rows },
        header_is_evident,
    })
}

/// Looks at a window of the records.
pub(super) fn glance(mut source: impl BufRead, window: Window) -> Result<Glance, FormatError> {
    skip_mark(&mut source)?;
    let mut reader = ReaderBuilder::new().from_reader(source);
    let header = reader.headers().map_err(malformed)?.clone();
    let mut record = StringRecord::new();
    let (mut rows, mut at, mut more) = (Vec::new(), 0, false);
    while reader.read_record(&mut record).map_err(malformed)? {
        if rows.len() == window.rows {
            more = true;
            break;
        }
        if at >= window.from {
            let shown = record.iter().skip(window.from_column).take(window.columns);
            rows.push(shown.map(Cell::new).collect());
        }
        at += 1;
    }
    let shown = header.iter().skip(window.from_column).take(window.columns);
    Ok(Glance::Table {
        columns: shown.map(str::to_owned).collect(),
        columns_in_all: header.len(),
        rows,
        more,
    })
}

/// Skips the byte order mark.
fn skip_mark(source: &mut impl BufRead) -> Result<(), FormatError> {
    let failed = || FormatError::io("reading the file");
    if source.fill_buf().map_err(failed())?.starts_with(MARK) {
        source.read_exact(&mut [0; 3]).map_err(failed())?;
    }
    Ok(())
}

fn check_names(names: &[String]) -> Result<(), String> {
    if names.len() > COLUMNS_MAX {
        return Err(format!(
            "it has {} columns; at most {COLUMNS_MAX} are taken",
            names.len()
        ));
    }
    let mut seen = HashSet::new();
    for (index, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(format!("column {} has no name", index + 1));
        }
        if !seen.insert(name) {
            return Err(format!("the column name {name:?} stands twice"));
        }
    }
    Ok(())
}

/// Refuses a line of one cell that looks like several: spreadsheets of much of Europe put other marks than commas between the
/// values of what they call CSV.
fn check_separator<'a>(first_line: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let mut cells = first_line.into_iter();
    let (Some(name), None) = (cells.next(), cells.next()) else {
        return Ok(());
    };
    let (mark, other) = if name.contains(';') {
        ("semicolons", ';')
    } else if name.contains('\t') {
        ("tabs", '\t')
    } else {
        return Ok(());
    };
    let count = name.split(other).count();
    Err(format!(
        "it has {mark} where a CSV has commas, so that its {count} columns are read as one; save it with commas between \
         the values (decimals with points)"
    ))
}

/// The cells of the first line, if there is one.
pub(super) fn first_line(source: impl Read + Seek) -> Result<Option<StringRecord>, FormatError> {
    Ok(Records::of(source)?.next()?.cloned())
}

/// Writes a CSV of numbers without a header as a tensor of `float32` and two dimensions. Missing values become NaN, numbers
/// are rounded to the nearest one that the type has. Reads it twice: the number of rows comes first in a tensor.
pub(super) fn write_float32(
    mut source: impl Read + Seek,
    out: &mut impl Write,
) -> Result<Schema, FormatError> {
    let (mut rows, mut columns) = (0_u64, 0_u64);
    let mut records = Records::of(&mut source)?;
    loop {
        let wrong = match records.next()? {
            None => break,
            Some(record) => {
                rows += 1;
                columns = record.len() as u64;
                no_numbers(record)
            }
        };
        if let Some(problem) = wrong {
            return Err(records.wrong(problem));
        }
    }
    records.end()?;
    if rows == 0 {
        return Err(malformed("it is empty"));
    }
    let failed = || FormatError::io("writing the tensor");
    out.write_all(&npy::header("<f4", &[rows, columns]))
        .map_err(failed())?;
    source.rewind().map_err(FormatError::io("reading the file"))?;
    let mut records = Records::of(&mut source)?;
    let mut out = io::BufWriter::with_capacity(BUFFER, out);
    while let Some(record) = records.next()? {
        for text in record {
            let number = float32(text).unwrap_or(f32::NAN);
            out.write_all(&number.to_le_bytes()).map_err(failed())?;
        }
    }
    out.flush().map_err(failed())?;
    Ok(Schema::Tensor {
        dtype: "float32".to_owned(),
        shape: vec![rows, columns],
    })
}

/// Why a record is none of numbers.
fn no_numbers(record: &StringRecord) -> Option<String> {
    let column = record.iter().position(|text| float32(text).is_none())?;
    let no_number = || {
        format!(
            "field {} is no number that a float32 holds, and a CSV without a header is a tensor of those",
            column + 1
        )
    };
    Some(check_separator(record.iter()).err().unwrap_or_else(no_number))
}

/// A cell as a `float32`; none if it is no number, or a finite one that is too large.
fn float32(text: &str) -> Option<f32> {
    if cell::is_missing(text) {
        return Some(f32::NAN);
    }
    let number: f32 = text.trim().parse().ok()?;
    let fits = number.is_finite() || cell::number(text).is_some_and(|number| !number.is_finite());
    fits.then_some(number)
}

#[cfg(test)]
mod tests;
