//! From the medium into quarantine, and from there to a verified bundle.
//!
//! The types are the steps: [`receive`] gives a [`Received`], [`Received::verify`] a [`Verified`], and only that
//! can be unpacked. There is no way around a step.

mod copy;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::BundleHash;
use crate::identity::PublicIdentity;
use crate::limits::Limits;
use crate::preamble::PreambleError;
use crate::signing;

pub(crate) use copy::hash_bundle;
pub use copy::receive;

/// Why a file could not be taken off its medium. The quarantine holds nothing of it then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// Reading the medium failed.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file on the medium.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Writing the quarantine failed.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file in quarantine.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The name in quarantine is taken.
    #[error("{0} exists already")]
    Exists(PathBuf),
    /// Not a bundle of a format that this node reads.
    #[error(transparent)]
    Preamble(#[from] PreambleError),
    /// Larger than the receiver takes.
    #[error("the bundle has {size} bytes, and this node takes at most {limit}")]
    TooLarge {
        /// The file's size.
        size: u64,
        /// [`Limits::file_bytes`].
        limit: u64,
    },
    /// Not enough free space.
    #[error("the bundle needs {needed} bytes on this node's disk, and {free} are free")]
    NoSpace {
        /// The file's size and the reserve.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// The medium gave another number of bytes than the file's size.
    #[error("the medium gave {read} bytes of a file of {size}: it is damaged, or was still being written")]
    Changed {
        /// The size that the file had when it was opened.
        size: u64,
        /// Bytes that could be read.
        read: u64,
    },
}

/// A file in quarantine: copied off its medium, which is not needed any more, and hashed. Nothing in it is to be
/// believed yet.
///
/// The file stays when this is dropped; removing it is up to whoever chose its place.
#[derive(Debug)]
pub struct Received {
    path: PathBuf,
    file: File,
    size: u64,
    hash: BundleHash,
    signature: [u8; 64],
}

impl Received {
    /// Takes up a file that an earlier [`receive`] left in quarantine, such as before a restart, and hashes it again.
    ///
    /// # Errors
    /// As [`receive`].
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, ReceiveError> {
        copy::open(path, limits)
    }

    /// The file in quarantine.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hash that the signature must be over.
    pub fn hash(&self) -> BundleHash {
        self.hash
    }

    /// Checks that one of `peers` signed the file. Nothing of it is parsed or decrypted before.
    ///
    /// # Errors
    /// When none of them did: a damaged file and a stranger's look the same, since a bundle names nobody in clear.
    pub fn verify(self, peers: &[&PublicIdentity]) -> Result<Verified, VerifyError> {
        let signer = find_signer(&self.hash, &self.signature, peers)?.clone();
        Ok(Verified {
            received: self,
            signer,
        })
    }
}

/// Why a received file is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// There is nobody whose signature could hold.
    #[error("no node is paired, so no signature can be checked: pair first")]
    NoPeers,
    /// The signature is no paired node's over these bytes.
    #[error("no paired node's signature holds: the file is damaged, or comes from a node that is not paired")]
    Signature,
}

pub(crate) fn find_signer<'p>(
    hash: &BundleHash,
    signature: &[u8; 64],
    peers: &[&'p PublicIdentity],
) -> Result<&'p PublicIdentity, VerifyError> {
    if peers.is_empty() {
        return Err(VerifyError::NoPeers);
    }
    peers
        .iter()
        .find(|peer| signing::verify(peer.verify_key(), signing::BUNDLE, hash.as_bytes(), signature))
        .copied()
        .ok_or(VerifyError::Signature)
}

/// A file in quarantine that a paired node signed. Only this can be unpacked:
///
/// ```compile_fail,E0599
/// # use poundlock_transport::*;
/// fn skip_the_signature(received: Received, node: &NodeIdentity, limits: &Limits, sink: &mut dyn Sink) {
///     received.unpack(node, limits, sink);
/// }
/// ```
#[derive(Debug)]
pub struct Verified {
    pub(crate) received: Received,
    pub(crate) signer: PublicIdentity,
}

impl Verified {
    /// The paired node whose key signed the file.
    pub fn signer(&self) -> &PublicIdentity {
        &self.signer
    }

    /// What was signed.
    pub fn hash(&self) -> BundleHash {
        self.received.hash
    }

    /// The file's size in bytes.
    pub fn size(&self) -> u64 {
        self.received.size
    }

    /// The file in quarantine.
    pub fn path(&self) -> &Path {
        &self.received.path
    }

    pub(crate) fn file(&self) -> &File {
        &self.received.file
    }
}
