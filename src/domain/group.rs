//! Groups of people on one node. A dataset names the groups that may see it; groups themselves do not travel.

use serde::{Deserialize, Serialize};

use super::access::{Actor, Permission};
use super::text::{self, Invalid};

/// The most groups of a node.
pub const GROUPS_MAX: usize = 1_000;
/// The most groups that one person is in.
pub const GROUPS_OF_ONE_MAX: usize = 200;

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What it is called; unique on its node. Datasets name it so.
    pub name: String,
    /// Whom it is for; may be empty.
    pub description: String,
}

impl Group {
    /// Makes a group.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn new(name: &str, description: &str) -> Result<Self, Invalid> {
        Ok(Self {
            name: text::name("name", name)?,
            description: text::prose("description", description)?,
        })
    }

    /// Whether somebody may know of it: who makes groups or accounts, who sees everybody with their groups, and its members.
    pub fn is_known_to(&self, actor: &Actor) -> bool {
        let by_permission = [
            Permission::CreateGroups,
            Permission::CreateUsers,
            Permission::TriageRequests,
        ];
        by_permission.iter().any(|permission| actor.may(*permission)) || actor.groups.contains(&self.folded())
    }

    /// The form under which two names count as the same.
    pub fn folded(&self) -> String {
        text::folded(&self.name)
    }
}
