//! Roles.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Answer, Context, Json, Problem, SignedIn};
use crate::acts::roles;
use crate::domain::access::{Permission, Permissions};
use crate::domain::id::RoleId;
use crate::domain::role::{Preset, Role};
use crate::domain::text::Invalid;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(create)
        .service(list)
        .service(show)
        .service(change)
        .service(remove);
}

/// A role.
#[derive(Debug, Serialize, ToSchema)]
struct RoleView {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
    /// What whoever has it may do: can_triage_requests and so on.
    permissions: Vec<&'static str>,
    /// Whether it can be changed; the owner's cannot.
    editable: bool,
}

impl RoleView {
    fn of(id: RoleId, role: &Role) -> Self {
        Self {
            id: id.0,
            name: role.name.clone(),
            permissions: role.permissions.iter().map(|it| it.word()).collect(),
            editable: id != Preset::Owner.id(),
        }
    }
}

/// All roles of the node.
#[derive(Debug, Serialize, ToSchema)]
struct Roles {
    /// At most 100.
    items: Vec<RoleView>,
    /// Always none: there is one page.
    next: Option<String>,
}

fn permissions(words: &[String]) -> Result<Permissions, Problem> {
    let (mut found, mut wrong) = (BTreeSet::new(), Vec::new());
    for (at, word) in words.iter().enumerate() {
        match Permission::named(word) {
            Some(permission) => {
                found.insert(permission);
            }
            None => {
                let all = Permission::ALL.map(Permission::word).join(", ");
                wrong.push(Invalid::new(
                    format!("permissions[{at}]"),
                    format!("must be one of {all}"),
                ));
            }
        }
    }
    if wrong.is_empty() {
        Ok(found)
    } else {
        Err(Problem::invalid(wrong))
    }
}

/// A new role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRole {
    /// Unique on this node.
    name: String,
    /// What whoever has it may do: can_triage_requests and so on.
    permissions: Vec<String>,
}

/// Makes a role. Nobody gives a permission that they lack.
#[utoipa::path(tag = "accounts", security(("token" = [])), request_body = NewRole, responses(
    (status = 201, description = "The role", body = RoleView), (status = 400, description = "A field is wrong"),
    (status = 401, description = "Not signed in"), (status = 403, description = "Not allowed"),
    (status = 409, description = "The name is taken")))]
#[post("")]
async fn create(context: web::Data<Context>, SignedIn(actor): SignedIn, Json(body): Json<NewRole>) -> Answer {
    let (id, granted) = (RoleId(context.new_id()), permissions(&body.permissions)?);
    let role = context
        .store
        .act(move |tx, here| roles::create(tx, &actor, here, id, (&body.name, granted)))
        .await?;
    Ok(HttpResponse::Created().json(RoleView::of(id, &role)))
}

/// All roles of the node.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 200, description = "The roles", body = Roles), (status = 401, description = "Not signed in")))]
#[get("")]
async fn list(context: web::Data<Context>, _who: SignedIn) -> Answer {
    let found = context.store.read(roles::list).await?;
    Ok(HttpResponse::Ok().json(Roles {
        items: found.iter().map(|(id, role)| RoleView::of(*id, role)).collect(),
        next: None,
    }))
}

/// One role.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 200, description = "The role", body = RoleView), (status = 401, description = "Not signed in"),
    (status = 404, description = "None")))]
#[get("/{id}")]
async fn show(context: web::Data<Context>, _who: SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = RoleId(*id);
    let role = context.store.read(move |view| roles::find(view, id)).await?;
    Ok(HttpResponse::Ok().json(RoleView::of(id, &role)))
}

/// What shall change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RoleChange {
    /// Its name.
    name: Option<String>,
    /// What whoever has it may do: the whole list.
    permissions: Option<Vec<String>>,
}

/// Changes a role. It counts from the next call of whoever has it.
#[utoipa::path(tag = "accounts", security(("token" = [])), request_body = RoleChange, responses(
    (status = 200, description = "The role as it is now", body = RoleView),
    (status = 400, description = "A field is wrong"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "None"),
    (status = 409, description = "The owner's, or the name is taken")))]
#[patch("/{id}")]
async fn change(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<RoleChange>,
) -> Answer {
    let id = RoleId(*id);
    let granted = body.permissions.as_deref().map(permissions).transpose()?;
    let role = context
        .store
        .act(move |tx, here| roles::change(tx, &actor, here, id, body.name.as_deref(), granted))
        .await?;
    Ok(HttpResponse::Ok().json(RoleView::of(id, &role)))
}

/// Deletes a role that nobody has.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 204, description = "Done"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "None"),
    (status = 409, description = "The owner's, or in use")))]
#[delete("/{id}")]
async fn remove(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = RoleId(*id);
    context
        .store
        .act(move |tx, here| roles::delete(tx, &actor, here, id))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
