//! Datasets, mocks and private data, from the command line.

use serde_json::Value;

use crate::node::{Node, OWNER, fixture, items};

/// A dataset with one asset; the asset's id.
fn asset(node: &Node) -> String {
    let arguments = [
        "dataset",
        "create",
        "--name",
        "Pima women",
        "--description",
        "Diabetes",
        "--tag",
        "Health",
        "--contributor",
        "curator,Ada,ada@example.org",
    ];
    let dataset = node.run(OWNER, &arguments).json();
    let dataset = dataset["id"].as_str().unwrap();
    let asset = node
        .run(OWNER, &["asset", "add", dataset, "--name", "women"])
        .json();
    assert_eq!(asset["mock"], Value::Null);
    asset["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_scientist_finds_a_dataset_and_downloads_its_mock() {
    let node = Node::ready("low");
    let asset = asset(&node);
    let mock = fixture("data/pima_test.csv");
    let mock_text = mock.to_str().unwrap();
    let shown = node.run(OWNER, &["asset", "mock", &asset, mock_text]).json();
    assert_eq!(shown["mock"]["schema"]["rows"], 332);
    assert_eq!(shown["mock"]["schema"]["columns"][0]["name"], "npreg");

    let sam = "sam@example.org";
    node.scientist(sam);
    assert_eq!(
        items(&node.run(sam, &["dataset", "search", "DIABETES pima"]).json()).len(),
        1
    );
    assert_eq!(
        items(&node.run(sam, &["dataset", "list", "--tag", "#health"]).json()).len(),
        1
    );
    assert_eq!(
        items(&node.run(sam, &["dataset", "search", "lungs"]).json()).len(),
        0
    );
    let shown = node.say(sam, &["dataset", "show", "pima WOMEN"]).stdout;
    assert!(shown.contains("332 rows"), "{shown}");

    let copy = node.workplace.path().join("copy.csv");
    let copy_text = copy.to_str().unwrap();
    node.run(
        sam,
        &[
            "asset",
            "mock",
            "Pima women/women",
            "--download",
            "--output",
            copy_text,
        ],
    )
    .json();
    assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(&mock).unwrap());
    assert_eq!(
        node.run(sam, &["asset", "mock", &asset, "--none"]).refused(3),
        "forbidden"
    );
    assert_eq!(
        node.run(sam, &["dataset", "delete", "Pima women"]).refused(3),
        "forbidden"
    );

    node.run(OWNER, &["asset", "mock", &asset, "--none"]).json();
    assert_eq!(
        node.run(sam, &["asset", "mock", &asset, "--download", "-o", copy_text])
            .refused(4),
        "not_found"
    );
    node.run(OWNER, &["dataset", "delete", "Pima women"]).json();
    assert_eq!(items(&node.run(sam, &["dataset", "list"]).json()).len(), 0);
}

#[test]
fn mock_and_private_data_must_fit_each_other() {
    let node = Node::ready("high");
    let asset = asset(&node);
    let private = fixture("data/pima_train.csv");
    let private = private.to_str().unwrap();
    let attached = node.run(OWNER, &["asset", "private", &asset, private]).json();
    assert_eq!(
        (&attached["attached"], &attached["mock_shares_rows"]),
        (&true.into(), &0.into())
    );

    let other = fixture("data/lung_cancer.csv");
    let refused = node.run(OWNER, &["asset", "mock", &asset, other.to_str().unwrap()]);
    assert_eq!(refused.refused(1), "mock_differs");
    assert!(
        refused.stderr.contains("the mock lacks the column"),
        "{}",
        refused.stderr
    );

    let rows: Vec<_> = std::fs::read_to_string(private)
        .unwrap()
        .lines()
        .take(3)
        .map(str::to_owned)
        .collect();
    let copied = node.file("copied.csv", format!("{}\n", rows.join("\n")).as_bytes());
    for real in [copied.to_str().unwrap(), private] {
        let refused = node.run(OWNER, &["asset", "mock", &asset, real]);
        assert_eq!(refused.refused(1), "mock_is_private_data", "{}", refused.stderr);
    }
    let half: String = rows
        .iter()
        .take(3)
        .map(|row| format!("{row}\n"))
        .collect::<String>()
        + "1,1,1,1,1,1,1,Yes\n1,1,1,1,1,1,2,No\n";
    let half = node.file("half.csv", half.as_bytes());
    let shown = node
        .run(OWNER, &["asset", "mock", &asset, half.to_str().unwrap()])
        .json();
    assert_eq!(shown["mock_shares_rows"], 2, "{shown}");
    let warned = node.say(OWNER, &["asset", "mock", &asset, half.to_str().unwrap()]);
    assert!(
        warned
            .stdout
            .contains("2 row(s) of the mock stand in the private data"),
        "{}",
        warned.stdout
    );

    let generate = [
        "asset",
        "generate-mock",
        &asset,
        "--rows",
        "50",
        "--seed",
        "7",
        "--column",
        "npreg:int,min=0,max=10",
        "--column",
        "glu:int,min=60,max=200",
        "--column",
        "bp:int,min=40,max=110",
        "--column",
        "skin:int,min=10,max=60",
        "--column",
        "bmi:float,min=18,max=50",
        "--column",
        "ped:float,min=0.1,max=2",
        "--column",
        "age:int,min=21,max=80",
        "--column",
        "type:string,choices=Yes|No",
    ];
    let generated = node.run(OWNER, &generate).json();
    assert_eq!(generated["mock"]["schema"]["rows"], 50);
    assert_eq!(
        node.run(OWNER, &generate).json()["mock"]["blob"],
        generated["mock"]["blob"]
    );
    let status = node.run(OWNER, &["asset", "status", &asset]).json();
    assert_eq!(status["mock_shares_rows"], 0);
    assert_eq!(node.run(OWNER, &["audit", "verify"]).json()["intact"], true);
}

#[test]
fn a_made_up_mock_is_not_taken_for_the_data_that_comes_in_later() {
    let node = Node::ready("high");
    let asset = asset(&node);
    let mut rows = "sex,age\n".to_owned();
    for age in 20..30 {
        rows += &format!("0,{age}\n1,{age}\n");
    }
    let private = node.file("narrow.csv", rows.as_bytes());
    let attach = ["asset", "private", &asset, private.to_str().unwrap()];
    node.run(OWNER, &attach).json();
    let generate = [
        "--column",
        "sex:int,min=0,max=1",
        "--column",
        "age:int,min=20,max=29",
    ];
    let generate = [&["asset", "generate-mock", &asset, "--rows", "50"][..], &generate].concat();
    node.run(OWNER, &generate).json();
    // Every row is there by chance.
    assert_eq!(node.run(OWNER, &attach).json()["mock_shares_rows"], 50);

    // The same bytes, from somebody who may have cut them from the data.
    let mock = node.workplace.path().join("made_up.csv");
    let mock = mock.to_str().unwrap();
    let download = ["asset", "mock", &asset, "--download", "--output", mock];
    node.run(OWNER, &download).json();
    let given = node.run(OWNER, &["asset", "mock", &asset, mock]);
    assert_eq!(given.refused(1), "mock_is_private_data", "{}", given.stderr);
}

#[test]
fn a_part_of_a_list_of_numbers_is_no_mock_of_it() {
    let node = Node::ready("high");
    let asset = asset(&node);
    let numbers: Vec<_> = (0..200).map(|at| f64::from(at * at % 977) / 7.0).collect();
    let file = |name: &str, order: &str, numbers: Vec<[u8; 8]>| {
        let header = format!(
            "{{'descr': '{order}f8', 'fortran_order': False, 'shape': ({},), }}",
            numbers.len()
        );
        let header = format!("{header:<117}\n");
        let start = [
            &b"\x93NUMPY\x01\x00"[..],
            &118_u16.to_le_bytes(),
            header.as_bytes(),
        ]
        .concat();
        node.file(name, &[start, numbers.concat()].concat())
    };
    let little = |numbers: &[f64]| numbers.iter().map(|number| number.to_le_bytes()).collect();
    let private = file("all.npy", "<", little(&numbers));
    node.run(OWNER, &["asset", "private", &asset, private.to_str().unwrap()])
        .json();
    let part = file("part.npy", "<", little(&numbers[40..70]));
    let turned = file(
        "turned.npy",
        ">",
        numbers.iter().map(|number| number.to_be_bytes()).collect(),
    );
    for mock in [part, turned] {
        let refused = node.run(OWNER, &["asset", "mock", &asset, mock.to_str().unwrap()]);
        assert_eq!(refused.refused(1), "mock_is_private_data", "{}", refused.stderr);
    }
    let own: Vec<_> = numbers.iter().map(|number| number + 0.5).collect();
    let own = file("own.npy", "<", little(&own));
    let given = node.run(OWNER, &["asset", "mock", &asset, own.to_str().unwrap()]);
    assert_eq!(given.json()["mock_shares_rows"], 0);
}

#[test]
fn what_is_no_data_leaves_everything_as_it_was() {
    let node = Node::ready("high");
    let asset = asset(&node);
    let broken = node.file("broken.csv", b"a,b\n1,2\n3\n");
    let refused = node.run(OWNER, &["asset", "private", &asset, broken.to_str().unwrap()]);
    assert_eq!(refused.refused(1), "unreadable_data");
    assert_eq!(
        node.run(OWNER, &["asset", "status", &asset]).json()["attached"],
        false
    );
    let refused = node.run(
        OWNER,
        &[
            "asset",
            "mock",
            &asset,
            broken.to_str().unwrap(),
            "--format",
            "npy",
        ],
    );
    assert_eq!(refused.refused(1), "unreadable_data");
    // Nothing half taken in is left in the node's folder.
    for folder in ["private/incoming", "blobs/incoming"] {
        assert_eq!(
            std::fs::read_dir(node.folder().join(folder)).unwrap().count(),
            0,
            "{folder}"
        );
    }
}

#[test]
fn a_low_node_takes_no_private_data_and_publishes_nothing() {
    let node = Node::ready("low");
    let asset = asset(&node);
    let private = fixture("data/pima_train.csv");
    let refused = node.run(OWNER, &["asset", "private", &asset, private.to_str().unwrap()]);
    assert_eq!(refused.refused(1), "wrong_side");
    let nobody = "00000000-0000-4000-8000-000000000001";
    assert_eq!(
        node.run(OWNER, &["dataset", "publish", "Pima women", nobody])
            .refused(1),
        "wrong_side"
    );
    assert!(!node.folder().join("private").try_exists().unwrap());
}

#[test]
fn names_of_strangers_cannot_steer_a_terminal() {
    let node = Node::ready("low");
    let made = node.run(
        OWNER,
        &[
            "dataset",
            "create",
            "--name",
            "x",
            "--description",
            "red\u{1b}[31m",
        ],
    );
    assert_eq!(made.refused(1), "invalid");
    assert_eq!(
        node.run(OWNER, &["dataset", "create", "--name", "x", "--contributor", "a"])
            .code,
        2
    );
    let twice = [
        "dataset",
        "create",
        "--name",
        "x",
        "--contributor",
        "a,A,a@b.org",
        "--contributor",
        "b,B,A@b.org",
    ];
    let refused = node.run(OWNER, &twice);
    assert_eq!(refused.refused(1), "invalid");
    assert!(
        refused.stderr.contains("contributors[1].email"),
        "{}",
        refused.stderr
    );
}
