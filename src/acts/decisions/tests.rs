use uuid::Uuid;

use super::*;
use crate::acts::requests::{want_another_run, withdraw};
use crate::acts::scene::*;
use crate::domain::notification::Audience;
use crate::domain::policy::OutputPolicy;
use crate::domain::request::Status;
use crate::domain::side::Side;

fn asked(scene: &Scene) -> RequestId {
    let code = scene.code(40, OutputPolicy::ExecuteCount(3));
    scene.request(50, code)
}

#[test]
fn a_decision_is_told_to_the_requester_and_to_nobody_else() {
    let scene = Scene::new(Side::High);
    let request = asked(&scene);
    let made = scene.decide(officer(), request, deny("returns rows")).unwrap();
    match made.body {
        Body::Decision(made) => {
            assert_eq!((made.number, made.by_name.as_str()), (1, "Carl"));
            match made.about {
                About::Code { assets, .. } => assert_eq!(assets, [ASSET]),
                other @ About::Sight { .. } => panic!("{other:?}"),
            }
        }
        other => panic!("{other:?}"),
    }
    let told = scene.outbox().pop().unwrap();
    assert_eq!(
        (told.event, told.audience),
        (Event::RequestDenied, Audience::Person(ada().user))
    );
    assert_eq!(scene.audited(), ["request.submitted", "request.denied"]);
}

#[test]
fn the_second_reviewer_is_told_what_the_first_did() {
    let scene = Scene::new(Side::High);
    let request = asked(&scene);
    let seen = scene.seen(request);
    scene.decide(officer(), request, deny("returns rows")).unwrap();
    let second = scene.act(move |tx, here| {
        let id = DecisionId(Uuid::from_u128(61));
        decide(tx, &owner(), here, id, request, Verdict::Approve, &seen)
    });
    match second {
        Err(Refusal::Changed { detail, difference }) => {
            assert!(detail.contains("Carl has denied"), "{detail}");
            assert_eq!(
                difference["last_decision"]["now"]["verdict"]["deny"]["reason"],
                "returns rows"
            );
            assert_eq!(difference["last_decision"]["seen"], Value::Null);
        }
        other => panic!("{other:?}"),
    }
    let view = scene.look(&ada(), request).unwrap();
    assert_eq!((view.decisions.len(), view.status.word()), (1, "denied"));
}

#[test]
fn another_revision_or_other_code_is_not_what_was_seen() {
    let scene = Scene::new(Side::High);
    let request = asked(&scene);
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    let seen = scene.seen(request);
    scene
        .act(move |tx, here| want_another_run(tx, &ada(), here, request, None))
        .unwrap();
    for (seen, key) in [
        (seen, "revision"),
        (
            Seen {
                shown: Shown::Code(Hash([9; 32])),
                ..scene.seen(request)
            },
            "code_hash",
        ),
        (
            Seen {
                last_decision: None,
                ..scene.seen(request)
            },
            "last_decision",
        ),
    ] {
        let refused = scene.act(move |tx, here| {
            let id = DecisionId(Uuid::from_u128(61));
            decide(tx, &owner(), here, id, request, Verdict::Approve, &seen)
        });
        match refused {
            Err(Refusal::Changed { difference, .. }) => {
                assert_eq!(difference.as_object().unwrap().keys().collect::<Vec<_>>(), [key]);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_reviewer_may_change_their_mind() {
    let scene = Scene::new(Side::High);
    let request = asked(&scene);
    scene.decide(owner(), request, deny("no")).unwrap();
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    scene.decide(officer(), request, deny("still no")).unwrap();
    let view = scene.look(&ada(), request).unwrap();
    assert_eq!(
        view.status,
        Status::Denied {
            reason: "still no".into()
        }
    );
    assert_eq!(
        view.decisions.iter().map(|it| it.body.number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(view.progress.decided_on.unwrap().to_string(), "2026-11-18");
}

#[test]
fn who_may_not_decide() {
    let scene = Scene::new(Side::High);
    let request = asked(&scene);
    assert!(matches!(
        scene.decide(ada(), request, Verdict::Approve),
        Err(Refusal::Denied(_))
    ));
    let promoted = Actor {
        permissions: crate::domain::role::Preset::Owner.role().permissions,
        ..ada()
    };
    assert_eq!(
        word(scene.decide(promoted, request, Verdict::Approve)),
        "own_request"
    );
    scene
        .act(move |tx, here| withdraw(tx, &ada(), here, request, None))
        .unwrap();
    assert_eq!(
        word(scene.decide(owner(), request, Verdict::Approve)),
        "withdrawn"
    );
    assert_eq!(scene.events(), [Event::RequestSubmitted, Event::RequestWithdrawn]);
}

#[test]
fn code_whose_data_was_deleted_is_denied_and_not_approved() {
    let scene = Scene::new(Side::High);
    let request = asked(&scene);
    scene
        .act(|tx, here| crate::acts::datasets::delete(tx, &owner(), here, DATASET))
        .unwrap();
    assert_eq!(word(scene.decide(owner(), request, Verdict::Approve)), "no_asset");
    scene.decide(owner(), request, deny("it is gone")).unwrap();
}

#[test]
fn code_whose_runs_went_to_another_request_is_denied_and_not_approved() {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, OutputPolicy::SingleExecution);
    let [first, second] = [50, 51].map(|id| scene.request(id, code));
    for request in [first, second] {
        scene.decide(owner(), request, Verdict::Approve).unwrap();
    }
    scene.run(60, first, succeeded(b"{}"));
    // What was approved for itself stays approvable; what can never run any more does not.
    scene.decide(owner(), first, Verdict::Approve).unwrap();
    assert_eq!(
        word(scene.decide(owner(), second, Verdict::Approve)),
        "runs_used_up"
    );
    let view = scene.view();
    let here = scene.act(|_, here| Ok(*here)).unwrap();
    let possible = crate::acts::requests::review(&view, &owner(), &here, second)
        .unwrap()
        .possible;
    assert!(possible.approve.unwrap_err().contains("new code"));
    scene
        .decide(owner(), second, deny("it has run for your other request"))
        .unwrap();
}
