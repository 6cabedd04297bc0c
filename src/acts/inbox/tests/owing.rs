//! What a peer is owed, and what a bundle to it takes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::acts::outgoing::{self, Wanted};
use crate::domain::hash::Hash;
use crate::domain::id::{BundleId, DatasetId, Epoch, NodeId};
use crate::domain::object::Kind;
use crate::store::engine::{
    Batch, CommitError, Direction, Engine, EngineError, EngineView, Entry, KeyRange, Versioned,
};
use crate::store::memory_engine::MemoryEngine;
use crate::store::records;
use crate::sync::select::KeptBack;

#[test]
fn nothing_is_exchanged_before_the_pairing_is_confirmed() {
    let (low, high) = (Node::new(1, Level::Low), Node::new(3, Level::High));
    introduce(&low, &high);
    low.project("early", &[low.user("ada")]);
    assert!(owed(&low, &high).is_empty());
    let made = ByHand.export(&low, high.id.0, &Filters::default(), false);
    assert_eq!(word(made), "peer_unconfirmed");
    pair(&low, &high);
    assert_eq!(
        owed(&low, &high).len(),
        2,
        "what was there before is owed from now on"
    );
}

#[test]
fn two_peers_never_bear_one_name() {
    let high = Node::new(3, Level::High);
    let introduced = |number: u128, name: &str| {
        let introduction = crate::acts::peers::Introduction {
            node: NodeId(Uuid::from_u128(number)),
            level: Level::Low,
            name: name.to_owned(),
            epoch: Epoch(Uuid::from_u128(number)),
            identity: number.to_string(),
            same_keys_as: None,
        };
        let owner = high.owner();
        let peer = high.act(move |tx, here| crate::acts::peers::introduce(tx, &owner, here, introduction));
        peer.unwrap().name
    };
    assert_eq!(introduced(1, "Low Lab"), "Low Lab");
    assert_eq!(introduced(2, "low lab"), "low lab (2)");
    assert_eq!(introduced(4, "Low Lab"), "Low Lab (3)");
    assert_eq!(
        introduced(1, "Low Lab"),
        "Low Lab",
        "by itself it is in nobody's way"
    );
}

#[test]
fn only_what_is_owed_goes() {
    let (low, high) = two();
    let [_, project, ..] = low.collaboration("ada", &[]);
    let first = carry(&low, &high);
    assert_eq!(first.records.len(), 4);
    acknowledge(&high, &low);
    low.edit(project, |body| rename(body, "described"));
    assert_eq!(export(&low, &high).records.len(), 1);
}

#[test]
fn only_what_travels_by_itself_is_held_back() {
    let (low, high) = two();
    let [ada, project, code, request] = low.collaboration("ada", &[]);
    let hold = |id: Uuid| {
        let (owner, peer) = (low.owner(), high.id.0);
        low.act(move |tx, _| crate::acts::peers::hold(tx, &owner, peer, id, true))
    };
    // Somebody who mistypes an id must not believe that it stays.
    let nowhere = hold(Uuid::from_u128(0xdead));
    assert!(matches!(nowhere, Err(Refusal::NotFound { .. })), "{nowhere:?}");
    assert_eq!(word(hold(ada)), "not_a_root");
    assert_eq!(word(hold(code)), "not_a_root");
    hold(project).unwrap();
    hold(request).unwrap();
    assert!(export(&low, &high).records.is_empty());
}

#[test]
fn what_is_acknowledged_is_owed_no_more_reviewed_or_not() {
    let (low, high) = two();
    low.collaboration("ada", &[]);
    ByHand.import(&high, &export(&low, &high)).unwrap();
    assert_eq!(owed(&low, &high).len(), 4, "made is not received");
    acknowledge(&high, &low);
    assert!(owed(&low, &high).is_empty());
    assert!(export(&low, &high).records.is_empty());
}

#[test]
fn what_has_changed_since_it_was_sent_stays_owed() {
    let (low, high) = two();
    let project = low.project("one", &[low.user("ada")]);
    ByHand.import(&high, &export(&low, &high)).unwrap();
    low.edit(project, |body| rename(body, "described"));
    acknowledge(&high, &low);
    assert_eq!(owed(&low, &high), [project]);
}

#[test]
fn a_lost_bundle_costs_nothing() {
    let (low, high) = two();
    let [.., request] = low.collaboration("ada", &[]);
    let lost = export(&low, &high);
    let next = carry(&low, &high);
    assert_eq!(next.records, lost.records);
    assert_eq!(next.header.arrival.base, 0);
    assert!(high.object(request).is_some());
    acknowledge(&high, &low);
    assert!(owed(&low, &high).is_empty());
}

#[test]
fn a_full_bundle_carries_everything_again_with_its_people_and_code() {
    let (low, high) = two();
    low.collaboration("ada", &[]);
    carry(&low, &high);
    acknowledge(&high, &low);
    let full = ByHand.export(&low, high.id.0, &Filters::default(), true).unwrap();
    assert_eq!((full.records.len(), full.header.arrival.base), (4, 0));
    let receipt = ByHand.import(&high, &full).unwrap();
    assert_eq!((receipt.brought, receipt.known), (0, 4));
}

#[test]
fn what_the_filters_leave_out_stays_owed() {
    let (low, high) = two();
    let [_, project, ..] = low.collaboration("ada", &[]);
    let projects = Filters {
        include: [Kind::Project].into(),
        ..Filters::default()
    };
    let bundle = ByHand.export(&low, high.id.0, &projects, false).unwrap();
    ByHand.import(&high, &bundle).unwrap();
    high.apply_all(low.id.0);
    acknowledge(&high, &low);
    assert!(high.object(project).is_some());
    assert_eq!(owed(&low, &high).len(), 2, "the request and its code");
    carry(&low, &high);
    acknowledge(&high, &low);
    assert!(owed(&low, &high).is_empty());
}

/// A published dataset with an asset is deleted by the act.
fn deleted(high: &Node, dataset: Uuid) {
    let owner = high.owner();
    high.act(move |tx, here| crate::acts::datasets::delete(tx, &owner, here, DatasetId(dataset)))
        .unwrap();
}

#[test]
fn what_was_deleted_before_it_was_sent_was_never_there_for_the_peer() {
    let (low, high) = two();
    let dataset = high.dataset("pima");
    high.asset(dataset, "rows of the real data");
    high.publish(dataset, low.id.0);
    assert_eq!(owed(&high, &low).len(), 2);
    deleted(&high, dataset);
    assert!(owed(&high, &low).is_empty());
    let full = ByHand.export(&high, low.id.0, &Filters::default(), true).unwrap();
    assert!(full.records.is_empty());
}

#[test]
fn the_word_that_a_dataset_is_deleted_says_nothing_new_of_it() {
    let (low, high) = two();
    let dataset = high.dataset("pima");
    let asset = high.asset(dataset, "table");
    high.publish(dataset, low.id.0);
    carry(&high, &low);
    high.edit(asset, |body| {
        let Body::Asset(asset) = body else {
            panic!("no asset")
        };
        asset.description = "rows of the real data".into();
        asset.mock.as_mut().unwrap().blob = Hash::of(b"rows of the real data");
    });
    let late = high.asset(dataset, "never sent");
    deleted(&high, dataset);
    let word = carry(&high, &low);
    assert_eq!(word.records.len(), 2);
    let Body::Asset(gone) = low.object(asset).unwrap().body else {
        panic!("no asset")
    };
    assert_eq!((gone.mock, gone.description.as_str()), (None, ""));
    assert!(low.object(asset).unwrap().deleted && low.object(dataset).unwrap().deleted);
    assert!(low.object(late).is_none());
    acknowledge(&low, &high);
    assert!(owed(&high, &low).is_empty());
}

#[test]
fn a_dataset_that_is_published_no_more_is_gone_there_too_when_it_is_deleted() {
    let (low, other, high) = three();
    let dataset = high.dataset("pima");
    let asset = high.asset(dataset, "table");
    high.publish(dataset, low.id.0);
    carry(&high, &low);
    acknowledge(&low, &high);
    high.withdraw(dataset, low.id.0);
    high.edit(asset, |body| rename(body, "what the low node is not told"));
    assert!(owed(&high, &low).is_empty());
    deleted(&high, dataset);
    assert!(owed(&high, &other).is_empty());
    assert_eq!(carry(&high, &low).records.len(), 2);
    assert!(low.object(dataset).unwrap().deleted && low.object(asset).unwrap().deleted);
    acknowledge(&low, &high);
    assert!(owed(&high, &low).is_empty());
}

#[test]
fn a_name_that_a_peer_was_never_told_does_not_go_with_the_word_that_it_is_deleted() {
    let (low, high) = two();
    let dataset = high.dataset("pima");
    let asset = high.asset(dataset, "table");
    high.publish(dataset, low.id.0);
    carry(&high, &low);
    high.withdraw(dataset, low.id.0);
    high.edit(dataset, |body| {
        let Body::Dataset(dataset) = body else {
            panic!("no dataset")
        };
        dataset.name = "the patients of one ward".into();
    });
    deleted(&high, dataset);
    assert_eq!(owed(&high, &low), [asset]);
}

#[test]
fn of_an_adopted_dataset_that_is_deleted_only_those_hear_who_knew_of_it() {
    let (low, other, high) = three();
    let dataset = low.dataset("lungs");
    let asset = low.asset(dataset, "scans");
    carry(&low, &high);
    high.adopt(dataset, true);
    high.publish(dataset, other.id.0);
    deleted(&high, dataset);
    assert!(owed(&high, &other).is_empty());
    let full = ByHand
        .export(&high, other.id.0, &Filters::default(), true)
        .unwrap();
    assert!(full.records.is_empty(), "not even its name");
    assert_eq!(carry(&high, &low).records.len(), 2);
    assert!(low.object(dataset).unwrap().deleted && low.object(asset).unwrap().deleted);
}

#[test]
fn a_hold_keeps_back_all_that_needs_the_batch_until_it_is_let_go() {
    let (low, high) = two();
    let [_, project, ..] = low.collaboration("ada", &[]);
    low.hold(high.id.0, project, true);
    assert!(export(&low, &high).records.is_empty());
    low.hold(high.id.0, project, false);
    assert_eq!(export(&low, &high).records.len(), 4);
}

#[test]
fn a_hold_reaches_what_needs_a_batch_that_has_gone_before() {
    let (low, high) = two();
    let [user, project, ..] = low.collaboration("ada", &[]);
    carry(&low, &high);
    acknowledge(&high, &low);
    low.hold(high.id.0, project, true);
    low.request(project, low.code(user, &[]), user);
    assert!(export(&low, &high).records.is_empty());
}

#[test]
fn shared_people_and_code_come_with_the_first_that_goes() {
    let (low, high) = two();
    let user = low.user("ada");
    let (held, sent) = (low.project("held", &[user]), low.project("sent", &[user]));
    low.hold(high.id.0, held, true);
    let read = low.view();
    let preview = outgoing::preview(&read, &low.owner(), high.id.0, &Filters::default(), false).unwrap();
    assert_eq!(preview.selection.kept_back, [(held, KeptBack::Held)].into());
    let members = |root| {
        let batch = preview.batches.iter().find(|batch| batch.root == root).unwrap();
        batch
            .members
            .iter()
            .map(|member| member.id)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        members(sent),
        [sent, user].into(),
        "the preview shows what would go"
    );
    assert_eq!(members(held), [held].into());
    carry(&low, &high);
    assert!(high.object(user).is_some() && high.object(held).is_none());
}

#[test]
fn a_person_who_has_left_the_project_comes_with_their_request() {
    let (low, high) = two();
    let (ada, bob) = (low.user("ada"), low.user("bob"));
    let project = low.project("one", &[ada, bob]);
    low.request(project, low.code(bob, &[]), bob);
    low.edit(project, |body| {
        let Body::Project(project) = body else {
            panic!("no project")
        };
        project.set_members(&[]).unwrap();
    });
    let late = Node::new(4, Level::High);
    pair(&low, &late);
    carry(&low, &late);
    assert!(late.object(bob).is_some());
    carry(&low, &high);
    assert!(high.object(bob).is_some());
}

#[test]
fn answers_go_only_to_the_node_whose_request_it_is() {
    let (low, other, high) = three();
    let [.., request] = low.collaboration("ada", &[]);
    carry(&low, &high);
    let decision = high.approve(request);
    let job = high.job(request);
    let release = high.release(job);
    assert!(owed(&high, &other).is_empty());
    assert!(export(&high, &other).records.is_empty());
    carry(&high, &low);
    for answer in [decision, job, release] {
        assert_eq!(
            low.object(answer).unwrap().body,
            high.object(answer).unwrap().body
        );
    }
}

#[test]
fn a_bundle_does_not_tell_in_which_order_runs_ended() {
    let ids = |turned: bool| {
        let (low, high) = two();
        let [.., one] = low.collaboration("ada", &[]);
        let [.., other] = low.collaboration("bob", &[]);
        carry(&low, &high);
        let mut jobs = [(one, 0x51), (other, 0x52), (one, 0x53)];
        if turned {
            jobs.reverse();
        }
        for (request, id) in jobs {
            let job = crate::domain::job::Job {
                request: crate::domain::id::RequestId(request),
                code: None,
                verdict: crate::domain::job::Verdict::Succeeded,
                on: "2026-11-22".parse().unwrap(),
            };
            high.act(move |tx, here| {
                records::write(tx, here, Uuid::from_u128(id), Body::Job(job.clone()), false)
            })
            .unwrap();
        }
        export(&high, &low).records
    };
    let (records, turned) = (ids(false), ids(true));
    assert_eq!(records.len(), 3);
    assert_eq!(records, turned);
}

#[test]
fn a_dataset_goes_only_to_those_it_is_published_to() {
    let (low, other, high) = three();
    let dataset = high.dataset("pima");
    let asset = high.asset(dataset, "train");
    assert!(owed(&high, &low).is_empty(), "by default nothing is published");
    high.publish(dataset, low.id.0);
    let later = high.asset(dataset, "test");
    carry(&high, &low);
    carry(&high, &other);
    for id in [dataset, asset, later] {
        assert!(low.object(id).is_some() && other.object(id).is_none());
    }
}

#[test]
fn what_is_published_no_more_does_not_go() {
    let (low, high) = two();
    let dataset = high.dataset("pima");
    high.publish(dataset, low.id.0);
    let peer = low.id.0;
    high.act(move |tx, _| -> Result<(), Refusal> {
        Ok(tx.delete(&crate::store::tables::PUBLISHED, &(dataset, peer))?)
    })
    .unwrap();
    assert!(export(&high, &low).records.is_empty());
}

#[test]
fn what_was_born_on_the_high_side_never_leaves() {
    let (low, high) = two();
    let [.., request] = high.collaboration("olga", &[]);
    high.approve(request);
    high.release(high.job(request));
    assert!(owed(&high, &low).is_empty());
    let full = ByHand.export(&high, low.id.0, &Filters::default(), true).unwrap();
    assert!(full.records.is_empty());
}

#[test]
fn a_blob_goes_until_it_is_acknowledged() {
    let (low, high) = two();
    let dataset = high.dataset("pima");
    let asset = high.asset(dataset, "train");
    high.publish(dataset, low.id.0);
    let blobs = |full| {
        let (owner, id, peer) = (high.owner(), BundleId(high.fresh_id()), low.id.0);
        let wanted = Wanted {
            full,
            ..Wanted::default()
        };
        let parcel = high.act(move |tx, here| outgoing::pack(tx, &owner, here, peer, &wanted, id));
        parcel.unwrap().blobs.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(blobs(false), [Hash::of(b"train")]);
    carry(&high, &low);
    acknowledge(&low, &high);
    high.edit(asset, |body| rename(body, "described"));
    assert!(blobs(false).is_empty(), "only the text has changed");
    assert_eq!(blobs(true), [Hash::of(b"train")]);
}

/// Counts what is read.
#[derive(Debug)]
struct Counting {
    engine: MemoryEngine,
    reads: Arc<AtomicU64>,
}

#[derive(Debug)]
struct CountingView(Arc<dyn EngineView>, Arc<AtomicU64>);

impl Engine for Counting {
    fn view(&self) -> Result<Arc<dyn EngineView>, EngineError> {
        Ok(Arc::new(CountingView(
            self.engine.view()?,
            Arc::clone(&self.reads),
        )))
    }

    fn revision(&self) -> Result<u64, EngineError> {
        self.engine.revision()
    }

    fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
        self.engine.commit(batch)
    }

    fn syncs(&self) -> u64 {
        self.engine.syncs()
    }
}

impl EngineView for CountingView {
    fn unchanged_since(&self, first_byte: u8) -> u64 {
        self.0.unchanged_since(first_byte)
    }

    fn revision(&self) -> u64 {
        self.0.revision()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Versioned>, EngineError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.get(key)
    }

    fn range(&self, range: &KeyRange, direction: Direction, limit: usize) -> Result<Vec<Entry>, EngineError> {
        let found = self.0.range(range, direction, limit)?;
        self.1
            .fetch_add(1 + u64::try_from(found.len()).unwrap(), Ordering::Relaxed);
        Ok(found)
    }
}

/// What it costs to preview, to pack and to take in an acknowledgement, in records read, with one change owed and `stored`
/// collaborations delivered before.
fn cost_of_one_change(stored: usize) -> [u64; 3] {
    let (low, high) = two();
    for at in 0..stored {
        low.collaboration(&format!("ada{at}"), &[]);
    }
    carry(&low, &high);
    acknowledge(&high, &low);
    let [_, project, ..] = low.collaboration("bob", &[]);
    carry(&low, &high);
    acknowledge(&high, &low);
    low.edit(project, |body| rename(body, "described"));
    let reads = Arc::new(AtomicU64::new(0));
    let engine = Counting {
        engine: MemoryEngine::new(),
        reads: Arc::clone(&reads),
    };
    let low = low.copied(&low.dump(), Arc::new(engine));
    let spent = || reads.swap(0, Ordering::Relaxed);
    spent();
    outgoing::preview(&low.view(), &low.owner(), high.id.0, &Filters::default(), false).unwrap();
    let preview = spent();
    let bundle = export(&low, &high);
    let pack = spent();
    ByHand.import(&high, &bundle).unwrap();
    acknowledge(&high, &low);
    [preview, pack, spent()]
}

#[test]
fn the_cost_follows_what_is_owed_and_not_what_is_stored() {
    let (few, many) = (cost_of_one_change(2), cost_of_one_change(30));
    assert_eq!(few, many);
}
