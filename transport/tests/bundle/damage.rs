//! Nature, and couriers without a key: whatever they do to the bytes, the file is refused before it is decrypted.

use poundlock_transport::{Limits, PreambleError, ReceiveError, Received, VerifyError, receive};

use crate::support::*;

fn outcome(pair: &Pair, bytes: &[u8]) -> Step {
    pair.take_bytes(bytes).expect_err("must be refused")
}

#[test]
fn every_bit_of_the_preamble_counts() {
    let pair = Pair::new();
    let good = pair.small();
    pair.take_bytes(&good).unwrap();
    for bit in 0..76 * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        match (bit / 8, outcome(&pair, &bad)) {
            (0..7, Step::Receive(ReceiveError::Preamble(PreambleError::NotABundle)))
            | (7, Step::Receive(ReceiveError::Preamble(PreambleError::UnknownFormat(_))))
            | (8..12, Step::Receive(ReceiveError::Preamble(PreambleError::Reserved)))
            | (12..76, Step::Verify(VerifyError::Signature)) => {}
            (byte, other) => panic!("byte {byte}: {other:?}"),
        }
    }
}

#[test]
fn every_byte_after_it_counts() {
    let pair = Pair::new();
    let good = pair.small();
    // All of the age header and its first chunk's start, then samples, then the end.
    let places = (76..800)
        .chain((800..good.len()).step_by(997))
        .chain(good.len() - 40..good.len());
    for at in places {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(
            matches!(outcome(&pair, &bad), Step::Verify(VerifyError::Signature)),
            "byte {at}"
        );
    }
}

#[test]
fn every_cut_is_noticed_and_so_is_every_addition() {
    let pair = Pair::new();
    let good = pair.small();
    let lengths = (0..700)
        .chain((700..good.len()).step_by(4096 / 8))
        .chain(good.len() - 20..good.len());
    for length in lengths {
        match (length, outcome(&pair, &good[..length])) {
            (0, Step::Receive(ReceiveError::Preamble(PreambleError::NotABundle)))
            | (1..76, Step::Receive(ReceiveError::Preamble(PreambleError::Truncated)))
            | (76.., Step::Verify(VerifyError::Signature)) => {}
            (_, other) => panic!("{length}: {other:?}"),
        }
    }
    for more in [&[0][..], &good] {
        assert!(matches!(
            outcome(&pair, &[&good[..], more].concat()),
            Step::Verify(VerifyError::Signature)
        ));
    }
}

#[test]
fn strangers_and_the_unpaired_are_refused() {
    let pair = Pair::new();
    let stranger = Pair::new();
    let received = |bytes: Vec<u8>| {
        let (medium, quarantine) = (pair.path("m"), pair.path("q"));
        std::fs::write(&medium, bytes).unwrap();
        let _ = std::fs::remove_file(&quarantine);
        receive(&medium, &quarantine, &limits()).unwrap()
    };
    assert_eq!(
        received(stranger.small())
            .verify(&[&public(&pair.low)])
            .unwrap_err(),
        VerifyError::Signature
    );
    assert_eq!(
        received(pair.small()).verify(&[]).unwrap_err(),
        VerifyError::NoPeers
    );
}

#[test]
fn what_is_too_large_or_does_not_fit_is_refused_before_it_is_copied() {
    let pair = Pair::new();
    let medium = pair.path("m");
    std::fs::write(&medium, pair.small()).unwrap();
    let quarantine = pair.path("q");
    let small = Limits {
        file_bytes: 1000,
        ..limits()
    };
    assert!(matches!(
        receive(&medium, &quarantine, &small),
        Err(ReceiveError::TooLarge { limit: 1000, .. })
    ));
    let greedy = Limits {
        free_reserve: u64::MAX / 2,
        ..limits()
    };
    assert!(matches!(
        receive(&medium, &quarantine, &greedy),
        Err(ReceiveError::NoSpace { .. })
    ));
    assert!(
        !quarantine.try_exists().unwrap(),
        "nothing stays of a refused file"
    );

    // A sparse file of 100 GiB costs nothing: its size is looked at first.
    let huge = std::fs::OpenOptions::new().write(true).open(&medium).unwrap();
    huge.set_len(100 << 30).unwrap();
    assert!(matches!(
        receive(&medium, &quarantine, &limits()),
        Err(ReceiveError::TooLarge { .. })
    ));

    std::fs::write(&quarantine, "in use").unwrap();
    std::fs::write(&medium, pair.small()).unwrap();
    assert!(matches!(
        receive(&medium, &quarantine, &limits()),
        Err(ReceiveError::Exists(_))
    ));
    assert_eq!(std::fs::read_to_string(&quarantine).unwrap(), "in use");
    assert!(matches!(
        Received::open(&quarantine, &limits()),
        Err(ReceiveError::Preamble(PreambleError::NotABundle))
    ));
}
