//! Datasets and assets, as they are shown.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Envelope;

/// Somebody who made the data.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContributorShown {
    /// What they did.
    pub role: String,
    /// How they are called.
    pub name: String,
    /// Where to reach them.
    pub email: String,
}

/// A dataset.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatasetShown {
    /// What every object bears.
    #[serde(flatten)]
    pub object: Envelope,
    /// Unique on its home node.
    pub name: String,
    /// What the data is.
    pub description: String,
    /// How to cite it.
    pub citation: String,
    /// Where to read more.
    pub url: String,
    /// Who made it.
    pub contributors: Vec<ContributorShown>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// `on_request` if its mocks are handed out on request; left out if they go with the dataset.
    pub mocks: Option<MocksShown>,
}

/// Who may have the mocks of a dataset, of those who may see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MocksShown {
    /// Everybody.
    WithDataset,
    /// Those who upload or triage, and whom a request to see the mock was granted.
    OnRequest,
}

/// A dataset, with its assets.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatasetWithAssets {
    /// The dataset.
    #[serde(flatten)]
    pub dataset: DatasetShown,
    /// Its assets.
    pub assets: Vec<AssetShown>,
}

/// How the bytes of an asset are written.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DataFormatWord {
    /// A table, with a header.
    Csv,
    /// A table.
    Parquet,
    /// A tensor.
    Npy,
}

/// A column of a table.
#[derive(Debug, Serialize, ToSchema)]
pub struct ColumnShown {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub dtype: String,
}

/// The shape of a table or a tensor.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ShapeShown {
    /// Named columns of equal length.
    Table {
        /// The columns, in order.
        columns: Vec<ColumnShown>,
        /// The number of rows, without the header.
        rows: u64,
    },
    /// An array of one element type.
    Tensor {
        /// NumPy's name of the element type.
        dtype: String,
        /// The length of each dimension.
        shape: Vec<u64>,
    },
}

/// The mock of an asset.
#[derive(Debug, Serialize, ToSchema)]
pub struct MockShown {
    /// The BLAKE3 hash of its bytes.
    pub blob: String,
    /// Their number.
    pub length: u64,
    /// How they are written.
    pub format: DataFormatWord,
    /// Columns and types, or element type and shape.
    pub schema: ShapeShown,
    /// Whether it is the real data, released on purpose.
    pub is_real: bool,
}

/// An asset.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssetShown {
    /// What every object bears.
    #[serde(flatten)]
    pub object: Envelope,
    /// The dataset it belongs to.
    pub dataset: Uuid,
    /// Unique within the dataset.
    pub name: String,
    /// What it holds.
    pub description: String,
    /// The mock; none if there is none.
    pub mock: Option<MockShown>,
}

/// An asset whose mock was uploaded.
#[derive(Debug, Serialize, ToSchema)]
pub struct UploadedMock {
    /// The asset.
    #[serde(flatten)]
    pub asset: AssetShown,
    /// How many rows of the mock stand in the private data.
    pub mock_shares_rows: u64,
}

/// An asset whose mock was generated.
#[derive(Debug, Serialize, ToSchema)]
pub struct GeneratedMock {
    /// The asset.
    #[serde(flatten)]
    pub asset: AssetShown,
    /// The same seed gives the same mock.
    pub seed: u64,
}

/// Whether private data is attached, and what it looks like.
#[derive(Debug, Serialize, ToSchema)]
pub struct PrivateStatus {
    /// Whether it is. Where it is not, there is nothing else to tell.
    pub attached: bool,
    /// How it is written.
    pub format: Option<DataFormatWord>,
    /// Columns and types, or element type and shape.
    pub schema: Option<ShapeShown>,
    /// Its size in bytes.
    pub length: Option<u64>,
    /// When it was attached.
    #[schema(format = DateTime)]
    pub attached_at: Option<String>,
    /// How many rows of the mock stand in it.
    pub mock_shares_rows: Option<u64>,
}
