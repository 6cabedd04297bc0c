use super::*;
use crate::domain::release::OutputFormat;

fn table(text: &str) -> Result<Schema, FormatError> {
    inspect(io::Cursor::new(text)).map(|inspected| inspected.schema)
}

fn columns(text: &str) -> Vec<ColumnType> {
    match table(text).unwrap() {
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
    let Schema::Table { columns, rows } = table(&std::fs::read_to_string(path).unwrap()).unwrap() else {
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
    let Schema::Table { columns, rows } = table("\u{feff}a,b\n1,2\n").unwrap() else {
        panic!("a table")
    };
    assert_eq!((columns[0].name.as_str(), rows), ("a", 1));
}

#[test]
fn what_is_no_table_is_refused_with_the_line() {
    for (text, line) in [
        ("a,b\n1,2\n3\n", 3),
        ("a,b\r\n1,2\r\n\r\n\r\n3\r\n", 5),
        ("\u{feff}\na,b\n\n1,2\n\n3", 6),
        ("a,b\n\"1\n1\",2\n3,4,5\n", 4),
        ("a,a\n1,2\n", 1),
        ("\n\na,\n1,2\n", 3),
    ] {
        let told = table(text).unwrap_err().to_string();
        assert!(told.contains(&format!("line {line}: ")), "{text:?}: {told}");
    }
    assert!(table("").is_err());
    let told = inspect(io::Cursor::new(b"a\n1\n\xff\n")).unwrap_err().to_string();
    assert!(told.contains("line 3: field 1 is not UTF-8"), "{told}");
}

#[test]
fn a_file_that_ends_inside_quotes_is_refused_with_the_line() {
    for (text, line) in [
        ("id,name\n1,\"Ann\n2,Bob\n", 2),
        ("id,name\r\n1,Ann\r\n\r\n2,\"Bob\"\"", 4),
        ("\u{feff}id,name\n\n1,\"Ann", 3),
        ("id,name\n1,Ann\n\"2,Bob\n3,Cid\n", 3),
        ("id,\"name\n", 1),
    ] {
        let told = table(text).unwrap_err().to_string();
        assert!(
            told.contains(&format!("line {line}: a quotation mark")),
            "{text:?}: {told}"
        );
    }
    let told = float32s("1,2\n3,\"4\n").unwrap_err().to_string();
    assert!(told.contains("line 2: a quotation mark"), "{told}");
    for text in [
        "a,b\n1,\"x\"",
        "a,b\n1,\"x\"\n",
        "a,b\n1,\"x\"\r\n\r\n\n",
        "a,b\n1,\"x\nx\"",
        "a,b\n1,\"x\"\"\"",
        "a,b\n1,5\" 3",
        "a,b\n1,\"\nx\"\"\"\n\n",
    ] {
        assert!(table(text).is_ok(), "{text:?}");
    }
}

#[test]
fn what_is_written_begins_with_no_mark_that_the_next_reader_would_take_off() {
    for marked in [
        "\u{feff}\u{feff}a,b\n1,2\n",
        "\"\u{feff}a\",b\n1,2\n",
        "\u{feff}a,b\n1,2\n",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("again.csv");
        let mut sink = Sink::create(&file, 1_000).unwrap();
        write_again(marked.as_bytes(), &mut sink).unwrap();
        drop(sink.finish(OutputFormat::Csv).unwrap());
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            "a,b\n1,2\n",
            "{marked:?}"
        );
    }
}

#[test]
fn values_with_other_marks_than_commas_between_them_are_no_single_column() {
    for (text, mark) in [
        ("id;name;ward\n1;Ann;A\n", "semicolons"),
        ("id;weight\n1;70,5\n", "semicolons"),
        ("\"id\";\"name\"\n1;\"Ann\"\n", "semicolons"),
        ("id\tname\n1\tAnn\n", "tabs"),
    ] {
        let told = table(text).unwrap_err().to_string();
        assert!(
            told.contains("line 1: ") && told.contains(mark),
            "{text:?}: {told}"
        );
        assert!(told.contains("save it with commas between the values"), "{told}");
    }
    let told = float32s("1;2\n3;4\n").unwrap_err().to_string();
    assert!(told.contains("semicolons"), "{told}");
    assert!(table("a;b,c\n1,2\n").is_ok(), "commas tell the columns apart");

    // A result is what code has written: it is not lost for the name of its column.
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("result");
    let mut sink = Sink::create(&target, 100).unwrap();
    write_again(b"rate; per year\n0.5\n", &mut sink).unwrap();
}

#[test]
fn a_quotation_mark_that_stays_open_draws_no_file_into_memory() {
    let open = format!("a,b\n1,2\n3,\"4\n{}", "5,6\n".repeat(8 << 20));
    let told = table(&open).unwrap_err().to_string();
    assert!(told.contains("quotation mark"), "{told}");
    let many = (0..=COLUMNS_MAX).map(|n| format!("c{n},")).collect::<String>();
    assert!(table(&format!("{many}last\n")).is_err());
}

#[test]
fn a_header_is_evident_where_values_are_of_another_type() {
    let evident = |text: &str| inspect(io::Cursor::new(text)).unwrap().header_is_evident;
    assert!(evident("name,age\nAda,36\n"));
    assert!(
        !evident("Ada,London\nGrace,New York\n"),
        "two people, and no header"
    );
    assert!(!evident("Ada,London\n"), "no value tells");
    assert!(!evident("Ada,London\nGrace,\n"), "nor does a missing one");
}

fn float32s(text: &str) -> Result<(Schema, Vec<f32>), FormatError> {
    let mut bytes = Vec::new();
    let schema = write_float32(io::Cursor::new(text), &mut bytes)?;
    let again = npy::inspect(&mut bytes.as_slice(), || Ok(bytes.len() as u64))?;
    assert_eq!(again, schema);
    let elements = bytes[128..].chunks_exact(4);
    Ok((
        schema,
        elements
            .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
            .collect(),
    ))
}

#[test]
fn numbers_without_a_header_become_a_tensor() {
    let (schema, values) = float32s("1,2.5\n-3e2, 4\n").unwrap();
    let expected = Schema::Tensor {
        dtype: "float32".into(),
        shape: vec![2, 2],
    };
    assert_eq!((schema, values), (expected, vec![1.0, 2.5, -300.0, 4.0]));
    let (_, values) = float32s("1,NA\ninf,\n").unwrap();
    assert!(values[1].is_nan() && values[2].is_infinite() && values[3].is_nan());
    for (text, line) in [("1,2\n3\n", 2), ("1,2\n\n3,No\n", 3), ("1\n1e39\n", 2)] {
        let told = float32s(text).unwrap_err().to_string();
        assert!(told.contains(&format!("line {line}: ")), "{text:?}: {told}");
    }
    assert!(float32s("").is_err());
}
