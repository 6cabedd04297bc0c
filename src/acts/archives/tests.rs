use uuid::Uuid;

use super::*;
use crate::acts::scene::{ASSET, Scene, ada, owner, word};
use crate::domain::asset::DataFormat;
use crate::domain::hash::Hash;
use crate::domain::schema::{Column, ColumnType};
use crate::domain::side::Side;

const DATASET: DatasetId = DatasetId(Uuid::from_u128(500));

fn table(dtype: ColumnType) -> Schema {
    let name = "age".to_owned();
    Schema::Table {
        columns: vec![Column { name, dtype }],
        rows: 200,
    }
}

fn mock(dtype: ColumnType) -> NewMock {
    NewMock {
        blob: Hash::of(b"m"),
        length: 1,
        format: DataFormat::Csv,
        schema: table(dtype),
        is_real: false,
        made_up: false,
        rows_shared: 3,
        compared_with: None,
    }
}

fn private() -> NewPrivateData {
    NewPrivateData {
        format: DataFormat::Csv,
        length: 12_345,
        hash: Hash::of(b"private"),
        schema: table(ColumnType::Integer),
        rows_shared: 3,
        compared_with: None,
    }
}

fn asset(number: u128, mock: Option<NewMock>, private: Option<NewPrivateData>) -> NewAsset {
    NewAsset {
        id: AssetId(Uuid::from_u128(600 + number)),
        name: format!("women_{number}.csv"),
        mock,
        private,
    }
}

fn draft(name: &str) -> DatasetDraft {
    DatasetDraft {
        name: name.into(),
        tags: vec!["health".into()],
        ..DatasetDraft::default()
    }
}

fn bring(scene: &Scene, actor: Actor, name: &str, assets: Vec<NewAsset>) -> Result<Shown, Refusal> {
    let draft = draft(name);
    scene.act(move |tx, here| import(tx, &actor, here, DATASET, &draft, &assets))
}

fn page(scene: &Scene, actor: &Actor, after: Option<Place>, limit: usize) -> AssetPage {
    let view = scene.view();
    let here = Here::at(&view, "2026-11-22T08:00:00Z".parse().unwrap(), [0; 32]).unwrap();
    list(&view, &actor.clone().into(), &here, DATASET, after, limit).unwrap()
}

#[test]
fn a_dataset_comes_with_all_of_its_assets() {
    let scene = Scene::new(Side::High);
    let assets = vec![
        asset(1, Some(mock(ColumnType::Integer)), Some(private())),
        asset(2, None, Some(private())),
    ];
    let shown = bring(&scene, owner(), "Archive", assets).unwrap();
    assert_eq!(shown.assets.len(), 2);
    assert_eq!(shown.assets[0].revision.number, 1, "written once");
    let audited = scene.audited();
    assert_eq!(
        audited[audited.len() - 5..],
        [
            "dataset.created",
            "asset.created",
            "private_data.attached",
            "asset.created",
            "private_data.attached"
        ]
    );
    let said = format!("{:?}", shown.assets);
    assert!(!said.contains("12345"), "nothing private is in a body: {said}");
}

#[test]
fn one_thing_wrong_leaves_nothing() {
    let scene = Scene::new(Side::High);
    let before = scene.audited();
    let good = || asset(1, None, Some(private()));
    let differing = asset(2, Some(mock(ColumnType::Float)), Some(private()));
    let refused = bring(&scene, owner(), "Archive", vec![good(), differing]);
    assert_eq!(word(refused), "mock_differs");
    let namesake = NewAsset {
        name: "WOMEN_1.csv".into(),
        ..asset(2, None, None)
    };
    let refused = bring(&scene, owner(), "Archive", vec![good(), namesake]);
    assert!(matches!(
        refused,
        Err(Refusal::Record(RecordError::NameTaken { .. }))
    ));
    let refused = bring(&scene, owner(), "PIMA", vec![good()]);
    assert!(matches!(
        refused,
        Err(Refusal::Record(RecordError::NameTaken { .. }))
    ));
    assert!(matches!(
        bring(&scene, ada(), "Archive", vec![good()]),
        Err(Refusal::Denied(_))
    ));
    let low = Scene::new(Side::Low);
    assert_eq!(word(bring(&low, owner(), "Archive", vec![good()])), "wrong_side");
    assert!(records::object(&low.view(), DATASET.0).unwrap().is_none());
    assert!(records::object(&scene.view(), DATASET.0).unwrap().is_none());
    assert_eq!(scene.audited(), before);
}

#[test]
fn what_is_asked_first_is_what_the_act_asks() {
    let scene = Scene::new(Side::High);
    let view = scene.view();
    let here = crate::acts::scene::THIS;
    may_import(&view, &owner(), here, None).unwrap();
    may_import(&view, &owner(), here, Some("Archive")).unwrap();
    assert!(matches!(
        may_import(&view, &owner(), here, Some("pima")),
        Err(Refusal::Record(_))
    ));
    assert!(may_import(&view, &owner(), here, Some("a\nb")).is_err());
    assert!(matches!(
        may_import(&view, &ada(), here, None),
        Err(Refusal::Denied(_))
    ));
}

#[test]
fn mocks_come_all_or_none() {
    let scene = Scene::new(Side::High);
    let assets = vec![asset(1, None, Some(private())), asset(2, None, Some(private()))];
    bring(&scene, owner(), "Archive", assets).unwrap();
    let id = |number: u128| AssetId(Uuid::from_u128(600 + number));
    let give = |mocks: Vec<(AssetId, NewMock)>| {
        scene.act(move |tx, here| supply_mocks(tx, &owner(), here, DATASET, &mocks))
    };
    let attached = page(&scene, &owner(), None, 1).assets.remove(0).private.flatten();
    let attached = attached.unwrap();
    let compared = |column| NewMock {
        compared_with: Some(attached.attached_at),
        ..mock(column)
    };
    let fitting = || compared(ColumnType::Integer);
    let refused = give(vec![(id(1), fitting()), (id(2), compared(ColumnType::Text))]);
    assert_eq!(word(refused), "mock_differs");
    let refused = give(vec![(id(1), fitting()), (ASSET, fitting())]);
    assert!(
        matches!(refused, Err(Refusal::NotFound { .. })),
        "of another dataset"
    );
    assert!(
        page(&scene, &owner(), None, 9)
            .assets
            .iter()
            .all(|it| it.asset.mock.is_none())
    );
    assert_eq!(
        give(vec![(id(1), fitting()), (id(2), fitting())]).unwrap().len(),
        2
    );
    let listed = page(&scene, &owner(), None, 9).assets;
    assert!(listed.iter().all(|it| it.asset.mock.is_some()));
    let flagged = listed[0]
        .private
        .as_ref()
        .unwrap()
        .as_ref()
        .unwrap()
        .rows_shared_with_mock;
    assert_eq!(flagged, 3);
}

#[test]
fn the_list_tells_of_private_data_to_uploaders_alone() {
    let scene = Scene::new(Side::High);
    let assets = (1..=5).map(|n| asset(n, Some(mock(ColumnType::Integer)), Some(private())));
    bring(&scene, owner(), "Archive", assets.collect()).unwrap();
    let third = AssetId(Uuid::from_u128(603));
    scene
        .act(move |tx, here| {
            let (object, _) = assets::find(tx, third)?;
            Ok(records::write(tx, here, third.0, object.body, true)?)
        })
        .unwrap();
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let page = page(&scene, &owner(), after, 2);
        assert_eq!(page.tags, ["health"]);
        assert!(page.assets.iter().all(|it| it.private.is_some()));
        names.extend(page.assets.into_iter().map(|it| it.asset.name));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(
        names,
        ["women_1.csv", "women_2.csv", "women_4.csv", "women_5.csv"]
    );
    let seen = page(&scene, &ada(), None, 9);
    assert!(seen.assets.iter().all(|it| it.private.is_none()));
    let view = scene.view();
    let here = Here::at(&view, "2026-11-22T08:00:00Z".parse().unwrap(), [0; 32]).unwrap();
    let unseen = list(&view, &Viewer::Guest, &here, DATASET, None, 9);
    assert!(
        matches!(unseen, Err(Refusal::NotFound { .. })),
        "it is for whoever is signed in"
    );
}
