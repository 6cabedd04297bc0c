//! What somebody wants to be told of.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::cli::failure::Failure;
use crate::cli::password::secret_file;
use crate::cli::{Session, print};
use crate::domain::notification::Event;
use crate::domain::notification::channel::{APP_ALWAYS_ON, NO_SMS};
use crate::domain::notification::digest::Frequency;

/// A way to be told.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(in crate::cli) enum Channel {
    /// By mail
    Email,
    /// By text message; no node offers it
    Sms,
    /// Over your incoming webhook
    Slack,
    /// In the inbox; always on
    App,
}

impl Channel {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Sms => "SMS",
            Self::Slack => "SLACK",
            Self::App => "APP",
        }
    }

    /// Where a test of it is asked for.
    pub(super) fn test_path(self) -> Result<&'static str, Failure> {
        match self {
            Self::Email => Ok("/notifications/settings/test"),
            Self::Slack => Ok("/notifications/preferences/test"),
            Self::Sms => Err(Failure::failed(NO_SMS)),
            Self::App => Err(Failure::failed(APP_ALWAYS_ON)),
        }
    }
}

fn event(word: &str) -> Result<String, String> {
    if Event::parse(word).is_some() {
        return Ok(word.to_owned());
    }
    let words: Vec<_> = Event::ALL.iter().map(|event| event.word()).collect();
    Err(format!("the events are {}", words.join(", ")))
}

fn frequency(word: &str) -> Result<String, String> {
    let words: Vec<_> = Frequency::ALL.iter().map(|(_, word)| *word).collect();
    if words.contains(&word) {
        Ok(word.to_owned())
    } else {
        Err(format!("it is one of {}", words.join(", ")))
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Switch {
    /// Over which channel; all that can be switched if not named
    #[arg(long, ignore_case = true)]
    channel: Option<Channel>,
    /// Of which event; all if not named
    #[arg(long, value_parser = event)]
    event: Option<String>,
}

impl Switch {
    pub(super) fn run(&self, session: &Session, way: &str) -> Result<(), Failure> {
        let body = json!({ "channel": self.channel.map(Channel::word), "event": self.event });
        let path = format!("/notifications/preferences/{way}");
        show(session, &session.client.post(&path, &body)?)
    }
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(in crate::cli) struct Schedule {
    /// How often: instant, six_hourly, twelve_hourly, daily or weekly
    #[arg(long, value_parser = frequency)]
    frequency: Option<String>,
    /// Of which event; of all that can wait if not named
    #[arg(long, value_parser = event, requires = "frequency")]
    event: Option<String>,
    /// The time of day of digests, e.g. 07:30
    #[arg(long, value_name = "HH:MM")]
    time: Option<String>,
    /// The day of weekly digests, e.g. monday
    #[arg(long, value_name = "DAY")]
    weekday: Option<String>,
    /// How far that time is ahead of UTC, e.g. +01:00
    #[arg(long, value_name = "±HH:MM", allow_hyphen_values = true)]
    utc_offset: Option<String>,
}

impl Schedule {
    pub(super) fn run(&self, session: &Session) -> Result<(), Failure> {
        let mut body = Map::new();
        match (&self.frequency, &self.event) {
            (Some(frequency), Some(event)) => {
                body.insert("events".to_owned(), json!({ event: { "frequency": frequency } }));
            }
            (Some(frequency), None) => {
                body.insert("frequency".to_owned(), frequency.as_str().into());
            }
            (None, _) => {}
        }
        for (name, value) in [
            ("digest_time", &self.time),
            ("digest_weekday", &self.weekday),
            ("utc_offset", &self.utc_offset),
        ] {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.as_str().into());
            }
        }
        change(session, &Value::Object(body))
    }
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct Webhook {
    /// Read its address from this file (its first line), `-` for the standard input: whoever knows it can write there
    #[arg(long, value_name = "FILE")]
    url_file: Option<PathBuf>,
    /// Take it away
    #[arg(long)]
    remove: bool,
}

impl Webhook {
    pub(super) fn run(&self, session: &Session) -> Result<(), Failure> {
        let url = match &self.url_file {
            Some(file) => secret_file(file)?.to_string(),
            None => String::new(),
        };
        change(session, &json!({ "webhook": url }))
    }
}

fn change(session: &Session, body: &Value) -> Result<(), Failure> {
    show(
        session,
        &session.client.patch("/notifications/preferences", body)?,
    )
}

pub(super) fn show(session: &Session, preferences: &Value) -> Result<(), Failure> {
    session.out.show(preferences, |preferences| {
        let rows: Vec<Vec<String>> = preferences["events"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|row| {
                let on = |channel: &str| print::of(&row["channels"][channel]);
                vec![
                    print::field(row, "event"),
                    on("APP"),
                    on("EMAIL"),
                    on("SLACK"),
                    print::field(row, "frequency"),
                ]
            })
            .collect();
        let facts = print::facts(&[
            (
                "digests at",
                format!(
                    "{} (UTC{}), weekly ones on {}",
                    print::field(preferences, "digest_time"),
                    print::field(preferences, "utc_offset"),
                    print::field(preferences, "digest_weekday")
                ),
            ),
            ("webhook", print::field(preferences, "webhook")),
        ]);
        let table = print::table(&["EVENT", "APP", "EMAIL", "SLACK", "HOW OFTEN"], &rows);
        format!("{table}\n\n{facts}")
    })
}
