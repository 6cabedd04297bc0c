//! A low side that was broken into, against a high side that trusts only its own check.

use ed25519_dalek::SigningKey;
use jiff::Timestamp;

use super::*;
use crate::acts::histories::courier::carry;
use crate::acts::histories::courier::{ByHand, Courier, export};
use crate::acts::histories::node::{Node, pair};
use crate::acts::requests;
use crate::domain::id::ProjectId;
use crate::domain::object::Kind;
use crate::domain::policy::Binding;
use crate::domain::request::Subject;
use crate::domain::side::Level;
use crate::domain::user::User;
use crate::store::records::Here;
use crate::store::tables::{KEY_PINS, NAMES};

fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn key(seed: u8) -> VerifyKey {
    VerifyKey::from(&secret(seed))
}

fn sign(seed: u8, statement: &Statement) -> Option<Signature> {
    Some(Signature {
        key: key(seed),
        bytes: statement.sign(&secret(seed)),
    })
}

/// What a scientist signs, with the key `seed`, on the node that holds it: the code, and the request as its next revision.
fn sign_all(low: &Node, seed: u8, code: Uuid, request: Uuid) {
    low.edit(code, |body| {
        if let Body::Code(code) = body {
            code.signature = sign(seed, &Statement::of_code(code));
        }
    });
    let (number, code) = (
        low.object(request).unwrap().revision.number + 1,
        the_code(low, code),
    );
    low.edit(request, |body| {
        if let Body::Request(asked) = body {
            let statement = Statement::of_request(RequestId(request), number, asked, &code);
            asked.signature = sign(seed, &statement);
        }
    });
}

fn the_code(node: &Node, code: Uuid) -> Code {
    match node.object(code).unwrap().body {
        Body::Code(code) => code,
        _ => panic!("no code"),
    }
}

fn the_request(node: &Node, request: Uuid) -> Request {
    match node.object(request).unwrap().body {
        Body::Request(request) => request,
        _ => panic!("no request"),
    }
}

fn set_key(low: &Node, user: Uuid, key: Option<VerifyKey>) {
    low.edit(user, |body| {
        if let Body::User(user) = body {
            user.verify_key = key;
        }
    });
}

/// A pair of nodes, and a scientist with the key 1 who has signed code and a request. All is on the low side still.
struct Lock {
    low: Node,
    high: Node,
    user: Uuid,
    project: Uuid,
    code: Uuid,
    request: Uuid,
}

impl Lock {
    fn new() -> Self {
        let (low, high) = (Node::new(1, Level::Low), Node::new(3, Level::High));
        pair(&low, &high);
        let [user, project, code, request] = low.collaboration("ada", &[]);
        set_key(&low, user, Some(key(1)));
        sign_all(&low, 1, code, request);
        Self {
            low,
            high,
            user,
            project,
            code,
            request,
        }
    }

    /// Brings a second person of the first one's address, with a key or none, and a request of theirs.
    fn twin(&self, seed: Option<u8>) -> (Uuid, Uuid) {
        let Body::User(ada) = self.low.object(self.user).unwrap().body else {
            panic!("no user");
        };
        // Whoever has broken into a node is not held up by what it checks.
        let address = (self.low.id.0, Kind::User as u8, Uuid::nil(), ada.email.folded());
        self.low
            .act(move |tx, _| -> Result<(), Refusal> { Ok(tx.delete(&NAMES, &address)?) })
            .unwrap();
        let user = self.low.write(Body::User(User {
            verify_key: seed.map(key),
            ..ada
        }));
        let project = self.low.project(&format!("another {seed:?}"), &[user]);
        let code = self.low.code(user, &[]);
        let request = self.low.request(project, code, user);
        if let Some(seed) = seed {
            sign_all(&self.low, seed, code, request);
        }
        self.bring();
        (user, request)
    }

    /// Carries all, without applying it.
    fn bring(&self) {
        ByHand.import(&self.high, &export(&self.low, &self.high)).unwrap();
    }

    /// How what waits would stand.
    fn pending(&self, id: Uuid) -> &'static str {
        let standing = on_pending(&self.high.view(), self.low.id.0, id).unwrap();
        standing.map_or("-", |standing| standing.word())
    }

    /// How a request that was applied stands, and its code.
    fn applied(&self, request: Uuid) -> (&'static str, &'static str) {
        let view = view(&self.high, request);
        (view.signed.word(), view.code_signed().map_or("-", Standing::word))
    }

    /// Has the low side lie, brings the lie up, and tells how it is shown before and after it is applied.
    fn lie(&self, id: Uuid, change: impl FnOnce(&mut Body)) -> (&'static str, &'static str) {
        self.low.edit(id, change);
        self.bring();
        let waiting = self.pending(id);
        self.high.apply_all(self.low.id.0);
        (waiting, self.applied(self.request).0)
    }
}

/// A request as the owner of a node sees it.
fn view(node: &Node, request: Uuid) -> requests::View {
    let read = node.view();
    let here = Here::at(&read, Timestamp::UNIX_EPOCH, [0; 32]).unwrap();
    requests::view(&read, &node.owner(), &here, RequestId(request)).unwrap()
}

#[test]
fn the_first_signature_arrives_with_its_key() {
    let lock = Lock::new();
    lock.bring();
    assert_eq!(lock.pending(lock.request), "valid_by_first_key");
    assert_eq!(lock.pending(lock.code), "valid_by_first_key");
    assert_eq!(lock.pending(lock.project), "-");
    let news = key_news(&lock.high.view(), lock.low.id.0, lock.user).unwrap();
    assert_eq!(news, Some(KeyNews::First(key(1))));
    lock.high.apply_all(lock.low.id.0);
    assert_eq!(lock.applied(lock.request), ("valid", "valid"));
    let pins = keys::pins(&lock.high.view(), UserId(lock.user)).unwrap();
    let pin = pins.present().unwrap();
    assert_eq!(pin.name, "ada");
    assert_eq!(pin.carrier.unwrap().bundle, 1);
}

#[test]
fn another_reason_under_an_old_signature_is_invalid() {
    let lock = Lock::new();
    carry(&lock.low, &lock.high);
    let shown = lock.lie(lock.request, |body| {
        if let Body::Request(request) = body {
            request.reason = "to sell it".into();
        }
    });
    assert_eq!(shown, ("invalid", "invalid"));
}

#[test]
fn an_old_revision_that_is_played_again_is_invalid() {
    let lock = Lock::new();
    let first = the_request(&lock.low, lock.request);
    carry(&lock.low, &lock.high);
    // Taken back, signed, and carried.
    let (id, code) = (RequestId(lock.request), the_code(&lock.low, lock.code));
    let number = lock.low.object(lock.request).unwrap().revision.number + 1;
    let shown = lock.lie(lock.request, |body| {
        if let Body::Request(request) = body {
            request.withdrawn = true;
            request.signature = sign(1, &Statement::of_request(id, number, request, &code));
        }
    });
    assert_eq!(shown, ("valid", "valid"));
    let shown = lock.lie(lock.request, |body| *body = Body::Request(first));
    assert_eq!(shown, ("invalid", "invalid"));
}

#[test]
fn a_signature_that_is_moved_is_invalid() {
    let lock = Lock::new();
    carry(&lock.low, &lock.high);
    // To a second request, to another project, and to another person.
    let again = lock
        .low
        .write(Body::Request(the_request(&lock.low, lock.request)));
    let elsewhere = lock.low.project("other", &[lock.user]);
    lock.bring();
    assert_eq!(lock.pending(again), "invalid");
    let moved = lock.lie(lock.request, |body| {
        if let Body::Request(request) = body
            && let Subject::Run { project, .. } = &mut request.subject
        {
            *project = ProjectId(elsewhere);
        }
    });
    assert_eq!(moved.0, "invalid");
    let other = lock.low.user("eve");
    set_key(&lock.low, other, Some(key(1)));
    let stolen = lock.lie(lock.code, |body| {
        if let Body::Code(code) = body {
            code.author = UserId(other);
        }
    });
    assert_eq!(stolen.0, "invalid");
}

#[test]
fn other_code_under_a_signed_request_is_invalid_even_if_it_is_signed_too() {
    let lock = Lock::new();
    carry(&lock.low, &lock.high);
    let second = lock.low.code(lock.user, &[]);
    sign_code(&lock.low, second);
    // The request names the second code …
    let shown = lock.lie(lock.request, |body| {
        if let Body::Request(request) = body
            && let Subject::Run { code, .. } = &mut request.subject
        {
            *code = crate::domain::id::CodeId(second);
        }
    });
    assert_eq!(shown, ("invalid", "invalid"));
    // … or the second code takes the place of the first.
    let lock = Lock::new();
    carry(&lock.low, &lock.high);
    let second = lock.low.code(lock.user, &[]);
    sign_code(&lock.low, second);
    let second = the_code(&lock.low, second);
    let shown = lock.lie(lock.code, |body| *body = Body::Code(second));
    assert_eq!(
        shown,
        ("valid", "invalid"),
        "the code is theirs, the request for it is not"
    );
}

fn sign_code(low: &Node, code: Uuid) {
    low.edit(code, |body| {
        if let Body::Code(code) = body {
            code.signature = sign(1, &Statement::of_code(code));
        }
    });
}

#[test]
fn another_policy_under_signed_code_is_invalid() {
    let lock = Lock::new();
    carry(&lock.low, &lock.high);
    let shown = lock.lie(lock.code, |body| {
        if let Body::Code(code) = body {
            let more = Binding::Constant("9".into());
            code.input_policy.parameters.insert("more".into(), more);
            let (source, entry) = (code.source.clone(), code.entry_point.clone());
            let signature = code.signature;
            let (input, output) = (code.input_policy.clone(), code.output_policy);
            *code = Code::new(&code.name, code.author, &source, &entry, input, output).unwrap();
            code.signature = signature;
        }
    });
    assert_eq!(shown, ("invalid", "invalid"));
}

#[test]
fn a_signature_that_was_taken_off_is_missed() {
    let lock = Lock::new();
    carry(&lock.low, &lock.high);
    let shown = lock.lie(lock.request, |body| {
        if let Body::Request(request) = body {
            request.signature = None;
            request.reason = "to sell it".into();
        }
    });
    assert_eq!(shown, ("unsigned_but_expected", "unsigned_but_expected"));
    // Taking the key off as well does not help.
    set_key(&lock.low, lock.user, None);
    let invented = lock.low.request(lock.project, lock.code, lock.user);
    lock.bring();
    let news = key_news(&lock.high.view(), lock.low.id.0, lock.user).unwrap();
    assert_eq!(
        news,
        Some(KeyNews::Changed {
            now: None,
            pinned: Some(key(1))
        })
    );
    lock.high.apply_all(lock.low.id.0);
    assert_eq!(lock.applied(invented).0, "unsigned_but_expected");
}

#[test]
fn a_key_of_the_intruders_is_a_change_and_confirms_nothing() {
    let lock = Lock::new();
    carry(&lock.low, &lock.high);
    set_key(&lock.low, lock.user, Some(key(66)));
    let invented = lock.low.request(lock.project, lock.code, lock.user);
    sign_all(&lock.low, 66, lock.code, invented);
    lock.bring();
    assert_eq!(lock.pending(invented), "valid_by_unconfirmed_key");
    let news = key_news(&lock.high.view(), lock.low.id.0, lock.user).unwrap();
    assert_eq!(
        news,
        Some(KeyNews::Changed {
            now: Some(key(66)),
            pinned: Some(key(1))
        })
    );
    lock.high.apply_all(lock.low.id.0);
    assert_eq!(
        lock.applied(invented),
        ("valid_by_unconfirmed_key", "valid_by_unconfirmed_key")
    );
    // Sam calls back: it was not theirs. The pinned key counts on, also once the record has it again.
    set_key(&lock.low, lock.user, Some(key(1)));
    carry(&lock.low, &lock.high);
    assert_eq!(
        lock.applied(invented),
        ("valid_by_unconfirmed_key", "valid_by_unconfirmed_key")
    );
    let pins = keys::pins(&lock.high.view(), UserId(lock.user)).unwrap();
    assert_eq!((pins.pins.len(), pins.change), (1, None));
}

#[test]
fn a_name_that_is_changed_later_does_not_take_the_keys_good_name_with_it() {
    let lock = Lock::new();
    carry(&lock.low, &lock.high);
    lock.low.edit(lock.user, |body| {
        if let Body::User(user) = body {
            user.name = "Prof. Dr. Important".into();
        }
    });
    carry(&lock.low, &lock.high);
    let view = view(&lock.high, lock.request);
    let Standing::Valid { by } = view.signed else {
        panic!("{}", view.signed)
    };
    assert_eq!(by.name, "ada");
}

#[test]
fn what_came_before_the_key_was_not_to_be_signed() {
    let (low, high) = (Node::new(1, Level::Low), Node::new(3, Level::High));
    pair(&low, &high);
    let [user, project, code, early] = low.collaboration("ada", &[]);
    carry(&low, &high);
    set_key(&low, user, Some(key(1)));
    let late = low.request(project, code, user);
    carry(&low, &high);
    let shown = |id: Uuid| {
        let view = view(&high, id);
        view.signed.word()
    };
    assert_eq!((shown(early), shown(late)), ("unsigned", "unsigned_but_expected"));
}

#[test]
fn a_request_whose_code_has_not_arrived_is_not_judged() {
    let lock = Lock::new();
    let mut bundle = export(&lock.low, &lock.high);
    bundle
        .records
        .retain(|record| crate::acts::inbox::decode(lock.high.level, record).unwrap().id != lock.code);
    ByHand.import(&lock.high, &bundle).unwrap();
    assert_eq!(lock.pending(lock.request), "unchecked");
}

#[test]
fn a_second_person_of_the_same_address_is_no_first_one() {
    let lock = Lock::new();
    carry(&lock.low, &lock.high);
    let news = |user| key_news(&lock.high.view(), lock.low.id.0, user).unwrap();
    for (seed, standing) in [
        (Some(2), "valid_by_unconfirmed_key"),
        (None, "unsigned_but_expected"),
    ] {
        let (user, request) = lock.twin(seed);
        let changed = KeyNews::Changed {
            now: seed.map(key),
            pinned: Some(key(1)),
        };
        assert_eq!(news(user), Some(changed));
        assert_eq!(lock.pending(request), standing);
        lock.high.apply_all(lock.low.id.0);
        assert_eq!(lock.applied(request).0, standing);
        let pins = keys::pins(&lock.high.view(), UserId(user)).unwrap();
        assert_eq!((pins.pins.len(), pins.namesake), (0, Some(UserId(lock.user))));
        assert_eq!(pins.change.unwrap().key, seed.map(key));
        // A person with a new account says so by voice, and is known from then on.
        let (officer, typed) = (
            lock.high.person(7),
            seed.map(|seed| key(seed).fingerprint().to_string()),
        );
        lock.high
            .act(move |tx, here| keys::accept(tx, &officer, here, UserId(user), typed.as_deref()))
            .unwrap();
        let after = if seed.is_some() { "valid" } else { "unsigned" };
        assert_eq!(lock.applied(request).0, after);
    }
    // Another low node's person of that address is somebody else.
    let other = Node::new(2, Level::Low);
    pair(&other, &lock.high);
    let [user, ..] = other.collaboration("ada", &[]);
    set_key(&other, user, Some(key(3)));
    ByHand.import(&lock.high, &export(&other, &lock.high)).unwrap();
    assert_eq!(
        key_news(&lock.high.view(), other.id.0, user).unwrap(),
        Some(KeyNews::First(key(3)))
    );
}

#[test]
fn a_second_person_is_nobodys_first_one_by_another_address_either() {
    let lock = Lock::new();
    carry(&lock.low, &lock.high);
    let (user, request) = lock.twin(Some(2));
    lock.high.apply_all(lock.low.id.0);
    lock.low.edit(user, |body| {
        if let Body::User(user) = body {
            user.email = crate::domain::user::Email::parse("email", "other@example.net").unwrap();
        }
    });
    lock.bring();
    let changed = KeyNews::Changed {
        now: Some(key(2)),
        pinned: Some(key(1)),
    };
    let news = key_news(&lock.high.view(), lock.low.id.0, user).unwrap();
    assert_eq!(news, Some(changed));
    lock.high.apply_all(lock.low.id.0);
    let pins = keys::pins(&lock.high.view(), UserId(user)).unwrap();
    assert_eq!((pins.pins.len(), pins.namesake), (0, Some(UserId(lock.user))));
    assert_eq!(lock.applied(request).0, "valid_by_unconfirmed_key");
}

#[test]
fn a_clock_that_was_set_back_makes_no_former_key_valid() {
    let lock = Lock::new();
    carry(&lock.low, &lock.high);
    set_key(&lock.low, lock.user, Some(key(2)));
    carry(&lock.low, &lock.high);
    let (officer, typed, user) = (
        lock.high.person(7),
        key(2).fingerprint().to_string(),
        UserId(lock.user),
    );
    lock.high
        .act(move |tx, here| {
            let known = keys::accept(tx, &officer, here, user, Some(&typed))?;
            // All that was before now is in what is the future by the clock.
            let mut pins = known.pins;
            for pin in &mut pins.pins {
                pin.at = pin.at.checked_add(jiff::SignedDuration::from_hours(24)).unwrap();
            }
            Ok::<_, Refusal>(tx.put(&KEY_PINS, &user.0, &pins)?)
        })
        .unwrap();
    // The first key was stolen, and what it signs comes now.
    let [code, request] = [
        lock.low.code(lock.user, &[]),
        lock.low
            .write(Body::Request(the_request(&lock.low, lock.request))),
    ];
    lock.low.edit(request, |body| {
        if let Body::Request(asked) = body
            && let Subject::Run { code: asks, .. } = &mut asked.subject
        {
            *asks = crate::domain::id::CodeId(code);
        }
    });
    sign_all(&lock.low, 1, code, request);
    carry(&lock.low, &lock.high);
    assert_eq!(
        lock.applied(request),
        ("valid_by_former_key", "valid_by_former_key")
    );
    let unsigned = lock.low.request(lock.project, code, lock.user);
    carry(&lock.low, &lock.high);
    assert_eq!(lock.applied(unsigned).0, "unsigned_but_expected");
}
