//! Writes one bundle into the spool.

use std::fs::DirEntry;
use std::io::ErrorKind;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use poundlock_transport::{
    Acknowledgement, AuditHeads, BlobHash, BundleWriter, ChainHead, Contents, Outgoing, WriteError, Written,
    default_workers,
};
use serde::Serialize;

use super::{Export, Syncer, public_identity};
use crate::actors::ActError;
use crate::acts::Refusal;
use crate::acts::outgoing::{self, Parcel, Wanted};
use crate::clock;
use crate::domain::hash::Hash;
use crate::domain::id::{BundleId, NodeId};
use crate::failpoint::failpoint;
use crate::store::blobs::BlobError;

/// A bundle that lies in the spool, read back and verified, ready to be carried.
#[derive(Clone, Debug, Serialize)]
pub struct Exported {
    /// The bundle.
    pub bundle: BundleId,
    /// For whom it is.
    pub peer: NodeId,
    /// Its number.
    pub sequence: u64,
    /// What it builds on; 0 for nothing.
    pub base: u64,
    /// What was signed.
    pub hash: Hash,
    /// The size of the file in bytes.
    pub size: u64,
    /// The file's name in the spool.
    pub name: String,
    /// How many records it carries.
    pub records: usize,
    /// How many blobs.
    pub blobs: usize,
    /// How many batches hold something that did not fit, and that no bundle under way carries: it goes with the next one.
    pub left_over: u64,
}

impl Syncer {
    /// Packs, writes, reads back and notes a bundle. A crash on the way wastes a number and leaves a file in the spool that
    /// the next export removes.
    pub(super) fn export(&self, ask: Export) -> Result<Exported, ActError> {
        let Export {
            actor,
            peer,
            filters,
            full,
        } = ask;
        let bundle = BundleId(clock::random_id());
        let wanted = Wanted {
            filters,
            full,
            ..Wanted::default()
        };
        let room = self.room_for(peer).map_err(ActError::internal)?;
        let parcel = self.store.act_blocking(move |tx, here| {
            let parcel = outgoing::pack(tx, &actor, here, peer.0, &wanted, bundle)?;
            // Refused in the transaction, a parcel costs no number.
            fits(parcel.bytes(), room).map(|()| parcel)
        })?;
        failpoint!("export.reserved");
        let written = self.write(&parcel)?;
        failpoint!("export.written");
        let file = Hash(*written.hash.as_bytes());
        let sequence = parcel.sequence;
        self.store
            .act_blocking(move |tx, here| outgoing::written(tx, here, peer.0, sequence, file))?;
        failpoint!("export.noted");
        Ok(Exported {
            bundle,
            peer,
            sequence,
            base: parcel.base,
            hash: file,
            size: written.size,
            name: written
                .path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            records: parcel.records.len(),
            blobs: parcel.blobs.len(),
            left_over: parcel.left_over,
        })
    }

    fn write(&self, parcel: &Parcel) -> Result<Written, ActError> {
        let from = self.identity()?;
        let to = public_identity(&parcel.peer).map_err(ActError::internal)?;
        let target = self.clear_spool(parcel).map_err(ActError::internal)?;
        let outgoing = header(parcel)?;
        let mut writer =
            BundleWriter::create(&target, &from, &to, &outgoing, default_workers()).map_err(refused)?;
        for record in &parcel.records {
            writer.record(record).map_err(refused)?;
        }
        for (hash, length) in &parcel.blobs {
            let written = match self.blobs.open_blob(hash) {
                Ok(mut bytes) => writer.blob(&BlobHash::from_bytes(hash.0), *length, &mut bytes),
                Err(BlobError::Missing(_)) => return Err(self.damaged(parcel, *hash, "is not here")?),
                Err(error) => return Err(ActError::internal(error)),
            };
            match written {
                Err(WriteError::BlobChanged(_)) => {
                    return Err(self.damaged(parcel, *hash, "is damaged: it is not what its name says")?);
                }
                Err(WriteError::BlobRead(_, error)) => {
                    return Err(self.damaged(parcel, *hash, &format!("cannot be read ({error})"))?);
                }
                written => written.map_err(refused)?,
            }
        }
        writer.finish().map_err(refused)
    }

    /// What is said of a blob that no bundle can take from here: whose it is, and the ways out.
    fn damaged(&self, parcel: &Parcel, blob: Hash, what: &str) -> Result<ActError, ActError> {
        let (peer, epoch, sequence) = (parcel.peer.node.0, parcel.epoch, parcel.sequence);
        let named = self
            .store
            .read_blocking(move |view| outgoing::naming(view, peer, epoch, sequence, blob))?;
        let (whose, hold) = match named {
            Some((object, root)) => (
                format!(
                    ", of the {} {} ({})",
                    object.kind().word(),
                    object.body.title(),
                    object.id
                ),
                format!(
                    "; or let the rest go without it: `poundlock bundle hold {} {root}`",
                    parcel.peer.name
                ),
            ),
            None => (String::new(), String::new()),
        };
        let digits = blob.to_string();
        let detail = format!(
            "the blob {blob}{whose} {what}, so that no bundle can carry it. Put the file blobs/{}/{}/{digits} back from a backup of this \
             node (`poundlock check` names all that is damaged){hold}",
            digits.get(..2).unwrap_or_default(),
            digits.get(2..4).unwrap_or_default(),
        );
        Ok(Refusal::conflict("export_blob_damaged", detail).into())
    }

    /// Removes earlier bundles for the peer from the spool, since what they carried and was not acknowledged is carried
    /// again, and names the new one.
    fn clear_spool(&self, parcel: &Parcel) -> std::io::Result<PathBuf> {
        for earlier in self.spooled_for(parcel.peer.node)? {
            std::fs::remove_file(earlier.path())?;
        }
        Ok(self
            .folder
            .spool()
            .join(spooled_name(parcel.peer.node, parcel.sequence)))
    }

    /// What a bundle for the peer may take of the disk. Those from before make way for it.
    fn room_for(&self, peer: NodeId) -> std::io::Result<u64> {
        let mut room = self.folder.room_left()?;
        for earlier in self.spooled_for(peer)? {
            room = room.saturating_add(earlier.metadata()?.len());
        }
        Ok(room)
    }

    fn spooled_for(&self, peer: NodeId) -> std::io::Result<Vec<DirEntry>> {
        let prefix = file_prefix(peer);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.folder.spool())? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                found.push(entry);
            }
        }
        Ok(found)
    }
}

/// Names are lower-case letters, digits and dashes, as any file system takes them.
fn file_prefix(peer: NodeId) -> String {
    format!("to-{}-", &peer.0.simple().to_string()[..8])
}

/// The name under which a bundle for a peer lies in the spool.
pub fn spooled_name(peer: NodeId, sequence: u64) -> String {
    format!("{}{sequence:06}.bundle", file_prefix(peer))
}

/// Finds an exported file by its name.
///
/// # Errors
/// There is none of that name, or the name is none of an export.
pub fn spooled(spool: &Path, name: &str) -> Result<PathBuf, Refusal> {
    let fits = name.len() <= 64
        && name.starts_with("to-")
        && Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "bundle")
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.');
    let path = spool.join(name);
    match path.try_exists() {
        Ok(true) if fits => Ok(path),
        _ => Err(Refusal::NotFound {
            what: "export",
            id: name.to_owned(),
        }),
    }
}

fn header(parcel: &Parcel) -> Result<Outgoing, ActError> {
    let mut contents = Contents::default();
    for record in &parcel.records {
        contents.add_record(u64::try_from(record.len()).unwrap_or(u64::MAX));
    }
    for length in parcel.blobs.values() {
        contents.add_blob(*length);
    }
    let peer = &parcel.peer;
    let received = parcel.received;
    Ok(Outgoing {
        bundle: parcel.bundle.0,
        sender_epoch: parcel.epoch.0,
        recipient_epoch: peer.epoch.0,
        sequence: NonZeroU64::new(parcel.sequence)
            .ok_or_else(|| ActError::internal(anyhow::anyhow!("a bundle without a number")))?,
        base: parcel.base,
        position: parcel.sequence,
        acknowledgement: Acknowledgement {
            epoch: (received.highest > 0).then_some(peer.epoch.0),
            highest: received.highest,
            earlier: received.earlier,
        },
        audit: AuditHeads {
            own: ChainHead::from_bytes(parcel.audit_head.0),
            echo: peer.audit_head.map(|head| ChainHead::from_bytes(head.0)),
        },
        contents,
    })
}

/// Whether what a bundle declares fits into the room that there is: nothing of it may compress, and padding adds up to a 32nd.
fn fits(bytes: u64, room: u64) -> Result<(), Refusal> {
    let needed = bytes.saturating_add(bytes / 32);
    if needed > room {
        let detail = format!(
            "the bundle may take {needed} bytes of the disk, which has room for {room} and a reserve"
        );
        return Err(no_space(&detail));
    }
    Ok(())
}

fn no_space(detail: &str) -> Refusal {
    let mend =
        "make room on this node's disk, or export less at once with --include, --exclude or --requester";
    Refusal::conflict("export_no_space", format!("{detail}; {mend}"))
}

fn refused(error: WriteError) -> ActError {
    match error {
        WriteError::Exists(_) => Refusal::conflict("export_exists", error.to_string()).into(),
        WriteError::Io { source, .. }
            if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
        {
            no_space("the disk became full while the bundle was written").into()
        }
        other => ActError::internal(other),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn word(error: ActError) -> String {
        match error {
            ActError::Refusal(Refusal::Conflict { word, .. }) => word.to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_bundle_that_the_disk_has_no_room_for_is_refused_in_so_many_words() {
        assert!(fits(0, 0).is_ok());
        assert!(fits(3_200, 3_300).is_ok());
        assert_eq!(word(fits(3_200, 3_299).unwrap_err().into()), "export_no_space");
        let full = |kind: io::ErrorKind| {
            refused(WriteError::Io {
                path: PathBuf::new(),
                source: kind.into(),
            })
        };
        assert_eq!(word(full(io::ErrorKind::StorageFull)), "export_no_space");
        assert!(matches!(full(io::ErrorKind::NotFound), ActError::Internal(_)));
    }
}
