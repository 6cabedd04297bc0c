//! A solo node over REST: what is about bundles has one answer at every address, and is not described.

use std::collections::BTreeSet;

use actix_web::http::Method;

use super::*;

const ID: &str = "00000000-0000-4000-8000-000000000077";

/// Method and path of all that a node describes.
fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(move |method| (method.to_uppercase(), path.clone()))
    });
    all.collect()
}

macro_rules! described {
    ($side:expr) => {{
        let lab = lab($side);
        let app = served!(lab);
        let _owner = owner!(app, lab);
        operations(&send!(app, get("/openapi.json")).1)
    }};
}

#[actix_web::test]
async fn what_is_about_bundles_has_one_answer_and_is_not_described() {
    let (low, high, solo) = (
        described!(Side::Low),
        described!(Side::High),
        described!(Side::Solo),
    );
    assert_eq!(low, high);
    assert!(solo.is_subset(&high));
    let between_nodes: Vec<_> = high.difference(&solo).collect();
    for expected in [
        "/peers",
        "/peers/{id}/exports",
        "/imports",
        "/node/identity",
        "/datasets/{id}/adoption",
    ] {
        let listed = |(_, path): &&&(String, String)| path.strip_prefix(PREFIX) == Some(expected);
        assert!(between_nodes.iter().any(|it| listed(&it)), "{expected}");
    }

    let lab = lab(Side::Solo);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let person = json!({"name": "Sam", "email": "sam@example.org", "password": PASSWORD});
    assert_eq!(send!(app, post("/users", &person)).0, 201);
    let sam = sign_in!(app, "sam@example.org");
    for (method, path) in between_nodes {
        let path = ["{id}", "{peer}", "{root}", "{name}"]
            .iter()
            .fold(path.clone(), |path, hole| path.replace(hole, ID));
        let ask = || {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            TestRequest::default().method(method).uri(&path)
        };
        assert_eq!(
            word(&send!(app, ask())),
            (401, "not_signed_in"),
            "{method} {path}"
        );
        let refused = send!(app, by(ask(), &owner));
        assert_eq!(word(&refused), (409, "no_bundles"), "{method} {path}");
        let said = refused.1["detail"].as_str().unwrap();
        assert!(said.starts_with("this is a solo node"), "{said}");
        let without_permission = send!(app, by(ask(), &sam));
        let refusals = [(403, "forbidden"), (409, "no_bundles")];
        assert!(refusals.contains(&word(&without_permission)), "{method} {path}");
    }
}

#[actix_web::test]
async fn a_solo_node_shows_neither_keys_nor_epoch_and_has_none_of_the_keys() {
    let lab = lab(Side::Solo);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let shown = send!(app, by(get("/node"), &owner)).1;
    assert_eq!(shown["side"], "solo");
    assert!(
        shown["epoch"].is_null() && shown["fingerprint"].is_null(),
        "{shown}"
    );
    let folder = &lab.running.node().folder;
    assert_eq!(std::fs::read_dir(folder.keys()).unwrap().count(), 0);
    assert!(lab.running.node().syncer.is_none());
    assert!(folder.private().is_some() && lab.running.node().attachments.is_some());
    for (wrong_method, path) in [
        (TestRequest::put(), "/api/v1/users"),
        (TestRequest::get(), "/api/v1/imports"),
    ] {
        let answer = send!(app, by(wrong_method.uri(path), &owner));
        assert_eq!(word(&answer), (405, "method_not_allowed"), "{path}");
    }
    assert_eq!(word(&send!(app, by(get("/nowhere"), &owner))), (404, "not_found"));
}

#[actix_web::test]
async fn a_high_node_is_not_paired_with_a_solo_one() {
    use poundlock_transport::{NodeIdentity, Side as Level};
    let lab = lab(Side::High);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let keys = NodeIdentity::generate(ID.parse().unwrap(), Level::Solo).unwrap();
    let identity = keys.public(Some("solo"), ID.parse().unwrap()).unwrap().to_text();
    let ask = TestRequest::post().uri("/api/v1/peers").set_payload(identity);
    let refused = send!(app, by(ask, &owner));
    assert_eq!(word(&refused), (409, "wrong_side"));
    assert!(
        refused.1["detail"].as_str().unwrap().contains("solo"),
        "{}",
        refused.1
    );
}
