use std::fs;

use super::*;
use crate::domain::audit::Action;
use crate::node::make::make as make_node;
use crate::store::audit;
use crate::store::blobs::Blobs;

struct Lab {
    folder: tempfile::TempDir,
    config: Config,
}

impl Lab {
    /// A high node that does not run, with a blob.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(Side::High);
        config.runtime.python.interpreter = Some("/nonexistent/python3".into());
        let lab = Self { folder, config };
        make_node(&lab.root(), "Vault", &lab.config).unwrap();
        let blobs = Blobs::open(&lab.root().join("blobs")).unwrap();
        blobs.put(&b"a mock"[..], 100).unwrap();
        lab
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("node")
    }

    fn backup(&self) -> PathBuf {
        self.folder.path().join("backup")
    }

    fn back_up(&self) -> Result<Manifest, BackupError> {
        let snapshot = Snapshot::of_stopped(&self.root(), &self.config)?;
        make(&self.root(), &self.config, &snapshot, &self.backup())
    }

    fn put_back(&self) -> Result<PathBuf, BackupError> {
        let root = self.folder.path().join("restored");
        put_back(&self.backup(), &self.config, &root)?;
        Ok(root)
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn a_backup_is_put_back_as_it_was() {
    let lab = Lab::new();
    let manifest = lab.back_up().unwrap();
    assert!(check(&lab.backup()).unwrap().is_sound());
    let names: Vec<_> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    for name in ["poundlock.toml", "store.dump", "keys/node.key"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let listed = files(&lab.backup()).len();
    assert_eq!(
        listed,
        manifest.files.len() + 1,
        "nothing stands there that the manifest does not name"
    );
    assert!(matches!(lab.back_up(), Err(BackupError::NotEmpty(_))));

    let root = lab.put_back().unwrap();
    for name in names.iter().filter(|name| **name != "store.dump") {
        let (was, is) = (fs::read(lab.root().join(name)), fs::read(root.join(name)));
        assert_eq!(was.unwrap(), is.unwrap(), "{name}");
    }
    assert!(crate::node::check::check(&root, &lab.config).unwrap().is_sound());
    let engine: Arc<dyn Engine> = Arc::new(SledEngine::open(&root.join("store")).unwrap());
    let last = audit::entries_before(&View::new(engine.view().unwrap()), None, 1).unwrap();
    assert_eq!(
        last[0].fields.action,
        Action::STORE_RESTORED,
        "the folder is no node before it knows that it was put back"
    );
}

#[test]
fn a_changed_bit_anywhere_in_a_backup_is_found_and_never_put_back() {
    let lab = Lab::new();
    lab.back_up().unwrap();
    let refused = |what: &str| {
        let looked = check(&lab.backup());
        assert!(!looked.is_ok_and(|findings| findings.is_sound()), "{what}");
        assert!(lab.put_back().is_err(), "{what}");
        assert!(
            !lab.folder.path().join("restored").try_exists().unwrap(),
            "{what}"
        );
    };
    for path in files(&lab.backup()) {
        let whole = fs::read(&path).unwrap();
        let name = path.display().to_string();
        // The first byte, the middle, the last.
        for at in [0, whole.len() / 2, whole.len() - 1] {
            if path.ends_with(MANIFEST) && at != 0 {
                continue;
            }
            let mut changed = whole.clone();
            changed[at] ^= 4;
            fs::write(&path, &changed).unwrap();
            refused(&format!("{name}, byte {at}"));
        }
        fs::remove_file(&path).unwrap();
        refused(&format!("{name}, gone"));
        fs::write(&path, &whole).unwrap();
    }
    assert!(check(&lab.backup()).unwrap().is_sound());
}

#[test]
fn a_manifest_that_names_a_place_elsewhere_is_refused() {
    let lab = Lab::new();
    lab.back_up().unwrap();
    let path = lab.backup().join(MANIFEST);
    let text = fs::read_to_string(&path).unwrap();
    for elsewhere in ["../escaped", "/tmp/escaped", "keys/../../escaped", ""] {
        let lie = text.replace("keys/node.key", elsewhere);
        assert_ne!(lie, text);
        fs::write(&path, lie).unwrap();
        assert!(
            matches!(Manifest::read(&lab.backup()), Err(BackupError::Manifest(_))),
            "{elsewhere}"
        );
    }
}

#[test]
fn a_node_that_runs_is_not_opened() {
    let lab = Lab::new();
    let _running = SledEngine::open(&lab.root().join("store")).unwrap();
    assert!(lab.back_up().unwrap_err().is_running());
    let checked = crate::node::check::check(&lab.root(), &lab.config);
    assert!(checked.unwrap_err().is_running());
}
