use std::os::unix::fs::PermissionsExt;

use uuid::Uuid;

use super::*;

fn identity(side: Side) -> NodeIdentity {
    NodeIdentity::generate(Uuid::new_v4(), side).unwrap()
}

#[test]
fn the_key_file_reads_back_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.key");
    let node = identity(Side::High);
    node.create_file(&path).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let back = NodeIdentity::load(&path).unwrap();
    assert_eq!(back.fingerprint().unwrap(), node.fingerprint().unwrap());
    assert!(
        matches!(node.create_file(&path), Err(IdentityError::Exists(_))),
        "never overwritten"
    );

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(
        NodeIdentity::load(&path),
        Err(IdentityError::Exposed { mode: 0o640, .. })
    ));
}

#[test]
fn a_damaged_key_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.key");
    identity(Side::Low).create_file(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    for damaged in [
        text.replace('#', ";"),
        format!("{text}\n"),
        text.replace("low", "lower"),
        text[..80].to_owned(),
    ] {
        std::fs::write(&path, damaged).unwrap();
        assert!(NodeIdentity::load(&path).is_err());
    }
    std::fs::write(&path, "x".repeat(1 << 20)).unwrap();
    assert!(matches!(
        NodeIdentity::load(&path),
        Err(IdentityError::TooLarge(_))
    ));
}

#[test]
fn debug_shows_no_secret() {
    let node = identity(Side::Low);
    let shown = format!("{node:?}");
    assert!(
        !shown.contains("AGE") && !shown.contains("signing") && shown.len() < 120,
        "{shown}"
    );
}

#[test]
fn a_public_identity_reads_back_and_every_changed_byte_shows() {
    let public = identity(Side::High)
        .public(Some("St. Mary’s vault"), Uuid::new_v4())
        .unwrap();
    let text = public.to_text();
    assert!(text.len() < 700);
    assert_eq!(PublicIdentity::from_text(&text).unwrap(), public);
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 0x01;
        if let Ok(changed) = String::from_utf8(bytes) {
            assert!(
                PublicIdentity::from_text(&changed).is_err(),
                "byte {at}: {changed}"
            );
        }
        assert!(
            text.get(..at)
                .is_none_or(|cut| PublicIdentity::from_text(cut).is_err())
        );
    }
    assert!(PublicIdentity::from_text(&format!("{text}\n")).is_err());
    assert!(PublicIdentity::from_text(&text.replace('\n', "\r\n")).is_err());
}

#[test]
fn names_that_mislead_are_refused() {
    let node = identity(Side::Low);
    for name in [
        "",
        " x",
        "a\nb",
        "a\u{1b}[31m",
        "a\u{202e}b",
        "a\u{200b}b",
        &"x".repeat(65),
    ] {
        assert!(
            matches!(node.public(Some(name), Uuid::nil()), Err(IdentityError::Name)),
            "{name:?}"
        );
    }
}

/// 0 and 1 have low order on Curve25519: whatever is encrypted to them is readable by all.
#[test]
fn weak_reading_keys_are_refused() {
    let public = identity(Side::Low).public(None, Uuid::nil()).unwrap();
    // Bech32 of 32 zero bytes under "age".
    let zero = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z";
    let text = public.to_text().replace(&public.recipient(), zero);
    assert!(
        zero.parse::<age::x25519::Recipient>().is_ok(),
        "age itself takes it"
    );
    assert!(matches!(
        PublicIdentity::from_text(&text),
        Err(IdentityError::WeakKey("reading"))
    ));
}

#[test]
fn fingerprints_bind_everything_and_read_well_aloud() {
    let node = identity(Side::Low);
    let public = node.public(Some("a"), Uuid::new_v4()).unwrap();
    assert_eq!(
        public.fingerprint(),
        node.public(Some("b"), Uuid::new_v4()).unwrap().fingerprint()
    );
    let groups = public.fingerprint().groups();
    assert_eq!(groups.len(), 8 * 5 + 7);
    assert!(
        groups
            .split(' ')
            .all(|group| group.len() == 5 && group.bytes().all(|b| b.is_ascii_digit()))
    );

    let (n, v, r) = ([1; 16], [2; 32], [3; 32]);
    let whole = Fingerprint::of_parts(&n, 1, &v, &r);
    assert_ne!(whole, Fingerprint::of_parts(&[9; 16], 1, &v, &r));
    assert_ne!(whole, Fingerprint::of_parts(&n, 2, &v, &r));
    assert_ne!(whole, Fingerprint::of_parts(&n, 1, &[9; 32], &r));
    assert_ne!(whole, Fingerprint::of_parts(&n, 1, &v, &[9; 32]));
}

#[test]
fn both_sides_see_one_pair_fingerprint_and_a_swapped_key_changes_it() {
    let (low, high) = (identity(Side::Low), identity(Side::High));
    let of = |n: &NodeIdentity| n.public(None, Uuid::nil()).unwrap();
    let pair = Fingerprint::of_pair(&of(&low), &of(&high));
    assert_eq!(pair, Fingerprint::of_pair(&of(&high), &of(&low)));
    let swapped = NodeIdentity::generate(high.node(), Side::High).unwrap();
    assert_ne!(pair, Fingerprint::of_pair(&of(&low), &of(&swapped)));
}

#[test]
fn a_rotation_needs_both_keys_and_the_same_node() {
    let old = identity(Side::High);
    let new = NodeIdentity::generate(old.node(), Side::High).unwrap();
    let announced = new.public(Some("vault"), Uuid::new_v4()).unwrap();
    let paired = old.public(None, Uuid::new_v4()).unwrap();
    let statement = RotationStatement::sign(&old, &new, announced.clone()).unwrap();
    let text = statement.to_text();
    assert_eq!(
        RotationStatement::from_text(&text)
            .unwrap()
            .verify(&paired)
            .unwrap(),
        announced
    );

    let other = identity(Side::High);
    assert!(matches!(
        RotationStatement::sign(&other, &new, announced.clone()),
        Err(IdentityError::NotARotation)
    ));
    assert!(matches!(
        RotationStatement::sign(&old, &old, paired.clone()),
        Err(IdentityError::NotARotation)
    ));
    assert!(matches!(
        statement.verify(&other.public(None, Uuid::nil()).unwrap()),
        Err(IdentityError::OtherIdentity)
    ));
    // A thief without the old key signs with the new one in its place.
    let line = |name: &str| {
        text.lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    let (by_old, by_new) = (line("signature-old = "), line("signature-new = "));
    let forge = |from: &str, to: String| RotationStatement::from_text(&text.replace(from, &to)).unwrap();
    let forged = forge(&by_old, by_new.replace("-new", "-old"));
    assert!(matches!(forged.verify(&paired), Err(IdentityError::Signature)));
    let forged = forge(&by_new, by_old.replace("-old", "-new"));
    assert!(matches!(forged.verify(&paired), Err(IdentityError::Signature)));
}
