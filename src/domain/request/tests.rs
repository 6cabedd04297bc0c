use jiff::Span;
use uuid::Uuid;

use super::*;
use crate::domain::decision::Maker;
use crate::domain::hash::Hash;

fn request() -> Request {
    let id = |n| Uuid::from_u128(n);
    Request::new(ProjectId(id(1)), CodeId(id(2)), UserId(id(3)), "to learn", None).unwrap()
}

fn revision(number: u64) -> Revision {
    Revision {
        number,
        digest: Hash([u8::try_from(number).unwrap(); 32]),
    }
}

fn decision(on: u64, number: u32, verdict: Verdict) -> Decision {
    Decision {
        request: RequestId(Uuid::from_u128(9)),
        number,
        request_revision: revision(on),
        about: About::Code {
            code: CodeId(Uuid::from_u128(2)),
            hash: Hash([0; 32]),
            assets: Vec::new(),
        },
        verdict,
        by: Maker::Person(UserId(Uuid::from_u128(8))),
        by_name: "Owner".into(),
        on: Date::constant(2026, 11, 22),
        until: None,
    }
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

const LOW: NodeId = NodeId(Uuid::from_u128(100));
const HIGH: NodeId = NodeId(Uuid::from_u128(101));

fn of(request: &Request, at: u64, decisions: &[(NodeId, Decision)]) -> Status {
    status(
        request,
        revision(at),
        decisions.iter().map(|(n, d)| (*n, d)),
        |node| node == HIGH,
        now(),
    )
}

#[test]
fn another_revision_needs_another_decision() {
    let made = [(HIGH, decision(1, 1, Verdict::Approve))];
    assert_eq!(of(&request(), 1, &made), Status::Approved);
    assert_eq!(of(&request(), 2, &made), Status::Pending);
}

#[test]
fn the_high_side_outweighs_whatever_the_order() {
    let deny = Verdict::Deny { reason: "no".into() };
    let made = [
        (HIGH, decision(1, 1, deny.clone())),
        (LOW, decision(1, 2, Verdict::Approve)),
    ];
    assert_eq!(of(&request(), 1, &made), Status::Denied { reason: "no".into() });
    let mut changed = [
        (HIGH, decision(1, 1, deny)),
        (HIGH, decision(1, 2, Verdict::Approve)),
    ];
    assert_eq!(of(&request(), 1, &changed), Status::Approved);
    changed.reverse();
    assert_eq!(of(&request(), 1, &changed), Status::Approved);
}

#[test]
fn where_private_data_is_asked_for_the_low_side_can_deny_and_not_approve() {
    let deny = Verdict::Deny { reason: "no".into() };
    let denied = Status::Denied { reason: "no".into() };
    let (project, asset) = (ProjectId(Uuid::from_u128(1)), AssetId(Uuid::from_u128(5)));
    let mut see = request();
    see.subject = Subject::SeePrivate { project, asset };
    for asked in [request(), see] {
        let approved = [(LOW, decision(1, 1, Verdict::Approve))];
        assert_eq!(of(&asked, 1, &approved), Status::Pending);
        let refused = [(LOW, decision(1, 1, deny.clone()))];
        assert_eq!(of(&asked, 1, &refused), denied);
        let relented = [refused[0].clone(), (LOW, decision(1, 2, Verdict::Approve))];
        assert_eq!(of(&asked, 1, &relented), Status::Pending);
        let settled = [refused[0].clone(), (HIGH, decision(1, 1, Verdict::Approve))];
        assert_eq!(of(&asked, 1, &settled), Status::Approved);
        assert_eq!(
            asked.may_be_approved_on(Side::Low),
            Err(RequestError::NotApprovedHere)
        );
        for side in [Side::High, Side::Solo] {
            assert_eq!(asked.may_be_approved_on(side), Ok(()));
        }
    }
    let mut open = request();
    open.subject = Subject::SeeOpen(Open::Mock(asset));
    assert_eq!(
        of(&open, 1, &[(LOW, decision(1, 1, Verdict::Approve))]),
        Status::Approved
    );
    assert_eq!(open.may_be_approved_on(Side::Low), Ok(()));
}

#[test]
fn another_run_is_asked_for_once_approved_and_within_the_policy() {
    let mut request = request();
    let policy = OutputPolicy::ExecuteCount(2);
    assert!(request.want_another_run(&Status::Pending, policy).is_err());
    request.want_another_run(&Status::Approved, policy).unwrap();
    assert_eq!(request.runs_wanted(), Some(2));
    let over = request.want_another_run(&Status::Approved, policy);
    assert_eq!(over, Err(RequestError::NoFurtherRun { allowed: 2 }));
    request.withdraw().unwrap();
    assert_eq!(request.withdraw(), Err(RequestError::Withdrawn));
}

const ASSET: AssetId = AssetId(Uuid::from_u128(5));

fn to_see(subject: Subject) -> Request {
    Request::of(subject, UserId(Uuid::from_u128(3)), "to compare", None).unwrap()
}

fn subjects() -> [Subject; 4] {
    let id = |n| Uuid::from_u128(n);
    [
        request().subject,
        Subject::SeeOpen(Open::Mock(ASSET)),
        Subject::SeeOpen(Open::Release(crate::domain::id::ReleaseId(id(6)))),
        Subject::SeePrivate {
            project: ProjectId(id(1)),
            asset: ASSET,
        },
    ]
}

#[test]
fn an_approval_for_a_time_expires_with_it() {
    let until = |shift: Span| {
        let mut made = decision(1, 1, Verdict::Approve);
        made.until = Some(now() + shift);
        of(&request(), 1, &[(HIGH, made)])
    };
    assert_eq!(until(Span::new().seconds(1)), Status::Approved);
    assert_eq!(until(Span::new()), Status::Expired);
    assert_eq!(until(Span::new().hours(-1)), Status::Expired);
}

#[test]
fn only_code_runs_again() {
    for subject in &subjects()[1..] {
        let again = to_see(*subject).want_another_run(&Status::Approved, OutputPolicy::ExecuteCount(9));
        assert_eq!(again, Err(RequestError::NotARun));
    }
}

#[test]
fn every_subject_is_stored_and_read_again() {
    for subject in subjects() {
        let request = to_see(subject);
        let mut stored = Vec::new();
        ciborium::into_writer(&request, &mut stored).unwrap();
        let read: Request = ciborium::from_reader(stored.as_slice()).unwrap();
        assert_eq!(read, request);
        let json = serde_json::to_value(&request).unwrap();
        assert_eq!(serde_json::from_value::<Request>(json).unwrap(), request);
    }
}

#[test]
fn what_asks_for_two_things_or_none_is_no_request() {
    let stored = |subject: Subject| serde_json::to_value(to_see(subject)).unwrap();
    let [run, mock, _, private] = subjects().map(stored);
    let with = |request: &serde_json::Value, name: &str, from: &serde_json::Value| {
        let mut changed = request.clone();
        changed[name] = from[name].clone();
        changed
    };
    let without = |request: &serde_json::Value, name: &str| {
        let mut changed = request.clone();
        changed.as_object_mut().unwrap().remove(name);
        changed
    };
    for wrong in [
        with(&run, "object", &mock),
        with(&mock, "project", &run),
        with(&private, "code", &run),
        with(&private, "runs_wanted", &run),
        without(&run, "code"),
        without(&run, "project"),
        without(&private, "project"),
        without(&mock, "object"),
    ] {
        assert!(
            serde_json::from_value::<Request>(wrong.clone()).is_err(),
            "{wrong}"
        );
    }
}

/// A request as a stored object, as [`authorise`] takes it.
fn stored(request: Request) -> Object {
    Object {
        id: Uuid::from_u128(9),
        home: LOW,
        epoch: crate::domain::id::Epoch(Uuid::nil()),
        revision: revision(1),
        deleted: false,
        created_at: now(),
        updated_at: now(),
        body: crate::domain::object::Body::Request(request),
    }
}

#[test]
fn private_data_is_touched_for_exactly_what_this_node_approved() {
    let request = to_see(subjects()[3]);
    let object = stored(request.clone());
    let mut made = decision(1, 1, Verdict::Approve);
    let mut allowed = |home: NodeId, about: About, present: Present<'_>| {
        made.about = about;
        authorise(HIGH, &object, &request, present, [(home, &made)], now()).map(|approval| approval.request())
    };
    let on = |sight, number| About::Sight {
        sight,
        revision: Some(revision(number)),
    };
    let present = Present::Asset(ASSET, revision(4));
    let data = Sight::PrivateData(ASSET);
    assert_eq!(
        allowed(HIGH, on(data, 4), present),
        Ok(RequestId(Uuid::from_u128(9)))
    );
    for (home, about) in [
        (HIGH, on(data, 3)),
        (HIGH, on(Sight::Mock(ASSET), 4)),
        (HIGH, on(Sight::PrivateData(AssetId(Uuid::from_u128(7))), 4)),
        (
            HIGH,
            About::Sight {
                sight: data,
                revision: None,
            },
        ),
        (HIGH, decision(1, 1, Verdict::Approve).about),
    ] {
        assert_eq!(
            allowed(home, about.clone(), present),
            Err(NotAuthorised::OtherObject),
            "{about:?}"
        );
    }
    assert_eq!(
        allowed(LOW, on(data, 4), present),
        Err(NotAuthorised::NotApproved("pending")),
        "what another node decided authorises nothing here"
    );
}

#[test]
fn a_refusal_names_only_what_its_reader_can_do() {
    let withdrawn = NotAuthorised::NotApproved("withdrawn").to_string();
    assert!(withdrawn.contains("its requester can resubmit it"), "{withdrawn}");
    assert!(!withdrawn.contains("approve it"), "{withdrawn}");
    let deleted = NotAuthorised::NotApproved("deleted").to_string();
    assert!(!deleted.contains("approve it"), "{deleted}");
    let pending = NotAuthorised::NotApproved("pending").to_string();
    assert!(pending.contains("approve it on this node"), "{pending}");
    let decided = RequestError::Withdrawn.to_string();
    assert!(decided.contains("its requester can resubmit it"), "{decided}");
}

#[test]
fn a_run_is_judged_by_what_was_decided_on_the_revision_that_it_answers() {
    let denied = || Status::Denied { reason: "no".into() };
    for (of_run, present, expected) in [
        (Status::Approved, denied(), Status::Approved),
        (Status::Approved, Status::Pending, Status::Approved),
        (denied(), Status::Pending, denied()),
        (denied(), Status::Approved, Status::Approved),
        (Status::Pending, denied(), denied()),
        (Status::Pending, Status::Pending, Status::Pending),
        (Status::Withdrawn, Status::Withdrawn, Status::Withdrawn),
    ] {
        assert_eq!(status_for_run(of_run, present), expected);
    }
}
