//! Parquet and Arrow IPC files of flat columns.

mod glance;

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float16Array, Float32Array, Float64Array, RecordBatch, RecordBatchReader,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

pub(super) use glance::glance;

use super::FormatError;
use super::sink::Sink;
use crate::domain::release::OutputFormat;
use crate::domain::schema::{Column, ColumnType, Schema};

const PARQUET: &str = "a Parquet file";
const ARROW: &str = "an Arrow IPC file";

/// Writes the rows again, without metadata of file, table or column. Values are read into columns and written anew, by
/// which unused bytes and values under a null are lost; columns encoded by a dictionary become plain ones.
pub(super) fn write_again(format: OutputFormat, source: File, sink: &mut Sink) -> Result<(), FormatError> {
    if format == OutputFormat::Parquet {
        let reader = parquet_reader(source)?;
        let schema = reader.schema();
        return write_parquet(schema, reader, PARQUET, &mut *sink, true);
    }
    let reader = FileReader::try_new(source, None).map_err(|error| FormatError::malformed(ARROW, error))?;
    let schema = reader.schema();
    // Parquet holds no bytes but values: what is read back from it is clean.
    let failed = |error| FormatError::io("making a temporary file")(error);
    let mut between = tempfile::tempfile_in(sink.folder()).map_err(failed)?;
    write_parquet(schema, reader, ARROW, &mut between, false)?;
    between.rewind().map_err(failed)?;
    let clean = parquet_reader(between)?;
    let schema = bare(&clean.schema(), ARROW)?;
    let at = |error| FormatError::malformed(ARROW, error);
    let mut writer = FileWriter::try_new(&mut *sink, &schema).map_err(at)?;
    for batch in clean {
        writer
            .write(&plain(&batch.map_err(at)?, &schema, ARROW)?)
            .map_err(at)?;
    }
    writer.finish().map_err(at)
}

fn parquet_reader(source: File) -> Result<ParquetRecordBatchReader, FormatError> {
    let built =
        ParquetRecordBatchReaderBuilder::try_new(source).and_then(ParquetRecordBatchReaderBuilder::build);
    built.map_err(|error| FormatError::malformed(PARQUET, error))
}

/// Writes batches as Parquet. `portable` leaves out the copy of Arrow's schema, which no other reader needs.
fn write_parquet(
    schema: SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    expected: &'static str,
    sink: impl Write + Send,
    portable: bool,
) -> Result<(), FormatError> {
    let at = |error: ParquetError| FormatError::malformed(expected, error);
    let schema = bare(&schema, expected)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(portable);
    let mut writer = ArrowWriter::try_new_with_options(sink, schema.clone(), options).map_err(at)?;
    for batch in batches {
        let batch = batch.map_err(|error| FormatError::malformed(expected, error))?;
        writer.write(&plain(&batch, &schema, expected)?).map_err(at)?;
    }
    writer.close().map(drop).map_err(at)
}

/// The columns' names and types alone.
fn bare(schema: &ArrowSchema, expected: &'static str) -> Result<SchemaRef, FormatError> {
    let fields = schema.fields().iter().map(|field| {
        let dtype = match field.data_type() {
            DataType::Dictionary(_, value) => value.as_ref(),
            plain => plain,
        };
        if column_type(dtype) == ColumnType::Nested {
            let problem = format!(
                "the column {:?} is of type {dtype}; only flat columns are taken",
                field.name()
            );
            return Err(FormatError::malformed(expected, problem));
        }
        Ok(Field::new(field.name(), dtype.clone(), field.is_nullable()))
    });
    Ok(Arc::new(ArrowSchema::new(fields.collect::<Result<Vec<_>, _>>()?)))
}

/// The batch's values under the bare schema.
fn plain(
    batch: &RecordBatch,
    schema: &SchemaRef,
    expected: &'static str,
) -> Result<RecordBatch, FormatError> {
    let at = |error: ArrowError| FormatError::malformed(expected, error);
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            let column = if column.data_type() == field.data_type() {
                column.clone()
            } else {
                cast(column, field.data_type()).map_err(at)?
            };
            Ok(settle_nan(column))
        });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<Vec<_>, FormatError>>()?).map_err(at)
}

/// Gives every NaN the same bits.
fn settle_nan(column: ArrayRef) -> ArrayRef {
    if let Some(floats) = column.as_any().downcast_ref::<Float64Array>() {
        return Arc::new(
            floats.unary::<_, arrow::datatypes::Float64Type>(|x| if x.is_nan() { f64::NAN } else { x }),
        );
    }
    if let Some(floats) = column.as_any().downcast_ref::<Float32Array>() {
        return Arc::new(
            floats.unary::<_, arrow::datatypes::Float32Type>(|x| if x.is_nan() { f32::NAN } else { x }),
        );
    }
    if let Some(floats) = column.as_any().downcast_ref::<Float16Array>() {
        type Half = <arrow::datatypes::Float16Type as arrow::array::ArrowPrimitiveType>::Native;
        let settle = |x: Half| if x.is_nan() { Half::NAN } else { x };
        return Arc::new(floats.unary::<_, arrow::datatypes::Float16Type>(settle));
    }
    column
}

fn column_type(dtype: &DataType) -> ColumnType {
    if dtype.is_integer() {
        return ColumnType::Integer;
    }
    match dtype {
        DataType::Boolean => ColumnType::Boolean,
        DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Null => ColumnType::Float,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnType::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            ColumnType::Binary
        }
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Time32(_) | DataType::Time64(_) => ColumnType::Time,
        DataType::Timestamp(..) => ColumnType::Timestamp,
        DataType::Duration(_) | DataType::Interval(_) => ColumnType::Duration,
        DataType::Dictionary(_, value) => column_type(value),
        other if other.is_numeric() => ColumnType::Decimal,
        _ => ColumnType::Nested,
    }
}

/// Reads the footer.
pub(super) fn inspect(source: File) -> Result<Schema, FormatError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(source)
        .map_err(|error| FormatError::malformed(PARQUET, error))?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows())
        .map_err(|_| FormatError::malformed(PARQUET, "its number of rows is negative"))?;
    let fields = builder.schema().fields().iter();
    let columns = fields.map(|field| Column {
        name: field.name().clone(),
        dtype: column_type(field.data_type()),
    });
    Ok(Schema::Table {
        columns: columns.collect(),
        rows,
    })
}

/// Writes the rows as CSV: a missing value as nothing, times after ISO 8601.
pub(super) fn write_csv(source: File, sink: &mut Sink) -> Result<(), FormatError> {
    let reader = parquet_reader(source)?;
    let schema = bare(&reader.schema(), PARQUET)?;
    let at = |error: ArrowError| FormatError::malformed(PARQUET, error);
    let options = FormatOptions::default();
    let mut written = Ok(());
    {
        let mut writer = ::csv::Writer::from_writer(&mut *sink);
        let names = schema.fields().iter().map(|field| field.name().as_str());
        written = written.and(writer.write_record(names));
        for batch in reader {
            let batch = plain(&batch.map_err(at)?, &schema, PARQUET)?;
            let columns = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
            let columns = columns.collect::<Result<Vec<_>, _>>().map_err(at)?;
            for row in 0..batch.num_rows() {
                let fields = columns.iter().map(|column| column.value(row).to_string());
                written = written.and_then(|()| writer.write_record(fields));
            }
        }
        written = written.and_then(|()| writer.flush().map_err(Into::into));
        drop(writer.into_inner());
    }
    written.map_err(|error| sink.failed(error.into()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::Path;

    use arrow::array::{DictionaryArray, Int64Array, StringArray};
    use arrow::buffer::NullBuffer;
    use arrow::datatypes::Int32Type;

    use super::super::{deposit, parquet_to_csv};
    use super::*;

    /// Two rows: the second number is null, with a secret value beneath; metadata hides more.
    fn batch() -> RecordBatch {
        let secret = HashMap::from([("note".to_owned(), "SECRETNOTE".to_owned())]);
        let nulls = NullBuffer::from(vec![true, false]);
        let numbers = Int64Array::new(vec![1, 0x5345_4352_4554_2121].into(), Some(nulls));
        let words: DictionaryArray<Int32Type> = vec!["a", "b"].into_iter().collect();
        let schema = ArrowSchema::new(vec![
            Field::new("n", DataType::Int64, true).with_metadata(secret.clone()),
            Field::new("w", words.data_type().clone(), false),
            Field::new("f", DataType::Float64, false),
        ])
        .with_metadata(secret);
        let floats = Float64Array::from(vec![0.5, f64::from_bits(0x7ff8_5345_4352_4554)]);
        RecordBatch::try_new(
            Arc::new(schema),
            vec![Arc::new(numbers), Arc::new(words), Arc::new(floats)],
        )
        .unwrap()
    }

    fn write(path: &Path, format: OutputFormat) {
        let (batch, file) = (batch(), File::create(path).unwrap());
        if format == OutputFormat::Parquet {
            let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        } else {
            let mut writer = FileWriter::try_new(file, &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
        }
    }

    #[test]
    fn nothing_but_names_types_and_values_survives() {
        for format in [OutputFormat::Parquet, OutputFormat::Arrow] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            write(&from, format);
            deposit(format, &from, &to, 1 << 20).unwrap();
            let bytes = std::fs::read(&to).unwrap();
            for needle in [&b"SECRETNOTE"[..], b"!!TERCES", b"TERCES"] {
                assert!(
                    !bytes.windows(needle.len()).any(|window| window == needle),
                    "{format:?} {needle:?}"
                );
            }
            let read = if format == OutputFormat::Parquet {
                parquet_reader(File::open(&to).unwrap())
                    .unwrap()
                    .next()
                    .unwrap()
                    .unwrap()
            } else {
                FileReader::try_new(File::open(&to).unwrap(), None)
                    .unwrap()
                    .next()
                    .unwrap()
                    .unwrap()
            };
            assert_eq!(read.num_rows(), 2);
            let words = read.column(1).as_any().downcast_ref::<StringArray>().unwrap();
            assert_eq!((words.value(0), words.value(1)), ("a", "b"));
            assert!(read.column(0).is_null(1));
            assert!(read.schema().metadata().is_empty());
        }
    }

    #[test]
    fn a_parquet_table_tells_its_columns_and_becomes_csv() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        write(&from, OutputFormat::Parquet);
        let Schema::Table { columns, rows } = inspect(File::open(&from).unwrap()).unwrap() else {
            panic!("a table")
        };
        let types: Vec<_> = columns.iter().map(|column| column.dtype).collect();
        assert_eq!(
            (rows, types),
            (2, vec![ColumnType::Integer, ColumnType::Text, ColumnType::Float])
        );
        parquet_to_csv(&from, &to).unwrap();
        assert_eq!(std::fs::read_to_string(to).unwrap(), "n,w,f\n1,a,0.5\n,b,NaN\n");
    }

    #[test]
    fn what_is_neither_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::write(&from, b"PAR1 and nothing more PAR1").unwrap();
        for format in [OutputFormat::Parquet, OutputFormat::Arrow] {
            assert!(deposit(format, &from, &to, 1 << 20).is_err());
            assert!(!to.try_exists().unwrap());
        }
        write(&from, OutputFormat::Parquet);
        assert!(matches!(
            deposit(OutputFormat::Parquet, &from, &to, 10),
            Err(FormatError::TooLong(10))
        ));
    }
}
