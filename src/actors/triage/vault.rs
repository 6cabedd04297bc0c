//! Private bytes on their way: in as a deposit or as the answer to a request to see them, out by a release. Blocks.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Deposit, Fulfil, Release};
use crate::actors::{ActError, StoreHandle};
use crate::acts::{Refusal, releases, runs};
use crate::clock;
use crate::domain::id::JobId;
use crate::domain::job::{Product, Run};
use crate::domain::object::Object;
use crate::domain::release::OutputFormat;
use crate::failpoint::failpoint;
use crate::runtime::format::FormatError;
use crate::runtime::{ResultFile, Runtime};
use crate::store::attachments::{AttachmentError, Attachments, Role};
use crate::store::blobs::{BlobError, Blobs, StagedBlob};
use crate::store::records::Here;

/// Bytes that are copied at a time.
const CHUNK: usize = 256 * 1024;

/// Stores what was written again as the result of a run.
fn attach(attachments: &Attachments, id: JobId, written: &ResultFile) -> Result<Product, ActError> {
    let file = File::open(&written.path).map_err(ActError::internal)?;
    attachments
        .put(id.0, Role::Result, file, written.length)
        .map_err(ActError::internal)?;
    Ok(Product {
        format: written.format,
        length: written.length,
        hash: written.hash,
    })
}

/// Passes on what became of noting a result; if nothing was written, nothing names the attachment, and it goes.
fn unless_refused(
    attachments: &Attachments,
    id: JobId,
    noted: Result<Run, ActError>,
) -> Result<Run, ActError> {
    if matches!(
        noted,
        Err(ActError::Refusal(_) | ActError::Busy | ActError::Stopping)
    ) {
        attachments
            .remove(id.0, Role::Result)
            .map_err(ActError::internal)?;
    }
    noted
}

/// Why private data cannot be written as a result. Nothing is said of what it holds.
fn not_a_result(error: &FormatError) -> String {
    match error {
        FormatError::TooLong(most) => format!(
            "the private data is longer than a result may be ({most} bytes); raise runtime.limits.output_bytes, or deposit \
             a part of it"
        ),
        _ => "the private data is not what its format says any more; attach it again".to_owned(),
    }
}

/// Moves private bytes.
#[derive(Clone, Debug)]
pub(super) struct Vault {
    store: StoreHandle,
    blobs: Arc<Blobs>,
    attachments: Option<Arc<Attachments>>,
    runtime: Arc<Runtime>,
    uploads: PathBuf,
    deposit_bytes: u64,
}

impl Vault {
    pub(super) fn new(
        store: StoreHandle,
        blobs: Arc<Blobs>,
        attachments: Option<Arc<Attachments>>,
        runtime: Arc<Runtime>,
        (uploads, deposit_bytes): (PathBuf, u64),
    ) -> Self {
        Self {
            store,
            blobs,
            attachments,
            runtime,
            uploads,
            deposit_bytes,
        }
    }

    fn attachments(&self) -> Result<&Attachments, ActError> {
        self.attachments.as_deref().ok_or_else(|| {
            let refusal = Refusal::conflict(
                "wrong_side",
                "this is done on the high side: only that holds private data",
            );
            refusal.into()
        })
    }

    /// Where and when the checks before an act take place.
    fn here(&self, view: &crate::store::read::View) -> Result<Here, Refusal> {
        Ok(Here::at(view, self.store.now(), clock::random_bytes())?)
    }

    /// Checks a deposited file, writes its values again as an attachment, and notes it as a run.
    pub(super) fn deposit(&self, ask: Deposit) -> Result<Run, ActError> {
        let done = self.take_deposit(&ask);
        if let Err(error) = fs::remove_file(&ask.file)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "an uploaded file stays until the next start");
        }
        done
    }

    fn take_deposit(&self, ask: &Deposit) -> Result<Run, ActError> {
        let attachments = self.attachments()?;
        self.store
            .read_blocking(|view| runs::check_deposit(view, &ask.actor, &self.here(view)?, ask.request))?;
        let product = self
            .keep(attachments, ask.id, ask.format, &ask.file)?
            .map_err(|refused| Refusal::conflict("unreadable_data", format!("the file is {refused}")))?;
        let (actor, id, request) = (ask.actor.clone(), ask.id, ask.request);
        let noted = self
            .store
            .act_blocking(move |tx, here| runs::deposit(tx, &actor, here, id, request, product));
        unless_refused(attachments, id, noted)
    }

    /// Writes the values of private data again as the result of a request to see it. The result is an attachment as well:
    /// to let it leave is another act.
    pub(super) fn fulfil(&self, ask: Fulfil) -> Result<Run, ActError> {
        let attachments = self.attachments()?;
        let source = self
            .store
            .read_blocking(|view| runs::check_fulfilment(view, &ask.actor, &self.here(view)?, ask.request))?;
        let private = attachments
            .open_private(source.asset.0, Role::Data)
            .map_err(ActError::internal)?;
        let format = source.format().as_output();
        let product = self
            .keep(attachments, ask.id, format, private.path())?
            .map_err(|refused| Refusal::conflict("unreadable_data", not_a_result(&refused)))?;
        let id = ask.id;
        let noted = self.store.act_blocking(move |tx, here| {
            runs::fulfil(tx, &ask.actor, here, id, ask.request, (&source, product))
        });
        unless_refused(attachments, id, noted)
    }

    /// Writes the values of a file again, as the result of a run. The inner error is about the file.
    fn keep(
        &self,
        attachments: &Attachments,
        id: JobId,
        format: OutputFormat,
        file: &Path,
    ) -> Result<Result<Product, FormatError>, ActError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.uploads)
            .map_err(ActError::internal)?;
        let rewritten = self.uploads.join(id.to_string());
        let reader = self.runtime.reader();
        let kept = match reader.deposit(format, file, &rewritten, self.deposit_bytes) {
            Ok(written) => attach(attachments, id, &written).map(Ok),
            Err(FormatError::Busy) => Err(ActError::Busy),
            // Where a private file lies is nobody's business.
            Err(FormatError::Io { source, .. }) => Err(ActError::internal(source)),
            Err(refused) => Ok(Err(refused)),
        };
        if let Err(error) = fs::remove_file(&rewritten)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a rewritten file stays until the next start");
        }
        kept
    }

    /// Copies an attachment into a blob, checking the hash of the very bytes that it copies, and releases it.
    pub(super) fn release(&self, ask: Release) -> Result<Object, ActError> {
        let check = |view: &crate::store::read::View| {
            releases::check(view, &ask.actor, &self.here(view)?, &ask.wanted)
        };
        let (_, product) = self.store.read_blocking(check)?;
        let staged = self.copy(&ask, &product)?;
        failpoint!("release.copied");
        // Nobody can open a staged blob. It gets its name when nothing speaks against the release any more but a commit
        // within the same moment.
        self.store.read_blocking(check)?;
        let blob = self.blobs.publish(staged).map_err(ActError::internal)?;
        failpoint!("release.published");
        let released = self.store.act_blocking(move |tx, here| {
            releases::release(tx, &ask.actor, here, ask.ids, &ask.wanted, blob)
        })?;
        failpoint!("release.committed");
        Ok(released)
    }

    fn copy(&self, ask: &Release, product: &Product) -> Result<StagedBlob, ActError> {
        let (job, part) = (ask.wanted.job.0, ask.wanted.part);
        let source = self.attachments()?.open_for_release(job, Role::of(part));
        let mut source = source.map_err(|error| match error {
            AttachmentError::Missing { .. } => ActError::from(Refusal::NotFound {
                what: part.word(),
                id: format!("of run {job}"),
            }),
            other => ActError::internal(other),
        })?;
        let mut writer = self.blobs.writer(product.length).map_err(ActError::internal)?;
        let mut buffer = vec![0; CHUNK];
        let refused = |error| match error {
            BlobError::Unexpected { found, .. } => releases::changed(&ask.wanted, found).into(),
            BlobError::TooLong { .. } => Refusal::Changed {
                detail: "the bytes have grown since they were reviewed; look at them again".to_owned(),
                difference: serde_json::Value::Null,
            }
            .into(),
            other => ActError::internal(other),
        };
        loop {
            match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => writer
                    .push(buffer.get(..count).unwrap_or_default())
                    .map_err(refused)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ActError::internal(error)),
            }
        }
        writer.stage(Some(&product.hash)).map_err(refused)
    }
}
