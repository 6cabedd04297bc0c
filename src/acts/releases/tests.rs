use uuid::Uuid;

use super::*;
use crate::acts::requests::{want_another_run, withdraw};
use crate::acts::runs::{Ended, deposit};
use crate::acts::scene::*;
use crate::domain::id::CodeId;
use crate::domain::job::{self, State};
use crate::domain::policy::OutputPolicy;
use crate::domain::side::Side;

const BYTES: &[u8] = b"{\"mean\": 1}";

fn wanted(job: JobId, part: Part, bytes: &[u8]) -> Wanted {
    Wanted {
        job,
        part,
        hash: Hash::of(bytes),
    }
}

fn release_as(scene: &Scene, actor: Actor, wanted: Wanted, bytes: &[u8]) -> Result<Object, Refusal> {
    let ids = Ids {
        release: ReleaseId(Uuid::new_v4()),
        decision: DecisionId(Uuid::new_v4()),
    };
    let blob = Blob {
        hash: Hash::of(bytes),
        len: bytes.len() as u64,
    };
    scene.act(move |tx, here| release(tx, &actor, here, ids, &wanted, blob))
}

/// A high node where a request of Ada's ran.
fn ran() -> (Scene, RequestId, JobId) {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, OutputPolicy::ExecuteCount(2));
    let request = scene.request(50, code);
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    let job = scene.run(80, request, succeeded(BYTES));
    (scene, request, job)
}

#[test]
fn a_result_is_released_once_and_told() {
    let (scene, request, job) = ran();
    let result = wanted(job, Part::Result, BYTES);
    let made = release_as(&scene, officer(), result, BYTES).unwrap();
    assert_eq!(
        word(release_as(&scene, officer(), result, BYTES)),
        "released_already"
    );
    assert_eq!(scene.events().last(), Some(&Event::ResultReady));
    assert_eq!(scene.audited().last().map(String::as_str), Some("released"));
    let view = scene.look(&ada(), request).unwrap();
    assert!(view.progress.released);
    assert_eq!(view.releases[0].id, made.id);
    // It was approved before; the release adds no decision.
    assert_eq!(view.decisions.len(), 1);
    visible::release(&scene.view(), &ada(), ReleaseId(made.id)).unwrap();
    assert!(visible::release(&scene.view(), &eve(), ReleaseId(made.id)).is_err());
}

#[test]
fn other_bytes_than_those_reviewed_stay() {
    let (scene, _, job) = ran();
    // The reviewer saw other bytes.
    let stale = release_as(&scene, owner(), wanted(job, Part::Result, b"other"), BYTES);
    match stale {
        Err(Refusal::Changed { difference, .. }) => {
            assert_eq!(difference["hash"]["now"], json!(Hash::of(BYTES)));
        }
        other => panic!("{other:?}"),
    }
    // The copy is of other bytes.
    let swapped = release_as(&scene, owner(), wanted(job, Part::Result, BYTES), b"other");
    assert!(matches!(swapped, Err(Refusal::Changed { .. })));
    assert!(
        records::children(&scene.view(), job.0, Kind::Release)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn the_log_goes_by_itself_and_approves_nothing() {
    let (scene, request, job) = ran();
    release_as(&scene, owner(), wanted(job, Part::Log, b"printed"), b"printed").unwrap();
    assert!(!scene.events().contains(&Event::ResultReady));
    assert_eq!(scene.events().last(), Some(&Event::ReportReady));
    let view = scene.look(&ada(), request).unwrap();
    assert!(!view.progress.released);
    assert!(matches!(
        release_as(&scene, owner(), wanted(job, Part::FailureReport, b"x"), b"x"),
        Err(Refusal::NotFound { .. })
    ));
}

#[test]
fn what_a_cancelled_run_printed_travels_with_word_of_the_run() {
    let scene = Scene::new(Side::High);
    let request = scene.request(50, scene.code(40, OutputPolicy::SingleExecution));
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    let ended = Ended {
        log: Some(product(b"so far")),
        ..Ended::empty(State::Cancelled)
    };
    let job = scene.run(80, request, ended);
    assert!(records::object(&scene.view(), job.0).unwrap().is_none());
    release_as(&scene, officer(), wanted(job, Part::Log, b"so far"), b"so far").unwrap();
    let told = |scene: &Scene| match records::object(&scene.view(), job.0).unwrap().map(|it| it.body) {
        Some(Body::Job(job)) => job.verdict == crate::domain::job::Verdict::Failed,
        _ => false,
    };
    assert!(told(&scene));
    // Its place is not used up by it.
    assert_eq!(scene.status(request), Status::Approved);

    // A release of an earlier version is brought in order when the node starts.
    scene
        .act(move |tx, _| {
            tx.delete(&crate::store::tables::OBJECTS, &job.0)?;
            let owed = crate::domain::peer::Owed {
                position: 1,
                root: job.0,
            };
            Ok(tx.put(&crate::store::tables::OWED, &(OTHER.0, Uuid::from_u128(1)), &owed)?)
        })
        .unwrap();
    scene.act(crate::acts::runs::tell_of_all_released).unwrap();
    assert!(told(&scene));
}

#[test]
fn nothing_leaves_of_an_interrupted_run_which_would_tell_that_the_code_failed() {
    let scene = Scene::new(Side::High);
    let request = scene.request(50, scene.code(40, OutputPolicy::SingleExecution));
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    let ended = Ended {
        log: Some(product(b"the code is not at fault")),
        ..Ended::empty(State::Interrupted)
    };
    let job = scene.run(80, request, ended);
    let log = wanted(job, Part::Log, b"the code is not at fault");
    assert_eq!(
        word(release_as(&scene, owner(), log, b"the code is not at fault")),
        "interrupted"
    );
    assert!(records::object(&scene.view(), job.0).unwrap().is_none());
}

#[test]
fn the_failure_report_of_a_failed_run_can_be_released() {
    let (scene, request, _) = ran();
    let ended = Ended {
        failure_report: Some(product(b"{}")),
        ..Ended::empty(State::Failed)
    };
    scene
        .act(move |tx, here| want_another_run(tx, &ada(), here, request, None))
        .unwrap();
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    let failed = scene.run(81, request, ended);
    release_as(&scene, owner(), wanted(failed, Part::FailureReport, b"{}"), b"{}").unwrap();
}

#[test]
fn releasing_a_deposited_result_approves_its_request() {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, OutputPolicy::SingleExecution);
    let request = scene.request(50, code);
    let job = JobId(Uuid::from_u128(80));
    scene
        .act(move |tx, here| deposit(tx, &owner(), here, job, request, product(BYTES)))
        .unwrap();
    release_as(&scene, officer(), wanted(job, Part::Result, BYTES), BYTES).unwrap();
    let view = scene.look(&ada(), request).unwrap();
    assert_eq!((view.status, view.decisions.len()), (Status::Approved, 1));
    assert_eq!(view.decisions[0].body.by_name, "Carl");
    let last: Vec<_> = scene.audited().into_iter().rev().take(2).collect();
    assert_eq!(last, ["released", "request.approved"]);
}

#[test]
fn releasing_an_earlier_run_does_not_approve_the_next() {
    let (scene, request, job) = ran();
    scene
        .act(move |tx, here| want_another_run(tx, &ada(), here, request, None))
        .unwrap();
    release_as(&scene, owner(), wanted(job, Part::Result, BYTES), BYTES).unwrap();
    let view = scene.look(&ada(), request).unwrap();
    assert_eq!((view.status, view.decisions.len()), (Status::Pending, 1));
}

#[test]
fn to_deny_a_further_run_takes_nothing_back_of_the_one_before() {
    let (scene, request, job) = ran();
    scene
        .act(move |tx, here| want_another_run(tx, &ada(), here, request, None))
        .unwrap();
    scene.decide(officer(), request, deny("once is enough")).unwrap();
    release_as(&scene, owner(), wanted(job, Part::Result, BYTES), BYTES).unwrap();
    let view = scene.look(&ada(), request).unwrap();
    assert!(view.progress.released && matches!(view.status, Status::Denied { .. }));
    assert_eq!(view.decisions.len(), 2);
}

#[test]
fn a_deposited_result_of_a_further_run_approves_that() {
    let (scene, request, _) = ran();
    scene
        .act(move |tx, here| want_another_run(tx, &ada(), here, request, None))
        .unwrap();
    let again = JobId(Uuid::from_u128(81));
    scene
        .act(move |tx, here| deposit(tx, &owner(), here, again, request, product(BYTES)))
        .unwrap();
    release_as(&scene, officer(), wanted(again, Part::Result, BYTES), BYTES).unwrap();
    let view = scene.look(&ada(), request).unwrap();
    assert_eq!((view.status, view.decisions.len()), (Status::Approved, 2));
}

#[test]
fn nothing_leaves_of_a_denied_or_withdrawn_request() {
    let (scene, request, job) = ran();
    let result = wanted(job, Part::Result, BYTES);
    scene.decide(officer(), request, deny("second thoughts")).unwrap();
    assert_eq!(word(release_as(&scene, owner(), result, BYTES)), "denied");
    scene
        .act(move |tx, here| withdraw(tx, &ada(), here, request, None))
        .unwrap();
    assert_eq!(word(release_as(&scene, owner(), result, BYTES)), "withdrawn");
}

#[test]
fn only_who_may_release_does_and_never_a_mock_run() {
    let (scene, request, job) = ran();
    let result = wanted(job, Part::Result, BYTES);
    assert!(matches!(
        release_as(&scene, ada(), result, BYTES),
        Err(Refusal::Denied(_))
    ));
    let mock = JobId(Uuid::from_u128(81));
    scene
        .act(move |tx, here| {
            runs::queue(
                tx,
                &owner(),
                here,
                mock,
                runs::Wanted::Request(request, Data::Mock),
            )?;
            runs::begin(tx, here, mock)?;
            runs::finish(tx, here, mock, succeeded(BYTES))
        })
        .unwrap();
    let mock = wanted(mock, Part::Result, BYTES);
    assert_eq!(word(release_as(&scene, owner(), mock, BYTES)), "mock_run");
    let low = Scene::new(Side::Low);
    assert_eq!(word(release_as(&low, owner(), result, BYTES)), "wrong_side");
}

#[test]
fn a_call_answers_with_the_result_the_reason_or_the_state() {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, OutputPolicy::ExecuteCount(2));
    let calling = |code: CodeId| call(&scene.view(), &ada(), &scene.here(), code, []);
    assert!(matches!(calling(code).unwrap(), Answer::NeverRequested));
    let denied = scene.request(50, code);
    assert!(matches!(
        calling(code).unwrap(),
        Answer::NoResult(NoResult {
            status: Status::Pending,
            last_run: None,
            ..
        })
    ));
    scene.decide(owner(), denied, deny("no")).unwrap();
    match calling(code).unwrap() {
        Answer::NoResult(state) => {
            assert_eq!(state.request.object.id, denied.0);
            assert!(matches!(state.status, Status::Denied { reason } if reason == "no"));
        }
        other => panic!("{other:?}"),
    }
    let request = scene.request(51, code);
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    let job = scene.run(80, request, succeeded(BYTES));
    assert!(matches!(
        calling(code).unwrap(),
        Answer::NoResult(NoResult {
            status: Status::Approved,
            last_run: Some(job::Verdict::Succeeded),
            ..
        })
    ));
    release_as(&scene, owner(), wanted(job, Part::Result, BYTES), BYTES).unwrap();
    match calling(code).unwrap() {
        Answer::Result(result) => assert_eq!(result.body.blob, Hash::of(BYTES)),
        other => panic!("{other:?}"),
    }
    let bound = call(&scene.view(), &ada(), &scene.here(), code, ["n", "table"]);
    let told = bound.unwrap_err().to_string();
    assert!(told.contains("arguments.n: is bound to the constant 3"), "{told}");
    assert!(
        told.contains(&format!("arguments.table: is bound to the asset {ASSET}")),
        "{told}"
    );
    let unknown = call(&scene.view(), &ada(), &scene.here(), code, ["m"]);
    assert!(matches!(unknown, Err(Refusal::Invalid(_))));
    let foreign = call(&scene.view(), &eve(), &scene.here(), code, []);
    assert!(matches!(foreign, Err(Refusal::NotFound { .. })));
}

#[test]
fn of_results_that_came_down_together_the_one_that_was_released_last_is_the_newest() {
    for turned in [false, true] {
        let scene = Scene::new(Side::Low);
        let code = scene.code(40, OutputPolicy::ExecuteCount(2));
        let request = scene.request(50, code);
        // One bundle brings both at one moment, in the order of ids that tell nothing.
        let mut released = [("2026-11-22", b"first"), ("2026-11-23", b"again")];
        if turned {
            released.reverse();
        }
        scene
            .act(move |tx, here| {
                for (id, (on, bytes)) in (90..).zip(released) {
                    let body = Release {
                        job: JobId(Uuid::from_u128(80)),
                        request,
                        part: Part::Result,
                        blob: Hash::of(bytes),
                        length: 5,
                        format: crate::domain::release::OutputFormat::Json,
                        by_name: owner().name,
                        on: on.parse().unwrap(),
                    };
                    records::write(tx, here, Uuid::from_u128(id), Body::Release(body), false)?;
                }
                Ok(())
            })
            .unwrap();
        match call(&scene.view(), &ada(), &scene.here(), code, []).unwrap() {
            Answer::Result(newest) => assert_eq!(newest.body.blob, Hash::of(b"again")),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_run_that_answers_another_peers_request_is_refused_for_a_bundle() {
    let (scene, _, job) = ran();
    let answer = |peer: Uuid| answer_peer(&scene.view(), &officer(), &[job], peer);
    answer(THIS.0).unwrap();
    let Err(Refusal::Conflict {
        word: "release_for_another",
        detail,
    }) = answer(OTHER.0)
    else {
        panic!("it is another's");
    };
    assert!(detail.contains("this node itself"), "{detail}");
}
