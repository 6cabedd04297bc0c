//! One batch, opened: each object as what it is, what is here beside it, and the decision.

use actix_web::web::{Data, Path};
use maud::{Markup, html};
use uuid::Uuid;

use super::{address, deciding, steps, why};
use crate::acts::inbox::{self, InboxBatch, Opened, Reach};
use crate::acts::signatures::KeyNews;
use crate::acts::{peers, requests};
use crate::api::signed::KeyNewsView;
use crate::domain::object::Body;
use crate::pages::body::{self, Around, change, kind};
use crate::pages::piece::icon::Icon;
use crate::pages::piece::signature;
use crate::pages::piece::status::{Tone, badge};
use crate::pages::piece::text::reveal;
use crate::pages::reading::Readings;
use crate::pages::{Answer, Problem, Site, Visit};

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/peers/{id}/import/{root}", show);
}

/// What was approved before, of the author of each code in a batch: by the code's id, its name and source.
type Approved = Vec<(Uuid, String, String)>;

async fn show(visit: Visit, path: Path<(Uuid, Uuid)>, readings: Data<Readings>) -> Answer {
    let (peer_id, root) = path.into_inner();
    let actor = visit.actor.clone();
    let (peer, waiting, reach, opened, approved) = visit
        .read(move |view| {
            let (waiting, reach) = inbox::reach(view, &actor, peer_id, &[root])?;
            let batch = waiting.iter().find(|shown| shown.batch.root == root);
            let opened = match batch {
                Some(shown) => inbox::open(view, peer_id, &shown.batch)?,
                None => Vec::new(),
            };
            let mut approved: Approved = Vec::new();
            for object in &opened {
                if let Body::Code(code) = &object.after
                    && let Some(before) = requests::approved_before(view, &actor, code, object.member.id)?
                {
                    approved.push((object.member.id, before.body.name, before.body.source));
                }
            }
            Ok((peers::peer(view, peer_id)?, waiting, reach, opened, approved))
        })
        .await?;
    let gone = || Problem::not_found("this batch waits no more; it may have been applied already");
    let place = waiting
        .iter()
        .position(|shown| shown.batch.root == root)
        .ok_or_else(gone)?;
    let shown = waiting.get(place).ok_or_else(gone)?;
    let objects = objects(&visit, &opened, &approved, &readings).await;
    Ok(visit
        .page(shown.batch.title.as_str())
        .trail([
            ("Import".to_owned(), "/import".to_owned()),
            (format!("What {} sent", peer.name), address(peer_id)),
        ])
        .aside(around(peer_id, &waiting, place))
        .wide()
        .body(html! {
            (steps(3, peer_id, None))
            div.columns {
                div { (objects) }
                div.side-column { (decide(&visit, peer_id, shown, &reach)) }
            }
        }))
}

/// The way to the batches before and after.
fn around(peer: Uuid, waiting: &[InboxBatch], place: usize) -> Markup {
    let before = place.checked_sub(1).and_then(|at| waiting.get(at));
    let after = waiting.get(place + 1);
    html! {
        nav.pager.inline aria-label="Batches" {
            @if let Some(before) = before { a.button.small rel="prev" href=(format!("{}/{}", address(peer), before.batch.root)) { "Previous" } }
            span.soft { (place + 1) " of " (waiting.len()) }
            @if let Some(after) = after { a.button.small rel="next" href=(format!("{}/{}", address(peer), after.batch.root)) { "Next" } }
        }
    }
}

async fn objects(visit: &Visit, opened: &[Opened], approved: &Approved, readings: &Readings) -> Markup {
    let mut shown = Vec::with_capacity(opened.len());
    for object in opened {
        let reading = match &object.after {
            Body::Code(code) => Some(readings.read(&visit.context, code).await),
            _ => None,
        };
        let before = approved.iter().find(|(id, _, _)| *id == object.member.id);
        let around = Around {
            before: object.before.as_ref(),
            refers: &object.refers,
            anchor: format!("line-{}", object.member.id),
            reading,
            approved: before.map(|(_, name, source)| (name.clone(), source.clone())),
        };
        shown.push(html! {
            section.card {
                div.heading {
                    h2 { (kind(object.member.kind)) ": " (reveal(&object.member.title)) }
                    div.aside { (change(object.member.change, object.member.deleted)) }
                }
                @if let Some(signed) = &object.signed { p { (signature::standing(signed)) } }
                @if let Some(news) = &object.key_news { (key_news(news)) }
                (body::shown(&object.after, &around))
            }
        });
    }
    html! { @for one in &shown { (one) } }
}

/// What a person's record says of the key that they sign with.
fn key_news(news: &KeyNews) -> Markup {
    let told = KeyNewsView::from(news);
    html! {
        @if told.suspicious { div.notice.warning { p { (reveal(&told.says)) } } }
        @else { p.soft { (reveal(&told.says)) } }
    }
}

fn decide(visit: &Visit, peer: Uuid, shown: &InboxBatch, reach: &Reach) -> Markup {
    let root = shown.batch.root;
    let act = |act: &str, label: &str, class: &str| {
        visit.form(&format!("{}/{act}", address(peer)), html! {
            input type="hidden" name="root" value=(root);
            @for seen in &reach.seen { input type="hidden" name="seen" value=(deciding::seen_words(seen.id, seen.revision)); }
            div.actions { button class=(class) { (label) } }
        })
    };
    html! {
        section.card.acts {
            h2 { "Decide" }
            @if shown.ignored {
                p { (badge(Tone::Plain, Icon::No, "ignored")) }
                (listed("This also shows again, since it is needed:", &reach.brings_back_also))
                (act("unignore", "Show it again", "primary"))
            } @else {
                @match &reach.applies_also {
                    Ok(also) => {
                        (listed("Applying it also applies, since it is needed:", also))
                        (act("apply", "Apply", "primary"))
                    },
                    Err(reason) => {
                        div.actions { button type="button" aria-disabled="true" { "Apply" } }
                        (why(reason))
                    },
                }
                (listed("Ignoring it also hides, since it needs this:", &reach.hides_also))
                (act("ignore", "Ignore", "danger"))
            }
            p.hint { "To hold it, leave it as it is: it waits here, and nothing of it is used." }
            @if let Some(reviewed) = &shown.reviewed {
                p.soft { "Last " (deciding::word(reviewed.act)) " by " (reveal(&reviewed.by_name)) " on " (crate::pages::piece::time::time(reviewed.at)) "." }
            }
        }
    }
}

/// What comes along with an act, if anything does.
pub(super) fn listed(what: &str, also: &[(Uuid, String)]) -> Markup {
    html! {
        @if !also.is_empty() {
            p { (what) }
            ul { @for (_, title) in also { li { (reveal(title)) } } }
        }
    }
}
