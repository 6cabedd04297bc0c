//! Where the files of an archive are staged: as private bytes or as open ones, in the format that an asset has.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::path::Path;

use super::super::problem::Problem;
use crate::domain::archive::{ArchiveRefused, Fault, HeaderChoice};
use crate::domain::asset::DataFormat;
use crate::domain::id::AssetId;
use crate::domain::schema::Schema;
use crate::runtime::archive::DataMember;
use crate::runtime::format::{DataFile, FormatError, Reader, csv_to_float32, first_line, inspect_csv};
use crate::store::attachments::{AttachmentWriter, Attachments, Role, StagedAttachment};
use crate::store::blobs::{BlobWriter, Blobs, StagedBlob};

const PIECE: usize = 256 * 1024;

/// Stages bytes: [`Blobs`] those of mocks, [`Attachments`] those of private data.
pub(super) trait Shelf {
    type Writer<'a>: Write + Send
    where
        Self: 'a;
    type Staged: Staged;

    /// Begins the bytes of an asset. The archive's own limit bounds them.
    fn begin(&self, asset: AssetId) -> Result<Self::Writer<'_>, Problem>;
    /// Ends them.
    fn stage(writer: Self::Writer<'_>) -> Result<Self::Staged, Problem>;
}

/// Bytes that nobody can open yet. Dropped, they are gone.
pub(super) trait Staged: Debug {
    /// Where they are. Must not reach a log or an answer.
    fn path(&self) -> &Path;
}

impl Shelf for Blobs {
    type Writer<'a> = BlobWriter<'a>;
    type Staged = StagedBlob;

    fn begin(&self, _asset: AssetId) -> Result<BlobWriter<'_>, Problem> {
        Ok(self.writer(u64::MAX)?)
    }

    fn stage(writer: BlobWriter<'_>) -> Result<StagedBlob, Problem> {
        Ok(writer.stage(None)?)
    }
}

impl Staged for StagedBlob {
    fn path(&self) -> &Path {
        self.path()
    }
}

impl Shelf for Attachments {
    type Writer<'a> = AttachmentWriter<'a>;
    type Staged = StagedAttachment;

    fn begin(&self, asset: AssetId) -> Result<AttachmentWriter<'_>, Problem> {
        Ok(self.writer(asset.0, Role::Data, u64::MAX)?)
    }

    fn stage(writer: AttachmentWriter<'_>) -> Result<StagedAttachment, Problem> {
        Ok(writer.stage()?)
    }
}

impl Staged for StagedAttachment {
    fn path(&self) -> &Path {
        self.path()
    }
}

/// A staged file that has been looked into.
#[derive(Debug)]
pub(super) struct Shelved<B> {
    pub(super) bytes: B,
    pub(super) format: DataFormat,
    pub(super) length: u64,
    pub(super) schema: Schema,
    /// Whether the names of columns are no values: somebody says so, or the values do.
    pub(super) header_is_certain: bool,
}

impl<B: Staged> Shelved<B> {
    fn new(bytes: B, format: DataFormat, schema: Schema) -> Result<Self, Problem> {
        let metadata = std::fs::metadata(bytes.path()).map_err(|error| Problem::internal(&error))?;
        Ok(Self {
            bytes,
            format,
            length: metadata.len(),
            schema,
            header_is_certain: true,
        })
    }

    /// The file, for comparing it with another.
    pub(super) fn file(&self) -> DataFile<'_> {
        DataFile {
            path: self.bytes.path(),
            format: self.format,
        }
    }
}

/// Takes a file of an archive in. A CSV without a header becomes a tensor.
pub(super) fn take<S: Shelf>(
    shelf: &S,
    reader: &Reader,
    asset: AssetId,
    member: &DataMember,
    header: HeaderChoice,
    content: &mut dyn Read,
) -> Result<Shelved<S::Staged>, Problem> {
    let mut writer = shelf.begin(asset)?;
    copy(content, &mut writer)?;
    let bytes = S::stage(writer)?;
    let malformed = |error| malformed(error, &member.path);
    if member.format != DataFormat::Csv {
        let schema = reader.inspect(bytes.path(), member.format).map_err(malformed)?;
        return Shelved::new(bytes, member.format, schema);
    }
    let first = first_line(bytes.path()).map_err(malformed)?;
    let first = first.ok_or_else(|| Fault::Data("it is empty".to_owned()).at(&member.path))?;
    if header.decide(&first).map_err(|fault| fault.at(&member.path))? {
        let inspected = inspect_csv(bytes.path()).map_err(malformed)?;
        return Ok(Shelved {
            header_is_certain: header == HeaderChoice::Present || inspected.header_is_evident,
            ..Shelved::new(bytes, DataFormat::Csv, inspected.schema)?
        });
    }
    let mut writer = shelf.begin(asset)?;
    let schema = csv_to_float32(bytes.path(), &mut writer).map_err(malformed)?;
    Shelved::new(S::stage(writer)?, DataFormat::Npy, schema)
}

/// Stages the mock that `write` writes, and looks into it as into any file.
pub(super) fn written(
    blobs: &Blobs,
    reader: &Reader,
    asset: AssetId,
    member: &str,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<DataFormat, FormatError>,
) -> Result<Shelved<StagedBlob>, Problem> {
    let mut writer = blobs.begin(asset)?;
    let malformed = |error| malformed(error, member);
    let mut buffered = io::BufWriter::with_capacity(PIECE, &mut writer);
    let format = write(&mut buffered).map_err(malformed)?;
    buffered.flush().map_err(|error| Problem::internal(&error))?;
    drop(buffered);
    let bytes = Blobs::stage(writer)?;
    let schema = reader.inspect(bytes.path(), format).map_err(malformed)?;
    Shelved::new(bytes, format, schema)
}

fn copy(content: &mut dyn Read, writer: &mut impl Write) -> Result<(), Problem> {
    let mut piece = vec![0; PIECE];
    loop {
        let count = match content.read(&mut piece) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // The archive itself tells what is wrong with it.
            Err(error) => return Err(Problem::busy(error.to_string())),
        };
        if count == 0 {
            return Ok(());
        }
        writer
            .write_all(&piece[..count])
            .map_err(|error| Problem::internal(&error))?;
    }
}

/// A file that is not what its ending says refuses the archive.
fn malformed(error: FormatError, member: &str) -> Problem {
    match error {
        FormatError::Malformed {
            expected,
            problem,
            line,
        } => {
            let fault = Fault::Data(format!("not {expected}: {problem}")).at(member);
            ArchiveRefused { line, ..fault }.into()
        }
        other => other.into(),
    }
}
