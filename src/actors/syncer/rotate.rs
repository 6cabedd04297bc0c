//! Moves the node to new keys.

use std::fs;

use actix::{AtomicResponse, Context, Handler, Message, WrapFuture};
use poundlock_transport::{NodeIdentity, RotationStatement};

use super::{Syncer, own_identity};
use crate::actors::ActError;
use crate::acts::{Refusal, peers};
use crate::domain::access::{Actor, Permission};
use crate::domain::audit;
use crate::domain::id::Epoch;
use crate::store::node_folder::NodeFolder;
use crate::store::read::Read;
use crate::store::records;
use crate::store::tables::SETTINGS;

/// Make new keys, and say so over the old ones. Answers with the text of the statement.
#[derive(Clone, Debug)]
pub struct Rotate {
    /// Who asks.
    pub actor: Actor,
}

impl Message for Rotate {
    type Result = Result<String, ActError>;
}

impl Handler<Rotate> for Syncer {
    type Result = AtomicResponse<Self, Result<String, ActError>>;

    fn handle(&mut self, ask: Rotate, _: &mut Context<Self>) -> Self::Result {
        let syncer = self.clone();
        let work = actix_web::rt::task::spawn_blocking(move || syncer.rotate(ask.actor));
        AtomicResponse::new(Box::pin(
            async { work.await.map_err(ActError::internal)? }.into_actor(self),
        ))
    }
}

/// The statement of the last rotation once more, for a peer that has not read it: the keys before are kept until the next one. What
/// it says of the node's name and epoch is as they are now.
///
/// # Errors
/// The keys were never rotated, or those before them are gone; or a key file cannot be used.
pub fn stated_again(folder: &NodeFolder, name: &str, epoch: Epoch) -> Result<String, ActError> {
    let previous = folder.previous_identity();
    if !previous.try_exists().map_err(ActError::internal)? {
        let detail = "there is no rotation to state again: this node's keys were never rotated, or the keys before the last rotation \
                      (keys/node.key.previous) are gone. A peer that has not taken the new keys ends the pairing and begins it anew: \
                      `poundlock pair revoke`, then `pair add`";
        return Err(Refusal::conflict("no_rotation", detail).into());
    }
    let old = NodeIdentity::load(&previous).map_err(ActError::internal)?;
    let new = own_identity(folder)?;
    let announced = new.public(Some(name), epoch.0).map_err(ActError::internal)?;
    let statement = RotationStatement::sign(&old, &new, announced).map_err(ActError::internal)?;
    Ok(statement.to_text())
}

impl Syncer {
    /// The audit entry comes first: a crash after it leaves the old keys in force, and the rotation can be repeated. The new
    /// file then takes the old one's place by a rename, so that there is always one whole key file.
    fn rotate(&self, actor: Actor) -> Result<String, ActError> {
        actor
            .require(Permission::ManageInfrastructure)
            .map_err(Refusal::from)?;
        let old = self.identity()?;
        let new = NodeIdentity::generate(old.node(), old.side()).map_err(ActError::internal)?;
        let (epoch, name) = self.store.read_blocking(|view| {
            Ok((
                peers::announced_epoch(view)?,
                view.get(&SETTINGS, &())?.map(|settings| settings.name),
            ))
        })?;
        let announced = new.public(name.as_deref(), epoch.0).map_err(ActError::internal)?;
        let fingerprint = announced.fingerprint().groups();
        let statement = RotationStatement::sign(&old, &new, announced).map_err(ActError::internal)?;
        self.store.act_blocking(move |tx, here| {
            let details = [("fingerprint", fingerprint)];
            let who = audit::Actor::User(actor.user.0);
            let rotated = audit::Action::PEER_KEY_ROTATED;
            Ok(records::audit(tx, here, who, rotated, &[here.node.0], &details)?)
        })?;
        let (current, previous) = (self.folder.identity(), self.folder.previous_identity());
        let next = current.with_extension("next");
        self.replace_keys(&new, &current, &previous, &next)
            .map_err(ActError::internal)?;
        Ok(statement.to_text())
    }

    fn replace_keys(
        &self,
        new: &NodeIdentity,
        current: &std::path::Path,
        previous: &std::path::Path,
        next: &std::path::Path,
    ) -> anyhow::Result<()> {
        // The keys before stay until the new ones are written: a peer may still need the rotation that they state.
        let kept = previous.with_extension("kept");
        for leftover in [next, &kept] {
            if leftover.try_exists()? {
                fs::remove_file(leftover)?;
            }
        }
        new.create_file(next)?;
        fs::hard_link(current, &kept)?;
        fs::rename(&kept, previous)?;
        fs::rename(next, current)?;
        fs::File::open(self.folder.keys())?.sync_all()?;
        Ok(())
    }
}
