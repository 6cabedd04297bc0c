use super::*;
use crate::domain::request::Subject;

fn signer() -> (tempfile::TempDir, Signer) {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyFile::create(&folder.path().join("key")).unwrap();
    let user = UserId(Uuid::from_u128(1));
    (folder, Signer { key, user })
}

/// Code as somebody submits it, and as a node shows it afterwards.
fn submitted(signer: &Signer) -> Value {
    let mut body = json!({
        "name": " means ", "source": "def f(t, n): ...", "entry_point": "f",
        "input_policy": {"t": {"asset": Uuid::from_u128(5)}, "n": {"constant": {"b": [1, 2.50, null], "a": "ä"}}},
        "output_policy": {"execute_count": 2},
    });
    signer.sign_code(&mut body).unwrap();
    body["name"] = json!("means");
    body["author"] = json!(signer.user);
    body["hash"] = json!("00".repeat(32));
    body["signature"] = json!({"key": signer.key.public(), "bytes": body["signature"]});
    body
}

/// A request as a node shows it.
fn shown(signer: &Signer) -> Value {
    let code = submitted(signer);
    let signed = signer.signed_code(&code).unwrap();
    let (project, code_id) = (ProjectId(Uuid::from_u128(2)), CodeId(Uuid::from_u128(3)));
    let mut request = Request::new(project, code_id, signer.user, "why", None).unwrap();
    let id = RequestId(Uuid::from_u128(4));
    request.signature = Some(Signature {
        key: signer.key.public(),
        bytes: signer.key.sign(&Statement::of_request(id, 1, &request, &signed)),
    });
    let mut shown = json!(request);
    shown["id"] = json!(id);
    shown["status"] = json!({"state": "approved"});
    shown["revision"] = json!({"number": 1, "digest": "00".repeat(32)});
    shown["submitted_code"] = code;
    shown
}

#[test]
fn code_that_was_changed_on_the_node_is_not_signed_for() {
    let (_folder, signer) = signer();
    let honest = submitted(&signer);
    let code = signer.signed_code(&honest).unwrap();
    assert_eq!(
        code.input_policy.parameters["n"],
        Binding::Constant(r#"{"b":[1,2.5,null],"a":"ä"}"#.into())
    );
    let changes: [fn(&mut Value); 6] = [
        |code| code["source"] = json!("def f(t, n): return t"),
        |code| code["input_policy"]["n"]["constant"] = json!(4),
        |code| code["output_policy"] = json!("single_execution"),
        |code| code["name"] = json!("other"),
        |code| code["author"] = json!(Uuid::from_u128(9)),
        |code| code["signature"] = Value::Null,
    ];
    for change in changes {
        let mut changed = honest.clone();
        change(&mut changed);
        assert!(signer.signed_code(&changed).is_err(), "{changed:#}");
    }
    let (_other_folder, other) = super::tests::signer();
    assert!(
        other.signed_code(&honest).is_err(),
        "signed, but by somebody else"
    );
}

#[test]
fn nothing_is_signed_on_top_of_what_the_key_has_not_signed() {
    let (_folder, signer) = signer();
    let honest = shown(&signer);
    let rerun = |request: &mut Request| {
        if let Subject::Run { runs_wanted, .. } = &mut request.subject {
            *runs_wanted += 1;
        }
    };
    let body = signer.next(signer.earlier(&honest).unwrap(), rerun);
    let earlier = signer.earlier(&honest).unwrap();
    let (mut request, code) = (earlier.request, earlier.code);
    rerun(&mut request);
    let statement = Statement::of_request(earlier.id, 2, &request, &code.unwrap());
    let bytes = serde_json::from_value(body["signature"].clone()).unwrap();
    assert!(signer.key.public().verifies(&statement, &bytes));

    let changes: [fn(&mut Value); 6] = [
        |request| request["reason"] = json!("to sell it"),
        |request| request["revision"]["number"] = json!(7),
        |request| request["runs_wanted"] = json!(3),
        |request| request["id"] = json!(Uuid::from_u128(9)),
        |request| request["signature"] = Value::Null,
        |request| request["submitted_code"]["source"] = json!("def f(t, n): return t"),
    ];
    for change in changes {
        let mut changed = honest.clone();
        change(&mut changed);
        assert!(signer.earlier(&changed).is_err(), "{changed:#}");
    }
}

#[test]
fn a_request_to_see_is_signed_and_taken_back_by_the_same_key() {
    let (_folder, signer) = signer();
    let [asset, project] = [5, 2].map(|id| Uuid::from_u128(id).to_string());
    let asked = |of_type: &str, project: Option<&str>| {
        signer.new_request_to_see(of_type, &asset, project, " to compare ", None)
    };
    assert!(asked("private_data", None).is_err(), "without a project");
    assert!(asked("mock", Some(&project)).is_err(), "in a project");
    assert!(asked("everything", None).is_err());
    for (of_type, project) in [("mock", None), ("private_data", Some(project.as_str()))] {
        let body = asked(of_type, project).unwrap();
        assert_eq!(body["reason"], "to compare");
        // As the node shows it then.
        let mut honest = body.clone();
        honest["requester"] = json!(signer.user);
        honest["withdrawn"] = json!(false);
        honest["signature"] = json!({"key": signer.key.public(), "bytes": body["signature"]});
        honest["revision"] = json!({"number": 1, "digest": "00".repeat(32)});
        honest["object"]["title"] = json!("women");
        let earlier = signer.earlier(&honest).unwrap();
        let (id, mut request) = (earlier.id, earlier.request.clone());
        let next = signer.next(earlier, |request| request.withdrawn = true);
        request.withdrawn = true;
        let statement = Statement::of_request_to_see(id, 2, &request).unwrap();
        let bytes = serde_json::from_value(next["signature"].clone()).unwrap();
        assert!(signer.key.public().verifies(&statement, &bytes));

        let mut other = honest.clone();
        other["object"]["id"] = json!(Uuid::from_u128(9));
        assert!(signer.earlier(&other).is_err(), "another object");
    }
}
