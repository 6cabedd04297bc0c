//! Groups and who is in them.

use actix_web::{HttpResponse, delete, get, patch, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::users::{self, Users};
use super::{Answer, Context, Json, Page, Problem, Query, SignedIn, page};
use crate::acts::groups;
use crate::domain::access::Permission;
use crate::domain::group::Group;
use crate::domain::id::{GroupId, UserId};

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(create)
        .service(list)
        .service(show)
        .service(change)
        .service(remove)
        .service(members)
        .service(add)
        .service(take_out);
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
struct GroupView {
    /// Its id.
    id: Uuid,
    /// Its name; datasets name it so.
    name: String,
    /// Whom it is for; may be empty.
    description: String,
}

impl GroupView {
    fn of(id: GroupId, group: Group) -> Self {
        Self {
            id: id.0,
            name: group.name,
            description: group.description,
        }
    }
}

/// A page of groups.
#[derive(Debug, Serialize, ToSchema)]
struct Groups {
    /// The groups.
    items: Vec<GroupView>,
    /// Where the next page begins; none on the last one.
    next: Option<String>,
}

/// A new group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewGroup {
    /// Unique on this node.
    name: String,
    /// Whom it is for.
    #[serde(default)]
    description: String,
}

/// Makes a group.
#[utoipa::path(tag = "accounts", security(("token" = [])), request_body = NewGroup, responses(
    (status = 201, description = "The group", body = GroupView), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in"), (status = 403, description = "Not allowed"),
    (status = 409, description = "The name is taken")))]
#[post("")]
async fn create(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<NewGroup>,
) -> Answer {
    let id = GroupId(context.new_id());
    let group = context
        .store
        .act(move |tx, here| groups::create(tx, &actor, here, id, (&body.name, &body.description)))
        .await?;
    Ok(HttpResponse::Created().json(GroupView::of(id, group)))
}

/// The groups: all for those who make them, their own for others.
#[utoipa::path(tag = "accounts", security(("token" = [])), params(Page), responses(
    (status = 200, description = "A page of groups", body = Groups), (status = 400, description = "A parameter is wrong"),
    (status = 401, description = "Not signed in")))]
#[get("")]
async fn list(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(page): Query<Page>) -> Answer {
    let (limit, after) = (page.limit()?, page.after()?);
    let found = context
        .store
        .read_page(move |view| groups::list(view, &actor, after, limit))
        .await?;
    let last = found.last().filter(|_| found.len() == limit);
    let next = last.and_then(|(id, _)| page::cursor(&id.0));
    let items = found.into_iter().map(|(id, group)| GroupView::of(id, group));
    Ok(HttpResponse::Ok().json(Groups {
        items: items.collect(),
        next,
    }))
}

/// One group.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 200, description = "The group", body = GroupView), (status = 401, description = "Not signed in"),
    (status = 404, description = "None that the caller may see")))]
#[get("/{id}")]
async fn show(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = GroupId(*id);
    let group = context
        .store
        .read(move |view| {
            let own = groups::of(view, actor.user)?.iter().any(|(own, _)| *own == id);
            if own || actor.may(Permission::CreateGroups) {
                groups::find(view, id).map(Some)
            } else {
                Ok(None)
            }
        })
        .await?;
    let group = group.ok_or_else(|| Problem::not_found(format!("there is no group {id}")))?;
    Ok(HttpResponse::Ok().json(GroupView::of(id, group)))
}

/// What shall change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GroupChange {
    /// Its name. Datasets name groups, so a new name opens and closes them.
    name: Option<String>,
    /// Whom it is for.
    description: Option<String>,
}

/// Changes a group.
#[utoipa::path(tag = "accounts", security(("token" = [])), request_body = GroupChange, responses(
    (status = 200, description = "The group as it is now", body = GroupView),
    (status = 400, description = "A field is wrong"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "None"),
    (status = 409, description = "The name is taken")))]
#[patch("/{id}")]
async fn change(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<GroupChange>,
) -> Answer {
    let id = GroupId(*id);
    let group = context
        .store
        .act(move |tx, here| {
            groups::change(
                tx,
                &actor,
                here,
                id,
                body.name.as_deref(),
                body.description.as_deref(),
            )
        })
        .await?;
    Ok(HttpResponse::Ok().json(GroupView::of(id, group)))
}

/// Deletes a group. Datasets that name it are visible to one group less.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 204, description = "Done"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "None")))]
#[delete("/{id}")]
async fn remove(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = GroupId(*id);
    context
        .store
        .act(move |tx, here| groups::delete(tx, &actor, here, id))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Who is in a group.
#[utoipa::path(tag = "accounts", security(("token" = [])), params(Page), responses(
    (status = 200, description = "A page of people", body = Users), (status = 400, description = "A parameter is wrong"),
    (status = 401, description = "Not signed in"), (status = 403, description = "Not allowed"),
    (status = 404, description = "None")))]
#[get("/{id}/members")]
async fn members(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Query(page): Query<Page>,
) -> Answer {
    let (id, limit, after) = (GroupId(*id), page.limit()?, page.after()?);
    let people = context
        .store
        .read(move |view| groups::members(view, &actor, id, after, limit))
        .await?;
    Ok(HttpResponse::Ok().json(users::by_id(&people, limit)))
}

/// Puts somebody into a group.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 204, description = "They are in it"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "No such group or account"),
    (status = 409, description = "They are in too many groups")))]
#[put("/{id}/members/{user}")]
async fn add(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    path: web::Path<(Uuid, Uuid)>,
) -> Answer {
    let (id, user) = (GroupId(path.0), UserId(path.1));
    context
        .store
        .act(move |tx, here| groups::add(tx, &actor, here, id, user))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes somebody out of a group.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 204, description = "Done"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "No such group, or they are not in it")))]
#[delete("/{id}/members/{user}")]
async fn take_out(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    path: web::Path<(Uuid, Uuid)>,
) -> Answer {
    let (id, user) = (GroupId(path.0), UserId(path.1));
    context
        .store
        .act(move |tx, here| groups::remove(tx, &actor, here, id, user))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
