use std::fs;
use std::os::unix::fs::MetadataExt;

use super::*;

const LIMIT: u64 = 1 << 30;
const OBJECT: Uuid = Uuid::from_bytes([0x5a; 16]);

fn attachments() -> (tempfile::TempDir, Attachments) {
    let folder = tempfile::tempdir().unwrap();
    let attachments = Attachments::open(&folder.path().join("private")).unwrap();
    (folder, attachments)
}

fn content(attachments: &Attachments, role: Role) -> Vec<u8> {
    let mut bytes = Vec::new();
    attachments
        .open_private(OBJECT, role)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

#[test]
fn bytes_come_back_by_object_and_role() {
    let (_folder, attachments) = attachments();
    for role in Role::ALL {
        attachments
            .put(OBJECT, role, role.name().as_bytes(), LIMIT)
            .unwrap();
    }
    for role in Role::ALL {
        assert_eq!(content(&attachments, role), role.name().as_bytes());
    }
    let other = Uuid::from_bytes([1; 16]);
    let missing = attachments.open_private(other, Role::Data).unwrap_err();
    assert!(matches!(missing, AttachmentError::Missing { .. }), "{missing}");
    let mut released = String::new();
    attachments
        .open_for_release(OBJECT, Role::Log)
        .unwrap()
        .read_to_string(&mut released)
        .unwrap();
    assert_eq!(released, "log");
}

#[test]
fn what_fails_leaves_what_was_there() {
    let (folder, attachments) = attachments();
    attachments.put(OBJECT, Role::Data, &b"first"[..], LIMIT).unwrap();
    let error = attachments
        .put(OBJECT, Role::Data, &b"longer"[..], 5)
        .unwrap_err();
    assert!(matches!(error, AttachmentError::TooLong { .. }), "{error}");
    let mut writer = attachments.writer(OBJECT, Role::Data, 5).unwrap();
    assert!(writer.write_all(b"longer").is_err());
    assert!(matches!(writer.finish(), Err(AttachmentError::TooLong { .. })));
    assert_eq!(content(&attachments, Role::Data), b"first");
    attachments.put(OBJECT, Role::Data, &b"secnd"[..], 5).unwrap();
    assert_eq!(content(&attachments, Role::Data), b"secnd");
    assert_eq!(
        fs::read_dir(folder.path().join("private/incoming"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn removed_bytes_are_gone() {
    let (_folder, attachments) = attachments();
    attachments.put(OBJECT, Role::Data, &b"first"[..], LIMIT).unwrap();
    assert!(attachments.contains(OBJECT, Role::Data).unwrap());
    assert!(attachments.remove(OBJECT, Role::Data).unwrap());
    assert!(!attachments.contains(OBJECT, Role::Data).unwrap());
    assert!(!attachments.remove(OBJECT, Role::Data).unwrap());
}

#[test]
fn what_a_crash_left_is_swept() {
    let (folder, attachments) = attachments();
    let mut writer = attachments.writer(OBJECT, Role::Data, LIMIT).unwrap();
    writer.write_all(b"half").unwrap();
    std::mem::forget(writer);
    drop(attachments);
    let incoming = folder.path().join("private/incoming");
    assert_eq!(fs::read_dir(&incoming).unwrap().count(), 1);
    Attachments::open(&folder.path().join("private")).unwrap();
    assert_eq!(fs::read_dir(&incoming).unwrap().count(), 0);
}

#[test]
fn only_the_node_can_read_private_bytes() {
    let (folder, attachments) = attachments();
    attachments
        .put(OBJECT, Role::Result, &b"secret"[..], LIMIT)
        .unwrap();
    let path = attachments
        .open_private(OBJECT, Role::Result)
        .unwrap()
        .path()
        .to_owned();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    for inner in path
        .ancestors()
        .skip(1)
        .take_while(|inner| *inner != folder.path())
    {
        assert_eq!(fs::metadata(inner).unwrap().mode() & 0o777, 0o700, "{inner:?}");
    }
}

/// Logs and messages must not tell how long the bytes are, where they are, or what they are.
#[test]
fn nothing_private_is_shown() {
    let (folder, attachments) = attachments();
    attachments
        .put(OBJECT, Role::Result, &b"secret"[..], LIMIT)
        .unwrap();
    let mut writer = attachments.writer(OBJECT, Role::Log, 3).unwrap();
    writer.write_all(b"123").unwrap();
    let shown = format!(
        "{attachments:?} {:?} {writer:?} {}",
        attachments.open_private(OBJECT, Role::Result).unwrap(),
        attachments.put(OBJECT, Role::Log, &b"secret"[..], 3).unwrap_err(),
    );
    let folder = folder.path().to_string_lossy().into_owned();
    for private in ["secret", "6", "3", folder.as_str(), &OBJECT.to_string()[..8]] {
        assert!(!shown.contains(private), "{private} in {shown}");
    }
}
