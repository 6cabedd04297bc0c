//! Sessions, passwords and second factors.

use super::*;
use crate::domain::second_factor::{SecondFactor, recovery_hash};
use crate::domain::session::reset_token_hash;
use crate::store::read::Read;
use crate::store::tables::{SESSIONS, SESSIONS_OF};

/// RFC 6238, appendix B.
const SECRET: [u8; 20] = *b"12345678901234567890";

#[test]
fn a_session_tells_who_until_it_ends_or_is_left() {
    let mut lab = Lab::ready();
    lab.sign_in(OLGA, "a").unwrap();
    lab.sign_in(OLGA, "b").unwrap();
    assert_eq!(
        lab.who("a").unwrap().permissions,
        Preset::Owner.role().permissions
    );
    assert_eq!(lab.who("c"), None);
    let (who, token) = (lab.who("b").unwrap(), token_hash("b"));
    lab.act(move |tx, here| sign_out(tx, here, &who, &token)).unwrap();
    assert_eq!(lab.who("b"), None);
    lab.now = at("2026-11-22T20:00:00Z");
    assert_eq!(lab.who("a"), None);
    lab.sign_in(OLGA, "0").unwrap();
    lab.sign_in(OLGA, "1").unwrap();
    let left = lab.view().range_from(&SESSIONS, None, 10).unwrap();
    let named = lab.view().range_from(&SESSIONS_OF, None, 10).unwrap();
    assert!(left.len() <= 3, "{left:?}");
    assert_eq!(left.len(), named.len());
}

#[test]
fn a_session_that_nobody_uses_ends_after_an_hour() {
    let mut lab = Lab::ready();
    lab.sign_in(OLGA, "used").unwrap();
    lab.sign_in(OLGA, "left").unwrap();
    let used = token_hash("used");
    for minute in [4, 30, 59] {
        lab.now = at(&format!("2026-11-22T08:{minute:02}:00Z"));
        let now = lab.now;
        lab.act(move |tx, _| note_use(tx, &used, now)).unwrap();
    }
    assert!(lab.who("left").is_some() && lab.who("used").is_some());
    lab.now = at("2026-11-22T09:00:00Z");
    assert!(lab.who("left").is_none() && lab.who("used").is_some());
    // What is over is not brought back by being used.
    let (left, now) = (token_hash("left"), lab.now);
    lab.act(move |tx, _| note_use(tx, &left, now)).unwrap();
    assert!(lab.who("left").is_none());
    let olga = lab.who("used").unwrap();
    let held = sessions(&lab.view(), &olga, lab.now).unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].1.last_used(), at("2026-11-22T08:59:00Z"));
}

#[test]
fn uses_of_a_session_are_noted_a_few_minutes_apart() {
    let lab = Lab::ready();
    lab.sign_in(OLGA, "a").unwrap();
    let token = token_hash("a");
    let noted = |lab: &Lab| lab.view().get(&SESSIONS, &token.0).unwrap().unwrap().used_at;
    for (now, expected) in [
        ("2026-11-22T08:04:59Z", None),
        ("2026-11-22T08:05:00Z", Some("2026-11-22T08:05:00Z")),
        ("2026-11-22T08:09:00Z", Some("2026-11-22T08:05:00Z")),
    ] {
        let now = at(now);
        lab.act(move |tx, _| note_use(tx, &token, now)).unwrap();
        assert_eq!(noted(&lab), expected.map(at));
    }
}

#[test]
fn a_second_factor_that_is_demanded_is_owed_until_it_is_confirmed() {
    let mut lab = Lab::ready();
    lab.now = Timestamp::from_second(59).unwrap();
    let owner = lab.actor(OLGA);
    lab.create(Some(&owner), 11, None).unwrap();
    let owes = |lab: &Lab, number: u128, code: Option<&str>| {
        let token = format!("{number} {code:?}");
        lab.sign_in_with(number, &token, code).unwrap();
        let caller = caller(&lab.view(), &token_hash(&token), lab.now).unwrap();
        caller.unwrap().owes_second_factor
    };
    let demand = |lab: &Lab| {
        let by = owner.clone();
        let wanted = [(Key::RequireSecondFactor, Value::Switch(true))];
        lab.act(move |tx, here| settings::change(tx, &by, here, &wanted))
    };
    assert!(!owes(&lab, 11, None), "nobody demands it");
    assert_eq!(word(demand(&lab)), "second_factor_first");
    let (by, recovery) = (owner.clone(), vec![recovery_hash("abcdefgh-ijklmnop")]);
    lab.act(move |tx, _| add_second_factor(tx, &by, SecondFactor::new(SECRET)))
        .unwrap();
    assert_eq!(word(demand(&lab)), "second_factor_first", "not confirmed yet");
    let by = owner.clone();
    lab.act(move |tx, here| confirm_second_factor(tx, &by, here, "287082", recovery, None))
        .unwrap();
    demand(&lab).unwrap();
    assert!(owes(&lab, 11, None));
    assert!(!owes(&lab, OLGA, Some("abcdefgh-ijklmnop")));
    demand(&lab).unwrap();
}

#[test]
fn somebody_ends_their_other_sessions_and_nobody_elses() {
    let lab = Lab::ready();
    lab.create(Some(&preset(Preset::Owner)), 11, None).unwrap();
    lab.sign_in(OLGA, "desk").unwrap();
    let (lost, _) = lab.sign_in(OLGA, "lost").unwrap();
    lab.sign_in(11, "sam").unwrap();
    let (olga, sam) = (lab.who("desk").unwrap(), lab.who("sam").unwrap());
    assert_eq!(sessions(&lab.view(), &olga, lab.now).unwrap().len(), 2);
    assert_eq!(sessions(&lab.view(), &sam, lab.now).unwrap().len(), 1);
    assert_eq!(
        word(lab.act(move |tx, here| revoke(tx, &sam, here, lost.id))),
        "not_found"
    );
    lab.act(move |tx, here| revoke(tx, &olga, here, lost.id)).unwrap();
    assert!(lab.who("lost").is_none() && lab.who("desk").is_some());
}

#[test]
fn one_person_has_a_bounded_number_of_sessions() {
    let lab = Lab::ready();
    for number in 0..crate::domain::session::SESSIONS_MAX + 5 {
        lab.sign_in(OLGA, &format!("{number}")).unwrap();
    }
    let (count, olga) = (crate::domain::session::SESSIONS_MAX, preset(Preset::Owner));
    assert_eq!(sessions(&lab.view(), &olga, lab.now).unwrap().len(), count);
}

#[test]
fn a_session_gets_another_token_and_stays_the_same() {
    let lab = Lab::ready();
    let (desk, _) = lab.sign_in(OLGA, "before").unwrap();
    lab.sign_in(OLGA, "other").unwrap();
    let renew = |user: u128, before: &str, after: &str| {
        let (before, after) = (token_hash(before), token_hash(after));
        lab.act(move |tx, _| renew(tx, id(user), &before, &after))
            .unwrap()
    };
    assert!(!renew(11, "before", "stolen"), "nobody takes another's");
    assert!(!renew(OLGA, "nothing", "made up"));
    assert!(renew(OLGA, "before", "after"));
    assert!(lab.who("before").is_none() && lab.who("stolen").is_none() && lab.who("made up").is_none());
    assert!(lab.who("after").is_some() && lab.who("other").is_some());
    let olga = lab.who("after").unwrap();
    lab.act(move |tx, here| revoke(tx, &olga, here, desk.id)).unwrap();
    assert!(lab.who("after").is_none(), "it is listed and ended as before");
}

#[test]
fn a_new_password_ends_the_other_sessions() {
    let lab = Lab::ready();
    lab.sign_in(OLGA, "desk").unwrap();
    lab.sign_in(OLGA, "other").unwrap();
    let (olga, desk) = (lab.who("desk").unwrap(), token_hash("desk"));
    lab.act(move |tx, here| change_password(tx, &olga, here, "new".into(), Some(&desk)))
        .unwrap();
    assert!(lab.who("desk").is_some() && lab.who("other").is_none());
    let (_, held) = credentials(&lab.view(), "olga@example.org").unwrap().unwrap();
    assert_eq!(held.password_hash, "new");
}

#[test]
fn a_sign_in_that_was_under_way_while_the_password_changed_begins_no_session() {
    let lab = Lab::ready();
    lab.sign_in(OLGA, "desk").unwrap();
    let (olga, verified) = (lab.who("desk").unwrap(), lab.held(OLGA));
    lab.act(move |tx, here| change_password(tx, &olga, here, "new".into(), None))
        .unwrap();
    let presented = |verified: Credentials| Presented {
        user: id(OLGA),
        verified,
        code: None,
        session: SessionId(Uuid::new_v4()),
        token: token_hash("late"),
        agent: "test".into(),
        from: std::net::Ipv4Addr::LOCALHOST.into(),
    };
    let late = presented(verified);
    let refused = lab.act(move |tx, here| sign_in(tx, here, &late));
    assert!(matches!(refused, Err(Refusal::Changed { .. })), "{refused:?}");
    assert!(lab.who("late").is_none());
    let in_time = presented(lab.held(OLGA));
    lab.act(move |tx, here| sign_in(tx, here, &in_time)).unwrap();
}

#[test]
fn a_token_chooses_a_new_password_once_and_in_time() {
    let mut lab = Lab::ready();
    let token = |text: &str| reset_token_hash(text);
    let offer = |lab: &Lab, text: &str, email: &str| {
        let (hash, email) = (token(text), email.to_owned());
        lab.act(move |tx, here| offer_reset(tx, here, &email, &hash))
            .unwrap()
    };
    assert!(offer(&lab, "x", "nobody@example.org").is_none());
    assert!(offer(&lab, "first", "OLGA@example.org").is_some());
    assert!(offer(&lab, "second", "olga@example.org").is_some());
    let choose = |lab: &Lab, text: &str| {
        let hash = token(text);
        lab.act(move |tx, here| reset_password(tx, here, &hash, "chosen".into()))
    };
    assert_eq!(
        word(choose(&lab, "first")),
        "reset_token_refused",
        "a new token ends the one before"
    );
    lab.sign_in(OLGA, "open").unwrap();
    choose(&lab, "second").unwrap();
    assert!(lab.who("open").is_none(), "all sessions end");
    assert_eq!(word(choose(&lab, "second")), "reset_token_refused");
    offer(&lab, "late", "olga@example.org");
    lab.now = at("2026-11-22T10:00:00Z");
    assert_eq!(word(choose(&lab, "late")), "reset_token_refused");
}

#[test]
fn nobody_resets_the_password_of_those_above_them() {
    let lab = Lab::ready();
    let owner = lab.actor(OLGA);
    lab.create(Some(&owner), 11, Some("administrator")).unwrap();
    lab.create(Some(&owner), 12, None).unwrap();
    let reset = |actor: &Actor, number: u128| {
        let (actor, hash) = (actor.clone(), reset_token_hash("handed over"));
        lab.act(move |tx, here| reset_for(tx, &actor, here, id(number), &hash))
    };
    let administrator = lab.actor(11);
    assert_eq!(word(reset(&administrator, OLGA)), "denied");
    assert_eq!(word(reset(&lab.actor(12), 12)), "denied");
    assert!(reset(&administrator, 12).is_ok());
    assert!(reset(&owner, 11).is_ok());
    // Their own they change by the one before: a session that was left open must not be enough.
    assert_eq!(word(reset(&administrator, 11)), "oneself");
    assert_eq!(word(reset(&owner, OLGA)), "oneself");
}

#[test]
fn a_token_that_was_handed_over_holds_no_longer_than_its_maker_may_make_it() {
    let lab = Lab::ready();
    let owner = lab.actor(OLGA);
    lab.create(Some(&owner), 11, Some("Administrator")).unwrap();
    lab.create(Some(&owner), 12, None).unwrap();
    let (administrator, hash) = (lab.actor(11), reset_token_hash("handed over"));
    lab.act(move |tx, here| reset_for(tx, &administrator, here, id(12), &hash))
        .unwrap();
    let holds = || check_reset(&lab.view(), &hash, lab.now).is_ok();
    let becomes = |number: u128, role: Preset, active: bool| {
        let account = Account {
            role: role.id(),
            active,
        };
        lab.act(move |tx, _| Ok(tx.put(&ACCOUNTS, &id(number).0, &account)?))
            .unwrap();
    };
    assert!(holds());
    becomes(12, Preset::Owner, true);
    assert!(!holds(), "it would make its maker an owner");
    assert!(!has_reset(&lab.view(), id(12), lab.now).unwrap());
    let used = lab.act(move |tx, here| reset_password(tx, here, &hash, "stolen".into()));
    assert_eq!(word(used), "reset_token_refused");
    becomes(12, Preset::User, true);
    assert!(holds() && has_reset(&lab.view(), id(12), lab.now).unwrap());
    becomes(11, Preset::Administrator, false);
    assert!(!holds(), "nobody stands for it any more");
    becomes(11, Preset::User, true);
    assert!(!holds(), "whoever makes it may make accounts");
    becomes(11, Preset::Administrator, true);
    lab.act(move |tx, here| reset_password(tx, here, &hash, "chosen".into()))
        .unwrap();
}

#[test]
fn a_token_that_went_to_an_address_ends_with_it() {
    let lab = Lab::ready();
    let olga = lab.actor(OLGA);
    let offered = reset_token_hash("mailed");
    lab.act(move |tx, here| offer_reset(tx, here, "olga@example.org", &offered))
        .unwrap();
    let change = |change: ProfileChange| {
        let by = olga.clone();
        lab.act(move |tx, here| change_profile(tx, &by, here, &change))
            .unwrap();
        check_reset(&lab.view(), &reset_token_hash("mailed"), lab.now)
    };
    let institution = change(ProfileChange {
        institution: Some("Institute".into()),
        ..ProfileChange::default()
    });
    assert_eq!(institution.unwrap(), id(OLGA));
    let address = change(ProfileChange {
        email: Some("olga@example.net".into()),
        ..ProfileChange::default()
    });
    assert_eq!(word(address), "reset_token_refused");
}

#[test]
fn a_rehash_does_not_bring_an_old_password_back() {
    let lab = Lab::ready();
    lab.act(|tx, _| rehash(tx, id(OLGA), "another", "stale".into()))
        .unwrap();
    let (_, held) = credentials(&lab.view(), "olga@example.org").unwrap().unwrap();
    assert_eq!(held.password_hash, "-");
    lab.act(|tx, _| rehash(tx, id(OLGA), "-", "stronger".into()))
        .unwrap();
    let (_, held) = credentials(&lab.view(), "olga@example.org").unwrap().unwrap();
    assert_eq!(held.password_hash, "stronger");
}

#[test]
fn the_second_factor_is_asked_for_once_it_is_confirmed() {
    let mut lab = Lab::ready();
    lab.now = Timestamp::from_second(59).unwrap();
    let olga = lab.actor(OLGA);
    let by = olga.clone();
    lab.act(move |tx, _| add_second_factor(tx, &by, SecondFactor::new(SECRET)))
        .unwrap();
    assert!(
        lab.sign_in(OLGA, "before").is_ok(),
        "an unconfirmed one locks nobody out"
    );
    let confirm = |lab: &Lab, code: &str| {
        let (by, code) = (olga.clone(), code.to_owned());
        let recovery = vec![recovery_hash("abcdefgh-ijklmnop")];
        lab.act(move |tx, here| confirm_second_factor(tx, &by, here, &code, recovery, None))
    };
    assert_eq!(word(confirm(&lab, "000000")), "second_factor_refused");
    assert!(lab.who("before").is_some());
    confirm(&lab, "287082").unwrap();
    assert!(lab.who("before").is_none(), "it began without the second factor");
    assert_eq!(word(confirm(&lab, "287082")), "no_second_factor");

    assert_eq!(word(lab.sign_in(OLGA, "none")), "second_factor_needed");
    assert_eq!(
        word(lab.sign_in_with(OLGA, "again", Some("287082"))),
        "second_factor_refused"
    );
    lab.now = Timestamp::from_second(1_111_111_111).unwrap();
    lab.sign_in_with(OLGA, "right", Some("050471")).unwrap();
    let recovery = Some("ABCDEFGH ijklmnop");
    lab.sign_in_with(OLGA, "lost", recovery).unwrap();
    assert_eq!(
        word(lab.sign_in_with(OLGA, "twice", recovery)),
        "second_factor_refused"
    );
    assert_eq!(
        lab.actions()
            .iter()
            .filter(|action| *action == "recovery_code.used")
            .count(),
        1
    );
}

#[test]
fn a_sign_in_says_where_it_came_from_and_what_it_was_proved_by() {
    let lab = Lab::ready();
    lab.sign_in(OLGA, "a").unwrap();
    lab.act(|tx, here| note_refused_sign_in(tx, here, None, std::net::Ipv4Addr::LOCALHOST.into()))
        .unwrap();
    let entries = chain::entries_after(&lab.view(), 0, 1000).unwrap();
    let details = |action: &str| {
        let entry = entries
            .iter()
            .rfind(|entry| entry.fields.action.to_string() == action);
        format!("{:?}", entry.unwrap().fields.detail)
    };
    let login = details("login");
    assert!(
        login.contains("127.0.0.1") && login.contains("password"),
        "{login}"
    );
    assert!(details("login.refused").contains("127.0.0.1"));
}

#[test]
fn a_lost_second_factor_is_removed_by_those_above() {
    let mut lab = Lab::ready();
    lab.now = Timestamp::from_second(59).unwrap();
    let owner = lab.actor(OLGA);
    lab.create(Some(&owner), 11, Some("Administrator")).unwrap();
    let administrator = lab.actor(11);
    for actor in [owner.clone(), administrator.clone()] {
        lab.act(move |tx, here| {
            add_second_factor(tx, &actor, SecondFactor::new(SECRET))?;
            confirm_second_factor(tx, &actor, here, "287082", Vec::new(), None)
        })
        .unwrap();
    }
    let remove = |lab: &Lab, actor: &Actor, number: u128, code: Option<&str>| {
        let (actor, code) = (actor.clone(), code.map(str::to_owned));
        lab.act(move |tx, here| remove_second_factor(tx, &actor, here, id(number), code.as_deref(), None))
    };
    assert_eq!(word(remove(&lab, &administrator, OLGA, None)), "denied");
    assert_eq!(
        word(remove(&lab, &owner, OLGA, None)),
        "second_factor_needed",
        "one's own needs a code"
    );
    remove(&lab, &owner, 11, None).unwrap();
    assert!(lab.sign_in(11, "without").is_ok());
    lab.now = Timestamp::from_second(1_111_111_111).unwrap();
    remove(&lab, &owner, OLGA, Some("050471")).unwrap();
    assert_eq!(word(remove(&lab, &owner, OLGA, None)), "no_second_factor");
}

#[test]
fn whoever_runs_the_machine_lets_the_only_owner_in_again() {
    let mut lab = Lab::ready();
    lab.now = Timestamp::from_second(59).unwrap();
    let olga = lab.actor(OLGA);
    lab.create(Some(&olga), 11, None).unwrap();
    lab.act(move |tx, here| {
        add_second_factor(tx, &olga, SecondFactor::new(SECRET))?;
        confirm_second_factor(tx, &olga, here, "287082", Vec::new(), None)
    })
    .unwrap();
    lab.now = Timestamp::from_second(1_111_111_111).unwrap();
    lab.sign_in_with(OLGA, "open", Some("050471")).unwrap();
    let recover = |lab: &Lab, email: &'static str, token: &str| {
        let token = reset_token_hash(token);
        lab.act(move |tx, here| recover(tx, here, email, &token))
    };
    assert!(matches!(
        recover(&lab, "nobody@example.org", "t"),
        Err(Refusal::NotFound { .. })
    ));
    assert!(lab.who("open").is_some(), "nothing was changed");

    let recovered = recover(&lab, "OLGA@example.org", "t").unwrap();
    assert!(recovered.second_factor_removed && !recovered.activated);
    assert!(lab.who("open").is_none(), "sessions have ended");
    let token = reset_token_hash("t");
    assert_eq!(check_reset(&lab.view(), &token, lab.now).unwrap(), id(OLGA));
    let chosen = lab.act(move |tx, here| reset_password(tx, here, &token, "new".into()));
    chosen.unwrap();
    lab.sign_in(OLGA, "back").unwrap();
    assert!(lab.actions().iter().any(|word| word == "account.recovered"));

    // Who is deactivated stays so while an owner is there who can decide on it.
    let owner = lab.actor(OLGA);
    let off = Change {
        active: Some(false),
        ..Change::default()
    };
    lab.administer(&owner, 11, off).unwrap();
    assert_eq!(word(recover(&lab, "p11@example.org", "u")), "deactivated");
    // A store whose only owner is deactivated has nobody else.
    lab.act(|tx, _| {
        let account = Account {
            active: false,
            ..account(tx, id(OLGA))?
        };
        Ok(tx.put(&ACCOUNTS, &id(OLGA).0, &account)?)
    })
    .unwrap();
    assert!(recover(&lab, "olga@example.org", "v").unwrap().activated);
    lab.sign_in(OLGA, "again").unwrap();
}
