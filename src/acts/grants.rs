//! Bytes that are open already, for those who may have them: the mocks that a dataset hands out on request, and what was
//! released for others.

#[cfg(test)]
mod tests;

use jiff::Timestamp;

use super::requests::status_of;
use super::visible::{self, Found};
use super::{Refusal, assets};
use crate::domain::access::{Actor, Permission, Viewer};
use crate::domain::asset::{Asset, Mock};
use crate::domain::dataset::MockAccess;
use crate::domain::id::{AssetId, ReleaseId, RequestId, UserId};
use crate::domain::object::{Body, Kind};
use crate::domain::release::Release;
use crate::domain::request::{Open, Request, Sight, Status};
use crate::store::read::Read;
use crate::store::records;
use crate::store::tables::ASKED_TO_SEE;

/// The requests of a person to see one thing that were made here, with what has become of each.
///
/// # Errors
/// The store cannot be read.
pub(super) fn asked(
    read: &impl Read,
    user: UserId,
    sight: Sight,
    now: Timestamp,
) -> Result<Vec<(RequestId, Status)>, Refusal> {
    let mut ids = Vec::new();
    let prefix = (user.0, sight.object(), sight.kind() as u8);
    read.for_each(&ASKED_TO_SEE, &prefix, |(_, _, _, request), ()| {
        ids.push(RequestId(request));
        Ok::<_, Refusal>(())
    })?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(request) = request(read, id)? {
            found.push((id, status_of(read, now, &request)?));
        }
    }
    Ok(found)
}

fn request(read: &impl Read, id: RequestId) -> Result<Option<Found<Request>>, Refusal> {
    let object = records::object(read, id.0)?.filter(|object| !object.deleted);
    Ok(object.and_then(|object| match object.body.clone() {
        Body::Request(body) => Some(Found { object, body }),
        _ => None,
    }))
}

/// Whether a person was granted open bytes, and the grant holds: it was not taken back, denied since, and is not over.
///
/// # Errors
/// The store cannot be read.
pub fn granted(read: &impl Read, user: UserId, open: Open, now: Timestamp) -> Result<bool, Refusal> {
    let asked = asked(read, user, open.sight(), now)?;
    Ok(asked.iter().any(|(_, status)| *status == Status::Approved))
}

/// Whether whoever may see an asset may have its mock without asking.
///
/// # Errors
/// The store cannot be read.
fn mock_goes_with_dataset(read: &impl Read, asset: &Asset) -> Result<bool, Refusal> {
    let dataset = records::object(read, asset.dataset.0)?.map(|object| object.body);
    // Without its dataset nobody knows what the owner has said.
    Ok(matches!(dataset, Some(Body::Dataset(dataset)) if dataset.mocks == MockAccess::WithDataset))
}

/// Whether somebody may have the bytes of a mock: download them, or run code on them.
///
/// # Errors
/// The owner hands the mock out on request, and the viewer neither uploads nor triages, nor was granted it.
pub fn may_have_mock(
    read: &impl Read,
    viewer: &Viewer,
    now: Timestamp,
    id: AssetId,
    asset: &Asset,
) -> Result<(), Refusal> {
    match viewer {
        Viewer::Person(actor)
            if actor.may(Permission::UploadData) || actor.may(Permission::TriageRequests) =>
        {
            Ok(())
        }
        Viewer::Person(actor) => was_given_mock(read, Some(actor.user), now, id, asset),
        Viewer::Guest => was_given_mock(read, None, now, id, asset),
    }
}

/// Whether a person, or a guest, may have the bytes of a mock as everybody may, or because they were granted it: whatever
/// else they may do on the node.
///
/// # Errors
/// The owner hands the mock out on request, and it was not granted to them.
pub(super) fn was_given_mock(
    read: &impl Read,
    user: Option<UserId>,
    now: Timestamp,
    id: AssetId,
    asset: &Asset,
) -> Result<(), Refusal> {
    if mock_goes_with_dataset(read, asset)? {
        return Ok(());
    }
    if let Some(user) = user
        && granted(read, user, Open::Mock(id), now)?
    {
        return Ok(());
    }
    Err(Refusal::conflict(
        "on_request",
        format!(
            "the mock of {} ({id}) is handed out on request; ask for it: `poundlock request see {id} --reason …`",
            asset.name
        ),
    ))
}

/// The mock of an asset, for somebody who may have its bytes.
///
/// # Errors
/// There is no such asset that they may see, it has no mock, or see [`may_have_mock`].
pub fn mock(
    read: &impl Read,
    viewer: &Viewer,
    now: Timestamp,
    id: AssetId,
) -> Result<(Asset, Mock), Refusal> {
    let (asset, mock) = assets::mock(read, viewer, id)?;
    may_have_mock(read, viewer, now, id, &asset)?;
    Ok((asset, mock))
}

/// A release, for whoever may see it, or was granted it.
///
/// # Errors
/// There is none such.
pub fn release(
    read: &impl Read,
    actor: &Actor,
    now: Timestamp,
    id: ReleaseId,
) -> Result<Found<Release>, Refusal> {
    match visible::release(read, actor, id) {
        Err(Refusal::NotFound { .. }) if granted(read, actor.user, Open::Release(id), now)? => {}
        known => return known,
    }
    let object = records::object(read, id.0)?.filter(|object| !object.deleted);
    match object.map(|object| (object.body.clone(), object)) {
        Some((Body::Release(body), object)) => Ok(Found { object, body }),
        _ => Err(Refusal::no(Kind::Release, id)),
    }
}
