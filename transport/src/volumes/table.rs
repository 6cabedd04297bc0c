//! The volume table: `PNDLVOL` and the format's number, a signature, and one deterministic CBOR item.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{MAX_VOLUME_BYTES, MAX_VOLUMES, MIN_VOLUME_BYTES, VolumeError};
use crate::cbor::{from_deterministic_slice, to_deterministic_vec};
use crate::digest::{BlobHash, BundleHash};
use crate::identity::{NodeIdentity, PublicIdentity};
use crate::medium::open_foreign;
use crate::receive::VerifyError;
use crate::signing;

pub(crate) const MAGIC: &[u8; 8] = b"PNDLVOL\x01";
pub(crate) const BODY_AT: usize = MAGIC.len() + 64;

/// [`MAX_VOLUMES`] entries of 41 bytes and the rest fit well.
const MAX_TABLE_BYTES: u64 = 512 * 1024;

/// One slice of the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Its length in bytes.
    pub length: u64,
    /// The plain BLAKE3 hash of its bytes.
    pub hash: BlobHash,
}

/// What volumes a bundle was split into, signed by the bundle's sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeTable {
    body: Body,
    signature: [u8; 64],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    bundle: BundleHash,
    size: u64,
    volume_size: u64,
    volumes: Vec<Volume>,
}

impl VolumeTable {
    pub(super) fn sign(
        bundle: BundleHash,
        size: u64,
        volume_size: u64,
        volumes: Vec<Volume>,
        signer: &NodeIdentity,
    ) -> Result<Self, VolumeError> {
        let mut table = Self {
            body: Body {
                bundle,
                size,
                volume_size,
                volumes,
            },
            signature: [0; 64],
        };
        table.check()?;
        let hash = signing::hash(signing::VOLUMES, &table.encode_body()?);
        table.signature = signing::sign(signer.signing_key(), signing::VOLUMES, &hash);
        Ok(table)
    }

    /// Reads a table and checks that one of `peers` signed it.
    ///
    /// # Errors
    /// When the file is no table, is damaged, contradicts itself, or nobody of `peers` signed it.
    pub fn read(path: &Path, peers: &[&PublicIdentity]) -> Result<Self, VolumeError> {
        let io = VolumeError::io(path);
        let file: File = open_foreign(path).map_err(&io)?;
        let mut bytes = Vec::new();
        file.take(MAX_TABLE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(&io)?;
        if bytes.len() as u64 > MAX_TABLE_BYTES {
            return Err(VolumeError::NotATable);
        }
        Self::parse(&bytes, peers)
    }

    fn parse(bytes: &[u8], peers: &[&PublicIdentity]) -> Result<Self, VolumeError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(VolumeError::NotATable)?;
        let (signature, body) = rest
            .split_first_chunk::<64>()
            .ok_or(VolumeError::Table("it is cut short"))?;
        if peers.is_empty() {
            return Err(VerifyError::NoPeers.into());
        }
        let hash = signing::hash(signing::VOLUMES, body);
        if !peers
            .iter()
            .any(|peer| signing::verify(peer.verify_key(), signing::VOLUMES, &hash, signature))
        {
            return Err(VerifyError::Signature.into());
        }
        let body = from_deterministic_slice(body).map_err(|_| VolumeError::NotATable)?;
        let table = Self {
            body,
            signature: *signature,
        };
        table.check()?;
        Ok(table)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, VolumeError> {
        let mut bytes = Vec::with_capacity(BODY_AT);
        bytes.extend(MAGIC);
        bytes.extend(self.signature);
        bytes.extend(self.encode_body()?);
        Ok(bytes)
    }

    fn encode_body(&self) -> Result<Vec<u8>, VolumeError> {
        to_deterministic_vec(&self.body).map_err(|_| VolumeError::Table("it cannot be encoded"))
    }

    /// All volumes have the same size but the last, and together they have the bundle's.
    fn check(&self) -> Result<(), VolumeError> {
        let Body {
            size,
            volume_size,
            volumes,
            ..
        } = &self.body;
        if !(MIN_VOLUME_BYTES..=MAX_VOLUME_BYTES).contains(volume_size) {
            return Err(VolumeError::VolumeSize(*volume_size));
        }
        let count = size.div_ceil(*volume_size);
        if count != volumes.len() as u64 || volumes.is_empty() || volumes.len() > MAX_VOLUMES {
            return Err(VolumeError::Table(
                "its number of volumes is not the one that the size calls for",
            ));
        }
        let lengths_fit = volumes
            .iter()
            .zip(0u64..)
            .all(|(volume, number)| volume.length == (size - number * volume_size).min(*volume_size));
        if lengths_fit {
            Ok(())
        } else {
            Err(VolumeError::Table("its lengths do not add up to the bundle"))
        }
    }

    /// The hash of the bundle that the volumes make.
    pub fn bundle(&self) -> BundleHash {
        self.body.bundle
    }

    /// The bundle's size in bytes.
    pub fn size(&self) -> u64 {
        self.body.size
    }

    /// The volumes in their order in the bundle.
    pub fn volumes(&self) -> &[Volume] {
        &self.body.volumes
    }

    /// Where volume `number`, counted from 0, starts in the bundle.
    pub(super) fn offset(&self, number: usize) -> u64 {
        self.body.volume_size.saturating_mul(number as u64)
    }

    /// The file name of volume `number`, counted from 0: 11 characters of `[a-z0-9]`, such as `3f9a0cv0001`.
    pub fn volume_name(&self, number: usize) -> String {
        format!("{}v{:04}", self.prefix(), number + 1)
    }

    /// The file name of the table itself, such as `3f9a0ctable`.
    pub fn table_name(&self) -> String {
        format!("{}table", self.prefix())
    }

    /// Six digits of the bundle's hash keep the files of different bundles apart.
    fn prefix(&self) -> String {
        let mut name = self.body.bundle.to_string();
        name.truncate(6);
        name
    }
}
