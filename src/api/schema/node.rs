//! The node and its outbox, as they are shown.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// The Python that code meets.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnvironmentShown {
    /// Its version.
    pub python: String,
    /// The packages, with their versions.
    pub packages: BTreeMap<String, String>,
}

/// A node.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodeShown {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What kind of node it is.
    pub side: String,
    /// The Python and packages that code meets; none where no code runs.
    pub runtime: Option<EnvironmentShown>,
    /// The epoch of its store, where there are others to tell.
    pub epoch: Option<Uuid>,
    /// The fingerprint of its own keys, where there are others to tell.
    pub fingerprint: Option<String>,
}

/// What stands in the way of running code.
#[derive(Debug, Serialize, ToSchema)]
pub struct MissingShown {
    /// What is missing.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// A copy of the store that waits in the node's folder.
#[derive(Debug, Serialize, ToSchema)]
pub struct SnapshotShown {
    /// Its name in the folder of snapshots.
    pub id: Uuid,
    /// How many entries the store has.
    pub entries: u64,
    /// The length of the file.
    pub bytes: u64,
    /// The BLAKE3 hash of the file.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub hash: String,
}

/// A layer of the sandbox.
#[derive(Debug, Serialize, ToSchema)]
pub struct LayerShown {
    /// Which.
    pub layer: String,
    /// Whether it is there.
    pub present: bool,
    /// What was found.
    pub detail: String,
}

/// An attempt from inside the sandbox.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProbeShown {
    /// What was tried.
    pub name: String,
    /// What should happen.
    pub wanted: String,
    /// What happened.
    pub outcome: String,
    /// More of it.
    pub detail: String,
}

/// What the sandbox is made of.
#[derive(Debug, Serialize, ToSchema)]
pub struct SandboxShown {
    /// Whether code runs.
    pub ready: bool,
    /// What stands in the way.
    pub missing: Vec<MissingShown>,
    /// Its layers, as they were found at the start.
    pub layers: Vec<LayerShown>,
    /// Attempts from inside, made just now.
    pub probes: Vec<ProbeShown>,
}

/// Something that people are to be told.
#[derive(Debug, Serialize, ToSchema)]
pub struct Told {
    /// Its number.
    pub number: u64,
    /// What happened.
    pub event: String,
    /// Who is told: `{"holders": permission}` or `{"person": id}`.
    pub audience: Value,
    /// The object that it is about, if any.
    pub about: Option<Uuid>,
    /// When it happened.
    #[schema(format = DateTime)]
    pub at: String,
}
