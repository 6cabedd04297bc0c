//! How many rows of a mock also stand in the private data: a warning to the owner who supplies a mock.
//!
//! Rows are compared by what they say, not by how it is written: numbers by value, missing values as one, so that a CSV mock
//! is found in a Parquet file; slices of arrays by their elements, in whichever order of bytes and dimensions they lie; and of arrays
//! of one dimension, whose slices are single numbers, runs of them. Memory is bounded: the mock is taken in portions, and only hashes
//! of its rows are kept.

use std::collections::HashMap;
use std::fs::File;
use std::io::Seek;
use std::path::Path;

use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::FormatError;
use super::columnar::{legible, open_parquet};
use super::csv::Records;
use super::foreign::reading;
use super::npy;
use crate::domain::asset::DataFormat;
use crate::domain::cell;

/// Rows of the mock that are looked for at once; 16 bytes each.
const PORTION: usize = 2_000_000;

/// What tells rows of one comparison apart: 64 bits of a hash keyed at random, so that nobody can make rows collide.
type RowHash = u64;

/// A file of an asset.
#[derive(Clone, Copy, Debug)]
pub struct DataFile<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// How it is written.
    pub format: DataFormat,
}

/// A file that is open, and how it is written.
type Opened = (File, DataFormat);

/// Counts in this process: see [`Reader::shared_rows`](super::Reader::shared_rows).
pub(super) fn count(mock: Opened, private: Opened, key: &[u8; 32]) -> Result<u64, FormatError> {
    if (mock.1, private.1) == (DataFormat::Npy, DataFormat::Npy) {
        let elements = npy::shared_elements(&mock.0, &private.0, key)?;
        if elements > 0 {
            return Ok(elements);
        }
    }
    let mut shared = 0;
    let mut portion: HashMap<RowHash, u64> = HashMap::new();
    each_row(&mock, key, |row| {
        *portion.entry(row).or_default() += 1;
        if portion.len() >= PORTION {
            shared += found_in(&private, key, &mut portion)?;
        }
        Ok(())
    })?;
    shared += found_in(&private, key, &mut portion)?;
    Ok(shared)
}

/// How many rows of the portion stand in the private data; empties the portion.
fn found_in(
    private: &Opened,
    key: &[u8; 32],
    portion: &mut HashMap<RowHash, u64>,
) -> Result<u64, FormatError> {
    let mut shared = 0;
    if !portion.is_empty() {
        each_row(private, key, |row| {
            // Counted once: the row is gone from the portion then.
            shared += portion.remove(&row).unwrap_or(0);
            Ok(())
        })?;
    }
    portion.clear();
    Ok(shared)
}

fn each_row(
    (file, format): &Opened,
    key: &[u8; 32],
    each: impl FnMut(RowHash) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let again = || {
        let mut file = file.try_clone()?;
        file.rewind()?;
        Ok(file)
    };
    let file = again().map_err(FormatError::io("reading the asset"))?;
    match format {
        DataFormat::Csv => csv_rows(file, key, each),
        DataFormat::Parquet => reading("a Parquet file", || parquet_rows(file, key, each)),
        DataFormat::Npy => tensor_slices(file, key, each),
    }
}

/// Hashes the cells of one row.
struct Row(blake3::Hasher);

impl Row {
    fn new(key: &[u8; 32]) -> Self {
        Self(blake3::Hasher::new_keyed(key))
    }

    fn cell(&mut self, text: &str) {
        let text = text.trim();
        let number = text.parse::<f64>().ok().filter(|number| !number.is_nan());
        match number {
            _ if cell::is_missing(text) => self.0.update(&[0]),
            // Adding zero makes -0 and 0 one.
            Some(number) => self
                .0
                .update(&[1])
                .update(&(number + 0.0).to_bits().to_le_bytes()),
            None => {
                let folded = match text {
                    "True" | "TRUE" => "true",
                    "False" | "FALSE" => "false",
                    other => other,
                };
                let length = u64::try_from(folded.len()).unwrap_or(u64::MAX);
                self.0
                    .update(&[2])
                    .update(&length.to_le_bytes())
                    .update(folded.as_bytes())
            }
        };
    }

    fn hash(&self) -> RowHash {
        let mut first = [0; 8];
        self.0.finalize_xof().fill(&mut first);
        RowHash::from_le_bytes(first)
    }
}

fn csv_rows(
    file: File,
    key: &[u8; 32],
    mut each: impl FnMut(RowHash) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let mut records = Records::of(file)?;
    let _header = records.next()?;
    while let Some(record) = records.next()? {
        let mut row = Row::new(key);
        record.iter().for_each(|cell| row.cell(cell));
        each(row.hash())?;
    }
    Ok(())
}

fn parquet_rows(
    file: File,
    key: &[u8; 32],
    mut each: impl FnMut(RowHash) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let wrong = |error: &dyn std::fmt::Display| FormatError::malformed("Parquet", error);
    let reader = open_parquet(file)?
        .with_batch_size(4096)
        .build()
        .map_err(|error| wrong(&error))?;
    let options = FormatOptions::default();
    for batch in reader {
        let batch = batch.map_err(|error| wrong(&error))?;
        let legible = legible(&batch).map_err(|error| wrong(&error))?;
        let columns: Vec<_> = legible
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(&error))?;
        for at in 0..batch.num_rows() {
            let mut row = Row::new(key);
            for column in &columns {
                row.cell(&column.value(at).try_to_string().map_err(|error| wrong(&error))?);
            }
            each(row.hash())?;
        }
    }
    Ok(())
}

fn tensor_slices(
    file: File,
    key: &[u8; 32],
    mut each: impl FnMut(RowHash) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    npy::each_slice(file, &Row::new(key).0, |taken| each(Row(taken).hash()))
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;

    fn count(mock: &[u8], private: &[u8], format: DataFormat) -> u64 {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&a, mock).unwrap();
        std::fs::write(&b, private).unwrap();
        let file = |path| DataFile { path, format };
        let reader = Reader::in_this_process();
        reader.shared_rows(file(&a), file(&b), &[7; 32]).unwrap()
    }

    #[test]
    fn rows_are_compared_by_what_they_say() {
        let private = b"a,b,c\n1,2.50,x\n3,,y\n5,6,True\n";
        let csv = |mock: &[u8]| count(mock, private, DataFormat::Csv);
        assert_eq!(csv(b"a,b,c\n1.0,2.5,x\n"), 1);
        assert_eq!(csv(b"a,b,c\n3,NA,y\n3,,y\n"), 2, "every row of the mock counts");
        assert_eq!(csv(b"a,b,c\n5,6,true\n1,2.5,y\n,,\n"), 1);
        assert_eq!(csv(b"a,b,c\n"), 0);
    }

    fn npy(shape: &str, values: &[f64]) -> Vec<u8> {
        ordered("False", shape, values)
    }

    fn ordered(fortran_order: &str, shape: &str, values: &[f64]) -> Vec<u8> {
        let header = format!("{{'descr': '<f8', 'fortran_order': {fortran_order}, 'shape': {shape}, }}");
        let padded = format!("{header:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(padded.len()).unwrap().to_le_bytes());
        bytes.extend(padded.as_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    #[test]
    fn slices_of_a_tensor_count_as_rows() {
        let private = npy("(3, 2)", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(
            count(&npy("(2, 2)", &[3.0, 4.0, 9.0, 9.0]), &private, DataFormat::Npy),
            1
        );
        // As NumPy writes what pandas makes of a table: column by column.
        let by_column = ordered("True", "(3, 2)", &[1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
        let mock = npy("(2, 2)", &[3.0, 4.0, 9.0, 9.0]);
        assert_eq!(count(&mock, &by_column, DataFormat::Npy), 1);
        assert_eq!(count(&by_column, &private, DataFormat::Npy), 3);
        let line = npy("(3,)", &[1.0, 2.0, 3.0]);
        assert_eq!(count(&line, &line, DataFormat::Npy), 0);
        let values: Vec<_> = (0..20).map(|at| f64::from(at * at)).collect();
        let (all, part) = (npy("(20,)", &values), npy("(12,)", &values[4..16]));
        assert_eq!(count(&part, &all, DataFormat::Npy), 12);
        let endless = npy("(1152921504606846976, 0)", &[]);
        assert_eq!(
            count(&endless, &endless, DataFormat::Npy),
            0,
            "slices without a byte are not counted one by one"
        );
    }
}
