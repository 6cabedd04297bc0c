//! Reads files of data, each kind where it can do no harm: what this project parses itself in this process, and Parquet and Arrow,
//! whose readers are known to panic, to hang and to take memory on files that are not what they seem, in a process of its own.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use super::apart::Apart;
use super::glance::{Glance, Window};
use super::shared_rows::{self, DataFile};
use super::sink::Sink;
use super::task::{Answer, Task};
use super::{FormatError, csv, glance, npy, write_again};
use crate::domain::asset::DataFormat;
use crate::domain::release::OutputFormat;
use crate::domain::schema::Schema;
use crate::runtime::job::ResultFile;

/// Reads files of data. One is shared by all threads of a node: it bounds how many of these processes there are at a time.
#[derive(Debug)]
pub struct Reader {
    columns: Columns,
}

/// Where files in columns are read.
#[derive(Debug)]
enum Columns {
    Apart(Apart),
    Here,
}

impl Reader {
    /// Reads as a node does. `launcher` is the node's own program.
    pub fn apart(launcher: impl Into<PathBuf>) -> Self {
        Self {
            columns: Columns::Apart(Apart::new(launcher.into())),
        }
    }

    /// As [`Self::apart`], but no file may take more than so many seconds of processor time, however long it is.
    #[must_use]
    pub fn within(self, seconds: u64) -> Self {
        Self {
            columns: match self.columns {
                Columns::Apart(apart) => Columns::Apart(apart.within(seconds)),
                Columns::Here => Columns::Here,
            },
        }
    }

    /// Reads everything in this process, for fuzzers, which see no other. A file can then keep the caller's thread for as long as it
    /// likes.
    pub fn in_this_process() -> Self {
        Self {
            columns: Columns::Here,
        }
    }

    fn perform(
        &self,
        task: Task,
        files: Vec<File>,
        out: &mut (dyn Write + Send),
    ) -> Result<Answer, FormatError> {
        match &self.columns {
            Columns::Apart(apart) => apart.ask(task, files, out),
            Columns::Here => task.perform(files, out),
        }
    }

    /// Reads an asset through and tells its columns and types, or its element type and shape. A CSV is read whole, line by
    /// line; of the others only header or footer is read.
    ///
    /// # Errors
    /// The file is malformed: the message says where.
    pub fn inspect(&self, path: &Path, format: DataFormat) -> Result<Schema, FormatError> {
        let file = open(path)?;
        match format {
            DataFormat::Csv => Ok(csv::inspect(file)?.schema),
            DataFormat::Npy => npy::inspect(&mut BufReader::new(&file), || {
                Ok(file
                    .metadata()
                    .map_err(FormatError::io(path.display().to_string()))?
                    .len())
            }),
            DataFormat::Parquet => match self.perform(Task::Inspect, vec![file], &mut io::sink())? {
                Answer::Schema(schema) => Ok(schema),
                other => Err(unexpected(&other)),
            },
        }
    }

    /// Looks at an asset, a result, log or failure report.
    ///
    /// # Errors
    /// The file is not what its format says, or cannot be read.
    pub fn glance(&self, file: File, format: OutputFormat, window: Window) -> Result<Glance, FormatError> {
        match format {
            OutputFormat::Csv => csv::glance(BufReader::new(file), window),
            OutputFormat::Npy => npy::glance(&file, window),
            OutputFormat::Png => Ok(Glance::Picture),
            OutputFormat::Json | OutputFormat::Text => glance::text(file, window.from),
            OutputFormat::Raw => glance::raw(file, window.from),
            OutputFormat::Parquet | OutputFormat::Arrow => {
                match self.perform(Task::Glance { format, window }, vec![file], &mut io::sink())? {
                    Answer::Seen(seen) => Ok(seen),
                    other => Err(unexpected(&other)),
                }
            }
        }
    }

    /// Takes a result that an owner computed elsewhere: parses the file at `source` and writes its values again to a new file
    /// at `target`, as is done with a result of the sandbox. `target`'s folder also receives temporary files. At most `max`
    /// bytes are read, and at most `max` written.
    ///
    /// # Errors
    /// The file is malformed, too long, or cannot be read, or the new one cannot be written.
    pub fn deposit(
        &self,
        format: OutputFormat,
        source: &Path,
        target: &Path,
        max: u64,
    ) -> Result<ResultFile, FormatError> {
        let name = source.display().to_string();
        let file = open(source)?;
        if file.metadata().map_err(FormatError::io(name.clone()))?.len() > max {
            return Err(FormatError::TooLong(max));
        }
        if matches!(format, OutputFormat::Parquet | OutputFormat::Arrow) {
            let mut sink = Sink::create(target, max)?;
            let between =
                tempfile::tempfile_in(sink.folder()).map_err(FormatError::io("making a temporary file"))?;
            self.write(Task::WriteAgain { format, max }, vec![file, between], &mut sink)?;
            return sink.finish(format);
        }
        let mut bytes = Vec::new();
        BufReader::new(file)
            .take(max)
            .read_to_end(&mut bytes)
            .map_err(FormatError::io(name))?;
        write_again(format, &bytes, target, max)
    }

    /// Writes the table of a Parquet file as CSV, for an interpreter that cannot read Parquet.
    ///
    /// # Errors
    /// The file is malformed or holds nested columns, or the new one cannot be written.
    pub(crate) fn parquet_to_csv(&self, source: &Path, target: &Path) -> Result<(), FormatError> {
        let file = open(source)?;
        let mut sink = Sink::create(target, u64::MAX)?;
        self.write(Task::WriteCsv, vec![file], &mut sink)?;
        sink.finish(OutputFormat::Csv).map(drop)
    }

    fn write(&self, task: Task, files: Vec<File>, sink: &mut Sink) -> Result<(), FormatError> {
        match self.perform(task, files, sink) {
            Ok(Answer::Written) => Ok(()),
            Ok(other) => Err(unexpected(&other)),
            // A writer that was stopped says only that.
            Err(_) if sink.is_full() => Err(FormatError::TooLong(sink.max())),
            Err(error) => Err(error),
        }
    }

    /// Counts the rows of `mock` that also stand in `private`; of a tensor, the slices along its first dimension. Of a tensor
    /// with one dimension only, the elements are counted that stand in runs of the private one which are too long to be there by
    /// chance: single numbers say nothing. `key` is 32 random bytes. Reads both files
    /// through, the private one once for every 2 million rows of the mock.
    ///
    /// # Errors
    /// A file is malformed, or cannot be read.
    pub fn shared_rows(
        &self,
        mock: DataFile<'_>,
        private: DataFile<'_>,
        key: &[u8; 32],
    ) -> Result<u64, FormatError> {
        let files = [open(mock.path)?, open(private.path)?];
        if [mock.format, private.format].contains(&DataFormat::Parquet) {
            let task = Task::SharedRows {
                mock: mock.format,
                private: private.format,
                key: *key,
            };
            return match self.perform(task, files.into(), &mut io::sink())? {
                Answer::Shared(rows) => Ok(rows),
                other => Err(unexpected(&other)),
            };
        }
        let [one, other] = files;
        shared_rows::count((one, mock.format), (other, private.format), key)
    }
}

fn open(path: &Path) -> Result<File, FormatError> {
    File::open(path).map_err(FormatError::io(path.display().to_string()))
}

fn unexpected(answer: &Answer) -> FormatError {
    let kind = match answer {
        Answer::Schema(_) => "a schema",
        Answer::Seen(_) => "a window",
        Answer::Written => "that bytes were written",
        Answer::Shared(_) => "a number of rows",
    };
    FormatError::io("reading a file in columns")(io::Error::other(format!(
        "its reader answered {kind} to another question"
    )))
}
