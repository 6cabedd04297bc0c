//! Forms that come late, or are refused: nothing is put back in silence, and nothing that was typed is lost.

use serde_json::json;

use super::*;

/// Opens a page, lets `change` happen meanwhile, and sends the page's form as it was filled in before: what the answer shows.
macro_rules! late {
    ($app:expr, $cookies:expr, $page:expr, $to:expr, $change:expr, $typed:expr) => {{
        let opened = send!($app, $cookies, get($page));
        assert_eq!(opened.0, 200, "{}", opened.2);
        done!($app, $cookies, $change);
        let (form, was) = (token(&opened.2), hidden(&opened.2, "was"));
        let mut fields = vec![("form_token", form.as_str()), ("was", was.as_str())];
        fields.extend($typed);
        let answer = send!($app, $cookies, post($to, &fields));
        assert_eq!(answer.0, 412, "{}", answer.2);
        assert!(
            answer
                .2
                .contains("Somebody has changed this since you opened the page"),
            "{}",
            answer.2
        );
        answer.2
    }};
}

#[actix_web::test]
async fn a_setting_is_not_put_back_by_a_form_that_was_opened_before() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut cookies = Cookies::default();
    owner!(app, lab, cookies);
    done!(
        app,
        cookies,
        call("PATCH", "/settings", &json!({"allow_registration": true}))
    );
    let off = call("PATCH", "/settings", &json!({"allow_registration": false}));
    let typed = [
        ("name", "Lab"),
        ("description", "typed earlier"),
        ("allow_registration", "true"),
    ];
    let html = late!(app, cookies, "/settings", "/settings", off, typed);
    assert!(
        html.contains("Scientists register themselves: now “off”") && html.contains("typed earlier"),
        "{html}"
    );
    let now = done!(app, cookies, call("GET", "/settings", &json!(null)));
    assert_eq!(
        (&now["allow_registration"], &now["description"]),
        (&json!(false), &json!(""))
    );
    // Whoever has looked at what is there now saves it.
    let (form, was) = (token(&html), hidden(&html, "was"));
    let fields = [
        ("form_token", form.as_str()),
        ("was", was.as_str()),
        ("name", "Lab"),
        ("description", "typed earlier"),
    ];
    assert_eq!(send!(app, cookies, post("/settings", &fields)).0, 303);
    let now = done!(app, cookies, call("GET", "/settings", &json!(null)));
    assert_eq!(now["description"], "typed earlier");
}

#[actix_web::test]
async fn who_sees_a_dataset_and_what_a_role_may_are_not_put_back_either() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut cookies = Cookies::default();
    owner!(app, lab, cookies);
    let dataset = id(&done!(
        app,
        cookies,
        call(
            "POST",
            "/datasets",
            &json!({"name": "Pima", "visibility": "everybody"})
        )
    ));
    let page = format!("/datasets/{dataset}/change");
    let closed = json!({"visibility": {"groups": ["Oncology, Leeds"]}});
    let change = call("PATCH", &format!("/datasets/{dataset}"), &closed);
    let typed = [
        ("name", "Pima"),
        ("description", "typed earlier"),
        ("visibility", "everybody"),
    ];
    let html = late!(app, cookies, &page, &page, change, typed);
    assert!(
        html.contains("Groups: now “Oncology, Leeds”") && html.contains("typed earlier"),
        "{html}"
    );

    let role = json!({"name": "Clerk", "permissions": ["can_read_audit", "can_create_groups"]});
    let role = id(&done!(app, cookies, call("POST", "/roles", &role)));
    let page = format!("/roles/{role}");
    let change = call("PATCH", &page, &json!({"permissions": ["can_read_audit"]}));
    let typed = [("name", "Archivist"), ("permission", "can_create_groups")];
    let html = late!(app, cookies, &page, &page, change, typed);
    assert!(
        html.contains("now “can_read_audit”") && html.contains("value=\"Archivist\""),
        "{html}"
    );
}

#[actix_web::test]
async fn who_is_in_a_group_is_not_put_back_either() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut cookies = Cookies::default();
    owner!(app, lab, cookies);
    let (_, sams) = person!(app, cookies, "sam", "user");
    let group = id(&done!(
        app,
        cookies,
        call("POST", "/groups", &json!({"name": "Oncology"}))
    ));
    let page = format!("/users/{sams}");
    let member = format!("/groups/{group}/members/{sams}");
    let html = late!(
        app,
        cookies,
        &page,
        &format!("{page}/groups"),
        call("PUT", &member, &json!(null)),
        [("of_groups", "yes")]
    );
    assert!(html.contains("Groups: now “Oncology”"), "{html}");
    let now = done!(app, cookies, call("GET", &page, &json!(null)));
    assert_eq!(now["groups"][0]["name"], "Oncology");
}

#[actix_web::test]
async fn who_is_in_a_project_is_not_put_back_either() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut cookies = Cookies::default();
    owner!(app, lab, cookies);
    let (mut sam, _) = person!(app, cookies, "sam", "user");
    let project = json!({"name": "Glucose", "description": ""});
    let project = format!(
        "/projects/{}",
        id(&done!(app, sam, call("POST", "/projects", &project)))
    );
    let change = call("PATCH", &project, &json!({"description": "as agreed"}));
    let html = late!(
        app,
        sam,
        &project,
        &project,
        change,
        [("description", "typed earlier")]
    );
    assert!(
        html.contains("now “as agreed”") && html.contains("typed earlier"),
        "{html}"
    );
}

#[actix_web::test]
async fn a_form_that_is_refused_shows_what_was_typed() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut cookies = Cookies::default();
    let form = owner!(app, lab, cookies);
    let switches = "/notifications/settings";
    let typed = [
        ("form_token", form.as_str()),
        ("EMAIL-welcome", "on"),
        ("frequency-user_registered", "weekly"),
        ("digest_time", "07:30"),
        ("utc_offset", "nowhere"),
    ];
    let stored = send!(app, cookies, get(switches)).2;
    let refused = send!(app, cookies, post(switches, &typed));
    assert_eq!(refused.0, 400, "{}", refused.2);
    let checked = |html: &str| html.matches(" checked").count();
    assert!(checked(&stored) > 1, "{stored}");
    assert_eq!(checked(&refused.2), 1, "{}", refused.2);
    assert!(refused.2.contains("value=\"weekly\" selected"), "{}", refused.2);

    for name in ["Oncology", "Lungs"] {
        done!(app, cookies, call("POST", "/groups", &json!({"name": name})));
    }
    let groups = done!(app, cookies, call("GET", "/groups", &json!(null)));
    let lungs = groups["items"].as_array().unwrap();
    let lungs = lungs.iter().find(|group| group["name"] == "Lungs").unwrap();
    let typed = [
        ("form_token", form.as_str()),
        ("name", "oncology"),
        ("description", "typed"),
    ];
    let refused = send!(app, cookies, post(&format!("/groups/{}", id(lungs)), &typed));
    assert_eq!(refused.0, 409, "{}", refused.2);
    assert!(
        refused.2.contains("value=\"oncology\"") && refused.2.contains("typed"),
        "{}",
        refused.2
    );
}
