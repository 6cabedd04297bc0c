//! A solo node, played act by act: both jobs are done on it, its scientists learn no more than those on a low node do, and
//! nothing of bundles is possible.

use jiff::tz::TimeZone;
use uuid::Uuid;

use super::peers::{self, Compared, Introduction};
use super::releases::{Answer, Ids, NoResult, Wanted, call, release};
use super::runs::{self, Ended};
use super::scene::{ASSET, OTHER, PROJECT, Scene, ada, deny, officer, owner, product, succeeded, word};
use super::{Refusal, assets, decisions, inbox, outgoing, projects, publications};
use crate::domain::decision::Verdict;
use crate::domain::hash::Hash;
use crate::domain::id::{
    BundleId, CodeId, DatasetId, DecisionId, Epoch, JobId, ProjectId, ReleaseId, RequestId,
};
use crate::domain::job::{self, Data, State};
use crate::domain::notification::{Audience, Event};
use crate::domain::object::{Body, Object};
use crate::domain::peer::{Peer, Received, Trust};
use crate::domain::policy::OutputPolicy;
use crate::domain::release::Part;
use crate::domain::request::Status;
use crate::domain::side::{Level, Side};
use crate::store::blobs::Blob;
use crate::store::read::Read;
use crate::store::records::Here;
use crate::store::tables::{OWED, PEERS};
use crate::store::transaction::Tx;
use crate::sync::select::Filters;

const ANSWER: &[u8] = b"{\"mean\": 123.97}";
const REPORT: &[u8] = b"{\"phase\": \"call\"}";

/// A solo node with an approved request of Ada's.
fn approved() -> (Scene, CodeId, RequestId) {
    let scene = Scene::new(Side::Solo);
    let code = scene.code(40, OutputPolicy::ExecuteCount(3));
    let request = scene.request(50, code);
    scene.decide(officer(), request, Verdict::Approve).unwrap();
    (scene, code, request)
}

fn let_out(scene: &Scene, job: JobId, part: Part, bytes: &[u8]) -> Object {
    let wanted = Wanted {
        job,
        part,
        hash: Hash::of(bytes),
    };
    let ids = Ids {
        release: ReleaseId(Uuid::new_v4()),
        decision: DecisionId(Uuid::new_v4()),
    };
    let blob = Blob {
        hash: Hash::of(bytes),
        len: bytes.len() as u64,
    };
    scene
        .act(move |tx, here| release(tx, &officer(), here, ids, &wanted, blob))
        .unwrap()
}

fn failed() -> Ended {
    Ended {
        failure_report: Some(product(REPORT)),
        ..Ended::empty(State::Failed)
    }
}

#[test]
fn a_release_answers_the_scientists_call_at_once() {
    let (scene, code, request) = approved();
    let answer = || call(&scene.view(), &ada(), &scene.here(), code, []).unwrap();
    let approved_alone = |answer| {
        matches!(
            answer,
            Answer::NoResult(NoResult {
                status: Status::Approved,
                last_run: None,
                ..
            })
        )
    };
    assert!(approved_alone(answer()));
    let job = scene.run(80, request, succeeded(ANSWER));
    assert!(approved_alone(answer()), "it ran, and is private");
    let released = let_out(&scene, job, Part::Result, ANSWER);
    match answer() {
        Answer::Result(found) => assert_eq!(
            (found.object.id, found.body.blob),
            (released.id, Hash::of(ANSWER))
        ),
        other => panic!("{other:?}"),
    }
    assert_eq!(scene.events().last(), Some(&Event::ResultReady));
    assert_eq!(
        scene.outbox().last().unwrap().audience,
        Audience::Person(ada().user)
    );
    let shown = scene.look(&ada(), request).unwrap();
    assert!(shown.progress.released);
    assert_eq!(shown.progress.crossing, None);
    let progress = serde_json::to_value(&shown.progress).unwrap();
    assert!(
        progress.get("carried_in").is_none() && progress.get("received").is_none(),
        "{progress}"
    );
}

#[test]
fn a_denial_reaches_the_scientist_and_no_run_follows() {
    let (scene, code, request) = approved();
    scene.decide(owner(), request, deny("single rows")).unwrap();
    assert!(matches!(
        call(&scene.view(), &ada(), &scene.here(), code, []).unwrap(),
        Answer::NoResult(NoResult {
            status: Status::Denied { .. },
            ..
        })
    ));
    let wanted = runs::Wanted::Request(request, Data::Private);
    let job = JobId(Uuid::from_u128(80));
    assert_eq!(
        word(scene.act(move |tx, here| runs::queue(tx, &owner(), here, job, wanted))),
        "not_approved"
    );
}

#[test]
fn a_scientist_sees_no_private_run_and_of_its_job_only_the_date_once_that_is_over() {
    let (scene, _, request) = approved();
    let job = scene.run(80, request, succeeded(ANSWER));
    let run = runs::get(&scene.view(), &ada(), job);
    assert!(matches!(run, Err(Refusal::NotFound { .. })));
    for of in [None, Some(request)] {
        let listed = runs::list(&scene.view(), &ada(), of, None, 10).unwrap();
        assert!(listed.runs.is_empty() && listed.next.is_none());
    }
    let jobs = |actor| scene.look(&actor, request).unwrap().jobs;
    assert_eq!(jobs(ada()).len(), 0, "when it ended is not told");
    let known = jobs(officer()).remove(0);
    scene.sleep();
    let told = jobs(ada()).remove(0);
    assert_eq!((told.id, &told.body), (known.id, &known.body));
    let midnight = |object: &Object| {
        let Body::Job(job) = &object.body else { panic!() };
        job.on.to_zoned(TimeZone::UTC).unwrap().timestamp()
    };
    assert_eq!(
        (told.created_at, told.updated_at),
        (midnight(&told), midnight(&told))
    );
    assert_ne!(known.created_at, midnight(&known));
    assert_eq!(jobs(officer()), [known]);
}

#[test]
fn a_page_of_ones_own_runs_says_nothing_of_runs_on_private_data() {
    let (scene, code, request) = approved();
    scene.allow_mock_runs();
    let listed = |of, limit| {
        let listed = runs::list(&scene.view(), &ada(), of, None, limit).unwrap();
        let ids: Vec<_> = listed.runs.iter().map(|(id, _)| *id).collect();
        (ids, listed.next)
    };
    scene.run(80, request, failed());
    let own = scene.mock_run(81, &ada(), request);
    scene.run(82, request, succeeded(ANSWER));
    for of in [None, Some(request)] {
        assert_eq!(listed(of, 1), (vec![own], None));
    }
    let of_code = runs::of_code(&scene.view(), &ada(), code, 1).unwrap();
    assert!(of_code.runs.len() == 1 && of_code.next.is_none());
    let second = scene.mock_run(83, &ada(), request);
    let (ids, next) = listed(Some(request), 1);
    assert_eq!(ids, [second]);
    let rest = runs::list(&scene.view(), &ada(), Some(request), next, 1).unwrap();
    assert!(rest.runs.iter().map(|(id, _)| *id).eq([own]) && rest.next.is_none());
    let all = runs::list(&scene.view(), &officer(), Some(request), None, 10).unwrap();
    assert_eq!(all.runs.len(), 4);
}

#[test]
fn what_is_released_of_a_job_tells_of_it() {
    let (scene, _, request) = approved();
    scene.run(80, request, failed());
    let job = scene.run(81, request, succeeded(ANSWER));
    let_out(&scene, job, Part::Log, b"printed");
    assert_eq!(scene.events().last(), Some(&Event::ReportReady));
    let jobs = scene.look(&ada(), request).unwrap().jobs;
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [job.0]);
}

#[test]
fn a_failed_run_is_told_with_the_release_of_its_report() {
    let (scene, code, request) = approved();
    let before = scene.events();
    let job = scene.run(80, request, failed());
    assert_eq!(scene.events(), before, "when it failed is not told");
    assert!(scene.look(&ada(), request).unwrap().jobs.is_empty());
    let_out(&scene, job, Part::FailureReport, REPORT);
    let told = scene.outbox().pop().unwrap();
    assert_eq!(
        (told.event, told.audience, told.about),
        (Event::RunFailed, Audience::Person(ada().user), Some(job.0))
    );
    assert_eq!(scene.look(&ada(), request).unwrap().jobs.len(), 1);
    match call(&scene.view(), &ada(), &scene.here(), code, []).unwrap() {
        Answer::NoResult(state) => assert_eq!(state.last_run, Some(job::Verdict::Failed)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn scientists_begin_projects_and_touch_no_private_data() {
    let scene = Scene::new(Side::Solo);
    let id = ProjectId(Uuid::from_u128(31));
    scene
        .act(move |tx, here| {
            let draft = projects::Draft {
                name: "second".into(),
                ..projects::Draft::default()
            };
            projects::create(tx, &ada(), here, id, &draft)
        })
        .unwrap();
    let attach = scene.act(|tx, here| assets::may_attach(tx, &ada(), here, ASSET));
    assert!(matches!(attach, Err(Refusal::Denied(_))));
    scene
        .act(|tx, here| assets::may_attach(tx, &owner(), here, ASSET))
        .unwrap();
}

/// A peer as it would be if one could be paired.
fn peer() -> Peer {
    Peer {
        node: OTHER,
        name: "high".into(),
        side: Level::High,
        identity: "identity".into(),
        trust: Trust::Paired,
        successor: Some("next".into()),
        epoch: Epoch(Uuid::from_u128(9)),
        own_epoch: None,
        retired_epochs: Vec::new(),
        former_epochs: Vec::new(),
        unconfirmed_epoch: Some(Epoch(Uuid::from_u128(10))),
        forked: false,
        last_sequence: 0,
        acknowledged: 0,
        received: Received::default(),
        audit_head: None,
    }
}

#[test]
fn nobody_is_paired_with_a_solo_node() {
    let scene = Scene::new(Side::Solo);
    for level in [Level::Low, Level::High] {
        let introduced = Introduction {
            node: OTHER,
            level,
            name: "other".into(),
            epoch: Epoch(Uuid::from_u128(9)),
            identity: "identity".into(),
            same_keys_as: None,
        };
        let made = scene.act(move |tx, here| peers::introduce(tx, &owner(), here, introduced));
        assert_eq!(word(made), "no_bundles");
    }
    assert!(scene.view().range_from(&PEERS, None, 1).unwrap().is_empty());
}

#[test]
fn no_bundle_leaves_or_enters_a_solo_node_even_if_its_store_held_a_peer() {
    let scene = Scene::new(Side::Solo);
    scene.act(|tx, _| Ok(tx.put(&PEERS, &OTHER.0, &peer())?)).unwrap();
    let (id, pima) = (OTHER.0, DatasetId(Uuid::from_u128(20)));
    let compared = || Compared {
        given: "1".into(),
        expected: "1".into(),
        identity: "identity".into(),
    };
    type Act = Box<dyn FnOnce(&mut Tx<'_>, &Here) -> Result<(), Refusal> + Send>;
    let delivery = inbox::Delivery {
        sender: id,
        signed_as: None,
        arrival: crate::sync::ledger::Arrival {
            bundle: BundleId(Uuid::from_u128(70)),
            hash: Hash::of(b"file"),
            epoch: Epoch(Uuid::from_u128(9)),
            sequence: 1,
            base: 0,
            recipient_epoch: Epoch(Uuid::from_u128(3)),
        },
        acknowledged_epoch: None,
        acknowledged: Received::default(),
        audit_head: Hash::of(b"head"),
        audit_echo: None,
        size: 1,
        records: Vec::new(),
    };
    let acts: Vec<Act> = vec![
        Box::new(move |tx, here| peers::confirm(tx, &owner(), here, id, &compared()).map(drop)),
        Box::new(move |tx, _| peers::propose_rotation(tx, &owner(), id, "next".into()).map(drop)),
        Box::new(move |tx, here| peers::confirm_rotation(tx, &owner(), here, id, &compared()).map(drop)),
        Box::new(move |tx, here| {
            peers::confirm_epoch(tx, &owner(), here, id, Epoch(Uuid::from_u128(10))).map(drop)
        }),
        Box::new(move |tx, here| peers::revoke(tx, &owner(), here, id).map(drop)),
        Box::new(move |tx, _| peers::hold(tx, &owner(), id, PROJECT.0, true)),
        Box::new(move |tx, _| outgoing::preview(tx, &owner(), id, &Filters::default(), false).map(drop)),
        Box::new(move |tx, here| {
            let bundle = BundleId(Uuid::from_u128(71));
            let wanted = outgoing::Wanted {
                full: true,
                ..outgoing::Wanted::default()
            };
            outgoing::pack(tx, &owner(), here, id, &wanted, bundle).map(drop)
        }),
        Box::new(move |tx, here| Ok(inbox::receive(tx, here, &delivery).map(drop)?)),
        Box::new(move |tx, _| inbox::contents(tx, &owner(), id, &Filters::default()).map(drop)),
        Box::new(move |tx, here| inbox::apply(tx, &owner(), here, id, &[], &[]).map(drop)),
        Box::new(move |tx, here| inbox::ignore(tx, &owner(), here, id, &[], &[]).map(drop)),
        Box::new(move |tx, here| inbox::unignore(tx, &owner(), here, id, &[]).map(drop)),
        Box::new(move |tx, here| publications::publish(tx, &owner(), here, pima, OTHER)),
        Box::new(move |tx, here| publications::withdraw(tx, &owner(), here, pima, OTHER)),
        Box::new(move |tx, here| publications::list(tx, &owner(), here, pima).map(drop)),
        Box::new(move |tx, here| publications::adopt(tx, &owner(), here, pima).map(drop)),
    ];
    for (number, act) in acts.into_iter().enumerate() {
        assert_eq!(word(scene.act(act)), "no_bundles", "act {number}");
    }
    let code = scene.code(40, OutputPolicy::SingleExecution);
    let request = scene.request(50, code);
    scene.decide(officer(), request, Verdict::Approve).unwrap();
    let job = scene.run(80, request, succeeded(ANSWER));
    let_out(&scene, job, Part::Result, ANSWER);
    scene
        .act(|tx, here| peers::owe_everything(tx, here, OTHER.0))
        .unwrap();
    assert!(
        scene.view().range_from(&OWED, None, 1).unwrap().is_empty(),
        "nobody is owed anything"
    );
}

#[test]
fn only_what_a_solo_node_decided_itself_lets_code_run() {
    let (scene, _, request) = approved();
    let seen = scene.seen(request);
    let own = scene.act(move |tx, here| {
        decisions::decide(
            tx,
            &ada(),
            here,
            DecisionId(Uuid::new_v4()),
            request,
            Verdict::Approve,
            &seen,
        )
    });
    assert!(matches!(own, Err(Refusal::Denied(_))));
    let job = JobId(Uuid::from_u128(80));
    let wanted = runs::Wanted::Request(request, Data::Private);
    let own = scene.act(move |tx, here| runs::queue(tx, &ada(), here, job, wanted));
    assert!(matches!(own, Err(Refusal::Denied(_))));
}
