//! Assets: one table or tensor of a dataset, with a mock that may be shown and private data that may not.

use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::id::DatasetId;
use super::release::OutputFormat;
use super::schema::{Difference, Schema};
use super::text::{self, Invalid};

/// How the bytes of an asset are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataFormat {
    /// Comma-separated values after RFC 4180, with a header: a table.
    Csv,
    /// Apache Parquet: a table.
    Parquet,
    /// NumPy's array file (NEP 1): a tensor.
    Npy,
}

impl DataFormat {
    /// The format's usual file ending.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Npy => "npy",
        }
    }

    /// The format of a result that holds the same.
    pub fn as_output(self) -> OutputFormat {
        match self {
            Self::Csv => OutputFormat::Csv,
            Self::Parquet => OutputFormat::Parquet,
            Self::Npy => OutputFormat::Npy,
        }
    }
}

/// The bytes that anyone who may see the asset may download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mock {
    /// The blob that holds them.
    pub blob: Hash,
    /// Their number.
    pub length: u64,
    /// How they are written.
    pub format: DataFormat,
    /// Columns and types, or element type and shape, of the mock.
    pub schema: Schema,
    /// Whether the mock is the real data, released on purpose.
    pub is_real: bool,
}

/// One table or tensor. Nothing in the body is private, nor tells anything of what is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// The dataset it belongs to.
    pub dataset: DatasetId,
    /// Unique within the dataset.
    pub name: String,
    /// What it holds.
    pub description: String,
    /// The mock, or explicitly none.
    pub mock: Option<Mock>,
}

/// The private data and the mock do not agree.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// Columns, types or dimensions differ.
    #[error("the mock does not have the private data's columns and types: {}", list(.0))]
    Differs(Vec<Difference>),
    /// `mock_is_real` without a mock.
    #[error("mock_is_real says that the mock is the real data, but the asset has no mock")]
    RealWithoutMock,
}

fn list(differences: &[Difference]) -> String {
    differences
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

impl Asset {
    /// What is left of it once it is deleted: its name and its dataset.
    #[must_use]
    pub fn bared(self) -> Self {
        Self {
            dataset: self.dataset,
            name: self.name,
            description: String::new(),
            mock: None,
        }
    }

    /// Makes an asset without a mock.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn new(dataset: DatasetId, name: &str, description: &str) -> Result<Self, Invalid> {
        Ok(Self {
            dataset,
            name: text::name("name", name)?,
            description: text::prose("description", description)?,
            mock: None,
        })
    }

    /// The asset under its name with a number behind it, where another bears the name alone.
    #[must_use]
    pub fn told_apart(&self, number: u32) -> Self {
        Self {
            name: text::numbered(&self.name, number),
            ..self.clone()
        }
    }
}

/// Checks that a mock stands for the private data: the same columns and types.
///
/// # Errors
/// Lists the differences.
pub fn check_mock(private: &Schema, mock: &Schema) -> Result<(), MockError> {
    match super::schema::difference(private, mock) {
        differences if differences.is_empty() => Ok(()),
        differences => Err(MockError::Differs(differences)),
    }
}
