//! How objects look from outside: their envelope, and the fields of their body beside it.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::domain::object::{Object, Revision};

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

/// An object as JSON: id, kind, home, revision, times, and the fields of its body.
pub fn object(object: &Object) -> Value {
    let mut shown = Map::new();
    shown.insert("id".to_owned(), json!(object.id));
    shown.insert("kind".to_owned(), json!(object.kind()));
    shown.insert("home".to_owned(), json!(object.home));
    shown.insert("revision".to_owned(), json!(object.revision));
    shown.insert("deleted".to_owned(), json!(object.deleted));
    shown.insert("created_at".to_owned(), json!(object.created_at));
    shown.insert("updated_at".to_owned(), json!(object.updated_at));
    // A body is written as one member that bears its kind: `{"dataset": {…}}`.
    if let Ok(Value::Object(body)) = serde_json::to_value(&object.body) {
        for (_, fields) in body {
            if let Value::Object(fields) = fields {
                shown.extend(fields);
            }
        }
    }
    Value::Object(shown)
}

/// Objects as JSON.
pub fn objects(all: &[Object]) -> Vec<Value> {
    all.iter().map(object).collect()
}
