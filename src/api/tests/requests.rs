use crate::acts::requests::{SubmittedCode, submit_code};
use crate::acts::scene::outline;
use crate::domain::access::Actor;
use crate::domain::code::Code;
use crate::domain::id::{CodeId, UserId};
use crate::domain::object::Body;
use crate::domain::policy::{InputPolicy, OutputPolicy};
use crate::domain::project::Project;
use crate::domain::role::Preset;
use crate::store::records;

use super::*;

const CODE: &str = "00000000-0000-4000-8000-000000000040";
const PROJECT: &str = "00000000-0000-4000-8000-000000000030";

/// A started project and code of a person, as if the sandbox had judged it.
async fn furnish(lab: &Lab, user: &str) {
    let author = Actor {
        user: UserId(user.parse().unwrap()),
        name: "Sam".into(),
        permissions: Preset::User.role().permissions,
        groups: std::collections::BTreeSet::new(),
    };
    let furnished = lab.running.node().store.act(move |tx, here| {
        let mut project = Project::new("study", "", author.user, &[])?;
        project.started = true;
        records::write(tx, here, PROJECT.parse().unwrap(), Body::Project(project), false)?;
        let input = InputPolicy::exact_match([].into())?;
        let policy = OutputPolicy::SingleExecution;
        let code = Code::new("one", author.user, "def f(): return 1", "f", input, policy)?;
        let code = SubmittedCode::judge(code, &outline(&[])).unwrap();
        submit_code(tx, &author, here, CodeId(CODE.parse().unwrap()), code)
    });
    furnished.await.unwrap();
}

macro_rules! scientist {
    ($app:expr, $name:expr) => {{
        let email = format!("{}@example.org", $name);
        let person = json!({"name": $name, "email": email, "password": PASSWORD});
        let made = send!($app, post("/users", &person));
        assert_eq!(made.0, 201, "{}", made.1);
        (made.1["id"].as_str().unwrap().to_owned(), sign_in!($app, email))
    }};
}

#[actix_web::test]
async fn a_request_goes_all_the_way_over_rest() {
    let lab = lab(Side::High);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let (sam, sams) = scientist!(app, "sam");
    let (_, eves) = scientist!(app, "eve");
    furnish(&lab, &sam).await;

    // Code is not taken without a sandbox that can parse it.
    let submission = json!({"name": "n", "source": "def f(): pass", "entry_point": "f", "input_policy": {},
        "output_policy": {"execute_count": 2}});
    assert_eq!(
        word(&send!(app, by(post("/codes", &submission), &sams))),
        (503, "sandbox_not_ready")
    );
    let call = format!("/codes/{CODE}/call");
    let called = send!(app, by(post(&call, &json!({})), &sams));
    assert_eq!(word(&called), (409, "not_requested"));

    let asked = json!({"project": PROJECT, "code": CODE, "reason": "to learn"});
    let made = send!(app, by(post("/requests", &asked), &sams));
    assert_eq!(
        (made.0, made.1["status"]["state"].as_str()),
        (201, Some("pending"))
    );
    let path = format!("/requests/{}", made.1["id"].as_str().unwrap());
    assert_eq!(word(&send!(app, by(get(&path), &eves))), (404, "not_found"));
    assert_eq!(send!(app, by(get("/requests"), &eves)).1["items"], json!([]));
    assert_eq!(
        send!(app, by(get("/requests?state=pending"), &sams)).1["items"][0]["id"],
        made.1["id"]
    );
    assert_eq!(
        word(&send!(app, by(get("/requests?state=lost"), &sams))),
        (400, "invalid")
    );
    assert_eq!(send!(app, by(post(&call, &json!({})), &sams)).0, 202);

    // A decision names what was seen.
    let decisions = format!("{path}/decisions");
    let deny = json!({"verdict": "deny", "seen": made.1["seen"]});
    let refused = send!(app, by(post(&decisions, &deny), &owner));
    assert_eq!(
        (word(&refused), refused.1["errors"][0]["field"].as_str()),
        ((400, "invalid"), Some("reason"))
    );
    let deny = json!({"verdict": "deny", "reason": "why?", "seen": made.1["seen"]});
    assert_eq!(send!(app, by(post(&decisions, &deny), &owner)).0, 201);
    let called = send!(app, by(post(&call, &json!({})), &sams));
    assert_eq!(
        (word(&called), called.1["reason"].as_str()),
        ((409, "denied"), Some("why?"))
    );
    let approve = json!({"verdict": "approve", "seen": made.1["seen"]});
    let second = send!(app, by(post(&decisions, &approve), &owner));
    assert_eq!(word(&second), (412, "changed"));
    assert_eq!(second.1["difference"]["last_decision"]["now"]["by"], "Olga");
    let seen = send!(app, by(get(&path), &owner)).1["seen"].clone();
    let approve = json!({"verdict": "approve", "seen": seen});
    assert_eq!(
        word(&send!(app, by(post(&decisions, &approve), &sams))),
        (403, "forbidden")
    );
    assert_eq!(send!(app, by(post(&decisions, &approve), &owner)).0, 201);
}

#[actix_web::test]
async fn a_deposit_is_reviewed_released_and_called() {
    let lab = lab(Side::High);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let (sam, sams) = scientist!(app, "sam");
    furnish(&lab, &sam).await;
    let asked = json!({"project": PROJECT, "code": CODE, "reason": "to learn"});
    let made = send!(app, by(post("/requests", &asked), &sams));
    let path = format!("/requests/{}", made.1["id"].as_str().unwrap());

    let deposit = |token: &str| {
        let path = format!("/api/v1{path}/deposits?format=json");
        by(
            TestRequest::post().uri(&path).set_payload("{ \"mean\": 2 }"),
            token,
        )
    };
    assert_eq!(word(&send!(app, deposit(&sams))), (403, "forbidden"));
    let run = send!(app, deposit(&owner));
    assert_eq!(
        (run.0, run.1["state"].as_str()),
        (201, Some("succeeded")),
        "{}",
        run.1
    );
    assert_eq!(word(&send!(app, deposit(&owner))), (409, "runs_used_up"));

    let run_path = format!("/runs/{}", run.1["id"].as_str().unwrap());
    for hidden in [run_path.clone(), format!("{run_path}/result")] {
        assert_eq!(
            word(&send!(app, by(get(&hidden), &sams))),
            (404, "not_found"),
            "{hidden}"
        );
    }
    let reviewed = send!(app, by(get(&format!("{run_path}/result")), &owner));
    assert_eq!(reviewed, (200, json!({"mean": 2})));
    assert_eq!(
        word(&send!(app, by(get(&format!("{run_path}/log")), &owner))),
        (404, "not_found")
    );

    let releases = format!("{run_path}/releases");
    let other = json!({"part": "result", "hash": "00".repeat(32)});
    assert_eq!(
        word(&send!(app, by(post(&releases, &other), &owner))),
        (412, "changed")
    );
    let body = json!({"part": "result", "hash": run.1["result"]["hash"]});
    let released = send!(app, by(post(&releases, &body), &owner));
    assert_eq!(released.0, 201, "{}", released.1);
    assert_eq!(
        word(&send!(app, by(post(&releases, &body), &owner))),
        (409, "released_already")
    );

    let call = by(
        post(&format!("/codes/{CODE}/call"), &json!({"arguments": {}})),
        &sams,
    );
    let answer = call_service(&app, call.to_request()).await;
    let hash = answer
        .headers()
        .get("Poundlock-Result-Hash")
        .unwrap()
        .to_str()
        .unwrap();
    assert_eq!(json!(hash), run.1["result"]["hash"]);
    assert_eq!(
        serde_json::from_slice::<Value>(&read_body(answer).await).unwrap(),
        json!({"mean": 2})
    );
    let content = format!("/releases/{}/content", released.1["id"].as_str().unwrap());
    assert_eq!(send!(app, by(get(&content), &sams)), (200, json!({"mean": 2})));
    let seen = send!(app, by(get(&path), &sams));
    assert_eq!(
        (
            seen.1["status"]["state"].as_str(),
            seen.1["progress"]["released"].as_bool()
        ),
        (Some("approved"), Some(true))
    );
}
