//! Paired nodes and keyless couriers who take bundles apart and put them together anew.

use poundlock_transport::{Contents, Direction, Side, UnpackError, craft, receive};

use crate::support::*;

/// A second low node, paired as well, puts its own signature on the first one's bundle.
#[test]
fn another_paired_node_cannot_pass_a_bundle_off_as_its_own() {
    let pair = Pair::new();
    let other = node(Side::Low);
    let age = pair.small()[76..].to_vec();
    let medium = pair.path("m");
    std::fs::write(&medium, craft::signed_file(&age, &other)).unwrap();
    let received = receive(&medium, &pair.path("q"), &limits()).unwrap();
    let verified = received.verify(&[&public(&pair.low), &public(&other)]).unwrap();
    assert_eq!(verified.signer(), &public(&other));
    let mut kept = Kept::default();
    let error = verified.unpack(&pair.high, &limits(), &mut kept).unwrap_err();
    assert!(matches!(error, UnpackError::SenderMismatch));
    assert_eq!(kept, Kept::default(), "the sink saw nothing");
}

/// The sender seals to the wrong node what names another, or a recipient passes on what was meant for it.
#[test]
fn a_bundle_for_somebody_else_is_refused() {
    let pair = Pair::new();
    let third = node(Side::High);
    let plain = craft::plain_stream(&pair.header(Contents::default()), &[], &[]);
    let medium = pair.path("m");
    std::fs::write(&medium, craft::bundle_of(&plain, &pair.low, &public(&third))).unwrap();
    let verify = |quarantine: &str| {
        receive(&medium, &pair.path(quarantine), &limits())
            .unwrap()
            .verify(&[&public(&pair.low)])
            .unwrap()
    };
    let error = verify("q1")
        .unpack(&third, &limits(), &mut Kept::default())
        .unwrap_err();
    assert!(matches!(error, UnpackError::RecipientMismatch));
    let error = verify("q2")
        .unpack(&pair.high, &limits(), &mut Kept::default())
        .unwrap_err();
    assert!(matches!(error, UnpackError::WrongRecipient));
}

/// A header of the wrong direction, or between nodes of one side.
#[test]
fn the_direction_must_be_the_one_between_the_sides() {
    let pair = Pair::new();
    let mut header = pair.header(Contents::default());
    header.direction = Direction::Down;
    let error = pair
        .unpack_plain(&craft::plain_stream(&header, &[], &[]))
        .unwrap_err();
    assert!(matches!(error, UnpackError::DirectionMismatch));
}

/// A rotated key signs as the same node, but its fingerprint is another.
#[test]
fn the_fingerprint_counts_and_not_the_node_alone() {
    let pair = Pair::new();
    let rotated = poundlock_transport::NodeIdentity::generate(pair.low.node(), Side::Low).unwrap();
    let plain = craft::plain_stream(&pair.header(Contents::default()), &[], &[]);
    let medium = pair.path("m");
    std::fs::write(&medium, craft::bundle_of(&plain, &rotated, &public(&pair.high))).unwrap();
    let verified = receive(&medium, &pair.path("q"), &limits())
        .unwrap()
        .verify(&[&public(&rotated)])
        .unwrap();
    let error = verified
        .unpack(&pair.high, &limits(), &mut Kept::default())
        .unwrap_err();
    assert!(matches!(error, UnpackError::SenderMismatch));
}
