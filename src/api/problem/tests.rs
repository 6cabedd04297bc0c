use super::*;
use crate::domain::access::Permission;
use crate::domain::object::Kind;
use crate::runtime::{Missing, NotReady};

fn told(problem: &Problem) -> (u16, String) {
    let document = problem.document();
    let word = document["type"]
        .as_str()
        .unwrap()
        .strip_prefix(TYPE_PREFIX)
        .unwrap()
        .to_owned();
    assert_eq!(document["status"], problem.status_code().as_u16());
    assert!(document["title"].is_string() && document["detail"].is_string());
    (problem.status_code().as_u16(), word)
}

#[test]
fn every_class_of_refusal_has_its_own_document() {
    let id = uuid::Uuid::from_u128(5);
    let changed = Refusal::Changed {
        detail: "somebody was first".into(),
        difference: json!({"by": "Ada"}),
    };
    let cases: Vec<(Refusal, u16, &str)> = vec![
        (Denied(Permission::Release).into(), 403, "forbidden"),
        (Refusal::no(Kind::Dataset, id), 404, "not_found"),
        (Invalid::new("name", "must not be empty").into(), 400, "invalid"),
        (changed, 412, "changed"),
        (
            Refusal::conflict("wrong_side", "on the high side"),
            409,
            "wrong_side",
        ),
        (Refusal::conflict("code_refused", "no"), 422, "code_refused"),
        (
            Refusal::conflict("sandbox_not_ready", "no"),
            503,
            "sandbox_not_ready",
        ),
        (Refusal::conflict("sign_in_refused", "no"), 401, "sign_in_refused"),
        (
            RecordError::NameTaken {
                kind: Kind::Project,
                name: "a".into(),
            }
            .into(),
            409,
            "name_taken",
        ),
        (
            RecordError::NotTheHome {
                kind: Kind::Project,
                id,
            }
            .into(),
            409,
            "not_the_home",
        ),
        (
            RecordError::TooLarge {
                kind: Kind::Code,
                length: 70_000,
            }
            .into(),
            413,
            "too_large",
        ),
        (RecordError::NoNode.into(), 500, "internal"),
    ];
    for (refusal, status, word) in cases {
        assert_eq!(told(&refusal.into()), (status, word.to_owned()));
    }
}

#[test]
fn what_helps_the_sender_is_in_the_document() {
    let problem = Problem::from(Refusal::Changed {
        detail: "d".into(),
        difference: json!({"by": "Ada"}),
    });
    assert_eq!(problem.document()["difference"]["by"], "Ada");
    let problem = Problem::from(Refusal::from(Invalid::new("tags[2]", "must not be empty")));
    assert_eq!(
        problem.document()["errors"],
        json!([{"field": "tags[2]", "problem": "must not be empty"}])
    );
    let problem = Problem::from(Refusal::from(Denied(Permission::Release)));
    assert_eq!(problem.document()["permission"], "can_release");
    let reasons = vec![Missing {
        what: "seccomp".into(),
        reason: "old kernel".into(),
    }];
    let problem = Problem::from(ActError::NotReady(NotReady { missing: reasons }));
    assert_eq!(problem.document()["missing"][0]["what"], "seccomp");
}

#[test]
fn nothing_internal_is_told() {
    let cause = anyhow::anyhow!("/secret/path is gone").context("the store");
    let document = Problem::from(ActError::Internal(cause)).document();
    assert_eq!(document["type"], "urn:poundlock:problem:internal");
    assert!(!document.to_string().contains("secret"), "{document}");
    assert!(document["incident"].is_string());
}

#[test]
fn a_chain_names_every_cause_once() {
    let error = anyhow::anyhow!("inner").context("middle").context("outer");
    assert_eq!(Chain(error.as_ref()).to_string(), "outer: middle: inner");
}
