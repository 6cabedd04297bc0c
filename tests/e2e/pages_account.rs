//! Somebody's own account by clicking: made, looked after, locked out of and let into again.

use serde_json::json;

use crate::authenticator;
use crate::browser::Browser;
use crate::node::{Node, OWNER, PASSWORD};
use crate::person::Person;

const ANOTHER: &str = "sixteen new and unlikely words";

/// The texts in a typewriter's letters on the page.
fn codes(browser: &Browser) -> Vec<String> {
    let found = browser.run(
        "return [...document.querySelectorAll('main code')].map(code => code.innerText)",
        &json!([]),
    );
    serde_json::from_value(found).unwrap()
}

fn sign_in(browser: &Browser, password: &str, code: Option<&str>) {
    browser.visit("/sign-in");
    browser.fill("E-mail address", "sam@example.org");
    browser.fill("Password", password);
    if let Some(code) = code {
        browser.fill("Code", code);
    }
    browser.click("Sign in");
}

#[test]
fn somebody_makes_an_account_and_looks_after_it_by_clicking() {
    let node = Node::ready("low");
    let Some(browser) = Browser::at(node.address()) else {
        return;
    };
    browser.visit("/sign-in");
    browser.click("Make one");
    browser.check();
    browser.fill("Name", "Sam Scientist");
    browser.fill("E-mail address", "sam@example.org");
    browser.fill("New password", PASSWORD);
    browser.fill("New password, once more", ANOTHER);
    browser.click("Make the account");
    browser.see("Is not the same password");
    browser.check();
    browser.fill("New password", PASSWORD);
    browser.fill("New password, once more", PASSWORD);
    browser.click("Make the account");
    browser.see("Your account is made.");
    sign_in(&browser, PASSWORD, None);
    browser.see("Sign out");

    // What they say of themselves; an address is changed by nobody without the password.
    browser.visit("/account");
    browser.check();
    browser.fill("Institution", "Harbour Institute");
    browser.fill("E-mail address", "samuel@example.org");
    browser.click("Save");
    browser.see("This was not accepted");
    browser.check();
    browser.fill("E-mail address", "sam@example.org");
    browser.click("Save");
    browser.see("Your account is changed.");
    let elsewhere = Person::sign_in(node.address(), "sam@example.org", PASSWORD);
    assert_eq!(elsewhere.get("/users/me")["institution"], "Harbour Institute");

    // Another session is ended; then a new password ends all others.
    browser.visit("/account");
    let sessions = elsewhere.get("/sessions");
    let program = sessions["items"][0]["agent"].as_str().unwrap();
    browser.click(&format!("End it: {program}"));
    browser.check();
    browser.fill("Password", "another one that is wrong");
    browser.click("End it");
    browser.see("your present password");
    assert_eq!(elsewhere.try_get("/users/me").0, 200);
    browser.fill("Password", PASSWORD);
    browser.click("End it");
    browser.see("You are signed out there.");
    assert_eq!(elsewhere.try_get("/users/me").0, 401);
    let elsewhere = Person::sign_in(node.address(), "sam@example.org", PASSWORD);
    browser.click("Change the password");
    browser.check();
    browser.fill("Present password", ANOTHER);
    browser.fill("New password", ANOTHER);
    browser.fill("New password, once more", ANOTHER);
    browser.click("Change the password");
    browser.see("This was not accepted");
    browser.check();
    browser.fill("Present password", PASSWORD);
    browser.fill("New password", ANOTHER);
    browser.fill("New password, once more", ANOTHER);
    browser.click("Change the password");
    browser.see("You have a new password.");
    assert_eq!(elsewhere.try_get("/users/me").0, 401);

    // Whoever signs out leaves what they have seen on the screen in no window.
    let first = browser.window();
    browser.drive(None);
    browser.visit("/account");
    browser.see("Who you are");
    let second = browser.window();
    browser.drive(Some(&first));
    browser.visit("/datasets");
    browser.click("Sign out");
    browser.see("You are signed out.");
    browser.drive(Some(&second));
    browser.see("Forgotten your password?");
    assert_eq!(browser.path(), "/sign-in?next=%2Faccount");
    browser.see_not("Who you are");
}

#[test]
fn a_second_factor_is_added_asked_for_and_removed_by_clicking() {
    let node = Node::ready("low");
    let Some(browser) = Browser::at(node.address()) else {
        return;
    };
    node.scientist("sam@example.org");
    sign_in(&browser, PASSWORD, None);
    browser.see("Sign out");
    browser.visit("/account");
    browser.click("Add one");
    browser.check();
    browser.fill("Password", PASSWORD);
    browser.click("Show the secret");
    browser.see("It is shown this once.");
    browser.check();
    let secret = codes(&browser).swap_remove(0);
    browser.fill("Code", "000000");
    browser.click("Turn it on");
    browser.see("This was not accepted");
    browser.check();
    browser.fill("Code", &authenticator::code(&secret));
    browser.click("Turn it on");
    browser.see("Write these recovery codes down");
    browser.check();
    let recovery = codes(&browser);
    assert_eq!(recovery.len(), 10);
    browser.click("Sign out");
    browser.see("You are signed out.");

    sign_in(&browser, PASSWORD, None);
    browser.see("This was not accepted");
    browser.check();
    sign_in(&browser, PASSWORD, Some(&recovery[0]));
    browser.see("Sign out");
    browser.visit("/account");
    browser.check();

    // What they sign in with is changed by nobody without it either.
    browser.fill("E-mail address", "samuel@example.org");
    browser.fill("Password", PASSWORD);
    browser.click("Save");
    browser.see("This account has a second factor");
    browser.visit("/account/password");
    browser.check();
    let new_password = |code: &str| {
        browser.fill("Present password", PASSWORD);
        browser.fill("Code", code);
        browser.fill("New password", PASSWORD);
        browser.fill("New password, once more", PASSWORD);
        browser.click("Change the password");
    };
    new_password(&recovery[0]);
    browser.see("This code is wrong");
    new_password(&recovery[2]);
    browser.see("You have a new password.");
    browser.visit("/account");
    browser.click("Remove it");
    browser.see("your password alone is enough");
    browser.check();
    browser.fill("Password", PASSWORD);
    browser.fill("Code", &recovery[0]);
    browser.click("Remove it");
    browser.see("This was not accepted");
    browser.fill("Password", PASSWORD);
    browser.fill("Code", &recovery[1]);
    browser.click("Remove it");
    browser.see("The second factor is removed.");
}

#[test]
fn where_a_second_factor_is_demanded_nothing_is_open_before_it_is_added() {
    let node = Node::ready("low");
    let Some(browser) = Browser::at(node.address()) else {
        return;
    };
    node.scientist("sam@example.org");
    let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
    authenticator::add(&owner);
    let demanded = owner.try_patch("/settings", &json!({"require_second_factor": true}));
    assert_eq!(demanded.0, 200, "{demanded:?}");
    sign_in(&browser, PASSWORD, None);
    for page in ["/", "/datasets", "/account", "/nowhere"] {
        browser.visit(page);
        browser.see("This node demands a second factor of everybody.");
    }
    browser.check();
    browser.fill("Password", PASSWORD);
    browser.click("Show the secret");
    browser.see("It is shown this once.");
    let secret = codes(&browser).swap_remove(0);
    browser.fill("Code", &authenticator::code(&secret));
    browser.click("Turn it on");
    browser.click("I have written them down");
    browser.see("Where you are signed in");
    browser.check();
    browser.visit("/datasets");
    browser.see("Sign out");
}

#[test]
fn whoever_is_locked_out_is_let_in_again_by_clicking() {
    let node = Node::ready("low");
    let Some(owner) = Browser::at(node.address()) else {
        return;
    };
    let sam = node.scientist("sam@example.org");
    let browser = Browser::at(node.address()).unwrap();
    browser.visit("/sign-in");
    browser.click("Forgotten your password?");
    browser.check();
    browser.fill("E-mail address", "sam@example.org");
    browser.click("Send a token");
    browser.see("If there is such an account");
    browser.check();

    // This node sends no mail: the owner makes a token.
    owner.sign_in(OWNER);
    owner.visit(&format!("/users/{}", sam["id"].as_str().unwrap()));
    owner.check();
    owner.click("Make a token");
    owner.see("It works once, and is shown this once.");
    owner.check();
    let token = codes(&owner).swap_remove(0);
    browser.fill("Token", "guessed");
    browser.fill("New password", ANOTHER);
    browser.fill("New password, once more", ANOTHER);
    browser.click("Choose it");
    browser.see("This was not accepted");
    browser.check();
    browser.fill("Token", &token);
    browser.fill("New password", ANOTHER);
    browser.fill("New password, once more", ANOTHER);
    browser.click("Choose it");
    browser.see("You have a new password.");
    sign_in(&browser, ANOTHER, None);
    browser.see("Sign out");
}
