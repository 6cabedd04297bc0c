//! Bytes in and out of the node: streamed in both directions, a piece at a time, on threads that may block.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use actix_web::body::SizedStream;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, HttpResponseBuilder, error};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;

use super::blocking::off_the_arbiter;
use super::extract::broken_off;
use super::problem::Problem;

/// How much is read or written at a time.
const PIECE: usize = 256 * 1024;

/// What arrives: the body of a request, or a file in a form.
pub trait Arriving: Stream<Item = Result<Bytes, PayloadError>> + Unpin {}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Arriving for S {}

/// Answers with a file, `length` bytes of it, as something to save under `name`, which is one of this program's making.
pub fn download(
    mut answer: HttpResponseBuilder,
    file: File,
    length: u64,
    media_type: &str,
    name: &str,
) -> HttpResponse {
    let pieces = stream::try_unfold(file, |mut file| async move {
        let read = web::block(move || {
            let mut piece = vec![0; PIECE];
            file.read(&mut piece).map(|count| {
                piece.truncate(count);
                (piece, file)
            })
        });
        let (piece, file) = read.await??;
        Ok::<_, error::Error>((!piece.is_empty()).then(|| (Bytes::from(piece), file)))
    });
    answer
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(SizedStream::new(length, Box::pin(pieces)))
}

/// Hands a body to `take`, piece by piece, in order. `take` runs on a thread that may block, and gives its state back.
///
/// # Errors
/// The body breaks off, is longer than `most` bytes, or `take` refuses.
pub async fn upload<S: Send + 'static>(
    mut body: impl Arriving,
    most: u64,
    mut state: S,
    take: impl Fn(&mut S, &[u8]) -> Result<(), Problem> + Clone + Send + 'static,
) -> Result<S, Problem> {
    let mut total = 0_u64;
    let mut piece = Vec::with_capacity(PIECE);
    loop {
        let next = body
            .next()
            .await
            .transpose()
            .map_err(|error| broken_off(&error))?;
        let over = next.is_none();
        if let Some(bytes) = next {
            total = total.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            if total > most {
                return Err(Problem::too_large(most));
            }
            piece.extend_from_slice(&bytes);
        }
        if over || piece.len() >= PIECE {
            let (bytes, take) = (
                std::mem::replace(&mut piece, Vec::with_capacity(PIECE)),
                take.clone(),
            );
            state = off_the_arbiter(move || take(&mut state, &bytes).map(|()| state)).await??;
        }
        if over {
            return Ok(state);
        }
    }
}

/// Hands a body to `work` as a reader, on a thread that may block, while it arrives.
///
/// # Errors
/// The body breaks off, is longer than `most` bytes, or `work` refuses.
pub async fn receive<T: Send + 'static>(
    mut body: impl Arriving,
    most: u64,
    work: impl FnOnce(&mut dyn Read) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let (send, pieces) = mpsc::channel(PIECES_WAITING);
    let working = web::block(move || {
        work(&mut Pieces {
            pieces,
            piece: Bytes::new(),
        })
    });
    let mut total = 0_u64;
    let mut broken = None;
    while let Some(next) = body.next().await {
        let piece = next.map_err(|error| broken_off(&error)).and_then(|piece| {
            total = total.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            if total > most {
                Err(Problem::too_large(most))
            } else {
                Ok(piece)
            }
        });
        let sent = match piece {
            Ok(piece) => send.send(Ok(piece)).await,
            Err(problem) => {
                broken = Some(problem);
                send.send(Err(io::ErrorKind::UnexpectedEof.into())).await
            }
        };
        if sent.is_err() || broken.is_some() {
            break;
        }
    }
    drop(send);
    let done = working
        .await
        .map_err(|_stopping| Problem::busy("the node is stopping; try again when it runs"))?;
    match broken {
        Some(problem) => Err(problem),
        None => done,
    }
}

/// Pieces of a body that wait to be read.
const PIECES_WAITING: usize = 8;

/// A body as a reader.
struct Pieces {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

/// Writes a body to a new file that only this node's user may read, and syncs it. The file is removed if that fails.
///
/// # Errors
/// The body breaks off, is longer than `most` bytes, or the disk fails.
pub async fn upload_to_file(body: impl Arriving, most: u64, path: &Path) -> Result<(), Problem> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| Problem::internal(&e))?;
    let write =
        |file: &mut File, bytes: &[u8]| file.write_all(bytes).map_err(|error| Problem::internal(&error));
    let done = match upload(body, most, file, write).await {
        Ok(file) => off_the_arbiter(move || file.sync_all().map_err(|error| Problem::internal(&error))).await,
        Err(problem) => Err(problem),
    };
    if !matches!(done, Ok(Ok(()))) {
        // What cannot be removed now goes at the next start.
        let _left = std::fs::remove_file(path);
    }
    done?
}
