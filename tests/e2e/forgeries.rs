//! Bundles under true keys that are lies, or come from the wrong hands: each is refused with its own word.

use ciborium::Value as Cbor;
use poundlock::domain::id::{CodeId, ProjectId, UserId};
use poundlock::domain::object::Body;
use poundlock::domain::project::Project;
use poundlock::domain::request::{Request, Subject};
use poundlock::sync::record::Upward;
use poundlock_transport::{BlobHash, Direction, Side, craft};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::forge::{self, Outsider, Parts, at, changed, id, id_of, keys, with};
use crate::person::word;
use crate::stage::{Stage, stranger_project};
use crate::watch::Watch;
use crate::world::{inbox, review, text};

#[test]
fn bundles_of_the_wrong_hands_are_refused() {
    let stage = Stage::new();
    let (watch, parts) = (stage.watch(), stage.parts());
    let next = parts.next(|_| {});

    let stranger = Outsider::new(Side::Low);
    let theirs = stranger.bundle(&stage.high, 1, Vec::new());
    watch.refuses("a stranger's own", &theirs, "bundle_signature");
    let passed_on = next.file(&stranger.keys, &stage.high);
    watch.refuses("passed on by a stranger", &passed_on, "bundle_signature");
    let introduced = watch
        .who
        .post_bytes("/peers", "text/plain", stranger.public().to_text().as_bytes());
    watch.refuses(
        "of one whom nobody has confirmed",
        &theirs,
        "bundle_sender_unconfirmed",
    );
    let stranger_id = text(&introduced["id"]);
    let compared = json!({"fingerprint": introduced["fingerprint"]});
    watch
        .who
        .post(&format!("/peers/{stranger_id}/confirmation"), &compared);
    watch.refuses("re-signed by another peer", &passed_on, "bundle_sender_mismatch");
    let other = Outsider::new(Side::High).public();
    let elsewhere = next.file(&stage.low, &other);
    watch.refuses("for another recipient", &elsewhere, "bundle_wrong_recipient");
    let renamed = parts.lying(|header| {
        header.recipient.node = other.node();
        header.recipient.fingerprint = other.fingerprint();
    });
    watch.refuses(
        "that names another recipient",
        &stage.signed(&renamed),
        "bundle_recipient_mismatch",
    );
    let named = parts.lying(|header| header.sender.node = stranger.keys.node());
    watch.refuses(
        "that names another sender",
        &stage.signed(&named),
        "bundle_sender_mismatch",
    );
    let turned = parts.lying(|header| header.direction = Direction::Down);
    watch.refuses(
        "that goes the wrong way",
        &stage.signed(&turned),
        "bundle_direction",
    );
    let own = std::fs::read(stage.world.export_down()).unwrap();
    watch.refuses("its own, sent back", &own, "bundle_own");
    let both = craft::age_file(&craft::compressed_stream(&next.plain()), &[&stage.high, &other]);
    watch.refuses(
        "for two recipients",
        &craft::signed_file(&both, &stage.low),
        "bundle_age_header",
    );

    // What another low node sends is its own, or refused.
    refuses_anothers_things(&stage, &stranger);

    // Revoked: nothing more of it, and what waits cannot be applied.
    let mine = stranger_project(&stranger, "Mine");
    let (project, user) = (id_of(&mine[1]), id_of(&mine[0]));
    watch.accepts("a peer's own", &stranger.bundle(&stage.high, 1, mine), "received");
    let waiting = inbox(watch.who, &stranger_id);
    assert_eq!(waiting.len(), 1, "{waiting:#?}");
    watch.who.delete(&format!("/peers/{stranger_id}"));
    let late = watch.who.try_post(
        &format!("/peers/{stranger_id}/inbox/apply"),
        &review(&waiting.iter().collect::<Vec<_>>()),
    );
    assert_eq!((late.0, word(&late)), (409, "peer_revoked"), "{:#}", late.1);
    for gone in [format!("/projects/{project}"), format!("/users/{user}")] {
        assert_eq!(watch.who.try_get(&gone).0, 404);
    }
    let more = stranger.bundle(&stage.high, 2, stranger_project(&stranger, "More"));
    watch.refuses("of a peer that was revoked", &more, "bundle_sender_revoked");
}

fn refuses_anothers_things(stage: &Stage, stranger: &Outsider) {
    let (watch, parts, home) = (stage.watch(), stage.parts(), stranger.keys.node());
    let (_, request) = parts.record("request");
    let stolen = vec![request.clone()];
    watch.refuses(
        "another's request",
        &stranger.bundle(&stage.high, 1, stolen),
        "bundle_home_elsewhere",
    );
    let claimed = vec![with(&request, &["home"], id(home))];
    let known = watch.refuses(
        "another's request as its own",
        &stranger.bundle(&stage.high, 1, claimed),
        "bundle_foreign_reference",
    );
    assert!(text(&known["detail"]).contains(&stage.project) || text(&known["detail"]).contains(&stage.code));
    let project = Uuid::parse_str(&stage.project).unwrap();
    let body = Project::new("Taken over", "", UserId(Uuid::now_v7()), &[]).unwrap();
    let over = forge::record::<Upward>(home, project, 9, project, &Body::Project(body));
    watch.refuses(
        "a project under another's id",
        &stranger.bundle(&stage.high, 1, vec![over]),
        "bundle_home_elsewhere",
    );
    let own = Uuid::now_v7();
    let asks = Request {
        subject: Subject::Run {
            project: ProjectId(project),
            code: CodeId(Uuid::parse_str(&stage.code).unwrap()),
            runs_wanted: 1,
        },
        requester: UserId(Uuid::now_v7()),
        reason: "to run what another wrote".to_owned(),
        withdrawn: false,
        predecessor: None,
        signature: None,
    };
    let asks = forge::record::<Upward>(home, own, 1, own, &Body::Request(asks));
    watch.refuses(
        "a request in another's project",
        &stranger.bundle(&stage.high, 1, vec![asks]),
        "bundle_foreign_reference",
    );
    // A mock that another node brought: whether it is here is not told.
    let (_, asset) = parts.record("asset");
    let (_, dataset) = parts.record("dataset");
    let (dataset_id, asset_id) = (Uuid::now_v7(), Uuid::now_v7());
    let dataset = changed(&dataset, |value| {
        for (path, to) in [("id", dataset_id), ("home", home), ("root", dataset_id)] {
            *at(value, &[path]) = id(to);
        }
    });
    let asset = changed(&asset, |value| {
        for (path, to) in [("id", asset_id), ("home", home), ("root", dataset_id)] {
            *at(value, &[path]) = id(to);
        }
        *at(value, &["body", "asset", "dataset"]) = id(dataset_id);
    });
    watch.refuses(
        "an asset whose mock only another has brought",
        &stranger.bundle(&stage.high, 1, vec![dataset, asset]),
        "bundle_blob_missing",
    );
}

#[test]
fn bundles_that_lie_about_themselves_are_refused() {
    let stage = Stage::new();
    let (watch, parts) = (stage.watch(), stage.parts());
    let counted = |change: &dyn Fn(&mut poundlock_transport::Contents)| {
        stage.signed(&parts.lying(|header| change(&mut header.outgoing.contents)))
    };
    let lies: [(&str, &dyn Fn(&mut poundlock_transport::Contents), &str); 9] = [
        ("a record too many", &|c| c.records += 1, "bundle_counts"),
        ("a record too few", &|c| c.records -= 1, "bundle_counts"),
        (
            "too few bytes of records",
            &|c| c.record_bytes -= 1,
            "bundle_counts",
        ),
        ("a blob too few", &|c| c.blobs -= 1, "bundle_counts"),
        ("too many bytes of blobs", &|c| c.blob_bytes += 1, "bundle_counts"),
        ("a million records", &|c| c.records = 1_000_001, "bundle_limit"),
        ("a sea of records", &|c| c.record_bytes = 1 << 32, "bundle_limit"),
        (
            "more than any bundle holds",
            &|c| c.blob_bytes = u64::MAX,
            "bundle_limit",
        ),
        (
            "more than the disk holds",
            &|c| c.blob_bytes = free_bytes() + (1 << 30),
            "bundle_no_space",
        ),
    ];
    for (what, lie, expected) in lies {
        if expected == "bundle_no_space" && free_bytes() > 126 << 30 {
            continue;
        }
        watch.refuses(what, &counted(lie), expected);
    }
    for (what, plain, expected) in false_streams(&parts) {
        watch.refuses(what, &craft::bundle_of(&plain, &stage.low, &stage.high), expected);
    }
    let long = stage.replacing("project", |record| {
        with(record, &["body", "project", "description"], "x".repeat(70_000))
    });
    watch.refuses("a body that is too large", &long, "bundle_limit");
    refuses_false_blobs(&stage);
}

fn free_bytes() -> u64 {
    let stat = nix::sys::statvfs::statvfs(&std::env::temp_dir()).unwrap();
    stat.blocks_available() * stat.fragment_size()
}

/// Plain streams that are not what they say.
fn false_streams(parts: &Parts) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let next = parts.next(|_| {});
    let plain = next.plain();
    let header = craft::header_item(&next.header);
    let trailer = craft::trailer_item(next.header.outgoing.contents, [3; 32]);
    let body = &plain[header.len()..plain.len() - trailer.len()];
    let spoilt = |middle: Vec<Vec<u8>>| {
        let middle = middle.concat();
        [&header[..], &middle, &plain[header.len()..]].concat()
    };
    let more = changed(&header[2..], |value| {
        value
            .as_map_mut()
            .unwrap()
            .push((Cbor::from("colour"), Cbor::from("green")));
    });
    let newer = [&header[..2], &more, &plain[header.len()..]].concat();
    let false_trailer = [&header[..], body, &trailer].concat();
    let loose = craft::record_item(&[0xBF, 0xFF]);
    let twice = craft::record_item(&[0xA2, 1, 1, 1, 2]);
    vec![
        (
            "an item of unknown kind",
            spoilt(vec![vec![0x82, 7, 0]]),
            "bundle_item_unknown",
        ),
        ("a header with an unknown field", newer, "bundle_header"),
        ("a trailer with another hash", false_trailer, "bundle_trailer"),
        (
            "a record of indefinite length",
            spoilt(vec![loose]),
            "bundle_record_malformed",
        ),
        (
            "a key that occurs twice",
            spoilt(vec![twice]),
            "bundle_record_malformed",
        ),
        ("a second header", spoilt(vec![header.clone()]), "bundle_contents"),
        (
            "bytes after the trailer",
            [&plain[..], &[0]].concat(),
            "bundle_trailing_data",
        ),
        ("nothing after the header", header.clone(), "bundle_truncated"),
        ("no header", plain[header.len()..].to_vec(), "bundle_contents"),
    ]
}

fn refuses_false_blobs(stage: &Stage) {
    let (watch, parts) = (stage.watch(), stage.parts());
    let (place, asset) = parts.record("asset");
    let blob = parts.blobs[0].clone();
    let unnamed = parts.next(|next| next.blobs.push(b"a passenger".to_vec()));
    watch.refuses(
        "a blob that no record names",
        &stage.signed(&unnamed),
        "bundle_blob_unnamed",
    );
    let elsewhere = BlobHash::of(b"not here");
    let missing = parts.next(|next| {
        let number = &["number"];
        let named = with(&asset, number, 9);
        next.records[place] = with(
            &named,
            &["body", "asset", "mock", "blob"],
            Cbor::Bytes(elsewhere.as_bytes().to_vec()),
        );
        next.blobs.clear();
    });
    watch.refuses(
        "a blob that is not there",
        &stage.signed(&missing),
        "bundle_blob_missing",
    );
    // Its epoch comes first: to export with --full would mend nothing.
    let mut left_behind = missing.clone();
    left_behind.header.outgoing.sender_epoch = Uuid::new_v4();
    let left_behind = stage.signed(&left_behind);
    watch
        .who
        .try_post_bytes("/imports", "application/octet-stream", &left_behind);
    // Once the epoch is remembered, the same changes nothing.
    watch.refuses(
        "a blob that is not there, in another epoch",
        &left_behind,
        "bundle_epoch_unconfirmed",
    );
    let short = parts.next(|next| {
        next.records[place] = with(
            &with(&asset, &["number"], 9),
            &["body", "asset", "mock", "length"],
            5,
        );
        next.blobs.clear();
    });
    watch.refuses(
        "another length than the blob here has",
        &stage.signed(&short),
        "bundle_blob_missing",
    );
    let next = parts.next(|_| {});
    let mut plain = next.plain();
    let start = plain
        .windows(blob.len())
        .position(|window| window == blob)
        .unwrap();
    plain[start] ^= 1;
    let spoilt = craft::bundle_of(&plain, &stage.low, &stage.high);
    watch.refuses("a blob with other bytes", &spoilt, "bundle_blob_differs");
}

#[test]
fn records_that_no_honest_node_writes_are_refused() {
    let stage = Stage::new();
    let watch = stage.watch();
    let renamed = |kind: &str, to: &str| {
        let to = to.to_owned();
        stage.replacing(kind, move |record| {
            changed(record, |value| {
                at(value, &["body"]).as_map_mut().unwrap()[0].0 = Cbor::from(to)
            })
        })
    };
    let set = |kind: &str, path: &[&str], to: Cbor| stage.replacing(kind, |record| with(record, path, to));
    let newer = |kind: &'static str, path: &'static [&'static str], to: Cbor| {
        stage.replacing(kind, move |record| with(&with(record, &["number"], 9), path, to))
    };
    let other = Uuid::now_v7();
    let unknown_field = stage.replacing("project", |record| {
        changed(record, |value| {
            let body = at(value, &["body", "project"]).as_map_mut().unwrap();
            body.push((Cbor::from("colour"), Cbor::from("green")));
        })
    });
    let missing_field = stage.replacing("project", |record| {
        changed(record, |value| {
            at(value, &["body", "project"]).as_map_mut().unwrap().pop();
        })
    });
    let project = id(Uuid::parse_str(&stage.project).unwrap());
    let code = "code_with_a_false_hash";
    let cases = [
        (
            "an unknown kind",
            renamed("project", "poem"),
            "bundle_record_unreadable",
        ),
        (
            "a kind that only goes down",
            renamed("request", "job"),
            "bundle_record_unreadable",
        ),
        ("an unknown field", unknown_field, "bundle_record_unreadable"),
        ("a missing field", missing_field, "bundle_record_unreadable"),
        (
            "a home elsewhere",
            set("request", &["home"], id(other)),
            "bundle_home_elsewhere",
        ),
        (
            "the receiver's own home",
            set("request", &["home"], id(stage.high.node())),
            "bundle_home_elsewhere",
        ),
        (
            "revision 0",
            set("request", &["number"], 0.into()),
            "bundle_object_invalid",
        ),
        (
            "a revision past all counting",
            set("request", &["number"], u64::MAX.into()),
            "bundle_object_invalid",
        ),
        (
            "another batch",
            set("request", &["root"], id(other)),
            "bundle_other_batch",
        ),
        (
            "another kind under a known id",
            stage.replacing("request", |record| {
                with(
                    &with(record, &["id"], project.clone()),
                    &["root"],
                    project.clone(),
                )
            }),
            "bundle_other_kind",
        ),
        (
            "a known revision with another text",
            set("project", &["body", "project", "description"], "other".into()),
            "bundle_object_fork",
        ),
        (
            code,
            newer(
                "code",
                &["body", "code", "source"],
                "def means(table): return table".into(),
            ),
            "bundle_code_hash",
        ),
        (
            "an empty reason",
            newer("request", &["body", "request", "reason"], "".into()),
            "bundle_object_invalid",
        ),
        (
            "a name that misleads the eye",
            newer(
                "project",
                &["body", "project", "name"],
                "safe\u{202E}elcycib".into(),
            ),
            "bundle_object_invalid",
        ),
        (
            "a policy that allows no run",
            newer(
                "code",
                &["body", "code", "output_policy"],
                Cbor::Map(vec![("execute_count".into(), 0.into())]),
            ),
            "bundle_code_hash",
        ),
    ];
    for (what, bundle, expected) in cases {
        watch.refuses(what, &bundle, expected);
    }
    refuses_answers_to_others(&stage);
}

/// The other way: what comes down must answer this node's own requests.
fn refuses_answers_to_others(stage: &Stage) {
    let world = &stage.world;
    let watch = Watch {
        node: &world.low,
        who: &world.low_owner,
    };
    world.decide(&stage.request, "deny", Some("not now"));
    let down = world.export_down();
    let parts = Parts::open(&down, &stage.high, &keys(&world.low));
    let high = keys(&world.high);
    let (_, decision) = parts.record("decision");
    let project = Uuid::parse_str(&stage.project).unwrap();
    let about = |what: Uuid| {
        let turned = changed(&decision, |value| {
            *at(value, &["root"]) = id(what);
            *at(value, &["body", "decision", "request"]) = id(what);
        });
        parts
            .next(|next| next.records = vec![turned])
            .file(&high, &stage.low_public)
    };
    watch.refuses(
        "an answer to what is no request",
        &about(project),
        "bundle_foreign_reference",
    );
    let (_, request) = stage.parts().record("request");
    let own = parts.next(|next| next.records = vec![with(&request, &["home"], id(high.node()))]);
    watch.refuses(
        "a request from above",
        &own.file(&high, &stage.low_public),
        "bundle_record_unreadable",
    );
    // One that is not here, such as another low node's: it cannot be applied, and says what it waits for.
    let unknown = Uuid::now_v7();
    watch.accepts(
        "an answer to a request that is not here",
        &about(unknown),
        "received",
    );
    let waiting = inbox(watch.who, &world.high_id);
    assert_eq!(waiting[0]["waits_for"], json!([unknown]), "{waiting:#?}");
    let path = format!("/peers/{}/inbox/apply", world.high_id);
    let applied = watch
        .who
        .try_post(&path, &review(&waiting.iter().collect::<Vec<&Value>>()));
    assert_eq!((applied.0, word(&applied)), (409, "waits"), "{:#}", applied.1);
}
