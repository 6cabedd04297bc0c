//! Watches a node for what a refused bundle may change: nothing, but for an entry in the audit chain and one in the outbox.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::node::{Node, items};
use crate::person::{Person, word};
use crate::world::text;

/// A node, watched by one of its people who may see everything.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    pub node: &'a Node,
    pub who: &'a Person,
}

fn files(folder: &Path, found: &mut BTreeMap<String, u64>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        if metadata.is_dir() {
            files(&path, found);
        } else {
            found.insert(path.display().to_string(), metadata.len());
        }
    }
}

impl Watch<'_> {
    /// All that a bundle could change: peers and their counters, inboxes, what is owed, every object, blobs and quarantine.
    pub fn state(&self) -> Value {
        let peers = self.who.get("/peers");
        let mut state = json!({ "peers": peers });
        for peer in items(&peers) {
            let id = text(&peer["id"]);
            for box_ in ["inbox", "outgoing"] {
                let path = format!("/peers/{id}/{box_}?include_ignored=true&include_same=true");
                state[format!("{box_} {id}")] = self.who.try_get(&path).1;
            }
        }
        for list in ["users", "projects", "codes", "requests", "datasets", "runs"] {
            state[list] = self.who.get(&format!("/{list}?limit=200"));
        }
        for folder in ["blobs", "quarantine"] {
            let mut found = BTreeMap::new();
            files(&self.node.folder().join(folder), &mut found);
            state[folder] = json!(found);
        }
        state
    }

    fn newest(&self, list: &str) -> Value {
        items(&self.who.get(&format!("{list}?limit=1")))
            .pop()
            .unwrap_or_default()
    }

    /// Hands a bundle in that must be refused with this word, and finds that nothing has changed.
    #[track_caller]
    pub fn refuses(&self, what: &str, bundle: &[u8], expected: &str) -> Value {
        let (before, entry, told) = (self.state(), self.newest("/audit"), self.newest("/outbox"));
        let answer = self
            .who
            .try_post_bytes("/imports", "application/octet-stream", bundle);
        assert_eq!(
            (answer.0, word(&answer)),
            (409, expected),
            "{what}: {:#}",
            answer.1
        );
        let detail = text(&answer.1["detail"]);
        assert!(detail.len() > 10, "{what} is explained: {detail}");
        assert_eq!(self.state(), before, "{what} changed something");
        let noted = self.newest("/audit");
        assert_eq!(noted["action"], "bundle.refused", "{what}: {noted:#}");
        assert_eq!(
            noted["sequence"].as_u64(),
            entry["sequence"].as_u64().map(|last| last + 1),
            "{what}: one entry"
        );
        let number = |told: &Value| told["number"].as_u64().unwrap_or(0);
        assert_eq!(
            number(&self.newest("/outbox")),
            number(&told) + 1,
            "{what}: people are told"
        );
        answer.1
    }

    /// Hands a bundle in that must be accepted, in this state.
    #[track_caller]
    pub fn accepts(&self, what: &str, bundle: &[u8], expected: &str) -> Value {
        let answer = self
            .who
            .try_post_bytes("/imports", "application/octet-stream", bundle);
        assert_eq!(answer.0, 200, "{what}: {:#}", answer.1);
        assert_eq!(answer.1["state"], expected, "{what}: {:#}", answer.1);
        answer.1
    }

    /// Hands a bundle in that must be recognised, and finds that nothing at all has changed.
    #[track_caller]
    pub fn recognises(&self, what: &str, bundle: &[u8]) {
        let (before, entry, told) = (self.state(), self.newest("/audit"), self.newest("/outbox"));
        let brought = self.accepts(what, bundle, "repeated");
        assert_eq!(brought["brought"], 0);
        assert_eq!(self.state(), before, "{what}");
        assert_eq!(
            (self.newest("/audit"), self.newest("/outbox")),
            (entry, told),
            "{what}"
        );
    }
}
