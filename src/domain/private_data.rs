//! What a high node knows of the private data attached to an asset. Stays where it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::asset::DataFormat;
use super::hash::Hash;
use super::id::UserId;
use super::schema::Schema;

/// Whether a mock passes for the private data itself: they are the same bytes, or more than half of its `rows` stand there too; of an
/// array of one dimension, of its elements in runs.
/// Fewer may be there by chance, above all in narrow tables of few values, and are told instead.
pub fn is_private_data(same_bytes: bool, shared: u64, rows: u64) -> bool {
    same_bytes || shared > rows / 2
}

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

/// A mock of which is known that nobody made it of the private data here, however many of its rows stand there too. No body holds any
/// of it: what a node knows of its own mocks stays with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownMock {
    /// The mock. Of another one nothing is said.
    pub blob: Hash,
    /// Where it comes from.
    pub origin: MockOrigin,
}

/// Where such a mock comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MockOrigin {
    /// This node made it up, of what its owner declared: in a table of a few narrow columns nearly every row can be there by chance.
    MadeUp,
    /// It came up with a dataset that was adopted here. People who never had the data made it; and if it is the data after all, then
    /// that is open already on the node that it came from, and a refusal would keep back nothing. It is told.
    Adopted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_rows_may_be_there_by_chance_and_more_may_not() {
        for (same_bytes, shared, rows, real) in [
            (false, 0, 0, false),
            (false, 1, 1, true),
            (false, 1, 2, false),
            (false, 2, 3, true),
            (true, 0, 200, true),
        ] {
            assert_eq!(
                is_private_data(same_bytes, shared, rows),
                real,
                "{shared} of {rows}"
            );
        }
    }
}
