use super::*;
use crate::acts::notices::inbox::{
    AT_ONCE, clear, clear_all, get, list, mark, mark_all, newest, news, note_shown, unread,
};

fn with_three() -> Scene {
    let scene = staffed(Side::Low);
    let code = scene.code(40, OutputPolicy::SingleExecution);
    for id in 50..53 {
        scene.request(id, code);
    }
    tell(&scene, &Configured::default());
    scene
}

fn numbers(scene: &Scene, unread: bool) -> Vec<u64> {
    let found = list(&scene.view(), &owner(), unread, None, 100).unwrap();
    found.lines.iter().map(|line| line.number).collect()
}

#[test]
fn an_inbox_is_read_marked_and_cleared_by_its_owner_alone() {
    let scene = with_three();
    let count = |actor: &Actor| unread(&scene.view(), actor).unwrap();
    assert_eq!(
        (numbers(&scene, false), count(&owner()), count(&officer())),
        (vec![3, 2, 1], 3, 3)
    );
    let line = get(&scene.view(), &owner(), 2).unwrap();
    assert_eq!(line.told.target, Some(Target::Request(Uuid::from_u128(51))));
    assert_eq!(line.told.who.as_deref(), Some("Ada"));
    assert!(
        get(&scene.view(), &ada(), 2).is_err(),
        "another's line is not there"
    );
    assert!(scene.act(|tx, _| mark(tx, &ada(), 2, true)).is_err());
    assert!(scene.act(|tx, _| clear(tx, &ada(), 2)).is_err());
    for _ in 0..2 {
        scene.act(|tx, _| mark(tx, &owner(), 2, true)).unwrap();
        assert_eq!((numbers(&scene, true), count(&owner())), (vec![3, 1], 2));
    }
    scene.act(|tx, _| mark(tx, &owner(), 2, false)).unwrap();
    assert_eq!((numbers(&scene, true), count(&owner())), (vec![3, 2, 1], 3));
    assert!(!scene.act(|tx, _| mark_all(tx, &owner(), 2)).unwrap());
    assert_eq!(
        (numbers(&scene, true), count(&owner())),
        (vec![3], 1),
        "what came later is not marked"
    );
    scene.act(|tx, _| clear(tx, &owner(), 3)).unwrap();
    assert_eq!((numbers(&scene, false), count(&owner())), (vec![2, 1], 0));
    assert!(!scene.act(|tx, _| clear_all(tx, &owner(), 9)).unwrap());
    assert_eq!(
        (numbers(&scene, false), count(&owner()), count(&officer())),
        (vec![], 0, 3)
    );
}

#[test]
fn an_inbox_comes_in_pages() {
    let scene = with_three();
    let first = list(&scene.view(), &owner(), false, None, 2).unwrap();
    assert_eq!((first.lines.len(), first.next), (2, Some(2)));
    let second = list(&scene.view(), &owner(), false, first.next, 2).unwrap();
    assert_eq!((second.lines.len(), second.next), (1, None));
}

#[test]
fn a_digest_shows_what_is_new_since_the_last_one() {
    let scene = with_three();
    let new = |limit| news(&scene.view(), &owner(), limit).unwrap();
    assert_eq!(
        new(2).lines.iter().map(|line| line.number).collect::<Vec<_>>(),
        [1, 2]
    );
    assert!(new(2).next.is_some());
    scene.act(|tx, _| note_shown(tx, &owner(), 2)).unwrap();
    assert_eq!(new(9).lines.len(), 1);
    // Nobody can note what has not come yet, nor go back.
    scene.act(|tx, _| note_shown(tx, &owner(), 99)).unwrap();
    scene.act(|tx, _| note_shown(tx, &owner(), 1)).unwrap();
    assert!(new(9).lines.is_empty());
    let code = scene.code(41, OutputPolicy::SingleExecution);
    scene.request(53, code);
    tell(&scene, &Configured::default());
    assert_eq!(new(9).lines.len(), 1);
    assert_eq!(newest(&scene.view(), &owner()).unwrap(), 4);
    assert_eq!(newest(&scene.view(), &eve()).unwrap(), 0);
}

#[test]
fn a_large_inbox_is_marked_and_cleared_in_steps() {
    let scene = staffed(Side::Low);
    let many = AT_ONCE + 1;
    scene
        .act(move |tx, here| {
            for _ in 0..many {
                records::notify(tx, here, Event::Welcome, None, Some(eve().user))?;
            }
            Ok(())
        })
        .unwrap();
    let configured = Configured::default();
    scene
        .act(move |tx, here| fan_out(tx, here, &configured, many))
        .unwrap();
    assert!(scene.act(|tx, _| mark_all(tx, &eve(), u64::MAX)).unwrap());
    assert!(!scene.act(|tx, _| mark_all(tx, &eve(), u64::MAX)).unwrap());
    assert_eq!(unread(&scene.view(), &eve()).unwrap(), 0);
    assert!(scene.act(|tx, _| clear_all(tx, &eve(), u64::MAX)).unwrap());
    assert!(!scene.act(|tx, _| clear_all(tx, &eve(), u64::MAX)).unwrap());
}
