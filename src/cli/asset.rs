//! `poundlock asset`: tables and tensors, their mocks and their private data.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use ureq::http::Method;

use super::client::part;
use super::deliver::Destination;
use super::failure::Failure;
use super::{Session, names, print};

mod column;
pub(super) mod table;

/// How the bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DataFormat {
    /// A table, with a header
    Csv,
    /// A table
    Parquet,
    /// A tensor
    Npy,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add an asset to a dataset
    Add {
        /// The dataset: its id or name
        dataset: String,
        /// Its name; no other asset of the dataset has it
        #[arg(long)]
        name: String,
        /// What it is
        #[arg(long, default_value = "")]
        description: String,
        /// Say that it has no mock, and will have none
        #[arg(long)]
        no_mock: bool,
    },
    /// List the assets of a dataset: name, type and shape
    List {
        /// The dataset: its id or name
        dataset: String,
        /// The whole list, not its first page
        #[arg(long)]
        all: bool,
    },
    /// Show an asset, with the shape and the types of its mock
    Show {
        /// Its id, or DATASET/ASSET
        asset: String,
    },
    /// Give an asset its mock, take it away, or download it
    Mock(Mock),
    /// Make a mock from declared columns; never from values
    GenerateMock(Generate),
    /// Attach private data, which stays on its node, or remove it; not on a low one
    Private {
        /// The asset: its id, or DATASET/ASSET; of a deleted dataset its id
        asset: String,
        /// The data
        #[arg(required_unless_present = "remove")]
        file: Option<PathBuf>,
        /// Remove what is attached; it cannot be brought back
        #[arg(long, conflicts_with_all = ["file", "format"])]
        remove: bool,
        /// How it is written; by the file's name if left out
        #[arg(long)]
        format: Option<DataFormat>,
    },
    /// Show what private data is attached
    Status {
        /// The asset: its id, or DATASET/ASSET
        asset: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Mock {
    /// The asset: its id, or DATASET/ASSET
    asset: String,
    #[command(flatten)]
    what: MockAct,
    /// How it is written; by the file's name if left out
    #[arg(long, conflicts_with_all = ["none", "download"])]
    format: Option<DataFormat>,
    /// The mock is real data, that may be open; where private data is held this needs the permission to release
    #[arg(long, conflicts_with_all = ["none", "download"])]
    real: bool,
    #[command(flatten)]
    to: Destination,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct MockAct {
    /// The mock to upload
    file: Option<PathBuf>,
    /// Say that there is none, explicitly
    #[arg(long)]
    none: bool,
    /// Download it
    #[arg(long)]
    download: bool,
}

#[derive(Debug, Args)]
pub(super) struct Generate {
    /// The asset: its id, or DATASET/ASSET
    asset: String,
    /// How many rows
    #[arg(long)]
    rows: u64,
    /// Where the random numbers begin, to make the same mock again
    #[arg(long)]
    seed: Option<u64>,
    /// A column: NAME:TYPE, with TYPE one of int, float, bool, string, decimal, date, time,
    /// timestamp; then `,min=…`, `,max=…`, `,choices=A|B`,
    /// `,missing=SHARE`
    #[arg(long, value_name = "NAME:TYPE[,…]", required = true, value_parser = column::column)]
    column: Vec<Value>,
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::Add {
            dataset,
            name,
            description,
            no_mock,
        } => {
            let dataset = names::dataset(client, dataset)?;
            let mut body = json!({"name": name, "description": description});
            if *no_mock {
                body["mock"] = "none".into();
            }
            let asset = client.post(&format!("/datasets/{}/assets", part(&dataset)), &body)?;
            session.out.show(&asset, facts)
        }
        Verb::List { dataset, all } => {
            let path = format!("/datasets/{}/assets", part(&names::dataset(client, dataset)?));
            session.out.show(&client.list(&path, *all)?, |found| {
                let mut text = table::asset_table(&found["items"]);
                if !found["next"].is_null() {
                    text.push_str("\n(there is more: use --all)");
                }
                text
            })
        }
        Verb::Show { asset } => session.out.show(&client.get(&path(session, asset)?)?, facts),
        Verb::Mock(arguments) => mock(session, arguments),
        Verb::GenerateMock(wanted) => {
            let path = format!("{}/mock/generation", path(session, &wanted.asset)?);
            let mut body = json!({"rows": wanted.rows, "columns": wanted.column});
            if let Some(seed) = wanted.seed {
                body["seed"] = seed.into();
            }
            session.out.show(&client.post(&path, &body)?, facts)
        }
        Verb::Private {
            asset,
            file: Some(file),
            format,
            ..
        } => private(session, asset, file, *format),
        Verb::Private { asset, .. } => {
            let removed = client.delete(&format!("{}/private", path(session, asset)?))?;
            session.out.show(&removed, |_| {
                "The private data is removed from this node. Copies of it may be in backups.".to_owned()
            })
        }
        Verb::Status { asset } => {
            let status = client.get(&format!("{}/private-status", path(session, asset)?))?;
            session.out.show(&status, status_facts)
        }
    }
}

fn path(session: &Session, asset: &str) -> Result<String, Failure> {
    let id = names::asset(&session.client, asset)?;
    Ok(format!("/assets/{}", part(&id)))
}

fn mock(session: &Session, arguments: &Mock) -> Result<(), Failure> {
    if arguments.what.download {
        arguments.to.check(session.out)?;
        let path = format!("{}/mock", path(session, &arguments.asset)?);
        return arguments.to.take(session.out, session.client.bytes(&path)?);
    }
    let Some(file) = &arguments.what.file else {
        let path = format!("{}/mock", path(session, &arguments.asset)?);
        let asset = session.client.delete(&path)?;
        return session.out.show(&asset, |asset| match asset {
            Value::Null => "The asset has no mock.".to_owned(),
            asset => facts(asset),
        });
    };
    let format = format_of(file, arguments.format)?;
    let real = if arguments.real { "&is_real=true" } else { "" };
    let path = format!("{}/mock?format={format}{real}", path(session, &arguments.asset)?);
    let asset = session.client.send_file(Method::PUT, &path, file)?;
    session
        .out
        .show(&asset, |asset| format!("{}{}", facts(asset), shared_rows(asset)))
}

fn private(session: &Session, asset: &str, file: &Path, format: Option<DataFormat>) -> Result<(), Failure> {
    let format = format_of(file, format)?;
    let path = format!("{}/private?format={format}", path(session, asset)?);
    let attached = session.client.send_file(Method::PUT, &path, file)?;
    session.out.show(&attached, |attached| {
        let mut text = format!("Attached. It stays on this node.\n{}", status_facts(attached));
        text.push_str(&shared_rows(attached));
        text
    })
}

/// A warning where rows of the mock stand in the private data.
fn shared_rows(answer: &Value) -> String {
    match answer["mock_shares_rows"].as_u64().unwrap_or_default() {
        0 => String::new(),
        shared => {
            format!(
                "\nWARNING: {shared} row(s) of the mock stand in the private data. Is the mock real data?"
            )
        }
    }
}

/// The format's word, by what was said or by the file's name.
fn format_of(file: &Path, said: Option<DataFormat>) -> Result<&'static str, Failure> {
    let by_name = || match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(DataFormat::Csv),
        "parquet" => Some(DataFormat::Parquet),
        "npy" => Some(DataFormat::Npy),
        _ => None,
    };
    match said.or_else(by_name) {
        Some(DataFormat::Csv) => Ok("csv"),
        Some(DataFormat::Parquet) => Ok("parquet"),
        Some(DataFormat::Npy) => Ok("npy"),
        None => Err(Failure::usage(format!(
            "the name of {} does not tell how it is written; use --format csv, parquet or npy",
            file.display()
        ))),
    }
}

/// Whether there is a mock, and what it looks like, in a few words.
pub(super) fn mock_in_short(asset: &Value) -> String {
    let mock = &asset["mock"];
    if mock.is_null() {
        return "none".to_owned();
    }
    let real = if mock["is_real"] == true {
        ", real data"
    } else {
        ""
    };
    format!(
        "{}, {}{real}",
        print::field(mock, "format"),
        shape(&mock["schema"])
    )
}

/// `768 rows × 9 columns`, or `float64 of 3 × 4`.
fn shape(schema: &Value) -> String {
    let count = |value: &Value| value.as_array().map_or(0, Vec::len);
    match schema["kind"].as_str() {
        Some("table") => format!(
            "{} rows × {} columns",
            print::field(schema, "rows"),
            count(&schema["columns"])
        ),
        Some("tensor") => {
            let shape = schema["shape"].as_array().into_iter().flatten();
            let shape: Vec<_> = shape.map(print::of).collect();
            format!("{} of {}", print::field(schema, "dtype"), shape.join(" × "))
        }
        _ => String::new(),
    }
}

/// The columns of a table, one a line.
fn columns(schema: &Value) -> String {
    let columns = schema["columns"].as_array().into_iter().flatten();
    let rows: Vec<_> = columns
        .map(|column| vec![print::field(column, "name"), print::field(column, "dtype")])
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("\n\n{}", print::table(&["COLUMN", "TYPE"], &rows))
}

fn facts(asset: &Value) -> String {
    let mut facts = ["id", "name", "description", "dataset", "home", "seed"]
        .map(|name| (name, print::field(asset, name)))
        .to_vec();
    facts.push(("mock", mock_in_short(asset)));
    if asset["deleted"] == true {
        facts.push(("deleted", "yes".to_owned()));
    }
    format!("{}{}", print::facts(&facts), columns(&asset["mock"]["schema"]))
}

fn status_facts(status: &Value) -> String {
    let length = status["length"].as_u64().map(print::bytes).unwrap_or_default();
    let facts = print::facts(&[
        ("attached", print::field(status, "attached")),
        ("shape", shape(&status["schema"])),
        ("length", length),
        ("attached at", print::field(status, "attached_at")),
    ]);
    format!("{facts}{}", columns(&status["schema"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_format_unless_somebody_does() {
        assert_eq!(format_of(Path::new("a/pima.CSV"), None).unwrap(), "csv");
        assert_eq!(
            format_of(Path::new("pima.csv"), Some(DataFormat::Npy)).unwrap(),
            "npy"
        );
        assert!(format_of(Path::new("pima"), None).is_err());
    }

    #[test]
    fn a_mock_is_told_in_a_few_words() {
        let asset = json!({"mock": {"format": "csv", "is_real": true,
            "schema": {"kind": "table", "rows": 3, "columns": [{"name": "a", "dtype": "float"}]}}});
        assert_eq!(mock_in_short(&asset), "csv, 3 rows × 1 columns, real data");
        let tensor =
            json!({"mock": {"format": "npy", "schema": {"kind": "tensor", "dtype": "<f8", "shape": [3, 4]}}});
        assert_eq!(mock_in_short(&tensor), "npy, <f8 of 3 × 4");
        assert_eq!(mock_in_short(&json!({"mock": null})), "none");
    }
}
