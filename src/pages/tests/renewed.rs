//! A browser's session gets another token where its person has shown their password again, and goes on.

use super::*;

#[actix_web::test]
async fn a_browser_goes_on_with_the_token_that_it_has_got() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut cookies = Cookies::default();
    let form = owner!(app, lab, cookies);
    let before = cookies.clone();
    let change = [
        ("form_token", form.as_str()),
        ("password", PASSWORD),
        ("new", "kiln otter ledge moss"),
        ("new_again", "kiln otter ledge moss"),
    ];
    let changed = send!(app, cookies, post("/account/password", &change));
    assert_eq!(
        (changed.0, changed.1.as_str()),
        (303, "/account"),
        "{}",
        changed.2
    );
    let page = send!(app, cookies, get("/account"));
    assert!(
        page.0 == 200 && page.2.contains("You have a new password."),
        "{}",
        page.2
    );
    assert_ne!(cookies.0["poundlock-1"], before.0["poundlock-1"]);
    let out = send!(app, before.clone(), get("/account"));
    assert_eq!((out.0, out.1.starts_with("/sign-in")), (303, true), "{}", out.2);
    // The page that is the answer itself bears forms of the new token.
    let form = token(&page.2);
    let begin = [
        ("form_token", form.as_str()),
        ("password", "kiln otter ledge moss"),
    ];
    let begun = send!(app, cookies, post("/account/second-factor", &begin));
    assert_eq!(begun.0, 200, "{}", begun.2);
    assert_ne!(token(&begun.2), form);
    let confirm = [("form_token", &*token(&begun.2)), ("code", "000000")];
    let wrong = send!(
        app,
        cookies,
        post("/account/second-factor/confirmation", &confirm)
    );
    assert_eq!(wrong.0, 401, "the form is the browser's own: {}", wrong.2);
}
