use super::*;
use crate::acts::scene::{Scene, ada, owner};
use crate::domain::side::Side;
use crate::store::records::RecordError;

fn draft(name: &str, tags: &[&str]) -> DatasetDraft {
    DatasetDraft {
        name: name.into(),
        description: "measured in a clinic".into(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..DatasetDraft::default()
    }
}

fn make(scene: &Scene, id: u128, draft: DatasetDraft) -> Result<Object, Refusal> {
    scene.act(move |tx, here| create(tx, &owner(), here, DatasetId(Uuid::from_u128(id)), &draft))
}

fn found(scene: &Scene, wanted: &Wanted) -> Vec<String> {
    let listed = list(&scene.view(), &owner().into(), wanted, None, 50).unwrap();
    listed.objects.iter().map(|object| object.body.title()).collect()
}

#[test]
fn datasets_are_found_by_name_tag_and_words() {
    let scene = Scene::new(Side::Low);
    make(&scene, 100, draft("Lungs", &["#Cancer", "survival"])).unwrap();
    make(&scene, 101, draft("Hearts", &["survival"])).unwrap();
    let by = |name: Option<&str>, tag: Option<&str>, search: Option<&str>| {
        let text = |text: Option<&str>| text.map(str::to_owned);
        found(
            &scene,
            &Wanted {
                search: text(search),
                tag: text(tag),
                name: text(name),
            },
        )
    };
    assert_eq!(by(None, None, None), ["Hearts", "Lungs", "Pima"]);
    assert_eq!(by(Some("LUNGS"), None, None), ["Lungs"]);
    assert_eq!(by(None, Some("cancer"), None), ["Lungs"]);
    assert_eq!(by(None, Some("#Survival"), None), ["Hearts", "Lungs"]);
    assert_eq!(by(None, None, Some("clinic hearts")), ["Hearts"]);
    assert_eq!(by(Some("Lungs"), Some("survival"), Some("nothing")), [""; 0]);
}

#[test]
fn a_name_is_unique_until_it_is_given_free() {
    let scene = Scene::new(Side::Low);
    make(&scene, 100, draft("Lungs", &[])).unwrap();
    let taken = make(&scene, 101, draft("lungs", &[])).unwrap_err();
    assert!(matches!(taken, Refusal::Record(RecordError::NameTaken { .. })));
    let id = DatasetId(Uuid::from_u128(100));
    scene.act(move |tx, here| delete(tx, &owner(), here, id)).unwrap();
    make(&scene, 101, draft("lungs", &[])).unwrap();
}

#[test]
fn deleting_leaves_tombstones_of_the_dataset_and_its_assets() {
    let scene = Scene::new(Side::High);
    let id = DatasetId(Uuid::from_u128(20));
    let asset = show(&scene.view(), &owner().into(), id).unwrap().assets.remove(0);
    scene.act(move |tx, here| delete(tx, &owner(), here, id)).unwrap();
    assert!(matches!(
        show(&scene.view(), &owner().into(), id),
        Err(Refusal::NotFound { .. })
    ));
    assert!(found(&scene, &Wanted::default()).is_empty());
    let tombstone = records::object(&scene.view(), asset.id).unwrap().unwrap();
    assert!(tombstone.deleted && tombstone.revision.number == asset.revision.number + 1);
    assert_eq!(scene.audited().last().unwrap(), "dataset.deleted");
}

#[test]
fn only_those_who_upload_data_change_the_catalogue() {
    let scene = Scene::new(Side::Low);
    let id = DatasetId(Uuid::from_u128(20));
    let made =
        scene.act(move |tx, here| create(tx, &ada(), here, DatasetId(Uuid::from_u128(9)), &draft("x", &[])));
    assert!(matches!(made, Err(Refusal::Denied(_))));
    let changed = scene.act(move |tx, here| change(tx, &ada(), here, id, &draft("x", &[])));
    assert!(matches!(changed, Err(Refusal::Denied(_))));
    assert!(matches!(
        scene.act(move |tx, here| delete(tx, &ada(), here, id)),
        Err(Refusal::Denied(_))
    ));
    let changed = scene
        .act(move |tx, here| change(tx, &owner(), here, id, &draft("Pima women", &[])))
        .unwrap();
    assert_eq!(changed.body.title(), "Pima women");
}

#[test]
fn a_member_of_one_group_is_not_told_which_others_a_dataset_is_for() {
    let scene = Scene::new(Side::Low);
    let visibility = Visibility::Groups(vec!["Eyes".into(), "Lungs".into()]);
    let closed = DatasetDraft {
        visibility: visibility.clone(),
        ..draft("Closed", &[])
    };
    let id = DatasetId(make(&scene, 100, closed).unwrap().id);
    let mut member = ada();
    member.groups.insert("lungs".to_owned());
    let told = |actor: &Actor| {
        let viewer: Viewer = actor.clone().into();
        let one = show(&scene.view(), &viewer, id).unwrap().dataset.body;
        let listed = list(&scene.view(), &viewer, &Wanted::default(), None, 1).unwrap();
        assert_eq!(one, listed.objects[0].body);
        match one {
            Body::Dataset(dataset) => dataset.visibility,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told(&member), Visibility::default());
    assert_eq!(told(&owner()), visibility);
}
