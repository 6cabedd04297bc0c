//! A dataset and its assets, as everybody sees it who may, and for its owners the ways to change it.

mod archive;
mod editing;
mod publishing;

use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::catalogue::tags;
use super::piece::facts::facts;
use super::piece::list::empty;
use super::piece::number::count;
use super::piece::schema::shape_words;
use super::piece::text::{prose, reveal};
use super::piece::time::time;
use super::{Answer, Anyone, Problem, Site};
use crate::acts::{Refusal, datasets};
use crate::clock;
use crate::domain::access::Permission;
use crate::domain::asset::Asset;
use crate::domain::dataset::{Dataset, MockAccess, Visibility};
use crate::domain::id::DatasetId;
use crate::domain::object::{Body, Object};
use crate::domain::schema::Schema;
use crate::store::records::Here;
use publishing::Published;

pub(super) fn routes(site: &mut Site<'_>) {
    archive::routes(site);
    editing::routes(site);
    publishing::routes(site);
    site.get("/datasets/{id}", show);
}

fn address(id: DatasetId) -> String {
    format!("/datasets/{id}")
}

async fn show(Anyone(visit): Anyone, id: Path<Uuid>) -> Answer {
    let id = DatasetId(*id);
    let (viewer, now) = (visit.viewer()?, visit.context.store.now());
    let uploads = visit.may(Permission::UploadData);
    let actor = visit.actor.clone();
    let (found, home, published) = visit
        .read(move |view| {
            let here = Here::at(view, now, clock::random_bytes())?;
            let found = datasets::show(view, &viewer, id)?;
            let home = found.dataset.home == here.node;
            let published = match actor {
                Some(actor) => Published::read(view, &actor, &here, &found.dataset)?,
                None => None,
            };
            Ok::<_, Refusal>((found, home, published))
        })
        .await?;
    let Body::Dataset(dataset) = &found.dataset.body else {
        return Err(Problem::not_found("there is no such dataset"));
    };
    Ok(visit
        .page(dataset.name.as_str())
        .trail([("Datasets", "/datasets")])
        .aside(html! { @if uploads && home { a.button href=(format!("{}/change", address(id))) { "Change the dataset" } } })
        .body(html! {
            div.columns {
                div {
                    @if !dataset.description.is_empty() { div.card { h2 { "Description" } (prose(&dataset.description)) } }
                    div.heading {
                        h2 { "Assets" }
                        @if uploads && home { div.aside { a.button href=(format!("{}/assets/new", address(id))) { "Add an asset" } } }
                    }
                    (assets_of(uploads, &found.assets))
                }
                div.side-column {
                    (about(dataset, &found.dataset, uploads))
                    @if let Some(published) = &published { (publishing::shown(&visit, id, published)) }
                }
            }
        }))
}

fn about(dataset: &Dataset, object: &Object, uploads: bool) -> Markup {
    html! {
        div.card {
            h2 { "About" }
            (facts([
                ("Tags", tags(&dataset.tags)),
                ("Read more", html! { @if !dataset.url.is_empty() { a href=(dataset.url) rel="noreferrer external" { (reveal(&dataset.url)) } } }),
                ("How to cite it", if dataset.citation.is_empty() { html! {} } else { prose(&dataset.citation) }),
                ("Last changed", time(object.updated_at)),
                ("Identifier", html! { code { (object.id) } }),
            ]))
            @if uploads {
                (facts([
                    ("Who may know of it", match &dataset.visibility {
                        Visibility::Everybody => html! { "everybody, also guests where they are let in" },
                        Visibility::SignedIn => html! { "whoever is signed in" },
                        Visibility::Groups(groups) => html! { "the groups " (reveal(&groups.join(", "))) },
                    }),
                    ("Mocks", html! { @match dataset.mocks {
                        MockAccess::WithDataset => "for whoever may know of it",
                        MockAccess::OnRequest => "handed out on request",
                    } }),
                ]))
            }
        }
        @if !dataset.contributors.is_empty() {
            div.card {
                h2 { "Contributors" }
                ul.people {
                    @for one in &dataset.contributors {
                        li {
                            strong { (reveal(&one.name)) } br;
                            span.soft { (reveal(&one.role)) } br;
                            a href=(format!("mailto:{}", one.email)) { (one.email) }
                        }
                    }
                }
            }
        }
    }
}

fn assets_of(uploads: bool, assets: &[Object]) -> Markup {
    if assets.is_empty() {
        let to_do = if uploads {
            html! { "An asset is one table or one tensor, with its mock. Add the first one." }
        } else {
            html! { "Whoever looks after this dataset has not described any yet." }
        };
        return empty("This dataset has no assets.", to_do);
    }
    html! {
        ul.cards {
            @for object in assets {
                @if let Body::Asset(asset) = &object.body {
                    li {
                        h3 { a href=(format!("/assets/{}", object.id)) { (reveal(&asset.name)) } }
                        @if !asset.description.is_empty() { p.clipped { (reveal(&asset.description)) } }
                        p.soft { (in_short(asset)) }
                    }
                }
            }
        }
    }
}

fn in_short(asset: &Asset) -> Markup {
    match asset.mock.as_ref().map(|mock| &mock.schema) {
        None => html! { "No mock" },
        Some(Schema::Table { columns, rows }) => {
            html! { "A table: " (count(columns.len(), "column")) ", " (rows) " rows in the mock" }
        }
        Some(Schema::Tensor { dtype, shape }) => {
            html! { "An array of " (dtype) ": " (shape_words(shape)) " in the mock" }
        }
    }
}
