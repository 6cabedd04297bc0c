//! One request goes up, one result comes down, on real data.

use serde_json::{Value, json};

use crate::person::word;
use crate::world::{World, apply_all, import, inbox, over, review, seen, text};

#[test]
fn a_request_goes_up_and_its_result_comes_down() {
    let world = World::new();
    let pima = world.publish_pima();
    let asset = world.scientist.get(&format!("/assets/{}", pima.asset));
    assert_eq!(
        asset["mock"]["schema"]["columns"].as_array().unwrap().len(),
        8,
        "the catalogue shows the mock"
    );
    let mock = String::from_utf8(world.scientist.download(&format!("/assets/{}/mock", pima.asset))).unwrap();
    assert!(mock.starts_with("npreg,glu,bp,skin,bmi,ped,age,type\n"));

    let project = world.project();
    let single = json!("single_execution");
    let good_code = world.code("mean_glucose.py", "mean_glucose", &pima.asset, &single);
    let good = world.request(&project, &good_code, "to compare glucose by diagnosis");
    let bad_code = world.code("return_the_data.py", "count_women", &pima.asset, &single);
    let bad = world.request(&project, &bad_code, "to count the women");
    let denied_code = world.code("oldest_woman.py", "oldest_woman", &pima.asset, &single);
    let denied = world.request(&project, &denied_code, "to know the oldest");

    // Whoever looks after the low side can deny, and cannot make a request look settled.
    let on_low = world.low_owner.get(&format!("/requests/{good}"));
    let approval = json!({"verdict": "approve", "seen": seen(&on_low, &world.low_owner)});
    let refused = world
        .low_owner
        .try_post(&format!("/requests/{good}/decisions"), &approval);
    assert_eq!((refused.0, word(&refused)), (409, "not_approved_here"));

    // Up: the whole tree is shown; the bad request is ignored, the rest applied.
    import(&world.owner, &world.export_up());
    let batches = inbox(&world.owner, &world.low_id);
    assert_eq!(batches.len(), 4, "a project and three requests: {batches:#?}");
    let of = |root: &str| batches.iter().find(|batch| batch["root"] == json!(root)).unwrap();
    world.owner.post(
        &format!("/peers/{}/inbox/ignore", world.low_id),
        &review(&[of(&bad)]),
    );
    let applied = world.owner.post(
        &format!("/peers/{}/inbox/apply", world.low_id),
        &review(&[of(&good), of(&denied), of(&project)]),
    );
    assert_eq!(applied["applied"].as_array().unwrap().len(), 3);
    assert!(
        world.owner.try_get(&format!("/requests/{bad}")).0 == 404,
        "what is ignored is not there"
    );

    // Mock first, then the decision, then the private data.
    let rehearsal = world
        .owner
        .post(&format!("/requests/{good}/runs"), &json!({"data": "mock"}));
    assert_eq!(over(&world.owner, &text(&rehearsal["id"]))["state"], "succeeded");
    let early = world
        .owner
        .try_post(&format!("/requests/{good}/runs"), &json!({"data": "private"}));
    assert_eq!((early.0, word(&early)), (409, "not_approved"));
    world.approve(&good);
    world.decide(&denied, "deny", Some("one person is not a statistic"));
    let run = world.run(&good);
    assert_eq!(run["state"], "succeeded", "{run:#}");
    let again = world
        .owner
        .try_post(&format!("/requests/{good}/runs"), &json!({"data": "private"}));
    assert_eq!(word(&again), "runs_used_up", "{:#}", again.1);

    // Down without a release: it ran, and nothing else.
    world.carry_down();
    let request = world.scientist.get(&format!("/requests/{good}"));
    assert_eq!(request["status"]["state"], "approved", "{request:#}");
    assert!(
        request["jobs"].as_array().is_some_and(|jobs| jobs.len() == 1),
        "{request:#}"
    );
    let early = world
        .scientist
        .try_post(&format!("/codes/{good_code}/call"), &json!({}));
    assert!(early.0 != 200, "{:#}", early.1);

    // Other bytes than were reviewed do not leave.
    let id = text(&run["id"]);
    let other = json!({"part": "result", "hash": "0".repeat(64)});
    assert_eq!(
        world.owner.try_post(&format!("/runs/{id}/releases"), &other).0,
        412
    );
    world.release(&run, "result");
    world.carry_down();
    let result: Value = world
        .scientist
        .post(&format!("/codes/{good_code}/call"), &json!({}));
    // Versions of pandas differ in the last digit.
    for (diagnosis, mean) in [("No", 113.106_060_606_060_6), ("Yes", 145.058_823_529_411_76)] {
        let found = result["mean"][diagnosis].as_f64().unwrap();
        assert!((found - mean).abs() < 1e-9, "{result:#}");
    }
    assert_eq!(result["count"], json!({"No": 132, "Yes": 68}));

    let refusal = world
        .scientist
        .try_post(&format!("/codes/{denied_code}/call"), &json!({}));
    assert_eq!(refusal.0, 409);
    assert!(
        refusal.1["detail"]
            .as_str()
            .unwrap()
            .contains("one person is not a statistic"),
        "{:#}",
        refusal.1
    );
    let progress = world.scientist.get(&format!("/requests/{good}"))["progress"].clone();
    assert_eq!(progress["received"], true, "{progress:#}");
    assert_eq!(progress["released"], true, "{progress:#}");
    for who in [&world.owner, &world.low_owner] {
        assert_eq!(who.try_get("/audit/verification").0, 200);
    }
}

#[test]
fn two_reviewers_do_not_override_each_other() {
    let world = World::new();
    let pima = world.publish_pima();
    let project = world.project();
    let code = world.code(
        "mean_glucose.py",
        "mean_glucose",
        &pima.asset,
        &json!({"execute_count": 2}),
    );
    let request = world.request(&project, &code, "to learn");
    world.owner.post(
        "/users",
        &json!({"name": "Ofelia Officer", "email": "ofelia@example.org", "password": crate::node::PASSWORD, "role": "administrator"}),
    );
    let second =
        crate::person::Person::sign_in(world.high.address(), "ofelia@example.org", crate::node::PASSWORD);
    import(&world.owner, &world.export_up());
    let batches = inbox(&second, &world.low_id);
    let shown = review(&batches.iter().collect::<Vec<_>>());
    apply_all(&world.owner, &world.low_id);
    let late = second.try_post(&format!("/peers/{}/inbox/apply", world.low_id), &shown);
    assert_eq!((late.0, word(&late)), (412, "changed"), "{:#}", late.1);
    assert!(
        late.1["detail"].as_str().unwrap().contains("Olga"),
        "{:#}",
        late.1
    );

    let stale = crate::world::seen(&second.get(&format!("/requests/{request}")), &second);
    world.decide(&request, "deny", Some("not now"));
    let overriding = json!({"verdict": "approve", "seen": stale});
    let refused = second.try_post(&format!("/requests/{request}/decisions"), &overriding);
    assert_eq!((refused.0, word(&refused)), (412, "changed"), "{:#}", refused.1);
}
