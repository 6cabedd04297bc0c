//! What a high node knows of the private data attached to an asset. Stays where it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::asset::DataFormat;
use super::hash::Hash;
use super::id::UserId;
use super::schema::Schema;

/// The record beside an attachment. No body holds any of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateData {
    /// How the bytes are written.
    pub format: DataFormat,
    /// Their number.
    pub length: u64,
    /// Their hash, by which damage is noticed; none where they were attached before hashes were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    /// Columns and types, or element type and shape.
    pub schema: Schema,
    /// When they were attached.
    pub attached_at: Timestamp,
    /// Who attached them.
    pub attached_by: UserId,
    /// How many rows of the mock also stand in the private data; a number above 0 is a warning to the owner.
    pub rows_shared_with_mock: u64,
}
