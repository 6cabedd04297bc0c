//! What a person can ask to see: one object, and whether its bytes are open ones.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::id::{AssetId, ReleaseId};

/// Bytes that are open already, and that a decision of this node alone can grant: they are a blob here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Open {
    /// The mock of an asset whose dataset hands mocks out on request.
    Mock(AssetId),
    /// What was released for somebody else's request.
    Release(ReleaseId),
}

/// One thing that a person asks to see, by what it is and whose object it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub enum Sight {
    /// See [`Open::Mock`].
    Mock(AssetId),
    /// See [`Open::Release`].
    Release(ReleaseId),
    /// The private data of an asset. To approve it opens nothing: an officer has it written again as a result, and
    /// releases that.
    PrivateData(AssetId),
}

/// The types of things that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SightType {
    /// [`Sight::Mock`]
    Mock,
    /// [`Sight::Release`]
    Release,
    /// [`Sight::PrivateData`]
    PrivateData,
}

/// The types of things whose bytes are open already: all that a rule can grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenType {
    /// [`Open::Mock`]
    Mock,
    /// [`Open::Release`]
    Release,
}

impl SightType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::Mock, Self::Release, Self::PrivateData];

    /// The word used in addresses and on screens.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mock => "mock",
            Self::Release => "release",
            Self::PrivateData => "private_data",
        }
    }

    /// The type as one of open bytes, if it is.
    pub fn open(self) -> Option<OpenType> {
        match self {
            Self::Mock => Some(OpenType::Mock),
            Self::Release => Some(OpenType::Release),
            Self::PrivateData => None,
        }
    }
}

impl Open {
    /// The thing among all that can be asked for.
    pub fn sight(self) -> Sight {
        match self {
            Self::Mock(asset) => Sight::Mock(asset),
            Self::Release(release) => Sight::Release(release),
        }
    }
}

impl Sight {
    /// What it is.
    pub fn kind(self) -> SightType {
        match self {
            Self::Mock(_) => SightType::Mock,
            Self::Release(_) => SightType::Release,
            Self::PrivateData(_) => SightType::PrivateData,
        }
    }

    /// The object that holds it.
    pub fn object(self) -> Uuid {
        match self {
            Self::Mock(asset) | Self::PrivateData(asset) => asset.0,
            Self::Release(release) => release.0,
        }
    }
}

/// A sight as it is stored and shown: its type, then the id of its object.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    r#type: SightType,
    id: Uuid,
}

impl From<Written> for Sight {
    fn from(written: Written) -> Self {
        match written.r#type {
            SightType::Mock => Self::Mock(AssetId(written.id)),
            SightType::Release => Self::Release(ReleaseId(written.id)),
            SightType::PrivateData => Self::PrivateData(AssetId(written.id)),
        }
    }
}

impl From<Sight> for Written {
    fn from(sight: Sight) -> Self {
        Self {
            r#type: sight.kind(),
            id: sight.object(),
        }
    }
}
