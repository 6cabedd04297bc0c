//! Who is told when a batch is applied: the same people as when the state changes here, and once.

use super::*;
use crate::domain::decision::Verdict;
use crate::domain::id::UserId;
use crate::domain::job;
use crate::domain::notification::{Audience, Event};
use crate::domain::release::Part;
use crate::domain::request::Subject;
use crate::store::tables::OUTBOX;

/// The events of requests in a node's outbox, with whom they are for.
fn told(node: &Node) -> Vec<(Event, Audience, Option<Uuid>)> {
    let of_bundles = [Event::BundleArrived, Event::BundleApplied, Event::BundleRefused];
    let all = node.rows(&OUTBOX).into_iter().map(|(_, it)| it);
    all.filter(|it| !of_bundles.contains(&it.event))
        .map(|it| (it.event, it.audience, it.about))
        .collect()
}

fn events(node: &Node) -> Vec<Event> {
    told(node).into_iter().map(|(event, ..)| event).collect()
}

/// Carries a bundle and applies all that it brought; then everything once more, in a full bundle.
fn bring_twice(from: &Node, to: &Node) {
    ByHand.import(to, &export(from, to)).unwrap();
    to.apply_all(from.id.0);
    let everything = ByHand.export(from, to.id.0, &Filters::default(), true).unwrap();
    ByHand.import(to, &everything).unwrap();
    to.apply_all(from.id.0);
}

fn fail(object: &mut Body) {
    if let Body::Job(run) = object {
        run.verdict = job::Verdict::Failed;
    }
}

/// A pair whose high node has a request of Ada's; her, and the request.
fn asked() -> (Node, Node, UserId, Uuid) {
    let (low, high) = two();
    let [ada, _, _, request] = low.collaboration("ada", &[]);
    bring_twice(&low, &high);
    (low, high, UserId(ada), request)
}

#[test]
fn a_request_that_arrives_is_told_to_those_who_triage() {
    let (low, high, _, request) = asked();
    assert_eq!(
        events(&high),
        [Event::RequestSubmitted],
        "once, however often it comes"
    );
    let [(_, audience, about)] = told(&high)[..] else {
        panic!("told more than once")
    };
    assert!(matches!(
        audience,
        Audience::Holders(crate::domain::access::Permission::TriageRequests)
    ));
    assert_eq!(about, Some(request));
    let change = |change: fn(&mut crate::domain::request::Request)| {
        low.edit(request, move |body| {
            if let Body::Request(request) = body {
                change(request);
            }
        });
        bring_twice(&low, &high);
    };
    change(|request| {
        if let Subject::Run { runs_wanted, .. } = &mut request.subject {
            *runs_wanted += 1;
        }
    });
    assert_eq!(
        events(&high).last(),
        Some(&Event::RequestSubmitted),
        "another run is wanted"
    );
    change(|request| request.withdrawn = true);
    let all = [
        Event::RequestSubmitted,
        Event::RequestSubmitted,
        Event::RequestWithdrawn,
    ];
    assert_eq!(events(&high), all);
}

#[test]
fn what_the_other_side_decided_is_told_to_the_requester() {
    let (low, high, ada, request) = asked();
    let denied = high.decide(request, Verdict::deny("too few").unwrap());
    bring_twice(&high, &low);
    assert_eq!(
        told(&low),
        [(Event::RequestDenied, Audience::Person(ada), Some(denied))]
    );
    let approved = high.approve(request);
    bring_twice(&high, &low);
    let last = told(&low).pop().unwrap();
    assert_eq!(
        last,
        (Event::RequestApproved, Audience::Person(ada), Some(approved))
    );
    assert_eq!(events(&low).len(), 2);
}

#[test]
fn decisions_that_come_at_once_are_told_as_they_were_made() {
    let (low, high, _, request) = asked();
    let mut made = Vec::new();
    for _ in 0..4 {
        high.decide(request, Verdict::deny("not like this").unwrap());
        high.approve(request);
        made.extend([Event::RequestDenied, Event::RequestApproved]);
    }
    bring_twice(&high, &low);
    assert_eq!(events(&low), made, "the last that is told is the one that stands");
}

#[test]
fn a_result_and_a_failure_are_told_to_the_requester() {
    let (low, high, ada, request) = asked();
    high.approve(request);
    let failed = high.job(request);
    high.edit(failed, fail);
    bring_twice(&high, &low);
    assert_eq!(
        told(&low).last(),
        Some(&(Event::RunFailed, Audience::Person(ada), Some(failed)))
    );
    let job = high.job(request);
    let release = high.release(job);
    bring_twice(&high, &low);
    assert_eq!(
        told(&low).last(),
        Some(&(Event::ResultReady, Audience::Person(ada), Some(release)))
    );
    assert_eq!(
        events(&low),
        [Event::RequestApproved, Event::RunFailed, Event::ResultReady],
        "each once, and a run that succeeded says nothing"
    );
    let log = high.release(job);
    high.edit(log, |body| {
        if let Body::Release(release) = body {
            release.part = Part::Log;
        }
    });
    bring_twice(&high, &low);
    assert_eq!(
        told(&low).last(),
        Some(&(Event::ReportReady, Audience::Person(ada), Some(log)))
    );
}

#[test]
fn bundles_are_told_with_the_peer_that_they_are_from() {
    let (low, high, ..) = asked();
    let about: Vec<_> = high
        .rows(&OUTBOX)
        .into_iter()
        .filter(|(_, it)| matches!(it.event, Event::BundleArrived | Event::BundleApplied))
        .map(|(_, it)| (it.event, it.about))
        .collect();
    assert_eq!(
        about[..2],
        [
            (Event::BundleArrived, Some(low.id.0)),
            (Event::BundleApplied, Some(low.id.0)),
        ]
    );
}
