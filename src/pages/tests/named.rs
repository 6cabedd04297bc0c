//! What is wrong stands beside the field that it is wrong with.

use serde_json::json;

use super::*;
use crate::domain::notification::letter::NEW_PASSWORD_PATH;

/// The fields that a page says something is wrong with.
fn wrong(html: &str) -> Vec<&str> {
    let after = html.split("class=\"problem\" id=\"field-").skip(1);
    after.filter_map(|rest| rest.split("-problem\"").next()).collect()
}

#[actix_web::test]
async fn a_weak_password_is_told_beside_the_field_that_it_was_chosen_in() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut cookies = Cookies::default();
    let form = token(&send!(app, cookies, get("/setup")).2);
    let set_up = [
        ("form_token", form.as_str()),
        ("token", &lab.setup_token),
        ("name", "Lab"),
        ("owner_name", " "),
        ("email", "olga@example.org"),
        ("password", PASSWORD),
        ("password_again", PASSWORD),
    ];
    let refused = send!(app, cookies, post("/setup", &set_up));
    assert_eq!(
        (refused.0, wrong(&refused.2)),
        (400, vec!["owner-name"]),
        "{}",
        refused.2
    );

    let form = owner!(app, lab, cookies);
    let open = json!({"allow_registration": true});
    done!(app, cookies, call("PATCH", "/settings", &open));
    let change = [
        ("form_token", form.as_str()),
        ("password", PASSWORD),
        ("new", "weak"),
        ("new_again", "weak"),
    ];
    let refused = send!(app, cookies, post("/account/password", &change));
    assert_eq!(
        (refused.0, wrong(&refused.2)),
        (400, vec!["new"]),
        "{}",
        refused.2
    );
    let change = json!({"password": PASSWORD, "new": "weak"});
    let refused = rest!(app, cookies, call("PUT", "/users/me/password", &change));
    assert_eq!(
        (refused.0, refused.1["errors"][0]["field"].as_str()),
        (400, Some("new"))
    );

    let (_, sam) = person!(app, cookies, "sam", "user");
    let path = format!("/users/{sam}/password-reset");
    let offered = done!(app, cookies, call("POST", &path, &json!({})));
    let mut stranger = Cookies::default();
    let form = token(&send!(app, stranger, get("/register")).2);
    let register = [
        ("form_token", form.as_str()),
        ("name", "Eve"),
        ("email", "eve@example.org"),
        ("new", "weak"),
        ("new_again", "weak"),
    ];
    let refused = send!(app, stranger, post("/register", &register));
    assert_eq!(
        (refused.0, wrong(&refused.2)),
        (400, vec!["new"]),
        "{}",
        refused.2
    );
    let choose = [
        ("form_token", form.as_str()),
        ("token", offered["token"].as_str().unwrap()),
        ("new", "weak"),
        ("new_again", "weak"),
    ];
    let refused = send!(app, stranger, post(NEW_PASSWORD_PATH, &choose));
    assert_eq!(
        (refused.0, wrong(&refused.2)),
        (400, vec!["new"]),
        "{}",
        refused.2
    );
}
