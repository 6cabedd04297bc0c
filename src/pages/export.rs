//! Making a bundle for the other side: what is owed, what could leave besides, what the other side learns by it, and the
//! sheet that goes with the stick.

mod learning;
mod making;
mod sheet;

use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::body::{change, kind, kinds};
use super::import::{filter_form, filters};
use super::piece::hash;
use super::piece::icon::Icon;
use super::piece::list::{empty, table};
use super::piece::number::bytes;
use super::piece::status::{Tone, badge};
use super::piece::text::reveal;
use super::piece::time::time;
use super::request::part_words;
use super::run::{not_of_a_run, part_glimpse};
use super::{Answer, Fields, Problem, Site, Visit};
use crate::acts::outgoing::{self, Preview};
use crate::acts::releases::{Candidate, candidates};
use crate::acts::{Refusal, peers};
use crate::clock;
use crate::domain::access::Permission;
use crate::domain::peer::{Peer, Sent, Trust};
use crate::store::records::{self, Here};
use crate::sync::batch::{Batch, Change};
use crate::sync::select::KeptBack;

/// Candidates that are shown with their content.
const SHOWN: usize = 30;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/export", choose);
    site.get("/peers/{id}/export", look);
    making::routes(site);
    sheet::routes(site);
}

fn address(peer: Uuid) -> String {
    format!("/peers/{peer}/export")
}

async fn choose(visit: Visit) -> Answer {
    visit.actor.require(Permission::Sync).map_err(Refusal::from)?;
    let peers = visit.read(|view| Ok(records::peers(view)?)).await?;
    let paired: Vec<_> = peers
        .iter()
        .filter(|(_, peer)| peer.trust == Trust::Paired)
        .collect();
    if let [(only, _)] = paired.as_slice() {
        return Ok(visit.go(&address(*only)));
    }
    Ok(visit.page("Export a bundle").body(html! {
        @if paired.is_empty() { (empty("This node is paired with no other.", html! { "Pair it first: on the command line, " code { "poundlock pair" } "." })) }
        ul.cards { @for (id, peer) in paired { li { h2 { a href=(address(*id)) { "To " (reveal(&peer.name)) } } } } }
    }))
}

/// What is known before a bundle is made.
struct Before {
    peer: Peer,
    preview: Preview,
    candidates: Vec<Candidate>,
    /// Whether older runs were not looked through.
    older_runs: bool,
    sent: Vec<(u64, Sent)>,
}

async fn read(visit: &Visit, id: Uuid, query: &Fields) -> Result<Before, Problem> {
    let (actor, now, wanted) = (visit.actor.clone(), visit.context.store.now(), filters(query));
    let releases = visit.side.holds_private_data() && visit.may(Permission::Release);
    visit
        .read(move |view| {
            let here = Here::at(view, now, clock::random_bytes())?;
            let (candidates, older_runs) = if releases {
                candidates(view, &actor, &here, id)?
            } else {
                (Vec::new(), false)
            };
            Ok(Before {
                peer: peers::peer(view, id)?,
                preview: outgoing::preview(view, &actor, id, &wanted, false)?,
                candidates,
                older_runs,
                sent: outgoing::sent(view, &actor, &here, id, 10)?,
            })
        })
        .await
}

async fn look(visit: Visit, id: Path<Uuid>, query: Fields) -> Answer {
    let id = id.into_inner();
    let found = read(&visit, id, &query).await?;
    let path = address(id);
    let mut offered = Vec::new();
    for candidate in found.candidates.iter().take(SHOWN) {
        offered.push(offer(&visit, candidate).await);
    }
    Ok(visit
        .page(format!("To {}", found.peer.name))
        .trail([("Export", "/export")])
        .body(html! {
            (filter_form(&path, &query, None))
            (visit.form(&format!("{path}/confirm"), html! {
                @for name in ["requester", "include"] { input type="hidden" name=(name) value=(query.get(name)); }
                @if !offered.is_empty() {
                    h2 { "What could leave" }
                    p.soft { "Nothing of this goes unless you check its box. What would leave are exactly the bytes with the hash beside it; of what is long only the beginning is shown here." }
                    @for one in &offered { (one) }
                    @if found.candidates.len() > SHOWN { p.soft { "More results wait; they are shown here as these are released." } }
                }
                @if found.older_runs { p.soft { "Of the newest runs alone it is looked for what could leave. What older ones left behind is released on their own pages, which " a href="/requests" { "their requests" } " lead to." } }
                h2 { "What is owed" }
                (owed(&visit, id, &found.preview))
                div.actions.sticky { button.primary { "See what the other side learns" } }
            }))
            (history(id, &found.sent))
        }))
}

/// A candidate with its box, empty at first.
async fn offer(visit: &Visit, candidate: &Candidate) -> Markup {
    let (job, part) = (candidate.job, candidate.part);
    let seen = part_glimpse(visit, job, part, &candidate.product).await;
    let id = format!("share-{job}-{}", part.word());
    let word = match part {
        crate::domain::release::Part::Result => "Share result and approve",
        crate::domain::release::Part::Log => "Share log",
        crate::domain::release::Part::FailureReport => "Share failure report",
    };
    html! {
        section.card {
            div.heading {
                h3 { (part_words(part)) " for " (reveal(&candidate.requester)) ": " (reveal(&candidate.request)) }
                div.aside { span.soft { (candidate.product.format.extension()) ", " (bytes(candidate.product.length)) } (hash::short(&candidate.product.hash)) }
            }
            (not_of_a_run(candidate.origin))
            (seen)
            div.check {
                input id=(id) type="checkbox" name="share" value=(format!("{job} {} {}", part.word(), candidate.product.hash));
                label for=(id) { (word) }
            }
        }
    }
}

/// What is owed, as batches, and why what does not go stays.
fn owed(visit: &Visit, peer: Uuid, preview: &Preview) -> Markup {
    if preview.batches.is_empty() {
        return empty(
            "Nothing is owed: the other side has all that it may have.",
            html! { "A bundle still carries what this node acknowledges, and lets the other side forget what it has sent." },
        );
    }
    table(
        "What is owed",
        &["What", "Brings", "Goes"],
        preview.batches.iter().map(|batch| {
            vec![
                html! { span.soft { (kind(batch.kind)) ": " } (reveal(&batch.title)) },
                html! { @for (changed, members) in by_change(batch) { (change(changed, false)) " " span.soft { (members) } " " } },
                goes(visit, peer, batch, preview.selection.kept_back.get(&batch.root)),
            ]
        }),
    )
}

fn by_change(batch: &Batch) -> Vec<(Change, String)> {
    [Change::New, Change::Returned, Change::Modified, Change::Same]
        .into_iter()
        .filter_map(|wanted| {
            let members: Vec<_> = batch
                .members
                .iter()
                .filter(|member| member.change == wanted)
                .collect();
            (!members.is_empty()).then(|| (wanted, kinds(members.iter().map(|member| member.kind))))
        })
        .collect()
}

fn goes(_visit: &Visit, peer: Uuid, batch: &Batch, kept: Option<&KeptBack>) -> Markup {
    let held = matches!(kept, Some(KeptBack::Held));
    let (word, label) = if held {
        ("let-go", "Let it go")
    } else {
        ("hold", "Hold it")
    };
    html! {
        @match kept {
            None => (badge(Tone::Good, Icon::Out, "with the next bundle")),
            Some(KeptBack::Held) => (badge(Tone::Warning, Icon::Lock, "held")),
            Some(KeptBack::Filtered) => (badge(Tone::Plain, Icon::No, "not asked for")),
            Some(KeptBack::Needs(_)) => (badge(Tone::Plain, Icon::Waiting, "needs what is kept back")),
        }
        " "
        button.small name=(word) value=(batch.root) formaction=(format!("{}/holds", address(peer))) { (label) }
    }
}

/// The bundles that were made before.
fn history(peer: Uuid, sent: &[(u64, Sent)]) -> Markup {
    html! {
        @if !sent.is_empty() {
            h2 { "Made before" }
            (table("Bundles made before", &["Bundle", "Made", "Objects", "Acknowledged"], sent.iter().map(|(sequence, sent)| vec![
                html! { a href=(format!("/peers/{peer}/exports/{sequence}")) { "Number " (sequence) } },
                time(sent.at),
                html! { (sent.carried) },
                html! { @if sent.acknowledged { (badge(Tone::Good, Icon::Done, "yes")) } @else { (badge(Tone::Waiting, Icon::Waiting, "not yet")) } },
            ])))
        }
    }
}
