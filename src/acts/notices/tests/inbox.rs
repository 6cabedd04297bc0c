use super::*;
use crate::acts::access_rules::create;
use crate::acts::notices::inbox::{
    AT_ONCE, clear, clear_all, get, list, mark, mark_all, newest, news, note_shown, unread,
};
use crate::acts::roles;
use crate::acts::scene::ASSET;
use crate::domain::access::Permission;
use crate::domain::access_rule::{Effect, RuleDraft};
use crate::domain::id::{CodeId, RuleId};
use crate::domain::notification::Mailbox;
use crate::domain::request::{Sight, SightType};
use crate::store::check::check;

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
    assert_eq!(line.title.as_deref(), Some("to learn"));
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

#[test]
fn the_numbers_of_an_inbox_tell_nothing_of_what_its_owner_is_not_told_of() {
    let scene = staffed(Side::Solo);
    let code = scene.code(40, OutputPolicy::SingleExecution);
    let request = scene.request(50, code);
    scene.decide(officer(), request, Verdict::Approve).unwrap();
    let closed = RuleDraft {
        name: "closed".into(),
        effect: Effect::Deny {
            types: [SightType::PrivateData].into(),
            reason: "never".into(),
        },
        tags: Vec::new(),
        until: None,
    };
    scene
        .act(move |tx, here| create(tx, &officer(), here, RuleId(Uuid::from_u128(1)), &closed))
        .unwrap();
    let ask = |id| {
        scene.see(id, &ada(), Sight::PrivateData(ASSET)).unwrap();
        tell(&scene, &configured());
        newest(&scene.view(), &ada()).unwrap()
    };
    let before = ask(60);
    scene.run(80, request, succeeded(b"1"));
    tell(&scene, &configured());
    assert_eq!(scene.events().last(), Some(&Event::ResultAwaitsRelease));
    assert_eq!(ask(61), before + 1, "a step of more tells that a run ended");
    assert_eq!(news(&scene.view(), &ada(), 9).unwrap().lines.len(), 3);
}

#[test]
fn an_inbox_that_did_not_count_yet_goes_on_after_what_it_held_and_what_was_shown() {
    let scene = with_three();
    let older = |shown| {
        let mailbox = Mailbox {
            unread: unread(&scene.view(), &owner()).unwrap(),
            shown,
            last: None,
        };
        scene
            .act(move |tx, _| Ok(tx.put(&MAILBOXES, &owner().user.0, &mailbox)?))
            .unwrap();
    };
    let next = |id| {
        scene.request(id, CodeId(Uuid::from_u128(40)));
        tell(&scene, &Configured::default());
        newest(&scene.view(), &owner()).unwrap()
    };
    older(0);
    scene.act(|tx, _| clear(tx, &owner(), 3)).unwrap();
    assert_eq!(next(53), 4, "3 was used");
    older(9);
    assert_eq!(next(54), 10, "up to 9 it would not be shown as new");
    assert!(check(&scene.view(), None).is_sound());
}

#[test]
fn a_result_that_waits_is_told_to_those_alone_who_can_open_it() {
    let scene = staffed(Side::High);
    scene
        .act(|tx, here| {
            let (id, alone) = (Preset::ComplianceOfficer.id(), [Permission::Release].into());
            roles::change(tx, &owner(), here, id, None, Some(alone))
        })
        .unwrap();
    let request = scene.request(50, scene.code(40, OutputPolicy::SingleExecution));
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    scene.run(80, request, succeeded(b"1"));
    tell(&scene, &configured());
    let told = told_to(&scene);
    let told: Vec<_> = told
        .iter()
        .filter(|(_, word)| *word == "result_awaits_release")
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(told, ["Olga"]);
}
