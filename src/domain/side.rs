//! Where nodes stand to the gap.

use serde::{Deserialize, Serialize};

/// What a node is to the gap.
///
/// Rules ask [`Self::holds_private_data`], [`Self::takes_scientists`] and [`Self::level`]: no rule compares sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Faces the internet: scientists have accounts here, and only mock data lives here.
    Low,
    /// Holds the private data, and has no network path to anything.
    High,
    /// Holds the private data and takes the scientists, for data that needs no gap.
    Solo,
}

/// A level of the gap, with the other one opposite: what a node stands on that exchanges bundles. A solo node stands on
/// none, so that nothing which takes a level can be asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Where the scientists are.
    Low,
    /// Where the private data is.
    High,
}

/// The node stands on no level: it has no peers and exchanges no bundles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is a solo node: it holds the data and takes the scientists itself, so it is paired with no other and exchanges \
     no bundles"
)]
pub struct NoBundles;

impl Side {
    /// Whether private data may be attached, and code may run on it.
    pub fn holds_private_data(self) -> bool {
        match self {
            Self::High | Self::Solo => true,
            Self::Low => false,
        }
    }

    /// Whether scientists work here: projects begin here.
    pub fn takes_scientists(self) -> bool {
        match self {
            Self::Low | Self::Solo => true,
            Self::High => false,
        }
    }

    /// The level that the node stands on.
    ///
    /// # Errors
    /// A solo node stands on none.
    pub fn level(self) -> Result<Level, NoBundles> {
        match self {
            Self::Low => Ok(Level::Low),
            Self::High => Ok(Level::High),
            Self::Solo => Err(NoBundles),
        }
    }

    /// The word used in files and on screens.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
            Self::Solo => "solo",
        }
    }
}

impl From<Level> for Side {
    fn from(level: Level) -> Self {
        match level {
            Level::Low => Self::Low,
            Level::High => Self::High,
        }
    }
}

impl Level {
    /// The level that a peer of this node stands on.
    pub fn opposite(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }

    /// The word used in files and on screens.
    pub fn word(self) -> &'static str {
        Side::from(self).word()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solo_node_does_both_jobs_and_stands_on_no_level() {
        let jobs = |side: Side| (side.holds_private_data(), side.takes_scientists(), side.level());
        assert_eq!(jobs(Side::Low), (false, true, Ok(Level::Low)));
        assert_eq!(jobs(Side::High), (true, false, Ok(Level::High)));
        assert_eq!(jobs(Side::Solo), (true, true, Err(NoBundles)));
    }

    #[test]
    fn a_level_is_written_as_the_side_that_it_is() {
        for level in [Level::Low, Level::High] {
            let written = serde_json::to_value(level).unwrap();
            assert_eq!(written, level.word());
            assert_eq!(serde_json::to_value(Side::from(level)).unwrap(), written);
            assert_eq!(Side::from(level).level(), Ok(level));
            assert_ne!(level.opposite(), level);
        }
    }
}
