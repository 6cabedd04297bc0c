//! The nodes that this one exchanges bundles with: paired by two people who compare a fingerprint, and looked at.

use actix_web::HttpResponse;
use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::piece::facts::facts;
use super::piece::hash;
use super::piece::icon::Icon;
use super::piece::list::{button, empty, table};
use super::piece::status::{Tone, badge};
use super::piece::text::reveal;
use super::upload::Upload;
use super::{Answer, Confirm, Field, Filled, Form, Notice, Problem, Site, Visit};
use crate::acts::peers;
use crate::api::peers as rest;
use crate::domain::access::Permission;
use crate::domain::id::Epoch;
use crate::domain::peer::{Peer, Trust};
use crate::store::records;

/// The longest identity file or statement, in bytes.
const STATEMENT_MAX: usize = 16 * 1024;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/peers", list);
    site.get("/peers/identity", identity);
    site.post("/peers", introduce);
    site.get("/peers/{id}", show);
    site.post("/peers/{id}/confirmation", confirm);
    site.post("/peers/{id}/rotation", rotation);
    site.post("/peers/{id}/successor", confirm_successor);
    site.post("/peers/{id}/epoch", confirm_epoch);
    site.get("/peers/{id}/revocation", confirm_revocation);
    site.post("/peers/{id}/revocation", revoke);
}

fn address(id: Uuid) -> String {
    format!("/peers/{id}")
}

fn trust(trust: Trust) -> Markup {
    match trust {
        Trust::Unconfirmed => badge(Tone::Waiting, Icon::Waiting, "to be compared"),
        Trust::Paired => badge(Tone::Good, Icon::Done, "paired"),
        Trust::Revoked => badge(Tone::Bad, Icon::No, "revoked"),
    }
}

async fn list(visit: Visit) -> Answer {
    all(&visit, &Filled::default()).await
}

async fn all(visit: &Visit, filled: &Filled) -> Answer {
    visit.demand("GET", "/peers")?;
    let found = visit
        .read(|view| {
            peers::exchanges_bundles(view)?;
            Ok(records::peers(view)?)
        })
        .await?;
    let row = |(id, peer): &(Uuid, Peer)| {
        vec![
            html! { a href=(address(*id)) { (reveal(&peer.name)) } },
            html! { (peer.side.word()) },
            trust(peer.trust),
            html! { (peer.last_sequence) },
            html! { (peer.acknowledged) },
            html! { (peer.received.highest) },
        ]
    };
    let heads = [
        "Peer",
        "Side",
        "Trust",
        "Last sent",
        "Of that acknowledged",
        "Last received",
    ];
    Ok(visit.page("Peers").status(filled.status()).body(html! {
        (filled.summary())
        @if found.is_empty() { (empty("This node is paired with no other.", html! { "Exchange identity files with the other side, as below, and compare the fingerprint by voice." })) }
        @else { (table("Peers", &heads, found.iter().map(row))) }
        (pairing(visit, filled))
    }))
}

fn pairing(visit: &Visit, filled: &Filled) -> Markup {
    let file = Field::new("file", "Identity file of the other node")
        .hint("They save theirs from this page of their node. It holds no secret; what counts is that you compare the fingerprint.");
    let may = visit
        .actor
        .require(Permission::ManageInfrastructure)
        .map_err(|denied| denied.to_string());
    html! {
        h2 { "Pair with a node" }
        div.card.narrow {
            ol {
                li { a href="/peers/identity" download { "Save this node's identity file" } ", and hand it to the people of the other node." }
                li { "Read theirs in." }
                li { "Call them, and compare the fingerprint that both nodes show." }
            }
            @if may.is_ok() {
                (visit.upload_form("/peers", html! {
                    (filled.file(&file, ""))
                    div.actions { button.primary { "Read it in" } }
                }))
            } @else { div.actions { (button("Read in an identity file", "", &may)) } }
        }
    }
}

async fn identity(visit: Visit) -> Answer {
    visit.demand("GET", "/node/identity")?;
    let text = rest::identity_text(&visit.context).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((
            "Content-Disposition",
            "attachment; filename=\"poundlock-identity.txt\"",
        ))
        .body(text))
}

/// The text of a file that was sent.
async fn received(upload: &mut Upload) -> Result<String, Problem> {
    let bytes = upload.bytes(STATEMENT_MAX).await?;
    Ok(rest::text(&bytes)?.to_owned())
}

async fn introduce(mut upload: Upload) -> Answer {
    upload.demand("POST", "/peers")?;
    let read = match received(&mut upload).await {
        Ok(text) => rest::read_in(&upload.context, upload.actor.clone(), &text).await,
        Err(problem) => Err(problem),
    };
    match read {
        Ok(peer) => Ok(upload.go(&address(peer.node.0))),
        Err(problem) => all(&upload.visit, &Filled::refused(&upload.fields, problem)?).await,
    }
}

async fn show(visit: Visit, id: Path<Uuid>) -> Answer {
    page(&visit, *id, &Filled::default()).await
}

async fn page(visit: &Visit, id: Uuid, filled: &Filled) -> Answer {
    visit.demand("GET", "/peers/{id}")?;
    let (peer, own_epoch) = visit
        .read(move |view| {
            let peer = peers::peer(view, id)?;
            let own_epoch = peers::own_epoch(view, &peer)?;
            Ok((peer, own_epoch))
        })
        .await?;
    let fingerprint = rest::fingerprint_with(&visit.context, &peer).await?;
    let successor = match &peer.successor {
        Some(identity) => {
            let successor = Peer {
                identity: identity.clone(),
                ..peer.clone()
            };
            Some(rest::fingerprint_with(&visit.context, &successor).await?)
        }
        None => None,
    };
    let manages = visit.may(Permission::ManageInfrastructure);
    Ok(visit
        .page(peer.name.as_str())
        .trail([("Peers", "/peers")])
        .aside(trust(peer.trust))
        .status(filled.status())
        .body(html! {
            (filled.summary())
            @if peer.trust == Trust::Paired && visit.may(Permission::Sync) {
                div.actions { a.button.primary href=(format!("{}/import", address(id))) { "Look at what it sent" } a.button href=(format!("{}/export", address(id))) { "Make a bundle for it" } }
            }
            @if peer.trust == Trust::Revoked {
                p { "To begin the pairing anew, both nodes read in the other's identity file as it is now, on the page " a href="/peers" { "Peers" } "." }
            }
            section.card { h2 { "About" } (about(&peer, own_epoch, &fingerprint)) }
            @if manages {
                @if peer.trust == Trust::Unconfirmed { (compare(visit, &peer, &fingerprint, filled)) }
                @if let Some(successor) = &successor { (compare_successor(visit, &peer, successor, filled)) }
                (further(visit, &peer, filled))
            } @else { p.soft { "Pairing needs the permission can_manage_infrastructure; ask the owner of the node." } }
        }))
}

fn about(peer: &Peer, own_epoch: Epoch, fingerprint: &str) -> Markup {
    facts([
        ("Side", html! { (peer.side.word()) }),
        ("Fingerprint of the pair", hash::fingerprint(fingerprint)),
        ("Last bundle to it", html! { (peer.last_sequence) }),
        ("Acknowledged by it", html! { (peer.acknowledged) }),
        ("Last bundle from it", html! { (peer.received.highest) }),
        ("Epoch", html! { code { (peer.epoch) } }),
        ("This node's epoch for it", html! { code { (own_epoch) } }),
        (
            "Head of its audit chain",
            html! { @if let Some(head) = &peer.audit_head { (hash::whole(head)) } },
        ),
        ("Identifier", html! { code { (peer.node) } }),
    ])
}

fn compare(visit: &Visit, peer: &Peer, fingerprint: &str, filled: &Filled) -> Markup {
    html! {
        section.card.narrow {
            h2 { "Compare the fingerprint" }
            p { "Call the people of the other node, at a number that you have from elsewhere. Their node shows the same groups of digits, or somebody has exchanged a file on its way." }
            (hash::fingerprint(fingerprint))
            (visit.form(&format!("{}/confirmation", address(peer.node.0)), html! {
                (filled.input(&Field::new("fingerprint", "Fingerprint, as they read it to you")))
                div.actions { button.primary { "They are the same: pair" } }
            }))
        }
    }
}

fn compare_successor(visit: &Visit, peer: &Peer, fingerprint: &str, filled: &Filled) -> Markup {
    html! {
        section.card.narrow {
            h2 { "New keys wait to be compared" }
            p { "The peer's old keys have named new ones. Call its people, and compare:" }
            (hash::fingerprint(fingerprint))
            (visit.form(&format!("{}/successor", address(peer.node.0)), html! {
                (filled.input(&Field::new("new_fingerprint", "New fingerprint, as they read it to you")))
                div.actions { button.primary { "They are the same: trust the new keys" } }
            }))
        }
    }
}

/// What is rarely needed: new keys, a restored store, the end of trust.
fn further(visit: &Visit, peer: &Peer, filled: &Filled) -> Markup {
    let at = address(peer.node.0);
    let file = Field::new("file", "Statement of the peer").hint("What its `poundlock pair rotate` wrote.");
    html! {
        @if peer.forked && peer.trust == Trust::Paired {
            div.notice.warning { p { "Two bundles of this peer have borne one number: its store was set back, or two write under one identity. Nothing of its epoch is taken in any more, and nothing acknowledged. On its side, the right store is given a new epoch with " code { "poundlock restore FOLDER" } "; its next bundle names it, and it is confirmed here." } }
        }
        @if let Some(epoch) = peer.unconfirmed_epoch.filter(|_| peer.trust == Trust::Paired) {
            div.notice.warning { p { "A bundle says that this peer's store was restored or made anew, or that it has begun the pairing anew, as epoch " code { (epoch) } ". Ask its owner: only if their page of this node shows that very epoch now, as “This node's epoch for it”, is it the one to go on with. Another would shut the peer out." } }
            (visit.form(&format!("{at}/epoch"), html! {
                input type="hidden" name="epoch" value=(epoch);
                div.actions { button.danger { "Their page shows it: go on with the new epoch" } }
            }))
        }
        @if peer.trust != Trust::Revoked {
            details {
                summary { "The peer has new keys" }
                div.card.narrow { (visit.upload_form(&format!("{at}/rotation"), html! { (filled.file(&file, "")) div.actions { button { "Read it in" } } })) }
            }
            div.actions { a.button.danger href=(format!("{at}/revocation")) { "Revoke this peer" } }
        }
    }
}

async fn answered(
    form: &Visit,
    id: Uuid,
    fields: &super::Fields,
    done: Result<Peer, Problem>,
    said: &str,
) -> Answer {
    match done {
        Ok(_) => Ok(form.go_and_say(&address(id), &Notice::done(said))),
        Err(problem) => page(form, id, &Filled::refused(fields, problem)?).await,
    }
}

async fn confirm(form: Form, id: Path<Uuid>) -> Answer {
    let given = form.fields.get("fingerprint").to_owned();
    let done = rest::trust(&form.context, form.actor.clone(), *id, given).await;
    answered(
        &form,
        *id,
        &form.fields,
        done,
        "The nodes are paired. Bundles pass from now on.",
    )
    .await
}

async fn rotation(mut upload: Upload, id: Path<Uuid>) -> Answer {
    upload.demand("POST", "/peers/{id}/rotation")?;
    let done = match received(&mut upload).await {
        Ok(text) => rest::take_rotation(&upload.context, upload.actor.clone(), *id, &text).await,
        Err(problem) => Err(problem),
    };
    let said = "The statement is genuine. Compare the new fingerprint before you trust it.";
    answered(&upload.visit, *id, &upload.fields, done, said).await
}

async fn confirm_successor(form: Form, id: Path<Uuid>) -> Answer {
    let given = form.fields.get("new_fingerprint").to_owned();
    let done = rest::trust_successor(&form.context, form.actor.clone(), *id, given).await;
    answered(
        &form,
        *id,
        &form.fields,
        done,
        "The new keys are trusted, the old ones refused.",
    )
    .await
}

async fn confirm_epoch(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id, epoch) = (
        form.actor.clone(),
        *id,
        Epoch(form.fields.parsed("epoch", "the epoch that the page shows")?),
    );
    let done = form
        .context
        .store
        .act(move |tx, here| peers::confirm_epoch(tx, &actor, here, id, epoch))
        .await;
    let said = "The new epoch counts. All that the peer may have is owed to it again.";
    answered(&form, id, &form.fields, done.map_err(Problem::from), said).await
}

async fn confirm_revocation(visit: Visit, id: Path<Uuid>) -> Answer {
    visit.demand("DELETE", "/peers/{id}")?;
    let id = *id;
    let peer = visit.read(move |view| peers::peer(view, id)).await?;
    Ok(Confirm {
        title: "Revoke this peer?",
        explained: html! {
            p { strong { (reveal(&peer.name)) } }
            p { "Nothing of it is imported or applied any more, and what waits in its inbox is blocked. What was applied stays. To exchange bundles again, both nodes revoke each other, read in the other's identity as it is then, and compare the fingerprint once more." }
        },
        action: &format!("{}/revocation", address(id)),
        hidden: &[],
        button: "Revoke it",
        dangerous: true,
        back: &address(id),
    }
    .page(&visit))
}

async fn revoke(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), *id);
    let done = form
        .context
        .store
        .act(move |tx, here| peers::revoke(tx, &actor, here, id))
        .await;
    answered(
        &form,
        id,
        &form.fields,
        done.map_err(Problem::from),
        "The peer is revoked.",
    )
    .await
}
