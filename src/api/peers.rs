//! Pairing: identities, fingerprints, rotation, epochs, revocation.

use actix_web::{HttpResponse, delete, get, post, web};
use poundlock_transport::{Fingerprint, IdentityError, PublicIdentity, RotationStatement};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::blocking::off_the_arbiter;
use super::{Answer, Context, Json, Problem, SignedIn, schema};
use crate::actors::ActError;
use crate::actors::syncer::{Rotate, epoch_of, level_of, own_identity, public_identity, stated_again};
use crate::acts::peers::{self, Introduction};
use crate::acts::{Refusal, settings};
use crate::domain::access::{Actor, Permission};
use crate::domain::id::{Epoch, NodeId};
use crate::domain::peer::Peer;
use crate::store::read::Read;
use crate::store::records;
use crate::store::tables::PEERS;

/// The longest identity file or rotation statement, in bytes.
const STATEMENT_MAX: usize = 16 * 1024;

pub(super) fn of_node(routes: &mut ServiceConfig<'_>) {
    routes.service(identity_file).service(rotate).service(rotation);
}

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(introduce)
        .service(list)
        .service(get)
        .service(confirm)
        .service(propose_rotation)
        .service(confirm_rotation)
        .service(confirm_epoch)
        .service(revoke);
}

/// This node's public half. Reading the key file blocks.
async fn own(context: &Context) -> Result<PublicIdentity, Problem> {
    let (epoch, name) = announced(context).await?;
    let folder = context.folder.clone();
    let identity = off_the_arbiter(move || own_identity(&folder)).await??;
    identity
        .public(Some(&name), epoch.0)
        .map_err(|error: IdentityError| Problem::internal(&error))
}

/// The epoch and the name that this node's identity file says.
async fn announced(context: &Context) -> Result<(Epoch, String), Problem> {
    let said = context
        .store
        .read(|view| Ok((peers::announced_epoch(view)?, settings::current(view)?.name)));
    Ok(said.await?)
}

/// The identity file to hand to a peer: this node's id, side, name, epoch and public keys.
#[utoipa::path(tag = "peers", responses((status = 200, description = "The text of the file", body = String, content_type = "text/plain")))]
#[get("/identity")]
async fn identity_file(context: web::Data<Context>, _who: SignedIn) -> Answer {
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(identity_text(&context).await?))
}

/// The text of the identity file to hand to a peer.
///
/// # Errors
/// The node's keys cannot be read.
pub async fn identity_text(context: &Context) -> Result<String, Problem> {
    Ok(own(context).await?.to_text())
}

/// Text that is no identity, or none that this node can use.
fn wrong(error: &IdentityError) -> Problem {
    Refusal::conflict("identity_refused", error.to_string()).into()
}

/// The text of an identity file or a rotation statement, of a length that one can have.
///
/// # Errors
/// It is too long, or no text.
pub fn text(body: &[u8]) -> Result<&str, Problem> {
    if body.len() > STATEMENT_MAX {
        return Err(Problem::too_large(
            u64::try_from(STATEMENT_MAX).unwrap_or(u64::MAX),
        ));
    }
    std::str::from_utf8(body).map_err(|_| wrong_text())
}

fn wrong_text() -> Problem {
    Refusal::conflict(
        "identity_refused",
        "the body is not text; send the peer's identity file as it is",
    )
    .into()
}

/// Reads in a peer's identity file. Compare the fingerprint in the answer by voice, then confirm it.
#[utoipa::path(tag = "peers", request_body(content = String, content_type = "text/plain"),
    responses((status = 201, description = "The peer, unconfirmed, and the fingerprint to compare", body = schema::PeerShown)))]
#[post("")]
async fn introduce(context: web::Data<Context>, who: SignedIn, body: web::Bytes) -> Answer {
    let peer = read_in(&context, who.0, text(&body)?).await?;
    Ok(HttpResponse::Created().json(shown(&context, peer).await?))
}

/// Takes note of a peer by its identity file.
///
/// # Errors
/// The text is no identity, or none that can be paired with; or the actor may not.
pub async fn read_in(context: &Context, actor: Actor, text: &str) -> Result<Peer, Problem> {
    let identity = PublicIdentity::from_text(text).map_err(|error| wrong(&error))?;
    let level = level_of(&identity).ok_or_else(|| {
        Problem::from(Refusal::conflict(
            "wrong_side",
            "this is the identity of a solo node, which exchanges no bundles: it cannot be paired",
        ))
    })?;
    let id = identity.node();
    let known = context.store.read(move |view| Ok(view.get(&PEERS, &id)?)).await?;
    let same_keys_as = known.map(|known| known.identity).filter(|known| {
        PublicIdentity::from_text(known).is_ok_and(|known| known.fingerprint() == identity.fingerprint())
    });
    let introduction = Introduction {
        node: NodeId(identity.node()),
        level,
        name: identity.name().unwrap_or("unnamed node").to_owned(),
        epoch: epoch_of(&identity),
        identity: identity.to_text(),
        same_keys_as,
    };
    Ok(context
        .store
        .act(move |tx, here| peers::introduce(tx, &actor, here, introduction))
        .await?)
}

/// The fingerprint that this node and a peer have in common, in groups to be read out.
///
/// # Errors
/// The node's keys cannot be read.
pub async fn fingerprint_with(context: &Context, peer: &Peer) -> Result<String, Problem> {
    let identity = public_identity(peer).map_err(|error| Problem::internal(&error))?;
    Ok(Fingerprint::of_pair(&own(context).await?, &identity).groups())
}

/// A peer as it is shown.
async fn shown(context: &Context, peer: Peer) -> Result<Value, Problem> {
    let own = own(context).await?;
    let counted = context
        .store
        .read(move |view| Ok((peers::own_epoch(view, &peer)?, peer)));
    view(&counted.await?, &own)
}

/// A peer, with the epoch that this node's bundles for it bear, as it is shown beside this node's identity.
fn view((own_epoch, peer): &(Epoch, Peer), own: &PublicIdentity) -> Result<Value, Problem> {
    let identity = public_identity(peer).map_err(|error| Problem::internal(&error))?;
    let successor = match &peer.successor {
        Some(text) => Some(PublicIdentity::from_text(text).map_err(|error| Problem::internal(&error))?),
        None => None,
    };
    Ok(json!({
        "id": peer.node,
        "name": peer.name,
        "side": peer.side,
        "trust": peer.trust,
        "fingerprint": Fingerprint::of_pair(own, &identity).groups(),
        "successor_fingerprint": successor.map(|successor| Fingerprint::of_pair(own, &successor).groups()),
        "epoch": peer.epoch,
        "own_epoch": own_epoch,
        "unconfirmed_epoch": peer.unconfirmed_epoch,
        "forked": peer.forked,
        "last_sent": peer.last_sequence,
        "last_acknowledged": peer.acknowledged,
        "last_received": peer.received.highest,
    }))
}

/// Peers are looked at by those who exchange bundles with them, and by those who pair.
fn may_look(actor: &Actor) -> Result<(), Problem> {
    let may = actor.require_either(Permission::Sync, Permission::ManageInfrastructure);
    Ok(may.map_err(Refusal::from)?)
}

/// The peers, with the fingerprint of each pair.
#[utoipa::path(tag = "peers", responses((status = 200, description = "items", body = schema::PageOf<schema::PeerShown>)))]
#[get("")]
async fn list(context: web::Data<Context>, who: SignedIn) -> Answer {
    may_look(&who.0)?;
    let own = own(&context).await?;
    let peers = context.store.read(|view| {
        let counted = |(_, peer)| Ok((peers::own_epoch(view, &peer)?, peer));
        records::peers(view)?
            .into_iter()
            .map(counted)
            .collect::<Result<Vec<_>, Refusal>>()
    });
    let items = peers
        .await?
        .iter()
        .map(|counted| view(counted, &own))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(HttpResponse::Ok().json(json!({ "items": items, "next": null })))
}

/// One peer.
#[utoipa::path(tag = "peers", responses((status = 200, description = "The peer", body = schema::PeerShown)))]
#[get("/{id}")]
async fn get(context: web::Data<Context>, who: SignedIn, id: web::Path<Uuid>) -> Answer {
    may_look(&who.0)?;
    let id = id.into_inner();
    let peer = context.store.read(move |view| peers::peer(view, id)).await?;
    Ok(HttpResponse::Ok().json(shown(&context, peer).await?))
}

/// A fingerprint, as two people have compared it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Compared {
    /// The eight groups of five digits. Spaces do not matter.
    fingerprint: String,
}

/// Confirms that the fingerprint was compared by voice. Bundles pass from now on.
#[utoipa::path(tag = "peers", request_body = Compared, responses((status = 200, description = "The peer, paired", body = schema::PeerShown)))]
#[post("/{id}/confirmation")]
async fn confirm(
    context: web::Data<Context>,
    who: SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<Compared>,
) -> Answer {
    let confirmed = trust(&context, who.0, id.into_inner(), body.fingerprint).await?;
    Ok(HttpResponse::Ok().json(shown(&context, confirmed).await?))
}

/// Trusts a peer whose fingerprint two people have compared; `given` is what was typed.
///
/// # Errors
/// The fingerprints differ, the keys have changed meanwhile, or the actor may not.
pub async fn trust(context: &Context, actor: Actor, id: Uuid, given: String) -> Result<Peer, Problem> {
    let own = own(context).await?;
    let peer = context.store.read(move |view| peers::peer(view, id)).await?;
    let identity = public_identity(&peer).map_err(|error| Problem::internal(&error))?;
    let compared = peers::Compared {
        given,
        expected: Fingerprint::of_pair(&own, &identity).groups(),
        identity: peer.identity,
    };
    Ok(context
        .store
        .act(move |tx, here| peers::confirm(tx, &actor, here, id, &compared))
        .await?)
}

/// Reads in a statement by which a peer's old key hands over to new ones. Compare the new fingerprint by voice, then confirm it.
#[utoipa::path(tag = "peers", request_body(content = String, content_type = "text/plain"),
    responses((status = 200, description = "The peer, with the fingerprint of its successor", body = schema::PeerShown)))]
#[post("/{id}/rotation")]
async fn propose_rotation(
    context: web::Data<Context>,
    who: SignedIn,
    id: web::Path<Uuid>,
    body: web::Bytes,
) -> Answer {
    let proposed = take_rotation(&context, who.0, id.into_inner(), text(&body)?).await?;
    Ok(HttpResponse::Ok().json(shown(&context, proposed).await?))
}

/// Takes note of a peer's new keys by the statement of its old ones.
///
/// # Errors
/// The text is no statement of the keys that are known of the peer; or the actor may not.
pub async fn take_rotation(context: &Context, actor: Actor, id: Uuid, text: &str) -> Result<Peer, Problem> {
    let statement = RotationStatement::from_text(text).map_err(|error| wrong(&error))?;
    let peer = context.store.read(move |view| peers::peer(view, id)).await?;
    let known = public_identity(&peer).map_err(|error| Problem::internal(&error))?;
    let successor = statement.verify(&known).map_err(|error| wrong(&error))?;
    Ok(context
        .store
        .act(move |tx, _| peers::propose_rotation(tx, &actor, id, successor.to_text()))
        .await?)
}

/// Confirms a peer's new fingerprint; its old key is refused from now on.
#[utoipa::path(tag = "peers", request_body = Compared, responses((status = 200, description = "The peer", body = schema::PeerShown)))]
#[post("/{id}/rotation/confirmation")]
async fn confirm_rotation(
    context: web::Data<Context>,
    who: SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<Compared>,
) -> Answer {
    let confirmed = trust_successor(&context, who.0, id.into_inner(), body.fingerprint).await?;
    Ok(HttpResponse::Ok().json(shown(&context, confirmed).await?))
}

/// Trusts a peer's new keys, whose fingerprint two people have compared; `given` is what was typed.
///
/// # Errors
/// No new keys wait, the fingerprints differ, or the actor may not.
pub async fn trust_successor(
    context: &Context,
    actor: Actor,
    id: Uuid,
    given: String,
) -> Result<Peer, Problem> {
    let own = own(context).await?;
    let peer = context.store.read(move |view| peers::peer(view, id)).await?;
    let Some(successor) = peer.successor else {
        return Err(Refusal::conflict(
            "no_rotation",
            "no rotation of this peer's keys waits to be confirmed",
        )
        .into());
    };
    let identity = PublicIdentity::from_text(&successor).map_err(|error| Problem::internal(&error))?;
    let compared = peers::Compared {
        given,
        expected: Fingerprint::of_pair(&own, &identity).groups(),
        identity: successor,
    };
    Ok(context
        .store
        .act(move |tx, here| peers::confirm_rotation(tx, &actor, here, id, &compared))
        .await?)
}

/// An epoch that the peer's owner has vouched for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Vouched {
    /// The epoch that a refused bundle named.
    epoch: Uuid,
}

/// Confirms that a peer's store was restored or made anew. All that it may have is owed to it again.
#[utoipa::path(tag = "peers", request_body = Vouched, responses((status = 200, description = "The peer", body = schema::PeerShown)))]
#[post("/{id}/epoch")]
async fn confirm_epoch(
    context: web::Data<Context>,
    who: SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<Vouched>,
) -> Answer {
    let id = id.into_inner();
    let confirmed = context
        .store
        .act(move |tx, here| peers::confirm_epoch(tx, &who.0, here, id, Epoch(body.epoch)))
        .await?;
    Ok(HttpResponse::Ok().json(shown(&context, confirmed).await?))
}

/// Ends the trust in a peer: nothing of it is imported or applied any more.
#[utoipa::path(tag = "peers", responses((status = 200, description = "The peer, revoked", body = schema::PeerShown)))]
#[delete("/{id}")]
async fn revoke(context: web::Data<Context>, who: SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = id.into_inner();
    let revoked = context
        .store
        .act(move |tx, here| peers::revoke(tx, &who.0, here, id))
        .await?;
    Ok(HttpResponse::Ok().json(shown(&context, revoked).await?))
}

/// Moves this node to new keys. The answer is the statement to carry to every peer, which confirms the new fingerprint by
/// voice. The old keys are kept until the next rotation, only to read what was under way.
#[utoipa::path(tag = "peers", responses((status = 200, description = "The text of the statement", body = String, content_type = "text/plain")))]
#[post("/rotation")]
async fn rotate(context: web::Data<Context>, who: SignedIn) -> Answer {
    let statement = context
        .syncer()?
        .send(Rotate { actor: who.0 })
        .await
        .map_err(ActError::from)??;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(statement))
}

/// The statement of the last rotation once more, for a peer that has not taken it: what was carried may have been lost.
#[utoipa::path(tag = "peers", responses(
    (status = 200, description = "The text of the statement", body = String, content_type = "text/plain"),
    (status = 409, description = "The keys were never rotated, or those before are gone")))]
#[get("/rotation")]
async fn rotation(context: web::Data<Context>, who: SignedIn) -> Answer {
    who.0
        .require(Permission::ManageInfrastructure)
        .map_err(Refusal::from)?;
    let (epoch, name) = announced(&context).await?;
    let folder = context.folder.clone();
    let statement = off_the_arbiter(move || stated_again(&folder, &name, epoch)).await??;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(statement))
}
