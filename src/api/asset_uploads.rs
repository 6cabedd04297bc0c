//! The bytes of assets on their way in: staged while they are hashed, looked into, and only then taken in. Everything here
//! blocks.

use std::io::Read;
use std::path::Path;

use jiff::Timestamp;

use super::context::Context;
use super::problem::Problem;
use crate::acts::Refusal;
use crate::acts::assets::{self, NewMock, NewPrivateData};
use crate::acts::outgoing::BLOB_BYTES_MAX;
use crate::clock;
use crate::domain::access::Actor;
use crate::domain::asset::{DataFormat, check_mock};
use crate::domain::id::AssetId;
use crate::domain::mock::MockPlan;
use crate::domain::object::Object;
use crate::domain::private_data::PrivateData;
use crate::domain::schema::Schema;
use crate::failpoint::failpoint;
use crate::runtime::format::{DataFile, FormatError};
use crate::store::attachments::{AttachmentError, Role};
use crate::store::blobs::{BlobError, StagedBlob};
use crate::store::read::Read as _;
use crate::store::records::Here;
use crate::store::tables::PRIVATE_DATA;

/// Which mock is uploaded.
#[derive(Clone, Debug)]
pub struct MockUpload {
    /// Who uploads.
    pub actor: Actor,
    /// To what.
    pub asset: AssetId,
    /// How the bytes are written.
    pub format: DataFormat,
    /// Whether it is the real data.
    pub is_real: bool,
}

/// Whether the mock may be set, before any byte of it is taken in.
///
/// # Errors
/// See [`assets::may_set_mock`].
pub async fn may_set_mock(context: &Context, upload: &MockUpload) -> Result<(), Problem> {
    let (actor, id) = (upload.actor.clone(), upload.asset);
    let releases = upload.is_real && context.side.holds_private_data();
    let check = move |view: &_| {
        let here = Here::at(view, clock::now(), [0; 32])?;
        assets::may_set_mock(view, &actor, here.node, releases, id)
    };
    Ok(context.store.read(check).await?)
}

/// A seed for a mock whose owner names none. It has 48 bits: every JSON reader keeps such a number exactly.
pub fn seed() -> u64 {
    let [a, b, c, d, e, f, ..] = clock::random_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

/// The most bytes that an upload may have: what is configured, and never more than the disk has room for.
fn most(context: &Context) -> Result<u64, Problem> {
    let free = context
        .folder
        .room_left()
        .map_err(|error| Problem::internal(&error))?;
    Ok(context.config.server.upload_bytes.min(free))
}

/// The most bytes that a mock may have: one that is to travel must fit into a bundle.
fn most_of_a_mock(context: &Context) -> Result<u64, Problem> {
    let most = most(context)?;
    Ok(match context.side.level() {
        Ok(_) => most.min(BLOB_BYTES_MAX),
        Err(_) => most,
    })
}

/// Takes a mock in. Gives the asset as it is then, and how many rows of the mock stand in the private data.
///
/// # Errors
/// See [`assets::set_mock`]; and the bytes are not of the format, too many, or the disk fails.
pub fn mock(context: &Context, upload: &MockUpload, body: &mut dyn Read) -> Result<(Object, u64), Problem> {
    let limit = most_of_a_mock(context)?;
    let mut writer = context.blobs.writer(limit).map_err(Problem::from)?;
    copy(body, |piece| writer.push(piece).map_err(Problem::from))?;
    take_mock(context, upload, false, writer.stage(None)?)
}

/// Generates a mock and takes it in.
///
/// # Errors
/// See [`mock`].
pub fn generated_mock(
    context: &Context,
    upload: &MockUpload,
    plan: &MockPlan,
    seed: u64,
) -> Result<(Object, u64), Problem> {
    let mut writer = context.blobs.writer(most_of_a_mock(context)?)?;
    for line in plan.csv(seed) {
        writer.push(line.as_bytes())?;
    }
    take_mock(context, upload, true, writer.stage(None)?)
}

fn take_mock(
    context: &Context,
    upload: &MockUpload,
    made_up: bool,
    staged: StagedBlob,
) -> Result<(Object, u64), Problem> {
    let schema = context.runtime.reader().inspect(staged.path(), upload.format)?;
    let (rows_shared, compared_with) = shared_with_private(context, upload, &schema, staged.path())?;
    let blob = context.blobs.publish(staged)?;
    let new = NewMock {
        blob: blob.hash,
        length: blob.len,
        format: upload.format,
        schema,
        is_real: upload.is_real,
        made_up,
        rows_shared,
        compared_with,
    };
    let (actor, id) = (upload.actor.clone(), upload.asset);
    let _turn = context.turn_to_attach();
    let asset = context
        .store
        .act_blocking(move |tx, here| assets::set_mock(tx, &actor, here, id, &new))?;
    Ok((asset, rows_shared))
}

/// Compares a mock with the private data, where there is any: first its columns, then its rows. Gives how many they share, and
/// when that data was attached.
fn shared_with_private(
    context: &Context,
    upload: &MockUpload,
    schema: &Schema,
    mock: &Path,
) -> Result<(u64, Option<Timestamp>), Problem> {
    let id = upload.asset.0;
    let private = context
        .store
        .read_blocking(|view| Ok(view.get(&PRIVATE_DATA, &id)?))?;
    let (Some(private), Some(attachments)) = (private, &context.attachments) else {
        return Ok((0, None));
    };
    let compared_with = Some(private.attached_at);
    check_mock(&private.schema, schema)
        .map_err(|error| Refusal::conflict("mock_differs", error.to_string()))?;
    if upload.is_real {
        return Ok((0, compared_with));
    }
    let attached = attachments.open_private(id, Role::Data)?;
    let mock = DataFile {
        path: mock,
        format: upload.format,
    };
    let private = DataFile {
        path: attached.path(),
        format: private.format,
    };
    let reader = context.runtime.reader();
    let shared = reader.shared_rows(mock, private, &clock::random_bytes())?;
    Ok((shared, compared_with))
}

/// Which private data is uploaded.
#[derive(Clone, Debug)]
pub struct PrivateUpload {
    /// Who uploads.
    pub actor: Actor,
    /// To what.
    pub asset: AssetId,
    /// How the bytes are written.
    pub format: DataFormat,
}

/// Whether the data may be attached, before any byte of it is taken in.
///
/// # Errors
/// See [`assets::may_attach`].
pub async fn may_attach(context: &Context, upload: &PrivateUpload) -> Result<(), Problem> {
    let (actor, id) = (upload.actor.clone(), upload.asset);
    let check = move |view: &_| assets::may_attach(view, &actor, &Here::at(view, clock::now(), [0; 32])?, id);
    Ok(context.store.read(check).await?)
}

/// Attaches private data, in place of any that is attached.
///
/// # Errors
/// See [`assets::attach`]; and the bytes are not of the format, too many, or the disk fails.
pub fn private(
    context: &Context,
    upload: &PrivateUpload,
    body: &mut dyn Read,
) -> Result<PrivateData, Problem> {
    let held = context.attachments.as_ref();
    let attachments = held.ok_or_else(|| Problem::not_found("this node holds no private data"))?;
    let (id, limit) = (upload.asset, most(context)?);
    let mut writer = attachments.writer(id.0, Role::Data, limit)?;
    let mut length = 0_u64;
    copy(body, |piece| {
        length += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        std::io::Write::write_all(&mut writer, piece).map_err(|error| Problem::internal(&error))
    })?;
    let staged = writer.stage()?;
    let schema = context.runtime.reader().inspect(staged.path(), upload.format)?;
    let mock = context
        .store
        .read_blocking(|view| assets::check_against_mock(view, id, &schema))?;
    let compared_with = mock.as_ref().map(|mock| mock.blob);
    let rows_shared = match mock.filter(|mock| !mock.is_real) {
        Some(mock) => {
            let blob = context.blobs.path(&mock.blob);
            let mock = DataFile {
                path: &blob,
                format: mock.format,
            };
            let private = DataFile {
                path: staged.path(),
                format: upload.format,
            };
            let reader = context.runtime.reader();
            reader.shared_rows(mock, private, &clock::random_bytes())?
        }
        None => 0,
    };
    let new = NewPrivateData {
        format: upload.format,
        length,
        hash: staged.hash(),
        schema,
        rows_shared,
        compared_with,
    };
    let _turn = context.turn_to_attach();
    let (actor, described) = (upload.actor.clone(), new.clone());
    context
        .store
        .act_blocking(move |tx, here| assets::detach(tx, &actor, here, id, &described))?;
    failpoint!("attach.detached");
    attachments.publish(staged)?;
    failpoint!("attach.published");
    let actor = upload.actor.clone();
    let attached = context
        .store
        .act_blocking(move |tx, here| assets::attach(tx, &actor, here, id, &new))?;
    Ok(attached)
}

/// Removes the private data of an asset, description and bytes. Blocks.
///
/// # Errors
/// See [`assets::remove_private`]; and the disk fails, after which the next start removes what is left.
pub fn remove_private(context: &Context, actor: Actor, id: AssetId) -> Result<(), Problem> {
    let held = context.attachments.as_ref();
    let attachments = held.ok_or_else(|| Problem::not_found("this node holds no private data"))?;
    let _turn = context.turn_to_attach();
    context.placements.remove(attachments, id.0, || {
        let removed = context
            .store
            .act_blocking(move |tx, here| assets::remove_private(tx, &actor, here, id));
        removed.map_err(Problem::from)
    })
}

/// Reads a body to its end, piece by piece.
fn copy(body: &mut dyn Read, mut take: impl FnMut(&[u8]) -> Result<(), Problem>) -> Result<(), Problem> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match body.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&buffer[..count])?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // The connection broke; whoever fed the body knows why, and tells it.
            Err(error) => return Err(Problem::busy(error.to_string())),
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::TooLong { limit } => Self::too_large(limit),
            error => Self::internal(&error),
        }
    }
}

impl From<AttachmentError> for Problem {
    fn from(error: AttachmentError) -> Self {
        Self::internal(&error)
    }
}

impl From<FormatError> for Problem {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::Malformed { .. } => Refusal::conflict("unreadable_data", error.to_string()).into(),
            FormatError::TooLong(limit) => Self::too_large(limit),
            FormatError::Busy => Self::busy(error.to_string()),
            FormatError::Io { .. } => Self::internal(&error),
        }
    }
}
