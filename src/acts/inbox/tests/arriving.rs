//! Where a bundle stands in the order of its sender's, and what a store that was set back means.

use std::sync::Arc;

use super::super::Turned;
use super::*;
use crate::acts::peers;
use crate::domain::id::Epoch;
use crate::store::memory_engine::MemoryEngine;

#[test]
fn a_repeated_bundle_changes_nothing() {
    let (low, high) = two();
    low.collaboration("ada", &[]);
    let bundle = carry(&low, &high);
    let before = high.dump();
    let receipt = receive(&high, &bundle).unwrap();
    assert_eq!((receipt.place, receipt.brought), (Place::Repeated, 0));
    assert!(high.dump() == before);
}

#[test]
fn an_older_bundle_after_a_newer_one_is_accepted_and_takes_nothing_back() {
    let (low, high) = two();
    let project = low.project("one", &[low.user("ada")]);
    let older = export(&low, &high);
    low.edit(project, |body| rename(body, "described"));
    let newer = export(&low, &high);
    assert_eq!(ByHand.import(&high, &newer).unwrap().place, Place::New);
    let late = ByHand.import(&high, &older).unwrap();
    assert_eq!((late.place, late.brought, late.known), (Place::Late, 0, 2));
    high.apply_all(low.id.0);
    assert_eq!(
        high.object(project),
        low.object(project).map(|there| like(&high, project, there))
    );
    acknowledge(&high, &low);
    assert!(owed(&low, &high).is_empty());
}

/// The other side's object with this side's own times.
fn like(here: &Node, id: Uuid, there: crate::domain::object::Object) -> crate::domain::object::Object {
    let mine = here.object(id).unwrap();
    crate::domain::object::Object {
        created_at: mine.created_at,
        updated_at: mine.updated_at,
        ..there
    }
}

#[test]
fn a_bundle_that_builds_on_one_that_never_arrived_is_refused() {
    let (low, high) = two();
    let mut bundle = export(&low, &high);
    bundle.header.arrival.base = 7;
    bundle.header.arrival.sequence = 8;
    let why = refused(&high, &bundle);
    assert!(matches!(
        why,
        ImportRefused::Order(Refused::Gap { base: 7, highest: 0 })
    ));
}

#[test]
fn two_bundles_under_one_number_are_a_fork_that_names_both() {
    let (low, high) = two();
    low.collaboration("ada", &[]);
    let before = low.dump();
    let first = export(&low, &high);
    ByHand.import(&high, &first).unwrap();
    // A copy of the store, brought up without a new epoch.
    let twin = low.copied(
        &before,
        std::sync::Arc::new(crate::store::memory_engine::MemoryEngine::new()),
    );
    twin.user("eve");
    let second = export(&twin, &high);
    let why = refused(&high, &second).to_string();
    for id in [first.header.arrival.bundle, second.header.arrival.bundle] {
        assert!(why.contains(&id.to_string()));
    }
    assert_eq!(receive(&high, &first).unwrap().place, Place::Repeated);
}

#[test]
fn a_new_epoch_is_refused_until_a_person_confirms_it_and_the_old_one_from_then_on() {
    let (low, high) = two();
    low.collaboration("ada", &[]);
    let old = export(&low, &high);
    let low = low.restored(&low.dump());
    let new = export(&low, &high);
    assert!(matches!(
        refused(&high, &new),
        ImportRefused::Order(Refused::UnconfirmedEpoch { .. })
    ));
    let unheard = confirm_epoch(&high, &low);
    assert_eq!(
        word(unheard),
        "epoch_unknown",
        "only an epoch that a bundle has named"
    );
    ByHand.import(&high, &new).unwrap_err();
    confirm_epoch(&high, &low).unwrap();
    ByHand.import(&high, &new).unwrap();
    assert!(matches!(
        refused(&high, &old),
        ImportRefused::Order(Refused::RetiredEpoch { .. })
    ));
}

#[test]
fn a_sender_that_was_set_back_becomes_level_again() {
    let (low, high) = two();
    let [_, project, ..] = low.collaboration("ada", &[]);
    carry(&low, &high);
    let saved = low.dump();
    low.edit(project, |body| rename(body, "before"));
    carry(&low, &high);
    let low = low.restored(&saved);
    low.edit(project, |body| rename(body, "after"));
    ByHand.import(&high, &export(&low, &high)).unwrap_err();
    confirm_epoch(&high, &low).unwrap();
    carry(&low, &high);
    assert_eq!(
        high.object(project).unwrap().body,
        low.object(project).unwrap().body
    );
    acknowledge(&high, &low);
    assert!(owed(&low, &high).is_empty());
}

#[test]
fn what_was_not_changed_needs_no_second_review_in_a_new_epoch() {
    let (low, high) = two();
    low.collaboration("ada", &[]);
    carry(&low, &high);
    let low = low.restored(&low.dump());
    let bundle = export(&low, &high);
    ByHand.import(&high, &bundle).unwrap_err();
    confirm_epoch(&high, &low).unwrap();
    let receipt = ByHand.import(&high, &bundle).unwrap();
    assert_eq!((receipt.brought, receipt.known), (0, 4));
    assert!(high.inbox(low.id.0).is_empty());
}

#[test]
fn a_receiver_that_was_set_back_gets_everything_again() {
    let (low, high) = two();
    let saved = high.dump();
    let [.., request] = low.collaboration("ada", &[]);
    carry(&low, &high);
    acknowledge(&high, &low);
    let high = high.restored(&saved);
    low.edit(request, |body| rename(body, ""));
    let built_on_what_is_lost = export(&low, &high);
    assert!(matches!(
        refused(&high, &built_on_what_is_lost),
        ImportRefused::Order(Refused::MadeForAnotherEpoch { .. })
    ));
    ByHand.import(&low, &export(&high, &low)).unwrap_err();
    confirm_epoch(&low, &high).unwrap();
    carry(&low, &high);
    assert_eq!(
        high.object(request).unwrap().body,
        low.object(request).unwrap().body
    );
}

#[test]
fn a_full_bundle_reaches_a_receiver_whose_new_epoch_nobody_has_confirmed() {
    let (low, high) = two();
    let saved = high.dump();
    let [.., request] = low.collaboration("ada", &[]);
    carry(&low, &high);
    acknowledge(&high, &low);
    let high = high.restored(&saved);
    let full = ByHand.export(&low, high.id.0, &Filters::default(), true).unwrap();
    ByHand.import(&high, &full).unwrap();
    high.apply_all(low.id.0);
    assert!(high.object(request).is_some());
}

#[test]
fn an_epoch_that_was_left_behind_cannot_be_confirmed_again() {
    let (low, high) = two();
    let first = low.epoch();
    let low = low.restored(&low.dump());
    ByHand.import(&high, &export(&low, &high)).unwrap_err();
    confirm_epoch(&high, &low).unwrap();
    let sender = low.id.0;
    let turned = Turned {
        sender: Some(sender),
        epoch: Some(first),
        word: "bundle_epoch_unconfirmed",
        ..Turned::default()
    };
    high.act(move |tx, here| super::super::refuse(tx, here, &turned))
        .unwrap();
    let (owner, id): (_, Epoch) = (high.owner(), first);
    let confirmed = high.act(move |tx, here| peers::confirm_epoch(tx, &owner, here, sender, id));
    assert_eq!(word(confirmed), "epoch_unknown");
}

#[test]
fn a_revoked_peer_brings_nothing_more_and_its_inbox_cannot_be_applied() {
    let (low, high) = two();
    let [_, project, ..] = low.collaboration("ada", &[]);
    ByHand.import(&high, &export(&low, &high)).unwrap();
    let next = export(&low, &high);
    let (owner, id) = (high.owner(), low.id.0);
    high.act(move |tx, here| peers::revoke(tx, &owner, here, id))
        .unwrap();
    assert_eq!(word(high.apply(low.id.0, &[project])), "peer_revoked");
    assert!(matches!(
        refused(&high, &next),
        ImportRefused::Refusal(Refusal::Conflict {
            word: "peer_revoked",
            ..
        })
    ));
    high.dataset("later");
    assert!(owed(&high, &low).is_empty());
}

#[test]
fn after_a_fork_nothing_of_its_epoch_comes_in_and_nothing_is_taken_for_delivered() {
    let (low, high) = two();
    let saved = low.dump();
    low.collaboration("ada", &[]);
    ByHand.import(&high, &export(&low, &high)).unwrap();
    // The machine was set back, and the store begins no new epoch.
    let low = low.copied(&saved, Arc::new(MemoryEngine::new()));
    let [.., request] = low.collaboration("eve", &[]);
    let forked = export(&low, &high);
    for _ in 0..2 {
        assert!(matches!(
            ByHand.import(&high, &forked),
            Err(ImportRefused::Order(Refused::Fork { .. }))
        ));
    }
    // A bundle that bears a number of its own would make the one before it count as received.
    low.hold(high.id.0, request, true);
    let full = ByHand.export(&low, high.id.0, &Filters::default(), true).unwrap();
    for bundle in [&export(&low, &high), &full] {
        let refused = refused(&high, bundle);
        assert_eq!(refused.word(), "bundle_after_fork");
        assert!(refused.to_string().contains("poundlock restore"), "{refused}");
    }
    let down = export(&high, &low);
    assert_eq!(
        (down.header.acknowledged_epoch, down.header.acknowledged.highest),
        (None, 0)
    );
    assert!(ByHand.import(&low, &down).is_err(), "the low side is told, too");
    assert!(owed(&low, &high).contains(&request));

    let low = low.restored(&low.dump());
    low.hold(high.id.0, request, false);
    assert!(ByHand.import(&high, &export(&low, &high)).is_err());
    confirm_epoch(&high, &low).unwrap();
    carry(&low, &high);
    assert!(high.object(request).is_some());
}

#[test]
fn a_bundle_whose_key_is_refused_while_it_is_read_is_refused() {
    let (low, high) = two();
    low.collaboration("ada", &[]);
    let mut bundle = export(&low, &high);
    bundle.header.signed_as = Some("the keys before".to_owned());
    let exchanged = refused(&high, &bundle);
    assert!(
        matches!(
            &exchanged,
            ImportRefused::Refusal(Refusal::Conflict {
                word: "bundle_signature",
                ..
            })
        ),
        "{exchanged}"
    );
    bundle.header.signed_as = Some(crate::acts::peers::peer(&high.view(), low.id.0).unwrap().identity);
    receive(&high, &bundle).unwrap();
}
