use ed25519_dalek::SigningKey;
use uuid::Uuid;

use super::*;
use crate::acts::requests::{self, Draft};
use crate::acts::scene::{ASSET, Scene, ada, draft, eve, officer, owner, submitted, word};
use crate::domain::code::Code;
use crate::domain::decision::Verdict;
use crate::domain::id::{CodeId, RequestId};
use crate::domain::key_pins::Standing;
use crate::domain::policy::OutputPolicy;
use crate::domain::side::Side;
use crate::domain::user::Profile;

const ONCE: OutputPolicy = OutputPolicy::SingleExecution;
const CODE: CodeId = CodeId(Uuid::from_u128(40));
const REQUEST: RequestId = RequestId(Uuid::from_u128(50));

fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn key(seed: u8) -> VerifyKey {
    VerifyKey::from(&secret(seed))
}

/// A node where Ada has an account.
fn scene(side: Side) -> Scene {
    let scene = Scene::new(side);
    let profile = Profile {
        name: "Ada".into(),
        email: "ada@example.org".into(),
        ..Profile::default()
    };
    let user = User::new(&profile).unwrap();
    scene
        .act(move |tx, here| Ok(records::write(tx, here, ada().user.0, Body::User(user), false)?))
        .unwrap();
    scene
}

fn registering(scene: &Scene, actor: Actor, seed: u8) -> Result<VerifyKey, Refusal> {
    let proof = Statement::of_key(actor.user, &key(seed)).sign(&secret(seed));
    scene.act(move |tx, here| register(tx, &actor, here, key(seed), &proof))
}

fn accepting(scene: &Scene, actor: Actor, seed: Option<u8>) -> Result<Known, Refusal> {
    let fingerprint = seed.map(|seed| key(seed).fingerprint().to_string());
    scene.act(move |tx, here| accept(tx, &actor, here, ada().user, fingerprint.as_deref()))
}

fn code() -> Code {
    submitted(&ada(), ONCE, ASSET).into_parts().0
}

/// Submits Ada's code, signed by a key.
fn submitting(scene: &Scene, seed: u8) -> Result<(), Refusal> {
    let signature = Statement::of_code(&code()).sign(&secret(seed));
    let code = submitted(&ada(), ONCE, ASSET).signed(Some(signature));
    scene
        .act(move |tx, here| requests::submit_code(tx, &ada(), here, CODE, code))
        .map(drop)
}

fn signed_draft(id: RequestId, revision: u64, seed: u8) -> Draft {
    let unsigned = draft(CODE);
    let request =
        crate::domain::request::Request::new(unsigned.project, CODE, ada().user, &unsigned.reason, None)
            .unwrap();
    let statement = Statement::of_request(id, revision, &request, &code());
    Draft {
        signature: Some(statement.sign(&secret(seed))),
        ..unsigned
    }
}

#[test]
fn a_key_is_registered_with_a_proof_pinned_changed_and_removed() {
    let scene = scene(Side::Low);
    let proof = Statement::of_key(eve().user, &key(1)).sign(&secret(1));
    let anothers = scene.act(move |tx, here| register(tx, &ada(), here, key(1), &proof));
    assert_eq!(
        word(anothers),
        "signature_refused",
        "a proof made for another user"
    );
    assert_eq!(registered(&scene.view(), ada().user).unwrap(), None);

    registering(&scene, ada(), 1).unwrap();
    registering(&scene, ada(), 1).unwrap();
    assert_eq!(registered(&scene.view(), ada().user).unwrap(), Some(key(1)));
    registering(&scene, ada(), 2).unwrap();
    scene.act(|tx, here| remove(tx, &ada(), here)).unwrap();
    assert_eq!(
        word(scene.act(|tx, here| remove(tx, &ada(), here))),
        "no_verify_key"
    );
    let audited: Vec<_> = scene.audited();
    let of_keys: Vec<_> = audited
        .iter()
        .filter(|action| action.starts_with("verify_key"))
        .collect();
    assert_eq!(
        of_keys,
        [
            "verify_key.registered",
            "verify_key.pinned",
            "verify_key.changed",
            "verify_key.change_seen",
            "verify_key.removed",
            "verify_key.change_seen"
        ]
    );
    let pins = pins(&scene.view(), ada().user).unwrap();
    assert_eq!(pins.present().unwrap().key, Some(key(1)));
    assert_eq!(pins.change.unwrap().key, None);
}

#[test]
fn a_change_is_accepted_by_whoever_triages_and_never_by_oneself() {
    let scene = scene(Side::Solo);
    registering(&scene, ada(), 1).unwrap();
    assert_eq!(word(accepting(&scene, owner(), Some(1))), "no_key_change");
    registering(&scene, ada(), 2).unwrap();
    assert!(matches!(
        accepting(&scene, eve(), Some(2)),
        Err(Refusal::Denied(_))
    ));
    let herself = Actor {
        user: ada().user,
        ..owner()
    };
    assert_eq!(word(accepting(&scene, herself, Some(2))), "own_key");
    assert_eq!(word(accepting(&scene, officer(), Some(3))), "fingerprint_differs");
    assert_eq!(word(accepting(&scene, officer(), None)), "fingerprint_differs");
    let known = accepting(&scene, officer(), Some(2)).unwrap();
    assert_eq!(known.pins.present().unwrap().key, Some(key(2)));
    assert_eq!(
        known.pins.present().unwrap().accepted_by.as_ref().unwrap().name,
        "Carl"
    );
    assert_eq!(scene.audited().last().unwrap(), "verify_key.accepted");

    scene.act(|tx, here| remove(tx, &ada(), here)).unwrap();
    let (changed, next) = list(&scene.view(), &officer(), true, None, 10).unwrap();
    assert_eq!((changed.len(), next), (1, None));
    assert_eq!(word(accepting(&scene, owner(), Some(2))), "fingerprint_differs");
    accepting(&scene, owner(), None).unwrap();
    assert!(
        list(&scene.view(), &officer(), true, None, 10)
            .unwrap()
            .0
            .is_empty()
    );
    assert!(list(&scene.view(), &ada(), true, None, 10).is_err());
    assert!(matches!(
        known_of(&scene, eve().user),
        Err(Refusal::NotFound { .. })
    ));
}

fn known_of(scene: &Scene, user: UserId) -> Result<Known, Refusal> {
    known(&scene.view(), &owner(), user)
}

#[test]
fn the_list_comes_in_pages() {
    let scene = scene(Side::High);
    for number in 0..5u128 {
        let user = User {
            verify_key: Some(key(1)),
            ..person(&scene.view(), ada().user).unwrap().unwrap()
        };
        let id = UserId(Uuid::from_u128(1000 + number));
        scene
            .act(move |tx, here| saw(tx, here, audit::Actor::Node, id, &user, None))
            .unwrap();
    }
    let view = scene.view();
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (found, next) = list(&view, &owner(), false, after, 2).unwrap();
        assert!(found.len() <= 2);
        all.extend(found.into_iter().map(|known| known.user.0.as_u128()));
        after = next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(all, [1000, 1001, 1002, 1003, 1004]);
}

#[test]
fn what_is_submitted_with_a_signature_must_hold() {
    let scene = scene(Side::Low);
    assert_eq!(word(submitting(&scene, 1)), "no_verify_key");
    registering(&scene, ada(), 1).unwrap();
    assert_eq!(word(submitting(&scene, 2)), "signature_refused");
    submitting(&scene, 1).unwrap();

    let ask = |draft: Draft, id: RequestId| {
        scene.act(move |tx, here| requests::create(tx, &ada(), here, id, &draft))
    };
    assert_eq!(
        word(ask(signed_draft(REQUEST, 1, 2), REQUEST)),
        "signature_refused"
    );
    assert_eq!(
        word(ask(signed_draft(REQUEST, 2, 1), REQUEST)),
        "signature_refused",
        "a first revision has the number 1"
    );
    let other = RequestId(Uuid::from_u128(51));
    assert_eq!(
        word(ask(signed_draft(REQUEST, 1, 1), other)),
        "signature_refused",
        "signed under another id"
    );
    ask(signed_draft(REQUEST, 1, 1), REQUEST).unwrap();
    assert_eq!(word(ask(signed_draft(REQUEST, 1, 1), REQUEST)), "id_taken");

    let seen = scene.look(&ada(), REQUEST).unwrap();
    assert!(matches!(seen.signed, Standing::Valid { .. }), "{}", seen.signed);
    assert!(
        matches!(seen.code_signed(), Some(Standing::Valid { .. })),
        "{:?}",
        seen.code_signed()
    );
    // Taken back without a signature: the old one does not stay on.
    scene
        .act(|tx, here| requests::withdraw(tx, &ada(), here, REQUEST, None))
        .unwrap();
    let seen = scene.look(&ada(), REQUEST).unwrap();
    assert!(seen.request.body.signature.is_none());
    assert!(matches!(seen.signed, Standing::UnsignedButExpected { .. }));
}

#[test]
fn what_bears_a_false_signature_is_not_approved() {
    for side in [Side::High, Side::Solo, Side::Low] {
        refuses_a_false_signature(&scene(side));
    }
}

fn refuses_a_false_signature(scene: &Scene) {
    registering(scene, ada(), 1).unwrap();
    submitting(scene, 1).unwrap();
    let draft = signed_draft(REQUEST, 1, 1);
    scene
        .act(move |tx, here| requests::create(tx, &ada(), here, REQUEST, &draft))
        .unwrap();
    let honest = records::object(&scene.view(), REQUEST.0).unwrap().unwrap();
    let Body::Request(mut request) = honest.body.clone() else {
        panic!("no request")
    };
    request.reason = "to sell it".into();
    scene
        .act(move |tx, here| {
            Ok(records::write(
                tx,
                here,
                REQUEST.0,
                Body::Request(request),
                false,
            )?)
        })
        .unwrap();
    let refused = scene.decide(owner(), REQUEST, Verdict::Approve);
    let why = if scene.holds_private_data() {
        "signature_invalid"
    } else {
        "not_approved_here"
    };
    assert_eq!(word(refused), why);
    scene
        .decide(owner(), REQUEST, Verdict::deny("forged").unwrap())
        .unwrap();
}
