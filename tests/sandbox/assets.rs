//! How inputs arrive.

use std::path::{Path, PathBuf};

use poundlock::domain::asset::DataFormat;
use poundlock::runtime::{Argument, Outcome, RunError};
use serde_json::json;

use crate::workshop::{Workshop, log};

const TRAIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/data/pima_train.csv");

fn asset(name: &str, path: impl Into<PathBuf>, format: DataFormat) -> (String, Argument) {
    (
        name.to_owned(),
        Argument::Asset {
            path: path.into(),
            format,
        },
    )
}

fn constant(name: &str, value: serde_json::Value) -> (String, Argument) {
    (name.to_owned(), Argument::Constant(value))
}

/// Has the interpreter with packages write files, and unpacks them here: `make` returns a dict of name to list of bytes.
fn made(workshop: &Workshop, folder: &Path, make: &str) {
    let text = workshop.text(make, Vec::new());
    let files: std::collections::BTreeMap<String, Vec<u8>> = serde_json::from_str(&text).unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn a_csv_arrives_as_a_data_frame() {
    let source = "
import pandas
def run(train, factor):
    assert isinstance(train, pandas.DataFrame)
    return {'rows': len(train), 'columns': list(train.columns), 'glu': float(train.glu.mean()) * factor}
";
    let arguments = vec![
        asset("train", TRAIN, DataFormat::Csv),
        constant("factor", json!(2)),
    ];
    let text = Workshop::scientific().text(source, arguments);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["rows"], 200);
    assert_eq!(value["columns"][0], "npreg");
    assert!((value["glu"].as_f64().unwrap() - 247.94).abs() < 1e-9, "{value}");
}

#[test]
fn a_csv_arrives_as_a_dict_of_lists_where_pandas_is_missing() {
    let source = "
def run(train):
    return {name: [type(column[0]).__name__, len(column), column[0]] for name, column in train.items()}
";
    let text = Workshop::bare().text(source, vec![asset("train", TRAIN, DataFormat::Csv)]);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["npreg"], json!(["int", 200, 5]));
    assert_eq!(value["bmi"], json!(["float", 200, 30.2]));
    assert_eq!(value["type"], json!(["str", 200, "No"]));
}

#[test]
fn parquet_and_npy_arrive_as_data_frame_and_array() {
    let workshop = Workshop::scientific();
    let folder = tempfile::tempdir().unwrap();
    let make = "
import io, numpy, pandas
def run():
    table, tensor = io.BytesIO(), io.BytesIO()
    pandas.DataFrame({'n': [1, None, 3], 'w': ['a', 'b', None], 'b': [True, False, True]}).to_parquet(table)
    numpy.save(tensor, numpy.arange(6.0).reshape(2, 3))
    return {'t.parquet': list(table.getvalue()), 't.npy': list(tensor.getvalue())}
";
    made(&workshop, folder.path(), make);
    let parquet = asset("table", folder.path().join("t.parquet"), DataFormat::Parquet);
    let npy = asset("tensor", folder.path().join("t.npy"), DataFormat::Npy);
    let source = "
def run(table, tensor):
    return [table.n.sum(), table.w.isna().sum(), tensor.shape, tensor.sum(), str(tensor.dtype)]
";
    assert_eq!(
        workshop.text(source, vec![parquet.clone(), npy]),
        "[4.0,1,[2,3],15.0,\"float64\"]\n"
    );
    let bare = Workshop::bare().text("def run(table): return table", vec![parquet]);
    assert_eq!(
        bare,
        "{\"n\":[1.0,null,3.0],\"w\":[\"a\",\"b\",null],\"b\":[true,false,true]}\n"
    );
}

/// A table whose texts look like something else, as Parquet.
const MISLEADING: &str = "
import io, pandas
def run():
    table = io.BytesIO()
    pandas.DataFrame({
        'id': ['00123', '5', None], 'icd': ['1E5', 'A00', 'None'], 'country': ['NA', 'DE', None], 'n': [1, 2, 3],
        'kept': [True, False, True], 'when': pandas.to_datetime(['2020-01-02 03:04:05', '2021-05-06 00:00:00', None]),
    }).to_parquet(table)
    return {'t.parquet': list(table.getvalue())}
";

#[test]
fn texts_of_parquet_stay_texts_where_it_is_read_as_csv() {
    let folder = tempfile::tempdir().unwrap();
    made(&Workshop::scientific(), folder.path(), MISLEADING);
    let parquet = asset("table", folder.path().join("t.parquet"), DataFormat::Parquet);
    let bare = Workshop::bare().text("def run(table): return table", vec![parquet]);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&bare).unwrap(),
        json!({
            "id": ["00123", "5", null],
            "icd": ["1E5", "A00", "None"],
            "country": ["NA", "DE", null],
            "n": [1, 2, 3],
            "kept": [true, false, true],
            "when": ["2020-01-02T03:04:05", "2021-05-06T00:00:00", null],
        })
    );
}

/// No interpreter with pandas and without pyarrow is at hand, so what reads the table there is called by itself.
#[test]
fn pandas_alone_is_told_the_types_of_columns() {
    let script = "
import ast, csv, io, json, math, sys
program, table, columns = sys.argv[1:]
tree = ast.parse(open(program, encoding='utf-8').read())
names = {'csv': csv, 'io': io, 'json': json, 'math': math, 'sys': sys}
kept = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.Assign))]
exec(compile(ast.Module(kept, []), program, 'exec'), names)
frame = names['_read_input'](table, {'format': 'csv', 'columns': json.loads(columns)})
told = [[None if cell != cell else str(cell) for cell in frame.iloc[:, at].tolist()] for at in range(frame.shape[1])]
print(json.dumps([list(frame.columns), told, frame.iloc[:, 3].dtype.kind, frame['when'].dtype.kind]))
";
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("t.csv");
    let rows = "id,icd,country,n,when,id\n00123,1E5,NA,1,2020-01-02T03:04:05,7\n,None,DE,,,\n";
    std::fs::write(&table, rows).unwrap();
    let types = ["text", "text", "text", "integer", "timestamp", "text"];
    let names = rows.lines().next().unwrap().split(',');
    let columns: Vec<_> = names
        .zip(types)
        .map(|(name, dtype)| json!({"name": name, "dtype": dtype}))
        .collect();
    let output = std::process::Command::new(std::env::var_os("POUNDLOCK_TEST_PYTHON").unwrap())
        .args(["-c", script])
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/runtime/python/harness.py"
        ))
        .arg(&table)
        .arg(json!(columns).to_string())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let cells = json!([
        ["00123", null],
        ["1E5", "None"],
        ["NA", "DE"],
        ["1.0", null],
        ["2020-01-02 03:04:05", null],
        ["7", null]
    ]);
    assert_eq!(
        told,
        json!([["id", "icd", "country", "n", "when", "id"], cells, "f", "M"])
    );
}

#[test]
fn an_array_of_pickled_objects_is_never_loaded() {
    let workshop = Workshop::scientific();
    let folder = tempfile::tempdir().unwrap();
    let make = "
import io, numpy
def run():
    tensor = io.BytesIO()
    numpy.save(tensor, numpy.array([{'a': 1}], dtype=object), allow_pickle=True)
    return {'t.npy': list(tensor.getvalue())}
";
    made(&workshop, folder.path(), make);
    let mut job = workshop.job("def run(tensor): return 1");
    job.arguments = vec![asset("tensor", folder.path().join("t.npy"), DataFormat::Npy)];
    let Outcome::Failed(report) = workshop.run(&job).unwrap().outcome else {
        panic!("{}", log(&job))
    };
    assert_eq!(
        (report.phase, report.class.name()),
        (poundlock::runtime::Phase::Inputs, "ValueError")
    );
}

#[test]
fn constants_are_the_values_of_their_json() {
    let constants = [
        ("a", json!(null)),
        ("b", json!([1, 2.5, "x", true])),
        ("c", json!({"k": -1})),
    ];
    let arguments = constants.map(|(name, value)| constant(name, value)).to_vec();
    let text = Workshop::bare().text("def run(a, b, c): return [a, b, c]", arguments);
    assert_eq!(text, "[null,[1,2.5,\"x\",true],{\"k\":-1}]\n");
}

#[test]
fn an_asset_that_is_missing_or_bound_twice_is_the_jobs_fault() {
    let workshop = Workshop::bare();
    let mut job = workshop.job("def run(a): return 1");
    job.arguments = vec![asset("a", "/nowhere/a.csv", DataFormat::Csv)];
    let error = workshop.run(&job).unwrap_err();
    assert!(
        matches!(error, RunError::Io { .. }) && error.to_string().contains("/nowhere/a.csv"),
        "{error}"
    );
    job.arguments = vec![constant("a", json!(1)), constant("a", json!(2))];
    assert!(matches!(workshop.run(&job).unwrap_err(), RunError::Job(_)));
}
