//! One request: what is asked and why, the code with what is pointed out in it, what has become of it, and what whoever
//! looks at it can do.

mod code;
mod deciding;
mod sight;
mod timeline;

use actix_web::web::{Data, Path};
use maud::{Markup, html};
use uuid::Uuid;

use super::piece::facts::facts;
use super::piece::hash;
use super::piece::list::{button, table};
use super::piece::signature;
use super::piece::status;
use super::piece::text::{prose, reveal};
use super::piece::time::time;
use super::reading::Readings;
use super::run::{glimpse, runs_table};
use super::{Answer, Fields, Notice, Problem, Site, Visit};
use crate::acts::requests::{Asked, Review, review};
use crate::clock;
use crate::domain::access::Permission;
use crate::domain::id::{JobId, RequestId};
use crate::domain::job::Data as JobData;
use crate::domain::object::Body;
use crate::domain::release::Part;
use crate::domain::request::Status;
use crate::store::records::Here;

pub(super) use sight::words as sight_words;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/requests/{id}", show);
    deciding::routes(site);
}

/// Reads a request with what belongs to it.
async fn read(visit: &Visit, id: RequestId) -> Result<Review, Problem> {
    let (actor, now) = (visit.actor.clone(), visit.context.store.now());
    visit
        .read(move |view| {
            let here = Here::at(view, now, clock::random_bytes())?;
            review(view, &actor, &here, id)
        })
        .await
}

fn address(id: RequestId) -> String {
    format!("/requests/{id}")
}

async fn show(visit: Visit, id: Path<Uuid>, query: Fields, readings: Data<Readings>) -> Answer {
    let id = RequestId(id.into_inner());
    let found = read(&visit, id).await?;
    let reading = match found.code() {
        Some(code) => Some(readings.read(&visit.context, &code.body).await),
        None => None,
    };
    let newest = found.runs.iter().find(|(_, run)| run.data == JobData::Mock);
    let output = match newest {
        Some((id, run)) => Some(glimpse(&visit, *id, run).await),
        None => None,
    };
    let title = found.view.request.object.body.title();
    let triages = visit.may(Permission::TriageRequests);
    let own = found.view.request.body.requester == visit.actor.user;
    Ok(visit
        .page(title.as_str())
        .trail([("Requests", "/requests")])
        .aside(status::request(&found.view.status))
        .wide()
        .body(html! {
            (left(&found))
            (denied(&found))
            div.columns {
                div {
                    section.card { h2 { "Why" } (prose(&found.view.request.body.reason)) }
                    @match (&found.view.asked, &reading) {
                        (Asked::Code(code, _), Some(reading)) => (code::shown(&found, &code.body, reading, &query, &address(id))),
                        (Asked::Code(..), None) => {},
                        (Asked::Sight(seen), _) => (sight::shown(seen, visit.side)),
                    }
                }
                div.side-column {
                    @if triages { (deciding::offered(&visit, &found)) }
                    @if own || !triages { (own_acts(&visit, &found, !triages)) }
                    section.card { h2 { "What has become of it" } (timeline::shown(&found)) }
                    @if let Some(reading) = &reading { section.card { h2 { "Pointed out in the code" } (reading.shown("line")) } }
                    (about(&found))
                }
            }
            @if let Some(output) = &output { h2 { "The newest run on the mock" } section.card { (output) } }
            (runs(&found, triages))
            (releases(&found))
        }))
}

/// Where nobody is left to read what would be released.
fn left(found: &Review) -> Markup {
    html! {
        @if found.view.requester_left {
            div.notice.warning { p { "The account of whoever asked was deleted: nobody can have what you release for it." } }
        }
    }
}

fn denied(found: &Review) -> Markup {
    html! {
        @if let Status::Denied { reason } = &found.view.status {
            div.notice.warning { p { strong { "Denied: " } (reveal(reason)) } }
        }
    }
}

fn about(found: &Review) -> Markup {
    let request = &found.view.request;
    let requester = html! {
        @match &found.requester {
            Some(user) => { (reveal(&user.name)) br; span.soft { (user.email) @if !user.institution.is_empty() { br; (reveal(&user.institution)) } } },
            None => { "not known on this node" },
        }
        @if let Some(peer) = &found.by_way_of { br; span.soft { "by way of " (reveal(peer)) } }
    };
    let project = html! { @if let Some(project) = &found.project { (reveal(&project.body.name)) } };
    let predecessor = html! {
        @if let Some(earlier) = request.body.predecessor { a href=(address(earlier)) { "an earlier request" } }
    };
    html! {
        section.card {
            h2 { "About" }
            (facts([
                ("From", requester),
                ("Project", project),
                ("Takes up again", predecessor),
                ("Submitted", time(request.object.created_at)),
                ("Revision", html! { (request.object.revision.number) }),
                ("Request signed", signature::standing(&found.view.signed)),
                ("Code signed", html! { @if let Some(signed) = found.view.code_signed() { (signature::standing(signed)) } }),
                ("Runs asked for", html! { @if let Some(wanted) = request.body.runs_wanted() { (wanted) } }),
                ("Hash of code and policies", html! { @if let Some(code) = found.code() { (hash::whole(&code.body.hash)) } }),
                ("Identifier", html! { code { (request.object.id) } }),
            ]))
        }
    }
}

/// What the requester can do with their own request. To run it on the mock is offered once.
fn own_acts(visit: &Visit, found: &Review, with_mock: bool) -> Markup {
    let at = address(RequestId(found.view.request.object.id));
    let possible = &found.possible;
    html! {
        section.card {
            h2 { @if with_mock { "What you can do" } @else { "Your own request" } }
            @if let Some(runs) = &possible.runs {
                @if matches!(found.view.status, Status::Approved) {
                    (visit.form(&format!("{at}/another-run"), html! { div.actions { (button("Ask for one more run", "", &runs.another)) } }))
                }
                @if with_mock {
                    (visit.form(&format!("{at}/runs"), html! {
                        input type="hidden" name="data" value="mock";
                        div.actions { (button("Run on the mock", "", &runs.on_mock)) }
                    }))
                }
            }
            form method="get" action=(format!("{at}/withdrawal")) {
                div.actions { (button("Take the request back", "", &possible.withdraw)) }
            }
        }
    }
}

fn runs(found: &Review, triages: bool) -> Markup {
    html! {
        @if !found.runs.is_empty() {
            h2 { "Runs on this node" }
            (runs_table(&found.runs))
        } @else if triages && found.view.jobs.is_empty() && found.code().is_some() {
            h2 { "Runs on this node" }
            p.soft { "It has not run yet. Run it on the mock first: that costs nothing and shows whether it works." }
        }
        @if !found.view.jobs.is_empty() && found.runs.is_empty() {
            h2 { "Runs on the private data" }
            ul.plain { @for job in &found.view.jobs { li { (job.body.title()) } } }
        }
    }
}

/// The beginning of a run's id, which tells the runs of one request apart.
pub(super) fn short(id: JobId) -> String {
    id.to_string().chars().take(8).collect()
}

/// Which data, in a word that nobody overlooks.
pub(super) fn data_words(data: JobData) -> Markup {
    use super::piece::icon::Icon;
    use super::piece::status::{Tone, badge};
    match data {
        JobData::Mock => badge(Tone::Plain, Icon::Note, "mock"),
        JobData::Private => badge(Tone::Warning, Icon::Lock, "private"),
    }
}

fn releases(found: &Review) -> Markup {
    let released = found.view.releases.iter().filter(|object| !object.deleted);
    let rows: Vec<_> = released
        .filter_map(|object| match &object.body {
            Body::Release(release) => Some((object, release)),
            _ => None,
        })
        .collect();
    html! {
        @if !rows.is_empty() {
            h2 { "Released" }
            (table("Released", &["What", "By", "On", "Size", ""], rows.into_iter().map(|(object, release)| vec![
                html! { (part_words(release.part)) },
                html! { (reveal(&release.by_name)) },
                super::piece::time::date(release.on),
                html! { (super::piece::number::bytes(release.length)) },
                html! { a href=(format!("/releases/{}", object.id)) { "Look and download" } },
            ])))
        }
    }
}

/// A part of a run, in words.
pub(super) fn part_words(part: Part) -> &'static str {
    match part {
        Part::Result => "Result",
        Part::Log => "Log",
        Part::FailureReport => "Failure report",
    }
}

/// What is said after something was done with a request.
fn done(visit: &Visit, id: RequestId, said: &str) -> actix_web::HttpResponse {
    visit.go_and_say(&address(id), &Notice::done(said))
}
