//! Datasets: made, found, changed and deleted.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Answer, Context, Json, Page, Query, SignedIn, Visitor, page, schema, view};
use crate::acts::datasets::{self, Shown, Wanted};
use crate::acts::visible;
use crate::domain::access::Viewer;
use crate::domain::dataset::{Dataset, DatasetDraft, MockAccess, Visibility};
use crate::domain::id::DatasetId;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(create)
        .service(list)
        .service(show)
        .service(change)
        .service(remove);
}

/// Somebody who made the data.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Contributor {
    /// What they did.
    role: String,
    /// How they are called.
    name: String,
    /// Where to reach them; each address once.
    email: String,
}

/// Who may know of a dataset, its assets and their mocks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SeenBy {
    /// Everybody, also guests where the node lets them in.
    Everybody,
    /// Whoever is signed in.
    SignedIn,
    /// The members of any of these groups, by name.
    Groups(Vec<String>),
}

impl From<SeenBy> for Visibility {
    fn from(seen_by: SeenBy) -> Self {
        match seen_by {
            SeenBy::Everybody => Self::Everybody,
            SeenBy::SignedIn => Self::SignedIn,
            SeenBy::Groups(groups) => Self::Groups(groups),
        }
    }
}

/// A new dataset.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewDataset {
    /// Unique on this node.
    name: String,
    /// What the data is.
    #[serde(default)]
    description: String,
    /// How to cite it.
    #[serde(default)]
    citation: String,
    /// Where to read more.
    #[serde(default)]
    url: String,
    /// Who made it.
    #[serde(default)]
    contributors: Vec<Contributor>,
    /// Words to find it by.
    #[serde(default)]
    tags: Vec<String>,
    /// Who may know of it: `everybody`, `signed_in` (if left out) or `{"groups": […]}`.
    visibility: Option<SeenBy>,
    /// Who may have its mocks.
    #[serde(default)]
    mocks: MocksWord,
}

/// Who may have the mocks of a dataset, of those who may see it.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MocksWord {
    /// Everybody.
    #[default]
    WithDataset,
    /// Those who upload or triage, and whom a request to see the mock was granted.
    OnRequest,
}

impl From<MocksWord> for MockAccess {
    fn from(word: MocksWord) -> Self {
        match word {
            MocksWord::WithDataset => Self::WithDataset,
            MocksWord::OnRequest => Self::OnRequest,
        }
    }
}

/// What shall change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DatasetChange {
    /// The name.
    name: Option<String>,
    /// What the data is.
    description: Option<String>,
    /// How to cite it.
    citation: Option<String>,
    /// Where to read more.
    url: Option<String>,
    /// Who made it: the whole list.
    contributors: Option<Vec<Contributor>>,
    /// Words to find it by: the whole list.
    tags: Option<Vec<String>>,
    /// Who may know of it.
    visibility: Option<SeenBy>,
    /// Who may have its mocks.
    mocks: Option<MocksWord>,
}

fn triples(contributors: Vec<Contributor>) -> Vec<(String, String, String)> {
    let triple = |contributor: Contributor| (contributor.role, contributor.name, contributor.email);
    contributors.into_iter().map(triple).collect()
}

impl From<NewDataset> for DatasetDraft {
    fn from(new: NewDataset) -> Self {
        Self {
            name: new.name,
            description: new.description,
            citation: new.citation,
            url: new.url,
            contributors: triples(new.contributors),
            tags: new.tags,
            visibility: new.visibility.map(Into::into).unwrap_or_default(),
            mocks: new.mocks.into(),
        }
    }
}

impl DatasetChange {
    fn of(self, dataset: Dataset) -> DatasetDraft {
        let known = dataset.contributors.into_iter();
        let known = known.map(|one| (one.role, one.name, one.email.to_string()));
        DatasetDraft {
            name: self.name.unwrap_or(dataset.name),
            description: self.description.unwrap_or(dataset.description),
            citation: self.citation.unwrap_or(dataset.citation),
            url: self.url.unwrap_or(dataset.url),
            contributors: self.contributors.map_or_else(|| known.collect(), triples),
            tags: self.tags.unwrap_or(dataset.tags),
            visibility: self.visibility.map_or(dataset.visibility, Into::into),
            mocks: self.mocks.map_or(dataset.mocks, Into::into),
        }
    }
}

/// A dataset with its assets under `assets`.
fn shown(shown: &Shown) -> Value {
    let mut dataset = view::document(&shown.dataset);
    dataset["assets"] = json!(view::objects(&shown.assets));
    dataset
}

/// Makes a dataset.
#[utoipa::path(tag = "datasets", security(("token" = [])), request_body = NewDataset, responses(
    (status = 201, description = "The dataset", body = schema::DatasetShown), (status = 409, description = "The name is taken")))]
#[post("")]
async fn create(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<NewDataset>,
) -> Answer {
    let (id, draft) = (DatasetId(context.new_id()), DatasetDraft::from(body));
    let dataset = context
        .store
        .act(move |tx, here| datasets::create(tx, &actor, here, id, &draft))
        .await?;
    Ok(HttpResponse::Created().json(view::object(&dataset)))
}

/// What datasets are looked for by.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Sought {
    /// Words that all stand somewhere in the name, the tags or the texts.
    search: Option<String>,
    /// A tag.
    tag: Option<String>,
    /// The whole name.
    name: Option<String>,
    /// Items on the page, from 1 to 200; 50 by default.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// The catalogue, newest first.
#[utoipa::path(tag = "datasets", security(("token" = [])), params(Sought),
    responses((status = 200, description = "items, next", body = schema::PageOf<schema::DatasetShown>)))]
#[get("")]
async fn list(context: web::Data<Context>, Visitor(viewer): Visitor, Query(sought): Query<Sought>) -> Answer {
    let page = Page::new(sought.limit, sought.cursor);
    let (limit, before) = (page.limit()?, page.after()?);
    let (search, tag, name) = (sought.search, sought.tag, sought.name);
    let wanted = Wanted { search, tag, name };
    let listed = context
        .store
        .read_page(move |view| datasets::list(view, &viewer, &wanted, before, limit))
        .await?;
    Ok(page::answer(&context, &listed))
}

/// One dataset, with its assets.
#[utoipa::path(tag = "datasets", security(("token" = [])), responses(
    (status = 200, description = "The dataset; its assets under `assets`", body = schema::DatasetWithAssets), (status = 404, description = "None")))]
#[get("/{id}")]
async fn show(context: web::Data<Context>, Visitor(viewer): Visitor, id: web::Path<Uuid>) -> Answer {
    let id = DatasetId(*id);
    let dataset = context
        .store
        .read(move |view| datasets::show(view, &viewer, id))
        .await?;
    Ok(HttpResponse::Ok().json(shown(&dataset)))
}

/// Changes what the catalogue says of a dataset.
#[utoipa::path(tag = "datasets", security(("token" = [])), request_body = DatasetChange, responses(
    (status = 200, description = "The dataset as it is now", body = schema::DatasetShown), (status = 409, description = "Its home is elsewhere")))]
#[patch("/{id}")]
async fn change(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<DatasetChange>,
) -> Answer {
    let id = DatasetId(*id);
    let dataset = context
        .store
        .act(move |tx, here| {
            let viewer = Viewer::Person(actor.clone());
            let draft = body.of(visible::dataset(tx, &viewer, id)?.body);
            datasets::change(tx, &actor, here, id, &draft)
        })
        .await?;
    Ok(HttpResponse::Ok().json(view::object(&dataset)))
}

/// Hides a dataset and its assets, here and where they are published. Nothing else is removed.
#[utoipa::path(tag = "datasets", security(("token" = [])), responses(
    (status = 204, description = "Done"), (status = 404, description = "None")))]
#[delete("/{id}")]
async fn remove(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = DatasetId(*id);
    context
        .store
        .act(move |tx, here| datasets::delete(tx, &actor, here, id))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
