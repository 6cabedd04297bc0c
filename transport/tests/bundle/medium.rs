//! Media that change, and names that are not files.

use std::os::unix::fs::symlink;

use poundlock_transport::{ReceiveError, receive};

use crate::support::*;

/// The medium is read once: what it holds afterwards does not matter.
#[test]
fn a_medium_that_gives_something_else_later_changes_nothing() {
    let pair = Pair::new();
    let written = pair.write("a.plk", &[b"\x63one"], &[&noise(1, 2_000_000)], 2);
    let received = receive(&written.path, &pair.path("q"), &limits()).unwrap();
    std::fs::write(&written.path, "something else").unwrap();
    let verified = received.verify(&[&public(&pair.low)]).unwrap();
    std::fs::remove_file(&written.path).unwrap();
    let mut kept = Kept::default();
    verified.unpack(&pair.high, &limits(), &mut kept).unwrap();
    assert_eq!(kept.blobs[0].1, noise(1, 2_000_000));
}

#[test]
fn links_and_folders_are_not_taken() {
    let pair = Pair::new();
    let written = pair.write("a.plk", &[], &[], 1);
    let link = pair.path("link.plk");
    symlink(&written.path, &link).unwrap();
    for path in [&link, &pair.folder.path().to_owned(), &pair.path("missing")] {
        assert!(
            matches!(
                receive(path, &pair.path("q"), &limits()),
                Err(ReceiveError::Read { .. })
            ),
            "{path:?}"
        );
    }
}

#[test]
fn a_bundle_needs_a_folder() {
    use poundlock_transport::{BundleWriter, Contents, WriteError};
    let pair = Pair::new();
    let nowhere = pair.path("missing").join("a.plk");
    let outgoing = outgoing(Contents::default());
    let writer = BundleWriter::create(&nowhere, &pair.low, &public(&pair.high), &outgoing, workers(1));
    assert!(matches!(writer, Err(WriteError::Io { .. })));
}
