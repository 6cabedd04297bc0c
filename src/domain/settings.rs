//! What a node knows of itself, and what its owner has set.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::id::{Epoch, NodeId};
use super::side::Side;
use super::text::{self, Invalid};

/// The node's own record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// Its side.
    pub side: Side,
    /// The epoch of its store.
    pub epoch: Epoch,
    /// Hash of the one-time token that set-up asks for; gone once the node is set up.
    pub setup_token: Option<Hash>,
    /// When `init` made it.
    pub made_at: Timestamp,
}

impl Node {
    /// Whether an owner has set the node up.
    pub fn is_set_up(&self) -> bool {
        self.setup_token.is_none()
    }
}

/// What the owner has set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How the node is called.
    pub name: String,
    /// Whether scientists may register themselves.
    pub allow_registration: bool,
    /// Whether scientists may run code on mock data here.
    pub allow_mock_runs: bool,
}

impl Settings {
    /// The settings of a new node: nobody registers themselves, nobody runs code.
    ///
    /// # Errors
    /// The name is no name.
    pub fn new(name: &str) -> Result<Self, Invalid> {
        Ok(Self {
            name: text::name("name", name)?,
            allow_registration: false,
            allow_mock_runs: false,
        })
    }
}
