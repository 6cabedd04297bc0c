//! Requests whose last byte is held back until something has changed.

use actix_web::body::to_bytes;
use actix_web::dev::Payload;
use actix_web::web::Bytes;
use futures_util::{StreamExt, stream};

use super::*;
use crate::domain::account::Account;
use crate::domain::id::UserId;
use crate::domain::role::Preset;
use crate::store::tables::ACCOUNTS;

/// A body whose last byte comes after `meanwhile`.
fn held_back(body: &str, meanwhile: impl Future<Output = ()> + 'static) -> Payload {
    let (first, last) = body.split_at(body.len() - 1);
    let (first, last) = (
        Bytes::copy_from_slice(first.as_bytes()),
        Bytes::copy_from_slice(last.as_bytes()),
    );
    let pieces = stream::iter([Ok(first)]).chain(stream::once(async move {
        meanwhile.await;
        Ok(last)
    }));
    Payload::Stream {
        payload: Box::pin(pieces),
    }
}

/// What somebody's account becomes.
async fn change_account(context: web::Data<Context>, user: UserId, how: fn(&mut Account)) {
    let change = move |tx: &mut Tx<'_>| {
        if let Some(mut account) = tx.get(&ACCOUNTS, &user.0)? {
            how(&mut account);
            tx.put(&ACCOUNTS, &user.0, &account)?;
        }
        Ok(())
    };
    context.store.transact(change).await.unwrap();
}

#[actix_web::test]
async fn what_somebody_may_do_is_looked_at_again_once_a_body_is_there() {
    let lab = lab(Side::Low);
    let context = lab.context();
    let app = init_service(
        App::new()
            .app_data(context.clone())
            .wrap(from_fn(guard::guarded))
            .configure(routes(Side::Low)),
    )
    .await;
    let olga = owner!(app, lab);
    let person = |name: &str| json!({"name": name, "email": format!("{name}@example.org"), "password": PASSWORD, "role": "Administrator"});
    let sam = send!(app, by(post("/users", &person("sam")), &olga)).1;
    let user = UserId(sam["id"].as_str().unwrap().parse().unwrap());
    let lowered = |account: &mut Account| account.role = Preset::User.id();
    let raised = |account: &mut Account| account.role = Preset::Administrator.id();
    let deactivated = |account: &mut Account| account.active = false;
    let activated = |account: &mut Account| account.active = true;
    let token = sign_in!(app, "sam@example.org");
    let json = |request: TestRequest| {
        by(
            request.insert_header(("Content-Type", "application/json")),
            &token,
        )
    };
    let settings = || json(TestRequest::patch().uri("/api/v1/settings"));
    let users = || json(TestRequest::post().uri("/api/v1/users"));
    let upload = || json(TestRequest::post().uri("/api/v1/datasets"));
    macro_rules! sent {
        ($request:expr, $payload:expr) => {
            call_service(&app, $request.to_request().replace_payload($payload).0).await
        };
    }
    let cases = [
        (
            settings(),
            r#"{"description":"by whoever may no more"}"#.to_owned(),
        ),
        (users(), person("accomplice").to_string()),
        (upload(), r#"{"name":"Late"}"#.to_owned()),
    ];
    for (request, body) in cases {
        let now = change_account(context.clone(), user, lowered);
        let answer = sent!(request, held_back(&body, now));
        assert_eq!(answer.status(), 409, "{body}");
        let said = to_bytes(answer.into_body()).await.unwrap();
        assert!(
            String::from_utf8_lossy(&said).contains("caller_changed"),
            "{said:?}"
        );
        change_account(context.clone(), user, raised).await;
    }
    let now = change_account(context.clone(), user, deactivated);
    let answer = sent!(settings(), held_back(r#"{"description":"gone"}"#, now));
    assert_eq!(answer.status(), 401);
    change_account(context.clone(), user, activated).await;
    let unchanged = send!(app, by(get("/settings"), &olga)).1;
    assert_eq!(unchanged["description"], "");
    let same = sent!(settings(), held_back(r#"{"description":"as before"}"#, async {}));
    assert_eq!(same.status(), 200);
}
