//! A paired node that turned hostile: its signature holds, and everything below it is as bad as it likes.

use std::io::Write;
use std::time::Instant;

use poundlock_transport::craft;
use poundlock_transport::{
    AgeHeaderError, BlobHash, CHUNK_BYTES, Contents, FrameError, Limits, Refusal, Sink,
};
use poundlock_transport::{HeaderError, UnpackError, cbor::CborError};

use crate::support::*;

const ONE: &[u8] = b"\x63one";

fn refused(pair: &Pair, plain: &[u8]) -> UnpackError {
    pair.unpack_plain(plain).expect_err("must be refused")
}

/// Header, items, and a trailer with the hash of header and items.
fn plain(pair: &Pair, contents: Contents, items: &[u8]) -> Vec<u8> {
    let start = [craft::header_item(&pair.header(contents)), items.to_vec()].concat();
    let hash = *blake3::hash(&start).as_bytes();
    [start, craft::trailer_item(contents, hash)].concat()
}

#[test]
fn crafted_bundles_are_taken_when_they_are_right() {
    let pair = Pair::new();
    let blob = noise(1, CHUNK_BYTES + 5);
    let header = pair.header(contents(&[ONE], &[&blob]));
    let (_, kept) = pair
        .unpack_plain(&craft::plain_stream(&header, &[ONE], &[&blob]))
        .unwrap();
    assert_eq!(
        (kept.records.as_slice(), kept.blobs[0].1.as_slice()),
        (&[ONE.to_vec()][..], &blob[..])
    );
}

#[test]
fn headers_and_trailers_that_lie() {
    let pair = Pair::new();
    let two = contents(&[ONE, ONE], &[]);
    let one = contents(&[ONE], &[]);
    let item = craft::record_item(ONE);
    assert!(pair.unpack_plain(&plain(&pair, one, &item)).is_ok());
    assert!(matches!(
        refused(&pair, &plain(&pair, two, &item)),
        UnpackError::Counts
    ));
    assert!(matches!(
        refused(&pair, &plain(&pair, one, &item.repeat(2))),
        UnpackError::MoreThanDeclared
    ));
    let fewer_bytes = Contents {
        record_bytes: 3,
        ..one
    };
    assert!(matches!(
        refused(&pair, &plain(&pair, fewer_bytes, &item)),
        UnpackError::MoreThanDeclared
    ));
    let more_bytes = Contents {
        record_bytes: 5,
        ..one
    };
    assert!(matches!(
        refused(&pair, &plain(&pair, more_bytes, &item)),
        UnpackError::Counts
    ));

    let start = [craft::header_item(&pair.header(one)), item].concat();
    let hash = *blake3::hash(&start).as_bytes();
    let lying = [&start[..], &craft::trailer_item(two, hash)].concat();
    assert!(matches!(refused(&pair, &lying), UnpackError::Counts));
    let lying = [&start[..], &craft::trailer_item(one, [0; 32])].concat();
    assert!(matches!(refused(&pair, &lying), UnpackError::TrailerHash));
    let right = [&start[..], &craft::trailer_item(one, hash)].concat();
    assert!(matches!(
        refused(&pair, &[&right[..], &[0xf6]].concat()),
        UnpackError::TrailingData
    ));
    assert!(matches!(
        refused(&pair, &right.repeat(2)),
        UnpackError::TrailingData
    ));
    // Cut anywhere, with everything around it made to fit.
    for end in (0..right.len()).step_by(5).chain(right.len() - 60..right.len()) {
        assert!(pair.unpack_plain(&right[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn blobs_that_lie() {
    let pair = Pair::new();
    let blob = &b"blob"[..];
    let declared = contents(&[], &[blob]);
    let start = |length| craft::blob_item(&BlobHash::of(blob), length);
    let with = |items: &[&[u8]]| refused(&pair, &plain(&pair, declared, &items.concat()));
    let chunk = craft::chunk_item;
    assert!(
        pair.unpack_plain(&craft::plain_stream(&pair.header(declared), &[], &[blob]))
            .is_ok()
    );
    assert!(matches!(
        with(&[&start(4), &chunk(b"blub")]),
        UnpackError::BlobHash(_)
    ));
    assert!(matches!(
        with(&[&start(4), &chunk(b"blo")]),
        UnpackError::ChunkSize(_)
    ));
    assert!(
        matches!(
            with(&[&start(4), &chunk(b"bl"), &chunk(b"ob")]),
            UnpackError::ChunkSize(_)
        ),
        "one way to cut"
    );
    assert!(matches!(
        with(&[&start(4), &chunk(b"blobs")]),
        UnpackError::ChunkSize(_)
    ));
    assert!(matches!(with(&[&start(4)]), UnpackError::ChunkSize(_)));
    assert!(matches!(
        with(&[&start(5), &chunk(b"blobs")]),
        UnpackError::MoreThanDeclared
    ));
    assert!(matches!(
        with(&[&start(u64::MAX), &chunk(blob)]),
        UnpackError::Limit { .. }
    ));
    assert!(matches!(with(&[&chunk(blob)]), UnpackError::Order(_)));
    // Not the shortest form of the length.
    assert!(matches!(
        with(&[&start(4), &[0x82, 3, 0x58, 4], blob]),
        UnpackError::Item(CborError::NotShortest)
    ));
    assert!(matches!(
        with(&[&start(4)[..36], &[0x18, 4], &chunk(blob)]),
        UnpackError::Item(CborError::NotShortest)
    ));

    let (a, b) = (sorted(&[b"aa", b"bb"])[0], sorted(&[b"aa", b"bb"])[1]);
    let both = contents(&[], &[a, b]);
    let order = |first, second| {
        plain(
            &pair,
            both,
            &[craft::blob_items(first), craft::blob_items(second)].concat(),
        )
    };
    assert!(matches!(refused(&pair, &order(b, a)), UnpackError::Order(_)));
    assert!(matches!(refused(&pair, &order(a, a)), UnpackError::Order(_)));
    let mixed = contents(&[ONE], &[a]);
    let late = [craft::blob_items(a), craft::record_item(ONE)].concat();
    assert!(matches!(
        refused(&pair, &plain(&pair, mixed, &late)),
        UnpackError::Order(_)
    ));
}

#[test]
fn records_in_any_other_encoding() {
    let pair = Pair::new();
    let deep = [vec![0x81; 17], vec![0]].concat();
    let cases: &[(&[u8], CborError)] = &[
        (&[0xa2, 0x61, b'a', 1, 0x61, b'a', 2], CborError::DuplicateKey),
        (&[0xa2, 0x61, b'b', 1, 0x61, b'a', 2], CborError::KeysOutOfOrder),
        (&[0x18, 0x01], CborError::NotShortest),
        (&[0x9f, 0x01, 0xff], CborError::Indefinite),
        (&[0xf9, 0x3c, 0x00], CborError::Float),
        (&[0xc0, 0x60], CborError::Tag),
        (&[0xf7], CborError::Simple),
        (&[0x61, 0xff], CborError::NotUtf8),
        (&deep, CborError::TooDeep),
    ];
    for (payload, expected) in cases {
        let items = craft::record_item(payload);
        match refused(&pair, &plain(&pair, contents(&[payload], &[]), &items)) {
            UnpackError::Record(error) => assert_eq!(error, *expected),
            other => panic!("{payload:x?}: {other}"),
        }
    }
    // Depth without end, and lengths beyond the stream.
    let bottomless = craft::record_item(&[0x81; 10_000]);
    assert!(matches!(
        refused(
            &pair,
            &plain(
                &pair,
                Contents {
                    records: 1,
                    record_bytes: 1 << 30,
                    ..Contents::default()
                },
                &bottomless
            )
        ),
        UnpackError::Record(CborError::TooDeep)
    ));
    let endless = [0x5b, 0, 0, 0, 1, 0, 0, 0, 0];
    let plenty = Contents {
        records: 1,
        record_bytes: 1 << 33,
        ..Contents::default()
    };
    assert!(matches!(
        refused(&pair, &plain(&pair, plenty, &craft::record_item(&endless))),
        UnpackError::Truncated
    ));
    // A record of the format's maximum passes, a longer one does not.
    let sized = |n: usize| {
        [
            &[0x5a][..],
            &u32::try_from(n - 5).unwrap().to_be_bytes(),
            &vec![7; n - 5],
        ]
        .concat()
    };
    let most = sized(256 << 10);
    assert!(
        pair.unpack_plain(&plain(&pair, contents(&[&most], &[]), &craft::record_item(&most)))
            .is_ok()
    );
    let over = sized((256 << 10) + 1);
    let error = refused(
        &pair,
        &plain(&pair, contents(&[&over], &[]), &craft::record_item(&over)),
    );
    assert!(matches!(error, UnpackError::ItemTooLarge(_)));
}

#[test]
fn unknown_items_and_keys_ask_for_an_update() {
    let pair = Pair::new();
    let none = Contents::default();
    assert!(matches!(
        refused(&pair, &plain(&pair, none, &[0x82, 5, 0])),
        UnpackError::UnknownItem(5)
    ));
    assert!(matches!(
        refused(&pair, &plain(&pair, none, &[0x82, 0x18, 99, 0])),
        UnpackError::UnknownItem(99)
    ));
    assert!(matches!(
        refused(&pair, &plain(&pair, none, &[0x83, 1, 0, 0])),
        UnpackError::UnknownItem(1)
    ));
    for other in [&[0xf6][..], &[0x80], &[0xa0], &[0x82, 0x61, b'x', 0]] {
        assert!(
            matches!(refused(&pair, &plain(&pair, none, other)), UnpackError::Order(_)),
            "{other:x?}"
        );
    }
    // A header with one more key; the count of keys is in the third byte.
    let mut header = craft::header_item(&pair.header(none));
    assert_eq!(header[2], 0xae);
    header[2] = 0xaf;
    header.extend(b"\x78\x18zzzzzzzzzzzzzzzzzzzzzzzz\x00");
    assert!(matches!(refused(&pair, &header), UnpackError::Header(_)));
    assert!(
        matches!(refused(&pair, &[0x82, 1, 0]), UnpackError::Order(_)),
        "no header"
    );
    assert!(matches!(
        refused(&pair, &[]),
        UnpackError::Truncated | UnpackError::Frames(_)
    ));
    let second = craft::header_item(&pair.header(none));
    assert!(matches!(
        refused(&pair, &plain(&pair, none, &second)),
        UnpackError::Order(_)
    ));
}

#[test]
fn headers_that_contradict_themselves() {
    let pair = Pair::new();
    let check = |change: &dyn Fn(&mut poundlock_transport::Header)| {
        let mut header = pair.header(Contents::default());
        change(&mut header);
        refused(&pair, &craft::plain_stream(&header, &[], &[]))
    };
    let rule = |error: UnpackError| match error {
        UnpackError::HeaderRule(rule) => rule,
        other => panic!("{other}"),
    };
    assert_eq!(rule(check(&|h| h.format = 2)), HeaderError::Format(2));
    assert_eq!(
        rule(check(&|h| h.outgoing.base = 10)),
        HeaderError::BasePastPosition
    );
    assert_eq!(
        rule(check(&|h| h.recipient.node = h.sender.node)),
        HeaderError::SameNode
    );
    assert_eq!(
        rule(check(&|h| h.outgoing.acknowledgement.highest = 3)),
        HeaderError::Acknowledgement
    );
}

#[test]
fn limits_hold_whatever_is_declared() {
    let pair = Pair::new();
    let blob = vec![0; 3 * CHUNK_BYTES];
    let written = pair.write("a.plk", &[ONE, ONE], &[&blob], 1);
    let limit = |limits: Limits| match pair.take(&written.path, &limits).unwrap_err() {
        Step::Unpack(error) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        limit(Limits {
            records: 1,
            ..limits()
        }),
        UnpackError::Limit { what: "records", .. }
    ));
    assert!(matches!(
        limit(Limits { blobs: 0, ..limits() }),
        UnpackError::Limit { what: "blobs", .. }
    ));
    assert!(matches!(
        limit(Limits {
            plain_bytes: 2 << 20,
            ..limits()
        }),
        UnpackError::Limit { .. } | UnpackError::Frames(FrameError::TooLarge(_))
    ));
    assert!(matches!(
        limit(Limits {
            blob_bytes: 2 << 20,
            ..limits()
        }),
        UnpackError::Limit { .. }
    ));
    assert!(matches!(
        limit(Limits {
            record_bytes: 3,
            ..limits()
        }),
        UnpackError::ItemTooLarge(3)
    ));
}

/// 32,785 bytes that expand to 1 GiB, in place of the frames.
#[test]
fn bombs_do_not_go_off() {
    let pair = Pair::new();
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    let zeros = vec![0; CHUNK_BYTES];
    (0..1024).for_each(|_| encoder.write_all(&zeros).unwrap());
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 40_000);
    let start = Instant::now();
    for frames in [bomb.clone(), zstd::stream::encode_all(&bomb[..], 3).unwrap()] {
        let age = craft::age_file(&craft::with_padding(frames), &[&public(&pair.high)]);
        let error = pair
            .unpack_file(&craft::signed_file(&age, &pair.low))
            .unwrap_err();
        assert!(matches!(error, UnpackError::Frames(_)), "{error}");
    }
    assert!(start.elapsed().as_secs() < 10, "no time was spent on expanding");
}

#[test]
fn hostile_age_headers_are_refused_fast() {
    let pair = Pair::new();
    let megabyte = format!(
        "age-encryption.org/v1\n-> x-grease\n{}",
        format!("{}\n", "A".repeat(64)).repeat(16 << 10)
    );
    let file = craft::signed_file(megabyte.as_bytes(), &pair.low);
    let start = Instant::now();
    assert!(matches!(
        pair.unpack_file(&file),
        Err(UnpackError::AgeHeader(AgeHeaderError::TooLarge))
    ));
    // Copying and hashing it included; age's own parser takes 16 seconds.
    assert!(start.elapsed().as_millis() < 2000, "{:?}", start.elapsed());

    let scrypt = b"age-encryption.org/v1\n-> scrypt rF0/NwblUHHTpgQgRpe5CQ 22\ngUjEymFKMVXQEKdMMHL24oYexjE3TIC0O0zGSqJ2aUY\n--- IXXJ0sQhk3U8fQ0XyqQYSgd4i8fJCRm9sEz0R9Hnq4g\n";
    let file = craft::signed_file(scrypt, &pair.low);
    assert!(matches!(
        pair.unpack_file(&file),
        Err(UnpackError::AgeHeader(AgeHeaderError::Passphrase))
    ));
    let two = craft::age_file(
        &craft::compressed_stream(b""),
        &[&public(&pair.high), &public(&pair.low)],
    );
    let error = pair
        .unpack_file(&craft::signed_file(&two, &pair.low))
        .unwrap_err();
    assert!(matches!(
        error,
        UnpackError::AgeHeader(AgeHeaderError::Recipients(2))
    ));
    let armored = b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n";
    let error = pair
        .unpack_file(&craft::signed_file(armored, &pair.low))
        .unwrap_err();
    assert!(matches!(error, UnpackError::AgeHeader(AgeHeaderError::Armored)));
}

/// age gives plaintext out before it has seen the last chunk. A file cut or damaged before it was signed must fail
/// although everything in it seems to be there.
#[test]
fn damage_from_before_the_signature() {
    let pair = Pair::new();
    let header = pair.header(contents(&[], &[&noise(1, 300_000)]));
    let whole = craft::plain_stream(&header, &[], &[&noise(1, 300_000)]);
    let age = craft::age_file(&craft::compressed_stream(&whole), &[&public(&pair.high)]);
    let sign = |age: &[u8]| pair.unpack_file(&craft::signed_file(age, &pair.low));
    assert!(sign(&age).is_ok());
    for cut in [1, 16, 17, 65_536, 65_552, 70_000, age.len() - 100] {
        let error = sign(&age[..age.len() - cut]).unwrap_err();
        assert!(
            matches!(
                error,
                UnpackError::Truncated | UnpackError::Decrypt | UnpackError::AgeHeader(_)
            ),
            "{cut}: {error}"
        );
    }
    for at in [age.len() - 1, age.len() - 20_000, age.len() / 2] {
        let mut bad = age.clone();
        bad[at] ^= 1;
        assert!(matches!(sign(&bad), Err(UnpackError::Decrypt)), "{at}");
    }
    assert!(sign(&[&age[..], &[0]].concat()).is_err());
}

/// The sink's refusal comes back as it is, and ends the pass at once.
#[test]
fn a_sink_may_refuse_at_any_point() {
    #[derive(Debug, thiserror::Error)]
    #[error("not wanted")]
    struct NotWanted;
    struct Refusing(usize);
    impl Refusing {
        fn step(&mut self) -> Result<(), Refusal> {
            self.0 = self.0.checked_sub(1).ok_or(NotWanted)?;
            Ok(())
        }
    }
    impl Sink for Refusing {
        fn header(&mut self, _: &poundlock_transport::Header) -> Result<(), Refusal> {
            self.step()
        }
        fn record(&mut self, _: &[u8]) -> Result<(), Refusal> {
            self.step()
        }
        fn blob_start(&mut self, _: &BlobHash, _: u64) -> Result<(), Refusal> {
            self.step()
        }
        fn blob_bytes(&mut self, _: &[u8]) -> Result<(), Refusal> {
            self.step()
        }
        fn blob_end(&mut self, _: &BlobHash) -> Result<(), Refusal> {
            self.step()
        }
    }
    let pair = Pair::new();
    let written = pair.write("a.plk", &[ONE], &[&noise(1, 3 << 20)], 2);
    let received = poundlock_transport::receive(&written.path, &pair.path("q"), &limits()).unwrap();
    let verified = received.verify(&[&public(&pair.low)]).unwrap();
    for steps in 0..6 {
        match verified.unpack(&pair.high, &limits(), &mut Refusing(steps)) {
            Err(UnpackError::Refused(reason)) => assert!(reason.downcast_ref::<NotWanted>().is_some()),
            other => panic!("{steps}: {other:?}"),
        }
    }
}
