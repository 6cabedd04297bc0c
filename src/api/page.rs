//! Lists come in pages. A page names where the next one begins by a cursor that means nothing to its reader.

mod seal;

use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, ResponseError};
use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::context::Context;
use super::problem::Problem;
use crate::acts::listing::Listed;
use crate::domain::text::Invalid;

/// Items on a page that asks for no other number.
pub const LIMIT_DEFAULT: usize = 50;
/// The most items on a page.
pub const LIMIT_MAX: usize = 200;

/// Which page of a list is wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Items on the page, from 1 to 200; 50 by default.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u16>,
    /// The `next` of the page before. It holds until the node is started anew.
    pub cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Clone, Serialize)]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; none on the last one.
    pub next: Option<String>,
}

impl Page {
    /// The page that two parameters of a query name.
    pub fn new(limit: Option<u16>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// How many items are wanted.
    ///
    /// # Errors
    /// Fewer than 1, or more than [`LIMIT_MAX`].
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.limit.map_or(LIMIT_DEFAULT, usize::from) {
            limit @ 1..=LIMIT_MAX => Ok(limit),
            _ => Err(Invalid::new("limit", format!("must be from 1 to {LIMIT_MAX}")).into()),
        }
    }

    /// The key after which the page begins, if it is not the first.
    ///
    /// # Errors
    /// The cursor is none of this list.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Problem> {
        let wrong = || {
            Invalid::new(
                "cursor",
                "is not the `next` of a page of this list, or the node was started anew since: begin the list again",
            )
        };
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        let sealed = BASE64URL_NOPAD.decode(cursor.as_bytes()).map_err(|_| wrong())?;
        let bytes = seal::open(&sealed).ok_or_else(wrong)?;
        let mut rest = bytes.as_slice();
        let key = ciborium::from_reader(&mut rest).map_err(|_| wrong())?;
        Ok(Some(key))
    }
}

/// About how long an object is as JSON, in bytes: room that is taken at once need not be made piece by piece.
const OBJECT_BYTES: usize = 640;

/// A page of objects.
pub fn answer(context: &Context, listed: &Listed) -> HttpResponse {
    let mut body = Vec::with_capacity(OBJECT_BYTES * (listed.objects.len() + 1));
    let next: Option<String> = listed.next.as_ref().and_then(cursor);
    body.extend_from_slice(b"{\"items\":[");
    let written = context
        .rendered()
        .write(&listed.objects, &mut body)
        .and_then(|()| {
            body.extend_from_slice(b"],\"next\":");
            serde_json::to_writer(&mut body, &next)
        });
    body.push(b'}');
    json(written, body)
}

/// Something as JSON that is about as long as so many objects.
pub(super) fn shown(what: &impl Serialize, objects: usize) -> HttpResponse {
    let mut body = Vec::with_capacity(OBJECT_BYTES * objects);
    let written = serde_json::to_writer(&mut body, what);
    json(written, body)
}

fn json(written: serde_json::Result<()>, body: Vec<u8>) -> HttpResponse {
    match written {
        Ok(()) => HttpResponse::Ok().content_type(ContentType::json()).body(body),
        Err(error) => Problem::internal(&error).error_response(),
    }
}

/// The cursor of a page that begins after `key`.
pub fn cursor<K: Serialize>(key: &K) -> Option<String> {
    let mut bytes = Vec::new();
    // A key is a number, an id or a tuple of them, and the writer is memory: nothing here fails.
    ciborium::into_writer(key, &mut bytes).ok()?;
    Some(BASE64URL_NOPAD.encode(&seal::seal(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_key() {
        let key = (7_u64, uuid::Uuid::from_u128(9));
        let page = Page {
            limit: None,
            cursor: cursor(&key),
        };
        assert_eq!(page.after::<(u64, uuid::Uuid)>().unwrap(), Some(key));
        let mut open = Vec::new();
        ciborium::into_writer(&key, &mut open).unwrap();
        let made_up = Page {
            limit: None,
            cursor: Some(BASE64URL_NOPAD.encode(&open)),
        };
        assert!(made_up.after::<(u64, uuid::Uuid)>().is_err());
        let wrong = Page {
            limit: Some(0),
            cursor: Some("?".to_owned()),
        };
        assert!(wrong.after::<(u64, uuid::Uuid)>().is_err());
        assert!(wrong.limit().is_err());
    }
}
