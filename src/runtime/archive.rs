//! Unpacks dataset archives: tar packed with gzip, taken as hostile input.
//!
//! Nothing is unpacked to paths. An archive is read once, from its beginning to its end, in memory that does not grow with it;
//! each data file is handed on as it comes, and the caller stages what it makes of it until the whole archive has proved
//! to be sound. What a member may be and what it becomes is decided by [`domain::archive`](crate::domain::archive).
//!
//! The reader of tar is this program's own, because it refuses what others take: whatever two readers could read differently.

mod gzip;
mod tar;

use std::io::Read;

use crate::domain::archive::{ArchiveRefused, Fault, Layout, Limits, Place, Texts, shown};
use crate::domain::asset::DataFormat;
use gzip::Unpacked;
use tar::Members;

/// An archive cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It must be refused.
    #[error(transparent)]
    Refused(#[from] ArchiveRefused),
    /// Its bytes do not arrive.
    #[error("the archive cannot be read: {0}")]
    Source(#[source] std::io::Error),
}

/// A data file of an archive.
#[derive(Clone, Debug)]
pub struct DataMember {
    /// Where it stands in the archive, as it may be shown.
    pub path: String,
    /// The file's name.
    pub name: String,
    /// How it is written, by its ending.
    pub format: DataFormat,
}

/// What an archive held beside its data files.
#[derive(Debug)]
pub struct Contents {
    /// The name of the top folder.
    pub folder: String,
    /// The texts.
    pub texts: Texts,
    /// Members that were not read: the notes that macOS packs beside files.
    pub ignored: Vec<String>,
}

/// Reads an archive to its end. `take` gets each data file with its bytes, and need not read them all.
///
/// # Errors
/// The archive must be refused, by its own fault or by `take`'s word; or it cannot be read. Nothing that `take` has got may be
/// used then.
pub fn unpack<E: From<UnpackError>>(
    source: &mut dyn Read,
    limits: &Limits,
    mut take: impl FnMut(DataMember, &mut dyn Read) -> Result<(), E>,
) -> Result<Contents, E> {
    let mut members = Members::of(Unpacked::of(source, limits), limits.members);
    let mut layout = Layout::new(limits);
    let (mut texts, mut ignored) = (Texts::default(), Vec::new());
    while let Some(member) = members.next()? {
        let path = shown(&member.path);
        if member.size > limits.unpacked_bytes {
            return Err(refused(Fault::TooLarge(limits.unpacked_bytes).at(path)).into());
        }
        match layout.admit(&member.path, member.kind).map_err(refused)? {
            Place::Folder => {}
            Place::Ignored => ignored.push(path),
            Place::Text(part) => {
                if member.size > limits.text_bytes {
                    return Err(refused(Fault::LongText(limits.text_bytes).at(path)).into());
                }
                let mut bytes = Vec::new();
                let read = members.content().read_to_end(&mut bytes);
                members.told(read)?;
                texts.insert(part, path, &bytes).map_err(refused)?;
            }
            Place::Data { name, format } => {
                let taken = take(DataMember { path, name, format }, &mut members.content());
                // A reader that failed tells why; what `take` makes of it is only that it failed.
                members.sound()?;
                taken?;
            }
        }
    }
    let folder = layout.finish().map_err(refused)?;
    Ok(Contents {
        folder,
        texts,
        ignored,
    })
}

fn refused(refused: ArchiveRefused) -> UnpackError {
    UnpackError::Refused(refused)
}

#[cfg(test)]
pub(crate) mod craft;
#[cfg(test)]
mod tests;
