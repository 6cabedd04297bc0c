//! Dataset archives: a dataset with all of its assets, or the mocks of one, each in one commit.

use super::assets::{NewMock, NewPrivateData};
use super::datasets::Shown;
use super::listing::Place;
use super::{Refusal, assets, datasets, visible};
use crate::domain::access::{Actor, Permission, Viewer};
use crate::domain::asset::{Asset, check_mock};
use crate::domain::audit::Action;
use crate::domain::dataset::DatasetDraft;
use crate::domain::id::{AssetId, DatasetId, NodeId};
use crate::domain::object::{Body, Kind, Object};
use crate::domain::private_data::{MockOrigin, PrivateData};
use crate::domain::schema::Schema;
use crate::domain::text;
use crate::store::read::Read;
use crate::store::records::{self, Here, RecordError};
use crate::store::tables::{CHILDREN, PRIVATE_DATA};
use crate::store::transaction::Tx;

/// An asset as an archive brings it; its bytes are in place already.
#[derive(Clone, Debug)]
pub struct NewAsset {
    /// Its id.
    pub id: AssetId,
    /// The file's name.
    pub name: String,
    /// Its mock, if it has one.
    pub mock: Option<NewMock>,
    /// Its private data, on a node that holds such.
    pub private: Option<NewPrivateData>,
}

/// Whether the actor may make a dataset, under this name if it is known already; before any byte is taken in.
///
/// # Errors
/// The permission is missing, or the name is none or taken.
pub fn may_import(read: &impl Read, actor: &Actor, here: NodeId, name: Option<&str>) -> Result<(), Refusal> {
    actor.require(Permission::UploadData)?;
    let Some(name) = name else {
        return Ok(());
    };
    let folded = text::folded(&text::name("name", name)?);
    match records::named(read, here, Kind::Dataset, None, &folded)? {
        None => Ok(()),
        Some(_) => Err(RecordError::NameTaken {
            kind: Kind::Dataset,
            name: folded,
        }
        .into()),
    }
}

/// Makes a dataset and all of its assets.
///
/// # Errors
/// The permission is missing; a name is taken, or a field wrong; this node holds no private data; or a mock does not stand
/// for the private data beside it. Then nothing is made.
pub fn import(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: DatasetId,
    draft: &DatasetDraft,
    new: &[NewAsset],
) -> Result<Shown, Refusal> {
    let dataset = datasets::create(tx, actor, here, id, draft)?;
    let made = new.iter().map(|asset| import_asset(tx, actor, here, id, asset));
    Ok(Shown {
        assets: made.collect::<Result<_, _>>()?,
        dataset,
    })
}

fn import_asset(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    dataset: DatasetId,
    new: &NewAsset,
) -> Result<Object, Refusal> {
    let mut asset = Asset::new(dataset, &new.name, "")?;
    let mut details = Vec::new();
    if let Some(mock) = &new.mock {
        if mock.is_real && here.side.holds_private_data() {
            actor.require(Permission::Release)?;
        }
        asset.mock = Some(mock.mock());
        details = vec![
            ("mock", mock.blob.to_string()),
            ("is_real", mock.is_real.to_string()),
        ];
    }
    if let (Some(mock), Some(private)) = (&new.mock, &new.private) {
        check_mock(&private.schema, &mock.schema).map_err(|error| assets::differs(&error))?;
        assets::refuse_unmarked(mock, Some(private.hash))?;
    }
    if let Some(mock) = new.mock.as_ref().filter(|mock| mock.made_up) {
        assets::remember(tx, new.id, Some((mock.blob, MockOrigin::MadeUp)))?;
    }
    let object = records::write(tx, here, new.id.0, Body::Asset(asset), false)?;
    assets::note(tx, actor, here, Action::ASSET_CREATED, &object, details)?;
    if let Some(private) = &new.private {
        assets::may_attach(tx, actor, here, new.id)?;
        tx.put(&PRIVATE_DATA, &new.id.0, &private.record(actor, here))?;
        let action = Action::PRIVATE_DATA_ATTACHED;
        assets::note(tx, actor, here, action, &object, Vec::new())?;
    }
    Ok(object)
}

/// An asset that waits for its mock, and what the mock must look like.
#[derive(Clone, Debug)]
pub struct Awaiting {
    /// The asset.
    pub id: AssetId,
    /// Its name.
    pub name: String,
    /// What it holds here; or else what its present mock looks like.
    pub schema: Option<Schema>,
    /// Its private data, on a node that holds such.
    pub private: Option<PrivateData>,
}

/// The assets of a dataset that the actor may give mocks; before any byte is taken in.
///
/// # Errors
/// The permission is missing, there is no such dataset, or its home is elsewhere.
pub fn awaiting_mocks(
    read: &impl Read,
    actor: &Actor,
    here: NodeId,
    id: DatasetId,
) -> Result<Vec<Awaiting>, Refusal> {
    actor.require(Permission::UploadData)?;
    let Shown { dataset, assets } = datasets::show(read, &actor.clone().into(), id)?;
    assets::at_home(&dataset, here)?;
    let mut awaiting = Vec::with_capacity(assets.len());
    for object in assets {
        let Body::Asset(asset) = object.body else {
            continue;
        };
        let private = read.get(&PRIVATE_DATA, &object.id)?;
        let known = private.as_ref().map(|private| private.schema.clone());
        awaiting.push(Awaiting {
            id: AssetId(object.id),
            name: asset.name,
            schema: known.or_else(|| asset.mock.map(|mock| mock.schema)),
            private,
        });
    }
    Ok(awaiting)
}

/// Gives assets of a dataset their mocks, in place of those that they have.
///
/// # Errors
/// As [`assets::set_mock`], of any of them; or one is not of the dataset. Then none is changed.
pub fn supply_mocks(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    dataset: DatasetId,
    mocks: &[(AssetId, NewMock)],
) -> Result<Vec<Object>, Refusal> {
    datasets::find(tx, dataset)?;
    let mut changed = Vec::with_capacity(mocks.len());
    for (id, new) in mocks {
        if assets::find(tx, *id)?.1.dataset != dataset {
            return Err(Refusal::no(Kind::Asset, *id));
        }
        changed.push(assets::set_mock(tx, actor, here, *id, new)?);
    }
    Ok(changed)
}

/// An asset in a list: with what is known of its private data, for those who may know.
#[derive(Clone, Debug)]
pub struct ListedAsset {
    /// The asset.
    pub object: Object,
    /// Its body.
    pub asset: Asset,
    /// What private data is attached, if any; none for those who may not know, and on a node that holds none.
    pub private: Option<Option<PrivateData>>,
}

/// A page of a dataset's assets, oldest first; with the dataset's tags, and where the next page begins.
#[derive(Clone, Debug)]
pub struct AssetPage {
    /// The dataset's tags.
    pub tags: Vec<String>,
    /// The assets.
    pub assets: Vec<ListedAsset>,
    /// Where the next page begins; none on the last.
    pub next: Option<Place>,
}

/// The assets of a dataset after a place, at most `limit`.
///
/// # Errors
/// There is no such dataset that the viewer may see.
pub fn list(
    read: &impl Read,
    viewer: &Viewer,
    here: &Here,
    id: DatasetId,
    after: Option<Place>,
    limit: usize,
) -> Result<AssetPage, Refusal> {
    let dataset = visible::dataset(read, viewer, id)?.body;
    let prefix = (id.0, Kind::Asset as u8);
    let mut place = after.map(|(position, asset)| (prefix.0, prefix.1, position, asset));
    let mut page = AssetPage {
        tags: dataset.tags,
        assets: Vec::new(),
        next: None,
    };
    loop {
        let chunk = read.range_prefix(&CHILDREN, &prefix, place.as_ref(), limit + 1)?;
        let last = chunk.len() <= limit;
        for (key, ()) in chunk {
            let Some(object) = records::object(read, key.3)?.filter(|object| !object.deleted) else {
                place = Some(key);
                continue;
            };
            if page.assets.len() == limit {
                page.next = place.map(|(_, _, position, asset)| (position, asset));
                return Ok(page);
            }
            place = Some(key);
            page.assets.extend(listed(read, viewer, here, object)?);
        }
        if last {
            return Ok(page);
        }
    }
}

/// One asset, whose dataset the viewer may see, as a list shows it.
///
/// # Errors
/// The store cannot be read.
pub fn listed(
    read: &impl Read,
    viewer: &Viewer,
    here: &Here,
    object: Object,
) -> Result<Option<ListedAsset>, Refusal> {
    let Body::Asset(asset) = object.body.clone() else {
        return Ok(None);
    };
    let private = match viewer {
        Viewer::Person(actor) if actor.may(Permission::UploadData) && here.side.holds_private_data() => {
            Some(read.get(&PRIVATE_DATA, &object.id)?)
        }
        Viewer::Person(_) | Viewer::Guest => None,
    };
    Ok(Some(ListedAsset {
        object,
        asset,
        private,
    }))
}

#[cfg(test)]
mod tests;
