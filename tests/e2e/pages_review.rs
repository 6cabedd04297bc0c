//! A request, from the scientist's page to the data owner's and back: what waits, the code with what is pointed out in it,
//! the decision, the runs, and the release of exactly what was seen.

use serde_json::json;

use crate::browser::Browser;
use crate::node::OWNER;
use crate::world::World;

/// What a scientist may try to put into every field that they control.
pub const HOSTILE: &str = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"> \
                           \" ' & {{7*7}} שלום";

#[test]
fn a_request_is_reviewed_run_and_released_by_clicking() {
    let world = World::new();
    let Some(owner) = Browser::at(world.high.address()) else {
        return;
    };
    let pima = world.publish_pima();
    let project = world.project();
    let code = world.code(
        "mean_glucose.py",
        "mean_glucose",
        &pima.asset,
        &json!("single_execution"),
    );
    let request = world.request(&project, &code, &format!("Glucose by diagnosis\n{HOSTILE}"));
    let bad = world.code(
        "return_the_data.py",
        "count_women",
        &pima.asset,
        &json!({"execute_count": 2}),
    );
    let denied = world.request(&project, &bad, "To count the women");
    let bundle = world.export_up();
    owner.sign_in(OWNER);
    owner.see("Inbox");
    owner.see("Nothing waits for you.");
    owner.check();

    // The stick arrives: verify, look, decide.
    owner.visit("/import");
    owner.check();
    owner.click("Verify and take in");
    owner.see("choose one");
    owner.attach("Bundle", &bundle);
    owner.click("Verify and take in");
    owner.see("The bundle is whole, and from whom it says.");
    owner.see("Fingerprint of the pair");
    owner.check();
    owner.visit("/inbox?kind=imports");
    owner.see("To count the women");
    owner.check();
    owner.visit(&format!("/peers/{}/import", world.low_id));
    owner.check();
    owner.click("Apply selected");
    owner.see("Nothing was selected.");
    owner.click("To count the women");
    owner.see("Applying it also applies, since it is needed:");
    owner.see("returns its parameter women");
    owner.check();
    owner.click("Ignore");
    owner.see("1 batch is ignored.");
    owner.see("1 batch ignored.");
    owner.click("Show them");
    owner.click("To count the women");
    owner.check();
    owner.click("Show it again");
    owner.see("1 batch is shown again.");
    owner.check_box("Select all");
    owner.click("Apply selected");
    owner.see("Apply these?");
    owner.check();
    owner.click("Apply 3 batches");
    owner.see("3 batches are applied.");
    owner.see("Nothing waits for review.");
    owner.check();

    owner.visit("/inbox?kind=code");
    owner.see("Sam Scientist");
    owner.see("Pima women");
    owner.check();
    owner.visit("/inbox?kind=code&whose=nobody");
    owner.see("Nothing of this waits.");
    owner.check();
    owner.visit("/requests?state=denied");
    owner.see("There is no such request.");
    owner.visit("/inbox?kind=code");

    // The one that hands the data back is pointed out, and denied with a reason.
    owner.click("To count the women");
    owner.see("returns its parameter women");
    owner.check();
    owner.click("Deny");
    owner.click("Deny");
    owner.see("must not be empty");
    owner.check();
    owner.fill("Reason", "It returns the data itself.");
    owner.click("Deny");
    owner.see("The request is denied.");
    owner.see("It returns the data itself.");
    owner.check();

    // The other is tried on the mock, approved, and run.
    owner.visit(&format!("/requests/{request}"));
    owner.see("<script>document.title='taken'</script>");
    owner.see("approve it on this node before private data is touched for it");
    owner.check();
    owner.click("Run on the mock");
    owner.see("succeeded");
    owner.check();
    owner.click("Result");
    owner.see("Hash of these bytes");
    owner.check();
    owner.visit(&format!("/requests/{request}"));
    owner.click("Approve");
    owner.see("women of Pima women");
    owner.check();
    owner.click("Approve");
    owner.see("The request is approved.");
    owner.see_not("<h1>taken");
    owner.click("Run on the private data");
    owner.see("succeeded");
    owner.see("stays here until released");
    owner.check();
    owner.visit("/inbox?kind=results");
    owner.click("Glucose by diagnosis");
    owner.see("113.1060");
    owner.check();
    owner.click("Release this result");
    owner.see("nothing brings it back");
    owner.check();
    owner.click("Cancel");

    // Outward: the result has its box, empty at first; what the other side learns is said before it goes.
    owner.visit("/export");
    owner.see("Share result and approve");
    owner.see("exactly the bytes with the hash beside it");
    owner.see("113.1060");
    owner.see_not("Only the beginning is shown here.");
    owner.see("with the next bundle");
    owner.check();
    owner.click_beside("Run", "Hold it");
    owner.see("It is held");
    owner.see("held");
    owner.click("Let it go");
    owner.see("It goes with the next bundle.");
    owner.check_box("Share result and approve");
    owner.click("See what the other side learns");
    owner.see("that Olga has denied, because: “It returns the data itself.”");
    owner.see("the result for “Glucose by diagnosis”");
    owner.see("with the hash");
    owner.check();
    owner.click("Release and make the bundle");
    owner.see("The bundle is written, read back and verified.");
    owner.see("Transfer sheet");
    owner.see("Fingerprint of the pair");
    owner.check();
    let sheet = owner.path();
    let down = world.root.path().join("down.bundle");
    std::fs::write(&down, owner.fetch(&format!("{sheet}/file"))).unwrap();
    owner.visit("/inbox");
    owner.see("Nothing waits for you.");
    owner.visit(&format!("/requests/{request}?view=changes"));
    owner.check();
    assert!(owner.html().contains("&lt;script&gt;") && !owner.html().contains("<script>document"));
    drop(owner);

    // And down again, to who asked.
    let clerk = Browser::at(world.low.address()).unwrap();
    clerk.sign_in(OWNER);
    clerk.visit("/import");
    clerk.attach("Bundle", &down);
    clerk.click("Verify and take in");
    clerk.click("Look at what it brought");
    clerk.check();
    clerk.check_box("Select all");
    clerk.click("Apply selected");
    clerk.click("Apply 3 batches");
    clerk.see("3 batches are applied.");
    drop(clerk);
    let scientist = Browser::at(world.low.address()).unwrap();
    scientist.sign_in("sam@example.org");
    scientist.visit("/requests");
    scientist.see("approved");
    scientist.see("denied");
    scientist.check();
    scientist.visit(&format!("/requests/{denied}"));
    scientist.see("It returns the data itself.");
    scientist.visit(&format!("/requests/{request}"));
    scientist.see("Carried in bundle 1");
    scientist.see("Approved by Olga");
    scientist.check();
    scientist.click("Look and download");
    scientist.see("113.1060");
    scientist.check();
    scientist.visit(&format!("/requests/{request}"));
    scientist.click("Take the request back");
    scientist.check();
    scientist.click("Take it back");
    scientist.see("The request is taken back.");
}
