use super::*;
use crate::acts::runs;
use crate::acts::scene::{Scene, ada, owner, succeeded};
use crate::domain::decision::Verdict;
use crate::domain::id::JobId;
use crate::domain::job::Data;
use crate::domain::policy::OutputPolicy;
use crate::domain::side::Side;
use crate::store::check::check;
use crate::store::tables::{REQUESTS_OPEN, RESULTS_UNRELEASED};

/// Empties a table.
fn empty(tx: &mut Tx<'_>, prefix: u8) -> Result<(), TableError> {
    for key in keys(tx, prefix, usize::MAX)? {
        tx.delete_bytes(key)?;
    }
    Ok(())
}

fn all(scene: &Scene, prefix: u8) -> Vec<Vec<u8>> {
    let found = scene
        .view()
        .scan(&KeyRange::prefix(&[prefix]), Direction::Ascending, usize::MAX);
    found.unwrap().into_iter().map(|(key, _)| key).collect()
}

#[test]
fn lists_that_version_2_did_not_have_are_made_as_they_would_have_been_kept() {
    let scene = Scene::new(Side::Solo);
    scene.allow_mock_runs();
    let code = scene.code(40, OutputPolicy::ExecuteCount(3));
    let request = scene.request(50, code);
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    scene.run(80, request, succeeded(b"1"));
    let wanted = runs::Wanted::Request(request, Data::Mock);
    for id in 81..84 {
        let job = JobId(Uuid::from_u128(id));
        scene
            .act(move |tx, here| runs::queue(tx, &ada(), here, job, wanted))
            .unwrap();
    }
    scene.request(51, code);
    let lists = [
        RUNS_APART.prefix(),
        RESULTS_UNRELEASED.prefix(),
        REQUESTS_OPEN.prefix(),
    ];
    let kept = lists.map(|list| all(&scene, list));
    assert!(kept.iter().all(|list| !list.is_empty()));
    scene
        .act(move |tx, _| {
            for list in lists {
                empty(tx, list)?;
            }
            Ok(())
        })
        .unwrap();
    assert!(!check(&scene.view(), None).is_sound());
    let mut cursor = None;
    loop {
        let after: Option<Vec<u8>> = cursor.take();
        let step = scene.act(move |tx, _| Ok((MIGRATIONS[1].step)(tx, after.as_deref())?));
        match step.unwrap() {
            Step::More(next) => cursor = Some(next),
            Step::Done => break,
        }
    }
    assert_eq!(lists.map(|list| all(&scene, list)), kept);
    assert_eq!(check(&scene.view(), None).wrong, Vec::<String>::new());
}
