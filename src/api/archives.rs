//! Dataset archives, and the list of what came of one.

use std::io::Read;

use actix_web::{HttpResponse, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::archive_uploads::{self, Generate, ImportWanted, Imported, Supplied, SupplyWanted};
use super::{Answer, Context, Page, Problem, Query, SignedIn, Visitor, asset_uploads, files, page};
use crate::acts::archives::{self, ListedAsset};
use crate::clock;
use crate::domain::access::Viewer;
use crate::domain::archive::{HeaderChoice, Headers};
use crate::domain::asset::DataFormat;
use crate::domain::dataset::Visibility;
use crate::domain::id::{AssetId, DatasetId};
use crate::domain::mock::ROWS_MAX;
use crate::domain::object::Body;
use crate::domain::schema::Schema;
use crate::domain::text::Invalid;
use crate::store::records::Here;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(import).service(supply_mocks).service(list);
}

/// What the uploader says of headers.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum HeaderWord {
    /// The first line tells.
    #[default]
    Auto,
    /// The first line names the columns.
    Present,
    /// The first line holds values.
    Absent,
}

impl From<HeaderWord> for HeaderChoice {
    fn from(word: HeaderWord) -> Self {
        match word {
            HeaderWord::Auto => Self::Auto,
            HeaderWord::Present => Self::Present,
            HeaderWord::Absent => Self::Absent,
        }
    }
}

fn headers(all: HeaderWord, present: Option<&str>, absent: Option<&str>) -> Headers {
    let mut headers = Headers::new(all.into());
    for (files, choice) in [(present, HeaderChoice::Present), (absent, HeaderChoice::Absent)] {
        let files = files.unwrap_or_default().split('/');
        for file in files.filter(|file| !file.is_empty()) {
            headers.set(file, choice);
        }
    }
    headers
}

/// Where the mocks of private data come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum MocksWord {
    /// From elsewhere, later: the assets have none as yet.
    #[default]
    None,
    /// They are generated of the names and types of columns, which the owner lets others see by this, and of the ranges that
    /// the archive declares.
    Generate,
}

/// Who may know of the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SeenByWord {
    /// Everybody, also guests where the node lets them in.
    Everybody,
    /// Whoever is signed in.
    SignedIn,
    /// The members of any of the groups that are named.
    Groups,
}

/// How an archive is taken in.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ImportQuery {
    /// The dataset's name; the name of the archive's folder if left out.
    name: Option<String>,
    /// Who may know of it: everybody, signed_in (if left out), or groups.
    #[param(inline)]
    visible_to: Option<SeenByWord>,
    /// The groups, by name, one a line.
    groups: Option<String>,
    /// Whether the CSV files have headers: auto, present or absent.
    #[serde(default)]
    #[param(inline)]
    header: HeaderWord,
    /// Files that have a header, whatever holds for the others; separated by `/`.
    header_present: Option<String>,
    /// Files that have none; separated by `/`.
    header_absent: Option<String>,
    /// Where mocks come from, on a node that holds private data: none or generate.
    #[serde(default)]
    #[param(inline)]
    mocks: MocksWord,
    /// How many rows generated mocks have; 100 by default.
    mock_rows: Option<u64>,
    /// The same seed gives the same mocks; random if left out.
    seed: Option<u64>,
}

const MOCK_ROWS: u64 = 100;

impl ImportQuery {
    fn visibility(&self) -> Result<Visibility, Problem> {
        let groups = self.groups.as_deref().unwrap_or_default().lines();
        let groups: Vec<_> = groups.map(str::to_owned).collect();
        let visibility = match (self.visible_to, groups.as_slice()) {
            (Some(SeenByWord::Groups), [_, ..]) => Visibility::Groups(groups),
            (Some(SeenByWord::Everybody), []) => Visibility::Everybody,
            (Some(SeenByWord::SignedIn) | None, []) => Visibility::SignedIn,
            _ => {
                return Err(Invalid::new("groups", "are named with visible_to=groups, and only then").into());
            }
        };
        Ok(visibility.checked()?)
    }

    /// How mocks are generated, if they are.
    fn generate(&self) -> Result<Option<Generate>, Problem> {
        let rows = self.mock_rows.unwrap_or(MOCK_ROWS);
        if !(1..=ROWS_MAX).contains(&rows) {
            return Err(Invalid::new("mock_rows", format!("must be from 1 to {ROWS_MAX}")).into());
        }
        let seed = self.seed.unwrap_or_else(asset_uploads::seed);
        Ok((self.mocks == MocksWord::Generate).then_some(Generate { rows, seed }))
    }
}

/// What an asset's data looks like from outside.
#[derive(Debug, Serialize, ToSchema)]
struct Look {
    /// csv, parquet or npy.
    #[schema(value_type = String)]
    format: DataFormat,
    /// The element type of a tensor, by NumPy's name; of a table, `table`.
    dtype: String,
    /// The length of each dimension; of a table, rows and columns.
    shape: Vec<u64>,
}

impl Look {
    fn of(format: DataFormat, schema: &Schema) -> Self {
        let (dtype, shape) = match schema {
            Schema::Table { columns, rows } => ("table".to_owned(), vec![*rows, columns.len() as u64]),
            Schema::Tensor { dtype, shape } => (dtype.clone(), shape.clone()),
        };
        Self { format, dtype, shape }
    }
}

/// An asset in a list.
#[derive(Debug, Serialize, ToSchema)]
struct AssetItem {
    /// Its id.
    id: Uuid,
    /// Its name; for what came in an archive the file's.
    name: String,
    /// The tags of its dataset.
    tags: Vec<String>,
    /// The mock's element type, or `table`; none without a mock.
    dtype: Option<String>,
    /// The mock's shape; none without a mock.
    shape: Option<Vec<u64>>,
    /// The mock; none without one.
    mock: Option<Look>,
    /// The private data, null where there is none; left out for all but those who upload data, and on a node that holds no
    /// private data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Look>)]
    private: Option<Option<Look>>,
    /// How many rows of the mock stand in the private data, for those who see both.
    mock_shares_rows: Option<u64>,
}

impl AssetItem {
    fn new(listed: ListedAsset, tags: &[String]) -> Self {
        let mock = listed.asset.mock.map(|mock| Look::of(mock.format, &mock.schema));
        let attached = listed.private.as_ref().and_then(Option::as_ref);
        Self {
            id: listed.object.id,
            name: listed.asset.name,
            tags: tags.to_vec(),
            dtype: mock.as_ref().map(|mock| mock.dtype.clone()),
            shape: mock.as_ref().map(|mock| mock.shape.clone()),
            mock_shares_rows: attached
                .filter(|_| mock.is_some())
                .map(|private| private.rows_shared_with_mock),
            private: listed
                .private
                .as_ref()
                .map(|private| private.as_ref().map(|it| Look::of(it.format, &it.schema))),
            mock,
        }
    }
}

/// A dataset that came in an archive.
#[derive(Debug, Serialize, ToSchema)]
struct ImportedDataset {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
    /// What the data is.
    description: String,
    /// Words to find it by.
    tags: Vec<String>,
    /// Its assets, in the order of the archive.
    assets: Vec<AssetItem>,
    /// Members of the archive that were not read: notes that macOS packs beside files.
    ignored: Vec<String>,
    /// The seed of the first mock that was generated; each further one has the next.
    seed: Option<u64>,
}

/// Makes a dataset of a `.tar.gz` that holds one folder with data files, and optionally the texts `description`, `manifest`,
/// `tags` and `ranges`. Every `.csv` becomes a table, or without a header a float32 tensor; every `.npy` a tensor, every
/// `.parquet` a table. Where a node holds private data the data are private, elsewhere they are mocks. All of it is taken, or nothing.
#[utoipa::path(tag = "datasets", security(("token" = [])), params(ImportQuery),
    request_body(content = String, content_type = "application/octet-stream"), responses(
    (status = 201, description = "The dataset and its assets", body = ImportedDataset),
    (status = 400, description = "A parameter is wrong"),
    (status = 401, description = "Not signed in"),
    (status = 403, description = "The permission to upload data is missing"),
    (status = 409, description = "The name is taken, or mocks are to be generated where the data are mocks"),
    (status = 413, description = "The archive is too large"),
    (status = 422, description = "The archive is refused: `reason`, and `member` and `line` where it is one"),
    (status = 503, description = "The node is busy, or stops")))]
#[post("/archive")]
async fn import(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Query(query): Query<ImportQuery>,
    body: web::Payload,
) -> Answer {
    let generate = query.generate()?;
    let visibility = query.visibility()?;
    let present = query.header_present.as_deref();
    let wanted = ImportWanted {
        actor,
        visibility,
        headers: headers(query.header, present, query.header_absent.as_deref()),
        name: query.name,
        generate,
    };
    archive_uploads::may_import(&context, &wanted).await?;
    let most = context.config.server.upload_bytes;
    let viewer = Viewer::from(wanted.actor.clone());
    let shared = context.clone();
    let take = move |body: &mut dyn Read| archive_uploads::import(&shared, &wanted, body);
    let Imported { shown, ignored, .. } = files::receive(body, most, take).await?;
    let Body::Dataset(dataset) = shown.dataset.body else {
        return Err(Problem::not_found("the dataset is gone already"));
    };
    let listed = context
        .store
        .read(move |view| {
            let here = Here::at(view, clock::now(), [0; 32])?;
            let listed = shown
                .assets
                .into_iter()
                .map(|asset| archives::listed(view, &viewer, &here, asset));
            listed.collect::<Result<Vec<_>, _>>()
        })
        .await?;
    let assets = listed.into_iter().flatten();
    Ok(HttpResponse::Created().json(ImportedDataset {
        id: shown.dataset.id,
        assets: assets.map(|asset| AssetItem::new(asset, &dataset.tags)).collect(),
        name: dataset.name,
        description: dataset.description,
        tags: dataset.tags,
        ignored,
        seed: generate.map(|generate| generate.seed),
    }))
}

/// Which files of an archive of mocks have headers, where the assets do not tell.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SupplyQuery {
    /// Whether the CSV files have headers: auto, present or absent.
    #[serde(default)]
    #[param(inline)]
    header: HeaderWord,
    /// Files that have a header, whatever holds for the others; separated by `/`.
    header_present: Option<String>,
    /// Files that have none; separated by `/`.
    header_absent: Option<String>,
}

/// A mock that was supplied.
#[derive(Debug, Serialize, ToSchema)]
struct SuppliedMock {
    /// The asset.
    id: Uuid,
    /// Its name.
    name: String,
    /// The mock.
    mock: Option<Look>,
    /// How many rows of the mock stand in the private data.
    mock_shares_rows: u64,
}

/// What has become of an archive of mocks.
#[derive(Debug, Serialize, ToSchema)]
struct SuppliedMocks {
    /// The assets that have got a mock.
    assets: Vec<SuppliedMock>,
    /// Names of the assets that the archive had none for; they keep what they had.
    without: Vec<String>,
    /// Members of the archive that were not read.
    ignored: Vec<String>,
}

/// Gives the assets of a dataset the mocks in an archive, matched by the names of the files. Each must have the columns and
/// types of the private data, as a single mock must. All of them are taken, or none.
#[utoipa::path(tag = "datasets", security(("token" = [])), params(SupplyQuery),
    request_body(content = String, content_type = "application/octet-stream"), responses(
    (status = 200, description = "The assets with their mocks", body = SuppliedMocks),
    (status = 400, description = "A parameter is wrong"),
    (status = 401, description = "Not signed in"),
    (status = 403, description = "The permission to upload data is missing"),
    (status = 404, description = "There is no such dataset"),
    (status = 409, description = "Its home is elsewhere"),
    (status = 413, description = "The archive is too large"),
    (status = 422, description = "The archive is refused: `reason`, and `member` and `line` where it is one"),
    (status = 503, description = "The node is busy, or stops")))]
#[put("/{id}/mocks/archive")]
async fn supply_mocks(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Query(query): Query<SupplyQuery>,
    body: web::Payload,
) -> Answer {
    let (dataset, who) = (DatasetId(*id), actor.clone());
    let awaiting = context
        .store
        .read(move |view| {
            let here = Here::at(view, clock::now(), [0; 32])?;
            archives::awaiting_mocks(view, &who, here.node, dataset)
        })
        .await?;
    let present = query.header_present.as_deref();
    let wanted = SupplyWanted {
        actor,
        dataset,
        headers: headers(query.header, present, query.header_absent.as_deref()),
        awaiting,
    };
    let most = context.config.server.upload_bytes;
    let take = move |body: &mut dyn Read| archive_uploads::supply_mocks(&context, &wanted, body);
    let supplied = files::receive(body, most, take).await?;
    Ok(HttpResponse::Ok().json(SuppliedMocks::from(supplied)))
}

impl From<Supplied> for SuppliedMocks {
    fn from(supplied: Supplied) -> Self {
        let assets = supplied.assets.into_iter().filter_map(|object| {
            let Body::Asset(asset) = object.body else {
                return None;
            };
            let shared = supplied.shared.get(&AssetId(object.id));
            Some(SuppliedMock {
                id: object.id,
                name: asset.name,
                mock: asset.mock.map(|mock| Look::of(mock.format, &mock.schema)),
                mock_shares_rows: shared.copied().unwrap_or_default(),
            })
        });
        Self {
            assets: assets.collect(),
            without: supplied.without,
            ignored: supplied.ignored,
        }
    }
}

/// A page of assets.
#[derive(Debug, Serialize, ToSchema)]
struct AssetList {
    /// The assets, oldest first.
    items: Vec<AssetItem>,
    /// Where the next page begins; none on the last one.
    next: Option<String>,
}

/// The assets of a dataset: id, name, tags, type and shape of the mock; for those who upload data, of the private data too.
#[utoipa::path(tag = "datasets", security(("token" = []), ()), params(Page), responses(
    (status = 200, description = "A page of assets", body = AssetList),
    (status = 400, description = "A parameter is wrong"),
    (status = 401, description = "Not signed in"),
    (status = 404, description = "There is no such dataset")))]
#[get("/{id}/assets")]
async fn list(
    context: web::Data<Context>,
    Visitor(viewer): Visitor,
    id: web::Path<Uuid>,
    Query(wanted): Query<Page>,
) -> Answer {
    let (id, limit, after) = (DatasetId(*id), wanted.limit()?, wanted.after()?);
    let found = context
        .store
        .read(move |view| {
            let here = Here::at(view, clock::now(), [0; 32])?;
            archives::list(view, &viewer, &here, id, after, limit)
        })
        .await?;
    let tags = found.tags;
    let items = found.assets.into_iter().map(|asset| AssetItem::new(asset, &tags));
    Ok(HttpResponse::Ok().json(AssetList {
        items: items.collect(),
        next: found.next.as_ref().and_then(page::cursor),
    }))
}
