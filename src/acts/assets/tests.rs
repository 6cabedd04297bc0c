use uuid::Uuid;

use super::*;
use crate::acts::scene::{ASSET, Scene, ada, officer, owner, succeeded, word};
use crate::domain::decision::Verdict;
use crate::domain::id::{JobId, UserId};
use crate::domain::job::Data;
use crate::domain::policy::OutputPolicy;
use crate::domain::role::Preset;
use crate::domain::schema::{Column, ColumnType};
use crate::domain::side::Side;

fn table(columns: &[(&str, ColumnType)]) -> Schema {
    let columns = columns.iter().map(|(name, dtype)| Column {
        name: (*name).into(),
        dtype: *dtype,
    });
    Schema::Table {
        columns: columns.collect(),
        rows: 3,
    }
}

fn new_mock(schema: Schema, is_real: bool) -> NewMock {
    NewMock {
        blob: Hash::of(b"m"),
        length: 1,
        format: DataFormat::Csv,
        schema,
        is_real,
        made_up: false,
        rows_shared: 1,
        compared_with: None,
    }
}

fn new_private(schema: Schema) -> NewPrivateData {
    NewPrivateData {
        format: DataFormat::Csv,
        length: 9,
        hash: Hash::of(b"private"),
        schema,
        rows_shared: 0,
        compared_with: None,
    }
}

/// A fresh asset without mock or private data.
fn bare(scene: &Scene) -> AssetId {
    let id = AssetId(Uuid::from_u128(77));
    let dataset = DatasetId(Uuid::from_u128(20));
    scene
        .act(move |tx, here| create(tx, &owner(), here, id, dataset, ("bare", "")))
        .unwrap();
    id
}

fn give(scene: &Scene, actor: Actor, id: AssetId, new: NewMock) -> Result<Object, Refusal> {
    scene.act(move |tx, here| set_mock(tx, &actor, here, id, &new))
}

#[test]
fn a_mock_must_have_the_columns_of_the_private_data() {
    let scene = Scene::new(Side::High);
    let id = bare(&scene);
    let private = new_private(table(&[("age", ColumnType::Integer)]));
    let attached = scene
        .act(move |tx, here| attach(tx, &owner(), here, id, &private))
        .unwrap();
    let wrong = give(
        &scene,
        owner(),
        id,
        new_mock(table(&[("age", ColumnType::Float)]), false),
    );
    let told = wrong.as_ref().unwrap_err().to_string();
    assert!(
        told.contains("\"age\" is integer in the private data and float in the mock"),
        "{told}"
    );
    assert_eq!(word(wrong), "mock_differs");
    let right = NewMock {
        compared_with: Some(attached.attached_at),
        ..new_mock(table(&[("age", ColumnType::Integer)]), false)
    };
    give(&scene, owner(), id, right).unwrap();
    let status = scene
        .act(move |tx, here| private_data(tx, &owner(), here, id))
        .unwrap()
        .unwrap();
    assert_eq!(status.rows_shared_with_mock, 1);
}

#[test]
fn private_data_is_no_mock_unless_it_is_said_and_released() {
    let scene = Scene::new(Side::High);
    let id = bare(&scene);
    let ages = || table(&[("age", ColumnType::Integer)]);
    let private = new_private(ages());
    let attached = scene.act(move |tx, here| attach(tx, &owner(), here, id, &private));
    let compared_with = Some(attached.unwrap().attached_at);
    let mock = |rows_shared, is_real| NewMock {
        rows_shared,
        compared_with,
        ..new_mock(ages(), is_real)
    };
    let by_chance = NewMock {
        made_up: true,
        ..mock(3, false)
    };
    let same_bytes = NewMock {
        blob: Hash::of(b"private"),
        ..mock(0, false)
    };
    // Two of three rows.
    assert_eq!(
        word(give(&scene, owner(), id, mock(2, false))),
        "mock_is_private_data"
    );
    assert_eq!(
        word(give(&scene, owner(), id, same_bytes)),
        "mock_is_private_data"
    );
    give(&scene, owner(), id, mock(1, false)).unwrap();
    give(&scene, owner(), id, by_chance).unwrap();
    give(&scene, owner(), id, mock(2, true)).unwrap();
    assert_eq!(scene.audited().last().map(String::as_str), Some("released"));
}

#[test]
fn private_data_does_not_come_in_behind_a_mock_of_its_rows() {
    let scene = Scene::new(Side::High);
    let id = bare(&scene);
    let mock = new_mock(table(&[("age", ColumnType::Integer)]), false);
    let compared_with = Some(mock.blob);
    give(&scene, owner(), id, mock).unwrap();
    let attaching = |rows_shared| {
        let new = NewPrivateData {
            rows_shared,
            compared_with,
            ..new_private(table(&[("age", ColumnType::Integer)]))
        };
        scene.act(move |tx, here| detach(tx, &owner(), here, id, &new))
    };
    assert_eq!(word(attaching(2)), "mock_is_private_data");
    attaching(1).unwrap();
}

#[test]
fn what_this_node_made_up_stands_before_any_private_data() {
    let scene = Scene::new(Side::High);
    let id = bare(&scene);
    let ages = || table(&[("age", ColumnType::Integer)]);
    let attaching = || {
        let new = NewPrivateData {
            rows_shared: 3,
            compared_with: Some(Hash::of(b"m")),
            ..new_private(ages())
        };
        scene.act(move |tx, here| {
            detach(tx, &owner(), here, id, &new)?;
            attach(tx, &owner(), here, id, &new)
        })
    };
    let made_up = NewMock {
        made_up: true,
        ..new_mock(ages(), false)
    };
    give(&scene, owner(), id, made_up.clone()).unwrap();
    attaching().unwrap();
    // Also in place of what is attached.
    attaching().unwrap();
    scene
        .act(move |tx, here| remove_private(tx, &owner(), here, id))
        .unwrap();
    // The next mock is somebody's own, be it the same bytes: nobody knows what it was made of.
    give(&scene, owner(), id, new_mock(ages(), false)).unwrap();
    assert_eq!(word(attaching()), "mock_is_private_data");
    give(&scene, owner(), id, made_up).unwrap();
    scene
        .act(move |tx, here| remove_mock(tx, &owner(), here, id))
        .unwrap();
    give(&scene, owner(), id, new_mock(ages(), false)).unwrap();
    assert_eq!(word(attaching()), "mock_is_private_data");
}

#[test]
fn a_count_of_shared_rows_is_of_what_is_here() {
    let scene = Scene::new(Side::High);
    let id = bare(&scene);
    let ages = || table(&[("age", ColumnType::Integer)]);
    let attaching = |compared_with| {
        let new = NewPrivateData {
            compared_with,
            ..new_private(ages())
        };
        scene.act(move |tx, here| {
            detach(tx, &owner(), here, id, &new)?;
            attach(tx, &owner(), here, id, &new)
        })
    };
    let mock = |compared_with| NewMock {
        compared_with,
        ..new_mock(ages(), false)
    };
    let first = attaching(None).unwrap().attached_at;
    // Compared with nothing, while the data came in.
    assert_eq!(word(give(&scene, owner(), id, mock(None))), "compared_with_other");
    give(&scene, owner(), id, mock(Some(first))).unwrap();
    // And the other way about: nothing that is here has been touched by then.
    assert_eq!(word(attaching(None)), "compared_with_other");
    let kept = scene
        .act(move |tx, here| private_data(tx, &owner(), here, id))
        .unwrap();
    assert_eq!(kept.map(|kept| kept.attached_at), Some(first));
    let second = attaching(Some(Hash::of(b"m"))).unwrap().attached_at;
    assert_eq!(
        word(give(&scene, owner(), id, mock(Some(first)))),
        "compared_with_other"
    );
    give(&scene, owner(), id, mock(Some(second))).unwrap();
}

#[test]
fn private_data_is_removed_unless_a_run_needs_it() {
    let scene = Scene::new(Side::High);
    let remove = |by: Actor| scene.act(move |tx, here| remove_private(tx, &by, here, ASSET));
    assert!(matches!(remove(ada()), Err(Refusal::Denied(_))));
    let code = scene.code(40, OutputPolicy::SingleExecution);
    let request = scene.request(50, code);
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    let (run, wanted) = (
        JobId(Uuid::from_u128(70)),
        runs::Wanted::Request(request, Data::Private),
    );
    scene
        .act(move |tx, here| runs::queue(tx, &owner(), here, run, wanted))
        .unwrap();
    assert_eq!(word(remove(owner())), "data_in_use");
    scene
        .act(move |tx, here| {
            runs::begin(tx, here, run)?;
            runs::finish(tx, here, run, succeeded(b"17"))
        })
        .unwrap();
    // Also when its dataset is gone.
    let dataset = DatasetId(Uuid::from_u128(20));
    scene
        .act(move |tx, here| datasets::delete(tx, &owner(), here, dataset))
        .unwrap();
    remove(owner()).unwrap();
    assert!(matches!(remove(owner()), Err(Refusal::NotFound { .. })));
    assert!(scene.audited().contains(&"private_data.removed".to_owned()));
    let low = Scene::new(Side::Low);
    let there = low.act(move |tx, here| remove_private(tx, &owner(), here, ASSET));
    assert_eq!(word(there), "wrong_side");
}

#[test]
fn private_data_must_have_the_columns_of_the_mock() {
    let scene = Scene::new(Side::High);
    let id = bare(&scene);
    give(
        &scene,
        owner(),
        id,
        new_mock(table(&[("age", ColumnType::Integer)]), false),
    )
    .unwrap();
    let other = new_private(table(&[("sex", ColumnType::Text)]));
    assert_eq!(
        word(scene.act(move |tx, here| attach(tx, &owner(), here, id, &other))),
        "mock_differs"
    );
    let same = NewPrivateData {
        compared_with: Some(Hash::of(b"m")),
        ..new_private(table(&[("age", ColumnType::Integer)]))
    };
    scene
        .act(move |tx, here| attach(tx, &owner(), here, id, &same))
        .unwrap();
}

#[test]
fn a_real_mock_on_a_high_node_is_a_release() {
    let scene = Scene::new(Side::High);
    let id = bare(&scene);
    let real = || new_mock(table(&[]), true);
    let uploader = Actor {
        user: UserId(Uuid::from_u128(5)),
        name: "U".into(),
        permissions: Preset::User.role().permissions,
        groups: std::collections::BTreeSet::new(),
    };
    assert!(matches!(
        give(&scene, uploader, id, real()),
        Err(Refusal::Denied(_))
    ));
    give(&scene, officer(), id, real()).unwrap();
    assert_eq!(scene.audited().last().unwrap(), "released");
    let low = Scene::new(Side::Low);
    let id = bare(&low);
    give(&low, owner(), id, real()).unwrap();
    assert_eq!(low.audited().last().unwrap(), "mock.changed");
}

#[test]
fn private_data_is_for_the_high_side_and_its_uploaders() {
    let low = Scene::new(Side::Low);
    let private = new_private(table(&[]));
    assert_eq!(
        word(low.act(move |tx, here| attach(tx, &owner(), here, ASSET, &private))),
        "wrong_side"
    );
    let high = Scene::new(Side::High);
    assert!(matches!(
        high.act(|tx, here| private_data(tx, &ada(), here, ASSET)),
        Err(Refusal::Denied(_))
    ));
}

#[test]
fn nothing_private_enters_the_asset_or_the_audit_chain() {
    let scene = Scene::new(Side::High);
    let id = bare(&scene);
    let before = records::object(&scene.view(), id.0).unwrap();
    let private = NewPrivateData {
        length: 123_456_789,
        ..new_private(table(&[("secret", ColumnType::Text)]))
    };
    scene
        .act(move |tx, here| attach(tx, &owner(), here, id, &private))
        .unwrap();
    assert_eq!(records::object(&scene.view(), id.0).unwrap(), before);
    let entries = crate::store::audit::entries_before(&scene.view(), None, 1).unwrap();
    let said = format!("{:?}", entries[0].fields.detail);
    assert!(!said.contains("123456789") && !said.contains("secret"), "{said}");
}

#[test]
fn between_detaching_and_attaching_there_is_no_private_data() {
    let scene = Scene::new(Side::High);
    let (_, asset) = find(&scene.view(), ASSET).unwrap();
    let mock = asset.mock.unwrap();
    let new = NewPrivateData {
        compared_with: Some(mock.blob),
        ..new_private(mock.schema)
    };
    scene
        .act(move |tx, here| detach(tx, &owner(), here, ASSET, &new))
        .unwrap();
    assert_eq!(
        scene
            .act(|tx, here| private_data(tx, &owner(), here, ASSET))
            .unwrap(),
        None
    );
    assert_eq!(scene.audited().last().unwrap(), "private_data.removed");
}

#[test]
fn an_asset_can_be_left_without_a_mock() {
    let scene = Scene::new(Side::Low);
    scene
        .act(|tx, here| remove_mock(tx, &owner(), here, ASSET))
        .unwrap();
    assert!(matches!(
        mock(&scene.view(), &owner().into(), ASSET),
        Err(Refusal::NotFound { .. })
    ));
}
