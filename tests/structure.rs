//! The structure that `ARCHITECTURE.md` describes, checked: which way dependencies point, and that what it names exists.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a folder or beside it under its name.
fn files(place: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![root().join("src").join(place)];
    found.extend(Some(root().join("src").join(format!("{place}.rs"))).filter(|path| path.is_file()));
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "there is nothing in {place}");
    found
}

/// The code of a file without its tests and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let before_tests = text.split("#[cfg(test)]").next().unwrap_or_default();
    before_tests
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| {
        ["tests", "tests.rs", "histories", "histories.rs", "scene.rs"]
            .iter()
            .any(|name| part.as_os_str() == *name)
    })
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    for folder in ["docs", "transport"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        documents.extend(entries.map(|entry| entry.unwrap().path()));
    }
    documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let found = document.parent().unwrap().join(target);
            assert!(
                found.try_exists().unwrap(),
                "{}: {target} is not there",
                document.display()
            );
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    let rooms = [
        (
            "domain",
            &[
                "store", "sync", "acts", "actors", "api", "pages", "channels", "cli", "runtime", "node",
            ][..],
        ),
        (
            "sync",
            &[
                "store", "acts", "actors", "api", "pages", "channels", "cli", "runtime", "node",
            ],
        ),
        (
            "store",
            &[
                "acts", "actors", "api", "pages", "channels", "cli", "runtime", "node",
            ],
        ),
        (
            "runtime",
            &[
                "store", "sync", "acts", "actors", "api", "pages", "channels", "cli", "node",
            ],
        ),
        (
            "channels",
            &[
                "store", "sync", "acts", "actors", "api", "pages", "cli", "runtime", "node",
            ],
        ),
        ("acts", &["actors", "api", "pages", "channels", "cli", "node"]),
        ("actors", &["api", "pages", "cli"]),
        ("api", &["pages", "channels", "cli"]),
        ("pages", &["channels", "cli", "node", "store::engine"]),
    ];
    let mut wrong = Vec::new();
    for (room, forbidden) in rooms {
        for path in files(room).iter().filter(|path| !is_test(path)) {
            let code = code(path);
            for other in forbidden {
                if code.contains(&format!("crate::{other}::")) {
                    wrong.push(format!("{} uses crate::{other}", path.display()));
                }
            }
            // A stranger's table can keep whoever reads it: that is for fuzzers alone.
            if code.contains("in_this_process()") && !path.ends_with("runtime/format/reader.rs") {
                wrong.push(format!(
                    "{} reads tables in the node's own process",
                    path.display()
                ));
            }
            // Below the actors, nothing knows the web.
            if forbidden.contains(&"actors") && code.contains("actix") {
                wrong.push(format!("{} uses actix", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn rules_do_no_input_or_output_and_read_no_clock() {
    let mut wrong = Vec::new();
    for path in files("domain")
        .iter()
        .chain(&files("sync"))
        .filter(|path| !is_test(path))
    {
        let code = code(path);
        for banned in [
            "std::fs",
            "std::io",
            "std::net",
            "std::process",
            "tokio",
            "actix",
            "async fn",
            "::now(",
            "rand::",
        ] {
            if code.contains(banned) {
                wrong.push(format!("{} has {banned}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_file_stays_readable() {
    let long: Vec<_> = files("")
        .into_iter()
        .filter(|path| fs::read_to_string(path).unwrap().lines().count() > 600)
        .collect();
    assert!(
        long.is_empty(),
        "each of these has come to do two jobs: {long:#?}"
    );
}

#[test]
fn what_the_architecture_names_exists() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut missing = Vec::new();
    for named in text.split('`').skip(1).step_by(2) {
        let path = named.split("::").next().unwrap_or_default();
        let is_path =
            path.contains('/') && !path.contains(' ') && !path.starts_with('/') && !path.contains('{');
        let places = [root().join(path), root().join("src").join(path)];
        if is_path && !places.iter().any(|place| place.try_exists().unwrap_or(false)) {
            missing.push(path.to_owned());
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
