//! Projects: the frame in which scientists ask. Begun, described, opened to others, and started.

use std::sync::Arc;

use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::piece::facts::facts;
use super::piece::icon::Icon;
use super::piece::list::{empty, pager, table};
use super::piece::status::{Tone, badge};
use super::piece::text::{prose, reveal};
use super::piece::time::time;
use super::was::{State, Was, was};
use super::{Answer, Field, Fields, Filled, Form, Notice, Site, Visit};
use crate::acts::projects::{self, Draft, Member};
use crate::acts::{Refusal, visible};
use crate::api::page;
use crate::api::projects::naming;
use crate::domain::access::Permission;
use crate::domain::id::ProjectId;
use crate::domain::object::{Body, Object};
use crate::domain::project::Project;
use crate::store::read::View;
use crate::store::records;

/// Projects on a page.
const PAGE: usize = 50;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/projects", list);
    site.get("/projects/new", show_new);
    site.post("/projects/new", create);
    site.get("/projects/{id}", show);
    site.post("/projects/{id}", change);
    site.post("/projects/{id}/start", start);
}

/// Whether a project can be begun here by whoever looks, or why not.
fn may_begin(visit: &Visit) -> Result<(), String> {
    if !visit.side.takes_scientists() {
        return Err("projects begin on the low side, where the scientists are".to_owned());
    }
    let may = visit.actor.require(Permission::SubmitRequests);
    may.map_err(|denied| denied.to_string())
}

async fn list(visit: Visit, query: Fields) -> Answer {
    visit.demand("GET", "/projects")?;
    let before = page::Page::new(None, query.given("cursor").map(str::to_owned)).after()?;
    let actor = visit.actor.clone();
    let (rows, next) = visit
        .read(move |view| {
            let listed = projects::list(view, &actor, before, PAGE)?;
            let rows = listed.objects.into_iter().map(|object| {
                let creator = match &object.body {
                    Body::Project(project) => name(view, project.creator.0)?,
                    _ => String::new(),
                };
                Ok::<_, Refusal>((object, creator))
            });
            Ok((rows.collect::<Result<Vec<_>, _>>()?, listed.next))
        })
        .await?;
    let next = next.as_ref().and_then(page::cursor);
    let begin = may_begin(&visit);
    Ok(visit
        .page("Projects")
        .aside(html! { @if begin.is_ok() { a.button.primary href="/projects/new" { "Begin a project" } } })
        .body(html! {
            @if rows.is_empty() {
                (empty("There are no projects.", match &begin {
                    Ok(()) => html! { "Begin one: requests are made inside a project." },
                    Err(_) if visit.side.takes_scientists() => html! { "They appear here once scientists begin them." },
                    Err(_) => html! { "They appear here once a bundle with some is applied." },
                }))
            } @else { (table("Projects", &["Project", "State", "Begun by", "Members", "Since"], rows.iter().filter_map(row))) }
            (pager("/projects", &query, next.as_deref()))
        }))
}

fn name(view: &View, user: Uuid) -> Result<String, Refusal> {
    Ok(match records::object(view, user)?.map(|object| object.body) {
        Some(Body::User(user)) => user.name,
        _ => String::new(),
    })
}

fn row((object, creator): &(Arc<Object>, String)) -> Option<Vec<Markup>> {
    let Body::Project(project) = &object.body else {
        return None;
    };
    Some(vec![
        html! { a href=(format!("/projects/{}", object.id)) { (reveal(&project.name)) } },
        state(project),
        reveal(creator),
        html! { (project.members.len()) },
        time(object.created_at),
    ])
}

fn state(project: &Project) -> Markup {
    if project.started {
        badge(Tone::Good, Icon::Done, "started")
    } else {
        badge(Tone::Waiting, Icon::Waiting, "not started")
    }
}

async fn show_new(visit: Visit) -> Answer {
    visit.demand("POST", "/projects")?;
    Ok(new(&visit, &Filled::default()))
}

fn new(visit: &Visit, filled: &Filled) -> actix_web::HttpResponse {
    visit
        .page("Begin a project")
        .trail([("Projects", "/projects")])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            div.card.narrow { (visit.form("/projects/new", html! {
                (filled.input(&Field::new("name", "Name")))
                (filled.area(&Field::new("description", "What is studied, and why").hint("The data owner reads it.").optional(), 6))
                (filled.area(&Field::new("members", "Members besides you").hint("E-mail addresses of accounts on this node, one a line.").optional(), 3))
                div.actions { button.primary { "Begin" } a.button href="/projects" { "Cancel" } }
            })) }
        })
}

/// The addresses in a field, one a line.
fn addresses(fields: &Fields) -> Vec<String> {
    let lines = fields.get("members").lines().map(str::trim);
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

async fn create(form: Form) -> Answer {
    let (actor, id) = (form.actor.clone(), ProjectId(form.context.new_id()));
    let draft = Draft {
        name: form.fields.get("name").to_owned(),
        description: form.fields.get("description").to_owned(),
        members: addresses(&form.fields),
    };
    let (who, members) = ((actor.user, form.from), draft.members.clone());
    let made = form
        .context
        .store
        .act(move |tx, here| projects::create(tx, &actor, here, id, &draft));
    match naming(&form.context, who, &members, made).await {
        Ok(_) => Ok(form.go_and_say(
            &format!("/projects/{id}"),
            &Notice::done("The project is begun. Start it when its description is as you want it."),
        )),
        Err(problem) => Ok(new(&form, &Filled::refused(&form.fields, problem)?)),
    }
}

async fn show(visit: Visit, id: Path<Uuid>) -> Answer {
    page(&visit, ProjectId(*id), None).await
}

async fn page(visit: &Visit, id: ProjectId, refused: Option<Filled>) -> Answer {
    let actor = visit.actor.clone();
    let (found, members) = visit
        .read(move |view| {
            let found = visible::project(view, &actor, id)?;
            let members = projects::members_of(view, &actor, &found.body)?;
            Ok((found, members))
        })
        .await?;
    let project = &found.body;
    let own = project.creator == visit.actor.user && visit.side.takes_scientists();
    let status = refused.as_ref().map(Filled::status).unwrap_or_default();
    Ok(visit
        .page(project.name.as_str())
        .trail([("Projects", "/projects")])
        .aside(state(project))
        .status(status)
        .body(html! {
            @if let Some(refused) = &refused { (refused.summary()) }
            @if !project.description.is_empty() { div.card { (prose(&project.description)) } }
            (steps(visit, id, project, own))
            section.card { h2 { "Members" } ul {
                @for member in &members { li { (reveal(&member.name)) @if let Some(email) = &member.email { " " span.soft { (email) } } } }
            } }
            section.card { (facts([("Begun", time(found.object.created_at)), ("Identifier", html! { code { (found.object.id) } })])) }
            @if own { (edit(visit, id, project, &members, refused)) }
        }))
}

/// What comes next in a project.
fn steps(visit: &Visit, id: ProjectId, project: &Project, own: bool) -> Markup {
    html! {
        div.actions {
            @if !project.started && own {
                (visit.form(&format!("/projects/{id}/start"), html! { button.primary { "Start the project" } }))
            }
            @if project.started && visit.side.takes_scientists() && visit.may(Permission::SubmitRequests) && project.members.contains(&visit.actor.user) {
                a.button.primary href=(format!("/codes/new?project={id}")) { "Submit code" }
            }
            a.button href=(format!("/requests?project={id}")) { "Requests of this project" }
        }
        @if !project.started { p.soft { "Requests can be made once it is started." } }
    }
}

/// A project by the names that its form gives its parts.
fn as_named(project: &Project, members: &[Member]) -> State {
    let members: Vec<_> = members
        .iter()
        .map(|member| format!("{} ({})", member.name, member.id))
        .collect();
    vec![
        ("What is studied, and why", project.description.clone()),
        ("Members", members.join(", ")),
    ]
}

fn edit(
    visit: &Visit,
    id: ProjectId,
    project: &Project,
    members: &[Member],
    refused: Option<Filled>,
) -> Markup {
    let others: Vec<_> = members
        .iter()
        .filter(|member| member.id != project.creator)
        .collect();
    let open = refused.is_some();
    let filled = refused.unwrap_or_else(|| {
        let stay = others.iter().map(|member| ("member", member.id.to_string()));
        let described = ("description", project.description.clone());
        Filled::with([described].into_iter().chain(stay))
    });
    let added = Field::new("members", "More members")
        .hint("E-mail addresses of accounts on this node, one a line.")
        .optional();
    html! {
        details open[open] {
            summary { "Change the project" }
            div.card.narrow { (visit.form(&format!("/projects/{id}"), html! {
                (was(&filled, &as_named(project, members)))
                (filled.area(&Field::new("description", "What is studied, and why").optional(), 6))
                @if !others.is_empty() {
                    fieldset {
                        legend { "Who stays a member besides you" }
                        @for member in &others { (filled.check_value("member", &member.id.to_string(), &member.name, member.email.as_deref().unwrap_or_default())) }
                    }
                }
                (filled.area(&added, 3))
                div.actions { button { "Save" } }
            })) }
        }
    }
}

async fn change(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), ProjectId(*id));
    let (description, was) = (form.fields.get("description").to_owned(), Was::of(&form.fields));
    let mut members = addresses(&form.fields);
    members.extend(form.fields.all("member").map(str::to_owned));
    let (who, named) = ((actor.user, form.from), members.clone());
    let changed = form.context.store.act(move |tx, here| {
        let now = visible::project(tx, &actor, id)?.body;
        was.still_is(&as_named(&now, &projects::members_of(tx, &actor, &now)?))?;
        projects::change(tx, &actor, here, id, Some(&description), Some(&members))
    });
    match naming(&form.context, who, &named, changed).await {
        Ok(_) => Ok(form.go_and_say(
            &format!("/projects/{id}"),
            &Notice::done("The project is changed."),
        )),
        Err(problem) => page(&form, id, Some(Filled::refused(&form.fields, problem)?)).await,
    }
}

async fn start(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), ProjectId(*id));
    form.context
        .store
        .act(move |tx, here| projects::start(tx, &actor, here, id))
        .await?;
    Ok(form.go_and_say(
        &format!("/projects/{id}"),
        &Notice::done("The project is started. Submit code, then ask for it to be run."),
    ))
}
