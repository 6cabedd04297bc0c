//! `poundlock dataset import` and `poundlock dataset mocks`: whole datasets in archives.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;
use ureq::http::Method;

use crate::cli::asset::table::{asset_table, look_in_short, shared_rows};
use crate::cli::client::part;
use crate::cli::failure::Failure;
use crate::cli::filters::query;
use crate::cli::{Session, names, print};

/// Which CSV files have a header.
#[derive(Debug, Args)]
pub(in crate::cli) struct Headers {
    /// Whether CSV files have a header: auto, present or absent; for one of them alone as FILE=present or FILE=absent. Without
    /// a header a CSV is a tensor
    #[arg(long, value_name = "WORD|FILE=WORD", value_parser = header)]
    header: Vec<Header>,
}

#[derive(Debug, Clone)]
struct Header {
    file: Option<String>,
    word: String,
}

/// `WORD`, or `FILE=WORD`.
fn header(text: &str) -> Result<Header, String> {
    let (file, word) = match text.rsplit_once('=') {
        Some((file, word)) => (Some(file.to_owned()), word),
        None => (None, text),
    };
    let known: &[&str] = if file.is_some() {
        &["present", "absent"]
    } else {
        &["auto", "present", "absent"]
    };
    if !known.contains(&word)
        || file
            .as_ref()
            .is_some_and(|file| file.is_empty() || file.contains('/'))
    {
        return Err("write auto, present or absent; or FILE=present or FILE=absent".to_owned());
    }
    Ok(Header {
        file,
        word: word.to_owned(),
    })
}

impl Headers {
    fn asked(&self) -> Vec<(&'static str, String)> {
        let files = |word: &str| {
            let named = self.header.iter().filter(|header| header.word == word);
            let files: Vec<_> = named.filter_map(|header| header.file.as_deref()).collect();
            (!files.is_empty()).then(|| files.join("/"))
        };
        let all = self.header.iter().rfind(|header| header.file.is_none());
        let mut asked = Vec::new();
        asked.extend(all.map(|header| ("header", header.word.clone())));
        asked.extend(files("present").map(|files| ("header_present", files)));
        asked.extend(files("absent").map(|files| ("header_absent", files)));
        asked
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// A .tar.gz with one folder: data files, and if you like description, manifest, tags, ranges
    file: PathBuf,
    /// The dataset's name; the folder's if left out
    #[arg(long)]
    name: Option<String>,
    /// Everybody may know of it, also guests where the node lets them in; whoever is signed in if nothing is said
    #[arg(long, conflicts_with = "group")]
    everybody: bool,
    /// The members of this group may know of it, and of any other that is named
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    #[command(flatten)]
    headers: Headers,
    /// The mocks, in a second archive, matched by the names of the files; on a high or a solo node
    #[arg(long, value_name = "FILE")]
    mocks: Option<PathBuf>,
    /// Generate mocks: others may see the names and types of columns then, and the ranges that the archive declares; on
    /// a high or a solo node
    #[arg(long, conflicts_with = "mocks")]
    generate_mocks: bool,
    /// How many rows generated mocks have
    #[arg(long, requires = "generate_mocks")]
    mock_rows: Option<u64>,
    /// Where the random numbers begin, to make the same mocks again
    #[arg(long, requires = "generate_mocks")]
    seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Mocks {
    /// The dataset: its id or name
    dataset: String,
    /// A .tar.gz with one folder: a file for each asset that shall get a mock, of its name
    file: PathBuf,
    #[command(flatten)]
    headers: Headers,
}

pub(super) fn import(session: &Session, wanted: &Import) -> Result<(), Failure> {
    if let Some(mocks) = &wanted.mocks {
        // Before the first archive is on its way for nothing.
        let opened = File::open(mocks).and_then(|file| file.metadata());
        let metadata = opened.map_err(|error| Failure::file(mocks, &error))?;
        if metadata.is_dir() {
            return Err(Failure::file(mocks, &io::ErrorKind::IsADirectory.into()));
        }
    }
    let mut asked = wanted.headers.asked();
    asked.extend(wanted.name.clone().map(|name| ("name", name)));
    if wanted.everybody {
        asked.push(("visible_to", "everybody".to_owned()));
    }
    if !wanted.group.is_empty() {
        asked.push(("visible_to", "groups".to_owned()));
        asked.push(("groups", wanted.group.join("\n")));
    }
    if wanted.generate_mocks {
        asked.push(("mocks", "generate".to_owned()));
    }
    asked.extend(wanted.mock_rows.map(|rows| ("mock_rows", rows.to_string())));
    asked.extend(wanted.seed.map(|seed| ("seed", seed.to_string())));
    let path = format!("/datasets/archive{}", query(&asked));
    let mut made = session.client.send_file(Method::POST, &path, &wanted.file)?;
    if let Some(mocks) = &wanted.mocks {
        let id = print::field(&made, "id");
        made["mocks"] = supply(session, &id, mocks, &wanted.headers).map_err(|failure| {
            session.out.remark(&format!(
                "The dataset is imported, and its mocks are not. Mend them, then: poundlock dataset mocks {id} {}",
                mocks.display()
            ));
            failure.with("dataset", id)
        })?;
    }
    session.out.show(&made, imported)
}

pub(super) fn mocks(session: &Session, wanted: &Mocks) -> Result<(), Failure> {
    let id = names::dataset(&session.client, &wanted.dataset)?;
    let supplied = supply(session, &id, &wanted.file, &wanted.headers)?;
    session.out.show(&supplied, supplied_facts)
}

fn supply(session: &Session, id: &str, file: &Path, headers: &Headers) -> Result<Value, Failure> {
    let path = format!("/datasets/{}/mocks/archive{}", part(id), query(&headers.asked()));
    session.client.send_file(Method::PUT, &path, file)
}

fn imported(made: &Value) -> String {
    let names = ["id", "name", "description", "tags", "seed"];
    let facts = names.map(|name| (name, print::field(made, name)));
    let mut text = format!("{}\n\n{}", print::facts(&facts), asset_table(&made["assets"]));
    text.push_str(&ignored(made));
    if !made["mocks"].is_null() {
        text.push_str(&format!("\n\nMocks:\n{}", supplied_facts(&made["mocks"])));
    }
    text
}

fn supplied_facts(supplied: &Value) -> String {
    let assets = supplied["assets"].as_array().into_iter().flatten();
    let mut warnings = String::new();
    let rows: Vec<_> = assets
        .map(|asset| {
            warnings.push_str(&shared_rows(asset));
            vec![
                print::field(asset, "id"),
                print::field(asset, "name"),
                look_in_short(&asset["mock"]),
            ]
        })
        .collect();
    let mut text = print::table(&["ID", "NAME", "MOCK"], &rows);
    let without = print::field(supplied, "without");
    if !without.is_empty() {
        text.push_str(&format!("\nNo mock in the archive for: {without}"));
    }
    format!("{text}{}{warnings}", ignored(supplied))
}

fn ignored(answer: &Value) -> String {
    match print::field(answer, "ignored") {
        none if none.is_empty() => String::new(),
        members => format!("\nNot read: {members}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(words: &[&str]) -> Vec<(&'static str, String)> {
        let header = words.iter().map(|word| header(word).unwrap()).collect();
        Headers { header }.asked()
    }

    #[test]
    fn headers_are_told_for_all_or_for_one() {
        assert_eq!(asked(&[]), []);
        assert_eq!(asked(&["auto", "absent"]), [("header", "absent".to_owned())]);
        let expected = [
            ("header", "absent".to_owned()),
            ("header_present", "a.csv/b=c.csv".to_owned()),
        ];
        assert_eq!(asked(&["absent", "a.csv=present", "b=c.csv=present"]), expected);
        for wrong in ["maybe", "a.csv=auto", "=present", "a/b.csv=present", ""] {
            assert!(header(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_came_of_an_archive_is_told() {
        let look = |rows: u64| json!({"format": "csv", "dtype": "table", "shape": [rows, 3]});
        let made = json!({"id": "1", "name": "Pima", "ignored": ["pima/._a.csv"], "assets": [
            {"id": "2", "name": "a.csv", "private": look(200), "mock": look(7), "mock_shares_rows": 2}]});
        let text = imported(&made);
        for part in [
            "csv, 200 rows × 3 columns",
            "csv, 7 rows × 3 columns",
            "WARNING: 2 row(s) of the mock of a.csv",
            "Not read: pima/._a.csv",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
