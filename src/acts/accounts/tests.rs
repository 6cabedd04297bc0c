//! People on a node in memory, whose clock stands still until a test moves it.

mod administering;
mod proving;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::acts::founding::{Founding, found};
use crate::acts::settings;
use crate::domain::id::{Epoch, SessionId};
use crate::domain::role::Preset;
use crate::domain::session::{Session, setup_token_hash, token_hash};
use crate::domain::settings::{Key, Value};
use crate::domain::side::Side;
use crate::domain::user::Profile;
use crate::store::audit as chain;
use crate::store::memory_engine::MemoryEngine;
use crate::store::read::View;
use crate::store::records::Here;
use crate::store::transaction::Tx;
use crate::store::writer::{TransactError, Writer, WriterLimits};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn id(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

/// The owner's account.
const OLGA: u128 = 10;

struct Lab {
    writer: Writer,
    now: Timestamp,
}

impl Lab {
    /// A node that nobody has set up.
    fn new() -> Self {
        let writer = Writer::start(Arc::new(MemoryEngine::new()), WriterLimits::default()).unwrap();
        let now = at("2026-11-22T08:00:00Z");
        let founding = Founding {
            node: NodeId(Uuid::from_u128(1)),
            side: Side::Low,
            epoch: Epoch(Uuid::from_u128(2)),
            name: "Node".into(),
            setup_token: setup_token_hash("the token"),
        };
        writer
            .transact(move |tx| found(tx, now, [0; 32], &founding))
            .unwrap();
        Self { writer, now }
    }

    /// A node of Olga's.
    fn ready() -> Self {
        let lab = Self::new();
        lab.set_up().unwrap();
        lab
    }

    fn view(&self) -> View {
        self.writer.view().unwrap()
    }

    fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Tx<'_>, &Here) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let now = self.now;
        let done = self.writer.transact(move |tx| {
            let here = Here::at(tx, now, [7; 32])?;
            act(tx, &here)
        });
        done.map_err(|error| match error {
            TransactError::Refused(refusal) => refusal,
            other => panic!("{other}"),
        })
    }

    fn set_up(&self) -> Result<Object, Refusal> {
        let wanted = SetUp {
            id: id(OLGA),
            token: setup_token_hash("the token"),
            owner: profile("Olga", "olga@example.org"),
            credentials: password("-"),
            settings: vec![(Key::Name, Value::Text("Low".into()))],
        };
        self.act(move |tx, here| set_up(tx, here, &wanted))
    }

    fn create(&self, actor: Option<&Actor>, number: u128, role: Option<&str>) -> Result<Person, Refusal> {
        let wanted = NewUser {
            id: id(number),
            profile: profile("Somebody", &format!("p{number}@example.org")),
            credentials: password("-"),
            role: role.map(str::to_owned),
        };
        let actor = actor.cloned();
        self.act(move |tx, here| create_user(tx, here, actor.as_ref(), &wanted))
    }

    fn sign_in(&self, number: u128, token: &str) -> Result<(Session, Object), Refusal> {
        self.sign_in_with(number, token, None)
            .map(|it| (it.session, it.person.object))
    }

    /// What somebody signs in with now, or what nobody does.
    fn held(&self, number: u128) -> Credentials {
        let held = self.view().get(&CREDENTIALS, &id(number).0).unwrap();
        held.unwrap_or_else(|| password("none"))
    }

    fn sign_in_with(&self, number: u128, token: &str, code: Option<&str>) -> Result<SignedIn, Refusal> {
        let presented = Presented {
            user: id(number),
            verified: self.held(number),
            code: code.map(str::to_owned),
            session: SessionId(Uuid::new_v4()),
            token: token_hash(token),
            agent: "test".into(),
            from: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        self.act(move |tx, here| sign_in(tx, here, &presented))
    }

    fn who(&self, token: &str) -> Option<Actor> {
        let caller = caller(&self.view(), &token_hash(token), self.now).unwrap();
        caller.map(|caller| caller.actor)
    }

    /// Somebody as their session shows them.
    fn actor(&self, number: u128) -> Actor {
        let token = format!("actor {number} {}", Uuid::new_v4());
        self.sign_in(number, &token).unwrap();
        self.who(&token).unwrap()
    }

    fn administer(&self, actor: &Actor, number: u128, change: Change) -> Result<Person, Refusal> {
        let actor = actor.clone();
        self.act(move |tx, here| administer(tx, &actor, here, id(number), &change))
    }

    fn switch(&self, key: Key) {
        let owner = preset(Preset::Owner);
        self.act(move |tx, here| settings::change(tx, &owner, here, &[(key, Value::Switch(true))]))
            .unwrap();
    }

    fn actions(&self) -> Vec<String> {
        let entries = chain::entries_after(&self.view(), 0, 1000).unwrap();
        entries
            .iter()
            .map(|entry| entry.fields.action.to_string())
            .collect()
    }
}

fn profile(name: &str, email: &str) -> Profile {
    Profile {
        name: name.into(),
        email: email.into(),
        ..Profile::default()
    }
}

fn password(hash: &str) -> Credentials {
    Credentials {
        password_hash: hash.into(),
        second_factor: None,
    }
}

/// Olga, with the permissions of a preset.
fn preset(preset: Preset) -> Actor {
    Actor {
        user: id(OLGA),
        name: "Olga".into(),
        permissions: preset.role().permissions,
        groups: BTreeSet::new(),
    }
}

fn word<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
    match result.unwrap_err() {
        Refusal::Conflict { word, .. } => word,
        Refusal::Denied(_) => "denied",
        Refusal::NotFound { .. } => "not_found",
        _ => "other",
    }
}

#[test]
fn the_token_sets_up_once() {
    let lab = Lab::new();
    let wrong = check_setup_token(&lab.view(), &setup_token_hash("another"));
    assert_eq!(word(wrong), "setup_token_refused");
    lab.set_up().unwrap();
    assert_eq!(word(lab.set_up()), "set_up_already");
    assert_eq!(settings::current(&lab.view()).unwrap().name, "Low");
    assert_eq!(lab.actions(), ["node.created", "user.created", "setting.changed"]);
    let changed = settings::changed(&lab.view(), Key::Name).unwrap().unwrap();
    assert_eq!((changed.by, changed.by_name.as_str()), (id(OLGA), "Olga"));
    assert!(
        settings::changed(&lab.view(), Key::AllowGuests)
            .unwrap()
            .is_none()
    );
}

#[test]
fn only_settings_that_change_are_written_down() {
    let lab = Lab::ready();
    let before = lab.actions().len();
    let owner = preset(Preset::Owner);
    let same = [(Key::AllowRegistration, Value::Switch(false))];
    lab.act(move |tx, here| settings::change(tx, &owner, here, &same))
        .unwrap();
    assert_eq!(lab.actions().len(), before);
    let scientist = preset(Preset::User);
    let denied = lab.act(move |tx, here| settings::change(tx, &scientist, here, &[]));
    assert_eq!(word(denied), "denied");
}
