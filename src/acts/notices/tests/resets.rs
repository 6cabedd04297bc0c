//! Tokens for new passwords, and the mails that bring them.

use super::*;
use crate::domain::notification::route::RESETS_PER_DAY;
use crate::store::tables::RESETS;

#[test]
fn a_code_goes_with_its_mail() {
    let scene = staffed(Side::Low);
    let asked = std::cell::Cell::new(0_u8);
    let ask = |configured: Configured, email: &'static str| {
        asked.set(asked.get() + 1);
        let token = Hash([asked.get(); 32]);
        scene
            .act(move |tx, here| mail_reset(tx, here, &configured, email, &token, sealed()))
            .unwrap()
    };
    let ada_at = "ada@example.org";
    assert!(!ask(Configured::default(), ada_at), "no mail, no offer");
    assert!(!ask(configured(), "nobody@example.org"));
    assert!(scene.view().range_from(&RESETS, None, 9).unwrap().is_empty());
    assert!(ask(configured(), ada_at));
    assert!(ask(configured(), "eve@example.org"), "others may");
    let resets = scene.view().range_from(&RESETS, None, 9).unwrap();
    assert_eq!(resets.len(), 2);
    assert!(told_to(&scene).is_empty());
    // What is over is not sent: `all_due` looks long after.
    assert!(all_due(&scene).is_empty());
    let soon = resets[0].1.expires_at - jiff::SignedDuration::from_mins(1);
    let sent = |number| {
        let here = Here::at(&scene.view(), soon, [0; 32]).unwrap();
        parcel(&scene.view(), &here, &configured(), number).unwrap()
    };
    assert_eq!(sent(2).unwrap().form, Form::PasswordReset);
    scene
        .act(|tx, here| {
            let error = "550".into();
            settle(tx, here, 2, Outcome::Final { error })
        })
        .unwrap();
    let dead: DeadLetter = scene.view().get(&DEAD_LETTERS, &2).unwrap().unwrap();
    assert!(matches!(
        dead.delivery.content,
        Content::PasswordReset { code: None, .. }
    ));
    let again = scene.act(|tx, here| dead_letters::requeue(tx, &owner(), here, 2));
    assert_eq!(crate::acts::scene::word(again), "code_gone");
    // Nothing that somebody chose to be told of can stop it.
    let off = Choice::Switch {
        on: false,
        channel: None,
        event: None,
    };
    scene
        .act(move |tx, _| choose(tx, &ada(), &configured(), vec![off]))
        .unwrap();
    assert!(sent(1).is_some());
    // A deactivated account gets nothing, also not what is on its way.
    scene
        .act(|tx, _| {
            let role = Preset::User.id();
            Ok(tx.put(&ACCOUNTS, &ada().user.0, &Account { role, active: false })?)
        })
        .unwrap();
    assert!(sent(1).is_none());
    scene.sleep();
    assert!(!ask(configured(), ada_at));
}

#[test]
fn a_stranger_who_asks_for_tokens_uses_nothing_up_and_ends_none() {
    let scene = staffed(Side::Low);
    let asked = std::cell::Cell::new(0_u8);
    let ask = || {
        asked.set(asked.get() + 1);
        let token = Hash([asked.get(); 32]);
        scene
            .act(move |tx, here| mail_reset(tx, here, &configured(), "ada@example.org", &token, sealed()))
            .unwrap()
    };
    let tokens = || {
        let held = scene.view().range_from(&RESETS, None, 9).unwrap();
        held.into_iter().map(|(token, _)| token).collect::<Vec<_>>()
    };
    let handed_over = Hash([200; 32]);
    scene
        .act(move |tx, here| accounts::reset_for(tx, &owner(), here, ada().user, &handed_over))
        .unwrap();
    assert!(!ask());
    assert_eq!(tokens(), [handed_over.0], "what was handed over holds");
    scene
        .act(move |tx, here| accounts::reset_password(tx, here, &handed_over, "new".into()))
        .unwrap();
    // As many as there are on a day, each of which is over before the next.
    for number in 1..=u64::from(RESETS_PER_DAY) {
        assert!(ask(), "{number}");
        let mailed = tokens();
        assert!(!ask() && tokens() == mailed, "what was mailed holds as well");
        scene
            .act(move |tx, here| {
                let error = "550".into();
                settle(tx, here, number, Outcome::Final { error })
            })
            .unwrap();
        assert!(tokens().is_empty(), "what never arrives is withdrawn");
    }
    assert!(!ask(), "nobody floods another's mailbox");
    // A mail that dies ends no token but its own.
    let eves = Hash([201; 32]);
    let mailed = move |tx: &mut Tx<'_>, here: &Here| {
        mail_reset(tx, here, &configured(), "eve@example.org", &eves, sealed())
    };
    assert!(scene.act(mailed).unwrap());
    scene
        .act(move |tx, here| accounts::reset_for(tx, &owner(), here, eve().user, &handed_over))
        .unwrap();
    let number = u64::from(RESETS_PER_DAY) + 1;
    scene
        .act(move |tx, here| {
            let error = "550".into();
            settle(tx, here, number, Outcome::Final { error })
        })
        .unwrap();
    assert_eq!(tokens(), [handed_over.0]);
}
