//! How objects look from outside: their envelope, and the fields of their body beside it.

use std::borrow::Borrow;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::asset::Asset;
use crate::domain::code::Code;
use crate::domain::dataset::Dataset;
use crate::domain::decision::Decision;
use crate::domain::id::NodeId;
use crate::domain::job::Job;
use crate::domain::object::{Body, Kind, Object, Revision};
use crate::domain::project::Project;
use crate::domain::release::Release;
use crate::domain::request::Request;
use crate::domain::user::User;

/// A revision of an object.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RevisionView {
    /// Counts the changes of what travels, from 1.
    pub number: u64,
    /// Hash of what travels.
    pub digest: String,
}

impl From<Revision> for RevisionView {
    fn from(revision: Revision) -> Self {
        Self {
            number: revision.number,
            digest: revision.digest.to_string(),
        }
    }
}

/// An object as JSON: id, kind, home, revision, times, and the fields of its body beside them.
#[derive(Debug, Clone, Serialize)]
pub struct ObjectView<'a> {
    id: Uuid,
    kind: Kind,
    home: NodeId,
    revision: Revision,
    deleted: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(flatten)]
    body: Fields<'a>,
}

/// A body without the word for its kind, which stands beside it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Fields<'a> {
    User(&'a User),
    Project(&'a Project),
    Code(&'a Code),
    Request(&'a Request),
    Decision(&'a Decision),
    Dataset(&'a Dataset),
    Asset(&'a Asset),
    Job(&'a Job),
    Release(&'a Release),
}

/// An object, to be answered with as it is.
pub fn object(object: &Object) -> ObjectView<'_> {
    ObjectView {
        id: object.id,
        kind: object.kind(),
        home: object.home,
        revision: object.revision,
        deleted: object.deleted,
        created_at: object.created_at,
        updated_at: object.updated_at,
        body: match &object.body {
            Body::User(body) => Fields::User(body),
            Body::Project(body) => Fields::Project(body),
            Body::Code(body) => Fields::Code(body),
            Body::Request(body) => Fields::Request(body),
            Body::Decision(body) => Fields::Decision(body),
            Body::Dataset(body) => Fields::Dataset(body),
            Body::Asset(body) => Fields::Asset(body),
            Body::Job(body) => Fields::Job(body),
            Body::Release(body) => Fields::Release(body),
        },
    }
}

/// Objects, to be answered with as they are.
pub fn objects<O: Borrow<Object>>(all: &[O]) -> Vec<ObjectView<'_>> {
    all.iter().map(|one| object(one.borrow())).collect()
}

/// An object as a document to which a resource adds what only it knows.
pub fn document(shown: &Object) -> Value {
    // Every key is a string, and nothing in a body refuses to be written.
    serde_json::to_value(object(shown)).unwrap_or_default()
}
