//! The audit chain: what happened, who did it, and to what. Filters stand in the address.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use uuid::Uuid;

use super::piece::hash;
use super::piece::icon::Icon;
use super::piece::list::{empty, pager, table};
use super::piece::status::{Tone, badge};
use super::piece::text::reveal;
use super::piece::time::time;
use super::{Answer, Field, Fields, Filled, Problem, Site, Visit};
use crate::acts::chain::{self, Filter};
use crate::api::page;
use crate::domain::audit::{self, Entry};
use crate::domain::object::Kind;
use crate::domain::text::Invalid;
use crate::store::audit::{self as store, VerifyError};
use crate::store::read::Read;
use crate::store::records;
use crate::store::tables::PEERS;

/// Entries on a page.
const PAGE: usize = 50;

/// What is filtered by.
const FILTERS: [&str; 5] = ["action", "by", "subject", "since", "until"];

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/audit", list);
    site.get("/audit/verification", verify);
}

/// What the names of things are that entries are about, as far as they are here.
type Names = BTreeMap<Uuid, (String, Option<String>)>;

async fn list(visit: Visit, query: Fields) -> Answer {
    visit.demand("GET", "/audit")?;
    let filled = Filled::with(FILTERS.map(|name| (name, query.get(name))));
    let filter = match filter(&query) {
        Ok(filter) => filter,
        Err(problem) => {
            let refused = Filled::refused(&query, problem)?;
            return Ok(visit
                .page("Audit")
                .status(refused.status())
                .body(html! { (refused.summary()) (filters(&refused, true)) }));
        }
    };
    let before = page::Page::new(None, query.given("cursor").map(str::to_owned)).after::<u64>()?;
    let actor = visit.actor.clone();
    let (entries, next, names) = visit
        .read(move |view| {
            let (entries, next) = chain::entries(view, &actor, &filter, before, PAGE)?;
            let names = names(view, &entries)?;
            Ok((entries, next, names))
        })
        .await?;
    let next = next.as_ref().and_then(page::cursor);
    let narrowed = FILTERS.iter().any(|name| query.given(name).is_some());
    let heads = ["No.", "When", "Who", "What", "About", "Detail"];
    Ok(visit
        .page("Audit")
        .aside(html! { a.button href="/audit/verification" { "Verify the chain" } })
        .wide()
        .body(html! {
            (filters(&filled, narrowed))
            @if entries.is_empty() {
                @let to_do = if next.is_some() { html! { "Older entries may: go on below." } } else { html! { a href="/audit" { "Show all entries" } } };
                (empty("No entry fits.", to_do))
            } @else { (table("Entries", &heads, entries.iter().map(|entry| row(entry, &names)))) }
            (pager("/audit", &query, next.as_deref()))
        }))
}

fn filters(filled: &Filled, narrowed: bool) -> Markup {
    html! {
        form.filters method="get" action="/audit" {
            (filled.input(&Field::new("action", "What, such as bundle or request.approved").kind("search").optional()))
            (filled.input(&Field::new("by", "By: id of a person or peer").kind("search").optional()))
            (filled.input(&Field::new("subject", "About: id of a thing").kind("search").optional()))
            (filled.input(&Field::new("since", "From").kind("date").optional()))
            (filled.input(&Field::new("until", "To").kind("date").optional()))
            button { "Filter" }
            @if narrowed { a.button.quiet href="/audit" { "Show all" } }
        }
    }
}

fn filter(query: &Fields) -> Result<Filter, Problem> {
    let id = |name: &str| match query.given(name) {
        Some(_) => query.parsed::<Uuid>(name, "an id").map(Some),
        None => Ok(None),
    };
    Ok(Filter {
        action: query.given("action").map(str::to_owned),
        by: id("by")?,
        subject: id("subject")?,
        since: day(query, "since", 0)?,
        until: day(query, "until", 1)?,
    })
}

/// The beginning of the day that was chosen, or of one after it: the last day counts whole.
fn day(query: &Fields, name: &str, after: i64) -> Result<Option<Timestamp>, Problem> {
    let wrong = || Problem::from(Invalid::new(name, "must be a date such as 2026-11-30"));
    let Some(text) = query.given(name) else {
        return Ok(None);
    };
    let date: Date = text.parse().map_err(|_| wrong())?;
    let date = date
        .checked_add(jiff::Span::new().days(after))
        .map_err(|_| wrong())?;
    let zoned = date.to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
    Ok(Some(zoned.timestamp()))
}

/// The names of who acted, and of what was acted on, with the address of its page if it has one.
fn names(read: &impl Read, entries: &[Entry]) -> Result<Names, crate::acts::Refusal> {
    let mut names = Names::new();
    for entry in entries {
        let who = match entry.fields.actor {
            audit::Actor::User(id) | audit::Actor::Peer(id) => Some(id),
            audit::Actor::Node => None,
        };
        for id in entry.fields.subjects.iter().copied().chain(who) {
            if names.contains_key(&id) {
                continue;
            }
            if let Some(object) = records::object(read, id)? {
                let address = of(object.kind()).map(|place| format!("/{place}/{id}"));
                names.insert(id, (object.body.title(), address));
            } else if let Some(peer) = read.get(&PEERS, &id)? {
                names.insert(id, (peer.name, Some(format!("/peers/{id}"))));
            }
        }
    }
    Ok(names)
}

/// Where things of a kind have their pages.
fn of(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::User => Some("users"),
        Kind::Project => Some("projects"),
        Kind::Code => Some("codes"),
        Kind::Request => Some("requests"),
        Kind::Dataset => Some("datasets"),
        Kind::Asset => Some("assets"),
        Kind::Release => Some("releases"),
        Kind::Decision | Kind::Job => None,
    }
}

fn row(entry: &Entry, names: &Names) -> Vec<Markup> {
    let fields = &entry.fields;
    let who = match fields.actor {
        audit::Actor::Node => html! { "this node" },
        audit::Actor::User(id) | audit::Actor::Peer(id) => named(id, names),
    };
    vec![
        html! { (entry.sequence) },
        time(fields.at),
        who,
        html! { code { (fields.action.as_str()) } },
        html! { ul.plain { @for id in &fields.subjects { li { (named(*id, names)) } } } },
        html! { ul.plain { @for (name, value) in &fields.detail { li { span.soft { (name.replace('_', " ")) ": " } (reveal(value)) } } } },
    ]
}

fn named(id: Uuid, names: &Names) -> Markup {
    html! {
        @match names.get(&id) {
            Some((name, Some(address))) => a href=(address) { (reveal(name)) },
            Some((name, None)) => (reveal(name)),
            None => code { (id) },
        }
    }
}

/// Walks the whole chain.
async fn verify(visit: Visit) -> Answer {
    visit.demand("GET", "/audit/verification")?;
    let outcome = visit.read(|view| Ok(store::verify(view))).await?;
    let said = match outcome {
        Ok(verified) => html! {
            p { (badge(Tone::Good, Icon::Done, "intact")) " Each of its " (verified.entries) " entries carries the hash of the one before." }
            p { "The hash of the last one, its head:" }
            p { (hash::whole(&verified.head)) }
            p.hint { "Note it down: whoever changes anything before it changes this hash." }
        },
        Err(VerifyError::Broken { at, why }) => html! {
            p { (badge(Tone::Bad, Icon::Warning, "broken")) " Entry " (at) " does not fit: " (why) "." }
            p { "Do not go on working with this store. Keep it as it is, and compare it with a backup." }
        },
        Err(error @ VerifyError::Table(_)) => return Err(Problem::internal(&error)),
    };
    Ok(visit
        .page("The audit chain")
        .trail([("Audit", "/audit")])
        .body(html! { div.card.narrow { (said) } }))
}
