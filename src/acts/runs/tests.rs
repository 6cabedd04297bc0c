use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::acts::requests::{want_another_run, withdraw};
use crate::acts::scene::*;
use crate::domain::decision::Verdict;
use crate::domain::hash::Hash;
use crate::domain::notification::Event;
use crate::domain::object::{Body, Kind};
use crate::domain::policy::OutputPolicy;
use crate::domain::side::Side;
use crate::store::tables::PRIVATE_DATA;

const ONCE: OutputPolicy = OutputPolicy::SingleExecution;

fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

fn private(request: RequestId) -> Wanted {
    Wanted::Request(request, Data::Private)
}

fn queue_as(scene: &Scene, actor: Actor, id: u128, wanted: Wanted) -> Result<Run, Refusal> {
    scene.act(move |tx, here| queue(tx, &actor, here, job(id), wanted))
}

/// A high node with a request that its owner has approved.
fn approved(policy: OutputPolicy) -> (Scene, RequestId) {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, policy);
    let request = scene.request(50, code);
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    (scene, request)
}

fn jobs(scene: &Scene, request: RequestId) -> Vec<Body> {
    let found = records::children(&scene.view(), request.0, Kind::Job).unwrap();
    found.into_iter().map(|object| object.body).collect()
}

#[test]
fn private_data_needs_this_sides_approval() {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, ONCE);
    let request = scene.request(50, code);
    assert_eq!(
        word(queue_as(&scene, owner(), 80, private(request))),
        "not_approved"
    );
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    assert!(matches!(
        queue_as(&scene, ada(), 80, private(request)),
        Err(Refusal::Denied(_))
    ));
    queue_as(&scene, owner(), 80, private(request)).unwrap();
    scene.decide(owner(), request, deny("second thoughts")).unwrap();
    assert_eq!(
        word(queue_as(&scene, owner(), 81, private(request))),
        "not_approved"
    );
    // What waited may not begin any more.
    assert!(scene.act(|tx, here| begin(tx, here, job(80))).unwrap().is_none());
    assert_eq!(scene.stored_run(job(80)).state, State::Cancelled);
}

#[test]
fn a_low_node_runs_nothing_on_private_data() {
    let scene = Scene::new(Side::Low);
    let code = scene.code(40, ONCE);
    let request = scene.request(50, code);
    let approval = scene.decide(owner(), request, Verdict::Approve);
    assert_eq!(word(approval), "not_approved_here");
    scene.approved_elsewhere(request);
    assert_eq!(
        word(queue_as(&scene, owner(), 80, private(request))),
        "wrong_side"
    );
}

#[test]
fn every_asset_needs_its_data() {
    let (scene, request) = approved(ONCE);
    scene
        .act(|tx, _| Ok(tx.delete(&PRIVATE_DATA, &ASSET.0)?))
        .unwrap();
    assert_eq!(
        word(queue_as(&scene, owner(), 80, private(request))),
        "no_private_data"
    );
    scene
        .act(|tx, here| {
            let object = records::object(tx, ASSET.0)?.unwrap();
            let Body::Asset(mut asset) = object.body else {
                panic!("no asset")
            };
            asset.mock = None;
            Ok(records::write(tx, here, ASSET.0, Body::Asset(asset), false)?)
        })
        .unwrap();
    let mock = Wanted::Request(request, Data::Mock);
    assert_eq!(word(queue_as(&scene, owner(), 80, mock)), "no_mock");
    scene
        .act(|tx, here| {
            let object = records::object(tx, ASSET.0)?.unwrap();
            Ok(records::write(tx, here, ASSET.0, object.body, true)?)
        })
        .unwrap();
    assert_eq!(word(queue_as(&scene, owner(), 80, mock)), "no_asset");
}

#[test]
fn a_run_gets_its_inputs_and_leaves_a_job() {
    let (scene, request) = approved(ONCE);
    queue_as(&scene, owner(), 80, private(request)).unwrap();
    let plan = scene.act(|tx, here| begin(tx, here, job(80))).unwrap().unwrap();
    assert_eq!(
        plan.inputs,
        [
            ("n".to_owned(), Input::Constant(3.into())),
            (
                "table".to_owned(),
                Input::Private(ASSET, crate::domain::asset::DataFormat::Parquet)
            ),
        ]
    );
    assert!(jobs(&scene, request).is_empty());
    scene
        .act(|tx, here| finish(tx, here, job(80), succeeded(b"1")))
        .unwrap();
    match &jobs(&scene, request)[..] {
        [Body::Job(job)] => assert_eq!(job.verdict, crate::domain::job::Verdict::Succeeded),
        other => panic!("{other:?}"),
    }
    assert_eq!(scene.events().last(), Some(&Event::ResultAwaitsRelease));
    assert_eq!(scene.audited()[2..], ["job.started", "job.finished"]);
    assert!(waiting(&scene.view(), 9).unwrap().is_empty());
    let twice = scene.act(|tx, here| finish(tx, here, job(80), succeeded(b"2")));
    assert_eq!(word(twice), "run_state");
}

#[test]
fn the_output_policy_holds_on_the_high_side() {
    let (scene, request) = approved(ONCE);
    let failed = scene.run(80, request, Ended::empty(State::Failed));
    assert_eq!(scene.events().last(), Some(&Event::RunFailed));
    assert_eq!(scene.stored_run(failed).state, State::Failed);
    let again = scene.request(51, CodeId(Uuid::from_u128(40)));
    scene.decide(owner(), again, Verdict::Approve).unwrap();
    // A failed run does not use the policy up, a succeeded one does.
    scene.run(81, request, succeeded(b"1"));
    assert_eq!(
        word(queue_as(&scene, owner(), 82, private(request))),
        "runs_used_up"
    );
    // Another request with the same code does not help.
    assert_eq!(
        word(queue_as(&scene, owner(), 82, private(again))),
        "runs_used_up"
    );
}

#[test]
fn further_runs_are_the_requesters_to_ask_for() {
    let (scene, request) = approved(OutputPolicy::ExecuteCount(2));
    scene.run(80, request, succeeded(b"1"));
    assert_eq!(
        word(queue_as(&scene, owner(), 81, private(request))),
        "runs_used_up"
    );
    scene
        .act(move |tx, here| want_another_run(tx, &ada(), here, request, None))
        .unwrap();
    assert_eq!(
        word(queue_as(&scene, owner(), 81, private(request))),
        "not_approved"
    );
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    scene.run(81, request, succeeded(b"2"));
}

#[test]
fn of_racing_runs_one_is_admitted() {
    let (scene, request) = approved(ONCE);
    let scene = Arc::new(scene);
    let racers: Vec<_> = (0..8_u128)
        .map(|number| {
            let scene = Arc::clone(&scene);
            std::thread::spawn(move || queue_as(&scene, owner(), 80 + number, private(request)).is_ok())
        })
        .collect();
    let admitted = racers.into_iter().map(|it| it.join().unwrap());
    assert_eq!(admitted.filter(|admitted| *admitted).count(), 1);
}

#[test]
fn scientists_run_their_own_code_on_mocks_where_that_is_allowed() {
    let scene = Scene::new(Side::Low);
    let code = scene.code(40, ONCE);
    let request = scene.request(50, code);
    assert_eq!(
        word(queue_as(&scene, ada(), 80, Wanted::Code(code))),
        "mock_runs_not_allowed"
    );
    scene.allow_mock_runs();
    queue_as(&scene, ada(), 80, Wanted::Code(code)).unwrap();
    queue_as(&scene, ada(), 81, Wanted::Request(request, Data::Mock)).unwrap();
    assert!(matches!(
        queue_as(&scene, eve(), 82, Wanted::Code(code)),
        Err(Refusal::NotFound { .. })
    ));
    // Mock runs use no policy up, leave no job and bother nobody.
    scene.act(|tx, here| begin(tx, here, job(80))).unwrap().unwrap();
    scene
        .act(|tx, here| finish(tx, here, job(80), succeeded(b"1")))
        .unwrap();
    assert_eq!(scene.events(), [Event::RequestSubmitted]);
    assert!(
        records::object(&scene.view(), Uuid::from_u128(80))
            .unwrap()
            .is_none()
    );
}

#[test]
fn nobody_sees_the_runs_of_another() {
    let (scene, request) = approved(ONCE);
    scene.allow_mock_runs();
    let private_run = scene.run(80, request, succeeded(b"1"));
    queue_as(&scene, ada(), 81, Wanted::Request(request, Data::Mock)).unwrap();
    let read = scene.view();
    for (actor, run) in [(ada(), private_run), (eve(), private_run), (eve(), job(81))] {
        assert!(matches!(get(&read, &actor, run), Err(Refusal::NotFound { .. })));
        let cancelled = scene.act(move |tx, here| cancel(tx, &actor, here, run));
        assert!(matches!(cancelled, Err(Refusal::NotFound { .. })));
    }
    get(&read, &ada(), job(81)).unwrap();
    let listed = |actor: &Actor| {
        let runs = list(&read, actor, None, None, 10).unwrap().runs;
        runs.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(listed(&owner()), [job(81), job(80)]);
    assert_eq!(listed(&ada()), [job(81)]);
    assert!(listed(&eve()).is_empty());
    assert!(list(&read, &eve(), Some(request), None, 10).is_err());
    let first = list(&read, &owner(), Some(request), None, 1).unwrap();
    let second = list(&read, &owner(), Some(request), first.next, 1).unwrap();
    assert_eq!((second.runs[0].0, second.next), (job(80), None));
}

#[test]
fn a_scientist_cannot_fill_the_queue() {
    let scene = Scene::new(Side::Low);
    scene.allow_mock_runs();
    let code = scene.code(40, ONCE);
    for number in 0..5 {
        queue_as(&scene, ada(), 80 + number, Wanted::Code(code)).unwrap();
    }
    assert_eq!(word(queue_as(&scene, ada(), 90, Wanted::Code(code))), "busy");
    assert_eq!(
        waiting(&scene.view(), 2).unwrap(),
        [(job(80), Data::Mock), (job(81), Data::Mock)]
    );
}

#[test]
fn a_waiting_run_is_cancelled_at_once_and_one_under_way_by_its_runner() {
    let (scene, request) = approved(ONCE);
    queue_as(&scene, owner(), 80, private(request)).unwrap();
    let stop = || scene.act(|tx, here| cancel(tx, &owner(), here, job(80)));
    assert!(matches!(stop().unwrap(), Cancelled::BeforeItBegan(_)));
    assert_eq!(word(stop()), "run_state");
    assert!(scene.act(|tx, here| begin(tx, here, job(80))).unwrap().is_none());
    // It never happened: another may run.
    queue_as(&scene, owner(), 81, private(request)).unwrap();
    scene.act(|tx, here| begin(tx, here, job(81))).unwrap().unwrap();
    let stopped = scene.act(|tx, here| cancel(tx, &owner(), here, job(81))).unwrap();
    assert!(matches!(stopped, Cancelled::UnderWay(_)));
    scene
        .act(|tx, here| finish(tx, here, job(81), Ended::empty(State::Cancelled)))
        .unwrap();
    assert!(jobs(&scene, request).is_empty());
}

#[test]
fn what_ran_when_the_node_died_is_interrupted_and_what_waited_still_waits() {
    let (scene, request) = approved(OutputPolicy::ExecuteCount(9));
    queue_as(&scene, owner(), 80, private(request)).unwrap();
    scene.act(|tx, here| begin(tx, here, job(80))).unwrap().unwrap();
    queue_as(&scene, owner(), 81, Wanted::Request(request, Data::Mock)).unwrap();
    assert_eq!(scene.act(interrupted).unwrap(), [job(80)]);
    assert_eq!(scene.act(interrupted).unwrap(), []);
    assert_eq!(scene.stored_run(job(80)).state, State::Interrupted);
    assert!(jobs(&scene, request).is_empty(), "no code has failed");
    assert_eq!(waiting(&scene.view(), 9).unwrap(), [(job(81), Data::Mock)]);
}

#[test]
fn a_result_that_is_set_aside_never_leaves_and_uses_nothing_up() {
    let (scene, request) = approved(ONCE);
    let wrong = scene.run(80, request, succeeded(b"{}"));
    let aside = |actor: Actor, id| scene.act(move |tx, here| set_aside(tx, &actor, here, id));
    assert!(matches!(aside(ada(), wrong), Err(Refusal::Denied(_))));
    assert_eq!(
        word(queue_as(&scene, owner(), 81, private(request))),
        "runs_used_up"
    );
    assert_eq!(aside(owner(), wrong).unwrap().state, State::SetAside);
    assert_eq!(word(aside(owner(), wrong)), "run_state");
    assert_eq!(scene.audited().last().map(String::as_str), Some("job.set_aside"));
    let releasing = |job, bytes: &'static [u8]| {
        let wanted = crate::acts::releases::Wanted {
            job,
            part: Part::Result,
            hash: Hash::of(bytes),
        };
        scene.act(move |tx, here| crate::acts::releases::check(tx, &owner(), here, &wanted).map(drop))
    };
    assert_eq!(word(releasing(wrong, b"{}")), "set_aside");
    let right = scene.run(82, request, succeeded(b"[1]"));
    releasing(right, b"[1]").unwrap();
}

#[test]
fn a_run_whose_result_nobody_will_get_does_not_count() {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, OutputPolicy::SingleExecution);
    let request = scene.request(50, code);
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    scene.run(80, request, succeeded(b"{}"));
    scene
        .act(move |tx, here| withdraw(tx, &ada(), here, request, None))
        .unwrap();
    let again = scene.request(51, code);
    scene.decide(owner(), again, Verdict::Approve).unwrap();
    queue_as(&scene, owner(), 81, private(again)).unwrap();
}

#[test]
fn of_two_runs_of_a_withdrawn_request_the_one_that_was_released_counts() {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, OutputPolicy::ExecuteCount(2));
    let request = scene.request(50, code);
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    let first = scene.run(80, request, succeeded(b"1"));
    scene.result_arrives(request, first);
    scene
        .act(move |tx, here| want_another_run(tx, &ada(), here, request, None))
        .unwrap();
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    scene.run(81, request, succeeded(b"2"));
    scene
        .act(move |tx, here| withdraw(tx, &ada(), here, request, None))
        .unwrap();
    let again = scene.request(51, code);
    scene.decide(owner(), again, Verdict::Approve).unwrap();
    scene.run(82, again, succeeded(b"3"));
    scene
        .act(move |tx, here| want_another_run(tx, &ada(), here, again, None))
        .unwrap();
    assert!(scene.decide(owner(), again, Verdict::Approve).is_ok());
    assert_eq!(
        word(queue_as(&scene, owner(), 83, private(again))),
        "runs_used_up"
    );
}

#[test]
fn a_withdrawn_request_does_not_begin() {
    let (scene, request) = approved(ONCE);
    queue_as(&scene, owner(), 80, private(request)).unwrap();
    scene
        .act(move |tx, here| withdraw(tx, &ada(), here, request, None))
        .unwrap();
    assert!(scene.act(|tx, here| begin(tx, here, job(80))).unwrap().is_none());
}

#[test]
fn a_deposit_uses_up_a_run_and_needs_no_approval_yet() {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, ONCE);
    let request = scene.request(50, code);
    let put = |actor: Actor, id: u128| {
        scene.act(move |tx, here| deposit(tx, &actor, here, job(id), request, product(b"1")))
    };
    assert!(matches!(put(ada(), 80), Err(Refusal::Denied(_))));
    put(officer(), 80).unwrap();
    assert_eq!(word(put(officer(), 81)), "runs_used_up");
    assert_eq!(jobs(&scene, request).len(), 1);
    assert_eq!(scene.events().last(), Some(&Event::ResultAwaitsRelease));
    assert_eq!(scene.stored_run(job(80)).origin, Origin::Deposit);
}

#[test]
fn nothing_is_deposited_for_a_denied_request_nor_on_the_low_side() {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, ONCE);
    let request = scene.request(50, code);
    scene.decide(owner(), request, deny("no")).unwrap();
    let put = scene.act(move |tx, here| deposit(tx, &owner(), here, job(80), request, product(b"1")));
    assert_eq!(word(put), "denied");

    let scene = Scene::new(Side::Low);
    let code = scene.code(40, ONCE);
    let request = scene.request(50, code);
    let put = scene.act(move |tx, here| deposit(tx, &owner(), here, job(80), request, product(b"1")));
    assert_eq!(word(put), "wrong_side");
}

#[test]
fn who_looks_at_private_data_stands_in_the_chain() {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, ONCE);
    let request = scene.request(50, code);
    scene
        .act(move |tx, here| deposit(tx, &officer(), here, job(80), request, product(b"1")))
        .unwrap();
    let seen = |actor: Actor, part: Part| {
        scene
            .act(move |tx, here| look(tx, &actor, here, job(80), part))
            .map(|product| product.is_some())
    };
    assert!(seen(ada(), Part::Result).is_err(), "she may not see the run");
    assert!(!seen(owner(), Part::Log).unwrap(), "it has none");
    let viewed = || {
        scene
            .audited()
            .iter()
            .filter(|it| *it == "private_data.viewed")
            .count()
    };
    assert_eq!(viewed(), 0, "nobody has seen anything");
    assert!(seen(owner(), Part::Result).unwrap());
    assert_eq!(viewed(), 1);
}
