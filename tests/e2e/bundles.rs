//! Bundles that came to harm on their way, or out of order: refused where they must be, and not where they need not be.

use poundlock_transport::{ChainHead, NodeIdentity, Side, craft};
use serde_json::json;
use uuid::Uuid;

use crate::forge::Outsider;
use crate::person::word;
use crate::stage::{Stage, stranger_project};
use crate::world::{apply_all, text};

#[test]
fn bundles_damaged_on_their_way_are_refused() {
    let stage = Stage::new();
    let (watch, whole) = (stage.watch(), std::fs::read(&stage.second).unwrap());
    let middle = whole.len() / 2;
    let flips = [
        (0, "bundle_not_one"),
        (7, "bundle_format_unknown"),
        (10, "bundle_not_one"),
        (12, "bundle_signature"),
        (44, "bundle_signature"),
        (75, "bundle_signature"),
        (76, "bundle_signature"),
        (120, "bundle_signature"),
        (300, "bundle_signature"),
        (middle, "bundle_signature"),
        (whole.len() - 1, "bundle_signature"),
    ];
    for (place, expected) in flips {
        for bit in [0, 5] {
            let mut damaged = whole.clone();
            damaged[place] ^= 1 << bit;
            watch.refuses(&format!("bit {bit} of byte {place} flipped"), &damaged, expected);
        }
    }
    for (length, expected) in [
        (0, "bundle_not_one"),
        (7, "bundle_truncated"),
        (75, "bundle_truncated"),
        (76, "bundle_signature"),
        (200, "bundle_signature"),
        (middle, "bundle_signature"),
        (whole.len() - 1, "bundle_signature"),
    ] {
        watch.refuses(&format!("cut to {length} bytes"), &whole[..length], expected);
    }
    let longer = [&whole[..], b"x"].concat();
    watch.refuses("one byte too long", &longer, "bundle_signature");
    watch.refuses(
        "no bundle at all",
        b"PK\x03\x04 an archive of something",
        "bundle_not_one",
    );

    // The same damage under a true signature: what lies behind it holds by itself.
    let age = &whole[76..];
    let chunks = age.len() - 400;
    for (what, place, expected) in [
        ("age's version", 3, "bundle_age_header"),
        ("age's first chunk", chunks, "bundle_encryption"),
        ("age's last byte", age.len() - 1, "bundle_encryption"),
    ] {
        let mut damaged = age.to_vec();
        damaged[place] ^= 1;
        watch.refuses(what, &craft::signed_file(&damaged, &stage.low), expected);
    }
    for cut in [100, age.len() - 1] {
        let cut = craft::signed_file(&age[..cut], &stage.low);
        let answer = watch
            .who
            .try_post_bytes("/imports", "application/octet-stream", &cut);
        assert_eq!(answer.0, 409, "{:#}", answer.1);
    }
    let compressed = craft::compressed_stream(&stage.parts().plain());
    let sealed = |bytes: &[u8]| craft::signed_file(&craft::age_file(bytes, &[&stage.high]), &stage.low);
    for (what, place) in [
        // The size that it declares. Damage further on may leave what the frame holds as it was, and is none then.
        ("the first frame", 5),
        ("the middle of the frames", compressed.len() / 2),
        ("the padding", compressed.len() - 1),
    ] {
        let mut damaged = compressed.clone();
        damaged[place] ^= 1;
        watch.refuses(what, &sealed(&damaged), "bundle_frames");
    }
    watch.refuses(
        "no padding",
        &sealed(&compressed[..compressed.len() - 9]),
        "bundle_truncated",
    );
    watch.refuses("a bomb", &sealed(&bomb()), "bundle_frames");
    watch.accepts("the same, whole", &whole, "received");
}

/// A frame of 33 KB that expands to 1 GiB: RLE blocks of 128 KiB (RFC 8878 §3.1.1), with its padding.
fn bomb() -> Vec<u8> {
    let size: u64 = 1 << 30;
    let mut frame = 0xFD2F_B528_u32.to_le_bytes().to_vec();
    // Eight bytes of content size, one segment, a checksum.
    frame.push(0b1110_0100);
    frame.extend(size.to_le_bytes());
    let blocks = size / (128 << 10);
    for block in 1..=blocks {
        let head = u32::from(block == blocks) | 1 << 1 | (128 << 10) << 3;
        frame.extend(&head.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame.extend([0; 4]);
    craft::with_padding(frame)
}

#[test]
fn bundles_out_of_place_are_refused_and_those_in_another_order_are_not() {
    let stage = Stage::new();
    let (watch, parts) = (stage.watch(), stage.parts());
    let placed = |sequence: u64, base: u64| {
        stage.signed(&parts.lying(|header| {
            header.outgoing.sequence = sequence.try_into().unwrap();
            header.outgoing.base = base;
            header.outgoing.position = sequence.max(base);
        }))
    };
    watch.refuses("with a gap", &placed(9, 5), "bundle_gap");
    watch.refuses("that builds on itself", &placed(2, 2), "bundle_base");
    watch.refuses("far ahead", &placed(1_000_002, 0), "bundle_jump");
    let lies: [(&str, &dyn Fn(&mut poundlock_transport::Header), &str); 6] = [
        (
            "whose base is past its end",
            &|header| header.outgoing.base = 3,
            "bundle_header_contradicts",
        ),
        (
            "that acknowledges what was never sent",
            &|header| {
                header.outgoing.acknowledgement.epoch = Some(stage.high.epoch());
                header.outgoing.acknowledgement.highest = 40;
                header.outgoing.acknowledgement.earlier = 0;
            },
            "bundle_acknowledges_unknown",
        ),
        (
            "that acknowledges in no epoch",
            &|header| {
                header.outgoing.acknowledgement.epoch = None;
                header.outgoing.acknowledgement.highest = 1;
            },
            "bundle_header_contradicts",
        ),
        (
            "that has seen another history",
            &|header| header.outgoing.audit.echo = Some(ChainHead::from_bytes([9; 32])),
            "bundle_audit_rewritten",
        ),
        (
            "of another format inside",
            &|header| header.format = 2,
            "bundle_header_contradicts",
        ),
        (
            "made for an epoch that is not this node's",
            &|header| {
                header.outgoing.recipient_epoch = Uuid::new_v4();
                header.outgoing.base = 1;
            },
            "bundle_for_another_epoch",
        ),
    ];
    for (what, lie, expected) in lies {
        watch.refuses(what, &stage.signed(&parts.lying(lie)), expected);
    }

    // A newer one first; then the one that it overtook; then both again.
    let world = &stage.world;
    world.request(&stage.project, &stage.code, "a third");
    let third = std::fs::read(world.export_up()).unwrap();
    let second = std::fs::read(&stage.second).unwrap();
    let first = std::fs::read(&stage.first).unwrap();
    watch.accepts("the third", &third, "received");
    let waiting = watch.state();
    let inbox = format!("inbox {}", world.low_id);
    let late = watch.accepts("the second after it", &second, "late");
    assert_eq!(late["brought"], 0, "{late:#}");
    let after = watch.state();
    assert_eq!(
        after[&inbox], waiting[&inbox],
        "what waits is what the newer one brought"
    );
    for list in ["requests", "projects", "blobs", "quarantine"] {
        assert_eq!(after[list], waiting[list]);
    }
    for (what, bundle) in [("first", &first), ("second", &second), ("third", &third)] {
        watch.recognises(what, bundle);
    }
    apply_all(&world.owner, &world.low_id);
    for bundle in [&first, &second, &third] {
        watch.recognises("once applied", bundle);
    }

    refuses_unknown_epochs(&stage);
}

#[test]
fn nothing_more_of_an_epoch_comes_in_once_it_has_forked() {
    let stage = Stage::new();
    let (watch, parts) = (stage.watch(), stage.parts());
    let second_first = stage.signed(&parts.lying(|header| {
        header.outgoing.sequence = 1.try_into().unwrap();
        header.outgoing.base = 0;
        header.outgoing.position = 1;
    }));
    let import = |bundle: &[u8]| {
        watch
            .who
            .try_post_bytes("/imports", "application/octet-stream", bundle)
    };
    let fork = import(&second_first);
    assert_eq!(word(&fork), "bundle_fork", "{:#}", fork.1);
    let detail = text(&fork.1["detail"]);
    let first = blake_name(&stage.first);
    assert!(detail.contains("FORK") && detail.contains(&first), "{detail}");
    let peer = watch.who.get(&format!("/peers/{}", stage.world.low_id));
    assert_eq!(peer["forked"], true, "{peer:#}");
    // What is true cannot be told from what is not any more.
    let second = std::fs::read(&stage.second).unwrap();
    watch.refuses("the honest second", &second, "bundle_after_fork");
}

fn blake_name(file: &std::path::Path) -> String {
    // Over the file but its signature: FORMAT.md.
    poundlock_transport::Received::open(file, &poundlock_transport::Limits::default())
        .unwrap()
        .hash()
        .to_string()
}

fn refuses_unknown_epochs(stage: &Stage) {
    let watch = stage.watch();
    let peer = Outsider::new(Side::Low);
    let introduced = watch
        .who
        .post_bytes("/peers", "text/plain", peer.public().to_text().as_bytes());
    let path = format!("/peers/{}", text(&introduced["id"]));
    let compared = json!({"fingerprint": introduced["fingerprint"]});
    watch.who.post(&format!("{path}/confirmation"), &compared);
    let restored = Outsider {
        epoch: Uuid::new_v4(),
        keys: NodeIdentity::load(&{
            let copy = stage.world.root.path().join("copy.key");
            peer.keys.create_file(&copy).unwrap();
            copy
        })
        .unwrap(),
    };
    let early = watch
        .who
        .try_post(&format!("{path}/epoch"), &json!({"epoch": restored.epoch}));
    assert_eq!(
        (early.0, word(&early)),
        (409, "epoch_unknown"),
        "nobody has named it"
    );
    let bundle = restored.bundle(&stage.high, 1, stranger_project(&peer, "Again"));
    let first = watch
        .who
        .try_post_bytes("/imports", "application/octet-stream", &bundle);
    assert_eq!(
        (first.0, word(&first)),
        (409, "bundle_epoch_unconfirmed"),
        "{:#}",
        first.1
    );
    assert_eq!(watch.who.get(&path)["unconfirmed_epoch"], json!(restored.epoch));
    // Once it is remembered, the same changes nothing.
    watch.refuses("of an unconfirmed epoch", &bundle, "bundle_epoch_unconfirmed");
    let before = peer.bundle(&stage.high, 1, stranger_project(&peer, "Before"));
    watch.accepts("of the epoch that still holds", &before, "received");
    watch
        .who
        .post(&format!("{path}/epoch"), &json!({"epoch": restored.epoch}));
    let retired = peer.bundle(&stage.high, 2, stranger_project(&peer, "Too late"));
    watch.refuses("of a retired epoch", &retired, "bundle_epoch_retired");
    watch.accepts("of the new epoch", &bundle, "received");
}
