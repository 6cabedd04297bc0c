//! The people of this node: found, and made.

use maud::{Markup, html};
use uuid::Uuid;

use super::piece::icon::Icon;
use super::piece::list::{empty, pager, table};
use super::piece::status::{Tone, badge};
use super::piece::text::reveal;
use super::piece::time::time;
use super::{Answer, Field, Fields, Filled, Form, Notice, Problem, Site, Visit};
use crate::acts::accounts::{self, Person, Wanted};
use crate::acts::roles;
use crate::api::page;
use crate::api::passwords::Password;
use crate::api::users::{self as rest, NewAccount};
use crate::domain::access::Permission;
use crate::domain::id::GroupId;
use crate::domain::object::Body;
use crate::domain::password;
use crate::domain::role::Preset;
use crate::domain::user::Profile;

/// People on a page.
const PAGE: usize = 50;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/users", list);
    site.get("/users/new", show_form);
    site.post("/users/new", create);
}

async fn list(visit: Visit, query: Fields) -> Answer {
    visit.demand("GET", "/users")?;
    let before = page::Page::new(None, query.given("cursor").map(str::to_owned)).after()?;
    let wanted = Wanted {
        search: query.given("search").map(str::to_owned),
        role: query.given("role").map(str::to_owned),
        group: query.given("group").map(str::to_owned),
        ..Wanted::default()
    };
    let actor = visit.actor.clone();
    let (people, next, roles) = visit
        .read(move |view| {
            let (people, next) = accounts::list(view, &actor, &wanted, before, PAGE)?;
            Ok((people, next, roles::list(view)?))
        })
        .await?;
    let next = next.as_ref().and_then(page::cursor);
    let filled = Filled::with(["search", "role"].map(|name| (name, query.get(name))));
    let any = [(String::new(), "Any".to_owned())];
    let roles = any
        .into_iter()
        .chain(roles.into_iter().map(|(id, role)| (id.to_string(), role.name)));
    let heads = ["Name", "E-mail address", "Institution", "Role", "Groups", "Since"];
    Ok(visit
        .page("People")
        .aside(add(&visit))
        .body(html! {
            form.filters method="get" action="/users" {
                (filled.input(&Field::new("search", "Search").kind("search").optional()))
                (filled.choice(&Field::new("role", "Role").optional(), roles))
                button { "Filter" }
                @if ["search", "role", "group"].iter().any(|name| query.given(name).is_some()) { a.button.quiet href="/users" { "Show all" } }
            }
            @if people.is_empty() { (empty("Nobody fits.", html! { a href="/users" { "Show everybody" } })) }
            @else { (table("People", &heads, people.iter().filter_map(|person| row(&visit, person)))) }
            (pager("/users", &query, next.as_deref()))
        }))
}

fn add(visit: &Visit) -> Markup {
    html! { @if visit.may(Permission::CreateUsers) { a.button.primary href="/users/new" { "Make an account" } } }
}

fn row(visit: &Visit, person: &Person) -> Option<Vec<Markup>> {
    let Body::User(user) = &person.object.body else {
        return None;
    };
    let role = match &person.account {
        None => html! { span.none { "of another node" } },
        Some(account) => html! {
            (reveal(&account.role.1.name))
            @if !account.active { " " (badge(Tone::Bad, Icon::No, "deactivated")) }
        },
    };
    let groups = person.account.iter().flat_map(|account| &account.groups);
    let opens = visit.may(Permission::CreateGroups);
    let group = |id: GroupId, name: &str| html! { @if opens { a href=(format!("/groups/{id}")) { (reveal(name)) } } @else { (reveal(name)) } };
    Some(vec![
        html! { a href=(format!("/users/{}", person.object.id)) { (reveal(&user.name)) } },
        html! { (user.email) },
        html! { (reveal(&user.institution)) },
        role,
        html! { @for (at, (id, name)) in groups.enumerate() { @if at > 0 { ", " } (group(*id, name)) } },
        time(person.object.created_at),
    ])
}

async fn show_form(visit: Visit) -> Answer {
    form(&visit, &Filled::with([("role", Preset::User.id().to_string())])).await
}

async fn form(visit: &Visit, filled: &Filled) -> Answer {
    visit
        .actor
        .require(Permission::CreateUsers)
        .map_err(crate::acts::Refusal::from)?;
    let roles = visit.read(roles::list).await?;
    let given = roles
        .iter()
        .filter(|(_, role)| visit.actor.require_all(&role.permissions).is_ok());
    let choices: Vec<_> = given
        .map(|(id, role)| (id.to_string(), role.name.as_str()))
        .collect();
    let left_out = choices.len() < roles.len();
    let length = format!(
        "At least {} characters. Hand it over in person; they change it on their account's page.",
        password::MIN
    );
    Ok(visit
        .page("Make an account")
        .trail([("People", "/users")])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            div.card.narrow {
                (visit.form("/users/new", html! {
                    (filled.input(&Field::new("name", "Name")))
                    (filled.input(&Field::new("email", "E-mail address").kind("email").hint("They sign in with it.")))
                    (filled.input(&Field::new("institution", "Institution").optional()))
                    (filled.input(&Field::new("website", "Website").kind("url").optional()))
                    (filled.choice(&Field::new("role", "Role").hint(if left_out { "Only roles that may do no more than you." } else { "" }), choices))
                    (filled.input(&Field::new("password", "First password").kind("password").autocomplete("new-password").hint(&length)))
                    div.actions { button.primary { "Make the account" } a.button href="/users" { "Cancel" } }
                }))
            }
        }))
}

async fn create(submitted: Form) -> Answer {
    match make(&submitted).await {
        Ok(id) => Ok(submitted.go_and_say(
            &format!("/users/{id}"),
            &Notice::done("The account is made. They can sign in now."),
        )),
        Err(problem) => form(&submitted, &Filled::refused(&submitted.fields, problem)?).await,
    }
}

async fn make(form: &Form) -> Result<Uuid, Problem> {
    let fields = &form.fields;
    let new = NewAccount {
        profile: profile(fields),
        password: Password::new(fields.get("password")),
        role: fields.given("role").map(str::to_owned),
    };
    let made = rest::make(&form.context, Some(form.actor.clone()), form.from, new).await?;
    Ok(made.object.id)
}

/// What somebody says of themselves, as forms send it.
pub fn profile(fields: &Fields) -> Profile {
    Profile {
        name: fields.get("name").to_owned(),
        email: fields.get("email").trim().to_owned(),
        institution: fields.get("institution").to_owned(),
        website: fields.get("website").trim().to_owned(),
    }
}
