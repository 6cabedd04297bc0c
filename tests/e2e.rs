//! Poundlock from outside: the real binary, as real processes, over real files.
//!
//! One test binary with a module for each subject. [`node::Node`] starts a node in a folder of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    clippy::type_complexity,
    reason = "a test ends at the first thing that is not as it should be, and tells its story in one piece"
)]

#[path = "e2e/access.rs"]
mod access;
#[path = "e2e/accounts.rs"]
mod accounts;
#[path = "e2e/administering.rs"]
mod administering;
#[path = "e2e/archives.rs"]
mod archives;
#[path = "e2e/authenticator.rs"]
mod authenticator;
#[path = "e2e/backups.rs"]
mod backups;
#[path = "e2e/browser.rs"]
mod browser;
#[path = "e2e/bundles.rs"]
mod bundles;
#[path = "e2e/catalogue.rs"]
mod catalogue;
#[path = "e2e/crashes.rs"]
mod crashes;
#[path = "e2e/disks.rs"]
mod disks;
#[cfg(feature = "failpoints")]
#[path = "e2e/failpoints.rs"]
mod failpoints;
#[path = "e2e/forge.rs"]
mod forge;
#[path = "e2e/forgeries.rs"]
mod forgeries;
#[path = "e2e/fuzzing.rs"]
mod fuzzing;
#[path = "e2e/histories.rs"]
mod histories;
#[path = "e2e/lifetime.rs"]
mod lifetime;
#[path = "e2e/load.rs"]
mod load;
#[path = "e2e/mail.rs"]
mod mail;
#[path = "e2e/mutants.rs"]
mod mutants;
#[path = "e2e/network.rs"]
mod network;
#[path = "e2e/node.rs"]
mod node;
#[path = "e2e/notebook.rs"]
mod notebook;
#[path = "e2e/notifications.rs"]
mod notifications;
#[path = "e2e/openapi.rs"]
mod openapi;
#[path = "e2e/pages_account.rs"]
mod pages_account;
#[path = "e2e/pages_catalogue.rs"]
mod pages_catalogue;
#[path = "e2e/pages_data.rs"]
mod pages_data;
#[path = "e2e/pages_entry.rs"]
mod pages_entry;
#[path = "e2e/pages_hostile.rs"]
mod pages_hostile;
#[path = "e2e/pages_loop.rs"]
mod pages_loop;
#[path = "e2e/pages_node.rs"]
mod pages_node;
#[path = "e2e/pages_review.rs"]
mod pages_review;
#[path = "e2e/pairing.rs"]
mod pairing;
#[path = "e2e/parquet.rs"]
mod parquet;
#[path = "e2e/person.rs"]
mod person;
#[path = "e2e/privacy.rs"]
mod privacy;
#[path = "e2e/restoring.rs"]
mod restoring;
#[path = "e2e/signing.rs"]
mod signing;
#[path = "e2e/solo.rs"]
mod solo;
#[path = "e2e/stage.rs"]
mod stage;
#[path = "e2e/volumes.rs"]
mod volumes;
#[path = "e2e/watch.rs"]
mod watch;
#[path = "e2e/whole_loop.rs"]
mod whole_loop;
#[path = "e2e/world.rs"]
mod world;
