//! Code that somebody has submitted: its source and policies, its runs on the mock with what they gave, and the request that
//! it be run on the private data.

use actix_web::web::{Data, Path};
use maud::{Markup, html};
use uuid::Uuid;

use super::body::{self, Around};
use super::piece::list::{button, empty, pager, table};
use super::piece::signature;
use super::piece::text::reveal;
use super::piece::time::time;
use super::reading::Readings;
use super::run::{glimpse, runs_table};
use super::{Answer, Field, Fields, Filled, Form, Problem, Site, Visit};
use crate::actors::ActError;
use crate::actors::runner::Enqueue;
use crate::actors::triage::{Ask, Petition};
use crate::acts::requests::{self, Draft};
use crate::acts::runs::{self, Wanted};
use crate::acts::visible::{self, Found};
use crate::acts::{Refusal, projects, signatures};
use crate::api::page;
use crate::clock;
use crate::domain::access::Viewer;
use crate::domain::code::Code;
use crate::domain::id::{CodeId, JobId, ProjectId, RequestId};
use crate::domain::job::Run;
use crate::domain::key_pins::Standing;
use crate::domain::object::{Body, Kind};
use crate::domain::text::Invalid;
use crate::store::records::{self, Here};

/// Code on a page of the list.
const PAGE: usize = 50;
/// Runs that are shown.
const RUNS_SHOWN: usize = 20;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/codes", list);
    site.get("/codes/{id}", show);
    site.post("/codes/{id}/runs", run);
    site.post("/codes/{id}/requests", ask);
}

async fn list(visit: Visit, query: Fields) -> Answer {
    visit.demand("GET", "/codes")?;
    let before = page::Page::new(None, query.given("cursor").map(str::to_owned)).after()?;
    let actor = visit.actor.clone();
    let listed = visit
        .read(move |view| requests::list_code(view, &actor, before, PAGE))
        .await?;
    let next = listed.next.as_ref().and_then(page::cursor);
    Ok(visit
        .page("Code")
        .trail([("Projects", "/projects")])
        .body(html! {
            @if listed.objects.is_empty() { (empty("No code was submitted.", html! { "Scientists submit it from a project: " a href="/projects" { "see the projects" } "." })) }
            @else {
                (table("Code", &["Name", "Submitted"], listed.objects.iter().map(|object| vec![
                    html! { a href=(format!("/codes/{}", object.id)) { (reveal(&object.body.title())) } },
                    time(object.created_at),
                ])))
            }
            (pager("/codes", &query, next.as_deref()))
        }))
}

struct Shown {
    code: Found<Code>,
    signed: Standing,
    refers: Vec<(Uuid, Kind, String)>,
    runs: Vec<(JobId, Run)>,
    may_run: Result<(), String>,
    requests: Vec<(Uuid, String)>,
    projects: Vec<(Uuid, String)>,
}

async fn read(visit: &Visit, id: CodeId) -> Result<Shown, Problem> {
    let (actor, now) = (visit.actor.clone(), visit.context.store.now());
    visit
        .read(move |view| {
            let here = Here::at(view, now, clock::random_bytes())?;
            let code = visible::code(view, &actor, id)?;
            let viewer = Viewer::Person(actor.clone());
            let mut refers = Vec::new();
            for asset in code.body.input_policy.assets() {
                let object = records::object(view, asset.0)?;
                if let Some(object) = object
                    && visible::may_see(view, &viewer, &object)?
                {
                    refers.push((asset.0, Kind::Asset, object.body.title()));
                }
            }
            let may_run = match runs::may_queue(view, &actor, &here, Wanted::Code(id)) {
                Ok(_) => Ok(()),
                Err(Refusal::Record(error)) => return Err(Refusal::Record(error)),
                Err(refusal) => Err(refusal.to_string()),
            };
            let mut requests = Vec::new();
            for object in records::children(view, id.0, Kind::Request)? {
                if visible::may_see(view, &viewer, &object)? {
                    requests.push((object.id, object.body.title()));
                }
            }
            Ok(Shown {
                signed: signatures::on_code(view, &code.object, &code.body)?,
                runs: runs::of_code(view, &actor, id, RUNS_SHOWN)?.runs,
                requests,
                projects: projects::open_to(view, &actor)?,
                refers,
                may_run,
                code,
            })
        })
        .await
}

async fn show(visit: Visit, id: Path<Uuid>, query: Fields, readings: Data<Readings>) -> Answer {
    let carried = ["project", "predecessor"].map(|name| (name, query.get(name)));
    page(&visit, CodeId(*id), &Filled::with(carried), &readings).await
}

async fn page(visit: &Visit, id: CodeId, filled: &Filled, readings: &Readings) -> Answer {
    let found = read(visit, id).await?;
    let reading = readings.read(&visit.context, &found.code.body).await;
    let around = Around {
        refers: &found.refers,
        anchor: "line".to_owned(),
        reading: Some(reading),
        ..Around::default()
    };
    let newest = found.runs.first().filter(|(_, run)| run.request.is_none());
    let waits = newest.and_then(|(_, run)| (!run.state.is_over()).then(|| run.state.word()));
    let output = match newest {
        Some((id, run)) => Some(glimpse(visit, *id, run).await),
        None => None,
    };
    let own = found.code.body.author == visit.actor.user;
    Ok(visit
        .page(format!("Code: {}", found.code.body.name))
        .trail([("Projects", "/projects"), ("Code", "/codes")])
        .aside(signature::standing(&found.signed))
        .status(filled.status())
        .wide()
        .body(html! {
            (filled.summary())
            div.columns data-waits=[waits] {
                section.card { h2 { "What was submitted" } (body::shown(&Body::Code(found.code.body.clone()), &around)) }
                div.side-column {
                    section.card.acts {
                        h2 { "Try it" }
                        p.hint { "On the mock it costs nothing, and touches no private data." }
                        (visit.form(&format!("/codes/{id}/runs"), html! { div.actions { (button("Run on the mock", "primary", &found.may_run)) } }))
                    }
                    @if own { (asking(visit, id, &found, filled)) }
                    @if !found.requests.is_empty() {
                        section.card { h2 { "Requests for it" } ul { @for (id, title) in &found.requests { li { a href=(format!("/requests/{id}")) { (reveal(title)) } } } } }
                    }
                }
            }
            @if let Some(output) = &output { h2 { "The newest run on the mock" } (output) }
            @if !found.runs.is_empty() { h2 { "Runs" } (runs_table(&found.runs)) }
        }))
}

fn asking(visit: &Visit, id: CodeId, found: &Shown, filled: &Filled) -> Markup {
    let projects = found
        .projects
        .iter()
        .map(|(id, name)| (id.to_string(), name.as_str()));
    html! {
        section.card {
            h2 { "Ask for it to be run" }
            @if found.projects.is_empty() {
                p { "Requests are made inside a started project of which you are a member. " a href="/projects" { "Begin or start one" } "." }
            } @else {
                (visit.form(&format!("/codes/{id}/requests"), html! {
                    @if let Some(predecessor) = filled.fields().given("predecessor") { input type="hidden" name="predecessor" value=(predecessor); }
                    (filled.choice(&Field::new("project", "Project"), projects))
                    (filled.area(&Field::new("reason", "Reason").hint("What you want to learn, and why this code is right for it. The data owner reads it."), 6))
                    div.actions { button.primary { "Submit the request" } }
                }))
            }
        }
    }
}

async fn run(form: Form, id: Path<Uuid>) -> Answer {
    let id = CodeId(*id);
    let asked = Enqueue {
        actor: form.actor.clone(),
        id: JobId(form.context.new_id()),
        wanted: Wanted::Code(id),
    };
    form.context.runner.send(asked).await.map_err(ActError::from)??;
    Ok(form.go(&format!("/codes/{id}")))
}

async fn ask(form: Form, id: Path<Uuid>, readings: Data<Readings>) -> Answer {
    let code = CodeId(*id);
    match made(&form, code).await {
        Ok(id) => Ok(form.go(&format!("/requests/{id}"))),
        Err(problem) => page(&form, code, &Filled::refused(&form.fields, problem)?, &readings).await,
    }
}

async fn made(form: &Form, code: CodeId) -> Result<RequestId, Problem> {
    let id = RequestId(form.context.new_id());
    let predecessor = match form.fields.given("predecessor") {
        Some(_) => Some(RequestId(
            form.fields.parsed("predecessor", "the id of a request")?,
        )),
        None => None,
    };
    let project: Uuid = form
        .fields
        .parsed("project", "one of your projects")
        .map_err(|_| Problem::from(Invalid::new("project", "must be one of your projects")))?;
    let draft = Draft {
        project: ProjectId(project),
        code,
        reason: form.fields.get("reason").to_owned(),
        predecessor,
        signature: None,
    };
    let asked = Ask {
        actor: form.actor.clone(),
        request: id,
        petition: Petition::Make(draft),
    };
    form.context.triage.send(asked).await.map_err(ActError::from)??;
    Ok(id)
}
