use ciborium::Value;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

fn refused(bytes: &[u8]) -> CborError {
    check_item(bytes).expect_err("must be refused")
}

#[test]
fn every_second_spelling_is_refused() {
    assert_eq!(
        refused(&[0xa2, 0x61, b'a', 1, 0x61, b'a', 2]),
        CborError::DuplicateKey
    );
    assert_eq!(
        refused(&[0xa2, 0x61, b'b', 1, 0x61, b'a', 2]),
        CborError::KeysOutOfOrder
    );
    assert_eq!(refused(&[0x18, 0x01]), CborError::NotShortest);
    assert_eq!(
        refused(&[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
        CborError::NotShortest
    );
    assert_eq!(refused(&[0x58, 0x01, 0x00]), CborError::NotShortest);
    assert_eq!(refused(&[0x9f, 0x01, 0xff]), CborError::Indefinite);
    assert_eq!(refused(&[0x5f, 0x41, 0x00, 0xff]), CborError::Indefinite);
    assert_eq!(refused(&[0xff]), CborError::Indefinite);
    assert_eq!(refused(&[0xf9, 0x3c, 0x00]), CborError::Float);
    assert_eq!(refused(&[0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]), CborError::Float);
    assert_eq!(refused(&[0xc0, 0x60]), CborError::Tag);
    assert_eq!(refused(&[0xf7]), CborError::Simple);
    assert_eq!(refused(&[0xf8, 0x20]), CborError::Simple);
    assert_eq!(refused(&[0x1c]), CborError::Simple);
    assert_eq!(refused(&[0x61, 0xff]), CborError::NotUtf8);
    assert_eq!(refused(&[0xa1, 0x80, 0x01]), CborError::KeyType);
    assert_eq!(refused(&[0xa1, 0xf6, 0x01]), CborError::KeyType);
}

#[test]
fn claims_beyond_the_bytes_cost_nothing() {
    for bytes in [
        &[0x9b, 255, 255, 255, 255, 255, 255, 255, 255][..],
        &[0x5b, 255, 255, 255, 255, 255, 255, 255, 255],
    ] {
        assert_eq!(refused(bytes), CborError::Truncated);
    }
}

#[test]
fn depth_is_counted_the_same_both_ways() {
    let nest = |depth: usize| {
        let mut bytes = vec![0x81; depth];
        bytes.push(0x00);
        bytes
    };
    assert_eq!(check_item(&nest(MAX_DEPTH)), Ok(MAX_DEPTH + 1));
    assert_eq!(refused(&nest(MAX_DEPTH + 1)), CborError::TooDeep);
    assert_eq!(refused(&nest(10_000)), CborError::TooDeep);
    // The innermost being empty makes no difference.
    assert_eq!(
        check_item(&[vec![0x81; MAX_DEPTH - 1], vec![0x80]].concat()),
        Ok(MAX_DEPTH)
    );
    assert_eq!(
        refused(&[vec![0x81; MAX_DEPTH], vec![0x80]].concat()),
        CborError::TooDeep
    );

    let value = |depth: usize| (0..depth).fold(Value::from(0), |inner, _| Value::Array(vec![inner]));
    assert_eq!(to_deterministic_vec(&value(MAX_DEPTH)).unwrap(), nest(MAX_DEPTH));
    assert_eq!(
        to_deterministic_vec(&value(MAX_DEPTH + 1)),
        Err(CborError::TooDeep)
    );
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    name: String,
    id: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[test]
fn typed_decoding_refuses_what_the_type_would_not_write() {
    let sample = Sample {
        name: "x".into(),
        id: 7,
        note: None,
    };
    let bytes = to_deterministic_vec(&sample).unwrap();
    assert_eq!(
        bytes, b"\xa2\x62id\x07\x64name\x61x",
        "keys sorted, not in order of declaration"
    );
    assert_eq!(from_deterministic_slice::<Sample>(&bytes).unwrap(), sample);

    // Serde ignores the unknown key; comparing what it would write again does not.
    let unknown = b"\xa3\x62id\x07\x64name\x61x\x65other\x00";
    assert_eq!(
        from_deterministic_slice::<Sample>(unknown),
        Err(CborError::NotTheOneForm)
    );
    let explicit_null = b"\xa3\x62id\x07\x64name\x61x\x64note\xf6";
    assert_eq!(
        from_deterministic_slice::<Sample>(explicit_null),
        Err(CborError::NotTheOneForm)
    );
    let trailing = [&bytes[..], &[0]].concat();
    assert_eq!(
        from_deterministic_slice::<Sample>(&trailing),
        Err(CborError::TrailingBytes)
    );
    assert!(matches!(
        from_deterministic_slice::<Sample>(b"\xa1\x62id\x07"),
        Err(CborError::Unexpected(_))
    ));
}

#[test]
fn floats_do_not_encode() {
    assert_eq!(to_deterministic_vec(&1.5f64), Err(CborError::Float));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u8>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        ".{0,30}".prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..30).prop_map(Value::Array),
            proptest::collection::btree_map(".{0,12}", inner, 0..30)
                .prop_map(|map| Value::Map(map.into_iter().map(|(k, v)| (Value::from(k), v)).collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn what_is_written_is_accepted_and_reads_back(value in value()) {
        let bytes = to_deterministic_vec(&value).unwrap();
        prop_assert_eq!(check_item(&bytes), Ok(bytes.len()));
        let back: Value = from_deterministic_slice(&bytes).unwrap();
        prop_assert_eq!(to_deterministic_vec(&back).unwrap(), bytes);
    }

    /// The walk over the bytes and "decode, encode again, compare" are two implementations of one rule.
    #[test]
    fn the_walk_agrees_with_decode_and_compare(mut bytes in value().prop_map(|v| to_deterministic_vec(&v).unwrap()),
                                               at: prop::sample::Index, flip: u8) {
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let walked = check_item(&bytes) == Ok(bytes.len());
        // ciborium takes bignum tags for integers; the walk refuses every tag.
        let decoded = ciborium::de::from_reader::<Value, _>(&bytes[..]).ok();
        let compared = decoded.and_then(|v| to_deterministic_vec(&v).ok()).is_some_and(|again| again == bytes);
        prop_assert_eq!(walked, compared);
    }

    #[test]
    fn every_proper_prefix_is_only_incomplete(value in value()) {
        let bytes = to_deterministic_vec(&value).unwrap();
        for end in 0..bytes.len() {
            let cut = check_item(&bytes[..end]);
            prop_assert_eq!(cut, Err(CborError::Truncated));
        }
    }
}
