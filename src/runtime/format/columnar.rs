//! Parquet and Arrow IPC files of flat columns.

mod arrow_file;
mod glance;
mod parquet_file;

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{
    Array, ArrayRef, Float16Array, Float32Array, Float64Array, RecordBatch, RecordBatchReader, StringArray,
};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;

pub(super) use glance::glance;
pub(in crate::runtime::format) use parquet_file::open as open_parquet;

use super::FormatError;
use super::foreign::reading;
use crate::domain::mock::{MockPlan, MockType};
use crate::domain::release::OutputFormat;
use crate::domain::schema::{Column, ColumnType, Schema};

pub(super) const PARQUET: &str = "a Parquet file";
const ARROW: &str = "an Arrow IPC file";
/// The longest name of a time zone, in bytes; the longest of today has 32.
const ZONE_MAX: usize = 48;

/// Writes the rows again, without metadata of file, table or column. Values are read into columns and written anew, by
/// which unused bytes and values under a null are lost; columns encoded by a dictionary become plain ones. `between` is an empty
/// file; at most `max` bytes are to be written.
pub(super) fn write_again(
    format: OutputFormat,
    source: File,
    between: File,
    max: u64,
    out: &mut (dyn Write + Send),
) -> Result<(), FormatError> {
    reading(name_of(format), || {
        if format == OutputFormat::Parquet {
            write_parquet_again(source, max, out)
        } else {
            write_arrow_again(source, between, max, out)
        }
    })
}

pub(super) fn name_of(format: OutputFormat) -> &'static str {
    if format == OutputFormat::Parquet {
        PARQUET
    } else {
        ARROW
    }
}

fn write_parquet_again(source: File, max: u64, out: &mut (dyn Write + Send)) -> Result<(), FormatError> {
    let reader = parquet_reader(source)?;
    write_parquet(reader.schema(), reader, rows_max(max), PARQUET, out, false)
}

fn write_arrow_again(
    source: File,
    mut between: File,
    max: u64,
    out: &mut (dyn Write + Send),
) -> Result<(), FormatError> {
    let reader = arrow_file::open(source)?;
    let schema = reader.schema();
    // Parquet holds no bytes but values: what is read back from it is clean.
    write_parquet(schema, reader, rows_max(max), ARROW, &mut between, false)?;
    between
        .rewind()
        .map_err(FormatError::io("reading a temporary file"))?;
    let clean = parquet_reader(between)?;
    let schema = bare(&clean.schema(), ARROW)?;
    let at = |error| FormatError::malformed(ARROW, error);
    let mut writer = FileWriter::try_new(out, &schema).map_err(at)?;
    for batch in clean {
        writer
            .write(&plain(&batch.map_err(at)?, &schema, ARROW)?)
            .map_err(at)?;
    }
    writer.finish().map_err(at)
}

fn parquet_reader(source: File) -> Result<ParquetRecordBatchReader, FormatError> {
    let built = parquet_file::open(source)?.build();
    built.map_err(|error| FormatError::malformed(PARQUET, error))
}

/// The most rows that a result of `max` bytes may have. A column of nulls takes no byte however long it is, and writing it would
/// take as long as its file likes; one with values takes a bit a row, or repeats itself.
fn rows_max(max: u64) -> u64 {
    max.saturating_mul(8)
}

/// Writes batches of at most `rows` rows as Parquet. `portable` leaves out the copy of Arrow's schema: names and types, without
/// which durations become whole numbers and time zones are lost.
fn write_parquet(
    schema: SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    rows: u64,
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
    let mut left = rows;
    for batch in batches {
        let batch = batch.map_err(|error| FormatError::malformed(expected, error))?;
        let taken = left.checked_sub(batch.num_rows() as u64);
        left =
            taken.ok_or_else(|| FormatError::malformed(expected, format!("it has more than {rows} rows")))?;
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
        if let DataType::Timestamp(_, Some(zone)) = dtype
            && !is_zone(zone)
        {
            let problem = format!(
                "the column {:?} is in a time zone whose name is none",
                field.name()
            );
            return Err(FormatError::malformed(expected, problem));
        }
        Ok(Field::new(field.name(), dtype.clone(), field.is_nullable()))
    });
    Ok(Arc::new(ArrowSchema::new(fields.collect::<Result<Vec<_>, _>>()?)))
}

/// Whether a text can name a time zone, as `Europe/Berlin` and `+01:00` do. It is all of a type that could be anything else.
fn is_zone(text: &str) -> bool {
    text.len() <= ZONE_MAX
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/_+-:".contains(c))
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

/// A batch whose cells can be written as text. That needs the time zones' offsets from UTC, and no table of zones is at hand: times in
/// a zone that is a name, even UTC's, are told in UTC.
pub(super) fn legible(batch: &RecordBatch) -> Result<Vec<ArrayRef>, ArrowError> {
    let column = |column: &ArrayRef| match column.data_type() {
        DataType::Timestamp(unit, Some(zone)) if zone.parse::<Tz>().is_err() => {
            cast(column, &DataType::Timestamp(*unit, Some("+00:00".into())))
        }
        _ => Ok(ArrayRef::clone(column)),
    };
    batch.columns().iter().map(column).collect()
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

/// The most rows that a data file may have for each of its bytes. Columns that repeat one value take next to nothing however long
/// they are, and going through them takes as long as their file likes.
const ROWS_PER_BYTE: u64 = 1000;
/// So many rows any data file may have: they are gone through within seconds.
const ROWS_AT_EASE: u64 = 10_000_000;

/// Refuses a file that has more rows than its bytes make likely.
fn check_rows(metadata: &ParquetMetaData, bytes: u64) -> Result<u64, FormatError> {
    let negative = || FormatError::malformed(PARQUET, "its number of rows is negative");
    let count = |rows: i64| u64::try_from(rows).map_err(|_| negative());
    let told = count(metadata.file_metadata().num_rows())?;
    let mut in_groups = 0_u64;
    for group in metadata.row_groups() {
        in_groups = in_groups.saturating_add(count(group.num_rows())?);
    }
    believe(told.max(in_groups), bytes)?;
    Ok(told)
}

fn believe(rows: u64, bytes: u64) -> Result<(), FormatError> {
    let most = bytes.saturating_mul(ROWS_PER_BYTE).max(ROWS_AT_EASE);
    if rows <= most {
        return Ok(());
    }
    let detail =
        format!("it claims {rows} rows, and no more than {most} are believed of a file of {bytes} bytes");
    Err(FormatError::malformed(PARQUET, detail))
}

/// How long a file is. Only its descriptor is asked: where a stranger's file is read, no system call takes a path.
fn length_of(file: &mut File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    Ok(length)
}

/// Reads the footer.
pub(super) fn inspect(source: File) -> Result<Schema, FormatError> {
    reading(PARQUET, || read_footer(source))
}

fn read_footer(mut source: File) -> Result<Schema, FormatError> {
    let bytes = length_of(&mut source).map_err(FormatError::io("reading the asset"))?;
    let builder = parquet_file::open(source)?;
    let rows = check_rows(builder.metadata(), bytes)?;
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
pub(super) fn write_csv(source: File, out: &mut (dyn Write + Send)) -> Result<(), FormatError> {
    reading(PARQUET, || write_rows_as_csv(source, out))
}

fn write_rows_as_csv(source: File, out: &mut (dyn Write + Send)) -> Result<(), FormatError> {
    let reader = parquet_reader(source)?;
    let schema = bare(&reader.schema(), PARQUET)?;
    let at = |error: ArrowError| FormatError::malformed(PARQUET, error);
    let failed = |error: ::csv::Error| FormatError::io("writing a table as CSV")(error.into());
    let options = FormatOptions::default();
    let mut writer = ::csv::Writer::from_writer(out);
    let names = schema.fields().iter().map(|field| field.name().as_str());
    writer.write_record(names).map_err(failed)?;
    for batch in reader {
        let batch = plain(&batch.map_err(at)?, &schema, PARQUET)?;
        let legible = legible(&batch).map_err(at)?;
        let columns = legible
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(at)?;
        for row in 0..batch.num_rows() {
            let fields = columns.iter().map(|column| column.value(row).to_string());
            writer.write_record(fields).map_err(failed)?;
        }
    }
    writer.flush().map_err(|error| failed(error.into()))
}

/// How many rows of a mock are held at a time.
const MOCK_ROWS: usize = 4096;

/// Writes a generated table as Parquet.
pub(super) fn write_mock(
    plan: &MockPlan,
    seed: u64,
    out: &mut (dyn Write + Send),
) -> Result<(), FormatError> {
    let fields = plan
        .columns()
        .map(|(name, dtype)| Field::new(name, mock_type(dtype), true));
    let schema: SchemaRef = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
    let mut rows = plan.rows(seed).peekable();
    let batches = std::iter::from_fn(|| {
        rows.peek()?;
        let batch: Vec<_> = rows.by_ref().take(MOCK_ROWS).collect();
        Some(mock_batch(&batch, &schema))
    });
    write_parquet(schema.clone(), batches, u64::MAX, PARQUET, out, true)
}

fn mock_batch(rows: &[Vec<Option<String>>], schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = schema.fields().iter().enumerate().map(|(at, field)| {
        let cells = rows.iter().map(|row| row.get(at).and_then(Option::as_deref));
        let text: ArrayRef = Arc::new(cells.collect::<StringArray>());
        cast_with_options(&text, field.data_type(), &strict)
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

fn mock_type(dtype: MockType) -> DataType {
    match dtype {
        MockType::Bool => DataType::Boolean,
        MockType::Int => DataType::Int64,
        MockType::Float => DataType::Float64,
        MockType::Decimal => DataType::Decimal128(18, 2),
        MockType::String => DataType::Utf8,
        MockType::Date => DataType::Date32,
        MockType::Time => DataType::Time64(TimeUnit::Microsecond),
        MockType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

#[cfg(test)]
mod tests;
