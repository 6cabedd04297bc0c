//! The events that people wait for, and whose turn it is at each.

use serde::{Deserialize, Serialize};

use super::Audience;
use crate::domain::access::Permission;
use crate::domain::id::UserId;

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $word:literal, $subject:literal;)*) => {
        /// Something that happened and that somebody waits for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Event {
            $($(#[$doc])* $name,)*
        }

        impl Event {
            /// Every event, in the order in which a list shows them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word for it in the API and on the command line.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// Its number in the store's keys; never changes.
            pub fn number(self) -> u8 {
                match self {
                    $(Self::$name => $number,)*
                }
            }

            /// The subject of a mail about it. Fixed: nothing that anybody supplied is in a subject.
            pub fn subject(self) -> &'static str {
                match self {
                    $(Self::$name => $subject,)*
                }
            }
        }
    };
}

events! {
    /// A person registered.
    UserRegistered = 1, "user_registered", "Somebody has registered";
    /// Told to the new user.
    Welcome = 2, "welcome", "Your account is ready";
    /// A request was submitted, or arrived in a bundle that was applied.
    RequestSubmitted = 3, "request_submitted", "A request waits for you";
    /// A request was taken back by its requester.
    RequestWithdrawn = 4, "request_withdrawn", "A request was withdrawn";
    /// A request was approved.
    RequestApproved = 5, "request_approved", "Your request was approved";
    /// A request was denied.
    RequestDenied = 6, "request_denied", "Your request was denied";
    /// A run failed.
    RunFailed = 7, "run_failed", "A run of your code failed";
    /// A run left a result that awaits its release.
    ResultAwaitsRelease = 8, "result_awaits_release", "A result waits for its release";
    /// A result was released to its requester.
    ResultReady = 9, "result_ready", "Your result is ready";
    /// A bundle arrived.
    BundleArrived = 10, "bundle_arrived", "A bundle has arrived";
    /// A bundle was refused.
    BundleRefused = 11, "bundle_refused", "A bundle was refused";
    /// Batches of a bundle were applied.
    BundleApplied = 12, "bundle_applied", "Batches of a bundle were applied";
    /// Somebody asked for a new password.
    PasswordReset = 13, "password_reset", "A new password for your account";
    /// Somebody's verify key is another than this node knew: what they sign waits until a reviewer has asked them.
    VerifyKeyChanged = 14, "verify_key_changed", "Somebody signs with another key";
    /// A log or a failure report was released to its requester.
    ReportReady = 15, "report_ready", "What a run of your code said was released";
}

impl Event {
    /// Who is told of the event: those whose turn it is. `person` is whose request or account it concerns.
    pub fn audience(self, person: Option<UserId>) -> Option<Audience> {
        match self {
            Self::UserRegistered => Some(Audience::Holders(Permission::CreateUsers)),
            Self::RequestSubmitted | Self::RequestWithdrawn | Self::VerifyKeyChanged => {
                Some(Audience::Holders(Permission::TriageRequests))
            }
            Self::Welcome
            | Self::RequestApproved
            | Self::RequestDenied
            | Self::RunFailed
            | Self::ResultReady
            | Self::ReportReady
            | Self::PasswordReset => person.map(Audience::Person),
            Self::ResultAwaitsRelease => Some(Audience::Holders(Permission::Release)),
            Self::BundleArrived | Self::BundleRefused | Self::BundleApplied => {
                Some(Audience::Holders(Permission::Sync))
            }
        }
    }

    /// What of an audience by permission must be able to do besides, to open what the event leads to: whoever releases looks at
    /// the run first, which those alone see who triage.
    pub fn needs_besides(self) -> Option<Permission> {
        (self == Self::ResultAwaitsRelease).then_some(Permission::TriageRequests)
    }

    /// The event that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.word() == word)
    }

    /// Whether its owner can choose over which channels, and when, they are told. A new password that was asked for is
    /// always sent at once and by mail alone: there is no other way back into the account.
    pub fn is_optional(self) -> bool {
        self != Self::PasswordReset
    }

    /// Whether it happens between two nodes, and so never on one that stands alone.
    pub fn is_between_nodes(self) -> bool {
        matches!(
            self,
            Self::BundleArrived | Self::BundleRefused | Self::BundleApplied
        )
    }

    /// Whether it may wait for a digest. The first mail to a new person must not.
    pub fn may_wait(self) -> bool {
        !matches!(self, Self::Welcome | Self::PasswordReset)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_and_numbers_name_one_event_each() {
        let words: BTreeSet<_> = Event::ALL.iter().map(|event| event.word()).collect();
        let numbers: BTreeSet<_> = Event::ALL.iter().map(|event| event.number()).collect();
        assert_eq!((words.len(), numbers.len()), (Event::ALL.len(), Event::ALL.len()));
        for event in Event::ALL {
            assert_eq!(Event::parse(event.word()), Some(*event));
            assert_eq!(serde_json::json!(event), event.word());
            assert!(event.subject().is_ascii() && event.subject().len() < 60);
        }
    }

    #[test]
    fn those_are_told_whose_turn_it_is() {
        let sam = UserId(uuid::Uuid::from_u128(7));
        let told = |event: Event| event.audience(Some(sam)).unwrap();
        for event in Event::ALL {
            let expected = match event.word() {
                "user_registered" => Audience::Holders(Permission::CreateUsers),
                "request_submitted" | "request_withdrawn" | "verify_key_changed" => {
                    Audience::Holders(Permission::TriageRequests)
                }
                "result_awaits_release" => Audience::Holders(Permission::Release),
                "bundle_arrived" | "bundle_refused" | "bundle_applied" => Audience::Holders(Permission::Sync),
                _ => Audience::Person(sam),
            };
            assert_eq!(told(*event), expected, "{event:?}");
        }
        assert_eq!(Event::ResultReady.audience(None), None);
    }
}
