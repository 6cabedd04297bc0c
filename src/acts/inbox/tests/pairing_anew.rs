//! A pairing that was revoked and is begun anew: nothing is lost, and nothing from before comes in unreviewed.

use super::*;
use crate::acts::histories::node::Dump;
use crate::acts::peers;
use crate::domain::id::Epoch;
use crate::domain::peer::{Peer, Trust};
use crate::store::check;
use crate::store::tables::{INBOX, PEERS};

fn revoke(here: &Node, there: &Node) {
    let (owner, id) = (here.owner(), there.id.0);
    here.act(move |tx, here| peers::revoke(tx, &owner, here, id))
        .unwrap();
}

fn confirm(here: &Node, there: &Node) -> Result<Peer, Refusal> {
    let (owner, id) = (here.owner(), there.id.0);
    let compared = peers::Compared {
        given: "ab-cd".to_owned(),
        expected: "AB CD".to_owned(),
        identity: there.id.to_string(),
    };
    here.act(move |tx, here| peers::confirm(tx, &owner, here, id, &compared))
}

/// Whether a bundle was refused because its sender did not know yet that the pairing was begun anew.
fn from_before(refused: &ImportRefused) -> bool {
    matches!(refused, ImportRefused::Order(Refused::MadeForAnotherEpoch { .. }))
}

fn sound(nodes: &[&Node]) {
    for node in nodes {
        let findings = check::check(&node.view(), None);
        assert!(findings.is_sound(), "{:?}", findings.wrong);
    }
}

/// A pair with something applied, something that waits in the high inbox and counts as delivered, something decided, and a
/// bundle on its way in each direction.
fn in_full_swing() -> (Node, Node, [Uuid; 2], [Bundle; 2]) {
    let (low, high) = two();
    let [.., request] = low.collaboration("ada", &[]);
    carry(&low, &high);
    let first = export(&high, &low);
    high.approve(request);
    let [_, waiting, ..] = low.collaboration("eve", &[]);
    ByHand.import(&high, &export(&low, &high)).unwrap();
    ByHand.import(&low, &first).unwrap();
    acknowledge(&high, &low);
    assert!(
        owed(&low, &high).is_empty(),
        "the low side takes it for delivered"
    );
    low.collaboration("kim", &[]);
    let on_its_way = [export(&low, &high), export(&high, &low)];
    (low, high, [request, waiting], on_its_way)
}

#[test]
fn a_revoked_pairing_is_begun_anew_on_both_sides_and_loses_nothing() {
    let (low, high, [request, waiting], [up, down]) = in_full_swing();
    revoke(&low, &high);
    revoke(&high, &low);
    low.edit(waiting, |body| rename(body, "changed meanwhile"));
    introduce(&low, &high);
    introduce(&high, &low);
    assert_eq!(word(high.apply(low.id.0, &[waiting])), "peer_unconfirmed");
    confirm(&low, &high).unwrap();
    confirm(&high, &low).unwrap();
    sound(&[&low, &high]);

    assert!(
        high.rows(&INBOX).is_empty(),
        "what was blocked comes in by no back door"
    );
    for (to, bundle) in [(&high, &up), (&low, &down)] {
        assert!(from_before(&refused(to, bundle)));
    }
    let again = carry(&low, &high);
    assert_eq!((again.header.arrival.sequence, again.header.arrival.base), (1, 0));
    carry(&high, &low);
    carry(&low, &high);
    for node in [&low, &high] {
        assert!(node.object(request).is_some() && node.object(waiting).is_some());
    }
    assert_eq!(
        high.object(waiting).unwrap().body,
        low.object(waiting).unwrap().body
    );
    let decisions = low.ids(crate::domain::object::Kind::Decision);
    assert_eq!(decisions, high.ids(crate::domain::object::Kind::Decision));
    assert_eq!(decisions.len(), 1);
    assert!(owed(&low, &high).is_empty() && owed(&high, &low).is_empty());

    // And once more: that a pairing is revoked does not happen once in a life.
    let late = export(&low, &high);
    revoke(&low, &high);
    revoke(&high, &low);
    pair(&low, &high);
    assert!(from_before(&refused(&high, &late)));
    let repeated = receive(&high, &again).unwrap();
    assert_eq!((repeated.place, repeated.brought), (Place::Repeated, 0));
    assert!(high.rows(&INBOX).is_empty());
    low.edit(waiting, |body| rename(body, "changed again"));
    carry(&low, &high);
    assert_eq!(
        high.object(waiting).unwrap().body,
        low.object(waiting).unwrap().body
    );
    sound(&[&low, &high]);
}

#[test]
fn a_pairing_that_one_side_revoked_is_taken_up_by_the_other_like_a_restored_store() {
    let (low, high, [_, waiting], [up, _]) = in_full_swing();
    revoke(&high, &low);
    introduce(&high, &low);
    confirm(&high, &low).unwrap();
    // The low node does not know of it: neither what was on its way nor anything new comes in, not even a full bundle.
    let full = ByHand.export(&low, high.id.0, &Filters::default(), true).unwrap();
    for bundle in [&up, &full, &export(&low, &high)] {
        assert!(from_before(&refused(&high, bundle)));
    }
    assert!(matches!(
        ByHand.import(&low, &export(&high, &low)),
        Err(ImportRefused::Order(Refused::UnconfirmedEpoch { .. }))
    ));
    confirm_epoch(&low, &high).unwrap();
    carry(&high, &low);
    assert!(high.object(waiting).is_none());
    carry(&low, &high);
    assert!(high.object(waiting).is_some(), "though it counted as delivered");
    assert!(from_before(&refused(&high, &up)));
    carry(&high, &low);
    assert!(owed(&low, &high).is_empty());
    sound(&[&low, &high]);
}

#[test]
fn a_pairing_that_one_side_revoked_goes_on_where_the_other_has_ended_another_since() {
    for counts_anew_already in [false, true] {
        let (low, other, high) = three();
        if counts_anew_already {
            revoke(&low, &high);
            revoke(&high, &low);
            pair(&low, &high);
        }
        let [.., request] = low.collaboration("ada", &[]);
        carry(&low, &high);
        let decision = high.approve(request);
        carry(&high, &low);
        let before = export(&high, &low);
        // From now on its identity names another epoch than the one that its bundles for the low node bear.
        revoke(&high, &other);
        revoke(&low, &high);
        introduce(&low, &high);
        confirm(&low, &high).unwrap();
        for bundle in [&before, &export(&high, &low)] {
            assert!(
                from_before(&refused(&low, bundle)),
                "nobody is asked to confirm it"
            );
        }
        assert!(ByHand.import(&high, &export(&low, &high)).is_err());
        confirm_epoch(&high, &low).unwrap();
        let down = export(&high, &low);
        let Err(ImportRefused::Order(Refused::UnconfirmedEpoch { epoch })) = ByHand.import(&low, &down)
        else {
            panic!("no epoch to confirm")
        };
        let (owner, id) = (low.owner(), high.id.0);
        let known = low
            .act(move |tx, here| peers::confirm_epoch(tx, &owner, here, id, epoch))
            .unwrap();
        ByHand.import(&low, &down).unwrap();
        assert_eq!(
            low.object(decision).unwrap().epoch,
            known.epoch,
            "what was decided counts"
        );
        let [.., next] = low.collaboration("eve", &[]);
        carry(&low, &high);
        high.approve(next);
        carry(&high, &low);
        carry(&low, &high);
        assert!(owed(&low, &high).is_empty() && owed(&high, &low).is_empty());
        assert!(from_before(&refused(&low, &before)));
        // And once more: the same identity is still the newest.
        revoke(&low, &high);
        introduce(&low, &high);
        confirm(&low, &high).unwrap();
        sound(&[&low, &high]);
    }
}

#[test]
fn other_pairings_go_on_when_one_is_revoked() {
    let (low, other, high) = three();
    let [.., before] = other.collaboration("sam", &[]);
    let on_its_way = export(&other, &high);
    revoke(&high, &low);
    ByHand.import(&high, &on_its_way).unwrap();
    high.apply_all(other.id.0);
    introduce(&high, &low);
    confirm(&high, &low).unwrap();
    high.approve(before);
    carry(&high, &other);
    assert!(owed(&other, &high).is_empty());

    // A node that is new pairs in the epoch that the identity file names by now.
    let new = Node::new(4, Level::Low);
    pair(&new, &high);
    let [.., request] = new.collaboration("kim", &[]);
    carry(&new, &high);
    carry(&high, &new);
    assert!(high.object(request).is_some());
    sound(&[&low, &other, &high, &new]);
}

#[test]
fn a_paired_node_is_not_introduced_again_and_no_old_identity_is_taken() {
    let (low, high) = two();
    let introduction = |epoch, identity: &str| peers::Introduction {
        node: low.id,
        level: low.level,
        name: "low".to_owned(),
        epoch,
        identity: identity.to_owned(),
        same_keys_as: None,
    };
    let introduce = |introduced| {
        let owner = high.owner();
        high.act(move |tx, here| peers::introduce(tx, &owner, here, introduced))
    };
    let first = low.epoch();
    assert_eq!(word(introduce(introduction(first, "other keys"))), "peer_known");
    revoke(&low, &high);
    revoke(&high, &low);
    assert_eq!(word(confirm(&high, &low)), "peer_revoked");
    pair(&low, &high);
    revoke(&high, &low);
    let old = introduce(introduction(first, "other keys"));
    assert_eq!(word(old), "identity_outdated");
    let known = introduce(introduction(low.epoch(), "other keys")).unwrap();
    assert_eq!(
        (known.trust, known.identity.as_str()),
        (Trust::Unconfirmed, "other keys")
    );
    let of_the_old_keys = confirm(&high, &low);
    assert!(matches!(of_the_old_keys, Err(Refusal::Changed { .. })));
}

#[test]
fn a_restored_node_goes_on_with_a_pairing_that_was_begun_anew() {
    let (low, high, [_, waiting], _) = in_full_swing();
    revoke(&low, &high);
    revoke(&high, &low);
    pair(&low, &high);
    carry(&low, &high);
    let saved: Dump = high.dump();
    carry(&high, &low);
    let high = high.restored(&saved);
    sound(&[&high]);
    ByHand.import(&low, &export(&high, &low)).unwrap_err();
    confirm_epoch(&low, &high).unwrap();
    carry(&high, &low);
    low.edit(waiting, |body| rename(body, "after the restore"));
    carry(&low, &high);
    assert_eq!(
        high.object(waiting).unwrap().body,
        low.object(waiting).unwrap().body
    );
    sound(&[&low, &high]);
}

#[test]
fn what_an_earlier_version_revoked_is_begun_anew_too() {
    let (low, high, [_, waiting], [up, _]) = in_full_swing();
    for (here, there) in [(&low, &high), (&high, &low)] {
        let id = there.id.0;
        here.act(move |tx, _| -> Result<(), Refusal> {
            let peer = peers::peer(tx, id)?;
            Ok(tx.put(
                &PEERS,
                &id,
                &Peer {
                    trust: Trust::Revoked,
                    ..peer
                },
            )?)
        })
        .unwrap();
    }
    // The identity that the low node reads was written before the high one began an epoch with the pairing.
    pair(&low, &high);
    assert!(matches!(refused(&high, &up), ImportRefused::Order(_)));
    assert!(ByHand.import(&high, &export(&low, &high)).is_err());
    assert!(ByHand.import(&low, &export(&high, &low)).is_err());
    confirm_epoch(&low, &high).unwrap();
    carry(&high, &low);
    carry(&low, &high);
    assert_eq!(
        high.object(waiting).unwrap().body,
        low.object(waiting).unwrap().body
    );
    sound(&[&low, &high]);
}

#[test]
fn an_identity_that_is_read_twice_before_it_is_confirmed_begins_no_epoch() {
    let (low, high) = (Node::new(1, Level::Low), Node::new(3, Level::High));
    let first = high.epoch();
    let read = |name: &str| {
        let introduced = peers::Introduction {
            node: low.id,
            level: low.level,
            name: name.to_owned(),
            epoch: low.epoch(),
            identity: name.to_owned(),
            same_keys_as: None,
        };
        let owner = high.owner();
        high.act(move |tx, here| peers::introduce(tx, &owner, here, introduced))
            .unwrap()
    };
    for name in ["low", "low renamed"] {
        let peer = read(name);
        assert_eq!((peer.own_epoch, peer.name.as_str()), (None, name));
        assert_eq!(high.epoch(), first, "the other side has read this one's identity");
    }
}

#[test]
fn the_identity_of_a_paired_node_that_was_renamed_is_taken_as_it_is() {
    let (low, high) = two();
    low.collaboration("ada", &[]);
    carry(&low, &high);
    let known = peers::peer(&high.view(), low.id.0).unwrap();
    let read = |epoch, same: bool| {
        let introduced = peers::Introduction {
            node: low.id,
            level: low.level,
            name: "renamed".to_owned(),
            epoch,
            identity: "written anew".to_owned(),
            same_keys_as: same.then(|| known.identity.clone()),
        };
        let owner = high.owner();
        high.act(move |tx, here| peers::introduce(tx, &owner, here, introduced))
    };
    let Err(Refusal::Conflict {
        word: "peer_known",
        detail,
    }) = read(Epoch(Uuid::from_u128(77)), true)
    else {
        panic!("another epoch");
    };
    assert!(
        detail.contains("Nothing needs to be done") && !detail.contains("revoke"),
        "{detail}"
    );
    let Err(Refusal::Conflict {
        word: "peer_known",
        detail,
    }) = read(low.epoch(), false)
    else {
        panic!("other keys");
    };
    assert!(detail.contains("pair revoke"), "{detail}");
    let renewed = read(low.epoch(), true).unwrap();
    let expected = Peer {
        name: "renamed".to_owned(),
        identity: "written anew".to_owned(),
        ..known.clone()
    };
    assert_eq!(renewed, expected);
}
