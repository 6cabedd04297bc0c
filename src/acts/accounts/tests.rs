use std::sync::Arc;

use super::*;
use crate::acts::founding::{Founding, found};
use crate::domain::id::{Epoch, NodeId};
use crate::domain::session::{setup_token_hash, token_hash};
use crate::domain::side::Side;
use crate::store::audit as chain;
use crate::store::memory_engine::MemoryEngine;
use crate::store::tables::OUTBOX;
use crate::store::writer::{TransactError, Writer, WriterLimits};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A node on the engine in memory, with a clock that stands still.
struct Lab {
    writer: Writer,
    now: Timestamp,
}

impl Lab {
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
            id: UserId(Uuid::from_u128(10)),
            token: setup_token_hash("the token"),
            name: "Low".into(),
            owner: profile("Olga", "olga@example.org"),
            credentials: no_password(),
            allow_registration: false,
        };
        self.act(move |tx, here| set_up(tx, here, &wanted))
    }

    fn create(&self, actor: Option<&Actor>, id: u128, role: Option<Role>) -> Result<Object, Refusal> {
        let wanted = NewUser {
            id: UserId(Uuid::from_u128(id)),
            profile: profile("Somebody", &format!("p{id}@example.org")),
            credentials: no_password(),
            role,
        };
        let actor = actor.cloned();
        self.act(move |tx, here| create_user(tx, here, actor.as_ref(), &wanted))
    }

    fn sign_in(&self, id: u128, token: &str) -> Result<(Session, Object), Refusal> {
        let token = token_hash(token);
        self.act(move |tx, here| sign_in(tx, here, UserId(Uuid::from_u128(id)), &token))
    }

    fn who(&self, token: &str) -> Option<Actor> {
        signed_in(&self.writer.view().unwrap(), &token_hash(token), self.now).unwrap()
    }

    fn actions(&self) -> Vec<String> {
        let entries = chain::entries_after(&self.writer.view().unwrap(), 0, 100).unwrap();
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

fn no_password() -> Credentials {
    Credentials {
        password_hash: "-".into(),
    }
}

fn actor(role: Role) -> Actor {
    Actor {
        user: UserId(Uuid::from_u128(10)),
        name: "Olga".into(),
        role,
    }
}

fn word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Conflict { word, .. } => word,
        Refusal::Denied(_) => "denied",
        Refusal::NotFound { .. } => "not_found",
        _ => "other",
    }
}

#[test]
fn the_token_sets_up_once() {
    let lab = Lab::new();
    let view = lab.writer.view().unwrap();
    let wrong = check_setup_token(&view, &setup_token_hash("another")).unwrap_err();
    assert_eq!(word(&wrong), "setup_token_refused");
    lab.set_up().unwrap();
    assert_eq!(word(&lab.set_up().unwrap_err()), "set_up_already");
    assert_eq!(settings(&lab.writer.view().unwrap()).unwrap().name, "Low");
    assert_eq!(lab.actions(), ["node.created", "user.created", "setting.changed"]);
}

#[test]
fn a_session_tells_who_until_it_ends_or_is_left() {
    let mut lab = Lab::new();
    lab.set_up().unwrap();
    lab.sign_in(10, "a").unwrap();
    lab.sign_in(10, "b").unwrap();
    assert_eq!(lab.who("a").unwrap().role, Role::Owner);
    assert_eq!(lab.who("c"), None);
    let (who, token) = (lab.who("b").unwrap(), token_hash("b"));
    lab.act(move |tx, here| sign_out(tx, here, &who, &token)).unwrap();
    assert_eq!(lab.who("b"), None);
    lab.now = at("2026-11-22T20:00:00Z");
    assert_eq!(lab.who("a"), None);
    lab.sign_in(10, "0").unwrap();
    lab.sign_in(10, "1").unwrap();
    let left = lab
        .writer
        .view()
        .unwrap()
        .range_from(&SESSIONS, None, 10)
        .unwrap();
    assert!(left.len() <= 3, "{left:?}");
}

#[test]
fn a_changed_role_counts_at_once() {
    let lab = Lab::new();
    lab.set_up().unwrap();
    lab.sign_in(10, "a").unwrap();
    lab.act(|tx, here| {
        let user = User::new(&profile("Olga", "olga@example.org"), Role::User)?;
        Ok(records::write(
            tx,
            here,
            Uuid::from_u128(10),
            Body::User(user),
            false,
        )?)
    })
    .unwrap();
    assert_eq!(lab.who("a").unwrap().role, Role::User);
}

#[test]
fn a_deleted_account_is_signed_out() {
    let lab = Lab::new();
    let owner = lab.set_up().unwrap();
    lab.sign_in(10, "a").unwrap();
    lab.act(move |tx, here| Ok(records::write(tx, here, owner.id, owner.body, true)?))
        .unwrap();
    assert_eq!(lab.who("a"), None);
    assert_eq!(word(&lab.sign_in(10, "b").unwrap_err()), "sign_in_refused");
    assert!(
        credentials(&lab.writer.view().unwrap(), "olga@example.org")
            .unwrap()
            .is_none()
    );
}

#[test]
fn nobody_gives_a_role_that_is_above_their_own() {
    let lab = Lab::new();
    lab.set_up().unwrap();
    let administrator = actor(Role::Administrator);
    let refused = lab
        .create(Some(&administrator), 11, Some(Role::Owner))
        .unwrap_err();
    assert!(matches!(
        refused,
        Refusal::Denied(Denied(Permission::ManageInfrastructure))
    ));
    lab.create(Some(&administrator), 11, Some(Role::ComplianceOfficer))
        .unwrap();
    let officer = actor(Role::ComplianceOfficer);
    assert!(matches!(
        lab.create(Some(&officer), 12, None),
        Err(Refusal::Denied(Denied(Permission::CreateUsers)))
    ));
}

#[test]
fn people_register_themselves_only_where_that_is_on() {
    let lab = Lab::new();
    lab.set_up().unwrap();
    assert_eq!(
        word(&lab.create(None, 11, None).unwrap_err()),
        "registration_closed"
    );
    let change = SettingsChange {
        allow_registration: Some(true),
        ..SettingsChange::default()
    };
    lab.act(move |tx, here| change_settings(tx, here, &actor(Role::Owner), &change))
        .unwrap();
    let made = lab.create(None, 11, Some(Role::Owner)).unwrap();
    let Body::User(user) = &made.body else {
        panic!("not a user")
    };
    assert_eq!(
        user.role,
        Role::User,
        "whoever registers themselves is a scientist"
    );
    let (_, told) = lab.writer.view().unwrap().last(&OUTBOX).unwrap().unwrap();
    assert_eq!((told.event, told.about), (Event::UserRegistered, Some(made.id)));
    assert_eq!(lab.actions().last().unwrap(), "user.created");
    let twice = lab.create(None, 11, None);
    assert!(twice.is_ok() || matches!(twice, Err(Refusal::Record(_))));
}

#[test]
fn a_scientist_sees_themselves_and_nobody_else() {
    let lab = Lab::new();
    lab.set_up().unwrap();
    lab.create(Some(&actor(Role::Owner)), 11, None).unwrap();
    let view = lab.writer.view().unwrap();
    let scientist = Actor {
        user: UserId(Uuid::from_u128(11)),
        name: "S".into(),
        role: Role::User,
    };
    let seen = users(&view, &scientist, None, 10).unwrap().objects;
    assert_eq!(
        seen.iter().map(|user| user.id).collect::<Vec<_>>(),
        [Uuid::from_u128(11)]
    );
    assert_eq!(
        word(&user(&view, &scientist, UserId(Uuid::from_u128(10))).unwrap_err()),
        "not_found"
    );
    assert_eq!(
        users(&view, &actor(Role::Owner), None, 10).unwrap().objects.len(),
        2
    );
}

#[test]
fn pages_of_people_follow_each_other() {
    let lab = Lab::new();
    lab.set_up().unwrap();
    for id in 11..16 {
        lab.create(Some(&actor(Role::Owner)), id, None).unwrap();
    }
    let (view, owner) = (lab.writer.view().unwrap(), actor(Role::Owner));
    let (mut seen, mut place) = (Vec::new(), None);
    loop {
        let page = users(&view, &owner, place, 4).unwrap();
        seen.extend(page.objects.iter().map(|user| user.id.as_u128()));
        place = page.next;
        if place.is_none() {
            break;
        }
    }
    assert_eq!(seen, [15, 14, 13, 12, 11, 10]);
}

#[test]
fn only_settings_that_change_are_written_down() {
    let lab = Lab::new();
    lab.set_up().unwrap();
    let before = lab.actions().len();
    let same = SettingsChange {
        allow_registration: Some(false),
        ..SettingsChange::default()
    };
    lab.act(move |tx, here| change_settings(tx, here, &actor(Role::Owner), &same))
        .unwrap();
    assert_eq!(lab.actions().len(), before);
    let denied =
        lab.act(|tx, here| change_settings(tx, here, &actor(Role::User), &SettingsChange::default()));
    assert_eq!(word(&denied.unwrap_err()), "denied");
}
