//! Requests: all that somebody may see, by their state.

use maud::{Markup, html};

use super::piece::list::{empty, pager, table};
use super::piece::status;
use super::piece::text::reveal;
use super::piece::time::time;
use super::{Answer, Fields, Site, Visit};
use crate::acts::requests::{self, Filter, Listed};
use crate::api::page;
use crate::domain::access::Permission;
use crate::domain::request::SightType;
use crate::store::records;

/// Requests on a page.
const PAGE: usize = 50;

/// The states that can be chosen, by the words of the address.
const STATES: [(&str, &str); 6] = [
    ("", "All"),
    ("pending", "Pending"),
    ("approved", "Approved"),
    ("expired", "Expired"),
    ("denied", "Denied"),
    ("withdrawn", "Withdrawn"),
];

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/requests", list);
}

async fn list(visit: Visit, query: Fields) -> Answer {
    let filter = Filter {
        project: query.given("project").and_then(|id| id.parse().ok()),
        to_see: query.given("to_see").map(|to_see| to_see == "yes"),
        state: query.given("state").map(str::to_owned),
        ..Filter::default()
    };
    let before = page::Page::new(None, query.given("cursor").map(str::to_owned)).after()?;
    let (actor, now) = (visit.actor.clone(), visit.context.store.now());
    let (rows, next) = visit
        .read(move |view| {
            let (listed, next) = requests::list(view, &actor, now, &filter, before, PAGE)?;
            let mut rows = Vec::with_capacity(listed.len());
            for one in listed {
                let project = match one.request.body.project() {
                    Some(project) => records::object(view, project.0)?,
                    None => None,
                };
                rows.push((one, project.map(|object| object.body.title())));
            }
            Ok((rows, next))
        })
        .await?;
    let next = next.as_ref().and_then(page::cursor);
    let state = query.get("state").to_owned();
    Ok(visit.page("Requests").body(html! {
        (states(&query, &state))
        @if rows.is_empty() { (nothing(&visit, &state)) }
        @else {
            (table("Requests", &["Reason", "State", "Asks", "From", "Project", "Submitted"], rows.iter().map(row)))
        }
        (pager("/requests", &query, next.as_deref()))
    }))
}

fn states(query: &Fields, state: &str) -> Markup {
    html! {
        nav aria-label="State" {
            ul.tabs {
                @for (word, label) in STATES {
                    @let address = query.address("/requests", "state", Some(word).filter(|word| !word.is_empty()));
                    li { a href=(address) aria-current=[(word == state).then_some("page")] { (label) } }
                }
            }
        }
    }
}

fn nothing(visit: &Visit, state: &str) -> Markup {
    if !state.is_empty() {
        return empty(
            "There is no such request.",
            html! { a href="/requests" { "Show all requests" } },
        );
    }
    let to_do = if visit.may(Permission::TriageRequests) {
        html! { "They appear here once scientists make them" @if !visit.side.takes_scientists() { ", and the bundle that brings them is applied" } "." }
    } else {
        html! { "Find data in the " a href="/datasets" { "catalogue" } ", and submit code for it." }
    };
    empty("There are no requests yet.", to_do)
}

fn to_see(kind: SightType) -> &'static str {
    match kind {
        SightType::Mock => "to see a mock",
        SightType::Release => "to see a release",
        SightType::PrivateData => "to see private data",
    }
}

fn row((one, project): &(Listed, Option<String>)) -> Vec<Markup> {
    let object = &one.request.object;
    vec![
        html! { a href=(format!("/requests/{}", object.id)) { (reveal(&object.body.title())) } },
        status::request(&one.status),
        html! { (one.sight.as_ref().map_or("to run code", |sight| to_see(sight.sight.kind()))) },
        html! { @if let Some(name) = &one.requester_name { (reveal(name)) } },
        html! { @if let Some(project) = project { (reveal(project)) } },
        time(object.created_at),
    ]
}
