use uuid::Uuid;

use super::*;
use crate::acts::releases::{self, Ids, Wanted};
use crate::acts::requests::withdraw;
use crate::acts::scene::*;
use crate::domain::access::Actor;
use crate::domain::decision::Verdict;
use crate::domain::id::{DecisionId, ReleaseId};
use crate::domain::job::Job;
use crate::domain::notification::Event;
use crate::domain::object::Body;
use crate::domain::policy::OutputPolicy;
use crate::domain::release::Part;
use crate::domain::side::Side;
use crate::store::blobs::Blob;

const DATA: Sight = Sight::PrivateData(ASSET);

fn check(scene: &Scene, actor: Actor, request: RequestId) -> Result<Source, Refusal> {
    scene.act(move |tx, here| check_fulfilment(tx, &actor, here, request))
}

fn write(scene: &Scene, request: RequestId, source: Source) -> Result<(JobId, Run), Refusal> {
    let id = JobId(Uuid::from_u128(80));
    let run = scene
        .act(move |tx, here| fulfil(tx, &owner(), here, id, request, (&source, product(b"the data"))))?;
    Ok((id, run))
}

/// A high node with an approved request of Ada's for private data.
fn approved() -> (Scene, RequestId) {
    let scene = Scene::new(Side::High);
    let request = scene.see(50, &ada(), DATA).unwrap();
    scene.decide(officer(), request, Verdict::Approve).unwrap();
    (scene, request)
}

#[test]
fn private_data_is_written_for_what_this_node_approved_and_once() {
    let scene = Scene::new(Side::High);
    let request = scene.see(50, &ada(), DATA).unwrap();
    assert_eq!(word(check(&scene, owner(), request)), "not_approved");
    scene.decide(officer(), request, Verdict::Approve).unwrap();
    assert!(matches!(check(&scene, ada(), request), Err(Refusal::Denied(_))));
    let source = check(&scene, owner(), request).unwrap();
    assert_eq!(source.asset, ASSET);
    let (id, run) = write(&scene, request, source.clone()).unwrap();
    assert_eq!((run.code, run.origin), (None, Origin::Fulfilment));
    match records::object(&scene.view(), id.0).unwrap().unwrap().body {
        Body::Job(Job { code: None, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(word(check(&scene, owner(), request)), "fulfilled_already");
    assert_eq!(word(write(&scene, request, source)), "fulfilled_already");
    assert_eq!(scene.events().last(), Some(&Event::ResultAwaitsRelease));
    assert_eq!(
        scene.audited(),
        ["request.submitted", "request.approved", "private_data.copied"]
    );
}

#[test]
fn what_does_not_ask_for_private_data_gets_none() {
    let scene = Scene::new(Side::High);
    let run = scene.request(49, scene.code(40, OutputPolicy::SingleExecution));
    scene.decide(officer(), run, Verdict::Approve).unwrap();
    assert_eq!(word(check(&scene, owner(), run)), "not_private_data");
    scene.restrict_mocks(&[]);
    let mock = scene.see(50, &ada(), Sight::Mock(ASSET)).unwrap();
    scene.decide(officer(), mock, Verdict::Approve).unwrap();
    assert_eq!(word(check(&scene, owner(), mock)), "not_private_data");

    let low = Scene::new(Side::Low);
    let request = low.see(50, &ada(), DATA).unwrap();
    low.approved_elsewhere(request);
    assert_eq!(word(check(&low, owner(), request)), "wrong_side");
}

#[test]
fn an_approval_is_for_the_asset_as_it_was() {
    let (scene, request) = approved();
    scene
        .act(|tx, here| crate::acts::assets::remove_mock(tx, &owner(), here, ASSET))
        .unwrap();
    assert_eq!(word(check(&scene, owner(), request)), "not_approved");
    scene.decide(officer(), request, Verdict::Approve).unwrap();
    check(&scene, owner(), request).unwrap();
}

#[test]
fn data_that_was_replaced_meanwhile_is_not_what_was_written() {
    let (scene, request) = approved();
    let source = check(&scene, owner(), request).unwrap();
    scene
        .act(|tx, here| {
            let mut other = tx.get(&PRIVATE_DATA, &ASSET.0)?.unwrap();
            other.attached_at = here.now;
            Ok(tx.put(&PRIVATE_DATA, &ASSET.0, &other)?)
        })
        .unwrap();
    assert!(matches!(
        write(&scene, request, source),
        Err(Refusal::Changed { .. })
    ));
    scene
        .act(|tx, _| Ok(tx.delete(&PRIVATE_DATA, &ASSET.0)?))
        .unwrap();
    assert_eq!(word(check(&scene, owner(), request)), "no_private_data");
}

#[test]
fn a_request_that_was_taken_back_or_denied_gets_nothing() {
    let (scene, request) = approved();
    let source = check(&scene, owner(), request).unwrap();
    scene.decide(officer(), request, deny("second thoughts")).unwrap();
    assert_eq!(word(write(&scene, request, source.clone())), "not_approved");
    scene.decide(officer(), request, Verdict::Approve).unwrap();
    scene
        .act(move |tx, here| withdraw(tx, &ada(), here, request, None))
        .unwrap();
    assert_eq!(word(write(&scene, request, source)), "not_approved");
}

#[test]
fn it_is_released_by_the_hash_of_what_was_reviewed() {
    let (scene, request) = approved();
    let source = check(&scene, owner(), request).unwrap();
    let (job, _) = write(&scene, request, source).unwrap();
    let release = |bytes: &'static [u8]| {
        let blob = Blob {
            hash: product(bytes).hash,
            len: bytes.len() as u64,
        };
        let wanted = Wanted {
            job,
            part: Part::Result,
            hash: blob.hash,
        };
        let ids = Ids {
            release: ReleaseId(Uuid::from_u128(90)),
            decision: DecisionId(Uuid::from_u128(91)),
        };
        scene.act(move |tx, here| releases::release(tx, &owner(), here, ids, &wanted, blob))
    };
    assert!(matches!(release(b"other data"), Err(Refusal::Changed { .. })));
    release(b"the data").unwrap();
    let seen = scene.look(&ada(), request).unwrap();
    assert_eq!((seen.jobs.len(), seen.releases.len()), (1, 1));
    assert!(seen.progress.released);
    assert_eq!(scene.events().last(), Some(&Event::ResultReady));
}
