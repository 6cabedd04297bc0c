//! One run: how it stands, what it used, and what it left behind, each part of which has a page of its own.

mod glimpse;
mod part;

use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::piece::facts::facts;
use super::piece::hash;
use super::piece::icon::Icon;
use super::piece::list::table;
use super::piece::number::bytes;
use super::piece::status::{self, Tone, badge};
use super::piece::text::reveal;
use super::piece::time::time;
use super::request::{data_words, part_words, short};
use super::{Answer, Form, Notice, Problem, Site, Visit};
use crate::actors::ActError;
use crate::actors::runner::CancelRun;
use crate::acts::runs;
use crate::domain::access::Permission;
use crate::domain::id::JobId;
use crate::domain::job::{Data, Origin, Run, State};
use crate::domain::object::{Body, Kind, Object};
use crate::domain::release::Part;
use crate::store::records;

pub(super) use glimpse::{glimpse, part as part_glimpse, runs_table};

const PARTS: [Part; 3] = [Part::Result, Part::Log, Part::FailureReport];

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/runs/{id}", show);
    site.post("/runs/{id}/cancellation", cancel);
    site.post("/runs/{id}/set-aside", set_aside);
    part::routes(site);
}

fn address(id: JobId) -> String {
    format!("/runs/{id}")
}

struct Found {
    run: Run,
    title: String,
    code: String,
    started_by: String,
    released: Vec<Object>,
}

async fn read(visit: &Visit, id: JobId) -> Result<Found, Problem> {
    let actor = visit.actor.clone();
    visit
        .read(move |view| {
            let run = runs::get(view, &actor, id)?;
            let title = |id: Uuid| {
                Ok::<_, crate::acts::Refusal>(records::object(view, id)?.map(|it| it.body.title()))
            };
            let request = match run.request {
                Some(request) => title(request.0)?.unwrap_or_default(),
                None => String::new(),
            };
            let started_by = match records::object(view, run.started_by.0)?.map(|object| object.body) {
                Some(Body::User(user)) => user.name,
                _ => String::new(),
            };
            Ok(Found {
                title: request,
                code: match run.code {
                    Some(code) => title(code.0)?.unwrap_or_default(),
                    None => String::new(),
                },
                started_by,
                released: records::children(view, id.0, Kind::Release)?,
                run,
            })
        })
        .await
}

async fn show(visit: Visit, id: Path<Uuid>) -> Answer {
    let id = JobId(*id);
    let found = read(&visit, id).await?;
    let run = &found.run;
    let mut trail = Vec::new();
    if let Some(request) = run.request {
        trail.push(("Requests".to_owned(), "/requests".to_owned()));
        trail.push((found.title.clone(), format!("/requests/{request}")));
    }
    let waits = (!run.state.is_over()).then(|| run.state.word());
    Ok(visit
        .page(format!("Run {}", short(id)))
        .trail(trail)
        .aside(html! { (data_words(run.data)) (status::run(run.state)) })
        .body(html! {
            div data-waits=[waits] {
                @if !run.state.is_over() { (under_way(&visit, id, run)) }
                h2 { "What it left behind" }
                (parts(&visit, id, &found))
                div.columns {
                    section.card { h2 { "About" } (about(&found)) }
                    @if may_set_aside(&visit, &found) { (setting_aside(&visit, id)) }
                    @if run.origin == Origin::Sandbox && visit.may(Permission::TriageRequests) { (layers(&visit)) }
                }
            }
        }))
}

fn under_way(visit: &Visit, id: JobId, run: &Run) -> Markup {
    html! {
        section.card {
            p role="status" {
                @if run.state != State::Queued { "It is under way." }
                @else if visit.context.runtime.readiness().is_err() { "It waits: this node cannot run code at the moment." }
                @else { "It waits for its turn." }
                " This page looks again by itself, or "
                a href=(address(id)) { "load it again" } "."
            }
            (visit.form(&format!("{}/cancellation", address(id)), html! { button.danger { "Stop the run" } }))
        }
    }
}

fn about(found: &Found) -> Markup {
    let run = &found.run;
    let origin = match run.origin {
        Origin::Sandbox => "run in the sandbox of this node",
        Origin::Deposit => "computed elsewhere, and deposited",
        Origin::Fulfilment => "the private data itself, written as a result",
    };
    facts([
        ("Code", html! { (reveal(&found.code)) }),
        ("Where from", html! { (origin) }),
        ("Started by", html! { (reveal(&found.started_by)) }),
        ("Queued", time(run.queued_at)),
        ("Began", html! { @if let Some(at) = run.began_at { (time(at)) } }),
        ("Ended", html! { @if let Some(at) = run.ended_at { (time(at)) } }),
        (
            "Took",
            html! { @if let (Some(from), Some(to)) = (run.began_at, run.ended_at) { (took(from, to)) } },
        ),
        (
            "Processor time",
            html! { @if let Some(used) = &run.used { (used.cpu_milliseconds / 1000) "." (used.cpu_milliseconds % 1000 / 100) " s" } },
        ),
        (
            "Most memory at one time",
            html! { @if let Some(used) = &run.used { (bytes(used.peak_memory)) } },
        ),
    ])
}

/// What everybody must know who lets a part of a run leave, where it is not what a run of code left behind.
pub(super) fn not_of_a_run(origin: Origin) -> Markup {
    let said = match origin {
        Origin::Sandbox => return html! {},
        Origin::Deposit => "No run on this node made this: somebody computed it elsewhere, and deposited it.",
        Origin::Fulfilment => {
            "This is the private data of an asset itself, all of it, not a result computed from it."
        }
    };
    html! { div.notice.warning { p { strong { (said) } } } }
}

fn took(from: jiff::Timestamp, to: jiff::Timestamp) -> String {
    let milliseconds = to.duration_since(from).as_millis().max(0);
    match milliseconds {
        0..60_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1000),
    }
}

/// What keeps code in: the layers of the sandbox, as they were found when the node started.
fn layers(visit: &Visit) -> Markup {
    let layers = visit.context.runtime.layers();
    html! {
        section.card {
            h2 { "What keeps the code in" }
            ul.plain {
                @for found in layers {
                    @let (tone, drawing, word) = if found.present { (Tone::Good, Icon::Done, "on") } else { (Tone::Bad, Icon::No, "off") };
                    li { (badge(tone, drawing, word)) " " (found.layer) }
                }
            }
        }
    }
}

fn parts(visit: &Visit, id: JobId, found: &Found) -> Markup {
    let left: Vec<_> = PARTS
        .iter()
        .filter_map(|part| Some((*part, found.run.product(*part)?)))
        .collect();
    if left.is_empty() {
        let said = if found.run.state.is_over() {
            "Nothing."
        } else {
            "Nothing yet."
        };
        return html! { p.soft { (said) } };
    }
    let private = found.run.data == Data::Private;
    html! {
        (table("What the run left behind", &["What", "Written as", "Size", "Hash", "Leaves this node"], left.into_iter().map(|(part, product)| {
            vec![
                html! { a href=(format!("{}/parts/{}", address(id), part.word())) { (part_words(part)) } },
                html! { (product.format.extension()) @if !product.format.reviewable() { " " (badge(Tone::Warning, Icon::Warning, "not reviewable")) } },
                html! { (bytes(product.length)) },
                hash::short(&product.hash),
                leaves(visit, private, released(&found.released, part)),
            ]
        })))
    }
}

fn leaves(visit: &Visit, private: bool, released: Option<&Object>) -> Markup {
    match released {
        Some(release) => {
            html! { (badge(Tone::Good, Icon::Out, "released")) " " a href=(format!("/releases/{}", release.id)) { "what left" } }
        }
        None if !private => html! { "a run on mocks answers nobody" },
        None if visit.may(Permission::Release) => badge(Tone::Plain, Icon::Lock, "stays here until released"),
        None => badge(Tone::Plain, Icon::Lock, "stays here"),
    }
}

fn released(releases: &[Object], part: Part) -> Option<&Object> {
    releases.iter().find(
        |object| matches!(&object.body, Body::Release(release) if release.part == part && !object.deleted),
    )
}

async fn cancel(form: Form, id: Path<Uuid>) -> Answer {
    let id = JobId(*id);
    let actor = form.actor.clone();
    form.context
        .runner
        .send(CancelRun { actor, id })
        .await
        .map_err(ActError::from)??;
    Ok(form.go_and_say(&address(id), &Notice::done("The run is told to stop.")))
}

fn may_set_aside(visit: &Visit, found: &Found) -> bool {
    found.run.has_private_result()
        && visit.may(Permission::TriageRequests)
        && released(&found.released, Part::Result).is_none()
}

fn setting_aside(visit: &Visit, id: JobId) -> Markup {
    html! {
        section.card.acts {
            h2 { "Made of the wrong data?" }
            p { "Set the result aside: it can be looked at still, but never released, and the code may run once more. Whoever asked is told nothing." }
            (visit.form(&format!("{}/set-aside", address(id)), html! { button.danger { "Set it aside" } }))
        }
    }
}

async fn set_aside(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), JobId(*id));
    form.context
        .store
        .act(move |tx, here| runs::set_aside(tx, &actor, here, id))
        .await?;
    Ok(form.go_and_say(&address(id), &Notice::done("The result is set aside.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_result_of_a_run_is_called_what_it_is() {
        let said = |origin: Origin| not_of_a_run(origin).into_string();
        assert_eq!(said(Origin::Sandbox), "");
        assert!(said(Origin::Deposit).contains("computed it elsewhere"));
        assert!(said(Origin::Fulfilment).contains("the private data of an asset itself"));
    }
}
