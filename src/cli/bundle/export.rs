//! `poundlock bundle export`: releases, then the bundle, then onto the medium.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::Args;
use poundlock_transport::{PublicIdentity, check_signature};
use serde_json::{Value, json};

use crate::cli::client::part;
use crate::cli::failure::{Code, Failure};
use crate::cli::filters::Filters;
use crate::cli::medium;
use crate::cli::release::Part;
use crate::cli::{Session, names, print};
use crate::domain::hash::Hash;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The peer: its id or name
    peer: String,
    /// The folder to write it in under its own name, or the file to write, ending in `.bundle`; nothing is overwritten
    #[arg(long, value_name = "FILE|FOLDER")]
    to: PathBuf,
    #[command(flatten)]
    filters: Filters,
    /// Build on no earlier bundle, and carry all that the peer may have
    #[arg(long)]
    full: bool,
    /// First release one part of a run: `RUN:result=HASH`, with `log` or `failure_report` for the other parts; the hash is
    /// of the very bytes that you reviewed
    #[arg(long, value_name = "RUN:PART=HASH")]
    release: Vec<Release>,
}

/// One part of one run, with the hash of what was reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Release {
    run: uuid::Uuid,
    part: Part,
    hash: Hash,
}

impl std::str::FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = "write it as RUN:result=HASH, RUN:log=HASH or RUN:failure_report=HASH";
        let (run, rest) = text.split_once(':').ok_or(shape)?;
        let (part, hash) = rest.split_once('=').ok_or(shape)?;
        Ok(Self {
            run: run
                .parse()
                .map_err(|_| format!("{run:?} is no run's id; {shape}"))?,
            part: part
                .parse()
                .map_err(|_| format!("{part:?} is no part of a run; {shape}"))?,
            hash: hash.parse().map_err(|error| format!("{error}; {shape}"))?,
        })
    }
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let client = &session.client;
    let peer = names::peer(client, &arguments.peer)?;
    // The medium is tried first: one that takes nothing must not cost a release or a bundle's number.
    let place = Place::of(&arguments.to)?;
    let arriving = medium::begin(place.folder)?;
    let signer = PublicIdentity::from_text(&client.text("/node/identity")?)
        .map_err(|error| Failure::failed(format!("the node's identity cannot be read: {error}")))?;

    check_whose(session, &peer, &arguments.release)?;
    let mut released = Vec::new();
    for wanted in &arguments.release {
        released.push(release(session, wanted)?);
    }
    let mut wanted = arguments.filters.body();
    wanted.insert("full".to_owned(), arguments.full.into());
    let mut exported = client.post(&format!("/peers/{}/exports", part(&peer)), &wanted.into())?;
    let name = own_name(&exported)?;
    let target = place.file(&name);
    let incoming = client.bytes(&format!("/exports/{}", part(&name)))?;
    incoming.copy(arriving.file(), &target)?;
    medium::settle(&arriving)?;
    check(arriving.path(), &target, &signer, &exported)?;
    medium::publish(arriving, &target)?;
    exported["file"] = json!(target);
    exported["released"] = json!(released);
    session.out.show(&exported, told)
}

/// Where the bundle goes.
#[derive(Debug)]
struct Place<'a> {
    folder: &'a Path,
    /// A new file that was named; none where the bundle keeps the name that the node gave it.
    named: Option<&'a Path>,
}

impl<'a> Place<'a> {
    /// A stick that is not in has no folder. Its name must not become that of a file on this disk, so a file says by its ending
    /// that it is meant as one.
    fn of(to: &'a Path) -> Result<Self, Failure> {
        if to.is_dir() {
            return Ok(Self {
                folder: to,
                named: None,
            });
        }
        if to.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(no_folder(to, ""));
        }
        medium::must_be_new(to)?;
        let is_bundle = |ending: &OsStr| ending.eq_ignore_ascii_case("bundle");
        if !to.extension().is_some_and(is_bundle) {
            return Err(no_folder(to, " (A file to write must end in .bundle.)"));
        }
        let folder = medium::folder_of(to);
        if !folder.is_dir() {
            return Err(no_folder(folder, ""));
        }
        Ok(Self {
            folder,
            named: Some(to),
        })
    }

    /// The file to write, which the node calls `own_name`.
    fn file(&self, own_name: &str) -> PathBuf {
        self.named
            .map_or_else(|| self.folder.join(own_name), Path::to_path_buf)
    }
}

fn no_folder(folder: &Path, more: &str) -> Failure {
    Failure::failed(format!(
        "there is no folder {}; is the stick in?{more}",
        folder.display()
    ))
}

/// What answers another peer's request goes with none of this one's bundles: whoever names it has the wrong run, or the wrong peer.
/// All of it is looked at before anything is released.
fn check_whose(session: &Session, peer: &str, wanted: &[Release]) -> Result<(), Failure> {
    for Release { run, .. } in wanted {
        let found = session.client.get(&format!("/runs/{run}"))?;
        // Of a run that answers none, the node says that there is nothing to release.
        let Some(request) = found["request"].as_str() else {
            continue;
        };
        let request = session.client.get(&format!("/requests/{}", part(request)))?;
        let home = request["home"].as_str().unwrap_or_default();
        if home == peer {
            continue;
        }
        let whose = match session.client.get(&format!("/peers/{}", part(home))) {
            Ok(other) => print::field(&other, "name"),
            Err(failure) if failure.code() == Code::NotFound => "this node itself".to_owned(),
            Err(failure) => return Err(failure),
        };
        return Err(Failure::failed(format!(
            "run {run} answers a request of {whose}, which no bundle to another carries; nothing was released"
        )));
    }
    Ok(())
}

/// Releases one part. What was released before stays so: the same command may be given again after the medium failed.
fn release(session: &Session, wanted: &Release) -> Result<Value, Failure> {
    let body = json!({"part": wanted.part.word(), "hash": wanted.hash});
    let what = format!("the {} of run {}", wanted.part.word(), wanted.run);
    match session
        .client
        .post(&format!("/runs/{}/releases", wanted.run), &body)
    {
        Ok(released) => {
            session.out.remark(&format!("Released {what}."));
            Ok(released)
        }
        // The node has compared the hash before it says so.
        Err(failure) if failure.word() == "released_already" => {
            session.out.remark(&format!("Released before: {what}."));
            Ok(json!({"job": wanted.run, "part": wanted.part.word(), "blob": wanted.hash, "already": true}))
        }
        Err(failure) => Err(failure),
    }
}

/// The name under which the bundle lies in the node's spool; one that stays in a folder.
fn own_name(exported: &Value) -> Result<String, Failure> {
    let name = exported["name"].as_str().unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(fits) {
        return Err(Failure::failed("the node gave the bundle a name that is none"));
    }
    Ok(name.to_owned())
}

/// Reads what lies on the medium: it must be this node's, and the very bundle that the node wrote.
fn check(part: &Path, target: &Path, signer: &PublicIdentity, exported: &Value) -> Result<(), Failure> {
    let signed = check_signature(part, &[signer]).map_err(|error| {
        let failure = medium::not_as_written(target);
        Failure::failed(format!("{failure} ({error})"))
    })?;
    let expected = exported["hash"].as_str().unwrap_or_default();
    if signed.hash.to_string() != expected || Some(signed.size) != exported["size"].as_u64() {
        return Err(medium::not_as_written(target));
    }
    Ok(())
}

fn told(exported: &Value) -> String {
    let size = exported["size"].as_u64().unwrap_or_default();
    let mut text = format!(
        "Wrote bundle {} with {} object(s) and {} blob(s), and read it back.\n{}",
        print::field(exported, "sequence"),
        print::field(exported, "records"),
        print::field(exported, "blobs"),
        print::facts(&[
            ("file", print::field(exported, "file")),
            ("size", print::bytes(size)),
            ("hash", print::field(exported, "hash")),
        ])
    );
    if exported["records"] == 0 {
        text.push_str(
            "\nIt carries no object: nothing is owed that your choice lets through. It tells the other node what has arrived here.",
        );
    }
    let left_over = exported["left_over"].as_u64().unwrap_or_default();
    if left_over > 0 {
        text.push_str(&format!(
            "\n{left_over} batch(es) did not fit; export again to carry them in the next bundle."
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_names_run_part_and_hash() {
        let (run, hash) = ("6f1f7d0e-2c3f-4b52-9f5b-0a0b1a2b3c4d", "ab".repeat(32));
        let parsed: Release = format!("{run}:result={hash}").parse().unwrap();
        assert_eq!(
            (parsed.part, parsed.hash.to_string()),
            (Part::Result, hash.clone())
        );
        assert!(format!("{run}:failure_report={hash}").parse::<Release>().is_ok());
        for wrong in [
            format!("{run}:result"),
            format!("{run}=result:{hash}"),
            format!("{run}:everything={hash}"),
            format!("{run}:log=ab"),
            format!("x:log={hash}"),
        ] {
            assert!(wrong.parse::<Release>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_stick_that_is_not_in_becomes_no_file() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::write(at("there.bundle"), b"a bundle").unwrap();
        for (to, told) in [
            ("nostick", "there is no folder"),
            ("nostick/", "there is no folder"),
            ("nostick.bundle/", "there is no folder"),
            ("there.bundle/", "there is no folder"),
            ("nostick/up.bundle", "there is no folder"),
            ("there.bundle", "exists already"),
        ] {
            let refused = Place::of(&at(to)).unwrap_err().to_string();
            assert!(refused.contains(told), "{to}: {refused}");
        }
        let refused = Place::of(&at("nostick/up.bundle")).unwrap_err().to_string();
        assert!(refused.contains("nostick; is the stick in?"), "{refused}");

        let folder = Place::of(root.path()).unwrap().file("own.bundle");
        assert_eq!(folder, at("own.bundle"));
        let file = at("up.bundle");
        assert_eq!(Place::of(&file).unwrap().file("own.bundle"), file);
    }

    #[test]
    fn a_node_cannot_choose_where_its_bundle_goes() {
        assert!(own_name(&json!({"name": "low-0001.plk"})).is_ok());
        for wrong in ["../x", "/etc/x", "", ".hidden", "a/b", "a\u{1b}"] {
            assert!(own_name(&json!({ "name": wrong })).is_err(), "{wrong}");
        }
    }
}
