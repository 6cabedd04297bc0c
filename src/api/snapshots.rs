//! Copies of the store of a running node, for `poundlock backup`. A copy stays in the node's own folder, where only who may read
//! the store itself can read it; nothing of it is answered but its length and hash.

use actix_web::{HttpResponse, delete, post, web};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::blocking::off_the_arbiter;
use super::{Answer, Context, Problem, SignedIn, schema};
use crate::acts::snapshots;
use crate::domain::access::Permission;
use crate::store::dump::{self, DumpError};

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(take).service(remove);
}

/// Writes one state of the store into a file in the node's own folder, beside all that goes on. `poundlock backup` takes it from
/// there, and removes it; the node's next start does too.
#[utoipa::path(tag = "node", security(("token" = [])), responses(
    (status = 201, description = "id, entries, bytes, hash", body = schema::SnapshotShown),
    (status = 403, description = "Not allowed"), (status = 503, description = "The disk has no room for it")))]
#[post("")]
async fn take(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    context
        .store
        .act(move |tx, here| snapshots::note(tx, &actor, here))
        .await?;
    let id = Uuid::new_v4();
    let (store, folder) = (context.store.clone(), context.folder.clone());
    let written = off_the_arbiter(move || {
        let room = folder.room_left().map_err(|error| Problem::internal(&error))?;
        let view = store.view()?;
        dump::write_file(&view, &folder.snapshots().join(id.to_string()), room).map_err(Problem::from)
    });
    let dump = written.await??;
    Ok(HttpResponse::Created().json(json!({
        "id": id, "entries": dump.entries, "bytes": dump.bytes, "hash": dump.hash,
    })))
}

/// Removes a copy that has been taken into a backup.
#[utoipa::path(tag = "node", security(("token" = [])), responses(
    (status = 204, description = "It is gone"), (status = 403, description = "Not allowed"),
    (status = 404, description = "There is none")))]
#[delete("/{id}")]
async fn remove(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    actor.require(Permission::ManageInfrastructure)?;
    let file = context.folder.snapshots().join(id.to_string());
    let removed = off_the_arbiter(move || std::fs::remove_file(file)).await?;
    match removed {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Problem::not_found(format!("there is no snapshot {id}")))
        }
        Err(error) => Err(Problem::internal(&error)),
    }
}

impl From<DumpError> for Problem {
    fn from(error: DumpError) -> Self {
        match error {
            DumpError::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                Self::busy("the node's disk has no room for a copy of its store; make room, and try again")
            }
            DumpError::Engine(crate::store::engine::EngineError::ViewExpired) => {
                Self::busy("very much was written while the store was copied; try again")
            }
            error => Self::internal(&error),
        }
    }
}
