//! What an actor may know of. What they may not see is told like what does not exist.

use uuid::Uuid;

use super::Refusal;
use crate::domain::access::{self, Actor, Facts, Viewer};
use crate::domain::asset::Asset;
use crate::domain::code::Code;
use crate::domain::dataset::{Dataset, Visibility};
use crate::domain::id::{AssetId, CodeId, DatasetId, ProjectId, ReleaseId, RequestId, UserId};
use crate::domain::object::{Body, Kind, Object};
use crate::domain::project::Project;
use crate::domain::release::Release;
use crate::domain::request::{Request, RequestError};
use crate::store::read::Read;
use crate::store::records;
use crate::store::table::TableError;

/// An object with its body in the type that was looked for.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The object.
    pub object: Object,
    /// Its body.
    pub body: T,
}

/// Who made the request that a decision, job or release belongs to.
///
/// # Errors
/// The store cannot be read.
pub fn requester(read: &impl Read, object: &Object) -> Result<Option<UserId>, TableError> {
    let request = match &object.body {
        Body::Decision(decision) => decision.request,
        Body::Job(job) => job.request,
        Body::Release(release) => release.request,
        _ => return Ok(None),
    };
    let request = records::shared(read, request.0)?;
    Ok(match request.as_ref().map(|object| &object.body) {
        Some(Body::Request(request)) => Some(request.requester),
        _ => None,
    })
}

/// Who may see the dataset of an asset. A dataset that is not here, or was deleted, lets nobody see its assets.
fn visibility(read: &impl Read, object: &Object) -> Result<Option<Visibility>, TableError> {
    let Body::Asset(asset) = &object.body else {
        return Ok(None);
    };
    let dataset = records::object(read, asset.dataset.0)?.filter(|dataset| !dataset.deleted);
    Ok(match dataset.map(|dataset| dataset.body) {
        Some(Body::Dataset(dataset)) => Some(dataset.visibility),
        _ => None,
    })
}

/// Whether somebody may know of an object; see [`access::may_see`].
///
/// # Errors
/// The store cannot be read.
pub fn may_see(read: &impl Read, viewer: &Viewer, object: &Object) -> Result<bool, TableError> {
    let dataset = visibility(read, object)?;
    let facts = Facts {
        requester: requester(read, object)?,
        dataset: dataset.as_ref(),
    };
    Ok(access::may_see(viewer, object, facts))
}

/// An object of a kind that is not deleted and that somebody may see.
///
/// # Errors
/// There is none.
pub fn seen_by(read: &impl Read, viewer: &Viewer, kind: Kind, id: Uuid) -> Result<Object, Refusal> {
    let found = records::object(read, id)?.filter(|object| object.kind() == kind && !object.deleted);
    match found {
        Some(object) if may_see(read, viewer, &object)? => Ok(object),
        _ => Err(Refusal::no(kind, id)),
    }
}

/// An object of a kind that is not deleted and that the actor may see.
///
/// # Errors
/// There is none.
pub fn object(read: &impl Read, actor: &Actor, kind: Kind, id: Uuid) -> Result<Object, Refusal> {
    seen_by(read, &Viewer::Person(actor.clone()), kind, id)
}

/// A dataset that somebody may see.
///
/// # Errors
/// There is none.
pub fn dataset(read: &impl Read, viewer: &Viewer, id: DatasetId) -> Result<Found<Dataset>, Refusal> {
    let object = seen_by(read, viewer, Kind::Dataset, id.0)?;
    match object.body.clone() {
        Body::Dataset(body) => Ok(Found { object, body }),
        _ => Err(Refusal::no(Kind::Dataset, id)),
    }
}

/// An asset that somebody may see: whoever may see its dataset.
///
/// # Errors
/// There is none.
pub fn asset(read: &impl Read, viewer: &Viewer, id: AssetId) -> Result<Found<Asset>, Refusal> {
    let object = seen_by(read, viewer, Kind::Asset, id.0)?;
    match object.body.clone() {
        Body::Asset(body) => Ok(Found { object, body }),
        _ => Err(Refusal::no(Kind::Asset, id)),
    }
}

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident: $variant:ident($id:ident) -> $body:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// There is none that the actor may see.
        pub fn $name(read: &impl Read, actor: &Actor, id: $id) -> Result<Found<$body>, Refusal> {
            let object = object(read, actor, Kind::$variant, id.0)?;
            match object.body.clone() {
                Body::$variant(body) => Ok(Found { object, body }),
                _ => Err(Refusal::no(Kind::$variant, id)),
            }
        }
    )*};
}

typed! {
    /// A project.
    project: Project(ProjectId) -> Project;
    /// Code.
    code: Code(CodeId) -> Code;
    /// A request.
    request: Request(RequestId) -> Request;
    /// A release.
    release: Release(ReleaseId) -> Release;
}

/// The code of a request, whoever asks: who may see the request may see its code.
///
/// # Errors
/// The request asks for no run, or the code is not here.
pub fn code_of(read: &impl Read, request: &Request) -> Result<Found<Code>, Refusal> {
    let code = request.code().ok_or(RequestError::NotARun)?;
    let missing = || Refusal::no(Kind::Code, code);
    let object = records::object(read, code.0)?.ok_or_else(missing)?;
    match object.body.clone() {
        Body::Code(body) => Ok(Found { object, body }),
        _ => Err(missing()),
    }
}
