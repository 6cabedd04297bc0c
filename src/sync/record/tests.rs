use super::*;
use crate::domain::decision::{About, Decision, Maker, Verdict};
use crate::domain::id::{AssetId, ProjectId, ReleaseId, RuleId};
use crate::domain::object::Revision;
use crate::domain::request::{Open, Request, Sight, Subject};

const ASSET: AssetId = AssetId(Uuid::from_u128(5));
const PROJECT: ProjectId = ProjectId(Uuid::from_u128(1));

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn request(subject: Subject) -> Body {
    Body::Request(Request::of(subject, UserId(id(3)), "to learn", None).unwrap())
}

fn decision(about: About, by: Maker) -> Body {
    Body::Decision(Decision {
        request: RequestId(id(4)),
        number: 3,
        request_revision: Revision {
            number: 1,
            digest: Hash([7; 32]),
        },
        about,
        verdict: Verdict::Deny { reason: "no".into() },
        by,
        by_name: "Olga".into(),
        on: Date::constant(2026, 11, 22),
        until: None,
    })
}

fn on_code() -> About {
    About::Code {
        code: CodeId(id(2)),
        hash: Hash([8; 32]),
        assets: vec![ASSET],
    }
}

fn on(sight: Sight) -> About {
    About::Sight {
        sight,
        revision: Some(Revision {
            number: 2,
            digest: Hash([6; 32]),
        }),
    }
}

const RUN: Subject = Subject::Run {
    project: PROJECT,
    code: CodeId(Uuid::from_u128(2)),
    runs_wanted: 2,
};

/// The digests and the stored bytes are those that nodes wrote before there were requests to see: another digest under the
/// same number would be a fork.
#[test]
fn what_ran_before_is_encoded_as_before() {
    let job = Body::Job(Job {
        request: RequestId(id(4)),
        code: Some(CodeId(id(2))),
        verdict: job::Verdict::Failed,
        on: Date::constant(2026, 11, 22),
    });
    let before = [
        (
            request(RUN),
            "c8702840d0fe997de743b0d641e650720946db1715cdfc10a27a05af7948d174",
            "6187097e38b16be90e536f0af37eb001d81a45c7db0b1893623366c5e23d9e5c",
        ),
        (
            decision(on_code(), Maker::Person(UserId(id(6)))),
            "351bcf51adc42a558481c9e45f09889fab1bb3ce74fdbc42b4d6d7e4bee163ca",
            "a21340304aa8f5c6f8ef7ea09a43f4f2cc72984b1076358189028f720de0f518",
        ),
        (
            job,
            "3f12f302dc67b844fec9bca7ddfbba9a0a83552913161768c1343724e588e448",
            "924dd49e93d418344e5f3c19e447ad255d741143b8eb8941747932099127705a",
        ),
    ];
    for (body, digest_before, stored_before) in before {
        let now = digest(id(9), NodeId(id(10)), false, &body).unwrap();
        assert_eq!(now.to_string(), digest_before, "{body:?}");
        let mut stored = Vec::new();
        ciborium::into_writer(&body, &mut stored).unwrap();
        assert_eq!(Hash::of(&stored).to_string(), stored_before, "{body:?}");
    }
}

fn crosses<D: Direction>(body: &Body) -> Body {
    let bytes = cbor::to_deterministic_vec(&D::of(body).unwrap()).unwrap();
    let mut rest = bytes.as_slice();
    ciborium::from_reader::<D, _>(&mut rest).unwrap().into_body()
}

#[test]
fn a_request_for_private_data_and_the_decision_on_it_travel() {
    let asked = request(Subject::SeePrivate {
        project: PROJECT,
        asset: ASSET,
    });
    assert_eq!(crosses::<Upward>(&asked), asked);
    for by in [Maker::Person(UserId(id(6))), Maker::Rule(RuleId(id(7)))] {
        let decided = decision(on(Sight::PrivateData(ASSET)), by);
        let told = About::Sight {
            sight: Sight::PrivateData(ASSET),
            revision: None,
        };
        assert_eq!(crosses::<Upward>(&decided), decision(told.clone(), by));
        assert_eq!(
            crosses::<Downward>(&decided),
            decision(told, by),
            "without the asset's revision"
        );
    }
}

#[test]
fn what_asks_for_open_bytes_has_no_record() {
    let release = ReleaseId(id(8));
    for open in [Open::Mock(ASSET), Open::Release(release)] {
        assert!(Upward::of(&request(Subject::SeeOpen(open))).is_err());
        let decided = decision(on(open.sight()), Maker::Person(UserId(id(6))));
        assert!(Upward::of(&decided).is_err() && Downward::of(&decided).is_err());
    }
    // It is not nothing, though: its revisions differ.
    let mock = request(Subject::SeeOpen(Open::Mock(ASSET)));
    let mut withdrawn = mock.clone();
    if let Body::Request(request) = &mut withdrawn {
        request.withdraw().unwrap();
    }
    let of = |body: &Body| digest(id(9), NodeId(id(10)), false, body).unwrap();
    assert_ne!(of(&mock), of(&withdrawn));
}

#[test]
fn a_record_for_two_things_or_none_cannot_be_read() {
    let private = request(Subject::SeePrivate {
        project: PROJECT,
        asset: ASSET,
    });
    let record = |body: &Body| serde_json::to_value(Upward::of(body).unwrap()).unwrap();
    let (run, private) = (record(&request(RUN)), record(&private));
    let mut both = run.clone();
    both["request"]["asset"] = private["request"]["asset"].clone();
    let mut neither = private.clone();
    neither["request"].as_object_mut().unwrap().remove("asset");
    let mut counting = private.clone();
    counting["request"]["runs_wanted"] = 1.into();
    let by_nobody = {
        let mut record = record(&decision(on_code(), Maker::Person(UserId(id(6)))));
        record["decision"].as_object_mut().unwrap().remove("by");
        record
    };
    for wrong in [both, neither, counting, by_nobody] {
        assert!(
            serde_json::from_value::<Upward>(wrong.clone()).is_err(),
            "{wrong}"
        );
    }
    for right in [run, private] {
        assert!(serde_json::from_value::<Upward>(right).is_ok());
    }
}
