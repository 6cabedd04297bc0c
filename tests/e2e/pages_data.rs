//! A dataset by clicking: described, filled with private data and a mock, published, changed, asked for and deleted.

use serde_json::json;

use crate::browser::Browser;
use crate::node::{OWNER, fixture};
use crate::world::{World, text};

#[test]
fn a_data_owner_makes_a_dataset_by_clicking() {
    let world = World::new();
    let Some(owner) = Browser::at(world.high.address()) else {
        return;
    };
    owner.sign_in(OWNER);
    owner.visit("/datasets");
    owner.click("Make the first one");
    owner.check();
    owner.fill("Name", "Pima women");
    owner.fill("Tags", "health\nDiabetes");
    owner.fill("Contributors", "curator, Ada Archivist");
    owner.click("Make the dataset");
    owner.see("This was not accepted");
    owner.check();
    owner.fill("Contributors", "curator, Ada Archivist, ada at example.org");
    owner.click("Make the dataset");
    owner.see("Number 1:");
    owner.fill("Contributors", "curator, Ada Archivist, ada@example.org");
    owner.click("Make the dataset");
    owner.see("The dataset is made.");
    owner.see("Ada Archivist");
    owner.check();
    let dataset = owner.path();

    owner.click("Add an asset");
    owner.check();
    owner.fill("Name", "women");
    owner.fill("Description", "One row for each of 200 women");
    owner.click("Add the asset");
    owner.see("no private data");
    owner.check();
    let asset = owner.path();

    // Private data, which no page shows; its columns are what a mock is made up from.
    owner.click("Attach private data");
    owner.check();
    owner.attach("File", &fixture("data/README.md"));
    owner.click("Attach it");
    owner.see("must have a name that ends in .csv, .parquet or .npy");
    owner.check();
    owner.attach("File", &fixture("data/pima_train.csv"));
    owner.click("Attach it");
    owner.see("The private data is attached.");
    owner.check();
    owner.click("Give it a mock");
    owner.check();
    let columns = owner.run("return document.querySelector('textarea').value", &json!([]));
    let columns = text(&columns);
    assert!(columns.starts_with("npreg:int\nglu:int\n"), "{columns}");
    owner.fill("Columns", "npreg:whole");
    owner.click("Make the mock");
    owner.see("Line 1:");
    owner.check();
    owner.fill(
        "Columns",
        &columns.replace("type:string", "type:string,choices=Yes|No"),
    );
    owner.fill("Rows", "12");
    owner.click("Make the mock");
    owner.see("The asset has its mock.");
    owner.see("Rows 1 to 12, the last");
    owner.check();

    // It goes to the low node once it is published, and not before.
    owner.visit("/export");
    owner.see("Nothing is owed");
    owner.visit(&dataset);
    owner.click_beside("low", "Publish to low");
    owner.see("It is published.");
    owner.check();
    owner.click("Change the dataset");
    owner.check();
    owner.fill("Description", "Diabetes in Pima women");
    owner.choose("Who may have its mocks", "Whoever asks and is granted it");
    owner.click("Save");
    owner.see("The dataset is changed.");
    owner.see("handed out on request");
    world.carry_down();
    drop(owner);

    // A scientist asks for the mock, and, in a project, for the data itself.
    world.project();
    let scientist = Browser::at(world.low.address()).unwrap();
    scientist.sign_in("sam@example.org");
    scientist.visit(&asset);
    scientist.see("This mock is handed out on request.");
    scientist.check();
    scientist.click("Ask for the mock");
    scientist.check();
    scientist.click("Submit the request");
    scientist.see("This was not accepted");
    scientist.fill("Reason", "To write code for it");
    scientist.click("Submit the request");
    scientist.see("Waits for a decision");
    scientist.check();
    scientist.visit(&asset);
    scientist.click("Ask for the private data itself");
    scientist.check();
    scientist.fill("Reason", "To keep it");
    scientist.click("Submit the request");
    scientist.see("Waits for the next bundle to the high side");
    drop(scientist);

    let owner = Browser::at(world.high.address()).unwrap();
    owner.sign_in(OWNER);
    owner.visit(&asset);
    owner.click("Change the mock");
    owner.check();
    owner.attach("File", &fixture("data/pima_train.csv"));
    owner.click("Upload the mock");
    owner.see("This mock is the private data, byte for byte");
    owner.check();
    owner.visit(&asset);
    owner.click("Change the mock");
    owner.click("Remove the mock");
    owner.check();
    owner.click("Remove the mock");
    owner.see("This asset has no mock.");
    owner.visit(&dataset);
    owner.click("Publish no more to low");
    owner.see("It is published there no more.");
    owner.click("Change the dataset");
    owner.click("Delete the dataset");
    owner.check();
    owner.click("Delete the dataset");
    owner.see("The dataset is deleted.");
    owner.see("There are no datasets yet.");

    // And a whole one from an archive.
    owner.click("From an archive");
    owner.check();
    owner.check_box("Make mocks up");
    owner.attach("Archive", &fixture("data/pima_train.csv"));
    owner.click("Take it in");
    owner.see("This was not accepted");
    owner.check();
    owner.attach("Archive", &fixture("archives/pima.tar.gz"));
    owner.click("Take it in");
    owner.see("The dataset is made, with");
    owner.check();
}
