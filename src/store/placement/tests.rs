use super::*;
use crate::acts::scene::{ASSET, Scene};
use crate::domain::side::Side;

/// A node's folders, closed and opened again.
struct Folders {
    root: tempfile::TempDir,
    scene: Scene,
}

struct Open {
    blobs: Arc<Blobs>,
    attachments: Arc<Attachments>,
    placements: Arc<Placements>,
}

impl Folders {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            scene: Scene::new(Side::High),
        }
    }

    fn open(&self) -> Open {
        let place = |name: &str| self.root.path().join(name);
        let blobs = Arc::new(Blobs::open(&place("blobs")).unwrap());
        let attachments = Arc::new(Attachments::open(&place("private")).unwrap());
        let placements = Placements::open(
            &place("placements"),
            &blobs,
            Some(&attachments),
            &self.scene.view(),
        )
        .unwrap();
        Open {
            blobs,
            attachments,
            placements: Arc::new(placements),
        }
    }

    fn notes(&self) -> usize {
        let entries = fs::read_dir(self.root.path().join("placements")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.parse::<Uuid>().is_ok()).count()
    }
}

impl Open {
    fn blob(&self, bytes: &[u8]) -> StagedBlob {
        let mut writer = self.blobs.writer(1 << 20).unwrap();
        writer.push(bytes).unwrap();
        writer.stage(None).unwrap()
    }

    fn private(&self, asset: Uuid, bytes: &[u8]) -> StagedAttachment {
        let mut writer = self.attachments.writer(asset, Role::Data, 1 << 20).unwrap();
        writer.write_all(bytes).unwrap();
        writer.stage().unwrap()
    }

    fn place(&self, blobs: Vec<StagedBlob>, private: Vec<StagedAttachment>) -> Placed {
        let staged = StagedFiles { blobs, private };
        self.placements
            .place(&self.blobs, Some(&self.attachments), staged)
            .unwrap()
    }

    fn has(&self, bytes: &[u8]) -> bool {
        self.blobs.contains(&Hash::of(bytes)).unwrap()
    }

    fn has_private(&self, asset: Uuid) -> bool {
        self.attachments.contains(asset, Role::Data).unwrap()
    }
}

const NEW: Uuid = Uuid::from_u128(900);

#[test]
fn files_stay_after_their_commit() {
    let folders = Folders::new();
    let open = folders.open();
    let placed = open.place(vec![open.blob(b"one")], vec![open.private(NEW, b"secret")]);
    assert_eq!(folders.notes(), 1);
    placed.keep();
    assert!(open.has(b"one") && open.has_private(NEW));
    assert_eq!(folders.notes(), 0);
}

#[test]
fn files_go_without_their_commit_but_not_those_of_others() {
    let folders = Folders::new();
    let open = folders.open();
    open.blobs.put(&b"before"[..], 99).unwrap();
    let staged = vec![
        open.blob(b"before"),
        open.blob(b"new"),
        open.blob(b"also uploaded"),
    ];
    let placed = open.place(staged, vec![open.private(NEW, b"secret")]);
    // Somebody else uploads the same bytes as one of them, and relies on it.
    open.blobs.put(&b"also uploaded"[..], 99).unwrap();
    drop(placed);
    assert!(open.has(b"before") && open.has(b"also uploaded"));
    assert!(!open.has(b"new") && !open.has_private(NEW));
    assert_eq!(folders.notes(), 0);
}

#[test]
fn two_placements_of_the_same_bytes_do_not_take_them_from_each_other() {
    let folders = Folders::new();
    let open = folders.open();
    let first = open.place(vec![open.blob(b"same")], Vec::new());
    let second = open.place(vec![open.blob(b"same")], Vec::new());
    drop(first);
    assert!(open.has(b"same"), "the second relies on it");
    second.keep();
    assert!(open.has(b"same"));
}

#[test]
fn data_goes_after_its_description_and_a_crash_in_between_changes_nothing() {
    let folders = Folders::new();
    let open = folders.open();
    open.place(
        Vec::new(),
        vec![open.private(NEW, b"kept"), open.private(ASSET.0, b"described")],
    )
    .keep();
    let remove = |open: &Open, object, commit: Result<(), PlacementError>| {
        open.placements.remove(&open.attachments, object, || commit)
    };
    // Refused: what stands in the store decides.
    remove(&open, ASSET.0, Err(PlacementError::NoAttachments)).unwrap_err();
    assert!(open.has_private(ASSET.0));
    // Described no more, and the process died before the bytes were gone.
    remove(&open, NEW, Err(PlacementError::NoAttachments)).unwrap_err();
    drop(open);
    let open = folders.open();
    assert!(open.has_private(ASSET.0) && !open.has_private(NEW));
    assert_eq!(folders.notes(), 0);
    remove(&open, ASSET.0, Ok(())).unwrap();
    assert!(!open.has_private(ASSET.0));
    assert_eq!(folders.notes(), 0);
}

#[test]
fn after_a_crash_what_no_object_names_is_taken_back() {
    let folders = Folders::new();
    let open = folders.open();
    // The scene's asset names a blob of these bytes, and has private data.
    let staged = vec![open.blob(b"mock"), open.blob(b"nobody's")];
    let private = vec![open.private(ASSET.0, b"kept"), open.private(NEW, b"secret")];
    open.place(staged, private).leave();
    drop(open);
    assert_eq!(folders.notes(), 1);
    let open = folders.open();
    assert!(open.has(b"mock") && open.has_private(ASSET.0));
    assert!(!open.has(b"nobody's") && !open.has_private(NEW));
    assert_eq!(folders.notes(), 0);
}

#[test]
fn without_a_folder_for_private_data_nothing_stays() {
    let folders = Folders::new();
    let open = folders.open();
    let staged = StagedFiles {
        blobs: vec![open.blob(b"new")],
        private: vec![open.private(NEW, b"secret")],
    };
    let refused = open.placements.place(&open.blobs, None, staged);
    assert!(matches!(refused, Err(PlacementError::NoAttachments)));
    assert!(!open.has(b"new") && !open.has_private(NEW));
}

#[test]
fn placements_at_the_same_moment_do_not_take_bytes_from_each_other() {
    let folders = Folders::new();
    let open = folders.open();
    for round in 0..60_u32 {
        let bytes = round.to_le_bytes();
        let staged: Vec<_> = (0..4).map(|_| open.blob(&bytes)).collect();
        let together = std::sync::Barrier::new(staged.len());
        std::thread::scope(|scope| {
            for (number, blob) in staged.into_iter().enumerate() {
                let (open, together) = (&open, &together);
                scope.spawn(move || {
                    together.wait();
                    let placed = open.place(vec![blob], Vec::new());
                    if number == 0 {
                        placed.keep();
                    }
                });
            }
        });
        assert!(open.has(&bytes), "round {round}: one has been committed");
    }
}
