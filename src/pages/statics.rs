//! Style sheet, script and icon: in the binary, each under an address that holds the hash of its content, so that a browser
//! may keep it for ever and a new version is fetched at once.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};

use super::{Answer, Problem, Site};
use crate::domain::hash::Hash;

struct Static {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
}

const FILES: [Static; 3] = [
    Static {
        name: "style.css",
        media_type: "text/css; charset=utf-8",
        content: include_str!("static/style.css"),
    },
    Static {
        name: "script.js",
        media_type: "text/javascript; charset=utf-8",
        content: include_str!("static/script.js"),
    },
    Static {
        name: "icon.svg",
        media_type: "image/svg+xml; charset=utf-8",
        content: include_str!("static/icon.svg"),
    },
];

static ADDRESSES: LazyLock<[String; 3]> = LazyLock::new(|| {
    FILES.map(|file| {
        let hash = Hash::of(file.content.as_bytes()).to_string();
        format!("/static/{}/{}", hash.get(..16).unwrap_or_default(), file.name)
    })
});

/// The address of the style sheet.
pub fn style() -> &'static str {
    &ADDRESSES[0]
}

/// The address of the script.
pub fn script() -> &'static str {
    &ADDRESSES[1]
}

/// The address of the icon.
pub fn icon() -> &'static str {
    &ADDRESSES[2]
}

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/static/{hash}/{name}", file);
}

async fn file(path: web::Path<(String, String)>) -> Answer {
    let wanted = format!("/static/{}/{}", path.0, path.1);
    let found = FILES
        .iter()
        .zip(ADDRESSES.iter())
        .find(|(_, address)| **address == wanted);
    let (file, _) = found.ok_or_else(|| Problem::not_found("there is no such file in this version"))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, file.media_type))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(file.content))
}
