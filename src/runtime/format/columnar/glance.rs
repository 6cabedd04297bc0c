//! A window of a table in columns.

use std::fs::File;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::{ARROW, PARQUET, arrow_file, legible, name_of, parquet_file};
use crate::domain::release::OutputFormat;
use crate::runtime::format::FormatError;
use crate::runtime::format::foreign::reading;
use crate::runtime::format::glance::{Cell, Glance, Window};

/// Looks at a Parquet or an Arrow IPC file.
pub(in crate::runtime::format) fn glance(
    file: File,
    format: OutputFormat,
    window: Window,
) -> Result<Glance, FormatError> {
    reading(name_of(format), || read_window(file, format, window))
}

fn read_window(file: File, format: OutputFormat, window: Window) -> Result<Glance, FormatError> {
    let wanted = window.rows.saturating_add(1);
    let from = usize::try_from(window.from).unwrap_or(usize::MAX);
    if format == OutputFormat::Parquet {
        let at = |error: parquet::errors::ParquetError| FormatError::malformed(PARQUET, error);
        let builder = parquet_file::open(file)?;
        let schema = builder.schema().clone();
        let reader = builder
            .with_offset(from)
            .with_limit(wanted)
            .with_batch_size(wanted.min(1024))
            .build()
            .map_err(at)?;
        return window_of(&schema, reader, 0, window, PARQUET);
    }
    let reader = arrow_file::open(file)?;
    let schema = reader.schema();
    window_of(&schema, reader, from, window, ARROW)
}

/// The rows of batches behind the first `skipped` ones.
fn window_of(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    mut skipped: usize,
    window: Window,
    expected: &'static str,
) -> Result<Glance, FormatError> {
    let at = |error: ArrowError| FormatError::malformed(expected, error);
    let options = FormatOptions::default();
    let names = schema
        .fields()
        .iter()
        .skip(window.from_column)
        .take(window.columns);
    let (mut rows, mut more) = (Vec::new(), false);
    for batch in batches {
        let batch = batch.map_err(at)?;
        if skipped >= batch.num_rows() {
            skipped -= batch.num_rows();
            continue;
        }
        let legible = legible(&batch).map_err(at)?;
        let shown = legible.iter().skip(window.from_column).take(window.columns);
        let columns = shown.map(|column| Ok((column, ArrayFormatter::try_new(column.as_ref(), &options)?)));
        let columns = columns.collect::<Result<Vec<_>, ArrowError>>().map_err(at)?;
        for row in std::mem::take(&mut skipped)..batch.num_rows() {
            if rows.len() == window.rows {
                more = true;
                break;
            }
            let cells = columns.iter().map(|(column, formatter)| {
                if column.is_null(row) {
                    Ok(Cell::missing())
                } else {
                    Ok(Cell::new(&formatter.value(row).try_to_string()?))
                }
            });
            rows.push(cells.collect::<Result<Vec<_>, ArrowError>>().map_err(at)?);
        }
        if more {
            break;
        }
    }
    Ok(Glance::Table {
        columns: names.map(|field| field.name().clone()).collect(),
        columns_in_all: schema.fields().len(),
        rows,
        more,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Seek;
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use arrow::ipc::writer::FileWriter;
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn batch() -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("w", DataType::Utf8, false),
        ]);
        let numbers = Int64Array::from(vec![Some(1), None, Some(3)]);
        let words = StringArray::from(vec!["a", "", "c"]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(numbers), Arc::new(words)]).unwrap()
    }

    #[test]
    fn missing_and_empty_are_two_things_in_both_formats() {
        let batch = batch();
        for format in [OutputFormat::Parquet, OutputFormat::Arrow] {
            let mut file = tempfile::tempfile().unwrap();
            if format == OutputFormat::Parquet {
                let mut writer =
                    ArrowWriter::try_new(file.try_clone().unwrap(), batch.schema(), None).unwrap();
                writer.write(&batch).unwrap();
                writer.close().unwrap();
            } else {
                let mut writer = FileWriter::try_new(file.try_clone().unwrap(), &batch.schema()).unwrap();
                writer.write(&batch).unwrap();
                writer.finish().unwrap();
            }
            file.rewind().unwrap();
            let window = Window {
                from: 1,
                rows: 1,
                from_column: 0,
                columns: 9,
            };
            let seen = glance(file, format, window).unwrap();
            let Glance::Table { rows, more, .. } = seen else {
                panic!("no table");
            };
            assert_eq!(rows, [[Cell::missing(), Cell::new("")]], "{format:?}");
            assert!(more, "{format:?}");
        }
    }
}
