//! What a reviewer can do with what waits.

use std::collections::BTreeSet;

use super::*;
use crate::acts::publications;
use crate::domain::id::DatasetId;
use crate::domain::object::Kind;
use crate::domain::peer::ReviewAct;
use crate::sync::batch::Change;

/// A pair where a collaboration waits in the high node's inbox.
fn arrived() -> (Node, Node, [Uuid; 4]) {
    let (low, high) = two();
    let ids = low.collaboration("ada", &[]);
    ByHand.import(&high, &export(&low, &high)).unwrap();
    (low, high, ids)
}

fn bring(from: &Node, to: &Node) {
    ByHand.import(to, &export(from, to)).unwrap();
}

#[test]
fn applying_brings_what_is_needed_first_and_says_so() {
    let (low, high, [user, project, code, request]) = arrived();
    let applied = high.apply(low.id.0, &[request]).unwrap();
    assert_eq!(applied.roots, [project, request]);
    assert_eq!(applied.also, [project]);
    for id in [user, project, code, request] {
        assert!(high.object(id).is_some());
    }
    assert!(high.inbox(low.id.0).is_empty());
}

#[test]
fn a_refused_act_changes_nothing() {
    let (low, high, [_, project, _, request]) = arrived();
    let seen: Vec<_> = high
        .seen(low.id.0)
        .into_iter()
        .filter(|seen| seen.id != project)
        .collect();
    let before = high.dump();
    let refused = high.apply_as(high.owner(), low.id.0, &[request], seen);
    assert!(
        matches!(refused, Err(Refusal::Changed { .. })),
        "what is needed must have been seen too"
    );
    assert!(high.dump() == before);
}

#[test]
fn what_has_changed_since_it_was_seen_is_not_applied() {
    let (low, high, [_, project, ..]) = arrived();
    let seen = high.seen(low.id.0);
    low.edit(project, |body| rename(body, "described"));
    bring(&low, &high);
    let refused = high.apply_as(high.owner(), low.id.0, &[project], seen);
    let Err(Refusal::Changed { difference, .. }) = refused else {
        panic!("applied unseen")
    };
    assert_eq!(difference[0]["id"], project.to_string());
    high.apply(low.id.0, &[project]).unwrap();
}

#[test]
fn a_second_reviewer_is_told_who_was_first_and_the_first_may_repeat() {
    let (low, high, [_, project, _, request]) = arrived();
    let seen = high.seen(low.id.0);
    high.apply(low.id.0, &[request]).unwrap();
    let second = high.apply_as(high.person(2), low.id.0, &[request], seen.clone());
    let Err(Refusal::Changed { difference, .. }) = second else {
        panic!("applied twice")
    };
    assert_eq!(difference["by"], "Person 1");
    let before = high.dump();
    let again = high
        .apply_as(high.owner(), low.id.0, &[request, project], seen)
        .unwrap();
    assert!(again.roots.is_empty() && high.dump() == before);
}

#[test]
fn a_batch_waits_for_what_has_not_arrived() {
    let (low, high, [.., request]) = arrived();
    high.apply_all(low.id.0);
    let saved = low.dump();
    let [user, project, ..] = low.collaboration("bob", &[]);
    let later = low.request(project, low.code(user, &[]), user);
    carry(&low, &high);
    let (one, other) = (high.approve(request), high.approve(later));
    // The second request is lost on the low side: what answers it has nothing to belong to.
    let low = low.restored(&saved);
    bring_after_restore(&low, &high);
    bring(&high, &low);
    let waiting: BTreeSet<Uuid> = low
        .inbox(high.id.0)
        .iter()
        .flat_map(|shown| shown.waits_for.clone())
        .collect();
    assert_eq!(waiting, [later].into());
    assert_eq!(word(low.apply(high.id.0, &[later])), "waits");
    low.apply_all(high.id.0);
    assert!(low.object(one).is_some() && low.object(other).is_none());
}

#[test]
fn what_a_restored_node_has_forgotten_is_given_back_with_its_answers() {
    let (low, high, [.., request]) = arrived();
    high.apply_all(low.id.0);
    let saved = low.dump();
    let lost = low.collaboration("bob", &[]);
    let [_, project, _, later] = lost;
    carry(&low, &high);
    let kept = lost.map(|id| high.object(id).unwrap());
    let (one, other) = (high.approve(request), high.approve(later));
    let low = low.restored(&saved);
    bring_after_restore(&low, &high);
    assert!(
        lost.iter()
            .all(|id| !high.rows(&OWED).iter().any(|((_, owed), _)| owed == id)),
        "nothing tells what is still there before the node has spoken"
    );
    bring(&low, &high);
    bring(&high, &low);
    let shown = low.inbox(high.id.0);
    assert!(shown.iter().all(|batch| batch.waits_for.is_empty()), "{shown:#?}");
    let returned: BTreeSet<_> = shown
        .iter()
        .flat_map(|shown| &shown.batch.members)
        .filter(|member| member.change == Change::Returned)
        .map(|member| member.id)
        .collect();
    assert_eq!(returned, lost.into());
    low.apply_all(high.id.0);
    for before in kept {
        let back = low.object(before.id).unwrap();
        assert_eq!(
            (back.revision, &back.body, back.home),
            (before.revision, &before.body, low.id)
        );
    }
    assert!(low.object(one).is_some() && low.object(other).is_some());
    // It goes on as if it had never been gone: the high side knows it under the new epoch, and nothing is owed.
    carry(&low, &high);
    carry(&high, &low);
    carry(&low, &high);
    let epoch = low.object(later).unwrap().epoch;
    assert_eq!(high.object(later).unwrap().epoch, epoch);
    assert!(high.rows(&OWED).is_empty() && low.rows(&OWED).is_empty());
    assert!(high.inbox(low.id.0).is_empty() && low.inbox(high.id.0).is_empty());
    low.edit(project, |body| rename(body, "described anew"));
    carry(&low, &high);
    assert_eq!(
        high.object(project).unwrap().body,
        low.object(project).unwrap().body
    );
}

#[test]
fn what_waited_for_review_when_its_home_was_restored_is_given_back_once_it_is_applied() {
    let (low, high) = two();
    carry(&low, &high);
    let saved = low.dump();
    let [.., request] = low.collaboration("ada", &[]);
    bring(&low, &high);
    let low = low.restored(&saved);
    bring_after_restore(&low, &high);
    bring(&low, &high);
    carry(&high, &low);
    assert!(low.object(request).is_none());
    high.apply_all(low.id.0);
    carry(&high, &low);
    assert!(low.object(request).is_some());
}

fn bring_after_restore(restored: &Node, to: &Node) {
    ByHand.import(to, &export(restored, to)).unwrap_err();
    confirm_epoch(to, restored).unwrap();
}

#[test]
fn a_request_without_its_code_waits_for_it() {
    let (low, high) = two();
    let [.., code, request] = low.collaboration("ada", &[]);
    let mut bundle = export(&low, &high);
    bundle
        .records
        .retain(|record| super::super::decode(high.level, record).unwrap().id != code);
    ByHand.import(&high, &bundle).unwrap();
    assert_eq!(word(high.apply(low.id.0, &[request])), "waits");
    let shown = high.inbox(low.id.0);
    let waiting = shown.iter().find(|shown| shown.batch.root == request).unwrap();
    assert_eq!(waiting.waits_for, [code]);
    bring(&low, &high);
    high.apply(low.id.0, &[request]).unwrap();
}

#[test]
fn shared_people_come_with_whichever_batch_is_applied_first() {
    let (low, high) = two();
    let user = low.user("ada");
    let (one, two) = (low.project("one", &[user]), low.project("two", &[user]));
    bring(&low, &high);
    high.ignore(low.id.0, &[one]);
    high.apply(low.id.0, &[two]).unwrap();
    assert!(high.object(user).is_some());
    high.unignore(low.id.0, &[one]);
    high.apply(low.id.0, &[one]).unwrap();
    assert!(high.inbox(low.id.0).is_empty());
}

#[test]
fn ignoring_hides_all_that_depends_on_it_and_later_dependents_too() {
    let (low, high, [user, project, _, request]) = arrived();
    high.ignore(low.id.0, &[project]);
    assert_eq!(high.ignored(low.id.0), [project, request]);
    assert_eq!(word(high.apply(low.id.0, &[request])), "ignored");
    let later = low.request(project, low.code(user, &[]), user);
    bring(&low, &high);
    assert!(high.ignored(low.id.0).contains(&later));
}

#[test]
fn an_ignored_batch_shows_again_when_its_own_objects_change() {
    let (low, high, [_, project, _, request]) = arrived();
    high.ignore(low.id.0, &[project]);
    low.edit(project, |body| rename(body, "described"));
    bring(&low, &high);
    assert_eq!(
        high.ignored(low.id.0),
        [request],
        "what depends on it stays ignored"
    );
    low.edit(request, |body| rename(body, ""));
    bring(&low, &high);
    assert!(high.ignored(low.id.0).is_empty());
}

#[test]
fn unignoring_brings_back_what_is_needed() {
    let (low, high, [user, project, _, request]) = arrived();
    let other = low.request(project, low.code(user, &[]), user);
    bring(&low, &high);
    high.ignore(low.id.0, &[project]);
    high.unignore(low.id.0, &[request]);
    assert_eq!(high.ignored(low.id.0), [other]);
    high.apply(low.id.0, &[request]).unwrap();
    assert!(high.object(other).is_none());
}

#[test]
fn ignoring_is_noted_with_who_did_it() {
    let (low, high, [_, project, ..]) = arrived();
    high.ignore(low.id.0, &[project]);
    let shown = high
        .inbox(low.id.0)
        .into_iter()
        .find(|shown| shown.batch.root == project)
        .unwrap();
    let reviewed = shown.reviewed.unwrap();
    assert_eq!(
        (reviewed.act, reviewed.by),
        (ReviewAct::Ignored, high.owner().user)
    );
}

#[test]
fn revisions_that_forked_are_shown_and_never_overwritten_in_silence() {
    let (low, high) = two();
    let [_, project, ..] = low.collaboration("ada", &[]);
    carry(&low, &high);
    let saved = low.dump();
    low.edit(project, |body| rename(body, "lost"));
    carry(&low, &high);
    let low = low.restored(&saved);
    low.edit(project, |body| rename(body, "kept"));
    bring_after_restore(&low, &high);
    bring(&low, &high);
    let shown = high.inbox(low.id.0);
    let changes: Vec<_> = shown
        .iter()
        .flat_map(|shown| &shown.batch.members)
        .map(|member| member.change)
        .collect();
    assert_eq!(changes, [Change::Forked]);
    let Body::Project(here) = high.object(project).unwrap().body else {
        panic!("no project")
    };
    assert_eq!(here.description, "lost", "until somebody applies it");
    high.apply_all(low.id.0);
    assert_eq!(
        high.object(project).unwrap().body,
        low.object(project).unwrap().body
    );
}

#[test]
fn a_tombstone_travels_and_hides_without_removing() {
    let (low, high, [_, project, _, request]) = arrived();
    high.apply_all(low.id.0);
    let decision = high.approve(request);
    low.erase(request);
    bring(&low, &high);
    let shown = high.inbox(low.id.0);
    assert!(
        shown[0].batch.members[0].deleted,
        "it is reviewed like any other revision"
    );
    high.apply_all(low.id.0);
    assert!(high.object(request).unwrap().deleted);
    assert!(high.object(decision).is_some() && high.object(project).is_some());
}

#[test]
fn an_adopted_dataset_changes_its_home_and_later_revisions_of_the_old_one_are_refused() {
    let (low, high) = two();
    let dataset = low.dataset("pima");
    let asset = low.asset(dataset, "table");
    carry(&low, &high);
    low.edit(dataset, |body| rename(body, "waits in the inbox"));
    bring(&low, &high);
    high.adopt(dataset, true);
    assert!(
        high.inbox(low.id.0).is_empty(),
        "what waited can be applied no more"
    );
    low.edit(dataset, |body| rename(body, "comes too late"));
    let late = ByHand.import(&high, &export(&low, &high)).unwrap();
    assert_eq!(late.brought, 0);
    assert_eq!(high.object(dataset).unwrap().home, high.id);
    bring(&high, &low);
    let shown = low.inbox(high.id.0);
    let changes: Vec<_> = shown
        .iter()
        .flat_map(|shown| &shown.batch.members)
        .map(|member| member.change)
        .collect();
    assert_eq!(
        changes,
        [Change::Forked, Change::Modified],
        "the dataset was changed here meanwhile"
    );
    low.apply_all(high.id.0);
    for id in [dataset, asset] {
        assert_eq!(low.object(id).unwrap().home, high.id);
        assert_eq!(low.object(id).unwrap().body, high.object(id).unwrap().body);
    }
    assert!(
        owed(&low, &high).is_empty(),
        "it is not the low side's to send any more"
    );
}

#[test]
fn a_change_made_while_an_adoption_waits_is_shown_as_a_fork() {
    let (low, high) = two();
    let dataset = low.dataset("pima");
    carry(&low, &high);
    high.adopt(dataset, false);
    bring(&high, &low);
    let change = |low: &Node| low.inbox(high.id.0)[0].batch.members[0].change;
    assert_eq!(change(&low), Change::Modified);
    low.edit(dataset, |body| rename(body, "meanwhile"));
    assert_eq!(change(&low), Change::Forked);
}

#[test]
fn an_asset_may_join_a_dataset_that_was_adopted_meanwhile() {
    let (low, high) = two();
    let dataset = low.dataset("pima");
    carry(&low, &high);
    high.adopt(dataset, false);
    let asset = low.asset(dataset, "late");
    carry(&low, &high);
    assert_eq!(high.object(asset).unwrap().kind(), Kind::Asset);

    // And is taken over as the dataset was, so that both nodes know one home of it.
    let owner = high.owner();
    high.act(move |tx, here| publications::adopt(tx, &owner, here, DatasetId(dataset)))
        .unwrap();
    carry(&high, &low);
    for node in [&low, &high] {
        assert_eq!(node.object(asset).unwrap().home, high.id);
    }
    assert_eq!(low.object(asset).unwrap().body, high.object(asset).unwrap().body);
    assert!(owed(&low, &high).is_empty());
}
