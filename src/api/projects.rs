//! Projects.

use std::net::IpAddr;

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::throttles::Trier;
use super::{Answer, Context, Json, Page, Problem, Query, SignedIn, origin, page, schema, view};
use crate::actors::ActError;
use crate::acts::projects::{self, Draft};
use crate::acts::visible;
use crate::domain::id::{ProjectId, UserId};

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(create)
        .service(list)
        .service(show)
        .service(change)
        .service(start)
        .service(remove);
}

/// A new project.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewProject {
    /// Unique on this node.
    name: String,
    /// What it is about.
    #[serde(default)]
    description: String,
    /// E-mail addresses of its members, beside the caller; or ids, of people whom the caller may see.
    #[serde(default)]
    members: Vec<String>,
}

/// Carries out what names members, by addresses as a rule. Whether somebody has an account is told to whoever works with them;
/// whoever tries out addresses is slowed down like a guesser of passwords.
///
/// # Errors
/// Those of what is carried out, or too many have named somebody who has no account.
pub async fn naming<T>(
    context: &Context,
    who: (UserId, IpAddr),
    members: &[String],
    work: impl Future<Output = Result<T, ActError>>,
) -> Result<T, Problem> {
    if members.iter().all(|one| one.parse::<UserId>().is_ok()) {
        return Ok(work.await?);
    }
    let trier = Trier::person(who.0, who.1);
    let counted = context.throttles().admit(trier, context.store.now())?;
    let done = work.await.map_err(Problem::from);
    match &done {
        Err(problem)
            if problem
                .errors()
                .iter()
                .any(|wrong| wrong.field.starts_with("members[")) =>
        {
            counted.stays();
        }
        _ => context.throttles().take_back(counted),
    }
    done
}

/// Makes a project; the caller is its first member.
#[utoipa::path(tag = "projects", security(("token" = [])), request_body = NewProject, responses(
    (status = 201, description = "The project", body = schema::ProjectShown), (status = 409, description = "The name is taken"),
    (status = 429, description = "Too many have named members whom nobody knows")))]
#[post("")]
async fn create(
    request: HttpRequest,
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<NewProject>,
) -> Answer {
    let id = ProjectId(context.new_id());
    let draft = Draft {
        name: body.name,
        description: body.description,
        members: body.members,
    };
    let (who, members) = (
        (actor.user, origin::address(&context, &request)),
        draft.members.clone(),
    );
    let made = context
        .store
        .act(move |tx, here| projects::create(tx, &actor, here, id, &draft));
    let project = naming(&context, who, &members, made).await?;
    Ok(HttpResponse::Created().json(view::object(&project)))
}

/// The projects that the caller may see, newest first.
#[utoipa::path(tag = "projects", security(("token" = [])), params(Page),
    responses((status = 200, description = "items, next", body = schema::PageOf<schema::ProjectShown>)))]
#[get("")]
async fn list(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(page): Query<Page>) -> Answer {
    let (limit, before) = (page.limit()?, page.after()?);
    let listed = context
        .store
        .read_page(move |view| projects::list(view, &actor, before, limit))
        .await?;
    Ok(page::answer(&context, &listed))
}

/// One project.
#[utoipa::path(tag = "projects", security(("token" = [])), responses(
    (status = 200, description = "The project", body = schema::ProjectShown), (status = 404, description = "None that the caller may see")))]
#[get("/{id}")]
async fn show(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = ProjectId(*id);
    let found = context.store.look(|view| visible::project(view, &actor, id))?;
    Ok(page::shown(&view::object(&found.object), 1))
}

/// What shall change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProjectChange {
    /// What it is about.
    description: Option<String>,
    /// E-mail addresses or ids of its members: the whole list. An id names who is a member already, or whom the caller may see.
    /// The creator always stays.
    members: Option<Vec<String>>,
}

/// Changes the description or the members.
#[utoipa::path(tag = "projects", security(("token" = [])), request_body = ProjectChange, responses(
    (status = 200, description = "The project as it is now", body = schema::ProjectShown), (status = 403, description = "Not the caller's"),
    (status = 429, description = "Too many have named members whom nobody knows")))]
#[patch("/{id}")]
async fn change(
    request: HttpRequest,
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<ProjectChange>,
) -> Answer {
    let id = ProjectId(*id);
    let who = (actor.user, origin::address(&context, &request));
    let members = body.members.clone().unwrap_or_default();
    let changed = context.store.act(move |tx, here| {
        let (description, members) = (body.description.as_deref(), body.members.as_deref());
        projects::change(tx, &actor, here, id, description, members)
    });
    let project = naming(&context, who, &members, changed).await?;
    Ok(HttpResponse::Ok().json(view::object(&project)))
}

/// Starts a project: requests can be made in it from now on.
#[utoipa::path(tag = "projects", security(("token" = [])), responses(
    (status = 200, description = "The project as it is now", body = schema::ProjectShown), (status = 403, description = "Not the caller's")))]
#[post("/{id}/start")]
async fn start(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = ProjectId(*id);
    let project = context
        .store
        .act(move |tx, here| projects::start(tx, &actor, here, id))
        .await?;
    Ok(HttpResponse::Ok().json(view::object(&project)))
}

/// Hides a project. Its requests stay.
#[utoipa::path(tag = "projects", security(("token" = [])), responses((status = 204, description = "Done")))]
#[delete("/{id}")]
async fn remove(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = ProjectId(*id);
    context
        .store
        .act(move |tx, here| projects::delete(tx, &actor, here, id))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
