//! One asset: what it holds, and its mock to look at and to download; for its owners the ways to fill it, for scientists the
//! ways to ask.

mod asking;
mod making;
mod mock;
mod private;

use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::piece::content::{content, window};
use super::piece::facts::facts;
use super::piece::icon::Icon;
use super::piece::list::empty;
use super::piece::number::bytes;
use super::piece::schema::schema;
use super::piece::status::{Tone, badge};
use super::piece::text::prose;
use super::upload::Upload;
use super::visit::Shell;
use super::{Answer, Anyone, Fields, Problem, Site, Visit};
use crate::acts::{Refusal, assets, grants, visible};
use crate::api::assets as rest;
use crate::api::blocking::off_the_arbiter;
use crate::clock;
use crate::domain::access::Permission;
use crate::domain::asset::{Asset, DataFormat, Mock};
use crate::domain::id::AssetId;
use crate::domain::object::Object;
use crate::domain::private_data::PrivateData;
use crate::domain::text::Invalid;
use crate::store::records::Here;

pub(super) fn routes(site: &mut Site<'_>) {
    making::routes(site);
    site.get("/assets/{id}", show);
    site.get("/assets/{id}/mock", download);
    mock::routes(site);
    private::routes(site);
    asking::routes(site);
}

fn address(id: AssetId) -> String {
    format!("/assets/{id}")
}

/// An asset as whoever looks may see it.
struct Found {
    object: Object,
    asset: Asset,
    dataset: String,
    /// Whether they may have the mock's bytes.
    open: bool,
    /// Whether they may fill it, here; and what private data is attached then.
    owned: Option<Option<PrivateData>>,
}

impl Found {
    /// The way here.
    fn trail(&self) -> Vec<(String, String)> {
        vec![
            ("Datasets".to_owned(), "/datasets".to_owned()),
            (self.dataset.clone(), format!("/datasets/{}", self.asset.dataset)),
        ]
    }

    /// The way to a page below this one.
    fn trail_below(&self) -> Vec<(String, String)> {
        let mut trail = self.trail();
        trail.push((self.asset.name.clone(), address(AssetId(self.object.id))));
        trail
    }
}

async fn read(visit: &Shell, id: AssetId) -> Result<Found, Problem> {
    let (viewer, now) = (visit.viewer()?, visit.context.store.now());
    let actor = visit.actor.clone();
    visit
        .read(move |view| {
            let here = Here::at(view, now, clock::random_bytes())?;
            let found = visible::asset(view, &viewer, id)?;
            let dataset = visible::dataset(view, &viewer, found.body.dataset)?.body;
            let open = match grants::may_have_mock(view, &viewer, now, id, &found.body) {
                Ok(()) => true,
                Err(Refusal::Conflict { .. }) => false,
                Err(other) => return Err(other),
            };
            let owner =
                actor.filter(|actor| actor.may(Permission::UploadData) && found.object.home == here.node);
            let owned = match owner {
                Some(actor) if here.side.holds_private_data() => {
                    Some(assets::private_data(view, &actor, &here, id)?)
                }
                Some(_) => Some(None),
                None => None,
            };
            Ok(Found {
                object: found.object,
                asset: found.body,
                dataset: dataset.name,
                open,
                owned,
            })
        })
        .await
}

/// The asset, for somebody who fills it.
async fn owned(visit: &Visit, id: AssetId) -> Result<Found, Problem> {
    visit
        .actor
        .require(Permission::UploadData)
        .map_err(Refusal::from)?;
    let found = read(visit, id).await?;
    if found.owned.is_none() {
        return Err(Refusal::conflict(
            "not_the_home",
            "the asset has its home on another node; it is changed there, or taken over on its dataset's page",
        )
        .into());
    }
    Ok(found)
}

/// The format of a file, by the end of its name.
fn format(upload: &Upload) -> Result<DataFormat, Problem> {
    let name = upload.file_name().unwrap_or_default().to_lowercase();
    if name.is_empty() {
        return Err(Invalid::new("file", "is missing; choose one").into());
    }
    let formats = [DataFormat::Csv, DataFormat::Parquet, DataFormat::Npy];
    let found = formats
        .into_iter()
        .find(|format| name.ends_with(&format!(".{}", format.extension())));
    found.ok_or_else(|| Invalid::new("file", "must have a name that ends in .csv, .parquet or .npy").into())
}

/// What a reader should know of rows that a mock and private data have in common.
fn shared_rows(shared: u64) -> Option<String> {
    let plural = if shared == 1 { "row" } else { "rows" };
    (shared > 0).then(|| {
        format!("{shared} {plural} of the mock also stand in the private data. Everybody who may have the mock sees them.")
    })
}

async fn show(Anyone(visit): Anyone, id: Path<Uuid>, query: Fields) -> Answer {
    let id = AssetId(*id);
    let found = read(&visit, id).await?;
    let (asset, path) = (&found.asset, address(id));
    let shared = match &found.owned {
        Some(Some(private)) => private.rows_shared_with_mock,
        _ => 0,
    };
    let mock = match &asset.mock {
        Some(mock) if found.open => with_mock(&visit, asset, (mock, shared), &path, &query).await?,
        Some(mock) => html! {
            h2 { "What it looks like" }
            (schema(&mock.schema))
            h2 { "The mock" }
            (empty("This mock is handed out on request.", html! { "Ask for it, with your reason; whoever looks after requests decides." }))
        },
        None => empty(
            "This asset has no mock.",
            html! { "Code can still be written for it: its description says what it holds." },
        ),
    };
    Ok(visit.page(asset.name.as_str()).trail(found.trail()).body(html! {
        @if !asset.description.is_empty() { div.card { (prose(&asset.description)) } }
        @if let Some(private) = &found.owned { (fill(&visit, &found, private.as_ref())) }
        (mock)
        (asking::offered(&visit, &found))
        details { summary { "For programs" } (facts([("Identifier", html! { code { (found.object.id) } })])) }
    }))
}

/// What the owner does with it.
fn fill(visit: &Shell, found: &Found, private: Option<&PrivateData>) -> Markup {
    let at = address(AssetId(found.object.id));
    html! {
        section.card {
            h2 { "What stands behind it" }
            @if visit.side.holds_private_data() {
                @match private {
                    None => {
                        p { (badge(Tone::Warning, Icon::Warning, "no private data")) " Until some is attached, code runs on the mock alone." }
                    },
                    Some(private) => {
                        p { (badge(Tone::Good, Icon::Lock, "private data attached")) " " (private.format.extension()) ", " (bytes(private.length)) ", since " (super::piece::time::time(private.attached_at)) ". It stays on this node." }
                        @if let Some(shared) = shared_rows(private.rows_shared_with_mock) { div.notice.warning { p { (shared) } } }
                    },
                }
            }
            div.actions {
                @if visit.side.holds_private_data() {
                    a.button href=(format!("{at}/private")) { (if private.is_some() { "Replace the private data" } else { "Attach private data" }) }
                }
                a.button href=(format!("{at}/mock/change")) { (if found.asset.mock.is_some() { "Change the mock" } else { "Give it a mock" }) }
            }
        }
    }
}

async fn with_mock(
    visit: &Shell,
    asset: &Asset,
    (mock, shared): (&Mock, u64),
    path: &str,
    query: &Fields,
) -> Result<Markup, Problem> {
    let window = window(query)?;
    let (context, blob, format) = (visit.context.clone(), mock.blob, mock.format.as_output());
    let seen = off_the_arbiter(move || {
        let file = context.blobs.open_blob(&blob).map_err(Problem::from)?;
        let reader = context.runtime.reader();
        reader.glance(file, format, window).map_err(Problem::from)
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
        @if !mock.is_real { p.soft { "Made up: same columns and types as the private data" @if shared == 0 { ", other values" } ". Code that runs on it runs on the private data." } }
        @match &seen {
            Ok(seen) => (content(&label, seen, window, path, query, "")),
            Err(problem) => p.problem { (super::fields::sentence(problem.detail())) },
        }
    })
}

async fn download(Anyone(visit): Anyone, id: Path<Uuid>) -> Answer {
    rest::mock_of(&visit.context, visit.viewer()?, AssetId(*id)).await
}
