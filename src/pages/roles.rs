//! Roles: what whoever has one may do.

use std::collections::BTreeSet;

use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::piece::list::{button, table};
use super::piece::number::count;
use super::piece::text::reveal;
use super::was::{State, Was, was};
use super::{Answer, Field, Fields, Filled, Form, Notice, Problem, Site, Visit};
use crate::acts::roles;
use crate::domain::access::{Permission, Permissions};
use crate::domain::id::RoleId;
use crate::domain::role::{self, Preset, Role};

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/roles", list);
    site.get("/roles/new", show_new);
    site.post("/roles/new", create);
    site.get("/roles/{id}", show);
    site.post("/roles/{id}", change);
    site.post("/roles/{id}/deletion", delete);
}

/// The permissions that count for something on this node.
fn useful(visit: &Visit, permission: Permission) -> bool {
    visit.exchanges_bundles() || !permission.is_between_nodes()
}

/// What a permission lets somebody do on this node.
fn meaning(visit: &Visit, permission: Permission) -> &'static str {
    match permission {
        Permission::SubmitRequests => "Submit code and requests, as a scientist does",
        Permission::TriageRequests => "See every request, decide on it, and run code",
        Permission::EditSettings => "Change the settings of the node",
        Permission::CreateUsers => "Make accounts, see people, and change what they may do",
        Permission::CreateGroups => "Make groups, and say who is in them",
        Permission::EditRoles => "Make, change and delete roles",
        Permission::ManageInfrastructure if visit.exchanges_bundles() => {
            "Pair with other nodes, rotate keys, revoke, and have the store copied"
        }
        Permission::ManageInfrastructure => "Have the store copied for a backup",
        Permission::UploadData if visit.exchanges_bundles() => {
            "Make datasets, upload mocks and private data, publish"
        }
        Permission::UploadData => "Make datasets, upload mocks and private data",
        Permission::Release => {
            "Let a result, log or failure report leave; to see it first, one must also see every request"
        }
        Permission::Sync => "Export, import, review and apply bundles",
        Permission::ReadAudit => "Read the audit chain",
    }
}

async fn list(visit: Visit) -> Answer {
    visit.demand("GET", "/roles")?;
    let counts = counts(&visit);
    let found = visit
        .read(move |view| {
            let roles = roles::list(view)?;
            let counted = roles.into_iter().map(|(id, role)| {
                let people = if counts {
                    Some(roles::in_use(view, id)?)
                } else {
                    None
                };
                Ok((id, role, people))
            });
            counted.collect::<Result<Vec<_>, crate::acts::Refusal>>()
        })
        .await?;
    let may = visit.may(Permission::EditRoles);
    let heads: &[&str] = if counts {
        &["Role", "May", "People"]
    } else {
        &["Role", "May"]
    };
    Ok(visit
        .page("Roles")
        .aside(html! { @if may { a.button.primary href="/roles/new" { "Make a role" } } })
        .body(html! {
            p.lead { "A role says what whoever has it may do on this node. It counts from their next click." }
            (table("Roles", heads, found.iter().map(|(id, role, people)| row(&visit, *id, role, *people))))
        }))
}

/// Whether whoever looks may know how many people have a role: those who give roles, or change them.
fn counts(visit: &Visit) -> bool {
    visit.may(Permission::CreateUsers) || visit.may(Permission::EditRoles)
}

fn row(visit: &Visit, id: RoleId, role: &Role, people: Option<u64>) -> Vec<Markup> {
    let useful = role.permissions.iter().filter(|one| useful(visit, **one));
    let mut row = vec![
        html! { a href=(format!("/roles/{id}")) { (reveal(&role.name)) } },
        html! { ul.plain { @for permission in useful { li { (meaning(visit, *permission)) } } } },
    ];
    row.extend(people.map(|people| {
        html! { @if visit.may(Permission::CreateUsers) { a href=(format!("/users?role={id}")) { (people) } } @else { (people) } }
    }));
    row
}

async fn show_new(visit: Visit) -> Answer {
    visit.demand("POST", "/roles")?;
    Ok(new(&visit, &Filled::default()))
}

fn new(visit: &Visit, filled: &Filled) -> actix_web::HttpResponse {
    visit
        .page("Make a role")
        .trail([("Roles", "/roles")])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            div.card.narrow { (visit.form("/roles/new", html! {
                (fields(visit, filled))
                div.actions { button.primary { "Make the role" } a.button href="/roles" { "Cancel" } }
            })) }
        })
}

fn fields(visit: &Visit, filled: &Filled) -> Markup {
    html! {
        (filled.input(&Field::new("name", "Name")))
        fieldset {
            legend { "Whoever has it may" }
            @for permission in Permission::ALL {
                @if visit.may(permission) && useful(visit, permission) { (filled.check_value("permission", permission.word(), meaning(visit, permission), "")) }
                @else if filled.fields().has_value("permission", permission.word()) { input type="hidden" name="permission" value=(permission.word()); }
            }
            p.hint { "Nobody gives a role more than they have themselves." }
        }
    }
}

fn chosen(fields: &Fields) -> Permissions {
    fields
        .all("permission")
        .filter_map(Permission::named)
        .collect::<BTreeSet<_>>()
}

async fn create(form: Form) -> Answer {
    let (actor, id) = (form.actor.clone(), RoleId(form.context.new_id()));
    let (name, permissions) = (form.fields.get("name").to_owned(), chosen(&form.fields));
    let made = form
        .context
        .store
        .act(move |tx, here| roles::create(tx, &actor, here, id, (&name, permissions)))
        .await;
    match made.map_err(Problem::from) {
        Ok(_) => Ok(form.go_and_say("/roles", &Notice::done("The role is made."))),
        Err(problem) => Ok(new(&form, &Filled::refused(&form.fields, problem)?)),
    }
}

async fn show(visit: Visit, id: Path<Uuid>) -> Answer {
    page(&visit, RoleId(*id), None).await
}

async fn page(visit: &Visit, id: RoleId, refused: Option<Filled>) -> Answer {
    visit.demand("GET", "/roles")?;
    let (role, people) = visit
        .read(move |view| Ok((roles::find(view, id)?, roles::in_use(view, id)?)))
        .await?;
    let editable = role::may_edit(&visit.actor, id, Some(&role), None).map_err(|error| error.to_string());
    let filled = refused.unwrap_or_else(|| {
        let words = role
            .permissions
            .iter()
            .map(|permission| ("permission", permission.word()));
        Filled::with([("name", role.name.as_str())].into_iter().chain(words))
    });
    let title = format!("Role {}", role.name);
    let people = usize::try_from(people).unwrap_or(usize::MAX);
    let held = if people == 1 {
        "1 person has it.".to_owned()
    } else {
        format!("{people} people have it.")
    };
    Ok(visit
        .page(title)
        .trail([("Roles", "/roles")])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            @if counts(visit) { p { (held) } }
            div.card.narrow {
                @if editable.is_ok() { (visit.form(&format!("/roles/{id}"), html! {
                    (was(&filled, &state(&role)))
                    (fields(visit, &filled))
                    div.actions { button.primary { "Save" } }
                })) }
                @else {
                    (read_only(visit, &role))
                    div.actions { (button("Change the role", "", &editable)) }
                }
            }
            @if id != Preset::Owner.id() {
                (visit.form(&format!("/roles/{id}/deletion"), html! { div.actions { (button("Delete the role", "danger", &may_delete(id, &role, people, &editable))) } }))
            }
        }))
}

/// A role by the names that its form gives its parts.
fn state(role: &Role) -> State {
    let words: Vec<_> = role.permissions.iter().map(|it| it.word()).collect();
    vec![
        ("Name", role.name.clone()),
        ("Whoever has it may", words.join(", ")),
    ]
}

fn read_only(visit: &Visit, role: &Role) -> Markup {
    let shown: Vec<_> = role
        .permissions
        .iter()
        .filter(|one| useful(visit, **one))
        .collect();
    html! {
        p { "Whoever has it may do " (count(shown.len(), "thing")) ":" }
        ul { @for permission in shown { li { (meaning(visit, *permission)) } } }
    }
}

fn may_delete(id: RoleId, role: &Role, people: usize, editable: &Result<(), String>) -> Result<(), String> {
    editable.clone()?;
    // Whether registration is open is looked at when it is deleted.
    role::may_delete(id, role, people > 0, false).map_err(|error| error.to_string())
}

async fn change(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), RoleId(*id));
    let (name, permissions) = (form.fields.get("name").to_owned(), chosen(&form.fields));
    let was = Was::of(&form.fields);
    let changed = form
        .context
        .store
        .act(move |tx, here| {
            actor.require(Permission::EditRoles)?;
            was.still_is(&state(&roles::find(tx, id)?))?;
            roles::change(tx, &actor, here, id, Some(&name), Some(permissions))
        })
        .await;
    match changed.map_err(Problem::from) {
        Ok(_) => Ok(form.go_and_say(&format!("/roles/{id}"), &Notice::done("The role is changed."))),
        Err(problem) => page(&form, id, Some(Filled::refused(&form.fields, problem)?)).await,
    }
}

async fn delete(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), RoleId(*id));
    let deleted = form
        .context
        .store
        .act(move |tx, here| roles::delete(tx, &actor, here, id))
        .await;
    match deleted.map_err(Problem::from) {
        Ok(()) => Ok(form.go_and_say("/roles", &Notice::done("The role is deleted."))),
        Err(problem) => {
            let said = super::fields::sentence(problem.detail());
            Ok(form.go_and_say(&format!("/roles/{id}"), &Notice::warning(said)))
        }
    }
}
