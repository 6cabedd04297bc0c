//! Signing in, while others do the same or something has changed meanwhile.

use futures_util::future::join_all;

use super::*;
use crate::acts::accounts;
use crate::store::tables::CREDENTIALS;

#[actix_web::test]
async fn whoever_tries_out_who_has_an_account_by_naming_members_has_to_wait() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let olga = owner!(app, lab);
    let name = |name: &str, member: &str| json!({"name": name, "members": [member]});
    let mut answers = Vec::new();
    for n in 0..12 {
        let unknown = name("Glucose", &format!("p{n}@example.org"));
        answers.push(send!(app, by(post("/projects", &unknown), &olga)).0);
    }
    assert_eq!((answers[10], answers[11]), (400, 429), "{answers:?}");
    let made = send!(app, by(post("/projects", &json!({"name": "Glucose"})), &olga));
    assert_eq!(made.0, 201, "whoever names nobody does not wait: {}", made.1);
    let _token: String = sign_in!(app, "olga@example.org");
}

#[actix_web::test]
async fn a_session_has_another_token_once_its_password_is_shown_again() {
    let lab = lab(Side::Low);
    let app = init_service(
        App::new()
            .app_data(lab.context())
            .wrap(from_fn(guard::guarded))
            .configure(routes(Side::Low)),
    )
    .await;
    let token = owner!(app, lab);
    let other = sign_in!(app, "olga@example.org");
    let (first, second) = (
        json!({"password": PASSWORD}),
        json!({"password": "kiln otter ledge moss"}),
    );
    let change = |body: &Value| {
        let new = [&second, &first][usize::from(*body == second)];
        let body = json!({"password": body["password"], "new": new["password"]});
        TestRequest::put().uri("/api/v1/users/me/password").set_json(body)
    };
    let told = |response: &actix_web::dev::ServiceResponse<_>| -> Option<String> {
        let told = response.headers().get("Poundlock-Token")?;
        Some(told.to_str().unwrap().to_owned())
    };
    // Whoever does not say that they take another up keeps theirs.
    let kept = call_service(&app, by(change(&first), &token).to_request()).await;
    assert_eq!((kept.status().as_u16(), told(&kept)), (204, None));
    assert_eq!(send!(app, by(get("/users/me"), &token)).0, 200);
    assert_eq!(
        word(&send!(app, by(get("/users/me"), &other))),
        (401, "not_signed_in")
    );
    let renews = |request: TestRequest| by(request, &token).insert_header(("Poundlock-Renews", "yes"));
    // A wrong password renews nothing.
    let refused = call_service(&app, renews(change(&first)).to_request()).await;
    assert_eq!((refused.status().as_u16(), told(&refused)), (401, None));
    let renewed = call_service(&app, renews(change(&second)).to_request()).await;
    let fresh = told(&renewed).unwrap();
    assert_eq!(renewed.status(), 204);
    assert_eq!(
        word(&send!(app, by(get("/users/me"), &token))),
        (401, "not_signed_in")
    );
    assert_eq!(send!(app, by(get("/users/me"), &fresh)).0, 200);
    let sessions = send!(app, by(get("/sessions"), &fresh)).1["items"].clone();
    assert_eq!(
        (sessions.as_array().unwrap().len(), &sessions[0]["current"]),
        (1, &json!(true))
    );
}

#[actix_web::test]
async fn of_two_sign_ins_at_once_both_succeed_where_the_password_is_hashed_anew() {
    use argon2::password_hash::PasswordHasher;
    let lab = lab(Side::Low);
    let app = served!(lab);
    let _token: String = owner!(app, lab);
    let weak = argon2::Params::new(8 * 1024, 1, 1, None).unwrap();
    let weak = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, weak);
    let stored = weak.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    let of_earlier_parameters = lab.running.node().store.act(move |tx, _| {
        let (user, mut held) = accounts::credentials(tx, "olga@example.org")?.unwrap();
        held.password_hash = stored;
        Ok(tx.put(&CREDENTIALS, &user.0, &held)?)
    });
    of_earlier_parameters.await.unwrap();
    let body = json!({"email": "olga@example.org", "password": PASSWORD});
    // Both read the stored hash before the first has made another of it.
    let both = (0..2).map(|_| call_service(&app, post("/sessions", &body).to_request()));
    for answer in join_all(both).await {
        assert_eq!(answer.status(), 201);
    }
    let view = lab.running.node().store.view().unwrap();
    let noted = crate::store::audit::entries_after(&view, 0, usize::MAX).unwrap();
    let mut actions = noted.iter().map(|entry| entry.fields.action.as_str());
    assert!(!actions.any(|action| action == "login.refused"));
}

#[actix_web::test]
async fn a_stranger_who_registers_is_refused_before_anything_is_hashed() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let _token: String = owner!(app, lab);
    // Of both that are wrong the address is told: the password has not been looked at.
    let body = json!({"name": "Sam", "email": "no address", "password": "short"});
    let refused = send!(app, post("/users", &body));
    let told = refused.1.to_string();
    assert_eq!(refused.0, 400, "{told}");
    assert!(told.contains("email") && !told.contains("password"), "{told}");
    let body = json!({"name": "Sam", "email": "no address", "password": PASSWORD});
    for _ in 0..20 {
        assert_eq!(send!(app, post("/users", &body)).0, 400, "it costs nothing");
    }
}

#[actix_web::test]
async fn guesses_at_once_wait_like_guesses_one_by_one() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let _token: String = owner!(app, lab);
    // An address from which nobody has signed in, and whose account so is not familiar there.
    let elsewhere: std::net::SocketAddr = "192.0.2.7:40000".parse().unwrap();
    let guesses = (0..30).map(|n| {
        let body = json!({"email": "olga@example.org", "password": format!("wrong guess number {n}")});
        call_service(&app, post("/sessions", &body).peer_addr(elsewhere).to_request())
    });
    let mut answers: Vec<u16> = Vec::new();
    for answer in join_all(guesses).await {
        answers.push(answer.status().as_u16());
    }
    let of = |status: u16| answers.iter().filter(|it| **it == status).count();
    assert_eq!((of(401), of(429)), (11, 19), "{answers:?}");
    let _token: String = sign_in!(app, "olga@example.org");
}
