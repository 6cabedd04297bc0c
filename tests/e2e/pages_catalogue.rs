//! Data, as a scientist finds it in a browser.

use serde_json::json;

use crate::browser::Browser;
use crate::node::{Node, OWNER, PASSWORD};
use crate::person::Person;
use crate::world::{mock_of_pima, text};

#[test]
fn a_scientist_finds_data_and_looks_at_its_mock() {
    let node = Node::ready("low");
    let Some(browser) = Browser::at(node.address()) else {
        return;
    };
    node.scientist("sam@example.org");
    browser.sign_in("sam@example.org");
    browser.see("There are no datasets yet.");
    browser.check();

    let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
    let dataset = owner.post(
        "/datasets",
        &json!({"name": "Pima women", "description": "Diabetes in Pima women near Phoenix, Arizona.\nTwo hundred of them.",
            "citation": "Smith et al., 1988; Ripley, 1996", "url": "https://example.org/pima",
            "tags": ["health", "diabetes"],
            "contributors": [{"role": "curator", "name": "Ada Archivist", "email": "ada@example.org"}]}),
    );
    let dataset = text(&dataset["id"]);
    let named = json!({"name": "women", "description": "One row for each woman"});
    let asset = text(&owner.post(&format!("/datasets/{dataset}/assets"), &named)["id"]);
    owner.post(&format!("/assets/{asset}/mock/generation"), &mock_of_pima());
    let bare = json!({"name": "notes", "description": ""});
    let bare = text(&owner.post(&format!("/datasets/{dataset}/assets"), &bare)["id"]);
    let tensor = json!({"name": "scans", "description": "Small pictures"});
    let tensor = text(&owner.post(&format!("/datasets/{dataset}/assets"), &tensor)["id"]);
    let npy = cube();
    owner.put_bytes(&format!("/assets/{tensor}/mock?format=npy"), &npy);
    for other in 0..25 {
        owner.post(
            "/datasets",
            &json!({"name": format!("Other {other}"), "description": "x"}),
        );
    }

    browser.visit("/datasets");
    browser.see("Other 24");
    browser.see_not("Pima women");
    browser.check();
    browser.click("Older");
    browser.see("Pima women");
    browser.check();
    browser.fill("Search", "diabetes phoenix");
    browser.click("Search");
    browser.see("Pima women");
    browser.see_not("Other");
    browser.fill("Search", "unheard of");
    browser.click("Search");
    browser.see("No dataset fits");
    browser.check();
    browser.visit("/datasets?tag=health");
    browser.click("Pima women");
    browser.see("Two hundred of them.");
    browser.see("Ada Archivist");
    browser.see("A table: 8 columns, 50 rows in the mock");
    browser.check();
    browser.click("women");
    browser.see("integer");
    browser.see("Rows 1 to 50, the last");
    browser.check();
    // The very bytes that REST gives.
    let downloaded = browser.fetch(&format!("/assets/{asset}/mock"));
    assert_eq!(
        downloaded,
        Person::sign_in(node.address(), "sam@example.org", PASSWORD)
            .download(&format!("/assets/{asset}/mock"))
    );

    browser.visit(&format!("/assets/{bare}"));
    browser.see("This asset has no mock.");
    browser.check();
    browser.visit(&format!("/assets/{tensor}"));
    browser.see("An array of");
    browser.check();
}

/// An NPY file of 3 × 4 × 5 numbers.
fn cube() -> Vec<u8> {
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4, 5), }";
    let padded = format!("{header:<117}\n");
    let length = u16::try_from(padded.len()).unwrap().to_le_bytes();
    let numbers = (0..60_u32).flat_map(|n| (f64::from(n) / 4.0).to_le_bytes());
    [b"\x93NUMPY\x01\x00".as_slice(), &length, padded.as_bytes()]
        .concat()
        .into_iter()
        .chain(numbers)
        .collect()
}
