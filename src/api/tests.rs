//! The API in the test's own process, on a real node's folder.

use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use serde_json::{Value, json};

use super::*;
use crate::domain::session;
use crate::domain::side::Side;
use crate::node::{Config, Running, make, open};
use crate::store::read::Read;
use crate::store::tables::SESSIONS;
use crate::store::transaction::Tx;

const PASSWORD: &str = "correct horse battery staple";

/// A low node and the token that sets it up.
pub(super) struct Lab {
    _folder: tempfile::TempDir,
    running: Running,
    setup_token: String,
}

pub(super) fn lab(side: Side) -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("node");
    let mut config = Config::new(side);
    config.runtime.python.interpreter = Some("/nonexistent/python3".into());
    let made = make::make(&root, "Lab", &config).unwrap();
    let running = open(&root, config).unwrap().start().unwrap();
    Lab {
        _folder: folder,
        running,
        setup_token: made.setup_token.to_string(),
    }
}

impl Lab {
    /// The node's folder.
    pub(super) fn root(&self) -> std::path::PathBuf {
        self._folder.path().join("node")
    }

    pub(super) fn context(&self) -> web::Data<Context> {
        web::Data::new(Context::new(self.running.node().clone()))
    }
}

macro_rules! served {
    ($lab:expr) => {
        init_service(
            App::new()
                .app_data($lab.context())
                .wrap(headers())
                .configure(routes($lab.context().side)),
        )
        .await
    };
}

/// Sends a request; the answer's status, and its JSON.
macro_rules! send {
    ($app:expr, $request:expr) => {{
        let response = call_service(&$app, $request.to_request()).await;
        let status = response.status().as_u16();
        let body = read_body(response).await;
        (
            status,
            serde_json::from_slice::<Value>(&body).unwrap_or(Value::Null),
        )
    }};
}

fn post(path: &str, body: &Value) -> TestRequest {
    TestRequest::post().uri(&format!("/api/v1{path}")).set_json(body)
}

fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(&format!("/api/v1{path}"))
}

fn by(request: TestRequest, token: &str) -> TestRequest {
    request.insert_header(("Authorization", format!("Bearer {token}")))
}

fn word(answer: &(u16, Value)) -> (u16, &str) {
    let kind = answer.1["type"].as_str().unwrap_or_default();
    (
        answer.0,
        kind.strip_prefix(problem::TYPE_PREFIX).unwrap_or_default(),
    )
}

/// Sets the node up and signs its owner in; the token.
macro_rules! owner {
    ($app:expr, $lab:expr) => {{
        let owner = json!({"name": "Olga", "email": "olga@example.org", "password": PASSWORD});
        let body = json!({"token": $lab.setup_token, "name": "Lab", "owner": owner, "allow_registration": true});
        let made = send!($app, post("/setup", &body));
        assert_eq!(made.0, 201, "{}", made.1);
        sign_in!($app, "olga@example.org")
    }};
}

macro_rules! sign_in {
    ($app:expr, $email:expr) => {{
        let signed_in = send!($app, post("/sessions", &json!({"email": $email, "password": PASSWORD})));
        assert_eq!(signed_in.0, 201, "{}", signed_in.1);
        signed_in.1["token"].as_str().unwrap().to_owned()
    }};
}

#[actix_web::test]
async fn until_set_up_only_health_and_set_up_answer() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    for path in ["/users/me", "/settings", "/nowhere", "/openapi.json"] {
        assert_eq!(word(&send!(app, get(path))), (503, "not_set_up"), "{path}");
    }
    assert_eq!(send!(app, TestRequest::get().uri("/docs")).0, 503);
    assert_eq!(send!(app, get("/health")), (200, json!({"status": "ok"})));
    let status = json!({"name": "Lab", "side": "low", "set_up": false});
    assert_eq!(send!(app, get("/setup/status")), (200, status));
    let owner = json!({"name": "O", "email": "o@example.org", "password": PASSWORD});
    let body = json!({"token": "guessed", "name": "Lab", "owner": owner});
    assert_eq!(
        word(&send!(app, post("/setup", &body))),
        (401, "setup_token_refused")
    );
    let token = owner!(app, lab);
    assert_eq!(
        send!(app, by(get("/users/me"), &token)).1["email"],
        "olga@example.org"
    );
    let body = json!({"token": lab.setup_token, "name": "Lab", "owner": owner});
    assert_eq!(word(&send!(app, post("/setup", &body))), (409, "set_up_already"));
}

#[actix_web::test]
async fn only_a_token_that_holds_signs_in() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let token = owner!(app, lab);
    let wrong = json!({"email": "olga@example.org", "password": "wrong wrong wrong"});
    let unknown = json!({"email": "nobody@example.org", "password": "wrong wrong wrong"});
    let refused = send!(app, post("/sessions", &wrong));
    assert_eq!(word(&refused), (401, "sign_in_refused"));
    assert_eq!(
        refused,
        send!(app, post("/sessions", &unknown)),
        "the two must not differ"
    );
    assert_eq!(word(&send!(app, get("/users/me"))), (401, "not_signed_in"));
    assert_eq!(
        word(&send!(app, by(get("/users/me"), "no token"))),
        (401, "not_signed_in")
    );
    let leave = TestRequest::delete().uri("/api/v1/sessions/current");
    assert_eq!(send!(app, by(leave, &token)).0, 204);
    assert_eq!(
        word(&send!(app, by(get("/users/me"), &token))),
        (401, "not_signed_in")
    );
}

#[actix_web::test]
async fn a_scientist_meets_403_and_404() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let person = json!({"name": "Sam", "email": "sam@example.org", "password": PASSWORD});
    let made = send!(app, post("/users", &person));
    assert_eq!((made.0, &made.1["role"]["name"]), (201, &json!("User")));
    assert!(!made.1.to_string().contains("argon2"), "{}", made.1);
    assert_eq!(word(&send!(app, post("/users", &person))), (409, "name_taken"));
    let sam = sign_in!(app, "sam@example.org");
    let change = TestRequest::patch()
        .uri("/api/v1/settings")
        .set_json(json!({"name": "Sam's"}));
    assert_eq!(word(&send!(app, by(change, &sam))), (403, "forbidden"));
    let olga = send!(app, by(get("/users/me"), &owner)).1["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for path in [
        format!("/users/{olga}"),
        "/users/0".to_owned(),
        "/nowhere".to_owned(),
    ] {
        assert_eq!(
            word(&send!(app, by(get(&path), &sam))),
            (404, "not_found"),
            "{path}"
        );
    }
    assert_eq!(
        send!(app, by(get("/users"), &sam)).1["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        send!(app, by(get("/users"), &owner)).1["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[actix_web::test]
async fn bad_input_is_named() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let token = owner!(app, lab);
    let person = json!({"name": "S", "email": "s@example.org", "password": PASSWORD, "rolle": "owner"});
    let refused = send!(app, post("/users", &person));
    assert_eq!(word(&refused), (400, "invalid"));
    assert_eq!(refused.1["errors"][0]["field"], "rolle");
    let large = json!({"name": "x".repeat(extract::JSON_MAX), "email": "", "password": ""});
    assert_eq!(word(&send!(app, post("/users", &large))), (413, "too_large"));
    let refused = send!(app, by(get("/users?limit=0"), &token));
    assert_eq!(
        (word(&refused), &refused.1["errors"][0]["field"]),
        ((400, "invalid"), &json!("limit"))
    );
    let refused = send!(app, by(get("/users?limt=1"), &token));
    assert_eq!(refused.1["errors"][0]["field"], "limt");
    let text = TestRequest::post().uri("/api/v1/users").set_payload("{}");
    assert_eq!(word(&send!(app, text)), (415, "invalid"));
    // Of the second, another address with the method fits: that of somebody called `me`.
    for (wrong_method, path, allowed) in [
        (TestRequest::put(), "/users", "GET, POST"),
        (TestRequest::delete(), "/users/me/second-factor", "POST, PUT"),
    ] {
        let answer = send!(app, by(wrong_method.uri(&format!("/api/v1{path}")), &token));
        assert_eq!(word(&answer), (405, "method_not_allowed"), "{path}");
        let detail = answer.1["detail"].as_str().unwrap();
        assert!(detail.ends_with(allowed), "{path}: {detail}");
    }
}

#[actix_web::test]
async fn answers_bear_the_headers_that_keep_browsers_safe() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    for (path, kind) in [
        ("/health", "application/json"),
        ("/users", "application/problem+json"),
    ] {
        let response = call_service(&app, get(path).to_request()).await;
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), kind);
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cache-control"), "no-store");
        assert!(header("content-security-policy").starts_with("default-src 'none'"));
    }
    let _token = owner!(app, lab);
    let docs = call_service(&app, TestRequest::get().uri("/docs").to_request()).await;
    assert_eq!(docs.status(), 200);
    assert_eq!(docs.headers().get_all("content-security-policy").count(), 1);
}

/// A session that was last used ten minutes ago is noted as used once a request has come with it.
#[actix_web::test]
async fn a_request_notes_that_its_session_is_used() {
    let lab = lab(Side::Low);
    let context = lab.context();
    let app = init_service(
        App::new()
            .app_data(context.clone())
            .wrap(from_fn(guard::guarded))
            .configure(routes(Side::Low)),
    )
    .await;
    let token = owner!(app, lab);
    let hash = session::token_hash(&token);
    let before = context.store.now() - jiff::SignedDuration::from_mins(10);
    let set_back = move |tx: &mut Tx<'_>| {
        let held = tx.get(&SESSIONS, &hash.0)?;
        if let Some(mut session) = held {
            session.used_at = Some(before);
            tx.put(&SESSIONS, &hash.0, &session)?;
        }
        Ok(())
    };
    context.store.transact(set_back).await.unwrap();
    let last_used = || {
        let held = context
            .store
            .look(|view| Ok(view.get(&SESSIONS, &hash.0)?))
            .unwrap();
        held.unwrap().last_used()
    };
    // A page that looks by itself for what it waits for uses nothing.
    let waiting = by(get("/users/me"), &token).insert_header((guard::WAITING, "yes"));
    assert_eq!(send!(app, waiting).0, 200);
    actix_web::rt::task::yield_now().await;
    context.store.transact(|_| Ok(())).await.unwrap();
    assert_eq!(last_used(), before);
    assert_eq!(send!(app, by(get("/users/me"), &token)).0, 200);
    // Noted beside the answer, and in the order of the store's queue before what is asked of it next.
    actix_web::rt::task::yield_now().await;
    context.store.transact(|_| Ok(())).await.unwrap();
    assert!(last_used() > before);
}

mod access;
mod archives;
mod notifications;
mod permissions;
mod requests;
mod signing_in;
mod solo;
mod standing;
