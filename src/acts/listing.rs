//! Lists of objects, newest first, in pages whose cost is bounded however much is stored.

use std::sync::Arc;

use uuid::Uuid;

use super::Refusal;
use crate::domain::object::{Kind, Object};
use crate::store::read::Read;
use crate::store::records;
use crate::store::tables::BY_KIND;

/// The most objects that one page looks at. A page of a list that few objects fit may come out short, and still say
/// where the next one begins.
pub const EXAMINED_MAX: usize = 2_000;

/// Where a page ends: the milliseconds of an object's first sight, and its id.
pub type Place = (u64, Uuid);

/// A page of objects.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The objects.
    pub objects: Vec<Arc<Object>>,
    /// Where the next page begins; none on the last.
    pub next: Option<Place>,
}

/// The objects of a kind that `keep` keeps, newest first: at most `limit`, of those before the place `before`. Deleted
/// ones are left out.
///
/// # Errors
/// Those of `keep`, and when the store cannot be read.
pub fn page(
    read: &impl Read,
    kind: Kind,
    before: Option<Place>,
    limit: usize,
    mut keep: impl FnMut(&Object) -> Result<bool, Refusal>,
) -> Result<Listed, Refusal> {
    let mut objects = Vec::new();
    let mut place = before;
    let mut examined = 0;
    while examined < EXAMINED_MAX {
        let from = place.map(|(at, id)| (kind as u8, at, id));
        let chunk = read.range_prefix_back(&BY_KIND, &(kind as u8), from.as_ref(), limit + 1)?;
        let last = chunk.len() <= limit;
        for ((_, at, id), ()) in chunk {
            if objects.len() == limit {
                return Ok(Listed { objects, next: place });
            }
            examined += 1;
            place = Some((at, id));
            if let Some(object) = records::shared(read, id)?
                && !object.deleted
                && keep(&object)?
            {
                objects.push(object);
            }
        }
        if last {
            return Ok(Listed { objects, next: None });
        }
    }
    Ok(Listed { objects, next: place })
}
