//! CSV, RFC 4180, with a header and in UTF-8.

use std::io::BufRead;

use ::csv::{ReaderBuilder, StringRecord};

use super::FormatError;
use super::glance::{Cell, Glance, Window};
use super::sink::Sink;
use crate::domain::schema::{Column, ColumnType, Schema};

const CSV: &str = "CSV";

/// What counts as a missing value: what pandas takes for one by default.
pub(super) const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

pub(super) fn malformed(error: ::csv::Error) -> FormatError {
    FormatError::malformed(CSV, error)
}

/// Writes every record again, quoting where it must be. All records have as many fields as the first.
pub(super) fn write_again(bytes: &[u8], sink: &mut Sink) -> Result<(), FormatError> {
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(bytes);
    let mut record = StringRecord::new();
    let mut records: u64 = 0;
    {
        let mut writer = ::csv::Writer::from_writer(&mut *sink);
        let mut failed = None;
        while failed.is_none() && reader.read_record(&mut record).map_err(malformed)? {
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
        return Err(FormatError::malformed(CSV, "it has no header"));
    }
    Ok(())
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
        if MISSING.contains(&text) {
            return;
        }
        self.any = true;
        self.boolean &= matches!(text, "True" | "TRUE" | "true" | "False" | "FALSE" | "false");
        let number = text.trim();
        self.integer &= number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
        self.float &= self.integer || number.parse::<f64>().is_ok();
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

/// Reads a CSV through. A column is `boolean`, `integer` or `float` if all its values that are not missing are, else `text`.
pub(super) fn inspect(mut source: impl BufRead) -> Result<Schema, FormatError> {
    skip_mark(&mut source)?;
    let mut reader = ReaderBuilder::new().from_reader(source);
    let names: Vec<String> = reader
        .headers()
        .map_err(malformed)?
        .iter()
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        return Err(FormatError::malformed(CSV, "it has no header"));
    }
    for (index, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(FormatError::malformed(
                CSV,
                format!("column {} has no name", index + 1),
            ));
        }
        if names[..index].contains(name) {
            return Err(FormatError::malformed(
                CSV,
                format!("the column name {name:?} stands twice"),
            ));
        }
    }
    let mut guesses = vec![Guess::START; names.len()];
    let mut record = StringRecord::new();
    let mut rows = 0;
    while reader.read_record(&mut record).map_err(malformed)? {
        rows += 1;
        for (guess, text) in guesses.iter_mut().zip(&record) {
            guess.see(text);
        }
    }
    let columns = names
        .into_iter()
        .zip(guesses)
        .map(|(name, guess)| Column {
            name,
            dtype: guess.dtype(),
        })
        .collect();
    Ok(Schema::Table { columns, rows })
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

/// Skips the byte order mark that some spreadsheets put before UTF-8.
pub(super) fn skip_mark(source: &mut impl BufRead) -> Result<(), FormatError> {
    let failed = || FormatError::io("reading the file");
    if source.fill_buf().map_err(failed())?.starts_with(b"\xef\xbb\xbf") {
        source.read_exact(&mut [0; 3]).map_err(failed())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(text: &str) -> Vec<ColumnType> {
        match inspect(text.as_bytes()).unwrap() {
            Schema::Table { columns, .. } => columns.into_iter().map(|column| column.dtype).collect(),
            Schema::Tensor { .. } => Vec::new(),
        }
    }

    #[test]
    fn types_are_told_from_every_value_and_missing_ones_count_for_nothing() {
        let text = "a,b,c,d,e\n1,1.5,true,x,\n,2,False,3,NA\n-7,inf,,4,\n";
        use ColumnType::{Boolean, Float, Integer, Text};
        assert_eq!(columns(text), [Integer, Float, Boolean, Text, Float]);
        assert_eq!(columns("a\n1\n2\n3\nfour\n"), [Text], "the last line decides too");
        assert_eq!(columns("a\n1\n1.5\n2\n"), [Float]);
        assert_eq!(columns("a\n18446744073709551615\n"), [Integer]);
    }

    #[test]
    fn the_fixture_tables_are_read_as_pandas_reads_them() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/data/lung_cancer.csv");
        let Schema::Table { columns, rows } = inspect(std::fs::read(path).unwrap().as_slice()).unwrap()
        else {
            panic!("a table")
        };
        assert_eq!(rows, 228);
        let inst = columns.iter().find(|column| column.name == "inst").unwrap();
        assert_eq!(inst.dtype, ColumnType::Float);
        assert_eq!(
            columns.iter().find(|column| column.name == "age").unwrap().dtype,
            ColumnType::Integer
        );
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_name() {
        let Schema::Table { columns, rows } = inspect("\u{feff}a,b\n1,2\n".as_bytes()).unwrap() else {
            panic!("a table")
        };
        assert_eq!((columns[0].name.as_str(), rows), ("a", 1));
    }

    #[test]
    fn what_is_no_table_is_refused_with_the_line() {
        let ragged = inspect("a,b\n1,2\n3\n".as_bytes()).unwrap_err().to_string();
        assert!(ragged.contains("line: 3"), "{ragged}");
        for text in ["", "a,a\n1,2\n", "a,\n1,2\n"] {
            assert!(inspect(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(inspect(&b"a\n\xff\n"[..]).is_err(), "not UTF-8");
    }
}
