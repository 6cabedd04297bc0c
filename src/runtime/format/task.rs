//! What can be asked about files in columns, and the answers: plain data, which crosses to the process that reads them and back.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::glance::{Glance, Window};
use super::{FormatError, columnar, shared_rows};
use crate::domain::asset::DataFormat;
use crate::domain::release::OutputFormat;
use crate::domain::schema::Schema;

/// One thing to do with the files that go along.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    /// The schema of a Parquet file.
    Inspect,
    /// What a window shows of a file.
    Glance {
        /// How it is written.
        format: OutputFormat,
        /// Which part of it.
        window: Window,
    },
    /// A result's values, written again. A second file, which is empty, holds what stands between.
    WriteAgain {
        /// How it is written.
        format: OutputFormat,
        /// The most bytes that the result may have.
        max: u64,
    },
    /// The rows of a Parquet file, as CSV.
    WriteCsv,
    /// How many rows of a mock, the first file, also stand in the private data, the second.
    SharedRows {
        /// How the mock is written.
        mock: DataFormat,
        /// How the private data are.
        private: DataFormat,
        /// 32 random bytes.
        key: [u8; 32],
    },
}

/// What comes of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// Of [`Task::Inspect`].
    Schema(Schema),
    /// Of [`Task::Glance`].
    Seen(Glance),
    /// Of [`Task::WriteAgain`] and [`Task::WriteCsv`], whose bytes went another way.
    Written,
    /// Of [`Task::SharedRows`].
    Shared(u64),
}

impl Task {
    /// Does it in this process. Bytes that are made go to `out`.
    ///
    /// # Errors
    /// The file is malformed or cannot be read, or `out` takes no more.
    pub(crate) fn perform(
        self,
        files: Vec<File>,
        out: &mut (dyn Write + Send),
    ) -> Result<Answer, FormatError> {
        let mut files = files.into_iter();
        let mut next = || {
            let missing = || std::io::Error::other("no file went along");
            files
                .next()
                .ok_or_else(|| FormatError::io("taking a file")(missing()))
        };
        Ok(match self {
            Self::Inspect => Answer::Schema(columnar::inspect(next()?)?),
            Self::Glance { format, window } => Answer::Seen(columnar::glance(next()?, format, window)?),
            Self::WriteAgain { format, max } => {
                columnar::write_again(format, next()?, next()?, max, out)?;
                Answer::Written
            }
            Self::WriteCsv => {
                columnar::write_csv(next()?, out)?;
                Answer::Written
            }
            Self::SharedRows { mock, private, key } => {
                let (mock, private) = ((next()?, mock), (next()?, private));
                Answer::Shared(shared_rows::count(mock, private, &key)?)
            }
        })
    }

    /// How many seconds of processor time it may take with files of so many bytes in all: many times what an honest file takes
    /// on a slow machine, and bounded by what somebody had to upload.
    pub(super) fn seconds(self, bytes: u64) -> u64 {
        match self {
            Self::Inspect | Self::Glance { .. } => 10 + (bytes >> 24),
            Self::WriteAgain { .. } | Self::WriteCsv | Self::SharedRows { .. } => 60 + (bytes >> 18),
        }
    }

    /// How long it waits for its turn. Before a run nobody sits and waits, and a run that did not take place is a nuisance.
    pub(super) fn patience(self) -> Duration {
        match self {
            Self::WriteCsv => Duration::from_secs(60 * 60),
            _ => Duration::from_secs(60),
        }
    }
}
