//! The syncer owns what passes between this node and its peers: it writes bundles, takes them in, and keeps the quarantine and
//! the spool. A solo node has none. One export or import at a time, on a thread that may block; the rules are in `sync`, the acts in `acts`.
//!
//! A medium is never touched here: a bundle comes in and goes out as bytes of a request, and the command line on the machine
//! with the stick reads and writes the stick.

mod export;
mod import;
mod rotate;

use std::path::PathBuf;
use std::sync::Arc;

use actix::{Actor, AtomicResponse, Context, Handler, Message, Supervised, WrapFuture};
use poundlock_transport::{IdentityError, NodeIdentity, PublicIdentity};

pub use export::Exported;
pub use export::{spooled, spooled_name};
pub use import::{Imported, delivery};
pub use rotate::{Rotate, stated_again};

use super::{ActError, StoreHandle};
use crate::acts::Refusal;
use crate::domain::access;
use crate::domain::id::{Epoch, NodeId};
use crate::domain::peer::Peer;
use crate::domain::side::Level;
use crate::store::blobs::Blobs;
use crate::store::node_folder::NodeFolder;
use crate::sync::select::Filters;

/// Writes and takes in bundles.
#[derive(Clone, Debug)]
pub struct Syncer {
    store: StoreHandle,
    blobs: Arc<Blobs>,
    folder: NodeFolder,
    level: Level,
}

impl Syncer {
    /// A syncer over the store and folders of a node on `level`. What an earlier process left in the quarantine was never taken in, and
    /// goes.
    ///
    /// # Errors
    /// The quarantine cannot be read or cleared.
    pub fn new(
        store: StoreHandle,
        blobs: Arc<Blobs>,
        folder: NodeFolder,
        level: Level,
    ) -> std::io::Result<Self> {
        for entry in std::fs::read_dir(folder.quarantine())? {
            std::fs::remove_file(entry?.path())?;
        }
        Ok(Self {
            store,
            blobs,
            folder,
            level,
        })
    }

    fn identity(&self) -> Result<NodeIdentity, ActError> {
        own_identity(&self.folder)
    }

    /// The keys before the last rotation, if there was one: a bundle for them may be under way.
    fn previous_identity(&self) -> Result<Option<NodeIdentity>, ActError> {
        let file = self.folder.previous_identity();
        match file.try_exists() {
            Ok(false) => Ok(None),
            _ => NodeIdentity::load(&file).map(Some).map_err(ActError::internal),
        }
    }
}

/// The keys of the node whose folder it is.
///
/// # Errors
/// They are not there, which is told with the mend; or they cannot be used.
pub fn own_identity(folder: &NodeFolder) -> Result<NodeIdentity, ActError> {
    NodeIdentity::load(&folder.identity()).map_err(|error| match error {
        IdentityError::Io { ref source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Refusal::conflict("keys_missing", KEYS_MISSING).into()
        }
        IdentityError::Exposed { mode, .. } => Refusal::conflict(
            "keys_exposed",
            format!(
                "this node's keys may be read by others (keys/node.key has mode {mode:03o}): run chmod 600 on the file, and consider \
                 the keys exposed: `poundlock pair rotate`"
            ),
        )
        .into(),
        other => ActError::internal(other),
    })
}

/// What is said of a node without its keys, and the mend.
pub const KEYS_MISSING: &str = "this node's keys are not there: put keys/node.key back into its folder from a backup of the node, with mode \
                                600; without it no bundle is written or read, and no identity shown";

impl Actor for Syncer {
    type Context = Context<Self>;
}

impl Supervised for Syncer {}

/// Write a bundle for a peer.
#[derive(Clone, Debug)]
pub struct Export {
    /// Who asks.
    pub actor: access::Actor,
    /// The peer.
    pub peer: NodeId,
    /// What to take.
    pub filters: Filters,
    /// Build on nothing, and carry all that the peer may have.
    pub full: bool,
}

impl Message for Export {
    type Result = Result<Exported, ActError>;
}

impl Handler<Export> for Syncer {
    // Atomic: two exports to one peer must not overtake each other.
    type Result = AtomicResponse<Self, Result<Exported, ActError>>;

    fn handle(&mut self, ask: Export, _: &mut Context<Self>) -> Self::Result {
        let syncer = self.clone();
        let work = actix_web::rt::task::spawn_blocking(move || syncer.export(ask));
        AtomicResponse::new(Box::pin(
            async { work.await.map_err(ActError::internal)? }.into_actor(self),
        ))
    }
}

/// Take in a bundle that lies in the quarantine. The file is removed, whatever comes of it: the stick still has it.
#[derive(Clone, Debug)]
pub struct Import {
    /// Who asks.
    pub actor: access::Actor,
    /// Where the copy lies.
    pub quarantined: PathBuf,
}

impl Message for Import {
    type Result = Result<Imported, ActError>;
}

impl Handler<Import> for Syncer {
    type Result = AtomicResponse<Self, Result<Imported, ActError>>;

    fn handle(&mut self, ask: Import, _: &mut Context<Self>) -> Self::Result {
        let syncer = self.clone();
        let work = actix_web::rt::task::spawn_blocking(move || {
            let taken_in = syncer.import(&ask.actor, &ask.quarantined);
            if let Err(error) = std::fs::remove_file(&ask.quarantined) {
                tracing::error!(%error, "a file stays in the quarantine until the next start");
            }
            taken_in
        });
        AtomicResponse::new(Box::pin(
            async { work.await.map_err(ActError::internal)? }.into_actor(self),
        ))
    }
}

/// A peer's public identity, as it was checked when the peer was introduced.
///
/// # Errors
/// The stored text is damaged.
pub fn public_identity(peer: &Peer) -> Result<PublicIdentity, IdentityError> {
    PublicIdentity::from_text(&peer.identity)
}

/// The level that a public identity stands on; none for a solo node's, which exchanges no bundles.
pub fn level_of(identity: &PublicIdentity) -> Option<Level> {
    match identity.side() {
        poundlock_transport::Side::Low => Some(Level::Low),
        poundlock_transport::Side::High => Some(Level::High),
        poundlock_transport::Side::Solo => None,
    }
}

/// The epoch that an identity file names.
pub fn epoch_of(identity: &PublicIdentity) -> Epoch {
    Epoch(identity.epoch())
}
