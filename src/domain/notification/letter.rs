//! What a message says: the values of its templates, and the mail that they become.
//!
//! In a message stand who did what to what, a link, the reason of a denial, and nothing else: no code, no data, no result.

use jiff::Timestamp;
use uuid::Uuid;

use super::Event;
use super::one_line::OneLine;
use super::template::{Escaping, Name, Template, Values};

/// What an event is about, as far as people are told: read from the store when a message is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Who did it, where that is of interest: a person or a peer.
    pub who: Option<String>,
    /// Why: the reason of a denial.
    pub reason: Option<String>,
    /// Where to look.
    pub target: Option<Target>,
}

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A person.
    User(Uuid),
    /// A request.
    Request(Uuid),
    /// A run, on the high side.
    Run(Uuid),
    /// A peer, with its inbox.
    Peer(Uuid),
}

impl Target {
    /// The word for what it is.
    pub fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Request(_) => "request",
            Self::Run(_) => "run",
            Self::Peer(_) => "peer",
        }
    }

    /// Its id.
    pub fn id(self) -> Uuid {
        match self {
            Self::User(id) | Self::Request(id) | Self::Run(id) | Self::Peer(id) => id,
        }
    }

    /// Where it is on the node: the same below the pages and below the API.
    pub fn path(self) -> String {
        format!("/{}s/{}", self.kind(), self.id())
    }
}

/// Where the inbox is on the node.
pub const INBOX_PATH: &str = "/notifications";

/// Where a new password is chosen with a one-time code.
pub const NEW_PASSWORD_PATH: &str = "/new-password";

/// What happened, in a sentence.
pub fn sentence(event: Event, told: &Told) -> String {
    let somebody = told.who.as_deref().unwrap_or("Somebody");
    let peer = told.who.as_deref().unwrap_or("a peer");
    match event {
        Event::UserRegistered => format!("{somebody} has registered an account."),
        Event::Welcome => "Your account is ready; you can sign in.".to_owned(),
        Event::RequestSubmitted => format!("{somebody} has submitted a request; it waits for a decision."),
        Event::RequestWithdrawn => format!("{somebody} has withdrawn a request."),
        Event::RequestApproved => "Your request was approved.".to_owned(),
        Event::RequestDenied => "Your request was denied.".to_owned(),
        Event::RunFailed => "A run of the code of your request failed.".to_owned(),
        Event::ResultAwaitsRelease => "A run has left a result; it waits for its release.".to_owned(),
        Event::ResultReady => "The result of your request was released; you can fetch it.".to_owned(),
        Event::ReportReady => {
            "A log or a failure report of your request was released; you can fetch it.".to_owned()
        }
        Event::BundleArrived => format!("A bundle from {peer} has arrived; it waits for its review."),
        Event::BundleRefused => format!("A bundle from {peer} was refused; the audit chain says why."),
        Event::BundleApplied => format!("Batches from {peer} were applied."),
        Event::PasswordReset => {
            "Somebody asked for a new password for your account. If it was not you, there is nothing to do."
                .to_owned()
        }
        Event::VerifyKeyChanged => {
            format!("{somebody} signs with another key than this node knew; ask them before you accept it.")
        }
    }
}

/// What every message of a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// How the node is called.
    pub node: String,
    /// Where people reach it, without a slash at the end; none if nobody has said.
    pub base_url: Option<String>,
}

impl Sender {
    /// The address of a path on the node; the path alone if nobody has said where people reach it.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.base_url.as_deref().unwrap_or_default())
    }

    /// The values of one event.
    pub fn values(&self, event: Event, told: &Told, at: Timestamp) -> Values {
        let mut values = Values::default();
        values.set(Name::Node, self.node.as_str());
        values.set(Name::Subject, event.subject());
        values.set(Name::Sentence, sentence(event, told));
        values.set(Name::At, shown(at));
        values.set(Name::Inbox, self.link(INBOX_PATH));
        if let Some(who) = &told.who {
            values.set(Name::Who, who.as_str());
        }
        if let Some(reason) = &told.reason {
            values.set(Name::Reason, reason.as_str());
        }
        if let Some(target) = told.target {
            values.set(Name::Kind, target.kind());
            values.set(Name::Link, self.link(&target.path()));
        }
        values
    }

    /// The values of a digest, without its items.
    pub fn digest_values(&self, more: u64) -> Values {
        let mut values = Values::default();
        values.set(Name::Node, self.node.as_str());
        values.set(Name::Subject, DIGEST_SUBJECT);
        values.set(Name::Inbox, self.link(INBOX_PATH));
        if more > 0 {
            values.set(Name::More, more.to_string());
        }
        values
    }
}

/// The subject of a digest.
pub const DIGEST_SUBJECT: &str = "What is new";
/// The subject of a test mail.
pub const TEST_SUBJECT: &str = "A test";

/// A moment, for people: to the minute, by UTC.
pub fn shown(at: Timestamp) -> String {
    let text = at.to_string();
    match text.get(..16) {
        Some(minute) => format!("{} UTC", minute.replace('T', " ")),
        None => text,
    }
}

/// A text and an HTML template that say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The text.
    pub text: Template,
    /// The HTML.
    pub html: Template,
}

/// A message that is ready to be sent over any channel. Its subject is fixed per event and its sender's name is one line:
/// by their types, nothing in them can begin a header of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// See [`super::delivery::message_id`].
    pub message_id: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// How the node is called.
    pub from_name: OneLine,
    /// The address of the recipient's account.
    pub to: String,
    /// What it is about.
    pub subject: &'static str,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// A few lines for a chat.
    pub chat: String,
}

impl Pair {
    /// Both parts.
    pub fn render(&self, values: &Values) -> (String, String) {
        (
            self.text.render(values, Escaping::Text),
            self.html.render(values, Escaping::Html),
        )
    }
}

/// Makes text harmless in a chat that reads markup: Slack's `<…>` and Mattermost's `@name` and `[text](address)` lose their
/// meaning, by entities and by characters of no width.
pub fn for_chat(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("@\u{200B}"),
            ']' => out.push_str("]\u{200B}"),
            '`' => out.push('\''),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_the_object() {
        let sender = Sender {
            node: "Lab".into(),
            base_url: Some("https://lab.example.org".into()),
        };
        let target = Target::Request(Uuid::nil());
        let link = "https://lab.example.org/requests/00000000-0000-0000-0000-000000000000";
        assert_eq!(sender.link(&target.path()), link);
        let nowhere = Sender {
            base_url: None,
            ..sender
        };
        assert!(nowhere.link(&target.path()).starts_with("/requests/"));
    }

    #[test]
    fn a_moment_is_shown_to_the_minute() {
        assert_eq!(
            shown("2026-11-25T09:05:59.123Z".parse().unwrap()),
            "2026-11-25 09:05 UTC"
        );
    }

    #[test]
    fn a_chat_sees_text_and_no_markup() {
        assert_eq!(
            for_chat("<!channel> @all [x](http://y) `c`"),
            "&lt;!channel&gt; @\u{200B}all [x]\u{200B}(http://y) 'c'"
        );
    }

    #[test]
    fn every_event_is_told_in_a_sentence_that_names_who() {
        let told = Told {
            who: Some("Sam".into()),
            ..Told::default()
        };
        for event in Event::ALL {
            let said = sentence(*event, &told);
            assert!(said.ends_with('.') && said.len() > 20, "{said}");
        }
        assert!(sentence(Event::UserRegistered, &told).starts_with("Sam "));
        assert!(sentence(Event::BundleRefused, &Told::default()).contains("from a peer"));
    }
}
