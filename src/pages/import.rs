//! Taking a bundle in, in three steps: it is verified when it is sent; then a person looks at what it brought, batch by
//! batch; then they decide on each. Nothing of it is used before.

mod batch;
mod deciding;
mod tree;

use actix_web::HttpRequest;
use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::fields::sentence;
use super::piece::facts::facts;
use super::piece::hash;
use super::piece::icon::Icon;
use super::piece::list::empty;
use super::piece::number::{bytes, count};
use super::piece::status::{Tone, badge};
use super::piece::text::reveal;
use super::piece::time::time;
use super::upload::Upload;
use super::{Answer, Field, Fields, Filled, Notice, Problem, Site, Visit};
use crate::actors::ActError;
use crate::actors::syncer::{Import, Imported};
use crate::acts::inbox;
use crate::acts::{Refusal, outgoing, peers};
use crate::api::peers as rest;
use crate::api::quarantine;
use crate::domain::access::Permission;
use crate::domain::peer::{Arrived, Peer};
use crate::store::records;
use crate::sync::select::Filters;

/// The most bytes of a form that are not of its file.
const AROUND_MAX: u64 = 1 << 20;
/// Batches on a page.
const PAGE: usize = 1_000;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/import", choose);
    site.post("/import", take_in);
    site.get("/peers/{id}/import", look);
    site.get("/peers/{id}/arrivals/{sequence}", verified);
    batch::routes(site);
    deciding::routes(site);
}

/// Where a peer's inbox is reviewed.
fn address(peer: Uuid) -> String {
    format!("/peers/{peer}/import")
}

async fn choose(visit: Visit) -> Answer {
    visit.actor.require(Permission::Sync).map_err(Refusal::from)?;
    form(&visit, &Filled::default()).await
}

async fn form(visit: &Visit, filled: &Filled) -> Answer {
    let peers = visit.read(|view| Ok(records::peers(view)?)).await?;
    let field = Field::new("file", "Bundle")
        .hint("The file on the stick, whose name ends in .bundle. It is read once, and checked before anything of it is used.");
    Ok(visit.page("Import a bundle").status(filled.status()).body(html! {
        (filled.summary())
        div.card.narrow {
            (visit.upload_form("/import", html! {
                (filled.file(&field, ".bundle"))
                div.actions { button.primary { "Verify and take in" } }
            }))
        }
        h2 { "What waits for review" }
        @if peers.is_empty() { (empty("This node is paired with no other.", html! { "Pair it first: on the command line, " code { "poundlock pair" } "." })) }
        ul.cards {
            @for (id, peer) in &peers {
                li { h3 { a href=(address(*id)) { (reveal(&peer.name)) } } p.soft { "The last bundle from it was number " (peer.received.highest) "." } }
            }
        }
    }))
}

async fn take_in(mut upload: Upload, request: HttpRequest) -> Answer {
    upload.actor.require(Permission::Sync).map_err(Refusal::from)?;
    match import(&mut upload, &request).await {
        Ok(imported) => {
            let said = match imported.state {
                "repeated" => "The bundle was here before; nothing has changed.",
                "late" => "The bundle is whole and honest. A newer one came before it.",
                _ => "The bundle is whole, and from whom it says.",
            };
            let at = format!("/peers/{}/arrivals/{}", imported.sender, imported.sequence);
            Ok(upload.go_and_say(&at, &Notice::done(said)))
        }
        Err(problem) => form(&upload.visit, &Filled::refused(&upload.fields, problem)?).await,
    }
}

async fn import(upload: &mut Upload, request: &HttpRequest) -> Result<Imported, Problem> {
    // The form's fields and the lines around its parts are not of the file.
    let declared = quarantine::declared(request).map(|length| length.saturating_sub(AROUND_MAX));
    let quarantined = quarantine::take(&upload.context.clone(), upload.file()?, declared).await?;
    let ask = Import {
        actor: upload.actor.clone(),
        quarantined,
    };
    let syncer = upload.context.syncer()?;
    Ok(syncer.send(ask).await.map_err(ActError::from)??)
}

/// The steps, and which of them this is.
fn steps(here: usize, peer: Uuid, sequence: Option<u64>) -> Markup {
    let verify = sequence.map(|sequence| format!("/peers/{peer}/arrivals/{sequence}"));
    let names = [
        ("1. Verify", verify),
        ("2. Look", Some(address(peer))),
        ("3. Decide", None),
    ];
    html! {
        nav aria-label="Steps" {
            ol.steps {
                @for (at, (name, address)) in names.into_iter().enumerate() {
                    li aria-current=[(at + 1 == here).then_some("step")] {
                        @match address { Some(address) if at + 1 != here => a href=(address) { (name) }, _ => span { (name) } }
                    }
                }
            }
        }
    }
}

async fn verified(visit: Visit, path: Path<(Uuid, u64)>) -> Answer {
    let (id, sequence) = path.into_inner();
    let actor = visit.actor.clone();
    let (peer, arrivals) = visit
        .read(move |view| Ok((peers::peer(view, id)?, inbox::arrivals(view, &actor, id, 1_000)?)))
        .await?;
    let arrived = arrivals.into_iter().find(|(number, _)| *number == sequence);
    let (_, arrived) = arrived.ok_or_else(|| Problem::not_found("no bundle of this number has arrived"))?;
    let fingerprint = rest::fingerprint_with(&visit.context, &peer).await?;
    Ok(visit
        .page(format!("Bundle {sequence} from {}", peer.name))
        .trail([("Import", "/import")])
        .body(html! {
            (steps(1, id, Some(sequence)))
            div.card {
                p { (badge(Tone::Good, Icon::Done, "verified")) " Signed by " strong { (reveal(&peer.name)) } ", decrypted and read to the end; every record checked." }
                (header(&peer, sequence, &arrived, &fingerprint))
            }
            div.actions { a.button.primary href=(address(id)) { "Look at what it brought" } }
        }))
}

fn header(peer: &Peer, sequence: u64, arrived: &Arrived, fingerprint: &str) -> Markup {
    let known = arrived.header.as_ref();
    facts([
        (
            "Sender",
            html! { (reveal(&peer.name)) ", the " (peer.side.word()) " side" br; code.soft { (peer.node) } },
        ),
        (
            "Fingerprint of the pair",
            html! { (hash::fingerprint(fingerprint)) p.hint { "The same that was compared by voice when the nodes were paired." } },
        ),
        (
            "Number",
            html! { (sequence) @if let Some(header) = known { ", building on " @if header.base == 0 { "nothing" } @else { "number " (header.base) } } },
        ),
        (
            "Size",
            html! { @if let Some(header) = known { (bytes(header.size)) } },
        ),
        (
            "Records",
            html! { (arrived.records) @if let Some(header) = known { ": " (header.brought) " wait for review now, " (header.known) " were known" } },
        ),
        (
            "It acknowledges",
            html! { @if let Some(header) = known { @if header.acknowledges == 0 { "none of this node's bundles yet" } @else { "this node's bundles up to number " (header.acknowledges) } } },
        ),
        (
            "Head of its audit chain",
            html! { @if let Some(header) = known { (hash::short(&header.audit_head)) } },
        ),
        ("Hash of the file", hash::whole(&arrived.file)),
        ("Imported", time(arrived.at)),
    ])
}

/// The filters that an address names, as REST has them.
pub(super) fn filters(query: &Fields) -> Filters {
    let kinds = |name: &str| {
        let wanted = query.given(name).unwrap_or_default().split(',').map(str::trim);
        let kind = |word: &str| outgoing::ROOT_KINDS.into_iter().find(|kind| kind.word() == word);
        wanted.filter_map(kind).collect()
    };
    Filters {
        requester: query.given("requester").map(str::to_owned),
        include: kinds("include"),
        exclude: kinds("exclude"),
    }
}

/// The form of the filters.
pub(super) fn filter_form(path: &str, query: &Fields, ignored: Option<&str>) -> Markup {
    let names = ["requester", "include", "include_ignored"];
    let filled = Filled::with(names.map(|name| (name, query.get(name))));
    let kinds = [
        ("", "Everything"),
        ("project", "Projects"),
        ("dataset", "Datasets"),
        ("request", "Requests"),
        ("job", "Runs"),
    ];
    html! {
        form.filters method="get" action=(path) {
            (filled.input(&Field::new("requester", "Requests of (e-mail address)").kind("search").optional()))
            (filled.choice(&Field::new("include", "Kind").optional(), kinds))
            @if let Some(label) = ignored { (filled.check("include_ignored", label, "")) }
            button { "Filter" }
        }
    }
}

async fn look(visit: Visit, id: Path<Uuid>, query: Fields) -> Answer {
    let id = id.into_inner();
    let (actor, wanted) = (visit.actor.clone(), filters(&query));
    let (peer, waiting, last) = visit
        .read(move |view| {
            let waiting = inbox::contents(view, &actor, id, &wanted)?;
            let last = inbox::arrivals(view, &actor, id, 1)?;
            Ok((
                peers::peer(view, id)?,
                waiting,
                last.first().map(|(number, _)| *number),
            ))
        })
        .await?;
    let all = query.has("include_ignored");
    let hidden = waiting.iter().filter(|batch| batch.ignored).count();
    let shown: Vec<_> = waiting.iter().filter(|batch| all || !batch.ignored).collect();
    let from: usize = query
        .given("from")
        .and_then(|from| from.parse().ok())
        .unwrap_or(0);
    let page: Vec<_> = shown.iter().copied().skip(from).take(PAGE).collect();
    let path = address(id);
    Ok(visit
        .page(format!("What {} sent", peer.name))
        .trail([("Import", "/import")])
        .body(html! {
            (steps(2, id, last))
            (filter_form(&path, &query, Some("Show what is ignored too")))
            @if hidden > 0 && !all {
                p.soft { (count(hidden, "batch")) " ignored. " a href=(query.address(&path, "include_ignored", Some("true"))) { "Show them" } }
            }
            @if page.is_empty() { (empty("Nothing waits for review.", html! { a href="/import" { "Import the next bundle" } ", or " a href="/inbox" { "see what else waits" } "." })) }
            @else { (visit.form(&format!("{path}/selected"), tree::shown(id, &page))) }
            @if shown.len() > from + PAGE { nav.pager aria-label="Pages" { a.button href=(query.address(&path, "from", Some(&(from + PAGE).to_string()))) { "More" } } }
        }))
}

/// What is said where a decision cannot be taken.
fn why(reason: &str) -> Markup {
    html! { p.soft { (sentence(reason)) } }
}
