//! Telling a store that it was put back from a copy: it gets a new epoch, so that nobody takes what it writes from now on
//! for what it wrote before and has forgotten.

use std::path::Path;

use uuid::Uuid;

use super::Config;
use super::stopped::{Stopped, StoppedError};
use crate::acts::peers;
use crate::domain::id::{Epoch, NodeId};
use crate::domain::peer::Trust;
use crate::store::records;

/// A store in its new epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The node.
    pub node: NodeId,
    /// Its new epoch.
    pub epoch: Epoch,
    /// The names of its paired peers, each of which must be told.
    pub peers: Vec<String>,
}

/// Gives the store of a stopped node a new epoch, in one commit: all that its peers may have is owed to them again, and they
/// refuse its bundles until a person there has confirmed the epoch. Doing it twice only costs them another confirmation.
///
/// # Errors
/// The node runs, or its folder or store cannot be used. Nothing is changed then.
pub fn restore(root: &Path, config: &Config) -> Result<Restored, StoppedError> {
    begin_epoch(&Stopped::open(root, config)?)
}

/// As [`restore`], of a store that is open.
///
/// # Errors
/// As [`restore`].
pub(super) fn begin_epoch(stopped: &Stopped) -> Result<Restored, StoppedError> {
    let epoch = Epoch(Uuid::new_v4());
    stopped.act(move |tx, here| {
        let here = peers::begin_epoch(tx, here, epoch)?;
        let known = records::peers(tx)?;
        let paired = known.into_iter().filter(|(_, peer)| peer.trust == Trust::Paired);
        Ok(Restored {
            node: here.node,
            epoch: here.epoch,
            peers: paired.map(|(_, peer)| peer.name).collect(),
        })
    })
}
