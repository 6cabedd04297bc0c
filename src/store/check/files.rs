//! Blobs and attachments: each the very bytes that its record names.

use std::collections::HashMap;
use std::io;

use uuid::Uuid;

use super::{Files, Findings};
use crate::domain::hash::Hash;
use crate::domain::job::Run;
use crate::domain::object::Object;
use crate::domain::peer::Pending;
use crate::domain::private_data::PrivateData;
use crate::domain::release::Part;
use crate::store::attachments::{Attachments, Role};
use crate::store::blobs::{BlobError, Blobs};
use crate::store::read::Read;
use crate::store::table::TableError;
use crate::store::tables::{INBOX, OBJECTS, PRIVATE_DATA, RUNS};

/// Why files cannot be looked at. What is wrong with one of them is a finding, and no error.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Blob(#[from] BlobError),
}

pub(super) fn check(read: &impl Read, files: Files<'_>, findings: &mut Findings) -> Result<(), FilesError> {
    let found = every_blob(files.blobs, findings)?;
    named(read, &found, findings)?;
    private(read, files.attachments, &found, findings)
}

/// Reads every blob; the lengths of those that are well.
fn every_blob(blobs: &Blobs, findings: &mut Findings) -> Result<HashMap<Hash, u64>, FilesError> {
    let mut found = HashMap::new();
    blobs.for_each(|hash| {
        findings.count("blobs");
        match blobs.verify(&hash) {
            Ok(blob) => {
                found.insert(hash, blob.len);
            }
            Err(error) => findings.wrong(format!("blob {hash}: {error}")),
        }
        Ok::<_, BlobError>(())
    })?;
    Ok(found)
}

/// Every blob that an object names, here or in an inbox, is here with the length that it names.
fn named(read: &impl Read, found: &HashMap<Hash, u64>, findings: &mut Findings) -> Result<(), FilesError> {
    let mut require = |id: Uuid, blobs: Vec<(Hash, u64)>| {
        for (hash, length) in blobs {
            findings.require(found.get(&hash) == Some(&length), || {
                format!("object {id} names blob {hash} of {length} bytes, which is not here")
            });
        }
        Ok::<_, TableError>(())
    };
    read.for_each(&OBJECTS, &(), |id, object: Object| {
        require(id, object.body.blobs())
    })?;
    read.for_each(&INBOX, &(), |(_, id), pending: Pending| {
        require(id, pending.body.blobs())
    })?;
    Ok(())
}

/// Private data and what runs left behind: attachments; on a node without private data, where code has seen mocks alone, what
/// runs left behind are blobs. Findings name the object and the role, never a hash or a size.
fn private(
    read: &impl Read,
    attachments: Option<&Attachments>,
    blobs: &HashMap<Hash, u64>,
    findings: &mut Findings,
) -> Result<(), FilesError> {
    let mut require = |id: Uuid, role: Role, length: u64, hash: Option<Hash>| {
        let fits = match attachments {
            Some(attachments) => {
                findings.count("attachments");
                let measured = attachments.measure(id, role);
                measured.is_ok_and(|(len, found)| len == length && hash.is_none_or(|hash| hash == found))
            }
            None => role != Role::Data && hash.is_some_and(|hash| blobs.get(&hash) == Some(&length)),
        };
        findings.require(fits, || {
            format!(
                "the {} of {id} is missing, or is not what was stored",
                role.name()
            )
        });
        Ok::<_, TableError>(())
    };
    read.for_each(&PRIVATE_DATA, &(), |asset, data: PrivateData| {
        require(asset, Role::Data, data.length, data.hash)
    })?;
    read.for_each(&RUNS, &(), |id, run: Run| {
        for part in Part::ALL {
            if let Some(product) = run.product(part) {
                require(id, Role::of(part), product.length, Some(product.hash))?;
            }
        }
        Ok::<_, TableError>(())
    })?;
    Ok(())
}

/// The length and hash of bytes.
pub(in crate::store) fn measured(mut from: impl io::Read) -> io::Result<(u64, Hash)> {
    let mut hasher = blake3::Hasher::new();
    let length = io::copy(&mut from, &mut hasher)?;
    Ok((length, Hash(*hasher.finalize().as_bytes())))
}
