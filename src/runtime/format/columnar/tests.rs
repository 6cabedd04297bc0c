use std::collections::HashMap;
use std::path::Path;

use arrow::array::{
    DictionaryArray, DurationSecondArray, Int64Array, StringArray, TimestampMicrosecondArray,
    TimestampSecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int32Type;
use arrow::ipc::reader::FileReader;

use super::super::{DataFile, Glance, Reader, Window};
use super::*;
use crate::domain::asset::DataFormat;
use crate::domain::mock::MockColumn;

fn reader() -> Reader {
    Reader::in_this_process()
}

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
    write_batch(path, format, &batch());
}

fn write_batch(path: &Path, format: OutputFormat, batch: &RecordBatch) {
    let file = File::create(path).unwrap();
    if format == OutputFormat::Parquet {
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
    } else {
        let mut writer = FileWriter::try_new(file, &batch.schema()).unwrap();
        writer.write(batch).unwrap();
        writer.finish().unwrap();
    }
}

#[test]
fn nothing_but_names_types_and_values_survives() {
    for format in [OutputFormat::Parquet, OutputFormat::Arrow] {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        write(&from, format);
        reader().deposit(format, &from, &to, 1 << 20).unwrap();
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
fn durations_and_time_zones_survive() {
    let written = |zone: &str, format: OutputFormat| {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let secret = HashMap::from([("note".to_owned(), "SECRETNOTE".to_owned())]);
        let columns: [ArrayRef; 2] = [
            Arc::new(TimestampMicrosecondArray::from(vec![1]).with_timezone(zone)),
            Arc::new(DurationSecondArray::from(vec![90])),
        ];
        let fields = columns.iter().zip(["at", "took"]).map(|(column, name)| {
            Field::new(name, column.data_type().clone(), true).with_metadata(secret.clone())
        });
        let schema = ArrowSchema::new(fields.collect::<Vec<_>>()).with_metadata(secret.clone());
        let batch = RecordBatch::try_new(Arc::new(schema), columns.to_vec()).unwrap();
        write_batch(&from, format, &batch);
        reader().deposit(format, &from, &to, 1 << 20)?;
        let bytes = std::fs::read(&to).unwrap();
        // The copy of Arrow's schema in a Parquet file is in base64, in which the text looks different at each of three places.
        for needle in [
            &b"SECRETNOTE"[..],
            b"U0VDUkVUTk9UR",
            b"NFQ1JFVE5PVE",
            b"TRUNSRVROT1RF",
        ] {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle));
        }
        if format == OutputFormat::Parquet {
            let read = parquet_reader(File::open(&to).unwrap()).unwrap();
            let types = read
                .schema()
                .fields()
                .iter()
                .map(|field| field.data_type().clone())
                .collect();
            return Ok::<Vec<DataType>, FormatError>(types);
        }
        Ok(Vec::new())
    };
    for zone in ["Europe/Berlin", "UTC", "+01:00"] {
        assert_eq!(
            written(zone, OutputFormat::Parquet).unwrap(),
            [
                DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into())),
                DataType::Duration(TimeUnit::Second),
            ]
        );
    }
    for format in [OutputFormat::Parquet, OutputFormat::Arrow] {
        for zone in ["some words", &"a".repeat(100)] {
            assert!(written(zone, format).is_err(), "{zone}");
        }
    }
}

#[test]
fn times_in_a_zone_can_be_looked_at_compared_and_written() {
    for (zone, told) in [
        ("UTC", "2020-09-13T12:26:40Z"),
        ("Europe/Berlin", "2020-09-13T12:26:40Z"),
        ("+01:00", "2020-09-13T13:26:40+01:00"),
    ] {
        let at: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1_600_000_000]).with_timezone(zone));
        let batch = RecordBatch::try_from_iter([("at", at)]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (path, csv) = (folder.path().join("table"), folder.path().join("csv"));
        for format in [OutputFormat::Arrow, OutputFormat::Parquet] {
            write_batch(&path, format, &batch);
            let window = Window {
                from: 0,
                rows: 9,
                from_column: 0,
                columns: 9,
            };
            let seen = reader()
                .glance(File::open(&path).unwrap(), format, window)
                .unwrap();
            let Glance::Table { rows, .. } = seen else {
                panic!("a table")
            };
            assert_eq!(rows[0][0].text.as_deref(), Some(told), "{zone} {format:?}");
        }
        reader().parquet_to_csv(&path, &csv).unwrap();
        assert_eq!(std::fs::read_to_string(csv).unwrap(), format!("at\n{told}\n"));
        let file = DataFile {
            path: &path,
            format: DataFormat::Parquet,
        };
        assert_eq!(reader().shared_rows(file, file, &[7; 32]).unwrap(), 1);
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
    reader().parquet_to_csv(&from, &to).unwrap();
    assert_eq!(std::fs::read_to_string(to).unwrap(), "n,w,f\n1,a,0.5\n,b,NaN\n");
}

#[test]
fn a_mock_has_the_types_that_it_was_planned_with() {
    let types = [
        ColumnType::Boolean,
        ColumnType::Integer,
        ColumnType::Float,
        ColumnType::Decimal,
        ColumnType::Text,
        ColumnType::Date,
        ColumnType::Time,
        ColumnType::Timestamp,
    ];
    let planned = types.map(|dtype| MockColumn {
        name: format!("a {dtype}"),
        dtype: MockType::of(dtype).unwrap(),
        min: None,
        max: None,
        choices: Vec::new(),
        missing: 0.3,
    });
    let plan = MockPlan::new(&planned, 10_000).unwrap();
    let mut bytes = Vec::new();
    write_mock(&plan, 7, &mut bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mock.parquet");
    std::fs::write(&path, &bytes).unwrap();
    let Schema::Table { columns, rows } = inspect(File::open(&path).unwrap()).unwrap() else {
        panic!("a table")
    };
    assert_eq!(rows, 10_000);
    assert_eq!(
        columns.iter().map(|column| column.dtype).collect::<Vec<_>>(),
        types
    );
    let first = parquet_reader(File::open(&path).unwrap())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    for column in first.columns() {
        let missing = column.null_count();
        assert!((1..first.num_rows()).contains(&missing), "{missing} missing");
    }
}

#[test]
fn what_is_neither_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    std::fs::write(&from, b"PAR1 and nothing more PAR1").unwrap();
    for format in [OutputFormat::Parquet, OutputFormat::Arrow] {
        assert!(reader().deposit(format, &from, &to, 1 << 20).is_err());
        assert!(!to.try_exists().unwrap());
    }
    write(&from, OutputFormat::Parquet);
    assert!(matches!(
        reader().deposit(OutputFormat::Parquet, &from, &to, 10),
        Err(FormatError::TooLong(10))
    ));
}

/// The fuzzers found these: two made their readers panic when a reviewer looked at them, and the third took gigabytes of memory.
#[test]
fn what_contradicts_itself_or_claims_too_much_is_refused() {
    let kept = |name: &str| {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus");
        corpus.join(name)
    };
    let window = Window {
        from: 1,
        rows: 20,
        from_column: 0,
        columns: 20,
    };
    for (format, name) in [
        (OutputFormat::Parquet, "parquet/regression-short-bitmap"),
        (OutputFormat::Arrow, "arrow/regression-short-buffer"),
    ] {
        assert!(
            glance(File::open(kept(name)).unwrap(), format, window).is_err(),
            "{name}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let claims = kept("arrow/regression-claims-memory");
    let told = reader()
        .deposit(OutputFormat::Arrow, &claims, &folder.path().join("to"), 1 << 16)
        .err();
    let told = told.map(|error| error.to_string()).unwrap_or_default();
    assert!(told.contains("more than it does"), "{told}");
}

#[test]
fn a_result_has_no_more_rows_than_its_bytes_could_hold() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let schema = Arc::new(ArrowSchema::new(vec![Field::new(
        "nothing",
        DataType::Int64,
        true,
    )]));
    let nulls = Int64Array::from(vec![None; 10_000]);
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(nulls)]).unwrap();
    write_parquet(
        schema,
        [Ok(batch)].into_iter(),
        u64::MAX,
        PARQUET,
        File::create(&from).unwrap(),
        true,
    )
    .unwrap();
    let told = reader().deposit(OutputFormat::Parquet, &from, &to, 1 << 10).err();
    let told = told.map(|error| error.to_string()).unwrap_or_default();
    assert!(told.contains("more than 8192 rows"), "{told}");
    reader()
        .deposit(OutputFormat::Parquet, &from, &to, 1 << 11)
        .unwrap();
}

#[test]
fn a_data_file_has_no_more_rows_than_its_bytes_make_likely() {
    believe(10_000_000, 300).unwrap();
    believe(1_000_000_000, 1_000_000).unwrap();
    let told = believe(1_000_000_001, 1_000_000).unwrap_err().to_string();
    assert!(told.contains("1000000001 rows"), "{told}");
    assert!(believe(u64::MAX, 300).is_err());
}
