use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_bytes::ByteBuf;
use uuid::Uuid;

use super::choices::{Choice, choose};
use super::*;
use crate::acts::releases::{Ids, Wanted as Part, release};
use crate::acts::requests;
use crate::acts::scene::{Scene, ada, deny, eve, officer, owner, product, succeeded};
use crate::domain::access::Actor;
use crate::domain::account::Account;
use crate::domain::decision::Verdict;
use crate::domain::hash::Hash;
use crate::domain::id::{DecisionId, ReleaseId, RequestId};
use crate::domain::job::State;
use crate::domain::notification::delivery::{DeadLetter, ERROR_MOST};
use crate::domain::notification::digest::Frequency;
use crate::domain::notification::letter::Target;
use crate::domain::notification::mail_settings::MailServer;
use crate::domain::notification::retry::Retry;
use crate::domain::notification::template::{Escaping, Template};
use crate::domain::policy::OutputPolicy;
use crate::domain::release;
use crate::domain::role::Preset;
use crate::domain::session::Credentials;
use crate::domain::side::Side;
use crate::domain::user::{Email, Profile};
use crate::store::blobs::Blob;
use crate::store::tables::{CREDENTIALS, DEAD_LETTERS, HOLDERS, MAILBOXES, OUTBOX, ROLES};

mod inbox;
mod resets;
mod settings;

/// A node that sends mail.
pub(super) fn configured() -> Configured {
    Configured {
        server: Some(MailServer::new("mail.example.org", 587, None, None, None).unwrap()),
        sender: Some(Email::parse("sender", "node@lab.example").unwrap()),
        base_url: Some("https://lab.example".into()),
        webhook_origins: vec!["https://hooks.slack.com".into()],
    }
}

/// Gives a person of the scene an account.
fn account(scene: &Scene, actor: &Actor, preset: Preset) {
    let (id, name) = (actor.user, actor.name.clone());
    let profile = Profile {
        email: format!("{}@example.org", name.to_lowercase()),
        name,
        ..Profile::default()
    };
    scene
        .act(move |tx, here| {
            let role = preset.id();
            let credentials = Credentials {
                password_hash: String::new(),
                second_factor: None,
            };
            tx.put(&ROLES, &role.0, &preset.role())?;
            tx.put(&HOLDERS, &(role.0, id.0), &())?;
            tx.put(&ACCOUNTS, &id.0, &Account { role, active: true })?;
            tx.put(&CREDENTIALS, &id.0, &credentials)?;
            let user = User::new(&profile)?;
            Ok(records::write(tx, here, id.0, Body::User(user), false)?)
        })
        .unwrap();
}

/// A scene whose people have accounts: Olga owns it, Carl is an officer, Ada and Eve are scientists.
pub(super) fn staffed(side: Side) -> Scene {
    let scene = Scene::new(side);
    account(&scene, &owner(), Preset::Owner);
    account(&scene, &officer(), Preset::ComplianceOfficer);
    account(&scene, &ada(), Preset::User);
    account(&scene, &eve(), Preset::User);
    scene
}

/// Fans everything out.
pub(super) fn tell(scene: &Scene, configured: &Configured) {
    let configured = configured.clone();
    scene
        .act(move |tx, here| {
            while fan_out(tx, here, &configured, 2)?.more {}
            Ok(())
        })
        .unwrap();
}

/// Who got a notice of what, in the order in which it happened: names and words.
pub(super) fn told_to(scene: &Scene) -> Vec<(String, &'static str)> {
    let view = scene.view();
    let names = [owner(), officer(), ada(), eve()];
    let mut found: Vec<_> = names
        .iter()
        .flat_map(|actor| {
            let lines = super::inbox::list(&view, actor, false, None, 100).unwrap().lines;
            lines.into_iter().map(|line| {
                (
                    line.notice.at,
                    actor.name.clone(),
                    line.number,
                    line.notice.event.word(),
                )
            })
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, name, _, word)| (name, word)).collect()
}

pub(super) fn all_due(scene: &Scene) -> Vec<Parcel> {
    let (view, configured) = (scene.view(), configured());
    let late = "2027-01-01T00:00:00Z".parse().unwrap();
    let here = Here::at(&view, late, [0; 32]).unwrap();
    let numbers = ChannelKind::OUTGOING
        .iter()
        .flat_map(|kind| due(&view, *kind, Retry::default(), late, &BTreeSet::new(), 1_000).unwrap());
    numbers
        .filter_map(|number| parcel(&view, &here, &configured, number).unwrap())
        .collect()
}

fn mails(scene: &Scene) -> Vec<(String, Form)> {
    let mut found: Vec<_> = all_due(scene)
        .into_iter()
        .filter(|parcel| parcel.delivery.channel == ChannelKind::Email)
        .map(|parcel| (parcel.email, parcel.form))
        .collect();
    found.sort_by_key(|(email, _)| email.clone());
    found
}

fn text(parcel: &Parcel) -> String {
    let template = "{{recipient}}|{{sentence}}|{{reason}}|{{kind}}|{{link}}";
    Template::parse(template)
        .unwrap()
        .render(&parcel.values, Escaping::Text)
}

fn sealed() -> Sealed {
    Sealed(ByteBuf::from(b"sealed".to_vec()))
}

#[test]
fn everybody_is_told_once_whose_turn_it_is_and_nobody_else() {
    let scene = staffed(Side::High);
    let code = scene.code(40, OutputPolicy::ExecuteCount(3));
    let request = scene.request(50, code);
    scene.decide(officer(), request, Verdict::Approve).unwrap();
    scene.run(81, request, crate::acts::runs::Ended::empty(State::Failed));
    let job = scene.run(80, request, succeeded(b"1"));
    let wanted = Part {
        job,
        part: release::Part::Result,
        hash: Hash::of(b"1"),
    };
    scene
        .act(move |tx, here| {
            let ids = Ids {
                release: ReleaseId(Uuid::from_u128(90)),
                decision: DecisionId(Uuid::from_u128(91)),
            };
            let blob = Blob {
                hash: product(b"1").hash,
                len: 1,
            };
            release(tx, &officer(), here, ids, &wanted, blob)
        })
        .unwrap();
    let other = scene.request(51, code);
    scene.decide(owner(), other, deny("too few")).unwrap();
    scene
        .act(|tx, here| requests::withdraw(tx, &ada(), here, RequestId(Uuid::from_u128(51)), None))
        .unwrap();
    tell(&scene, &configured());
    let expected = [
        ("Carl", "request_submitted"),
        ("Olga", "request_submitted"),
        ("Ada", "request_approved"),
        ("Ada", "run_failed"),
        ("Carl", "result_awaits_release"),
        ("Olga", "result_awaits_release"),
        ("Ada", "result_ready"),
        ("Carl", "request_submitted"),
        ("Olga", "request_submitted"),
        ("Ada", "request_denied"),
        ("Carl", "request_withdrawn"),
        ("Olga", "request_withdrawn"),
    ];
    let found = told_to(&scene);
    let found: Vec<_> = found.iter().map(|(name, word)| (name.as_str(), *word)).collect();
    assert_eq!(found, expected);
    let mailed: Vec<_> = all_due(&scene)
        .iter()
        .map(|parcel| (parcel.email.clone(), parcel.delivery.event().unwrap().word()))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, word)| (format!("{}@example.org", name.to_lowercase()), *word))
        .collect();
    assert_eq!(BTreeSet::from_iter(&mailed), BTreeSet::from_iter(&expected));
    assert_eq!(mailed.len(), expected.len(), "once each");
    // Again there is nothing to tell.
    tell(&scene, &configured());
    assert_eq!(told_to(&scene).len(), expected.len());
}

#[test]
fn a_denial_is_told_with_its_own_reason() {
    let scene = staffed(Side::Low);
    let code = scene.code(40, OutputPolicy::SingleExecution);
    let request = scene.request(50, code);
    scene.decide(officer(), request, deny("too few women")).unwrap();
    scene.decide(officer(), request, deny("still too few")).unwrap();
    tell(&scene, &configured());
    let told: Vec<_> = all_due(&scene)
        .iter()
        .filter(|parcel| parcel.email == "ada@example.org")
        .map(text)
        .collect();
    let link = format!("https://lab.example/requests/{request}");
    let said = |reason: &str| format!("Ada|Your request was denied.|{reason}|request|{link}");
    assert_eq!(told, [said("too few women"), said("still too few")]);
}

#[test]
fn whoever_has_their_account_elsewhere_is_told_there() {
    let scene = staffed(Side::High);
    scene
        .act(|tx, here| {
            let foreign = Here {
                node: crate::acts::scene::OTHER,
                ..*here
            };
            let body = records::object(tx, ada().user.0)?.unwrap().body;
            tx.delete(&crate::store::tables::OBJECTS, &ada().user.0)?;
            tx.delete(
                &crate::store::tables::NAMES,
                &(
                    here.node.0,
                    Kind::User as u8,
                    Uuid::nil(),
                    "ada@example.org".into(),
                ),
            )?;
            Ok(records::write(tx, &foreign, ada().user.0, body, false)?)
        })
        .unwrap();
    let code = scene.code(40, OutputPolicy::SingleExecution);
    let request = scene.request(50, code);
    scene.decide(officer(), request, deny("no")).unwrap();
    tell(&scene, &configured());
    assert!(
        told_to(&scene).iter().all(|(name, _)| name != "Ada"),
        "{:?}",
        told_to(&scene)
    );
    assert!(mails(&scene).iter().all(|(email, _)| email != "ada@example.org"));
}

#[test]
fn what_is_off_at_the_node_fills_the_inbox_alone() {
    let scene = staffed(Side::Low);
    let code = scene.code(40, OutputPolicy::SingleExecution);
    scene.request(50, code);
    tell(&scene, &Configured::default());
    assert_eq!(told_to(&scene).len(), 2);
    assert!(all_due(&scene).is_empty());
    // Mail that is switched on later does not bring what was told before.
    tell(&scene, &configured());
    assert!(all_due(&scene).is_empty());
}

#[test]
fn what_is_off_at_a_person_is_off_for_them_alone() {
    let scene = staffed(Side::Low);
    let off = |event| Choice::Switch {
        on: false,
        channel: Some(ChannelKind::Email),
        event,
    };
    let chosen = vec![off(Some(Event::RequestSubmitted))];
    scene
        .act(move |tx, _| choose(tx, &officer(), &configured(), chosen))
        .unwrap();
    let code = scene.code(40, OutputPolicy::SingleExecution);
    let request = scene.request(50, code);
    tell(&scene, &configured());
    assert_eq!(
        mails(&scene),
        [("olga@example.org".into(), Form::One(Event::RequestSubmitted))]
    );
    assert_eq!(told_to(&scene).len(), 2, "the inbox is on");
    // Whoever switches off what is on its way does not get it any more.
    scene
        .act(move |tx, _| choose(tx, &owner(), &configured(), vec![off(None)]))
        .unwrap();
    assert!(mails(&scene).is_empty());
    scene
        .decide(officer(), request, Verdict::deny("no").unwrap())
        .unwrap();
    tell(&scene, &configured());
    assert_eq!(
        mails(&scene),
        [("ada@example.org".into(), Form::One(Event::RequestDenied))]
    );
}

#[test]
fn fanning_out_goes_on_where_it_stopped() {
    let scene = staffed(Side::Low);
    let code = scene.code(40, OutputPolicy::SingleExecution);
    scene.request(50, code);
    scene.request(51, code);
    // A person at a time, as if the node died after each commit.
    let mut steps = 0;
    while scene
        .act(|tx, here| fan_out(tx, here, &configured(), 1))
        .unwrap()
        .more
    {
        steps += 1;
    }
    assert_eq!(steps, 3);
    assert_eq!(told_to(&scene).len(), 4);
    let names: BTreeSet<_> = all_due(&scene)
        .into_iter()
        .map(|parcel| parcel.delivery.message_id)
        .collect();
    assert_eq!(names.len(), 4, "each message has a name of its own");
}

#[test]
fn a_message_is_settled_by_what_came_of_it() {
    let scene = staffed(Side::Low);
    let code = scene.code(40, OutputPolicy::SingleExecution);
    scene.request(50, code);
    tell(&scene, &configured());
    let [first, second] = <[Parcel; 2]>::try_from(all_due(&scene)).unwrap();
    let settled = |number, outcome: Outcome| {
        scene
            .act(move |tx, here| settle(tx, here, number, outcome))
            .unwrap();
    };
    let again = |give_up| Outcome::Again {
        error: format!("451 later\r\n{}", "x".repeat(ERROR_MOST)),
        retry: Retry {
            give_up,
            ..Retry::default()
        },
        random: 0,
    };
    settled(first.number, again(Retry::default().give_up));
    let view = scene.view();
    let kept: Delivery = view.get(&DELIVERIES, &first.number).unwrap().unwrap();
    assert_eq!((kept.attempts, &kept.message_id), (1, &first.delivery.message_id));
    assert!(kept.last_error.unwrap().chars().count() <= ERROR_MOST + 1);
    assert!(kept.due_at > first.delivery.due_at);
    let not_yet = due(
        &view,
        ChannelKind::Email,
        Retry::default(),
        first.delivery.due_at,
        &BTreeSet::new(),
        9,
    )
    .unwrap();
    assert_eq!(not_yet, [second.number]);
    let others = [second.number].into();
    let of_first = |now: Timestamp| {
        let due = due(&view, ChannelKind::Email, Retry::default(), now, &others, 9).unwrap();
        due == [first.number]
    };
    assert!(of_first(kept.due_at));
    let clock_put_back = kept.due_at.checked_sub(Retry::default().most * 2).unwrap();
    assert!(of_first(clock_put_back), "nothing is put off for so long");
    settled(first.number, again(std::time::Duration::ZERO));
    settled(
        second.number,
        Outcome::Final {
            error: "550 no such user".into(),
        },
    );
    let view = scene.view();
    let dead: Vec<(u64, DeadLetter)> = view.range_from(&DEAD_LETTERS, None, 9).unwrap();
    assert_eq!(dead.len(), 2, "one given up by age, one by the server");
    assert!(all_due(&scene).is_empty());
    // Both again, under their names; then one is delivered, and noting it twice changes nothing.
    let (count, left) = scene
        .act(|tx, here| dead_letters::requeue_all(tx, &owner(), here, None))
        .unwrap();
    assert_eq!((count, left), (2, None));
    let names: Vec<_> = all_due(&scene)
        .into_iter()
        .map(|it| it.delivery.message_id)
        .collect();
    assert_eq!(names, [first.delivery.message_id, second.delivery.message_id]);
    settled(first.number, Outcome::Delivered);
    settled(first.number, Outcome::Delivered);
    assert_eq!(all_due(&scene).len(), 1);
    assert_eq!(scene.audited().last().unwrap(), "dead_letters.changed");
}

#[test]
fn digests_gather_until_their_time() {
    let scene = staffed(Side::Low);
    let daily = Choice::Frequency {
        frequency: Frequency::Daily,
        event: Some(Event::RequestSubmitted),
    };
    scene
        .act(move |tx, _| choose(tx, &officer(), &configured(), vec![daily]))
        .unwrap();
    let code = scene.code(40, OutputPolicy::SingleExecution);
    for id in 50..53 {
        scene.request(id, code);
    }
    tell(&scene, &configured());
    let carls = |scene: &Scene| {
        mails(scene)
            .into_iter()
            .filter(|(email, _)| email == "carl@example.org")
            .collect::<Vec<_>>()
    };
    assert!(carls(&scene).is_empty());
    assert_eq!(
        waiting(&scene.view()).unwrap(),
        Waiting {
            messages: 3,
            gathered: 3,
            dead: 0
        }
    );
    let closed = |at: &str| {
        let now: Timestamp = at.parse().unwrap();
        scene
            .act(move |tx, here| {
                let here = Here { now, ..*here };
                close_digests(tx, &here, &configured(), 9)
            })
            .unwrap()
    };
    // The scene plays on 18 November 2026; digests come at seven.
    assert_eq!(closed("2026-11-19T06:59:59Z"), 0);
    assert!(carls(&scene).is_empty());
    assert_eq!(closed("2026-11-19T07:00:00Z"), 1);
    assert_eq!(carls(&scene), [("carl@example.org".into(), Form::Digest)]);
    let digest = all_due(&scene)
        .into_iter()
        .find(|it| it.form == Form::Digest)
        .unwrap();
    let template = Template::parse("{{#items}}{{sentence}} {{/items}}{{more}}").unwrap();
    let said = template.render(&digest.values, Escaping::Text);
    assert_eq!(said.matches("Ada has submitted a request").count(), 3, "{said}");
    assert_eq!(closed("2026-11-20T07:00:00Z"), 0, "once");
    assert_eq!(waiting(&scene.view()).unwrap().gathered, 0);
}

#[test]
fn what_is_beyond_the_rate_limit_comes_gathered_on_the_next_day() {
    let scene = staffed(Side::Low);
    let wanted = super::settings::Change {
        rate_limit: Some(2),
        ..Default::default()
    };
    scene
        .act(move |tx, here| super::settings::adjust(tx, &owner(), here, wanted))
        .unwrap();
    let code = scene.code(40, OutputPolicy::SingleExecution);
    for id in 50..55 {
        scene.request(id, code);
    }
    tell(&scene, &configured());
    assert_eq!(mails(&scene).len(), 4, "two for each of two");
    assert_eq!(told_to(&scene).len(), 10, "the inbox has all");
    let next_day = "2026-11-19T00:00:00Z".parse().unwrap();
    scene
        .act(move |tx, here| {
            let here = Here {
                now: next_day,
                ..*here
            };
            close_digests(tx, &here, &configured(), 9)
        })
        .unwrap();
    let digests: Vec<_> = all_due(&scene)
        .into_iter()
        .filter_map(|parcel| match parcel.delivery.content {
            Content::Digest { items, more } => Some((items.len(), more)),
            _ => None,
        })
        .collect();
    assert_eq!(digests, [(3, 0), (3, 0)]);
}

#[test]
fn the_outbox_keeps_its_newest_entries_only() {
    let scene = staffed(Side::Low);
    for _ in 0..201 {
        scene
            .act(|tx, here| {
                for _ in 0..50 {
                    records::notify(tx, here, Event::Welcome, None, Some(eve().user))?;
                }
                Ok(())
            })
            .unwrap();
    }
    let mut rounds = 0;
    while scene
        .act(|tx, here| fan_out(tx, here, &Configured::default(), 2_000))
        .unwrap()
        .more
    {
        rounds += 1;
    }
    assert_eq!(rounds, 5);
    let view = scene.view();
    assert_eq!(view.range_from(&OUTBOX, None, usize::MAX).unwrap().len(), 10_000);
    assert_eq!(
        view.get(&MAILBOXES, &eve().user.0).unwrap().unwrap().unread,
        10_050
    );
}
