//! One node of a history: a store in memory behind a writer, and what people do there. No files, no keys, no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use uuid::Uuid;

use crate::acts::{Refusal, datasets, inbox, peers};
use crate::domain::access::Actor;
use crate::domain::hash::Hash;
use crate::domain::id::{Epoch, NodeId, UserId};
use crate::domain::object::{Body, Object};
use crate::domain::role::Preset;
use crate::domain::settings;
use crate::domain::side::Level;
use crate::store::engine::{Batch, Engine, EngineError};
use crate::store::memory_engine::MemoryEngine;
use crate::store::read::{Read, View};
use crate::store::records::{self, Here, RecordError};
use crate::store::table::Table;
use crate::store::tables::{NODE, OBJECTS};
use crate::store::transaction::Tx;
use crate::store::writer::{TransactError, Writer, WriterLimits};
use crate::sync::review::Seen;
use crate::sync::select::Filters;

/// Everything that a store holds, byte for byte.
pub type Dump = BTreeMap<Vec<u8>, Vec<u8>>;

/// A node. Its ids begin with eight bytes of its own, so that a dump can be searched for what was born elsewhere.
#[derive(Debug)]
pub struct Node {
    pub id: NodeId,
    pub level: Level,
    writer: Writer,
    /// Ids and moments go on over a restore, as they do in the world.
    count: AtomicU64,
}

impl Node {
    pub fn new(number: u8, level: Level) -> Self {
        let born = Self::on(Arc::new(MemoryEngine::new()), number, level);
        let record = settings::Node {
            id: born.id,
            side: level.into(),
            epoch: Epoch(born.fresh_id()),
            pairing_epoch: None,
            setup_token: None,
            made_at: born.moment(),
        };
        let written = born.writer.transact(move |tx| tx.put(&NODE, &(), &record));
        written.unwrap();
        born
    }

    fn on(engine: Arc<dyn Engine>, number: u8, level: Level) -> Self {
        Self {
            id: NodeId(Uuid::from_bytes([number; 16])),
            level,
            writer: Writer::start(engine, WriterLimits::default()).unwrap(),
            count: AtomicU64::new(1),
        }
    }

    /// An empty node on an engine of the caller's.
    pub fn with_engine(engine: Arc<dyn Engine>, like: &Self) -> Self {
        let number = like.id.0.as_bytes()[0];
        let node = Self::on(engine, number, like.level);
        node.count
            .store(like.count.load(Ordering::Relaxed), Ordering::Relaxed);
        node
    }

    /// The eight bytes that every id made here begins with.
    pub fn mark(&self) -> [u8; 8] {
        Self::mark_of(self.id)
    }

    /// The same of a node that is known by its id.
    pub fn mark_of(id: NodeId) -> [u8; 8] {
        [0xF0 | id.0.as_bytes()[0]; 8]
    }

    pub fn fresh_id(&self) -> Uuid {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.mark());
        bytes[8..].copy_from_slice(&self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        Uuid::from_bytes(bytes)
    }

    fn moment(&self) -> Timestamp {
        let count = i64::try_from(self.count.fetch_add(1, Ordering::Relaxed)).unwrap();
        Timestamp::from_second(1_790_000_000 + count).unwrap()
    }

    /// The owner, who may do everything.
    pub fn owner(&self) -> Actor {
        self.person(1)
    }

    /// A person who may do everything, by number.
    pub fn person(&self, number: u8) -> Actor {
        let mut bytes = *self.id.0.as_bytes();
        bytes[15] = 200 + number;
        Actor {
            user: UserId(Uuid::from_bytes(bytes)),
            name: format!("Person {number}"),
            permissions: Preset::Owner.role().permissions,
            groups: BTreeSet::new(),
        }
    }

    /// Runs an act in a transaction, as the node would.
    pub fn act<T, E>(
        &self,
        act: impl FnOnce(&mut Tx<'_>, &Here) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: std::error::Error + Send + From<RecordError> + 'static,
    {
        let now = self.moment();
        let random = Hash::of(self.fresh_id().as_bytes()).0;
        let answer = self.writer.transact(move |tx| {
            let here = Here::at(tx, now, random)?;
            act(tx, &here)
        });
        match answer {
            Ok(value) => Ok(value),
            Err(TransactError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("{error}"),
        }
    }

    pub fn view(&self) -> View {
        self.writer.view().unwrap()
    }

    pub fn epoch(&self) -> Epoch {
        peers::announced_epoch(&self.view()).unwrap()
    }

    pub fn dump(&self) -> Dump {
        let mut dump = Dump::new();
        let copied: Result<(), EngineError> = self.view().export(|key, value| {
            dump.insert(key.to_vec(), value.to_vec());
            Ok(())
        });
        copied.unwrap();
        dump
    }

    /// The store as it was, under a new epoch: what `poundlock restore` does.
    pub fn restored(&self, dump: &Dump) -> Self {
        let node = self.copied(dump, Arc::new(MemoryEngine::new()));
        let epoch = Epoch(node.fresh_id());
        node.act(move |tx, here| peers::begin_epoch(tx, here, epoch))
            .unwrap();
        node
    }

    /// The store as it was, on an engine of the caller's.
    pub fn copied(&self, dump: &Dump, engine: Arc<dyn Engine>) -> Self {
        let puts = dump.iter().map(|(key, value)| (key.clone(), value.clone()));
        let batch = Batch {
            puts: puts.collect(),
            ..Batch::default()
        };
        engine.commit(batch).unwrap();
        Self::with_engine(engine, self)
    }

    pub fn object(&self, id: Uuid) -> Option<Object> {
        records::object(&self.view(), id).unwrap()
    }

    pub fn objects(&self) -> Vec<Object> {
        self.rows(&OBJECTS)
            .into_iter()
            .map(|(_, object)| object)
            .collect()
    }

    /// Everything in one table.
    pub fn rows<K, V>(&self, table: &Table<K, V>) -> Vec<(K, V)>
    where
        K: crate::store::key::Key,
        V: crate::store::read::Record,
    {
        self.view().range_from(table, None, usize::MAX).unwrap()
    }

    /// Writes a new object whose home is this node.
    pub fn write(&self, body: Body) -> Uuid {
        let id = self.fresh_id();
        self.act(move |tx, here| records::write(tx, here, id, body, false))
            .unwrap();
        id
    }

    /// Changes an object whose home is this node.
    pub fn edit(&self, id: Uuid, change: impl FnOnce(&mut Body)) {
        let mut body = self.object(id).unwrap().body;
        change(&mut body);
        self.act(move |tx, here| records::write(tx, here, id, body, false))
            .unwrap();
    }

    /// Lays a tombstone, which says of data no more than what is gone.
    pub fn erase(&self, id: Uuid) {
        let body = datasets::bared(self.object(id).unwrap().body);
        self.act(move |tx, here| records::write(tx, here, id, body, true))
            .unwrap();
    }

    /// Has the owner hold a batch back from a peer, or let it go.
    pub fn hold(&self, peer: Uuid, root: Uuid, held: bool) {
        let owner = self.owner();
        self.act(move |tx, _| peers::hold(tx, &owner, peer, root, held))
            .unwrap();
    }

    /// The batches in the inbox.
    pub fn inbox(&self, peer: Uuid) -> Vec<inbox::InboxBatch> {
        inbox::contents(&self.view(), &self.owner(), peer, &Filters::default()).unwrap()
    }

    /// All that the inbox shows, as a reviewer sees it who looks now.
    pub fn seen(&self, peer: Uuid) -> Vec<Seen> {
        let shown = self.inbox(peer);
        let members = shown.iter().flat_map(|shown| &shown.batch.members);
        members
            .map(|member| Seen {
                id: member.id,
                revision: member.revision,
            })
            .collect()
    }

    /// Has the owner apply batches as they are now.
    pub fn apply(&self, peer: Uuid, roots: &[Uuid]) -> Result<inbox::Applied, Refusal> {
        self.apply_as(self.owner(), peer, roots, self.seen(peer))
    }

    pub fn apply_as(
        &self,
        actor: Actor,
        peer: Uuid,
        roots: &[Uuid],
        seen: Vec<Seen>,
    ) -> Result<inbox::Applied, Refusal> {
        let roots = roots.to_vec();
        self.act(move |tx, here| inbox::apply(tx, &actor, here, peer, &roots, &seen))
    }

    /// Applies everything that can be applied; what waits stays.
    pub fn apply_all(&self, peer: Uuid) {
        for shown in self.inbox(peer) {
            match self.apply(peer, &[shown.batch.root]) {
                Ok(_) => {}
                Err(Refusal::Conflict { word, .. })
                    if ["waits", "ignored", "not_pending"].contains(&word) => {}
                Err(refusal) => panic!("{refusal}"),
            }
        }
    }

    pub fn ignore(&self, peer: Uuid, roots: &[Uuid]) {
        let (owner, roots, seen) = (self.owner(), roots.to_vec(), self.seen(peer));
        self.act(move |tx, here| inbox::ignore(tx, &owner, here, peer, &roots, &seen))
            .unwrap();
    }

    pub fn unignore(&self, peer: Uuid, roots: &[Uuid]) {
        let (owner, roots) = (self.owner(), roots.to_vec());
        self.act(move |tx, here| inbox::unignore(tx, &owner, here, peer, &roots))
            .unwrap();
    }

    /// The roots that the inbox shows as ignored.
    pub fn ignored(&self, peer: Uuid) -> Vec<Uuid> {
        let shown = self.inbox(peer).into_iter();
        shown
            .filter(|shown| shown.ignored)
            .map(|shown| shown.batch.root)
            .collect()
    }
}

/// Introduces two nodes to each other and has both confirm.
pub fn pair(one: &Node, other: &Node) {
    for (here, there) in [(one, other), (other, one)] {
        introduce(here, there);
        let (owner, id) = (here.owner(), there.id.0);
        let compared = peers::Compared {
            given: "ab-cd".to_owned(),
            expected: "AB CD".to_owned(),
            identity: there.id.to_string(),
        };
        here.act(move |tx, here| peers::confirm(tx, &owner, here, id, &compared))
            .unwrap();
    }
}

/// Has one node read the other's identity.
pub fn introduce(here: &Node, there: &Node) {
    let introduced = peers::Introduction {
        node: there.id,
        level: there.level,
        name: format!("node {}", there.id),
        epoch: there.epoch(),
        identity: there.id.to_string(),
        same_keys_as: None,
    };
    let owner = here.owner();
    here.act(move |tx, here| peers::introduce(tx, &owner, here, introduced))
        .unwrap();
}

/// Has a person at `here` confirm the epoch that the other node is in now, as they would after a call.
pub fn confirm_epoch(here: &Node, there: &Node) -> Result<(), Refusal> {
    let (owner, id, epoch) = (here.owner(), there.id.0, there.epoch());
    here.act(move |tx, here| peers::confirm_epoch(tx, &owner, here, id, epoch))
        .map(drop)
}
