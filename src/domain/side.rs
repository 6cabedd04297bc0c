//! The two sides of the gap.

use serde::{Deserialize, Serialize};

/// Which side of the gap a node stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Faces the internet: scientists have accounts here, and only mock data lives here.
    Low,
    /// Holds the private data, and has no network path to anything.
    High,
}

impl Side {
    /// Whether private data may be attached, and code may run on it.
    pub fn holds_private_data(self) -> bool {
        matches!(self, Self::High)
    }

    /// The side that a peer of this node stands on.
    pub fn opposite(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }

    /// The word used in files and on screens.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
        }
    }
}
