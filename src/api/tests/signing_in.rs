//! Signing in, while others do the same or something has changed meanwhile.

use futures_util::future::join_all;

use super::*;

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
