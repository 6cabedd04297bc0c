use super::*;

/// A dataset of the owner's with one asset and its mock, which are handed out on request; the asset's path.
macro_rules! restricted {
    ($app:expr, $owner:expr) => {{
        let named = json!({"name": "Pima", "tags": ["health", "open"], "mocks": "on_request"});
        let dataset = send!($app, by(post("/datasets", &named), &$owner));
        assert_eq!((dataset.0, &dataset.1["mocks"]), (201, &json!("on_request")));
        let assets = format!("/datasets/{}/assets", dataset.1["id"].as_str().unwrap());
        let asset = send!($app, by(post(&assets, &json!({"name": "women"})), &$owner)).1;
        let asset = asset["id"].as_str().unwrap().to_owned();
        let plan = json!({"rows": 3, "seed": 1, "columns": [{"name": "glu", "type": "int"}]});
        let generation = format!("/assets/{asset}/mock/generation");
        assert_eq!(send!($app, by(post(&generation, &plan), &$owner)).0, 200);
        asset
    }};
}

macro_rules! scientist {
    ($app:expr, $name:expr) => {{
        let email = format!("{}@example.org", $name);
        let person = json!({"name": $name, "email": email, "password": PASSWORD});
        assert_eq!(send!($app, post("/users", &person)).0, 201);
        sign_in!($app, email)
    }};
}

fn mock_of(asset: &str) -> Value {
    json!({"object": {"type": "mock", "id": asset}, "reason": "to begin"})
}

fn id(made: &(u16, Value)) -> &str {
    made.1["id"].as_str().unwrap_or_else(|| panic!("{made:?}"))
}

#[actix_web::test]
async fn a_mock_is_asked_for_granted_and_taken_back_over_rest() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let (sams, eves) = (scientist!(app, "sam"), scientist!(app, "eve"));
    let asset = restricted!(app, owner);
    let mock = format!("/assets/{asset}/mock");
    assert_eq!(word(&send!(app, by(get(&mock), &sams))), (403, "on_request"));
    assert_eq!(send!(app, by(get(&mock), &owner)).0, 200);

    let made = send!(app, by(post("/requests", &mock_of(&asset)), &sams));
    assert_eq!((made.0, &made.1["status"]["state"]), (201, &json!("pending")));
    assert_eq!(made.1["object"]["type"], "mock");
    assert!(made.1["submitted_code"].is_null() && made.1["project"].is_null());
    let again = send!(app, by(post("/requests", &mock_of(&asset)), &sams));
    assert_eq!(word(&again), (409, "asked_already"));

    // What an officer sees before deciding.
    let listed = send!(app, by(get("/access-requests?state=pending&type=mock"), &owner));
    let item = &listed.1["items"][0];
    assert_eq!(item["id"], made.1["id"]);
    assert_eq!(
        item["object"],
        json!({"type": "mock", "id": asset, "title": "women", "tags": ["health", "open"]})
    );
    assert_eq!(
        (&item["requester_name"], &item["reason"]),
        (&json!("sam"), &json!("to begin"))
    );
    assert_eq!(
        send!(app, by(get("/access-requests"), &eves)).1["items"],
        json!([])
    );
    let with = |query: &str| by(get(&format!("/requests?subject={query}")), &owner);
    assert_eq!(send!(app, with("see")).1["items"][0]["id"], made.1["id"]);
    assert_eq!(send!(app, with("run")).1["items"], json!([]));

    let path = format!("/requests/{}", id(&made));
    let seen = send!(app, by(get(&path), &owner)).1["seen"].clone();
    let approve = json!({"verdict": "approve", "seen": seen});
    let decisions = format!("{path}/decisions");
    assert_eq!(
        word(&send!(app, by(post(&decisions, &approve), &sams))),
        (403, "forbidden")
    );
    let mut stale = approve.clone();
    stale["seen"]["object_revision"] = Value::Null;
    let refused = send!(app, by(post(&decisions, &stale), &owner));
    assert_eq!(word(&refused), (412, "changed"));
    assert!(refused.1["difference"]["object_revision"]["now"]["number"].is_u64());
    assert_eq!(send!(app, by(post(&decisions, &approve), &owner)).0, 201);
    assert_eq!(send!(app, by(get(&mock), &sams)).0, 200);
    assert_eq!(word(&send!(app, by(get(&mock), &eves))), (403, "on_request"));
    let withdrawal = format!("{path}/withdrawal");
    assert_eq!(send!(app, by(post(&withdrawal, &json!({})), &sams)).0, 200);
    assert_eq!(word(&send!(app, by(get(&mock), &sams))), (403, "on_request"));
    assert_eq!(
        word(&send!(
            app,
            by(post(&format!("{path}/fulfilments"), &json!({})), &owner)
        )),
        (409, "wrong_side")
    );
}

#[actix_web::test]
async fn what_a_request_names_is_checked_field_by_field() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let sams = scientist!(app, "sam");
    let asset = restricted!(app, owner);
    let nowhere = "00000000-0000-4000-8000-000000000099";
    let object = |of: &str, id: &str| json!({"type": of, "id": id});
    for (body, field) in [
        (json!({"reason": "r"}), "code"),
        (json!({"reason": "r", "code": nowhere}), "project"),
        (
            json!({"reason": "r", "code": nowhere, "object": object("mock", &asset)}),
            "object",
        ),
        (
            json!({"reason": "r", "object": object("data", &asset)}),
            "object.type",
        ),
        (
            json!({"reason": "r", "object": object("private_data", &asset)}),
            "project",
        ),
        (json!({"reason": " ", "object": object("mock", &asset)}), "reason"),
    ] {
        let refused = send!(app, by(post("/requests", &body), &sams));
        assert_eq!(
            (word(&refused), &refused.1["errors"][0]["field"]),
            ((400, "invalid"), &json!(field)),
            "{body}"
        );
    }
    for object in [
        object("mock", nowhere),
        object("release", nowhere),
        object("release", &asset),
    ] {
        let body = json!({"reason": "r", "object": object});
        assert_eq!(
            word(&send!(app, by(post("/requests", &body), &sams))),
            (404, "not_found")
        );
    }
}

#[actix_web::test]
async fn rules_are_made_changed_applied_and_removed_over_rest() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let (sams, eves) = (scientist!(app, "sam"), scientist!(app, "eve"));
    let asset = restricted!(app, owner);
    let rule = json!({"name": "Teaching", "effect": "accept", "types": ["mock"], "tags": ["#Open"],
        "quota": {"in_all": 1}, "days": 30, "until": "2100-01-01T00:00:00Z"});
    assert_eq!(
        word(&send!(app, by(post("/access-rules", &rule), &sams))),
        (403, "forbidden")
    );
    for (field, wrong) in [
        ("types", json!(["private_data"])),
        ("types", json!([])),
        ("tags", json!([])),
        ("quota.in_all", json!({"in_all": 0})),
        ("days", json!(0)),
        ("until", json!("2001-01-01T00:00:00Z")),
        ("until", json!("tomorrow")),
        ("reason", json!("no")),
    ] {
        let mut body = rule.clone();
        body[field.split('.').next().unwrap()] = wrong;
        let refused = send!(app, by(post("/access-rules", &body), &owner));
        assert_eq!(
            (word(&refused), &refused.1["errors"][0]["field"]),
            ((400, "invalid"), &json!(field)),
            "{body}"
        );
    }
    let made = send!(app, by(post("/access-rules", &rule), &owner));
    assert_eq!((made.0, &made.1["tags"]), (201, &json!(["open"])));

    let first = send!(app, by(post("/requests", &mock_of(&asset)), &sams));
    assert_eq!(first.1["status"]["state"], "approved", "{}", first.1);
    let decision = &first.1["decisions"][0];
    assert_eq!(
        (&decision["by_rule"], &decision["by_name"]),
        (&made.1["id"], &json!("Teaching"))
    );
    assert!(decision["until"].is_string() && decision["by"].is_null());
    let second = send!(app, by(post("/requests", &mock_of(&asset)), &eves));
    assert_eq!(second.1["status"]["state"], "pending", "the quota is used up");
    let path = format!("/access-rules/{}", id(&made));
    assert_eq!(send!(app, by(get(&path), &owner)).1["granted"], 1);
    let entries = send!(app, by(get("/audit"), &owner)).1;
    let told = entries["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["action"] == "request.approved");
    assert_eq!(told.unwrap()["detail"]["rule"], made.1["id"]);
    assert_eq!(told.unwrap()["actor"], "node");

    let closed = json!({"name": "Closed", "effect": "deny", "types": ["mock"], "reason": "over"});
    let put = |token: &str| {
        by(
            TestRequest::put()
                .uri(&format!("/api/v1{path}"))
                .set_json(&closed),
            token,
        )
    };
    assert_eq!(word(&send!(app, put(&sams))), (403, "forbidden"));
    let changed = send!(app, put(&owner));
    assert_eq!(
        (changed.0, &changed.1["effect"], &changed.1["quota"]),
        (200, &json!("deny"), &Value::Null)
    );
    let listed = send!(app, by(get("/access-rules"), &owner));
    assert_eq!(
        (&listed.1["items"][0]["id"], &listed.1["next"]),
        (&made.1["id"], &Value::Null)
    );
    assert_eq!(
        word(&send!(app, by(get("/access-rules"), &eves))),
        (403, "forbidden")
    );

    let remove = |token: &str| by(TestRequest::delete().uri(&format!("/api/v1{path}")), token);
    assert_eq!(word(&send!(app, remove(&sams))), (403, "forbidden"));
    assert_eq!(send!(app, remove(&owner)).0, 204);
    assert_eq!(word(&send!(app, remove(&owner))), (404, "not_found"));
    let kept = send!(app, by(get(&format!("/assets/{asset}/mock")), &sams));
    assert_eq!(kept.0, 200, "what the rule has granted stands");
}

#[actix_web::test]
async fn private_data_becomes_a_result_that_is_reviewed_and_released() {
    let lab = lab(Side::Solo);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let sams = scientist!(app, "sam");
    let dataset = send!(app, by(post("/datasets", &json!({"name": "Vault"})), &owner));
    let assets = format!("/datasets/{}/assets", id(&dataset));
    let asset = send!(app, by(post(&assets, &json!({"name": "readings"})), &owner));
    let put = TestRequest::put()
        .uri(&format!("/api/v1/assets/{}/private?format=csv", id(&asset)))
        .set_payload("patient,reading\r\nMay,\"7\"\r\n");
    assert_eq!(send!(app, by(put, &owner)).0, 200);
    let project = send!(
        app,
        by(
            post("/projects", &json!({"name": "Study", "description": ""})),
            &sams
        )
    );
    let start = format!("/projects/{}/start", id(&project));
    assert_eq!(send!(app, by(post(&start, &json!({})), &sams)).0, 200);

    let asked = json!({"project": id(&project), "reason": "to see them",
        "object": {"type": "private_data", "id": id(&asset)}});
    let made = send!(app, by(post("/requests", &asked), &sams));
    assert_eq!(made.0, 201, "{}", made.1);
    let path = format!("/requests/{}", id(&made));
    let fulfil = |token: &str| by(post(&format!("{path}/fulfilments"), &json!({})), token);
    assert_eq!(word(&send!(app, fulfil(&owner))), (409, "not_approved"));
    let seen = send!(app, by(get(&path), &owner)).1["seen"].clone();
    let approve = json!({"verdict": "approve", "seen": seen});
    assert_eq!(
        send!(app, by(post(&format!("{path}/decisions"), &approve), &owner)).0,
        201
    );
    assert_eq!(word(&send!(app, fulfil(&sams))), (403, "forbidden"));
    let run = send!(app, fulfil(&owner));
    assert_eq!(
        (run.0, &run.1["origin"]),
        (201, &json!("fulfilment")),
        "{}",
        run.1
    );
    assert_eq!(word(&send!(app, fulfil(&owner))), (409, "fulfilled_already"));

    // It is a result like any other: nobody but the officers sees it before it is released.
    let result = format!("/runs/{}/result", id(&run));
    assert_eq!(word(&send!(app, by(get(&result), &sams))), (404, "not_found"));
    let bytes = |path: String, token: String| {
        let request = by(get(&path), &token).to_request();
        let app = &app;
        async move { read_body(call_service(app, request).await).await }
    };
    let reviewed = bytes(result, owner.clone()).await;
    assert_eq!(&reviewed[..], b"patient,reading\nMay,7\n", "written again");
    let releases = format!("/runs/{}/releases", id(&run));
    let body = json!({"part": "result", "hash": run.1["result"]["hash"]});
    let released = send!(app, by(post(&releases, &body), &owner));
    assert_eq!(released.0, 201, "{}", released.1);
    let content = format!("/releases/{}/content", id(&released));
    assert_eq!(bytes(content, sams.clone()).await, reviewed);
}
