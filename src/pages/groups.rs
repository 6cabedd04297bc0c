//! Groups, and who is in them: datasets can be for certain groups only.

use actix_web::HttpResponse;
use actix_web::web::Path;
use maud::html;
use uuid::Uuid;

use super::piece::list::{empty, table};
use super::piece::text::{prose, reveal};
use super::{Answer, Confirm, Field, Filled, Form, Notice, Problem, Site, Visit};
use crate::acts::accounts::Person;
use crate::acts::groups;
use crate::domain::access::{Facts, Viewer, may_see};
use crate::domain::group::{GROUPS_MAX, Group};
use crate::domain::id::{GroupId, UserId};
use crate::domain::object::Body;
use crate::domain::text::Invalid;

/// Members that are shown.
const MEMBERS_SHOWN: usize = 1_000;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/groups", list);
    site.post("/groups", create);
    site.get("/groups/{id}", show);
    site.post("/groups/{id}", change);
    site.post("/groups/{id}/members", add);
    site.post("/groups/{id}/leavers", remove);
    site.get("/groups/{id}/deletion", confirm_deletion);
    site.post("/groups/{id}/deletion", delete);
}

async fn list(visit: Visit) -> Answer {
    all(&visit, &Filled::default()).await
}

async fn all(visit: &Visit, filled: &Filled) -> Answer {
    visit.demand("POST", "/groups")?;
    let actor = visit.actor.clone();
    let found = visit
        .read(move |view| groups::list(view, &actor, None, GROUPS_MAX))
        .await?;
    Ok(visit.page("Groups").status(filled.status()).body(html! {
        (filled.summary())
        p.lead { "A dataset can be for everybody, for everybody who is signed in, or for groups of people." }
        @if found.is_empty() { (empty("There are no groups.", html! { "Make the first one below." })) }
        @else { (table("Groups", &["Group", "Description"], found.iter().map(|(id, group)| vec![
            html! { a href=(format!("/groups/{id}")) { (reveal(&group.name)) } },
            html! { (reveal(&group.description)) },
        ]))) }
        h2 { "Make a group" }
        div.card.narrow { (visit.form("/groups", html! {
            (filled.input(&Field::new("name", "Name")))
            (filled.area(&Field::new("description", "Description").optional(), 3))
            div.actions { button.primary { "Make the group" } }
        })) }
    }))
}

async fn create(form: Form) -> Answer {
    let (actor, id) = (form.actor.clone(), GroupId(form.context.new_id()));
    let (name, description) = texts(&form);
    let made = form
        .context
        .store
        .act(move |tx, here| groups::create(tx, &actor, here, id, (&name, &description)))
        .await;
    match made.map_err(Problem::from) {
        Ok(_) => Ok(form.go_and_say(&format!("/groups/{id}"), &Notice::done("The group is made."))),
        Err(problem) => all(&form, &Filled::refused(&form.fields, problem)?).await,
    }
}

fn texts(form: &Form) -> (String, String) {
    let text = |name: &str| form.fields.get(name).to_owned();
    (text("name"), text("description"))
}

async fn show(visit: Visit, id: Path<Uuid>) -> Answer {
    page(&visit, GroupId(*id), &Filled::default()).await
}

async fn read(visit: &Visit, id: GroupId) -> Result<(Group, Vec<Person>), Problem> {
    let actor = visit.actor.clone();
    visit
        .read(move |view| {
            let members = groups::members(view, &actor, id, None, MEMBERS_SHOWN)?;
            Ok((groups::find(view, id)?, members))
        })
        .await
}

async fn page(visit: &Visit, id: GroupId, filled: &Filled) -> Answer {
    let (group, members) = read(visit, id).await?;
    let at = format!("/groups/{id}");
    let stored = Filled::with([
        ("name", group.name.as_str()),
        ("description", group.description.as_str()),
    ]);
    // Two forms stand on this page; only one of them has a name.
    let described = if filled.fields().has("name") {
        filled
    } else {
        &stored
    };
    Ok(visit
        .page(format!("Group {}", group.name))
        .trail([("Groups", "/groups")])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            @if !group.description.is_empty() { div.card { (prose(&group.description)) } }
            h2 { "Members" }
            @if members.is_empty() { (empty("Nobody is in it.", html! { "Add the first one by e-mail address." })) }
            @else { (visit.form(&format!("{at}/leavers"), members_table(visit, &members))) }
            div.card.narrow { (visit.form(&format!("{at}/members"), html! {
                (filled.input(&Field::new("email", "E-mail address of an account").kind("email")))
                div.actions { button { "Add" } }
            })) }
            h2 { "Change the group" }
            div.card.narrow { (visit.form(&at, html! {
                (described.input(&Field::new("name", "Name")))
                (described.area(&Field::new("description", "Description").optional(), 3))
                div.actions { button { "Save" } a.button.danger href=(format!("{at}/deletion")) { "Delete the group" } }
            })) }
        }))
}

fn members_table(visit: &Visit, members: &[Person]) -> maud::Markup {
    let viewer = Viewer::Person(visit.actor.clone());
    let row = |person: &Person| match &person.object.body {
        Body::User(user) => Some(vec![
            html! {
                @if may_see(&viewer, &person.object, Facts::default()) { a href=(format!("/users/{}", person.object.id)) { (reveal(&user.name)) } }
                @else { (reveal(&user.name)) }
            },
            html! { (user.email) },
            html! { button.small name="user" value=(person.object.id) { "Take out" span.only-heard { ": " (reveal(&user.name)) } } },
        ]),
        _ => None,
    };
    table(
        "Members",
        &["Name", "E-mail address", ""],
        members.iter().filter_map(row),
    )
}

async fn change(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), GroupId(*id));
    let (name, description) = texts(&form);
    let done = form
        .context
        .store
        .act(move |tx, here| groups::change(tx, &actor, here, id, Some(&name), Some(&description)).map(drop))
        .await;
    answered(&form, id, done.map_err(Problem::from), "The group is changed.").await
}

async fn answered(form: &Form, id: GroupId, done: Result<(), Problem>, said: &str) -> Answer {
    match done {
        Ok(()) => Ok(form.go_and_say(&format!("/groups/{id}"), &Notice::done(said))),
        Err(problem) => page(form, id, &Filled::refused(&form.fields, problem)?).await,
    }
}

async fn add(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id, email) = (
        form.actor.clone(),
        GroupId(*id),
        form.fields.get("email").trim().to_owned(),
    );
    let done = form
        .context
        .store
        .act(move |tx, here| {
            let account = crate::acts::accounts::credentials(tx, &email)?;
            let (user, _) = account.ok_or_else(|| Invalid::new("email", "is not that of an account here"))?;
            groups::add(tx, &actor, here, id, user)
        })
        .await;
    answered(&form, id, done.map_err(Problem::from), "They are in the group.").await
}

async fn remove(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), GroupId(*id));
    let user = UserId(form.fields.parsed("user", "the id of a person")?);
    let done = form
        .context
        .store
        .act(move |tx, here| groups::remove(tx, &actor, here, id, user))
        .await;
    answered(
        &form,
        id,
        done.map_err(Problem::from),
        "They are not in the group any more.",
    )
    .await
}

async fn confirm_deletion(visit: Visit, id: Path<Uuid>) -> Answer {
    let id = GroupId(*id);
    let (group, members) = read(&visit, id).await?;
    let people = members.len();
    Ok(Confirm {
        title: "Delete this group?",
        explained: html! {
            p { strong { (reveal(&group.name)) } ", with " (people) " in it." }
            p { "Datasets that are for this group only are then seen by nobody but those who look after data." }
        },
        action: &format!("/groups/{id}/deletion"),
        hidden: &[],
        button: "Delete the group",
        dangerous: true,
        back: &format!("/groups/{id}"),
    }
    .page(&visit))
}

async fn delete(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), GroupId(*id));
    form.context
        .store
        .act(move |tx, here| groups::delete(tx, &actor, here, id))
        .await?;
    Ok::<HttpResponse, _>(form.go_and_say("/groups", &Notice::done("The group is deleted.")))
}
