use std::io::{self, Cursor};
use std::process::Command;

use proptest::prelude::*;

use super::craft::{Tar, header, pack, record, seal};
use super::*;
use crate::domain::archive::Part;

type Taken = Vec<(String, Vec<u8>)>;

fn limits() -> Limits {
    Limits::new(64 << 20)
}

fn read_with(archive: &[u8], limits: &Limits) -> Result<(Contents, Taken), UnpackError> {
    let mut taken = Vec::new();
    let contents = unpack(&mut Cursor::new(archive), limits, |member, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(UnpackError::Source)?;
        taken.push((member.name, bytes));
        Ok::<_, UnpackError>(())
    })?;
    Ok((contents, taken))
}

fn read(archive: &[u8]) -> Result<(Contents, Taken), UnpackError> {
    read_with(archive, &limits())
}

#[track_caller]
fn refusal(archive: &[u8]) -> (&'static str, Option<String>) {
    match read(archive) {
        Err(UnpackError::Refused(refused)) => (refused.fault.word(), refused.member),
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
fn word(archive: &[u8]) -> &'static str {
    refusal(archive).0
}

fn one() -> Tar {
    Tar::default().file("pima/a.csv", b"a\n1\n")
}

fn files(taken: &Taken) -> Vec<&str> {
    taken.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn members_come_with_their_content_and_texts() {
    let archive = Tar::default()
        .entry(b"pima/", b'5', b"")
        .file("pima/a.csv", b"a\n1\n")
        .file("pima/manifest", b"Rows.")
        .file("pima/._a.csv", b"Finder")
        .file("pima/tags.txt", b"#x\n")
        .entry(b"pima/empty.npy", b'\0', b"")
        .packed();
    let (contents, taken) = read(&archive).unwrap();
    assert_eq!(contents.folder, "pima");
    assert_eq!(contents.ignored, ["pima/._a.csv"]);
    assert_eq!(contents.texts.get(Part::Manifest).unwrap().text, "Rows.");
    assert_eq!(taken[0], ("a.csv".to_owned(), b"a\n1\n".to_vec()));
    assert_eq!(files(&taken), ["a.csv", "empty.npy"]);
}

#[test]
fn what_is_left_unread_is_skipped() {
    let archive = one()
        .file("pima/b.csv", &[7; 5000])
        .file("pima/c.csv", b"c")
        .packed();
    let mut names = Vec::new();
    unpack(&mut Cursor::new(&archive), &limits(), |member, content| {
        names.push(member.name);
        content.read_exact(&mut [0; 1]).map_err(UnpackError::Source)
    })
    .unwrap();
    assert_eq!(names, ["a.csv", "b.csv", "c.csv"]);
}

#[test]
fn archives_of_real_programs_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{}.csv", "n".repeat(90));
    let top = folder.path().join("top".repeat(20));
    std::fs::create_dir(&top).unwrap();
    for name in ["b.csv", long.as_str(), "tags"] {
        std::fs::write(top.join(name), format!("{name}\n1\n")).unwrap();
    }
    let name = top.file_name().unwrap();
    for format in ["gnu", "pax", "ustar", "v7", "oldgnu"] {
        let mut tar = Command::new("tar");
        tar.args(["-cz", "--sort=name", "--format", format, "-C"])
            .arg(folder.path());
        // Before POSIX a path had at most 99 characters.
        let out = if format == "v7" {
            tar.arg("--exclude").arg(&long).arg(name).output()
        } else {
            tar.arg(name).output()
        };
        let out = out.unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let (contents, taken) = read(&out.stdout).unwrap();
        assert_eq!(contents.folder, name.to_str().unwrap(), "{format}");
        let expected = if format == "v7" {
            vec!["b.csv"]
        } else {
            vec!["b.csv", long.as_str()]
        };
        assert_eq!(files(&taken), expected, "{format}");
    }
}

#[test]
fn gzip_members_one_after_the_other_are_one_archive() {
    let tar = one().file("pima/b.csv", b"b\n2\n").end();
    let packed: Vec<u8> = tar.chunks(700).flat_map(pack).collect();
    assert_eq!(files(&read(&packed).unwrap().1), ["a.csv", "b.csv"]);
    let empty = pack(b"").repeat(10_000);
    assert_eq!(word(&empty), "truncated");
}

#[test]
fn what_is_no_data_in_one_folder_is_refused_by_its_name() {
    for (flag, expected) in [
        (b'1', "link"),
        (b'2', "link"),
        (b'3', "device"),
        (b'4', "device"),
        (b'6', "device"),
        (b'S', "sparse"),
        (b'7', "kind"),
        (b'D', "kind"),
        (b'M', "kind"),
        (b'V', "kind"),
        (b'X', "kind"),
    ] {
        let archive = one().entry(b"pima/b.csv", flag, b"").packed();
        assert_eq!(
            refusal(&archive),
            (expected, Some("pima/b.csv".to_owned())),
            "{}",
            char::from(flag)
        );
    }
    for (path, expected) in [
        ("../b.csv", "outside"),
        ("pima/../../b.csv", "outside"),
        ("/etc/b.csv", "outside"),
        ("b.csv", "no_folder"),
        ("lungs/b.csv", "second_folder"),
        ("pima/deep/b.csv", "nested"),
        ("pima/A.CSV", "twice"),
        ("pima/b\u{202e}.csv", "name"),
        ("pima/b\u{1b}.csv", "name"),
        ("pima/b.exe", "not_data"),
    ] {
        assert_eq!(word(&one().file(path, b"").packed()), expected, "{path}");
    }
    assert_eq!(refusal(&Tar::default().packed()), ("no_data", None));
    let folder = Tar::default().entry(b"pima/", b'5', b"").file("pima/tags", b"x");
    assert_eq!(word(&folder.packed()), "no_data");
}

#[test]
fn a_name_in_an_extension_is_checked_like_any_other() {
    let long = |name: &str| {
        one()
            .entry(b"././@LongLink", b'L', format!("{name}\0").as_bytes())
            .file("pima/b.csv", b"")
            .packed()
    };
    assert_eq!(files(&read(&long("pima/c.csv")).unwrap().1), ["a.csv", "c.csv"]);
    assert_eq!(word(&long("pima/../../c.csv")), "outside");
    assert_eq!(word(&long("pima/a.csv")), "twice");
    assert_eq!(word(&long(&format!("pima/{}.csv", "x".repeat(4000)))), "name");
    assert_eq!(word(&long("pima/c.csv\0/../..")), "damaged");
    let pax = |records: &str| {
        one()
            .entry(b"PaxHeaders/b", b'x', records.as_bytes())
            .file("pima/b.csv", b"b")
            .packed()
    };
    let read_pax = |records: &str| read(&pax(records)).map(|(_, taken)| taken);
    let named = record("mtime", "1700000000.5") + &record("path", "pima/ü.csv");
    assert_eq!(files(&read_pax(&named).unwrap()), ["a.csv", "ü.csv"]);
    assert_eq!(word(&pax(&record("path", "../c.csv"))), "outside");
    assert_eq!(word(&pax(&record("GNU.sparse.major", "1"))), "sparse");
    assert_eq!(word(&pax(&record("path", ""))), "name");
    for records in [
        record("path", "pima/c.csv").repeat(2),
        record("size", "x"),
        record("size", "-1"),
        "999 path=x\n".to_owned(),
        "7 path=".to_owned(),
        "5 a\n".to_owned(),
        " path=x\n".to_owned(),
        "path".repeat(10),
    ] {
        assert_eq!(word(&pax(&records)), "damaged", "{records:?}");
    }
}

#[test]
fn what_readers_read_differently_is_refused() {
    let inner = Tar::default().file("pima/hidden.csv", b"").0;
    let sized = |size: &str, content: &[u8]| {
        one()
            .entry(b"PaxHeaders/b", b'x', record("size", size).as_bytes())
            .block(&header(b"pima/b.csv", b'0', 0), b"")
            .block(&header(b"pima/c.csv", b'0', content.len() as u64), content)
            .packed()
    };
    // A size in the extension alone is how a file of more than 8 GiB is packed: what follows is its content.
    assert_eq!(
        files(&read(&sized("512", &[])).unwrap().1),
        ["a.csv", "b.csv"],
        "the header after it is content"
    );
    let differs = one()
        .entry(b"PaxHeaders/b", b'x', record("size", "1024").as_bytes())
        .file("pima/b.csv", &inner)
        .packed();
    assert_eq!(word(&differs), "damaged");
    let twice = one()
        .entry(b"x", b'x', record("path", "pima/b.csv").as_bytes())
        .entry(b"L", b'L', b"pima/c.csv\0")
        .file("pima/d.csv", b"");
    assert_eq!(word(&twice.packed()), "damaged");
    let global = Tar::default()
        .entry(b"g", b'g', record("path", "pima/b.csv").as_bytes())
        .file("pima/a.csv", b"");
    assert_eq!(word(&global.packed()), "damaged");
    let comment = Tar::default()
        .entry(b"g", b'g', record("comment", "made by a program").as_bytes())
        .file("pima/a.csv", b"");
    assert!(read(&comment.packed()).is_ok());
    let filled_folder = one().entry(b"pima/", b'5', b"content");
    assert_eq!(word(&filled_folder.packed()), "damaged");
    let dangling = one().entry(b"L", b'L', b"pima/c.csv\0");
    assert_eq!(word(&dangling.packed()), "damaged");
}

#[test]
fn numbers_of_headers_are_read_strictly() {
    let with = |size: &[u8; 12], content: &[u8]| {
        let mut block = header(b"pima/b.csv", b'0', 0);
        block[124..136].copy_from_slice(size);
        seal(&mut block);
        one().block(&block, content).packed()
    };
    let binary = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3];
    assert_eq!(read(&with(&binary, b"abc")).unwrap().1[1].1, b"abc");
    assert_eq!(read(&with(b"         3 \0", b"abc")).unwrap().1[1].1, b"abc");
    for size in [
        *b"00000000008\0",
        *b"-0000000001\0",
        *b"0x000000001\0",
        [0xff; 12],
        [0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ] {
        assert_eq!(word(&with(&size, b"")), "damaged", "{size:?}");
    }
    assert_eq!(
        refusal(&with(b"77777777777\0", b"")),
        ("too_large", Some("pima/b.csv".to_owned()))
    );
    let mut unsealed = header(b"pima/b.csv", b'0', 0);
    unsealed[0] ^= 1;
    assert_eq!(word(&one().block(&unsealed, b"").packed()), "damaged");
}

#[test]
fn an_archive_ends_where_it_ends() {
    let whole = one().end();
    for cut in [0, 100, 512, 515, 1024, 1024 + 512] {
        assert_eq!(word(&pack(&whole[..cut])), "truncated", "at {cut}");
    }
    let packed = pack(&whole);
    for cut in [0, 5, packed.len() / 2, packed.len() - 1] {
        assert_eq!(word(&packed[..cut]), "truncated", "packed, at {cut}");
    }
    let mut longer = whole.clone();
    longer.push(1);
    assert_eq!(word(&pack(&longer)), "trailing");
    let mut lone = one().0;
    lone.extend([0; 512]);
    lone.extend(Tar::default().file("pima/b.csv", b"").end());
    assert_eq!(word(&pack(&lone)), "trailing");
    assert_eq!(
        word(&[packed.as_slice(), b"and more than a header"].concat()),
        "damaged"
    );
    assert_eq!(word(&[packed.as_slice(), b"more"].concat()), "truncated");
    let mut flipped = packed.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x40;
    assert!(["damaged", "truncated"].contains(&word(&flipped)));
    assert_eq!(word(&whole), "damaged", "not packed at all");
    assert_eq!(word(b"PK\x03\x04 and so on"), "damaged");
}

#[test]
fn limits_hold() {
    let zeros = Tar::default().file("pima/a.csv", &vec![0; 40 << 20]).packed();
    assert_eq!(word(&zeros), "ratio");
    let bounded = |archive: &[u8], limits: &Limits| match read_with(archive, limits) {
        Err(UnpackError::Refused(refused)) => refused.fault.word(),
        _ => "-",
    };
    let small = Limits::new(20_000);
    assert_eq!(bounded(&one().packed(), &small), "-");
    let many = Tar::default()
        .file("pima/a.csv", &[b'1'; 15_000])
        .file("pima/b.csv", &[b'1'; 15_000]);
    assert_eq!(bounded(&many.packed(), &small), "too_large");
    let few = Limits {
        members: 3,
        ..limits()
    };
    let members = |count: usize| {
        (0..count)
            .fold(Tar::default(), |tar, n| tar.file(&format!("pima/{n}.csv"), b""))
            .packed()
    };
    assert_eq!(bounded(&members(3), &few), "-");
    assert_eq!(bounded(&members(4), &few), "too_many");
    let notes = (0..100).fold(Tar::default(), |tar, n| {
        tar.entry(b"g", b'g', record("comment", &n.to_string()).as_bytes())
    });
    assert_eq!(bounded(&notes.packed(), &few), "damaged");
    let text = one().file("pima/tags", &[b'x'; 70_000]);
    assert_eq!(word(&text.packed()), "long_text");
    let long_notes = one().entry(b"x", b'x', &vec![b'1'; 2 << 20]);
    assert_eq!(word(&long_notes.packed()), "damaged");
    let long_end = [one().end(), vec![0; 20 << 20]].concat();
    assert_eq!(
        bounded(
            &pack(&long_end),
            &Limits {
                ratio: u64::MAX,
                ..limits()
            }
        ),
        "trailing"
    );
}

#[test]
fn a_source_that_breaks_is_no_fault_of_the_archive() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let packed = one().packed();
    let mut source = Cursor::new(packed[..packed.len() / 2].to_vec()).chain(Broken);
    let done = unpack(&mut source, &limits(), |_, content| {
        io::copy(content, &mut io::sink())
            .map(drop)
            .map_err(UnpackError::Source)
    });
    assert!(
        matches!(done, Err(UnpackError::Source(error)) if error.kind() == io::ErrorKind::ConnectionReset)
    );
}

proptest! {
    #[test]
    fn whatever_is_changed_in_an_archive_nothing_panics(at: prop::sample::Index, byte: u8, flag in prop::sample::select(b"012345LKxgS\0".as_slice())) {
        let tar = one().entry(b"pima/x", flag, b"19 path=pima/z.csv\n").file("pima/b.csv", b"b").end();
        let mut changed = tar.clone();
        changed[at.index(4096)] = byte;
        let _any = read(&pack(&changed));
        let mut packed = pack(&tar);
        let place = at.index(packed.len());
        packed[place] = byte;
        let _any = read(&packed);
    }
}
