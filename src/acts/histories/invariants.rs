//! What must hold at every step of a history, and what in the end.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::node::Node;
use crate::domain::decision::About;
use crate::domain::id::{Epoch, NodeId};
use crate::domain::object::{Body, Kind, Object};
use crate::domain::request::SightType;
use crate::domain::side::Level;
use crate::store::check;
use crate::store::tables::{CARRIED_IN, DELIVERED, INBOX, OWED, PUBLISHED};
use crate::sync::eligible;

/// Datasets that were ever published, with the peer.
pub type Publications = BTreeSet<(Uuid, Uuid)>;

/// The highest revision number seen of each object under each epoch, since the store was last set back.
pub type Numbers = BTreeMap<(Uuid, Epoch), u64>;

/// The rules of every step, for one node.
pub fn check(node: &Node, high: NodeId, published: &Publications, numbers: &mut Numbers) {
    let findings = check::check(&node.view(), None);
    assert!(findings.is_sound(), "{:#?}", findings.wrong);
    for ((peer, id), owed) in node.rows(&OWED) {
        let object = node.object(id).expect("what is owed is there");
        let given_back = node.level == Level::High && object.home.0 == peer;
        assert!(
            object.home == node.id || given_back,
            "only what is at home is owed"
        );
        assert!(
            node.object(owed.root).is_some(),
            "what is owed has its batch's root"
        );
        if node.level == Level::High {
            assert!(
                may_have(node, peer, &object),
                "{:?} is owed to the wrong peer",
                object
            );
        }
    }
    for object in node.objects() {
        let number = numbers.entry((object.id, object.epoch)).or_default();
        assert!(
            *number <= object.revision.number,
            "the revisions of {object:?} fell from {number}"
        );
        *number = object.revision.number;
        if let Body::Request(request) = &object.body {
            assert!(
                request.code().is_none_or(|code| node.object(code.0).is_some()),
                "a request is here without its code"
            );
            assert!(
                node.object(request.requester.0).is_some(),
                "a request is here without its requester"
            );
        }
        assert!(
            object.home == node.id || !stays(&object),
            "{object:?} was asked for elsewhere, and is nobody's business here"
        );
        if let Body::Project(project) = &object.body {
            for member in &project.members {
                assert!(
                    node.object(member.0).is_some(),
                    "a project is here without a member"
                );
            }
        }
    }
    if node.level == Level::Low {
        check_low(node, high, published);
    }
}

/// Whether an object is a request for bytes that are open where it was made, or a decision on one; told apart from the rule
/// itself.
fn stays(object: &Object) -> bool {
    match &object.body {
        Body::Request(request) => request.project().is_none(),
        Body::Decision(decision) => {
            matches!(decision.about, About::Sight { sight, .. } if sight.kind() != SightType::PrivateData)
        }
        _ => false,
    }
}

/// A low node holds its own, and of the high node's only answers to it and what was published to it.
fn check_low(node: &Node, high: NodeId, published: &Publications) {
    let stored = node
        .objects()
        .into_iter()
        .map(|object| (object.id, object.home, object.body));
    let waiting = node.rows(&INBOX).into_iter();
    let waiting = waiting.map(|((_, id), pending)| (id, pending.home, pending.body));
    for (id, home, body) in stored.chain(waiting) {
        if home == node.id {
            continue;
        }
        assert_eq!(home, high, "{id} is another low node's");
        let request = match &body {
            Body::Decision(decision) => decision.request.0,
            Body::Job(job) => job.request.0,
            Body::Release(release) => release.request.0,
            Body::Dataset(_) => {
                assert!(
                    published.contains(&(id, node.id.0)),
                    "{id} was not published to this node"
                );
                continue;
            }
            Body::Asset(asset) => {
                assert!(published.contains(&(asset.dataset.0, node.id.0)));
                continue;
            }
            other => panic!("a {} came down", other.kind().word()),
        };
        assert!(
            born_at(node, request),
            "{id} answers a request that was not made here"
        );
    }
}

fn born_at(node: &Node, id: Uuid) -> bool {
    id.as_bytes().starts_with(&node.mark())
}

/// Searches every byte of a low node for ids that were made at another: none may be there but those of datasets and assets
/// that the high node has taken over and published.
pub fn check_bytes(node: &Node, other: &Node) {
    let mut allowed = BTreeSet::new();
    let waiting = node.rows(&INBOX).into_iter();
    let waiting = waiting.map(|((_, id), pending)| (id, pending.home, pending.body.kind()));
    let stored = node.objects().into_iter();
    for (id, home, kind) in stored
        .map(|object| (object.id, object.home, object.kind()))
        .chain(waiting)
    {
        if matches!(kind, Kind::Dataset | Kind::Asset) && home != node.id && home != other.id {
            allowed.insert(id);
        }
    }
    let mark = other.mark();
    for (key, value) in node.dump() {
        for bytes in [&key, &value] {
            for (at, window) in bytes.windows(mark.len()).enumerate() {
                if window == mark {
                    let id = bytes.get(at..at + 16).and_then(|id| Uuid::from_slice(id).ok());
                    assert!(
                        id.is_some_and(|id| allowed.contains(&id)),
                        "{id:?} came from another low node"
                    );
                }
            }
        }
    }
}

/// Whether the high node may send an object to a low one, told apart from the rule itself.
fn may_have(high: &Node, peer: Uuid, object: &Object) -> bool {
    if object.home.0 == peer {
        return true;
    }
    let request = match &object.body {
        Body::Decision(decision) => decision.request.0,
        Body::Job(job) => job.request.0,
        Body::Release(release) => release.request.0,
        Body::Dataset(_) => return may_have_data(high, peer, object, object.id),
        Body::Asset(asset) => return may_have_data(high, peer, object, asset.dataset.0),
        _ => return false,
    };
    high.object(request).is_some_and(|request| request.home.0 == peer)
}

/// What is published, and the word that something is gone which the peer was sent or had first.
fn may_have_data(high: &Node, peer: Uuid, object: &Object, dataset: Uuid) -> bool {
    high.rows(&PUBLISHED).contains(&((dataset, peer), ()))
        || object.deleted && !never_known(high, peer, object.id)
}

/// In the end the receiver has all that the sender may send it, as the sender has it; and nothing is owed. What was lost when
/// a store was set back may leave things in the inbox that wait for it.
pub fn check_level(from: &Node, to: &Node) {
    let owed: Vec<_> = from
        .rows(&OWED)
        .into_iter()
        .filter(|((peer, _), _)| *peer == to.id.0)
        .collect();
    assert!(owed.is_empty(), "still owed: {owed:?}");
    let stuck = stuck(from, to);
    let mut due = BTreeSet::new();
    for object in from.objects().into_iter().filter(|object| object.home == from.id) {
        let travels = match from.level {
            Level::Low => !matches!(object.kind(), Kind::User | Kind::Code) && !stays(&object),
            Level::High => may_have(from, to.id.0, &object),
        };
        // What was deleted before it was sent was never there for the other side.
        if travels && !(object.deleted && from.level == Level::High && never_known(from, to.id.0, object.id))
        {
            due.insert(object.id);
            due.extend(eligible::companions(&object.body));
        }
    }
    for id in due {
        let object = from.object(id).expect("companions are there");
        let same = |revision: crate::domain::object::Revision, deleted| {
            revision.digest == object.revision.digest && deleted == object.deleted
        };
        let here = to.object(id);
        if here
            .as_ref()
            .is_some_and(|here| same(here.revision, here.deleted))
        {
            continue;
        }
        let waiting = to
            .rows(&INBOX)
            .into_iter()
            .find(|((_, waiting), _)| *waiting == id);
        let excused = waiting.as_ref().is_some_and(|(_, pending)| {
            same(pending.revision, pending.deleted) && stuck.contains(&pending.root)
        });
        assert!(
            excused,
            "not level: {object:#?}\nis there as {here:#?}\nwaits as {waiting:#?}"
        );
    }
}

/// In the end a low node has all of its own that the high one keeps, whatever it forgot when its store was set back.
pub fn check_given_back(high: &Node, low: &Node) {
    for object in high.objects().into_iter().filter(|object| object.home == low.id) {
        // People and code come with what needs them.
        if !matches!(object.kind(), Kind::User | Kind::Code) {
            assert!(low.object(object.id).is_some(), "forgotten: {object:#?}");
        }
    }
}

/// Whether a peer was never sent an object, nor made it.
fn never_known(from: &Node, peer: Uuid, id: Uuid) -> bool {
    let carried = from.rows(&CARRIED_IN).into_iter();
    let acknowledged = from.rows(&DELIVERED).into_iter();
    !carried
        .map(|((object, peer, ..), ())| (peer, object))
        .chain(acknowledged.map(|(key, _)| key))
        .any(|known| known == (peer, id))
        && !id.as_bytes().starts_with(&Node::mark_of(NodeId(peer)))
}

/// The batches that wait for what nobody has any more, and those that need one.
fn stuck(from: &Node, to: &Node) -> BTreeSet<Uuid> {
    let shown = to.inbox(from.id.0);
    let mut stuck = BTreeSet::new();
    for batch in &shown {
        for missing in &batch.waits_for {
            let elsewhere = from.object(*missing).is_some_and(|object| {
                object.home == from.id || from.level == Level::High && object.home == to.id
            });
            assert!(!elsewhere, "{missing} waits at the sender, and nothing brings it");
            stuck.insert(batch.batch.root);
        }
    }
    loop {
        let more: Vec<Uuid> = shown
            .iter()
            .filter(|shown| !stuck.contains(&shown.batch.root))
            .filter(|shown| shown.batch.needs.iter().any(|need| stuck.contains(need)))
            .map(|shown| shown.batch.root)
            .collect();
        if more.is_empty() {
            return stuck;
        }
        stuck.extend(more);
    }
}
