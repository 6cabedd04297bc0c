use uuid::Uuid;

use super::*;
use crate::acts::requests::withdraw;
use crate::acts::runs::{Wanted, begin, queue};
use crate::acts::scene::*;
use crate::domain::decision::Verdict;
use crate::domain::id::{CodeId, JobId};
use crate::domain::job::State;
use crate::domain::policy::OutputPolicy;
use crate::domain::side::Side;

fn restricted() -> Scene {
    let scene = Scene::new(Side::Low);
    scene.restrict_mocks(&[]);
    scene
}

fn has_mock(scene: &Scene, actor: &Actor) -> bool {
    let viewer = Viewer::Person(actor.clone());
    match mock(&scene.view(), &viewer, scene.now(), ASSET) {
        Ok(_) => true,
        Err(Refusal::Conflict {
            word: "on_request", ..
        }) => false,
        Err(other) => panic!("{other}"),
    }
}

fn has_release(scene: &Scene, actor: &Actor, id: ReleaseId) -> bool {
    match release(&scene.view(), actor, scene.now(), id) {
        Ok(found) => {
            assert_eq!(found.object.id, id.0);
            true
        }
        Err(Refusal::NotFound { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_mock_goes_with_its_dataset_unless_its_owner_says_otherwise() {
    let scene = Scene::new(Side::Low);
    assert!(has_mock(&scene, &ada()));
    scene.restrict_mocks(&[]);
    assert!(!has_mock(&scene, &ada()));
    for actor in [owner(), officer()] {
        assert!(has_mock(&scene, &actor), "who uploads or triages needs no grant");
    }
}

#[test]
fn a_grant_is_one_persons_and_ends_when_it_is_taken_back_or_denied() {
    let scene = restricted();
    let request = scene.see(50, &ada(), Sight::Mock(ASSET)).unwrap();
    assert!(!has_mock(&scene, &ada()));
    scene.decide(officer(), request, Verdict::Approve).unwrap();
    assert!(has_mock(&scene, &ada()));
    assert!(!has_mock(&scene, &eve()));
    scene.decide(officer(), request, deny("second thoughts")).unwrap();
    assert!(!has_mock(&scene, &ada()));
    scene.decide(officer(), request, Verdict::Approve).unwrap();
    assert!(has_mock(&scene, &ada()));
    scene
        .act(move |tx, here| withdraw(tx, &ada(), here, request, None))
        .unwrap();
    assert!(!has_mock(&scene, &ada()));
}

#[test]
fn leave_to_see_private_data_opens_no_mock() {
    let scene = restricted();
    let request = scene.see(50, &ada(), Sight::PrivateData(ASSET)).unwrap();
    scene.approved_elsewhere(request);
    assert_eq!(scene.status(request), Status::Approved);
    assert!(!has_mock(&scene, &ada()));
}

#[test]
fn a_release_is_shared_with_whom_it_was_granted() {
    let scene = Scene::new(Side::Low);
    let Sight::Release(id) = released_to_eve(&scene) else {
        panic!("no release")
    };
    assert!(has_release(&scene, &eve(), id));
    assert!(!has_release(&scene, &ada(), id));
    assert_eq!(word(scene.see(50, &eve(), Sight::Release(id))), "open_already");
    let request = scene.see(50, &ada(), Sight::Release(id)).unwrap();
    assert!(!has_release(&scene, &ada(), id), "to ask is not enough");
    scene.decide(officer(), request, Verdict::Approve).unwrap();
    assert!(has_release(&scene, &ada(), id));
    scene
        .act(move |tx, here| {
            let object = records::object(tx, id.0)?.unwrap();
            Ok(records::write(tx, here, id.0, object.body, true)?)
        })
        .unwrap();
    assert!(!has_release(&scene, &ada(), id), "a tombstone hides it from all");
}

#[test]
fn code_runs_on_no_mock_that_was_not_granted() {
    let scene = restricted();
    scene.allow_mock_runs();
    let code: CodeId = scene.code(40, OutputPolicy::SingleExecution);
    let start = |id: u128| {
        let id = JobId(Uuid::from_u128(id));
        scene.act(move |tx, here| queue(tx, &ada(), here, id, Wanted::Code(code)))
    };
    assert_eq!(word(start(80)), "on_request");
    let request = scene.see(50, &ada(), Sight::Mock(ASSET)).unwrap();
    scene.decide(officer(), request, Verdict::Approve).unwrap();
    start(81).unwrap();
    start(82).unwrap();
    let begun = |id: u128| {
        let id = JobId(Uuid::from_u128(id));
        scene.act(move |tx, here| begin(tx, here, id)).unwrap()
    };
    assert!(begun(81).is_some());
    // What waited when the grant ended does not begin.
    scene
        .act(move |tx, here| withdraw(tx, &ada(), here, request, None))
        .unwrap();
    assert!(begun(82).is_none());
    assert_eq!(
        scene.stored_run(JobId(Uuid::from_u128(82))).state,
        State::Cancelled
    );
}
