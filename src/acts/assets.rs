//! Assets: their mocks, and the private data that they stand for on a high node.

use jiff::Timestamp;

use crate::domain::access::{Actor, Permission, Viewer};
use crate::domain::asset::{Asset, DataFormat, Mock, MockError, check_mock};
use crate::domain::audit::{self, Action};
use crate::domain::hash::Hash;
use crate::domain::id::{AssetId, DatasetId, NodeId};
use crate::domain::object::{Body, Kind, Object};
use crate::domain::private_data::{KnownMock, MockOrigin, PrivateData, is_private_data};
use crate::domain::schema::Schema;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{KNOWN_MOCKS, PRIVATE_DATA};
use crate::store::transaction::Tx;

use super::{Refusal, datasets, runs, visible};

/// Makes an asset, as yet without a mock.
///
/// # Errors
/// The permission is missing, there is no such dataset, its home is elsewhere, a field is wrong, or the name is taken.
pub fn create(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: AssetId,
    dataset: DatasetId,
    (name, description): (&str, &str),
) -> Result<Object, Refusal> {
    actor.require(Permission::UploadData)?;
    let (parent, _) = datasets::find(tx, dataset)?;
    at_home(&parent, here.node)?;
    let asset = Asset::new(dataset, name, description)?;
    let object = records::write(tx, here, id.0, Body::Asset(asset), false)?;
    note(tx, actor, here, Action::ASSET_CREATED, &object, Vec::new())?;
    Ok(object)
}

/// An asset that is not deleted, whoever asks; see [`visible::asset`] for what somebody may see.
///
/// # Errors
/// There is none.
pub(super) fn find(read: &impl Read, id: AssetId) -> Result<(Object, Asset), Refusal> {
    match records::object(read, id.0)?.filter(|object| !object.deleted) {
        Some(object) => match object.body.clone() {
            Body::Asset(asset) => Ok((object, asset)),
            _ => Err(Refusal::no(Kind::Asset, id)),
        },
        None => Err(Refusal::no(Kind::Asset, id)),
    }
}

/// The mock of an asset.
///
/// # Errors
/// There is no such asset that the viewer may see, or it has no mock.
pub fn mock(read: &impl Read, viewer: &Viewer, id: AssetId) -> Result<(Asset, Mock), Refusal> {
    let asset = visible::asset(read, viewer, id)?.body;
    match asset.mock.clone() {
        Some(mock) => Ok((asset, mock)),
        None => Err(Refusal::NotFound {
            what: "mock of the asset",
            id: id.to_string(),
        }),
    }
}

/// A mock whose bytes are stored as a blob already.
#[derive(Clone, Debug)]
pub struct NewMock {
    /// The blob.
    pub blob: Hash,
    /// Its length.
    pub length: u64,
    /// How it is written.
    pub format: DataFormat,
    /// What it holds.
    pub schema: Schema,
    /// Whether it is the real data.
    pub is_real: bool,
    /// Whether the node made it up: what it shares with the private data is there by chance.
    pub made_up: bool,
    /// How many of its rows stand in the private data, where there is any.
    pub rows_shared: u64,
    /// When the private data that it was compared with was attached; none where there was none.
    pub compared_with: Option<Timestamp>,
}

impl NewMock {
    pub(super) fn mock(&self) -> Mock {
        Mock {
            blob: self.blob,
            length: self.length,
            format: self.format,
            schema: self.schema.clone(),
            is_real: self.is_real,
        }
    }
}

/// Whether the actor may give an asset a mock, before any byte is taken in: on a high node, where the mock will leave the
/// node, real data as a mock is a release.
///
/// # Errors
/// A permission is missing, there is no such asset, or its home is elsewhere.
pub fn may_set_mock(
    read: &impl Read,
    actor: &Actor,
    here: NodeId,
    releases: bool,
    id: AssetId,
) -> Result<(), Refusal> {
    actor.require(Permission::UploadData)?;
    if releases {
        actor.require(Permission::Release)?;
    }
    at_home(&find(read, id)?.0, here)
}

/// Gives an asset its mock, in place of any that it has.
///
/// # Errors
/// See [`may_set_mock`]; and the private data has other columns or types, or is not what the mock was compared with.
pub fn set_mock(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: AssetId,
    new: &NewMock,
) -> Result<Object, Refusal> {
    let releases = new.is_real && here.side.holds_private_data();
    may_set_mock(tx, actor, here.node, releases, id)?;
    let (_, mut asset) = find(tx, id)?;
    let private = tx.get(&PRIVATE_DATA, &id.0)?;
    if let Some(private) = &private {
        check_mock(&private.schema, &new.schema).map_err(|error| differs(&error))?;
    }
    let attached = private.as_ref().map(|private| private.attached_at);
    as_compared(attached == new.compared_with, "private data")?;
    if let Some(private) = &private {
        refuse_unmarked(new, private.hash)?;
    }
    if let Some(mut private) = private {
        private.rows_shared_with_mock = new.rows_shared;
        tx.put(&PRIVATE_DATA, &id.0, &private)?;
    }
    asset.mock = Some(new.mock());
    remember(tx, id, new.made_up.then_some((new.blob, MockOrigin::MadeUp)))?;
    let object = records::write(tx, here, id.0, Body::Asset(asset), false)?;
    let details = vec![
        ("mock", new.blob.to_string()),
        ("is_real", new.is_real.to_string()),
    ];
    let action = if releases {
        Action::RELEASED
    } else {
        Action::MOCK_CHANGED
    };
    note(tx, actor, here, action, &object, details)?;
    Ok(object)
}

/// Remembers where the present mock of an asset comes from, in place of what was known of any before; none where people here gave it.
pub(super) fn remember(
    tx: &mut Tx<'_>,
    id: AssetId,
    mock: Option<(Hash, MockOrigin)>,
) -> Result<(), Refusal> {
    match mock {
        Some((blob, origin)) => tx.put(&KNOWN_MOCKS, &id.0, &KnownMock { blob, origin })?,
        None if tx.contains(&KNOWN_MOCKS, &id.0)? => tx.delete(&KNOWN_MOCKS, &id.0)?,
        None => {}
    }
    Ok(())
}

/// Whether a mock may stand where this private data is: real data leaves only as what it is, by whoever may release.
pub(super) fn refuse_unmarked(new: &NewMock, private: Option<Hash>) -> Result<(), Refusal> {
    let rows = new.schema.rows();
    if new.is_real || new.made_up || !is_private_data(private == Some(new.blob), new.rows_shared, rows) {
        return Ok(());
    }
    let detail = format!(
        "{} also in the private data. If it may be open, give it by itself and say that it is the real data, which is a release; \
         else take another file, or have a mock made up",
        in_common(private == Some(new.blob), new.rows_shared, rows)
    );
    Err(Refusal::conflict("mock_is_private_data", detail))
}

fn in_common(same_bytes: bool, shared: u64, rows: u64) -> String {
    if same_bytes {
        "this mock is the private data, byte for byte: all of it stands".to_owned()
    } else {
        format!("{shared} of the {rows} rows of this mock stand")
    }
}

/// How many rows of the mock of an object, if it is an asset with one, stand in its private data.
///
/// # Errors
/// The store cannot be read.
pub fn rows_shared_with_mock(read: &impl Read, id: uuid::Uuid) -> Result<u64, Refusal> {
    let private = read.get(&PRIVATE_DATA, &id)?;
    Ok(private.map_or(0, |private| private.rows_shared_with_mock))
}

/// Leaves an asset explicitly without a mock.
///
/// # Errors
/// See [`may_set_mock`].
pub fn remove_mock(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: AssetId) -> Result<Object, Refusal> {
    may_set_mock(tx, actor, here.node, false, id)?;
    let (_, mut asset) = find(tx, id)?;
    asset.mock = None;
    remember(tx, id, None)?;
    if let Some(mut private) = tx.get(&PRIVATE_DATA, &id.0)? {
        private.rows_shared_with_mock = 0;
        tx.put(&PRIVATE_DATA, &id.0, &private)?;
    }
    let object = records::write(tx, here, id.0, Body::Asset(asset), false)?;
    note(
        tx,
        actor,
        here,
        Action::MOCK_CHANGED,
        &object,
        vec![("mock", "none".to_owned())],
    )?;
    Ok(object)
}

/// Private data whose bytes stand ready to be attached.
#[derive(Clone, Debug)]
pub struct NewPrivateData {
    /// How they are written.
    pub format: DataFormat,
    /// Their number.
    pub length: u64,
    /// Their hash.
    pub hash: Hash,
    /// What they hold.
    pub schema: Schema,
    /// How many rows of the mock stand in them, where there is one.
    pub rows_shared: u64,
    /// The mock that they were compared with, or none.
    pub compared_with: Option<Hash>,
}

impl NewPrivateData {
    pub(super) fn record(&self, actor: &Actor, here: &Here) -> PrivateData {
        PrivateData {
            format: self.format,
            length: self.length,
            hash: Some(self.hash),
            schema: self.schema.clone(),
            attached_at: here.now,
            attached_by: actor.user,
            rows_shared_with_mock: self.rows_shared,
        }
    }
}

/// Whether the actor may attach private data to an asset, before any byte is taken in.
///
/// # Errors
/// The permission is missing, this is no high node, there is no such asset, or its home is elsewhere.
pub fn may_attach(read: &impl Read, actor: &Actor, here: &Here, id: AssetId) -> Result<(), Refusal> {
    actor.require(Permission::UploadData)?;
    holds_private_data(here)?;
    at_home(&find(read, id)?.0, here.node)
}

fn holds_private_data(here: &Here) -> Result<(), Refusal> {
    if here.side.holds_private_data() {
        return Ok(());
    }
    Err(Refusal::conflict(
        "wrong_side",
        "private data is attached on the high side; this node stands on the low side",
    ))
}

/// Whether private data may stand behind an asset with its present mock, which is returned.
///
/// # Errors
/// The mock has other columns or types.
pub fn check_against_mock(read: &impl Read, id: AssetId, private: &Schema) -> Result<Option<Mock>, Refusal> {
    let (_, asset) = find(read, id)?;
    if let Some(mock) = &asset.mock {
        check_mock(private, &mock.schema).map_err(|error| differs(&error))?;
    }
    Ok(asset.mock)
}

/// Takes note that what is attached is about to be replaced. Until [`attach`] the asset counts as without private data, so
/// that a crash in between leaves no description beside bytes that it does not describe.
///
/// # Errors
/// See [`attach`]: what would be refused there is refused here, before anything is replaced.
pub fn detach(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: AssetId,
    new: &NewPrivateData,
) -> Result<(), Refusal> {
    fits(tx, actor, here, id, new)?;
    if tx.contains(&PRIVATE_DATA, &id.0)? {
        tx.delete(&PRIVATE_DATA, &id.0)?;
        let (object, _) = find(tx, id)?;
        note(tx, actor, here, Action::PRIVATE_DATA_REMOVED, &object, Vec::new())?;
    }
    Ok(())
}

/// Whether private data can be attached that was compared with a mock.
fn fits(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    id: AssetId,
    new: &NewPrivateData,
) -> Result<(), Refusal> {
    may_attach(read, actor, here, id)?;
    let mock = check_against_mock(read, id, &new.schema)?;
    as_compared(mock.as_ref().map(|mock| mock.blob) == new.compared_with, "mock")?;
    let Some(mock) = mock.filter(|mock| !mock.is_real) else {
        return Ok(());
    };
    let known = read.get(&KNOWN_MOCKS, &id.0)?;
    if known.is_some_and(|known| known.blob == mock.blob) {
        return Ok(());
    }
    let (same_bytes, rows) = (mock.blob == new.hash, mock.schema.rows());
    if !is_private_data(same_bytes, new.rows_shared, rows) {
        return Ok(());
    }
    let detail = format!(
        "{} also in this data. Remove the mock first, or say of it that it is the real data, which is a release; a mock can be made \
         up afterwards",
        in_common(same_bytes, new.rows_shared, rows)
    );
    Err(Refusal::conflict("mock_is_private_data", detail))
}

/// A count of shared rows is of two things. Where one of them was replaced while the other came in, it would be of nothing that
/// is here, and a mock made of the data itself could pass unseen.
fn as_compared(same: bool, what: &str) -> Result<(), Refusal> {
    if same {
        return Ok(());
    }
    let detail = format!("the {what} of the asset was replaced while this came in; send it again");
    Err(Refusal::conflict("compared_with_other", detail))
}

/// Describes the private data that stands behind an asset. Nothing of it enters the asset's body, nor the audit chain.
///
/// # Errors
/// See [`may_attach`]; and the mock has other columns or types, is not what the data was compared with, or passes for the data itself.
pub fn attach(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: AssetId,
    new: &NewPrivateData,
) -> Result<PrivateData, Refusal> {
    fits(tx, actor, here, id, new)?;
    let (object, _) = find(tx, id)?;
    let private = new.record(actor, here);
    tx.put(&PRIVATE_DATA, &id.0, &private)?;
    note(
        tx,
        actor,
        here,
        Action::PRIVATE_DATA_ATTACHED,
        &object,
        Vec::new(),
    )?;
    Ok(private)
}

/// Removes what is known of the private data behind an asset, whose bytes go with it; also when the asset was deleted. What runs have
/// made of it stays with them.
///
/// # Errors
/// The permission is missing, this node holds no private data, the asset's home is elsewhere, nothing is attached, or a run waits or
/// goes on that needs it.
pub fn remove_private(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: AssetId) -> Result<(), Refusal> {
    actor.require(Permission::UploadData)?;
    holds_private_data(here)?;
    let object = records::object(tx, id.0)?.filter(|object| object.kind() == Kind::Asset);
    let object = object.ok_or_else(|| Refusal::no(Kind::Asset, id))?;
    at_home(&object, here.node)?;
    if !tx.contains(&PRIVATE_DATA, &id.0)? {
        return Err(Refusal::NotFound {
            what: "private data attached to the asset",
            id: id.to_string(),
        });
    }
    runs::none_needs(tx, id)?;
    tx.delete(&PRIVATE_DATA, &id.0)?;
    note(tx, actor, here, Action::PRIVATE_DATA_REMOVED, &object, Vec::new())
}

/// What is known of the private data behind an asset. For those who upload it alone.
///
/// # Errors
/// See [`may_attach`].
pub fn private_data(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    id: AssetId,
) -> Result<Option<PrivateData>, Refusal> {
    may_attach(read, actor, here, id)?;
    Ok(read.get(&PRIVATE_DATA, &id.0)?)
}

pub(super) fn differs(error: &MockError) -> Refusal {
    Refusal::conflict("mock_differs", error.to_string())
}

/// An object can be changed on its home alone. One that was born on a low node is adopted first.
pub(super) fn at_home(object: &Object, here: NodeId) -> Result<(), Refusal> {
    if object.home == here {
        return Ok(());
    }
    let detail = format!(
        "the {} has its home on another node; adopt its dataset first: `poundlock dataset adopt`",
        object.kind().word()
    );
    Err(Refusal::conflict("not_the_home", detail))
}

pub(super) fn note(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    action: Action,
    object: &Object,
    mut details: Vec<(&str, String)>,
) -> Result<(), Refusal> {
    details.push(("name", object.body.title()));
    let by = audit::Actor::User(actor.user.0);
    Ok(records::audit(tx, here, by, action, &[object.id], &details)?)
}

#[cfg(test)]
mod tests;
