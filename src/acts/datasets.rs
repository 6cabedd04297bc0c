//! Datasets: making, changing, finding and deleting them.

use std::sync::Arc;

use uuid::Uuid;

use super::{Refusal, listing, visible};
use crate::domain::access::{Actor, Permission, Viewer, may_see_visibility};
use crate::domain::audit::{self, Action};
use crate::domain::dataset::{Dataset, DatasetDraft, Visibility};
use crate::domain::id::DatasetId;
use crate::domain::object::{Body, Kind, Object};
use crate::domain::text;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::transaction::Tx;

/// Makes a dataset.
///
/// # Errors
/// The permission is missing, a field is wrong, or the name is taken.
pub fn create(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: DatasetId,
    draft: &DatasetDraft,
) -> Result<Object, Refusal> {
    actor.require(Permission::UploadData)?;
    let object = records::write(tx, here, id.0, Body::Dataset(Dataset::new(draft)?), false)?;
    note(tx, actor, here, Action::DATASET_CREATED, &object)?;
    Ok(object)
}

/// Changes what the catalogue says of a dataset.
///
/// # Errors
/// The permission is missing, there is no such dataset, its home is elsewhere, a field is wrong, or the name is taken.
pub fn change(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: DatasetId,
    draft: &DatasetDraft,
) -> Result<Object, Refusal> {
    actor.require(Permission::UploadData)?;
    find(tx, id)?;
    let object = records::write(tx, here, id.0, Body::Dataset(Dataset::new(draft)?), false)?;
    note(tx, actor, here, Action::DATASET_CHANGED, &object)?;
    Ok(object)
}

/// Hides a dataset and its assets by tombstones, which say no more than what is gone: peers get them, and a mock or a text that
/// has not gone out yet must not go out with the word that it is deleted. Attachments, decisions, runs and audit entries stay.
///
/// # Errors
/// The permission is missing, there is no such dataset, or its home is elsewhere.
pub fn delete(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: DatasetId) -> Result<(), Refusal> {
    actor.require(Permission::UploadData)?;
    let (object, _) = find(tx, id)?;
    for asset in records::children(tx, id.0, Kind::Asset)? {
        if !asset.deleted {
            records::write(tx, here, asset.id, bared(asset.body), true)?;
        }
    }
    let object = records::write(tx, here, id.0, bared(object.body), true)?;
    note(tx, actor, here, Action::DATASET_DELETED, &object)
}

/// What a tombstone keeps of a dataset or an asset: its name, and where it belongs.
pub(super) fn bared(body: Body) -> Body {
    match body {
        Body::Dataset(dataset) => Body::Dataset(dataset.bared()),
        Body::Asset(asset) => Body::Asset(asset.bared()),
        other => other,
    }
}

/// A dataset that is not deleted, whoever asks; see [`visible::dataset`] for what somebody may see.
///
/// # Errors
/// There is none.
pub(super) fn find(read: &impl Read, id: DatasetId) -> Result<(Object, Dataset), Refusal> {
    match records::object(read, id.0)?.filter(|object| !object.deleted) {
        Some(object) => match object.body.clone() {
            Body::Dataset(dataset) => Ok((object, dataset)),
            _ => Err(Refusal::no(Kind::Dataset, id)),
        },
        None => Err(Refusal::no(Kind::Dataset, id)),
    }
}

/// A dataset with its assets.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The dataset.
    pub dataset: Object,
    /// Its assets, oldest first, without deleted ones.
    pub assets: Vec<Object>,
}

/// A dataset as somebody is told of it. For which groups it is, is for those who upload or triage; others are told nothing of that.
fn told(viewer: &Viewer, dataset: Arc<Object>) -> Arc<Object> {
    match &dataset.body {
        Body::Dataset(body)
            if matches!(body.visibility, Visibility::Groups(_)) && !may_see_visibility(viewer) =>
        {
            let body = Dataset {
                visibility: Visibility::default(),
                ..body.clone()
            };
            Arc::new(Object {
                body: Body::Dataset(body),
                ..Object::clone(&dataset)
            })
        }
        _ => dataset,
    }
}

/// A dataset with its assets, as the catalogue shows it.
///
/// # Errors
/// There is none that the viewer may see.
pub fn show(read: &impl Read, viewer: &Viewer, id: DatasetId) -> Result<Shown, Refusal> {
    let dataset = visible::dataset(read, viewer, id)?.object;
    let mut assets = records::children(read, id.0, Kind::Asset)?;
    assets.retain(|asset| !asset.deleted);
    let dataset = Arc::unwrap_or_clone(told(viewer, Arc::new(dataset)));
    Ok(Shown { dataset, assets })
}

/// What datasets are looked for by; all of it must fit.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Words that stand in the name, the tags or the texts.
    pub search: Option<String>,
    /// A tag.
    pub tag: Option<String>,
    /// The whole name.
    pub name: Option<String>,
}

impl Wanted {
    fn fits(&self, dataset: &Dataset) -> bool {
        let folded = |text: &String| text::folded(text.trim_start_matches('#'));
        self.search.as_ref().is_none_or(|words| dataset.matches(words))
            && self
                .tag
                .as_ref()
                .is_none_or(|tag| dataset.tags.contains(&folded(tag)))
            && self
                .name
                .as_ref()
                .is_none_or(|name| text::folded(name) == text::folded(&dataset.name))
    }
}

/// The catalogue as somebody may see it, newest first.
///
/// # Errors
/// The store cannot be read.
pub fn list(
    read: &impl Read,
    viewer: &Viewer,
    wanted: &Wanted,
    before: Option<listing::Place>,
    limit: usize,
) -> Result<listing::Listed, Refusal> {
    let mut listed = listing::page(read, Kind::Dataset, before, limit, |object| {
        let fits = matches!(&object.body, Body::Dataset(dataset) if wanted.fits(dataset));
        Ok(fits && visible::may_see(read, viewer, object)?)
    })?;
    listed.objects = listed
        .objects
        .into_iter()
        .map(|dataset| told(viewer, dataset))
        .collect();
    Ok(listed)
}

fn note(tx: &mut Tx<'_>, actor: &Actor, here: &Here, action: Action, object: &Object) -> Result<(), Refusal> {
    let by = audit::Actor::User(actor.user.0);
    let subject: Uuid = object.id;
    Ok(records::audit(
        tx,
        here,
        by,
        action,
        &[subject],
        &[("name", object.body.title())],
    )?)
}

#[cfg(test)]
mod tests;
