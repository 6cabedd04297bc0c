use ed25519_dalek::SigningKey;
use uuid::Uuid;

use super::*;
use crate::domain::signature::{Signature, Statement};

fn at(hour: i8) -> Timestamp {
    format!("2026-11-22T{hour:02}:00:00Z").parse().unwrap()
}

fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn key(seed: u8) -> VerifyKey {
    VerifyKey::from(&secret(seed))
}

/// Any statement will do: that of a key.
fn said(seed: u8) -> Statement {
    Statement::of_key(UserId(Uuid::from_u128(1)), &key(seed))
}

fn signed(seed: u8, statement: &Statement) -> Signature {
    Signature {
        key: key(seed),
        bytes: statement.sign(&secret(seed)),
    }
}

fn by() -> Acceptor {
    Acceptor {
        user: UserId(Uuid::from_u128(9)),
        name: "Olga".into(),
    }
}

fn saw(pins: &mut KeyPins, seed: Option<u8>, hour: i8) -> Seen {
    saw_beside(pins, None, seed, hour)
}

/// As [`saw`], of somebody whose address another person bears as well.
fn saw_beside(pins: &mut KeyPins, other: Option<Namesake>, seed: Option<u8>, hour: i8) -> Seen {
    pins.saw(seed.map(key), other, at(hour), None, "Sam", "sam@example.org")
}

fn accept(pins: &mut KeyPins, seed: Option<u8>, hour: i8) -> Result<(), NotAccepted> {
    let meant = seed.map(key);
    pins.accept(
        |key| key == meant.as_ref(),
        at(hour),
        "Sam",
        "sam@example.org",
        by(),
    )
    .map(|_| ())
}

/// How something stands that is signed by a key, or not at all, and was taken in at an hour, or waits.
fn stands(pins: &KeyPins, by: Option<u8>, taken: Option<i8>) -> &'static str {
    let statement = said(1);
    let signature = by.map(|seed| signed(seed, &statement));
    standing(signature.as_ref(), Some(&statement), pins, None, taken.map(at)).word()
}

#[test]
fn the_first_key_is_pinned_and_another_is_a_change_until_it_is_accepted() {
    let mut pins = KeyPins::default();
    assert_eq!(saw(&mut pins, None, 1), Seen::Known);
    assert!(pins.pins.is_empty());
    assert_eq!(saw(&mut pins, Some(1), 2), Seen::Pinned);
    assert_eq!(saw(&mut pins, Some(1), 3), Seen::Known);
    assert_eq!(stands(&pins, Some(1), None), "valid");
    assert_eq!(stands(&pins, Some(2), None), "valid_by_unconfirmed_key");
    assert_eq!(accept(&mut pins, Some(2), 3), Err(NotAccepted::NoChange));

    assert_eq!(saw(&mut pins, Some(2), 4), Seen::Changed);
    assert_eq!(saw(&mut pins, Some(2), 5), Seen::Known);
    assert_eq!(
        stands(&pins, Some(1), None),
        "valid",
        "the pinned one counts still"
    );
    assert_eq!(stands(&pins, Some(2), None), "valid_by_unconfirmed_key");
    assert_eq!(accept(&mut pins, Some(3), 6), Err(NotAccepted::OtherChange));
    assert!(pins.change.is_some());
    assert_eq!(accept(&mut pins, Some(2), 6), Ok(()));
    assert_eq!(stands(&pins, Some(2), None), "valid");
    assert_eq!(pins.present().unwrap().accepted_by.as_ref().unwrap().name, "Olga");
}

#[test]
fn what_a_replaced_key_signed_before_stays_valid_and_nothing_more() {
    let mut pins = KeyPins::default();
    saw(&mut pins, Some(1), 1);
    saw(&mut pins, Some(2), 5);
    accept(&mut pins, Some(2), 6).unwrap();
    assert_eq!(stands(&pins, Some(1), Some(3)), "valid");
    assert_eq!(stands(&pins, Some(1), Some(7)), "valid_by_former_key");
    assert_eq!(stands(&pins, Some(1), None), "valid_by_former_key");
    // The lost key comes back into the record: that is a change too.
    assert_eq!(saw(&mut pins, Some(1), 8), Seen::Changed);
    assert_eq!(stands(&pins, Some(1), None), "valid_by_former_key");
    assert_eq!(saw(&mut pins, Some(2), 9), Seen::Returned);
    assert_eq!(pins.change, None);
}

#[test]
fn a_key_counts_from_after_the_one_before_it_though_the_clock_was_set_back() {
    let mut pins = KeyPins::default();
    saw(&mut pins, Some(1), 5);
    saw(&mut pins, Some(2), 2);
    accept(&mut pins, Some(2), 3).unwrap();
    assert!(pins.pins[1].at > at(5));
    assert_eq!(stands(&pins, Some(1), Some(5)), "valid");
    assert_eq!(stands(&pins, Some(1), Some(6)), "valid_by_former_key");
}

#[test]
fn a_signature_that_is_missing_is_missed_from_the_first_key_on() {
    let mut pins = KeyPins::default();
    assert_eq!(stands(&pins, None, None), "unsigned");
    saw(&mut pins, Some(1), 4);
    assert_eq!(stands(&pins, None, Some(3)), "unsigned", "from before the key");
    assert_eq!(stands(&pins, None, Some(4)), "unsigned_but_expected");
    assert_eq!(stands(&pins, None, None), "unsigned_but_expected");
    // A removed key is missed until somebody has accepted that it is gone.
    assert_eq!(saw(&mut pins, None, 5), Seen::Changed);
    assert_eq!(stands(&pins, None, None), "unsigned_but_expected");
    accept(&mut pins, None, 6).unwrap();
    assert_eq!(stands(&pins, None, None), "unsigned");
    assert_eq!(stands(&pins, None, Some(5)), "unsigned_but_expected");
    assert_eq!(stands(&pins, Some(1), Some(5)), "valid");
    assert_eq!(stands(&pins, Some(1), None), "valid_by_former_key");
    assert_eq!(
        saw(&mut pins, Some(1), 7),
        Seen::Changed,
        "nor does it slip back in"
    );
}

#[test]
fn a_first_key_counts_only_with_the_record_that_brings_it() {
    let (pins, statement) = (KeyPins::default(), said(1));
    let signature = signed(1, &statement);
    let with =
        |first: Option<&VerifyKey>| standing(Some(&signature), Some(&statement), &pins, first, None).word();
    assert_eq!(with(Some(&key(1))), "valid_by_first_key");
    assert_eq!(with(Some(&key(2))), "valid_by_unconfirmed_key");
    assert_eq!(with(None), "valid_by_unconfirmed_key");
    let missing = standing(None, Some(&statement), &pins, Some(&key(1)), None);
    assert_eq!(missing, Standing::UnsignedButExpected { key: None });
}

#[test]
fn a_signature_over_something_else_is_invalid_whoever_made_it() {
    let mut pins = KeyPins::default();
    saw(&mut pins, Some(1), 1);
    let signature = signed(1, &said(1));
    let stands = standing(Some(&signature), Some(&said(2)), &pins, None, None);
    assert_eq!(
        stands,
        Standing::Invalid {
            fingerprint: key(1).fingerprint()
        }
    );
    assert!(stands.is_suspicious());
    assert_eq!(
        standing(Some(&signature), None, &pins, None, None),
        Standing::Unchecked
    );
}

#[test]
fn the_sentence_names_who_it_was_when_the_key_was_pinned() {
    let mut pins = KeyPins::default();
    saw(&mut pins, Some(1), 1);
    let statement = said(1);
    let sentence = standing(Some(&signed(1, &statement)), Some(&statement), &pins, None, None).to_string();
    assert_eq!(
        sentence,
        format!(
            "signed by Sam <sam@example.org> with the key {}, pinned since 2026-11-22",
            key(1).fingerprint()
        )
    );
}

#[test]
fn the_first_key_of_a_namesake_is_a_change() {
    let other = Namesake {
        user: UserId(Uuid::from_u128(1)),
        key: Some(key(1)),
    };
    for seed in [Some(2), None] {
        let mut pins = KeyPins::default();
        assert_eq!(saw_beside(&mut pins, Some(other), seed, 2), Seen::Changed);
        assert!(pins.pins.is_empty());
        assert_eq!(pins.namesake, Some(other.user));
        assert_eq!(saw_beside(&mut pins, Some(other), seed, 3), Seen::Known);
        assert_eq!(accept(&mut pins, seed, 4), Ok(()));
        assert_eq!(
            pins.namesake, None,
            "they are vouched for, and measured by their own key"
        );
        assert_eq!(pins.present().unwrap().key, seed.map(key));
    }
    // The same key as the other's says nothing new.
    let mut pins = KeyPins::default();
    assert_eq!(saw_beside(&mut pins, Some(other), Some(1), 2), Seen::Known);
    assert!(pins.pins.is_empty() && pins.change.is_none());
}

#[test]
fn the_list_of_pins_is_bounded() {
    let mut pins = KeyPins::default();
    saw(&mut pins, Some(1), 1);
    for round in 0..100 {
        let seed = 2 + round % 2;
        saw(&mut pins, Some(seed), 2);
        accept(&mut pins, Some(seed), 2).unwrap();
    }
    assert_eq!(pins.pins.len(), PINS_MAX);
}
