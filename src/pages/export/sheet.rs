//! A bundle that was made: to be downloaded onto the stick, and the sheet for the logbook that goes with it.

use std::fs::File;

use actix_web::HttpResponse;
use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::address;
use crate::actors::syncer::spooled;
use crate::acts::outgoing::{self, Contents};
use crate::api::blocking::off_the_arbiter;
use crate::api::{files, peers as rest};
use crate::clock;
use crate::domain::id::NodeId;
use crate::pages::body::{kind, kinds};
use crate::pages::piece::facts::facts;
use crate::pages::piece::hash;
use crate::pages::piece::list::table;
use crate::pages::piece::number::bytes;
use crate::pages::piece::text::reveal;
use crate::pages::piece::time::time;
use crate::pages::{Answer, Problem, Site, Visit};
use crate::store::records::Here;

/// The size of a volume that any stick's file system takes: FAT32 holds files of up to 4 GiB.
const VOLUME: u64 = 4 << 30;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/peers/{id}/exports/{sequence}", show);
    site.get("/peers/{id}/exports/{sequence}/file", download);
}

async fn read(visit: &Visit, peer: Uuid, sequence: u64) -> Result<Contents, Problem> {
    let (actor, now) = (visit.actor.clone(), visit.context.store.now());
    visit
        .read(move |view| {
            let here = Here::at(view, now, clock::random_bytes())?;
            outgoing::carried(view, &actor, &here, peer, sequence)
        })
        .await
}

/// The file in the spool, while it lies there: the next export removes it.
async fn file(visit: &Visit, name: &str) -> Option<(File, u64)> {
    let (spool, name) = (visit.context.folder.spool(), name.to_owned());
    let opened = off_the_arbiter(move || {
        let file = File::open(spooled(&spool, &name).ok()?).ok()?;
        let length = file.metadata().ok()?.len();
        Some((file, length))
    });
    opened.await.ok().flatten()
}

async fn show(visit: Visit, path: Path<(Uuid, u64)>) -> Answer {
    let (peer, sequence) = path.into_inner();
    let found = read(&visit, peer, sequence).await?;
    let name = crate::actors::syncer::spooled_name(NodeId(peer), sequence);
    let file = file(&visit, &name).await.map(|(_, length)| length);
    let fingerprint = rest::fingerprint_with(&visit.context, &found.peer).await?;
    let at = format!("/peers/{peer}/exports/{sequence}");
    Ok(visit
        .page(format!("Bundle {sequence} to {}", found.peer.name))
        .trail([("Export".to_owned(), "/export".to_owned()), (format!("To {}", found.peer.name), address(peer))])
        .body(html! {
            @if file.is_some() {
                div.actions.no-print { a.button.primary href=(format!("{at}/file")) download { "Save it onto the stick" } }
                p.hint.no-print { "Or on the machine with the stick, which also reads it back past the cache: " code { "poundlock bundle export" } ". Print this page for the logbook." }
            } @else { p.soft.no-print { "The file lies here no more. What it carried and was not acknowledged goes with the next bundle." } }
            section.card { h2 { "Transfer sheet" } (about(&found, &visit.node_name, sequence, &name, file, &fingerprint)) }
            h2 { "Contents" }
            (contents(&found))
            section.card.signatures {
                (facts([("Handed over by", html! { span.line {} }), ("Taken by", html! { span.line {} }), ("Date and time", html! { span.line {} })]))
            }
        }))
}

fn about(
    found: &Contents,
    from: &str,
    sequence: u64,
    name: &str,
    size: Option<u64>,
    fingerprint: &str,
) -> Markup {
    facts([
        ("From", reveal(from)),
        (
            "To",
            html! { (reveal(&found.peer.name)) ", the " (found.peer.side.word()) " side" },
        ),
        ("Number", html! { (sequence) }),
        ("File", html! { code { (name) } }),
        (
            "Size",
            html! { @if let Some(size) = size { (bytes(size)) " (" (size) ")" } @else { "the file is gone" } },
        ),
        (
            "Volumes",
            html! { @if let Some(size) = size { (size.div_ceil(VOLUME).max(1)) @if size > VOLUME { ", split with " code { "poundlock bundle split" } } } },
        ),
        (
            "Hash",
            html! { @if let Some(file) = &found.sent.file { (hash::whole(file)) } },
        ),
        ("Fingerprint of the pair", hash::fingerprint(fingerprint)),
        ("Made", time(found.sent.at)),
        (
            "Acknowledged",
            html! { (if found.sent.acknowledged { "yes: it has arrived" } else { "not yet" }) },
        ),
    ])
}

fn contents(found: &Contents) -> Markup {
    if found.batches.is_empty() {
        return html! { p.soft { "No objects: only what this node acknowledges." } };
    }
    table(
        "Contents",
        &["What", "Objects"],
        found.batches.iter().map(|(root, objects)| {
            vec![
                html! { span.soft { (kind(root.kind())) ": " } (reveal(&root.body.title())) },
                html! { (kinds(objects.iter().map(|object| object.kind()))) },
            ]
        }),
    )
}

async fn download(visit: Visit, path: Path<(Uuid, u64)>) -> Answer {
    let (peer, sequence) = path.into_inner();
    read(&visit, peer, sequence).await?;
    let name = crate::actors::syncer::spooled_name(NodeId(peer), sequence);
    let gone = || Problem::not_found("the file lies here no more; export again");
    let (file, length) = file(&visit, &name).await.ok_or_else(gone)?;
    Ok(files::download(
        HttpResponse::Ok(),
        file,
        length,
        "application/octet-stream",
        &name,
    ))
}
