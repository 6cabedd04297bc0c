//! Signing in, while others do the same or something has changed meanwhile.

use futures_util::future::join_all;

use super::*;

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
