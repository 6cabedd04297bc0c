//! The inbox of somebody who looks after data: what waits, whose it is, which data it touches, how old it is, and what is
//! next. Filters stand in the address.

use jiff::Timestamp;
use maud::{Markup, html};

use super::piece::icon::Icon;
use super::piece::list::{empty, table};
use super::piece::status::{Tone, badge};
use super::piece::text::reveal;
use super::piece::time::age;
use super::{Answer, Field, Fields, Filled, Site, Visit};
use crate::acts::waiting::{Entry, Matter, Waiting, waiting};
use crate::clock;
use crate::domain::access::Permission;
use crate::domain::job::State;
use crate::store::records::Here;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/inbox", show);
}

async fn show(visit: Visit, query: Fields) -> Answer {
    let (actor, now) = (visit.actor.clone(), visit.context.store.now());
    let found = visit
        .read(move |view| waiting(view, &actor, &Here::at(view, now, clock::random_bytes())?))
        .await?;
    let of_any_kind = |entry: &&Entry| {
        query
            .given("whose")
            .is_none_or(|whose| holds(&entry.whose, whose))
            && query
                .given("dataset")
                .is_none_or(|dataset| entry.datasets.iter().any(|name| holds(name, dataset)))
    };
    let fitting: Vec<_> = found.entries.iter().filter(of_any_kind).collect();
    let of_kind = |entry: &&&Entry| query.given("kind").is_none_or(|kind| entry.matter.word() == kind);
    let shown: Vec<_> = fitting.iter().filter(of_kind).collect();
    // What a bundle brought is not looked into before it is applied.
    let unknown = query.given("dataset").map_or(0, |_| found.count(Matter::Import));
    Ok(visit.page("Inbox").body(html! {
        (kinds(&query, &fitting))
        @if !found.entries.is_empty() { (filters(&query)) }
        @if unknown > 0 { p.soft { (unknown) (if unknown == 1 { " import waits" } else { " imports wait" }) " besides; which data they touch is told once they are applied." } }
        @if shown.is_empty() { (nothing(&visit, &found)) }
        @else { (table("What waits", &["What", "Kind", "Whose", "Data", "Waits for", "Next"], shown.into_iter().map(|entry| row(entry, now)))) }
        @if found.more { p.soft { "More waits than is shown here. It appears as you go through these." } }
    }))
}

fn holds(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

fn kinds(query: &Fields, fitting: &[&Entry]) -> Markup {
    let chosen = query.get("kind");
    let count = |matter| fitting.iter().filter(|entry| entry.matter == matter).count();
    html! {
        nav aria-label="Kind" {
            ul.tabs {
                li { a href=(query.address("/inbox", "kind", None)) aria-current=[chosen.is_empty().then_some("page")] { "All " span.count { (fitting.len()) } } }
                @for matter in Matter::ALL {
                    @let here = chosen == matter.word();
                    li { a href=(query.address("/inbox", "kind", Some(matter.word()))) aria-current=[here.then_some("page")] { (title(matter)) " " span.count { (count(matter)) } } }
                }
            }
        }
    }
}

fn filters(query: &Fields) -> Markup {
    let filled = Filled::with(["whose", "dataset"].map(|name| (name, query.get(name))));
    html! {
        form.filters method="get" action="/inbox" {
            @if let Some(kind) = query.given("kind") { input type="hidden" name="kind" value=(kind); }
            (filled.input(&Field::new("whose", "Whose").kind("search").optional()))
            (filled.input(&Field::new("dataset", "Dataset").kind("search").optional()))
            button { "Filter" }
            @if query.given("whose").is_some() || query.given("dataset").is_some() { a.button.quiet href="/inbox" { "Show all" } }
        }
    }
}

fn nothing(visit: &Visit, found: &Waiting) -> Markup {
    if !found.entries.is_empty() {
        return empty(
            "Nothing of this waits.",
            html! { a href="/inbox" { "Show all that waits" } },
        );
    }
    let to_do = if visit.side.level().is_ok() && visit.may(Permission::Sync) {
        html! { "When a stick arrives, import its bundle; when one leaves, export what is owed." }
    } else {
        html! { "Requests appear here as soon as scientists make them." }
    };
    empty("Nothing waits for you.", to_do)
}

fn title(matter: Matter) -> &'static str {
    match matter {
        Matter::Import => "Imports",
        Matter::Code => "Code",
        Matter::Access => "Access",
        Matter::Run => "Runs",
        Matter::Result => "Results",
    }
}

/// How a run ended that left no result.
fn ended(state: State) -> &'static str {
    match state {
        State::TimedOut => "reached its time limit",
        State::Cancelled => "was cancelled",
        State::Interrupted => "was interrupted by the node",
        State::SetAside => "was set aside",
        State::Failed | State::Succeeded | State::Queued | State::Running => "failed",
    }
}

fn row(entry: &Entry, now: Timestamp) -> Vec<Markup> {
    let (drawing, kind, address, next) = match entry.matter {
        Matter::Import => (
            Icon::In,
            "import",
            format!("/peers/{}/import", entry.about),
            "Look, then apply or ignore",
        ),
        Matter::Code => (
            Icon::Note,
            "code",
            format!("/requests/{}", entry.about),
            "Read the code and decide",
        ),
        Matter::Access => (
            Icon::Lock,
            "access",
            format!("/requests/{}", entry.about),
            "Decide who may see it",
        ),
        Matter::Run => (
            Icon::Running,
            "run",
            format!("/requests/{}", entry.about),
            "Run it on the private data",
        ),
        Matter::Result => (
            Icon::Out,
            "result",
            format!("/runs/{}/parts/result", entry.about),
            "Look, then release it or let it wait",
        ),
    };
    vec![
        html! { a href=(address) { (reveal(&entry.title)) } },
        badge(Tone::Plain, drawing, kind),
        html! { (reveal(&entry.whose)) },
        html! { @for (at, name) in entry.datasets.iter().enumerate() { @if at > 0 { ", " } (reveal(name)) } },
        html! { @if let Some(since) = entry.since { (age(since, now)) } @else { span.none { "–" } } },
        match entry.tried {
            Some((run, state)) => {
                html! { "Its last run " (ended(state)) ": " a href=(format!("/runs/{run}")) { "look at that" } ", then run it again or deny it" }
            }
            None => html! { (next) },
        },
    ]
}
