//! A look at what a file holds, as people read it: a window of rows and columns, or of text. Nothing is rounded, and what is
//! left out is said, so that whoever decides by looking can look at all of it, window by window.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

use super::FormatError;

/// The most characters of one cell that a window shows.
pub const CELL_MAX: usize = 1_000;
/// How much text one window shows, in bytes.
pub const TEXT_WINDOW: u64 = 64 << 10;
/// How many bytes of a file that is not reviewable one window shows.
pub const BYTES_WINDOW: u64 = 1 << 10;

/// Which part of a file is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first row of a table, from 0; of text and of bytes, the first byte.
    pub from: u64,
    /// How many rows.
    pub rows: usize,
    /// The first column, from 0.
    pub from_column: usize,
    /// How many columns.
    pub columns: usize,
}

/// A value of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The value, or its first [`CELL_MAX`] characters; none where the file says that it is missing.
    pub text: Option<String>,
    /// How many characters were left out.
    pub left_out: usize,
}

impl Cell {
    /// A value.
    pub fn new(text: &str) -> Self {
        let end = text.char_indices().nth(CELL_MAX).map_or(text.len(), |(at, _)| at);
        let (shown, rest) = text.split_at(end);
        Self {
            text: Some(shown.to_owned()),
            left_out: rest.chars().count(),
        }
    }

    /// No value.
    pub fn missing() -> Self {
        Self {
            text: None,
            left_out: 0,
        }
    }
}

/// What is seen through a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Glance {
    /// Rows under column names.
    Table {
        /// The columns in the window.
        columns: Vec<String>,
        /// How many columns there are in all.
        columns_in_all: usize,
        /// The rows in the window.
        rows: Vec<Vec<Cell>>,
        /// Whether rows follow.
        more: bool,
    },
    /// Elements of an array. A row of the window runs along the last dimension, and is named by its place along the others; of an
    /// array of one dimension each row is one element, since a list is read downwards.
    Array {
        /// NumPy's name of the element type.
        dtype: String,
        /// The length of each dimension.
        shape: Vec<u64>,
        /// The rows in the window, each with its name.
        rows: Vec<(String, Vec<Cell>)>,
        /// Whether rows follow.
        more: bool,
    },
    /// Text: exactly these characters stand in the file.
    Text {
        /// The text in the window.
        text: String,
        /// Where the next window begins, in bytes; none at the end.
        next: Option<u64>,
    },
    /// An image, which a browser draws.
    Picture,
    /// Bytes that nobody can review by looking.
    Bytes {
        /// The bytes in the window.
        bytes: Vec<u8>,
        /// Where the next window begins; none at the end.
        next: Option<u64>,
    },
}

/// An array's dimensions as it is shown: those down the page, and how many elements stand in a row.
pub fn down_and_across(shape: &[u64]) -> (&[u64], u64) {
    match shape {
        [outer @ .., across] if !outer.is_empty() => (outer, *across),
        one_or_none => (one_or_none, 1),
    }
}

/// Bytes that nobody can review by looking, from a place on.
pub(super) fn raw(file: File, from: u64) -> Result<Glance, FormatError> {
    let (bytes, next) = bytes(file, from, BYTES_WINDOW)?;
    Ok(Glance::Bytes { bytes, next })
}

/// Bytes from a place on, and where the next window begins.
fn bytes(mut file: File, from: u64, most: u64) -> Result<(Vec<u8>, Option<u64>), FormatError> {
    let failed = || FormatError::io("reading the file");
    let length = file.metadata().map_err(failed())?.len();
    file.seek(SeekFrom::Start(from.min(length))).map_err(failed())?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(failed())?;
    let end = from.min(length) + bytes.len() as u64;
    Ok((bytes, (end < length).then_some(end)))
}

/// Text from a place on: as far as whole characters go. A place within a character is moved on to the next one.
pub(super) fn text(file: File, from: u64) -> Result<Glance, FormatError> {
    let (bytes, next) = bytes(file, from, TEXT_WINDOW)?;
    let torn = bytes
        .iter()
        .take(3)
        .take_while(|byte| **byte & 0xC0 == 0x80)
        .count();
    let whole = bytes.get(if from > 0 { torn } else { 0 }..).unwrap_or_default();
    let (text, rest) = match std::str::from_utf8(whole) {
        Ok(text) => (text, 0),
        // A character that the window cuts in two belongs to the next one.
        Err(error) if next.is_some() && error.error_len().is_none() => {
            let text = std::str::from_utf8(whole.get(..error.valid_up_to()).unwrap_or_default());
            (text.unwrap_or_default(), whole.len() - error.valid_up_to())
        }
        Err(error) => return Err(FormatError::malformed("UTF-8 text", error)),
    };
    Ok(Glance::Text {
        text: text.to_owned(),
        next: next.map(|next| next - rest as u64),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::Reader;
    use super::*;
    use crate::domain::release::OutputFormat;

    const WHOLE: Window = Window {
        from: 0,
        rows: 50,
        from_column: 0,
        columns: 50,
    };

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn glance(file: File, format: OutputFormat, window: Window) -> Result<Glance, FormatError> {
        Reader::in_this_process().glance(file, format, window)
    }

    fn values(glance: &Glance) -> Vec<Vec<String>> {
        let text = |cell: &Cell| cell.text.clone().unwrap_or_else(|| "-".to_owned());
        match glance {
            Glance::Table { rows, .. } => rows.iter().map(|row| row.iter().map(text).collect()).collect(),
            Glance::Array { rows, .. } => rows
                .iter()
                .map(|(_, row)| row.iter().map(text).collect())
                .collect(),
            other => panic!("no table: {other:?}"),
        }
    }

    #[test]
    fn a_window_of_a_csv_is_named_and_said_to_go_on() {
        let content = b"a,b,c\n1,2,3\n4,5,6\n7,8,9\n";
        let window = Window {
            from: 1,
            rows: 1,
            from_column: 1,
            columns: 1,
        };
        let seen = glance(file(content), OutputFormat::Csv, window).unwrap();
        assert_eq!(values(&seen), [["5"]]);
        assert!(
            matches!(&seen, Glance::Table { columns, columns_in_all: 3, more: true, .. } if *columns == ["b"])
        );
        let all = glance(file(content), OutputFormat::Csv, WHOLE).unwrap();
        assert_eq!(values(&all).len(), 3);
        assert!(matches!(all, Glance::Table { more: false, .. }));
    }

    #[test]
    fn what_a_long_cell_leaves_out_is_counted() {
        let content = format!("a\n{}\n", "é".repeat(CELL_MAX + 7));
        let Glance::Table { rows, .. } = glance(file(content.as_bytes()), OutputFormat::Csv, WHOLE).unwrap()
        else {
            panic!("no table");
        };
        assert_eq!(rows[0][0].left_out, 7);
    }

    #[test]
    fn text_is_cut_between_characters_and_nothing_is_lost() {
        let whole = "aé".repeat(50_000);
        let (mut read, mut from) = (String::new(), 0);
        loop {
            let window = Window { from, ..WHOLE };
            let Glance::Text { text, next } =
                glance(file(whole.as_bytes()), OutputFormat::Text, window).unwrap()
            else {
                panic!("no text");
            };
            read.push_str(&text);
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        assert_eq!(read, whole);
        assert!(glance(file(b"a\xffb"), OutputFormat::Text, WHOLE).is_err());
    }

    #[test]
    fn bytes_that_mean_nothing_are_still_shown() {
        let seen = glance(file(&[7; 2000]), OutputFormat::Raw, WHOLE).unwrap();
        assert!(matches!(seen, Glance::Bytes { bytes, next: Some(1024) } if bytes.len() == 1024));
    }
}
