//! `poundlock recover`: lets somebody into their account again whom nobody on the node may help.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Common;
use super::failure::Failure;
use crate::node::recover;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder of the node, which must not run
    folder: PathBuf,
    /// The e-mail address of the account
    #[arg(long)]
    email: String,
}

pub(super) fn run(common: &Common, arguments: &Arguments) -> Result<(), Failure> {
    super::make_files_private();
    let folder = arguments
        .folder
        .canonicalize()
        .map_err(|error| Failure::file(&arguments.folder, &error))?;
    let config = super::serve::load(&folder, None)?;
    let (recovered, token) =
        recover::recover(&folder, &config, &arguments.email).map_err(|error| Failure::chain(&error))?;
    let told = json!({
        "user": recovered.offer.user,
        "token": *token,
        "expires_at": recovered.offer.expires_at,
        "second_factor_removed": recovered.second_factor_removed,
        "activated": recovered.activated,
    });
    common.out().show(&told, |_| {
        let mut done = String::new();
        if recovered.second_factor_removed {
            done.push_str("Their second factor is removed. ");
        }
        if recovered.activated {
            done.push_str("The account holds again. ");
        }
        let folder = folder.display();
        format!(
            "{done}Their sessions have ended, and it stands in the audit chain.\n\none-time token: {}\n\nIt chooses a new password \
             until {}, and is kept nowhere. Next:\n  poundlock serve {folder}\n  poundlock --node {folder} password choose",
            *token, recovered.offer.expires_at
        )
    })
}
