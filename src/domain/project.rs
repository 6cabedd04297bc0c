//! Projects: the frame of a collaboration.

use serde::{Deserialize, Serialize};

use super::id::UserId;
use super::text::{self, Invalid};

/// The most members a project may have.
pub const MEMBERS_MAX: usize = 500;

/// The frame in which requests are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Unique on its home node.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Who made it.
    pub creator: UserId,
    /// Who may see it and make requests in it; sorted, and the creator is one of them.
    pub members: Vec<UserId>,
    /// Whether it has been started. Requests are made in a started project.
    pub started: bool,
}

impl Project {
    /// Makes a project that is not started yet.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn new(name: &str, description: &str, creator: UserId, members: &[UserId]) -> Result<Self, Invalid> {
        let mut project = Self {
            name: text::name("name", name)?,
            description: text::prose("description", description)?,
            creator,
            members: Vec::new(),
            started: false,
        };
        project.set_members(members)?;
        Ok(project)
    }

    /// Replaces the members; the creator always stays one.
    ///
    /// # Errors
    /// There are more than [`MEMBERS_MAX`].
    pub fn set_members(&mut self, members: &[UserId]) -> Result<(), Invalid> {
        let mut members = members.to_vec();
        members.push(self.creator);
        members.sort_unstable();
        members.dedup();
        if members.len() > MEMBERS_MAX {
            return Err(Invalid::new(
                "members",
                format!("a project has at most {MEMBERS_MAX} members"),
            ));
        }
        self.members = members;
        Ok(())
    }
}
