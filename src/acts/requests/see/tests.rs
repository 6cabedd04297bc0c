use uuid::Uuid;

use crate::acts::Refusal;
use crate::acts::decisions::{Seen, Shown, decide};
use crate::acts::requests::{Asked, Described, Draft, Filter, create, list, withdraw};
use crate::acts::scene::*;
use crate::domain::access::Actor;
use crate::domain::decision::{About, Maker, Verdict};
use crate::domain::id::{AssetId, DecisionId, ReleaseId, RequestId};
use crate::domain::notification::Event;
use crate::domain::object::Body;
use crate::domain::policy::OutputPolicy;
use crate::domain::request::{Sight, SightType, Status, Subject};
use crate::domain::side::Side;

use super::{SightDraft, ask_to_see};

const MOCK: Sight = Sight::Mock(ASSET);
const DATA: Sight = Sight::PrivateData(ASSET);

fn restricted() -> Scene {
    let scene = Scene::new(Side::Low);
    scene.restrict_mocks(&["health"]);
    scene
}

fn take_back(scene: &Scene, request: RequestId) {
    scene
        .act(move |tx, here| withdraw(tx, &ada(), here, request, None))
        .unwrap();
}

fn sight(scene: &Scene, actor: Actor, request: RequestId) -> Described {
    match scene.look(&actor, request).unwrap().asked {
        Asked::Sight(described) => described,
        other @ Asked::Code(..) => panic!("{other:?}"),
    }
}

#[test]
fn a_mock_is_asked_for_by_whoever_may_not_have_it_yet() {
    let scene = Scene::new(Side::Low);
    assert_eq!(word(scene.see(50, &ada(), MOCK)), "open_already");
    scene.restrict_mocks(&[]);
    assert_eq!(word(scene.see(50, &officer(), MOCK)), "open_already");
    let request = scene.see(50, &ada(), MOCK).unwrap();
    assert_eq!(scene.status(request), Status::Pending);
    assert_eq!(scene.events(), [Event::RequestSubmitted]);
    let unknown = Sight::Mock(AssetId(Uuid::from_u128(99)));
    assert!(matches!(
        scene.see(51, &ada(), unknown),
        Err(Refusal::NotFound { .. })
    ));
    let no_release = Sight::Release(ReleaseId(ASSET.0));
    assert!(
        matches!(scene.see(51, &ada(), no_release), Err(Refusal::NotFound { .. })),
        "an asset is no release"
    );
}

#[test]
fn one_thing_is_asked_for_once_at_a_time() {
    let scene = restricted();
    let first = scene.see(50, &ada(), MOCK).unwrap();
    assert_eq!(word(scene.see(51, &ada(), MOCK)), "asked_already");
    scene.see(52, &eve(), MOCK).unwrap();
    scene.see(53, &ada(), DATA).unwrap();
    scene.decide(officer(), first, deny("not yet")).unwrap();
    let second = scene.see(54, &ada(), MOCK).unwrap();
    take_back(&scene, second);
    let third = scene.see(55, &ada(), MOCK).unwrap();
    scene.decide(officer(), third, Verdict::Approve).unwrap();
    assert_eq!(word(scene.see(56, &ada(), MOCK)), "open_already");
    assert_eq!(word(scene.see(57, &ada(), DATA)), "asked_already");
}

#[test]
fn private_data_is_asked_for_in_a_started_project_and_nothing_else_is() {
    let scene = restricted();
    let attempt = |actor: Actor, sight, project| {
        let draft = SightDraft {
            sight,
            project,
            reason: "to compare".into(),
            predecessor: None,
            signature: None,
        };
        let ids = (RequestId(Uuid::from_u128(50)), DecisionId(Uuid::from_u128(51)));
        scene.act(move |tx, here| ask_to_see(tx, &actor, here, ids, &draft))
    };
    for (sight, project) in [(DATA, None), (MOCK, Some(PROJECT))] {
        match attempt(ada(), sight, project) {
            Err(Refusal::Invalid(problems)) => assert_eq!(problems[0].field, "project"),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        attempt(eve(), DATA, Some(PROJECT)),
        Err(Refusal::NotFound { .. })
    ));
    let made = attempt(ada(), DATA, Some(PROJECT)).unwrap();
    match made.body {
        Body::Request(request) => assert_eq!(
            request.subject,
            Subject::SeePrivate {
                project: PROJECT,
                asset: ASSET
            }
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_decides_sees_tags_and_revision_and_who_asks_no_more_than_before() {
    let scene = restricted();
    let request = scene.see(50, &ada(), MOCK).unwrap();
    let shown = sight(&scene, officer(), request);
    assert_eq!(shown.tags, ["health"]);
    assert_eq!(shown.title.as_deref(), Some("women"));
    assert!(shown.revision.is_some());
    assert_eq!(sight(&scene, ada(), request).revision, None);

    // Of somebody else's release Ada learns nothing by asking for it.
    let release = released_to_eve(&scene);
    let request = scene.see(60, &ada(), release).unwrap();
    let told = sight(&scene, ada(), request);
    assert_eq!((told.title, told.tags, told.revision), (None, Vec::new(), None));
    assert_eq!(
        sight(&scene, officer(), request).tags,
        ["health"],
        "of the data it came from"
    );
    scene.decide(officer(), request, Verdict::Approve).unwrap();
    assert_eq!(sight(&scene, ada(), request).tags, ["health"]);
}

#[test]
fn a_decision_names_the_object_and_its_revision() {
    let scene = restricted();
    let request = scene.see(50, &ada(), MOCK).unwrap();
    let stale = scene.seen(request);
    scene.restrict_mocks(&["other"]);
    let Shown::Object(Some(seen)) = scene.seen(request).shown else {
        panic!("no object was shown")
    };
    let made = scene.decide(officer(), request, Verdict::Approve).unwrap();
    let Body::Decision(made) = made.body else {
        panic!("no decision")
    };
    assert_eq!(made.by, Maker::Person(officer().user));
    assert_eq!(
        made.about,
        About::Sight {
            sight: MOCK,
            revision: Some(seen)
        }
    );
    // The asset itself has not changed with its dataset; the decision on the request has.
    let late = scene.act(move |tx, here| {
        let id = DecisionId(Uuid::from_u128(70));
        decide(tx, &owner(), here, id, request, Verdict::Approve, &stale)
    });
    assert!(matches!(late, Err(Refusal::Changed { .. })));
}

#[test]
fn an_object_that_has_changed_is_not_what_was_seen() {
    let scene = restricted();
    let request = scene.see(50, &ada(), MOCK).unwrap();
    let seen = scene.seen(request);
    scene
        .act(|tx, here| crate::acts::assets::remove_mock(tx, &owner(), here, ASSET))
        .unwrap();
    let refused = move |seen: Seen| {
        let refused = scene.act(move |tx, here| {
            let id = DecisionId(Uuid::from_u128(70));
            decide(tx, &officer(), here, id, request, Verdict::Approve, &seen)
        });
        match refused {
            Err(Refusal::Changed { difference, .. }) => difference
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(seen), ["object_revision"]);
    let code_in_its_place = Seen {
        shown: Shown::Code(crate::domain::hash::Hash([1; 32])),
        ..seen
    };
    assert_eq!(refused(code_in_its_place), ["object_revision"]);
}

#[test]
fn what_is_not_here_can_only_be_denied() {
    let scene = restricted();
    let request = scene.see(50, &ada(), DATA).unwrap();
    scene
        .act(|tx, here| crate::acts::datasets::delete(tx, &owner(), here, DATASET))
        .unwrap();
    assert_eq!(
        word(scene.decide(officer(), request, Verdict::Approve)),
        "not_here"
    );
    scene.decide(officer(), request, deny("it is gone")).unwrap();
}

#[test]
fn nobody_decides_on_their_own_request_to_see() {
    let scene = restricted();
    let request = scene.see(50, &ada(), MOCK).unwrap();
    let promoted = Actor {
        user: ada().user,
        ..officer()
    };
    assert_eq!(
        word(scene.decide(promoted, request, Verdict::Approve)),
        "own_request"
    );
}

#[test]
fn lists_tell_requests_to_see_from_those_for_runs() {
    let scene = restricted();
    let run = scene.request(49, scene.code(40, OutputPolicy::SingleExecution));
    let mock = scene.see(50, &ada(), MOCK).unwrap();
    let data = scene.see(51, &ada(), DATA).unwrap();
    let found = |actor: Actor, filter: &Filter| {
        let (found, _) = list(&scene.view(), &actor, scene.now(), filter, None, 10).unwrap();
        found
            .iter()
            .map(|found| RequestId(found.request.object.id))
            .collect::<Vec<_>>()
    };
    let to_see = |to_see| Filter {
        to_see: Some(to_see),
        ..Filter::default()
    };
    assert_eq!(found(officer(), &Filter::default()), [data, mock, run]);
    assert_eq!(found(officer(), &to_see(true)), [data, mock]);
    assert_eq!(found(ada(), &to_see(false)), [run]);
    assert_eq!(found(eve(), &to_see(true)), []);
    let mocks = Filter {
        of_type: Some(SightType::Mock),
        ..Filter::default()
    };
    assert_eq!(found(officer(), &mocks), [mock]);
    let in_project = Filter {
        project: Some(PROJECT),
        ..Filter::default()
    };
    assert_eq!(
        found(officer(), &in_project),
        [data, run],
        "a mock is asked for outside projects"
    );
}

#[test]
fn a_request_takes_up_only_one_for_the_same() {
    let scene = restricted();
    let code = scene.code(40, OutputPolicy::SingleExecution);
    let run = scene.request(49, code);
    let mock = scene.see(50, &ada(), MOCK).unwrap();
    take_back(&scene, mock);
    let again = |sight, predecessor| {
        let draft = SightDraft {
            sight,
            project: (sight == DATA).then_some(PROJECT),
            reason: "again".into(),
            predecessor: Some(predecessor),
            signature: None,
        };
        let ids = (RequestId(Uuid::new_v4()), DecisionId(Uuid::new_v4()));
        scene.act(move |tx, here| ask_to_see(tx, &ada(), here, ids, &draft))
    };
    assert_eq!(word(again(DATA, mock)), "asks_for_something_else");
    assert_eq!(word(again(MOCK, run)), "asks_for_something_else");
    again(MOCK, mock).unwrap();
    let next = Draft {
        predecessor: Some(mock),
        ..draft(code)
    };
    let crossed = scene.act(move |tx, here| create(tx, &ada(), here, RequestId(Uuid::new_v4()), &next));
    assert_eq!(word(crossed), "asks_for_something_else");
}

#[test]
fn what_only_asks_to_see_neither_runs_nor_runs_again() {
    let scene = Scene::new(Side::High);
    let request = scene.see(50, &ada(), DATA).unwrap();
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    let again =
        scene.act(move |tx, here| crate::acts::requests::want_another_run(tx, &ada(), here, request, None));
    assert_eq!(word(again), "not_a_run");
    for data in [crate::domain::job::Data::Mock, crate::domain::job::Data::Private] {
        let wanted = crate::acts::runs::Wanted::Request(request, data);
        let id = crate::domain::id::JobId(Uuid::from_u128(80));
        let queued = scene.act(move |tx, here| crate::acts::runs::queue(tx, &owner(), here, id, wanted));
        assert_eq!(word(queued), "not_a_run");
    }
    let view = scene.view();
    let deposit = scene.act(move |_, here| crate::acts::runs::check_deposit(&view, &owner(), here, request));
    assert_eq!(word(deposit), "not_a_run");
}
