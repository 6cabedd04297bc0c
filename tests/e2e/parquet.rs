//! Tables in Parquet on a node: attached, compared, shown, computed on, deposited, released; and files that would keep a node busy.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::node::{Node, OWNER, PASSWORD, fixture};
use crate::person::{Person, word};
use crate::privacy::contains;
use crate::world::{over, python, seen, text};

/// Writes the Pima data, two of its rows among made-up ones, and a result that says more than its values, as pandas does.
const WRITE: &str = "
import sys, pandas, pyarrow, pyarrow.parquet
table = pandas.read_csv(sys.argv[1])
table.to_parquet(sys.argv[2] + '/private.parquet')
made_up = table.head(5).copy()
made_up.loc[2:, 'glu'] = [1, 2, 3]
made_up.to_parquet(sys.argv[2] + '/mock.parquet')
means = table.groupby('type', as_index=False)['glu'].mean()
noted = pyarrow.Table.from_pandas(means).replace_schema_metadata({'note': 'HIDDENNOTE'})
pyarrow.parquet.write_table(noted, sys.argv[2] + '/means.parquet')
";

/// A Parquet file whose footer is lists of 2^31 booleans each, which take no byte: the reader's library counts through them.
fn endless() -> Vec<u8> {
    let list = [0x19, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07];
    let mut footer = [[0xf9].as_slice(), &list[1..], &list.repeat(100), &[0]].concat();
    let length = u32::try_from(footer.len()).unwrap();
    footer.extend(length.to_le_bytes());
    [b"PAR1", footer.as_slice(), b"PAR1"].concat()
}

struct Study {
    node: Node,
    owner: Person,
    scientist: Person,
    asset: String,
    files: PathBuf,
}

impl Study {
    fn new() -> Self {
        let node = Node::with("solo", &["--python", &python()]);
        node.set_up();
        node.scientist("sam@example.org");
        let files = node.workplace.path().join("tables");
        std::fs::create_dir(&files).unwrap();
        let written = Command::new(python())
            .args(["-c", WRITE])
            .args([&fixture("data/pima_train.csv"), &files])
            .output()
            .unwrap();
        assert!(
            written.status.success(),
            "{}",
            String::from_utf8_lossy(&written.stderr)
        );
        let owner = Person::sign_in(node.address(), OWNER, PASSWORD);
        let scientist = Person::sign_in(node.address(), "sam@example.org", PASSWORD);
        let dataset = owner.post("/datasets", &json!({"name": "Pima", "description": ""}));
        let assets = format!("/datasets/{}/assets", text(&dataset["id"]));
        let asset = text(&owner.post(&assets, &json!({"name": "women", "description": ""}))["id"]);
        Self {
            node,
            owner,
            scientist,
            asset,
            files,
        }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.files.join(name)).unwrap()
    }

    fn at(&self, part: &str) -> String {
        format!("/assets/{}/{part}?format=parquet", self.asset)
    }

    /// A request of a project of that name to run a function on the table, approved.
    fn approved(&self, name: &str) -> String {
        let source = "def rows(women): return {'rows': len(women), 'mean': float(women['glu'].mean())}";
        let sam = &self.scientist;
        let code = sam.post(
            "/codes",
            &json!({
                "name": name, "source": source, "entry_point": "rows",
                "input_policy": {"women": {"asset": self.asset}}, "output_policy": "single_execution",
            }),
        );
        let project = text(&sam.post("/projects", &json!({"name": name, "description": ""}))["id"]);
        sam.post(&format!("/projects/{project}/start"), &json!({}));
        let body = json!({"project": project, "code": code["id"], "reason": "to learn"});
        let request = text(&sam.post("/requests", &body)["id"]);
        let seen = seen(&self.owner.get(&format!("/requests/{request}")), &self.owner);
        let decision = json!({"verdict": "approve", "reason": null, "seen": seen});
        self.owner
            .post(&format!("/requests/{request}/decisions"), &decision);
        request
    }
}

#[test]
fn a_table_in_parquet_goes_the_whole_way() {
    let study = Study::new();
    let owner = &study.owner;
    let private = owner.put_bytes(&study.at("private"), &study.read("private.parquet"));
    assert_eq!(private["schema"]["rows"], 200, "{private:#}");
    let mock = owner.put_bytes(&study.at("mock"), &study.read("mock.parquet"));
    assert_eq!(mock["mock_shares_rows"], 2, "{mock:#}");
    if let Some(browser) = Browser::at(study.node.address()) {
        browser.sign_in(OWNER);
        browser.visit(&format!("/assets/{}", study.asset));
        browser.see("Rows 1 to 5, the last");
        browser.check();
    }

    let request = study.approved("count");
    let run = owner.post(&format!("/requests/{request}/runs"), &json!({"data": "private"}));
    let run = over(owner, &text(&run["id"]));
    assert_eq!(run["state"], "succeeded", "{run:#}");
    let result: Value = owner.get(&format!("/runs/{}/result", text(&run["id"])));
    assert_eq!(result["rows"], 200);

    // A result that was computed elsewhere leaves as its values and nothing else.
    let brought = study.read("means.parquet");
    assert!(contains(&brought, b"HIDDENNOTE"));
    let deposits = format!("/requests/{}/deposits?format=parquet", study.approved("means"));
    let run = owner.post_bytes(&deposits, "application/octet-stream", &brought);
    let id = text(&run["id"]);
    if let Some(browser) = Browser::at(study.node.address()) {
        browser.sign_in(OWNER);
        browser.visit(&format!("/runs/{id}/parts/result"));
        browser.see("Rows 1 to 2, the last");
        browser.see("Yes");
    }
    let released = json!({"part": "result", "hash": run["result"]["hash"]});
    let release = owner.post(&format!("/runs/{id}/releases"), &released);
    let left = owner.download(&format!("/releases/{}/content", text(&release["id"])));
    assert!(!contains(&left, b"HIDDENNOTE"));
    let path = study.node.file("left.parquet", &left);
    assert_eq!(
        csv(&path),
        "type,glu\nNo,113.10606060606061\nYes,145.05882352941177\n"
    );
}

/// A table as pandas reads it.
fn csv(path: &Path) -> String {
    let read = "import sys, pandas; sys.stdout.write(pandas.read_parquet(sys.argv[1]).to_csv(index=False))";
    let read = Command::new(python())
        .args(["-c", read])
        .arg(path)
        .output()
        .unwrap();
    String::from_utf8(read.stdout).unwrap()
}

#[test]
fn a_file_that_would_keep_a_node_busy_is_refused_while_it_answers_others() {
    let study = Study::new();
    let begun = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        let upload = scope.spawn(|| {
            let refused = study.owner.try_put_bytes(&study.at("private"), &endless());
            begun.store(false, std::sync::atomic::Ordering::Release);
            refused
        });
        let mut answers = 0;
        while begun.load(std::sync::atomic::Ordering::Acquire) {
            study.owner.get("/users/me");
            answers += 1;
        }
        let refused = upload.join().unwrap();
        assert_eq!(
            (refused.0, word(&refused)),
            (422, "unreadable_data"),
            "{refused:?}"
        );
        let detail = text(&refused.1["detail"]);
        assert!(detail.contains("processor time"), "{detail}");
        assert!(answers > 10, "nobody else was answered");
    });
    let asset = study.owner.get(&format!("/assets/{}", study.asset));
    assert_eq!(asset["private"], Value::Null, "{asset:#}");
    let torn = study
        .owner
        .try_put_bytes(&study.at("private"), b"PAR1 and no more");
    assert_eq!((torn.0, word(&torn)), (422, "unreadable_data"), "{torn:?}");
}

/// What the kernel says of a process, from its state on; nothing once it is over.
fn stat(process: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields = stat.rsplit(')').next()?.split_whitespace();
    Some(fields.map(str::to_owned).collect()).filter(|fields: &Vec<String>| fields[0] != "Z")
}

/// The process with which a node reads a table, once nothing but reading is left to it.
fn reader_of(node: u32) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").unwrap();
    let processes = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes
        .filter(|process| stat(*process).is_some_and(|fields| fields[1] == node.to_string()))
        .find(|process| {
            let read = |name: &str| std::fs::read(format!("/proc/{process}/{name}")).unwrap_or_default();
            read("cmdline").ends_with(b"__sandbox\0reader\0") && contains(&read("status"), b"Seccomp:\t2")
        })
}

/// How much processor time a process has taken, in hundredths of a second; none once it is over.
fn processor_time(process: u32) -> Option<u64> {
    let fields = stat(process)?;
    Some(fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap())
}

#[test]
fn what_reads_for_a_node_ends_with_it() {
    let mut study = Study::new();
    let (node, path) = (study.node.process_id(), study.at("private"));
    let token = Person::sign_in(study.node.address(), OWNER, PASSWORD);
    let upload =
        std::thread::spawn(move || token.attempt_bytes("PUT", &path, "application/octet-stream", &endless()));
    let reader = loop {
        if let Some(reader) = reader_of(node) {
            break reader;
        }
        assert!(!upload.is_finished(), "it ended before it was seen");
        std::thread::yield_now();
    };
    study.node.kill();
    while let Some(time) = processor_time(reader) {
        assert!(time < 500, "it goes on for nobody");
        std::thread::yield_now();
    }
    assert!(
        upload.join().unwrap().is_none(),
        "a node that was killed has answered"
    );
}

#[test]
fn an_archive_with_a_table_that_is_none_is_refused_whole() {
    let study = Study::new();
    let folder = study.files.join("mixed");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(study.files.join("mock.parquet"), folder.join("a.parquet")).unwrap();
    std::fs::write(folder.join("b.parquet"), "PAR1").unwrap();
    let archive = study.files.join("mixed.tar.gz");
    let pack = || {
        let mut tar = Command::new("tar");
        tar.arg("-czf")
            .arg(&archive)
            .arg("-C")
            .arg(&study.files)
            .arg("mixed");
        assert!(tar.status().unwrap().success());
        let bytes = std::fs::read(&archive).unwrap();
        study
            .owner
            .try_post_bytes("/datasets/archive", "application/gzip", &bytes)
    };
    let refused = pack();
    assert_eq!(
        (refused.0, word(&refused)),
        (422, "archive_refused"),
        "{refused:?}"
    );
    assert_eq!(refused.1["reason"], "data", "{refused:?}");
    assert_eq!(refused.1["member"], "mixed/b.parquet", "{refused:?}");
    assert_eq!(study.owner.get("/datasets")["items"].as_array().unwrap().len(), 1);
    std::fs::remove_file(folder.join("b.parquet")).unwrap();
    let taken = pack();
    assert_eq!(taken.0, 201, "{taken:?}");
}
