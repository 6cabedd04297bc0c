//! What does not fit into one bundle, and goes with the next.

use std::collections::BTreeSet;

use super::*;
use crate::acts::histories::courier::packed;
use crate::acts::outgoing::{self, Most, Wanted};
use crate::domain::id::BundleId;

#[test]
fn what_did_not_fit_goes_with_the_next_bundle_also_where_all_was_acknowledged_before() {
    let (low, high) = two();
    for name in ["ada", "bob", "eve"] {
        low.collaboration(name, &[]);
    }
    carry(&low, &high);
    acknowledge(&high, &low);
    let little = |full| {
        let wanted = Wanted {
            full,
            most: Most {
                record_bytes: 1,
                ..Most::default()
            },
            ..Wanted::default()
        };
        packed(&low, high.id.0, wanted).unwrap().records
    };
    // As after the other store was restored, or where a full bundle is wanted: all is owed anew.
    let mut carried: BTreeSet<Vec<u8>> = little(true).into_iter().collect();
    for _ in 1..6 {
        carried.extend(little(false));
    }
    assert_eq!(
        carried.len(),
        12,
        "each batch of three projects and requests went once"
    );
}

#[test]
fn blobs_that_did_not_fit_go_with_the_next_bundle() {
    let (low, high) = two();
    for name in ["one", "two", "three"] {
        let dataset = high.dataset(name);
        high.asset(dataset, name);
        high.publish(dataset, low.id.0);
    }
    // Each mock has ten bytes.
    let next = || {
        let (owner, id, peer) = (high.owner(), BundleId(high.fresh_id()), low.id.0);
        let wanted = Wanted {
            most: Most {
                blob_bytes: 25,
                ..Most::default()
            },
            ..Wanted::default()
        };
        let parcel = high.act(move |tx, here| outgoing::pack(tx, &owner, here, peer, &wanted, id));
        let parcel = parcel.unwrap();
        (parcel.blobs, parcel.left_over)
    };
    let ((first, left), (second, rest)) = (next(), next());
    assert_eq!((first.len(), left), (2, 1));
    assert_eq!(rest, 0, "what did not fit into the second is in the first");
    assert!(second.keys().any(|blob| !first.contains_key(blob)));
}

#[test]
fn a_batch_larger_than_any_bundle_crosses_in_several() {
    for first_is_lost in [false, true] {
        let (low, high) = two();
        let dataset = high.dataset("large");
        let assets = ["one", "two", "three", "four"].map(|name| high.asset(dataset, name));
        high.publish(dataset, low.id.0);
        // Each mock has ten bytes, and what must be one batch has forty.
        let next = || {
            let wanted = Wanted {
                most: Most {
                    blob_bytes: 25,
                    ..Most::default()
                },
                ..Wanted::default()
            };
            packed(&high, low.id.0, wanted).unwrap()
        };
        let (first, second) = (next(), next());
        assert_eq!((first.records.len(), second.records.len()), (3, 3));
        if !first_is_lost {
            ByHand.import(&low, &first).unwrap();
            low.apply_all(high.id.0);
        }
        ByHand.import(&low, &second).unwrap();
        low.apply_all(high.id.0);
        let here = || assets.iter().filter(|id| low.object(**id).is_some()).count();
        assert_eq!(here(), if first_is_lost { 2 } else { 4 });
        acknowledge(&low, &high);
        assert_eq!(owed(&high, &low).len(), if first_is_lost { 2 } else { 0 });
        ByHand.import(&low, &next()).unwrap();
        low.apply_all(high.id.0);
        acknowledge(&low, &high);
        assert_eq!((here(), owed(&high, &low).len()), (4, 0));
    }
}

#[test]
fn a_batch_that_was_split_is_over_once_bundles_under_way_carry_all_of_it() {
    let (low, high) = two();
    let dataset = high.dataset("large");
    for name in ["one", "two", "three"] {
        high.asset(dataset, name);
    }
    high.publish(dataset, low.id.0);
    // One mock of ten bytes fits into each.
    let left_over = || {
        let (owner, id, peer) = (high.owner(), BundleId(high.fresh_id()), low.id.0);
        let wanted = Wanted {
            most: Most {
                blob_bytes: 15,
                ..Most::default()
            },
            ..Wanted::default()
        };
        let parcel = high.act(move |tx, here| outgoing::pack(tx, &owner, here, peer, &wanted, id));
        parcel.unwrap().left_over
    };
    assert_eq!([left_over(), left_over(), left_over()], [1, 1, 0]);
}
