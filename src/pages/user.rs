//! One person: who they are, what they may do, the groups that they are in, and the key that they sign with.

mod locked_out;

use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::piece::facts::facts;
use super::piece::icon::Icon;
use super::piece::list::button;
use super::piece::status::{Tone, badge};
use super::piece::text::reveal;
use super::piece::time::{date, time};
use super::was::{State, Was, was};
use super::{Answer, Confirm, Field, Filled, Form, Notice, Problem, Site, Visit};
use crate::acts::accounts::{self, AccountView, Change, Person};
use crate::acts::{groups, keys, roles};
use crate::domain::access::Permission;
use crate::domain::group::{GROUPS_MAX, Group};
use crate::domain::id::{GroupId, RoleId, UserId};
use crate::domain::key_pins::KeyPins;
use crate::domain::object::Body;
use crate::domain::role::Role;
use crate::domain::user::User;

/// The field by which the form of somebody's groups is known.
const OF_GROUPS: &str = "of_groups";

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/users/{id}", show);
    site.post("/users/{id}/account", administer);
    site.post("/users/{id}/groups", set_groups);
    site.get("/users/{id}/deletion", confirm_deletion);
    site.post("/users/{id}/deletion", delete);
    site.post("/users/{id}/key", accept_key);
    locked_out::routes(site);
}

fn address(id: UserId) -> String {
    format!("/users/{id}")
}

struct Found {
    person: Person,
    user: User,
    roles: Vec<(RoleId, Role)>,
    groups: Vec<(GroupId, Group)>,
    keys: Option<KeyPins>,
}

async fn read(visit: &Visit, id: UserId) -> Result<Found, Problem> {
    let actor = visit.actor.clone();
    let found = visit
        .read(move |view| {
            let person = accounts::user(view, &actor, id)?;
            let groups = if actor.may(Permission::CreateGroups) {
                groups::list(view, &actor, None, GROUPS_MAX)?
            } else {
                Vec::new()
            };
            let keys = if actor.may(Permission::TriageRequests) {
                Some(keys::pins(view, id)?)
            } else {
                None
            };
            Ok((person, roles::list(view)?, groups, keys))
        })
        .await?;
    let (person, roles, groups, keys) = found;
    let Body::User(user) = person.object.body.clone() else {
        return Err(Problem::not_found("there is no such person"));
    };
    Ok(Found {
        person,
        user,
        roles,
        groups,
        keys,
    })
}

async fn show(visit: Visit, id: Path<Uuid>) -> Answer {
    page(&visit, UserId(*id), &Filled::default()).await
}

async fn page(visit: &Visit, id: UserId, filled: &Filled) -> Answer {
    let found = read(visit, id).await?;
    let trail = visit.may(Permission::CreateUsers).then_some(("People", "/users"));
    Ok(visit
        .page(found.user.name.as_str())
        .trail(trail)
        .status(filled.status())
        .body(html! {
            (filled.summary())
            div.columns {
                div {
                    section.card { h2 { "Who they are" } (about(&found)) }
                    @if let Some(pins) = found.keys.as_ref().filter(|pins| !pins.pins.is_empty() || pins.change.is_some()) { (key(visit, id, pins, filled)) }
                }
                div.side-column {
                    @if let Some(account) = &found.person.account { (administered(visit, id, &found, account, filled)) }
                }
            }
        }))
}

fn about(found: &Found) -> Markup {
    let user = &found.user;
    let account = found.person.account.as_ref();
    facts([
        ("Name", reveal(&user.name)),
        ("E-mail address", html! { (user.email) }),
        ("Institution", reveal(&user.institution)),
        ("Website", reveal(&user.website)),
        (
            "Account",
            html! {
                @match account {
                    None => "on another node: a bundle has brought their record",
                    Some(account) if account.active => { (badge(Tone::Good, Icon::Done, "active")) },
                    Some(_) => { (badge(Tone::Bad, Icon::No, "deactivated")) },
                }
            },
        ),
        (
            "Second factor",
            html! { @if let Some(account) = account { (if account.second_factor { "yes" } else { "no" }) } },
        ),
        ("Known here since", time(found.person.object.created_at)),
        ("Identifier", html! { code { (found.person.object.id) } }),
    ])
}

/// Whether the one who looks may act on the account, or why not.
fn may_act(visit: &Visit, account: &AccountView) -> Result<(), String> {
    crate::domain::account::may_administer(&visit.actor.permissions, &account.role.1.permissions)
        .map_err(|denied| denied.to_string())
}

fn administered(visit: &Visit, id: UserId, found: &Found, account: &AccountView, refused: &Filled) -> Markup {
    let at = address(id);
    let may = may_act(visit, account);
    let filled = Filled::with([("role", account.role.0.to_string())]);
    let given = found
        .roles
        .iter()
        .filter(|(_, role)| visit.actor.require_all(&role.permissions).is_ok());
    let choices: Vec<_> = given
        .map(|(id, role)| (id.to_string(), role.name.as_str()))
        .collect();
    let (word, label, class) = if account.active {
        ("no", "Deactivate", "danger")
    } else {
        ("yes", "Activate", "")
    };
    html! {
        section.card {
            h2 { "Role" }
            p { (reveal(&account.role.1.name)) }
            @if may.is_ok() {
                (visit.form(&format!("{at}/account"), html! {
                    (filled.choice(&Field::new("role", "Another role").hint("You give no more than you have yourself."), choices))
                    div.actions { button { "Change the role" } }
                }))
            } @else { div.actions { (button("Change the role", "", &may)) } }
        }
        section.card {
            h2 { "Groups" }
            @if visit.may(Permission::CreateGroups) { (memberships(visit, &at, found, account, refused)) }
            @else {
                @if account.groups.is_empty() { p.soft { "None." } }
                ul { @for (_, name) in &account.groups { li { (reveal(name)) } } }
            }
        }
        (locked_out::shown(visit, id, account, &may))
        section.card.acts {
            h2 { "Account" }
            @if account.active { p.hint { "Whoever is deactivated is signed out everywhere at once, and cannot sign in." } }
            (visit.form(&format!("{at}/account"), html! {
                input type="hidden" name="active" value=(word);
                div.actions { (button(label, class, &may)) }
            }))
            form method="get" action=(format!("{at}/deletion")) { div.actions { (button("Delete the account", "danger", &may)) } }
        }
    }
}

/// The groups that somebody is in, by the name that the form gives them.
fn state(groups: &[(GroupId, String)]) -> State {
    let names: Vec<_> = groups.iter().map(|(_, name)| name.as_str()).collect();
    vec![("Groups", names.join(", "))]
}

fn memberships(visit: &Visit, at: &str, found: &Found, account: &AccountView, refused: &Filled) -> Markup {
    if found.groups.is_empty() {
        return html! { p.soft { "There are no groups on this node. " a href="/groups" { "Make one" } "." } };
    }
    let stored = Filled::with(account.groups.iter().map(|(id, _)| ("group", id.to_string())));
    // Several forms stand on this page; what comes back is this one's if it says so.
    let filled = if refused.fields().has(OF_GROUPS) {
        refused
    } else {
        &stored
    };
    visit.form(&format!("{at}/groups"), html! {
        input type="hidden" name=(OF_GROUPS) value="yes";
        (was(filled, &state(&account.groups)))
        @for (id, group) in &found.groups { (filled.check_value("group", &id.to_string(), &group.name, &group.description)) }
        div.actions { button { "Save the groups" } }
    })
}

/// The key that they sign with, as this node has pinned it; and a change of it, to be accepted once they were asked.
fn key(visit: &Visit, id: UserId, pins: &KeyPins, filled: &Filled) -> Markup {
    html! {
        section.card {
            h2 { "Key that they sign with" }
            @if let Some(pin) = pins.present() {
                (facts([
                    ("Pinned", html! { @match &pin.key { Some(key) => code { (key.fingerprint()) }, None => "that they have none" } }),
                    ("Since", date(pin.on())),
                    ("Called then", html! { (reveal(&pin.name)) " " (reveal(&pin.email)) }),
                    ("Accepted by", html! { @if let Some(by) = &pin.accepted_by { (reveal(&by.name)) } }),
                ]))
            }
            @if let Some(other) = pins.namesake {
                div.notice.warning { p { a href=(address(other)) { "Another person" } " bears the same address, and a key is pinned for them. What this one signs is measured by that key until somebody has asked them, and accepts this." } }
            }
            @if let Some(change) = &pins.change {
                div.notice.warning { p {
                    strong { "Their record names another key since " (date(change.on())) ". " }
                    @match &change.key { Some(key) => { "It is " code { (key.fingerprint()) } "." }, None => "It names none any more." }
                    " Until it is accepted, what they sign with it does not count as theirs."
                } }
                (visit.form(&format!("{}/key", address(id)), html! {
                    @if change.key.is_some() {
                        (filled.input(&Field::new("fingerprint", "Fingerprint, as they read it to you")
                            .hint("Call them at a number that you have from elsewhere, and type what they read out.")))
                    } @else { p { "Ask them whether they have stopped signing." } }
                    div.actions { button.danger { "Accept the change" } }
                }))
            }
        }
    }
}

async fn administer(form: Form, id: Path<Uuid>) -> Answer {
    let id = UserId(*id);
    let fields = &form.fields;
    let change = Change {
        role: fields.given("role").map(str::to_owned),
        active: fields.given("active").map(|active| active == "yes"),
        groups: None,
    };
    let said = match change.active {
        Some(true) => "The account is active.",
        Some(false) => "The account is deactivated; they are signed out.",
        None => "The role is changed.",
    };
    changed(&form, id, change, said).await
}

async fn set_groups(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id, was) = (form.actor.clone(), UserId(*id), Was::of(&form.fields));
    let change = Change {
        groups: Some(form.fields.all("group").map(str::to_owned).collect()),
        ..Change::default()
    };
    let done = form
        .context
        .store
        .act(move |tx, here| {
            actor.require(Permission::CreateGroups)?;
            let now = groups::of(tx, id)?
                .into_iter()
                .map(|(id, group)| (id, group.name));
            was.still_is(&state(&now.collect::<Vec<_>>()))?;
            accounts::administer(tx, &actor, here, id, &change)
        })
        .await;
    answered(&form, id, done.map_err(Problem::from), "The groups are saved.").await
}

async fn changed(form: &Form, id: UserId, change: Change, said: &str) -> Answer {
    let actor = form.actor.clone();
    let done = form
        .context
        .store
        .act(move |tx, here| accounts::administer(tx, &actor, here, id, &change))
        .await;
    answered(form, id, done.map_err(Problem::from), said).await
}

async fn answered(form: &Form, id: UserId, done: Result<Person, Problem>, said: &str) -> Answer {
    match done {
        Ok(_) => Ok(form.go_and_say(&address(id), &Notice::done(said))),
        Err(problem) => page(form, id, &Filled::refused(&form.fields, problem)?).await,
    }
}

async fn confirm_deletion(visit: Visit, id: Path<Uuid>) -> Answer {
    let id = UserId(*id);
    let found = read(&visit, id).await?;
    Ok(Confirm {
        title: "Delete this account?",
        explained: html! {
            p { strong { (reveal(&found.user.name)) } " " (found.user.email) }
            p { "They cannot sign in any more. What they have submitted stays, and so does what was decided and released." }
        },
        action: &format!("{}/deletion", address(id)),
        hidden: &[],
        button: "Delete the account",
        dangerous: true,
        back: &address(id),
    }
    .page(&visit))
}

async fn delete(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), UserId(*id));
    let done = form
        .context
        .store
        .act(move |tx, here| accounts::delete_user(tx, &actor, here, id))
        .await;
    match done.map_err(Problem::from) {
        Ok(()) => Ok(form.go_and_say("/users", &Notice::done("The account is deleted."))),
        Err(problem) => page(&form, id, &Filled::refused(&form.fields, problem)?).await,
    }
}

async fn accept_key(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), UserId(*id));
    let typed = form.fields.given("fingerprint").map(str::to_owned);
    let done = form
        .context
        .store
        .act(move |tx, here| keys::accept(tx, &actor, here, id, typed.as_deref()).map(drop))
        .await;
    match done.map_err(Problem::from) {
        Ok(()) => Ok(form.go_and_say(
            &address(id),
            &Notice::done("The change is accepted; the key is pinned."),
        )),
        Err(problem) => page(&form, id, &Filled::refused(&form.fields, problem)?).await,
    }
}
