use uuid::Uuid;

use super::*;
use crate::acts::Refusal;
use crate::acts::scene::{PROJECT, Scene, ada, owner, succeeded};
use crate::domain::decision::Verdict;
use crate::domain::hash::Hash;
use crate::domain::object::Kind;
use crate::domain::policy::OutputPolicy;
use crate::domain::side::Side;
use crate::store::tables::{
    BY_KIND, CHILDREN, HISTORY, JOURNAL, MAILBOXES, NAMES, OBJECTS, OUTBOX, REQUESTS_OPEN,
    RESULTS_UNRELEASED, RUNS, RUNS_APART, RUNS_OF, RUNS_OPEN, SESSIONS_OF, UNREAD,
};
use crate::store::transaction::Tx;

/// A high node where something has happened of everything.
fn lived_in() -> Scene {
    let scene = Scene::new(Side::High);
    let code = scene.code(40, OutputPolicy::SingleExecution);
    let request = scene.request(50, code);
    scene.decide(owner(), request, Verdict::Approve).unwrap();
    scene.run(70, request, succeeded(b"17"));
    scene
}

/// What is found after a lie was written past all rules.
fn found(lie: impl FnOnce(&mut Tx<'_>) -> Result<(), TableError> + Send + 'static) -> Findings {
    let scene = lived_in();
    scene
        .act(move |tx, _| -> Result<(), Refusal> { Ok(lie(tx)?) })
        .unwrap();
    check(&scene.view(), None)
}

#[test]
fn a_store_in_use_is_sound() {
    let findings = check(&lived_in().view(), None);
    assert_eq!(findings.wrong, Vec::<String>::new());
    assert!(findings.looked_at["records"] > 20 && findings.looked_at["audit_entries"] > 3);
}

#[test]
fn an_object_that_is_not_what_its_digest_says_is_found() {
    let findings = found(|tx| {
        let mut object = tx.get(&OBJECTS, &PROJECT.0)?.unwrap();
        object.revision.digest = Hash::of(b"another");
        tx.put(&OBJECTS, &PROJECT.0, &object)
    });
    assert!(findings.wrong[0].contains("digest"), "{findings:?}");
}

#[test]
fn every_index_that_lost_or_gained_a_line_is_found() {
    type Lie = fn(&mut Tx<'_>) -> Result<(), TableError>;
    let lies: [(&str, Lie); 17] = [
        ("by kind", |tx| {
            let (key, ()) = tx.first(&BY_KIND)?.unwrap();
            tx.delete(&BY_KIND, &key)
        }),
        ("by kind, too many", |tx| {
            tx.put(&BY_KIND, &(Kind::Project as u8, 99, Uuid::from_u128(0xdead)), &())
        }),
        ("children", |tx| {
            let (key, ()) = tx.first(&CHILDREN)?.unwrap();
            tx.delete(&CHILDREN, &key)
        }),
        ("names", |tx| {
            let (key, _) = tx.first(&NAMES)?.unwrap();
            tx.delete(&NAMES, &key)
        }),
        ("names, to another", |tx| {
            let (key, _) = tx.first(&NAMES)?.unwrap();
            tx.put(&NAMES, &key, &Uuid::from_u128(0xdead))
        }),
        ("journal", |tx| tx.delete(&JOURNAL, &2)),
        ("history", |tx| {
            let object = tx.get(&OBJECTS, &PROJECT.0)?.unwrap();
            tx.put(&HISTORY, &(PROJECT.0, 999), &object)
        }),
        ("an object", |tx| tx.delete(&OBJECTS, &PROJECT.0)),
        ("the queue", |tx| {
            let (id, _) = tx.first(&RUNS)?.unwrap();
            tx.put(&RUNS_OPEN, &(1, id), &())
        }),
        ("lists of runs", |tx| {
            let (key, ()) = tx.first(&RUNS_OF)?.unwrap();
            tx.delete(&RUNS_OF, &key)
        }),
        ("lists of runs apart", |tx| {
            let (key, ()) = tx.first(&RUNS_APART)?.unwrap();
            tx.delete(&RUNS_APART, &key)
        }),
        ("results that were not released", |tx| {
            let (key, ()) = tx.first(&RESULTS_UNRELEASED)?.unwrap();
            tx.delete(&RESULTS_UNRELEASED, &key)
        }),
        ("results that were not released, too many", |tx| {
            tx.put(&RESULTS_UNRELEASED, &(1, Uuid::from_u128(0xdead)), &())
        }),
        ("open requests", |tx| {
            let (id, _) = tx.first(&RUNS)?.unwrap();
            tx.put(&REQUESTS_OPEN, &(1, id), &())
        }),
        ("the outbox", |tx| {
            let (number, entry) = tx.last(&OUTBOX)?.unwrap();
            tx.put(&OUTBOX, &(number + 2), &entry)
        }),
        ("unread lines", |tx| tx.put(&UNREAD, &(ada().user.0, 1), &())),
        ("sessions", |tx| {
            tx.put(&SESSIONS_OF, &(ada().user.0, Uuid::from_u128(0xdead)), &[0; 32])
        }),
    ];
    for (what, lie) in lies {
        assert!(!found(lie).is_sound(), "{what}");
    }
    let counted = found(|tx| {
        let mut mailbox = tx.get(&MAILBOXES, &ada().user.0)?.unwrap_or_default();
        mailbox.unread += 1;
        tx.put(&MAILBOXES, &ada().user.0, &mailbox)
    });
    assert!(!counted.is_sound());
}

#[test]
fn a_record_that_cannot_be_read_and_a_key_of_no_table_are_found() {
    let findings = found(|tx| tx.put_bytes(vec![OBJECTS.prefix(), 1], vec![0xff]));
    assert!(findings.wrong[0].contains("objects"), "{findings:?}");
    let findings = found(|tx| tx.put_bytes(vec![200, 1], vec![0]));
    assert!(findings.wrong[0].contains("200"), "{findings:?}");
}

#[test]
fn a_changed_audit_entry_is_found() {
    let findings = found(|tx| {
        let entries = Table::<u64, serde_bytes::ByteBuf>::new(250, "audit entries", 1);
        let mut bytes = tx.get(&entries, &1)?.unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        tx.put(&entries, &1, &bytes)
    });
    assert!(findings.wrong[0].contains("audit chain"), "{findings:?}");
}
