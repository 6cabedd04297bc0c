//! `poundlock backup` and `poundlock check`: copies of a node, and whether a node or a copy is whole. Both work on the machine of the
//! node, on its folder.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::client::Client;
use super::failure::{Code, Failure};
use super::{Common, print};
use crate::domain::hash::Hash;
use crate::node::backup::{self, BackupError, MANIFEST, Manifest, Snapshot};
use crate::node::{Config, check};
use crate::store::check::Findings;
use crate::store::dump::Dump;
use crate::store::node_folder::NodeFolder;

#[derive(Debug, Args)]
pub(super) struct BackupArguments {
    /// The node's folder; the node may run
    folder: PathBuf,
    /// The folder to make the backup in; empty or absent
    to: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// A backup, or the folder of a node that does not run
    folder: PathBuf,
}

/// Makes a backup, of a node that runs by its API.
pub(super) fn backup(common: &Common, arguments: &BackupArguments) -> Result<(), Failure> {
    super::make_files_private();
    let folder = canonical(&arguments.folder)?;
    let config = super::serve::load(&folder, None)?;
    let made = match Snapshot::of_stopped(&folder, &config) {
        Ok(snapshot) => {
            let made = backup::make(&folder, &config, &snapshot, &arguments.to);
            drop(std::fs::remove_file(&snapshot.file));
            made
        }
        Err(error) if error.is_running() => {
            return of_running(common, &folder, &config, &arguments.to);
        }
        Err(error) => Err(error),
    };
    told(common, &folder, &arguments.to, made)
}

fn of_running(common: &Common, folder: &Path, config: &Config, to: &Path) -> Result<(), Failure> {
    let named = Common {
        node: Some(folder.display().to_string()),
        ..common.clone()
    };
    let client = Client::open(&named)?;
    let taken = client
        .post("/snapshots", &Value::Null)
        .map_err(|refused| match refused.word() {
            "not_signed_in" => Failure::new(
                Code::Forbidden,
                format!(
                    "the node runs, and is copied by its API, where you are not signed in; sign in: poundlock --node {} login EMAIL",
                    folder.display()
                ),
            ),
            _ => refused,
        })?;
    let id = print::field(&taken, "id");
    let made = running_snapshot(folder, config, &taken).and_then(|snapshot| {
        backup::make(folder, config, &snapshot, to).map_err(|error| failed(folder, &error))
    });
    let removed = client.delete(&format!("/snapshots/{id}"));
    let manifest = made?;
    removed?;
    told(common, folder, to, Ok(manifest))
}

fn running_snapshot(folder: &Path, config: &Config, taken: &Value) -> Result<Snapshot, Failure> {
    let unclear =
        || Failure::failed("the node answers what is no snapshot; do its version and this program's agree?");
    let id: uuid::Uuid = taken["id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .ok_or_else(unclear)?;
    let hash: Hash = taken["hash"]
        .as_str()
        .and_then(|hash| hash.parse().ok())
        .ok_or_else(unclear)?;
    let (entries, bytes) = (taken["entries"].as_u64(), taken["bytes"].as_u64());
    let (Some(entries), Some(bytes)) = (entries, bytes) else {
        return Err(unclear());
    };
    let snapshots = node_folder(folder, config)?.snapshots();
    let dump = Dump { entries, bytes, hash };
    Ok(Snapshot::of_running(snapshots.join(id.to_string()), dump))
}

fn node_folder(folder: &Path, config: &Config) -> Result<NodeFolder, Failure> {
    let private = crate::node::private_data(config.side);
    NodeFolder::open(folder, private).map_err(|error| Failure::chain(&error))
}

fn told(
    common: &Common,
    folder: &Path,
    to: &Path,
    made: Result<Manifest, BackupError>,
) -> Result<(), Failure> {
    let manifest = made.map_err(|error| failed(folder, &error))?;
    let bytes: u64 = manifest.files.iter().map(|file| file.length).sum();
    let told = json!({
        "backup": to, "node": manifest.node, "side": manifest.side, "epoch": manifest.epoch,
        "made_at": manifest.made_at, "files": manifest.files.len(), "bytes": bytes,
        "store_entries": manifest.store_entries, "counts": manifest.counts,
    });
    common.out().show(&told, |_| {
        format!(
            "{} has a whole copy of {}: {} files, {}. It was read back and checked.\n\nIt holds the node's keys and everything that the \
             node holds: keep it where only you can reach it.\nIt is put back with: poundlock restore --from {} FOLDER",
            to.display(),
            folder.display(),
            manifest.files.len(),
            print::bytes(bytes),
            to.display(),
        )
    })
}

/// Looks at a backup or at a node that does not run.
pub(super) fn run_check(common: &Common, arguments: &CheckArguments) -> Result<(), Failure> {
    super::make_files_private();
    let folder = canonical(&arguments.folder)?;
    let is_backup = folder.join(MANIFEST).try_exists().unwrap_or(false);
    let looked = if is_backup {
        backup::check(&folder)
    } else {
        check::check(&folder, &super::serve::load(&folder, None)?)
    };
    let findings = looked.map_err(|error| {
        if error.is_running() {
            let folder = folder.display();
            Failure::failed(format!(
                "the node in {folder} runs; make a backup of it and check that, or stop it first"
            ))
        } else {
            // A backup whose dump or manifest cannot be read at all is damaged, and no error of this command.
            Failure::chain(&error)
        }
    })?;
    show(common, &folder, &findings)
}

fn show(common: &Common, folder: &Path, findings: &Findings) -> Result<(), Failure> {
    let told = json!({
        "sound": findings.is_sound(), "looked_at": findings.looked_at, "wrong": findings.wrong,
        "count": findings.count,
    });
    if findings.is_sound() {
        return common.out().show(&told, |_| {
            let counts = findings.looked_at.iter();
            let counts: Vec<_> = counts
                .map(|(what, count)| format!("{count} {}", what.replace('_', " ")))
                .collect();
            format!("{} is sound: {}.", folder.display(), counts.join(", "))
        });
    }
    let wrong: Vec<_> = findings.wrong.iter().map(|wrong| print::plain(wrong)).collect();
    let text = format!(
        "{} is damaged; put it back from a backup. What is wrong ({}):\n  {}",
        folder.display(),
        findings.count,
        wrong.join("\n  ")
    );
    Err(Failure::answered(Code::Failed, text, told))
}

fn failed(folder: &Path, error: &BackupError) -> Failure {
    match error {
        BackupError::Unsound(findings) => {
            let told = json!({"sound": false, "wrong": findings.wrong, "count": findings.count});
            let text = format!(
                "{error}. If private data was replaced meanwhile, make the backup again; else stop the node and run: poundlock check {}",
                folder.display()
            );
            Failure::answered(Code::Failed, text, told)
        }
        error => Failure::chain(error),
    }
}

fn canonical(folder: &Path) -> Result<PathBuf, Failure> {
    folder
        .canonicalize()
        .map_err(|error| Failure::file(folder, &error))
}
