//! The catalogue: datasets, searched by words and tags.

use std::sync::Arc;

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::piece::list::{empty, pager};
use super::piece::text::reveal;
use super::visit::Shell;
use super::{Answer, Anyone, Field, Fields, Filled, Site};
use crate::acts::datasets::{self, Wanted};
use crate::api::page;
use crate::domain::access::Permission;
use crate::domain::object::{Body, Object};

/// Datasets on a page.
const PAGE: usize = 24;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/datasets", list);
}

async fn list(Anyone(visit): Anyone, query: Fields) -> Answer {
    let wanted = Wanted {
        search: query.given("search").map(str::to_owned),
        tag: query.given("tag").map(str::to_owned),
        name: None,
    };
    let before = page::Page::new(None, query.given("cursor").map(str::to_owned)).after()?;
    let viewer = visit.viewer()?;
    let listed = visit
        .read(move |view| datasets::list(view, &viewer, &wanted, before, PAGE))
        .await?;
    let next = listed.next.as_ref().and_then(page::cursor);
    Ok(shown(&visit, &query, &listed.objects, next.as_deref()))
}

fn shown(visit: &Shell, query: &Fields, datasets: &[Arc<Object>], next: Option<&str>) -> HttpResponse {
    let narrowed = query.given("search").is_some() || query.given("tag").is_some();
    visit.page("Datasets").aside(html! { @if visit.may(Permission::UploadData) { a.button.primary href="/datasets/new" { "Make a dataset" } a.button href="/datasets/archive" { "From an archive" } } }).body(html! {
        (search(query))
        @if datasets.is_empty() { (nothing(visit, narrowed, next.is_some())) }
        ul.cards { @for dataset in datasets { (card(dataset)) } }
        (pager("/datasets", query, next))
    })
}

fn search(query: &Fields) -> Markup {
    let filled = Filled::with(["search", "tag"].map(|name| (name, query.get(name))));
    html! {
        search {
            form.filters method="get" action="/datasets" {
                div.grow { (filled.input(&Field::new("search", "Search").kind("search").optional())) }
                @if let Some(tag) = query.given("tag") { input type="hidden" name="tag" value=(tag); }
                button { "Search" }
            }
            @if let Some(tag) = query.given("tag") {
                p { "Only datasets with the tag " strong { (reveal(tag)) } ". " a href=(query.address("/datasets", "tag", None)) { "Show all" } }
            }
        }
    }
}

fn nothing(visit: &Shell, narrowed: bool, more: bool) -> Markup {
    if narrowed {
        let to_do = if more {
            html! { "Older ones may: go on below." }
        } else {
            html! { a href="/datasets" { "Show all datasets" } }
        };
        return empty("No dataset fits what you are looking for.", to_do);
    }
    let to_do = if visit.may(Permission::UploadData) {
        html! { a href="/datasets/new" { "Make the first one" } "." }
    } else {
        html! { "They appear here once a data owner publishes them." }
    };
    empty("There are no datasets yet.", to_do)
}

fn card(object: &Object) -> Markup {
    let Body::Dataset(dataset) = &object.body else {
        return html! {};
    };
    html! {
        li {
            h2 { a href=(format!("/datasets/{}", object.id)) { (reveal(&dataset.name)) } }
            @if !dataset.description.is_empty() { p.clipped { (reveal(&dataset.description)) } }
            (tags(&dataset.tags))
        }
    }
}

/// Tags, each leading to the datasets that bear it.
pub fn tags(tags: &[String]) -> Markup {
    html! {
        @if !tags.is_empty() {
            ul.tags {
                @for tag in tags {
                    li { a href=(Fields::of([("tag", tag.as_str())]).address("/datasets", "", None)) { (reveal(tag)) } }
                }
            }
        }
    }
}
