//! Looking after a node by its pages: people, roles, groups, settings, notifications and the audit chain; and what guests see.

use serde_json::json;

use crate::browser::Browser;
use crate::node::{Node, OWNER, PASSWORD};
use crate::person::Person;

#[test]
fn an_owner_looks_after_people_roles_and_groups_by_clicking() {
    let node = Node::ready("low");
    let Some(owner) = Browser::at(node.address()) else {
        return;
    };
    owner.sign_in(OWNER);

    owner.visit("/roles");
    owner.see("Compliance Officer");
    owner.check();
    owner.click("Make a role");
    owner.fill("Name", "Librarian");
    owner.check_box("Make datasets, upload mocks and private data, publish");
    owner.check();
    owner.click("Make the role");
    owner.see("The role is made.");
    owner.click("Owner");
    owner.see("the role Owner is never changed or deleted");
    owner.check();

    owner.visit("/groups");
    owner.see("There are no groups.");
    owner.check();
    owner.fill("Name", "Oncology");
    owner.click("Make the group");
    owner.see("The group is made.");
    owner.fill("E-mail address of an account", "nobody@example.org");
    owner.click("Add");
    owner.see("is not that of an account here");
    owner.check();

    owner.visit("/users");
    owner.check();
    owner.click("Make an account");
    owner.fill("Name", "Lia Librarian");
    owner.fill("E-mail address", "lia@example.org");
    owner.fill("First password", PASSWORD);
    owner.choose("Role", "Librarian");
    owner.click("Make the account");
    owner.see("The account is made.");
    owner.check_box("Oncology");
    owner.click("Save the groups");
    owner.see("The groups are saved.");
    let lia = owner.path();
    owner.visit("/users?search=lia");
    owner.see("Librarian");
    owner.see_not("Olga owner");
    owner.check();
    owner.click("Oncology");
    owner.see("lia@example.org");
    owner.check();
    owner.click_beside("lia@example.org", "Take out: Lia Librarian");
    owner.see("They are not in the group any more.");

    // A role that somebody has stays; who is deactivated is out at once.
    owner.visit("/roles");
    owner.click("Librarian");
    owner.see("is in use");
    owner.check();
    let guest = Browser::at(node.address()).unwrap();
    guest.sign_in("lia@example.org");
    guest.visit("/users/new");
    guest.see("can_create_users");
    guest.check();
    owner.visit(&lia);
    owner.click("Deactivate");
    owner.see("The account is deactivated");
    owner.check();
    guest.visit("/account");
    assert!(guest.path().starts_with("/sign-in"), "{}", guest.path());
    owner.click("Delete the account");
    owner.check();
    owner.click("Delete the account");
    owner.see("The account is deleted.");
}

#[test]
fn an_owner_reads_the_audit_chain_and_chooses_what_to_be_told_of() {
    let node = Node::ready("low");
    let Some(owner) = Browser::at(node.address()) else {
        return;
    };
    Person::nobody(node.address()).post(
        "/users",
        &json!({"name": "Rita", "email": "rita@example.org", "password": PASSWORD}),
    );
    owner.sign_in(OWNER);
    owner.visit("/notifications");
    owner.see("Rita has registered an account.");
    owner.check();
    owner.click("Mark as read: Rita has registered an account.");
    owner.see("It is marked as read.");
    owner.visit("/notifications?unread=yes");
    owner.see("You have read everything.");
    owner.check();
    owner.visit("/notifications");
    owner.click("Rita has registered an account.");
    owner.see("rita@example.org");
    owner.check();

    owner.visit("/notifications/settings");
    owner.see("This node sends no mail.");
    owner.check();
    owner.fill("Time of day", "25:00");
    owner.click("Save");
    owner.see("must be a time of day");
    owner.check();
    owner.fill("Time of day", "06:30");
    owner.check_box("By mail: Somebody has registered");
    owner.click("Save");
    owner.see("Your choice is saved.");
    let me = Person::sign_in(node.address(), OWNER, PASSWORD);
    let mine = me.get("/notifications/preferences");
    assert_eq!(mine["digest_time"], "06:30");
    let events = mine["events"].as_array().unwrap();
    let of = |word: &str| events.iter().find(|event| event["event"] == word).unwrap();
    assert_eq!(of("user_registered")["channels"]["EMAIL"], false);
    assert_eq!(of("request_submitted")["channels"]["EMAIL"], true);

    owner.visit("/audit?action=user.created");
    owner.see("user.created");
    owner.see_not("setting.changed");
    owner.check();
    owner.visit("/audit?by=nobody");
    owner.see("must be an id");
    owner.check();
    owner.visit("/audit?action=nothing.of.this");
    owner.see("No entry fits.");
    owner.click("Verify the chain");
    owner.see("intact");
    owner.check();
}

#[test]
fn guests_browse_what_is_open_to_everybody_where_the_owner_lets_them() {
    let node = Node::ready("low");
    let Some(guest) = Browser::at(node.address()) else {
        return;
    };
    let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
    for (name, visibility) in [
        ("Open data", json!("everybody")),
        ("Closed data", json!("signed_in")),
    ] {
        owner.post("/datasets", &json!({"name": name, "visibility": visibility}));
    }
    guest.visit("/datasets");
    assert!(guest.path().starts_with("/sign-in"), "{}", guest.path());
    owner.try_patch("/settings", &json!({"allow_guests": true}));
    guest.visit("/sign-in");
    guest.check();
    guest.click("browse the datasets");
    guest.see("Open data");
    guest.see_not("Closed data");
    guest.check();
    guest.click("Open data");
    guest.see("This dataset has no assets.");
    guest.check();
    guest.visit("/requests");
    assert!(guest.path().starts_with("/sign-in"), "{}", guest.path());
}
