//! Releases: the explicit, audited act that lets one result, log or failure report leave the high side.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::id::{JobId, RequestId};

/// What of a job is released. Each is released by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What the code returned.
    Result,
    /// What it printed.
    Log,
    /// Where it failed, as far as that may be said.
    FailureReport,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Result, Self::Log, Self::FailureReport];

    /// The word used in addresses and on screens.
    pub fn word(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Log => "log",
            Self::FailureReport => "failure_report",
        }
    }
}

/// How released bytes are written. None of these can execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// RFC 8259.
    Json,
    /// RFC 4180, with a header.
    Csv,
    /// NumPy's array file.
    Npy,
    /// Portable Network Graphics.
    Png,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC file.
    Arrow,
    /// UTF-8 text: a log.
    Text,
    /// Bytes as the code returned them: not reviewable, and marked so.
    Raw,
}

impl OutputFormat {
    /// Whether a person can review the bytes by looking at them rendered.
    pub fn reviewable(self) -> bool {
        self != Self::Raw
    }

    /// The format's usual file ending.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Npy => "npy",
            Self::Png => "png",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Text => "txt",
            Self::Raw => "bin",
        }
    }

    /// The media type to serve the bytes with.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Png => "image/png",
            Self::Text => "text/plain; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.file",
            Self::Npy | Self::Raw => "application/octet-stream",
        }
    }
}

/// One released result, log or failure report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The job it came from.
    pub job: JobId,
    /// The request it answers.
    pub request: RequestId,
    /// What was released.
    pub part: Part,
    /// The blob with the released bytes: the very bytes that were reviewed.
    pub blob: Hash,
    /// Their number.
    pub length: u64,
    /// How they are written.
    pub format: OutputFormat,
    /// Who released it, as they were called then.
    pub by_name: String,
    /// The date.
    pub on: Date,
}
