use serde_bytes::ByteBuf;

use super::*;

fn sealed(text: &str) -> Sealed {
    Sealed(ByteBuf::from(text.as_bytes()))
}

fn enabling(server: &str, port: u16) -> Enabling {
    Enabling {
        server: Some(server.into()),
        port: Some(port),
        sender: Some("node@example.org".into()),
        ..Enabling::default()
    }
}

fn with_password(enabling: Enabling) -> Enabling {
    Enabling {
        username: Some("node".into()),
        password: Some(sealed("secret")),
        ..enabling
    }
}

fn said<T: std::fmt::Debug>(result: Result<T, EnablingError>) -> String {
    match result.unwrap_err() {
        EnablingError::Invalid(invalid) => invalid.problem,
        other => other.to_string(),
    }
}

#[test]
fn the_first_time_needs_server_port_and_sender() {
    let nothing = Enabling::default();
    assert_eq!(said(nothing.complete(None, None)), SERVER_AND_PORT);
    for half in [
        Enabling {
            port: None,
            ..enabling("mail.example.org", 587)
        },
        Enabling {
            server: None,
            ..enabling("mail.example.org", 587)
        },
    ] {
        assert_eq!(
            said(half.complete(None, None)),
            "You must provide both server and port to enable notifications."
        );
    }
    let no_sender = Enabling {
        sender: None,
        ..enabling("mail.example.org", 587)
    };
    assert_eq!(said(no_sender.complete(None, None)), SENDER);
    let wrong_sender = Enabling {
        sender: Some("node".into()),
        ..enabling("mail.example.org", 587)
    };
    assert_eq!(said(wrong_sender.complete(None, None)), INVALID_SENDER);
    let (server, sender) = enabling("mail.example.org", 587).complete(None, None).unwrap();
    assert_eq!(
        (server.security, sender.as_str()),
        (Security::StartTls, "node@example.org")
    );
    assert_eq!(
        enabling("m", 465).complete(None, None).unwrap().0.security,
        Security::Tls
    );
}

#[test]
fn a_username_goes_with_a_password_or_neither_is() {
    for half in [
        Enabling {
            password: None,
            ..with_password(enabling("m", 587))
        },
        Enabling {
            username: None,
            ..with_password(enabling("m", 587))
        },
    ] {
        assert_eq!(said(half.complete(None, None)), USERNAME_AND_PASSWORD);
    }
    assert!(
        with_password(enabling("m", 587))
            .complete(None, None)
            .unwrap()
            .0
            .credentials
            .is_some()
    );
}

#[test]
fn later_what_is_known_is_used_again() {
    let (server, sender) = with_password(enabling("mail.example.org", 2525))
        .complete(None, None)
        .unwrap();
    let again = Enabling::default()
        .complete(Some(&server), Some(&sender))
        .unwrap();
    assert_eq!(again, (server.clone(), sender.clone()));
    let port = Enabling {
        port: Some(2526),
        ..Enabling::default()
    };
    assert_eq!(port.complete(Some(&server), Some(&sender)).unwrap().0.port, 2526);
}

#[test]
fn a_password_never_follows_to_another_server() {
    let (known, sender) = with_password(enabling("mail.example.org", 587))
        .complete(None, None)
        .unwrap();
    for elsewhere in [
        Enabling {
            server: Some("mail.example.com".into()),
            ..Enabling::default()
        },
        Enabling {
            port: Some(588),
            ..Enabling::default()
        },
        Enabling {
            security: Some(Security::None),
            ..Enabling::default()
        },
        Enabling {
            authority: Some("another".into()),
            ..Enabling::default()
        },
    ] {
        let (server, _) = elsewhere.complete(Some(&known), Some(&sender)).unwrap();
        assert_eq!(server.credentials, None, "{server:?}");
    }
}

#[test]
fn a_password_crosses_no_network_in_the_open() {
    let open = |host: &str| {
        let open = Enabling {
            security: Some(Security::None),
            ..enabling(host, 25)
        };
        with_password(open).complete(None, None)
    };
    assert_eq!(said(open("mail.example.org")), OPEN_CREDENTIALS);
    for here in ["127.0.0.1", "::1", "localhost"] {
        assert!(open(here).is_ok(), "{here}");
    }
}

#[test]
fn a_host_is_a_host() {
    for wrong in [
        "",
        "a b",
        "mail.example.org\r\nQUIT",
        "mäil.example.org",
        "http://x",
    ] {
        assert!(MailServer::new(wrong, 25, None, None, None).is_err(), "{wrong:?}");
    }
    assert!(MailServer::new("m", 0, None, None, None).is_err());
}

#[test]
fn what_was_set_counts_before_what_is_configured() {
    let server = |host: &str| MailServer::new(host, 25, None, None, None).unwrap();
    let configured = Configured {
        server: Some(server("configured")),
        sender: Some(Email::parse("sender", "node@configured.example").unwrap()),
        ..Configured::default()
    };
    let host = |set: Option<&MailSettings>| {
        let effective = Effective::of(set, &configured);
        (
            effective.carries(ChannelKind::Email),
            effective.server.unwrap().host,
        )
    };
    assert_eq!(host(None), (true, "configured".into()));
    let mut set = MailSettings {
        server: Some(server("set")),
        ..MailSettings::default()
    };
    assert_eq!(host(Some(&set)), (true, "set".into()));
    set.active = Some(false);
    assert_eq!(host(Some(&set)), (false, "set".into()));
    let effective = Effective::of(Some(&set), &configured);
    assert_eq!(effective.domain(), "configured.example");
    assert!(effective.carries(ChannelKind::App) && !effective.carries(ChannelKind::Sms));
    assert!(!Effective::of(None, &Configured::default()).active);
}

#[test]
fn single_events_have_limits_of_their_own() {
    let set = MailSettings {
        rate_limit: Some(9),
        rate_limits: [(Event::ResultReady, 1)].into(),
        ..MailSettings::default()
    };
    let effective = Effective::of(Some(&set), &Configured::default());
    let limits =
        [Event::RunFailed, Event::ResultReady, Event::PasswordReset].map(|event| effective.limit(event));
    assert_eq!(limits, [9, 1, RESETS_PER_DAY]);
}

#[test]
fn a_webhook_is_posted_to_where_it_seems_to_lead() {
    for (url, expected) in [
        (
            "https://hooks.slack.com/services/T/B/X",
            "https://hooks.slack.com",
        ),
        (
            "https://Chat.example.org:8443/hooks/x",
            "https://chat.example.org:8443",
        ),
        ("http://127.0.0.1:8065/hooks/x", "http://127.0.0.1:8065"),
        ("http://[::1]:8065/hooks/x", "http://[::1]:8065"),
    ] {
        assert_eq!(origin("webhook", url).unwrap(), expected);
    }
    for wrong in [
        "",
        "http://chat.example.org/hooks/x",
        "https://hooks.slack.com@evil.example/x",
        "http://127.0.0.1@evil.example/x",
        "http://127.0.0.1.evil.example/x",
        "https://hooks.slack.com\\@evil.example",
        "ftp://127.0.0.1/x",
        "https://host:99999/x",
        "https:///x",
    ] {
        assert!(origin("webhook", wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_base_url_ends_without_a_slash() {
    assert_eq!(
        base_url("base_url", "https://lab.example.org/x/")
            .unwrap()
            .unwrap(),
        "https://lab.example.org/x"
    );
    assert_eq!(base_url("base_url", "").unwrap(), None);
    for wrong in ["lab.example.org", "https://lab/?x", "javascript:x", "https://a@b"] {
        assert!(base_url("base_url", wrong).is_err(), "{wrong}");
    }
}
