use uuid::Uuid;

use super::*;
use crate::acts::scene::*;
use crate::domain::hash::Hash;
use crate::domain::id::{BundleId, JobId, UserId};
use crate::domain::notification::Audience;
use crate::domain::object::{BODY_MAX, Revision};
use crate::domain::outline::Outline;
use crate::domain::peer::Sent;
use crate::domain::policy::OutputPolicy;
use crate::domain::project::Project;
use crate::domain::request::Status;
use crate::domain::side::Side;
use crate::store::tables::{CARRIED_IN, SENT};

const ONCE: OutputPolicy = OutputPolicy::SingleExecution;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

#[test]
fn code_that_breaks_the_rule_is_no_submitted_code() {
    let code = submitted(&ada(), ONCE, ASSET).into_parts().0;
    let wrong = SubmittedCode::judge(code.clone(), &Outline::default()).unwrap_err();
    assert!(!wrong.is_empty());
    let other_parameters = SubmittedCode::judge(code, &outline(&["table"])).unwrap_err();
    assert!(
        other_parameters[0].to_string().contains('n'),
        "{other_parameters:?}"
    );
}

#[test]
fn code_names_assets_that_are_there_and_stays_as_it_is() {
    let scene = Scene::new(Side::Low);
    let lost = submitted(&ada(), ONCE, crate::domain::id::AssetId(id(99)));
    let refused = scene.act(move |tx, here| submit_code(tx, &ada(), here, CodeId(id(40)), lost));
    match refused {
        Err(Refusal::Invalid(problems)) => assert_eq!(problems[0].field, "input_policy.table"),
        other => panic!("{other:?}"),
    }
    let code = scene.code(40, ONCE);
    let again = submitted(&ada(), OutputPolicy::ExecuteCount(9), ASSET);
    let refused = scene.act(move |tx, here| submit_code(tx, &ada(), here, code, again));
    assert_eq!(word(refused), "id_taken");
}

#[test]
fn a_request_is_made_in_a_started_project_by_a_member_with_code_of_their_own() {
    let scene = Scene::new(Side::Low);
    let code = scene.code(40, ONCE);
    let attempt = |actor: Actor, draft: Draft| {
        scene.act(move |tx, here| create(tx, &actor, here, RequestId(id(50)), &draft))
    };
    // Eve is no member: for her there is no such project.
    assert!(matches!(
        attempt(eve(), draft(code)),
        Err(Refusal::NotFound { what: "project", .. })
    ));
    // The owner sees the project, and is no member either.
    assert_eq!(word(attempt(owner(), draft(code))), "not_a_member");
    let no_reason = Draft {
        reason: " ".into(),
        ..draft(code)
    };
    assert!(matches!(attempt(ada(), no_reason), Err(Refusal::Invalid(_))));
    let no_code = draft(CodeId(id(41)));
    assert!(matches!(
        attempt(ada(), no_code),
        Err(Refusal::NotFound { what: "code", .. })
    ));
    let lost = Draft {
        predecessor: Some(RequestId(id(51))),
        ..draft(code)
    };
    assert!(matches!(
        attempt(ada(), lost),
        Err(Refusal::NotFound { what: "request", .. })
    ));
    assert!(scene.events().is_empty());

    attempt(ada(), draft(code)).unwrap();
    assert_eq!(scene.events(), [Event::RequestSubmitted]);
    assert_eq!(
        scene.outbox()[0].audience,
        Audience::Holders(Permission::TriageRequests)
    );
    assert_eq!(scene.audited(), ["request.submitted"]);
}

#[test]
fn the_project_must_be_started() {
    let scene = Scene::new(Side::Low);
    let code = scene.code(40, ONCE);
    let idle = ProjectId(id(31));
    scene
        .act(move |tx, here| {
            let project = Project::new("idle", "", ada().user, &[])?;
            Ok(records::write(tx, here, idle.0, Body::Project(project), false)?)
        })
        .unwrap();
    let draft = Draft {
        project: idle,
        ..draft(code)
    };
    let refused = scene.act(move |tx, here| create(tx, &ada(), here, RequestId(id(50)), &draft));
    assert_eq!(word(refused), "project_not_started");
}

#[test]
fn code_of_somebody_else_cannot_be_requested() {
    let scene = Scene::new(Side::Low);
    scene
        .act(|tx, here| {
            let mut project = Project::new("both", "", ada().user, &[eve().user, owner().user])?;
            project.started = true;
            Ok(records::write(tx, here, id(31), Body::Project(project), false)?)
        })
        .unwrap();
    let code = scene.code(40, ONCE);
    let draft = Draft {
        project: ProjectId(id(31)),
        ..draft(code)
    };
    let (by_eve, by_owner) = (draft.clone(), draft);
    let refused = scene.act(move |tx, here| create(tx, &eve(), here, RequestId(id(50)), &by_eve));
    assert!(matches!(refused, Err(Refusal::NotFound { what: "code", .. })));
    let refused = scene.act(move |tx, here| create(tx, &owner(), here, RequestId(id(50)), &by_owner));
    assert_eq!(word(refused), "not_the_author");
}

#[test]
fn nobody_sees_the_request_of_another() {
    let scene = Scene::new(Side::Low);
    let code = scene.code(40, ONCE);
    let request = scene.request(50, code);
    scene
        .decide(owner(), request, deny("too close to the rows"))
        .unwrap();
    let read = scene.view();
    assert!(matches!(
        scene.look(&eve(), request),
        Err(Refusal::NotFound { .. })
    ));
    assert!(
        list(&read, &eve(), scene.now(), &Filter::default(), None, 10)
            .unwrap()
            .0
            .is_empty()
    );
    assert!(list_code(&read, &eve(), None, 10).unwrap().objects.is_empty());
    for act in [withdraw, want_another_run] {
        let refused = scene.act(move |tx, here| act(tx, &eve(), here, request, None));
        assert!(matches!(refused, Err(Refusal::NotFound { .. })));
        let refused = scene.act(move |tx, here| act(tx, &owner(), here, request, None));
        assert_eq!(word(refused), "not_the_requester");
    }
    let seen = scene.look(&ada(), request).unwrap();
    assert_eq!(
        seen.status,
        Status::Denied {
            reason: "too close to the rows".into()
        }
    );
}

#[test]
fn lists_filter_by_project_and_state() {
    let scene = Scene::new(Side::Low);
    let code = scene.code(40, ONCE);
    let (first, second) = (scene.request(50, code), scene.request(51, code));
    scene
        .act(move |tx, here| withdraw(tx, &ada(), here, first, None))
        .unwrap();
    let read = scene.view();
    let ids = |filter: &Filter| -> Vec<Uuid> {
        let (found, _) = list(&read, &ada(), scene.now(), filter, None, 10).unwrap();
        found.iter().map(|listed| listed.request.object.id).collect()
    };
    assert_eq!(ids(&Filter::default()), [second.0, first.0]);
    let pending = Filter {
        state: Some("pending".into()),
        ..Filter::default()
    };
    assert_eq!(ids(&pending), [second.0]);
    let elsewhere = Filter {
        project: Some(ProjectId(id(99))),
        ..Filter::default()
    };
    assert!(ids(&elsewhere).is_empty());
    let (page, next) = list(&read, &ada(), scene.now(), &Filter::default(), None, 1).unwrap();
    assert_eq!(page[0].request.object.id, second.0);
    let (page, next) = list(&read, &ada(), scene.now(), &Filter::default(), next, 1).unwrap();
    assert_eq!((page[0].request.object.id, next), (first.0, None));
}

#[test]
fn a_request_is_withdrawn_once_and_taken_up_by_a_successor() {
    let scene = Scene::new(Side::Low);
    let code = scene.code(40, ONCE);
    let request = scene.request(50, code);
    scene
        .act(move |tx, here| withdraw(tx, &ada(), here, request, None))
        .unwrap();
    let again = scene.act(move |tx, here| withdraw(tx, &ada(), here, request, None));
    assert_eq!(word(again), "withdrawn");
    let seen = scene.look(&ada(), request).unwrap();
    assert_eq!((seen.status, seen.history.len()), (Status::Withdrawn, 1));

    let next = Draft {
        predecessor: Some(request),
        ..draft(code)
    };
    let made = scene
        .act(move |tx, here| create(tx, &ada(), here, RequestId(id(51)), &next))
        .unwrap();
    match made.body {
        Body::Request(made) => assert_eq!(made.predecessor, Some(request)),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        scene.audited(),
        ["request.submitted", "request.withdrawn", "request.submitted"]
    );
}

#[test]
fn another_run_is_a_new_revision_that_needs_a_new_decision() {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, OutputPolicy::ExecuteCount(2));
    let request = scene.request(50, code);
    let ask = || scene.act(move |tx, here| want_another_run(tx, &ada(), here, request, None));
    assert_eq!(word(ask()), "not_approved");
    scene
        .decide(owner(), request, crate::domain::decision::Verdict::Approve)
        .unwrap();
    ask().unwrap();
    assert_eq!(scene.look(&ada(), request).unwrap().status, Status::Pending);
    scene
        .decide(owner(), request, crate::domain::decision::Verdict::Approve)
        .unwrap();
    assert_eq!(word(ask()), "runs_used_up");
    assert_eq!(scene.events().last(), Some(&Event::RequestApproved));
}

#[test]
fn progress_tells_which_bundles_carried_it() {
    let scene = Scene::new(Side::Low);
    let code = scene.code(40, ONCE);
    let request = scene.request(50, code);
    let (peer, epoch) = (OTHER.0, id(3));
    scene
        .act(move |tx, here| {
            for (number, file, acknowledged) in [(4, true, false), (5, true, true), (6, false, false)] {
                let sent = Sent {
                    bundle: BundleId(id(70)),
                    file: file.then_some(Hash([1; 32])),
                    at: here.now,
                    acknowledged,
                    carried: 1,
                };
                tx.put(&SENT, &(peer, epoch, number), &sent)?;
                tx.put(&CARRIED_IN, &(request.0, peer, epoch, number), &())?;
            }
            Ok(())
        })
        .unwrap();
    let progress = scene.look(&ada(), request).unwrap().progress;
    assert_eq!(progress.crossing.as_ref().unwrap().carried_in, [4, 5]);
    assert!(progress.crossing.unwrap().received);
    assert_eq!((progress.decided_on, progress.released), (None, false));
}

#[test]
fn a_body_over_its_bound_is_refused() {
    let scene = Scene::new(Side::Low);
    let mut code = submitted(&ada(), ONCE, ASSET).into_parts().0;
    code.source = "#".repeat(BODY_MAX);
    let refused = scene.act(move |tx, here| Ok(records::write(tx, here, id(40), Body::Code(code), false)?));
    assert!(matches!(
        refused,
        Err(Refusal::Record(records::RecordError::TooLarge { .. }))
    ));
}

#[test]
fn a_request_of_another_home_is_not_changed_here() {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, ONCE);
    let request = RequestId(id(50));
    scene
        .act(move |tx, here| {
            let body = Request::new(PROJECT, code, UserId(ada().user.0), "from below", None)?;
            let pending = crate::domain::peer::Pending {
                home: OTHER,
                revision: Revision {
                    number: 1,
                    digest: Hash([4; 32]),
                },
                under: here.epoch,
                deleted: false,
                forked: false,
                root: request.0,
                sequence: 1,
                body: Body::Request(body),
            };
            Ok(records::take(tx, here, request.0, pending)?)
        })
        .unwrap();
    let refused = scene.act(move |tx, here| withdraw(tx, &ada(), here, request, None));
    assert!(matches!(
        refused,
        Err(Refusal::Record(records::RecordError::NotTheHome { .. }))
    ));
}

#[test]
fn code_that_has_given_all_its_results_is_asked_for_no_more() {
    let scene = Scene::new(Side::Low);
    let code = scene.code(40, OutputPolicy::ExecuteCount(2));
    for (request, job) in [(50, 70), (51, 71)] {
        scene.result_arrives(scene.request(request, code), JobId(id(job)));
    }
    let third = scene.act(move |tx, here| create(tx, &ada(), here, RequestId(id(52)), &draft(code)));
    match third {
        Err(Refusal::Conflict { detail, .. }) => assert!(detail.contains("may run 2 time(s)"), "{detail}"),
        other => panic!("{other:?}"),
    }
}
