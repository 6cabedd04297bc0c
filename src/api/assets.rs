//! Assets: mocks in and out, private data in.

use actix_web::{HttpResponse, delete, get, post, put, web};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::asset_uploads::{self, MockUpload, PrivateUpload};
use super::blocking::off_the_arbiter;
use super::{Answer, Context, Json, Problem, Query, SignedIn, Visitor, files, schema, view};
use crate::acts::{assets, grants, visible};
use crate::clock;
use crate::domain::access::Viewer;
use crate::domain::asset::DataFormat;
use crate::domain::id::{AssetId, DatasetId};
use crate::domain::mock::{MockColumn, MockPlan, MockType};
use crate::store::records::Here;

pub(super) fn of_dataset(routes: &mut ServiceConfig<'_>) {
    routes.service(create);
}

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(show)
        .service(put_mock)
        .service(generate_mock)
        .service(remove_mock)
        .service(get_mock)
        .service(put_private)
        .service(remove_private)
        .service(private_status);
}

/// That an asset has no mock, and is meant to have none.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum NoMock {
    /// Explicitly none.
    None,
}

/// A new asset.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAsset {
    /// Unique within the dataset.
    name: String,
    /// What it holds.
    #[serde(default)]
    description: String,
    /// `none` says that there will be no mock. Every asset begins without one.
    #[serde(rename = "mock")]
    _mock: Option<NoMock>,
}

/// Makes an asset, as yet without a mock.
#[utoipa::path(tag = "assets", security(("token" = [])), request_body = NewAsset, responses(
    (status = 201, description = "The asset", body = schema::AssetShown), (status = 409, description = "The name is taken in this dataset")))]
#[post("/{id}/assets")]
async fn create(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    dataset: web::Path<Uuid>,
    Json(body): Json<NewAsset>,
) -> Answer {
    let (id, dataset) = (AssetId(context.new_id()), DatasetId(*dataset));
    let asset = context
        .store
        .act(move |tx, here| assets::create(tx, &actor, here, id, dataset, (&body.name, &body.description)))
        .await?;
    Ok(HttpResponse::Created().json(view::object(&asset)))
}

/// One asset: what it holds, and format, shape and types of its mock.
#[utoipa::path(tag = "assets", security(("token" = [])), responses(
    (status = 200, description = "The asset", body = schema::AssetShown), (status = 404, description = "None")))]
#[get("/{id}")]
async fn show(context: web::Data<Context>, Visitor(viewer): Visitor, id: web::Path<Uuid>) -> Answer {
    let id = AssetId(*id);
    let asset = context
        .store
        .read(move |view| visible::asset(view, &viewer, id))
        .await?;
    Ok(HttpResponse::Ok().json(view::object(&asset.object)))
}

/// How the bytes are written.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// A table, with a header.
    Csv,
    /// A table.
    Parquet,
    /// A tensor.
    Npy,
}

impl From<Format> for DataFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Parquet => Self::Parquet,
            Format::Npy => Self::Npy,
        }
    }
}

/// How a mock is uploaded.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MockQuery {
    /// csv, parquet or npy.
    #[param(inline)]
    format: Format,
    /// Whether the mock is the real data. Where private data is held this needs the permission to release, and is a release.
    #[serde(default)]
    is_real: bool,
}

/// Uploads the mock: the raw bytes. Refused if the private data has other columns or types.
#[utoipa::path(tag = "assets", security(("token" = [])), params(MockQuery),
    request_body(content = schema::Bytes, content_type = "application/octet-stream"), responses(
    (status = 200, description = "The asset; `mock_shares_rows` counts rows of the mock that stand in the private data", body = schema::UploadedMock),
    (status = 422, description = "Not of the format, or unlike the private data")))]
#[put("/{id}/mock")]
async fn put_mock(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Query(query): Query<MockQuery>,
    body: web::Payload,
) -> Answer {
    let (asset, format, is_real) = (AssetId(*id), query.format.into(), query.is_real);
    let upload = MockUpload {
        actor,
        asset,
        format,
        is_real,
    };
    asset_uploads::may_set_mock(&context, &upload).await?;
    let most = context.config.server.upload_bytes;
    let take = move |body: &mut dyn std::io::Read| asset_uploads::mock(&context, &upload, body);
    let (asset, shared) = files::receive(body, most, take).await?;
    Ok(with_shared_rows(&asset, shared))
}

fn with_shared_rows(asset: &crate::domain::object::Object, shared: u64) -> HttpResponse {
    let mut asset = view::document(asset);
    asset["mock_shares_rows"] = shared.into();
    HttpResponse::Ok().json(asset)
}

/// The type of a column.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ColumnKind {
    /// Whole numbers; from 0 to 100 by default.
    Int,
    /// Numbers; from 0 to 1 by default.
    Float,
    /// True and False.
    Bool,
    /// Text; eight random letters by default.
    String,
    /// Numbers with two decimals; from 0 to 100 by default.
    Decimal,
    /// Days.
    Date,
    /// Times of a day.
    Time,
    /// Points in time.
    Timestamp,
}

/// A column to generate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GeneratedColumn {
    /// Its name.
    name: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: ColumnKind,
    /// The least number.
    min: Option<f64>,
    /// The greatest number.
    max: Option<f64>,
    /// Values to choose from, in place of a range.
    #[serde(default)]
    choices: Vec<String>,
    /// Which part of the values is missing, from 0 to 1.
    #[serde(default)]
    missing: f64,
}

/// A mock to generate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Generation {
    /// How many rows.
    rows: u64,
    /// The same seed gives the same mock; random if left out.
    seed: Option<u64>,
    /// The columns, in order.
    columns: Vec<GeneratedColumn>,
}

impl Generation {
    fn plan(self) -> Result<MockPlan, Problem> {
        let columns: Vec<_> = self
            .columns
            .into_iter()
            .map(|column| MockColumn {
                name: column.name,
                dtype: match column.kind {
                    ColumnKind::Int => MockType::Int,
                    ColumnKind::Float => MockType::Float,
                    ColumnKind::Bool => MockType::Bool,
                    ColumnKind::String => MockType::String,
                    ColumnKind::Decimal => MockType::Decimal,
                    ColumnKind::Date => MockType::Date,
                    ColumnKind::Time => MockType::Time,
                    ColumnKind::Timestamp => MockType::Timestamp,
                },
                min: column.min,
                max: column.max,
                choices: column.choices,
                missing: column.missing,
            })
            .collect();
        Ok(MockPlan::new(&columns, self.rows)?)
    }
}

/// Generates the mock from names, types and ranges that the owner declares; never from values.
#[utoipa::path(tag = "assets", security(("token" = [])), request_body = Generation, responses(
    (status = 200, description = "The asset, with `seed`", body = schema::GeneratedMock), (status = 422, description = "Unlike the private data")))]
#[post("/{id}/mock/generation")]
async fn generate_mock(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<Generation>,
) -> Answer {
    let upload = MockUpload {
        actor,
        asset: AssetId(*id),
        format: DataFormat::Csv,
        is_real: false,
    };
    asset_uploads::may_set_mock(&context, &upload).await?;
    let seed = body.seed.unwrap_or_else(asset_uploads::seed);
    let plan = body.plan()?;
    let take = move || asset_uploads::generated_mock(&context, &upload, &plan, seed);
    let (asset, _) = off_the_arbiter(take).await??;
    let mut asset = view::document(&asset);
    asset["seed"] = seed.into();
    Ok(HttpResponse::Ok().json(asset))
}

/// Leaves the asset explicitly without a mock.
#[utoipa::path(tag = "assets", security(("token" = [])), responses((status = 200, description = "The asset", body = schema::AssetShown)))]
#[delete("/{id}/mock")]
async fn remove_mock(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = AssetId(*id);
    let asset = context
        .store
        .act(move |tx, here| assets::remove_mock(tx, &actor, here, id))
        .await?;
    Ok(HttpResponse::Ok().json(view::object(&asset)))
}

/// Downloads the mock, streamed.
#[utoipa::path(tag = "assets", security(("token" = [])), responses(
    (status = 200, description = "The bytes", content(
        (schema::Bytes = "text/csv"), (schema::Bytes = "application/vnd.apache.parquet"), (schema::Bytes = "application/octet-stream"))),
    (status = 403, description = "It is handed out on request, and was not granted to you"),
    (status = 404, description = "No such asset, or no mock")))]
#[get("/{id}/mock")]
async fn get_mock(context: web::Data<Context>, Visitor(viewer): Visitor, id: web::Path<Uuid>) -> Answer {
    mock_of(&context, viewer, AssetId(*id)).await
}

/// The bytes of an asset's mock, for whoever may have them.
///
/// # Errors
/// They may not, or it has no mock.
pub async fn mock_of(context: &Context, viewer: Viewer, id: AssetId) -> Answer {
    let now = context.store.now();
    let (_, mock) = context
        .store
        .read(move |view| grants::mock(view, &viewer, now, id))
        .await?;
    let blobs = context.blobs.clone();
    let file = off_the_arbiter(move || blobs.open_blob(&mock.blob)).await??;
    let media = match mock.format {
        DataFormat::Csv => "text/csv; charset=utf-8",
        DataFormat::Parquet => "application/vnd.apache.parquet",
        DataFormat::Npy => "application/octet-stream",
    };
    let name = format!("{id}.{}", mock.format.extension());
    Ok(files::download(
        HttpResponse::Ok(),
        file,
        mock.length,
        media,
        &name,
    ))
}

/// How private data is uploaded.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PrivateQuery {
    /// csv, parquet or npy.
    #[param(inline)]
    format: Format,
}

/// Attaches private data: the raw bytes, which stay here. Only on a node that holds such. Refused if the mock has other columns or types.
#[utoipa::path(tag = "assets", security(("token" = [])), params(PrivateQuery),
    request_body(content = schema::Bytes, content_type = "application/octet-stream"), responses(
    (status = 200, description = "attached, schema, length; `mock_shares_rows` counts rows of the mock that stand in it", body = schema::PrivateStatus),
    (status = 409, description = "Wrong side"), (status = 422, description = "Not of the format, or unlike the mock")))]
#[put("/{id}/private")]
async fn put_private(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Query(query): Query<PrivateQuery>,
    body: web::Payload,
) -> Answer {
    let (asset, format) = (AssetId(*id), query.format.into());
    let upload = PrivateUpload { actor, asset, format };
    asset_uploads::may_attach(&context, &upload).await?;
    let most = context.config.server.upload_bytes;
    let take = move |body: &mut dyn std::io::Read| asset_uploads::private(&context, &upload, body);
    let attached = files::receive(body, most, take).await?;
    Ok(HttpResponse::Ok().json(json!({
        "attached": true, "format": attached.format, "schema": attached.schema, "length": attached.length,
        "attached_at": attached.attached_at, "mock_shares_rows": attached.rows_shared_with_mock,
    })))
}

/// Removes the private data that is attached; also of an asset that was deleted. It cannot be brought back, but from a backup. What runs have
/// returned stays with them.
#[utoipa::path(tag = "assets", security(("token" = [])), responses(
    (status = 204, description = "It is gone"), (status = 404, description = "No such asset, or nothing is attached"),
    (status = 409, description = "Wrong side, or a run needs it")))]
#[delete("/{id}/private")]
async fn remove_private(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
) -> Answer {
    let id = AssetId(*id);
    off_the_arbiter(move || asset_uploads::remove_private(&context, actor, id)).await??;
    Ok(HttpResponse::NoContent().finish())
}

/// Whether private data is attached, and what it looks like. Where private data is held, for those who upload data.
#[utoipa::path(tag = "assets", security(("token" = [])), responses(
    (status = 200, description = "attached, format, schema, length, attached_at, mock_shares_rows", body = schema::PrivateStatus)))]
#[get("/{id}/private-status")]
async fn private_status(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
) -> Answer {
    let id = AssetId(*id);
    let found = context
        .store
        .read(move |view| assets::private_data(view, &actor, &Here::at(view, clock::now(), [0; 32])?, id))
        .await?;
    Ok(HttpResponse::Ok().json(match found {
        Some(private) => json!({
            "attached": true, "format": private.format, "schema": private.schema, "length": private.length,
            "attached_at": private.attached_at, "mock_shares_rows": private.rows_shared_with_mock,
        }),
        None => json!({"attached": false}),
    }))
}
