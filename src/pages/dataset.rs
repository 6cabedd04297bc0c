//! A dataset and its assets: what they are, what their columns are, and their mocks to look at and to download.

use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::catalogue::tags;
use super::piece::content::{content, window};
use super::piece::facts::facts;
use super::piece::icon::Icon;
use super::piece::list::{empty, table};
use super::piece::number::{bytes, count};
use super::piece::status::{Tone, badge};
use super::piece::text::{prose, reveal};
use super::piece::time::time;
use super::visit::Shell;
use super::{Answer, Anyone, Fields, Problem, Site};
use crate::acts::{Refusal, datasets, grants, visible};
use crate::api::assets as rest;
use crate::api::context::off_the_arbiter;
use crate::domain::access::Permission;
use crate::domain::asset::{Asset, Mock};
use crate::domain::dataset::Dataset;
use crate::domain::id::{AssetId, DatasetId};
use crate::domain::object::{Body, Object};
use crate::domain::schema::Schema;
use crate::runtime::format::glance_at_asset;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/datasets/{id}", show);
    site.get("/assets/{id}", asset);
    site.get("/assets/{id}/mock", download);
}

async fn show(Anyone(visit): Anyone, id: Path<Uuid>) -> Answer {
    let id = DatasetId(*id);
    let viewer = visit.viewer()?;
    let found = visit.read(move |view| datasets::show(view, &viewer, id)).await?;
    let Body::Dataset(dataset) = &found.dataset.body else {
        return Err(Problem::not_found("there is no such dataset"));
    };
    Ok(visit
        .page(dataset.name.as_str())
        .trail([("Datasets", "/datasets")])
        .body(html! {
            div.columns {
                div {
                    @if !dataset.description.is_empty() { div.card { h2 { "Description" } (prose(&dataset.description)) } }
                    h2 { "Assets" }
                    (assets_of(&visit, &found.assets))
                }
                div.side-column { (about(dataset, &found.dataset)) }
            }
        }))
}

fn about(dataset: &Dataset, object: &Object) -> Markup {
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

fn assets_of(visit: &Shell, assets: &[Object]) -> Markup {
    if assets.is_empty() {
        let to_do = if visit.may(Permission::UploadData) {
            html! { "Add the first table or tensor with " code { "poundlock asset add" } "." }
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

fn shape_words(shape: &[u64]) -> String {
    let lengths: Vec<_> = shape.iter().map(ToString::to_string).collect();
    if lengths.is_empty() {
        "a single number".to_owned()
    } else {
        lengths.join(" × ")
    }
}

async fn asset(Anyone(visit): Anyone, id: Path<Uuid>, query: Fields) -> Answer {
    let id = AssetId(*id);
    let (viewer, now) = (visit.viewer()?, visit.context.store.now());
    let (object, asset, dataset, open) = visit
        .read(move |view| {
            let asset = visible::asset(view, &viewer, id)?;
            let dataset = visible::dataset(view, &viewer, asset.body.dataset)?.body;
            let open = match grants::may_have_mock(view, &viewer, now, id, &asset.body) {
                Ok(()) => true,
                Err(Refusal::Conflict { .. }) => false,
                Err(other) => return Err(other),
            };
            Ok((asset.object, asset.body, dataset, open))
        })
        .await?;
    let path = format!("/assets/{id}");
    let mock = match &asset.mock {
        Some(mock) if open => with_mock(&visit, &asset, mock, &path, &query).await?,
        Some(mock) => html! {
            h2 { "What it looks like" }
            (schema(&mock.schema))
            h2 { "The mock" }
            (empty(
                "This mock is handed out on request.",
                html! { "Ask for it with " code { (format!("poundlock request see {id} --reason …")) } "; whoever triages decides." },
            ))
        },
        None => empty(
            "This asset has no mock.",
            html! { "Code can still be written for it: its description says what it holds." },
        ),
    };
    Ok(visit
        .page(asset.name.as_str())
        .trail([
            ("Datasets".to_owned(), "/datasets".to_owned()),
            (dataset.name, format!("/datasets/{}", asset.dataset)),
        ])
        .body(html! {
            @if !asset.description.is_empty() { div.card { (prose(&asset.description)) } }
            (mock)
            @if visit.side.takes_scientists() && visit.may(Permission::SubmitRequests) { div.actions { a.button.primary href=(format!("/codes/new?asset={id}")) { "Write code for it" } } }
            details { summary { "For programs" } (facts([("Identifier", html! { code { (object.id) } })])) }
        }))
}

async fn with_mock(
    visit: &Shell,
    asset: &Asset,
    mock: &Mock,
    path: &str,
    query: &Fields,
) -> Result<Markup, Problem> {
    let window = window(query)?;
    let (blobs, blob, format) = (visit.context.blobs.clone(), mock.blob, mock.format);
    let seen = off_the_arbiter(move || {
        let file = blobs.open_blob(&blob).map_err(Problem::from)?;
        glance_at_asset(file, format, window).map_err(Problem::from)
    })
    .await?;
    let label = format!("The mock of {}", asset.name);
    Ok(html! {
        h2 { "What it looks like" }
        (schema(&mock.schema))
        div.heading {
            h2 { "The mock " @if mock.is_real { (badge(Tone::Warning, Icon::Note, "the real data, released on purpose")) } }
            div.aside { a.button href=(format!("{path}/mock")) download { "Download (" (bytes(mock.length)) ", " (mock.format.extension()) ")" } }
        }
        @if !mock.is_real { p.soft { "Made up: same columns and types as the private data, other values. Code that runs on it runs on the private data." } }
        @match &seen {
            Ok(seen) => (content(&label, seen, window, path, query, "")),
            Err(problem) => p.problem { (super::fields::sentence(problem.detail())) },
        }
    })
}

/// Columns and types, or element type and shape.
pub fn schema(schema: &Schema) -> Markup {
    match schema {
        Schema::Table { columns, .. } => table(
            "Columns",
            &["Column", "Type"],
            columns.iter().map(|column| {
                vec![
                    html! { code { (reveal(&column.name)) } },
                    html! { (column.dtype) },
                ]
            }),
        ),
        Schema::Tensor { dtype, shape } => html! {
            div.card { (facts([("Elements", html! { code { (dtype) } }), ("Shape", html! { (shape_words(shape)) })])) }
        },
    }
}

async fn download(Anyone(visit): Anyone, id: Path<Uuid>) -> Answer {
    rest::mock_of(&visit.context, visit.viewer()?, AssetId(*id)).await
}
