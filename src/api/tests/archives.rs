//! Dataset archives over REST: what is taken, what is refused, and that a refusal leaves nothing.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::runtime::archive::craft::{Tar, pack, record};

const TABLE: &[u8] = b"age,bmi,type\n36,21.5,No\n41,30.0,Yes\n";
const NUMBERS: &[u8] = b"1,2\n3,4.5\n5,6\n";

fn sound() -> Tar {
    Tar::default()
        .entry(b"pima/", b'5', b"")
        .file("pima/women.csv", TABLE)
        .file("pima/numbers.csv", NUMBERS)
        .file("pima/description", b"Women.")
        .file("pima/manifest.txt", b"Citation: Smith, 1988\nOne row a woman.")
        .file("pima/tags", b"#health\n#diabetes\n")
}

fn send_archive(path: &str, archive: Vec<u8>) -> TestRequest {
    let request = if path.contains("/mocks/") {
        TestRequest::put()
    } else {
        TestRequest::post()
    };
    request
        .uri(&format!("/api/v1{path}"))
        .insert_header(("Content-Type", "application/gzip"))
        .set_payload(archive)
}

/// Every file of the node but the store's own, with its length.
fn files(folder: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        if path.ends_with("store") {
            continue;
        }
        if metadata.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.display().to_string(), metadata.len());
        }
    }
    found
}

/// The names of those below `part` of the node's folder.
fn stored(lab: &Lab, part: &str) -> usize {
    let folder = lab.root().join(part);
    let all = files(&folder).into_keys();
    all.filter(|path| !path.ends_with("lock") && !path.contains("incoming"))
        .count()
}

#[actix_web::test]
async fn on_a_node_that_holds_private_data_mocks_are_generated() {
    for side in [Side::High, Side::Solo] {
        private_data_and_generated_mocks(side).await;
    }
}

async fn private_data_and_generated_mocks(side: Side) {
    let lab = lab(side);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let path = "/datasets/archive?mocks=generate&mock_rows=7&seed=5";
    let made = send!(app, by(send_archive(path, sound().packed()), &owner));
    assert_eq!(made.0, 201, "{:#}", made.1);
    let made = made.1;
    assert_eq!((&made["name"], &made["seed"]), (&json!("pima"), &json!(5)));
    assert_eq!(made["description"], "Women.\n\nOne row a woman.");
    assert_eq!(made["tags"], json!(["diabetes", "health"]));
    let women = &made["assets"][0];
    assert_eq!(women["name"], "women.csv");
    assert_eq!(
        women["private"],
        json!({"format": "csv", "dtype": "table", "shape": [2, 3]})
    );
    assert_eq!(
        women["mock"],
        json!({"format": "csv", "dtype": "table", "shape": [7, 3]})
    );
    let numbers = &made["assets"][1];
    assert_eq!(
        numbers["private"],
        json!({"format": "npy", "dtype": "float32", "shape": [3, 2]})
    );
    assert_eq!(
        (&numbers["dtype"], &numbers["shape"]),
        (&json!("float32"), &json!([7, 2]))
    );
    assert_eq!((stored(&lab, "private"), stored(&lab, "blobs")), (2, 2));
    assert_eq!(stored(&lab, "spool"), 0, "no note is left");

    // A person without the permission sees the mock, and nothing of the rows.
    let person = json!({"name": "Sam", "email": "sam@example.org", "password": PASSWORD});
    assert_eq!(send!(app, post("/users", &person)).0, 201);
    let sam = sign_in!(app, "sam@example.org");
    let path = format!("/datasets/{}/assets?limit=1", made["id"].as_str().unwrap());
    let page = send!(app, by(get(&path), &sam)).1;
    let item = &page["items"][0];
    assert_eq!(
        (item.get("private"), &item["mock_shares_rows"]),
        (None, &Value::Null),
        "not even that there is none"
    );
    assert_eq!(
        (&item["dtype"], &item["shape"]),
        (&json!("table"), &json!([7, 3]))
    );
    assert_eq!(item["tags"], json!(["diabetes", "health"]));
    let next = page["next"].as_str().unwrap();
    let second = send!(app, by(get(&format!("{path}&cursor={next}")), &sam)).1;
    assert_eq!(
        (&second["items"][0]["name"], &second["next"]),
        (&json!("numbers.csv"), &Value::Null)
    );
    let refused = send!(
        app,
        by(send_archive("/datasets/archive?name=x", sound().packed()), &sam)
    );
    assert_eq!(word(&refused), (403, "forbidden"));
    let all = &format!("/datasets/{}/assets", made["id"].as_str().unwrap());
    assert_eq!(
        send!(app, by(post(all, &json!({"name": "later"})), &owner)).0,
        201
    );
    let seen = send!(app, by(get(all), &owner)).1;
    assert_eq!(seen["items"][2].get("private"), Some(&Value::Null), "{seen:#}");
}

#[actix_web::test]
async fn on_a_low_node_the_data_are_the_mocks() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let generate = send_archive("/datasets/archive?mocks=generate", sound().packed());
    assert_eq!(word(&send!(app, by(generate, &owner))), (409, "wrong_side"));
    let made = send!(
        app,
        by(
            send_archive("/datasets/archive?name=Women", sound().packed()),
            &owner
        )
    );
    assert_eq!(made.0, 201, "{:#}", made.1);
    let asset = &made.1["assets"][0];
    assert_eq!(
        (&asset["shape"], asset.get("private")),
        (&json!([2, 3]), None),
        "whether the high node has any is not known here"
    );
    let mock = get(&format!("/assets/{}/mock", asset["id"].as_str().unwrap()));
    let response = call_service(&app, by(mock, &owner).to_request()).await;
    assert_eq!(read_body(response).await, TABLE);
    let again = send!(
        app,
        by(
            send_archive("/datasets/archive?name=WOMEN", sound().packed()),
            &owner
        )
    );
    assert_eq!(word(&again), (409, "name_taken"));
    assert_eq!(stored(&lab, "blobs"), 2);
}

#[actix_web::test]
async fn mocks_come_in_a_second_archive() {
    let lab = lab(Side::High);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let made = send!(
        app,
        by(send_archive("/datasets/archive", sound().packed()), &owner)
    )
    .1;
    let path = format!("/datasets/{}/mocks/archive", made["id"].as_str().unwrap());
    let mocks = |women: &[u8]| Tar::default().file("mocks/WOMEN.csv", women).packed();

    let before = files(&lab.root());
    for (women, reason, says) in [
        (
            &b"age,bmi,type\n1.5,2.5,No\n"[..],
            "differs",
            "\"age\" is integer",
        ),
        (b"age,bmi\n1,2.5\n", "differs", "lacks the column"),
        (b"1,2.5\n3,4.5\n", "differs", "lacks the column"),
        (b"age,bmi,type\n1,2.5\n", "data", "line 2"),
    ] {
        let refused = send!(app, by(send_archive(&path, mocks(women)), &owner));
        assert_eq!(
            (word(&refused), &refused.1["reason"]),
            ((422, "archive_refused"), &json!(reason))
        );
        assert_eq!(refused.1["member"], "mocks/WOMEN.csv");
        assert!(
            refused.1["detail"].as_str().unwrap().contains(says),
            "{:#}",
            refused.1
        );
    }
    let stranger = Tar::default().file("mocks/men.csv", TABLE).packed();
    let refused = send!(app, by(send_archive(&path, stranger), &owner));
    assert_eq!(refused.1["reason"], "no_asset");
    assert_eq!(files(&lab.root()), before);

    let fitting = b"age,bmi,type\n36,21.50,No\n20,20.5,Yes\n30,31.5,No\n";
    let supplied = send!(app, by(send_archive(&path, mocks(fitting)), &owner));
    assert_eq!(supplied.0, 200, "{:#}", supplied.1);
    let asset = &supplied.1["assets"][0];
    assert_eq!(
        (&asset["name"], &asset["mock_shares_rows"]),
        (&json!("women.csv"), &json!(1))
    );
    assert_eq!(asset["mock"]["shape"], json!([3, 3]));
    assert_eq!(supplied.1["without"], json!(["numbers.csv"]));
    let status = get(&format!(
        "/assets/{}/private-status",
        asset["id"].as_str().unwrap()
    ));
    assert_eq!(send!(app, by(status, &owner)).1["mock_shares_rows"], 1);
    let nowhere = "/datasets/00000000-0000-4000-8000-000000000001/mocks/archive";
    let refused = send!(app, by(send_archive(nowhere, mocks(fitting)), &owner));
    assert_eq!(word(&refused), (404, "not_found"));
}

/// An archive that must be refused.
struct Hostile {
    what: &'static str,
    archive: Vec<u8>,
    reason: &'static str,
    member: Option<&'static str>,
    line: Option<u64>,
}

fn hostile(what: &'static str, reason: &'static str, archive: Vec<u8>) -> Hostile {
    Hostile {
        what,
        archive,
        reason,
        member: None,
        line: None,
    }
}

impl Hostile {
    fn at(self, member: &'static str) -> Self {
        Self {
            member: Some(member),
            ..self
        }
    }

    fn line(self, line: u64) -> Self {
        Self {
            line: Some(line),
            ..self
        }
    }
}

/// A member that has no place in an archive, beside those that have.
fn members() -> Vec<Hostile> {
    let entry = |what, reason, flag| {
        let archive = sound().entry(b"pima/b.csv", flag, b"").packed();
        hostile(what, reason, archive).at("pima/b.csv")
    };
    let path =
        |what, reason, path: &'static str| hostile(what, reason, sound().file(path, b"").packed()).at(path);
    let holes = sound().entry(b"x", b'x', record("GNU.sparse.name", "pima/b.csv").as_bytes());
    let turned = sound().file("pima/\u{202e}vsc.csv", b"").packed();
    vec![
        entry("a symbolic link", "link", b'2'),
        entry("a hard link", "link", b'1'),
        entry("a device", "device", b'3'),
        entry("a pipe", "device", b'6'),
        entry("a volume's name", "kind", b'V'),
        hostile("holes", "sparse", holes.file("pima/b.csv", b"").packed()).at("pima/b.csv"),
        path("a way out", "outside", "pima/../b.csv"),
        path("an absolute path", "outside", "/b.csv"),
        path("a second folder", "second_folder", "lungs/b.csv"),
        path("a folder inside", "nested", "pima/a/b.csv"),
        path("no folder", "no_folder", "b.csv"),
        path("a name twice", "twice", "pima/Women.CSV"),
        path("a program", "not_data", "pima/run.py"),
        hostile("a turned name", "name", turned).at("pima/\\u{202e}vsc.csv"),
    ]
}

/// A file that is not what it should be.
fn contents() -> Vec<Hostile> {
    let table = |what, reason, content: &[u8]| {
        hostile(what, reason, sound().file("pima/b.csv", content).packed()).at("pima/b.csv")
    };
    let text = |what, reason, path: &'static str, content: &[u8]| {
        let tar = Tar::default().file(path, content).file("pima/a.csv", TABLE);
        hostile(what, reason, tar.packed()).at(path)
    };
    let array = sound().file("pima/b.npy", b"PK\x03\x04").packed();
    vec![
        table("a torn row", "data", b"a,b\n1,2\n3\n").line(3),
        table("a torn row of numbers", "data", b"1,2\n3,4\n5\n").line(3),
        table("a word among numbers", "data", b"1,2\n\n3,x\n").line(3),
        table("a column twice, no number", "header", b"a,a\nx,y\n"),
        table("values for a header", "header", b"5,86,No\n7,195,Yes\n"),
        table("an empty table", "data", b""),
        table("bytes for text", "data", b"a,b\n1,\xff\n").line(2),
        table("many columns", "many_columns", &many_columns()),
        hostile("no array", "data", array).at("pima/b.npy"),
        text("a bad tag", "text", "pima/tags", b"a\n\x1b[31m").line(2),
        text("a text of bytes", "text", "pima/manifest", b"\xff"),
        text("a long text", "long_text", "pima/manifest.txt", &[b'x'; 70_000]),
    ]
}

/// An archive that is none, or that is too much.
fn containers() -> Vec<Hostile> {
    let whole = sound().end();
    let mut damaged = sound().packed();
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 0x55;
    let bomb = sound().file("pima/b.csv", &vec![b'1'; 40 << 20]).packed();
    let texts = Tar::default().file("pima/tags", b"x").packed();
    vec![
        hostile("no data", "no_data", texts),
        hostile("nothing", "no_data", Tar::default().packed()),
        hostile("a bomb", "ratio", bomb),
        hostile("a lie about the size", "too_large", lying()).at("pima/b.csv"),
        hostile(
            "an end too early",
            "truncated",
            pack(&whole[..whole.len() - 9000]),
        ),
        hostile("a torn stream", "truncated", sound().packed()[..300].to_vec()),
        hostile("a damaged stream", "damaged", damaged),
        hostile(
            "more after the end",
            "trailing",
            pack(&[whole.as_slice(), b"more"].concat()),
        ),
        hostile(
            "no archive",
            "damaged",
            b"PK\x03\x04 and so on, for longer".to_vec(),
        ),
    ]
}

fn many_columns() -> Vec<u8> {
    let names = (0..3000).map(|n| format!("column_{n}")).collect::<Vec<_>>();
    format!("{}\n", names.join(",")).into_bytes()
}

fn lying() -> Vec<u8> {
    let header = crate::runtime::archive::craft::header(b"pima/b.csv", b'0', 0o77_777_777_777);
    let mut lie = header;
    lie[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0]);
    crate::runtime::archive::craft::seal(&mut lie);
    sound().block(&lie, b"").packed()
}

#[actix_web::test]
async fn a_hostile_archive_is_refused_whole_and_leaves_nothing() {
    for side in [Side::High, Side::Low, Side::Solo] {
        let lab = lab(side);
        let app = served!(lab);
        let owner = owner!(app, lab);
        let query = if side.holds_private_data() {
            "?mocks=generate"
        } else {
            ""
        };
        let before = files(&lab.root());
        for hostile in members().into_iter().chain(contents()).chain(containers()) {
            let what = hostile.what;
            let path = format!("/datasets/archive{query}");
            let refused = send!(app, by(send_archive(&path, hostile.archive), &owner));
            assert_eq!(
                word(&refused),
                (422, "archive_refused"),
                "{what}: {:#}",
                refused.1
            );
            let told = &refused.1;
            assert_eq!(told["reason"], hostile.reason, "{what}: {told:#}");
            assert_eq!(told["member"], json!(hostile.member), "{what}: {told:#}");
            assert_eq!(told["line"], json!(hostile.line), "{what}: {told:#}");
            assert_eq!(files(&lab.root()), before, "{what} left something");
            let listed = send!(app, by(get("/datasets"), &owner)).1;
            assert_eq!(listed["items"], json!([]), "{what}");
        }
    }
}

#[actix_web::test]
async fn headers_can_be_told() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let years = || {
        Tar::default()
            .file("y/years.csv", b"land,2019,2020\nA,1,2\n")
            .file("y/n.csv", NUMBERS)
            .packed()
    };
    let refused = send!(app, by(send_archive("/datasets/archive", years()), &owner));
    assert_eq!(
        (&refused.1["reason"], &refused.1["member"]),
        (&json!("header"), &json!("y/years.csv"))
    );
    let path = "/datasets/archive?header_present=years.csv";
    let made = send!(app, by(send_archive(path, years()), &owner));
    assert_eq!(made.0, 201, "{:#}", made.1);
    assert_eq!(made.1["assets"][0]["shape"], json!([1, 3]));
    assert_eq!(made.1["assets"][1]["dtype"], "float32");
    let all = "/datasets/archive?name=all&header=present";
    let made = send!(app, by(send_archive(all, years()), &owner));
    assert_eq!(made.1["assets"][1]["dtype"], "table", "{:#}", made.1);
    let mistyped = "/datasets/archive?name=b&header=present&header_absent=yeers.csv/n.csv";
    let refused = send!(app, by(send_archive(mistyped, years()), &owner));
    assert_eq!(word(&refused), (400, "invalid"));
    assert!(refused.1["detail"].as_str().unwrap().contains("yeers.csv"));
    for query in ["header=maybe", "mocks=real", "mock_rows=0", "rows=1", "name=%0a"] {
        let path = format!("/datasets/archive?{query}");
        let refused = send!(app, by(send_archive(&path, years()), &owner));
        assert_eq!(word(&refused), (400, "invalid"), "{query}");
    }
}

#[actix_web::test]
async fn generated_mocks_keep_to_what_is_declared_and_show_no_values() {
    let lab = lab(Side::High);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let declared = |ranges: &str| sound().file("pima/ranges", ranges.as_bytes()).packed();
    let path = "/datasets/archive?mocks=generate&mock_rows=50";
    for (ranges, line) in [
        ("column,min\nage,1\nheight,1\n", 3),
        ("column,max\nage,-5\n", 2),
        ("least\n1\n", 1),
    ] {
        let refused = send!(app, by(send_archive(path, declared(ranges)), &owner));
        assert_eq!(
            (&refused.1["reason"], &refused.1["line"]),
            (&json!("text"), &json!(line)),
            "{:#}",
            refused.1
        );
        assert_eq!(refused.1["member"], "pima/ranges");
    }
    let ranges = "file,column,min,max,choices\n,age,200,300,\n,type,,,A|B\nnumbers.csv,,7,8,\n";
    let made = send!(app, by(send_archive(path, declared(ranges)), &owner));
    assert_eq!(made.0, 201, "{:#}", made.1);
    let mock = get(&format!(
        "/assets/{}/mock",
        made.1["assets"][0]["id"].as_str().unwrap()
    ));
    let response = call_service(&app, by(mock, &owner).to_request()).await;
    let text = String::from_utf8(read_body(response).await.to_vec()).unwrap();
    assert_eq!(text.lines().next(), Some("age,bmi,type"));
    assert_eq!(text.lines().count(), 51);
    for row in text.lines().skip(1) {
        let cells: Vec<_> = row.split(',').collect();
        assert!((200..=300).contains(&cells[0].parse::<i32>().unwrap()), "{row}");
        assert!(["A", "B"].contains(&cells[2]), "{row}");
    }
    // A table of words alone could be people under no header: generating would publish the first of them.
    let people = Tar::default().file("people/names.csv", b"Ada,London\nGrace,New York\n");
    let refused = send!(app, by(send_archive(path, people.clone().packed()), &owner));
    assert_eq!(
        (&refused.1["reason"], &refused.1["member"]),
        (&json!("header"), &json!("people/names.csv"))
    );
    let told = format!("{path}&header=present");
    assert_eq!(
        send!(app, by(send_archive(&told, people.packed()), &owner)).0,
        201
    );
}

#[actix_web::test]
async fn a_dataset_is_restricted_from_its_first_moment() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let owner = owner!(app, lab);
    let person = json!({"name": "Sam", "email": "sam@example.org", "password": PASSWORD});
    assert_eq!(send!(app, post("/users", &person)).0, 201);
    let sam = sign_in!(app, "sam@example.org");
    for (query, seen) in [
        ("name=open", 200),
        ("name=all&visible_to=everybody", 200),
        ("name=few&visible_to=groups&groups=Eyes%0ALungs", 404),
    ] {
        let path = format!("/datasets/archive?{query}");
        let made = send!(app, by(send_archive(&path, sound().packed()), &owner));
        assert_eq!(made.0, 201, "{:#}", made.1);
        let path = format!("/datasets/{}/assets", made.1["id"].as_str().unwrap());
        assert_eq!(send!(app, by(get(&path), &sam)).0, seen, "{query}");
        assert_eq!(send!(app, by(get(&path), &owner)).0, 200, "{query}");
        assert_eq!(send!(app, get(&path)).0, 401, "{query}");
    }
    for query in [
        "visible_to=groups",
        "groups=Eyes",
        "visible_to=everybody&groups=Eyes",
    ] {
        let path = format!("/datasets/archive?name=b&{query}");
        let refused = send!(app, by(send_archive(&path, sound().packed()), &owner));
        assert_eq!(word(&refused), (400, "invalid"), "{query}");
    }
}
