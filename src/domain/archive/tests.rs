use proptest::prelude::*;

use super::*;

fn layout() -> Layout {
    Layout::new(&Limits::new(1 << 30))
}

fn after(paths: &[&str], path: &str) -> Result<Place, Fault> {
    let mut layout = layout();
    for path in paths {
        layout.admit(path.as_bytes(), MemberKind::File).unwrap();
    }
    layout
        .admit(path.as_bytes(), MemberKind::File)
        .map_err(|refused| refused.fault)
}

fn word(path: &str) -> &'static str {
    after(&[], path).unwrap_err().word()
}

fn data(name: &str, format: DataFormat) -> Place {
    Place::Data {
        name: name.to_owned(),
        format,
    }
}

#[test]
fn files_in_the_folder_become_assets_and_texts() {
    for (path, place) in [
        ("pima/women.csv", data("women.csv", DataFormat::Csv)),
        ("./pima/Women.CSV", data("Women.CSV", DataFormat::Csv)),
        ("pima/a b.parquet", data("a b.parquet", DataFormat::Parquet)),
        ("pima/scan.v2.npy", data("scan.v2.npy", DataFormat::Npy)),
        ("pima/manifest", Place::Text(Part::Manifest)),
        ("pima/Description.txt", Place::Text(Part::Description)),
        ("pima/tags.txt", Place::Text(Part::Tags)),
        ("pima/ranges", Place::Text(Part::Ranges)),
        ("pima/._women.csv", Place::Ignored),
        ("._pima", Place::Ignored),
        ("pima/.DS_Store", Place::Ignored),
    ] {
        assert_eq!(after(&[], path).unwrap(), place, "{path}");
    }
    let mut layout = layout();
    for folder in ["./", "pima/", "./pima"] {
        let admitted = layout.admit(folder.as_bytes(), MemberKind::Folder).unwrap();
        assert_eq!(admitted, Place::Folder);
    }
    layout.admit(b"pima/a.csv", MemberKind::File).unwrap();
    assert_eq!(layout.finish().unwrap(), "pima");
}

#[test]
fn every_other_kind_of_member_is_refused() {
    for (kind, word) in [
        (MemberKind::Link, "link"),
        (MemberKind::Device, "device"),
        (MemberKind::Sparse, "sparse"),
        (MemberKind::Other(b'V'), "kind"),
    ] {
        let refused = layout().admit(b"pima/a.csv", kind).unwrap_err();
        assert_eq!(
            (refused.fault.word(), refused.member.as_deref()),
            (word, Some("pima/a.csv"))
        );
    }
}

#[test]
fn a_path_stays_in_one_folder() {
    for path in ["/pima/a.csv", "../a.csv", "pima/../a.csv", "pima/..", ".."] {
        assert_eq!(word(path), "outside", "{path}");
    }
    for path in ["a.csv", "./a.csv", "pima"] {
        assert_eq!(word(path), "no_folder", "{path}");
    }
    for path in ["pima/deep/a.csv", "pima/deep/._a.csv"] {
        assert_eq!(word(path), "nested", "{path}");
    }
    assert_eq!(
        after(&["pima/a.csv"], "lungs/b.csv").unwrap_err(),
        Fault::SecondFolder("pima".into())
    );
    let mut layout = layout();
    layout.admit(b"pima/", MemberKind::Folder).unwrap();
    let refused = layout.admit(b"pima/deep/", MemberKind::Folder).unwrap_err();
    assert_eq!(refused.fault, Fault::Nested);
}

#[test]
fn names_can_be_read_and_told_apart() {
    let long = format!("pima/{}.csv", "x".repeat(200));
    for path in [
        "pima/a\u{202E}vsc.csv",
        "pima/a\n.csv",
        "pima/\u{200B}a.csv",
        "pi\u{7}ma/a.csv",
        "pima\\a.csv",
        "pima/ a.csv",
        "pima//a.csv",
        "pima/./a.csv",
        long.as_str(),
    ] {
        assert_eq!(word(path), "name", "{path:?}");
    }
    assert_eq!(
        layout().admit(b"", MemberKind::File).unwrap_err().fault.word(),
        "name"
    );
    let refused = layout()
        .admit(b"pima/\xff\x1b[31m.csv", MemberKind::File)
        .unwrap_err();
    assert_eq!(refused.fault.word(), "name");
    assert_eq!(refused.member.as_deref(), Some("pima/\u{fffd}\\u{1b}[31m.csv"));
    for (first, second) in [
        ("pima/a.csv", "pima/a.csv"),
        ("pima/a.csv", "pima/A.CSV"),
        ("pima/tags", "pima/tags.txt"),
    ] {
        assert_eq!(after(&[first], second).unwrap_err().word(), "twice", "{second}");
    }
}

#[test]
fn what_is_neither_data_nor_text_is_refused() {
    for path in [
        "pima/README.md",
        "pima/a.csv.gz",
        "pima/.csv",
        "pima/a",
        "pima/a.pkl",
    ] {
        assert_eq!(word(path), "not_data", "{path}");
    }
}

#[test]
fn an_archive_holds_data_and_not_too_much_of_it() {
    assert_eq!(layout().finish().unwrap_err().fault, Fault::NoData);
    let mut texts = layout();
    texts.admit(b"pima/manifest", MemberKind::File).unwrap();
    assert_eq!(texts.finish().unwrap_err().fault, Fault::NoData);
    let few = Limits {
        members: 2,
        ..Limits::new(1)
    };
    let mut layout = Layout::new(&few);
    layout.admit(b"pima/", MemberKind::Folder).unwrap();
    layout.admit(b"pima/a.csv", MemberKind::File).unwrap();
    let refused = layout.admit(b"pima/b.csv", MemberKind::File).unwrap_err();
    assert_eq!(refused.fault, Fault::TooMany(2));
}

#[test]
fn a_refusal_names_member_line_and_reason() {
    let refused = Fault::Data("found 1 field, not 2".into()).at_line("pima/a.csv", 3);
    assert_eq!(
        refused.to_string(),
        "pima/a.csv, line 3: found 1 field, not 2. Nothing was stored"
    );
}

proptest! {
    #[test]
    fn whatever_is_admitted_is_one_plain_name_in_one_folder(paths in prop::collection::vec("[./a\\\\ \u{202e}]{0,8}(\\.csv)?", 1..6)) {
        let mut layout = layout();
        let mut names = std::collections::BTreeSet::new();
        for path in paths {
            if let Ok(Place::Data { name, .. }) = layout.admit(path.as_bytes(), MemberKind::File) {
                let plain = !name.contains(['/', '\\', '\u{202e}']) && name != ".." && name.trim() == name;
                prop_assert!(plain, "{:?}", name);
                prop_assert!(names.insert(name.to_lowercase()), "{} twice", name);
            }
        }
    }

    #[test]
    fn no_path_panics(path: Vec<u8>) {
        let _any = layout().admit(&path, MemberKind::File);
        prop_assert!(!shown(&path).chars().any(|c| c.is_control()));
    }
}
