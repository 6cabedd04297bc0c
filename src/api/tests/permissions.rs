//! Every route × every caller, held against the table of permissions.

use std::collections::BTreeSet;

use actix_web::http::Method;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::acts::accounts::{self, NewUser, Presented};
use crate::api::permissions::{Needs, TABLE};
use crate::domain::access::{Actor, Permission, Permissions};
use crate::domain::id::{SessionId, UserId};
use crate::domain::role::Preset;
use crate::domain::session::{Credentials, token_hash};
use crate::domain::user::Profile;
use crate::store::records::Here;

fn olga(user: UserId) -> Actor {
    Actor {
        user,
        name: "Olga".into(),
        permissions: Permissions::from(Permission::ALL),
        groups: BTreeSet::new(),
    }
}

/// Somebody with the role of a preset.
async fn person(lab: &Lab, owner: UserId, preset: Preset) -> UserId {
    let (id, name) = (UserId(uuid::Uuid::new_v4()), preset.role().name);
    let email = format!("{}@example.org", name.replace(' ', "."));
    let wanted = NewUser {
        id,
        profile: Profile {
            name: name.clone(),
            email,
            ..Profile::default()
        },
        credentials: Credentials {
            password_hash: "-".into(),
            second_factor: None,
        },
        role: Some(name),
    };
    let store = &lab.running.node().store;
    let made = store.act(move |tx, here| accounts::create_user(tx, here, Some(&olga(owner)), &wanted));
    made.await.unwrap();
    id
}

/// A session that began some time ago, by its token.
async fn session(lab: &Lab, user: UserId, ago: SignedDuration) -> String {
    let token = uuid::Uuid::new_v4().to_string();
    let presented = Presented {
        user,
        verified: Credentials {
            password_hash: "-".into(),
            second_factor: None,
        },
        code: None,
        session: SessionId(uuid::Uuid::new_v4()),
        token: token_hash(&token),
        agent: String::new(),
        from: std::net::Ipv4Addr::LOCALHOST.into(),
    };
    let store = &lab.running.node().store;
    let begun = store.act(move |tx, here| {
        let then: Timestamp = here.now.checked_sub(ago).unwrap();
        let here = Here { now: then, ..*here };
        accounts::sign_in(tx, &here, &presented)
    });
    begun.await.unwrap();
    token
}

fn request(method: &str, path: &str) -> TestRequest {
    let path = path.replace("{name}", "none.bundle");
    let parts = path.split('/').map(|part| {
        if part.starts_with('{') {
            uuid::Uuid::new_v4().to_string()
        } else {
            part.to_owned()
        }
    });
    let path = parts.collect::<Vec<_>>().join("/");
    TestRequest::default()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(&format!("/api/v1{path}"))
        .insert_header(("Content-Type", "application/json"))
        .set_payload("{}")
}

#[test]
fn the_table_knows_every_route_and_no_other() {
    let listed: BTreeSet<(String, String)> = TABLE
        .iter()
        .map(|row| (row.method.to_lowercase(), format!("{PREFIX}{}", row.path)))
        .collect();
    let document = openapi::document_of(Side::Low);
    let routed: BTreeSet<(String, String)> = openapi::operations(&document)
        .map(|(path, method, _)| (method.to_owned(), path.to_owned()))
        .collect();
    let unlisted: Vec<_> = routed.difference(&listed).collect();
    let unrouted: Vec<_> = listed.difference(&routed).collect();
    assert!(
        unlisted.is_empty() && unrouted.is_empty(),
        "{unlisted:?} {unrouted:?}"
    );
}

#[actix_web::test]
async fn every_route_admits_whom_the_table_names_and_nobody_else() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let token = owner!(app, lab);
    let me = send!(app, by(get("/users/me"), &token)).1["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let owner = UserId(me.parse().unwrap());
    let mut people = Vec::new();
    for preset in Preset::ALL {
        people.push((preset, person(&lab, owner, preset).await));
    }
    let mut wrong = Vec::new();
    for row in TABLE {
        let answer = send!(app, request(row.method, row.path));
        let admitted = word(&answer) != (401, "not_signed_in");
        if admitted != (row.needs == Needs::Nothing) {
            wrong.push(format!("{row:?} without a login: {}", answer.0));
        }
        let over = session(&lab, people[0].1, SignedDuration::from_hours(13)).await;
        for dead in [over.as_str(), "guessed"] {
            let answer = send!(app, by(request(row.method, row.path), dead));
            if row.needs != Needs::Nothing && word(&answer) != (401, "not_signed_in") {
                wrong.push(format!("{row:?} with a dead token: {}", answer.0));
            }
        }
        for (preset, user) in &people {
            let token = session(&lab, *user, SignedDuration::ZERO).await;
            let answer = send!(app, by(request(row.method, row.path), &token));
            let may = row.needs.admits(&preset.role().permissions);
            let refused = matches!(word(&answer), (403, "forbidden") | (401, "not_signed_in"));
            if may == refused || answer.0 >= 500 {
                wrong.push(format!("{row:?} by {preset:?}: {} {}", answer.0, answer.1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[actix_web::test]
async fn guests_see_what_is_for_everybody_where_they_are_let_in() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let token = owner!(app, lab);
    for (name, visibility) in [("Open", json!("everybody")), ("Closed", json!("signed_in"))] {
        let body = json!({"name": name, "visibility": visibility});
        assert_eq!(send!(app, by(post("/datasets", &body), &token)).0, 201);
    }
    assert_eq!(word(&send!(app, get("/datasets"))), (401, "not_signed_in"));
    let open = TestRequest::patch()
        .uri("/api/v1/settings")
        .set_json(json!({"allow_guests": true}));
    assert_eq!(send!(app, by(open, &token)).0, 200);
    let (status, seen) = send!(app, get("/datasets"));
    let names: Vec<_> = seen["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!((status, names), (200, vec!["Open"]));
    for path in ["/projects", "/requests", "/users", "/settings", "/node"] {
        assert_eq!(word(&send!(app, get(path))), (401, "not_signed_in"), "{path}");
    }
    let listed = send!(app, by(get("/datasets"), &token)).1;
    for item in listed["items"].as_array().unwrap() {
        let path = format!("/datasets/{}", item["id"].as_str().unwrap());
        let expected = if item["name"] == "Open" { 200 } else { 404 };
        assert_eq!(send!(app, get(&path)).0, expected);
    }
}
