//! `poundlock bundle`: what goes out and what comes in, as files.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};
use ureq::http::Method;

use super::client::part;
use super::failure::Failure;
use super::filters::Shown;
use super::{Common, Session, names, print, tree};

mod export;
mod files;
mod volumes;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show what a peer is owed, and what of it a bundle would carry now
    Preview {
        /// The peer: its id or name
        peer: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Hold a batch back from a peer; it stays owed
    Hold {
        /// The peer: its id or name
        peer: String,
        /// The batches, by their roots
        #[arg(required = true)]
        root: Vec<String>,
    },
    /// Let held batches go
    Unhold {
        /// The peer: its id or name
        peer: String,
        /// The batches, by their roots
        #[arg(required = true)]
        root: Vec<String>,
    },
    /// Write a bundle for a peer onto a medium, and read it back
    Export(export::Arguments),
    /// Take a bundle off a medium into its sender's inbox; a repeated one changes nothing
    Import {
        /// The bundle, or the folder that holds it and no other
        #[arg(value_name = "FILE|FOLDER")]
        file: PathBuf,
    },
    /// Look at a bundle without taking it; needs no node
    Inspect(files::InspectArguments),
    /// Check who signed a bundle; needs no node
    Verify(files::VerifyArguments),
    /// Split a bundle for media that it does not fit on; needs no running node
    Split(volumes::SplitArguments),
    /// Put the volumes of a bundle together again, from any number of media; needs no node
    Join(volumes::JoinArguments),
}

pub(super) fn run(common: &Common, verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Preview { peer, shown } => preview(&common.session()?, peer, shown),
        Verb::Hold { peer, root } => hold(&common.session()?, peer, root),
        Verb::Unhold { peer, root } => unhold(&common.session()?, peer, root),
        Verb::Export(arguments) => export::run(&common.session()?, arguments),
        Verb::Import { file } => import(&common.session()?, file),
        Verb::Inspect(arguments) => files::inspect(common, arguments),
        Verb::Verify(arguments) => files::verify(common, arguments),
        Verb::Split(arguments) => volumes::split(common, arguments),
        Verb::Join(arguments) => volumes::join(common, arguments),
    }
}

fn preview(session: &Session, peer: &str, shown: &Shown) -> Result<(), Failure> {
    let peer = names::peer(&session.client, peer)?;
    let path = format!("/peers/{}/outgoing{}", part(&peer), shown.query());
    session.out.show(&session.client.get(&path)?, tree::batches)
}

fn hold(session: &Session, peer: &str, roots: &[String]) -> Result<(), Failure> {
    let peer = names::peer(&session.client, peer)?;
    for root in roots {
        let path = format!("/peers/{}/holds", part(&peer));
        session.client.post(&path, &json!({ "root": root }))?;
    }
    session.out.show(&json!({ "held": roots }), |_| {
        format!("Held: {}. They stay owed.", listed(roots))
    })
}

fn unhold(session: &Session, peer: &str, roots: &[String]) -> Result<(), Failure> {
    let peer = names::peer(&session.client, peer)?;
    for root in roots {
        let path = format!("/peers/{}/holds/{}", part(&peer), part(root));
        session.client.delete(&path)?;
    }
    session.out.show(&json!({ "let_go": roots }), |_| {
        format!("No longer held: {}.", listed(roots))
    })
}

fn listed(roots: &[String]) -> String {
    let roots: Vec<_> = roots.iter().map(|root| print::plain(root)).collect();
    roots.join(", ")
}

/// The file is read once, into the node's quarantine; nothing looks at the medium again.
fn import(session: &Session, file: &Path) -> Result<(), Failure> {
    let only = if file.is_dir() { Some(only_in(file)?) } else { None };
    if let Some(only) = &only {
        session.out.remark(&format!("Importing {}.", only.display()));
    }
    let file = only.as_deref().unwrap_or(file);
    let imported = session.client.send_file(Method::POST, "/imports", file)?;
    session.out.show(&imported, told)
}

/// The most names that a message lists.
const NAMES_MAX: usize = 20;

/// The one bundle in a folder, told by its ending: which of several is meant, only whoever carried them knows.
fn only_in(folder: &Path) -> Result<PathBuf, Failure> {
    let failed = |error: io::Error| Failure::file(folder, &error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_bundle = |ending: &OsStr| ending.eq_ignore_ascii_case("bundle");
        if path.extension().is_some_and(is_bundle) && path.is_file() {
            names.extend(path.file_name().map(OsStr::to_owned));
        }
    }
    names.sort_unstable();
    match names.as_slice() {
        [only] => Ok(folder.join(only)),
        [] => Err(Failure::failed(format!(
            "{} is a folder without a file that ends in .bundle; name the file",
            folder.display()
        ))),
        several => {
            let mut listed: Vec<_> = several.iter().map(|name| name.to_string_lossy()).collect();
            listed.truncate(NAMES_MAX);
            if several.len() > NAMES_MAX {
                listed.push("…".into());
            }
            Err(Failure::failed(format!(
                "{} holds {} bundles; name the one to import: {}",
                folder.display(),
                several.len(),
                listed.join(", ")
            )))
        }
    }
}

/// What an import brought, for people.
fn told(imported: &Value) -> String {
    let whose = format!(
        "bundle {} of {}",
        print::field(imported, "sequence"),
        print::field(imported, "sender_name")
    );
    let waits = match imported["brought"].as_u64() {
        Some(0) => "nothing new waits for review".to_owned(),
        _ => format!(
            "{} new object(s) wait for review",
            print::field(imported, "brought")
        ),
    };
    let brought = format!(
        "{waits}, {} were known, {} blob(s) came along",
        print::field(imported, "known"),
        print::field(imported, "blobs")
    );
    match imported["state"].as_str() {
        Some("repeated") => format!("This is {whose}, which has been here before. Nothing changed."),
        Some("late") => format!("Received {whose}, late, since a newer one came first: {brought}."),
        _ => format!(
            "Received {whose}: {brought}.\nNext: poundlock review {} show",
            print::field(imported, "sender")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_the_only_bundle_in_it() {
        let stick = tempfile::tempdir().unwrap();
        let put = |name: &str| std::fs::write(stick.path().join(name), b"").unwrap();
        put("notes.txt");
        std::fs::create_dir(stick.path().join("old.bundle")).unwrap();
        let none = only_in(stick.path()).unwrap_err().to_string();
        assert!(none.contains("name the file"), "{none}");
        put("b.bundle");
        assert_eq!(only_in(stick.path()).unwrap(), stick.path().join("b.bundle"));
        put("a.bundle");
        let several = only_in(stick.path()).unwrap_err().to_string();
        assert!(several.contains("a.bundle, b.bundle"), "{several}");
    }

    #[test]
    fn a_repeated_bundle_is_told_to_change_nothing() {
        let mut imported = json!({"sequence": 3, "sender_name": "low\u{7}", "sender": "id", "state": "repeated",
            "brought": 0, "known": 4, "blobs": 0});
        let text = told(&imported);
        assert!(
            text.contains("bundle 3 of low\\u{7}") && text.contains("Nothing changed"),
            "{text}"
        );
        imported["state"] = json!("received");
        assert!(told(&imported).contains("poundlock review id show"));
    }
}
