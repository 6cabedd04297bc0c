//! Dataset archives on their way in: unpacked as they arrive, every file staged and looked into, and only when all of them are
//! sound put in place with one commit. Everything here blocks.

mod shelf;

use std::collections::BTreeMap;
use std::io::Read;

use jiff::Timestamp;

use super::context::Context;
use super::problem::Problem;
use crate::actors::ActError;
use crate::acts::Refusal;
use crate::acts::archives::{self, Awaiting, NewAsset};
use crate::acts::assets::{NewMock, NewPrivateData};
use crate::acts::datasets::Shown;
use crate::clock;
use crate::domain::access::Actor;
use crate::domain::archive::{ArchiveRefused, Fault, HeaderChoice, Headers, Limits, Part, Texts};
use crate::domain::asset::check_mock;
use crate::domain::dataset::{Dataset, DatasetDraft, Visibility};
use crate::domain::id::{AssetId, DatasetId};
use crate::domain::mock::{self, NoPlan, Ranges, WrongRange};
use crate::domain::object::Object;
use crate::domain::schema::Schema;
use crate::domain::text;
use crate::runtime::archive::{Contents, DataMember, UnpackError, unpack};
use crate::runtime::format::{DataFile, Reader, write_mock};
use crate::store::attachments::{Role, StagedAttachment};
use crate::store::blobs::StagedBlob;
use crate::store::placement::{Placed, PlacementError, StagedFiles};
use crate::store::records::Here;
use shelf::{Shelf, Shelved};

/// What is to become of an archive.
#[derive(Clone, Debug)]
pub struct ImportWanted {
    /// Who uploads it.
    pub actor: Actor,
    /// The dataset's name; the top folder's where there is none.
    pub name: Option<String>,
    /// Who may know of the dataset.
    pub visibility: Visibility,
    /// Which CSV files have a header.
    pub headers: Headers,
    /// The mocks to generate for private data, if any.
    pub generate: Option<Generate>,
}

/// How mocks are generated.
#[derive(Clone, Copy, Debug)]
pub struct Generate {
    /// How many rows each has.
    pub rows: u64,
    /// The seed of the first; each further one has the next.
    pub seed: u64,
}

/// What has become of an archive.
#[derive(Debug)]
pub struct Imported {
    /// The dataset and its assets.
    pub shown: Shown,
    /// Members that were not read.
    pub ignored: Vec<String>,
}

/// A file of the archive, staged.
#[derive(Debug)]
struct File<B> {
    asset: AssetId,
    member: DataMember,
    data: Shelved<B>,
}

/// An archive that has been read through.
#[derive(Debug)]
struct Arrived<B> {
    contents: Contents,
    files: Vec<File<B>>,
}

/// Whether the archive may be taken in, before any byte of it is.
///
/// # Errors
/// See [`archives::may_import`]; and mocks are to be generated on a node whose data are the mocks.
pub async fn may_import(context: &Context, wanted: &ImportWanted) -> Result<(), Problem> {
    if wanted.generate.is_some() && !context.side.holds_private_data() {
        return Err(Refusal::conflict("wrong_side", MOCKS_ALREADY).into());
    }
    let (actor, name) = (wanted.actor.clone(), wanted.name.clone());
    let check = move |view: &_| {
        let here = Here::at(view, clock::now(), [0; 32])?;
        archives::may_import(view, &actor, here.node, name.as_deref())
    };
    Ok(context.store.read(check).await?)
}

const MOCKS_ALREADY: &str = "mocks are generated for private data, on a node that holds it; on this one the data of an archive are the mocks";

/// Makes a dataset of an archive: of private data on a node that holds such, else of mocks.
pub fn import(context: &Context, wanted: &ImportWanted, body: &mut dyn Read) -> Result<Imported, Problem> {
    let mut staged = StagedFiles::default();
    let (contents, draft, assets) = match context.attachments.as_deref() {
        Some(attachments) => {
            let Arrived { contents, files } = shelve(context, wanted, attachments, body)?;
            let draft = draft(wanted, &contents)?;
            let mocks = generate(context, wanted, &contents.texts, &files)?;
            let both = files.into_iter().zip(mocks);
            let assets = both.map(|(file, mock)| file.private(mock, &mut staged));
            (contents, draft, assets.collect::<Vec<_>>())
        }
        None => {
            let Arrived { contents, files } = shelve(context, wanted, &*context.blobs, body)?;
            let draft = draft(wanted, &contents)?;
            let assets = files.into_iter().map(|file| file.mock(&mut staged));
            (contents, draft, assets.collect())
        }
    };
    Ok(Imported {
        shown: commit(context, &wanted.actor, draft, assets, staged)?,
        ignored: contents.ignored,
    })
}

/// What the catalogue will say of the dataset.
fn draft(wanted: &ImportWanted, contents: &Contents) -> Result<DatasetDraft, Problem> {
    let name = wanted.name.as_ref().unwrap_or(&contents.folder);
    let draft = DatasetDraft {
        visibility: wanted.visibility.clone(),
        ..contents.texts.draft(name)?
    };
    Dataset::new(&draft)?;
    Ok(draft)
}

/// Reads the archive through, and stages its files.
fn shelve<S: Shelf>(
    context: &Context,
    wanted: &ImportWanted,
    shelf: &S,
    body: &mut dyn Read,
) -> Result<Arrived<S::Staged>, Problem> {
    let limits = limits(context)?;
    let mut schemas = SchemaBytes::new(&limits);
    let mut files = Vec::new();
    let contents = unpack(body, &limits, |member, content| {
        let asset = AssetId(context.new_id());
        let choice = wanted.headers.of(&member.name);
        let data = shelf::take(shelf, context.runtime.reader(), asset, &member, choice, content)?;
        schemas.add(&data.schema, &member)?;
        files.push(File { asset, member, data });
        Ok::<_, Problem>(())
    })?;
    check_headers(
        &wanted.headers,
        files.iter().map(|file| file.member.name.as_str()),
    )?;
    Ok(Arrived { contents, files })
}

impl File<StagedAttachment> {
    /// An asset with private data, whose bytes are put to those that will be placed.
    fn private(self, mock: Option<NewFile>, staged: &mut StagedFiles) -> NewAsset {
        let hash = self.data.bytes.hash();
        staged.private.push(self.data.bytes);
        NewAsset {
            id: self.asset,
            name: self.member.name,
            private: Some(NewPrivateData {
                format: self.data.format,
                length: self.data.length,
                hash,
                schema: self.data.schema,
                rows_shared: mock.as_ref().map_or(0, |mock| mock.rows_shared),
                compared_with: mock.as_ref().map(|mock| mock.data.bytes.blob().hash),
            }),
            mock: mock.map(|mock| mock.into_mock(staged)),
        }
    }
}

impl File<StagedBlob> {
    /// An asset whose data are its mock.
    fn mock(self, staged: &mut StagedFiles) -> NewAsset {
        let mock = NewFile {
            data: self.data,
            rows_shared: 0,
            compared_with: None,
            made_up: false,
        };
        NewAsset {
            id: self.asset,
            name: self.member.name,
            private: None,
            mock: Some(mock.into_mock(staged)),
        }
    }
}

/// A mock that is staged.
#[derive(Debug)]
struct NewFile {
    data: Shelved<StagedBlob>,
    rows_shared: u64,
    /// When the private data that it was compared with was attached, where it was attached before.
    compared_with: Option<Timestamp>,
    /// Whether the node made it up.
    made_up: bool,
}

impl NewFile {
    fn into_mock(self, staged: &mut StagedFiles) -> NewMock {
        let mock = NewMock {
            blob: self.data.bytes.blob().hash,
            length: self.data.length,
            format: self.data.format,
            schema: self.data.schema,
            is_real: false,
            made_up: self.made_up,
            rows_shared: self.rows_shared,
            compared_with: self.compared_with,
        };
        staged.blobs.push(self.data.bytes);
        mock
    }
}

/// Generates the mocks that are wanted: for each file its own, or none.
fn generate(
    context: &Context,
    wanted: &ImportWanted,
    texts: &Texts,
    files: &[File<StagedAttachment>],
) -> Result<Vec<Option<NewFile>>, Problem> {
    let Some(Generate { rows, seed }) = wanted.generate else {
        return Ok(files.iter().map(|_| None).collect());
    };
    let text = texts.get(Part::Ranges);
    let member = text.map_or("ranges", |text| text.member.as_str());
    let wrong = |wrong: WrongRange| Fault::Text(wrong.problem).at_line(member, wrong.line);
    let ranges = Ranges::parse(text.map_or("", |text| text.text.as_str())).map_err(wrong)?;
    let schemas = files
        .iter()
        .map(|file| (file.member.name.as_str(), &file.data.schema));
    ranges.check_names(schemas).map_err(wrong)?;
    let reader = context.runtime.reader();
    let mut mocks = Vec::with_capacity(files.len());
    for (number, file) in (0..).zip(files) {
        let path = file.member.path.as_str();
        // What could be values must not be shown as the names of columns.
        if !file.data.header_is_certain {
            return Err(Fault::Header.at(path).into());
        }
        let plan =
            mock::plan(&file.member.name, &file.data.schema, &ranges, rows).map_err(|no| match no {
                NoPlan::Schema(problem) => Fault::NoMock(problem).at(path),
                NoPlan::Range(range) => wrong(range),
            })?;
        let data = shelf::written(&context.blobs, reader, file.asset, path, |out| {
            write_mock(&plan, file.data.format, seed.wrapping_add(number), out)
        })?;
        let rows_shared = fits(reader, &data, &file.data.schema, file.data.file(), path)?;
        mocks.push(Some(NewFile {
            data,
            rows_shared,
            compared_with: None,
            made_up: true,
        }));
    }
    Ok(mocks)
}

/// That a mock stands for private data; and how many of its rows stand in them.
fn fits(
    reader: &Reader,
    mock: &Shelved<StagedBlob>,
    schema: &Schema,
    private: DataFile<'_>,
    member: &str,
) -> Result<u64, Problem> {
    check_mock(schema, &mock.schema).map_err(|error| Fault::Differs(error.to_string()).at(member))?;
    Ok(reader.shared_rows(mock.file(), private, &clock::random_bytes())?)
}

/// Puts everything in place and commits; or takes everything back.
fn commit(
    context: &Context,
    actor: &Actor,
    draft: DatasetDraft,
    assets: Vec<NewAsset>,
    staged: StagedFiles,
) -> Result<Shown, Problem> {
    let (who, name) = (actor.clone(), draft.name.clone());
    context.store.read_blocking(move |view| {
        let here = Here::at(view, clock::now(), [0; 32])?;
        archives::may_import(view, &who, here.node, Some(&name))
    })?;
    let placed = place(context, staged)?;
    let (id, actor) = (DatasetId(context.new_id()), actor.clone());
    let done = context
        .store
        .act_blocking(move |tx, here| archives::import(tx, &actor, here, id, &draft, &assets));
    settle(placed, done)
}

fn place(context: &Context, staged: StagedFiles) -> Result<Placed, PlacementError> {
    context
        .placements
        .place(&context.blobs, context.attachments.as_ref(), staged)
}

/// Keeps what was placed if the commit has happened.
fn settle<T>(placed: Placed, done: Result<T, ActError>) -> Result<T, Problem> {
    match &done {
        Ok(_) => placed.keep(),
        Err(ActError::Unknown) => placed.leave(),
        Err(_) => drop(placed),
    }
    Ok(done?)
}

/// Which assets get their mocks from an archive.
#[derive(Clone, Debug)]
pub(super) struct SupplyWanted {
    pub actor: Actor,
    pub dataset: DatasetId,
    /// For assets of which nothing is known yet.
    pub headers: Headers,
    pub awaiting: Vec<Awaiting>,
}

/// What has become of the mocks in an archive.
#[derive(Debug)]
pub(super) struct Supplied {
    pub assets: Vec<Object>,
    pub ignored: Vec<String>,
    /// Rows of each mock that stand in the private data, by asset.
    pub shared: BTreeMap<AssetId, u64>,
    /// Names of the assets that the archive had no mock for.
    pub without: Vec<String>,
}

/// Gives assets of a dataset the mocks of an archive, matched by name.
pub(super) fn supply_mocks(
    context: &Context,
    wanted: &SupplyWanted,
    body: &mut dyn Read,
) -> Result<Supplied, Problem> {
    let limits = limits(context)?;
    check_headers(
        &wanted.headers,
        wanted.awaiting.iter().map(|asset| asset.name.as_str()),
    )?;
    let mut awaiting: BTreeMap<_, _> = wanted
        .awaiting
        .iter()
        .map(|asset| (text::folded(&asset.name), asset))
        .collect();
    let (mut staged, mut mocks, mut shared) = (StagedFiles::default(), Vec::new(), BTreeMap::new());
    let mut schemas = SchemaBytes::new(&limits);
    let reader = context.runtime.reader();
    let Contents { ignored, .. } = unpack(body, &limits, |member, content| {
        let asset = awaiting
            .remove(&text::folded(&member.name))
            .ok_or_else(|| Fault::NoAsset.at(&member.path))?;
        let choice = match &asset.schema {
            Some(Schema::Table { .. }) => HeaderChoice::Present,
            Some(Schema::Tensor { .. }) => HeaderChoice::Absent,
            None => wanted.headers.of(&member.name),
        };
        let data = shelf::take(&*context.blobs, reader, asset.id, &member, choice, content)?;
        schemas.add(&data.schema, &member)?;
        let rows_shared = shared_with(context, asset, &data, &member.path)?;
        shared.insert(asset.id, rows_shared);
        let compared_with = asset.private.as_ref().map(|private| private.attached_at);
        let mock = NewFile {
            data,
            rows_shared,
            compared_with,
            made_up: false,
        };
        let mock = mock.into_mock(&mut staged);
        mocks.push((asset.id, mock));
        Ok::<_, Problem>(())
    })?;
    let placed = place(context, staged)?;
    let (actor, dataset) = (wanted.actor.clone(), wanted.dataset);
    let _turn = context.turn_to_attach();
    let done = context
        .store
        .act_blocking(move |tx, here| archives::supply_mocks(tx, &actor, here, dataset, &mocks));
    Ok(Supplied {
        assets: settle(placed, done)?,
        ignored,
        shared,
        without: awaiting.into_values().map(|asset| asset.name.clone()).collect(),
    })
}

/// How many rows of a mock stand in the private data of its asset, where there is any.
fn shared_with(
    context: &Context,
    asset: &Awaiting,
    mock: &Shelved<StagedBlob>,
    member: &str,
) -> Result<u64, Problem> {
    let (Some(private), Some(attachments)) = (&asset.private, &context.attachments) else {
        return Ok(0);
    };
    let attached = attachments.open_private(asset.id.0, Role::Data)?;
    let file = DataFile {
        path: attached.path(),
        format: private.format,
    };
    fits(context.runtime.reader(), mock, &private.schema, file, member)
}

fn check_headers<'a>(headers: &Headers, files: impl Iterator<Item = &'a str>) -> Result<(), Problem> {
    match headers.unknown(files) {
        Some(file) => {
            let problem = format!("name {file:?}, and there is no such file");
            Err(text::Invalid::new("header_present, header_absent", problem).into())
        }
        None => Ok(()),
    }
}

/// What an archive may hold here and now: no more than the disk has room for.
fn limits(context: &Context) -> Result<Limits, Problem> {
    let free = context
        .folder
        .room_left()
        .map_err(|error| Problem::internal(&error))?;
    Ok(Limits::new(context.config.server.upload_bytes.min(free)))
}

/// Adds up what it takes to describe all columns.
struct SchemaBytes {
    total: usize,
    most: usize,
}

impl SchemaBytes {
    fn new(limits: &Limits) -> Self {
        Self {
            total: 0,
            most: limits.schema_bytes,
        }
    }

    fn add(&mut self, schema: &Schema, member: &DataMember) -> Result<(), ArchiveRefused> {
        let length = schema.described_bytes();
        self.total += length;
        for (most, bytes) in [(Schema::DESCRIBED_MAX, length), (self.most, self.total)] {
            if bytes > most {
                return Err(Fault::ManyColumns(most).at(&member.path));
            }
        }
        Ok(())
    }
}

impl From<ArchiveRefused> for Problem {
    fn from(refused: ArchiveRefused) -> Self {
        Self::archive_refused(&refused)
    }
}

impl From<UnpackError> for Problem {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::Refused(refused) => refused.into(),
            // The connection broke; whoever fed the body knows why, and tells it.
            UnpackError::Source(error) => Self::busy(error.to_string()),
        }
    }
}

impl From<PlacementError> for Problem {
    fn from(error: PlacementError) -> Self {
        Self::internal(&error)
    }
}
