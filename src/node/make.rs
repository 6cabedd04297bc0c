//! Making a new node: its folder, its keys, its configuration and its store.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use poundlock_transport::Fingerprint;
use poundlock_transport::identity::{self, IdentityError, NodeIdentity};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::stopped::{Stopped, StoppedError};
use super::{Config, private_data};
use crate::acts::founding::{Founding, found};
use crate::clock;
use crate::domain::id::{Epoch, NodeId};
use crate::domain::session;
use crate::domain::side::{Level, NoBundles};
use crate::domain::text::{self, Invalid};
use crate::store::node_folder::{NodeFolder, NodeFolderError};

/// A node that was just made.
pub struct Made {
    /// Its id.
    pub node: NodeId,
    /// Of the keys that the node signs and reads bundles with; a solo node has none.
    pub fingerprint: Option<Fingerprint>,
    /// The one-time token that set-up asks for. Kept nowhere; the store has its hash.
    pub setup_token: Zeroizing<String>,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Made")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// A node cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The name is no name.
    #[error(transparent)]
    Name(#[from] Invalid),
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] NodeFolderError),
    /// The keys cannot be made or written.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The store cannot be made, or its first records cannot be written.
    #[error(transparent)]
    Store(#[from] StoppedError),
    /// The configuration cannot be written as TOML.
    #[error("the configuration cannot be written")]
    Config(#[from] toml::ser::Error),
    /// A file cannot be written.
    #[error("{} cannot be written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

/// Makes a node in `root`, which must be empty or absent. The configuration file is written last: a folder where this
/// was interrupted is no node, and is refused by everything until it is removed.
///
/// # Errors
/// Says what stands in the way.
pub fn make(root: &Path, name: &str, config: &Config) -> Result<Made, MakeError> {
    let name = text::name("name", name)?;
    let side = config.side;
    let folder = NodeFolder::create(root, private_data(side))?;
    // An id of a high node must not carry its clock; no node's id needs to.
    let node = NodeId(Uuid::new_v4());
    // Without keys a solo node can neither sign a bundle nor read one, whatever else goes wrong.
    let fingerprint = match side.level() {
        Ok(level) => {
            let keys = NodeIdentity::generate(node.0, transport_side(level))?;
            keys.create_file(&folder.identity())?;
            Some(keys.fingerprint()?)
        }
        Err(NoBundles) => None,
    };
    let setup_token = Zeroizing::new(BASE64URL_NOPAD.encode(&clock::random_bytes()));
    let founding = Founding {
        node,
        side,
        epoch: Epoch(Uuid::new_v4()),
        name,
        setup_token: session::setup_token_hash(&setup_token),
    };
    let config_file = folder.config();
    let (now, random) = (clock::now(), clock::random_bytes());
    Stopped::of(folder)?
        .writer
        .transact(move |tx| found(tx, now, random, &founding))
        .map_err(StoppedError::from)?;
    write_config(&config_file, &config.to_toml()?)?;
    Ok(Made {
        node,
        fingerprint,
        setup_token,
    })
}

/// The level, in the transport's words.
pub fn transport_side(level: Level) -> identity::Side {
    match level {
        Level::Low => identity::Side::Low,
        Level::High => identity::Side::High,
    }
}

fn write_config(path: &Path, text: &str) -> Result<(), MakeError> {
    let temporary = path.with_extension("toml.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(at(&temporary))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(at(&temporary))?;
    std::fs::rename(&temporary, path).map_err(at(path))?;
    let folder = path.parent().unwrap_or(path);
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(at(folder))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> MakeError {
    let path = path.to_path_buf();
    move |source| MakeError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::side::Side;

    #[test]
    fn a_made_node_opens() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("node");
        let mut config = Config::new(Side::High);
        config.runtime.python.interpreter = Some("/nonexistent".into());
        let made = make(&root, "Vault", &config).unwrap();
        assert_eq!(made.setup_token.len(), 43);
        let opened = super::super::open(&root, config.clone()).unwrap();
        assert_eq!(opened.node.id, made.node);
        drop(opened);
        assert!(matches!(
            make(&root, "Vault", &config),
            Err(MakeError::Folder(NodeFolderError::NotEmpty(_)))
        ));
    }
}
