//! Exactly the bytes of a file: seen through a window, by their hash and size, and to be downloaded.

use std::fs::File;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use maud::{Markup, html};

use super::fields::sentence;
use super::piece::content::{content, window};
use super::piece::facts::facts;
use super::piece::hash;
use super::piece::number::bytes;
use super::{Answer, Fields, Problem, Visit};
use crate::api::blocking::off_the_arbiter;
use crate::domain::job::Product;
use crate::domain::release::OutputFormat;

/// The largest image that is drawn on a page, in bytes.
const PICTURE_MAX: u64 = 64 << 20;

/// What a file holds, through the window that the address asks for.
pub async fn see(
    visit: &Visit,
    file: File,
    product: &Product,
    label: &str,
    at: &str,
    query: &Fields,
) -> Result<Markup, Problem> {
    let (window, format) = (window(query)?, product.format);
    let context = visit.context.clone();
    let seen = off_the_arbiter(move || {
        let reader = context.runtime.reader();
        reader.glance(file, format, window).map_err(Problem::from)
    })
    .await?;
    Ok(match &seen {
        Ok(seen) => content(label, seen, window, at, query, &format!("{at}/picture")),
        Err(problem) => {
            html! { div.notice.warning { p { (sentence(problem.detail())) " It can only be looked at as the file that it is." } } }
        }
    })
}

/// By what the bytes are known, and the way to them.
pub fn exact(product: &Product, download: &str) -> Markup {
    html! {
        section.card {
            (facts([
                ("Hash of these bytes (BLAKE3)", hash::whole(&product.hash)),
                ("Size", html! { (bytes(product.length)) " (" (product.length) ")" }),
                ("The file itself", html! { a href=(download) download { "Download as " (product.format.extension()) } }),
            ]))
        }
    }
}

/// The bytes of an image, for a page to draw. Only PNG, which cannot execute.
pub async fn drawn(file: File, product: &Product) -> Answer {
    if product.format != OutputFormat::Png || product.length > PICTURE_MAX {
        return Err(Problem::not_found(
            "this is no image that a page draws; download it",
        ));
    }
    let read = off_the_arbiter(move || {
        let (mut file, mut bytes) = (file, Vec::new());
        std::io::Read::read_to_end(&mut file, &mut bytes).map(|_| bytes)
    });
    let bytes = read.await?.map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "image/png"))
        .body(bytes))
}
