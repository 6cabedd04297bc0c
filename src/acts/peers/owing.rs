//! What a peer is owed anew: one that is new, or whose store or this one was set back.

use uuid::Uuid;

use crate::acts::Refusal;
use crate::domain::object::{Kind, Object};
use crate::domain::peer::Owed;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{BY_KIND, DELIVERED, HAS_BLOB, JOURNAL, OBJECTS, OWED};
use crate::store::transaction::Tx;

/// Forgets what a peer was known to have.
pub(super) fn forget_deliveries(tx: &mut Tx<'_>, peer: Uuid) -> Result<(), Refusal> {
    let delivered = tx.range_prefix(&DELIVERED, &peer, None, usize::MAX)?;
    for (key, _) in delivered {
        tx.delete(&DELIVERED, &key)?;
    }
    let blobs = tx.range_prefix(&HAS_BLOB, &peer, None, usize::MAX)?;
    for (key, ()) in blobs {
        tx.delete(&HAS_BLOB, &key)?;
    }
    Ok(())
}

/// Owes a peer all that it may have, as when it is new or has lost what it had. Costs as much as there is to owe.
///
/// # Errors
/// The store fails.
pub fn owe_everything(tx: &mut Tx<'_>, here: &Here, peer: Uuid) -> Result<(), Refusal> {
    let position = owe_those(tx, here, peer, |_| true)?;
    // And so do those that nothing needs any more, such as people who have left their project: the peer has had them.
    for ((_, id), delivered) in tx.range_prefix(&DELIVERED, &peer, None, usize::MAX)? {
        if tx.contains(&OWED, &(peer, id))? {
            continue;
        }
        if let Some(object) = tx.get(&OBJECTS, &id)?
            && records::may_have(tx, here.node, here.side, peer, &object)?
        {
            let root = delivered.root;
            tx.put(&OWED, &(peer, id), &Owed { position, root })?;
        }
    }
    Ok(())
}

/// Owes a low peer what it has forgotten of its own. Called once the first bundle of its new epoch is here, which brings what it still
/// has. What did not fit into that one may be owed for nothing: the peer knows it, and passes it over.
///
/// # Errors
/// The store fails.
pub fn owe_back(tx: &mut Tx<'_>, here: &Here, peer: Uuid) -> Result<(), Refusal> {
    owe_those(tx, here, peer, |object| object.home.0 == peer)?;
    Ok(())
}

/// Owes a peer all of those objects that it may have. People and code come along with the projects and requests that need them.
fn owe_those(
    tx: &mut Tx<'_>,
    here: &Here,
    peer: Uuid,
    meant: impl Fn(&Object) -> bool,
) -> Result<u64, Refusal> {
    let position = tx.last(&JOURNAL)?.map_or(0, |(position, _)| position);
    let kinds = [
        Kind::Project,
        Kind::Dataset,
        Kind::Asset,
        Kind::Request,
        Kind::Decision,
        Kind::Job,
        Kind::Release,
    ];
    for kind in kinds {
        let mut ids = Vec::new();
        tx.for_each(&BY_KIND, &(kind as u8), |(_, _, id), ()| {
            ids.push(id);
            Ok::<_, Refusal>(())
        })?;
        for id in ids {
            if let Some(object) = tx.get(&OBJECTS, &id)?.filter(&meant) {
                records::owe_again(tx, here, peer, &object, position)?;
            }
        }
    }
    Ok(position)
}
