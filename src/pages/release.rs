//! What was released: exactly the bytes that left, for whoever may have them.

use actix_web::web::Path;
use maud::html;
use uuid::Uuid;

use super::exact::{drawn, exact, see};
use super::piece::text::reveal;
use super::piece::time::date;
use super::request::part_words;
use super::{Answer, Fields, Problem, Site, Visit};
use crate::acts::visible::{self, Found};
use crate::acts::{Refusal, grants};
use crate::api::releases as rest;
use crate::domain::id::ReleaseId;
use crate::domain::job::Product;
use crate::domain::release::Release;
use crate::store::read::View;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/releases/{id}", show);
    site.get("/releases/{id}/picture", picture);
    site.get("/releases/{id}/bytes", download);
}

/// A release, for whoever may see it or was granted it, as REST has it.
async fn find(visit: &Visit, id: Uuid) -> Result<Found<Release>, Problem> {
    let (actor, now) = (visit.actor.clone(), visit.context.store.now());
    visit
        .read(move |view| grants::release(view, &actor, now, ReleaseId(id)))
        .await
}

/// Whether whoever looks may see the request that it answers: whom it was granted to may not.
async fn sees_request(visit: &Visit, release: &Release) -> Result<bool, Problem> {
    let (actor, request) = (visit.actor.clone(), release.request);
    let seen = move |view: &View| match visible::request(view, &actor, request) {
        Ok(_) => Ok(true),
        Err(Refusal::NotFound { .. }) => Ok(false),
        Err(other) => Err(other),
    };
    visit.read(seen).await
}

/// The bytes of a release, as a part of a run.
fn product(release: &Release) -> Product {
    Product {
        format: release.format,
        length: release.length,
        hash: release.blob,
    }
}

async fn show(visit: Visit, id: Path<Uuid>, query: Fields) -> Answer {
    let found = find(&visit, *id).await?;
    let file = rest::open(&visit.context, &found.body).await?;
    let (release, product) = (&found.body, product(&found.body));
    let at = format!("/releases/{id}");
    let label = format!("{}, released", part_words(release.part));
    let seen = see(&visit, file, &product, &label, &at, &query).await?;
    let mut trail = vec![("Requests".to_owned(), "/requests".to_owned())];
    if sees_request(&visit, release).await? {
        trail.push(("The request".to_owned(), format!("/requests/{}", release.request)));
    }
    Ok(visit
        .page(label.as_str())
        .trail(trail)
        .aside(html! { a.button.primary href=(format!("{at}/bytes")) download { "Download" } })
        .body(html! {
            p.lead { "Released by " (reveal(&release.by_name)) " on " (date(release.on)) "." }
            (seen)
            (exact(&product, &format!("{at}/bytes")))
        }))
}

async fn picture(visit: Visit, id: Path<Uuid>) -> Answer {
    let found = find(&visit, *id).await?;
    let file = rest::open(&visit.context, &found.body).await?;
    drawn(file, &product(&found.body)).await
}

async fn download(visit: Visit, id: Path<Uuid>) -> Answer {
    let found = find(&visit, *id).await?;
    rest::content(&visit.context, found).await
}
