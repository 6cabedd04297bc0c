//! `poundlock restore`: puts a node back from a backup, and tells it that it was.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::Common;
use super::failure::Failure;
use super::print;
use crate::node::backup::{self, Manifest};
use crate::node::restore::{self, Restored};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder that was put back, and whose node does not run; with --from, the folder to make, empty or absent
    folder: PathBuf,
    /// The backup to put back
    #[arg(long, value_name = "BACKUP")]
    from: Option<PathBuf>,
}

/// Makes the node's folder of a backup.
fn put_back(backup: &Path, folder: &Path) -> Result<Restored, Failure> {
    let backup = backup
        .canonicalize()
        .map_err(|error| Failure::file(backup, &error))?;
    Manifest::read(&backup).map_err(|error| Failure::chain(&error))?;
    let config = super::serve::load(&backup, None)?;
    backup::put_back(&backup, &config, folder).map_err(|error| Failure::chain(&error))
}

pub(super) fn run(common: &Common, arguments: &Arguments) -> Result<(), Failure> {
    super::make_files_private();
    let put_back = match &arguments.from {
        Some(backup) => Some(put_back(backup, &arguments.folder)?),
        None => None,
    };
    let folder = arguments
        .folder
        .canonicalize()
        .map_err(|error| Failure::file(&arguments.folder, &error))?;
    let config = super::serve::load(&folder, None)?;
    let restored = match put_back {
        Some(restored) => restored,
        None => restore::restore(&folder, &config).map_err(|error| Failure::chain(&error))?,
    };
    if config.side.level().is_err() {
        let told = json!({"node": restored.node});
        return common.out().show(&told, |_| {
            format!(
                "It stands in the audit chain that the folder was put back from a copy.\n\nStart the node: poundlock serve {}",
                folder.display()
            )
        });
    }
    let told = json!({"node": restored.node, "epoch": restored.epoch, "peers": restored.peers});
    common.out().show(&told, |_| {
        let epoch = restored.epoch;
        let mut text = format!("The store has a new epoch, {epoch}.\n\nStart the node: poundlock serve {}\n", folder.display());
        if !restored.peers.is_empty() {
            let peers: Vec<_> = restored.peers.iter().map(|peer| print::plain(peer)).collect();
            text.push_str(&format!(
                "\nThen, with each of: {}\n  1. Export a bundle and carry it there. It is refused once, and names the epoch.\n  2. Tell \
                 the owner there the epoch by voice; they confirm it: poundlock pair epoch PEER {epoch}\n  3. There: import the \
                 bundle again, review it, and export one for here. What went apart since the copy is shown as forked, and what a \
                 low node has forgotten is given back.\n\nIf the node's keys were rotated after the copy was made, put the newest keys \
                 folder back first.",
                peers.join(", ")
            ));
        }
        text
    })
}
