//! Into a node by its pages: set up, signed in, led back, signed out, and what is refused on the way.

use crate::browser::Browser;
use crate::node::{Node, OWNER, PASSWORD};

#[test]
fn an_owner_sets_a_node_up_and_signs_in_by_clicking() {
    let node = Node::new("high");
    let Some(browser) = Browser::at(node.address()) else {
        return;
    };
    browser.visit("/requests");
    browser.see("Set this node up");
    assert_eq!(browser.path(), "/setup");
    browser.check();

    // What is wrong is said beside the field, and what was typed stays.
    browser.fill("One-time token", "guessed");
    browser.fill("Your name", "Olga Owner");
    browser.click("Set up");
    browser.see("This is not the one-time token");
    browser.check();
    browser.fill("One-time token", node.made["setup_token"].as_str().unwrap());
    browser.fill("E-mail address", OWNER);
    browser.fill("Password", PASSWORD);
    browser.fill("Password, once more", "another");
    browser.click("Set up");
    browser.see("Is not the same password");
    browser.check();
    browser.fill("Password", PASSWORD);
    browser.fill("Password, once more", PASSWORD);
    browser.click("Set up");
    browser.see("The node is set up.");

    // Led to where one wanted to go, once signed in.
    browser.visit("/account?tab=1");
    browser.see("Password");
    browser.check();
    browser.fill("E-mail address", OWNER);
    browser.fill("Password", "wrong wrong wrong");
    browser.click("Sign in");
    browser.see("No account has this e-mail address and this password.");
    browser.check();
    browser.fill("Password", PASSWORD);
    browser.click("Sign in");
    browser.see("Olga Owner");
    assert_eq!(browser.path(), "/account?tab=1");
    browser.see("high side".to_uppercase().as_str());
    browser.check();

    browser.visit("/nowhere");
    browser.see("There is no page at this address");
    browser.check();
    browser.click("Sign out");
    browser.see("You are signed out.");
    browser.visit("/account");
    assert!(browser.path().starts_with("/sign-in?next="), "{}", browser.path());
}
