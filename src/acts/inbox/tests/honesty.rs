//! Bundles that no honest node makes. Each is refused as a whole, and nothing changes.

use poundlock_transport::cbor;

use super::*;
use crate::domain::decision::Verdict;
use crate::domain::hash::Hash;
use crate::domain::id::{NodeId, RequestId};
use crate::domain::object::Object;
use crate::domain::peer::Received;
use crate::domain::request::Subject;
use crate::sync::intake::Dishonest;
use crate::sync::record::{Carried, Direction, Downward, Own, Upward};

/// A record as a liar writes it.
fn record<D: Direction>(home: NodeId, id: Uuid, number: u64, root: Uuid, body: &Body) -> Vec<u8> {
    let carried = Carried {
        id,
        home,
        number,
        deleted: false,
        root,
        body: D::of(body).unwrap(),
    };
    cbor::to_deterministic_vec(&carried).unwrap()
}

/// Adds a record to an honest bundle.
fn with(mut bundle: Bundle, record: Vec<u8>) -> Bundle {
    bundle.records.push(record);
    bundle
}

/// A pair where the low side has sent a collaboration; its ids.
fn acquainted() -> (Node, Node, [Uuid; 4]) {
    let (low, high) = two();
    let ids = low.collaboration("ada", &[]);
    carry(&low, &high);
    (low, high, ids)
}

fn body(node: &Node, id: Uuid) -> Body {
    node.object(id).unwrap().body
}

/// Has a bundle with honest news and one lie refused, and gives the lie that was found.
fn caught(low: &Node, high: &Node, lie: Vec<u8>) -> Dishonest {
    let name = format!("news{}", low.fresh_id());
    low.project(&name, &[low.user(&name)]);
    match refused(high, &with(export(low, high), lie)) {
        ImportRefused::Dishonest(lie) => lie,
        other => panic!("refused for another reason: {other}"),
    }
}

#[test]
fn nothing_but_what_a_low_node_has_sent_goes_back_to_it() {
    let (low, high, [user, _, code, request]) = acquainted();
    for id in [user, code, request] {
        let object = high.object(id).unwrap();
        assert!(Own::of(&object, low.id).is_ok());
        assert!(Own::of(&object, high.id).is_err(), "another's");
        let own = Object {
            home: high.id,
            ..object.clone()
        };
        assert!(Own::of(&own, low.id).is_err() && Own::of(&own, high.id).is_err());
    }
    let mut altered = high.object(request).unwrap();
    rename(&mut altered.body, "more");
    assert!(Own::of(&altered, low.id).is_err());
    let job = high.object(high.job(request)).unwrap();
    assert!(Own::of(&job, low.id).is_err());
}

#[test]
fn only_the_home_may_send_an_object() {
    let (low, high, [_, project, ..]) = acquainted();
    let elsewhere = record::<Upward>(high.id, low.fresh_id(), 1, project, &body(&low, project));
    let lie = caught(&low, &high, elsewhere);
    assert!(matches!(lie, Dishonest::NotTheHome(_)));
}

#[test]
fn an_object_of_another_node_cannot_be_taken_over() {
    let (low, other, high) = three();
    let [_, project, ..] = low.collaboration("ada", &[]);
    carry(&low, &high);
    let theft = record::<Upward>(other.id, project, 9, project, &body(&low, project));
    assert_eq!(caught(&other, &high, theft), Dishonest::NotTheHome(project));
}

#[test]
fn two_nodes_that_bring_one_id_do_not_overwrite_each_other() {
    let (low, other, high) = three();
    let project = low.project("one", &[low.user("ada")]);
    let user = other.user("eve");
    let Body::Project(mut copy) = body(&low, project) else {
        panic!("no project")
    };
    copy.creator = crate::domain::id::UserId(user);
    copy.set_members(&[]).unwrap();
    copy.members = vec![copy.creator];
    let twin = record::<Upward>(other.id, project, 1, project, &Body::Project(copy));
    other.project("two", &[user]);
    ByHand.import(&high, &with(export(&other, &high), twin)).unwrap();
    carry(&low, &high);
    assert_eq!(word(high.apply(other.id.0, &[project])), "home_elsewhere");
    assert_eq!(high.object(project).unwrap().home, low.id);
}

#[test]
fn an_id_keeps_its_kind() {
    let (low, high, [user, project, ..]) = acquainted();
    let lie = record::<Upward>(low.id, user, 2, project, &body(&low, project));
    assert_eq!(caught(&low, &high, lie), Dishonest::OtherKind(user));
    let code = body(&low, low.code(user, &[]));
    let lie = record::<Upward>(low.id, user, 2, project, &code);
    assert_eq!(caught(&low, &high, lie), Dishonest::OtherKind(user));
}

#[test]
fn one_revision_has_one_content() {
    let (low, high, [_, project, ..]) = acquainted();
    let mut other = body(&low, project);
    rename(&mut other, "another first");
    let lie = record::<Upward>(low.id, project, 1, project, &other);
    assert_eq!(
        caught(&low, &high, lie),
        Dishonest::Fork {
            id: project,
            number: 1
        }
    );
    let lie = record::<Upward>(
        low.id,
        low.fresh_id(),
        0,
        project,
        &body(&low, low.code(project, &[])),
    );
    assert!(matches!(caught(&low, &high, lie), Dishonest::Invalid { .. }));
}

#[test]
fn code_must_have_its_hash() {
    let (low, high, [_, _, code, request]) = acquainted();
    let Body::Code(mut forged) = body(&low, code) else {
        panic!("no code")
    };
    forged.source = "def f(): return 'other'".to_owned();
    let lie = record::<Upward>(low.id, low.fresh_id(), 1, request, &Body::Code(forged));
    assert!(caught(&low, &high, lie).to_string().contains("hash"));
}

#[test]
fn a_record_must_name_the_batch_that_it_belongs_to() {
    let (low, high, [_, project, _, request]) = acquainted();
    let lie = record::<Upward>(low.id, request, 2, project, &body(&low, request));
    assert!(caught(&low, &high, lie).to_string().contains("another batch"));
}

#[test]
fn texts_must_be_as_their_home_would_have_written_them() {
    let (low, high, [user, project, _, request]) = acquainted();
    let turned = |id, change: fn(&mut Body)| {
        let mut lying = body(&low, id);
        change(&mut lying);
        lying
    };
    let lies = [
        (project, turned(project, |body| rename(body, "in\u{202E}visible"))),
        (project, turned(project, |body| rename(body, "space at the end "))),
        (
            request,
            turned(request, |body| {
                let Body::Request(request) = body else {
                    panic!("no request")
                };
                request.reason = String::new();
            }),
        ),
        (
            request,
            turned(request, |body| {
                let Body::Request(request) = body else {
                    panic!("no request")
                };
                if let Subject::Run { runs_wanted, .. } = &mut request.subject {
                    *runs_wanted = 0;
                }
            }),
        ),
        (
            user,
            turned(user, |body| {
                let Body::User(user) = body else { panic!("no user") };
                user.name = "two\nlines".to_owned();
            }),
        ),
        (
            project,
            turned(project, |body| {
                let Body::Project(project) = body else {
                    panic!("no project")
                };
                project.members.clear();
            }),
        ),
    ];
    for (id, body) in lies {
        let root = if id == user { project } else { id };
        let lie = record::<Upward>(low.id, id, 2, root, &body);
        assert!(
            matches!(caught(&low, &high, lie), Dishonest::Invalid { .. }),
            "{body:?}"
        );
    }
}

#[test]
fn a_low_node_cannot_build_on_what_belongs_to_another() {
    let (low, other, high) = three();
    let [_, project, code, request] = low.collaboration("ada", &[]);
    carry(&low, &high);
    let decision = low.approve(request);
    let dataset = low.dataset("pima");
    carry(&low, &high);
    let asset = body(&low, low.asset(dataset, "table"));
    for (root, lie) in [
        (request, body(&low, decision)),
        (dataset, asset),
        (low.fresh_id(), body(&low, request)),
    ] {
        let id = if matches!(lie, Body::Request(_)) {
            root
        } else {
            other.fresh_id()
        };
        let lie = record::<Upward>(other.id, id, 1, root, &lie);
        let found = caught(&other, &high, lie).to_string();
        assert!(found.contains("not its sender's"), "{found}");
    }
    assert!(high.object(project).is_some() && high.object(code).is_some());
}

#[test]
fn an_answer_to_a_request_that_is_not_this_nodes_is_refused() {
    let (low, other, high) = three();
    let dataset = high.dataset("pima");
    high.publish(dataset, low.id.0);
    carry(&high, &low);
    let [.., request] = other.collaboration("ada", &[]);
    carry(&other, &high);
    for id in [high.approve(request), high.job(request)] {
        let mut lying = body(&high, id);
        let root = match &mut lying {
            Body::Decision(decision) => {
                decision.request = RequestId(dataset);
                dataset
            }
            Body::Job(job) => {
                job.request = RequestId(dataset);
                id
            }
            _ => panic!("neither"),
        };
        let lie = with(
            export(&high, &low),
            record::<Downward>(high.id, id, 1, root, &lying),
        );
        assert!(refused(&low, &lie).to_string().contains("not its sender's"));
    }
}

#[test]
fn what_has_no_place_in_its_direction_cannot_be_read() {
    let (low, high, [_, project, ..]) = acquainted();
    let upward = record::<Upward>(high.id, high.fresh_id(), 1, project, &body(&low, project));
    let lie = with(export(&high, &low), upward);
    assert!(matches!(refused(&low, &lie), ImportRefused::Unreadable(_)));
    let mut loose = export(&low, &high);
    loose.records.push(vec![0xa0]);
    assert!(matches!(refused(&high, &loose), ImportRefused::Unreadable(_)));
}

#[test]
fn an_audit_head_that_is_not_in_the_chain_is_refused() {
    let (low, high, _) = acquainted();
    acknowledge(&high, &low);
    let mut bundle = export(&low, &high);
    assert!(
        bundle.header.audit_echo.is_some(),
        "the last head received is echoed"
    );
    bundle.header.audit_echo = Some(Hash([7; 32]));
    assert!(matches!(
        refused(&high, &bundle),
        ImportRefused::AuditRewritten(_)
    ));
}

#[test]
fn a_bundle_that_was_never_made_cannot_be_acknowledged() {
    let (low, high, _) = acquainted();
    let mut bundle = export(&high, &low);
    bundle.header.acknowledged = Received::default().with(99);
    assert!(matches!(
        refused(&low, &bundle),
        ImportRefused::Refusal(Refusal::Conflict {
            word: "bundle_acknowledges_unknown",
            ..
        })
    ));
}

#[test]
fn a_decision_of_the_low_side_is_kept_and_says_so() {
    let (low, high, [.., request]) = acquainted();
    let decision = low.decide(request, Verdict::deny("not yet").unwrap());
    carry(&low, &high);
    assert_eq!(high.object(decision).unwrap().home, low.id);
}
