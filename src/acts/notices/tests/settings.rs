use super::*;
use crate::acts::notices::settings::{Change, adjust, disable, enable, forget, show};
use crate::domain::access::Permission;
use crate::domain::notification::preferences::Webhook;

#[test]
fn mail_is_switched_by_those_who_may_and_follows_the_configuration_until_something_is_set() {
    let scene = staffed(Side::Low);
    let active = |scene: &Scene| {
        let (set, effective) = show(&scene.view(), &owner(), &configured()).unwrap();
        (
            set.is_some_and(|set| set.server.is_some()),
            effective.carries(ChannelKind::Email),
        )
    };
    assert_eq!(active(&scene), (false, true));
    assert!(show(&scene.view(), &ada(), &configured()).is_err());
    assert!(scene.act(|tx, here| disable(tx, &officer(), here)).is_err());
    scene.act(|tx, here| disable(tx, &owner(), here)).unwrap();
    assert_eq!(active(&scene), (false, false));
    let code = scene.code(40, OutputPolicy::SingleExecution);
    scene.request(50, code);
    tell(&scene, &configured());
    assert!(all_due(&scene).is_empty());
    let enabled = |server: MailServer| {
        let sender = configured().sender.unwrap();
        scene
            .act(move |tx, here| enable(tx, &owner(), here, &configured(), server, sender))
            .unwrap();
    };
    enabled(configured().server.unwrap());
    assert_eq!(
        active(&scene),
        (false, true),
        "as configured, and so it follows it"
    );
    enabled(MailServer::new("other.example.org", 25, None, None, None).unwrap());
    assert_eq!(active(&scene), (true, true));
    scene.act(|tx, here| forget(tx, &owner(), here)).unwrap();
    assert_eq!(active(&scene), (false, true));
    assert_eq!(scene.audited().last().unwrap(), "setting.changed");
}

#[test]
fn whoever_may_change_settings_and_not_everything_chooses_no_mail_server() {
    let scene = staffed(Side::Low);
    let admin = || Actor {
        permissions: Preset::Administrator.role().permissions,
        ..officer()
    };
    assert!(admin().may(Permission::EditSettings));
    let sender = configured().sender.unwrap();
    let own = MailServer::new("mail.of-their-own.example.org", 25, None, None, None).unwrap();
    let enabled = scene.act(move |tx, here| enable(tx, &admin(), here, &configured(), own, sender));
    let forgotten = scene.act(move |tx, here| forget(tx, &admin(), here));
    let adjusted = |wanted: Change| scene.act(move |tx, here| adjust(tx, &admin(), here, wanted));
    let linked = [Some("https://of-their-own.example.org".into()), None].map(|url| {
        adjusted(Change {
            base_url: Some(url),
            rate_limit: Some(1),
            ..Change::default()
        })
    });
    for refused in [enabled, forgotten].into_iter().chain(linked) {
        assert!(matches!(refused, Err(Refusal::Denied(_))), "{refused:?}");
    }
    let stored = show(&scene.view(), &admin(), &configured()).unwrap().0;
    assert!(
        stored.is_none(),
        "nothing of a refused change is kept: {stored:?}"
    );
    adjusted(Change {
        rate_limit: Some(7),
        ..Change::default()
    })
    .unwrap();
    scene.act(move |tx, here| disable(tx, &admin(), here)).unwrap();
}

#[test]
fn settings_beside_the_server_change_one_by_one() {
    let scene = staffed(Side::Low);
    let change = |change: Change| scene.act(move |tx, here| adjust(tx, &owner(), here, change));
    change(Change {
        base_url: Some(Some("https://x".into())),
        ..Change::default()
    })
    .unwrap();
    change(Change {
        rate_limits: [(Event::RunFailed, Some(3))].into(),
        ..Change::default()
    })
    .unwrap();
    let effective = effective(&scene.view(), &configured()).unwrap();
    assert_eq!(
        (effective.base_url.as_deref(), effective.limit(Event::RunFailed)),
        (Some("https://x"), 3)
    );
    change(Change {
        rate_limits: [(Event::RunFailed, None)].into(),
        ..Change::default()
    })
    .unwrap();
    assert!(
        super::super::effective(&scene.view(), &configured())
            .unwrap()
            .limit(Event::RunFailed)
            > 3
    );
    let refused = scene.act(|tx, here| adjust(tx, &ada(), here, Change::default()));
    assert!(matches!(refused, Err(Refusal::Denied(_))));
}

#[test]
fn a_webhook_is_only_where_the_administrator_allows_it() {
    let scene = staffed(Side::Low);
    let set = |configured: Configured, origin: &str| {
        let webhook = Webhook {
            url: sealed(),
            origin: origin.into(),
        };
        let on = Choice::Switch {
            on: true,
            channel: Some(ChannelKind::Slack),
            event: None,
        };
        scene.act(move |tx, _| {
            choose(
                tx,
                &officer(),
                &configured,
                vec![Choice::Webhook(Some(webhook)), on],
            )
        })
    };
    for (configured, origin) in [
        (Configured::default(), "https://hooks.slack.com"),
        (configured(), "http://127.0.0.1:8460"),
    ] {
        assert!(
            matches!(set(configured, origin), Err(Refusal::Invalid(_))),
            "{origin}"
        );
    }
    let mine = set(configured(), "https://hooks.slack.com").unwrap();
    assert!(mine.wants(Event::RequestSubmitted, ChannelKind::Slack));
    let code = scene.code(40, OutputPolicy::SingleExecution);
    scene.request(50, code);
    tell(&scene, &configured());
    let slack: Vec<_> = all_due(&scene)
        .into_iter()
        .filter(|parcel| parcel.delivery.channel == ChannelKind::Slack)
        .collect();
    assert_eq!(slack.len(), 1);
    assert_eq!(slack[0].webhook, Some(sealed()));
    // Its server is taken off the list: what waits is not posted there, and nothing more is told there.
    let elsewhere = || Configured {
        webhook_origins: vec!["https://chat.example.org".into()],
        ..configured()
    };
    let here = Here::at(&scene.view(), slack[0].delivery.due_at, [0; 32]).unwrap();
    let post = |configured: &Configured| parcel(&scene.view(), &here, configured, slack[0].number).unwrap();
    assert!(post(&configured()).is_some() && post(&elsewhere()).is_none());
    scene.request(51, code);
    tell(&scene, &elsewhere());
    let over_slack = all_due(&scene)
        .into_iter()
        .filter(|parcel| parcel.delivery.channel == ChannelKind::Slack);
    assert_eq!(over_slack.count(), 1);
    // Without the webhook there is nothing to post to.
    scene
        .act(|tx, _| choose(tx, &officer(), &configured(), vec![Choice::Webhook(None)]))
        .unwrap();
    assert!(
        all_due(&scene)
            .iter()
            .all(|parcel| parcel.delivery.channel == ChannelKind::Email)
    );
}
