//! The folder that holds all of a node, and who may look into it.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::whole_file::sync_folder;

/// Permission bits of group and others.
const FOREIGN: u32 = 0o077;

/// Whether a node holds private data, and so has the folder for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateData {
    Held,
    NotHeld,
}

/// A node's folder, checked when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFolder {
    root: PathBuf,
    private_data: PrivateData,
}

/// Why a folder cannot be a node's.
#[derive(Debug, Error)]
pub enum NodeFolderError {
    #[error("{} is not empty; a new node needs a folder of its own", .0.display())]
    NotEmpty(PathBuf),
    #[error("there is no node in {} (no {CONFIG})", .0.display())]
    NoNode(PathBuf),
    #[error("other users can get at {} (mode {mode:o}); run: chmod -R go= {}", .path.display(), .path.display())]
    Open { path: PathBuf, mode: u32 },
    #[error("{} belongs to user {owner}, not to the one who runs this", path.display())]
    Foreign { path: PathBuf, owner: u32 },
    #[error("{} is a link or not of the kind that is expected there", .0.display())]
    Kind(PathBuf),
    #[error("{} exists, and a node on this side holds no private data: look whether poundlock.toml has the right `side`, and delete nothing", .0.display())]
    UnexpectedPrivate(PathBuf),
    #[error("{} is missing, which a node that holds private data has: look whether poundlock.toml has the right `side`", .0.display())]
    MissingPrivate(PathBuf),
    #[error("{} cannot be used", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// What uploads leave free of the disk.
const RESERVE_BYTES: u64 = 256 << 20;

const CONFIG: &str = "poundlock.toml";
const KEYS: &str = "keys";
const IDENTITY: &str = "node.key";
const PREVIOUS_IDENTITY: &str = "node.key.previous";
const STORE: &str = "store";
const BLOBS: &str = "blobs";
const PRIVATE: &str = "private";
const QUARANTINE: &str = "quarantine";
const TEMPLATES: &str = "templates";
const SPOOL: &str = "spool";
const COPIES: &str = "copies";
const SNAPSHOTS: &str = "snapshots";

impl NodeFolder {
    /// Makes the folders of a new node, all 0700. The folder itself may exist if it is empty. It becomes a node once
    /// [`Self::config`] is written.
    ///
    /// # Errors
    /// [`NodeFolderError::NotEmpty`], or when a folder cannot be made.
    pub fn create(root: &Path, private_data: PrivateData) -> Result<Self, NodeFolderError> {
        let failed = |source| NodeFolderError::Io {
            path: root.to_path_buf(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .map_err(failed)?;
        if fs::read_dir(root).map_err(failed)?.next().is_some() {
            return Err(NodeFolderError::NotEmpty(root.to_path_buf()));
        }
        let folder = Self {
            root: root.to_path_buf(),
            private_data,
        };
        check(&folder.root, Kind::Folder)?;
        for path in folder.folders() {
            let made = DirBuilder::new().mode(0o700).create(&path);
            made.map_err(|source| NodeFolderError::Io { path, source })?;
        }
        sync_folder(root).map_err(failed)?;
        Ok(folder)
    }

    /// Opens a node's folder: everything in it must belong to the caller, and no other user may get at it.
    ///
    /// # Errors
    /// When something is missing, of another kind, another user's, or open to other users; or when there is private
    /// data on a node that may hold none.
    pub fn open(root: &Path, private_data: PrivateData) -> Result<Self, NodeFolderError> {
        let folder = Self {
            root: root.to_path_buf(),
            private_data,
        };
        let config = folder.config();
        if !config.try_exists().map_err(|source| NodeFolderError::Io {
            path: config.clone(),
            source,
        })? {
            return Err(NodeFolderError::NoNode(root.to_path_buf()));
        }
        check(&folder.root, Kind::Folder)?;
        check(&config, Kind::File)?;
        let private = root.join(PRIVATE);
        let there = fs::symlink_metadata(&private).is_ok();
        match private_data {
            PrivateData::NotHeld if there => return Err(NodeFolderError::UnexpectedPrivate(private)),
            PrivateData::Held if !there => return Err(NodeFolderError::MissingPrivate(private)),
            PrivateData::Held | PrivateData::NotHeld => {}
        }
        for path in folder.folders() {
            check(&path, Kind::Folder)?;
        }
        for entry in fs::read_dir(folder.keys()).map_err(|source| NodeFolderError::Io {
            path: folder.keys(),
            source,
        })? {
            let path = entry
                .map_err(|source| NodeFolderError::Io {
                    path: folder.keys(),
                    source,
                })?
                .path();
            check(&path, Kind::File)?;
        }
        Ok(folder)
    }

    /// The node's whole folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join(CONFIG)
    }

    /// The node's own keys, one file each.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.root.join(KEYS)
    }

    /// Where the engine's files are in a node's folder that is not opened, such as a copy.
    #[must_use]
    pub fn store_of(root: &Path) -> PathBuf {
        root.join(STORE)
    }

    /// As [`Self::copies`], of a folder that is not opened.
    #[must_use]
    pub fn copies_of(root: &Path) -> PathBuf {
        root.join(SPOOL).join(COPIES)
    }

    /// Texts of mails that the administrator has written in place of the program's own; need not exist.
    #[must_use]
    pub fn templates(&self) -> PathBuf {
        self.root.join(TEMPLATES)
    }

    /// The engine's files.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root.join(STORE)
    }

    /// Open bytes that may travel.
    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.root.join(BLOBS)
    }

    /// Private bytes, on a node that holds them.
    #[must_use]
    pub fn private(&self) -> Option<PathBuf> {
        (self.private_data == PrivateData::Held).then(|| self.root.join(PRIVATE))
    }

    /// The node's secret keys, in one file that only its owner may read.
    pub fn identity(&self) -> PathBuf {
        self.keys().join(IDENTITY)
    }

    /// The keys before the last rotation.
    pub fn previous_identity(&self) -> PathBuf {
        self.keys().join(PREVIOUS_IDENTITY)
    }

    /// Bundles that came in and are not taken over yet.
    #[must_use]
    pub fn quarantine(&self) -> PathBuf {
        self.root.join(QUARANTINE)
    }

    /// Files on their way out, and what runs need while they last.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.root.join(SPOOL)
    }

    /// Copies of the store that are looked at; emptied when the node starts.
    #[must_use]
    pub fn copies(&self) -> PathBuf {
        Self::copies_of(&self.root)
    }

    /// Copies of the store that wait to be taken into a backup; emptied when the node starts.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.spool().join(SNAPSHOTS)
    }

    /// How many bytes uploads may take of the disk: what is free, but for a reserve, without which the store could not go on.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn room_left(&self) -> io::Result<u64> {
        let stat = nix::sys::statvfs::statvfs(&self.root)?;
        let free = stat.blocks_available().saturating_mul(stat.fragment_size());
        Ok(free.saturating_sub(RESERVE_BYTES))
    }

    fn folders(&self) -> Vec<PathBuf> {
        let always = [
            self.keys(),
            self.store(),
            self.blobs(),
            self.quarantine(),
            self.spool(),
        ];
        always.into_iter().chain(self.private()).collect()
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    File,
    Folder,
}

/// Looks at the thing itself, not at what a link points to.
fn check(path: &Path, kind: Kind) -> Result<(), NodeFolderError> {
    let metadata: Metadata = fs::symlink_metadata(path).map_err(|source| NodeFolderError::Io {
        path: path.to_path_buf(),
        source,
    })?;
    let right = match kind {
        Kind::File => metadata.is_file(),
        Kind::Folder => metadata.is_dir(),
    };
    if !right {
        return Err(NodeFolderError::Kind(path.to_path_buf()));
    }
    if metadata.uid() != nix::unistd::geteuid().as_raw() {
        return Err(NodeFolderError::Foreign {
            path: path.to_path_buf(),
            owner: metadata.uid(),
        });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & FOREIGN != 0 {
        return Err(NodeFolderError::Open {
            path: path.to_path_buf(),
            mode,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn write_private(path: &Path, content: &str) {
        fs::write(path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn node(private_data: PrivateData) -> (tempfile::TempDir, PathBuf) {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("node");
        let folder = NodeFolder::create(&root, private_data).unwrap();
        write_private(&folder.config(), "");
        write_private(&folder.keys().join("signing"), "secret");
        (outer, root)
    }

    #[test]
    fn a_new_node_opens_with_closed_folders() {
        let (_outer, root) = node(PrivateData::Held);
        let folder = NodeFolder::open(&root, PrivateData::Held).unwrap();
        for path in folder.folders() {
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700, "{path:?}");
        }
        assert!(folder.private().unwrap().is_dir());
    }

    #[test]
    fn a_node_without_private_data_has_no_place_for_it() {
        let (_outer, root) = node(PrivateData::NotHeld);
        assert_eq!(
            NodeFolder::open(&root, PrivateData::NotHeld).unwrap().private(),
            None
        );
        fs::create_dir(root.join(PRIVATE)).unwrap();
        let error = NodeFolder::open(&root, PrivateData::NotHeld).unwrap_err();
        assert!(matches!(error, NodeFolderError::UnexpectedPrivate(_)), "{error}");
        fs::remove_dir(root.join(PRIVATE)).unwrap();
        let error = NodeFolder::open(&root, PrivateData::Held).unwrap_err();
        assert!(matches!(error, NodeFolderError::MissingPrivate(_)), "{error}");
    }

    #[test]
    fn folders_and_keys_that_others_can_reach_are_refused() {
        for name in [
            "",
            KEYS,
            STORE,
            BLOBS,
            PRIVATE,
            QUARANTINE,
            SPOOL,
            "keys/signing",
            CONFIG,
        ] {
            let (_outer, root) = node(PrivateData::Held);
            let path = if name.is_empty() {
                root.clone()
            } else {
                root.join(name)
            };
            let mode = fs::metadata(&path).unwrap().mode() | 0o040;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = NodeFolder::open(&root, PrivateData::Held).unwrap_err();
            assert!(
                matches!(&error, NodeFolderError::Open { path: open, .. } if *open == path),
                "{name}: {error}"
            );
        }
    }

    #[test]
    fn a_link_in_place_of_a_folder_is_refused() {
        let (outer, root) = node(PrivateData::Held);
        fs::rename(root.join(PRIVATE), outer.path().join("elsewhere")).unwrap();
        symlink(outer.path().join("elsewhere"), root.join(PRIVATE)).unwrap();
        assert!(matches!(
            NodeFolder::open(&root, PrivateData::Held),
            Err(NodeFolderError::Kind(_))
        ));
    }

    #[test]
    fn a_folder_in_use_is_not_made_a_node() {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("letter"), "dear").unwrap();
        assert!(matches!(
            NodeFolder::create(outer.path(), PrivateData::NotHeld),
            Err(NodeFolderError::NotEmpty(_))
        ));
        assert!(matches!(
            NodeFolder::open(outer.path(), PrivateData::NotHeld),
            Err(NodeFolderError::NoNode(_))
        ));
    }
}
