//! What pages show to whom, and what they offer.

use serde_json::{Value, json};

use super::*;

#[actix_web::test]
async fn nobody_is_offered_a_token_for_their_own_password() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut cookies = Cookies::default();
    let form = owner!(app, lab, cookies);
    let me = id(&done!(app, cookies, call("GET", "/users/me", &Value::Null)));
    let (_, sam) = person!(app, cookies, "sam", "user");
    let shows = |html: &str| html.contains("Make a token");
    assert!(!shows(&send!(app, cookies, get(&format!("/users/{me}"))).2));
    assert!(shows(&send!(app, cookies, get(&format!("/users/{sam}"))).2));
    let fields = [("form_token", form.as_str())];
    let ask = |whose: &str| post(&format!("/users/{whose}/password-reset"), &fields);
    assert_eq!(send!(app, cookies, ask(&me)).0, 409);
    assert_eq!(send!(app, cookies, ask(&sam)).0, 200);
}

#[actix_web::test]
async fn a_project_tells_no_address_of_whom_its_reader_may_not_see() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut owner = Cookies::default();
    owner!(app, lab, owner);
    let (mut sam, _) = person!(app, owner, "sam", "user");
    let (_, eve) = person!(app, owner, "eve", "user");
    let begin = |members: Value| json!({"name": members.to_string(), "description": "", "members": members});
    let by_id = rest!(app, sam, call("POST", "/projects", &begin(json!([eve]))));
    assert_eq!(by_id.0, 400, "{by_id:?}");
    let made = done!(
        app,
        sam,
        call("POST", "/projects", &begin(json!(["eve@example.org"])))
    );
    let path = format!("/projects/{}", id(&made));
    let html = send!(app, sam, get(&path)).2;
    // The title holds the address that was typed; no line of the members does.
    assert!(html.contains("<li><bdi>eve</bdi></li>"), "{html}");
    let seen = send!(app, owner, get(&path)).2;
    assert!(seen.contains("eve@example.org</span>"), "{seen}");

    // Who is in it stays so by their box, and goes without it.
    let (form, was) = (token(&html), hidden(&html, "was"));
    let sent = [("form_token", form.as_str()), ("was", was.as_str())];
    let keeping: Vec<_> = sent.into_iter().chain([("member", eve.as_str())]).collect();
    let members = |path: &str| call("GET", path, &Value::Null);
    assert_eq!(send!(app, sam, post(&path, &keeping)).0, 303);
    let kept = done!(app, sam, members(&path));
    assert_eq!(kept["members"].as_array().unwrap().len(), 2, "{kept}");
    assert_eq!(send!(app, sam, post(&path, &sent)).0, 303);
    let left = done!(app, sam, members(&path));
    assert_eq!(left["members"].as_array().unwrap().len(), 1, "{left}");
}

/// Private data that was asked for and written as a result, not released: the paths of its run, its asset and the request.
macro_rules! fulfilled {
    ($app:expr, $owner:expr, $asker:expr) => {{
        let dataset = id(&done!($app, $owner, call("POST", "/datasets", &json!({"name": "Vault"}))));
        let assets = format!("/datasets/{dataset}/assets");
        let asset = id(&done!($app, $owner, call("POST", &assets, &json!({"name": "readings"}))));
        let rows: String = (0..20).map(|row| format!("{row},7\n")).collect();
        let put = call("PUT", &format!("/assets/{asset}/private?format=csv"), &Value::Null)
            .set_payload(format!("patient,reading\n{rows}"));
        done!($app, $owner, put);
        let project = json!({"name": "Study", "description": ""});
        let project = id(&done!($app, $asker, call("POST", "/projects", &project)));
        done!($app, $asker, call("POST", &format!("/projects/{project}/start"), &json!({})));
        let asked = json!({"project": project, "reason": "to see them", "object": {"type": "private_data", "id": asset}});
        let request = format!("/requests/{}", id(&done!($app, $asker, call("POST", "/requests", &asked))));
        approve!($app, $owner, request);
        let run = done!($app, $owner, call("POST", &format!("{request}/fulfilments"), &json!({})));
        (run, request)
    }};
}

/// Approves a request as it is.
macro_rules! approve {
    ($app:expr, $owner:expr, $request:expr) => {{
        let seen = done!($app, $owner, call("GET", &$request, &Value::Null))["seen"].clone();
        let verdict = json!({"verdict": "approve", "seen": seen});
        done!($app, $owner, call("POST", &format!("{}/decisions", $request), &verdict));
    }};
}

#[actix_web::test]
async fn the_private_data_itself_is_called_so_before_it_is_released() {
    let lab = lab(Side::Solo);
    let app = served!(lab);
    let mut owner = Cookies::default();
    owner!(app, lab, owner);
    let (eve, _) = person!(app, owner, "eve", "user");
    let (run, _) = fulfilled!(app, owner, eve);
    let part = format!("/runs/{}/parts/result", id(&run));
    let confirmed = format!("{part}/release?hash={}", run["result"]["hash"].as_str().unwrap());
    for path in [part, confirmed] {
        let html = send!(app, owner, get(&path)).2;
        assert!(html.contains("the private data of an asset itself"), "{html}");
        assert!(!html.contains("you have seen"), "{html}");
    }
}

#[actix_web::test]
async fn whoever_was_granted_a_release_looks_at_it_and_not_at_the_request() {
    let lab = lab(Side::Solo);
    let app = served!(lab);
    let mut owner = Cookies::default();
    owner!(app, lab, owner);
    let (mut eve, _) = person!(app, owner, "eve", "user");
    let (mut sam, _) = person!(app, owner, "sam", "user");
    let (run, request) = fulfilled!(app, owner, eve);
    let release = json!({"part": "result", "hash": run["result"]["hash"]});
    let release = done!(
        app,
        owner,
        call("POST", &format!("/runs/{}/releases", id(&run)), &release)
    );
    let release = format!("/releases/{}", id(&release));
    assert_eq!(send!(app, sam, get(&release)).0, 404);
    let asked = json!({"reason": "to compare", "object": {"type": "release", "id": release.trim_start_matches("/releases/")}});
    let granted = format!(
        "/requests/{}",
        id(&done!(app, sam, call("POST", "/requests", &asked)))
    );
    approve!(app, owner, granted);
    let page = send!(app, sam, get(&release));
    assert_eq!(page.0, 200, "{}", page.2);
    assert!(
        page.2.contains("Released by <bdi>Olga") && !page.2.contains(&request),
        "{}",
        page.2
    );
    assert_eq!(send!(app, sam, get(&format!("{release}/bytes"))).0, 200);
    let hers = send!(app, eve, get(&release)).2;
    assert!(hers.contains(&request), "{hers}");
}

#[actix_web::test]
async fn an_officer_takes_their_own_request_back() {
    let lab = lab(Side::Solo);
    let app = served!(lab);
    let mut owner = Cookies::default();
    owner!(app, lab, owner);
    let (mut eve, _) = person!(app, owner, "eve", "user");
    let (_, hers) = fulfilled!(app, owner, eve);
    let project = id(&done!(
        app,
        owner,
        call("POST", "/projects", &json!({"name": "Own", "description": ""}))
    ));
    done!(
        app,
        owner,
        call("POST", &format!("/projects/{project}/start"), &json!({}))
    );
    let asset = done!(app, owner, call("GET", &hers, &Value::Null))["object"]["id"].clone();
    let asked =
        json!({"project": project, "reason": "mine", "object": {"type": "private_data", "id": asset}});
    let own = format!(
        "/requests/{}",
        id(&done!(app, owner, call("POST", "/requests", &asked)))
    );
    let offers = |html: &str| (html.contains("Take the request back"), html.contains("Decide"));
    assert_eq!(offers(&send!(app, owner, get(&own)).2), (true, true));
    assert_eq!(offers(&send!(app, owner, get(&hers)).2), (false, true));
    assert_eq!(offers(&send!(app, eve, get(&hers)).2), (true, false));
}

#[actix_web::test]
async fn a_role_of_ones_own_is_led_to_no_page_that_is_closed_to_it() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut owner = Cookies::default();
    owner!(app, lab, owner);
    let group = id(&done!(
        app,
        owner,
        call("POST", "/groups", &json!({"name": "Oncology"}))
    ));
    let (mut sam, sams) = person!(app, owner, "sam", "user");
    let member = format!("/groups/{group}/members/{sams}");
    done!(app, owner, call("PUT", &member, &Value::Null));
    let mut people = Vec::new();
    for permission in [
        "can_manage_infrastructure",
        "can_create_users",
        "can_create_groups",
    ] {
        let role = json!({"name": permission, "permissions": [permission]});
        done!(app, owner, call("POST", "/roles", &role));
        people.push(person!(app, owner, permission.replace('_', "-"), permission).0);
    }
    let [pairs, counts, groups] = &mut people[..] else {
        panic!("three people")
    };
    assert_eq!(send!(app, *pairs, get("/peers")).0, 200);
    assert_eq!(rest!(app, *pairs, call("GET", "/peers", &Value::Null)).0, 200);
    assert_eq!(send!(app, sam, get("/peers")).0, 403);

    let listed = send!(app, *counts, get("/users")).2;
    assert!(
        listed.contains("Oncology") && !listed.contains("href=\"/groups/"),
        "{listed}"
    );
    let members = send!(app, *groups, get(&format!("/groups/{group}"))).2;
    assert!(
        members.contains("sam@example.org") && !members.contains("href=\"/users/"),
        "{members}"
    );
    // How many people have a role is for those who give roles, or change them.
    let people = |html: &str| html.contains("<th scope=\"col\">People</th>");
    assert!(people(&send!(app, *counts, get("/roles")).2));
    assert!(!people(&send!(app, sam, get("/roles")).2));
    let roles = done!(app, owner, call("GET", "/roles", &Value::Null));
    let role = format!("/roles/{}", id(&roles["items"][0]));
    assert!(!send!(app, sam, get(&role)).2.contains("it.</p>"));
    assert!(send!(app, owner, get(&role)).2.contains("1 person has it."));
}

#[actix_web::test]
async fn the_page_for_signing_in_says_what_the_node_is_for() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut owner = Cookies::default();
    owner!(app, lab, owner);
    let about = json!({"organization": "Institute <b>", "description": "For studies of glucose."});
    done!(app, owner, call("PATCH", "/settings", &about));
    let mut stranger = Cookies::default();
    let html = send!(app, stranger, get("/sign-in")).2;
    assert!(
        html.contains("Institute &lt;b&gt;") && html.contains("For studies of glucose."),
        "{html}"
    );
}

#[actix_web::test]
async fn a_reason_outlives_that_the_request_has_changed_meanwhile() {
    let lab = lab(Side::Solo);
    let app = served!(lab);
    let mut owner = Cookies::default();
    let form = owner!(app, lab, owner);
    let (eve, _) = person!(app, owner, "eve", "user");
    let (_, request) = fulfilled!(app, owner, eve);
    let seen = hidden(&send!(app, owner, get(&request)).2, "seen");
    approve!(app, owner, request);
    let deny = |seen: &str| {
        let fields = [
            ("form_token", form.as_str()),
            ("seen", seen),
            ("reason", "It is the data itself."),
        ];
        post(&format!("{request}/denial"), &fields)
    };
    let refused = send!(app, owner, deny(&seen));
    assert_eq!(refused.0, 412, "{}", refused.2);
    assert!(
        refused.2.contains("It is the data itself.") && refused.2.contains("It is now"),
        "{}",
        refused.2
    );
    let denied = send!(app, owner, deny(&hidden(&refused.2, "seen")));
    assert_eq!(
        (denied.0, denied.1.as_str()),
        (303, request.as_str()),
        "{}",
        denied.2
    );
}
