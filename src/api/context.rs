//! What handlers work with: the running node, and what only the API needs beside it.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix::Addr;
use uuid::Uuid;

use super::allowances::Allowances;
use super::passwords::Passwords;
use super::problem::Problem;
use super::recognised::Recognised;
use super::rendered::Rendered;
use super::throttles::Throttles;
use crate::actors::syncer::Syncer;
use crate::acts::Refusal;
use crate::clock;
use crate::domain::id::UserId;
use crate::domain::side::NoBundles;
use crate::node::{Node, Parts};
use crate::store::read::Read;
use crate::store::tables::NODE;

/// Shared by all handlers, as `web::Data<Context>`. Everything of the [`Node`] is reached through it.
#[derive(Debug)]
pub struct Context {
    node: Node,
    passwords: Passwords,
    throttles: Throttles,
    strangers: Allowances<IpAddr>,
    people: Allowances<UserId>,
    recognised: Recognised,
    rendered: Rendered,
    /// Once true it stays true, so the store is asked no more.
    set_up: AtomicBool,
    /// Held while private data changes place with what was attached before, so that two uploads do not mix.
    attaching: Mutex<()>,
}

impl Deref for Context {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.node
    }
}

impl Context {
    /// For the handlers of a node.
    pub fn new(node: Node) -> Self {
        Self {
            strangers: Allowances::new(node.config.server.stranger_requests_per_minute),
            people: Allowances::new(node.config.server.person_requests_per_minute),
            passwords: Passwords::new(node.config.passwords.leaked.clone()),
            node,
            throttles: Throttles::default(),
            recognised: Recognised::default(),
            rendered: Rendered::default(),
            set_up: AtomicBool::new(false),
            attaching: Mutex::new(()),
        }
    }

    /// The node itself, for what takes it whole.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Hashes passwords, few at a time.
    pub fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// How fast secrets may be guessed.
    pub fn throttles(&self) -> &Throttles {
        &self.throttles
    }

    /// How much is taken from whom the node does not know.
    pub fn strangers(&self) -> &Allowances<IpAddr> {
        &self.strangers
    }

    /// How much is taken from each person who is signed in.
    pub fn people(&self) -> &Allowances<UserId> {
        &self.people
    }

    /// Who tokens are, while nothing changes.
    pub fn recognised(&self) -> &Recognised {
        &self.recognised
    }

    /// Objects as JSON, while they are what they are.
    pub fn rendered(&self) -> &Rendered {
        &self.rendered
    }

    /// The turn to change what is attached. Blocks.
    pub(super) fn turn_to_attach(&self) -> MutexGuard<'_, ()> {
        self.attaching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What writes bundles and takes them in.
    ///
    /// # Errors
    /// This is a solo node.
    pub fn syncer(&self) -> Result<&Addr<Syncer>, Problem> {
        let syncer = self.node.syncer.as_ref();
        syncer.ok_or_else(|| Refusal::from(NoBundles).into())
    }

    /// The id of something new.
    pub fn new_id(&self) -> Uuid {
        clock::new_id(self.side)
    }

    /// Whether an owner has set the node up.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn is_set_up(&self) -> Result<bool, Problem> {
        if self.set_up.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let node = self.store.read(|view| Ok(view.get(&NODE, &())?)).await?;
        let set_up = node.is_some_and(|node| node.is_set_up());
        self.set_up.store(set_up, Ordering::Relaxed);
        Ok(set_up)
    }
}
