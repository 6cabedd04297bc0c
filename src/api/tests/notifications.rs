//! Notifications over REST, on a node without mail; what leaves a node is tested with real servers in `tests/e2e`.

use super::*;
use crate::domain::notification::mail_settings::SERVER_AND_PORT;

/// Waits until the notifier has told somebody something: it works beside the requests.
macro_rules! until_unread {
    ($app:expr, $token:expr, $count:expr) => {{
        let waiting = async {
            loop {
                let unread = send!($app, by(get("/notifications/unread"), $token));
                if unread.1["unread"] == $count {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), waiting)
            .await
            .unwrap();
    }};
}

fn patch(path: &str, body: &Value) -> TestRequest {
    TestRequest::patch().uri(&format!("/api/v1{path}")).set_json(body)
}

#[actix_web::test]
async fn an_inbox_fills_and_is_its_owners_alone() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let olga = owner!(app, lab);
    for name in ["sam", "eve"] {
        let person = json!({"name": name, "email": format!("{name}@example.org"), "password": PASSWORD});
        assert_eq!(send!(app, post("/users", &person)).0, 201);
    }
    let sam = sign_in!(app, "sam@example.org");
    until_unread!(app, &olga, 2);
    until_unread!(app, &sam, 1);
    let list = send!(app, by(get("/notifications?limit=1"), &olga));
    assert_eq!(list.0, 200, "{}", list.1);
    let newest = &list.1["items"][0];
    assert_eq!(
        (&newest["event"], &newest["text"]),
        (
            &json!("user_registered"),
            &json!("eve has registered an account.")
        )
    );
    assert_eq!(
        (&newest["read"], &newest["about"]["kind"]),
        (&json!(false), &json!("user"))
    );
    let path = newest["about"]["path"].as_str().unwrap();
    assert_eq!(
        send!(app, by(get(path), &olga)).1["name"],
        "eve",
        "the path leads to what it is about"
    );
    let cursor = list.1["next"].as_str().unwrap();
    let second = send!(
        app,
        by(get(&format!("/notifications?limit=1&cursor={cursor}")), &olga)
    );
    assert_eq!(second.1["items"][0]["text"], "sam has registered an account.");
    assert_eq!(second.1["next"], Value::Null);

    let id = newest["id"].as_u64().unwrap();
    let one = format!("/notifications/{id}");
    assert_eq!(word(&send!(app, by(get(&one), &sam))), (404, "not_found"));
    assert_eq!(
        send!(app, by(patch(&one, &json!({"read": true})), &olga)).1["read"],
        true
    );
    until_unread!(app, &olga, 1);
    assert_eq!(
        send!(app, by(get("/notifications?unread=true"), &olga)).1["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        send!(app, by(patch(&one, &json!({"read": false})), &olga)).1["read"],
        false
    );
    assert_eq!(
        send!(app, by(post("/notifications/read", &json!({})), &olga)).0,
        204
    );
    until_unread!(app, &olga, 0);
    let delete = TestRequest::delete().uri(&format!("/api/v1{one}"));
    assert_eq!(send!(app, by(delete, &olga)).0, 204);
    assert_eq!(
        send!(
            app,
            by(post("/notifications/clear", &json!({"up_to": id})), &olga)
        )
        .0,
        204
    );
    assert_eq!(send!(app, by(get("/notifications"), &olga)).1["items"], json!([]));
    for path in [
        "/notifications",
        "/notifications/preferences",
        "/notifications/unread",
        "/notifications/digest",
    ] {
        assert_eq!(word(&send!(app, get(path))), (401, "not_signed_in"), "{path}");
    }
}

#[actix_web::test]
async fn a_digest_goes_on_where_the_last_one_ended() {
    let lab = lab(Side::High);
    let app = served!(lab);
    let olga = owner!(app, lab);
    for name in ["sam", "eve"] {
        let person = json!({"name": name, "email": format!("{name}@example.org"), "password": PASSWORD});
        assert_eq!(send!(app, post("/users", &person)).0, 201);
    }
    until_unread!(app, &olga, 2);
    let first = send!(app, by(get("/notifications/digest?limit=1"), &olga)).1;
    assert_eq!(
        (&first["items"][0]["text"], &first["more"]),
        (&json!("sam has registered an account."), &json!(true))
    );
    let shown = json!({"up_to": first["up_to"]});
    assert_eq!(
        send!(app, by(post("/notifications/digest", &shown), &olga)).0,
        204
    );
    let second = send!(app, by(get("/notifications/digest"), &olga)).1;
    assert_eq!(
        (second["items"].as_array().unwrap().len(), &second["more"]),
        (1, &json!(false))
    );
    let shown = json!({"up_to": second["up_to"]});
    send!(app, by(post("/notifications/digest", &shown), &olga));
    let third = send!(app, by(get("/notifications/digest"), &olga)).1;
    assert_eq!((&third["items"], &third["up_to"]), (&json!([]), &Value::Null));
}

#[actix_web::test]
async fn people_choose_what_they_are_told_of() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let olga = owner!(app, lab);
    let preferences = |answer: &(u16, Value)| {
        assert_eq!(answer.0, 200, "{}", answer.1);
        answer.1.clone()
    };
    let mine = preferences(&send!(app, by(get("/notifications/preferences"), &olga)));
    let enabled = json!({"APP": true, "EMAIL": true, "SLACK": false, "SMS": false});
    assert_eq!(mine["notifications_enabled"], enabled);
    let off = json!({"channel": "EMAIL", "event": "bundle_arrived"});
    let mine = preferences(&send!(
        app,
        by(post("/notifications/preferences/deactivate", &off), &olga)
    ));
    let of = |mine: &Value, word: &str| {
        let all = mine["events"].as_array().unwrap();
        all.iter().find(|row| row["event"] == word).unwrap().clone()
    };
    assert_eq!(of(&mine, "bundle_arrived")["channels"]["EMAIL"], false);
    assert_eq!(of(&mine, "bundle_applied")["channels"]["EMAIL"], true);
    let mine = preferences(&send!(
        app,
        by(post("/notifications/preferences/deactivate", &json!({})), &olga)
    ));
    assert_eq!(
        mine["notifications_enabled"],
        json!({"APP": true, "EMAIL": false, "SLACK": false, "SMS": false})
    );
    let mine = preferences(&send!(
        app,
        by(post("/notifications/preferences/activate", &json!({})), &olga)
    ));
    assert_eq!(mine["notifications_enabled"], enabled);
    let change = json!({
        "events": {"bundle_arrived": {"frequency": "weekly"}}, "digest_time": "06:15", "digest_weekday": "friday",
        "utc_offset": "-05:00",
    });
    let mine = preferences(&send!(
        app,
        by(patch("/notifications/preferences", &change), &olga)
    ));
    assert_eq!(of(&mine, "bundle_arrived")["frequency"], "weekly");
    assert_eq!(
        (&mine["digest_time"], &mine["digest_weekday"], &mine["utc_offset"]),
        (&json!("06:15"), &json!("friday"), &json!("-05:00"))
    );
    for (wrong, field, said) in [
        (
            json!({"notifications_enabled": {"SMS": true}}),
            "channel",
            "SMS is not available on this node",
        ),
        (
            json!({"notifications_enabled": {"APP": false}}),
            "channel",
            "always on",
        ),
        (
            json!({"notifications_enabled": {"SLACK": true}}),
            "channel",
            "webhook",
        ),
        (
            json!({"notifications_enabled": {"FAX": true}}),
            "notifications_enabled",
            "EMAIL",
        ),
        (json!({"events": {"nothing": {}}}), "events", "user_registered"),
        (
            json!({"events": {"welcome": {"frequency": "daily"}}}),
            "frequency",
            "at once",
        ),
        (json!({"digest_time": "7"}), "digest_time", "07:30"),
        (
            json!({"webhook": "https://hooks.slack.com/x"}),
            "webhook",
            "not available",
        ),
        (json!({"webhook": "http://169.254.169.254/x"}), "webhook", "https"),
    ] {
        let refused = send!(app, by(patch("/notifications/preferences", &wrong), &olga));
        assert_eq!(word(&refused), (400, "invalid"), "{wrong}");
        assert_eq!(refused.1["errors"][0]["field"], field, "{wrong}");
        assert!(
            refused.1["detail"].as_str().unwrap().contains(said),
            "{}",
            refused.1
        );
    }
}

#[actix_web::test]
async fn mail_is_set_by_those_who_may() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let olga = owner!(app, lab);
    let person = json!({"name": "sam", "email": "sam@example.org", "password": PASSWORD});
    send!(app, post("/users", &person));
    let sam = sign_in!(app, "sam@example.org");
    let settings = send!(app, by(get("/notifications/settings"), &olga));
    assert_eq!(settings.0, 200, "{}", settings.1);
    let settings = settings.1;
    assert!(settings["id"].is_string());
    assert_eq!(
        (&settings["active"], &settings["email_enabled"]),
        (&json!(false), &json!(false))
    );
    let enable = |body: &Value| post("/notifications/settings/enable", body);
    let incomplete = send!(app, by(enable(&json!({"server": "127.0.0.1"})), &olga));
    assert_eq!(word(&incomplete), (400, "mail_settings_incomplete"));
    assert_eq!(incomplete.1["detail"], SERVER_AND_PORT);
    // A port that nobody listens on: what went wrong is told, and nothing is taken up.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nobody =
        json!({"server": "127.0.0.1", "port": free, "security": "none", "sender": "node@example.org"});
    let refused = send!(app, by(enable(&nobody), &olga));
    assert_eq!(word(&refused), (422, "not_taken"), "{}", refused.1);
    let now = send!(app, by(get("/notifications/settings"), &olga)).1;
    assert_eq!((&now["server"], &now["active"]), (&Value::Null, &json!(false)));
    let test = send!(app, by(post("/notifications/settings/test", &json!({})), &olga));
    assert_eq!(word(&test), (400, "invalid"));
    let test = send!(app, by(post("/notifications/preferences/test", &json!({})), &sam));
    assert_eq!(word(&test), (400, "invalid"));

    let change = json!({"base_url": "https://lab.example.org/", "rate_limit": 9, "rate_limits": {"run_failed": 1},
        "webhook_origins": ["https://hooks.slack.com/ignored"]});
    let changed = send!(app, by(patch("/notifications/settings", &change), &olga));
    assert_eq!(changed.0, 200, "{}", changed.1);
    let changed = changed.1;
    assert_eq!(
        (&changed["base_url"], &changed["rate_limit"]),
        (&json!("https://lab.example.org"), &json!(9))
    );
    assert_eq!(changed["rate_limits"], json!({"run_failed": 1}));
    assert_eq!(changed["webhook_origins"], json!(["https://hooks.slack.com"]));
    let webhook = json!({"webhook": "https://hooks.slack.com/services/T/B/secret"});
    let mine = send!(app, by(patch("/notifications/preferences", &webhook), &sam));
    assert_eq!(
        (mine.0, &mine.1["webhook"]),
        (200, &json!("https://hooks.slack.com"))
    );
    assert!(!mine.1.to_string().contains("secret"));
    for request in [
        get("/notifications/settings"),
        get("/notifications/dead-letters"),
        enable(&nobody),
        post("/notifications/settings/disable", &json!({})),
        post("/notifications/settings/test", &json!({})),
        post("/notifications/dead-letters/requeue", &json!({})),
        post("/notifications/dead-letters/1/requeue", &json!({})),
        patch("/notifications/settings", &json!({})),
        TestRequest::delete().uri("/api/v1/notifications/settings"),
        TestRequest::delete().uri("/api/v1/notifications/dead-letters/1"),
    ] {
        assert_eq!(word(&send!(app, by(request, &sam))), (403, "forbidden"));
    }
    assert_eq!(
        send!(app, by(get("/notifications/dead-letters"), &olga)).1["items"],
        json!([])
    );
    let none = send!(
        app,
        by(post("/notifications/dead-letters/1/requeue", &json!({})), &olga)
    );
    assert_eq!(word(&none), (404, "not_found"));
    let forgotten = TestRequest::delete().uri("/api/v1/notifications/settings");
    assert_eq!(send!(app, by(forgotten, &olga)).1["webhook_origins"], json!([]));
}
