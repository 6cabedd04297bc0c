//! What a scientist may write into every field that they control stays text on every page that shows it: markup, marks that
//! turn the direction of the text, and more of it than anybody reads.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::node::{OWNER, PASSWORD};
use crate::pages_review::HOSTILE;
use crate::person::Person;
use crate::world::{World, import};

/// Markup and marks on one line, as long as a name may be.
const NAME: &str = "<script>document.title='taken'</script><b>\u{5e9}\u{5dc}\u{5d5}\u{5dd}</b>";

/// Submits what a scientist may, with something hostile in each field; the ids of the project, the code and the request.
fn submitted(world: &World, scientist: &Person, asset: &str) -> [String; 3] {
    let id = |made: Value| crate::world::text(&made["id"]);
    let project = id(scientist.post("/projects", &json!({"name": NAME, "description": prose()})));
    scientist.post(&format!("/projects/{project}/start"), &json!({}));
    let source = format!(
        "def f(women, n):\n    # {HOSTILE}\u{202e}\u{2066}\n    '''{}'''\n    return 1\n",
        "<script>document.title=\"taken\"</script>".repeat(40)
    );
    let code = id(scientist.post(
        "/codes",
        &json!({
            "name": NAME, "source": source, "entry_point": "f", "output_policy": "single_execution",
            "input_policy": {"women": {"asset": asset}, "n": {"constant": format!("{HOSTILE}\u{202e}")}},
        }),
    ));
    let request = world.scientist.try_get("/requests").0;
    assert_eq!(request, 200);
    let request = id(scientist.post(
        "/requests",
        &json!({"project": project, "code": code, "reason": prose()}),
    ));
    [project, code, request]
}

/// As much as a reason may hold: markup first, then one word that never ends.
fn prose() -> String {
    let mut prose = format!("{HOSTILE}\n");
    while prose.chars().count() < 9_990 {
        prose.push('W');
    }
    prose
}

/// Looks at a page, and at what it made of hostile text.
fn look(browser: &Browser, path: &str) {
    browser.visit(path);
    browser.check();
    let html = browser.html();
    for bad in ["<script>document", "<img src=\"x\"", "\u{202e}", "\u{2066}"] {
        assert!(!html.contains(bad), "{bad:?} on {path}");
    }
    let title = browser.run("return document.title", &json!([]));
    assert_ne!(title, json!("taken"), "{path}");
}

#[test]
fn hostile_text_stays_text_in_every_field_that_a_scientist_controls() {
    let world = World::new();
    let Some(owner) = Browser::at(world.high.address()) else {
        return;
    };
    let pima = world.publish_pima();
    let scientist = Person::sign_in(world.low.address(), "sam@example.org", PASSWORD);
    scientist.try_patch(
        "/users/me",
        &json!({"name": NAME, "institution": NAME, "website": "https://example.org/?<script>"}),
    );
    let [project, code, request] = submitted(&world, &scientist, &pima.asset);
    import(&world.owner, &world.export_up());
    owner.sign_in(OWNER);
    let inbox = format!("/peers/{}/import", world.low_id);
    look(&owner, "/inbox");
    look(&owner, &inbox);
    look(&owner, &format!("{inbox}/{request}"));
    look(&owner, &format!("{inbox}/{project}"));
    crate::world::apply_all(&world.owner, &world.low_id);
    for path in [
        "/inbox",
        "/requests",
        &format!("/requests/{request}"),
        &format!("/codes/{code}"),
        &format!("/projects/{project}"),
        "/projects",
        "/users",
        "/audit",
        "/notifications",
    ] {
        look(&owner, path);
    }
    drop(owner);

    // Their own pages, where a hundred thousand characters are refused, and come back as they were typed.
    let own = Browser::at(world.low.address()).unwrap();
    own.sign_in("sam@example.org");
    look(&own, &format!("/requests/{request}"));
    look(&own, &format!("/codes/{code}"));
    let long = HOSTILE.repeat(100_000 / HOSTILE.chars().count() + 1);
    own.paste("Reason", &long);
    own.click("Submit the request");
    own.see("This was not accepted");
    own.check();
    assert!(!own.html().contains("<script>document"));
    own.visit("/projects/new");
    own.paste("Name", &long);
    own.paste("What is studied, and why", &long);
    own.click("Begin");
    own.see("This was not accepted");
    own.check();
    own.visit("/codes/new");
    own.paste("Source", &long);
    own.click("Next: what it receives");
    own.see("This was not accepted");
    own.check();
}
