//! `poundlock notifications`: the inbox, what one wants to be told of, and what administrators set about mail.

mod choices;
mod letters;
mod settings;

use clap::Subcommand;
use serde_json::{Value, json};

use super::failure::Failure;
use super::{Session, print};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List your inbox, newest first
    List {
        /// Only what you have not read
        #[arg(long)]
        unread: bool,
        /// The whole inbox, not its first page
        #[arg(long)]
        all: bool,
    },
    /// Say how much you have not read
    Unread,
    /// Show one notification
    Show {
        /// Its number
        id: u64,
    },
    /// Mark notifications as read
    Read(Which),
    /// Mark a notification as unread
    MarkUnread {
        /// Its number
        id: u64,
    },
    /// Remove notifications from your inbox
    Clear(Which),
    /// Print what is new since the last time; works on a node without mail
    Digest,
    /// Show what you want to be told of
    Preferences,
    /// Be told of an event, or of all, over a channel
    Activate(choices::Switch),
    /// Be told no more; the inbox is always on
    Deactivate(choices::Switch),
    /// Choose how often to be told, and when digests come
    Schedule(choices::Schedule),
    /// Set your incoming webhook of Slack's or Mattermost's
    Webhook(choices::Webhook),
    /// Send yourself a test message now
    Test {
        /// Over which channel
        #[arg(long, default_value = "EMAIL", ignore_case = true)]
        channel: choices::Channel,
    },
    /// Show what is set about mail, what waits, and how things stand
    Settings,
    /// Switch mail on: the server is tried, with its credentials, before it is accepted; needs every permission
    Enable(settings::Enable),
    /// Switch off everything that leaves the node
    Disable,
    /// Change settings beside the mail server; what is not named stays
    Set(settings::Change),
    /// Forget what was set here: the environment and poundlock.toml count again; needs every permission
    Forget,
    /// Messages that were given up
    #[command(subcommand)]
    DeadLetters(letters::Verb),
}

/// One notification, or all.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// Its number
    id: Option<u64>,
    /// All that there are
    #[arg(long)]
    all: bool,
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::List { unread, all } => {
            let path = format!("/notifications?unread={unread}");
            session.out.show(&client.list(&path, *all)?, listing)
        }
        Verb::Unread => session.out.show(&client.get("/notifications/unread")?, |found| {
            print::field(found, "unread")
        }),
        Verb::Show { id } => session
            .out
            .show(&client.get(&format!("/notifications/{id}"))?, facts),
        Verb::Read(Which { id: Some(id), .. }) => mark(session, *id, true),
        Verb::MarkUnread { id } => mark(session, *id, false),
        Verb::Read(_) => done(
            session,
            &client.post("/notifications/read", &json!({}))?,
            "all is read",
        ),
        Verb::Clear(Which { id: Some(id), .. }) => done(
            session,
            &client.delete(&format!("/notifications/{id}"))?,
            "removed",
        ),
        Verb::Clear(_) => done(
            session,
            &client.post("/notifications/clear", &json!({}))?,
            "the inbox is empty",
        ),
        Verb::Digest => digest(session),
        Verb::Preferences => choices::show(session, &client.get("/notifications/preferences")?),
        Verb::Activate(switch) => switch.run(session, "activate"),
        Verb::Deactivate(switch) => switch.run(session, "deactivate"),
        Verb::Schedule(schedule) => schedule.run(session),
        Verb::Webhook(webhook) => webhook.run(session),
        Verb::Test { channel } => {
            let path = channel.test_path()?;
            done(session, &client.post(path, &json!({}))?, "it was taken")
        }
        Verb::Settings => settings::show(session, &client.get("/notifications/settings")?),
        Verb::Enable(enable) => enable.run(session),
        Verb::Disable => settings::show(
            session,
            &client.post("/notifications/settings/disable", &json!({}))?,
        ),
        Verb::Set(change) => change.run(session),
        Verb::Forget => settings::show(session, &client.delete("/notifications/settings")?),
        Verb::DeadLetters(verb) => letters::run(session, verb),
    }
}

fn mark(session: &Session, id: u64, read: bool) -> Result<(), Failure> {
    let path = format!("/notifications/{id}");
    session
        .out
        .show(&session.client.patch(&path, &json!({ "read": read }))?, facts)
}

fn done(session: &Session, answer: &Value, said: &str) -> Result<(), Failure> {
    session.out.show(answer, |_| said.to_owned())
}

/// A page of the inbox, for people.
fn listing(list: &Value) -> String {
    let rows: Vec<Vec<String>> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            let mark = if item["read"] == true { "" } else { "*" };
            vec![
                print::field(item, "id"),
                mark.to_owned(),
                print::field(item, "at"),
                said(item),
            ]
        })
        .collect();
    let mut text = print::table(&["ID", "", "AT", "WHAT"], &rows);
    if !list["next"].is_null() {
        text.push_str("\n(there is more: use --all)");
    }
    text
}

fn said(item: &Value) -> String {
    let mut said = print::field(item, "text");
    let (title, reason) = (
        print::field(&item["about"], "title"),
        print::field(item, "reason"),
    );
    if !title.is_empty() {
        said.push_str(&format!(" ({title})"));
    }
    if !reason.is_empty() {
        said.push_str(&format!(" Reason: {reason}"));
    }
    said
}

fn facts(item: &Value) -> String {
    let about = &item["about"];
    let what = match about["kind"].as_str() {
        Some(_) => format!("{} {}", print::field(about, "kind"), print::field(about, "id")),
        None => String::new(),
    };
    let title = print::field(about, "title");
    print::facts(&[
        ("id", print::field(item, "id")),
        ("what", print::field(item, "text")),
        ("reason", print::field(item, "reason")),
        ("about", what),
        ("request", title),
        ("link", print::field(about, "link")),
        ("at", print::field(item, "at")),
        ("read", print::field(item, "read")),
    ])
}

/// Prints everything that is new, a page at a time, and notes each as shown once it is printed: what is cut off on the way is shown
/// again. As JSON, each page is a line.
fn digest(session: &Session) -> Result<(), Failure> {
    let mut printed = false;
    loop {
        let page = session.client.get("/notifications/digest?limit=200")?;
        let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let up_to = page["up_to"].as_u64();
        if up_to.is_some() || !printed {
            session.out.show(&json!({ "items": items }), |_| lines(items))?;
        }
        printed = true;
        let Some(up_to) = up_to else {
            return Ok(());
        };
        session
            .client
            .post("/notifications/digest", &json!({ "up_to": up_to }))?;
        if page["more"] != true {
            return Ok(());
        }
    }
}

/// What is new, a line each.
fn lines(items: &[Value]) -> String {
    if items.is_empty() {
        return "nothing is new".to_owned();
    }
    let lines = items.iter().map(|item| {
        let (at, what) = (print::field(item, "at"), said(item));
        let link = print::field(&item["about"], "link");
        format!("{at}  {what} {link}").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}
