use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::*;
use crate::acts::grants::granted;
use crate::acts::scene::*;
use crate::domain::access_rule::Quota;
use crate::domain::decision::Maker;
use crate::domain::notification::Event;
use crate::domain::request::{Open, OpenType, Sight, SightType, Status};
use crate::domain::side::Side;

const MOCK: Sight = Sight::Mock(ASSET);

fn accepting(quota: Quota, days: Option<u32>) -> RuleDraft {
    RuleDraft {
        name: "teaching".into(),
        effect: Effect::Accept {
            types: [OpenType::Mock].into(),
            quota,
            days,
        },
        tags: vec!["open".into()],
        until: None,
    }
}

fn denying(types: &[SightType]) -> RuleDraft {
    RuleDraft {
        name: "closed".into(),
        effect: Effect::Deny {
            types: types.iter().copied().collect(),
            reason: "the study is over".into(),
        },
        tags: Vec::new(),
        until: None,
    }
}

fn make(scene: &Scene, id: u128, draft: RuleDraft) -> RuleId {
    let id = RuleId(Uuid::from_u128(id));
    scene
        .act(move |tx, here| create(tx, &officer(), here, id, &draft))
        .unwrap();
    id
}

fn restricted() -> Scene {
    let scene = Scene::new(Side::Low);
    scene.restrict_mocks(&["open"]);
    scene
}

fn has_mock(scene: &Scene, actor: &Actor, now: Timestamp) -> bool {
    granted(&scene.view(), actor.user, Open::Mock(ASSET), now).unwrap()
}

#[test]
fn a_rule_decides_at_once_and_stands_in_decision_and_audit_chain() {
    let scene = restricted();
    let rule = make(&scene, 1, accepting(Quota::default(), Some(30)));
    let request = scene.see(50, &ada(), MOCK).unwrap();
    let seen = scene.look(&ada(), request).unwrap();
    assert_eq!(seen.status, Status::Approved);
    let decision = &seen.decisions[0].body;
    assert_eq!(
        (decision.by, decision.by_name.as_str()),
        (Maker::Rule(rule), "teaching")
    );
    assert_eq!(
        scene.events(),
        [Event::RequestApproved],
        "nobody needs to decide any more"
    );
    assert_eq!(
        scene.audited(),
        [
            "dataset.changed",
            "access_rule.created",
            "request.submitted",
            "request.approved"
        ]
    );
    let entries = crate::store::audit::entries_after(&scene.view(), 3, 1).unwrap();
    let fields = &entries[0].fields;
    assert_eq!(fields.actor, audit::Actor::Node);
    assert_eq!(fields.detail["rule"], rule.to_string());
    assert!(fields.subjects.contains(&rule.0) && fields.subjects.contains(&ASSET.0));
    assert_eq!(get(&scene.view(), &officer(), rule).unwrap().granted, 1);

    let month = SignedDuration::from_hours(30 * 24);
    assert!(has_mock(&scene, &ada(), scene.now()));
    assert!(!has_mock(&scene, &ada(), scene.now() + month));
}

#[test]
fn what_is_over_can_be_asked_for_again() {
    let scene = restricted();
    make(&scene, 1, accepting(Quota::default(), Some(1)));
    let request = scene.see(50, &ada(), MOCK).unwrap();
    scene
        .act(move |tx, here| {
            let made = records::children(tx, request.0, crate::domain::object::Kind::Decision)?;
            let decision = made.into_iter().next().unwrap();
            let crate::domain::object::Body::Decision(mut body) = decision.body else {
                panic!("no decision")
            };
            body.until = Some(here.now);
            Ok(records::write(
                tx,
                here,
                decision.id,
                crate::domain::object::Body::Decision(body),
                false,
            )?)
        })
        .unwrap();
    assert_eq!(scene.status(request), Status::Expired);
    assert!(!has_mock(&scene, &ada(), scene.now()));
    scene.see(51, &ada(), MOCK).unwrap();
    assert!(has_mock(&scene, &ada(), scene.now()));
}

#[test]
fn a_quota_that_is_used_up_leaves_it_to_people() {
    let scene = restricted();
    let quota = Quota {
        per_person: Some(1),
        in_all: Some(2),
    };
    let rule = make(&scene, 1, accepting(quota, None));
    let withdraw = |request| {
        scene
            .act(move |tx, here| crate::acts::requests::withdraw(tx, &ada(), here, request, None))
            .unwrap();
    };
    let first = scene.see(50, &ada(), MOCK).unwrap();
    withdraw(first);
    let second = scene.see(51, &ada(), MOCK).unwrap();
    assert_eq!(scene.status(second), Status::Pending, "hers are used up");
    let third = scene.see(52, &eve(), MOCK).unwrap();
    assert_eq!(scene.status(third), Status::Approved);
    let bob = Actor {
        user: crate::domain::id::UserId(Uuid::from_u128(14)),
        ..eve()
    };
    let fourth = scene.see(53, &bob, MOCK).unwrap();
    assert_eq!(scene.status(fourth), Status::Pending, "all are used up");
    assert_eq!(get(&scene.view(), &officer(), rule).unwrap().granted, 2);
}

#[test]
fn no_rule_opens_private_data_but_one_may_close_it() {
    let scene = restricted();
    make(&scene, 1, accepting(Quota::default(), None));
    let data = Sight::PrivateData(ASSET);
    let request = scene.see(50, &ada(), data).unwrap();
    assert_eq!(scene.status(request), Status::Pending);
    scene
        .act(move |tx, here| crate::acts::requests::withdraw(tx, &ada(), here, request, None))
        .unwrap();
    make(&scene, 2, denying(&[SightType::PrivateData]));
    let request = scene.see(51, &ada(), data).unwrap();
    assert_eq!(
        scene.status(request),
        Status::Denied {
            reason: "the study is over".into()
        }
    );
    assert_eq!(scene.events().last(), Some(&Event::RequestDenied));
    // Whoever holds the data may think otherwise, and nobody else.
    let here = scene.decide(officer(), request, Verdict::Approve);
    assert_eq!(word(here), "not_approved_here");
}

#[test]
fn rules_are_kept_by_those_who_triage() {
    let scene = restricted();
    let id = RuleId(Uuid::from_u128(1));
    let refused = scene.act(move |tx, here| create(tx, &ada(), here, id, &accepting(Quota::default(), None)));
    assert!(matches!(refused, Err(Refusal::Denied(_))));
    let rule = make(&scene, 1, accepting(Quota::default(), None));
    assert!(matches!(
        list(&scene.view(), &ada(), None, 9),
        Err(Refusal::Denied(_))
    ));
    assert!(matches!(
        get(&scene.view(), &ada(), rule),
        Err(Refusal::Denied(_))
    ));
    let again =
        scene.act(move |tx, here| create(tx, &officer(), here, rule, &accepting(Quota::default(), None)));
    assert_eq!(word(again), "id_taken");

    let made_at = get(&scene.view(), &officer(), rule).unwrap().rule.made_at;
    let changed = scene
        .act(move |tx, here| change(tx, &owner(), here, rule, &denying(&[SightType::Mock])))
        .unwrap();
    assert_eq!(changed.rule.made_at, made_at, "its turn does not change");
    assert_eq!(changed.rule.by, owner().user);
    let request = scene.see(50, &ada(), MOCK).unwrap();
    assert!(matches!(scene.status(request), Status::Denied { .. }));

    let refused = scene.act(move |tx, here| remove(tx, &ada(), here, rule));
    assert!(matches!(refused, Err(Refusal::Denied(_))));
    scene
        .act(move |tx, here| remove(tx, &officer(), here, rule))
        .unwrap();
    assert!(matches!(
        get(&scene.view(), &officer(), rule),
        Err(Refusal::NotFound { .. })
    ));
    assert!(
        matches!(scene.status(request), Status::Denied { .. }),
        "what it decided stands"
    );
    let next = scene.see(51, &ada(), MOCK).unwrap();
    assert_eq!(scene.status(next), Status::Pending);
    assert_eq!(
        scene
            .audited()
            .iter()
            .filter(|word| word.starts_with("access_rule"))
            .collect::<Vec<_>>(),
        [
            "access_rule.created",
            "access_rule.changed",
            "access_rule.removed"
        ]
    );
}

#[test]
fn rules_are_listed_oldest_first_page_by_page() {
    let scene = restricted();
    let made: Vec<RuleId> = [9, 3, 5]
        .map(|id| make(&scene, id, denying(&[SightType::Mock])))
        .into();
    let read = scene.view();
    let (first, next) = list(&read, &officer(), None, 2).unwrap();
    assert_eq!(first.iter().map(|kept| kept.id).collect::<Vec<_>>(), made[..2]);
    let (last, end) = list(&read, &officer(), next, 2).unwrap();
    assert_eq!(last.iter().map(|kept| kept.id).collect::<Vec<_>>(), made[2..]);
    assert_eq!(end, None);
}
