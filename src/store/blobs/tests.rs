use std::fs;
use std::os::unix::fs::MetadataExt;

use super::*;

const LIMIT: u64 = 1 << 30;

fn blobs() -> (tempfile::TempDir, Blobs) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(&folder.path().join("blobs")).unwrap();
    (folder, blobs)
}

fn content(blobs: &Blobs, hash: &Hash) -> Vec<u8> {
    let mut bytes = Vec::new();
    blobs.open_blob(hash).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Files below the folder that are not its lock.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("lock") {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_blob_comes_back_under_its_hash() {
    let (_folder, blobs) = blobs();
    let bytes: Vec<u8> = (0..700_000u32).map(|number| number.to_le_bytes()[1]).collect();
    let blob = blobs.put(bytes.as_slice(), LIMIT).unwrap();
    assert_eq!(
        blob,
        Blob {
            hash: Hash::of(&bytes),
            len: 700_000
        }
    );
    assert_eq!(content(&blobs, &blob.hash), bytes);
    assert_eq!(blobs.find(&blob.hash).unwrap(), Some(blob));
    assert_eq!(blobs.verify(&blob.hash).unwrap(), blob);
    assert_eq!(blobs.put(bytes.as_slice(), LIMIT).unwrap(), blob);
    let mut listed = Vec::new();
    blobs
        .for_each(|hash| -> Result<(), BlobError> {
            listed.push(hash);
            Ok(())
        })
        .unwrap();
    assert_eq!(listed, [blob.hash]);
}

#[test]
fn pieces_make_the_same_blob() {
    let (_folder, blobs) = blobs();
    let mut writer = blobs.writer(LIMIT).unwrap();
    for piece in [&b"pound"[..], b"", b"lock"] {
        writer.push(piece).unwrap();
    }
    let hash = Hash::of(b"poundlock");
    assert_eq!(writer.finish(Some(&hash)).unwrap(), Blob { hash, len: 9 });
}

#[test]
fn an_unexpected_hash_stores_nothing() {
    let (folder, blobs) = blobs();
    let mut writer = blobs.writer(LIMIT).unwrap();
    writer.push(b"poundlock").unwrap();
    let error = writer.finish(Some(&Hash::of(b"other"))).unwrap_err();
    assert!(matches!(error, BlobError::Unexpected { .. }));
    assert!(!blobs.contains(&Hash::of(b"poundlock")).unwrap());
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_blob_over_its_limit_stores_nothing() {
    let (folder, blobs) = blobs();
    assert!(matches!(
        blobs.put(&b"poundlock"[..], 8),
        Err(BlobError::TooLong { limit: 8 })
    ));
    assert!(files(folder.path()).is_empty());
    blobs.put(&b"poundlock"[..], 9).unwrap();
}

#[test]
fn a_reader_that_fails_stores_nothing() {
    let (folder, blobs) = blobs();
    struct Torn;
    impl Read for Torn {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("pulled out"))
        }
    }
    assert!(matches!(
        blobs.put(b"some".chain(Torn), LIMIT),
        Err(BlobError::Io(_))
    ));
    assert!(files(folder.path()).is_empty());
}

/// A crash is a writer that never gets to clean up.
#[test]
fn what_a_crash_left_is_swept_and_nothing_else() {
    let (folder, blobs) = blobs();
    let whole = blobs.put(&b"whole"[..], LIMIT).unwrap();
    let mut writer = blobs.writer(LIMIT).unwrap();
    writer.push(b"half").unwrap();
    std::mem::forget(writer);
    assert_eq!(files(folder.path()).len(), 2);
    drop(blobs);
    let blobs = Blobs::open(&folder.path().join("blobs")).unwrap();
    assert_eq!(files(folder.path()).len(), 1);
    assert_eq!(blobs.verify(&whole.hash).unwrap(), whole);
}

#[test]
fn damage_is_found_and_mended_by_storing_again() {
    let (_folder, blobs) = blobs();
    let blob = blobs.put(&b"poundlock"[..], LIMIT).unwrap();
    fs::write(blobs.path(&blob.hash), b"poundl0ck").unwrap();
    let error = blobs.verify(&blob.hash).unwrap_err();
    assert!(matches!(error, BlobError::Damaged { .. }), "{error}");
    blobs.put(&b"poundlock"[..], LIMIT).unwrap();
    assert_eq!(blobs.verify(&blob.hash).unwrap(), blob);
}

#[test]
fn an_absent_blob_is_missing() {
    let (_folder, blobs) = blobs();
    let hash = Hash::of(b"nothing");
    assert!(!blobs.contains(&hash).unwrap());
    assert!(matches!(blobs.open_blob(&hash), Err(BlobError::Missing(_))));
    assert!(matches!(blobs.verify(&hash), Err(BlobError::Missing(_))));
}

#[test]
fn only_the_node_can_read_its_blobs() {
    let (folder, blobs) = blobs();
    let blob = blobs.put(&b"poundlock"[..], LIMIT).unwrap();
    let path = blobs.path(&blob.hash);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    for inner in path
        .ancestors()
        .skip(1)
        .take_while(|inner| *inner != folder.path())
    {
        assert_eq!(fs::metadata(inner).unwrap().mode() & 0o777, 0o700, "{inner:?}");
    }
}

/// Two processes would sweep each other's unfinished files.
#[test]
fn a_second_opening_is_refused() {
    let (folder, _blobs) = blobs();
    assert!(matches!(
        Blobs::open(&folder.path().join("blobs")),
        Err(OpenFolderError::InUse(_))
    ));
}
