use super::*;
use proptest::prelude::*;

fn fields() -> Fields {
    Fields {
        at: "2026-11-22T08:00:00.123Z".parse().unwrap(),
        actor: Actor::User(Uuid::from_bytes([1; 16])),
        action: Action::RELEASED,
        subjects: vec![Uuid::from_bytes([2; 16])],
        detail: BTreeMap::from([
            ("part".to_owned(), "log".to_owned()),
            ("why".to_owned(), "asked".to_owned()),
        ]),
    }
}

#[test]
fn entries_come_back_and_carry_the_hash_before() {
    let (first, first_bytes, head) = link(&Head::EMPTY, fields(), [3; 32]).unwrap();
    let (second, second_bytes, next) = link(&head, fields(), [4; 32]).unwrap();
    assert_eq!((first.sequence, first.previous), (1, GENESIS));
    assert_eq!((second.sequence, second.previous), (2, head.hash));
    assert_eq!(head.hash, hash(&first_bytes));
    assert_ne!(head.hash, next.hash);
    assert_eq!(decode(&first_bytes).unwrap(), first);
    assert_eq!(decode(&second_bytes).unwrap(), second);
}

/// A chain that was written once must verify for ever: these bytes and this hash may not change.
#[test]
fn the_encoding_is_fixed() {
    let (_, bytes, head) = link(&Head::EMPTY, fields(), [3; 32]).unwrap();
    let keys = [
        "at", "actor", "nonce", "action", "detail", "previous", "sequence", "subjects",
    ];
    let value: ciborium::Value = ciborium::from_reader(bytes.as_slice()).unwrap();
    let found: Vec<String> = value
        .as_map()
        .unwrap()
        .iter()
        .map(|(key, _)| key.as_text().unwrap().to_owned())
        .collect();
    assert_eq!(found, keys);
    assert_eq!(bytes.len(), 224);
    assert_eq!(
        head.hash.to_string(),
        "bd6fc259eac988a1f7dc043a0392da6c466124a94391bfbc1530efde439d0365"
    );
}

#[test]
fn every_field_changes_the_hash() {
    let (entry, bytes, _) = link(&Head::EMPTY, fields(), [3; 32]).unwrap();
    let changes: [fn(&mut Entry); 8] = [
        |entry| entry.sequence = 2,
        |entry| entry.previous = Hash([9; 32]),
        |entry| entry.nonce[31] ^= 1,
        |entry| entry.fields.at = "2026-11-22T08:00:00.124Z".parse().unwrap(),
        |entry| entry.fields.actor = Actor::Peer(Uuid::from_bytes([1; 16])),
        |entry| entry.fields.action = Action::LOGIN,
        |entry| entry.fields.subjects.push(Uuid::nil()),
        |entry| {
            entry.fields.detail.insert("part".to_owned(), "result".to_owned());
        },
    ];
    for change in changes {
        let mut changed = entry.clone();
        change(&mut changed);
        assert_ne!(hash(&encode(&changed).unwrap()), hash(&bytes), "{changed:?}");
    }
}

#[test]
fn details_cannot_pass_for_other_details() {
    let with = |pairs: &[(&str, &str)]| {
        let detail = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        link(&Head::EMPTY, Fields { detail, ..fields() }, [0; 32])
            .unwrap()
            .2
            .hash
    };
    assert_ne!(with(&[("ab", "c")]), with(&[("a", "bc")]));
    assert_ne!(with(&[("a", "b"), ("c", "d")]), with(&[("a", "d"), ("c", "b")]));
}

#[test]
fn limits_hold_both_ways() {
    let long = Fields {
        detail: BTreeMap::from([("k".to_owned(), "v".repeat(1025))]),
        ..fields()
    };
    assert_eq!(
        link(&Head::EMPTY, long, [0; 32]).unwrap_err(),
        EntryError::Details
    );
    let many = Fields {
        subjects: vec![Uuid::nil(); MAX_SUBJECTS + 1],
        ..fields()
    };
    let entry = Entry {
        sequence: 1,
        previous: GENESIS,
        nonce: [0; 32],
        fields: many.clone(),
    };
    assert_eq!(
        link(&Head::EMPTY, many, [0; 32]).unwrap_err(),
        EntryError::Subjects
    );
    assert_eq!(decode(&encode(&entry).unwrap()), Err(EntryError::Subjects));
    let last = Head {
        sequence: u64::MAX,
        hash: GENESIS,
    };
    assert_eq!(link(&last, fields(), [0; 32]).unwrap_err(), EntryError::Full);
}

#[test]
fn the_largest_entry_fits_a_body() {
    let detail = (0..MAX_DETAILS)
        .map(|number| (format!("{number:0>64}"), "v".repeat(MAX_DETAIL_VALUE_BYTES)))
        .collect();
    let subjects = vec![Uuid::from_bytes([0xff; 16]); MAX_SUBJECTS];
    let (_, bytes, _) = link(
        &Head::EMPTY,
        Fields {
            detail,
            subjects,
            ..fields()
        },
        [0; 32],
    )
    .unwrap();
    assert!(bytes.len() < 60 * 1024, "{}", bytes.len());
}

#[test]
fn another_encoding_of_the_same_entry_is_refused() {
    let (_, bytes, _) = link(&Head::EMPTY, fields(), [3; 32]).unwrap();
    let mut trailing = bytes.clone();
    trailing.push(0);
    assert_eq!(decode(&trailing), Err(EntryError::NotDeterministic));
    let ciborium::Value::Map(mut map) = ciborium::from_reader(bytes.as_slice()).unwrap() else {
        panic!()
    };
    map.reverse();
    let mut reordered = Vec::new();
    ciborium::into_writer(&ciborium::Value::Map(map), &mut reordered).unwrap();
    assert_eq!(decode(&reordered), Err(EntryError::NotDeterministic));
}

#[test]
fn actions_are_words_and_differ() {
    let words: std::collections::BTreeSet<&str> = Action::ALL.iter().map(Action::as_str).collect();
    assert_eq!(words.len(), Action::ALL.len());
    for wrong in ["", "Login", "two words", "x".repeat(49).as_str()] {
        assert_eq!(
            Action::try_from(wrong.to_owned()),
            Err(EntryError::Action),
            "{wrong}"
        );
    }
}

proptest! {
    #[test]
    fn any_flipped_bit_is_refused_or_another_hash(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let (entry, mut bytes, head) = link(&Head::EMPTY, fields(), [3; 32]).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert_ne!(hash(&bytes), head.hash);
        if let Ok(changed) = decode(&bytes) {
            prop_assert_ne!(changed, entry);
        }
    }
}
