use super::*;
use crate::acts::scene::{ASSET, OTHER, Scene, ada, owner, word};
use crate::domain::asset::{DataFormat, Mock};
use crate::domain::hash::Hash;
use crate::domain::id::Epoch;
use crate::domain::peer::{Peer, Received, Trust};
use crate::domain::schema::Schema;
use crate::domain::side::Side;
use crate::store::tables::PEERS;

const PIMA: DatasetId = DatasetId(Uuid::from_u128(20));

/// A high node with a paired low one.
fn paired() -> Scene {
    let scene = Scene::new(Side::High);
    scene
        .act(|tx, _| Ok(tx.put(&PEERS, &OTHER.0, &peer(Trust::Paired))?))
        .unwrap();
    scene
}

fn peer(trust: Trust) -> Peer {
    Peer {
        node: OTHER,
        name: "low".into(),
        side: Level::Low,
        identity: String::new(),
        trust,
        successor: None,
        epoch: Epoch(Uuid::from_u128(9)),
        own_epoch: None,
        retired_epochs: Vec::new(),
        former_epochs: Vec::new(),
        unconfirmed_epoch: None,
        forked: false,
        last_sequence: 0,
        acknowledged: 0,
        received: Received::default(),
        audit_head: None,
    }
}

fn owed(scene: &Scene) -> Vec<Uuid> {
    let owed = scene.view().range_prefix(&OWED, &OTHER.0, None, 100).unwrap();
    owed.into_iter().map(|((_, object), _)| object).collect()
}

#[test]
fn a_peer_is_owed_what_is_published_to_it_and_nothing_else() {
    let scene = paired();
    assert!(owed(&scene).is_empty());
    scene
        .act(|tx, here| publish(tx, &owner(), here, PIMA, OTHER))
        .unwrap();
    assert_eq!(owed(&scene), [PIMA.0, ASSET.0]);
    let peers = scene.act(|tx, here| list(tx, &owner(), here, PIMA)).unwrap();
    assert_eq!(peers, [OTHER]);
    let entries = scene.audited().len();
    scene
        .act(|tx, here| publish(tx, &owner(), here, PIMA, OTHER))
        .unwrap();
    assert_eq!(scene.audited().len(), entries, "the second time changes nothing");
    scene
        .act(|tx, here| withdraw(tx, &owner(), here, PIMA, OTHER))
        .unwrap();
    assert!(owed(&scene).is_empty());
    assert!(matches!(
        scene.act(|tx, here| withdraw(tx, &owner(), here, PIMA, OTHER)),
        Err(Refusal::NotFound { .. })
    ));
}

#[test]
fn only_a_paired_peer_is_published_to() {
    let scene = paired();
    scene
        .act(|tx, _| Ok(tx.put(&PEERS, &OTHER.0, &peer(Trust::Unconfirmed))?))
        .unwrap();
    assert_eq!(
        word(scene.act(|tx, here| publish(tx, &owner(), here, PIMA, OTHER))),
        "peer_unconfirmed"
    );
    assert!(matches!(
        scene.act(|tx, here| publish(tx, &ada(), here, PIMA, OTHER)),
        Err(Refusal::Denied(_))
    ));
    let low = Scene::new(Side::Low);
    assert_eq!(
        word(low.act(|tx, here| publish(tx, &owner(), here, PIMA, OTHER))),
        "wrong_side"
    );
}

/// As if a dataset with an asset had come up from the low node.
fn low_born(scene: &Scene, id: u128) -> DatasetId {
    let (dataset, asset) = (Uuid::from_u128(id), Uuid::from_u128(id + 1));
    scene
        .act(move |tx, here| {
            let elsewhere = Here {
                node: OTHER,
                side: Side::Low,
                ..*here
            };
            let draft = crate::domain::dataset::DatasetDraft {
                name: "Lungs".into(),
                ..Default::default()
            };
            let body = crate::domain::dataset::Dataset::new(&draft)?;
            records::write(
                tx,
                &elsewhere,
                dataset,
                crate::domain::object::Body::Dataset(body),
                false,
            )?;
            let body = crate::domain::asset::Asset::new(DatasetId(dataset), "all", "")?;
            records::write(
                tx,
                &elsewhere,
                asset,
                crate::domain::object::Body::Asset(body),
                false,
            )?;
            Ok(())
        })
        .unwrap();
    DatasetId(dataset)
}

#[test]
fn an_adopted_dataset_keeps_its_ids_and_travels_back_down() {
    let scene = paired();
    let lungs = low_born(&scene, 200);
    scene
        .act(move |tx, _| {
            tx.delete(&OWED, &(OTHER.0, lungs.0))?;
            Ok(())
        })
        .unwrap();
    assert_eq!(
        word(scene.act(move |tx, here| publish(tx, &owner(), here, lungs, OTHER))),
        "not_the_home"
    );
    let adopted = scene
        .act(move |tx, here| adopt(tx, &owner(), here, lungs))
        .unwrap();
    assert_eq!((adopted.id, adopted.revision.number), (lungs.0, 2));
    let asset = records::object(&scene.view(), Uuid::from_u128(201))
        .unwrap()
        .unwrap();
    assert_eq!((asset.home, asset.revision.number), (adopted.home, 2));
    assert_eq!(owed(&scene), [lungs.0, asset.id]);
    assert_eq!(scene.audited().last().unwrap(), "dataset.adopted");
    assert_eq!(
        word(scene.act(move |tx, here| adopt(tx, &owner(), here, lungs))),
        "at_home"
    );
}

#[test]
fn private_data_may_be_attached_behind_an_adopted_mock_of_its_rows() {
    let scene = paired();
    let lungs = low_born(&scene, 200);
    let asset = AssetId(Uuid::from_u128(201));
    let schema = Schema::Tensor {
        dtype: "float64".into(),
        shape: vec![4, 2],
    };
    let mock = Mock {
        blob: Hash::of(b"from below"),
        length: 9,
        format: DataFormat::Npy,
        schema: schema.clone(),
        is_real: false,
    };
    let compared_with = Some(mock.blob);
    scene
        .act(move |tx, here| {
            let elsewhere = Here { node: OTHER, ..*here };
            let mut body = Asset::new(lungs, "all", "")?;
            body.mock = Some(mock);
            records::write(tx, &elsewhere, asset.0, Body::Asset(body), false)?;
            adopt(tx, &owner(), here, lungs)
        })
        .unwrap();
    let private = assets::NewPrivateData {
        format: DataFormat::Npy,
        length: 9,
        hash: Hash::of(b"private"),
        schema,
        rows_shared: 4,
        compared_with,
    };
    let attached = scene
        .act(move |tx, here| assets::attach(tx, &owner(), here, asset, &private))
        .unwrap();
    assert_eq!(attached.rows_shared_with_mock, 4, "it is told");
}

/// As if the low node had added an asset to a dataset before it knew that this node has taken it over.
fn joined(scene: &Scene, dataset: DatasetId, id: u128, name: &'static str) {
    scene
        .act(move |tx, here| {
            let elsewhere = Here { node: OTHER, ..*here };
            let body = Body::Asset(crate::domain::asset::Asset::new(dataset, name, "")?);
            records::write(tx, &elsewhere, Uuid::from_u128(id), body, false)?;
            Ok(())
        })
        .unwrap();
}

#[test]
fn assets_that_joined_an_adopted_dataset_are_taken_over_too() {
    let scene = paired();
    let lungs = low_born(&scene, 200);
    scene
        .act(move |tx, here| adopt(tx, &owner(), here, lungs))
        .unwrap();
    joined(&scene, lungs, 300, "late");
    // Under a name that is taken here: neither could be deleted or renamed.
    joined(&scene, lungs, 301, "ALL");
    let delete = |scene: &Scene| scene.act(move |tx, here| datasets::delete(tx, &owner(), here, lungs));
    assert!(delete(&scene).is_err(), "it holds what is another node's");
    scene
        .act(move |tx, here| withdraw(tx, &owner(), here, lungs, OTHER))
        .unwrap();

    let adopted = scene
        .act(move |tx, here| adopt(tx, &owner(), here, lungs))
        .unwrap();
    assert_eq!(adopted.revision.number, 2, "the dataset itself does not change");
    let late = |id| {
        records::object(&scene.view(), Uuid::from_u128(id))
            .unwrap()
            .unwrap()
    };
    for (id, name) in [(300, "late"), (301, "ALL (2)")] {
        assert_eq!((late(id).home, late(id).revision.number), (adopted.home, 2));
        assert_eq!(late(id).body.title(), name);
    }
    let ids = [200, 201, 300, 301].map(Uuid::from_u128);
    assert_eq!(owed(&scene), ids, "it goes again to where they came from");
    let entries = scene.audited();
    assert_eq!(
        entries.iter().filter(|word| *word == "dataset.adopted").count(),
        2
    );
    assert_eq!(
        word(scene.act(move |tx, here| adopt(tx, &owner(), here, lungs))),
        "at_home"
    );
    delete(&scene).unwrap();
    assert!(ids.map(|id| records::object(&scene.view(), id).unwrap().unwrap().deleted) == [true; 4]);
}
