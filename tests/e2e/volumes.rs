//! A bundle that does not fit its medium, over several, from the command line.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::node::{Node, OWNER, Ran};
use crate::world::{World, text};

/// Digits that hardly compress.
fn numbers() -> String {
    let (mut table, mut state) = ("n\n".to_owned(), 1_u64);
    for _ in 0..12_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        writeln!(table, "{state}").unwrap();
    }
    table
}

fn run(node: &Node, arguments: &[&str], more: &[&Path]) -> Ran {
    let more: Vec<String> = more.iter().map(|path| path.display().to_string()).collect();
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    node.run(OWNER, &[arguments, &more].concat())
}

#[test]
fn a_bundle_goes_over_two_media_in_any_order_and_only_the_bad_volume_is_copied_again() {
    let world = World::new();
    let dataset = world
        .owner
        .post("/datasets", &json!({"name": "Numbers", "description": ""}));
    let dataset = text(&dataset["id"]);
    let named = json!({"name": "numbers", "description": ""});
    let asset = text(&world.owner.post(&format!("/datasets/{dataset}/assets"), &named)["id"]);
    world
        .owner
        .put_bytes(&format!("/assets/{asset}/mock?format=csv"), numbers().as_bytes());
    world.owner.post(
        &format!("/datasets/{dataset}/publications"),
        &json!({"peer": world.low_id}),
    );
    let bundle = world.export_down();
    let media: Vec<PathBuf> = ["one", "two"].map(|name| world.root.path().join(name)).into();
    for medium in &media {
        std::fs::create_dir(medium).unwrap();
    }

    // The key is the node's own, found in its folder.
    let split = ["bundle", "split", "--size", "32K", "--to"];
    let first = run(
        &world.high,
        &split,
        &[&media[0], Path::new("--volume=1,3"), &bundle],
    )
    .json();
    let count = first["volumes"].as_u64().unwrap();
    assert!(count >= 4, "{first:#}");
    let rest = (2..=count)
        .filter(|number| *number != 3)
        .map(|number| number.to_string());
    let rest = format!("--volume={}", rest.collect::<Vec<_>>().join(","));
    run(&world.high, &split, &[&media[1], Path::new(&rest), &bundle]).json();

    let identity = world.root.path().join("high.identity");
    std::fs::write(&identity, world.owner.download("/node/identity")).unwrap();
    let joined = world.root.path().join("joined.bundle");
    let join = |media: &[&Path]| {
        let named: Vec<&Path> = [Path::new("--identity"), &identity, Path::new("--to"), &joined].into();
        run(&world.low, &["bundle", "join"], &[&named, media].concat())
    };
    // The second medium first, with a byte flipped in one volume.
    let volume = std::fs::read_dir(&media[1])
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.metadata().unwrap().len() == 32 << 10)
        .unwrap();
    let whole = std::fs::read(&volume).unwrap();
    let mut damaged = whole.clone();
    damaged[9_000] ^= 4;
    std::fs::write(&volume, &damaged).unwrap();
    let refused = join(&[&media[1]]);
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    let problem: Value = serde_json::from_str(&refused.stderr).unwrap();
    let name = volume.file_name().unwrap().to_str().unwrap();
    assert!(problem["bad"].to_string().contains(name), "{problem:#}");
    std::fs::write(&volume, &whole).unwrap();
    let missing = join(&[&media[1]]);
    assert_eq!(missing.code, 1, "{}", missing.stderr);
    let problem: Value = serde_json::from_str(&missing.stderr).unwrap();
    assert_eq!(problem["missing"].as_array().unwrap().len(), 2, "{problem:#}");
    assert!(
        !std::fs::exists(&joined).unwrap(),
        "nothing bears the name before it is whole"
    );
    join(&[&media[0]]).json();
    assert_eq!(std::fs::read(&joined).unwrap(), std::fs::read(&bundle).unwrap());
    let imported = run(&world.low, &["bundle", "import"], &[&joined]);
    assert_eq!(imported.json()["state"], "received");
    let again = run(&world.low, &["bundle", "import"], &[&joined]);
    assert_eq!(again.json()["state"], "repeated");
    let mut broken = std::fs::read(&joined).unwrap();
    *broken.last_mut().unwrap() ^= 1;
    std::fs::write(&joined, &broken).unwrap();
    assert_eq!(
        run(&world.low, &["bundle", "import"], &[&joined]).refused(7),
        "bundle_signature"
    );
}
