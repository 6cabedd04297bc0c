//! Pairing by voice, moving to new keys, and ending trust.

use poundlock_transport::{NodeIdentity, RotationStatement, Side};
use serde_json::{Value, json};

use crate::forge::{Outsider, Parts, keys};
use crate::node::Node;
use crate::person::{Person, word};
use crate::stage::identity;
use crate::watch::Watch;
use crate::world::{World, apply_all, import, inbox, pair, text, try_import};

fn peer(who: &Person, id: &str) -> Value {
    who.get(&format!("/peers/{id}"))
}

#[test]
fn nobody_is_trusted_whose_fingerprint_was_not_compared() {
    let node = Node::ready("high");
    let owner = Person::sign_in(node.address(), crate::node::OWNER, crate::node::PASSWORD);
    let (meant, exchanged) = (Outsider::new(Side::Low), Outsider::new(Side::Low));
    let file = exchanged.public().to_text();
    let introduced = owner.post_bytes("/peers", "text/plain", file.as_bytes());
    assert_eq!(introduced["trust"], "unconfirmed");
    let path = format!("/peers/{}", text(&introduced["id"]));
    // Whoever reads out the fingerprint of the file that was meant finds out.
    let own = identity(&owner);
    let read_out = poundlock_transport::Fingerprint::of_pair(&own, &meant.public()).groups();
    for wrong in [read_out.as_str(), "", "00000 00000"] {
        let refused = owner.try_post(&format!("{path}/confirmation"), &json!({ "fingerprint": wrong }));
        assert_eq!(
            (refused.0, word(&refused)),
            (409, "fingerprint_differs"),
            "{:#}",
            refused.1
        );
    }
    assert_eq!(owner.get(&path)["trust"], "unconfirmed");
    let exported = owner.try_post(&format!("{path}/exports"), &json!({}));
    assert_eq!((exported.0, word(&exported)), (409, "peer_unconfirmed"));
    let watch = Watch {
        node: &node,
        who: &owner,
    };
    let bundle = exchanged.bundle(&own, 1, Vec::new());
    watch.refuses("of an unconfirmed node", &bundle, "bundle_sender_unconfirmed");

    // A file that was changed on its way, one of this side, and this node's own.
    let changed = file.replace("outsider", "insider");
    let own_side = Outsider::new(Side::High).public().to_text();
    for (what, text, expected) in [
        ("changed", changed.as_bytes(), "identity_refused"),
        ("no text", b"\xff\xfe", "identity_refused"),
        ("no identity", b"hello", "identity_refused"),
        ("the same side", own_side.as_bytes(), "wrong_side"),
        ("its own", own.to_text().as_bytes(), "wrong_side"),
    ] {
        let refused = owner.try_post_bytes("/peers", "text/plain", text);
        assert_eq!(
            (refused.0, word(&refused)),
            (409, expected),
            "{what}: {:#}",
            refused.1
        );
    }
    let compared = json!({"fingerprint": introduced["fingerprint"]});
    owner.post(&format!("{path}/confirmation"), &compared);
    watch.accepts("once compared", &bundle, "received");
}

#[test]
fn a_node_moves_to_new_keys_and_loses_nothing_on_the_way() {
    let world = World::new();
    world.project();
    world.carry_up();
    let (old, high) = (keys(&world.low), identity(&world.owner));
    let before = identity(&world.low_owner);
    let under_way = world.export_down();
    let statement = world.low_owner.post_for_bytes("/node/rotation");
    let at_high = format!("/peers/{}", world.low_id);

    // What the old keys did not sign is no statement.
    let thief = Outsider::new(Side::Low);
    let stolen = NodeIdentity::generate(old.node(), Side::Low).unwrap();
    let announced = stolen.public(Some("low"), before.epoch()).unwrap();
    let forged = NodeIdentity::generate(old.node(), Side::Low).unwrap();
    let forged = RotationStatement::sign(&forged, &stolen, announced)
        .unwrap()
        .to_text();
    for (what, statement) in [
        ("forged", forged.into_bytes()),
        ("no statement", thief.public().to_text().into_bytes()),
    ] {
        let refused = world
            .owner
            .try_post_bytes(&format!("{at_high}/rotation"), "text/plain", &statement);
        assert_eq!((refused.0, word(&refused)), (409, "identity_refused"), "{what}");
    }

    // The new keys are not believed before they have been compared; the old ones are until then.
    let first = world.export_up();
    let early = try_import(&world.owner, &first);
    assert_eq!(
        (early.0, word(&early)),
        (409, "bundle_signature"),
        "{:#}",
        early.1
    );
    let proposed = world
        .owner
        .post_bytes(&format!("{at_high}/rotation"), "text/plain", &statement);
    let compared = proposed["successor_fingerprint"].clone();
    assert_eq!(
        compared,
        peer(&world.low_owner, &world.high_id)["fingerprint"],
        "what two people compare by voice"
    );
    let confirmation = format!("{at_high}/rotation/confirmation");
    let wrong = world
        .owner
        .try_post(&confirmation, &json!({"fingerprint": proposed["fingerprint"]}));
    assert_eq!((wrong.0, word(&wrong)), (409, "fingerprint_differs"));
    let still_old = try_import(&world.owner, &first);
    assert_eq!(word(&still_old), "bundle_signature");
    world.owner.post(&confirmation, &json!({"fingerprint": compared}));

    let brought = import(&world.owner, &first);
    assert_eq!(brought["state"], "received");
    let parts = Parts::open(&first, &identity(&world.low_owner), &keys(&world.high));
    let by_old = parts.next(|next| next.header.outgoing.sequence = 9.try_into().unwrap());
    let watch = Watch {
        node: &world.high,
        who: &world.owner,
    };
    watch.refuses(
        "under the old keys",
        &by_old.file(&old, &high),
        "bundle_signature",
    );
    // A bundle for the old keys that was under way is still read, and what comes after it too.
    import(&world.low_owner, &under_way);
    let after = world.export_down();
    let meant = Parts::open(&after, &high, &keys(&world.low));
    assert_eq!(
        meant.header.recipient.fingerprint,
        identity(&world.low_owner).fingerprint()
    );
    import(&world.low_owner, &after);

    // Revoked on one side: neither way.
    world.owner.delete(&at_high);
    let more = std::fs::read(world.export_up()).unwrap();
    watch.refuses("of a revoked peer", &more, "bundle_sender_revoked");
    let down = world.owner.try_post(&format!("{at_high}/exports"), &json!({}));
    assert_eq!((down.0, word(&down)), (409, "peer_revoked"));
    let back = world.owner.try_post_bytes(
        "/peers",
        "text/plain",
        identity(&world.low_owner).to_text().as_bytes(),
    );
    assert_eq!(
        back.1["trust"], "unconfirmed",
        "the fingerprint is compared once more: {:#}",
        back.1
    );
    watch.refuses(
        "of a peer that is not confirmed",
        &more,
        "bundle_sender_unconfirmed",
    );
    apply_all(&world.low_owner, &world.high_id);
}

/// Has both nodes end the pairing, as two owners would who are not sure of it any more.
fn revoke_both(world: &World) {
    world.owner.delete(&format!("/peers/{}", world.low_id));
    world.low_owner.delete(&format!("/peers/{}", world.high_id));
}

/// A request goes up, and what was released of it comes down.
fn round_trip(world: &World, project: &str, code: &str, reason: &str) {
    let request = world.request(project, code, reason);
    world.carry_up();
    world.approve(&request);
    let run = world.run(&request);
    world.release(&run, "result");
    world.carry_down();
    let released = world.scientist.get(&format!("/requests/{request}"));
    assert_eq!(
        released["releases"].as_array().map(Vec::len),
        Some(1),
        "{released:#}"
    );
    world.carry_up();
}

#[test]
fn a_revoked_pairing_is_begun_anew_with_the_same_keys_and_with_others() {
    let world = World::new();
    let project = world.project();
    let code = world.scientist.post(
        "/codes",
        &json!({
            "name": "one", "source": "def one(n):\n    return n\n", "entry_point": "one",
            "input_policy": {"n": {"constant": 1}}, "output_policy": {"execute_count": 3},
        }),
    );
    let code = text(&code["id"]);
    round_trip(&world, &project, &code, "before");
    // What waits in the inbox when the pairing ends counts as delivered on the other side.
    world.request(&project, &code, "waits");
    import(&world.owner, &world.export_up());
    import(&world.low_owner, &world.export_down());
    assert!(!inbox(&world.owner, &world.low_id).is_empty());
    world.request(&project, &code, "on its way");
    let [up, down] = [world.export_up(), world.export_down()].map(|file| std::fs::read(file).unwrap());

    let (at_high, at_low) = (
        Watch {
            node: &world.high,
            who: &world.owner,
        },
        Watch {
            node: &world.low,
            who: &world.low_owner,
        },
    );
    for (what, rotates) in [("same keys", false), ("new keys", true)] {
        revoke_both(&world);
        if rotates {
            // The statement is lost: nobody reads it.
            world.low_owner.post_for_bytes("/node/rotation");
        }
        at_high.refuses(what, &up, "bundle_sender_revoked");
        pair(&world.low_owner, &world.owner);
        assert!(inbox(&world.owner, &world.low_id).is_empty(), "{what}");
        let word = if rotates {
            "bundle_signature"
        } else {
            "bundle_for_another_epoch"
        };
        at_high.refuses(what, &up, word);
        at_low.refuses(what, &down, "bundle_for_another_epoch");
        let requests = world.scientist.get("/requests")["items"]
            .as_array()
            .unwrap()
            .len();
        round_trip(&world, &project, &code, what);
        let come = world.owner.get("/requests")["items"].as_array().unwrap().len();
        assert_eq!(come, requests + 1, "{what}: what waited has come again");
    }
}

#[test]
fn a_lost_statement_is_printed_again_and_missing_keys_are_named() {
    let mut node = Node::ready("low");
    assert_eq!(
        node.run(crate::node::OWNER, &["pair", "rotate", "--again"])
            .refused(1),
        "no_rotation"
    );
    let high = Node::ready("high");
    let [low_owner, owner] =
        [&node, &high].map(|node| Person::sign_in(node.address(), crate::node::OWNER, crate::node::PASSWORD));
    let (low_id, _) = pair(&low_owner, &owner);
    let [lost, found] = ["lost", "found"].map(|name| node.workplace.path().join(name).display().to_string());
    node.run(crate::node::OWNER, &["pair", "rotate", "--output", &lost])
        .json();
    let said = node.say(
        crate::node::OWNER,
        &["pair", "rotate", "--again", "--output", &found],
    );
    assert!(
        said.stdout.contains("accept-rotation"),
        "{}{}",
        said.stdout,
        said.stderr
    );
    let [lost, found] = [lost, found].map(|file| std::fs::read(file).unwrap());
    assert!(lost == found, "it is the same statement");
    let at_high = format!("/peers/{low_id}");
    let proposed = owner.post_bytes(&format!("{at_high}/rotation"), "text/plain", &found);
    let compared = json!({"fingerprint": proposed["successor_fingerprint"]});
    owner.post(&format!("{at_high}/rotation/confirmation"), &compared);

    let keys = node.folder().join("keys").join("node.key");
    std::fs::rename(&keys, keys.with_extension("away")).unwrap();
    for command in [["pair", "identity"], ["pair", "rotate"]] {
        let refused = node.run(crate::node::OWNER, &command);
        assert_eq!(refused.refused(1), "keys_missing", "{command:?}");
        assert!(refused.stderr.contains("from a backup"), "{}", refused.stderr);
    }
    node.stop();
    let checked = node.run(
        crate::node::OWNER,
        &["check", &node.folder().display().to_string()],
    );
    assert_eq!(checked.code, 1);
    assert!(
        checked.stderr.contains("keys/node.key"),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
    node.start();
    let log = std::fs::read_to_string(node.log()).unwrap();
    assert!(log.contains("keys/node.key"), "{log}");
}
