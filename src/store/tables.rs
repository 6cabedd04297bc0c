//! Every table of a node, in one place. A table's number is its first key byte and never changes its meaning.

use uuid::Uuid;

use super::key::Key;
use super::read::Record;
use super::table::Table;
use crate::domain::access_rule::AccessRule;
use crate::domain::account::Account;
use crate::domain::group::Group;
use crate::domain::job::Run;
use crate::domain::key_pins::KeyPins;
use crate::domain::notification::delivery::{DeadLetter, Delivery, Gathered, Used};
use crate::domain::notification::mail_settings::MailSettings;
use crate::domain::notification::preferences::Preferences;
use crate::domain::notification::{Mailbox, Notice, Notification, Progress};
use crate::domain::object::{Object, Revision};
use crate::domain::peer::{Arrived, CarriedObject, Owed, Peer, Pending, Reviewed, Sent};
use crate::domain::private_data::{KnownMock, PrivateData};
use crate::domain::role::Role;
use crate::domain::session::{Credentials, Reset, Session};
use crate::domain::settings::{Changed, Node, Settings};

/// The node's own record.
pub const NODE: Table<(), Node> = Table::new(1, "node", 1).remembered();
/// Who last changed a setting, by its word.
pub const SETTINGS_CHANGED: Table<String, Changed> = Table::new(3, "settings_changed", 1);
/// The owner's settings.
pub const SETTINGS: Table<(), Settings> = Table::new(2, "settings", 1).remembered();

/// The token that resets somebody's password, by user: a new one ends the one before.
pub const RESET_OF: Table<Uuid, [u8; 32]> = Table::new(4, "reset_of", 1);

/// The newest revision of every object.
pub const OBJECTS: Table<Uuid, Object> = Table::new(10, "objects", 1).remembered();
/// Replaced revisions, by object and the journal's position of the change that replaced them.
pub const HISTORY: Table<(Uuid, u64), Object> = Table::new(11, "history", 1);
/// Objects by kind and the journal's position of their first sight.
pub const BY_KIND: Table<(u8, u64, Uuid), ()> = Table::new(12, "by_kind", 1).remembered();
/// Objects by parent, kind and the journal's position of their first sight. A request is listed under its code too, a
/// release under its request.
pub const CHILDREN: Table<(Uuid, u8, u64, Uuid), ()> = Table::new(13, "children", 1).remembered();
/// Unique names: home, kind, parent (nil where there is none), folded name.
pub const NAMES: Table<(Uuid, u8, Uuid, String), Uuid> = Table::new(14, "names", 1);
/// Requests that do not rest, see [`crate::domain::request::rests`], in the order of the milliseconds of their first sight.
pub const REQUESTS_OPEN: Table<(u64, Uuid), ()> = Table::new(16, "requests_open", 1);
/// What changed: position to object and revision. Stays on this node.
pub const JOURNAL: Table<u64, (Uuid, Revision)> = Table::new(15, "journal", 1);

/// Password hashes, by user.
pub const CREDENTIALS: Table<Uuid, Credentials> = Table::new(20, "credentials", 1);
/// Sessions, by the hash of their token.
pub const SESSIONS: Table<[u8; 32], Session> = Table::new(21, "sessions", 1);
/// Whose sessions are under which hash: user, session.
pub const SESSIONS_OF: Table<(Uuid, Uuid), [u8; 32]> = Table::new(22, "sessions_of", 1);
/// What people may do on this node, by user.
pub const ACCOUNTS: Table<Uuid, Account> = Table::new(23, "accounts", 1).remembered();
/// Roles, by id.
pub const ROLES: Table<Uuid, Role> = Table::new(24, "roles", 1).remembered();
/// Who has a role: role, user.
pub const HOLDERS: Table<(Uuid, Uuid), ()> = Table::new(25, "holders", 1);
/// Groups, by id.
pub const GROUPS: Table<Uuid, Group> = Table::new(26, "groups", 1).remembered();
/// Who is in a group: group, user.
pub const MEMBERS: Table<(Uuid, Uuid), ()> = Table::new(27, "members", 1);
/// Which groups somebody is in: user, group.
pub const MEMBER_OF: Table<(Uuid, Uuid), ()> = Table::new(28, "member_of", 1).remembered();
/// Tokens that reset a password, by their hash.
pub const RESETS: Table<[u8; 32], Reset> = Table::new(29, "resets", 1);

/// Runs of code on this node.
pub const RUNS: Table<Uuid, Run> = Table::new(30, "runs", 1);
/// Runs by request, by code, and all of them under the nil id; in the order of the milliseconds of their queueing.
pub const RUNS_OF: Table<(Uuid, u64, Uuid), ()> = Table::new(31, "runs_of", 1);
/// Runs that are not over, in the order of their queueing.
pub const RUNS_OPEN: Table<(u64, Uuid), ()> = Table::new(32, "runs_open", 1);
/// Private data attached to assets, by asset. Empty on a low node.
pub const PRIVATE_DATA: Table<Uuid, PrivateData> = Table::new(33, "private_data", 1);
/// Mocks that nobody here gave, by asset.
pub const KNOWN_MOCKS: Table<Uuid, KnownMock> = Table::new(36, "known_mocks", 1);
/// Results of runs on private data that were not released, in the order of the milliseconds of their runs' end.
pub const RESULTS_UNRELEASED: Table<(u64, Uuid), ()> = Table::new(35, "results_unreleased", 1);
/// Runs of one kind of data apart, see [`Run::listed_apart`]; in the order of the milliseconds of their queueing.
pub const RUNS_APART: Table<(Uuid, u64, Uuid), ()> = Table::new(34, "runs_apart", 1);

/// Peers, by node.
pub const PEERS: Table<Uuid, Peer> = Table::new(40, "peers", 1);
/// Datasets published to a peer: dataset, peer.
pub const PUBLISHED: Table<(Uuid, Uuid), ()> = Table::new(41, "published", 1);
/// What a peer is owed: peer, object.
pub const OWED: Table<(Uuid, Uuid), Owed> = Table::new(42, "owed", 1);
/// The newest revision of each object that a peer has acknowledged: peer, object.
pub const DELIVERED: Table<(Uuid, Uuid), CarriedObject> = Table::new(43, "delivered", 1);
/// Bundles made for a peer: peer, this node's epoch, number.
pub const SENT: Table<(Uuid, Uuid, u64), Sent> = Table::new(44, "sent", 1);
/// What each bundle carries: peer, this node's epoch, number, object.
pub const CARRIED: Table<(Uuid, Uuid, u64, Uuid), CarriedObject> = Table::new(45, "carried", 1);
/// In which bundles an object went: object, peer, this node's epoch, number.
pub const CARRIED_IN: Table<(Uuid, Uuid, Uuid, u64), ()> = Table::new(46, "carried_in", 1);
/// Batches that a person holds back from a peer: peer, root.
pub const HELD: Table<(Uuid, Uuid), ()> = Table::new(47, "held", 1);
/// Bundles received: peer, its epoch, number.
pub const ARRIVED: Table<(Uuid, Uuid, u64), Arrived> = Table::new(48, "arrived", 1);
/// What waits for review: peer, object.
pub const INBOX: Table<(Uuid, Uuid), Pending> = Table::new(49, "inbox", 1);
/// Superseded revisions that were never applied: peer, object, and a count in the order in which they were superseded.
pub const INBOX_SUPERSEDED: Table<(Uuid, Uuid, u64), Pending> = Table::new(50, "inbox_superseded", 1);
/// Ignored batches: peer, root.
pub const IGNORED: Table<(Uuid, Uuid), ()> = Table::new(51, "ignored", 1);
/// The last review of a batch: peer, root.
pub const REVIEWED: Table<(Uuid, Uuid), Reviewed> = Table::new(52, "reviewed", 1);

/// Blobs that a peer has acknowledged: peer, hash.
pub const HAS_BLOB: Table<(Uuid, [u8; 32]), ()> = Table::new(53, "has_blob", 1);

/// The verify keys of people as this node has come to know them, by user.
pub const KEY_PINS: Table<Uuid, KeyPins> = Table::new(70, "key_pins", 1);

/// Notifications, by a count. The newest stay when they have been fanned out, for the list that administrators read.
pub const OUTBOX: Table<u64, Notification> = Table::new(60, "outbox", 1);
/// How far the outbox has been fanned out.
pub const FANNED_OUT: Table<(), Progress> = Table::new(61, "fanned_out", 1);
/// Inboxes: user, and a count of their own, see [`Mailbox::last`].
pub const NOTICES: Table<(Uuid, u64), Notice> = Table::new(62, "notices", 1);
/// Of those, the ones that have not been read.
pub const UNREAD: Table<(Uuid, u64), ()> = Table::new(63, "unread", 1);
/// What is known of an inbox beside its notices, by user.
pub const MAILBOXES: Table<Uuid, Mailbox> = Table::new(64, "mailboxes", 1);
/// What people want to be told of, by user.
pub const PREFERENCES: Table<Uuid, Preferences> = Table::new(65, "preferences", 1).remembered();
/// Messages on their way, by a count.
pub const DELIVERIES: Table<u64, Delivery> = Table::new(66, "deliveries", 1);
/// The same in the order in which they are due: channel, milliseconds, count.
pub const DELIVERIES_DUE: Table<(u8, u64, u64), ()> = Table::new(67, "deliveries_due", 1);
/// Messages that were given up, by the count that they had.
pub const DEAD_LETTERS: Table<u64, DeadLetter> = Table::new(68, "dead_letters", 1);
/// What waits for a digest: user, channel, number of the outbox's entry.
pub const GATHERED: Table<(Uuid, u8, u64), Gathered> = Table::new(69, "gathered", 1);
/// When digests are due: milliseconds, user, channel.
pub const DIGESTS_DUE: Table<(u64, Uuid, u8), ()> = Table::new(90, "digests_due", 1);
/// What has been used of rate limits: user, channel, event.
pub const RATES_USED: Table<(Uuid, u8, u8), Used> = Table::new(91, "rates_used", 1);
/// What was set about mail by the API.
pub const MAIL_SETTINGS: Table<(), MailSettings> = Table::new(92, "mail_settings", 1);

/// Rules that decide on requests to see, by their id.
pub const ACCESS_RULES: Table<Uuid, AccessRule> = Table::new(80, "access_rules", 1);
/// How often a rule has granted something: rule, person; in all under the nil id.
pub const RULE_GRANTS: Table<(Uuid, Uuid), u32> = Table::new(81, "rule_grants", 1);
/// The requests to see that were made here: person, object, the type of what was asked for, request.
pub const ASKED_TO_SEE: Table<(Uuid, Uuid, u8, Uuid), ()> = Table::new(82, "asked_to_see", 1);

/// Something that is done with one table after the other, whatever each holds.
pub trait Visitor {
    /// Does it with one.
    fn visit<K: Key, V: Record>(&mut self, table: &Table<K, V>);
}

/// Goes through every table of this file.
pub fn visit_all(visitor: &mut impl Visitor) {
    visitor.visit(&NODE);
    visitor.visit(&SETTINGS_CHANGED);
    visitor.visit(&SETTINGS);
    visitor.visit(&RESET_OF);
    visitor.visit(&OBJECTS);
    visitor.visit(&HISTORY);
    visitor.visit(&BY_KIND);
    visitor.visit(&CHILDREN);
    visitor.visit(&NAMES);
    visitor.visit(&JOURNAL);
    visitor.visit(&REQUESTS_OPEN);
    visitor.visit(&CREDENTIALS);
    visitor.visit(&SESSIONS);
    visitor.visit(&SESSIONS_OF);
    visitor.visit(&ACCOUNTS);
    visitor.visit(&ROLES);
    visitor.visit(&HOLDERS);
    visitor.visit(&GROUPS);
    visitor.visit(&MEMBERS);
    visitor.visit(&MEMBER_OF);
    visitor.visit(&RESETS);
    visitor.visit(&RUNS);
    visitor.visit(&RUNS_OF);
    visitor.visit(&RUNS_OPEN);
    visitor.visit(&PRIVATE_DATA);
    visitor.visit(&KNOWN_MOCKS);
    visitor.visit(&RUNS_APART);
    visitor.visit(&RESULTS_UNRELEASED);
    visitor.visit(&PEERS);
    visitor.visit(&PUBLISHED);
    visitor.visit(&OWED);
    visitor.visit(&DELIVERED);
    visitor.visit(&SENT);
    visitor.visit(&CARRIED);
    visitor.visit(&CARRIED_IN);
    visitor.visit(&HELD);
    visitor.visit(&ARRIVED);
    visitor.visit(&INBOX);
    visitor.visit(&INBOX_SUPERSEDED);
    visitor.visit(&IGNORED);
    visitor.visit(&REVIEWED);
    visitor.visit(&HAS_BLOB);
    visitor.visit(&KEY_PINS);
    visitor.visit(&OUTBOX);
    visitor.visit(&FANNED_OUT);
    visitor.visit(&NOTICES);
    visitor.visit(&UNREAD);
    visitor.visit(&MAILBOXES);
    visitor.visit(&PREFERENCES);
    visitor.visit(&DELIVERIES);
    visitor.visit(&DELIVERIES_DUE);
    visitor.visit(&DEAD_LETTERS);
    visitor.visit(&GATHERED);
    visitor.visit(&DIGESTS_DUE);
    visitor.visit(&RATES_USED);
    visitor.visit(&MAIL_SETTINGS);
    visitor.visit(&ACCESS_RULES);
    visitor.visit(&RULE_GRANTS);
    visitor.visit(&ASKED_TO_SEE);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[derive(Default)]
    struct Prefixes(BTreeSet<u8>, usize);

    impl Visitor for Prefixes {
        fn visit<K: Key, V: Record>(&mut self, table: &Table<K, V>) {
            self.0.insert(table.prefix());
            self.1 += 1;
        }
    }

    #[test]
    fn every_table_is_visited_once_and_has_a_number_of_its_own() {
        let mut visited = Prefixes::default();
        visit_all(&mut visited);
        assert_eq!(
            visited.0.len(),
            visited.1,
            "two tables share a number, or one was visited twice"
        );
        let declared = include_str!("tables.rs")
            .lines()
            .filter(|line| line.starts_with("pub const "));
        assert_eq!(visited.1, declared.count(), "a table is missing in visit_all");
    }
}
