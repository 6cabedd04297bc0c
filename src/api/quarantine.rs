//! Where arriving bundles lie until they are verified: copied there once, and never more than the disk has room for.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_LENGTH;
use futures_util::StreamExt;
use uuid::Uuid;

use super::blocking::off_the_arbiter;
use super::files::{self, Arriving};
use super::{Context, Problem};
use crate::store::node_folder::NodeFolder;

/// The longest bundle that is taken in, in bytes.
pub const BUNDLE_MAX: u64 = 64 << 30;

/// Copies a bundle into the quarantine, and gives the file. `declared` is how long it is at least, where its sender says so: one
/// that cannot be taken in is refused before its first byte. What could not be taken whole is removed.
///
/// # Errors
/// The bundle is longer than any may be, or than the disk has room for; it breaks off, or the disk fails.
pub async fn take(
    context: &Context,
    mut body: impl Arriving,
    declared: Option<u64>,
) -> Result<PathBuf, Problem> {
    let folder = context.folder.clone();
    let path = folder
        .quarantine()
        .join(format!("{}.bundle", Uuid::new_v4().simple()));
    let copied = match may_come(declared.unwrap_or(0), room(&folder)?) {
        Ok(()) => copy(&folder, &mut body, &path).await,
        Err(refused) => Err(refused),
    };
    if copied.is_err() {
        // What cannot be removed now goes at the next start.
        let _left = std::fs::remove_file(&path);
        // The rest comes to nowhere, as much as a bundle may have: a sender who is cut off while sending does not see why.
        let mut left = BUNDLE_MAX;
        while let (Some(Ok(piece)), 1..) = (body.next().await, left) {
            left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        }
    }
    copied.map(|()| path)
}

/// How long the body of a request is, where it says so.
pub fn declared(request: &HttpRequest) -> Option<u64> {
    let length = request.headers().get(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

async fn copy(folder: &NodeFolder, body: impl Arriving, path: &Path) -> Result<(), Problem> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let folder = folder.clone();
    // Others write to the disk meanwhile, so that the room is asked for again before each piece.
    let write = move |file: &mut File, bytes: &[u8]| {
        may_come(u64::try_from(bytes.len()).unwrap_or(u64::MAX), room(&folder)?)?;
        file.write_all(bytes).map_err(failed)
    };
    let file = files::upload(body, BUNDLE_MAX, file, write).await?;
    off_the_arbiter(move || file.sync_all().map_err(failed)).await?
}

fn room(folder: &NodeFolder) -> Result<u64, Problem> {
    folder.room_left().map_err(|error| Problem::internal(&error))
}

fn failed(error: std::io::Error) -> Problem {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => no_space(0),
        _ => Problem::internal(&error),
    }
}

/// Whether so many bytes can be taken in where there is room for so many.
fn may_come(bytes: u64, room: u64) -> Result<(), Problem> {
    if bytes > BUNDLE_MAX {
        return Err(Problem::too_large(BUNDLE_MAX));
    }
    if bytes > room {
        return Err(no_space(room));
    }
    Ok(())
}

fn no_space(room: u64) -> Problem {
    let detail = format!(
        "the bundle does not fit onto this node's disk, which has room for {room} bytes and a reserve; make room, and import it again"
    );
    Problem::new(StatusCode::CONFLICT, "bundle_no_space", detail).with("room", room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_bounded_by_the_room_and_by_what_any_may_have() {
        let word = |bytes, room| may_come(bytes, room).map_err(|problem| problem.word());
        assert_eq!(word(10, 10), Ok(()));
        assert_eq!(word(11, 10), Err("bundle_no_space"));
        assert_eq!(word(BUNDLE_MAX, u64::MAX), Ok(()));
        assert_eq!(word(BUNDLE_MAX + 1, u64::MAX), Err("too_large"));
    }
}
