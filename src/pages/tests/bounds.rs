//! What a form may cost the node, whoever sends it.

use serde_json::json;

use super::*;

#[actix_web::test]
async fn a_form_has_no_more_fields_than_a_page_makes() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut cookies = Cookies::default();
    owner!(app, lab, cookies);
    let mut stranger = Cookies::default();
    let many = TestRequest::post()
        .uri("/sign-in")
        .insert_header(("Sec-Fetch-Site", "same-origin"))
        .insert_header(("Content-Type", "application/x-www-form-urlencoded"))
        .set_payload("a&".repeat(1_000));
    let refused = send!(app, stranger, many);
    assert_eq!(refused.0, 413, "{}", refused.2);
    assert!(refused.2.contains("more fields than any page"), "{}", refused.2);
}

#[actix_web::test]
async fn what_a_reviewer_has_seen_is_read_of_reviewers_alone() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut owner = Cookies::default();
    owner!(app, lab, owner);
    let (mut sam, _) = person!(app, owner, "sam", "user");
    let peer = uuid::Uuid::from_u128(7);
    for act in ["selected", "apply", "ignore", "unignore"] {
        let path = format!("/peers/{peer}/import/{act}");
        // What is no form at all is told so only once it is clear that a reviewer sends it.
        let sent = || post(&path, &[]).set_json(json!({}));
        assert_eq!(send!(app, sam, sent()).0, 403, "{act}");
        assert_eq!(send!(app, owner, sent()).0, 415, "{act}");
    }
}
