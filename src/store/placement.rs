//! Many files and one commit: blobs and private bytes get their names ahead of the commit that makes objects of them, and lose
//! them again unless it happens.
//!
//! Before the first file gets its name, a note of all that is new lies on the disk. Whoever comes to the end, good or bad,
//! removes it. A crash in between leaves it, and the next start takes back what no object names.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

use super::attachments::{AttachmentError, Attachments, Role, StagedAttachment};
use super::blobs::{BlobError, Blobs, StagedBlob};
use super::read::Read;
use super::table::TableError;
use super::tables::{HISTORY, INBOX, INBOX_SUPERSEDED, OBJECTS, PRIVATE_DATA, RUNS};
use super::whole_file::{OpenFolderError, WholeFiles};
use crate::domain::hash::Hash;
use crate::domain::job::Run;
use crate::domain::object::Body;
use crate::domain::release::Part;
use crate::failpoint::failpoint;

/// Where notes of placements under way lie.
#[derive(Debug)]
pub struct Placements {
    notes: WholeFiles,
}

/// Files could not be put in place, or taken back.
#[derive(Debug, Error)]
pub enum PlacementError {
    #[error(transparent)]
    Folder(#[from] OpenFolderError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Attachment(#[from] AttachmentError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("a note of files under way cannot be read or written")]
    Note(#[from] io::Error),
    #[error("this node holds no private data")]
    NoAttachments,
}

/// Files that are on the disk, and that nobody can open yet. Attachments are private data of assets that are new.
#[derive(Debug, Default)]
pub struct StagedFiles {
    pub blobs: Vec<StagedBlob>,
    pub private: Vec<StagedAttachment>,
}

impl Placements {
    /// Opens the folder of notes, makes it (0700) if it is missing, and takes back what a crash left in place without its
    /// commit.
    ///
    /// # Errors
    /// When another process has it open, or something cannot be read or removed.
    pub fn open(
        folder: &Path,
        blobs: &Blobs,
        attachments: Option<&Attachments>,
        store: &impl Read,
    ) -> Result<Self, PlacementError> {
        let notes = WholeFiles::open(folder)?;
        let mut left = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().parse::<Uuid>().is_ok() {
                left.push(entry.path());
            }
        }
        if !left.is_empty() {
            let named = blobs_named(store)?;
            for note in left {
                let note_text = fs::read_to_string(&note)?;
                tracing::info!(?note, "taking back files that a crash left without their objects");
                sweep(&note_text, blobs, attachments, store, &named)?;
                fs::remove_file(&note)?;
            }
        }
        Ok(Self { notes })
    }

    /// Puts staged files in place. They stay only if the commit that names them happens: see [`Placed`].
    ///
    /// # Errors
    /// The disk fails; then all of them are gone again.
    pub fn place(
        self: &Arc<Self>,
        blobs: &Arc<Blobs>,
        attachments: Option<&Arc<Attachments>>,
        staged: StagedFiles,
    ) -> Result<Placed, PlacementError> {
        let ticket = Uuid::new_v4();
        let mut note = String::new();
        for blob in &staged.blobs {
            let hash = blob.blob().hash;
            if !blobs.contains(&hash)? {
                note.push_str(&format!("blob {hash}\n"));
            }
        }
        for attachment in &staged.private {
            note.push_str(&format!("private {}\n", attachment.place().0));
        }
        self.note(&ticket.to_string(), &note)?;
        failpoint!("placement.noted");
        let mut placed = Placed {
            placements: Arc::clone(self),
            ticket,
            blobs: Arc::clone(blobs),
            attachments: attachments.cloned(),
            private: Vec::new(),
            over: false,
        };
        for blob in staged.blobs {
            blobs.publish_tentatively(blob, ticket)?;
        }
        for attachment in staged.private {
            let attachments = attachments.ok_or(PlacementError::NoAttachments)?;
            placed.private.push(attachment.place());
            attachments.publish(attachment)?;
        }
        failpoint!("placement.placed");
        Ok(placed)
    }
}

impl Placements {
    /// Removes the private data of an object, after a commit that removes what describes it. A note is on the disk before that: after a
    /// crash in between, the next start removes what nothing describes any more.
    ///
    /// # Errors
    /// What the commit fails with; then the data stays if its description does. Or the disk fails; then the next start removes it.
    pub fn remove<E: From<PlacementError>>(
        &self,
        attachments: &Attachments,
        object: Uuid,
        commit: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let name = Uuid::new_v4().to_string();
        self.note(&name, &format!("private {object}\n"))?;
        commit()?;
        attachments
            .remove(object, Role::Data)
            .map_err(PlacementError::from)?;
        if let Err(error) = self.notes.remove(Path::new(&name)) {
            tracing::warn!(%error, name, "a note of data that is removed stays; the next start looks after it");
        }
        Ok(())
    }

    fn note(&self, name: &str, text: &str) -> Result<(), PlacementError> {
        let mut unfinished = self.notes.begin()?;
        unfinished.write_all(text.as_bytes())?;
        Ok(self.notes.publish(unfinished.complete()?, Path::new(name))?)
    }
}

/// Files in place, ahead of their commit. Dropped, they are taken back.
#[must_use = "dropped, the files are taken back"]
#[derive(Debug)]
pub struct Placed {
    placements: Arc<Placements>,
    ticket: Uuid,
    blobs: Arc<Blobs>,
    attachments: Option<Arc<Attachments>>,
    private: Vec<(Uuid, Role)>,
    over: bool,
}

impl Placed {
    /// The commit has happened: the files stay.
    pub fn keep(mut self) {
        self.over = true;
        self.blobs.keep(self.ticket);
        self.forget();
    }

    /// Nobody knows whether the commit has happened: the next start looks.
    pub fn leave(mut self) {
        self.over = true;
        self.blobs.keep(self.ticket);
    }

    fn forget(&self) {
        let note = self.ticket.to_string();
        if let Err(error) = self.placements.notes.remove(Path::new(&note)) {
            tracing::warn!(%error, note, "a note of files in place stays; the next start looks after it");
        }
    }

    fn take_back(&self) -> Result<(), PlacementError> {
        self.blobs.take_back(self.ticket)?;
        for (object, role) in &self.private {
            if let Some(attachments) = &self.attachments {
                attachments.remove(*object, *role)?;
            }
        }
        Ok(())
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        match self.take_back() {
            Ok(()) => self.forget(),
            Err(error) => {
                tracing::warn!(%error, "files without objects stay; the next start takes them back")
            }
        }
    }
}

/// The blobs that any object names, in any revision, here or in an inbox, and those that runs on mocks left behind.
fn blobs_named(store: &impl Read) -> Result<HashSet<Hash>, TableError> {
    let mut named = HashSet::new();
    let mut note = |body: &Body| {
        named.extend(body.blobs().into_iter().map(|(hash, _)| hash));
        Ok::<_, TableError>(())
    };
    store.for_each(&OBJECTS, &(), |_, object| note(&object.body))?;
    store.for_each(&HISTORY, &(), |_, object| note(&object.body))?;
    store.for_each(&INBOX, &(), |_, pending| note(&pending.body))?;
    store.for_each(&INBOX_SUPERSEDED, &(), |_, pending| note(&pending.body))?;
    store.for_each(&RUNS, &(), |_, run: Run| {
        let products = Part::ALL.into_iter().filter_map(|part| run.product(part));
        named.extend(products.map(|product| product.hash));
        Ok::<_, TableError>(())
    })?;
    Ok(named)
}

/// Takes back what a note names and no object does.
fn sweep(
    note: &str,
    blobs: &Blobs,
    attachments: Option<&Attachments>,
    store: &impl Read,
    named: &HashSet<Hash>,
) -> Result<(), PlacementError> {
    for line in note.lines() {
        if let Some(hash) = line.strip_prefix("blob ").and_then(|hash| hash.parse().ok()) {
            if !named.contains(&hash) {
                blobs.remove(&hash)?;
            }
        } else if let Some(asset) = line.strip_prefix("private ").and_then(|id| id.parse().ok())
            && let Some(attachments) = attachments
            && !store.contains(&PRIVATE_DATA, &asset)?
        {
            attachments.remove(asset, Role::Data)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
