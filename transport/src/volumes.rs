//! Splitting a finished bundle for FAT32 sticks and discs, and putting it together again.
//!
//! A volume is a plain slice of the bundle file; what there is to know about it stands in the **volume table**, a small
//! file signed by the bundle's sender, of which every medium gets a copy: how many volumes there are, each one's length
//! and hash, and the bundle's hash. Names come from the table only, so files that happen to lie on a medium are never
//! read. Volumes may come in any order, on any number of media, one after the other.

mod collect;
mod split;
mod table;

use std::io;
use std::path::{Path, PathBuf};

use crate::preamble::PreambleError;
use crate::receive::{ReceiveError, VerifyError};

pub use collect::{Collected, VolumeCollector};
pub use split::VolumeSplitter;
#[cfg(feature = "craft")]
pub(crate) use table::{BODY_AT, MAGIC};
pub use table::{Volume, VolumeTable};

/// The largest volume, and the default: 4 GiB less 64 KiB, which every FAT32 medium takes.
pub const MAX_VOLUME_BYTES: u64 = (4 << 30) - (64 << 10);

/// The smallest volume: smaller ones only multiply files.
pub const MIN_VOLUME_BYTES: u64 = 16 << 10;

/// The most volumes that one bundle is split into: four digits number them.
pub const MAX_VOLUMES: usize = 9999;

/// Why a bundle was not split, or its volumes not collected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// Reading or writing failed.
    #[error("cannot access {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The name is taken by a file with other content.
    #[error("{0} exists already")]
    Exists(PathBuf),
    /// What was read back from the medium is not what was written.
    #[error(
        "{0} does not read back as it was written: the medium is damaged, full, or smaller than it claims"
    )]
    ReadBack(PathBuf),
    /// A volume size that is too small or too large.
    #[error("a volume has {MIN_VOLUME_BYTES} to {MAX_VOLUME_BYTES} bytes, not {0}")]
    VolumeSize(u64),
    /// The bundle would make too many volumes.
    #[error("the bundle would make {0} volumes, more than {MAX_VOLUMES}: choose larger ones")]
    TooMany(u64),
    /// The number, from 0, of a volume that the table does not have. People count from 1.
    #[error("there is no volume {}", .0.saturating_add(1))]
    NoSuchVolume(usize),
    /// The bundle is not signed by the node that is to split it.
    #[error("only the node that made a bundle can split it")]
    NotOurs,
    /// The bundle changed while it was split.
    #[error("the bundle changed while it was read")]
    Changed,
    /// Not a volume table, or of another version.
    #[error("this is not a volume table that this node reads; if the sender is newer, update this node")]
    NotATable,
    /// The table is damaged.
    #[error("the volume table is damaged: {0}")]
    Table(&'static str),
    /// No given identity signed the table.
    #[error("the volume table: {0}")]
    Signature(#[from] VerifyError),
    /// The bundle is larger than the receiver takes, or does not fit.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// The file to split is no bundle.
    #[error(transparent)]
    Preamble(#[from] PreambleError),
    /// Not all volumes are there yet.
    #[error("volumes are missing: {}", .0.join(", "))]
    Missing(Vec<String>),
    /// All volumes are as the table says, but the bundle is not.
    #[error("the volumes do not make the bundle that their table names")]
    OtherBundle,
}

impl VolumeError {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
